// The description compiled into the program, read once at start-up: a reader for each type of value in program.def, and from its rows one
// for each record. It was written by this very compiler, so anything missing in it is a bug of calm, not of the user: abort and say what.
#include "runtime/engine/program.h"

#include <jansson.h>
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

// A description, the JSON that its strings are of, and its arrays.
typedef struct Array {
  struct Array *next;
  double aligned[];
} Array;
typedef struct Held {
  Prog prog;
  json_t *root;
  Array *arrays;
} Held;

// An object that is read.
typedef struct From {
  Held *held;
  const json_t *o;
} From;
static json_t *need(const From *f, const char *key) {
  json_t *v = json_object_get(f->o, key);
  if (!v) bad("\"%s\" is missing", key);
  return v;
}
static const json_t *at(const From *f, const char *key, int i) { return json_array_get(need(f, key), (size_t)i); }
static void *array(const From *f, const char *key, int *n, size_t size) {
  if (!json_is_array(need(f, key))) bad("\"%s\" is no array", key);
  *n = (int)json_array_size(need(f, key));
  Array *a = rt_alloc(1, sizeof *a + (size_t)*n * size);
  a->next = f->held->arrays;
  f->held->arrays = a;
  return a->aligned;
}

// ---- values
static const char *read_TEXT_OR_NULL(const From *f, const char *key) { return json_string_value(json_object_get(f->o, key)); }
static const char *read_TEXT(const From *f, const char *key) {
  const char *s = json_string_value(need(f, key));
  if (!s) bad("\"%s\" is no string", key);
  return s;
}
static int64_t read_INT(const From *f, const char *key) {
  if (!json_is_integer(need(f, key))) bad("\"%s\" is no integer", key);
  return json_integer_value(need(f, key));
}
static int read_INDEX(const From *f, const char *key) { return json_object_get(f->o, key) ? (int)read_INT(f, key) : -1; }
static bool read_BOOL(const From *f, const char *key) { return json_is_true(need(f, key)); }
static double read_REAL(const From *f, const char *key) { return json_number_value(need(f, key)); }
static json_t *read_JSON(const From *f, const char *key) { return need(f, key); }
static ProgInts read_INTS(const From *f, const char *key) {
  ProgInts x;
  x.v = array(f, key, &x.n, sizeof *x.v);
  for (int i = 0; i < x.n; i++) x.v[i] = json_integer_value(at(f, key, i));
  return x;
}
static ProgReals read_REALS(const From *f, const char *key) {
  ProgReals x;
  x.v = array(f, key, &x.n, sizeof *x.v);
  for (int i = 0; i < x.n; i++) x.v[i] = json_number_value(at(f, key, i));
  return x;
}
static Dtype read_DTYPE(const From *f, const char *key) {
  Dtype t = dtype_named(read_TEXT(f, key));
  if (t == DT_NONE) bad("dtype \"%s\"", read_TEXT(f, key));
  return t;
}
static int read_name(const From *f, const char *key, const ProgName *names) {
  int k = 0;
  while (names[k].name && strcmp(names[k].name, read_TEXT(f, key))) k++;
  if (!names[k].name) bad("%s \"%s\"", key, read_TEXT(f, key));
  return k;
}
#define ENUM(E, prefix) static E read_##E(const From *f, const char *key) { return (E)read_name(f, key, E##_names); }
#define NAME(prefix, id, name, part, what)
#define END_ENUM(E)
#include "runtime/abi/program.def"

// ---- records
#define RECORD(R) static void read_##R(From f, Prog##R *r) {
#define VALUE(type, name, what) r->name = read_##type(&f, #name);
#define LIST(R, name, what)                                       \
  r->name = array(&f, #name, &r->n##name, sizeof *r->name);       \
  for (int i = 0; i < r->n##name; i++) read_##R((From){f.held, at(&f, #name, i)}, &r->name[i]);
#define ONE_OF(E) switch (E##_names[r->kind].part) { case PROG_nothing: break;
#define PART(R, name) case PROG_##name: read_##R((From){f.held, need(&f, #name)}, &r->name); break;
#define END_ONE_OF }
#define END(R) }
#include "runtime/abi/program.def"

Prog *prog_parse(const char *text, size_t len) {
  json_error_t je;
  json_t *root = json_loadb(text, len, 0, &je);
  if (!root) bad("line %d: %s", je.line, je.text);
  Held *h = rt_alloc(1, sizeof *h);
  h->root = root;
  read_Program((From){h, root}, &h->prog);
  return &h->prog;
}

void prog_close(Prog *p) {
  if (!p) return;
  Held *h = (Held *)p;
  for (Array *a = h->arrays, *next; a; a = next) next = a->next, rt_free(a);
  json_decref(h->root);
  rt_free(h);
}

// ---- finding

int prog_entry(const Prog *p, EntryKind kind) {
  for (int i = 0; i < p->nentry; i++)
    if (p->entry[i].kind == kind) return i;
  return -1;
}

const ProgOutput *prog_output(const Prog *p, int entry, OutputKind what, int model, int layer) {
  for (int i = 0; entry >= 0 && i < p->entry[entry].nout; i++) {
    const ProgOutput *o = &p->entry[entry].out[i];
    if (o->what == what && o->model == model && o->layer == layer) return o;
  }
  return NULL;
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
