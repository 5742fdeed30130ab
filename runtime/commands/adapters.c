// Adapters as PEFT writes them (its tuners.lora and utils.save_and_load): names of products as transformers has them, lora_A and lora_B for down and up,
// rank and alpha by product where they are not all alike.
#include "runtime/commands/adapters.h"

#include <math.h>
#include <string.h>

#include "runtime/core/core.h"

// ---- which there are

int adapters_of(const Prog *p, int model) {
  int n = 0;
  for (int i = 0; i < p->nadapter; i++) n += p->adapter[i].model == model;
  return n;
}

bool adapters_own(const Prog *p, int model, int param) {
  for (int i = 0; i < p->nadapter; i++)
    if (p->adapter[i].model == model && (p->adapter[i].down == param || p->adapter[i].up == param)) return true;
  return false;
}

bool adapters_low_rank(const Prog *p, int model, RtError *e) {
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *a = &p->adapter[i];
    if (a->model == model && a->up < 0)
      return rt_fail(e, "op %s at %s.%s is no number times linear(linear(x, down), up), the only form that can be exported or merged", a->op, p->model[model].name, a->module);
  }
  return true;
}

// ---- adapter_config.json

static int64_t rank_of(const Prog *p, const ProgAdapter *a) { return p->param[a->down].shape.v[0]; }

// PEFT divides alpha by the rank; ours is the quotient.
static json_t *alpha_of(const Prog *p, const ProgAdapter *a) {
  double alpha = a->scale * (double)rank_of(p, a), whole = nearbyint(alpha);
  return fabs(alpha - whole) < 1e-9 * fabs(alpha) ? json_integer((json_int_t)whole) : json_real(alpha);
}

static const char *last_word(const char *module) {
  const char *dot = strrchr(module, '.');
  return dot ? dot + 1 : module;
}

// May all products that end in the last word of a be called by it? They are if it means no others, and these are adapted alike.
static bool stands_for_all(const Prog *p, const ProgAdapter *a, const Safetensors *st) {
  const char *word = last_word(a->module);
  char end[256];
  int here = 0, there = 0;
  int n = snprintf(end, sizeof end, ".%s.weight", word);
  if (n >= (int)sizeof end) return false;
  for (int i = 0; i < st_count(st); i++) {
    const char *name = st_at(st, i)->name;
    size_t len = strlen(name);
    there += len > (size_t)n && !strcmp(name + len - (size_t)n, end);
  }
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *b = &p->adapter[i];
    if (b->model != a->model || strcmp(last_word(b->module), word)) continue;
    if (rank_of(p, b) != rank_of(p, a) || b->scale != a->scale) return false;
    here++;
  }
  return here == there;
}

json_t *adapters_config(const Prog *p, int model, const char *dir, const Safetensors *st) {
  json_t *targets = json_array(), *seen = json_object(), *ranks = json_object(), *alphas = json_object();
  const ProgAdapter *first = NULL;
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *a = &p->adapter[i];
    if (a->model != model) continue;
    if (!first) first = a;
    const char *key = stands_for_all(p, a, st) ? last_word(a->module) : a->module;
    if (json_object_get(seen, key)) continue;
    json_object_set_new(seen, key, json_true());
    json_array_append_new(targets, json_string(key));
    json_t *alpha = alpha_of(p, a), *other = alpha_of(p, first);
    if (rank_of(p, a) != rank_of(p, first)) json_object_set_new(ranks, key, json_integer((json_int_t)rank_of(p, a)));
    if (!json_equal(alpha, other)) json_object_set(alphas, key, alpha);
    json_decref(alpha), json_decref(other);
  }
  json_decref(seen);
  bool turned = false;
  for (int i = 0; i < p->nadapter; i++) turned |= p->adapter[i].model == model && p->adapter[i].turned;
  return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:f, s:s, s:b, s:b, s:b, s:b, s:n}", "peft_type", "LORA", "task_type", "CAUSAL_LM",
                   "base_model_name_or_path", dir, "r", (json_int_t)rank_of(p, first), "lora_alpha", alpha_of(p, first), "target_modules", targets,
                   "rank_pattern", ranks, "alpha_pattern", alphas, "lora_dropout", 0.0, "bias", "none", "fan_in_fan_out", turned, "inference_mode", 1,
                   "init_lora_weights", 1, "use_rslora", 0, "modules_to_save");
}

// ---- numbers

void adapters_add(const Engine *en, int model, Dtype dtype, StWriter *w) {
  const Prog *p = en->prog;
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *a = &p->adapter[i];
    if (a->model != model) continue;
    for (int k = 0; k < 2; k++) {
      const ProgParam *q = &p->param[k ? a->up : a->down];
      char *name = rt_format("base_model.model.%s.lora_%c.weight", a->module, k ? 'B' : 'A');
      st_writer_add_as(w, name, dtype == DT_NONE ? DT_F32 : dtype, q->shape.n, q->shape.v, DT_F32, en->params.theta + q->offset);
      rt_free(name);
    }
  }
}

struct Merge {
  const void *base;            // [out, in], or turned [in, out]
  Dtype from;
  const float *down, *up;      // [rank, in], [out, rank]
  int64_t rank, in, out;
  double scale;
  bool turned;
};

Merge *adapters_merge(const Engine *en, int model, const StTensor *t, Dtype from, const void *base) {
  const Prog *p = en->prog;
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *a = &p->adapter[i];
    if (a->model != model || strcmp(a->tensor, t->name)) continue;
    const ProgParam *down = &p->param[a->down], *up = &p->param[a->up];
    Merge *m = rt_alloc(1, sizeof *m);
    *m = (Merge){base, from, en->params.theta + down->offset, en->params.theta + up->offset, down->shape.v[0], down->shape.v[1], up->shape.v[0], a->scale, a->turned};
    return m;
  }
  return NULL;
}

void adapters_fill(const void *merge, int64_t at, int n, float *to) {
  const Merge *m = merge;
  size_t size = (size_t)dtype_size(m->from);
  for (int64_t k = at; k < at + n; k++) {
    int64_t o = m->turned ? k % m->out : k / m->in, i = m->turned ? k / m->out : k % m->in;
    double sum = 0;
    for (int64_t r = 0; r < m->rank; r++) sum += (double)m->up[o * m->rank + r] * (double)m->down[r * m->in + i];
    to[k - at] = (float)(dtype_number(m->from, (const char *)m->base + (size_t)k * size) + m->scale * sum);
  }
}
