// See charsmap.h. The format: the double array's size in bytes, the double array (darts-clone's: a trie over bytes whose leaves are places in the
// texts), the texts. The rules are those of Hugging Face's spm_precompiled, oddities included: a cluster of characters (Unicode's extended
// grapheme cluster) of less than six bytes becomes what the shortest key that begins it stands for; any other goes character by character; and
// where characters at a text's very beginning are left out, all that follow are placed too early (TkText.misplaced).
#include "runtime/text/charsmap.h"

#include <string.h>
#include <utf8proc.h>

#include "runtime/core/core.h"

enum { CLUSTER = 6 };            // bytes from which on a cluster goes character by character

// ---- reading
static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Bytes of the text, into out; -1 where it is no base64 with its padding.
static int64_t base64(const char *s, size_t n, uint8_t *out) {
  size_t k = 0;
  if (n % 4) return -1;
  for (size_t i = 0; i < n; i += 4) {
    int v[4], pad = 0;
    for (int j = 0; j < 4; j++) {
      bool end = i + 4 == n && j >= 2 && s[i + (size_t)j] == '=';
      v[j] = end ? 0 : base64_value(s[i + (size_t)j]);
      if (v[j] < 0 || (pad && !end)) return -1;
      pad += end;
    }
    uint32_t all = (uint32_t)v[0] << 18 | (uint32_t)v[1] << 12 | (uint32_t)v[2] << 6 | (uint32_t)v[3];
    for (int j = 0; j < 3 - pad; j++) out[k++] = (uint8_t)(all >> (16 - 8 * j));
  }
  return (int64_t)k;
}

static uint32_t word(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static uint32_t unit_at(const TkCharsmap *m, size_t i) { return i < m->units ? word(m->bytes + 4 + 4 * i) : 0; }

static size_t offset_of(uint32_t unit) { return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6); }

// What the shortest key that begins s[0, n) stands for; false where none does. *goes_on: all of s begins keys.
static bool find(const TkCharsmap *m, const char *s, size_t n, TkStr *to, bool *goes_on) {
  size_t at = offset_of(unit_at(m, 0));
  *goes_on = false;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = (uint8_t)s[i];
    at ^= c;
    uint32_t unit = unit_at(m, at);
    if (!c || (unit & (1u << 31 | 0xFF)) != c) return false;
    at ^= offset_of(unit);
    if (!(unit >> 8 & 1)) continue;
    size_t place = unit_at(m, at) & INT32_MAX;
    if (place >= m->ntext || ((uint8_t)m->text[place] & 0xC0) == 0x80) return false;
    *to = (TkStr){m->text + place, strnlen(m->text + place, m->ntext - place)};
    return true;
  }
  *goes_on = true;
  return false;
}

// Whether a key begins with a character that joins whatever follows it (Unicode's "Prepend"): then no place that has not seen it is a boundary.
static bool any_joins(const TkCharsmap *m) {
  for (uint32_t cp = 0x600; cp < 0x20000; cp++) {
    if (utf8proc_get_property((utf8proc_int32_t)cp)->boundclass != UTF8PROC_BOUNDCLASS_PREPEND) continue;
    char s[4];
    TkStr to;
    bool goes_on;
    if (find(m, s, rt_utf8_put(s, cp), &to, &goes_on) || goes_on) return true;
  }
  return false;
}

bool tk_charsmap_read(TkCharsmap *m, const char *what, const char *text, RtError *e) {
  static const char of[] = "normalizer Precompiled: \"precompiled_charsmap\"";
  size_t n = strlen(text);
  m->bytes = rt_alloc(n / 4 * 3 + 4, 1);
  int64_t size = base64(text, n, m->bytes);
  if (size < 0) return rt_fail(e, "%s: %s: expected base64", what, of);
  m->units = size < 4 ? 0 : word(m->bytes) / 4;
  if (!m->units || m->units > ((size_t)size - 4) / 4)
    return rt_fail(e, "%s: %s: expected a table's size and the table, found %lld bytes", what, of, (long long)size);
  m->text = (const char *)m->bytes + 4 + 4 * m->units;
  m->ntext = (size_t)size - 4 - 4 * m->units;
  if (rt_utf8_valid(m->text, m->ntext) != m->ntext) return rt_fail(e, "%s: %s: the texts in it are not UTF-8", what, of);
  m->joins = any_joins(m);
  return true;
}

void tk_charsmap_free(TkCharsmap *m) { rt_free(m->bytes); }

// ---- normalizing
// The end of the cluster that begins at `at`.
static size_t cluster_end(const char *s, size_t at, size_t n) {
  uint32_t before, cp;
  utf8proc_int32_t state = 0;
  at += rt_utf8_next(s + at, &before);
  for (size_t k; at < n; at += k, before = cp) {
    k = rt_utf8_next(s + at, &cp);
    bool plain = before < 0x300 && cp < 0x80 && cp != '\n';  // what most characters are: a break
    if (plain || utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)cp, &state)) return at;
  }
  return n;
}

// The last character is kept back: characters that are left out behind it count as its own.
typedef struct Walk {
  const TkText *in;
  TkText *out;                 // NULL: only what is known of the last character counts
  size_t at;                   // of `in`, that is taken
  bool has;                    // there is a last character
  uint32_t cp;
  int64_t change;              // of it: placed.h
  int64_t put;                 // characters so far
  bool lost;                   // characters were left out before any was put
} Walk;

static void flush(Walk *w) {
  if (w->has && w->out) tk_text_change(w->out, w->in, &w->at, w->cp, w->change);
}

static void replace(Walk *w, int64_t chars, TkStr by) {
  int64_t n = 0;
  uint32_t cp;
  for (size_t i = 0; i < by.n && !(w->out && w->out->full); n++) {
    flush(w);
    i += rt_utf8_next(by.s + i, &cp);
    w->has = true, w->cp = cp, w->change = n >= chars;
  }
  w->put += n;
  if (n < chars && w->has) w->change -= chars - n;
  if (n < chars && !w->has) w->lost = true;
}

static int64_t count_chars(const char *s, size_t n) {
  int64_t k = 0;
  for (size_t i = 0; i < n; i++) k += ((uint8_t)s[i] & 0xC0) != 0x80;
  return k;
}

// True where it became something else.
static bool map_cluster(const TkCharsmap *m, Walk *w, const char *s, size_t n) {
  TkStr to;
  bool goes_on, changed = false;
  if (n < CLUSTER && find(m, s, n, &to, &goes_on)) return replace(w, count_chars(s, n), to), true;
  for (size_t i = 0, k; i < n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(s + i, &cp);
    bool other = find(m, s + i, k, &to, &goes_on);
    replace(w, 1, other ? to : (TkStr){s + i, k});
    changed |= other;
  }
  return changed;
}

bool tk_charsmap_run(const TkCharsmap *m, const TkText *in, TkText *out) {
  Walk w = {.in = in, .out = out};
  bool changed = false;
  for (size_t at = 0, end; at < in->n && !out->full; at = end) {
    end = cluster_end(in->s, at, in->n);
    changed |= map_cluster(m, &w, in->s + at, end - at);
  }
  flush(&w);
  out->misplaced = w.lost;
  if (!changed && !out->full) tk_text_clear(out, out->most);
  return changed || out->full;
}

// The beginning of a cluster, the last that has either: all before it stays as it is, for the character before it takes no place of one behind it;
// or its own character is there, and what is left out behind that is none of the one before. The last cluster may go on.
size_t tk_charsmap_final(const TkCharsmap *m, const TkText *in) {
  Walk w = {.in = in};
  size_t final = 0;
  for (size_t at = 0, end; at < in->n; at = end) {
    end = cluster_end(in->s, at, in->n);
    if (w.change <= 0) final = at;
    if (end == in->n) break;
    int64_t before = w.put;
    map_cluster(m, &w, in->s + at, end - at);
    if (w.put > before) final = at;
  }
  return final;
}

// A cluster begins at a character of these classes whatever stands before it, but for a character that joins what follows; a Hangul syllable may go on from
// a consonant, but the two are six bytes and go character by character all the same. That it is left out must not be.
bool tk_charsmap_boundary(const TkCharsmap *m, const char *s, size_t n) {
  uint32_t cp;
  if (m->joins || n == 0) return false;
  rt_utf8_next(s, &cp);
  switch (utf8proc_get_property((utf8proc_int32_t)cp)->boundclass) {
    case UTF8PROC_BOUNDCLASS_OTHER: case UTF8PROC_BOUNDCLASS_CR: case UTF8PROC_BOUNDCLASS_CONTROL: case UTF8PROC_BOUNDCLASS_LV:
    case UTF8PROC_BOUNDCLASS_LVT: break;
    default: return false;
  }
  size_t end = cluster_end(s, 0, n);
  Walk w = {0};
  if (end == n) return false;
  map_cluster(m, &w, s, end);
  return w.put > 0;
}
