// What is remembered from one command to the next: files of the user's cache directory, $XDG_CACHE_HOME/calm or ~/.cache/calm. A name says all that its
// content depends on, so that what is stale is never found and nothing is locked; all of it may be removed at any time.
#ifndef CALM_RUNTIME_CACHE_H
#define CALM_RUNTIME_CACHE_H
#include "runtime/files/file.h"

// The directory, held open and made when missing. What is remembered there is believed, so it has to be one that nobody but this user may write to.
// NULL when there is no such place, which is no error.
FileDir *cache_open(void);
// A file of it that is this user's alone; NULL. rt_end is due.
FileIn *cache_find(const FileDir *cache, const char *name);
// It was of use just now (cache_trim).
void cache_used(const FileIn *in);
// Removes files of this user's whose names begin so, the longest unused first, until all of them take `most` bytes or less.
void cache_trim(const FileDir *cache, const char *begin, int64_t most);
#endif
