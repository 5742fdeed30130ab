// See profile.h.
#include "runtime/commands/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/machine/machine.h"
#include "runtime/work/work.h"

enum { PHASE_SPANS = 1 << 17 };

Profile *profile_begin(const Options *o, double start, RtError *e) {
  Profile *p = rt_alloc(1, sizeof *p);
  int processors;
  *p = (Profile){.table = o->profile, .trace = o->trace, .start = start, .since = start, .own = rt_cpu_used(), .machine = rt_machine_used(&processors)};
  if (!p->trace) return p;
  p->phases = (MeterList){.most = PHASE_SPANS, .span = rt_alloc(PHASE_SPANS, sizeof *p->phases.span)};
  if ((p->out = file_out_open(p->trace, e))) return p;
  rt_free(p->phases.span);
  return rt_free(p), NULL;
}

RtPhase profile_phase(Profile *p, RtPhase next) {
  RtPhase was = p->phase;
  double now = rt_now();
  if (next == was) return was;
  p->spent[was] += now - p->since;
  MeterList *l = &p->phases;
  if (l->most && !(p->meter && p->meter->cut)) {
    if (l->n < l->most) l->span[l->n++] = (MeterSpan){.from = p->since, .to = now, .what = (int32_t)was};
    else if (p->meter) p->meter->cut = true;
  }
  p->phase = next, p->since = now;
  return was;
}

void profile_engine(Profile *p, Engine *en) {
  p->meter = engine_measure(en, p->trace != NULL);
}

static double total(const ProgKernel *k, const MeterKernel *m, Precision precision, bool bytes) {
  double sum = 0;
  for (int i = 0; i < k->nwork; i++) sum += m->count[k->work[i].per] * (double)(bytes ? k->work[i].bytes.v[precision] : k->work[i].flops);
  return sum;
}

void profile_close(Profile *p, const Engine *en) {
  const Prog *g = en->prog;
  Meter *m = p->meter;
  size_t n = (size_t)m->nkernel;
  json_t *precision = precisions_used(en);
  snprintf(p->isa, sizeof p->isa, "%s", en->isa->name);
  p->precision = precisions_words(precision), p->each = g->nkernel;
  json_decref(precision);
  bool mixed = false;
  for (int i = 0; i < g->nmodel; i++) p->in[engine_precision(en, i)] = true, mixed |= engine_precision(en, i) != engine_precision(en, 0);
  p->kernel = rt_alloc(n, sizeof *p->kernel), p->product = rt_alloc(n, sizeof *p->product);
  p->flops = rt_alloc(METER_PARTS * n, sizeof *p->flops), p->bytes = rt_alloc(METER_PARTS * n, sizeof *p->bytes);
  p->entry = rt_alloc((size_t)(p->nentry = g->nentry), sizeof *p->entry);
  for (int i = 0; i < g->nentry; i++) p->entry[i] = rt_strdup(entry_name(g->entry[i].kind));
  for (size_t i = 0; i < n; i++) {
    const ProgKernel *k = &g->kernel[i % (size_t)g->nkernel];
    Precision is = (Precision)(i / (size_t)g->nkernel);
    p->product[i] = k->product;
    p->kernel[i] = mixed && k->product ? rt_format("%s in %s", k->name, precision_name(is)) : rt_strdup(k->name);
    for (size_t part = 0; part < METER_PARTS; part++) {
      const MeterKernel *of = &m->kernel[part * n + i];
      p->flops[part * n + i] = total(k, of, is, false);
      p->bytes[part * n + i] = total(k, of, is, true);
    }
  }
}

// ---- the table

static const char *const PHASE[N_RT_PHASE] = {[RT_PHASE_OPEN] = "open",         [RT_PHASE_PACK] = "pack",         [RT_PHASE_READ] = "read", [RT_PHASE_KERNELS] = "kernels",
                                              [RT_PHASE_SAMPLING] = "sampling", [RT_PHASE_WRITING] = "writing", [RT_PHASE_OTHER] = "other"};
static const RtPhase ORDER[N_RT_PHASE] = {RT_PHASE_OPEN, RT_PHASE_PACK, RT_PHASE_READ, RT_PHASE_KERNELS, RT_PHASE_SAMPLING, RT_PHASE_WRITING, RT_PHASE_OTHER};
const char *profile_phase_name(RtPhase phase) { return PHASE[phase]; }

static void print_phases(const Profile *p, double whole) {
  fprintf(stderr, "profile: %.3f s\n", whole);
  for (int i = 0; i < N_RT_PHASE; i++)
    fprintf(stderr, "  %-9s %10.3f s %6.1f %%\n", PHASE[ORDER[i]], p->spent[ORDER[i]], 100 * p->spent[ORDER[i]] / whole);
}

// What is said of other work on the machine: shares are of a rate that nothing else had a part of.
static void print_others(const Profile *p, double whole) {
  int processors = 1;
  double machine = rt_machine_used(&processors) - p->machine, own = rt_cpu_used() - p->own, share = (machine - own) / (whole * processors);
  if (p->machine >= 0 && share >= 0.05)
    fprintf(stderr, "other programs took %.0f %% of this machine's %d processor%s meanwhile, which the shares below know nothing of\n", 100 * (share < 1 ? share : 1), processors,
            plural(processors));
}

// What this machine can do with as many threads, operations and bytes a second; 0: not known.
typedef struct Rates {
  double product[N_PRECISION], memory;
} Rates;

static Rates measure(const Profile *p) {
  int threads = p->meter->threads;
  Rates r = {.product = {[PRECISION_F32] = rate_f32(p->isa, threads, 0.15)}, .memory = rate_memory(threads, 0.35, limits_memory_room() / 2)};
  if (p->in[PRECISION_BF16] && isa_multiplies(p->isa, PRECISION_BF16)) r.product[PRECISION_BF16] = rate_bf16(threads, 0.15);
  return r;
}

static void print_rates(const Profile *p, const Rates *r) {
  fprintf(stderr, "measured on %d thread%s: f32 %.1f Gflop/s (%s)", p->meter->threads, plural(p->meter->threads), r->product[PRECISION_F32] / 1e9, p->isa);
  double bf16 = r->product[PRECISION_BF16];
  if (p->in[PRECISION_BF16] && bf16 > 0) fprintf(stderr, ", bf16 %.1f Gflop/s", bf16 / 1e9);
  if (p->in[PRECISION_BF16] && bf16 == 0) fputs(", bf16 emulated: there is no rate to hold it against", stderr);
  if (r->memory > 0) fprintf(stderr, ", memory %.1f GB/s", r->memory / 1e9);
  fputc('\n', stderr);
}

// "12.3  45.6" of a rate per second, and what it is of what can be; dashes where there is nothing.
static void print_share(double amount, double seconds, double most) {
  if (amount == 0 || seconds == 0) fprintf(stderr, "  %9s %6s", "-", "-");
  else if (most == 0) fprintf(stderr, "  %9.1f %6s", amount / seconds / 1e9, "-");
  else fprintf(stderr, "  %9.1f %6.1f", amount / seconds / 1e9, 100 * amount / seconds / most);
}

static double busy(const Meter *m, int part, int64_t kernel) {
  double sum = 0;
  for (int t = 0; t < m->threads; t++) sum += m->busy[(t * METER_PARTS + part) * m->nkernel + kernel];
  return sum;
}

typedef struct Line { double seconds; int64_t kernel; } Line;
static int longest_first(const void *a, const void *b) {
  const Line *x = a, *y = b;
  return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static Precision precision_of_kernel(const Profile *p, int64_t i) { return (Precision)(i / p->each); }

static void print_kernel(const Profile *p, const Rates *r, int part, int64_t i, double all) {
  const Meter *m = p->meter;
  int64_t at = part * m->nkernel + i;
  const MeterKernel *k = &m->kernel[at];
  double calls = k->count[PER_CALL];
  fprintf(stderr, "  %9.4f %5.1f %8.0f %10.1f", k->seconds, 100 * k->seconds / all, calls, 1e6 * k->seconds / calls);
  print_share(p->flops[at], k->seconds, r->product[p->product[i] ? precision_of_kernel(p, i) : PRECISION_F32]);
  print_share(p->bytes[at], k->seconds, r->memory);
  fprintf(stderr, " %5.0f  k%lld %s\n", k->seconds > 0 ? 100 * busy(m, part, i) / (k->seconds * m->threads) : 0, (long long)(i % p->each), p->kernel[i]);
}

static double kernel_seconds(const Meter *m, int part) {
  double sum = 0;
  for (int64_t i = 0; i < m->nkernel; i++) sum += m->kernel[part * m->nkernel + i].seconds;
  return sum;
}

static void print_kernels(const Profile *p, const Rates *r, int part) {
  const Meter *m = p->meter;
  Line *line = rt_alloc((size_t)m->nkernel, sizeof *line);
  size_t n = 0;
  double all = kernel_seconds(m, part);
  for (int64_t i = 0; i < m->nkernel; i++)
    if (m->kernel[part * m->nkernel + i].count[PER_CALL] > 0) line[n++] = (Line){m->kernel[part * m->nkernel + i].seconds, i};
  qsort(line, n, sizeof *line, longest_first);
  fprintf(stderr, "  %9s %5s %8s %10s  %9s %6s  %9s %6s %5s  %s\n", "seconds", "%", "calls", "us a call", "Gflop/s", "% rate", "GB/s", "% rate", "% busy", part == METER_PACK ? "packing" : "kernel");
  for (size_t i = 0; i < n; i++) print_kernel(p, r, part, line[i].kernel, all);
  rt_free(line);
}

// All steps together: useful operations, by what the clock took, with what is around the kernels.
static void print_steps(const Profile *p, const Rates *r) {
  const Meter *m = p->meter;
  double flops = 0, bytes = 0, least = 0, inside = kernel_seconds(m, METER_STEPS);       // least: seconds, at the rates
  bool known = true;
  for (int64_t i = 0; i < m->nkernel; i++) {
    double most = r->product[precision_of_kernel(p, i)], n = p->product[i] ? p->flops[i] : 0;
    flops += n, bytes += p->bytes[i];
    if (n > 0 && most > 0) least += n / most;
    known &= n == 0 || most > 0;
  }
  fprintf(stderr, "steps: %.3f s, %.1f %% of it in kernels; products %.4g Gflop in %s, %.1f Gflop/s", m->step_seconds, 100 * inside / m->step_seconds, flops / 1e9,
          p->precision, flops / m->step_seconds / 1e9);
  if (known && least > 0) fprintf(stderr, ", %.1f %% of the rate%s", 100 * least / m->step_seconds, strpbrk(p->precision, " ") ? "s" : "");
  fprintf(stderr, "; memory %.4g GB, %.1f GB/s", bytes / 1e9, bytes / m->step_seconds / 1e9);
  if (r->memory > 0) fprintf(stderr, ", %.1f %%", 100 * bytes / m->step_seconds / r->memory);
  fputc('\n', stderr);
}

static void print(const Profile *p, double whole) {
  const Meter *m = p->meter;
  print_phases(p, whole);
  if (!m || (kernel_seconds(m, METER_STEPS) == 0 && kernel_seconds(m, METER_PACK) == 0)) return;
  print_others(p, whole);
  Rates r = measure(p);
  print_rates(p, &r);
  if (m->step_seconds > 0) print_steps(p, &r), print_kernels(p, &r, METER_STEPS);
  if (kernel_seconds(m, METER_PACK) > 0) print_kernels(p, &r, METER_PACK);
}

static void free_names(char **name, int64_t n) {
  for (int64_t i = 0; name && i < n; i++) rt_free(name[i]);
  rt_free(name);
}

bool profile_end(Profile *p, RtError *e) {
  profile_phase(p, p->phase == RT_PHASE_OTHER ? RT_PHASE_WRITING : RT_PHASE_OTHER);       // the last phase ends
  double end = p->since;
  bool ok = true;
  if (p->table) print(p, end - p->start);
  if (p->out && p->keep) ok = trace_write(p, end, e);
  else if (p->out) file_out_abandon(p->out);
  free_names(p->kernel, p->meter ? p->meter->nkernel : 0), free_names(p->entry, p->nentry);
  rt_free(p->precision), rt_free(p->product), rt_free(p->flops), rt_free(p->bytes), rt_free(p->phases.span);
  meter_free(p->meter);
  rt_free(p);
  return ok;
}
