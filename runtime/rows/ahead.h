// The next batch before it is asked for: a thread beside the caller's reads, tokenizes and packs rows, a few batches ahead. What comes is what reading between
// the steps gives, bit for bit.
#ifndef CALM_RUNTIME_AHEAD_H
#define CALM_RUNTIME_AHEAD_H
#include "runtime/rows/feeder.h"

typedef struct Ahead Ahead;

// file, what o points to and the rule's words must outlive it, also where memory ends: they lie on no stack. beside false, a file that is held, or no thread to be had: rows are read when they are asked for. An object of the call: it ends
// with it, like memory (ahead_end); never NULL.
Ahead *ahead_start(const DataFile *file, const DataOptions *o, const FeedPlan *plan, const FeedRule *rule, bool beside);
void ahead_end(Ahead *a);
// The next batch, which stays as it is until the next is asked for; empty behind the last row of a plan for one epoch. NULL and an error, that of the row
// it would have come to.
const FeedBatch *ahead_next(Ahead *a, RtError *e);
// What was counted of the rows, once a batch without any has come; NULL of a file that holds them.
const Data *ahead_counts(const Ahead *a);
#endif
