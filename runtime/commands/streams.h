// The standard streams of the process.
#ifndef CALM_RUNTIME_STREAMS_H
#define CALM_RUNTIME_STREAMS_H
#include "runtime/core/core.h"

// First of all, once in a process: the numbers of closed streams are taken, so that no file which is opened later is written to as one of them.
void streams_open(void);
// Whether all that was printed so far has arrived; false and an error otherwise.
bool streams_written(RtError *e);
#endif
