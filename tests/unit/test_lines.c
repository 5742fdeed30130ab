// The index of a file's lines: offsets, numbers and texts against a reading byte by byte, of random files and at the edges of the pieces that it is read in; what
// is kept of it, spoilt, stale, or of another file; and a file that is written to while it is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include <cmocka.h>
#include <ftw.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static char dir[] = "/tmp/calm-test-lines-XXXXXX", path[128];

static void write_file(const char *text, size_t n) {
  FILE *f = fopen(path, "w");
  assert_true(f && fwrite(text, 1, n, f) == n && fclose(f) == 0);
}

static bool blank(const char *s, size_t n) {
  while (n && (*s == ' ' || *s == '\t' || *s == '\r')) s++, n--;
  return n == 0;
}

// Every line of text that is not blank, as a reader that holds it all finds them.
static void check(const char *text, size_t n) {
  RtError e;
  Lines l;
  LineText t = {0};
  int64_t k = 0, number = 0;
  if (!lines_open(&l, path, false, &e)) fail_msg("%s", e.text);
  for (const char *s = text, *end = text + n; s < end;) {
    const char *eol = memchr(s, '\n', (size_t)(end - s));
    size_t len = (size_t)((eol ? eol : end) - s), mark = ++number == 1 ? rt_utf8_bom(s, len) : 0;
    if (!blank(s + mark, len - mark)) {
      assert_true(k < l.n);
      assert_int_equal(l.at[k], s - text);
      assert_int_equal(lines_number(&l, k), number);
      if (!lines_text(&l, k, &t, &e)) fail_msg("%s", e.text);
      assert_int_equal(t.n, len);
      assert_memory_equal(t.s, s, len);
      assert_true(l.longest >= (int64_t)len);
      k++;
    }
    s = eol ? eol + 1 : end;
  }
  assert_int_equal(l.n, k);
  assert_int_equal(l.at[k], n);
  FileSum sum;
  assert_true(sha256_read(NULL, path, path, &sum, &e));
  assert_string_equal(sum.sha256, l.sum.sha256);
  assert_int_equal(sum.size, l.sum.size);
  rt_free(t.s);
  lines_close(&l);
}

static void random_files(void **state) {
  (void)state;
  static const char few[] = "\n\n\n\r \tab{}";
  char text[400];
  for (uint64_t round = 0; round < 3000; round++) {
    size_t n = (size_t)(rng_unit(round, 0) * sizeof text), from = 0;
    if (round % 5 == 0 && n >= 3) memcpy(text, "\xEF\xBB\xBF", 3), from = 3;
    for (size_t i = from; i < n; i++) text[i] = few[(size_t)(rng_unit(round, i + 1) * (sizeof few - 1))];
    write_file(text, n);
    check(text, n);
  }
}

// Lines that end, begin, and are blank at the edge of a piece.
static void edges(void **state) {
  (void)state;
  enum { PIECE = 1 << 20, MORE = 64 };
  char *text = malloc(2 * PIECE + MORE);
  for (int shift = -3; shift <= 3; shift++)
    for (int kind = 0; kind < 3; kind++) {
      size_t n = 2 * PIECE + MORE, at = (size_t)(PIECE + shift);
      memset(text, 'x', n);
      memcpy(text + at - 2, kind == 0 ? "\n\n" : kind == 1 ? "\n " : "y\n", 2);
      text[at] = kind == 1 ? '\n' : 'z';
      write_file(text, n);
      check(text, n);
    }
  free(text);
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at) { return (void)st, (void)type, (void)at, remove(name); }
static void forget(void) {
  char cache[160];
  snprintf(cache, sizeof cache, "%s/calm", dir);
  nftw(cache, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

// Rows of a file large enough to be kept, written so long ago that its hash is.
static size_t large(char **text) {
  size_t n = 0, room = LINES_KEPT_FROM + 4096;
  *text = malloc(room);
  for (int i = 0; n < LINES_KEPT_FROM; i++) n += (size_t)snprintf(*text + n, room - n, "%s{\"text\": \"row %d\"}\r\n", i % 1000 ? "" : "\n", i);
  write_file(*text, n);
  return n;
}

static char notes[4096];
static void note(void *user, const char *text) {
  (void)user;
  snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", text);
}

static bool remembered;
static bool open_once(void *user, RtError *e) {
  Lines l;
  (void)user;
  if (!lines_open(&l, path, false, e)) return false;
  remembered = l.remembered;
  lines_close(&l);
  return true;
}
static bool open_it(void) {
  const RtHost host = {.note = note};
  RtError e;
  notes[0] = 0;
  if (!rt_call(&host, open_once, NULL, &e)) fail_msg("%s", e.text);
  return remembered;
}

static char index_path[256];
static int find_index(const char *name, const struct stat *st, int type, struct FTW *at) {
  (void)type;
  if (strncmp(name + at->base, "rows-", 5) == 0 && st->st_size > 0) snprintf(index_path, sizeof index_path, "%s", name);
  return 0;
}
static void flip(const char *name, long place) {
  FILE *f = fopen(name, "r+");
  assert_true(f && fseek(f, place, place < 0 ? SEEK_END : SEEK_SET) == 0);
  int c = fgetc(f);
  fseek(f, -1, SEEK_CUR), fputc(c ^ 1, f), fclose(f);
}

static void kept(void **state) {
  (void)state;
  char *text;
  forget();
  size_t n = large(&text);
  sleep(3);                                        // what was changed a moment ago is not remembered
  assert_false(open_it());
  assert_true(open_it());
  check(text, n);
  assert_true(open_it());
  *index_path = 0;
  nftw(dir, find_index, 8, FTW_PHYS);
  assert_true(*index_path);
  static const long place[] = {0, 9, 20, 60, 120, 5000, -1, -100};
  for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
    flip(index_path, place[i]);
    assert_false(open_it());
    if (!strstr(notes, path) || !strstr(notes, "is spoilt, and is made again")) fail_msg("byte %ld: %s", place[i], notes);
    assert_true(open_it());
    assert_string_equal(notes, "");
    check(text, n);
  }
  struct stat st;
  stat(index_path, &st);
  assert_int_equal(truncate(index_path, st.st_size - 8), 0);
  assert_false(open_it());
  assert_non_null(strstr(notes, "is spoilt"));
  chmod(index_path, 0666);                         // anybody may have written that
  assert_false(open_it());
  // the same size and the same time, another content: lines lie elsewhere
  assert_int_equal(stat(path, &st), 0);
  text[40] = '\n';
  write_file(text, n);
  utime(path, &(struct utimbuf){st.st_mtime, st.st_mtime});
  assert_false(open_it());
  check(text, n);
  free(text);
}

static void written_to(void **state) {
  (void)state;
  RtError e;
  Lines l;
  LineText t = {0};
  write_file("{\"text\": \"a\"}\n{\"text\": \"b\"}\n", 28);
  assert_true(lines_open(&l, path, false, &e));
  assert_true(lines_text(&l, 1, &t, &e));
  assert_int_equal(truncate(path, 20), 0);
  assert_false(lines_text(&l, 1, &t, &e));
  assert_non_null(strstr(e.text, "was written to while it was read"));
  assert_false(lines_text(&l, 0, &t, &e));
  assert_non_null(strstr(e.text, "was written to while it was read"));
  lines_close(&l);
  // another file in its place is nothing to whom has the first one open
  assert_true(lines_open(&l, path, false, &e));
  assert_int_equal(unlink(path), 0);
  write_file("x\n", 2);
  assert_true(lines_text(&l, 0, &t, &e));
  assert_memory_equal(t.s, "{\"text\": \"a\"}", t.n);
  rt_free(t.s);
  lines_close(&l);
}

static int start(void **state) {
  (void)state;
  if (!mkdtemp(dir)) return -1;
  snprintf(path, sizeof path, "%s/rows.jsonl", dir);
  return setenv("XDG_CACHE_HOME", dir, 1);
}
static int end(void **state) {
  (void)state;
  return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_files), cmocka_unit_test(edges), cmocka_unit_test(kept), cmocka_unit_test(written_to)};
  return cmocka_run_group_tests(tests, start, end);
}
