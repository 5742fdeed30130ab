// Decoders: token texts back to one text.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/files/json.h"
#include "runtime/text/impl.h"

static const char replacement[] = "\xEF\xBF\xBD";           // U+FFFD

static void put(TkStrings *o, const char *s, size_t n) {
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

bool tk_is_byte_token(TkStr s, uint8_t *byte) {
  if (s.n != 6 || memcmp(s.s, "<0x", 3) != 0 || s.s[5] != '>') return false;
  char hex[3] = {s.s[3], s.s[4], 0}, *end;
  if (strspn(hex, "0123456789abcdefABCDEF") != 2) return false;
  *byte = (uint8_t)strtoul(hex, &end, 16);
  return true;
}

static void run_replace(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
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

// A run of byte tokens is one string when its bytes are UTF-8, else one U+FFFD for each of them.
static void flush_bytes(TkStrings *run, TkStrings *out) {
  if (run->len == 0) return;
  if (rt_utf8_valid(run->s, run->len) == run->len) put(out, run->s, run->len);
  else for (size_t i = 0; i < run->len; i++) put(out, replacement, 3);
  close_string(out);
  run->len = 0;
}

static void run_byte_fallback(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)d, (void)first, (void)call;
  TkStrings run = {0};
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    uint8_t byte;
    if (tk_is_byte_token(s, &byte)) {
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

static void run_fuse(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)d, (void)first, (void)call;
  put(out, in->s, in->len);
  close_string(out);
}

static void run_strip(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)call;
  size_t k = strlen(d->content);
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    // After Fuse there is one string, the whole text; a continuation is not its beginning.
    bool begins = first || !d->prepend;
    for (int64_t j = 0; begins && j < d->start && s.n >= k && memcmp(s.s, d->content, k) == 0; j++) s.s += k, s.n -= k;
    for (int64_t j = 0; j < d->stop && s.n >= k && memcmp(s.s + s.n - k, d->content, k) == 0; j++) s.n -= k;
    put(out, s.s, s.n);
    close_string(out);
  }
}

static void run_byte_level(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)d, (void)first, (void)call;
  TkStrings raw = {0};
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
    else put(out, replacement, 3);
    i += k > 0 ? (size_t)k : k < 0 ? (size_t)-k : raw.len - i;
  }
  close_string(out);
  strings_free(&raw);
}

static void run_metaspace(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)call;
  size_t k = strlen(d->content);
  for (size_t i = 0; i < in->n; i++) {
    TkStr s = string_at(in, i);
    bool drop = i == 0 && first && d->prepend != TK_PREPEND_NEVER;
    for (size_t j = 0; j < s.n;) {
      if (s.n - j >= k && memcmp(s.s + j, d->content, k) == 0) {
        if (!drop) put(out, " ", 1);
        j += k;
      } else {
        put(out, s.s + j++, 1);
      }
    }
    close_string(out);
  }
}

// --- reading
static bool read_content(TkDecoder *d, const char *what, const json_t *v, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, "content", &s, e)) return false;
  if (!s) return rt_fail(e, "%s: decoder: no \"content\"", what);
  d->content = rt_strdup(s);
  return true;
}

static bool read_replace(TkDecoder *d, const char *what, const json_t *v, RtError *e) {
  return read_content(d, what, v, e) && tk_pattern_read(&d->pattern, what, json_object_get(v, "pattern"), e);
}

static bool read_strip(TkDecoder *d, const char *what, const json_t *v, RtError *e) {
  if (!read_content(d, what, v, e) || !rtj_get_int(what, v, "start", &d->start, e) || !rtj_get_int(what, v, "stop", &d->stop, e)) return false;
  return *d->content || rt_fail(e, "%s: decoder Strip: \"content\" is empty", what);
}

static bool read_metaspace(TkDecoder *d, const char *what, const json_t *v, RtError *e) {
  const char *content = "\xE2\x96\x81", *scheme = "always";
  bool prefix = true;
  if (!rtj_get_string(what, v, "replacement", &content, e) || !rtj_get_string(what, v, "prepend_scheme", &scheme, e) ||
      !rtj_get_bool(what, v, "add_prefix_space", &prefix, e))
    return false;
  d->content = rt_strdup(content);
  d->prepend = strcmp(scheme, "never") == 0 || !prefix ? TK_PREPEND_NEVER : TK_PREPEND_ALWAYS;
  return true;
}

static const struct {
  const char *type;
  void (*run)(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call);
  bool (*read)(TkDecoder *d, const char *what, const json_t *v, RtError *e);
} kinds[] = {
  {"Replace", run_replace, read_replace}, {"ByteFallback", run_byte_fallback, NULL}, {"Fuse", run_fuse, NULL},
  {"Strip", run_strip, read_strip},       {"ByteLevel", run_byte_level, NULL},       {"Metaspace", run_metaspace, read_metaspace},
};

// Decoding piece by piece (the stream) must give what decoding at once gives. That holds for each decoder on single tokens; behind
// Fuse, where a token's end is no longer seen, only for what looks at single characters or at the beginning.
static bool check_order(Tokenizer *t, TkDecoder *d, const char *type, RtError *e) {
  bool fused = false;
  for (TkDecoder *p = t->dec; p < d; p++) fused = fused || p->run == run_fuse || p->run == run_byte_level;
  if (!fused) return true;
  uint32_t cp;
  const TkPattern *p = &d->pattern;
  bool one_char = p->literal && p->n && rt_utf8_next(p->literal, &cp) == p->n;
  bool fine = d->run == run_fuse || (d->run == run_strip && d->stop == 0) || (d->run == run_replace && one_char);
  if (d->run == run_strip) d->prepend = TK_PREPEND_FIRST;    // strips the whole text's beginning only
  return fine || rt_fail(e, "%s: decoder \"%s\" behind Fuse or ByteLevel is not supported", t->path, type);
}

bool tk_decoder_read(Tokenizer *t, const json_t *v, RtError *e) {
  if (!v || json_is_null(v)) return true;
  const char *type = json_string_value(json_object_get(v, "type"));
  if (type && strcmp(type, "Sequence") == 0) {
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(v, "decoders"), i, part) if (!tk_decoder_read(t, part, e)) return false;
    return true;
  }
  for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(type, kinds[i].type) != 0) continue;
    t->dec = rt_realloc(t->dec, (size_t)t->ndec + 1, sizeof *t->dec);
    TkDecoder *d = &t->dec[t->ndec++];
    *d = (TkDecoder){.run = kinds[i].run};
    if (d->run == run_byte_level) t->byte_level = true;
    if (d->run == run_byte_fallback) t->fallback = true;
    return (!kinds[i].read || kinds[i].read(d, t->path, v, e)) && check_order(t, d, type, e);
  }
  return rt_fail(e, "%s: decoder \"%.80s\" is not supported", t->path, type ? type : "(no type)");
}

void tk_decoder_free(TkDecoder *d) {
  tk_pattern_free(&d->pattern);
  rt_free(d->content);
}

char *tk_decode(const Tokenizer *t, const int32_t *ids, int64_t n, bool first, size_t *len) {
  TkStrings a = {0}, b = {0};
  TkCall call = {.path = t->path, .joined = -1};
  for (int64_t i = 0; i < n; i++) {
    if (ids[i] < 0 || ids[i] >= t->n || !t->text[ids[i]].s || t->special[ids[i]]) continue;
    if (!t->has_decoder && (a.n || !first)) put(&a, " ", 1);
    put(&a, t->text[ids[i]].s, t->text[ids[i]].n);
    close_string(&a);
  }
  for (int i = 0; i < t->ndec && !call.failed; i++) {
    b.len = b.n = 0;
    t->dec[i].run(&t->dec[i], &a, &b, first, &call);
    TkStrings swap = a;
    a = b;
    b = swap;
  }
  put(&a, "", 1);
  strings_free(&b);
  pcre2_match_data_free(call.match);
  rt_free(a.end);
  *len = a.len - 1;
  return a.s;
}

char *tokenizer_decode(const Tokenizer *t, const int32_t *ids, int64_t n, size_t *len) { return tk_decode(t, ids, n, true, len); }
