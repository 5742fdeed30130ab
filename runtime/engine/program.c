// The description compiled into the program, read once at start-up. It was written by this very compiler, so anything
// missing in it is a bug of calm, not of the user: abort and say what.
#include "runtime/engine/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

static _Noreturn void bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void bad(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("calm: bug: description of the program: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  abort();
}

static json_t *need(const json_t *o, const char *key) {
  json_t *v = json_object_get(o, key);
  if (!v) bad("\"%s\" is missing", key);
  return v;
}
static int64_t get_int(const json_t *o, const char *key) {
  const json_t *v = need(o, key);
  if (!json_is_integer(v)) bad("\"%s\" is not an integer", key);
  return json_integer_value(v);
}
static int64_t opt_int(const json_t *o, const char *key, int64_t otherwise) {
  const json_t *v = json_object_get(o, key);
  return json_is_integer(v) ? json_integer_value(v) : otherwise;
}
static const char *opt_string(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }
static const char *get_string(const json_t *o, const char *key) {
  const char *s = opt_string(o, key);
  if (!s) bad("\"%s\" is not a string", key);
  return s;
}
static const json_t *get_array(const json_t *o, const char *key, int *n) {
  const json_t *v = need(o, key);
  if (!json_is_array(v)) bad("\"%s\" is not an array", key);
  *n = (int)json_array_size(v);
  return v;
}

static void read_model(ProgModel *m, const json_t *o) {
  m->name = get_string(o, "name");
  m->role = get_string(o, "role");
  m->dir = opt_string(o, "dir");
  m->arch = get_string(o, "arch");
  m->architecture = opt_string(o, "architecture");
  m->tokenizer = opt_string(o, "tokenizer");
  m->blocks = get_int(o, "blocks");
  m->width = get_int(o, "width");
  m->vocab = get_int(o, "vocab");
  m->context = get_int(o, "context");
  m->prompt_only = json_is_true(json_object_get(o, "prompt_only"));
  m->config = need(o, "config");
}

static void read_param(ProgParam *p, const json_t *o) {
  p->name = get_string(o, "name");
  p->init = get_string(o, "init");
  p->offset = get_int(o, "offset");
  p->fan_in = get_int(o, "fan_in");
  p->model = (int)opt_int(o, "model", -1);
  p->a = json_number_value(json_object_get(o, "a"));
  const json_t *shape = get_array(o, "shape", &p->rank);
  if (p->rank > 8) bad("parameter %s has rank %d", p->name, p->rank);
  p->elems = 1;
  for (int i = 0; i < p->rank; i++) p->elems *= p->shape[i] = json_integer_value(json_array_get(shape, (size_t)i));
}

static const char *const KIND[] = {"input", "mask", "weight", "packed", "param", "grad", "live", "cache", "const",
                                   "act"};
static void read_buf(ProgBuf *b, const json_t *o) {
  const char *kind = get_string(o, "kind"), *dt = get_string(o, "dtype");
  int k = 0, n = (int)(sizeof KIND / sizeof KIND[0]);
  while (k < n && strcmp(kind, KIND[k])) k++;
  if (k == n) bad("buffer kind \"%s\"", kind);
  b->dtype = dtype_named(dt);
  if (b->dtype == DT_NONE) bad("dtype \"%s\"", dt);
  b->kind = (ProgBufKind)k;
  b->name = opt_string(o, "name");
  if (!b->name) b->name = "";
  b->sym = (int)opt_int(o, "sym", -1);
  b->elems = opt_int(o, "elems", 0);
  b->source = (int)opt_int(o, "source", -1);
  b->entry = (int)opt_int(o, "entry", -1);
  b->offset = opt_int(o, "offset", 0);
  b->rows = opt_int(o, "rows", 0);
  const json_t *mask = json_object_get(o, "mask");
  for (size_t i = 0; i < 4 && mask; i++) b->mask[i] = json_integer_value(json_array_get(mask, i));
  b->data = json_object_get(o, "data");
}

static void read_entry(ProgEntry *e, const json_t *o, int nsym) {
  e->name = get_string(o, "name");
  e->static_bytes = get_int(o, "static");
  e->outputs = need(o, "outputs");
  int n;
  const json_t *rows = get_array(o, "per_row", &n);
  if (n > nsym) bad("entry %s: %d symbols of %d", e->name, n, nsym);
  e->per_row = rt_alloc((size_t)nsym, sizeof *e->per_row);
  for (int i = 0; i < n; i++) e->per_row[i] = json_integer_value(json_array_get(rows, (size_t)i));
}

Prog *prog_parse(const char *text, size_t len) {
  json_error_t je;
  json_t *root = json_loadb(text, len, 0, &je);
  if (!root) bad("line %d: %s", je.line, je.text);
  Prog *p = rt_alloc(1, sizeof *p);
  p->root = root;
  p->spec = get_string(root, "spec");
  p->spec_sha256 = get_string(root, "spec_sha256");
  p->anchor = (int)get_int(root, "anchor");
  p->theta = get_int(root, "theta");
  p->connections = need(root, "connections");
  p->train = json_object_get(root, "train");
  p->evals = json_object_get(root, "evals");
#define READ_ALL(key, field, count, call) do {                                          \
    const json_t *all = get_array(root, key, &p->count);                                \
    p->field = rt_alloc((size_t)p->count, sizeof *p->field);                            \
    for (int i = 0; i < p->count; i++) { const json_t *o = json_array_get(all, (size_t)i); call; } \
  } while (0)
  READ_ALL("models", model, nmodel, read_model(&p->model[i], o));
  READ_ALL("params", param, nparam, read_param(&p->param[i], o));
  READ_ALL("syms", sym, nsym, (p->sym[i].name = get_string(o, "name"), p->sym[i].kind = get_string(o, "kind"),
                               p->sym[i].model = (int)opt_int(o, "model", -1)));
  READ_ALL("bufs", buf, nbuf, read_buf(&p->buf[i], o));
  READ_ALL("entries", entry, nentry, read_entry(&p->entry[i], o, p->nsym));
#undef READ_ALL
  return p;
}

int prog_entry(const Prog *p, const char *name) {
  for (int i = 0; i < p->nentry; i++)
    if (!strcmp(p->entry[i].name, name)) return i;
  return -1;
}

int prog_output(const Prog *p, int entry, const char *name) {
  const json_t *v = entry < 0 ? NULL : json_object_get(p->entry[entry].outputs, name);
  return v ? (int)json_integer_value(v) : -1;
}

int64_t prog_trained(const Prog *p) {
  int64_t n = 0;
  for (int i = 0; i < p->nparam; i++) n += p->param[i].elems;
  return n;
}

int prog_model(const Prog *p, const char *name) {
  for (int i = 0; i < p->nmodel; i++)
    if (!strcmp(p->model[i].name, name)) return i;
  return -1;
}

void prog_close(Prog *p) {
  if (!p) return;
  for (int i = 0; i < p->nentry; i++) rt_free(p->entry[i].per_row);
  rt_free(p->model), rt_free(p->param), rt_free(p->sym), rt_free(p->buf), rt_free(p->entry);
  json_decref(p->root);
  rt_free(p);
}
