// The stable prefix: see settled.h. Every stage of the tokenizer says how much of its output is final when more text may follow (the `open`
// arguments of tokenizer_impl.h), each working on what the stage before it calls final:
//   a character that is cut off             left for later pushes
//   added tokens                            tk_cut: up to the longest end of the text that begins one
//   normalizers                             TkNormalizer.final: up to the last normalization boundary, for instance
//   pre-tokenizers                          TkSplitting.open: closed pieces, and one that is still growing
//   byte-pair merges in the growing piece   up to its last cut x|y that no merge crosses
// A text resumes behind its settled tokens where that gives the same tokens, so that a push looks only at the open end.
#include "runtime/text/settled.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/impl.h"

struct Settler {
  const Tokenizer *t;
  bool resumes;
  bool cuts;                   // whether growing pieces can be cut
  uint64_t *pair;              // hash set of x << 32 | y, characters that stand side by side within a token; 0 = empty
  size_t mask, n;
};

// --- which two units may end up in one token
static bool in_set(const Settler *s, uint64_t key) {
  for (size_t i = tk_hash((const char *)&key, sizeof key) & s->mask; s->pair[i]; i = (i + 1) & s->mask)
    if (s->pair[i] == key) return true;
  return false;
}

static void put(uint64_t *table, size_t mask, uint64_t key) {
  size_t i = tk_hash((const char *)&key, sizeof key) & mask;
  while (table[i] && table[i] != key) i = (i + 1) & mask;
  table[i] = key;
}

static void add(Settler *s, uint64_t key) {
  if (in_set(s, key)) return;
  if (2 * ++s->n > s->mask) {
    size_t size = (s->mask + 1) * 2;
    uint64_t *grown = rt_alloc(size, sizeof *grown);
    for (size_t i = 0; i <= s->mask; i++)
      if (s->pair[i]) put(grown, size - 1, s->pair[i]);
    rt_free(s->pair);
    s->pair = grown;
    s->mask = size - 1;
  }
  put(s->pair, s->mask, key);
}

// A unit is what merging starts from: a byte in byte-level tokenizers, a character otherwise. NUL's unit is made different from "empty".
static uint64_t unit(uint32_t c) { return (uint64_t)c + 1; }

static size_t next_unit(const Tokenizer *t, const char *s, uint64_t *u) {
  uint32_t c;
  size_t k = t->bytes ? (c = (uint8_t)*s, 1) : rt_utf8_next(s, &c);
  *u = unit(c);
  return k;
}

static void add_token(Settler *s, TkStr token) {
  uint64_t before = 0, u;
  for (size_t i = 0; i < token.n;) {
    uint32_t c;
    i += rt_utf8_next(token.s + i, &c);
    int byte = s->t->bytes ? tk_char_byte(c) : (int)c;
    u = byte < 0 ? 0 : unit((uint32_t)byte);                // a token that is no bytes is never merged
    if (before && u) add(s, before << 32 | u);
    before = u;
  }
}

// The tokens of more than one unit: merges make them. Others in the vocabulary, byte tokens for instance, are never met as their characters.
static void add_merged(Settler *s) {
  const TkVocab *v = &s->t->vocab;
  bool *made = rt_alloc((size_t)v->n, sizeof *made);
  for (size_t i = 0; i <= v->pair_mask; i++)
    if (v->pair[i].rank != UINT32_MAX) made[v->pair[i].id] = true;
  for (int64_t i = 0; i < v->n; i++)
    if (made[i] && v->token[i].s) add_token(s, v->token[i]);
  rt_free(made);
}

// Byte tokens (<0xNN>) stand for bytes of characters: a vocabulary that merges them has no cut to offer.
static bool merges_byte_tokens(const Tokenizer *t) {
  if (!t->byte_fallback) return false;
  bool is_byte[256] = {false};
  int32_t low = INT32_MAX, high = -1;
  for (int b = 0; b < 256; b++) {
    is_byte[b] = t->vocab.byte[b] >= 0;
    if (is_byte[b] && t->vocab.byte[b] < low) low = t->vocab.byte[b];
    if (is_byte[b] && t->vocab.byte[b] > high) high = t->vocab.byte[b];
  }
  for (size_t i = 0; i <= t->vocab.pair_mask; i++) {
    const TkPair *p = &t->vocab.pair[i];
    int32_t side[2] = {(int32_t)(p->key >> 32), (int32_t)(uint32_t)p->key};
    for (int k = 0; p->rank != UINT32_MAX && k < 2; k++)
      for (int b = 0; side[k] >= low && side[k] <= high && b < 256; b++)
        if (t->vocab.byte[b] == side[k]) return true;
  }
  return false;
}

// --- whether a text can be resumed behind any of its settled tokens
static bool one_char(const TkPattern *p) {
  uint32_t c;
  return p->literal && p->n && rt_utf8_next(p->literal, &c) == p->n;
}

static bool splitter_resumes(const TkSplitter *s, bool first) {
  if (!first && (s->prefix_space || s->prepend != TK_PREPEND_NEVER)) return false;
  if (s->pattern.re) {
    uint32_t behind = 1;
    pcre2_pattern_info(s->pattern.re, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    return behind == 0 && (s->behavior == TK_ISOLATED || s->behavior == TK_REMOVED);
  }
  return !s->pattern.literal || one_char(&s->pattern) || (s->behavior == TK_ISOLATED && !s->invert);
}

static bool can_resume(const Tokenizer *t) {
  for (int i = 0; i < t->nnorm; i++)
    if (!tk_normalizer_resumes(&t->norm[i])) return false;
  for (int i = 0; i < t->nsplit; i++)
    if (!splitter_resumes(&t->split[i], i == 0)) return false;
  return true;
}

Settler *settler_new(const Tokenizer *t) {
  Settler *s = rt_alloc(1, sizeof *s);
  s->t = t;
  s->mask = 1023;
  s->pair = rt_alloc(s->mask + 1, sizeof *s->pair);
  s->resumes = can_resume(t);
  // A piece that may be looked up whole is not encoded in parts.
  s->cuts = !t->ignore_merges && !merges_byte_tokens(t);
  if (s->cuts) add_merged(s);
  return s;
}

void settler_free(Settler *s) {
  if (!s) return;
  rt_free(s->pair);
  rt_free(s);
}

bool settler_resumes(const Settler *s) { return s->resumes; }

// --- a text
struct SettledText {
  const Settler *rule;
  char *s;                     // all bytes so far
  size_t n, cap, whole;        // whole: up to the last complete character
  bool continuation, ended;
  size_t resume;               // raw offset to go on from; the tokens before it are `kept`
  bool fresh;                  // resume stands behind an added token: what follows is a segment of its own
  int64_t kept, ntok, cap_tok;
  int32_t *ids;
  TokSpan *spans;
};

SettledText *settled_new(const Settler *s, bool continuation) {
  SettledText *x = rt_alloc(1, sizeof *x);
  x->rule = s;
  x->continuation = continuation;
  x->s = rt_alloc(x->cap = 64, 1);
  return x;
}

void settled_free(SettledText *x) {
  if (!x) return;
  rt_free(x->s);
  rt_free(x->ids);
  rt_free(x->spans);
  rt_free(x);
}

int64_t settled_tokens(const SettledText *x, const int32_t **ids, const TokSpan **spans) {
  if (ids) *ids = x->ids;
  if (spans) *spans = x->spans;
  return x->ntok;
}

// Whether a character that has no token of its own is spelt in bytes.
static bool spelt(const Tokenizer *t, const char *s, size_t k) {
  for (size_t b = 0; b < k; b++)
    if (t->vocab.byte[(uint8_t)s[b]] < 0) return false;
  return t->byte_fallback;
}

// How much of a growing piece its tokens are final for: up to the last cut that nothing can cross. An unknown character waits for the next
// that has a token of its own (tokenizer_bpe.c), so there is no cut between.
static size_t last_cut(const Settler *s, const char *text, size_t n) {
  const Tokenizer *t = s->t;
  size_t cut = 0;
  bool waiting = false, alone = t->unk >= 0 && !t->fuse_unk && !t->byte_fallback;   // an unknown one is a token of its own
  uint64_t before = 0, u;
  for (size_t i = 0, k; s->cuts && i < n; i += k) {
    k = next_unit(t, text + i, &u);
    bool own = t->bytes || alone || tk_vocab_find(&t->vocab, text + i, k) >= 0, known = own || spelt(t, text + i, k);
    if (i && known && !waiting && !in_set(s, before << 32 | u)) cut = i;
    waiting = !known || (waiting && !own);
    before = u;
  }
  return cut;
}

typedef struct Open {          // what one look at the open end finds
  TkWork *w;
  size_t resume;               // where the next look may start
  bool fresh;
} Open;

// Whether the text can be resumed at raw offset `at`, byte i of `split`, which came from `text`: nothing reaches over it, text after it
// is normalized as if it began there, and no added token asks whether a word stands before it.
static bool clean_at(const SettledText *x, const TkText *text, const TkText *split, size_t i, size_t at) {
  if (i < split->n && tk_from(split, i) < at) return false;
  size_t k = text->n;            // the same place in the normalized text
  while (k && tk_from(text, k - 1) >= at) k--;
  if (x->rule->t->normalized.single_word && !tk_word_ends(text->s, k)) return false;
  for (int z = 0; z < x->rule->t->nnorm; z++)
    if (!tk_normalizer_boundary(&x->rule->t->norm[z], x->s + at, x->whole - at)) return false;
  return true;
}

// A part between added tokens, text[begin, end), that may go on at its end.
static void open_part(const SettledText *x, Open *o, const TkText *text, size_t begin, size_t end) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w;
  w->split.open = true;
  tk_split(t, &w->split, text, begin, end, &w->call);
  w->split.open = false;
  const TkSplitting *s = &w->split;
  TkPiece growing = s->in.p[s->in.n - 1];
  for (size_t k = 0; k + 1 < s->in.n && !w->call.failed; k++) tk_encode_piece(t, w, s->in.p[k]);
  growing.end = growing.begin + last_cut(x->rule, s->t->s + growing.begin, growing.end - growing.begin);
  if (growing.end > growing.begin && !w->call.failed) tk_encode_piece(t, w, growing);
  size_t done = growing.end;
  if (s->in.n == 1 && done == growing.begin) return;        // nothing settled here: the part's beginning is not in its middle
  size_t at = tk_to(s->t, done - 1);
  if (w->n && w->spans[w->n - 1].end > (int64_t)at) return;
  if (clean_at(x, text, s->t, done, at)) o->resume = at, o->fresh = false;
}

static void closed_part(const Tokenizer *t, TkWork *w, const TkText *text, size_t begin, size_t end) {
  tk_split(t, &w->split, text, begin, end, &w->call);
  for (size_t k = 0; k < w->split.in.n && !w->call.failed; k++) tk_encode_piece(t, w, w->split.in.p[k]);
}

// Raw text [begin, end) between added tokens; with open, the end may go on.
static void look_segment(const SettledText *x, Open *o, size_t begin, size_t end, bool open) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w;
  TkText view = tk_text_view(x->s, begin, end);
  const TkText *text = tk_normalize(t, &view, w->norm, open, &w->call);
  w->normalized.n = 0;
  if (w->call.failed) return;
  size_t final = tk_cut(&t->normalized, t->added, text->s, 0, text->n, open, &w->normalized);
  for (size_t i = 0; i < w->normalized.n && !w->call.failed; i++) {
    TkCut c = w->normalized.c[i];
    if (c.added >= 0) tk_emit(w, t->added[c.added].id, tk_from(text, c.begin), tk_to(text, c.end - 1));
    else if (open && c.end == final) open_part(x, o, text, c.begin, c.end);
    else closed_part(t, w, text, c.begin, c.end);
  }
}

// Looks at the text from x->resume on; false on failure.
static bool look(SettledText *x, Open *o, RtError *e) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w = tk_work_take(t, x->continuation, e);
  bool open = !x->ended;
  o->resume = x->resume;
  o->fresh = x->fresh;
  if (x->resume) w->call.joined = x->fresh ? -1 : (int64_t)x->resume;
  w->raw.n = 0;
  size_t final = tk_cut(&t->raw, t->added, x->s, x->resume, x->whole, open, &w->raw);
  for (size_t i = 0; i < w->raw.n && !w->call.failed; i++) {
    TkCut c = w->raw.c[i];
    if (c.added < 0) {
      look_segment(x, o, c.begin, c.end, open && c.end == final);
    } else {
      tk_emit(w, t->added[c.added].id, (int64_t)c.begin, (int64_t)c.end);
      o->resume = c.end;
      o->fresh = true;
    }
  }
  return !w->call.failed;
}

static void keep_tokens(SettledText *x, const Open *o) {
  const TkWork *w = o->w;
  int64_t n = x->kept + w->n;
  if (n > x->cap_tok) {
    x->cap_tok = n * 2;
    x->ids = rt_realloc(x->ids, (size_t)x->cap_tok, sizeof *x->ids);
    x->spans = rt_realloc(x->spans, (size_t)x->cap_tok, sizeof *x->spans);
  }
  if (w->n) {
    memcpy(x->ids + x->kept, w->ids, (size_t)w->n * sizeof *x->ids);
    memcpy(x->spans + x->kept, w->spans, (size_t)w->n * sizeof *x->spans);
  }
  x->ntok = n;
  if (!x->rule->resumes || o->resume == x->resume) return;
  x->resume = o->resume;
  x->fresh = o->fresh;
  for (x->kept = n; x->kept && x->spans[x->kept - 1].end > (int64_t)x->resume;) x->kept--;
}

static bool settle(SettledText *x, RtError *e) {
  Open o;
  bool ok = look(x, &o, e);
  if (ok) keep_tokens(x, &o);
  tk_work_give(x->rule->t, o.w);
  return ok;
}

bool settled_push(SettledText *x, const char *bytes, size_t n, RtError *e) {
  if (n > INT32_MAX - x->n) return rt_fail(e, "a text of more than %d bytes is too long", INT32_MAX);
  if (x->n + n > x->cap) x->s = rt_realloc(x->s, x->cap = (x->n + n) * 2, 1);
  if (n) memcpy(x->s + x->n, bytes, n);
  x->n += n;
  size_t valid = x->whole + (x->n > x->whole ? rt_utf8_valid(x->s + x->whole, x->n - x->whole) : 0);
  if (valid < x->n && rt_utf8_scan(x->s + valid, x->n - valid) < 0) return tk_not_utf8(x->s, valid, e);
  if (valid == x->whole) return true;
  x->whole = valid;
  return settle(x, e);
}

bool settled_end(SettledText *x, RtError *e) {
  if (x->whole < x->n) return tk_not_utf8(x->s, x->whole, e);
  x->ended = true;
  return settle(x, e);
}
