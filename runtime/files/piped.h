// What comes through a pipe, as a file: "-" is standard input, a pipe by name (as <(…) of a shell) another. It is read to its end into a file without a
// name, so that what reads it may go to any place of it, and more than once.
#ifndef CALM_RUNTIME_PIPED_H
#define CALM_RUNTIME_PIPED_H
#include "runtime/files/file.h"

// What errors call it.
const char *file_said(const char *path);
// A regular file is opened as file_in_open does. A pipe that nobody opens for writing is waited for two seconds. Can be asked to stop (rt_stopped).
FileIn *file_in_piped(const char *path, RtError *e);
#endif
