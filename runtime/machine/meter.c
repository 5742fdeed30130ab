// See meter.h.
#include "runtime/machine/meter.h"

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

Meter *meter_new(int64_t nkernel, int threads, bool spans) {
  Meter *m = rt_alloc(1, sizeof *m);
  *m = (Meter){.nkernel = nkernel, .threads = threads};
  m->kernel = rt_alloc((size_t)nkernel, sizeof *m->kernel);
  m->busy = rt_alloc((size_t)nkernel * (size_t)threads, sizeof *m->busy);
  m->thread = rt_alloc((size_t)threads, sizeof *m->thread);
  int64_t most = METER_SPANS / (threads + 2);
  MeterList *own[2] = {&m->steps, &m->phases};
  for (int i = 0; spans && i < threads + 2; i++) {
    MeterList *l = i < threads ? &m->thread[i] : own[i - threads];
    *l = (MeterList){.most = most, .span = rt_alloc((size_t)most, sizeof *l->span)};
  }
  return m;
}

void meter_free(Meter *m) {
  if (!m) return;
  for (int i = 0; i < m->threads; i++) rt_free(m->thread[i].span);
  rt_free(m->steps.span), rt_free(m->phases.span);
  rt_free(m->thread), rt_free(m->busy), rt_free(m->kernel);
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
  m->busy[thread * m->nkernel + kernel] += to - from;
  meter_span(m, &m->thread[thread], &(MeterSpan){.from = from, .to = to, .what = kernel});
}

static double pairs(const RtMask *mask) {
  double sum = 0;
  for (int64_t b = 0; b < mask->nblk; b++)
    for (int64_t q = mask->blk[b].q0; q < mask->blk[b].q0 + mask->blk[b].nq; q++)
      if (mask->hi[q] > mask->lo[q]) sum += mask->hi[q] - mask->lo[q];
  return sum;
}

void meter_call(Meter *m, int64_t kernel, const int64_t *args, double from, double to) {
  MeterKernel *k = &m->kernel[kernel];
  k->calls++, k->seconds += to - from, k->rows += (double)args[0];
  if (k->mask) k->more += pairs((const RtMask *)(uintptr_t)args[k->mask]);
  if (k->source) k->more += (double)args[k->source];
}
