// report.html of a run: the composition drawn, curves of the log, what it came to, settings and hashes, in one page that needs nothing else.
#ifndef CALM_RUNTIME_COMMANDS_REPORT_H
#define CALM_RUNTIME_COMMANDS_REPORT_H
#include "runtime/engine/engine.h"
#include "runtime/work/work.h"

bool report_is(const char *path);      // a page of calm's, by its beginning
// Of a program, what its run does, the theta.json of its last checkpoint and its log, which is read on into t, zeros at first. The page before stays until the
// new one is whole.
bool report_write(const char *path, const Prog *p, const TrainSettings *set, const char *about, const char *log, TrainTable *t, RtError *e);
#endif
