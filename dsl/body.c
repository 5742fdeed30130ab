// Checks of what ops, fns and archs hold: every name is bound before it is used, calls fit their formals, blocks
// return, sections are complete. In an arch a name may always be a config key, so that only calls are checked there.
// See body.h.
#include <string.h>

#include "dsl/body.h"

typedef struct Builtin {
  const char *name, *params;
} Builtin;
static const Builtin builtins[] = {
  {"weight", "name"},
#define F(name, params, takes, what) {#name, params},
#define E(name, number, result, op, what) {#name, "x"},
#include "dsl/builtins.def"
#undef F
#undef E
};
static const char *const constants[] = {
  "pi",
#define BARE(value) WORD
#define NO_WORD NOTHING
#define WORD(word) #word,
#define NOTHING(word)
#define X(id, word, bare, called, params, what) bare(word)
#include "runtime/abi/init.def"
#undef X
};
enum { NBUILTINS = sizeof builtins / sizeof *builtins, NCONSTANTS = sizeof constants / sizeof *constants };

// Names bound so far, innermost last, and how often each is bound.
typedef struct Names {
  const char **v;
  int n, cap;
  Map times;
  const Ast *body;       // to see whether an unknown name is bound further down
  const Ast *owner;      // the op or fn
} Names;

static void bind(Check *c, Names *s, const char *name) {
  ARENA_PUSH(c->d->arena, s->v, s->n, s->cap, name);
  int times = map_find(&s->times, name);
  map_put(c->d->arena, &s->times, name, times < 0 ? 1 : times + 1);
}

static void unbind(Check *c, Names *s) {
  const char *name = s->v[--s->n];
  map_put(c->d->arena, &s->times, name, map_find(&s->times, name) - 1);
}

static bool is_bound(const Names *s, const char *name) {
  if (map_find(&s->times, name) > 0) return true;
  for (int i = 0; i < NCONSTANTS; i++)
    if (!strcmp(constants[i], name)) return true;
  return false;
}

static const Ast *bound_later(const Names *s, const char *name) {
  const Ast *b = s->body;
  for (int i = 0; b && b->kind == AST_BLOCK && i < b->nkid; i++)
    if ((b->kid[i]->kind == AST_BIND || b->kid[i]->kind == AST_PARAM) && !strcmp(b->kid[i]->name, name))
      return b->kid[i];
  return NULL;
}

static void check_name(Check *c, Names *s, const Ast *e) {
  if (c->arch || is_bound(s, e->name) || diags_full(c->d)) return;
  const Ast *later = bound_later(s, e->name);
  if (later) {
    diag_error(c->d, e->loc, "'%s' is used before it has a value", e->name);
    diag_note(c->d, later->name_loc, "it gets its value here");
  } else if (!c->partial) {
    Near near = near_to(c, e->name);
    for (int i = 0; i < s->n; i++) near_offer(&near, s->v[i]);
    for (int i = 0; i < NCONSTANTS; i++) near_offer(&near, constants[i]);
    diag_error(c->d, e->loc, "unknown name '%s' in %s '%s'%s", e->name, ast_kind_name(s->owner->kind), s->owner->name,
               did_you_mean(c, near));
  }
  bind(c, s, e->name);   // once is enough
}

// ---- calls

static const Ast *find_fn(Check *c, const char *name, Loc from) {
  int own = c->arch ? map_find(&c->fns, name) : -1;
  if (own >= 0) return c->arch->kid[own];
  return spec_find_seen(c->spec, AST_FN, name, from);
}

// A builtin as a fn without body, so that calls are checked alike; NULL when there is none.
static const Ast *find_builtin(Check *c, const char *name) {
  const Builtin *found = NULL;
  for (int i = 0; i < NBUILTINS && !found; i++)
    if (!strcmp(builtins[i].name, name)) found = &builtins[i];
  if (!found) return NULL;
  Arena *arena = c->d->arena;
  Ast *fn = ARENA_NEW(arena, Ast), *formals = ARENA_NEW(arena, Ast), *none = ARENA_NEW(arena, Ast);
  fn->kind = AST_FN;
  fn->name = found->name;
  none->kind = AST_NONE;
  ARENA_PUSH(arena, fn->kid, fn->nkid, fn->cap, formals);
  for (const char *p = found->params; *p; p += strspn(p, " ?")) {
    size_t n = strcspn(p, " ?");
    Ast *formal = ARENA_NEW(arena, Ast);
    formal->kind = AST_FORMAL;
    formal->name = arena_strndup(arena, p, n);
    p += n;
    ARENA_PUSH(arena, formal->kid, formal->nkid, formal->cap, NULL);
    ARENA_PUSH(arena, formal->kid, formal->nkid, formal->cap, *p == '?' ? none : NULL);
    ARENA_PUSH(arena, formals->kid, formals->nkid, formals->cap, formal);
  }
  return fn;
}

static void offer_fns(Near *near, const Ast *list) {
  for (int i = 0; list && i < list->nkid; i++)
    if (list->kid[i]->kind == AST_FN) near_offer(near, list->kid[i]->name);
}

static void unknown_callee(Check *c, const Ast *call) {
  const Ast *op = spec_find(c->spec, AST_OP, call->name);
  if (op) {
    diag_error(c->d, call->name_loc, "'%s' is an op, which only connect and adapt apply; expected a fn", call->name);
    diag_note(c->d, op->name_loc, "it is declared here");
    return;
  }
  Near near = near_to(c, call->name);
  offer_fns(&near, c->arch);
  offer_fns(&near, c->spec->file);
  for (int i = 0; i < c->spec->nlib; i++) offer_fns(&near, c->spec->lib[i]);
  for (int i = 0; i < NBUILTINS; i++) near_offer(&near, builtins[i].name);
  diag_error(c->d, call->name_loc, "no fn is called '%s'%s", call->name, did_you_mean(c, near));
}

static bool fits_type(const Ast *value, const char *type) {
  switch (value->kind) {
    case AST_NUMBER: return !strcmp(type, "float") || (!strcmp(type, "int") && value->is_int);
    case AST_STRING: return !strcmp(type, "string");
    case AST_TRUE: case AST_FALSE: return !strcmp(type, "bool");
    case AST_LIST: return false;
    default: return true;   // known when it is evaluated
  }
}

// Says what the callee takes: "cross_attention takes (heads: int)".
static void note_formals(Check *c, const Ast *call, const Ast *callee, int given) {
  const Ast *formals = callee->kid[0];
  Buf b = {0};
  for (int i = given; i < formals->nkid; i++) {
    const Ast *f = formals->kid[i];
    buf_printf(&b, "%s%s%s%s%s", i > given ? ", " : "", f->name, f->str ? ": " : "", f->str ? f->str : "",
               f->kid[1] ? " = …" : "");
  }
  if (callee->name_loc.file)
    diag_note(c->d, callee->name_loc, "'%s' is declared here and takes (%s)", callee->name, b.s ? b.s : "");
  else
    diag_note(c->d, call->name_loc, "'%s' takes (%s)", callee->name, b.s ? b.s : "");
  buf_free(&b);
}

static int formal_index(const Ast *formals, int from, const char *name) {
  for (int i = from; i < formals->nkid; i++)
    if (!strcmp(formals->kid[i]->name, name)) return i;
  return -1;
}

// Which formal an argument is for; -1 after an error.
static int place_argument(Check *c, const Ast *call, const Ast *arg, const Ast *callee, int given, int position) {
  const Ast *formals = callee->kid[0];
  if (arg->kind != AST_NAMED) {
    if (position < formals->nkid) return position;
    diag_error(c->d, arg->loc, "too many arguments: '%s' takes %d", callee->name, formals->nkid - given);
    note_formals(c, call, callee, given);
    return -1;
  }
  int i = formal_index(formals, given, arg->name);
  if (i >= 0) return i;
  Near near = near_to(c, arg->name);
  for (int k = given; k < formals->nkid; k++) near_offer(&near, formals->kid[k]->name);
  diag_error(c->d, arg->name_loc, "'%s' takes no argument '%s'%s", callee->name, arg->name, did_you_mean(c, near));
  note_formals(c, call, callee, given);
  return -1;
}

void check_arguments(Check *c, const Ast *call, const Ast *callee, int given) {
  const Ast *formals = callee->kid[0];
  const Ast **got = ARENA_ARRAY(c->d->arena, const Ast *, formals->nkid + 1);
  bool fits = true;
  const Ast *named = NULL;
  if (formals->nkid > MOST_FORMALS) return;        // told where they stand
  for (int i = 0, position = given; i < call->nkid && !diags_full(c->d); i++) {
    const Ast *arg = call->kid[i];
    if (arg->kind == AST_NAMED) named = arg;
    else if (named)
      diag_error(c->d, arg->loc, "found an argument without a name after '%s = …': named arguments come last",
                 named->name);
    int k = place_argument(c, call, arg, callee, given, position);
    position += arg->kind != AST_NAMED;
    fits = fits && k >= 0;
    if (k < 0) continue;
    const Ast *formal = formals->kid[k], *value = arg->kind == AST_NAMED ? arg->kid[0] : arg;
    if (got[k]) {
      diag_error(c->d, arg->loc, "argument '%s' of '%s' is given twice", formal->name, callee->name);
      diag_note(c->d, got[k]->loc, "the first time here");
    }
    got[k] = arg;
    if (formal->str && !fits_type(value, formal->str)) {
      diag_error(c->d, value->loc, "found a %s, but '%s' of '%s' is %s %s", ast_kind_name(value->kind), formal->name,
                 callee->name, formal->str[0] == 'i' ? "an" : "a", formal->str);
      diag_note(c->d, formal->name_loc, "it is declared here");
    }
  }
  for (int k = given; fits && !c->partial && k < formals->nkid; k++) {
    if (got[k] || formals->kid[k]->kid[1]) continue;
    diag_error(c->d, call->loc, "argument '%s' of '%s' is missing", formals->kid[k]->name, callee->name);
    note_formals(c, call, callee, given);
    return;
  }
}

static void check_expr(Check *c, Names *s, const Ast *e);

static void check_call(Check *c, Names *s, const Ast *call) {
  const Ast *fn = find_fn(c, call->name, call->loc);
  if (!fn) fn = find_builtin(c, call->name);
  if (fn) check_arguments(c, call, fn, 0);
  else if (!c->partial) unknown_callee(c, call);
  for (int i = 0; i < call->nkid; i++) check_expr(c, s, call->kid[i]);
}

static void check_expr(Check *c, Names *s, const Ast *e) {
  if (!e) return;
  if (e->kind == AST_NAME) {
    check_name(c, s, e);
  } else if (e->kind == AST_CALL) {
    check_call(c, s, e);
  } else if (e->kind == AST_COMPREHEND) {
    check_expr(c, s, e->kid[1]);
    check_expr(c, s, e->kid[2]);
    bind(c, s, e->name);
    int inside = s->n;
    check_expr(c, s, e->kid[0]);
    while (s->n >= inside) unbind(c, s);
  } else {
    for (int i = 0; i < e->nkid; i++) check_expr(c, s, e->kid[i]);
  }
}

// ---- formals and blocks

// In a formal's dims a name that is not bound yet binds.
static void check_formal(Check *c, Names *s, const Ast *f) {
  static const char *const types[] = {"int", "float", "string", "bool"};
  const Ast *dims = f->kid[0];
  for (int i = 0; dims && i < dims->nkid; i++) {
    const Ast *dim = dims->kid[i];
    if (dim->kind == AST_NAME && !is_bound(s, dim->name)) bind(c, s, dim->name);
    else check_expr(c, s, dim);
  }
  check_expr(c, s, f->kid[1]);
  bind(c, s, f->name);
  if (!f->str) return;
  Near near = near_to(c, f->str);
  for (int i = 0; i < 4; i++) {
    if (!strcmp(types[i], f->str)) {
      if (f->kid[1] && !fits_type(f->kid[1], f->str))
        diag_error(c->d, f->kid[1]->loc, "found a %s, but '%s' is declared as %s", ast_kind_name(f->kid[1]->kind),
                   f->name, f->str);
      return;
    }
    near_offer(&near, types[i]);
  }
  diag_error(c->d, f->loc, "'%s' is not a type, expected int, float, string or bool%s", f->str, did_you_mean(c, near));
}

static void check_formals(Check *c, Names *s, const Ast *formals) {
  if (formals->nkid > MOST_FORMALS)
    diag_error(c->d, formals->kid[MOST_FORMALS]->loc, "at most %d arguments are possible; found %d", MOST_FORMALS, formals->nkid);
  check_unique(c, formals, AST_FORMAL, "argument");
  for (int i = 0; i < formals->nkid; i++) check_formal(c, s, formals->kid[i]);
}

static void check_param(Check *c, const Ast *owner, const Ast *p) {
  if (owner->kind == AST_OP) {
    const Ast *formals = owner->kid[0];
    int i = formal_index(formals, 0, p->name);
    if (i < 0) return;
    diag_error(c->d, p->name_loc, "parameter '%s' has the name of an argument", p->name);
    diag_note(c->d, formals->kid[i]->name_loc, "the argument is declared here");
  } else {
    diag_error(c->d, p->loc, "only an op has parameters to train; a model's weights are read with weight(\"name\")[…]");
  }
}

static void check_body(Check *c, Names *s, const Ast *body) {
  if (body->kind != AST_BLOCK) {
    check_expr(c, s, body);
    return;
  }
  s->body = body;
  check_unique(c, body, AST_PARAM, "parameter");
  const Ast *returned = NULL;
  for (int i = 0; i < body->nkid; i++) {
    const Ast *stmt = body->kid[i];
    if (returned) {
      diag_error(c->d, stmt->loc, "this is never reached: nothing may stand after return");
      diag_note(c->d, returned->loc, "the return is here");
      return;
    }
    if (stmt->kind == AST_PARAM) check_param(c, s->owner, stmt);
    for (int k = 0; k < stmt->nkid; k++) check_expr(c, s, stmt->kid[k]);
    if (stmt->kind == AST_RETURN) returned = stmt;
    else bind(c, s, stmt->name);
  }
  Loc end = {body->loc.file, body->loc.end - 1, body->loc.end};
  if (!returned && !c->partial)
    diag_error(c->d, end, "found '}', expected 'return' and a value: this block must end with one");
}

void check_op(Check *c, const Ast *op) {
  Names s = {.owner = op};
  const Ast *formals = op->kid[0], *result = op->kid[1];
  check_formals(c, &s, formals);
  for (int i = 0; i < 2 && !c->partial; i++) {
    if (i < formals->nkid && formals->kid[i]->kid[0] && !formals->kid[i]->str) continue;
    Loc at = i < formals->nkid ? formals->kid[i]->loc : op->name_loc;
    diag_error(c->d, at,
               "an op begins with two states, the one to add to and the one to read, as in op %s(b[N, D], a[M, E], …)",
               op->name);
    return;
  }
  check_expr(c, &s, result->kid[0]);
  check_body(c, &s, op->kid[2]);
}

void check_fn(Check *c, const Ast *fn) {
  Names s = {.owner = fn};
  check_formals(c, &s, fn->kid[0]);
  check_body(c, &s, fn->kid[1]);
}

// ---- sections

typedef struct SectionRow {
  AstKind kind;
  bool needed, once;
} SectionRow;
static const SectionRow section_rows[] = {
  {AST_CONFIG, false, true}, {AST_PREFIX, false, true}, {AST_INITS, false, true},
  {AST_EMBED, true, true},   {AST_BLOCKS, true, true},  {AST_HEAD, true, true},
};

// Of an arch that builds on another the sections are counted with those it has from there; twice, in its own text only.
static void check_sections(Check *c, const Ast *arch) {
  const Ast *whole = spec_whole(c->spec, arch);
  bool orphan = arch->str && whole == arch;        // what it builds on is not there, which was told
  for (size_t r = 0; r < sizeof section_rows / sizeof *section_rows; r++) {
    const SectionRow *row = &section_rows[r];
    const Ast *first = NULL;
    for (int i = 1; i < arch->nkid; i++) {
      if (arch->kid[i]->kind != row->kind) continue;
      if (first && row->once) {
        diag_error(c->d, arch->kid[i]->loc, "a second '%s' section in arch '%s'", ast_kind_name(row->kind), arch->name);
        diag_note(c->d, first->loc, "the first one is here");
      }
      first = first ? first : arch->kid[i];
    }
    if (!first && row->needed && !c->partial && !orphan && !ast_kid(whole, row->kind))
      diag_error(c->d, arch->name_loc, "arch '%s' has no '%s' section: it needs embed, layers and head", arch->name,
                 ast_kind_name(row->kind));
  }
}

static void check_tap(Check *c, Names *s, const Ast *tap) {
  const Ast *formals = tap->kid[0];
  bool two = formals->nkid == 2 && !formals->kid[0]->str && !formals->kid[1]->kid[0];
  if (!two && !c->partial)
    diag_error(c->d, formals->loc, "a tap takes a layer's state and its number, as in tap %s(x[T, D], k)", tap->name);
  check_formals(c, s, formals);
  check_body(c, s, tap->kid[1]);
}

// Formals and body are a section's last kids.
static void check_section(Check *c, const Ast *arch, const Ast *section) {
  Names s = {.owner = arch};
  switch (section->kind) {
    case AST_FN: check_fn(c, section); break;
    case AST_TAP: check_tap(c, &s, section); break;
    case AST_CONFIG: check_unique(c, section, AST_BIND, "config name"); check_expr(c, &s, section); break;
    case AST_EMBED: case AST_HEAD: case AST_BLOCKS:
      for (int i = 0; i + 2 < section->nkid; i++) check_expr(c, &s, section->kid[i]);
      check_formal(c, &s, section->kid[section->nkid - 2]);
      check_body(c, &s, section->kid[section->nkid - 1]);
      break;
    default: break;
  }
}

void check_arch(Check *c, const Ast *arch) {
  check_sections(c, arch);
  check_unique(c, arch, AST_FN, "fn");
  check_unique(c, arch, AST_TAP, "tap");
  c->arch = spec_whole(c->spec, arch);
  c->fns = (Map){0};
  for (int i = 1; i < c->arch->nkid; i++)
    if (c->arch->kid[i]->kind == AST_FN) map_first(c->d->arena, &c->fns, c->arch->kid[i]->name, i);
  for (int i = 1; i < arch->nkid; i++) check_section(c, arch, arch->kid[i]);
  c->arch = NULL;
}
