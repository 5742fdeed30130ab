// train and eval blocks as JSON for the program: numbers, words, and calls such as adamw(lr = 3e-4) as {"name": "adamw", "lr": 3e-4}.
// Their rows, with kinds and bounds, are runtime/abi/settings.def.
#include <stdlib.h>
#include <string.h>

#include "build/ctx.h"
#include "dsl/path.h"
#include "runtime/abi/abi.h"
#include "runtime/files/files.h"

json_t *value_json(Ev *ev, Loc loc, const Value *v) {
  if (!spend(ev, loc, 4)) return NULL;             // a list that stands in another twice is written twice
  switch (v->kind) {
    case V_BOOL: return json_boolean(v->b);
    case V_INT: return json_integer(v->i);
    case V_FLOAT: return json_real(v->f);
    case V_STRING: return json_string(v->s);
    case V_NONE: return json_null();
    case V_LIST: break;
    case V_POISON: return NULL;
    default: fail(ev, loc, "expected a number, a string, true, false or a list; found %s", v_text(ev, v)); return NULL;
  }
  json_t *list = json_array();
  for (int i = 0; i < v->n; i++) {
    json_t *j = value_json(ev, loc, &v->v[i]);
    if (!j) {
      json_decref(list);
      return NULL;
    }
    json_array_append_new(list, j);
  }
  return list;
}

// ---- words, and calls of them

// The arguments that calls of a setting take: "lr, betas", or written out, "lr = …, betas = …".
static const char *arguments(Ev *ev, const Setting *row, const char *each) {
  const char *list = "";
  for (int i = 0; i < N_SETTINGS; i++)
    if (!strcmp(setting_row[i].block, row->name)) list = arena_printf(ev->b->a, "%s%s%s%s", list, *list ? ", " : "", setting_row[i].name, each);
  return list;
}

static const char *expected_words(Ev *ev, const Setting *row) {
  const char *list = "";
  for (int i = 0; row->words[i]; i++) {
    list = arena_printf(ev->b->a, "%s%s%s", list, !i ? "" : row->words[i + 1] ? ", " : " or ", row->words[i]);
    if (row->kind == SETTING_CALL) list = arena_printf(ev->b->a, "%s(%s)", list, arguments(ev, row, " = …"));
  }
  return list;
}

static bool known_word(Ev *ev, const Setting *row, const char *word, Loc loc) {
  Near near = near_begin(word);
  if (setting_word(row, word) >= 0) return true;
  for (int i = 0; row->words[i]; i++) near_offer(&near, row->words[i]);
  fail(ev, loc, "%s: found '%s', expected %s%s%s%s", row->name, word, expected_words(ev, row),
       near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
  return false;
}

static json_t *plain_json(Ev *ev, const Setting *row, const Ast *e, const char *unit);

static bool add_argument(Ev *ev, json_t *o, const Setting *row, const char *call, const Ast *arg) {
  if (arg->kind != AST_NAMED) {
    fail(ev, arg->loc, "arguments of %s are named, as in %s(%s)", call, call, arguments(ev, row, " = …"));
    return false;
  }
  int i = setting_find(row->name, arg->name);
  if (i >= 0) {
    json_t *v = plain_json(ev, &setting_row[i], arg->kid[0], NULL);
    if (v) json_object_set_new(o, arg->name, v);
    return v != NULL;
  }
  Near near = near_begin(arg->name);
  for (int k = 0; k < N_SETTINGS; k++)
    if (!strcmp(setting_row[k].block, row->name)) near_offer(&near, setting_row[k].name);
  fail(ev, arg->loc, "%s takes no '%s'; expected %s%s%s%s", call, arg->name, arguments(ev, row, ""), near.best ? "; did you mean '" : "",
       near.best ? near.best : "", near.best ? "'?" : "");
  return false;
}

// adamw(…) or adamw
static json_t *named_json(Ev *ev, const Setting *row, const Ast *e) {
  if (e->kind != AST_NAME && e->kind != AST_CALL && e->kind != AST_STRING) {
    fail(ev, e->loc, "%s: expected %s", row->name, expected_words(ev, row));
    return NULL;
  }
  const char *name = e->kind == AST_STRING ? e->str : e->name;
  if (!known_word(ev, row, name, e->loc)) return NULL;
  if (row->kind == SETTING_WORD) return json_string(name);
  json_t *o = json_pack("{s:s}", "name", name);
  bool ok = true;                                  // every argument is looked at: errors are collected
  for (int i = 0; e->kind == AST_CALL && i < e->nkid; i++) ok &= add_argument(ev, o, row, name, e->kid[i]);
  if (ok) return o;
  json_decref(o);
  return NULL;
}

// ---- values

static bool in_range(const Setting *row, double x) { return x >= row->lo && x <= row->hi; }

static bool is_shared(const Setting *row, const Value *v) {
  double share;
  return row->hi > 0 && v->kind == V_LIST && v->n == 2 && v->v[0].kind == V_STRING && v_number(&v->v[1], &share) && share > 0 && in_range(row, share);
}

// Several paths, or a path and its share of each.
static bool fit_files(const Setting *row, const Value *v, const Value **odd) {
  if (v->kind != V_LIST || v->n < 1 || v->n > SETTING_FILES_MOST) return false;
  for (int k = 0; k < v->n; k++)
    if (*odd = &v->v[k], (v->v[k].kind != V_STRING && !is_shared(row, &v->v[k])) || v->v[k].kind != v->v[0].kind) return false;
  return true;
}

// Does a value fit a row? *odd: what of it does not.
static bool fits(const Setting *row, const Value *v, const Value **odd) {
  int64_t n;
  double x;
  *odd = v;
  switch (row->kind) {
    case SETTING_PATH: return v->kind == V_STRING;
    case SETTING_FILES: return v->kind == V_STRING || fit_files(row, v, odd);
    case SETTING_WHOLE:
    case SETTING_TOKENS:
    case SETTING_BATCH: return v_whole(v, &n) && in_range(row, (double)n);
    case SETTING_BYTES: return ((v->kind == V_STRING && number_bytes_text(v->s, &n)) || v_whole(v, &n)) && in_range(row, (double)n);
    case SETTING_REAL: return v_number(v, &x) && in_range(row, x);
    case SETTING_PAIR:
      if (v->kind != V_LIST || v->n != 2) return false;
      for (int k = 0; k < 2; k++)
        if (*odd = &v->v[k], !v_number(*odd, &x) || !in_range(row, x)) return false;
      return true;
    case SETTING_SWITCH: return v->kind == V_BOOL || (v_whole(v, &n) && in_range(row, (double)n));
    case SETTING_WORD:
    case SETTING_CALL: break;
  }
  return false;
}

// The program may run in another folder than the spec's; files need not be there yet. Nobody means a folder called ~.
static json_t *path_json(Ev *ev, const Setting *row, Loc loc, const char *path) {
  const char *full = path_absolute(ev->b->a, spec_file(ev->b), path), *shell = path_shell(ev->b->a, path);
  if (!shell || file_is_there(full)) return json_string(full);
  fail(ev, loc, "%s: %s", row->name, shell);
  return NULL;
}

// As runtime/abi/settings.h has it.
static json_t *files_json(Ev *ev, const Setting *row, Loc loc, const Value *v) {
  if (v->kind == V_STRING) return path_json(ev, row, loc, v->s);
  json_t *list = json_array();
  for (int k = 0; k < v->n; k++) {
    const Value *one = &v->v[k];
    double share;
    json_t *path = path_json(ev, row, loc, one->kind == V_STRING ? one->s : one->v[0].s);
    if (!path) return json_decref(list), NULL;
    if (one->kind == V_LIST && v_number(&one->v[1], &share)) path = json_pack("[o, f]", path, share);
    json_array_append_new(list, path);
  }
  return list;
}

// Of names alone, as in rows.jsonl or data/rows: text that nobody put into quotes.
static bool bare_words(const Ast *e) {
  if (e->kind == AST_NAME) return !builtin_constant(e->name, &(Value){0});
  if (e->kind == AST_BINARY && (!strcmp(e->str, "/") || !strcmp(e->str, "-"))) return bare_words(e->kid[0]) && bare_words(e->kid[1]);
  return e->kind == AST_MEMBER && bare_words(e->kid[0]);
}

bool unquoted(Ev *ev, const char *what, const Ast *e) {
  if (!bare_words(e)) return false;
  const char *text = source_text(ev->b, e->loc);
  fail(ev, e->loc, "%s: '%s' is not known here; text stands in quotes: write \"%s\"", what, text, text);
  return true;
}

// What is no word and no call; unit: what stands after it, NULL where nothing does.
static json_t *plain_json(Ev *ev, const Setting *row, const Ast *e, const char *unit) {
  bool path = row->kind == SETTING_PATH || row->kind == SETTING_FILES;
  if (path && unquoted(ev, row->name, e)) return NULL;
  Value v = eval(ev, NULL, e);
  const Value *odd;
  char expected[128];
  int64_t n = 0;
  if (v.kind == V_POISON) return NULL;
  setting_expected(row, expected, sizeof expected);
  if (!fits(row, &v, &odd)) {
    fail(ev, e->loc, "%s: expected %s; found %s", row->name, expected, v_text(ev, odd));
    return NULL;
  }
  if (unit && row->kind == SETTING_TOKENS && strcmp(unit, "tokens")) {
    fail(ev, e->loc, "%s: expected %s; found %s", row->name, expected, unit);
    return NULL;
  }
  if (row->kind == SETTING_PATH) return path_json(ev, row, e->loc, v.s);
  if (row->kind == SETTING_FILES) return files_json(ev, row, e->loc, &v);
  if (row->kind == SETTING_BYTES && v.kind == V_STRING) return number_bytes_text(v.s, &n) ? json_integer(n) : NULL;
  if (row->kind == SETTING_SWITCH) return json_boolean(v.kind == V_BOOL ? v.b : v_whole(&v, &n) && n);
  if (row->kind == SETTING_REAL || row->kind == SETTING_PAIR) return value_json(ev, e->loc, &v);
  v_whole(&v, &n);
  return unit ? json_pack("{s:I, s:s}", "n", (json_int_t)n, "unit", unit) : json_integer(n);
}

static json_t *block_json(Build *b, const Ast *block) {
  Ev ev = {.b = b};
  json_t *o = json_object();
  for (int i = 0; i < block->nkid; i++) {
    const Ast *s = block->kid[i];
    int k = setting_find(ast_kind_name(block->kind), s->name);
    if (k < 0) continue;                           // dsl/resolve.c has said so
    const Setting *row = &setting_row[k];
    budget_setting(b);
    json_t *v = row->words ? named_json(&ev, row, s->kid[0]) : plain_json(&ev, row, s->kid[0], s->str);
    if (v) json_object_set_new(o, row->name, v);
  }
  return o;
}

json_t *settings_train(Build *b) {
  const Ast *file = b->spec->file;
  for (int i = 0; i < file->nkid; i++)
    if (file->kid[i]->kind == AST_TRAIN) return block_json(b, file->kid[i]);
  return json_object();
}

// The tensor that a product of the graph, in its model's precision, reads as its matrix; NULL: it is none of a model's.
static const Node *matrix_of(const Graph *g, const Node *n) {
  const Node *w = n->op == OP_linear && !n->attr.of_linear.exact ? &g->node[n->in[1]] : NULL;
  while (w && (op_is(w->op, T_SAME_DATA) || op_is(w->op, T_TURNED))) w = &g->node[w->in[0]];
  return w && w->op == OP_weight ? w : NULL;
}

void settings_fit(Build *b, const Graph *g) {
  const char *word = json_string_value(json_object_get(b->prog->train, setting_row[SET_train_precision].name));
  const Ast *file = b->spec->file, *at = NULL;
  Ev ev = {.b = b};
  for (int i = 0; i < file->nkid; i++)
    for (int k = 0; file->kid[i]->kind == AST_TRAIN && k < file->kid[i]->nkid; k++)
      if (!strcmp(file->kid[i]->kid[k]->name, setting_row[SET_train_precision].name)) at = file->kid[i]->kid[k]->kid[0];
  if (!word || !at || setting_word(&setting_row[SET_train_precision], word) != PRECISION_SAID + PRECISION_BF16) return;
  for (int i = 0; i < g->n; i++) {
    const Node *w = matrix_of(g, &g->node[i]);
    if (!w || precision_takes(PRECISION_BF16, panel_dtype(w->type.dt))) continue;
    fail(&ev, at->loc, "precision: weight '%s' is stored as %s, whose numbers have 11 significant bits and bf16's 8; expected f32 or auto", w->attr.name,
         dtype_info[w->type.dt].file);
    return;
  }
}

json_t *settings_evals(Build *b) {
  const Ast *file = b->spec->file;
  json_t *list = json_array();
  for (int i = 0; i < file->nkid; i++) {
    if (file->kid[i]->kind != AST_EVAL) continue;
    json_t *o = block_json(b, file->kid[i]);
    json_object_set_new(o, "title", json_string(file->kid[i]->str));
    json_array_append_new(list, o);
  }
  return list;
}
