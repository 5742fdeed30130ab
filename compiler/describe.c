// The description of a program that is compiled into it: models, parameters, buffers, entries, settings. Layout: runtime/engine/program.h.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "dsl/base/bug.h"
#include "dsl/utf8.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

static void put(json_t *o, const char *key, json_t *v) {
  if (json_object_set_new(o, key, v)) bug("the description's %s is no UTF-8", key);     // build looked at paths
}
static json_t *number(int64_t n) { return json_integer((json_int_t)n); }
static json_t *text(const char *s) { return s ? json_string(s) : json_null(); }
// The spec's file name, which programs show; a byte that is no UTF-8 as '?'.
static json_t *spec_name(const char *path) {
  const char *slash = strrchr(path, '/');
  Buf name = {0};
  buf_puts(&name, slash ? slash + 1 : path);
  for (size_t bad; (bad = utf8_check(name.s, name.n)) < name.n;) name.s[bad] = '?';
  json_t *j = json_string(name.s);
  buf_free(&name);
  return j;
}
static json_t *numbers(const int64_t *v, int n) {
  json_t *a = json_array();
  for (int i = 0; i < n; i++) json_array_append_new(a, number(v[i]));
  return a;
}

// The spec's own text, then that of the files it uses: what the composition's meaning depends on.
static json_t *spec_hash(const Spec *spec) {
  Sha256 s;
  char hex[SHA256_HEX];
  const Source *v = spec->sources->v;
  sha256_init(&s);
  sha256_add(&s, v[spec->file->loc.file].text, v[spec->file->loc.file].len);
  for (int i = 0; i < spec->nused; i++) sha256_add(&s, v[spec->lib[i]->loc.file].text, v[spec->lib[i]->loc.file].len);
  sha256_hex(&s, hex);
  return json_string(hex);
}

static json_t *models(const Program *p) {
  static const char *const role[] = {[ROLE_ANCHOR] = "anchor", [ROLE_AUGMENT] = "augment", [ROLE_MODEL] = "model"};
  json_t *a = json_array();
  for (int i = 0; i < p->nmodel; i++) {
    const BModel *m = &p->model[i];
    json_t *o = json_object();
    put(o, "name", text(m->name));
    put(o, "role", text(role[m->role]));
    put(o, "dir", text(m->dir));
    put(o, "arch", text(m->arch));
    put(o, "architecture", json_incref(json_array_get(json_object_get(m->config, "architectures"), 0)));
    put(o, "tokenizer", text(m->tokenizer));
    put(o, "blocks", number(m->blocks));
    put(o, "width", number(m->width));
    put(o, "vocab", number(m->vocab));
    put(o, "context", number(m->context));
    put(o, "prompt_only", json_boolean(m->prompt_only));
    put(o, "config", json_incref(m->config));
    json_array_append_new(a, o);
  }
  return a;
}

static json_t *connections(const Program *p) {
  json_t *a = json_array();
  for (int i = 0; i < p->nconn; i++) {
    const BConnection *c = &p->conn[i];
    json_array_append_new(a, json_pack("{s:s, s:i, s:i, s:s?, s:i, s:i, s:s}", "name", c->name, "from", c->from,
                                       "from_layer", c->from_layer, "tap", c->tap, "to", c->to, "to_layer", c->to_layer,
                                       "op", c->op));
  }
  return a;
}

static int64_t param_offset(const Plan *plan, const char *name) {
  for (int i = 0; i < plan->nbuf; i++)
    if (plan->buf[i].kind == BUF_PARAM && !strcmp(plan->buf[i].name, name)) return plan->buf[i].offset;
  return -1;
}

static json_t *params(const Program *p, const Plan *plan) {
  json_t *a = json_array();
  for (int i = 0; i < p->nparam; i++) {
    const BParam *q = &p->param[i];
    json_t *o = json_object();
    put(o, "name", text(q->name));
    put(o, "shape", numbers(q->dim, q->rank));
    put(o, "offset", number(param_offset(plan, q->name)));
    put(o, "init", text(q->init));
    put(o, "a", json_real(q->a));
    put(o, "fan_in", number(q->fan_in));
    put(o, "model", number(q->model));
    json_array_append_new(a, o);
  }
  return a;
}

static json_t *syms(const Plan *plan) {
  static const char *const kind[] = {
      [SYM_TOKENS] = "tokens", [SYM_ROWS] = "rows", [SYM_CACHE] = "cache", [SYM_FLAT] = "flat"};
  json_t *a = json_array();
  for (int i = 0; i < plan->nsym; i++)
    json_array_append_new(a, json_pack("{s:s, s:s, s:i}", "name", plan->sym[i].name, "kind", kind[plan->sym[i].kind],
                                       "model", plan->sym[i].model));
  return a;
}

// How a weight is read once it is packed: 0 not at all, 1 as a whole, else by token ids, of so many vectors one each.
static int64_t rows_read(const Plan *plan, int buf) {
  int64_t rows = 0;
  for (int i = 0; i < plan->nentry; i++)
    for (int c = 0; c < plan->entry[i].ncall; c++) {
      const Call *call = &plan->entry[i].call[c];
      const Kernel *k = &plan->kernel[call->kernel];
      for (int a = 0; a < k->narg && k->cls != K_PACK; a++) {
        if (call->buf[a] != buf) continue;
        bool table = k->cls == K_LOOKUP && a == KARG(LOOKUP, table) && !strncmp(plan->buf[call->buf[KARG(LOOKUP, ids)]].name, "ids.", 4);
        if (!table) return 1;
        rows = k->LOOKUP.V;
      }
    }
  return rows;
}

static json_t *bufs(const Plan *plan) {
  json_t *a = json_array();
  for (int i = 0; i < plan->nbuf; i++) {
    const PBuf *b = &plan->buf[i];
    json_t *o = json_object();
    put(o, "kind", text(buf_kind_name(b->kind)));
    if (b->name && b->name[0]) put(o, "name", text(b->name));
    put(o, "dtype", text(dtype_name(b->dt)));
    if (b->sym >= 0) put(o, "sym", number(b->sym));
    put(o, "elems", number(b->elems));
    if (b->kind == BUF_PACKED || b->kind == BUF_LIVE) put(o, "source", number(b->source));
    if (b->kind == BUF_WEIGHT) put(o, "rows", number(rows_read(plan, i)));
    if (b->kind == BUF_ACT) put(o, "entry", number(b->entry));
    if (b->offset) put(o, "offset", number(b->offset));
    if (b->kind == BUF_MASK) put(o, "mask", numbers(b->mask, 4));
    if (b->kind == BUF_CONST) {
      json_t *d = json_array();
      for (int64_t k = 0; k < b->elems; k++) json_array_append_new(d, json_real(b->data[k]));
      put(o, "data", d);
    }
    json_array_append_new(a, o);
  }
  return a;
}

static json_t *entries(const Plan *plan) {
  json_t *a = json_array();
  for (int i = 0; i < plan->nentry; i++) {
    const PlanEntry *e = &plan->entry[i];
    json_t *o = json_object(), *out = json_object();
    for (int k = 0; k < e->nout; k++) put(out, e->out[k].name, number(e->out[k].node));
    put(o, "name", text(e->name));
    put(o, "static", number(e->static_bytes));
    put(o, "per_row", e->bytes_per_row ? numbers(e->bytes_per_row, plan->nsym) : json_array());
    put(o, "outputs", out);
    json_array_append_new(a, o);
  }
  return a;
}

void describe(const Program *p, const Plan *plan, const Spec *spec, Buf *out) {
  json_t *o = json_object();
  put(o, "calm", number(1));
  put(o, "version", text(CALM_VERSION));
  put(o, "spec", spec_name(spec->sources->v[spec->file->loc.file].path));
  put(o, "spec_sha256", spec_hash(spec));
  put(o, "models", models(p));
  put(o, "anchor", number(p->anchor));
  put(o, "connections", connections(p));
  put(o, "params", params(p, plan));
  put(o, "theta", number(plan->theta));
  put(o, "syms", syms(plan));
  put(o, "bufs", bufs(plan));
  put(o, "kernels", number(plan->nkernel));
  put(o, "entries", entries(plan));
  put(o, "train", json_incref(p->train));
  put(o, "evals", json_incref(p->evals));
  char *s = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
  if (!s) bug("the description cannot be written");
  buf_puts(out, s);
  rt_free(s);
  json_decref(o);
}
