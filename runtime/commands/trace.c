// The trace of --trace: Chrome's trace events (one JSON object), which Perfetto and chrome://tracing show. A track for phases, one for steps, one for each thread.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/commands/profile.h"
#include "runtime/core/core.h"

enum { TRACK_PHASES = 1, TRACK_STEPS, TRACK_THREADS };

typedef struct Trace {
  Profile *p;
  RtError *e;
  size_t n;
  bool ok, begun;
  char text[1 << 16];
} Trace;

static void flush(Trace *t) {
  if (t->ok && !file_out_write(t->p->out, t->text, t->n, t->e)) t->ok = false, t->p->out = NULL;
  t->n = 0;
}

__attribute__((format(printf, 2, 3))) static void put(Trace *t, const char *fmt, ...) {
  enum { MOST = 1024 };                            // of an event; names of kernels are far shorter
  va_list ap;
  if (sizeof t->text - t->n < MOST) flush(t);
  va_start(ap, fmt);
  int n = vsnprintf(t->text + t->n, MOST, fmt, ap);
  va_end(ap);
  t->n += n < MOST ? (size_t)n : MOST - 1;
}

static void name_track(Trace *t, int track, const char *kind, int number) {
  char name[32];
  snprintf(name, sizeof name, number < 0 ? "%s" : "%s %d", kind, number);
  put(t, "%s{\"ph\": \"M\", \"pid\": 1, \"tid\": %d, \"name\": \"thread_name\", \"args\": {\"name\": \"%s\"}}", t->begun ? ",\n" : "", track, name);
  put(t, ",\n{\"ph\": \"M\", \"pid\": 1, \"tid\": %d, \"name\": \"thread_sort_index\", \"args\": {\"sort_index\": %d}}", track, track);
  t->begun = true;
}

static void event(Trace *t, int track, const char *kind, const char *name, const MeterSpan *s) {
  put(t, ",\n{\"ph\": \"X\", \"pid\": 1, \"tid\": %d, \"cat\": \"%s\", \"name\": \"%s\", \"ts\": %.3f, \"dur\": %.3f", track, kind, name,
      1e6 * (s->from - t->p->start), 1e6 * (s->to - s->from));
  if (track == TRACK_STEPS) put(t, ", \"args\": {\"tokens\": %d, \"rows\": %d}", (int)s->tokens, (int)s->rows);
  put(t, "}");
}

bool trace_write(Profile *p, double end, RtError *e) {
  const Meter *m = p->meter;
  Trace *t = rt_alloc(1, sizeof *t);
  *t = (Trace){.p = p, .e = e, .ok = true};
  long long events = p->phases.n + m->steps.n;
  put(t, TRACE_BEGIN ": %.6f, \"isa\": \"%s\", \"precision\": \"%s\", \"cut\": %s},\n\"traceEvents\": [\n", end - p->start, p->isa,
      p->precision, m->cut ? "true" : "false");
  name_track(t, TRACK_PHASES, "phases", -1);
  name_track(t, TRACK_STEPS, "steps", -1);
  for (int i = 0; i < m->threads; i++) name_track(t, TRACK_THREADS + i, "thread", i);
  for (int64_t i = 0; i < p->phases.n; i++) event(t, TRACK_PHASES, "phase", profile_phase_name((RtPhase)p->phases.span[i].what), &p->phases.span[i]);
  for (int64_t i = 0; i < m->steps.n; i++) event(t, TRACK_STEPS, "step", p->entry[m->steps.span[i].what], &m->steps.span[i]);
  for (int k = 0; k < m->threads; k++) {
    const MeterList *l = &m->thread[k];
    for (int64_t i = 0; i < l->n; i++) event(t, TRACK_THREADS + k, "kernel", p->kernel[l->span[i].what], &l->span[i]);
    events += l->n;
  }
  put(t, "\n]}\n");
  flush(t);
  bool ok = t->ok && file_out_commit(p->out, e);
  rt_free(t);
  if (ok) fprintf(stderr, "wrote %s: %lld events%s\n", p->trace, events, m->cut ? ", the first: a trace keeps no more, and ends there" : "");
  return ok;
}
