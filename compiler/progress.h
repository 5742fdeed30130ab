// What a build is doing, told where it takes longer than two seconds: on a terminal one line that goes away, elsewhere a line a stage.
#ifndef CALM_PROGRESS_H
#define CALM_PROGRESS_H

typedef struct Progress Progress;

// Of the call (rt_object). what: the spec.
Progress *progress_begin(const char *what);
// What begins now, as in "generating code": of static storage.
void progress_stage(Progress *p, const char *stage);
// Before anything else is written to standard error; a build that goes on goes on telling.
void progress_hush(Progress *p);
void progress_end(Progress *p);
#endif
