// Files as the readers need them: mapped read-only, and written so that a reader sees the old content or the new, never a half.
#ifndef CALM_RUNTIME_FILE_H
#define CALM_RUNTIME_FILE_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/core/core.h"

typedef struct FileMap {
  const uint8_t *data;         // NULL when the file is empty
  size_t size;
  void *held;                  // by the call, see rt_object
} FileMap;

bool file_is_regular(const char *path);
bool file_is_dir(const char *path);
// DIR/NAME, to be freed with rt_free.
char *file_join(const char *dir, const char *name);
// The directory part of path ("." when there is none), to be freed likewise.
char *file_dirname(const char *path);
// Makes a directory and those above it.
bool file_make_dirs(const char *path, RtError *e);

// Calls each for what is in a directory, "." and ".." excepted; fd is the directory's. Wants no memory, and neither
// must each. False with errno.
bool file_each(const char *dir, void (*each)(void *user, int fd, const char *name), void *user);

// Which file it was, and of when.
typedef struct FileStamp {
  uint64_t device, inode, size;
  int64_t seconds, nanoseconds;
} FileStamp;
// Whether path is still that file, and was written to since. (Another file in its place changes nothing for who has the first one open or mapped.)
bool file_rewritten(const char *path, const FileStamp *of);

// A regular file open for reading, an object of the call: rt_end closes it.
typedef struct FileIn {
  int fd;
  size_t size;
  FileStamp stamp;
} FileIn;
FileIn *file_in_open(const char *path, RtError *e);
// A directory held open, likewise. What is read through it belongs together, even when another directory takes its name meanwhile.
typedef struct FileDir {
  int fd;
} FileDir;
FileDir *file_dir_open(const char *path, RtError *e);
bool file_dir_replaced(const FileDir *d, const char *path);
// File `name` in it (NULL: a path); path: what errors call it.
FileIn *file_in_open_at(const FileDir *dir, const char *name, const char *path, RtError *e);
// Bytes [at, at + n) of it; false with errno, which is 0 where the file ends before.
bool file_in_read(const FileIn *in, void *out, size_t n, size_t at);

// Maps a regular file for reading. Mapped weights are never copied: one that is cut short by others meanwhile raises SIGBUS when what is gone
// is read, which commands/signals.c answers.
bool file_in_map(FileMap *m, const FileIn *in, const char *path, RtError *e);
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
// Syncs the directory that path is in, where that can be; false with errno.
bool file_sync_dir_of(const char *path);
bool file_save(const char *path, const void *data, size_t n, RtError *e);
// Whether all that was printed to a stream so far has been written; false and an error (RT_ABOUT_READER for a pipe that nobody reads) otherwise.
bool file_flush(FILE *f, const char *name, RtError *e);
#endif
