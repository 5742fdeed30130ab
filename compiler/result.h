// Where a build's result goes. Everything is made in a folder of its own beside it and moved into place at the end: no reader sees half of
// it, an error leaves what was there before, and one removal leaves nothing of the build behind.
#ifndef CALM_RESULT_H
#define CALM_RESULT_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Result {
  const char *path;                // as the user named it; NULL: standard output
  bool in_place;                   // a device or a pipe (standard output too), which is written to: a rename would take it away from everybody
  int fd;                          // open for that; -1: it has to be made, at `target`
  char target[PATH_MAX];           // path, or where that leads as a link
  char folder[PATH_MAX];           // "" until result_begin made it; absolute or from ./, so that no tool takes it for an option
} Result;

// path NULL or "-": standard output. folder: one is needed even where the result is written in place (the linker's). False after telling why.
bool result_begin(Result *o, const char *path, bool folder);
// A folder alone, with the temporary files: what is written goes to files in it.
bool result_folder(Result *o);
// FOLDER/name. False after telling that it is too long.
bool result_name(const Result *o, const char *name, char out[PATH_MAX]);
#define RESULT_FILE "result"       // the folder's file that becomes the result
// Opens a file of the folder for writing; name NULL: what the result is written to, its place itself or RESULT_FILE. -1 after telling why.
int result_open(const Result *o, const char *name);
// 0; 1 after telling why; 128 + SIGPIPE where the reader has gone away, which is nothing to speak of.
int result_write(const Result *o, int fd, const void *data, size_t n);
// Closes what result_open gave (not standard output). False after telling why.
bool result_close(const Result *o, int fd);
// Puts RESULT_FILE where the result belongs; nothing where there is no folder, for then it is there. As result_write.
int result_commit(const Result *o);
// Removes the folder and what is in it.
void result_end(Result *o);

// Makes sure that descriptors 0 to 2 are taken, so that no file of calmc's becomes one of them: one that was closed gives an error when used.
void standard_files(void);
#endif
