// The stable prefix: see settled.h. Every stage of the tokenizer says how much of its output is final when more text may follow (the `open`
// arguments), each working on what the stage before it calls final; a stage that says nothing has nothing final:
//   a character that is cut off             left for later pushes
//   added tokens                            tk_cut: up to the longest end of the text that begins one
//   normalizers                             TkNormalizerKind.final: up to the last normalization boundary, for instance
//   pre-tokenizers                          TkSplitting.open: closed pieces, and one that is still growing
//   the model in the growing piece          TkModelKind.last_cut: up to the last cut x|y that no merge crosses, for BPE; for Unigram, as far as the
//                                           best ways to all places that a token may yet go on from are one
// A text resumes behind its settled tokens where that gives the same tokens, so that a push looks only at the open end.
#include "runtime/text/settled.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/pipeline.h"

struct Settler {
  const Tokenizer *t;
  bool resumes;
  void *cuts;                  // the model's, of growing pieces; NULL where it has none
  bool shared;                 // they are another's
};

Settler *settler_new(const Tokenizer *t) {
  Settler *s = rt_alloc(1, sizeof *s);
  s->t = t;
  s->resumes = tk_normalizers_resume(&t->norm) && tk_pretokenizers_resume(&t->pre, t->model.kind->whole);
  if (t->model.kind->cuts) s->cuts = t->model.kind->cuts(t->model.own);
  return s;
}

Settler *settler_share(const Settler *s, const Tokenizer *t) {
  Settler *own = rt_alloc(1, sizeof *own);
  *own = (Settler){.t = t, .resumes = s->resumes, .cuts = s->cuts, .shared = true};
  return own;
}

void settler_free(Settler *s) {
  if (!s) return;
  if (s->cuts && !s->shared) s->t->model.kind->cuts_free(s->cuts);
  rt_free(s);
}

bool settler_resumes(const Settler *s) { return s->resumes; }

// --- a text
struct SettledText {
  const Settler *rule;
  char *s;                     // all bytes so far
  size_t n, cap, whole;        // whole: up to the last complete character
  size_t seen;                 // of those, what the last look saw
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

// How much of a growing piece its tokens are final for.
static size_t last_cut(const Settler *s, const char *text, size_t n) { return s->cuts ? s->t->model.kind->last_cut(s->cuts, text, n) : 0; }

typedef struct Open {          // what one look at the open end finds
  TkWork *w;
  size_t resume;               // where the next look may start
  bool fresh;
} Open;

// Whether the text can be resumed at raw offset `at`, byte i of w->split.t, which came from text[…, end): nothing reaches over it, text after it
// is normalized as if it began there, and no added token asks whether a word stands before it.
static bool clean_at(const SettledText *x, TkWork *w, const TkText *text, size_t end, size_t i, size_t at) {
  const TkText *split = w->split.t;
  if (text->misplaced || (i < split->n && tk_from(split, i) < at) || (end < text->n && tk_from(text, end) < at) || w->split.left < at) return false;
  size_t k = text->n;            // the same place in the normalized text
  while (k && tk_from(text, k - 1) >= at) k--;
  if (x->rule->t->normalized.single_word && !tk_word_ends(text->s, k)) return false;
  TkText rest = tk_text_view(x->s, at, x->seen);
  w->call.within = true;
  return tk_normalizers_boundary(&x->rule->t->norm, &rest, w->rest, &w->call);
}

// A part between added tokens, text[begin, end), that may go on at its end.
static void open_part(const SettledText *x, Open *o, const TkText *text, size_t begin, size_t end) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w;
  tk_pretokenize(&t->pre, &w->split, text, begin, end, true, &w->call);
  if (w->call.failed) return;
  const TkSplitting *s = &w->split;
  TkPiece growing = s->in.p[s->in.n - 1];
  tk_encode_pieces(w, s->in.n - 1);
  int64_t closed = w->n;
  growing.end = growing.begin + last_cut(x->rule, s->t->s + growing.begin, growing.end - growing.begin);
  if (growing.end > growing.begin && !w->call.failed) tk_encode_piece(w, growing);
  bool whole = t->model.kind->whole;
  size_t done = whole ? growing.begin : growing.end;
  int64_t last = whole ? closed : w->n;                     // of the tokens before it
  if (s->in.n == 1 && done == growing.begin) return;        // nothing settled here: the part's beginning is not in its middle
  size_t at = tk_to(s->t, done - 1);
  if (last && w->spans[last - 1].end > (int64_t)at) return;
  if (clean_at(x, w, text, end, done, at)) o->resume = at, o->fresh = false;
}

static void closed_part(const Tokenizer *t, TkWork *w, const TkText *text, size_t begin, size_t end) {
  tk_pretokenize(&t->pre, &w->split, text, begin, end, false, &w->call);
  tk_encode_pieces(w, w->split.in.n);
}

// Raw text [begin, end) between added tokens; with open, the end may go on.
static void look_segment(const SettledText *x, Open *o, size_t begin, size_t end, bool open) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w;
  bool within = begin > 0 && begin == x->resume && !x->fresh;
  TkText view = tk_text_view(x->s, begin, end);
  w->call.within = within;
  const TkText *text = tk_normalize(&t->norm, &view, w->norm, open, &w->call);
  w->normalized.n = 0;
  if (w->call.failed) return;
  size_t final = tk_cut(&t->normalized, t->added, text->s, 0, text->n, open, &w->normalized, &w->call);
  for (size_t i = 0; i < w->normalized.n && !w->call.failed; i++) {
    TkCut c = w->normalized.c[i];
    w->call.within = within && c.begin == 0;
    if (c.added >= 0) tk_emit(w, t->added[c.added].id, tk_from(text, c.begin), tk_to(text, c.end - 1));
    else if (open && c.end == final) open_part(x, o, text, c.begin, c.end);
    else closed_part(t, w, text, c.begin, c.end);
  }
}

// Looks at the text from x->resume on, as far as x->seen; false on failure.
static bool look(SettledText *x, Open *o, RtError *e) {
  const Tokenizer *t = x->rule->t;
  TkWork *w = o->w = tk_work_take(t->pool, x->continuation, x->seen - x->resume, e);
  bool open = !x->ended;
  o->resume = x->resume;
  o->fresh = x->fresh;
  if (x->resume) w->call.joined = x->fresh ? -1 : (int64_t)x->resume;
  w->call.whole = t->model.kind->whole;
  w->raw.n = 0;
  size_t final = tk_cut(&t->raw, t->added, x->s, x->resume, x->seen, open, &w->raw, &w->call);
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

static bool settle(SettledText *x, size_t upto, RtError *e) {
  Open o;
  x->seen = upto;
  bool ok = look(x, &o, e);
  if (ok) keep_tokens(x, &o);
  tk_work_give(x->rule->t->pool, o.w);
  return ok;
}

// ---- when to look
// A look costs as much as the end of the text is open: a word of 100,000 letters, looked at after each few, would take their square. So where much
// is open, looks are rare, at places that the text alone decides. The places are those of a tree: a stretch of it, [at, at + span) with `at` a
// multiple of span, is looked at in its beginning, and in its two halves where no more than OPEN * (span / LEAF) bytes are open there. A leaf in
// which no more than OPEN are is looked at wherever a push ends. A text in which more is open than that has settled what its last look before saw.
enum { LEAF = 16, OPEN = 512 };

static size_t whole_before(const SettledText *x, size_t at) {
  while (at && at < x->n && ((uint8_t)x->s[at] & 0xC0) == 0x80) at--;
  return at;
}

// What is open at `at`, if it is more than `most`: a look from there on may have to be made to know, for none that saw less knows less.
static bool is_long(SettledText *x, size_t at, size_t most, bool *ok, RtError *e) {
  size_t place = whole_before(x, at);
  if (place <= x->resume + most) return false;
  if (x->seen < place) *ok = settle(x, place, e);
  return *ok && place > x->resume + most;
}

static bool look_where_due(SettledText *x, RtError *e) {
  size_t span = LEAF, at = 0;
  bool ok = true;
  while (span <= x->whole) span *= 2;
  for (; span > LEAF && ok; span /= 2) {       // [at, at + span) holds the text's end
    if (is_long(x, at, OPEN * (span / LEAF / 2), &ok, e)) break;
    if (x->whole - at >= span / 2) at += span / 2;
  }
  if (span == LEAF && ok && !is_long(x, at, OPEN, &ok, e)) at = x->whole;
  at = whole_before(x, at);
  return ok && (at <= x->seen || settle(x, at, e));
}

bool settled_push(SettledText *x, const char *bytes, size_t n, RtError *e) {
  if (n > INT32_MAX - x->n) return rt_fail(e, "a text of more than %d bytes is too long", INT32_MAX);
  if (x->n + n > x->cap) x->s = rt_realloc(x->s, x->cap = (x->n + n) * 2, 1);
  if (n) memcpy(x->s + x->n, bytes, n);
  x->n += n;
  size_t valid = x->whole + (x->n > x->whole ? rt_utf8_valid(x->s + x->whole, x->n - x->whole) : 0);
  if (valid < x->n && rt_utf8_scan(x->s + valid, x->n - valid) < 0) return tk_text_not_utf8(x->s, valid, e);
  if (valid == x->whole) return true;
  x->whole = valid;
  return look_where_due(x, e);
}

bool settled_end(SettledText *x, RtError *e) {
  if (x->whole < x->n) return tk_text_not_utf8(x->s, x->whole, e);
  x->ended = true;
  return settle(x, x->whole, e);
}
