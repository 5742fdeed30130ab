// What a following stream reads of an anchor's tokens, and how much of it each of them sees, against the definition: the text of the tokens so
// far, worked out from the spans (rows of text) or by decoding the first ids (rows of ids), given whole to settled.h. Random texts over pairs
// of tokenizers; prompts, windows, full contexts, ids that are no UTF-8, and one rule above all: the same first ids, the same visible tokens.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "random_text.h"
#include "runtime/abi/abi.h"
#include "runtime/core/alloc.h"
#include "runtime/rows/read.h"
#include "tokenizer_files.h"

enum { MOST = 4096 };          // bytes of a text here, tokens of a row

// A synthetic tokenizer by its name, or any by its path.
static Tokenizer *open_tokenizer(const char *name) {
  char path[1024];
  RtError e;
  if (strchr(name, '/')) snprintf(path, sizeof path, "%s", name);
  else snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", name);
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

// An anchor's tokenizer, a following one that reads all (stream 1), the same reading prompts (2), the anchor's ids of prompts (3), and the following one's
// tokens that end where the anchor's do (4).
typedef struct Kit {
  Tokenizer *tok;
  Streams streams;
  DataOptions o;
  int32_t eos;
  TextEnds ends;
  char path[64];
} Kit;

enum { ALL = 1, PROMPTS = 2, SHARED = 3, ALIGNED = 4, STREAMS = 5 };

static void open_kit(Kit *k, const char *anchor, const char *augment) {
  *k = (Kit){.tok = open_tokenizer(anchor), .path = "/tmp/calm-test-follow-XXXXXX"};
  k->streams = (Streams){.s = rt_alloc(STREAMS, sizeof(Stream)), .n = STREAMS};
  for (int i = 0; i < STREAMS; i++) k->streams.s[i] = (Stream){.model = i ? "aug" : "base", .context = MOST, .vocab = MOST};
  for (int i = ALL; i < STREAMS; i++) {
    if (i == SHARED) continue;
    k->streams.s[i].tok = open_tokenizer(augment);
    k->streams.s[i].rule = settler_new(k->streams.s[i].tok);
  }
  k->streams.s[ALIGNED].reads = READS_ALIGNED;
  k->streams.s[PROMPTS].reads = k->streams.s[SHARED].reads = READS_PROMPT;
  int32_t eos = tokenizer_token_id(k->tok, "</s>");
  k->eos = eos < 0 ? 1 : eos;
  k->ends = (TextEnds){.bos = -1, .eos = &k->eos, .n_eos = 1, .append = k->eos};
  k->o = (DataOptions){.tok = k->tok, .ends = &k->ends, .vocab = MOST, .streams = &k->streams, .context = MOST};
  close(mkstemp(k->path));
}

static void close_kit(Kit *k) {
  unlink(k->path);
  streams_free(&k->streams);
  tokenizer_free(k->tok);
}

// One row (or the windows of one) read from a file of one line.
static Data *read_row(Kit *k, json_t *o, RtError *e) {
  char *line = json_dumps(o, JSON_COMPACT);
  json_decref(o);
  assert_non_null(line);
  unlink(k->path);             // a new file is not flushed as one written over is
  FILE *f = fopen(k->path, "wb");
  fputs(line, f);
  fclose(f);
  rt_free(line);
  return data_read(k->path, false, &k->o, e);
}

static Data *good_row(Kit *k, json_t *o) {
  RtError e;
  Data *d = read_row(k, o, &e);
  if (!d) fail_msg("%s", e.text);
  return d;
}

static json_t *pair(const char *text, size_t cut, size_t n) {
  return json_pack("{s:s%, s:s%}", "prompt", text, cut, "completion", text + cut, n - cut);
}

static json_t *ids_row(const int32_t *ids, int64_t n, int64_t prompt) {
  json_t *a = json_array(), *b = json_array();
  for (int64_t i = 0; i < n; i++) {
    json_array_append_new(a, json_integer(ids[i]));
    json_array_append_new(b, json_integer(i < prompt ? -100 : ids[i]));
  }
  return json_pack("{s:o, s:o}", "input_ids", a, "labels", b);
}

// ---- the definition

// What the tokens of a row say: said[i] is how many bytes of `text` are known by token i.
typedef struct Said {
  char text[MOST];
  size_t len, said[MOST];
  int64_t n, prompt;
  bool continuation;
} Said;

static void say(Said *s, const char *bytes, size_t n) {
  assert_true(s->len + n <= MOST && s->n < MOST);
  memcpy(s->text + s->len, bytes, n);
  s->said[s->n++] = s->len += n;
}

// Tokens with their spans: a character belongs to the last token that covers it, what no token covers to the next one.
static void say_spans(Said *s, const Tokenizer *t, const int32_t *ids, const TokSpan *span, int64_t n, const char *text, size_t begin, size_t end) {
  size_t at = begin;
  for (int64_t i = 0; i < n; i++) {
    size_t to = i == n - 1 ? end : (size_t)span[i].end;
    for (int64_t j = i + 1; j < n; j++) to = (size_t)span[j].begin < to ? (size_t)span[j].begin : to;
    if (to < at) to = at;
    say(s, text + at, tokenizer_is_special(t, ids[i]) ? 0 : to - at);
    at = to;
  }
}

// Gives the last id, -1 where there is none.
static int32_t say_text(Said *s, const Tokenizer *t, const char *text, size_t n, bool continuation) {
  RtError e;
  int32_t *ids;
  TokSpan *span;
  int64_t k = tokenizer_encode(t, text, n, continuation, &ids, &span, &e);
  if (k < 0) fail_msg("%s", e.text);
  say_spans(s, t, ids, span, k, text, 0, n);
  int32_t last = k ? ids[k - 1] : -1;
  rt_free(ids), rt_free(span);
  return last;
}

// The tokens of a stream that a text shows: settled ones, or all where it is complete.
static int64_t settled(const Stream *s, bool continuation, const char *text, size_t n, bool complete, int32_t *ids) {
  RtError e;
  const int32_t *got;
  SettledText *x = settled_new(s->rule, continuation);
  if (!settled_push(x, text, n, &e) || (complete && !settled_end(x, &e))) fail_msg("%s", e.text);
  int64_t m = settled_tokens(x, &got, NULL);
  assert_true(m < MOST);
  if (m) memcpy(ids, got, (size_t)m * sizeof *ids);
  settled_free(x);
  return m;
}

// Of what each of tokens [from, n) says, by itself.
static int64_t cut_alone(const Stream *s, const Said *said, int64_t from, int64_t n, int32_t *ids) {
  int64_t sum = 0;
  for (int64_t i = from; i < n; i++) {
    RtError e;
    size_t begin = i ? said->said[i - 1] : 0;
    int32_t *got;
    if (said->said[i] == begin) continue;
    int64_t m = tokenizer_encode(s->tok, said->text + begin, said->said[i] - begin, said->continuation || begin, &got, NULL, &e);
    if (m < 0) fail_msg("%s", e.text);
    assert_true(sum + m < MOST);
    if (m) memcpy(ids + sum, got, (size_t)m * sizeof *ids);
    sum += m;
    rt_free(got);
  }
  return sum;
}

// What token a of a row sees of stream i.
static int64_t shown(const Kit *k, int i, const Said *s, int64_t a, int32_t *ids) {
  const Stream *x = &k->streams.s[i];
  bool over = x->reads != READS_ROW && a >= s->prompt - 1;
  size_t known = over ? s->prompt ? s->said[s->prompt - 1] : 0 : s->said[a];
  const int32_t *prefix;
  if (i == SHARED) return over ? s->prompt : a + 1;
  int64_t np = tokenizer_prefix(x->tok, &prefix);
  if (np) memcpy(ids, prefix, (size_t)np * sizeof *ids);
  np += settled(x, s->continuation, s->text, known, over, ids + np);
  return np + (x->reads == READS_ALIGNED && over ? cut_alone(x, s, s->prompt, a + 1, ids + np) : 0);
}

static bool check_row(const Kit *k, const DataRow *r, const Said *s) {
  static int32_t want[MOST];
  if (r->follow->n < r->n || s->n < r->n) fail_msg("a row of %d tokens, followed %d, said %d", (int)r->n, (int)r->follow->n, (int)s->n);
  for (int i = ALL; i < STREAMS; i++) {
    const FollowTokens *t = &r->follow->s[i];
    for (int64_t a = 0; a < r->n; a++) {
      int64_t n = shown(k, i, s, a, want);
      if (i == SHARED) memcpy(want, r->ids, (size_t)n * sizeof *want);
      if (t->seen[a] == n && n <= t->n && (n == 0 || !memcmp(want, t->ids, (size_t)n * sizeof *want))) continue;
      print_message("stream %d, anchor token %d of %d (prompt %d): sees %d, should see %d\n", i, (int)a, (int)r->n, (int)s->prompt,
                    (int)t->seen[a], (int)n);
      return false;
    }
  }
  return true;
}

// ---- rows of prompt and completion

static void each_pair(void (*check)(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment), const char *const *anchors,
                      int n) {
  static const char *const augments[] = {"byte_words", "byte_triples", "fallback_prepend", "fallback_metaspace", "splits", "chars"};
  TextParts parts = text_parts_read();
  Rng r = {7};
  for (int i = 0; i < n; i++)
    for (size_t j = 0; j < sizeof augments / sizeof *augments; j++) {
      Kit k;
      open_kit(&k, anchors[i], augments[j]);
      check(&k, &r, &parts, anchors[i], augments[j]);
      close_kit(&k);
    }
  text_parts_free(&parts);
}

static const char *const every[] = {"byte_words", "byte_triples", "byte_digits", "fallback_prepend", "fallback_metaspace", "splits", "chars"};
// Those whose ids say the text, so that the same ids say the same.
static const char *const faithful[] = {"byte_words", "fallback_prepend"};
#ifdef __SANITIZE_ADDRESS__    // what it watches is the same in every round
enum { ROUNDS = 16 };
#else
enum { ROUNDS = 60 };
#endif

// A place between two characters.
static size_t some_cut(Rng *r, const char *text, size_t n) {
  size_t cut = rng_below(r, (uint32_t)n + 1);
  while (cut < n && ((uint8_t)text[cut] & 0xC0) == 0x80) cut++;
  return cut;
}

static size_t long_text(Rng *r, const TextParts *parts, char *out) {
  size_t n = 0;
  for (int i = 0; i < 3; i++) n += random_text(r, parts, out + n, 256);
  return n;
}

static void show(const char *anchor, const char *augment, const char *text, size_t cut, size_t n) {
  fail_msg("%s followed by %s: [%.*s] + [%.*s]", anchor, augment, (int)cut, text, (int)(n - cut), text + cut);
}

// drop: of the prompt's tokens, from the left, which say nothing.
static void say_pair_without(Said *s, const Kit *k, const char *text, size_t cut, size_t n, int64_t drop) {
  const int32_t *prefix;
  int32_t *ids;
  TokSpan *span;
  RtError e;
  *s = (Said){.continuation = drop > 0};
  for (int np = tokenizer_prefix(k->tok, &prefix); np > 0; np--) say(s, "", 0);
  int64_t m = tokenizer_encode(k->tok, text, cut, false, &ids, &span, &e);
  assert_true(m >= drop);
  say_spans(s, k->tok, ids + drop, span + drop, m - drop, text, drop ? (size_t)span[drop - 1].end : 0, cut);
  rt_free(ids), rt_free(span);
  s->prompt = s->n;
  if (say_text(s, k->tok, text + cut, n - cut, true) != k->eos) say(s, "", 0);       // end of text
}

static void say_pair(Said *s, const Kit *k, const char *text, size_t cut, size_t n) { say_pair_without(s, k, text, cut, n, 0); }

static void pairs_of(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  static Said s;
  char text[1024];
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = long_text(r, parts, text), cut = some_cut(r, text, n);
    Data *d = good_row(k, pair(text, cut, n));
    say_pair(&s, k, text, cut, n);
    if (!check_row(k, &d->row[0], &s)) show(anchor, augment, text, cut, n);
    // The same again, from a copy that ends somewhere.
    int64_t to = rng_below(r, (uint32_t)d->row[0].n + 1);
    Follow *c = follow_copy(d->row[0].follow, to);
    assert_int_equal(c->n, to);
    for (int j = ALL; j < STREAMS; j++)
      for (int64_t a = 0; a < to; a++) assert_int_equal(c->s[j].seen[a], d->row[0].follow->s[j].seen[a]);
    follow_free(c);
    data_free(d);
  }
}

static void prompts_and_completions(void **state) {
  (void)state;
  each_pair(pairs_of, every, sizeof every / sizeof *every);
}

// ---- no leak

static int64_t common(const DataRow *a, const DataRow *b) {
  int64_t n = 0;
  while (n < a->n && n < b->n && a->ids[n] == b->ids[n]) n++;
  return n;
}

// What two rows with the same first n ids see by them.
static bool same_sight(const DataRow *a, const DataRow *b, int64_t n) {
  for (int k = ALL; k < STREAMS; k++) {
    const FollowTokens *x = &a->follow->s[k], *y = &b->follow->s[k];
    for (int64_t i = 0; i < n; i++)
      if (x->seen[i] != y->seen[i] || (x->seen[i] && memcmp(x->ids, y->ids, (size_t)x->seen[i] * sizeof *x->ids))) {
        print_message("stream %d: token %d of %d common ones sees %d and %d\n", k, (int)i, (int)n, x->seen[i], y->seen[i]);
        return false;
      }
  }
  return true;
}

// Pairs of characters whose bytes begin alike.
static const char *const kin[] = {"😀", "😁", "😀", "𝒜", "👍", "🀀", "漢", "日", "字", "孖", "é", "è", "ก", "अ"};

// Two texts that begin alike and go on differently, mostly in the middle of a character.
static void text_leaks(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  char one[2048], two[2048];
  int met = 0;
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = random_text(r, parts, one, 256), cut = some_cut(r, one, n), m;
    memcpy(two, one, n);
    m = n;
    uint32_t which = 2 * rng_below(r, sizeof kin / sizeof *kin / 2);
    strcpy(one + n, kin[which]), strcpy(two + m, kin[which + 1]);
    n += strlen(one + n), m += strlen(two + m);
    n += random_text(r, parts, one + n, 256), m += random_text(r, parts, two + m, 256);
    Data *a = good_row(k, pair(one, cut, n)), *b = good_row(k, pair(two, cut, m));
    int64_t same = common(&a->row[0], &b->row[0]);
    met += same > a->row[0].prompt_n;
    if (!same_sight(&a->row[0], &b->row[0], same)) show(anchor, augment, one, cut, n);
    data_free(a), data_free(b);
  }
  assert_true(met > ROUNDS / 2);
}

static void no_leak_from_text(void **state) {
  (void)state;
  each_pair(text_leaks, faithful, sizeof faithful / sizeof *faithful);
}

static void random_ids(Rng *r, const Tokenizer *t, int32_t *ids, int64_t n) {
  for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)rng_below(r, (uint32_t)tokenizer_vocab(t));
}

// Any ids, most of them no UTF-8: later ones never reach back.
static void id_leaks(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  (void)parts;
  int32_t one[64], two[64];
  for (int i = 0; i < ROUNDS; i++) {
    int64_t n = 2 + rng_below(r, 60), at = 1 + rng_below(r, (uint32_t)n - 1), prompt = rng_below(r, (uint32_t)n);
    random_ids(r, k->tok, one, n), random_ids(r, k->tok, two, n);
    memcpy(two, one, (size_t)at * sizeof *one);
    Data *a = good_row(k, ids_row(one, n, prompt)), *b = good_row(k, ids_row(two, n, prompt));
    Data *c = good_row(k, ids_row(one, at, prompt < at ? prompt : at));
    if (!same_sight(&a->row[0], &b->row[0], at)) fail_msg("%s followed by %s: later ids reach back", anchor, augment);
    if (!same_sight(&a->row[0], &c->row[0], prompt < at ? at : at - 1)) fail_msg("%s followed by %s: ids of a shorter row", anchor, augment);
    data_free(a), data_free(b), data_free(c);
  }
}

static void no_leak_from_ids(void **state) {
  (void)state;
  each_pair(id_leaks, every, sizeof every / sizeof *every);
}

// ---- rows of ids

// The text that ids say, one after the other: what decoding the first i gives, without an unfinished character at the end.
static bool say_ids(Said *s, const Tokenizer *t, const int32_t *ids, int64_t n, int64_t prompt) {
  *s = (Said){.prompt = prompt};
  size_t len;
  char *whole = tokenizer_decode(t, ids, n, &len, &(RtError){0});
  bool fine = !strstr(whole, "\xEF\xBF\xBD");
  for (int64_t i = 1; i <= n && fine; i++) {
    size_t m;
    char *text = tokenizer_decode(t, ids, i, &m, &(RtError){0}), *bad = strstr(text, "\xEF\xBF\xBD");
    if (bad) m = (size_t)(bad - text);                     // within a run of bytes that is not complete
    if (m < s->len) m = s->len;
    fine = m <= len && !memcmp(text, whole, bad ? (size_t)(bad - text) : m);
    say(s, whole + s->len, m - s->len);
    rt_free(text);
  }
  rt_free(whole);
  return fine;
}

// Ids that are some text's see what the text's row sees.
static void ids_of(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  static Said s;
  char text[1024];
  int met = 0;
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = random_text(r, parts, text, sizeof text), cut = some_cut(r, text, n), len;
    Data *d = good_row(k, pair(text, cut, n));
    const DataRow *row = &d->row[0];
    Data *again = good_row(k, ids_row(row->ids, row->n, row->prompt_n));
    if (say_ids(&s, k->tok, row->ids, row->n, row->prompt_n) && !check_row(k, &again->row[0], &s)) show(anchor, augment, text, cut, n);
    char *said = tokenizer_decode(k->tok, row->ids, row->n, &len, &(RtError){0});
    if (len == n && !memcmp(said, text, n)) {
      met++;
      if (!same_sight(row, &again->row[0], row->n)) show(anchor, augment, text, cut, n);
    }
    rt_free(said);
    data_free(d), data_free(again);
  }
  if (!strcmp(anchor, "byte_words")) assert_true(met > ROUNDS / 4);
}

static void ids_like_text(void **state) {
  (void)state;
  each_pair(ids_of, every, sizeof every / sizeof *every);
}

// ---- generation

// A prompt of text, then ids one by one: as the row of all these ids.
static void goes_on(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  char text[1024];
  int32_t all[MOST];
  for (int i = 0; i < ROUNDS; i++) {
    RtError e;
    size_t n = random_text(r, parts, text, 512), len;
    if (rng_below(r, 2)) n += strlen(strcpy(text + n, kin[rng_below(r, sizeof kin / sizeof *kin)]));   // an end in bytes
    Data *d = good_row(k, pair(text, n, n));
    const DataRow *row = &d->row[0];
    int64_t prompt = row->prompt_n, more = rng_below(r, 30);
    memcpy(all, row->ids, (size_t)prompt * sizeof *all);
    random_ids(r, k->tok, all + prompt, more);
    char *said = tokenizer_decode(k->tok, row->ids, prompt, &len, &(RtError){0});
    if (len == n && !memcmp(said, text, n)) {
      Follow *f = follow_copy(row->follow, prompt);
      for (int64_t j = 0; j < more; j++) assert_true(follow_id(f, k->tok, all[prompt + j], &e));
      Data *whole = good_row(k, ids_row(all, prompt + more, prompt));
      DataRow made = {.ids = all, .n = prompt + more, .follow = f};
      if (!same_sight(&made, &whole->row[0], prompt + more)) show(anchor, augment, text, n, n);
      data_free(whole);
      follow_free(f);
    }
    rt_free(said);
    data_free(d);
  }
}

static void generation(void **state) {
  (void)state;
  each_pair(goes_on, every, sizeof every / sizeof *every);
}

// ---- windows and full contexts

static bool fits_at(const Kit *k, const Said *s, int64_t a) {
  static int32_t ids[MOST];
  for (int i = ALL; i < STREAMS; i++)
    if (shown(k, i, s, a, ids) > k->streams.s[i].context) return false;
  return true;
}

// Longest beginning of what is said that fits; at most `limit`.
static int64_t fitting(const Kit *k, const Said *s, int64_t limit) {
  int64_t n = 0;
  while (n < limit && fits_at(k, s, n)) n++;
  return n;
}

// What tokens [at, to) of a text of n bytes say: of a character that is split between two windows, neither says anything.
static void say_window(Said *s, const Kit *k, const char *text, size_t n, const int32_t *ids, const TokSpan *span, int64_t of_text,
                       int64_t at, int64_t to) {
  const int32_t *prefix;
  *s = (Said){.continuation = at > 0};
  for (int np = tokenizer_prefix(k->tok, &prefix); np > 0; np--) say(s, "", 0);
  int64_t words = to < of_text ? to : of_text;
  size_t end = n;
  for (int64_t j = words; j > at && j < of_text; j++) end = (size_t)span[j].begin < end ? (size_t)span[j].begin : end;
  if (words > at && words < of_text && (size_t)span[words - 1].end < end) end = (size_t)span[words - 1].end;
  if (words > at) say_spans(s, k->tok, ids + at, span + at, words - at, text, at ? (size_t)span[at - 1].end : 0, end);
  while (at + s->n - tokenizer_prefix(k->tok, &prefix) < to) say(s, "", 0);     // what the template puts behind
}

static void check_windows(Kit *k, const Data *d, const char *text, size_t n) {
  static Said s;
  RtError e;
  int32_t *ids;
  TokSpan *span;
  const int32_t *prefix, *suffix;
  int64_t np = tokenizer_prefix(k->tok, &prefix), ns = tokenizer_suffix(k->tok, &suffix), at = 0;
  int64_t m = tokenizer_encode(k->tok, text, n, false, &ids, &span, &e);
  for (int64_t i = 0; i < d->n; i++) {
    const DataRow *r = &d->row[i];
    int64_t room = k->o.context - np, left = m + ns - at, most = left < room ? left : room, got = r->n - np;
    assert_true(got >= 1 && got <= most);
    assert_int_equal(r->prompt_n, 0);
    for (int64_t j = 0; j < got; j++) assert_int_equal(r->ids[np + j], at + j < m ? ids[at + j] : suffix[at + j - m]);
    say_window(&s, k, text, n, ids, span, m, at, at + got);
    if (!check_row(k, r, &s)) fail_msg("window %d of [%.*s]", (int)i, (int)n, text);
    assert_int_equal(fitting(k, &s, np + got), np + got);
    say_window(&s, k, text, n, ids, span, m, at, at + most);
    assert_int_equal(fitting(k, &s, np + most), np + got);           // it ends where a context is full
    at += got;
  }
  assert_int_equal(at, m + ns);
  rt_free(ids), rt_free(span);
}

static void windows_of(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  const int32_t *prefix;
  char text[1024];
  int np = tokenizer_prefix(k->tok, &prefix);
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = long_text(r, parts, text);
    k->o.context = np + 1 + rng_below(r, i % 2 ? 6 : 60);
    for (int j = ALL; j < STREAMS; j++) k->streams.s[j].context = i % 3 ? MOST : 24 + rng_below(r, 20);
    RtError e;
    Data *d = read_row(k, json_pack("{s:s%}", "text", text, n), &e);
    if (d) check_windows(k, d, text, n);
    else if (!strstr(e.text, "is full before the text begins") || i % 3) fail_msg("%s followed by %s: %s", anchor, augment, e.text);
    data_free(d);
  }
}

static void windows(void **state) {
  (void)state;
  each_pair(windows_of, every, sizeof every / sizeof *every);
}

// Rows of prompt and completion, and of ids, that are longer than a context: refused, left out, or without the first tokens of their prompts, as few as can be,
// and none of what is trained on; what is left is a text of its own, which goes on from what nobody sees.
static bool fits(const Kit *k, const Said *s) { return s->n <= k->o.context && fitting(k, s, s->n) == s->n; }

static void check_cut(Kit *k, const DataRow *row, const DataRow *whole, const char *text, size_t cut, size_t n) {
  static Said s;
  const int32_t *prefix;
  int64_t np = tokenizer_prefix(k->tok, &prefix), drop = whole->n - row->n;
  assert_true(drop > 0 && row->prompt_n == whole->prompt_n - drop);
  assert_memory_equal(row->ids, whole->ids, (size_t)np * sizeof *row->ids);
  assert_memory_equal(row->ids + np, whole->ids + np + drop, (size_t)(row->n - np) * sizeof *row->ids);
  for (int64_t t = 0; t < row->n; t++) assert_int_equal(row->labels[t], t < row->prompt_n ? -100 : row->ids[t]);
  say_pair_without(&s, k, text, cut, n, drop - 1);
  assert_false(fits(k, &s));
  say_pair_without(&s, k, text, cut, n, drop);
  assert_true(fits(k, &s) && check_row(k, row, &s));
}

static void check_refused(Kit *k, const DataRow *whole, const char *why, const char *text, size_t cut, size_t n) {
  static Said s;
  const int32_t *prefix;
  int64_t np = tokenizer_prefix(k->tok, &prefix), most = whole->prompt_n - (np ? np : 1);
  if (!strstr(why, ", and so is what is left without its prompt")) fail_msg("%s", why);
  if (most <= 0) return;
  say_pair_without(&s, k, text, cut, n, most);
  assert_false(fits(k, &s));
}

static void cuts_of(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  static Said s;
  char text[1024];
  RtError e;
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = long_text(r, parts, text), cut = some_cut(r, text, n);
    k->o.context = MOST, k->o.too_long = i % 3;
    for (int j = ALL; j < STREAMS; j++) k->streams.s[j].context = MOST;
    Data *whole = good_row(k, pair(text, cut, n));
    k->o.context = 1 + rng_below(r, 200);
    for (int j = ALL; j < STREAMS; j++) k->streams.s[j].context = 1 + rng_below(r, 200);
    Data *d = read_row(k, pair(text, cut, n), &e);
    say_pair(&s, k, text, cut, n);
    int64_t out = 0, without = 0;
    for (int j = 0; d && j < STREAMS; j++) out += d->limit[j].out, without += d->limit[j].cut;
    if (fits(k, &s)) {
      if (!d || d->n != 1 || d->row[0].n != s.n || out + without || !check_row(k, &d->row[0], &s)) show(anchor, augment, text, cut, n);
    } else if (k->o.too_long == TOO_LONG_error) {
      assert_true(!d && strstr(e.text, ":1: the row ") && strstr(e.text, " is longer than "));
    } else if (k->o.too_long == TOO_LONG_skip) {
      assert_true(d && d->n == 0 && out == 1 && without == 0);
    } else if (d) {
      assert_true(d->n == 1 && out == 0 && without == 1);
      check_cut(k, &d->row[0], &whole->row[0], text, cut, n);
    } else {
      check_refused(k, &whole->row[0], e.text, text, cut, n);
    }
    data_free(d);
    const DataRow *w = &whole->row[0];
    d = read_row(k, ids_row(w->ids, w->n, w->prompt_n), &e);
    if (d && d->n) {
      const DataRow *row = &d->row[0];
      assert_true(row->n <= k->o.context && follow_fits(row->follow) == row->n && (row->n == w->n || k->o.too_long == TOO_LONG_truncate));
      for (int64_t t = 1; t <= w->n - w->prompt_n; t++) assert_true(row->ids[row->n - t] == w->ids[w->n - t] && row->labels[row->n - t] == w->ids[w->n - t]);
    }
    data_free(d), data_free(whole);
  }
}

static void cuts(void **state) {
  (void)state;
  each_pair(cuts_of, every, sizeof every / sizeof *every);
}

// A context that is always full does not make reading slow: what lies behind it is not read.
static void long_text_small_context(void **state) {
  (void)state;
  Kit k;
  open_kit(&k, "byte_words", "chars");
  k.o.context = 4096;
  for (int j = ALL; j < STREAMS; j++) k.streams.s[j].context = 16;
  size_t n = 300000;
  char *text = rt_alloc(n, 1);
  for (size_t i = 0; i < n; i++) text[i] = "once upon a time, there was 1 word. "[i % 36];
  Data *d = good_row(&k, json_pack("{s:s%}", "text", text, n));
  assert_true(d->n > 10000);
  for (int64_t i = 0; i < d->n; i++) assert_true(d->row[i].follow->s[ALL].seen[d->row[i].n - 1] <= 16);
  data_free(d);
  rt_free(text);
  close_kit(&k);
}

// A word that never ends, between two tokenizers, one of which strips: reading it takes time and memory in its length, and the clock is there for
// what takes their square.
static void long_word(void **state) {
  (void)state;
  static const char *const augments[] = {"chars", "byte_words", "byte_digits", "fallback_prepend", "splits"};
  enum { WORD = 150000 };
  char *text = rt_alloc(WORD, 1);
  memset(text, 'a', WORD);
  alarm(120);
  for (size_t i = 0; i < sizeof augments / sizeof *augments; i++) {
    Kit k;
    open_kit(&k, i ? "chars" : "byte_words", augments[i]);
    k.o.context = INT32_MAX;
    for (int j = 0; j < STREAMS; j++) k.streams.s[j].context = INT32_MAX;
    Data *d = good_row(&k, json_pack("{s:s%, s:s}", "prompt", text, (size_t)WORD, "completion", "b"));
    const Follow *f = d->row[0].follow;
    assert_true(d->row[0].prompt_n > WORD / 20);
    assert_true(f->s[PROMPTS].seen[d->row[0].prompt_n - 1] > WORD / 20);             // all of it, where the prompt ends
    data_free(d);
    int32_t *ids;
    RtError e;
    int64_t n = tokenizer_encode(k.tok, text, WORD, false, &ids, NULL, &e);
    data_free(good_row(&k, ids_row(ids, n, n / 2)));
    rt_free(ids);
    close_kit(&k);
  }
  alarm(0);
  rt_free(text);
}

// ---- what it costs, and mistakes

static void shares_of(Kit *k, Rng *r, const TextParts *parts, const char *anchor, const char *augment) {
  static Said s;
  char text[1024];
  RtError e;
  (void)anchor, (void)augment;
  for (int i = 0; i < ROUNDS / 4; i++) {
    size_t n = long_text(r, parts, text), cut = some_cut(r, text, n);
    Data *d = good_row(k, pair(text, cut, n));
    const DataRow *row = &d->row[0];
    say_pair(&s, k, text, cut, n);
    for (int j = ALL; j < STREAMS; j++) {
      FollowShare sum = {0}, want = {0};
      if (!follow_share(row->follow, row->n, j, &sum, &e)) fail_msg("%s", e.text);
      const int32_t *prefix;
      const Stream *x = &k->streams.s[j];
      int64_t read = x->reads != READS_ROW && s.prompt < row->n ? s.prompt : row->n;
      TokSpan *span = NULL;
      int64_t m = x->tok ? tokenizer_encode(x->tok, s.text, read ? s.said[read - 1] : 0, false, NULL, &span, &e) : 0;
      for (int64_t a = 0; a < row->n; a++) {
        want.visible += row->follow->s[j].seen[a];
        if (!x->tok) want.ended += a < read ? a + 1 : read;
        else if (x->reads == READS_ALIGNED && a >= read) want.ended += row->follow->s[j].seen[a];
        else for (int64_t t = -tokenizer_prefix(x->tok, &prefix); t < m; t++) want.ended += t < 0 || span[t].end <= (int64_t)s.said[a];
      }
      rt_free(span);
      assert_int_equal(sum.visible, want.visible);
      assert_int_equal(sum.ended, want.ended);
      assert_true(sum.visible <= sum.ended);
    }
    data_free(d);
  }
}

static void shares(void **state) {
  (void)state;
  each_pair(shares_of, every, sizeof every / sizeof *every);
  Kit k;                       // a window that ends within a character
  RtError e;
  FollowShare sum = {0};
  open_kit(&k, "byte_words", "fallback_prepend");
  k.o.context = 2;
  Data *d = good_row(&k, json_pack("{s:s}", "text", "😀😀😀"));
  for (int64_t i = 0; i < d->n; i++)
    if (!follow_share(d->row[i].follow, d->row[i].n, ALL, &sum, &e)) fail_msg("%s", e.text);
  data_free(d);
  close_kit(&k);
}

static void mistakes(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k, "byte_words", "fallback_prepend");
  k.streams.s[ALL].vocab = 20;                  // ids of its tokenizer go further
  static const char *const row[] = {"text", "prompt", "completion"}, *const odd = "once, 7 x! é 漢 upon";
  for (int i = 0; i < 2; i++) {
    json_t *o = i ? json_pack("{s:s, s:s}", row[1], "once", row[2], odd) : json_pack("{s:s}", row[0], odd);
    assert_null(read_row(&k, o, &e));
    if (!strstr(e.text, ":1: the tokenizer of model aug gives id ") || !strstr(e.text, "the model knows ids below 20")) fail_msg("%s", e.text);
  }
  int32_t *ids;
  int64_t n = tokenizer_encode(k.tok, odd, strlen(odd), false, &ids, NULL, &e);
  assert_null(read_row(&k, ids_row(ids, n, 0), &e));
  assert_non_null(strstr(e.text, ":1: the tokenizer of model aug gives id "));
  rt_free(ids);
  close_kit(&k);
  open_kit(&k, "byte_words", "fallback_prepend");
  k.streams.s[ALL].context = 0;                 // no room even for its <s>
  assert_null(read_row(&k, json_pack("{s:s}", "text", "once upon a time"), &e));
  if (!strstr(e.text, "is full before the text begins")) fail_msg("%s", e.text);
  assert_null(read_row(&k, json_pack("{s:s, s:s}", "prompt", "once", "completion", " upon"), &e));
  if (!strstr(e.text, ":1: the row is longer than aug's context of 0 tokens")) fail_msg("%s", e.text);
  close_kit(&k);
}

// ---- real tokenizers

static char real_path[8][1024];
static int real_n, real_others;

// Those of the two real models, and the last of the other published ones.
static void remember(const char *name, const char *path) {
  (void)name;
  bool other = strstr(path, "/tokenizers/") != NULL;
  if (!strstr(path, "/.cache/")) return;
  if (!other || real_others++ == 0) real_n++;
  snprintf(real_path[real_n - 1], sizeof real_path[0], "%s", path);
}

static void real_ones(void **state) {
  (void)state;
  TextParts parts = text_parts_read();
  Rng r = {9};
  each_real_tokenizer(remember);
  for (int i = 0; i < real_n; i++)
    for (int j = 0; j < real_n; j++) {
      Kit k;
      if (i == j) continue;
      open_kit(&k, real_path[i], real_path[j]);
      k.o.vocab = k.streams.s[ALL].vocab = k.streams.s[PROMPTS].vocab = k.streams.s[ALIGNED].vocab = INT32_MAX;
      pairs_of(&k, &r, &parts, real_path[i], real_path[j]);
      if (i == 0) text_leaks(&k, &r, &parts, real_path[i], real_path[j]);
      ids_of(&k, &r, &parts, real_path[i], real_path[j]);
      goes_on(&k, &r, &parts, real_path[i], real_path[j]);
      close_kit(&k);
    }
  text_parts_free(&parts);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prompts_and_completions), cmocka_unit_test(no_leak_from_text), cmocka_unit_test(no_leak_from_ids),
      cmocka_unit_test(ids_like_text), cmocka_unit_test(generation), cmocka_unit_test(windows), cmocka_unit_test(cuts),
      cmocka_unit_test(long_text_small_context), cmocka_unit_test(long_word), cmocka_unit_test(real_ones), cmocka_unit_test(shares), cmocka_unit_test(mistakes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
