// Source files: kept whole, so that a diagnostic can show the line. See source.h.
#include "dsl/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dsl/utf8.h"
#include "runtime/abi/abi.h"

enum { MAX_SPEC = 16 << 20 };   // a spec is hand-written text; a larger file is a mistake (a weight file, say)

void sources_init(Sources *s, Arena *a) {
  *s = (Sources){.arena = a};
  Source nowhere = {"", "", 0, NULL};
  ARENA_PUSH(a, s->v, s->n, s->cap, nowhere);
}

uint32_t sources_add(Sources *s, const char *path, const char *text, size_t len) {
  size_t mark = len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0;     // a byte order mark is no text: columns count from behind it
  text += mark, len -= mark;
  Source src = {arena_strdup(s->arena, path), arena_strndup(s->arena, text, len), len, NULL};
  ARENA_PUSH(s->arena, s->v, s->n, s->cap, src);
  return (uint32_t)(s->n - 1);
}

static uint32_t read_open(Sources *s, const char *path, FILE *f, const char **why) {
  size_t n = 0, cap = 4096;
  char *text = arena_alloc(s->arena, cap, 1);
  for (size_t got; (got = fread(text + n, 1, cap - n, f)) > 0;) {
    n += got;
    if (n > MAX_SPEC) {
      *why = "it is larger than 16 MiB, so it cannot be a .calm file";
      return 0;
    }
    if (n == cap) {
      text = arena_grow(s->arena, text, n, cap * 2, 1);
      cap *= 2;
    }
  }
  if (ferror(f)) {
    *why = arena_strdup(s->arena, strerror(errno));
    return 0;
  }
  const char *other = text_instead(text, n);
  if (other) {
    *why = arena_strdup(s->arena, other);
    return 0;
  }
  size_t bad = utf8_check(text, n);
  if (bad != n) {
    *why = utf8_explain(s->arena, text, bad);
    return 0;
  }
  return sources_add(s, path, text, n);
}

uint32_t sources_read(Sources *s, const char *path, const char **why) {
  struct stat st;
  const char *found;
  int fd = regular_open(AT_FDCWD, path, &st, &found);
  FILE *f = fd >= 0 ? fdopen(fd, "rb") : NULL;
  if (!f) {
    *why = found ? arena_printf(s->arena, "it is %s, not a regular file", found) : arena_strdup(s->arena, strerror(errno));
    if (fd >= 0) close(fd);
    return 0;
  }
  uint32_t file = read_open(s, path, f, why);
  fclose(f);
  return file;
}

void sources_line_col(const Sources *s, Loc loc, int *line, int *col) {
  const Source *src = &s->v[loc.file];
  size_t at = loc.begin < src->len ? loc.begin : src->len, start = 0;
  *line = 1;
  for (size_t i = 0; i < at; i++)
    if (src->text[i] == '\n') {
      ++*line;
      start = i + 1;
    }
  *col = (int)(at - start) + 1;
}
