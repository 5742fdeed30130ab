// Pre-tokenizers: split pieces into smaller ones, and for the byte-level flavour rewrite bytes as characters.
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/tokenizer_impl.h"
#include "runtime/utf8.h"

// The pattern that ByteLevel with use_regex means (Radford et al. 2019).
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef struct Part {
  size_t begin, end;
  bool match;
} Part;
typedef struct Parts {
  Part *p;
  size_t n, cap;
} Parts;

static void push(Parts *l, size_t begin, size_t end, bool match) {
  if (l->n == l->cap) {
    l->cap = l->cap ? l->cap * 2 : 64;
    l->p = rt_realloc(l->p, l->cap, sizeof *l->p);
  }
  l->p[l->n++] = (Part){begin, end, match};
}

// Covers a text with matches and what lies between them.
static void find_parts(const TkSplitter *sp, const char *s, size_t n, TkCall *call, Parts *l) {
  size_t done = 0, b, e;
  l->n = 0;
  if (sp->is) {
    for (size_t i = 0; i < n; i = e) {
      uint32_t cp;
      e = i + rt_utf8_next(s + i, &cp);
      if (!sp->is(cp)) continue;
      if (done < i) push(l, done, i, false);
      push(l, i, e, true);
      done = e;
    }
  } else {
    TkFind f = {.s = s, .n = n, .last_end = SIZE_MAX};
    while (tk_pattern_find(&sp->pattern, call, &f, &b, &e)) {
      if (done < b) push(l, done, b, false);
      push(l, b, e, true);
      done = e;
    }
  }
  if (done < n) push(l, done, n, false);
  if (sp->invert) for (size_t i = 0; i < l->n; i++) l->p[i].match = !l->p[i].match;
}

// Joins neighbours as the behaviour says; the parts stay in order.
static void join_parts(Parts *l, TkBehavior behavior) {
  size_t n = 0;
  bool before = false;           // whether the part before (or, from the right, behind) was a match
  if (behavior == TK_WITH_NEXT) {
    size_t at = l->n;            // the joined parts grow down from here
    for (size_t i = l->n; i-- > 0;) {
      Part p = l->p[i];
      if (p.match && !before && at < l->n) l->p[at].begin = p.begin;
      else l->p[--at] = p;
      before = p.match;
    }
    n = l->n - at;
    memmove(l->p, l->p + at, n * sizeof *l->p);
  } else {
    for (size_t i = 0; i < l->n; i++) {
      Part p = l->p[i];
      bool join = n && ((behavior == TK_WITH_PREVIOUS && p.match && !before) || (behavior == TK_CONTIGUOUS && p.match == before));
      before = p.match;
      if (behavior == TK_REMOVED && p.match) continue;
      if (join) l->p[n - 1].end = p.end;
      else l->p[n++] = p;
    }
  }
  l->n = n;
}

static void split_into(const TkSplitter *sp, const TkText *t, size_t begin, size_t end, TkPieces *out, TkCall *call, Parts *l) {
  find_parts(sp, t->s + begin, end - begin, call, l);
  if (sp->behavior != TK_ISOLATED) join_parts(l, sp->behavior);
  for (size_t i = 0; i < l->n; i++) {
    tk_text_copy(&out->t, t, begin + l->p[i].begin, begin + l->p[i].end);
    tk_pieces_close(out);
  }
}

static void run_split(const TkSplitter *sp, const TkPieces *in, TkPieces *out, TkCall *call) {
  Parts l = {0};
  size_t begin = 0;
  for (size_t i = 0; i < in->n && !call->failed; begin = in->end[i++]) split_into(sp, &in->t, begin, in->end[i], out, call, &l);
  free(l.p);
}

// A prefix goes before the raw text's beginning only where that is a beginning.
static bool may_prefix(const TkCall *call, const TkText *t) { return !(call->continuation && t->n && t->from[0] == 0); }

static void run_metaspace(const TkSplitter *sp, const TkPieces *in, TkPieces *out, TkCall *call) {
  Parts l = {0};
  TkText t = {0};
  size_t begin = 0, n = strlen(sp->content);
  for (size_t i = 0; i < in->n && !call->failed; begin = in->end[i++]) {
    TkText body = {0};
    for (size_t k = begin; k < in->end[i]; k++) {
      bool space = in->t.s[k] == ' ';
      tk_text_put(&body, space ? sp->content : in->t.s + k, space ? n : 1, in->t.from[k], in->t.to[k]);
    }
    t.n = 0;
    bool has = body.n >= n && memcmp(body.s, sp->content, n) == 0;
    bool wants = sp->prepend == TK_PREPEND_ALWAYS || (sp->prepend == TK_PREPEND_FIRST && body.from[0] == 0);
    if (wants && !has && may_prefix(call, &body)) tk_text_put(&t, sp->content, n, body.from[0], body.to[0]);
    tk_text_copy(&t, &body, 0, body.n);
    if (sp->split) {
      split_into(sp, &t, 0, t.n, out, call, &l);
    } else {
      tk_text_copy(&out->t, &t, 0, t.n);
      tk_pieces_close(out);
    }
    tk_text_free(&body);
  }
  tk_text_free(&t);
  free(l.p);
}

static void put_bytes(TkPieces *out, const TkText *t, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i++) {
    char s[4];
    tk_text_put(&out->t, s, rt_utf8_put(s, tk_byte_char((uint8_t)t->s[i])), t->from[i], t->to[i]);
  }
  tk_pieces_close(out);
}

static void run_byte_level(const TkSplitter *sp, const TkPieces *in, TkPieces *out, TkCall *call) {
  Parts l = {0};
  TkText t = {0};
  size_t begin = 0;
  for (size_t i = 0; i < in->n && !call->failed; begin = in->end[i++]) {
    t.n = 0;
    tk_text_copy(&t, &in->t, begin, in->end[i]);
    if (sp->prefix_space && t.s[0] != ' ' && may_prefix(call, &t)) {
      t.n = 0;
      tk_text_put(&t, " ", 1, in->t.from[begin], in->t.to[begin]);
      tk_text_copy(&t, &in->t, begin, in->end[i]);
    }
    l.n = 0;
    if (sp->pattern.re) find_parts(sp, t.s, t.n, call, &l);
    else push(&l, 0, t.n, false);
    for (size_t k = 0; k < l.n; k++) put_bytes(out, &t, l.p[k].begin, l.p[k].end);
  }
  tk_text_free(&t);
  free(l.p);
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
  void (*run)(const TkSplitter *s, const TkPieces *in, TkPieces *out, TkCall *call);
  bool (*read)(TkSplitter *s, const char *what, const json_t *v, RtError *e);
} kinds[] = {
  {"Split", run_split, read_split},
  {"Digits", run_split, read_digits},
  {"WhitespaceSplit", run_split, read_whitespace},
  {"ByteLevel", run_byte_level, read_byte_level},
  {"Metaspace", run_metaspace, read_metaspace},
};

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
  free(s->content);
}
