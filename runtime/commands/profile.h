// --profile and --trace: where the time of a command went. What was measured is the rooms' below (machine/meter.h, core/call.h: RtPhase); here it is
// held against what the machine can do (machine/rates.h), and shown.
#ifndef CALM_RUNTIME_PROFILE_H
#define CALM_RUNTIME_PROFILE_H
#include "runtime/commands/command.h"

typedef struct Profile {
  bool table;                  // --profile
  const char *trace;           // --trace: where, or NULL
  FileOut *out;                // what will take that place
  bool keep;                   // the trace: an engine was opened, and nothing stands against its place
  double start, since, spent[N_RT_PHASE];
  double own, machine;         // processor seconds used by then: by this process, by all there is
  RtPhase phase;               // it is at, since `since`
  MeterList phases;            // spans, of --trace
  Meter *meter;                // of the engine, and what its numbers mean when it is closed
  char **kernel, **entry;      // names; of the meter's kernels, those of every precision
  bool *product;
  double *flops, *bytes;       // [METER_PARTS][kernels]
  int64_t each;                // kernels of a precision
  int nentry;
  char isa[16];
  char *precision;             // of each model, in words
  bool in[N_PRECISION];        // whether any is in it
} Profile;

// start: when the command began. NULL and an error where the trace cannot be written.
Profile *profile_begin(const Options *o, double start, RtError *e);
RtPhase profile_phase(Profile *p, RtPhase next);
// The engine that it is about, opened; and about to be closed.
void profile_engine(Profile *p, Engine *en);
void profile_close(Profile *p, const Engine *en);
// Prints, on standard error, and writes; frees p. False and an error where the trace could not be written.
bool profile_end(Profile *p, RtError *e);

const char *profile_phase_name(RtPhase phase);

#define TRACE_BEGIN "{\"displayTimeUnit\": \"ms\",\n\"otherData\": {\"seconds\""     // what a trace is known by
// trace.c: all spans as Chrome's JSON, which Perfetto reads, into p->out.
bool trace_write(Profile *p, double end, RtError *e);
#endif
