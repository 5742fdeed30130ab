// Values of the language: making them, reading numbers out of them, and showing them in messages.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "build/ctx.h"

Value v_none(const char *key) { return (Value){.kind = V_NONE, .s = key}; }
Value v_bool(bool b) { return (Value){.kind = V_BOOL, .b = b}; }
Value v_int(int64_t i) { return (Value){.kind = V_INT, .i = i}; }
Value v_float(double f) { return (Value){.kind = V_FLOAT, .f = f}; }
Value v_string(const char *s) { return (Value){.kind = V_STRING, .s = s}; }
Value v_tensor(NodeId n) { return n == NODE_NONE ? v_poison() : (Value){.kind = V_TENSOR, .node = n}; }
Value v_poison(void) { return (Value){.kind = V_POISON}; }

Value v_list(const Value *v, int n) {
  int64_t height = 0;
  for (int i = 0; i < n; i++)
    if (v[i].kind == V_LIST && v[i].i > height) height = v[i].i;
  return (Value){.kind = V_LIST, .i = height + 1, .v = v, .n = n};
}

int64_t json_units(const json_t *j) {
  int64_t n = VALUE_UNITS;
  for (size_t i = 0; json_is_array(j) && i < json_array_size(j); i++) n += json_units(json_array_get(j, i));
  return n;
}

Value v_json(Build *b, json_t *j, const char *path) {
  switch (json_typeof(j)) {
    case JSON_NULL: return (Value){.kind = V_NONE, .s = path, .n = NONE_SAID};
    case JSON_TRUE: return v_bool(true);
    case JSON_FALSE: return v_bool(false);
    case JSON_INTEGER: return v_int(json_integer_value(j));
    case JSON_REAL: return v_float(json_real_value(j));
    case JSON_STRING: return v_string(arena_strdup(b->a, json_string_value(j)));
    case JSON_OBJECT: return (Value){.kind = V_CONFIG, .json = j, .s = path};
    case JSON_ARRAY: break;
  }
  enum { LONG_PATH = 200 };                        // of lists in lists in lists: what is deeper in is called by what it stands in
  int n = (int)json_array_size(j);
  Value *v = ARENA_ARRAY(b->a, Value, n + 1);
  for (int i = 0; i < n; i++) {
    json_t *k = json_array_get(j, (size_t)i);
    bool named = strlen(path) < LONG_PATH && (json_is_object(k) || json_is_array(k) || json_is_null(k));
    v[i] = v_json(b, k, named ? arena_printf(b->a, "%s[%d]", path, i) : path);
  }
  return v_list(v, n);
}

bool v_number(const Value *v, double *x) {
  if (v->kind != V_INT && v->kind != V_FLOAT) return false;
  *x = v->kind == V_INT ? (double)v->i : v->f;
  return true;
}

bool v_whole(const Value *v, int64_t *x) {
  if (v->kind == V_INT) {
    *x = v->i;
    return true;
  }
  if (v->kind != V_FLOAT || v->f != floor(v->f) || fabs(v->f) > 9007199254740992.0) return false;
  *x = (int64_t)v->f;
  return true;
}

bool v_size(const Value *v, int64_t most, int64_t *x) { return v_whole(v, x) && *x >= 1 && *x <= most; }

const char *show_dims(Build *b, const Graph *g, const int64_t *dim, int n) {
  Buf t = {0};
  buf_putc(&t, '[');
  for (int i = 0; i < n; i++) {
    if (i) buf_puts(&t, ", ");
    if (dim_is_sym(dim[i])) buf_puts(&t, g->sym[dim_sym(dim[i])].name);
    else buf_printf(&t, "%lld", (long long)dim[i]);
  }
  buf_putc(&t, ']');
  const char *s = arena_strdup(b->a, t.s);
  buf_free(&t);
  return s;
}

const char *show_type(Build *b, const Graph *g, const Type *t) { return show_dims(b, g, t->dim, t->rank); }

static const char *number_text(Build *b, double f) {
  char s[40];
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(s, sizeof s, "%.*g", digits, f);
    double back;
    if (sscanf(s, "%lf", &back) == 1 && back == f) break;
  }
  return arena_strdup(b->a, s);
}

const char *v_text(Ev *ev, const Value *v) {
  Build *b = ev->b;
  switch (v->kind) {
    case V_POISON: return "an erroneous value";
    case V_NONE:
      if (lacks(ev, v, NULL)) b->lacking = true;
      return v->s ? arena_printf(b->a, "nothing (config key '%s' is missing)", v->s) : "none";
    case V_BOOL: return v->b ? "true" : "false";
    case V_INT: return arena_printf(b->a, "%lld", (long long)v->i);
    case V_FLOAT: return number_text(b, v->f);
    case V_STRING: return arena_printf(b->a, "\"%s\"", v->s);
    case V_LIST: return arena_printf(b->a, "a list of %d", v->n);
    case V_NAMES: return "alternative names";
    case V_CONFIG: return arena_printf(b->a, "the config object '%s'", v->s);
    case V_EXTENT: return arena_printf(b->a, "the extent %s, known only at run time", ev->g->sym[dim_sym(v->i)].name);
    case V_DIST: return arena_printf(b->a, "the initial distribution '%s'", init_name((InitKind)v->n));
    case V_WEIGHT: return arena_printf(b->a, "weight '%s' without its shape", v->v[0].s);
    case V_TURNED: return "a transposed weight, which linear alone can read";
    case V_TENSOR: break;
  }
  return arena_printf(b->a, "a tensor %s", show_type(b, ev->g, t_type(ev, v->node)));
}

const char *source_text(Build *b, Loc loc) {
  const Sources *s = b->spec->sources;
  if (!loc.file || (int)loc.file >= s->n || loc.end > s->v[loc.file].len || loc.begin > loc.end) return "";
  return arena_strndup(b->a, s->v[loc.file].text + loc.begin, loc.end - loc.begin);
}
