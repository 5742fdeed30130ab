// The doors of files: what is no regular file is refused by name and never waited for; what is written takes its place whole, through a name that nobody can
// foresee, follows the user's links and nobody else's; and what is remembered is believed only from a directory of one's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/files/files.h"

static char dir[64];

static int make_dir(void **state) {
  (void)state;
  strcpy(dir, "/tmp/calm-test-files-XXXXXX");
  alarm(60);                                       // whatever waits for a pipe ends here
  return mkdtemp(dir) ? 0 : 1;
}

static int remove_dir(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", dir);
  return system(command);
}

static const char *at(const char *name) {
  static char path[8][512];
  static int k;
  k = (k + 1) % 8;
  snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
  return path[k];
}

static void put(const char *name, const char *text) {
  FILE *f = fopen(at(name), "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void assert_holds(const char *name, const char *text) {
  char all[256];
  FILE *f = fopen(at(name), "r");
  assert_non_null(f);
  all[fread(all, 1, sizeof all - 1, f)] = 0;
  fclose(f);
  assert_string_equal(all, text);
}

static bool save(const char *name, const char *text, RtError *e) { return file_save(at(name), text, strlen(text), e); }

static void count_one(void *n, int fd, const char *name) {
  (void)fd, (void)name;
  ++*(int *)n;
}
static int entries(void) {
  int n = 0;
  assert_true(file_each(dir, count_one, &n));
  return n;
}

static void make_socket(const char *name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof a.sun_path, "%s", at(name));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
  close(fd);
}

static void no_file_is_read(void **state) {
  (void)state;
  assert_int_equal(mkfifo(at("pipe"), 0600), 0);
  assert_int_equal(mkdir(at("folder"), 0700), 0);
  assert_int_equal(symlink("pipe", at("to_pipe")), 0);
  assert_int_equal(symlink("/dev/zero", at("to_device")), 0);
  make_socket("socket");
  static const struct { const char *name, *is; } none[] = {
      {"pipe", "a pipe"}, {"to_pipe", "a pipe"}, {"folder", "a directory"}, {"socket", "a socket"}, {"to_device", "a device"}};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    RtError e;
    FileMap m;
    char hex[SHA256_HEX];
    assert_false(file_map(&m, at(none[i].name), &e));
    assert_non_null(strstr(e.text, none[i].is));
    assert_non_null(strstr(e.text, none[i].name));
    assert_false(sha256_file(at(none[i].name), hex, &e));
    assert_null(rtj_object_file(at(none[i].name), 0, &e));
    assert_null(st_open_file(at(none[i].name), true, &e));
    assert_true(file_is_there(at(none[i].name)) && !file_is_regular(at(none[i].name)));
  }
  assert_false(file_is_there(at("missing")) || file_is_there(at("pipe/below")));
}

// Files that a model directory may lack are not taken for missing when they are there as something else.
static void optional_files(void **state) {
  (void)state;
  static const char *const name[] = {"generation_config.json", "tokenizer_config.json", "config.json"};
  put("config.json", "{}");
  put("tokenizer.json", "{}");
  RtError e;
  HfDir *h = hfdir_open(dir, &e);
  assert_non_null(h);
  hfdir_free(h);
  for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
    unlink(at(name[i]));
    assert_int_equal(mkfifo(at(name[i]), 0600), 0);
    assert_null(hfdir_open(dir, &e));
    assert_true(strstr(e.text, name[i]) && strstr(e.text, "a pipe"));
    unlink(at(name[i]));
    if (i == 0) put("config.json", "{}");
  }
  assert_int_equal(mkdir(at("model.safetensors"), 0700), 0);
  assert_null(st_open_dir(dir, true, &e));
  assert_true(strstr(e.text, "model.safetensors") && strstr(e.text, "a directory"));
}

// The name that a stranger could foresee (the number of a process), as a link to something dear.
static void planted_names(void **state) {
  (void)state;
  char tmp[64];
  RtError e;
  int before = entries();
  put("dear", "dear");
  snprintf(tmp, sizeof tmp, "out.tmp.%ld", (long)getpid());
  assert_int_equal(symlink("dear", at(tmp)), 0);
  assert_true(save("out", "new", &e));
  assert_holds("out", "new");
  assert_holds("dear", "dear");
  assert_int_equal(entries(), before + 3);
  assert_false(file_is_tmp(tmp, "out"));
  char *made = file_tmp_dir(at("out"), &e), *again = file_tmp_dir(at("out"), &e);
  assert_true(made && again && strcmp(made, again) && file_is_dir(made) && file_is_dir(again));
  assert_true(file_is_tmp(strrchr(made, '/') + 1, "out"));
  assert_false(file_is_tmp(strrchr(made, '/') + 1, "ou"));
  assert_true(rmdir(made) == 0 && rmdir(again) == 0);
  rt_free(made), rt_free(again);
  assert_null(file_tmp_dir(at("nowhere/x"), &e));
}

// What the user names may be a link: it stays, and what it leads to is written, whether that is there yet or not.
static void named_links(void **state) {
  (void)state;
  RtError e;
  char target[PATH_MAX];
  put("real", "old");
  assert_int_equal(symlink("real", at("link")), 0);
  assert_int_equal(symlink(at("link"), at("link_to_link")), 0);
  assert_true(save("link_to_link", "new", &e));
  assert_holds("real", "new");
  assert_int_equal(unlink(at("real")), 0);
  assert_true(save("link_to_link", "made", &e));
  assert_holds("real", "made");
  assert_true(readlink(at("link"), target, sizeof target) > 0);
  assert_int_equal(symlink("round", at("round")), 0);
  assert_false(save("round", "x", &e));
  assert_true(file_target(at("plain"), target));
  assert_string_equal(target, at("plain"));
}

static void no_file_is_replaced(void **state) {
  (void)state;
  RtError e;
  int before = entries();
  assert_false(save("folder", "x", &e));
  assert_non_null(strstr(e.text, "a directory"));
  assert_false(file_make_dirs("", &e));
  assert_false(save("pipe", "x", &e));             // nobody reads it
  assert_non_null(strstr(e.text, "nobody reads it"));
  assert_false(save("socket", "x", &e));
  assert_true(file_save("/dev/null", "x", 1, &e));
  assert_int_equal(entries(), before);
  struct stat st;
  assert_true(stat(at("pipe"), &st) == 0 && S_ISFIFO(st.st_mode));
  int reader = open(at("pipe"), O_RDONLY | O_NONBLOCK);
  char c = 0;
  assert_true(save("pipe", "x", &e) && read(reader, &c, 1) == 1 && c == 'x');
  close(reader);
}

// A hash of another file's content is put where one is looked for.
static void remembered_hashes(void **state) {
  (void)state;
  char name[256], hex[SHA256_HEX];
  struct stat st;
  RtError e;
  const char *abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", *lie = "0000000000000000000000000000000000000000000000000000000000000000";
  assert_int_equal(mkdir(at("cache"), 0700) + mkdir(at("cache/calm"), 0700), 0);
  assert_int_equal(setenv("XDG_CACHE_HOME", at("cache"), 1), 0);
  put("abc", "abc");
  assert_int_equal(stat(at("abc"), &st), 0);
  snprintf(name, sizeof name, "cache/calm/sha256-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
           (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
           (unsigned long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
  put(name, lie);
  static const struct { mode_t dir, file; bool believed; } row[] = {
      {0700, 0600, true}, {0755, 0644, true}, {0777, 0600, false}, {0770, 0600, false}, {0700, 0666, false}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    assert_int_equal(chmod(at("cache/calm"), row[i].dir) + chmod(at(name), row[i].file), 0);
    assert_true(sha256_file(at("abc"), hex, &e));
    assert_string_equal(hex, row[i].believed ? lie : abc);
  }
  chmod(at("cache/calm"), 0700);
  unlink(at(name));
  assert_int_equal(mkfifo(at(name), 0600), 0);
  assert_true(sha256_file(at("abc"), hex, &e));
  assert_string_equal(hex, abc);
  if (geteuid() == 0) {                            // another user's directory
    unlink(at(name));
    put(name, lie);
    assert_int_equal(chown(at("cache/calm"), 65534, 65534), 0);
    assert_true(sha256_file(at("abc"), hex, &e));
    assert_string_equal(hex, abc);
  }
}

// A lock's name taken by something that would be waited for.
static void locks(void **state) {
  (void)state;
  RtError e;
  Lock l;
  assert_int_equal(mkfifo(at("lock"), 0600), 0);
  assert_false(lock_is_held(at("lock"), "held", &e));
  assert_false(lock_take(&l, at("lock"), "held", &e));
  assert_non_null(strstr(e.text, "expected a lock"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_file_is_read), cmocka_unit_test(optional_files), cmocka_unit_test(planted_names), cmocka_unit_test(named_links),
      cmocka_unit_test(no_file_is_replaced), cmocka_unit_test(remembered_hashes), cmocka_unit_test(locks)};
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
