// Files as the readers need them. An open never waits, and what is no regular file (a pipe, a directory, a device) is refused by name. Writing: out.h.
#ifndef CALM_RUNTIME_FILE_H
#define CALM_RUNTIME_FILE_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct FileMap {
  const uint8_t *data;         // NULL when the file is empty
  size_t size;
  void *held;                  // by the call, see rt_object
} FileMap;

bool file_is_regular(const char *path);
// Whether anything has this name, a link that leads nowhere or a pipe too: what may be missing is opened where this says so, and refused there if need be.
bool file_is_there(const char *path);
bool file_is_dir(const char *path);
// DIR/NAME, to be freed with rt_free.
char *file_join(const char *dir, const char *name);
// The directory part of path ("." when there is none), to be freed likewise.
char *file_dirname(const char *path);
// The same file from whatever folder: the path itself, behind the folder of now where it is relative; to be freed likewise.
char *file_absolute(const char *path);
// Makes a directory and those above it.
bool file_make_dirs(const char *path, RtError *e);

// Calls each for what is in a directory, "." and ".." excepted; fd is the directory's. Wants no memory, and neither
// must each. False with errno.
bool file_each(const char *dir, void (*each)(void *user, int fd, const char *name), void *user);
bool file_each_at(int at_dir, const char *dir, void (*each)(void *user, int fd, const char *name), void *user);      // dir: a name in at_dir

// Which file it was, and of when.
typedef struct FileStamp {
  uint64_t device, inode, size;
  int64_t seconds, nanoseconds;
} FileStamp;
// False, and what befell it, where path is still that file and was written to or cut since. (Another file in its place changes nothing for who has
// the first one open or mapped.)
bool file_unchanged(const char *path, const FileStamp *of, RtError *e);

// A regular file open for reading, an object of the call: rt_end closes it. This is how every file is opened that calm did not just write itself.
typedef struct FileIn {
  int fd;
  size_t size;
  FileStamp stamp;
} FileIn;
FileIn *file_in_open(const char *path, RtError *e);
// The same file once more: NULL where path is another one by now, was written to since, or does not open.
FileIn *file_in_again(const char *path, const FileStamp *of);
// The same of an open descriptor, which is its own now (-1: none); file_in_look says how large and of when it is now: false with errno.
FileIn *file_in_of(int fd);
bool file_in_look(FileIn *in);
// Whether the open file is as it was when it was opened, by size and time of change.
bool file_in_stands(const FileIn *in);
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
bool file_read_at(int fd, void *out, size_t n, size_t at);                   // likewise, of an open file

// Maps a regular file for reading. Mapped weights are never copied: one that is cut short by others meanwhile raises SIGBUS when what is gone
// is read, which commands/signals.c answers.
bool file_in_map(FileMap *m, const FileIn *in, const char *path, RtError *e);
// The same pages for all who map it so: what others write to the file is seen.
bool file_in_share(FileMap *m, const FileIn *in, const char *path, RtError *e);
bool file_map(FileMap *m, const char *path, RtError *e);
void file_unmap(FileMap *m);
#endif
