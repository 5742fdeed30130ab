// Running an entry over a step: inputs and masks bound, extents set, activations laid out for them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

// What a step gives of an input; NULL: it does not say.
static void *step_input(const Engine *en, const Step *s, const ProgGiven *in) {
  const StepStream *t = &s->stream[en->stream_of[in->model < 0 ? en->prog->anchor : in->model]];
  switch (in->what) {
    case INPUT_IDS: return t->ids;
    case INPUT_POS: return t->pos;
    case INPUT_SLOTS: return t->slots;
    case INPUT_ROWS: return s->rows;
    case INPUT_LABELS: return s->labels;
    case INPUT_GSCALE: return s->gscale;
    default: return NULL;
  }
}

MaskKey engine_mask(const Engine *en, const ProgMask *m) {
  const ProgSym *q = &en->prog->sym[m->query], *k = &en->prog->sym[m->key];
  return (MaskKey){.q = en->stream_of[q->model], .k = en->stream_of[k->model], .rows = q->kind == SYM_ROWS, .cache = k->kind == SYM_CACHE, .window = m->window,
                   .ahead = pool_threads(en->pool)};
}

static void bind_step(Engine *en, int entry, Step *s) {
  const Prog *p = en->prog;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind == BUF_MASK) {
      MaskKey key = engine_mask(en, &b->mask);
      if (key.cache != (entry == en->entry[ENTRY_STEP])) continue;       // only stepping looks at cached keys
      en->buf[i] = (void *)(uintptr_t)step_mask(s, key);
    } else if (b->kind == BUF_INPUT) {
      void *at = step_input(en, s, &b->given);
      if (at) en->buf[i] = at;
    }
  }
}

// Extents of a symbol in a step.
int64_t engine_extent(const Engine *en, const ProgSym *sym, const Step *s) {
  int stream = sym->model < 0 ? 0 : en->stream_of[sym->model];
  switch (sym->kind) {
    case SYM_TOKENS: return s ? s->stream[stream].ntok : 0;
    case SYM_ROWS: return s ? s->nrow : 0;
    case SYM_CACHE: return en->caches.slots * en->caches.slot_rows[stream];
    default: return en->prog->theta / RT_FLAT_WIDTH;
  }
}

static void check_room(const Engine *en, int entry, const Step *s) {
  bool fits = s->nrow <= en->arena.rows[entry];
  for (int k = 0; k < s->nstream; k++) fits = fits && s->stream[k].ntok <= en->arena.tokens[entry];
  if (fits) return;
  fprintf(stderr, "calm: bug: entry %s: a step of %lld rows has no room (%lld tokens, %lld rows)\n", entry_name(en->prog->entry[entry].kind),
          (long long)s->nrow, (long long)en->arena.tokens[entry], (long long)en->arena.rows[entry]);
  abort();
}

static void run(Engine *en, int entry, Step *s) {
  const Prog *p = en->prog;
  if (s) {
    check_room(en, entry, s);
    bind_step(en, entry, s);
  }
  for (int i = 0; i < p->nsym; i++) en->sym[i] = engine_extent(en, &p->sym[i], s);
  arena_arrange(en, entry);
  RtCtx ctx = {.buf = en->buf, .sym = en->sym, .kernel = en->kernel, .precision = en->precision, .nkernel = p->nkernel, .pool = en->pool, .threads = pool_threads(en->pool)};
  en->rt->entries[entry](&ctx);
}

void engine_run(Engine *en, int entry, Step *s) {
  if (entry < 0) return;
  if (s) tables_fetch(en, s);
  bool packs = entry == en->entry[ENTRY_INIT];
  RT_IN_PHASE(packs ? RT_PHASE_PACK : RT_PHASE_KERNELS);
  if (en->meter) en->meter->part = packs ? METER_PACK : METER_STEPS;
  double from = en->meter ? rt_now() : 0;
  run(en, entry, s);
  if (en->meter) meter_step(en->meter, entry, s ? s->nrow : 0, s ? s->stream[0].ntok : 0, from, rt_now());
}

void engine_zero_grads(Engine *en) {
  RT_IN_PHASE(RT_PHASE_KERNELS);
  double from = en->meter ? rt_now() : 0;
  memset(en->params.grad, 0, (size_t)en->prog->theta * sizeof *en->params.grad);
  if (en->meter) en->meter->step_seconds += rt_now() - from;
}

// What rt_parallel counts by: the kernels of every precision.
Meter *engine_measure(Engine *en, bool spans) {
  const Prog *p = en->prog;
  Meter *m = meter_new((int64_t)N_PRECISION * p->nkernel, pool_threads(en->pool), spans);
  for (int i = 0; i < m->nkernel; i++) {
    const ProgKernel *k = &p->kernel[i % p->nkernel];
    m->call[i] = (MeterCall){k->mask > 0 ? k->mask : 0, k->source > 0 ? k->source : 0};
  }
  pool_measure(en->pool, en->meter = m);
  return m;
}

void engine_bind(Engine *en, int model, int layer, void *state) {
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind == BUF_INPUT && b->given.what == INPUT_HIDDEN && b->given.model == model && b->given.layer == layer) en->buf[i] = state;
  }
}

float *engine_state(Engine *en, int entry, OutputKind what, int model, int layer) {
  const ProgOutput *o = prog_output(en->prog, entry, what, model, layer);
  return o ? en->buf[o->buf] : NULL;
}

float *engine_output(Engine *en, int entry, OutputKind what) { return engine_state(en, entry, what, -1, -1); }

void engine_gain(Engine *en, int connection, float value) {
  if (en->gain[connection]) *en->gain[connection] = value;
}

float engine_gain_of(const Engine *en, int connection) { return en->gain[connection] ? *en->gain[connection] : 1; }

void engine_scalar(Engine *en, InputKind what, float value) {
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_INPUT || b->given.what != what) continue;
    en->buf[i] = &en->scalars[SCALAR_ROOM * i];
    *(float *)en->buf[i] = value;
  }
}
