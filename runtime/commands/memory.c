// See memory.h. What cannot be had is refused; what is only likely to be too much is one warning, since predictions of activations and caches are
// of the largest step and the longest text.
#include "runtime/commands/memory.h"

#include <stdio.h>

#include "runtime/core/core.h"

static double mb(int64_t bytes) { return (double)bytes / 1e6; }
static double mb_at_least(int64_t bytes) { return (double)(bytes / 1000000 + (bytes % 1000000 > 0)); }        // what is enough

MemVerdict memory_judge(const MemLimits *l, const MemNeed *n, char text[MEM_TEXT]) {
  if (l->limit && n->certain > l->limit) {
    snprintf(text, MEM_TEXT, "at least %.0f MB of memory are needed, and %s allows %.0f MB", mb_at_least(n->certain), l->limit_of, mb(l->limit));
    return MEM_OVER;
  }
  if (l->address_space && n->address_space > l->address_space) {
    snprintf(text, MEM_TEXT, "at least %.0f MB of address space are needed, and this process may have %.0f MB (ulimit -v)", mb_at_least(n->address_space),
             mb(l->address_space));
    return MEM_OVER;
  }
  if (l->asked && memory_surely(n->peak) > l->asked) {
    snprintf(text, MEM_TEXT, "at least %.0f MB of memory are needed, and --memory allows %.0f MB", mb_at_least(memory_surely(n->peak)), mb(l->asked));
    return MEM_OVER;
  }
  if (l->limit && n->peak > l->limit) {
    snprintf(text, MEM_TEXT, "about %.0f MB of memory will be needed, and %s allows %.0f MB", mb(n->peak), l->limit_of, mb(l->limit));
    return MEM_TIGHT;
  }
  if (l->available && n->peak > l->available) {
    snprintf(text, MEM_TEXT, "about %.0f MB of memory will be needed, and %.0f MB are free", mb(n->peak), mb(l->available));
    return MEM_TIGHT;
  }
  return MEM_FITS;
}

MemNeed memory_need(const App *a, const Footprint *f) {
  MemNeed n = {.certain = a->resident + f->certain, .peak = size_sum(a->resident, f->peak), .address_space = a->address_space + f->mapped + f->room + f->certain};
  if (rt_peak_resident() > n.peak) n.peak = rt_peak_resident();        // of reading tokenizers, say
  return n;
}

bool memory_check(App *a, const Options *o, const Load *l, RtError *e) {
  Footprint f = engine_footprint(a->en, l);
  MemNeed need = memory_need(a, &f);
  char text[MEM_TEXT];
  MemVerdict v = memory_judge(&a->limits, &need, text);
  int64_t asked = a->limits.asked;
  if (v == MEM_OVER) return rt_fail_about(e, asked && memory_surely(need.peak) > asked && f.caches > f.packed ? RT_ABOUT_CACHES : RT_ABOUT_MEMORY, "%s", text);
  if (asked) a->en->arena.most = f.activations + asked - memory_surely(need.peak);
  if (v == MEM_FITS || a->warned) return true;
  const char *advice = cmd_advice(o, f.caches > f.activations ? RT_ABOUT_CACHES : RT_ABOUT_STEP);
  rt_warn("%s%s%s%s", text, advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
  return a->warned = true;
}
