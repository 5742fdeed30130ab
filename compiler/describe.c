// The description of a program that is compiled into it, as JSON. Everything it says is a row of runtime/abi/program.def: a writer for each type of
// value, and from the rows one for each record; what is not the plan's already is filled in below them.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "dsl/base/bug.h"
#include "dsl/base/map.h"
#include "dsl/utf8.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

// ---- values; NULL: left out
static json_t *write_TEXT(const char *s) { return json_string(s); }
static json_t *write_TEXT_OR_NULL(const char *s) { return s ? json_string(s) : json_null(); }
static json_t *write_INT(int64_t n) { return json_integer((json_int_t)n); }
static json_t *write_INDEX(int n) { return json_integer(n); }
static json_t *write_BOOL(bool b) { return json_boolean(b); }
static json_t *write_REAL(double x) { return json_real(x); }
static json_t *write_JSON(json_t *j) { return json_incref(j); }
static json_t *write_DTYPE(Dtype t) { return json_string(dtype_name(t)); }
static json_t *write_INTS(ProgInts x) {
  json_t *a = json_array();
  for (int i = 0; i < x.n; i++) json_array_append_new(a, json_integer((json_int_t)x.v[i]));
  return a;
}
static json_t *write_REALS(ProgReals x) {
  json_t *a = json_array();
  for (int i = 0; i < x.n; i++) json_array_append_new(a, json_real(x.v[i]));
  return a;
}
#define ENUM(E, prefix) static json_t *write_##E(E k) { return json_string(E##_names[k].name); }
#define NAME(prefix, id, name, part, what)
#define END_ENUM(E)
#include "runtime/abi/program.def"

// ---- records
static void put(json_t *o, const char *what, json_t *v) {
  if (json_array_append_new(o, v)) bug("the description's %s is no UTF-8", what);       // build looked at paths
}
#define RECORD(R) static json_t *write_##R(const Prog##R *r) { json_t *o = json_array();
#define VALUE(type, name, what) put(o, #name, write_##type(r->name));
#define LIST(R, name, what)                                                     \
  json_t *name = json_array();                                                  \
  for (int i = 0; i < r->n##name; i++) put(name, #name, write_##R(&r->name[i])); \
  put(o, #name, name);
#define ONE_OF(E) switch (E##_names[r->kind].part) { case PROG_nothing: break;
#define PART(R, name) case PROG_##name: put(o, #name, write_##R(&r->name)); break;
#define END_ONE_OF }
#define END(R) return o; }
#include "runtime/abi/program.def"

// ---- what is said

// What programs show as their name; a byte that is no UTF-8 as '?'.
static const char *printable(Arena *a, const char *text) {
  char *name = arena_strdup(a, text);
  for (size_t bad, n = strlen(name); (bad = utf8_check(name, n)) < n;) name[bad] = '?';
  return name;
}

// The spec's own text, then that of the files it uses: what the composition's meaning depends on.
static void spec_hash(const Spec *spec, char hex[SHA256_HEX]) {
  Sha256 s;
  const Source *v = spec->sources->v;
  sha256_init(&s);
  sha256_add(&s, v[spec->file->loc.file].text, v[spec->file->loc.file].len);
  for (int i = 0; i < spec->nused; i++) sha256_add(&s, v[spec->lib[i]->loc.file].text, v[spec->lib[i]->loc.file].len);
  sha256_hex(&s, hex);
}

static ProgModel model(const BModel *m) {
  return (ProgModel){.name = m->name, .role = m->role, .keep = m->keep, .dir = m->dir, .arch = m->arch,
                     .architecture = json_string_value(json_array_get(json_object_get(m->config, "architectures"), 0)), .tokenizer = m->tokenizer,
                     .blocks = m->blocks, .width = m->width, .vocab = m->vocab, .context = m->context, .reads = m->reads, .computes = m->computes, .config = m->config};
}

static ProgParam param(const BParam *q, const Plan *plan) {
  ProgParam p = {.name = q->name, .shape = {q->rank, (int64_t *)(uintptr_t)q->dim}, .elems = 1, .offset = -1, .init = q->init, .a = q->a, .fan_in = q->fan_in,
                 .model = q->model};
  for (int i = 0; i < q->rank; i++) p.elems *= q->dim[i];
  int buf = plan_find(plan, BUF_PARAM, q->name);
  if (buf >= 0) p.offset = plan->buf[buf].slice.offset;
  return p;
}

static int param_named(const Program *p, const char *name) {
  int i = name ? p->nparam : 0;
  while (i-- > 0 && strcmp(p->param[i].name, name)) {}
  return name ? i : -1;
}

static ProgAdapter adapter(const BAdapter *x, const Program *p) {
  return (ProgAdapter){.model = x->model, .layer = x->layer, .tensor = x->tensor, .module = x->module, .op = x->op, .down = param_named(p, x->down), .up = param_named(p, x->up),
                       .scale = x->scale, .turned = x->turned};
}

// The names of the graphs, and what they say.
typedef struct Names {
  Arena *a;
  Map model;                   // by name, its number
} Names;

static int model_named(const Names *x, const char *name, const char **rest) {
  size_t n = strcspn(name, ".");
  *rest = name + n + (name[n] == '.');
  return (int)map_find(&x->model, arena_printf(x->a, "%.*s", (int)n, name));
}

// The row that a name begins with, the model and the layer behind it, -1 for what it does not say.
static int named(const Names *x, const ProgName *names, const char *name, int *model, int *layer) {
  const char *rest;
  int k = prog_named(names, name, &rest);
  if (k < 0) bug("the description has no row for '%s'", name);
  *model = model_named(x, rest, &rest);
  *layer = *model >= 0 && *rest ? atoi(rest) : -1;
  return k;
}

static ProgBuf buf(const Names *x, const ProgBuf *from) {
  ProgBuf b = *from;
  if (b.kind == BUF_INPUT) b.given.what = (InputKind)named(x, InputKind_names, b.name, &b.given.model, &b.given.layer);
  if (b.kind == BUF_WEIGHT && (b.stored.model = model_named(x, b.name, &b.stored.tensor)) < 0) bug("weight '%s' is of no model", b.name);
  return b;
}

static void add_flops(ProgEntry *x, int sym, int mask, int64_t flops) {
  int i = 0;
  while (i < x->nflops && (x->flops[i].sym != sym || x->flops[i].mask != mask)) i++;
  if (i == x->nflops) x->flops[x->nflops++] = (ProgFlops){sym, mask, 0};
  x->flops[i].flops += flops;
}

// What it costs to run; so that what a training takes, what is spared of it, or paid for memory, can be said: of what is split, and the parts.
static void entry_flops(Arena *a, ProgEntry *x, const PlanEntry *e, const Plan *p) {
  bool said = false;
  for (int i = 0; i < N_SPLIT; i++) said |= x->kind == prog_splits[i].whole || x->kind == prog_splits[i].frozen || x->kind == prog_splits[i].live;
  if (!said) return;
  x->flops = ARENA_ARRAY(a, ProgFlops, p->nsym + p->nbuf + 1);
  for (int c = 0; c < e->ncall; c++) {
    const Call *call = &e->call[c];
    KernelCost cost;
    kernel_cost(&p->kernel[call->kernel], &cost);
    if (cost.flops[PER_ROW]) add_flops(x, call->sym, -1, cost.flops[PER_ROW] * (call->sym < 0 ? call->rows : 1));
    if (cost.flops[PER_PAIR]) add_flops(x, -1, call->buf[cost.mask - 1], cost.flops[PER_PAIR]);
  }
}

static ProgEntry entry(const Names *names, const PlanEntry *e, const Plan *plan) {
  int nsym = plan->nsym;
  int model, layer;
  ProgEntry x = {.kind = (EntryKind)named(names, EntryKind_names, e->name, &model, &layer), .static_bytes = e->static_bytes,
                 .row_bytes = {e->row_bytes ? nsym : 0, e->row_bytes}, .nout = e->nout};
  x.out = ARENA_ARRAY(names->a, ProgOutput, x.nout + 1);
  for (int i = 0; i < x.nout; i++) {
    ProgOutput *o = &x.out[i];
    *o = e->out[i];
    o->what = (OutputKind)named(names, OutputKind_names, o->name, &o->model, &o->layer);
  }
  entry_flops(names->a, &x, e, plan);
  return x;
}

static ProgKernel kernel(Arena *a, const Kernel *k) {
  KernelCost *c = ARENA_NEW(a, KernelCost);
  Buf name = {0};
  kernel_cost(k, c);
  kernel_title(k, &name);
  ProgKernel p = {.name = arena_strdup(a, name.s), .product = c->product, .mask = c->mask, .source = c->source, .work = ARENA_ARRAY(a, ProgWork, N_Per)};
  for (int i = 0; i < N_Per; i++)
    if (c->flops[i] || c->bytes[i][0]) p.work[p.nwork++] = (ProgWork){(Per)i, c->flops[i], {N_PRECISION, c->bytes[i]}};
  buf_free(&name);
  return p;
}

void describe(Arena *a, const Program *p, const Plan *plan, const Spec *spec, const char *name, Buf *out) {
  char hash[SHA256_HEX];
  spec_hash(spec, hash);
  ProgProgram d = {.spec = printable(a, name), .spec_sha256 = hash, .anchor = p->anchor, .theta = plan->theta,
                   .connection = p->conn, .nconnection = p->nconn, .sym = plan->sym, .nsym = plan->nsym, .nbuf = plan->nbuf,
                   .nkernel = plan->nkernel, .train = p->train, .evals = p->evals, .nmodel = p->nmodel, .nparam = p->nparam, .nentry = plan->nentry};
  Names names = {.a = a};
  for (int i = 0; i < p->nmodel; i++) map_first(a, &names.model, p->model[i].name, i);
  d.model = ARENA_ARRAY(a, ProgModel, d.nmodel + 1);
  d.param = ARENA_ARRAY(a, ProgParam, d.nparam + 1);
  d.adapter = ARENA_ARRAY(a, ProgAdapter, p->nadapter + 1);
  d.nadapter = p->nadapter;
  d.buf = ARENA_ARRAY(a, ProgBuf, d.nbuf + 1);
  d.kernel = ARENA_ARRAY(a, ProgKernel, d.nkernel + 1);
  d.entry = ARENA_ARRAY(a, ProgEntry, d.nentry + 1);
  for (int i = 0; i < d.nmodel; i++) d.model[i] = model(&p->model[i]);
  for (int i = 0; i < d.nparam; i++) d.param[i] = param(&p->param[i], plan);
  for (int i = 0; i < d.nadapter; i++) d.adapter[i] = adapter(&p->adapter[i], p);
  for (int i = 0; i < d.nbuf; i++) d.buf[i] = buf(&names, &plan->buf[i]);
  for (int i = 0; i < d.nkernel; i++) d.kernel[i] = kernel(a, &plan->kernel[i]);
  for (int i = 0; i < d.nentry; i++) d.entry[i] = entry(&names, &plan->entry[i], plan);
  json_t *o = write_Program(&d);
  char *s = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
  if (!s) bug("the description cannot be written");
  buf_puts(out, s);
  rt_free(s);
  json_decref(o);
}
