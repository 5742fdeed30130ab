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

// A record that is read, and the member that comes next.
typedef struct From {
  Held *held;
  const json_t *o;
  size_t next;
} From;
static json_t *need(From *f, const char *what) {
  json_t *v = json_array_get(f->o, f->next++);
  if (!v) bad("%s is missing", what);
  return v;
}
static void *array(From *f, const char *what, const json_t **list, int *n, size_t size) {
  *list = need(f, what);
  if (!json_is_array(*list)) bad("%s is no array", what);
  *n = (int)json_array_size(*list);
  Array *a = rt_alloc(1, sizeof *a + (size_t)*n * size);
  a->next = f->held->arrays;
  f->held->arrays = a;
  return a->aligned;
}

// ---- values
static const char *read_TEXT_OR_NULL(From *f, const char *what) { return json_string_value(need(f, what)); }
static const char *read_TEXT(From *f, const char *what) {
  const char *s = json_string_value(need(f, what));
  if (!s) bad("%s is no string", what);
  return s;
}
static int64_t read_INT(From *f, const char *what) {
  const json_t *v = need(f, what);
  if (!json_is_integer(v)) bad("%s is no integer", what);
  return json_integer_value(v);
}
static int read_INDEX(From *f, const char *what) { return (int)read_INT(f, what); }
static bool read_BOOL(From *f, const char *what) {
  const json_t *v = need(f, what);
  return json_is_true(v);
}
static double read_REAL(From *f, const char *what) { return json_number_value(need(f, what)); }
static json_t *read_JSON(From *f, const char *what) { return need(f, what); }
static ProgInts read_INTS(From *f, const char *what) {
  ProgInts x;
  const json_t *list;
  x.v = array(f, what, &list, &x.n, sizeof *x.v);
  for (int i = 0; i < x.n; i++) x.v[i] = json_integer_value(json_array_get(list, (size_t)i));
  return x;
}
static ProgReals read_REALS(From *f, const char *what) {
  ProgReals x;
  const json_t *list;
  x.v = array(f, what, &list, &x.n, sizeof *x.v);
  for (int i = 0; i < x.n; i++) x.v[i] = json_number_value(json_array_get(list, (size_t)i));
  return x;
}
static Dtype read_DTYPE(From *f, const char *what) {
  const char *name = read_TEXT(f, what);
  Dtype t = dtype_named(name);
  if (t == DT_NONE) bad("dtype \"%s\"", name);
  return t;
}
static int read_name(From *f, const char *what, const ProgName *names) {
  const char *name = read_TEXT(f, what);
  int k = 0;
  while (names[k].name && strcmp(names[k].name, name)) k++;
  if (!names[k].name) bad("%s \"%s\"", what, name);
  return k;
}
#define ENUM(E, prefix) static E read_##E(From *f, const char *what) { return (E)read_name(f, what, E##_names); }
#define NAME(prefix, id, name, part, what)
#define END_ENUM(E)
#include "runtime/abi/program.def"

// ---- records
#define RECORD(R) static void read_##R(Held *held, const json_t *o, Prog##R *r) { From f = {held, o, 0};
#define VALUE(type, name, about) r->name = read_##type(&f, #name);
#define LIST(R, name, about)                                                    \
  const json_t *name;                                                           \
  r->name = array(&f, #name, &name, &r->n##name, sizeof *r->name);              \
  for (int i = 0; i < r->n##name; i++) read_##R(held, json_array_get(name, (size_t)i), &r->name[i]);
#define ONE_OF(E) switch (E##_names[r->kind].part) { case PROG_nothing: break;
#define PART(R, name) case PROG_##name: read_##R(held, need(&f, #name), &r->name); break;
#define END_ONE_OF }
#define END(R) if (f.next != json_array_size(o)) bad("%s has more than its members", #R); }
#include "runtime/abi/program.def"

Prog *prog_parse(const char *text, size_t len) {
  json_error_t je;
  json_t *root = json_loadb(text, len, 0, &je);
  if (!root) bad("line %d: %s", je.line, je.text);
  Held *h = rt_alloc(1, sizeof *h);
  h->root = root;
  read_Program(h, root, &h->prog);
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

int64_t prog_trained_of(const Prog *p, int model) {
  int64_t n = 0;
  for (int i = 0; i < p->nparam; i++) n += p->param[i].model == model ? p->param[i].elems : 0;
  return n;
}

const char *prog_tensor(const Prog *p, const ProgParam *q) { return q->name + strlen(p->model[q->model].name) + 1; }

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
