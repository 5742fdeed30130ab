// Tokenizers and texts as a stranger would hand them in: tests/hostile holds small tokenizer.json files, one fault each, and some are made here
// because they are large. Each is tried in a process of its own with little memory (where no sanitizer needs more) and a clock that ends what does
// not end: it is refused with a line that names the cause, or does its work, and what it gives lies within the text.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "mutate.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/regex.h"
#include "runtime/text/text.h"

#define SEEDS CALM_SOURCE_DIR "/tests/hostile/"
enum { MEGABYTES = 300, SECONDS = 60 };

typedef struct Case {
  const char *seed;
  const char *opens;           // part of the error of opening it; NULL: it opens
  const char *encodes;         // part of the error that one of the texts gets; NULL: none does
} Case;

#define STEPS "too many steps"
#define MEMORY "too much memory"
static const Case cases[] = {
  // searches without an end in sight, over one text or one place
  {"regex_choices", NULL, STEPS}, {"regex_nested", NULL, STEPS}, {"regex_powers", NULL, STEPS}, {"regex_scans", NULL, STEPS},
  {"regex_behind", NULL, STEPS}, {"regex_class", NULL, STEPS}, {"regex_groups", NULL, NULL}, {"regex_empty", NULL, NULL},
  {"regex_lines", NULL, NULL},
  // what no tokenizer needs and PCRE2 cannot do safely
  {"regex_keep", "a kind of group", NULL}, {"regex_k", "an escape that is not supported", NULL}, {"regex_byte", "an escape that is not supported", NULL},
  {"regex_recursion", "a kind of group", NULL}, {"regex_call", "an escape", NULL}, {"regex_back", "a back-reference", NULL},
  {"regex_verb", "a verb", NULL}, {"regex_condition", "a kind of group", NULL}, {"regex_callout", "a kind of group", NULL},
  {"regex_deep", "too many", NULL}, {"regex_repeats", "too large", NULL}, {"regex_long", "at most 32768", NULL},
  {"regex_caseless", "too large ranges", NULL}, {"regex_alternatives", "too large", NULL}, {"regex_open", "without its end", NULL}, {"regex_nothing", "a repeat of nothing", NULL},
  // texts that grow
  {"grows_doubling", NULL, MEMORY}, {"grows_content", NULL, MEMORY}, {"grows_bytes", NULL, MEMORY}, {"grows_spaces", NULL, MEMORY},
  {"grows_added", "\"added_tokens\": normalizing", NULL}, {"components", "more than 64 normalizers", NULL}, {"sequences", "more than 8 Sequences", NULL},
  // ids, holes between them, and numbers that are none
  {"id_far", NULL, NULL}, {"id_holes", NULL, NULL}, {"id_beyond", "1073741824", NULL}, {"id_wraps", "4294967298", NULL}, {"id_below", "-1", NULL},
  {"id_real", "expected an integer", NULL}, {"id_exponent", "expected an integer", NULL}, {"id_huge", "a smaller integer", NULL},
  {"id_twice", "belongs to two", NULL}, {"token_twice", "is there twice", NULL}, {"key_twice", "duplicate", NULL},
  {"added_id_wraps", "found 4294967298", NULL}, {"added_id_real", "\"id\"", NULL}, {"added_id_below", "found -7", NULL}, {"added_empty", NULL, NULL},
  {"around", "more than 64 special tokens", NULL}, {"around_wraps", "found 4294967298", NULL},
  // SentencePiece's table of characters, and its model
  {"charsmap_grows", NULL, MEMORY}, {"charsmap_drops", NULL, NULL}, {"charsmap_joins", NULL, NULL}, {"charsmap_outside", NULL, NULL},
  {"charsmap_far", NULL, NULL}, {"charsmap_mid", NULL, NULL}, {"charsmap_size", "a table's size", NULL},
  {"unigram_long", "more than 512 bytes", NULL}, {"unigram_nested", NULL, NULL}, {"unigram_open", NULL, NULL}, {"unigram_scores", NULL, NULL},
  {"unigram_score_far", "that a double holds", NULL}, {"unigram_unk_wraps", "\"unk_id\"", NULL}, {"unigram_bytes", NULL, NULL},
  {"unigram_twice", "is there twice", NULL}, {"affix_short", "not all of these", NULL}, {"affix_cuts", NULL, NULL},
  // JSON
  {"surrogate", "a valid escape", NULL}, {"surrogate_pattern", "Unicode", NULL}, {"json_deep", "depth", NULL},
  // merges, bytes, decoders
  {"merges_empty", NULL, NULL}, {"merges_circle", NULL, NULL}, {"merges_unknown", "not all of these", NULL}, {"bytes_holes", NULL, NULL},
  {"decoder_shrinks", NULL, NULL}, {"decoder_incomplete", NULL, NULL}, {"strip_all", NULL, NULL},
};

// ---- a process for each

static void limited(void) {
#ifndef __SANITIZE_ADDRESS__
  struct rlimit most = {(rlim_t)MEGABYTES << 20, (rlim_t)MEGABYTES << 20};
  setrlimit(RLIMIT_AS, &most);
#endif
  struct rlimit clock = {SECONDS, SECONDS};                 // of its own, however busy the machine is
  setrlimit(RLIMIT_CPU, &clock);
}

// fn in a process of its own: what it said, when it did not return true. False where it did not end by itself.
static bool aside(bool (*fn)(const void *user, RtError *e), const void *user, RtError *e) {
  int fd[2], status = 0;
  assert_int_equal(pipe(fd), 0);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    RtError why = {0};
    limited();
    bool ok = fn(user, &why);
    (void)!write(fd[1], why.text, sizeof why.text);
    _exit(ok ? 0 : 1);
  }
  close(fd[1]);
  *e = (RtError){0};
  for (size_t n = 0; n < sizeof e->text - 1;) {
    ssize_t k = read(fd[0], e->text + n, sizeof e->text - 1 - n);
    if (k <= 0) break;
    n += (size_t)k;
  }
  close(fd[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) snprintf(e->text, sizeof e->text, "it was ended by signal %d%s", WTERMSIG(status), WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? " (the clock)" : "");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// ---- texts

typedef struct Text {
  const char *unit;
  int times;
  const char *end;
} Text;
static const Text texts[] = {
  {"", 0, ""}, {"a", 3000, ""}, {"a", 200, "bc"}, {"ab", 10000, "c"}, {"a b ", 5000, ""}, {"\xC3\xA9" "a<x>b\n", 500, ""}, {"a", 150000, ""}, {"c", 1000, "d"},
  {"c39999d", 100, ""}, {" ", 3000, "a"}, {"\xE4\xB8\x80", 1000, "b"}, {"a", 90000, "bc"},
};

static char *text_of(const Text *x, size_t *n) {
  size_t k = strlen(x->unit);
  *n = k * (size_t)x->times + strlen(x->end);
  char *s = rt_alloc(*n + 1, 1);
  for (int i = 0; i < x->times; i++) memcpy(s + k * (size_t)i, x->unit, k);
  memcpy(s + k * (size_t)x->times, x->end, strlen(x->end));
  return s;
}

static bool within(const int32_t *ids, const TokSpan *span, int64_t k, size_t n, const Tokenizer *t, RtError *e) {
  for (int64_t i = 0; i < k; i++)
    if (span[i].begin < 0 || span[i].end < span[i].begin || span[i].end > (int64_t)n || ids[i] < 0 || ids[i] >= tokenizer_vocab(t))
      return rt_fail(e, "bad: token %lld of a text of %zu bytes is id %d, [%lld, %lld)", (long long)i, n, (int)ids[i], (long long)span[i].begin,
                     (long long)span[i].end);
  return true;
}

// All at once, and bit by bit: the same tokens, or the same error. Then back to text, both ways too.
static bool try_text(const Tokenizer *t, const Settler *rule, const char *s, size_t n, RtError *e) {
  int32_t *ids;
  TokSpan *span;
  int64_t k = tokenizer_encode(t, s, n, false, &ids, &span, e);
  if (k < 0 || !within(ids, span, k, n, t, e)) return false;
  RtError why;
  const int32_t *settled;
  SettledText *x = settled_new(rule, false);
  bool ok = true;
  for (size_t at = 0, step; ok && at < n; at += step) {
    step = n - at < 5 ? n - at : 5;
    ok = settled_push(x, s + at, step, &why);
  }
  if (!ok || !settled_end(x, &why))              // a beginning may be too short for what it takes
    return rt_fail(e, "%s%s", strstr(why.text, "this tokenizer takes") ? "" : "bad: bit by bit: ", why.text);
  if (settled_tokens(x, &settled, NULL) != k || (k && memcmp(settled, ids, (size_t)k * sizeof *ids))) return rt_fail(e, "bad: bit by bit there are other tokens");
  settled_free(x);
  size_t len, m, got = 0;
  char *text = tokenizer_decode(t, ids, k, &len, &why);
  if (!text) return *e = why, false;
  TokStream *stream = tokstream_new(t, NULL, 0);
  for (int64_t i = 0; i <= k; i++) {
    const char *piece = i < k ? tokstream_push(stream, ids[i], &m, &why) : tokstream_end(stream, &m, &why);
    if (!piece) return *e = why, false;
    if (m > len - got || memcmp(piece, text + got, m)) return rt_fail(e, "bad: a stream says something else");
    got += m;
  }
  tokstream_free(stream);
  rt_free(text), rt_free(ids), rt_free(span);
  return got == len || rt_fail(e, "bad: a stream says less");
}

static bool try_texts(const Tokenizer *t, RtError *e) {
  Settler *rule = settler_new(t);
  bool ok = true;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    size_t n;
    RtError why = {0};
    char *s = text_of(&texts[i], &n);
    if (!try_text(t, rule, s, n, &why)) ok = false, *e = why;
    rt_free(s);
    if (!strncmp(e->text, "bad", 3)) return false;
  }
  settler_free(rule);
  return ok;
}

static bool open_and_try(const void *user, RtError *e) {
  Tokenizer *t = tokenizer_open(user, e);
  if (!t) return snprintf(e->text + strlen(e->text), sizeof e->text - strlen(e->text), " (opening)"), false;
  bool ok = try_texts(t, e);
  tokenizer_free(t);
  return ok;
}

static void seeds(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const Case *c = &cases[i];
    RtError e;
    char path[512];
    snprintf(path, sizeof path, SEEDS "%s.json", c->seed);
    bool ok = aside(open_and_try, path, &e), opened = !strstr(e.text, "(opening)");
    const char *part = c->opens ? c->opens : c->encodes;
    if (ok != !part || opened != !c->opens || (part && !strstr(e.text, part)) || (part && !strstr(e.text, c->seed)))
      fail_msg("%s: expected %s, found %s", c->seed, part ? part : "no error", ok ? "none" : e.text);
  }
}

// ---- large ones, made here

static char folder[] = "/tmp/calm-test-hostile-XXXXXX", made[64];

static void save(const char *text, size_t n) {
  FILE *f = fopen(made, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

// HEAD, unit(i) … `times` times, TAIL as the tokenizer.
static void save_made(const char *head, const char *unit, int times, const char *tail) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  fputs(head, f);
  for (int i = 0; i < times; i++) fprintf(f, unit, i, i);     // NOLINT: formats of this file
  fputs(tail, f);
  fclose(f);
  save(text, n);
  free(text);
}

#define BPE(vocab) "\"model\":{\"type\":\"BPE\",\"vocab\":" vocab ",\"merges\":[]}}"

static void large(void **state) {
  (void)state;
  static const struct { const char *name, *head, *unit; int times; const char *tail, *part; } all[] = {
    // one added token of 300,000 letters: a text of these letters would be walked along from each of its places
    {"a long added token", "{\"added_tokens\":[{\"id\":5,\"content\":\"", "a", 300000, "\"}]," BPE("{\"a\":0}"), STEPS},
    {"a long normalized token", "{\"normalizer\":{\"type\":\"NFKC\"},\"added_tokens\":[{\"id\":5,\"normalized\":true,\"content\":\"", "a", 300000, "b\"}]," BPE("{\"a\":0}"), STEPS},
    {"many added tokens", "{\"added_tokens\":[{\"id\":1000000,\"content\":\"<x>\"}", ",{\"id\":%d,\"content\":\"a%d\"}", 30000, "]," BPE("{\"a\":0}"), NULL},
    {"one id for many", "{\"added_tokens\":[{\"id\":7,\"content\":\"<x>\"}", ",{\"id\":8,\"content\":\"<%d>\"}", 30000, "]," BPE("{\"a\":0}"), NULL},
    {"ids far apart", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0", ",\"x%d\":1%05d00", 60000, "},\"merges\":[]}}", NULL},
    {"ids from the last on", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":5000000", ",\"%d\":%d", 60000, "},\"merges\":[]}}", NULL},
    {"a long literal", "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"String\":\"", "a", 300000, "\"}}," BPE("{\"a\":0}"), "at most 4096"},
    {"a long class", "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"[", "ac", 300000, "]\"}}," BPE("{\"a\":0}"), "at most 32768"},
    {"many numbers", "{\"x\":[0", ",%d", 150000, "]," BPE("{\"a\":0}"), NULL},
    {"a long token", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"", "a", 900000, "\":1},\"merges\":[]}}", NULL},
  };
  assert_non_null(mkdtemp(folder));
  snprintf(made, sizeof made, "%s/made.json", folder);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    RtError e;
    save_made(all[i].head, all[i].unit, all[i].times, all[i].tail);
    bool ok = aside(open_and_try, made, &e);
    if (ok != !all[i].part || (!ok && !strstr(e.text, all[i].part))) fail_msg("%s: expected %s, found %s", all[i].name, all[i].part ? all[i].part : "no error", ok ? "none" : e.text);
  }
}

// Tokens that each end within a character: a stream does not decode all of them again with each that comes.
static bool stream_of(const void *user, RtError *e) {
  enum { N = 200000 };
  static int32_t ids[N];
  size_t len, got = 0, m;
  Tokenizer *t = tokenizer_open(user, e);
  if (!t) return false;
  for (int i = 0; i < N; i++) ids[i] = i % 7 ? 3 : 2;       // "a\xE2" and "\xE2a"
  ids[N / 2] = 0;
  char *all = tokenizer_decode(t, ids, N, &len, e);
  TokStream *s = tokstream_new(t, NULL, 0);
  for (int i = 0; i <= N; i++) {
    const char *piece = i < N ? tokstream_push(s, ids[i], &m, e) : tokstream_end(s, &m, e);
    if (!piece || m > len - got || memcmp(piece, all + got, m)) return rt_fail(e, "token %d: a stream says something else", i);
    got += m;
  }
  tokstream_free(s), rt_free(all), tokenizer_free(t);
  return got == len || rt_fail(e, "a stream says less");
}

static void streams(void **state) {
  (void)state;
  static const char *const seeds_of[] = {"decoder_incomplete", "decoder_shrinks"};
  for (int i = 0; i < 2; i++) {
    char path[512];
    RtError e;
    snprintf(path, sizeof path, SEEDS "%s.json", seeds_of[i]);
    if (!aside(stream_of, path, &e)) fail_msg("%s: %s", path, e.text);
  }
}

// ---- spoilt ones, on demand

static bool open_and_try_spoilt(const void *user, RtError *e) {
  bool ok = open_and_try(user, e);
  return ok || strncmp(e->text, "bad", 3) != 0;             // any error will do
}

static char *whole_file(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  char *s = malloc(1 << 20);
  *n = fread(s, 1, 1 << 20, f);
  fclose(f);
  return s;
}

static void spoilt(void **state) {
  (void)state;
  const char *wanted = getenv("CALM_FUZZ_ROUNDS");
  int64_t rounds = wanted ? strtoll(wanted, NULL, 10) : 0;
  uint32_t random = MUTATE_SEED;
  for (int64_t i = 0; i < rounds; i++) {
    char path[512];
    RtError e;
    size_t n, m;
    snprintf(path, sizeof path, SEEDS "%s.json", cases[mutate_below(&random, sizeof cases / sizeof *cases)].seed);
    char *seed = whole_file(path, &n), *text = mutate(&random, seed, n, &m);
    save(text, m);
    if (!aside(open_and_try_spoilt, made, &e)) fail_msg("round %lld (%s, left in %s): %s", (long long)i, path, made, e.text);
    free(seed), free(text);
  }
  unlink(made), rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(seeds), cmocka_unit_test(large), cmocka_unit_test(streams), cmocka_unit_test(spoilt)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
