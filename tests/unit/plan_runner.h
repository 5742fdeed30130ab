// Runs the entries of a compiled plan on the values of a kit (graph_kit.h), with the runtime's own pool: what
// tests of whole graphs share. Activations lie in one arena where the plan says, filled with NaN before every run;
// every other buffer stands between guards. Whatever a run may not write is checked after it.
#ifndef CALM_TESTS_PLAN_RUNNER_H
#define CALM_TESTS_PLAN_RUNNER_H
#include "tests/unit/graph_kit.h"
#include "tests/unit/native_object.h"

typedef struct PlanRunner PlanRunner;

// Plan and object must stay. Fails the test (cmocka) when anything goes wrong.
PlanRunner *runner_new(const Plan *p, const NativeObject *o, const char *isa, Precision precision, int threads);
// Gives the values of a kit to the plan's weights and parameters of those names, stored as the plan has them.
void runner_bind(PlanRunner *r, const Kit *k);
// init and prepare, after weights and parameters were bound (NaN before).
void runner_pack(PlanRunner *r);
// With the kit's extents, inputs, caches and masks.
void runner_run(PlanRunner *r, int entry, const Kit *k);
// n numbers of an output of the entry, or what its run added to a gradient ("grad.NAME"), as double.
void runner_output(const PlanRunner *r, int entry, const char *name, double *out, int64_t n);
void runner_free(PlanRunner *r);

// Compiles graphs to one plan and runs each, on every instruction-set path of this machine, against the reference
// evaluator on `meaning`: an output may differ by `tolerance` times its largest number, or 1. With 1 and 3 threads the
// bits are equal. Cases may share names of sources, each is run on its own
// values; names of graphs differ. quick: native_load's.
typedef struct NativeCase {
  Kit *kit;
  const Graph *meaning;        // what is evaluated
  const Graph *graph;          // what is compiled: `meaning` after passes; the same outputs
  bool as_before;              // outputs that are no gradients have the bits of the case before
} NativeCase;
void native_check(const NativeCase *c, int n, double tolerance, bool quick);
// Whether every output of a graph has the bits in bf16 that it has in f32, on all paths that this machine runs in both.
bool native_bf16_is_f32(const NativeCase *c);
#endif
