// A file of text by its lines: where each that is not blank begins, in 8 bytes a line, found in one reading together with the file's SHA-256. The index of
// a large file is kept in the user's cache directory under that hash, so that a second start reads none of the file. No line is held: each is read when it is
// asked for, from the file as it was opened.
#ifndef CALM_RUNTIME_LINES_H
#define CALM_RUNTIME_LINES_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/files/sha256.h"

// From line `first` on (of those kept, counted from 0) so many blank ones stood before.
typedef struct LineGap {
  int64_t first, blank;
} LineGap;

typedef struct Lines {
  char *path;
  FileIn *in;
  FileSum sum;                 // of what the file holds
  int64_t n;                   // lines that are not blank: with more in them than spaces, tabs and CRs (a byte order mark before the first aside)
  const uint64_t *at;          // where each begins; at[n] is the file's size
  const LineGap *gap;          // ascending
  int64_t ngap;
  bool augments;               // "augment", with its quotes, stands in it: augments may have texts of their own there
  bool talks;                  // and likewise "messages", "conversations" or "instruction", as in rows of conversations
  int64_t longest;             // bytes of the longest, with what stands between it and the next
  bool remembered;             // the index came from the cache
  FileMap map;                 // that it lies in then; else made_* below
  uint64_t *made_at;
  LineGap *made_gap;
} Lines;

// Files from this size on have their index remembered; smaller ones are read again as fast.
enum { LINES_KEPT_FROM = 1 << 20 };

// Says how far it is (rt_progress), and can be asked to stop. An index that is spoilt, or of something else, is told of and made again. False and an error.
// piped: the file may be standard input ("-") or a pipe (piped.h).
bool lines_open(Lines *l, const char *path, bool piped, RtError *e);
void lines_close(Lines *l);
// Its number in the file, from 1, blank ones counted.
int64_t lines_number(const Lines *l, int64_t i);

// Room for a line, of one thread; zero before its first use, freed with rt_free(s).
typedef struct LineText {
  char *s;                     // n bytes, without the newline
  size_t n, cap;
} LineText;
// Reads line i. False and an error, also where the file was written to since it was opened. Any number of threads may read, each with its own text.
bool lines_text(const Lines *l, int64_t i, LineText *t, RtError *e);
// The file's first bytes, at most n of them; how many.
size_t lines_begin(const Lines *l, char *out, size_t n);
#endif
