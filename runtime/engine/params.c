// Parameters between the flat vector and files, and their initial values. See params.h.
#include "runtime/engine/params.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

static double normal_at(uint64_t key, uint64_t i) {
  double u = 1 - rng_unit(key, 2 * i), v = rng_unit(key, 2 * i + 1);          // u in (0, 1]
  return sqrt(-2 * log(u)) * cos(6.283185307179586476925286766559 * v);
}

static bool take_stored(const Prog *p, const ProgParam *q, Safetensors *const *file, float *to, RtError *e) {
  const char *model = p->model[q->model].name, *name = prog_tensor(p, q);
  if (!file || !file[q->model])
    return rt_fail(e, "model %s is tuned from what its directory holds, which a pack file does not have", model);
  const StTensor *t = st_find(file[q->model], name);
  if (!t) return rt_fail(e, "model %s: its directory has no tensor %s, from which it is tuned", model, name);
  if (t->elems != q->elems || dtype_info[t->dtype].use != DTYPE_STORED)
    return rt_fail(e, "model %s: tensor %s has %lld element%s of %s; the program was compiled for %lld", model, name, (long long)t->elems, plural(t->elems),
                   dtype_info[t->dtype].file, (long long)q->elems);
  size_t size = (size_t)dtype_size(t->dtype), bytes = (size_t)t->elems * size;
  for (int64_t i = 0; i < t->elems; i++) to[i] = (float)dtype_number(t->dtype, (const char *)t->data + (size_t)i * size);
  st_drop(t->data, bytes);
  return true;
}

static double init_zeros(const ProgParam *p, uint64_t key, uint64_t i) { return (void)p, (void)key, (void)i, 0; }
static double init_ones(const ProgParam *p, uint64_t key, uint64_t i) { return (void)p, (void)key, (void)i, 1; }
static double init_constant(const ProgParam *p, uint64_t key, uint64_t i) { return (void)key, (void)i, p->a; }
static double init_stored(const ProgParam *p, uint64_t key, uint64_t i) { return (void)p, (void)key, (void)i, NAN; }        // take_stored
static double init_normal(const ProgParam *p, uint64_t key, uint64_t i) { return p->a * normal_at(key, i); }
static double init_uniform(const ProgParam *p, uint64_t key, uint64_t i) { return p->a * (2 * rng_unit(key, i) - 1); }
static double init_fan_in(const ProgParam *p, uint64_t key, uint64_t i) {
  return p->a / sqrt((double)(p->fan_in > 0 ? p->fan_in : 1)) * normal_at(key, i);
}
static double (*const init_at[N_InitKind])(const ProgParam *, uint64_t, uint64_t) = {
#define X(id, word, bare, called, params, what) [INIT_##id] = init_##word,
#include "runtime/abi/init.def"
#undef X
};

bool params_init(const Prog *p, Safetensors *const *file, uint64_t seed, float *theta, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  memset(theta, 0, (size_t)p->theta * sizeof *theta);
  for (int k = 0; k < p->nparam; k++) {
    const ProgParam *q = &p->param[k];
    uint64_t key = rng_key(seed, q->name);
    if (q->init == INIT_STORED) {
      if (!take_stored(p, q, file, theta + q->offset, e)) return false;
      continue;
    }
    for (int64_t i = 0; i < q->elems; i++) theta[q->offset + i] = (float)init_at[q->init](q, key, (uint64_t)i);
  }
  return true;
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

// Whose a tensor is, for messages: "connection code.8->base.4", which is its name without the last part, or "model kv", the first part.
static char *owner(const char *tensor) {
  bool connection = strstr(tensor, "->") != NULL;
  const char *dot = connection ? strrchr(tensor, '.') : strchr(tensor, '.');
  return rt_format("%s %.*s", connection ? "connection" : "model", dot ? (int)(dot - tensor) : (int)strlen(tensor), tensor);
}

// Does the file have any tensor of whom that one is?
static bool has_owner(const Safetensors *s, const char *prefix, const char *who) {
  bool found = false;
  for (int i = 0; !found && i < st_count(s); i++) {
    const char *name = st_at(s, i)->name;
    if (strncmp(name, prefix, strlen(prefix)) != 0) continue;
    char *other = owner(name + strlen(prefix));
    found = !strcmp(other, who);
    rt_free(other);
  }
  return found;
}

static bool fits_one(const Safetensors *s, const char *path, const char *prefix, const ProgParam *q, RtError *e) {
  char *name = rt_format("%s%s", prefix, q->name), *who = owner(q->name);
  const StTensor *t = st_find(s, name);
  bool ok = t != NULL;
  if (!ok) {
    bool some = has_owner(s, prefix, who);
    rt_fail(e, some ? "%s: %s: tensor %s is missing" : "%s: %s is new: there is no tensor %s", path, who, name);
  } else if (t->dtype != DT_F32) {
    ok = rt_fail(e, "%s: %s: tensor %s: expected F32, found %s", path, who, name, dtype_info[t->dtype].file);
  } else {
    ok = t->rank == q->shape.n;
    for (int i = 0; ok && i < q->shape.n; i++) ok = t->shape[i] == q->shape.v[i];
    if (!ok) {
      char want[128], have[128];
      shape_text(want, q->shape.n, q->shape.v), shape_text(have, t->rank, t->shape);
      rt_fail(e, "%s: %s: tensor %s: expected shape %s, found %s", path, who, name, want, have);
    }
  }
  rt_free(name), rt_free(who);
  return ok;
}

// A tensor of the file that no parameter is for. Every parameter has its tensor.
static bool no_more(const Prog *p, const ParamsPart *part, int nparts, const Safetensors *s, const char *path, RtError *e) {
  json_t *known = json_object();
  for (int k = 0; k < nparts; k++)
    for (int i = 0; i < p->nparam; i++) {
      char *name = part_name(&part[k], &p->param[i]);
      json_object_set_new(known, name, json_true());
      rt_free(name);
    }
  bool ok = true;
  for (int i = 0; ok && i < st_count(s); i++) {
    const char *name = st_at(s, i)->name, *plain = name;
    if (json_object_get(known, name)) continue;
    for (int k = 0; k < nparts; k++)
      if (*part[k].prefix && !strncmp(name, part[k].prefix, strlen(part[k].prefix))) plain = name + strlen(part[k].prefix);
    char *who = owner(plain);
    bool gone = true;
    for (int k = 0; k < p->nparam; k++) {
      char *mine = owner(p->param[k].name);
      gone &= strcmp(mine, who) != 0;
      rt_free(mine);
    }
    ok = rt_fail(e, gone ? "%s: %s is gone: this program has no place for tensor %s" : "%s: %s has no tensor %s in this program", path, who, name);
    rt_free(who);
  }
  json_decref(known);
  return ok;
}

bool params_fit(const Prog *p, const ParamsPart *part, int nparts, const Safetensors *s, const char *path, RtError *e) {
  for (int k = 0; k < nparts; k++)
    for (int i = 0; i < p->nparam; i++)
      if (!fits_one(s, path, part[k].prefix, &p->param[i], e)) return false;
  return st_count(s) == p->nparam * nparts || no_more(p, part, nparts, s, path, e);
}

void params_take(const Prog *p, const ParamsPart *part, int nparts, const Safetensors *s) {
  for (int k = 0; k < nparts; k++)
    for (int i = 0; i < p->nparam; i++) {
      const ProgParam *q = &p->param[i];
      char *name = part_name(&part[k], q);
      const StTensor *t = st_find(s, name);
      size_t bytes = (size_t)q->elems * sizeof(float);
      if (bytes) memcpy(part[k].flat + q->offset, t->data, bytes);
      st_drop(t->data, bytes);                     // never resident twice
      rt_free(name);
    }
}
