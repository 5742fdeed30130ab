// Whatever is refused to a program, at whatever moment, it ends well: every allocation and map in turn, every file that it opens, everything that it
// writes. It goes on without, or answers with an error that says what ran out; nothing stays open, nothing stays allocated, no temporary file is
// left, and the checkpoint of before is whole. The linker sends this executable's own calls of the functions below to the __wrap_ ones here.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/abi/rt_abi.h"
#include "runtime/commands/commands.h"
#include "runtime/core/alloc.h"
#include "runtime/core/call.h"
#include "runtime/files/file.h"
#include "runtime/files/safetensors.h"
#include "runtime/rows/rows.h"
#include "runtime/text/tokenizer.h"

// ---- refusing

typedef enum Kind { MEMORY, FILES, WRITES } Kind;
static Kind kind;
static atomic_long countdown = -1;         // calls of that kind that are still served, of any thread; -1: all
static bool once;              // only that one is refused, not those after it
static bool kills;             // the process ends there, as kill -9 ends it
static atomic_long live;       // blocks of memory

static bool refused(Kind k, int why) {
  long left = countdown;
  if (k != kind) return false;
  do
    if (left < 0) return false;
  while (!atomic_compare_exchange_weak(&countdown, &left, left > 0 ? left - 1 : once ? -1 : 0));
  if (left > 0) return false;
  if (kills) _exit(128 + SIGKILL);
  errno = why;
  return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from);
int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_renameat(int in, const char *from, int at, const char *to);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat(int in, const char *from, int at, const char *to);

void *__wrap_malloc(size_t n) {
  void *p = refused(MEMORY, ENOMEM) ? NULL : __real_malloc(n);
  live += p != NULL;
  return p;
}
void *__wrap_calloc(size_t n, size_t size) {
  void *p = refused(MEMORY, ENOMEM) ? NULL : __real_calloc(n, size);
  live += p != NULL;
  return p;
}
void *__wrap_realloc(void *p, size_t n) {
  void *q = refused(MEMORY, ENOMEM) ? NULL : __real_realloc(p, n);
  live += !p && q;
  return q;
}
void __wrap_free(void *p) {
  live -= p != NULL;
  __real_free(p);
}
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from) {
  return refused(MEMORY, ENOMEM) ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, from);
}
int __wrap_open(const char *path, int flags, ...) {
  va_list ap;
  va_start(ap, flags);
  int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
  va_end(ap);
  return refused(FILES, EMFILE) ? -1 : __real_open(path, flags, mode);
}
int __wrap_openat(int dir, const char *path, int flags, ...) {
  va_list ap;
  va_start(ap, flags);
  int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
  va_end(ap);
  return refused(FILES, EMFILE) ? -1 : __real_openat(dir, path, flags, mode);
}
ssize_t __wrap_write(int fd, const void *p, size_t n) { return refused(WRITES, ENOSPC) ? -1 : __real_write(fd, p, n); }
int __wrap_fsync(int fd) { return refused(WRITES, EIO) ? -1 : __real_fsync(fd); }
int __wrap_rename(const char *from, const char *to) { return refused(WRITES, ENOSPC) ? -1 : __real_rename(from, to); }
int __wrap_renameat(int in, const char *from, int at, const char *to) { return refused(WRITES, ENOSPC) ? -1 : __real_renameat(in, from, at, to); }

// ---- looking

static long open_files(void) {
  DIR *d = opendir("/proc/self/fd");
  long n = 0;
  while (d && readdir(d)) n++;
  if (d) closedir(d);
  return n;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) { return (void)st, (void)type, (void)at, remove(path); }
static void remove_tree(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static int temporary(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return strstr(path, ".tmp.") ? 1 : 0;
}

static void copy_file(const char *from, const char *to) {
  char room[65536];
  FILE *in = fopen(from, "r"), *out = fopen(to, "w");
  assert_true(in && out);
  for (size_t n; (n = fread(room, 1, sizeof room, in)) > 0;) fwrite(room, 1, n, out);
  fclose(in), fclose(out);
}

static char said[65536];       // on standard error, by the last call

// ---- one trial: a command of the program, or a reader

typedef struct Trial {
  const char *name;
  char *words[24];             // a command line without the program's name; or
  bool (*reader)(void *user, RtError *e);
  bool resumes;                // it starts from a copy of run `before`
} Trial;

static const char *DIR_OUT = "out", *BEFORE = "before";

// Its exit status; a reader's as if it were a command.
static int perform(const Trial *t) {
  if (t->reader) {
    RtError e;
    if (rt_call(NULL, t->reader, NULL, &e)) return 0;
    fprintf(stderr, "error: %s\n", e.text);
    return 1;
  }
  RtProgram p = {.json = calm_program_json, .json_len = calm_program_json_len, .entries = calm_entries, .isas = calm_isas,
                 .isa_count = calm_isa_count, .scratch_bytes = calm_scratch_bytes, .entry_scratch = calm_entry_scratch};
  char *argv[26] = {"program"};
  int argc = 1;
  for (; t->words[argc - 1]; argc++) argv[argc] = t->words[argc - 1];
  return cli_main(&p, argc, argv);
}

static void prepare(const Trial *t) {
  static const char *const FILES_OF_RUN[] = {"last/theta.safetensors", "last/theta.json", "last/optimizer.safetensors", "best/theta.safetensors",
                                             "best/theta.json", "log.csv"};
  remove_tree(DIR_OUT);
  if (!t->resumes) return;
  char from[256], to[256];
  mkdir(DIR_OUT, 0777), mkdir("out/last", 0777), mkdir("out/best", 0777);
  for (size_t i = 0; i < sizeof FILES_OF_RUN / sizeof FILES_OF_RUN[0]; i++) {
    snprintf(from, sizeof from, "%s/%s", BEFORE, FILES_OF_RUN[i]), snprintf(to, sizeof to, "%s/%s", DIR_OUT, FILES_OF_RUN[i]);
    copy_file(from, to);
  }
}

// Performs it where `serves` calls of the kind are served, its streams going to files: what it said is in `said`. calls: how many it made, where
// none was refused (may be NULL).
static int try(const Trial *t, Kind k, long serves, bool single, long *calls) {
  int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), null = __real_open("/dev/null", O_WRONLY);
  int log = __real_open("said", O_RDWR | O_CREAT | O_TRUNC, 0666);
  fflush(stdout), fflush(stderr);
  dup2(null, STDOUT_FILENO), dup2(log, STDERR_FILENO);
  kind = k, once = single, countdown = serves;
  int status = perform(t);
  if (calls) *calls = serves - countdown;
  countdown = -1;
  fflush(stdout), fflush(stderr);
  ssize_t size = pread(log, said, sizeof said - 1, 0);
  said[size > 0 ? size : 0] = 0;
  dup2(out, STDOUT_FILENO), dup2(err, STDERR_FILENO);
  close(out), close(err), close(log), close(null);
  return status;
}

// Call n of the kind is refused, then (not `single`) all after it too.
static void refuse(const Trial *t, Kind k, long n, bool single, const char *says) {
  prepare(t);
  long files = open_files(), blocks = live;
  int status = try(t, k, n, single, NULL);
  if (status != 0 && (status != 1 || !strstr(said, "error: ") || !strstr(said, says)))
    fail_msg("%s, call %ld%s refused: status %d: %s", t->name, n, single ? "" : " and all after it", status, said);
  if (open_files() != files) fail_msg("%s, call %ld refused: %ld files open before, %ld after", t->name, n, files, open_files());
  if (live != blocks) fail_msg("%s, call %ld refused: %ld blocks before, %ld after", t->name, n, blocks, live);
  if (nftw(".", temporary, 8, FTW_PHYS)) fail_msg("%s, call %ld refused: a temporary file is left", t->name, n);
  Safetensors *s = NULL;
  RtError e;
  if (t->resumes && !(s = st_open_file("out/last/theta.safetensors", true, &e))) fail_msg("%s, call %ld refused: %s", t->name, n, e.text);
  st_close(s);
}

#if defined(__SANITIZE_ADDRESS__)
enum { DENSE = 29, SPARSE = 101 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { DENSE = 29, SPARSE = 101 };
#else
enum { DENSE = 1, SPARSE = 97 };
#endif
#else
enum { DENSE = 1, SPARSE = 97 };
#endif

// Calls one by one up to the 2,000th, then fewer; with both ways of refusing by turns.
static void sweep(const Trial *t, Kind k, const char *says) {
  enum { MANY = 1 << 30 };
  long total, i = 0;
  prepare(t);
  if (try(t, k, MANY, false, &total)) fail_msg("%s, nothing refused: %s", t->name, said);
  if (total == 0) fail_msg("%s makes no call that could be refused", t->name);
  for (long n = 0; n < total; n += n < 2000 ? DENSE : SPARSE, i++) refuse(t, k, n, i % 2 == 0, says);
}

// ---- what is tried

#define MODELS CALM_BINARY_DIR "/test_memory.dir"
#define ROWS MODELS "/rows.jsonl"

static bool read_tokenizer(void *user, RtError *e) {
  static const char text[] = "He cab: 2 3 kit\u00e9 \U0001f600! \u6f22\u5b57's [L x";
  (void)user;
  const char *file[] = {MODELS "/first/tokenizer.json", MODELS "/second/tokenizer.json"};
  for (int i = 0; i < 2; i++) {
    Tokenizer *t = tokenizer_open(file[i], e);
    if (!t) return false;
    int32_t *ids = NULL;
    size_t len;
    int64_t n = tokenizer_encode(t, text, sizeof text - 1, false, &ids, NULL, e);
    if (n >= 0) rt_free(tokenizer_decode(t, ids, n, &len, &(RtError){0}));
    rt_free(ids);
    tokenizer_free(t);
    if (n < 0) return false;
  }
  return true;
}

static bool read_safetensors(void *user, RtError *e) {
  (void)user;
  for (int headers = 0; headers < 2; headers++) {
    Safetensors *s = st_open_dir(MODELS "/second", headers, e);
    if (!s) return false;
    st_close(s);
  }
  return true;
}

// Rows on a thread beside, and all of them checked on another: memory may end on any of the three.
static bool read_rows(void *user, RtError *e) {
  (void)user;
  const FeedRule rule = {.want = 2, .by_rows = true, .most = 2, .words = "a step"};
  static const TextEnds ends = {.bos = -1, .append = -1};
  Tokenizer *t = tokenizer_open(MODELS "/first/tokenizer.json", e);
  DataFile *f = t ? data_open(ROWS, e) : NULL;
  bool ok = f;
  if (f) {
    DataOptions o = {.tok = t, .ends = &ends, .vocab = INT32_MAX, .context = 16, .too_long = TOO_LONG_truncate};
    Check *c = check_start(f, &o, 1, false);
    Ahead *a = ahead_start(f, &o, &(FeedPlan){.once = true}, &rule, true);
    const FeedBatch *b;
    while ((ok = (b = ahead_next(a, e)) != NULL) && b->n) continue;
    ok = check_help(c, e) && ok;
    ahead_end(a), check_end(c);
  }
  data_close(f);
  if (t) tokenizer_free(t);
  return ok;
}

static Trial TRIAL[] = {
    {.name = "a tokenizer", .reader = read_tokenizer},
    {.name = "safetensors", .reader = read_safetensors},
    {.name = "train", .words = {"train", "--data", ROWS, "--validate", ROWS, "--steps", "2", "--batch", "1rows", "--save-every", "1", "--out", "out"}},
    {.name = "train --resume", .words = {"train", "--data", ROWS, "--steps", "3", "--batch", "1rows", "--out", "out", "--resume"}, .resumes = true},
    {.name = "eval", .words = {"eval", "--data", ROWS, "--params", "before/last", "--max-tokens", "2", "--out", "dump"}},
    {.name = "generate", .words = {"generate", "--prompt", "wor", "--params", "before/last", "--max-tokens", "3", "--trace", "trace"}},
    {.name = "score", .words = {"score", "--data", ROWS, "--params", "before/last", "--out", "scores", "--grads"}},
    {.name = "info", .words = {"info", "--data", ROWS}},
    {.name = "rows beside", .reader = read_rows},
};
enum { TRIALS = sizeof TRIAL / sizeof TRIAL[0] };

static void memory(void **state) {
  (void)state;
  for (int i = 0; i < TRIALS; i++) sweep(&TRIAL[i], MEMORY, "out of memory");
}

static void files(void **state) {
  (void)state;
  for (int i = 0; i < TRIALS; i++) sweep(&TRIAL[i], FILES, "Too many open files");
}

static void writes(void **state) {
  (void)state;
  for (int i = 2; i < 7; i++) sweep(&TRIAL[i], WRITES, "cannot ");
}

// ---- killed

static void same_files(const char *a, const char *b, long n) {
  static char x[1 << 20], y[1 << 20];
  FILE *f = fopen(a, "r"), *g = fopen(b, "r");
  if (!f || !g) fail_msg("killed at write %ld: %s and %s: one is missing", n, a, b);
  size_t nx = fread(x, 1, sizeof x, f), ny = fread(y, 1, sizeof y, g);
  fclose(f), fclose(g);
  if (!nx || nx == sizeof x || nx != ny || memcmp(x, y, nx)) fail_msg("killed at write %ld: %s and %s differ", n, a, b);
}

// Ends at whatever is written, synced or renamed: both checkpoints are whole, and the run goes on to the same parameters.
static void killed(void **state) {
  (void)state;
  enum { MANY = 1 << 30 };
  static const Trial train = {.name = "train", .words = {"train", "--data", ROWS, "--validate", ROWS, "--steps", "4", "--batch", "1rows", "--eval-every", "1",
                                                         "--save-every", "1", "--out", "out", "--resume"}, .resumes = true};
  static const Trial last = {.name = "verify-files", .words = {"verify-files", "out/last"}}, best = {.name = "verify-files", .words = {"verify-files", "out/best"}};
  long total, cut = 0;
  prepare(&train);
  if (try(&train, WRITES, MANY, false, &total)) fail_msg("nothing killed: %s", said);
  remove_tree("whole");
  assert_int_equal(__real_rename("out", "whole"), 0);
  for (long n = 0; n < total; n += DENSE) {
    prepare(&train);
    pid_t child = fork();
    if (child == 0) {
      kills = true;
      try(&train, WRITES, n, false, NULL);
      _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    cut += WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL;
    if (try(&last, WRITES, MANY, false, NULL) || try(&best, WRITES, MANY, false, NULL)) fail_msg("killed at write %ld: %s", n, said);
    if (try(&train, WRITES, MANY, false, NULL)) fail_msg("killed at write %ld, gone on with: %s", n, said);
    same_files("out/last/theta.safetensors", "whole/last/theta.safetensors", n);
    same_files("out/best/theta.safetensors", "whole/best/theta.safetensors", n);
    if (nftw("out", temporary, 8, FTW_PHYS)) fail_msg("killed at write %ld: a temporary file is left", n);
  }
  assert_true(cut > total / DENSE / 2);
}

// In memory where that can be: a checkpoint waits for the disk.
static int start(void **state) {
  static char dir[] = "/dev/shm/calm-memory-XXXXXX", other[] = "/tmp/calm-memory-XXXXXX";
  *state = mkdtemp(dir) ? dir : mkdtemp(other);
  setenv("CALM_THREADS", "2", 1);
  setenv("XDG_CACHE_HOME", *state, 1);
  if (!*state || chdir(*state)) return -1;
  const Trial first = {.words = {"train", "--data", ROWS, "--validate", ROWS, "--steps", "2", "--batch", "1rows", "--out", "before"}};
  int status = try(&first, MEMORY, -1, false, NULL);
  if (status) fprintf(stderr, "%s", said);
  return status;
}

static int end(void **state) {
  remove_tree(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(memory), cmocka_unit_test(files), cmocka_unit_test(writes), cmocka_unit_test(killed)};
  return cmocka_run_group_tests(tests, start, end);
}
