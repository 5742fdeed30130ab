// Opening what has to be a regular file, for both readers: specs and what they use (dsl/source.c), everything else (runtime/files/file.c).
#ifndef CALM_RUNTIME_ABI_REGULAR_H
#define CALM_RUNTIME_ABI_REGULAR_H
#include <sys/stat.h>

// What lies there, for after "it is " and before ", not a regular file"; NULL: a regular file.
const char *regular_found(mode_t mode);
// Opens `name` in directory dir (AT_FDCWD: a path) for reading, without ever waiting (a pipe's writer may never come), and says what it is in *st. -1 where
// it is no regular file, which *found then names, or where it cannot be had: *found is NULL, errno says why.
int regular_open(int dir, const char *name, struct stat *st, const char **found);
#endif
