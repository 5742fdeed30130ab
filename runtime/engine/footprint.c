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

// The most of files and panels that is resident while matrices are packed, the largest first (plan/finish): of those that are stored by columns the
// file's pages stay until they are whole.
static int64_t while_packing(const Engine *en) {
  const Prog *g = en->prog;
  int64_t most = 0, done = 0, before = INT64_MAX;
  for (int64_t size; before; before = size) {      // all of one size at a time
    size = 0;
    for (int i = 0; i < g->nbuf; i++)
      if (g->buf[i].kind == BUF_PACKED && engine_packs(en, &g->buf[i]) && g->buf[i].elems < before && g->buf[i].elems > size) size = g->buf[i].elems;
    for (int i = 0; size && i < g->nbuf; i++) {
      const ProgBuf *b = &g->buf[i], *from = &g->buf[b->kind == BUF_PACKED ? b->packed.source : i];
      if (b->kind != BUF_PACKED || !engine_packs(en, b) || b->elems != size) continue;
      done = size_sum(done, engine_buf_bytes(en, b));
      int64_t now = size_sum(done, from->kind == BUF_WEIGHT && b->packed.turned ? engine_buf_bytes(en, from) : 0);
      if (now > most) most = now;
    }
  }
  return most;
}

// Weights that stay in their files: those that are read as a whole, and what steps of so many tokens have of the others; of all that is read where that is known and less.
static int64_t tables_resident(const Engine *en, const Load *l) {
  int64_t sum = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_WEIGHT || !b->stored.tables || !engine_reads(en, b)) continue;
    int64_t most = 0;
    for (int k = 0; k < l->nstep; k++) {
      int64_t n = l->step[k].entry >= 0 ? l->step[k].tokens[en->stream_of[b->stored.model]] : 0;
      if (n > most) most = n;
    }
    sum = size_sum(sum, engine_table_bytes(b, most, true));
  }
  return l->tables >= 0 && l->tables < sum ? l->tables : sum;
}

Footprint engine_footprint(const Engine *en, const Load *l) {
  const Prog *g = en->prog;
  bool ready = en->packed_params && !l->training;
  Footprint f = {.params = ready ? 0 : g->theta * (int64_t)sizeof(float) * params_vectors(l->training), .outputs = l->outputs, .frozen = l->frozen};
  for (int i = 0; i < g->nbuf; i++) {
    const ProgBuf *b = &g->buf[i];
    bool shared = en->pack && (b->kind == BUF_PACKED || (b->kind == BUF_LIVE && ready));
    if (b->kind == BUF_WEIGHT) f.mapped += engine_buf_bytes(en, b), f.room += b->stored.tables > 1 ? engine_buf_bytes(en, b) : 0;
    if ((b->kind == BUF_PACKED && engine_packs(en, b)) || b->kind == BUF_LIVE || b->kind == BUF_CONST) *(shared ? &f.shared : &f.packed) += engine_buf_bytes(en, b);
  }
  if (en->pack) f.mapped = (int64_t)packfile_bytes(en->pack);
  f.tables = tables_resident(en, l);
  for (int i = 0; i < l->nstep; i++) {             // entries share one arena
    int64_t n = engine_step_bytes(en, &l->step[i]);
    if (n > f.activations) f.activations = n;
  }
  for (int k = 0; l->cached && k < en->nstream; k++) f.caches = size_sum(f.caches, size_product(l->cached[k], cache_bytes(en, k)));
  int64_t tools = 0;
  for (int i = 0; i < l->nstep; i++)
    if (l->step[i].entry >= 0 && en->rt->entry_scratch[l->step[i].entry] > tools) tools = en->rt->entry_scratch[l->step[i].entry];
  tools *= pool_threads(en->pool);
  int64_t running = size_sum(size_sum(f.params + f.tables + tools, f.activations), size_sum(f.caches, size_sum(f.outputs, f.frozen)));
  f.certain = f.packed + f.params + tools + smallest_step(en, l);
  int64_t held = size_sum(size_sum(f.packed, f.shared), running), packing = en->pack ? 0 : while_packing(en);
  f.peak = held > packing ? held : packing;
  return f;
}

double engine_flops(const Engine *en, int entry, Step *s) {
  double sum = 0;
  for (int i = 0; entry >= 0 && i < en->prog->entry[entry].nflops; i++) {
    const ProgFlops *f = &en->prog->entry[entry].flops[i];
    double times = f->sym < 0 ? 1 : (double)engine_extent(en, &en->prog->sym[f->sym], s);
    if (f->mask >= 0) {
      MaskKey key = engine_mask(en, &en->prog->buf[f->mask].mask);
      const RtMask *m = step_mask(s, key);
      int64_t n = key.rows ? s->nrow : s->stream[key.q].ntok;
      times = 0;
      for (int64_t r = 0; r < n; r++) times += m->hi[r] > m->lo[r] ? m->hi[r] - m->lo[r] : 0;
    }
    sum += times * (double)f->flops;
  }
  return sum;
}
