// What ends a process and with which words, each in a child: a mapped file that became shorter, on the main thread and on one of the pool; a full
// stack; a second signal. A fault of another kind stays a crash. Closed streams are no files of later.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/commands/signals.h"
#include "runtime/commands/streams.h"
#include "runtime/files/file.h"
#include "runtime/machine/pool.h"

static char path[] = "/tmp/calm-signals-XXXXXX", said[4096];
enum { PAGES = 8 << 12 };

// The status of a child that does it; what it said on standard error is in `said`.
static int child(void (*does)(void)) {
  int pipe_[2], status;
  assert_int_equal(pipe(pipe_), 0);
  fflush(stdout), fflush(stderr);
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    alarm(60);
    signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL);           // cmocka's
    dup2(pipe_[1], STDERR_FILENO);
    close(pipe_[0]), close(pipe_[1]);
    signals_open();
    does();
    _exit(0);
  }
  close(pipe_[1]);
  size_t n = 0;
  for (ssize_t k; n < sizeof said - 1 && (k = read(pipe_[0], said + n, sizeof said - 1 - n)) > 0;) n += (size_t)k;
  said[n] = 0;
  close(pipe_[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static void ended(int status, int code) {
  if (!WIFEXITED(status) || WEXITSTATUS(status) != code) fail_msg("wait status 0x%x, expected exit status %d: %s", (unsigned)status, code, said);
}

static const volatile uint8_t *map_and_cut(void) {
  FileMap m;
  RtError e;
  char room[PAGES] = {1};
  int fd = open(path, O_WRONLY | O_TRUNC);
  if (write(fd, room, sizeof room) != PAGES || !file_map(&m, path, &e) || ftruncate(fd, 4096) != 0) _exit(9);
  return m.data;
}

static void reads(void) {
  const volatile uint8_t *p = map_and_cut();
  if (p[0] != 1) _exit(9);
  _exit(p[PAGES - 1] ? 8 : 7);
}

static void task(int64_t n, const int64_t *args, void *scratch) {
  (void)n, (void)scratch;
  if (gettid() == getpid()) sleep(50);             // until the other thread has the other task
  _exit(((const volatile uint8_t *)args[0])[PAGES - 1] ? 8 : 7);
}

static void reads_in_pool(void) {
  int64_t args[] = {(int64_t)map_and_cut()};
  RtPool *p = pool_new(2, 64);
  pool_run(p, task, 2, args);
}

static void cut_file(void **state) {
  (void)state;
  void (*const way[])(void) = {reads, reads_in_pool};
  for (int i = 0; i < 2; i++) {
    ended(child(way[i]), 1);
    char want[256];
    snprintf(want, sizeof want, "error: %s: it became shorter, or could not be read any more, while it was in use\n", path);
    assert_string_equal(said, want);
  }
}

static int deeper(volatile const char *from, int n) {
  volatile char room[3000];
  room[n % 3000] = from[n % 7];
  return n < 0 ? 0 : deeper(room, n + 1) + room[(n + 1) % 3000];
}

static void recurses(void) {
  char start[8] = "abcdefg";
  _exit(deeper(start, 0) ? 8 : 7);
}

static void full_stack(void **state) {
  (void)state;
  ended(child(recurses), 1);
  assert_non_null(strstr(said, "error: out of stack"));
}

static void writes_nowhere(void) {
  void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *(volatile char *)p = 1;
}
static void is_sent_one(void) {
  raise(SIGBUS);
  _exit(0);
}

static void crashes(void **state) {
  (void)state;
  void (*const way[])(void) = {writes_nowhere, is_sent_one};
  for (int i = 0; i < 2; i++) {
    int status = child(way[i]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == (i ? SIGBUS : SIGSEGV));
    assert_string_equal(said, "");
  }
}

static void asks_once(void) {
  signals_ask();
  raise(SIGTERM);
  _exit(signals_asked() == SIGTERM ? 3 : 4);
}
static void asks_twice(void) {
  signals_ask();
  raise(SIGINT);
  raise(SIGTERM);
  _exit(3);
}

static void asked(void **state) {
  (void)state;
  ended(child(asks_once), 3);
  assert_string_equal(said, "stopping after this step; again to stop at once\n");
  int status = child(asks_twice);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void closes_all(void) {
  RtError e;
  close(0), close(1);
  streams_open();
  int fd = open(path, O_RDONLY);
  if (fd <= STDERR_FILENO) _exit(2);
  printf("words");
  if (streams_written(&e)) _exit(4);
  fprintf(stderr, "%s", e.text);
  _exit(3);
}

static void closed_streams(void **state) {
  (void)state;
  ended(child(closes_all), 3);
  assert_string_equal(said, "cannot write standard output: it is closed");
}

static int start(void **state) {
  (void)state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}
static int end(void **state) { return (void)state, unlink(path); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cut_file), cmocka_unit_test(full_stack), cmocka_unit_test(crashes), cmocka_unit_test(asked),
                                     cmocka_unit_test(closed_streams)};
  return cmocka_run_group_tests(tests, start, end);
}
