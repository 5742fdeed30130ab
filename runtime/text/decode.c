// The kinds of decoders, each one constant, and the walk over a tokenizer's list of them.
#include "runtime/text/decode.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/chars.h"
#include "runtime/text/regex.h"

static const char bad_bytes[] = "\xEF\xBF\xBD";             // U+FFFD

static void put(TkStrings *o, const char *s, size_t n) {
  if (n > o->most - o->len) {
    o->full = true;
    return;
  }
  if (o->len + n > o->cap) {
    o->cap = (o->len + n) * 2 + 64;
    o->s = rt_realloc(o->s, o->cap, 1);
  }
  if (n) memcpy(o->s + o->len, s, n);
  o->len += n;
}

// What was put since the last string becomes a string (maybe an empty one).
static void close_string(TkStrings *o) {
  if (o->n == o->end_cap) {
    o->end_cap = o->end_cap ? o->end_cap * 2 : 64;
    o->end = rt_realloc(o->end, o->end_cap, sizeof *o->end);
  }
  o->end[o->n++] = o->len;
}

static TkStr string_at(const TkStrings *in, size_t i) {
  size_t begin = i ? in->end[i - 1] : 0;
  return (TkStr){in->s ? in->s + begin : "", in->end[i] - begin};
}

static void strings_free(TkStrings *o) {
  rt_free(o->s);
  rt_free(o->end);
}

// What kinds promise that decode each token by itself, or what is fused without looking for the tokens' ends.
static size_t held_none(const void *own, TkIds ids, bool eager) { return (void)own, (void)ids, (void)eager, 0; }
static bool always(const void *own) { return (void)own, true; }

static bool read_content(char **out, const char *what, const json_t *v, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, "content", &s, e)) return false;
  if (!s) return rt_fail(e, "%s: decoder: no \"content\"", what);
  *out = rt_strdup(s);
  return true;
}

// Of an id that decodes.
static TkStr text_of(TkIds ids, int64_t i) {
  const TkEntry *x = tk_token(ids.texts, ids.id[i]);
  return (TkStr){ids.texts->bytes + x->at, x->n};
}

// --- Replace: a string for what a pattern matches
typedef struct Replace {
  TkPattern pattern;
  char *content;
} Replace;

static bool read_replace(void *own, const char *what, const json_t *v, RtError *e) {
  Replace *d = own;
  return read_content(&d->content, what, v, e) && tk_pattern_read(&d->pattern, what, json_object_get(v, "pattern"), e);
}

static void free_replace(void *own) {
  Replace *d = own;
  tk_pattern_free(&d->pattern);
  rt_free(d->content);
}

static void run_replace(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  const Replace *d = own;
  (void)first;
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    TkFind f = {.s = s.s, .n = s.n, .last_end = SIZE_MAX};
    size_t done = 0, b, e;
    while (s.n && tk_pattern_find(&d->pattern, call, &f, &b, &e)) {
      put(out, s.s + done, b - done);
      put(out, d->content, strlen(d->content));
      done = e;
    }
    put(out, s.s + done, s.n - done);
    close_string(out);
  }
}

static bool replaces_one_char(const void *own) { return tk_pattern_one_char(&((const Replace *)own)->pattern); }

static const TkDecoderKind replace = {
  .kind = {.type = "Replace", .size = sizeof(Replace), .read = read_replace, .free = free_replace},
  .run = run_replace, .held = held_none, .keeps_tokens = true, .behind_fused = replaces_one_char,
};

// --- ByteFallback: tokens <0xNN> to bytes
// Whether a token is one byte of a byte-fallback run (<0xNN>).
static bool is_byte_token(TkStr s, uint8_t *byte) {
  if (s.n != 6 || memcmp(s.s, "<0x", 3) != 0 || s.s[5] != '>') return false;
  char hex[3] = {s.s[3], s.s[4], 0}, *end;
  if (strspn(hex, "0123456789abcdefABCDEF") != 2) return false;
  *byte = (uint8_t)strtoul(hex, &end, 16);
  return true;
}

// A run of byte tokens is one string when its bytes are UTF-8, else one U+FFFD for each of them.
static void flush_bytes(TkStrings *run, TkStrings *out) {
  if (run->len == 0) return;
  if (rt_utf8_valid(run->s, run->len) == run->len) put(out, run->s, run->len);
  else for (size_t i = 0; i < run->len; i++) put(out, bad_bytes, 3);
  close_string(out);
  run->len = 0;
}

static void run_byte_fallback(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)own, (void)first, (void)call;
  TkStrings run = {.most = in->len};
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    uint8_t byte;
    if (is_byte_token(s, &byte)) {
      put(&run, (const char *)&byte, 1);
      continue;
    }
    flush_bytes(&run, out);
    put(out, s.s, s.n);
    close_string(out);
  }
  flush_bytes(&run, out);
  strings_free(&run);
}

// Whether the run of byte tokens at the end of the ids is the beginning of a character.
static bool incomplete_run(TkIds ids) {
  char raw[8];
  uint8_t byte;
  size_t n = 0;
  for (int64_t i = ids.n; i-- > 0 && n < 4 && is_byte_token(text_of(ids, i), &byte); n++) raw[7 - n] = (char)byte;
  return rt_utf8_scan(raw + 8 - n, n) == 0;
}

// A run of byte tokens is settled by the first other token, for an invalid run is replaced as a whole; an eager stream does not wait: the run is
// over with each character that is complete.
static size_t held_byte_fallback(const void *own, TkIds ids, bool eager) {
  (void)own;
  uint8_t byte;
  if (ids.n == 0 || !is_byte_token(text_of(ids, ids.n - 1), &byte)) return 0;
  return eager && !incomplete_run(ids) ? 0 : TK_ALL;
}

static const TkDecoderKind byte_fallback = {
  .kind = {.type = "ByteFallback"},
  .run = run_byte_fallback, .held = held_byte_fallback, .keeps_tokens = true,
};

// --- Fuse: all strings to one
static void run_fuse(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)own, (void)first, (void)call;
  put(out, in->s, in->len);
  close_string(out);
}

static const TkDecoderKind fuse = {
  .kind = {.type = "Fuse"},
  .run = run_fuse, .held = held_none, .behind_fused = always,
};

// --- Strip: so many of a string at the beginning and the end
typedef struct Strip {
  char *content;
  int64_t start, stop;
} Strip;

static bool read_strip(void *own, const char *what, const json_t *v, RtError *e) {
  Strip *d = own;
  if (!read_content(&d->content, what, v, e) || !rtj_get_int(what, v, "start", &d->start, e) || !rtj_get_int(what, v, "stop", &d->stop, e))
    return false;
  return *d->content || rt_fail(e, "%s: decoder Strip: \"content\" is empty", what);
}

static void free_strip(void *own) { rt_free(((Strip *)own)->content); }

static void run_strip(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)call;
  const Strip *d = own;
  size_t k = strlen(d->content);
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    bool begins = first || !in->fused;                      // of what is fused, only the whole text's beginning
    for (int64_t j = 0; begins && j < d->start && s.n >= k && memcmp(s.s, d->content, k) == 0; j++) s.s += k, s.n -= k;
    for (int64_t j = 0; j < d->stop && s.n >= k && memcmp(s.s + s.n - k, d->content, k) == 0; j++) s.n -= k;
    put(out, s.s, s.n);
    close_string(out);
  }
}

static bool strips_no_end(const void *own) { return ((const Strip *)own)->stop == 0; }

static const TkDecoderKind strip = {
  .kind = {.type = "Strip", .size = sizeof(Strip), .read = read_strip, .free = free_strip},
  .run = run_strip, .held = held_none, .keeps_tokens = true, .behind_fused = strips_no_end,
};

// --- ByteLevel: byte-level characters to bytes
static void run_byte_level(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)own, (void)first, (void)call;
  TkStrings raw = {.most = in->len};
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    size_t before = raw.len, k;
    for (size_t j = 0; j < s.n; j += k) {
      uint32_t cp;
      k = rt_utf8_next(s.s + j, &cp);
      int b = tk_char_byte(cp);
      if (b < 0) {               // not written in the table's characters: it stands for itself
        raw.len = before;
        put(&raw, s.s, s.n);
        break;
      }
      char c = (char)b;
      put(&raw, &c, 1);
    }
  }
  for (size_t i = 0; i < raw.len;) {
    int k = rt_utf8_scan(raw.s + i, raw.len - i);
    if (k > 0) put(out, raw.s + i, (size_t)k);
    else put(out, bad_bytes, 3);
    i += k > 0 ? (size_t)k : k < 0 ? (size_t)-k : raw.len - i;
  }
  close_string(out);
  strings_free(&raw);
}

// Whether the bytes at the end of the ids begin a character without ending it.
static bool incomplete_end(TkIds ids) {
  char raw[8];
  size_t n = 0;
  for (int64_t i = ids.n; i-- > 0 && n < 4;) {               // the last four bytes decide
    TkStr x = text_of(ids, i);
    for (size_t j = x.n; j-- > 0 && n < 4;) {
      if (j && ((uint8_t)x.s[j] & 0xC0) == 0x80) continue;
      uint32_t cp;
      rt_utf8_next(x.s + j, &cp);
      int b = tk_char_byte(cp);
      if (b < 0) goto done;                                 // a token that stands for itself is whole characters
      raw[7 - n++] = (char)b;
    }
  }
done:
  for (size_t k = 1; k <= n && k <= 3; k++) {
    uint8_t c = (uint8_t)raw[8 - k];
    if (c >= 0xC0) return rt_utf8_scan(raw + 8 - k, k) == 0;
    if (c < 0x80) return false;
  }
  return false;
}

// The incomplete end is decoded as one U+FFFD.
static size_t held_byte_level(const void *own, TkIds ids, bool eager) {
  return (void)own, (void)eager, incomplete_end(ids) ? sizeof bad_bytes - 1 : 0;
}

static const TkDecoderKind byte_level = {
  .kind = {.type = "ByteLevel"},
  .run = run_byte_level, .held = held_byte_level,
};

// --- Metaspace: spaces for a sign
typedef struct Metaspace {
  char *replacement;
  bool prepends;               // the text's first one was put there
} Metaspace;

static bool read_metaspace(void *own, const char *what, const json_t *v, RtError *e) {
  Metaspace *d = own;
  const char *replacement = "\xE2\x96\x81", *scheme = "always";
  bool prefix = true;
  if (!rtj_get_string(what, v, "replacement", &replacement, e) || !rtj_get_string(what, v, "prepend_scheme", &scheme, e) ||
      !rtj_get_bool(what, v, "add_prefix_space", &prefix, e))
    return false;
  bool puts_one = strcmp(scheme, "always") == 0 || strcmp(scheme, "first") == 0;
  if (!puts_one && strcmp(scheme, "never") != 0) return rt_fail(e, "%s: decoder Metaspace: prepend_scheme \"%.80s\" is not supported", what, scheme);
  d->prepends = puts_one && prefix;
  d->replacement = rt_strdup(replacement);
  uint32_t cp;
  return (*replacement && rt_utf8_next(replacement, &cp) == strlen(replacement)) ||
         rt_fail(e, "%s: decoder Metaspace: \"replacement\": expected one character, found \"%.80s\"", what, replacement);
}

static void free_metaspace(void *own) { rt_free(((Metaspace *)own)->replacement); }

static void run_metaspace(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)call;
  const Metaspace *d = own;
  size_t k = strlen(d->replacement);
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    bool drop = i == 0 && first && d->prepends;
    for (size_t j = 0; j < s.n;) {
      if (s.n - j >= k && memcmp(s.s + j, d->replacement, k) == 0) {
        if (!drop) put(out, " ", 1);
        j += k;
      } else {
        put(out, s.s + j++, 1);
      }
    }
    close_string(out);
  }
}

static const TkDecoderKind metaspace = {
  .kind = {.type = "Metaspace", .size = sizeof(Metaspace), .read = read_metaspace, .free = free_metaspace},
  .run = run_metaspace, .held = held_none, .keeps_tokens = true,
};

// --- BPEDecoder: a space for the sign that ends a word, but at the text's end. So a token's text is known with the next one.
typedef struct WordEnd { char *suffix; } WordEnd;

static bool read_word_end(void *own, const char *what, const json_t *v, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, "suffix", &s, e)) return false;
  if (!s || !*s) return rt_fail(e, "%s: decoder BPEDecoder: without a \"suffix\" it is not supported", what);
  ((WordEnd *)own)->suffix = rt_strdup(s);
  return true;
}

static void free_word_end(void *own) { rt_free(((WordEnd *)own)->suffix); }

static void run_word_end(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)first, (void)call;
  const char *suffix = ((const WordEnd *)own)->suffix;
  size_t k = strlen(suffix);
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    for (size_t j = 0; j < s.n;) {
      bool found = s.n - j >= k && memcmp(s.s + j, suffix, k) == 0;
      if (!found) put(out, s.s + j, 1);
      else if (i + 1 < in->n) put(out, " ", 1);
      j += found ? k : 1;
    }
    close_string(out);
  }
}

static const TkDecoderKind word_end = {
  .kind = {.type = "BPEDecoder", .size = sizeof(WordEnd), .read = read_word_end, .free = free_word_end},
  .run = run_word_end, .keeps_tokens = true,
};

// --- all of them
static const TkKind *const kinds[] = {&replace.kind, &byte_fallback.kind, &fuse.kind, &strip.kind, &byte_level.kind, &metaspace.kind, &word_end.kind, NULL};
const TkFamily tk_decoders = {"decoder", "decoders", kinds};

static const TkDecoderKind *kind_of(const TkComponent *c) { return (const TkDecoderKind *)c->kind; }

bool tk_decoders_check(const TkComponents *l, const char *what, RtError *e) {
  const char *fused = NULL;      // by which kind
  for (int i = 0; i < l->n; i++) {
    const TkDecoderKind *k = kind_of(&l->c[i]);
    if (fused && !(k->behind_fused && k->behind_fused(l->c[i].own)))
      return rt_fail(e, "%s: decoder \"%s\" behind %s is not supported", what, k->kind.type, fused);
    if (!k->keeps_tokens) fused = k->kind.type;
  }
  return true;
}

bool tk_decoders_stream(const TkComponents *l) {
  for (int i = 0; i < l->n; i++)
    if (!kind_of(&l->c[i])->held) return false;
  return true;
}

size_t tk_decoders_held(const TkComponents *l, TkIds ids, bool eager) {
  size_t most = 0;
  for (int i = 0; i < l->n; i++) {
    const TkDecoderKind *k = kind_of(&l->c[i]);
    size_t held = k->held ? k->held(l->c[i].own, ids, eager) : TK_ALL;
    if (held && i + 1 < l->n) held = TK_ALL;                // bytes of its own text, which the next may make longer or shorter
    if (held > most) most = held;
  }
  return most;
}

const TkEntry *tk_token(const TkTexts *t, int32_t id) {
  int64_t at = tk_entry_of(t->token, t->n, id);
  return at < 0 ? NULL : &t->token[at];
}

bool tk_decodes(const TkTexts *t, int32_t id) {
  const TkEntry *x = tk_token(t, id);
  return x && !x->special;
}

// The tokens' texts, one string each.
static void put_tokens(TkStrings *o, bool spaced, TkIds ids, bool first) {
  for (int64_t i = 0; i < ids.n; i++) {
    if (!tk_decodes(ids.texts, ids.id[i])) continue;
    TkStr text = text_of(ids, i);
    if (spaced && (o->n || !first)) put(o, " ", 1);
    put(o, text.s, text.n);
    close_string(o);
  }
}

char *tk_decode(const TkComponents *l, bool spaced, TkIds ids, bool first, size_t *len, const char *path, RtError *e) {
  TkStrings a = {.most = SIZE_MAX / 4}, b = {0};
  put_tokens(&a, spaced, ids, first);
  TkCall call = {.joined = -1, .left = tk_budget(a.len), .path = path, .e = e};
  for (int i = 0; i < l->n && !call.failed; i++) {
    b.len = b.n = 0;
    b.most = call.left.room;
    kind_of(&l->c[i])->run(l->c[i].own, &a, &b, first, &call);
    if (b.full) tk_call_out(&call, "too much memory");
    b.fused = a.fused || !kind_of(&l->c[i])->keeps_tokens;
    TkStrings swap = a;
    a = b;
    b = swap;
  }
  a.most = SIZE_MAX;
  put(&a, "", 1);
  strings_free(&b);
  tk_call_end(&call);
  rt_free(a.end);
  *len = a.len - 1;
  if (!call.failed) return a.s;
  rt_free(a.s);
  return NULL;
}
