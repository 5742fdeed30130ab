// All rows of a file read for their mistakes, none of them held: beforehand, or on a thread that takes only time nobody else wants, beside a training.
#ifndef CALM_RUNTIME_CHECK_H
#define CALM_RUNTIME_CHECK_H
#include "runtime/rows/data.h"

typedef struct Check Check;
typedef enum CheckState { CHECK_RUNS, CHECK_GOOD, CHECK_BAD } CheckState;

// Rows that o->bytes decides are not tokenized: Data.decided. On `threads` threads of its own, of which there may be fewer. idle: they run where a processor has nothing else to do, and look at the form of all rows before they
// tokenize any (then the error is of one of the rows at fault, not always the first). file and what o points to must outlive it, also where memory
// ends: on no stack. An object of the call: it ends with it, like memory (check_end); never NULL.
Check *check_start(const DataFile *file, const DataOptions *o, int threads, bool idle);
void check_end(Check *c);
// The calling thread helps until all is read, and says how far it is (rt_progress). False and an error: the first row of the file that is at fault.
bool check_help(Check *c, RtError *e);
// How far it is, without waiting; CHECK_BAD with that error. It is no mistake that a thread could not be had: then it runs for ever.
CheckState check_state(Check *c, RtError *e);
// What was counted, when it is good.
const Data *check_counts(const Check *c);
#endif
