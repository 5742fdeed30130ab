// Source files and locations. A location is a file index and a byte range; lines and columns are computed only when
// shown.
#ifndef CALM_DSL_SOURCE_H
#define CALM_DSL_SOURCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsl/base/arena.h"

typedef struct Loc {
  uint32_t file;         // index into Sources; 0 = "no place" (made by the compiler)
  uint32_t begin, end;   // byte range [begin, end)
} Loc;

typedef struct Source {
  const char *path;      // as the user named it; "<std>/nn.calm" for the embedded library
  const char *text;      // NUL-terminated
  size_t len;
  const char *instead;   // what messages name in place of a text that nobody wrote (path is ""); NULL
} Source;

typedef struct Sources {
  Arena *arena;
  Source *v;             // v[0] is an empty place-holder, so that Loc{0} means nowhere
  int n, cap;
} Sources;

void sources_init(Sources *s, Arena *a);
// Adds text under path; returns its index. The text is copied.
uint32_t sources_add(Sources *s, const char *path, const char *text, size_t len);
// Reads a file. Returns 0 and sets *why (arena) when it cannot be read, is not UTF-8, or holds a NUL byte.
uint32_t sources_read(Sources *s, const char *path, const char **why);
// 1-based line and column (columns count bytes) of the beginning of loc.
void sources_line_col(const Sources *s, Loc loc, int *line, int *col);
#endif
