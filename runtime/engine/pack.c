// Packing of the frozen weights when a program starts: entry `init`, whose calls each run on all threads. After every matrix the pages of
// the file that it came from are given back, so that a model never stands in memory twice; how far it is is told as progress.
#include "runtime/core/call.h"
#include "runtime/engine/engine.h"

typedef struct Packing {
  Engine *en;
  int64_t done, total;         // bytes of packed matrices
} Packing;

static int64_t bytes_of(const ProgBuf *b) { return b->elems * b->dtype_size; }

// After a call. Other calls than packing write nothing that is packed.
static void packed_one(void *user, const int64_t *args) {
  Packing *p = user;
  const Prog *g = p->en->prog;
  for (int i = 0; i < g->nbuf; i++) {
    const ProgBuf *b = &g->buf[i];
    if (b->kind != PB_PACKED || (int64_t)(intptr_t)p->en->buf[i] != args[RT_PACK_TO]) continue;
    if (b->source >= 0 && g->buf[b->source].kind == PB_WEIGHT) st_drop(p->en->buf[b->source], (size_t)bytes_of(&g->buf[b->source]));
    p->done += bytes_of(b);
    break;
  }
  if (p->done < p->total) rt_progress("packing the weights", p->done, p->total);
}

void engine_pack(Engine *en) {
  Packing p = {.en = en};
  for (int i = 0; i < en->prog->nbuf; i++)
    if (en->prog->buf[i].kind == PB_PACKED) p.total += bytes_of(&en->prog->buf[i]);
  pool_watch(en->pool, packed_one, &p);
  engine_run(en, en->e_init, NULL);
  pool_watch(en->pool, NULL, NULL);
  rt_progress("packing the weights", p.total, p.total);
}

// ---- what it all takes

// A weight that is used as it stands in the file. Of a table (more than a page a row is not worth telling apart) a step reads a page a token.
static int64_t resident(const Prog *g, int weight, int64_t tokens) {
  enum { PAGE = 4096 };
  for (int i = 0; i < g->nbuf; i++)
    if (g->buf[i].kind == PB_PACKED && g->buf[i].source == weight) return 0;
  int64_t whole = bytes_of(&g->buf[weight]), touched = tokens * PAGE;
  return whole < touched ? whole : touched;
}

Footprint engine_footprint(Engine *en, int entry, int64_t tokens, bool training) {
  const Prog *g = en->prog;
  Footprint f = {.params = g->theta * (int64_t)sizeof(float) * (training ? 5 : 1)};    // gradients, two moments, the best so far
  int64_t kept = 0, largest = 0;
  for (int i = 0; i < g->nbuf; i++) {
    const ProgBuf *b = &g->buf[i];
    if (b->kind == PB_WEIGHT) f.mapped += bytes_of(b), kept += resident(g, i, tokens);
    if (b->kind == PB_PACKED || b->kind == PB_LIVE || b->kind == PB_CONST) f.packed += bytes_of(b);
    if (b->kind == PB_CACHE) f.cache_row += bytes_of(b);
    if (b->kind == PB_PACKED && b->source >= 0 && g->buf[b->source].kind == PB_WEIGHT && bytes_of(&g->buf[b->source]) > largest)
      largest = bytes_of(&g->buf[b->source]);
  }
  f.activations = entry < 0 ? 0 : engine_step_bytes(en, entry, tokens);
  int64_t running = f.params + kept + f.activations + pool_threads(en->pool) * en->rt->scratch_bytes;
  f.peak = f.packed + (running > largest ? running : largest);
  return f;
}
