// What running a program takes, before anything is loaded. See engine.h.
#include "runtime/engine/parts.h"

// A weight that is used as it stands in the file. Of a table (more than a page a row is not worth telling apart) a step reads a page a token.
static int64_t resident(const Prog *g, int weight, int64_t tokens) {
  enum { PAGE = 4096 };
  for (int i = 0; i < g->nbuf; i++)
    if (g->buf[i].kind == PB_PACKED && g->buf[i].source == weight) return 0;
  int64_t whole = prog_buf_bytes(&g->buf[weight]), touched = tokens * PAGE;
  return whole < touched ? whole : touched;
}

Footprint engine_footprint(Engine *en, int entry, int64_t tokens, bool training, bool keeps_best) {
  const Prog *g = en->prog;
  Footprint f = {.params = g->theta * (int64_t)sizeof(float) * ((training ? 4 : 1) + keeps_best)};    // gradients, two moments
  int64_t kept = 0, largest = 0;
  for (int i = 0; i < g->nbuf; i++) {
    const ProgBuf *b = &g->buf[i];
    if (b->kind == PB_WEIGHT) f.mapped += prog_buf_bytes(b), kept += resident(g, i, tokens);
    if (b->kind == PB_PACKED || b->kind == PB_LIVE || b->kind == PB_CONST) f.packed += prog_buf_bytes(b);
    if (b->kind == PB_CACHE) f.cache_row += prog_buf_bytes(b);
    if (b->kind == PB_PACKED && b->source >= 0 && g->buf[b->source].kind == PB_WEIGHT && prog_buf_bytes(&g->buf[b->source]) > largest)
      largest = prog_buf_bytes(&g->buf[b->source]);
  }
  f.activations = entry < 0 ? 0 : engine_step_bytes(en, entry, tokens);
  int64_t running = f.params + kept + f.activations + pool_threads(en->pool) * en->rt->scratch_bytes;
  f.peak = f.packed + (running > largest ? running : largest);
  return f;
}
