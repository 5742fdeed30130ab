// Checks of declarations: which there are, that names are unique, and that what they refer to exists. See resolve.h.
#include "dsl/resolve.h"

#include <string.h>

#include "dsl/body.h"
#include "runtime/abi/abi.h"

static bool is_model(const Ast *a) { return a->kind == AST_ANCHOR || a->kind == AST_AUGMENT || a->kind == AST_MODEL; }

// ---- all declarations, of the spec and of the files it uses, in one list
typedef struct Decls {
  const Ast **v;
  int n, cap;
} Decls;

static void collect(Check *c, Decls *all, const Ast *file) {
  for (int i = 0; i < file->nkid; i++) ARENA_PUSH(c->d->arena, all->v, all->n, all->cap, file->kid[i]);
}

// What may not stand twice: the kind of thing, NULL for kinds that may; and by what it is told apart.
static const char *unique_kind(const Ast *a, const char **name) {
  *name = a->name;
  switch (a->kind) {
    case AST_ANCHOR: case AST_AUGMENT: case AST_MODEL: return "model";
    case AST_OP: return "op";
    case AST_FN: return "fn";
    case AST_ARCH: return "arch";
    case AST_TUNE: return "tune";
    case AST_EVAL: *name = a->str; return "eval";
    default: return NULL;
  }
}

static Loc name_place(const Ast *a) { return a->name_loc.file ? a->name_loc : a->loc; }

static void check_duplicates(Check *c, const Decls *all) {
  Map names = {0};
  for (int i = 0; i < all->n && !diags_full(c->d); i++) {
    const char *name, *what = unique_kind(all->v[i], &name);
    int first = what ? map_first(c->d->arena, &names, arena_printf(c->d->arena, "%s %s", what, name), i) : -1;
    if (first < 0) continue;
    diag_error(c->d, name_place(all->v[i]), "there is a%s %s '%s' already", strchr("aeo", what[0]) ? "n" : "", what, name);
    diag_note(c->d, name_place(all->v[first]), "it is declared here");
  }
}

// No two archs of the user may serve one architecture (the user's go before the library's).
static void check_served(Check *c, const Decls *all) {
  Decls served = {0};
  Map names = {0};
  for (int i = 0; i < all->n; i++)
    if (all->v[i]->kind == AST_ARCH) collect(c, &served, all->v[i]->kid[0]);
  for (int i = 0; i < served.n && !diags_full(c->d); i++) {
    int first = map_first(c->d->arena, &names, served.v[i]->str, i);
    if (first < 0) continue;
    diag_error(c->d, served.v[i]->loc, "\"%s\" is served already", served.v[i]->str);
    diag_note(c->d, served.v[first]->loc, "it is served here");
  }
}

// A file that others use is a library: it declares what can be used, no experiment.
static void check_used_file(Check *c, const Ast *file) {
  for (int i = 0; i < file->nkid; i++) {
    const Ast *a = file->kid[i];
    if (a->kind == AST_OP || a->kind == AST_FN || a->kind == AST_ARCH || a->kind == AST_USE) continue;
    diag_error(c->d, a->loc, "found '%s' in a file that another one uses: only op, fn, arch and use may stand there",
               ast_kind_name(a->kind));
  }
}

// A spec is about one model: an anchor, or one made from nothing.
static void check_anchor(Check *c, const Ast *file) {
  const Ast *first = NULL;
  for (int i = 0; i < file->nkid; i++) {
    const Ast *a = file->kid[i];
    if (a->kind != AST_ANCHOR && a->kind != AST_MODEL) continue;
    if (!first) {
      first = a;
      continue;
    }
    if (a->kind == AST_ANCHOR && first->kind == AST_ANCHOR)
      diag_error(c->d, a->name_loc, "a second anchor: a spec has one; other models are declared with 'augment'");
    else
      diag_error(c->d, a->name_loc, "a second model to work on: a spec has one anchor, or one model made from nothing");
    diag_note(c->d, first->name_loc, "'%s' is declared here", first->name);
  }
  Loc start = {file->loc.file, 0, 0};
  if (!first && !c->partial)
    diag_error(c->d, start, "no model to work on: expected anchor NAME = \"directory\", "
                            "or model NAME = ARCH { … } tokenizer \"file\"");
}

// ---- settings

typedef struct SettingRow {
  AstKind block;
  const char *name;
  bool units;                  // may `tokens` or `rows` follow the value?
} SettingRow;
#define UNITS_PATH false
#define UNITS_FILES false
#define UNITS_MIX false
#define UNITS_WHOLE(lo, hi) false
#define UNITS_TOKENS(lo, hi) true
#define UNITS_BATCH(lo, hi) true
#define UNITS_BYTES(lo, hi) false
#define UNITS_REAL(lo, hi) false
#define UNITS_PAIR(lo, hi) false
#define UNITS_SWITCH false
#define UNITS_WORD(words) false
#define UNITS_CALL(words) false
#define OF_train(name, kind) {AST_TRAIN, #name, UNITS_##kind},
#define OF_eval(name, kind) {AST_EVAL, #name, UNITS_##kind},
#define OF_optimizer(name, kind)                   // arguments of a call
#define OF_schedule(name, kind)
#define SETTING(block, name, kind, arg, value, help) OF_##block(name, kind)
static const SettingRow known_settings[] = {
#include "runtime/abi/settings.def"
};
#undef SETTING
enum { NSETTINGS = sizeof known_settings / sizeof *known_settings };

static bool setting_block(const char *name) { return !strcmp(name, ast_kind_name(AST_TRAIN)) || !strcmp(name, ast_kind_name(AST_EVAL)); }

// Where a name that the block does not have is one: an argument of one of its calls, or a setting of another block; else what is near to it.
static const char *set_elsewhere(Check *c, const char *block, const Ast *setting, Near near) {
  const Ast *value = setting->kid[0];
  const char *ours = near_habit(setting->name), *name = ours ? ours : setting->name;
  const char *text = c->spec->sources->v[value->loc.file].text + value->loc.begin;
  int n = (int)(value->loc.end - value->loc.begin);
  bool said = ours && setting_find(block, ours) >= 0;
  for (int i = 0; i < N_SETTINGS && !said; i++) {
    const Setting *arg = &setting_row[i];
    int call = setting_find(block, arg->block);
    if (strcmp(arg->name, name) || (call < 0 && !setting_block(arg->block))) continue;
    if (call < 0) return arena_printf(c->d->arena, "; it is one of %s%s%s%s", arg->block, ours ? ", '" : "", ours ? name : "", ours ? "'" : "");
    return arena_printf(c->d->arena, "; it is an argument: %s = %s(%s = %.*s)", arg->block, setting_row[call].words[0], arg->name, n, text);
  }
  if (said && !strcmp(ours, "batch")) return arena_printf(c->d->arena, "; did you mean batch = %.*s rows? A number alone is one of tokens", n, text);
  const char *remark = near_remark(setting->name);
  return arena_printf(c->d->arena, "%s%s%s", did_you_mean(c, near), *remark ? "; " : "", remark);
}

static void check_setting(Check *c, AstKind block, const Ast *setting) {
  Near near = near_to(c, setting->name);
  const char *block_name = ast_kind_name(block);
  for (int i = 0; i < NSETTINGS; i++) {
    if (known_settings[i].block != block) continue;
    if (!strcmp(known_settings[i].name, setting->name)) {
      if (setting->str && !known_settings[i].units)
        diag_error(c->d, setting->loc, "found '%s' after the value of '%s', which takes no unit", setting->str,
                   setting->name);
      return;
    }
    near_offer(&near, known_settings[i].name);
  }
  diag_error(c->d, setting->name_loc, "%s has no setting '%s'%s", block_name, setting->name, set_elsewhere(c, block_name, setting, near));
  if (near.best || c->listed == block) return;
  c->listed = block;
  Buf names = {0};
  for (int i = 0; i < NSETTINGS; i++)
    if (known_settings[i].block == block) buf_printf(&names, "%s%s", names.n ? ", " : "", known_settings[i].name);
  diag_note(c->d, setting->name_loc, "the settings of %s are %s", block_name, names.s);
  buf_free(&names);
}

static void check_settings(Check *c, const Ast *block) {
  check_unique(c, block, AST_SETTING, "setting");
  for (int i = 0; i < block->nkid && !diags_full(c->d); i++) check_setting(c, block->kind, block->kid[i]);
}

// A setting of a model is a config key: any name, but no unit.
static void check_model(Check *c, const Ast *model) {
  const Ast *settings = model->kid[0];
  check_unique(c, settings, AST_SETTING, "setting");
  for (int i = 0; i < settings->nkid; i++)
    if (settings->kid[i]->str)
      diag_error(c->d, settings->kid[i]->loc, "found '%s' after the value of a config key, which takes no unit",
                 settings->kid[i]->str);
  if (c->partial || spec_find(c->spec, AST_ARCH, model->str)) return;
  Near near = near_to(c, model->str);
  for (int f = -1; f < c->spec->nlib; f++) {
    const Ast *file = f < 0 ? c->spec->file : c->spec->lib[f];
    for (int i = 0; i < file->nkid; i++)
      if (file->kid[i]->kind == AST_ARCH) near_offer(&near, file->kid[i]->name);
  }
  diag_error(c->d, settings->loc, "no arch is called '%s'%s", model->str, did_you_mean(c, near));
}

static void check_once(Check *c, const Ast *file, AstKind kind) {
  const Ast *first = NULL;
  for (int i = 0; i < file->nkid; i++) {
    if (file->kid[i]->kind != kind) continue;
    if (first) {
      diag_error(c->d, file->kid[i]->loc, "a second '%s' block: a spec has one", ast_kind_name(kind));
      diag_note(c->d, first->loc, "the first one is here");
    } else {
      first = file->kid[i];
    }
  }
}

// ---- connect

static const Ast *find_model(const Check *c, const Ast *named) {
  int i = map_find(&c->models, named->name);
  return i < 0 ? NULL : c->spec->file->kid[i];
}

static void check_model_name(Check *c, const Ast *named) {
  if (find_model(c, named) || c->partial) return;
  Near near = near_to(c, named->name);
  for (int i = 0; i < c->spec->file->nkid; i++)
    if (is_model(c->spec->file->kid[i])) near_offer(&near, c->spec->file->kid[i]->name);
  diag_error(c->d, named->name_loc, "no model is called '%s'%s", named->name, did_you_mean(c, near));
}

// The op that a declaration applies: what connect adds to a layer, adapt to a product.
static void check_applied(Check *c, const Ast *decl, const Ast *call) {
  const Ast *op = spec_find(c->spec, AST_OP, call->name);
  if (op) {
    check_arguments(c, call, op, 2);
    return;
  }
  if (c->partial) return;
  const Ast *fn = spec_find(c->spec, AST_FN, call->name);
  Near near = near_to(c, call->name);
  for (int f = -1; f < c->spec->nlib; f++) {
    const Ast *file = f < 0 ? c->spec->file : c->spec->lib[f];
    for (int i = 0; i < file->nkid; i++)
      if (file->kid[i]->kind == AST_OP) near_offer(&near, file->kid[i]->name);
  }
  if (fn) {
    diag_error(c->d, call->name_loc, "'%s' is a fn, expected an op: %s adds what an op returns", call->name, ast_kind_name(decl->kind));
    diag_note(c->d, fn->name_loc, "it is declared here");
  } else {
    diag_error(c->d, call->name_loc, "no op is called '%s'%s", call->name, did_you_mean(c, near));
  }
}

// ---- layers

// Selectors know numbers only: a name in one is a misspelt word. two_sides: spread is one of them.
static void check_selector(Check *c, const Ast *a, bool two_sides) {
  if (a->kind == AST_NAME) {
    static const char *const known[] = {"every", "all", "last", "spread"};
    Near near = near_to(c, a->name);
    for (int i = 0; i < 3 + two_sides; i++) near_offer(&near, known[i]);
    diag_error(c->d, a->loc, "'%s' means nothing in a layer selector, expected numbers, every N, all%s%s", a->name, two_sides ? ", last or spread" : " or last",
               did_you_mean(c, near));
  }
  for (int i = 0; i < a->nkid; i++)
    if (a->kid[i]) check_selector(c, a->kid[i], two_sides);
}

// ---- tune, adapt

// What either is of: a model that has weights.
static void check_weights_of(Check *c, const Ast *decl) {
  const Ast *model = find_model(c, decl);
  check_model_name(c, decl);
  if (!model || model->kind != AST_MODEL) return;
  diag_error(c->d, decl->loc, "'%s' is made from nothing and trained whole: '%s' is for an anchor or augment, whose weights are frozen without it", decl->name,
             ast_kind_name(decl->kind));
  diag_note(c->d, model->name_loc, "it is declared here");
}

// The layers of an adapt, where it says which: the last kid.
static void check_adapt(Check *c, const Ast *adapt) {
  const Ast *last = adapt->kid[adapt->nkid - 1];
  check_weights_of(c, adapt);
  if (ast_selects(last)) check_selector(c, last, false);
  if (last->kind == AST_SEL_SPREAD) diag_error(c->d, last->loc, "there is no other side whose layers spread could count; expected layers such as [every 2], [4, 8] or [all]");
  check_applied(c, adapt, adapt->kid[0]);
}

static void check_connect(Check *c, const Ast *connect) {
  const Ast *from = connect->kid[0], *to = connect->kid[1], *call = connect->kid[2];
  check_model_name(c, from);
  check_model_name(c, to);
  check_selector(c, from->kid[0], true);
  check_selector(c, to->kid[0], true);
  if (to->nkid > 1)
    diag_error(c->d, to->kid[1]->loc, "'.%s' stands at the side that is added to: a tap is of the layers that are read",
               to->kid[1]->name);
  if (from->kid[0]->kind == AST_SEL_SPREAD && to->kid[0]->kind == AST_SEL_SPREAD)
    diag_error(c->d, to->kid[0]->loc, "both sides say spread: one must say how many layers, such as [every 4]");
  check_applied(c, connect, call);
}

static void check_unconnected(Check *c, const Ast *file) {
  Map used = {0};
  for (int i = 0; i < file->nkid; i++)
    for (int side = 0; file->kid[i]->kind == AST_CONNECT && side < 2; side++) map_first(c->d->arena, &used, file->kid[i]->kid[side]->name, 0);
  for (int i = 0; i < file->nkid; i++) {
    const Ast *model = file->kid[i];
    if (model->kind == AST_AUGMENT && map_find(&used, model->name) < 0)
      diag_warn(c->d, model->name_loc, "no connect mentions the augment '%s', so it has no effect", model->name);
  }
}

// ---- what is said behind a model

static bool is_named(const ProgName *k, const char *name) {
  while (k->name && strcmp(k->name, name)) k++;
  return k->name != NULL;
}

// No row of the table is what the text has: `what` says what is not so, and the rows what could stand there, behind `word`.
static void none_named(Check *c, const Ast *said, const ProgName *rows, const char *what, const char *word) {
  Near near = near_to(c, said->name);
  Buf names = {0};
  for (const ProgName *k = rows; k->name; k++) {
    near_offer(&near, k->name);
    buf_printf(&names, "%s'%s %s'", k == rows ? "" : k[1].name ? ", " : " or ", word, k->name);
  }
  diag_error(c->d, said->name_loc, "%s '%s': expected %s%s", what, said->name, names.s, did_you_mean(c, near));
  buf_free(&names);
}

static void check_as(Check *c, const Ast *model, const Ast *as) {
  if (model->kind == AST_MODEL) {
    diag_error(c->d, as->loc, "'%s' is made from nothing and trained whole, in f32: 'as %s' is for the weights of an anchor or augment, which stay as they are",
               model->name, as->name);
    return;
  }
  if (!is_named(KeepAs_names, as->name)) none_named(c, as, KeepAs_names, "no weights are kept as", "as");
}

static void check_reads(Check *c, const Ast *model, const Ast *reads) {
  if (model->kind != AST_AUGMENT)
    diag_error(c->d, reads->loc, "'%s' reads the whole row, for its tokens are the ones that are predicted: 'reads' is for an augment", model->name);
  else if (!is_named(Reads_names, reads->name))
    none_named(c, reads, Reads_names, "no augment reads", "reads");
}

static void check_said(Check *c, const Ast *model) {
  static const struct { AstKind kind; void (*check)(Check *c, const Ast *model, const Ast *said); } row[] = {{AST_AS, check_as}, {AST_READS, check_reads}};
  for (size_t r = 0; r < sizeof row / sizeof *row; r++)
    for (const Ast *first = ast_kid(model, row[r].kind), **k = (const Ast **)model->kid; k < (const Ast **)model->kid + model->nkid; k++) {
      if (!*k || (*k)->kind != row[r].kind) continue;
      row[r].check(c, model, *k);
      if (*k == first) continue;
      diag_error(c->d, (*k)->loc, "a second '%s' of '%s'", ast_kind_name(row[r].kind), model->name);
      diag_note(c->d, first->loc, "the first one is here");
    }
}

static void check_decl(Check *c, const Ast *a) {
  switch (a->kind) {
    case AST_ANCHOR: case AST_AUGMENT: check_said(c, a); break;
    case AST_MODEL: check_model(c, a), check_said(c, a); break;
    case AST_TUNE: check_weights_of(c, a); break;
    case AST_ADAPT: check_adapt(c, a); break;
    case AST_CONNECT: check_connect(c, a); break;
    case AST_TRAIN: case AST_EVAL: check_settings(c, a); break;
    case AST_OP: check_op(c, a); break;
    case AST_FN: check_fn(c, a); break;
    case AST_ARCH: check_arch(c, a); break;
    default: break;
  }
}

void resolve(const Spec *spec, Diags *d, bool partial) {
  Check c = {.spec = spec, .d = d, .partial = partial};
  Decls all = {0};
  for (int i = 0; i < spec->file->nkid; i++)
    if (is_model(spec->file->kid[i])) map_first(d->arena, &c.models, spec->file->kid[i]->name, i);
  for (int i = 0; i < spec->nused; i++) {
    check_used_file(&c, spec->lib[i]);
    collect(&c, &all, spec->lib[i]);
  }
  collect(&c, &all, spec->file);
  check_anchor(&c, spec->file);
  check_once(&c, spec->file, AST_TRAIN);
  check_duplicates(&c, &all);
  check_served(&c, &all);
  for (int i = 0; i < all.n && !diags_full(d); i++) check_decl(&c, all.v[i]);
  for (int f = spec->nused; f < spec->nlib; f++)
    for (int i = 0; i < spec->lib[f]->nkid; i++) check_decl(&c, spec->lib[f]->kid[i]);
  if (!d->errors) check_unconnected(&c, spec->file);
}
