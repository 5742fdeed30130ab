// How generate takes its tokens: flags, before generation_config.json of the anchor, before nothing at all: the likeliest.
#ifndef CALM_RUNTIME_SAMPLING_H
#define CALM_RUNTIME_SAMPLING_H
#include "runtime/commands/options.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

Sampling sampling_of(const Models *m, const Options *o);
// A note of what the file decides, a warning of what it asks for and is not done, one of flags that are of no use.
void sampling_tell(const Models *m, const Options *o);
#endif
