// Pre-tokenizers: split pieces into smaller ones, and for the byte-level flavour rewrite bytes as characters.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/files/json.h"
#include "runtime/text/impl.h"

// The pattern that ByteLevel with use_regex means (Radford et al. 2019).
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static void push(TkSplitting *w, size_t begin, size_t end, bool match) {
  if (w->part_n == w->part_cap) {
    w->part_cap = w->part_cap ? w->part_cap * 2 : 64;
    w->part = rt_realloc(w->part, w->part_cap, sizeof *w->part);
  }
  w->part[w->part_n++] = (TkPart){begin, end, match};
}

// Covers a piece with matches and what lies between them. Where it is still growing (open) the last part is what cannot be matched, maybe
// empty, and what a match may yet take is left out.
static void find_parts(const TkSplitter *sp, TkSplitting *w, TkPiece p, bool open, TkCall *call) {
  const char *s = w->t->s + p.begin;
  size_t done = 0, b, e, n = p.end - p.begin;
  w->part_n = 0;
  if (sp->is) {
    for (size_t i = 0; i < n; i = e) {
      uint32_t cp;
      e = i + rt_utf8_next(s + i, &cp);
      if (!sp->is(cp)) continue;
      if (done < i) push(w, p.begin + done, p.begin + i, false);
      push(w, p.begin + i, p.begin + e, true);
      done = e;
    }
  } else {
    TkFind f = {.s = s, .n = n, .last_end = SIZE_MAX, .open = open, .stop = n};
    while (tk_pattern_find(&sp->pattern, call, &f, &b, &e)) {
      if (done < b) push(w, p.begin + done, p.begin + b, false);
      push(w, p.begin + b, p.begin + e, true);
      done = e;
    }
    if (open) n = f.stop > done ? f.stop : done;
  }
  if (done < n || open) push(w, p.begin + done, p.begin + n, false);
  if (sp->invert) for (size_t i = 0; i < w->part_n; i++) w->part[i].match = !w->part[i].match;
}

// Joins neighbours as the behaviour says; the parts stay in order.
static void join_parts(TkSplitting *w, TkBehavior behavior) {
  TkPart *l = w->part;
  size_t n = 0;
  bool before = false;           // whether the part before (or, from the right, behind) was a match
  if (behavior == TK_WITH_NEXT) {
    size_t at = w->part_n;       // the joined parts grow down from here
    for (size_t i = w->part_n; i-- > 0;) {
      TkPart p = l[i];
      if (p.match && !before && at < w->part_n) l[at].begin = p.begin;
      else l[--at] = p;
      before = p.match;
    }
    n = w->part_n - at;
    memmove(l, l + at, n * sizeof *l);
  } else {
    for (size_t i = 0; i < w->part_n; i++) {
      TkPart p = l[i];
      bool join = n && ((behavior == TK_WITH_PREVIOUS && p.match && !before) || (behavior == TK_CONTIGUOUS && p.match == before));
      before = p.match;
      if (behavior == TK_REMOVED && p.match) continue;
      if (join) l[n - 1].end = p.end;
      else l[n++] = p;
    }
  }
  w->part_n = n;
}

// Splits one piece. The growing piece leaves a growing one behind: the unmatched end, with what it has joined; while that end is empty a
// match may follow instead, which could join the part before in its place.
static void split_piece(const TkSplitter *sp, TkSplitting *w, TkPiece p, bool open, TkCall *call) {
  find_parts(sp, w, p, open, call);
  size_t end = p.end;
  bool joins = sp->behavior != TK_ISOLATED && sp->behavior != TK_REMOVED;
  if (open) {
    TkPart *last = &w->part[w->part_n - 1];
    end = last->end;
    if (joins && last->begin == last->end) w->part_n--;
  }
  if (sp->behavior != TK_ISOLATED) join_parts(w, sp->behavior);
  for (size_t i = 0; i < w->part_n; i++)
    if (w->part[i].begin < w->part[i].end) tk_piece_put(&w->out, w->part[i].begin, w->part[i].end);
  if (!open) return;
  bool growing = w->part_n && w->part[w->part_n - 1].end == end && w->part[w->part_n - 1].begin < end;
  if (!growing) tk_piece_put(&w->out, end, end);
}

static bool is_open(const TkSplitting *w, size_t i) { return w->open && i + 1 == w->in.n; }

static void run_split(const TkSplitter *sp, TkSplitting *w, TkCall *call) {
  for (size_t i = 0; i < w->in.n && !call->failed; i++) split_piece(sp, w, w->in.p[i], is_open(w, i), call);
}

// The buffer that w->t is not in, emptied.
static TkText *other_buffer(TkSplitting *w) {
  TkText *b = &w->buf[w->t == &w->buf[0]];
  tk_text_clear(b);
  return b;
}

static void swap_pieces(TkSplitting *w) {
  TkPieces swap = w->in;
  w->in = w->out;
  w->out = swap;
}

// Goes on with what is in w->out, pieces of the text t.
static void take(TkSplitting *w, const TkText *t) {
  w->t = t;
  swap_pieces(w);
  w->out.n = 0;
}

static void run_metaspace(const TkSplitter *sp, TkSplitting *w, TkCall *call) {
  TkText *to = other_buffer(w);
  const TkText *t = w->t;
  size_t n = strlen(sp->content);
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    uint32_t from = p.begin < p.end ? tk_from(t, p.begin) : 0;
    bool has = p.begin < p.end && (t->s[p.begin] == ' ' || (p.end - p.begin >= n && memcmp(t->s + p.begin, sp->content, n) == 0));
    bool wants = sp->prepend == TK_PREPEND_ALWAYS || (sp->prepend == TK_PREPEND_FIRST && from == 0);
    if (p.begin < p.end && wants && !has && from != call->joined) tk_text_put(to, sp->content, n, from, tk_to(t, p.begin));
    for (size_t k = p.begin; k < p.end; k++) {
      bool space = t->s[k] == ' ';
      tk_text_put(to, space ? sp->content : t->s + k, space ? n : 1, tk_from(t, k), tk_to(t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  take(w, to);
  if (sp->split) run_split(sp, w, call);
  else swap_pieces(w);
}

// Puts the space that add_prefix_space asks for before each piece.
static void put_spaces(TkSplitting *w, const TkCall *call) {
  TkText *to = other_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    if (p.begin < p.end && w->t->s[p.begin] != ' ' && tk_from(w->t, p.begin) != call->joined)
      tk_text_put(to, " ", 1, tk_from(w->t, p.begin), tk_to(w->t, p.begin));
    tk_text_copy(to, w->t, p.begin, p.end);
    tk_piece_put(&w->out, begin, to->n);
  }
  take(w, to);
}

// Bytes to the characters that stand for them.
static void show_bytes(TkSplitting *w) {
  TkText *to = other_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    size_t begin = to->n;
    for (size_t k = w->in.p[i].begin; k < w->in.p[i].end; k++) {
      char s[4];
      tk_text_put(to, s, rt_utf8_put(s, tk_byte_char((uint8_t)w->t->s[k])), tk_from(w->t, k), tk_to(w->t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  take(w, to);
}

static void run_byte_level(const TkSplitter *sp, TkSplitting *w, TkCall *call) {
  if (sp->prefix_space) put_spaces(w, call);
  if (sp->pattern.re) {
    run_split(sp, w, call);
    take(w, w->t);
  }
  if (!sp->raw) show_bytes(w);
  swap_pieces(w);
}

void tk_split(const Tokenizer *t, TkSplitting *w, const TkText *text, size_t begin, size_t end, TkCall *call) {
  w->t = text;
  w->in.n = w->out.n = 0;
  tk_piece_put(&w->in, begin, end);
  for (int i = 0; i < t->nsplit && !call->failed; i++) {
    t->split[i].run(&t->split[i], w, call);
    take(w, w->t);
  }
}

// --- reading
static bool read_behavior(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
  const char *s = json_string_value(json_object_get(v, "behavior"));
  for (size_t i = 0; s && i < sizeof names / sizeof *names; i++)
    if (strcmp(s, names[i]) == 0) return sp->behavior = (TkBehavior)i, true;
  return rt_fail(e, "%s: pre-tokenizer Split: behavior \"%.80s\" is not supported", what, s ? s : "(none)");
}

static bool read_split(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  return read_behavior(sp, what, v, e) && rtj_get_bool(what, v, "invert", &sp->invert, e) &&
         tk_pattern_read(&sp->pattern, what, json_object_get(v, "pattern"), e);
}

static bool read_digits(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  bool individual = false;
  if (!rtj_get_bool(what, v, "individual_digits", &individual, e)) return false;
  sp->is = tk_is_number;
  sp->behavior = individual ? TK_ISOLATED : TK_CONTIGUOUS;
  return true;
}

static bool read_whitespace(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  (void)what, (void)v, (void)e;
  sp->is = tk_is_space;
  sp->behavior = TK_REMOVED;
  return true;
}

static bool read_byte_level(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  bool regex = true;
  sp->prefix_space = true;
  if (!rtj_get_bool(what, v, "add_prefix_space", &sp->prefix_space, e) || !rtj_get_bool(what, v, "use_regex", &regex, e)) return false;
  if (!regex) return true;
  json_t *pattern = json_pack("{s:s}", "Regex", byte_level_pattern);
  bool ok = tk_pattern_read(&sp->pattern, what, pattern, e);
  json_decref(pattern);
  return ok;
}

static bool read_metaspace(TkSplitter *sp, const char *what, const json_t *v, RtError *e) {
  const char *content = "\xE2\x96\x81", *scheme = "always";
  bool prefix = true;
  sp->split = true;
  if (!rtj_get_string(what, v, "replacement", &content, e) || !rtj_get_string(what, v, "prepend_scheme", &scheme, e) ||
      !rtj_get_bool(what, v, "split", &sp->split, e) || !rtj_get_bool(what, v, "add_prefix_space", &prefix, e))
    return false;
  sp->prepend = strcmp(scheme, "always") == 0 ? TK_PREPEND_ALWAYS : strcmp(scheme, "first") == 0 ? TK_PREPEND_FIRST : TK_PREPEND_NEVER;
  if (sp->prepend == TK_PREPEND_NEVER && strcmp(scheme, "never") != 0)
    return rt_fail(e, "%s: Metaspace: prepend_scheme \"%.80s\" is not supported", what, scheme);
  if (!prefix) sp->prepend = TK_PREPEND_NEVER;   // the older way to say it
  sp->content = rt_strdup(content);
  sp->pattern.literal = rt_strdup(content);
  sp->pattern.n = strlen(content);
  sp->behavior = TK_WITH_NEXT;
  return true;
}

static const struct {
  const char *type;
  void (*run)(const TkSplitter *s, TkSplitting *w, TkCall *call);
  bool (*read)(TkSplitter *s, const char *what, const json_t *v, RtError *e);
} kinds[] = {
  {"Split", run_split, read_split},
  {"Digits", run_split, read_digits},
  {"WhitespaceSplit", run_split, read_whitespace},
  {"ByteLevel", run_byte_level, read_byte_level},
  {"Metaspace", run_metaspace, read_metaspace},
};

// Whether the last splitter is ByteLevel and may leave pieces as bytes.
void tk_splitters_finish(Tokenizer *t) {
  TkSplitter *last = t->nsplit ? &t->split[t->nsplit - 1] : NULL;
  if (!last || last->run != run_byte_level || t->byte_fallback) return;
  for (int b = 0; b < 256; b++)
    if (t->vocab.shown[b] < 0) return;
  last->raw = t->bytes = true;
}

bool tk_splitter_read(Tokenizer *t, const json_t *v, RtError *e) {
  if (!v || json_is_null(v)) return true;
  const char *type = json_string_value(json_object_get(v, "type"));
  if (type && strcmp(type, "Sequence") == 0) {
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(v, "pretokenizers"), i, part) if (!tk_splitter_read(t, part, e)) return false;
    return true;
  }
  for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(type, kinds[i].type) != 0) continue;
    t->split = rt_realloc(t->split, (size_t)t->nsplit + 1, sizeof *t->split);
    TkSplitter *s = &t->split[t->nsplit++];
    *s = (TkSplitter){.run = kinds[i].run};
    return kinds[i].read(s, t->path, v, e);
  }
  return rt_fail(e, "%s: pre-tokenizer \"%.80s\" is not supported", t->path, type ? type : "(no type)");
}

void tk_splitter_free(TkSplitter *s) {
  tk_pattern_free(&s->pattern);
  rt_free(s->content);
}
