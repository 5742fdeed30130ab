// The description of what was compiled, as a program reads it at start (calm_program_json): its types are of runtime/abi/program.def. Placement of
// activations, caps and alignment: compiler/plan/plan.h. What entries take and give: compiler/build/build.h.
#ifndef CALM_RUNTIME_PROGRAM_H
#define CALM_RUNTIME_PROGRAM_H
#include <jansson.h>
#include <stddef.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

typedef ProgProgram Prog;

// Reads a description. It is trusted: a wrong one is a compiler bug and aborts. What it points to lives until prog_close.
Prog *prog_parse(const char *text, size_t len);
int prog_entry(const Prog *p, EntryKind kind);                 // -1 when there is none
// An output of an entry, model and layer -1 but of states; NULL when there is none.
const ProgOutput *prog_output(const Prog *p, int entry, OutputKind what, int model, int layer);
int64_t prog_trained_of(const Prog *p, int model);             // numbers in those of a model
const char *prog_tensor(const Prog *p, const ProgParam *q);    // what a model's parameter is called in its files: "kv.model.norm.weight" is "model.norm.weight"
int64_t prog_trained(const Prog *p);                           // numbers in all parameters
int prog_model(const Prog *p, const char *name);               // -1 when there is none
void prog_close(Prog *p);
#endif
