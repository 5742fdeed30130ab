// What a run takes of memory, from the description of the program alone. See engine.h.
#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

// Bytes of the caches for a token of a stream.
static int64_t cache_bytes(const Engine *en, int stream) {
  int64_t n = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind == BUF_CACHE && en->stream_of[en->prog->sym[b->sym].model] == stream) n += engine_buf_bytes(en, b);
  }
  return n;
}

static int64_t smallest_step(const Engine *en, const Load *l) {
  int64_t *one = rt_alloc((size_t)en->nstream, sizeof *one), most = 0;
  for (int k = 0; k < en->nstream; k++) one[k] = 1;
  for (int i = 0; i < l->nstep; i++) {
    int64_t n = engine_step_bytes(en, &(StepLoad){.entry = l->step[i].entry, .tokens = one, .rows = 1});
    if (n > most) most = n;
  }
  rt_free(one);
  return most;
}

Footprint engine_footprint(const Engine *en, const Load *l) {
  const Prog *g = en->prog;
  Footprint f = {.params = g->theta * (int64_t)sizeof(float) * (params_vectors(l->training) + l->keeps_best), .outputs = l->outputs};
  int64_t source = 0;          // the largest matrix, which is mapped while it is packed
  for (int i = 0; i < g->nbuf; i++) {
    const ProgBuf *b = &g->buf[i];
    if (b->kind == BUF_WEIGHT) f.mapped += engine_buf_bytes(en, b), f.tables += b->stored.tables ? engine_buf_bytes(en, b) : 0;
    if (b->kind == BUF_PACKED || b->kind == BUF_LIVE || b->kind == BUF_CONST) f.packed += engine_buf_bytes(en, b);
    if (b->kind == BUF_PACKED && g->buf[b->packed.source].kind == BUF_WEIGHT && engine_buf_bytes(en, &g->buf[b->packed.source]) > source)
      source = engine_buf_bytes(en, &g->buf[b->packed.source]);
  }
  if (l->tables >= 0 && l->tables < f.tables) f.tables = l->tables;
  for (int i = 0; i < l->nstep; i++) {             // entries share one arena
    int64_t n = engine_step_bytes(en, &l->step[i]);
    if (n > f.activations) f.activations = n;
  }
  for (int k = 0; l->cached && k < en->nstream; k++) f.caches = size_sum(f.caches, size_product(l->cached[k], cache_bytes(en, k)));
  int64_t tools = pool_threads(en->pool) * en->rt->scratch_bytes;
  int64_t running = size_sum(size_sum(f.params + f.tables + tools, f.activations), size_sum(f.caches, f.outputs));
  f.certain = f.packed + f.params + tools + smallest_step(en, l);
  f.peak = size_sum(f.packed, running > source ? running : source);
  return f;
}
