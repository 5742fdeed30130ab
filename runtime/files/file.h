// Files as the readers need them: mapped read-only, and written so that a reader sees the old content or the new, never a half.
#ifndef CALM_RUNTIME_FILE_H
#define CALM_RUNTIME_FILE_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/rt_error.h"

typedef struct FileMap {
  const uint8_t *data;         // NULL when the file is empty
  size_t size;
} FileMap;

bool file_is_regular(const char *path);
bool file_is_dir(const char *path);
// DIR/NAME, malloc'ed. Running out of memory ends the process (as everywhere in the readers).
char *file_join(const char *dir, const char *name);
// The directory part of path ("." when there is none), malloc'ed.
char *file_dirname(const char *path);
// Makes a directory and those above it.
bool file_make_dirs(const char *path, RtError *e);

// Maps a regular file for reading. The file must not be truncated by others while it is mapped (mapped weights are never copied).
bool file_map(FileMap *m, const char *path, RtError *e);
void file_unmap(FileMap *m);

// Atomic writing: everything goes to PATH.tmp.PID in the same directory; commit syncs and renames it. On an error (a full disk
// included) the temporary file is removed and PATH is as it was. After a failed write or commit the FileOut is gone. A device or a pipe is
// written in place.
typedef struct FileOut FileOut;
FileOut *file_out_open(const char *path, RtError *e);
bool file_out_write(FileOut *f, const void *data, size_t n, RtError *e);
bool file_out_commit(FileOut *f, RtError *e);
void file_out_abandon(FileOut *f);
bool file_save(const char *path, const void *data, size_t n, RtError *e);
#endif
