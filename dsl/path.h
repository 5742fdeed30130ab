// Paths that a text names: they are taken from the folder of the file that names them, and nothing in them is expanded.
#ifndef CALM_DSL_PATH_H
#define CALM_DSL_PATH_H
#include <stdbool.h>

#include "dsl/base/arena.h"

// path, named by the file `from`, as it is seen from the current folder.
const char *path_from(Arena *a, const char *from, const char *path);
// The same for a program that may run anywhere.
const char *path_absolute(Arena *a, const char *from, const char *path);
// What a shell would have replaced in path, for a message; NULL where it would leave all of it.
const char *path_shell(Arena *a, const char *path);
// What may have been meant where nothing was found, for the end of a message: what a shell would have done, or where was looked; "" for neither.
const char *path_remark(Arena *a, const char *from, const char *path);
#endif
