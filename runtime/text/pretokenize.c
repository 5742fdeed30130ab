// The kinds of pre-tokenizers, each one constant, and the walk over a tokenizer's list of them.
#include "runtime/text/pretokenize.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/chars.h"
#include "runtime/text/classes.h"

// --- kinds that are a TkSplit and nothing else: Split, Digits, WhitespaceSplit, Punctuation
static bool read_behavior(TkSplit *sp, const char *what, const json_t *v, RtError *e) {
  static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
  const char *s = json_string_value(json_object_get(v, "behavior"));
  for (size_t i = 0; s && i < sizeof names / sizeof *names; i++)
    if (strcmp(s, names[i]) == 0) return sp->behavior = (TkBehavior)i, true;
  return rt_fail(e, "%s: pre-tokenizer %s: behavior \"%.80s\" is not supported", what,
                 json_string_value(json_object_get(v, "type")), s ? s : "(none)");
}

static bool read_split(void *own, const char *what, const json_t *v, RtError *e) {
  TkSplit *sp = own;
  return read_behavior(sp, what, v, e) && rtj_get_bool(what, v, "invert", &sp->invert, e) &&
         tk_pattern_read(&sp->pattern, what, json_object_get(v, "pattern"), e);
}

static void free_split(void *own) { tk_pattern_free(&((TkSplit *)own)->pattern); }

static void run_split(const void *own, TkSplitting *w, TkCall *call) { tk_split_run(own, w, call); }

static bool resumes_split(const void *own, TkWhere where) { return (void)where, tk_split_resumes(own); }

static bool most_split(const void *own, const TkMostOf *of, TkTokensMost *m) {
  return (void)of, (void)m, tk_pattern_ends(&((const TkSplit *)own)->pattern);
}

static bool read_digits(void *own, const char *what, const json_t *v, RtError *e) {
  bool individual = false;
  if (!rtj_get_bool(what, v, "individual_digits", &individual, e)) return false;
  ((TkSplit *)own)->behavior = individual ? TK_ISOLATED : TK_CONTIGUOUS;
  return true;
}

static bool read_punctuation(void *own, const char *what, const json_t *v, RtError *e) {
  return !json_object_get(v, "behavior") || read_behavior(own, what, v, e);     // Isolated otherwise
}

static const TkSplit numbers = {.is = tk_is_number}, spaces = {.is = tk_is_space, .behavior = TK_REMOVED}, signs = {.is = tk_is_punctuation};
static const TkPretokenizerKind split = {
  .kind = {.type = "Split", .size = sizeof(TkSplit), .read = read_split, .free = free_split},
  .run = run_split, .grows = true, .resumes = resumes_split, .most = most_split,
};
static const TkPretokenizerKind digits = {
  .kind = {.type = "Digits", .size = sizeof(TkSplit), .preset = &numbers, .read = read_digits},
  .run = run_split, .grows = true, .resumes = resumes_split, .most = tk_most_same,
};
static const TkPretokenizerKind whitespace = {
  .kind = {.type = "WhitespaceSplit", .size = sizeof(TkSplit), .preset = &spaces},
  .run = run_split, .grows = true, .resumes = resumes_split, .most = tk_most_same,
};
static const TkPretokenizerKind punctuation = {
  .kind = {.type = "Punctuation", .size = sizeof(TkSplit), .preset = &signs, .read = read_punctuation},
  .run = run_split, .grows = true, .resumes = resumes_split, .most = tk_most_same,
};

// --- Whitespace: runs of a word's characters, and runs of what is neither that nor space
static void run_words(const void *own, TkSplitting *w, TkCall *call) {
  static const TkSplit word = {.is = tk_is_word, .behavior = TK_CONTIGUOUS};
  (void)own;
  tk_split_run(&spaces, w, call);
  tk_splitting_take(w, w->t);
  tk_split_run(&word, w, call);
}

static bool resumes_words(const void *own, TkWhere where) { return (void)own, (void)where, true; }

static const TkPretokenizerKind words = {
  .kind = {.type = "Whitespace"},
  .run = run_words, .grows = true, .resumes = resumes_words, .most = tk_most_same,
};

// --- UnicodeScripts: splits where another script begins. What is of any script goes with what stands before it; at a piece's beginning it is left
// out. So behind a token that is settled a text does not split as if it began there.
static void run_scripts(const void *own, TkSplitting *w, TkCall *call) {
  (void)own, (void)call;
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = p.end, k;
    int last = 0;
    for (size_t at = p.begin; at < p.end; at += k) {
      uint32_t cp;
      k = rt_utf8_next(w->t->s + at, &cp);
      int script = cp == ' ' ? 0 : tk_script(cp);
      if (!script || script == last) continue;
      if (last) tk_piece_put(&w->out, begin, at);
      begin = at, last = script;
    }
    bool open = w->open && i + 1 == w->in.n;
    if (begin < p.end || open) tk_piece_put(&w->out, begin, p.end);
  }
}

static const TkPretokenizerKind scripts = {
  .kind = {.type = "UnicodeScripts"},
  .run = run_scripts, .grows = true, .most = tk_most_same,
};

// A string before the pieces that come: before the one that a text is, or before any.
static bool most_before(const TkMostOf *of, const char *s, TkTokensMost *m) {
  int64_t made = tk_most_string(of, m, s);
  if (of->first) m->fixed += made;
  else m->ascii += made, m->other += made;
  return true;
}

// --- Metaspace: a sign for each space, and splits before it
typedef enum Prepend { NEVER, FIRST, ALWAYS } Prepend;
typedef struct Metaspace {
  Prepend prepend;             // puts one before which piece
  bool splits;
  TkSplit split;               // at the sign
} Metaspace;

static bool read_metaspace(void *own, const char *what, const json_t *v, RtError *e) {
  Metaspace *m = own;
  const char *replacement = "\xE2\x96\x81", *scheme = "always";
  bool prefix = true;
  if (!rtj_get_string(what, v, "replacement", &replacement, e) || !rtj_get_string(what, v, "prepend_scheme", &scheme, e) ||
      !rtj_get_bool(what, v, "split", &m->splits, e) || !rtj_get_bool(what, v, "add_prefix_space", &prefix, e))
    return false;
  m->prepend = strcmp(scheme, "always") == 0 ? ALWAYS : strcmp(scheme, "first") == 0 ? FIRST : NEVER;
  if (m->prepend == NEVER && strcmp(scheme, "never") != 0)
    return rt_fail(e, "%s: pre-tokenizer Metaspace: prepend_scheme \"%.80s\" is not supported", what, scheme);
  if (!prefix) m->prepend = NEVER;                          // the older way to say it
  tk_pattern_literal(&m->split.pattern, replacement);
  return tk_pattern_one_char(&m->split.pattern) ||
         rt_fail(e, "%s: pre-tokenizer Metaspace: \"replacement\": expected one character, found \"%.80s\"", what, replacement);
}

static void free_metaspace(void *own) { tk_pattern_free(&((Metaspace *)own)->split.pattern); }

static void run_metaspace(const void *own, TkSplitting *w, TkCall *call) {
  const Metaspace *m = own;
  TkText *to = tk_splitting_buffer(w);
  const TkText *t = w->t;
  const char *sign = m->split.pattern.literal;
  size_t n = m->split.pattern.n;
  bool goes_on = call->within && !(w->pieces && !w->first);       // the first piece does, which was split from what stands before it by none before
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    uint32_t from = p.begin < p.end ? tk_from(t, p.begin) : 0;
    bool has = p.begin < p.end && (t->s[p.begin] == ' ' || (p.end - p.begin >= n && memcmp(t->s + p.begin, sign, n) == 0));
    bool wants = (m->prepend == ALWAYS || (m->prepend == FIRST && from == 0)) && !(goes_on && i == 0);
    if (p.begin < p.end && wants && !has && (from != call->joined || (call->within && !goes_on))) tk_text_put(to, sign, n, from, tk_to(t, p.begin));
    for (size_t k = p.begin; k < p.end; k++) {
      bool space = t->s[k] == ' ';
      tk_text_put(to, space ? sign : t->s + k, space ? n : 1, tk_from(t, k), tk_to(t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
  if (m->splits) tk_split_run(&m->split, w, call);
  else tk_splitting_swap(w);
}

static bool resumes_metaspace(const void *own, TkWhere where) {
  const Metaspace *m = own;
  return (where.first || where.pieces || m->prepend != ALWAYS) && tk_split_resumes(&m->split);
}

static bool most_metaspace(const void *own, const TkMostOf *of, TkTokensMost *m) {
  const Metaspace *p = own;
  const char *sign = p->split.pattern.literal;
  int64_t space = tk_most_string(of, m, sign);
  if (space > m->ascii) m->ascii = space;
  return p->prepend == NEVER || most_before(of, sign, m);
}

static const Metaspace before_sign = {.splits = true, .split.behavior = TK_WITH_NEXT};
static const TkPretokenizerKind metaspace = {
  .kind = {.type = "Metaspace", .size = sizeof(Metaspace), .preset = &before_sign, .read = read_metaspace, .free = free_metaspace},
  .run = run_metaspace, .grows = true, .resumes = resumes_metaspace, .most = most_metaspace,
};

// --- ByteLevel: splits into words, and shows each byte as a character
typedef struct ByteLevel {
  TkSplit split;               // no pattern: does not split
  bool prefix_space;
  bool raw;                    // pieces stay bytes
} ByteLevel;

// The pattern that use_regex means (Radford et al. 2019).
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool read_byte_level(void *own, const char *what, const json_t *v, RtError *e) {
  ByteLevel *b = own;
  bool regex = true;
  if (!rtj_get_bool(what, v, "add_prefix_space", &b->prefix_space, e) || !rtj_get_bool(what, v, "use_regex", &regex, e)) return false;
  return !regex || tk_pattern_regex(&b->split.pattern, what, byte_level_pattern, e);
}

static void free_byte_level(void *own) { tk_pattern_free(&((ByteLevel *)own)->split.pattern); }

// Puts the space that add_prefix_space asks for before each piece.
static void put_spaces(TkSplitting *w, const TkCall *call) {
  TkText *to = tk_splitting_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    if (p.begin < p.end && w->t->s[p.begin] != ' ' && tk_from(w->t, p.begin) != call->joined && !(call->within && i == 0))
      tk_text_put(to, " ", 1, tk_from(w->t, p.begin), tk_to(w->t, p.begin));
    tk_text_copy(to, w->t, p.begin, p.end);
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
}

// Bytes to the characters that stand for them.
static void show_bytes(TkSplitting *w) {
  TkText *to = tk_splitting_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    size_t begin = to->n;
    for (size_t k = w->in.p[i].begin; k < w->in.p[i].end; k++) {
      char s[4];
      tk_text_put(to, s, rt_utf8_put(s, tk_byte_char((uint8_t)w->t->s[k])), tk_from(w->t, k), tk_to(w->t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
}

static void run_byte_level(const void *own, TkSplitting *w, TkCall *call) {
  const ByteLevel *b = own;
  if (b->prefix_space) put_spaces(w, call);
  if (b->split.pattern.re) {
    tk_split_run(&b->split, w, call);
    tk_splitting_take(w, w->t);
  }
  if (!b->raw) show_bytes(w);
  tk_splitting_swap(w);
}

static bool resumes_byte_level(const void *own, TkWhere where) {
  const ByteLevel *b = own;
  return (where.first || !b->prefix_space) && tk_split_resumes(&b->split);
}

// Each byte is a character: what of that a model makes, or else its two bytes' worth.
static bool most_byte_level(const void *own, const TkMostOf *of, TkTokensMost *m) {
  const ByteLevel *b = own;
  int64_t each = 1;
  for (int i = 0; i < 256 && !b->raw; i++) {
    char s[4];
    size_t n = rt_utf8_put(s, tk_byte_char((uint8_t)i));
    int64_t made = of->last ? of->model->kind->most(of->model->own, s, n) : (int64_t)n * (m->ascii > m->other ? m->ascii : m->other);
    if (made > each) each = made;
  }
  m->ascii = m->other = each;
  return tk_pattern_ends(&b->split.pattern) && (!b->prefix_space || most_before(of, " ", m));
}

static void leave_bytes(void *own) { ((ByteLevel *)own)->raw = true; }

static const ByteLevel as_words = {.prefix_space = true};
static const TkPretokenizerKind byte_level = {
  .kind = {.type = "ByteLevel", .size = sizeof(ByteLevel), .preset = &as_words, .read = read_byte_level, .free = free_byte_level},
  .run = run_byte_level, .grows = true, .resumes = resumes_byte_level, .most = most_byte_level, .leave_bytes = leave_bytes,
};

// --- all of them
static const TkKind *const kinds[] = {&split.kind, &digits.kind, &whitespace.kind, &punctuation.kind, &words.kind, &scripts.kind, &metaspace.kind, &byte_level.kind, NULL};
const TkFamily tk_pretokenizers = {"pre-tokenizer", "pretokenizers", kinds};

static const TkPretokenizerKind *kind_of(const TkComponent *c) { return (const TkPretokenizerKind *)c->kind; }

void tk_pretokenize(const TkComponents *l, TkSplitting *w, const TkText *text, size_t begin, size_t end, bool open, TkCall *call) {
  w->t = text;
  w->in.n = w->out.n = 0;
  w->open = open;
  w->left = UINT32_MAX;
  w->room = call->left.room;
  tk_piece_put(&w->in, begin, end);
  for (int i = 0; i < l->n && !call->failed; i++) {
    const TkPretokenizerKind *k = kind_of(&l->c[i]);
    if (open && !k->grows) {     // one growing piece that nothing is known of
      w->in.n = 1;
      w->in.p[0].end = w->in.p[0].begin;
      return;
    }
    w->first = i == 0, w->pieces = call->whole && i + 1 == l->n;
    k->run(l->c[i].own, w, call);
    tk_splitting_take(w, w->t);
    if (w->t->full) tk_call_out(call, "too much memory");
  }
}

bool tk_pretokenizers_resume(const TkComponents *l, bool whole) {
  for (int i = 0; i < l->n; i++) {
    const TkPretokenizerKind *k = kind_of(&l->c[i]);
    if (!k->resumes || !k->resumes(l->c[i].own, (TkWhere){i == 0, whole && i + 1 == l->n})) return false;
  }
  return true;
}

bool tk_pretokenizers_show_bytes(const TkComponents *l) { return l->n && kind_of(&l->c[l->n - 1])->leave_bytes; }

void tk_pretokenizers_leave_bytes(TkComponents *l) { kind_of(&l->c[l->n - 1])->leave_bytes(l->c[l->n - 1].own); }
