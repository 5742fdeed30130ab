// Writing: the one door for what is to last. A file or a directory is made whole under another name and then takes its place, so that a reader sees the
// old content or the new, never a half. Those names are random, and nothing that stands there is ever used: what a stranger put beside a result,
// a link to elsewhere above all, is not followed. What the user names may be a link, and is written where that leads.
#ifndef CALM_RUNTIME_OUT_H
#define CALM_RUNTIME_OUT_H
#include <limits.h>
#include <stdio.h>

#include "runtime/files/file.h"

// Everything goes to a file of its own beside the one meant; commit syncs and renames it. On an error (a full disk included) it is removed and what
// was there is as it was. After a failed write or commit the FileOut is gone. A device, a pipe and standard output are written in place.
typedef struct FileOut FileOut;
FileOut *file_out_open(const char *path, RtError *e);
// File `name` in a directory that is held open (NULL: a path); path: what errors call it. The directory stays open until the end.
FileOut *file_out_open_at(const FileDir *dir, const char *name, const char *path, RtError *e);
bool file_out_write(FileOut *f, const void *data, size_t n, RtError *e);
bool file_out_commit(FileOut *f, RtError *e);
void file_out_abandon(FileOut *f);
bool file_save(const char *path, const void *data, size_t n, RtError *e);

// A directory beside path, in which something is made: its name, to be freed with rt_free. NULL and an error.
char *file_tmp_dir(const char *path, RtError *e);
// Whether a name in a directory is one that was made so for `of`: OF.tmp. and 16 digits. Under a lock on the directory these are leftovers.
bool file_is_tmp(const char *name, const char *of);

// The rest wants no memory, and says why by errno.
//
// Where what is written to path belongs: path, or what it leads to when it is a link, which need not be there yet.
bool file_target(const char *path, char out[PATH_MAX]);
// A file that is written where it stands: a device, a pipe (whose reader has two seconds to come), or what standard output or error is anyway. -1 and
// errno 0: it is nothing of the kind, and is replaced.
int file_open_in_place(const char *path);
// errno in words, after one of these.
const char *file_why(int why);
// Whether a file that is written would take the place of one that is read: `in` is the same file (by device and inode), or a directory with that file.
bool file_is_input(const char *out, const char *in);
// How a kind of file is known that calm makes: by what stands at a place of it, and (within, unless NULL) anywhere in it.
typedef struct FileMark {
  size_t at;
  const char *says, *within;
} FileMark;
bool file_is_of(const char *path, const FileMark *kind, int n);               // whether it can be read and is of one of n kinds
// Whether a file that is written takes the place of nothing of a user's: nothing is at path, no regular file, an empty one, what standard
// output or error goes to anyway, or one of n kinds, together called `what`. False and an error.
bool file_takes_place(const char *path, const char *what, const FileMark *kind, int n, RtError *e);
// Whether path, which need not be there yet, is directory `in` or would be made in it, however deep (by device and inode).
bool file_lies_in(const char *path, const char *in);
// Syncs the directory that path is in, where that can be; false with errno.
bool file_sync_dir_of(const char *path);

// Whether all that was printed to a stream so far has been written; false and an error (RT_ABOUT_READER for a pipe that nobody reads) otherwise.
bool file_flush(FILE *f, const char *name, RtError *e);
#endif
