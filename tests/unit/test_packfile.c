// Pack files (files/packfile.h): what is written is read again; one that was cut, or any byte of whose frame is another, is refused by name before anything
// of it is used, and packfile_check sees every other byte.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static char dir[] = "/tmp/calm-test-packfile-XXXXXX", path[64];

static int make_dir(void **state) {
  (void)state;
  if (!mkdtemp(dir)) return 1;
  snprintf(path, sizeof path, "%s/a.pack", dir);
  return 0;
}

static int remove_dir(void **state) {
  (void)state;
  unlink(path);
  return rmdir(dir);
}

enum { LONG = 3 * PACKFILE_PAGE + 17 };

static void make(void) {
  RtError e;
  uint8_t *bytes = rt_alloc(LONG, 1);
  for (size_t i = 0; i < LONG; i++) bytes[i] = (uint8_t)(i * 7);
  json_t *about = json_pack("{s:s}", "calm", "test");
  PackOut *o = packfile_begin(path, &e);
  assert_non_null(o);
  assert_true(packfile_add(o, "long", &e) && packfile_write(o, bytes, 100, &e) && packfile_write(o, bytes + 100, LONG - 100, &e));
  assert_true(packfile_add(o, "empty", &e) && packfile_add(o, "short", &e) && packfile_write(o, "x", 1, &e));
  if (!packfile_commit(o, about, &e)) fail_msg("%s", e.text);
  json_decref(about);
  rt_free(bytes);
}

static uint8_t *read_all(size_t *n) {
  FileMap m;
  RtError e;
  assert_true(file_map(&m, path, &e));
  uint8_t *all = rt_alloc(*n = m.size, 1);
  memcpy(all, m.data, m.size);
  file_unmap(&m);
  return all;
}

static void save(const void *data, size_t n) {
  RtError e;
  assert_true(file_save(path, data, n, &e));
}

static void refused(const char *part) {
  RtError e;
  PackFile *p = packfile_open(path, &e);
  if (p) fail_msg("opened, expected: %s", part);
  if (!strstr(e.text, part) || !strstr(e.text, path)) fail_msg("expected \"%s\" in: %s", part, e.text);
}

static int64_t bad_bytes(void) {
  RtError e;
  SumsFound found = {.says = json_array()};
  if (!packfile_check(path, &found, &e)) fail_msg("%s", e.text);
  json_decref(found.says);
  return found.bad;
}

static void round_trip(void **state) {
  (void)state;
  RtError e;
  size_t n;
  make();
  PackFile *p = packfile_open(path, &e);
  if (!p) fail_msg("%s", e.text);
  const uint8_t *s = packfile_section(p, "long", &n);
  assert_int_equal(n, LONG);
  for (size_t i = 0; i < n; i++) assert_int_equal(s[i], (uint8_t)(i * 7));
  assert_int_equal((uintptr_t)s % PACKFILE_PAGE, 0);
  assert_non_null(packfile_section(p, "empty", &n));
  assert_int_equal(n, 0);
  s = packfile_section(p, "short", &n);
  assert_true(n == 1 && s[0] == 'x');
  assert_null(packfile_section(p, "other", &n));
  assert_string_equal(json_string_value(json_object_get(packfile_about(p), "calm")), "test");
  assert_true(packfile_unchanged(p, &e) && packfile_is(path) && bad_bytes() == 0);
  packfile_close(p);
}

static void written_to(void **state) {
  (void)state;
  RtError e;
  make();
  size_t n;
  uint8_t *all = read_all(&n);
  PackFile *p = packfile_open(path, &e);
  if (!p) fail_msg("%s", e.text);
  struct timespec then[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
  assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
  assert_false(packfile_unchanged(p, &e));
  assert_non_null(strstr(e.text, "it was written to while it was in use"));
  assert_int_equal(truncate(path, (off_t)n - 1), 0);
  assert_false(packfile_unchanged(p, &e));
  assert_non_null(strstr(e.text, "it became shorter while it was in use"));
  save(all, n);                                                  // another file in its place is nothing to whom has the first one mapped
  assert_true(packfile_unchanged(p, &e));
  packfile_close(p);
  rt_free(all);
}

static void abandoned(void **state) {
  (void)state;
  RtError e;
  unlink(path);
  PackOut *o = packfile_begin(path, &e);
  assert_true(o && packfile_add(o, "a", &e) && packfile_write(o, "abc", 3, &e));
  packfile_abandon(o);
  assert_false(file_is_there(path));
  assert_null(packfile_begin("/nowhere/a.pack", &e));
  assert_non_null(strstr(e.text, "/nowhere/a.pack"));
}

static void cut(void **state) {
  (void)state;
  size_t n;
  make();
  uint8_t *all = read_all(&n);
  for (size_t keep = 0; keep < n; keep += keep < 64 || n - keep < 200 ? 1 : 97) {
    save(all, keep);
    refused(keep < 16 ? "is no pack file" : "cut off or never finished");
  }
  rt_free(all);
}

// Every byte of the frame, and then every other one.
static void flipped(void **state) {
  (void)state;
  size_t n, opened = 0;
  RtError e;
  make();
  uint8_t *all = read_all(&n);
  for (size_t i = 0; i < n; i += i < 16 || n - i < 700 ? 1 : 61) {
    all[i] ^= 1;
    save(all, n);
    PackFile *p = packfile_open(path, &e);
    if (p) {
      packfile_close(p);
      opened++;
      if (!bad_bytes()) fail_msg("byte %zu of %zu is another, and nobody says so", i, n);
    } else if (!strstr(e.text, path)) {
      fail_msg("byte %zu: %s", i, e.text);
    }
    if (p && (i < 16 || i >= n - 88)) fail_msg("opened with byte %zu of %zu changed", i, n);
    all[i] ^= 1;
  }
  assert_true(opened > 50);
  all[8]++, save(all, n), refused("format"), all[8]--;
  all[12]++, save(all, n), refused("byte order");
  rt_free(all);
}

// A frame that hangs together, around sections that do not lie in the file.
static void sections(void **state) {
  (void)state;
  static const char *const lists[][2] = {
    {"[]", "\"sections\": expected an object"}, {"{\"a\":5}", "does not lie"}, {"{\"a\":{\"at\":4096,\"bytes\":-1}}", "bytes"},
    {"{\"a\":{\"at\":4096,\"bytes\":9000000000000000000,\"sha256\":\"%s\"}}", "does not lie"},
    {"{\"a\":{\"at\":0,\"bytes\":1,\"sha256\":\"%s\"}}", "does not lie"}, {"{\"a\":{\"at\":4100,\"bytes\":1,\"sha256\":\"%s\"}}", "does not lie"},
    {"{\"a\":{\"at\":4096,\"bytes\":4097,\"sha256\":\"%s\"}}", "does not lie"}, {"{\"a\":{\"at\":4096,\"bytes\":1,\"sha256\":\"short\"}}", "does not lie"},
    {"{\"a\":{\"at\":4096,\"bytes\":1,\"sha256\":\"%s\"},\"b\":{\"at\":4096,\"bytes\":1,\"sha256\":\"%s\"}}", "does not lie"},
    {"{}", "in no section"}, {"{\"a\":{\"at\":1.5,\"bytes\":1}}", "at"},
  };
  char zeros[SHA256_HEX], hex[SHA256_HEX];
  memset(zeros, '0', sizeof zeros - 1), zeros[SHA256_HEX - 1] = 0;
  size_t n;
  make();
  uint8_t *all = read_all(&n);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    char list[512], about[600];
    uint8_t file[3 * PACKFILE_PAGE] = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(list, sizeof list, lists[i][0], zeros, zeros);
#pragma GCC diagnostic pop
    snprintf(about, sizeof about, "{\"sections\":%s}", list);
    uint64_t at = 2 * PACKFILE_PAGE, bytes = strlen(about), end = at + bytes;
    sha256_of(about, bytes, hex);
    memcpy(file, all, PACKFILE_PAGE);
    memcpy(file + at, about, bytes);
    memcpy(file + end, &at, 8), memcpy(file + end + 8, &bytes, 8), memcpy(file + end + 16, hex, 64), memcpy(file + end + 80, all + n - 8, 8);
    save(file, end + 88);
    refused(lists[i][1]);
  }
  rt_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(written_to), cmocka_unit_test(abandoned), cmocka_unit_test(cut),
                                     cmocka_unit_test(flipped), cmocka_unit_test(sections)};
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
