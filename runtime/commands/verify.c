// verify: what the anchor computes against a dump that another program made of the same model. Keys of the dump: input_ids [n] or [B, n];
// any of hidden.0 … hidden.L (residual stream after block k, before the final norm; 0 the embedding output), logits, grad.hidden.0
// (gradient of the mean next-token loss over all B sequences by hidden.0). Tells the error of each, and the first block that diverges.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/rows/rows.h"

enum { LOGITS_AT_A_TIME = 1 << 24 };

// One tensor of the dump, and how far it is from what was computed so far.
typedef struct Ref {
  const StTensor *t;           // NULL: the dump has none
  double top, diff;            // largest magnitude of the reference, largest difference
} Ref;
typedef struct Verify {
  App app;
  Engine *en;                  // the app's
  const Models *models;        // likewise
  const ProgModel *m;          // the anchor
  Safetensors *st;
  Step *step;
  int64_t B, n;
  int32_t *ids;
  Follow **follow;             // per sequence; NULL where the program has one stream
  Ref *hidden, logits, grad;   // hidden[0 … blocks]
  double tol;
} Verify;

static bool read_ids(Verify *v, RtError *e) {
  const StTensor *t = st_find(v->st, "input_ids");
  if (!t) return rt_fail(e, "the reference has no tensor input_ids");
  if ((t->dtype != DT_I64 && t->dtype != DT_I32) || t->rank < 1 || t->rank > 2)
    return rt_fail(e, "input_ids: expected whole numbers [n] or [B, n], found %s of rank %d", dtype_info[t->dtype].file, t->rank);
  v->n = t->shape[t->rank - 1];
  v->B = t->rank == 2 ? t->shape[0] : 1;
  if (v->B < 1 || v->n < 1 || v->n > v->models->context)
    return rt_fail(e, "input_ids: sequences of %lld token%s; the context holds 1 to %lld", (long long)v->n, plural(v->n), (long long)v->models->context);
  v->ids = rt_alloc((size_t)t->elems, sizeof *v->ids);
  for (int64_t i = 0; i < t->elems; i++) {
    int64_t id = 0;
    int32_t narrow;
    if (t->dtype == DT_I64) {
      memcpy(&id, (const char *)t->data + i * 8, 8);
    } else {
      memcpy(&narrow, (const char *)t->data + i * 4, 4);
      id = narrow;
    }
    if (id < 0 || id >= v->models->vocab)
      return rt_fail(e, "input_ids: id %lld at place %lld; the model knows 0 to %lld", (long long)id, (long long)i, (long long)v->models->vocab - 1);
    v->ids[i] = (int32_t)id;
  }
  return true;
}

// Finds a tensor [B, n, width] (or without B) of the dump.
static bool find_ref(Verify *v, Ref *r, const char *name, int64_t width, RtError *e) {
  const StTensor *t = r->t = st_find(v->st, name);
  if (!t) return true;
  if (t->dtype == DT_NONE || dtype_info[t->dtype].use != DTYPE_STORED) {
    char stored[128];
    dtype_stored_names(stored, sizeof stored);
    return rt_fail(e, "%s: expected numbers (%s are read), found %s", name, stored, t->dtype == DT_NONE ? "another type" : dtype_info[t->dtype].file);
  }
  int k = t->rank;
  bool fits = k >= 2 && t->shape[k - 1] == width && t->shape[k - 2] == v->n && t->elems == v->B * v->n * width;
  return fits || rt_fail(e, "%s: expected [%lld, %lld, %lld] as the model and input_ids say, found %lld element%s of rank %d", name,
                         (long long)v->B, (long long)v->n, (long long)width, (long long)t->elems, plural(t->elems), k);
}

static bool find_refs(Verify *v, RtError *e) {
  char name[64];
  int known = 1;                                    // input_ids
  v->hidden = rt_alloc((size_t)v->m->blocks + 1, sizeof *v->hidden);
  for (int64_t k = 0; k <= v->m->blocks; k++) {
    snprintf(name, sizeof name, "hidden.%lld", (long long)k);
    if (!find_ref(v, &v->hidden[k], name, v->m->width, e)) return false;
    known += v->hidden[k].t != NULL;
  }
  if (!find_ref(v, &v->logits, "logits", v->m->vocab, e)) return false;
  if (!find_ref(v, &v->grad, "grad.hidden.0", v->m->width, e)) return false;
  known += (v->logits.t != NULL) + (v->grad.t != NULL);
  if (known == 1) return rt_fail(e, "the reference holds none of hidden.0 … hidden.%lld, logits, grad.hidden.0", (long long)v->m->blocks);
  for (int i = 0; i < st_count(v->st) && known < st_count(v->st); i++) {
    const char *key = st_at(v->st, i)->name;
    char *end = NULL;
    long long k = strncmp(key, "hidden.", 7) ? -1 : strtoll(key + 7, &end, 10);
    if (k > v->m->blocks && end && !*end)
      return rt_fail(e, "%s: the model has %lld block%s, so hidden.%lld is the last", key, (long long)v->m->blocks,
                     plural(v->m->blocks), (long long)v->m->blocks);
  }
  if (v->grad.t && v->n < 2) return rt_fail(e, "grad.hidden.0: sequences of one token have no loss");
  if (v->grad.t && v->en->entry[ENTRY_PROBE] < 0) {
    if (known == 2) return rt_fail(e, "grad.hidden.0: programs with parameters give no gradient by a state, and the reference holds nothing else");
    fputs("grad.hidden.0 is left out: programs with parameters give no gradient by a state (calmc verify DIRECTORY does)\n", stderr);
    v->grad.t = NULL;
  }
  return true;
}

// What other streams read of the sequences; *most: tokens of the longest in any stream.
static bool follow_all(Verify *v, int64_t *most, RtError *e) {
  v->follow = rt_alloc((size_t)v->B, sizeof(Follow *));
  *most = v->n;
  for (int64_t b = 0; b < v->B && v->en->nstream > 1; b++) {
    Follow *f = v->follow[b] = follow_new(&v->models->streams, false);
    if (!follow_ids(f, v->models->tok, v->ids + b * v->n, v->n, v->n, e)) return false;
    if (follow_fits(f) < v->n) return rt_fail(e, "input_ids: sequence %lld does not fit the context of an augment", (long long)b);
    for (int k = 1; k < v->en->nstream; k++)
      if (f->s[k].seen[v->n - 1] > *most) *most = f->s[k].seen[v->n - 1];
  }
  return true;
}

// Sequence b as the step's only one.
static void take(Verify *v, int64_t b) {
  step_reset(v->step);
  step_add(v->step, v->ids + b * v->n, v->n, 0, 0);
  follow_step(v->follow[b], v->step);
}

// The next `count` numbers of the dump's tensor, from element `at`.
static void compare(Ref *r, int64_t at, const float *got, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    double want = dtype_number(r->t->dtype, (const char *)r->t->data + (at + i) * dtype_size(r->t->dtype)), d = fabs((double)got[i] - want);
    if (fabs(want) > r->top) r->top = fabs(want);
    if (!(d <= r->diff)) r->diff = isnan(d) ? INFINITY : d;
  }
}

static int model_of(const Verify *v) { return (int)(v->m - v->en->prog->model); }
static const float *output(const Verify *v, int entry, OutputKind what, int64_t k) { return engine_state(v->en, entry, what, model_of(v), (int)k); }

static int64_t rows_at_a_time(const Verify *v) {
  int64_t n = LOGITS_AT_A_TIME / v->m->vocab;
  return n < 1 ? 1 : n < v->n ? n : v->n;
}

// States and logits of sequence b; the logits a few rows at a time, so that [n, V] never stands in memory. state: hidden.0, kept.
static void forward(Verify *v, int64_t b, float *state) {
  Engine *en = v->en;
  int64_t D = v->m->width, V = v->m->vocab, chunk = rows_at_a_time(v);
  for (int64_t r0 = 0; r0 < v->n && (r0 == 0 || v->logits.t); r0 += chunk) {
    take(v, b);
    for (int64_t r = r0; r < v->n && r < r0 + chunk && v->logits.t; r++) step_want(v->step, r, 0, 0);
    engine_run(en, en->entry[ENTRY_SCORE], v->step);
    if (v->logits.t) compare(&v->logits, (b * v->n + r0) * V, engine_output(en, en->entry[ENTRY_SCORE], OUTPUT_LOGITS), v->step->nrow * V);
    if (r0) continue;
    memcpy(state, output(v, en->entry[ENTRY_SCORE], OUTPUT_HIDDEN, 0), (size_t)(v->n * D) * sizeof *state);
    for (int64_t k = 0; k <= v->m->blocks; k++)
      if (v->hidden[k].t) compare(&v->hidden[k], b * v->n * D, output(v, en->entry[ENTRY_SCORE], OUTPUT_HIDDEN, k), v->n * D);
  }
}

static void backward(Verify *v, int64_t b, float *state) {
  float scale = (float)(1.0 / (double)(v->B * (v->n - 1)));
  take(v, b);
  for (int64_t t = 0; t + 1 < v->n; t++) step_want(v->step, t, v->ids[b * v->n + t + 1], scale);
  engine_bind(v->en, model_of(v), 0, state);
  engine_run(v->en, v->en->entry[ENTRY_PROBE], v->step);
  compare(&v->grad, b * v->n * v->m->width, output(v, v->en->entry[ENTRY_PROBE], OUTPUT_STATE_GRAD, 0), v->n * v->m->width);
}

// Loads the weights, where memory allows.
static bool load(Verify *v, const Options *o, RtError *e) {
  Shape s = shape_of_tokens(v->models, v->n);
  Load l = {.tables = -1, .nstep = 2, .step = {{v->en->entry[ENTRY_SCORE], s.tokens, rows_at_a_time(v)}, {v->grad.t ? v->en->entry[ENTRY_PROBE] : -1, s.tokens, v->n}}};
  bool ok = app_load(&v->app, o, &l, e);
  shape_free(&s);
  return ok;
}

static bool run(Verify *v, RtError *e) {
  Engine *en = v->en;
  int64_t most;
  if (!follow_all(v, &most, e)) return false;
  engine_cap(en, en->entry[ENTRY_SCORE], most, rows_at_a_time(v));
  if (v->grad.t) engine_cap(en, en->entry[ENTRY_PROBE], most, v->n);
  if (!engine_place(en, e)) return false;
  float *state = rt_alloc((size_t)((v->n + RT_ROW_ROUND) * v->m->width), sizeof *state);
  for (int64_t b = 0; b < v->B; b++) {
    forward(v, b, state);
    if (v->grad.t) backward(v, b, state);
  }
  rt_free(state);
  return true;
}

// ---- the verdict

static double error_of(const Ref *r) { return r->top > 0 ? r->diff / r->top : r->diff; }

static bool told(const Verify *v, const Ref *r, const char *name) {
  if (!r->t) return true;
  bool ok = error_of(r) <= v->tol;
  printf("%-16s %9.2e of %.4g%s\n", name, error_of(r), r->top, ok ? "" : "   <- above the tolerance");
  return ok;
}

// Prints every error and what they mean; true when all are within the tolerance.
static bool verdict(const Verify *v) {
  char name[64];
  int64_t bad = -1, good = -1;
  for (int64_t k = 0; k <= v->m->blocks; k++) {
    snprintf(name, sizeof name, "hidden.%lld", (long long)k);
    bool ok = told(v, &v->hidden[k], name);
    if (!ok && bad < 0) bad = k;
    if (v->hidden[k].t && ok && bad < 0) good = k;
  }
  bool logits = told(v, &v->logits, "logits"), grad = told(v, &v->grad, "grad.hidden.0");
  if (bad == 0) puts("the embedding diverges");
  else if (bad > 0 && good == bad - 1) printf("block %lld diverges: hidden.%lld agrees, hidden.%lld does not (blocks count from 1)\n",
                                              (long long)bad, (long long)good, (long long)bad);
  else if (bad > 0) printf("one of blocks %lld to %lld diverges (blocks count from 1)\n", (long long)good + 1, (long long)bad);
  else if (!logits && good < v->m->blocks) printf("the head diverges, or a block after %lld\n", (long long)(good < 0 ? 0 : good));
  else if (!logits) puts("the head diverges: every block agrees");
  else if (!grad) puts("the gradient diverges: the forward pass agrees");
  else puts("everything agrees");
  return bad < 0 && logits && grad;
}

static bool verify(Verify *v, const Options *o, bool *same, RtError *e) {
  v->m = &v->en->prog->model[v->en->prog->anchor];
  v->tol = o->tol;
  v->st = st_open_file(o->ref, false, e);
  if (!v->st || !read_ids(v, e) || !find_refs(v, e) || !load(v, o, e) || !run(v, e)) return false;
  *same = verdict(v);
  return true;
}

int cmd_verify(const Options *o) {
  RtError e;
  if (!o->ref) return usage_error("give --ref FILE.safetensors");
  Verify v = {0};
  bool same = false, ok = app_open(&v.app, o, &e);
  if (ok) {
    v.en = v.app.en, v.models = v.app.models;
    v.step = step_new(v.en->nstream);
    ok = verify(&v, o, &same, &e);
  }
  step_free(v.step);
  for (int64_t b = 0; v.follow && b < v.B; b++) follow_free(v.follow[b]);
  rt_free(v.follow);
  st_close(v.st);
  rt_free(v.ids), rt_free(v.hidden);
  app_close(&v.app);
  return !ok ? cmd_fail(o, &e) : !same;
}
