// See meter.h.
#include "runtime/machine/meter.h"

#include "runtime/core/core.h"

Meter *meter_new(int64_t nkernel, int threads, bool spans) {
  Meter *m = rt_alloc(1, sizeof *m);
  *m = (Meter){.nkernel = nkernel, .threads = threads};
  m->call = rt_alloc((size_t)nkernel, sizeof *m->call);
  m->kernel = rt_alloc((size_t)nkernel * METER_PARTS, sizeof *m->kernel);
  m->busy = rt_alloc((size_t)nkernel * METER_PARTS * (size_t)threads, sizeof *m->busy);
  m->thread = rt_alloc((size_t)threads, sizeof *m->thread);
  int64_t most = METER_SPANS / (threads + 1);
  for (int i = 0; spans && i <= threads; i++) {
    MeterList *l = i < threads ? &m->thread[i] : &m->steps;
    *l = (MeterList){.most = most, .span = rt_alloc((size_t)most, sizeof *l->span)};
  }
  return m;
}

void meter_free(Meter *m) {
  if (!m) return;
  for (int i = 0; i < m->threads; i++) rt_free(m->thread[i].span);
  rt_free(m->steps.span);
  rt_free(m->thread), rt_free(m->busy), rt_free(m->kernel), rt_free(m->call);
  rt_free(m);
}

// All lists end together, so that what is kept is all there was up to a time.
void meter_span(Meter *m, MeterList *l, const MeterSpan *s) {
  if (!l->most || __atomic_load_n(&m->cut, __ATOMIC_RELAXED)) return;
  if (l->n < l->most) l->span[l->n++] = *s;
  else __atomic_store_n(&m->cut, true, __ATOMIC_RELAXED);
}

void meter_thread(Meter *m, int thread, int32_t kernel, double from, double to) {
  if (kernel < 0) return;
  m->busy[(thread * METER_PARTS + (int)m->part) * m->nkernel + kernel] += to - from;
  meter_span(m, &m->thread[thread], &(MeterSpan){.from = from, .to = to, .what = kernel});
}

static void count_mask(MeterKernel *k, const RtMask *mask) {
  for (int64_t s = 0; s < mask->nseq; s++) {
    const RtSeq *seq = &mask->seq[s];
    int32_t first = INT32_MAX, last = 0;
    for (int64_t q = seq->q0; q < seq->q0 + seq->nq; q++) {
      if (mask->hi[q] <= mask->lo[q]) continue;
      k->count[PER_PAIR] += mask->hi[q] - mask->lo[q];
      if (mask->lo[q] < first) first = mask->lo[q];
      if (mask->hi[q] > last) last = mask->hi[q];
    }
    if (last > first) k->count[PER_KEY] += last - first;
  }
}

void meter_call(Meter *m, int64_t kernel, const int64_t *args, double from, double to) {
  MeterKernel *k = &m->kernel[(int)m->part * m->nkernel + kernel];
  const MeterCall *c = &m->call[kernel];
  k->seconds += to - from, k->count[PER_CALL]++, k->count[PER_ROW] += (double)args[0];
  if (c->mask) count_mask(k, (const RtMask *)(uintptr_t)args[c->mask]);
  if (c->source) k->count[PER_SOURCE] += (double)args[c->source];
}

void meter_step(Meter *m, int entry, int64_t rows, int64_t tokens, double from, double to) {
  if (m->part == METER_STEPS) m->step_seconds += to - from;
  meter_span(m, &m->steps, &(MeterSpan){.from = from, .to = to, .what = entry, .rows = (int32_t)rows, .tokens = (int32_t)tokens});
}
