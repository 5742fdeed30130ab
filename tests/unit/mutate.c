// See mutate.h.
#include "mutate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dsl/base/buf.h"

uint32_t mutate_below(uint32_t *random, uint32_t n) {
  *random ^= *random << 13;
  *random ^= *random >> 17;
  *random ^= *random << 5;
  return *random % n;
}

// The piece [*from, *to) of a text to delete, double or move: a byte, or what stands between two places where tokens may meet.
static void choose_piece(uint32_t *random, const char *s, size_t n, size_t *from, size_t *to) {
  *from = mutate_below(random, (uint32_t)n);
  *to = *from + 1;
  if (mutate_below(random, 3) == 0) return;
  while (*from > 0 && !strchr(" \n()[]{},\"", s[*from - 1])) --*from;
  while (*to < n && !strchr(" \n()[]{},\"", s[*to])) ++*to;
}

static Buf change(uint32_t *random, const char *s, size_t n) {
  static const char *const junk[] = {"(", ")", "[", "]", "{", "}", "\"", "=", "->", "..", "fn ", "return ", "layers ",
                                     "connect ", "?", "weight?", "#", "\\u{", "1e", "\xc3", "\xff", " for ", " in ",
                                     "train {", "head(", ",", "|", "."};
  size_t a, b;
  choose_piece(random, s, n, &a, &b);
  Buf out = {0};
  buf_write(&out, s, a);
  switch (mutate_below(random, 5)) {
    case 0: break;                                               // delete
    case 1: buf_write(&out, s + a, b - a); buf_write(&out, s + a, b - a); break;
    case 2: buf_puts(&out, junk[mutate_below(random, sizeof junk / sizeof *junk)]); break;
    case 3: {                                                    // another piece instead
      size_t c, d;
      choose_piece(random, s, n, &c, &d);
      buf_write(&out, s + c, d - c);
      break;
    }
    default: buf_putc(&out, (char)mutate_below(random, 256));
  }
  buf_write(&out, s + b, n - b);
  return out;
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

void mutate_limits(void) {
  struct rlimit space = {2ul << 30, 2ul << 30}, now;
  struct rusage used;
  if (!SANITIZED) setrlimit(RLIMIT_AS, &space);
  if (getrusage(RUSAGE_SELF, &used) || getrlimit(RLIMIT_CPU, &now)) abort();
  now.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 60;
  setrlimit(RLIMIT_CPU, &now);
}

static void replace(char *text, const char *old, const char *new) {
  size_t n = strlen(old), m = strlen(new);
  for (char *at = text; n > m && (at = strstr(at, old)); at += m) {
    memcpy(at, new, m);
    memmove(at + m, at + n, strlen(at + n) + 1);
  }
}

void mutate_paths(char *text) {
  char here[4096];
  if (!getcwd(here, sizeof here)) abort();
  replace(text, here, "FOLDER");
}

char *mutate(uint32_t *random, const char *s, size_t n, size_t *m) {
  Buf now = {0};
  buf_write(&now, s, n);
  for (uint32_t k = 0, times = 1 + mutate_below(random, 4); now.n && k < times; k++) {
    Buf next = change(random, now.s, now.n);
    buf_free(&now);
    now = next;
  }
  *m = now.n;
  return now.s;
}
