// The lines of a file that is made out of order and may be interrupted: each is kept in PATH.part as it is there, and when all are, PATH takes them in
// order, under another name first (files/out).
#ifndef CALM_RUNTIME_PART_H
#define CALM_RUNTIME_PART_H
#include <jansson.h>

#include "runtime/core/core.h"

typedef struct Part Part;
// Begins or goes on with PATH.part. of: what decides what the lines are; a part that was of something else is refused by what differs, and one that another
// process has by that. again: what is there is thrown away. NULL and an error.
Part *part_open(const char *path, const json_t *of, int64_t lines, bool again, RtError *e);
bool part_has(const Part *p, int64_t line);
int64_t part_count(const Part *p);           // of those that are there
const char *part_path(const Part *p);
bool part_add(Part *p, int64_t line, const char *s, size_t n, RtError *e);       // s without a newline
// PATH is made of all of them, and the part is gone. False and an error.
bool part_finish(Part *p, RtError *e);
void part_close(Part *p);
#endif
