// Parameters between the flat vector and files, and their initial values. See params.h.
#include "runtime/engine/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

static double normal_at(uint64_t key, uint64_t i) {
  double u = 1 - rng_unit(key, 2 * i), v = rng_unit(key, 2 * i + 1);          // u in (0, 1]
  return sqrt(-2 * log(u)) * cos(6.283185307179586476925286766559 * v);
}

static double init_zeros(const ProgParam *p, uint64_t key, uint64_t i) { return (void)p, (void)key, (void)i, 0; }
static double init_ones(const ProgParam *p, uint64_t key, uint64_t i) { return (void)p, (void)key, (void)i, 1; }
static double init_constant(const ProgParam *p, uint64_t key, uint64_t i) { return (void)key, (void)i, p->a; }
static double init_normal(const ProgParam *p, uint64_t key, uint64_t i) { return p->a * normal_at(key, i); }
static double init_uniform(const ProgParam *p, uint64_t key, uint64_t i) { return p->a * (2 * rng_unit(key, i) - 1); }
static double init_fan_in(const ProgParam *p, uint64_t key, uint64_t i) {
  return p->a / sqrt((double)(p->fan_in > 0 ? p->fan_in : 1)) * normal_at(key, i);
}
static double (*const init_at[N_InitKind])(const ProgParam *, uint64_t, uint64_t) = {
#define X(id, word, use, what) [INIT_##id] = init_##word,
#include "runtime/abi/init.def"
#undef X
};

void params_init(const Prog *p, uint64_t seed, float *theta) {
  memset(theta, 0, (size_t)p->theta * sizeof *theta);
  for (int k = 0; k < p->nparam; k++) {
    const ProgParam *q = &p->param[k];
    uint64_t key = rng_key(seed, q->name);
    for (int64_t i = 0; i < q->elems; i++) theta[q->offset + i] = (float)init_at[q->init](q, key, (uint64_t)i);
  }
}

static char *part_name(const ParamsPart *part, const ProgParam *p) {
  return rt_format("%s%s", part->prefix, p->name);
}

bool params_save(const Prog *p, const ParamsPart *part, int nparts, const char *path, FileSum *sum, RtError *e) {
  StWriter *w = st_writer_new();
  st_writer_meta(w, "format", "calm");
  for (int k = 0; k < nparts; k++)
    for (int i = 0; i < p->nparam; i++) {
      const ProgParam *q = &p->param[i];
      char *name = part_name(&part[k], q);
      st_writer_add(w, name, DT_F32, q->shape.n, q->shape.v, part[k].flat + q->offset);
      rt_free(name);
    }
  bool ok = st_writer_save(w, path, sum, e);
  st_writer_free(w);
  return ok;
}

static void shape_text(char out[128], int rank, const int64_t *shape) {
  size_t at = 0;
  out[0] = '[', out[1] = 0;
  for (int i = 0; i < rank && at < 100; i++) at += (size_t)snprintf(out + at, 128 - at, "%s%lld", i ? ", " : "[",
      (long long)shape[i]);
  strcat(out, "]");
}

static bool load_one(const Safetensors *s, const char *path, const char *name, const ProgParam *q, float *to,
                     RtError *e) {
  const StTensor *t = st_find(s, name);
  if (!t) return rt_fail(e, "%s: tensor %s is missing", path, name);
  if (t->dtype != DT_F32) return rt_fail(e, "%s: tensor %s: expected F32, found %s", path, name, dtype_info[t->dtype].file);
  bool same = t->rank == q->shape.n;
  for (int i = 0; same && i < q->shape.n; i++) same = t->shape[i] == q->shape.v[i];
  if (!same) {
    char want[128], have[128];
    shape_text(want, q->shape.n, q->shape.v), shape_text(have, t->rank, t->shape);
    return rt_fail(e, "%s: tensor %s: expected shape %s, found %s", path, name, want, have);
  }
  if (q->elems) memcpy(to, t->data, (size_t)q->elems * sizeof *to);
  st_drop(t->data, (size_t)q->elems * sizeof *to);          // never resident twice
  return true;
}

bool params_load(const Prog *p, const ParamsPart *part, int nparts, FileMap *m, const char *path, RtError *e) {
  Safetensors *s = st_open_map(m, path, e);
  if (!s) return false;
  bool ok = true;
  for (int k = 0; ok && k < nparts; k++)
    for (int i = 0; ok && i < p->nparam; i++) {
      char *name = part_name(&part[k], &p->param[i]);
      ok = load_one(s, path, name, &p->param[i], part[k].flat + p->param[i].offset, e);
      rt_free(name);
    }
  if (ok && st_count(s) != p->nparam * nparts)
    ok = rt_fail(e, "%s: %d tensor%s; this program has %d", path, st_count(s), plural(st_count(s)), p->nparam * nparts);
  st_close(s);
  return ok;
}
