// A program opened, loaded and closed. See engine.h.
#include "runtime/engine/engine.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

void engine_streams(Engine *en, const EngineStreams *streams) {
  int models = en->prog->nmodel, n = en->nstream = streams->n;
  rt_free(en->stream_of), rt_free(en->stream_context), rt_free(en->caches.slot_rows);
  en->stream_of = rt_alloc((size_t)models, sizeof *en->stream_of);
  en->stream_context = rt_alloc((size_t)n, sizeof *en->stream_context);
  en->caches.slot_rows = rt_alloc((size_t)n, sizeof *en->caches.slot_rows);
  for (int i = 0; i < models; i++) en->stream_of[i] = streams->of[i];
  for (int k = 0; k < n; k++) en->stream_context[k] = streams->context[k];
}

// The tables of a path stand in rows of the same name.
static void use_path(Engine *en, int isa) {
  const RtIsa *rows = en->rt->isas;
  en->isa = &rows[isa];
  for (int p = 0; p < N_PRECISION; p++) en->kernel[p] = NULL;
  for (int64_t i = 0; i < en->rt->isa_count; i++)
    if (!strcmp(rows[i].name, rows[isa].name)) en->kernel[rows[i].precision] = rows[i].kernel;
}

static void bind_gains(Engine *en) {
  en->gain = rt_alloc((size_t)en->prog->nconnection, sizeof(float *));
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_INPUT || b->given.what != INPUT_GAIN || en->gain[b->given.layer]) continue;
    en->buf[i] = en->gain[b->given.layer] = &en->scalars[SCALAR_ROOM * i];
    *en->gain[b->given.layer] = 1;
  }
}

Engine *engine_open(const RtProgram *rt, const Prog *p, const EngineStreams *streams, int isa, int threads) {
  Engine *en = rt_alloc(1, sizeof *en);
  *en = (Engine){.rt = rt, .prog = p};
  en->precision = rt_alloc(1 + (size_t)p->nmodel, sizeof *en->precision);
  use_path(en, isa);
  for (int i = 0; i <= p->nmodel; i++) en->precision[i] = en->isa->precision;
  engine_streams(en, streams);
  en->pool = pool_new(threads, (size_t)rt->scratch_bytes);
  en->buf = rt_alloc((size_t)p->nbuf, sizeof *en->buf);
  en->sym = rt_alloc((size_t)p->nsym, sizeof *en->sym);
  en->scalars = rt_alloc((size_t)p->nbuf, SCALAR_ROOM * sizeof *en->scalars);
  arena_open(en);
  bind_gains(en);
  for (int k = 0; k < N_EntryKind; k++) en->entry[k] = prog_entry(p, (EntryKind)k);
  return en;
}

void engine_use(Engine *en, int isa, const Precision *of) {
  use_path(en, isa);
  for (int i = 0; i < en->prog->nmodel; i++) en->precision[1 + i] = of[i];
  en->precision[0] = of[en->prog->anchor];
}

void engine_close(Engine *en) {
  if (!en) return;
  pool_free(en->pool);
  weights_close(en);
  arena_close(en);
  region_free(&en->params.room);
  rt_free(en->buf), rt_free(en->sym), rt_free(en->precision), rt_free(en->scalars), rt_free(en->gain), rt_free(en->stream_of), rt_free(en->stream_context);
  rt_free(en);
}

// Parameters and gradients are slices of the flat vectors; the optimizer's inputs are the vectors themselves.
static void bind_flat(Engine *en) {
  float *const whole[N_InputKind] = {[INPUT_THETA] = en->params.theta, [INPUT_GRAD] = en->params.grad, [INPUT_M] = en->params.m,
                                     [INPUT_V] = en->params.v};
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind == BUF_PARAM) en->buf[i] = en->params.theta + b->slice.offset;
    if (b->kind == BUF_GRAD && en->params.grad) en->buf[i] = en->params.grad + b->slice.offset;
    if (b->kind == BUF_INPUT && whole[b->given.what]) en->buf[i] = whole[b->given.what];
  }
}

void engine_use_pack(Engine *en, const PackFile *p, bool params) { en->pack = p, en->packed_params = p && params; }

// The pack's parameters where they lie; for who writes beside them, a copy.
static bool take_packed(Engine *en, bool training, RtError *e) {
  const float *theta = packed_theta(en, e);
  if (theta && training) memcpy(en->params.theta, theta, (size_t)en->prog->theta * sizeof *theta);
  else if (theta) en->params.theta = (float *)(uintptr_t)theta;
  return theta;
}

bool engine_load(Engine *en, const char *const *dir, bool training, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  int64_t n = en->prog->theta;
  bool mapped = en->packed_params && !training;
  size_t flat = mapped ? 0 : (size_t)n * sizeof(float) * (size_t)params_vectors(training);
  if (!region_new(&en->params.room, flat, "the parameters", RT_ABOUT_NOTHING, e)) return false;
  en->params.theta = en->params.room.data;
  if (training) en->params.grad = en->params.theta + n, en->params.m = en->params.theta + 2 * n, en->params.v = en->params.theta + 3 * n;
  if (en->packed_params && !take_packed(en, training, e)) return false;
  bind_flat(en);
  if (!weights_map(en, dir, e) || !engine_place(en, e)) return false;
  weights_pack(en);
  tables_open(en);
  return true;
}

void engine_prepare(Engine *en) {
  if (!engine_params_mapped(en)) engine_run(en, en->entry[ENTRY_PREPARE], NULL);
}
