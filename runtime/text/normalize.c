// Normalizers. Each rewrites a text and says for every byte which raw bytes it stands for, by the rules of Hugging Face's
// NormalizedString: a replaced character keeps its place, an inserted one shares the place of the one before it.
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/files/json.h"
#include "runtime/text/impl.h"

static bool run_prepend(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call) {
  if (in->n == 0 || tk_from(in, 0) == call->joined) return false;
  tk_text_put(out, z->content, strlen(z->content), tk_from(in, 0), tk_to(in, 0));
  tk_text_copy(out, in, 0, in->n);
  return true;
}

static bool run_replace(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call) {
  TkFind f = {.s = in->s, .n = in->n, .last_end = SIZE_MAX};
  size_t done = 0, b, e, n = strlen(z->content);
  while (in->n && tk_pattern_find(&z->pattern, call, &f, &b, &e)) {
    tk_text_copy(out, in, done, b);
    size_t at = e ? e - 1 : 0;
    tk_text_put(out, z->content, n, e ? tk_from(in, at) : 0, e ? tk_to(in, at) : 0);
    done = e;
  }
  if (f.last_end == SIZE_MAX) return false;
  tk_text_copy(out, in, done, in->n);
  return true;
}

// A regular expression may look at the end in ways that partial matching does not tell of: nothing is final before the end.
static size_t final_replace(const TkNormalizer *z, const TkText *in, TkCall *call) {
  TkFind f = {.s = in->s, .n = in->n, .last_end = SIZE_MAX, .open = true};
  size_t b, e;
  if (z->pattern.re) return 0;
  while (tk_pattern_find(&z->pattern, call, &f, &b, &e)) {}
  return f.stop;
}

static bool run_strip(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call) {
  (void)call;
  size_t begin = 0, end = 0, k;
  uint32_t cp;
  bool leading = true;
  for (size_t i = 0; i < in->n; i += k) {
    k = rt_utf8_next(in->s + i, &cp);
    bool space = tk_is_space(cp);
    if (leading && space) begin = i + k;
    if (!space) {
      leading = false;
      end = i + k;
    }
  }
  if (!z->left) begin = 0;
  if (!z->right) end = in->n;
  if (end - begin == in->n) return false;
  tk_text_copy(out, in, begin, end);
  return true;
}

static size_t final_strip(const TkNormalizer *z, const TkText *in, TkCall *call) {
  (void)call;
  size_t end = 0, k;
  for (size_t i = 0; i < in->n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(in->s + i, &cp);
    if (!tk_is_space(cp)) end = i + k;
  }
  return z->right ? end : in->n;
}

static bool run_lowercase(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call) {
  (void)z, (void)call;
  size_t k;
  for (size_t i = 0; i < in->n; i += k) {
    uint32_t cp;
    char low[8];
    k = rt_utf8_next(in->s + i, &cp);
    // The one character whose lower case is two: I with a dot above.
    size_t n = cp == 0x130 ? (memcpy(low, "i\xCC\x87", 3), 3) : rt_utf8_put(low, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
    tk_text_put(out, low, n, tk_from(in, i), tk_to(in, i));
  }
  return true;
}

// --- Unicode normal forms. A character carries a change: 1 = inserted after the one before it, 0 = replaces one, -k = also swallows k more.
typedef struct Ch {
  uint32_t cp;
  int change;
  uint8_t ccc;
} Ch;
typedef struct Chs {
  Ch *c;
  size_t n, cap;
} Chs;

static void push(Chs *l, Ch c) {
  if (l->n == l->cap) {
    l->cap = l->cap ? l->cap * 2 : 256;
    l->c = rt_realloc(l->c, l->cap, sizeof *l->c);
  }
  l->c[l->n++] = c;
}

static uint8_t ccc_of(uint32_t cp) { return (uint8_t)utf8proc_get_property((utf8proc_int32_t)cp)->combining_class; }

// The decomposition of one character; how many parts, below 1 where the table fails.
static utf8proc_ssize_t decomposed(uint32_t cp, bool compat, utf8proc_int32_t parts[32]) {
  int bound = 0;
  utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compat ? UTF8PROC_COMPAT : 0));
  return utf8proc_decompose_char((utf8proc_int32_t)cp, parts, 32, options, &bound);
}

// Marks in canonical order: a stable sort by class, by counting so that a long run of marks takes linear time.
static void sort_marks(Ch *c, size_t n) {
  size_t at[257] = {0};
  bool sorted = true;
  for (size_t i = 1; i < n && sorted; i++) sorted = c[i - 1].ccc <= c[i].ccc;
  if (sorted) return;
  Ch *copy = rt_alloc(n, sizeof *copy);
  memcpy(copy, c, n * sizeof *copy);
  for (size_t i = 0; i < n; i++) at[c[i].ccc + 1]++;
  for (int k = 1; k < 257; k++) at[k] += at[k - 1];
  for (size_t i = 0; i < n; i++) c[at[copy[i].ccc]++] = copy[i];
  rt_free(copy);
}

// Canonical (or compatibility) decomposition with marks in canonical order.
static void decompose(const TkText *in, bool compat, Chs *out) {
  size_t marks = 0;              // where the marks behind the last starter begin
  for (size_t i = 0; i < in->n;) {
    uint32_t cp;
    utf8proc_int32_t parts[32];
    i += rt_utf8_next(in->s + i, &cp);
    utf8proc_ssize_t n = cp < 0x80 ? 0 : decomposed(cp, compat, parts);
    if (n <= 0 || n > 32) parts[0] = (utf8proc_int32_t)cp, n = 1;
    for (utf8proc_ssize_t k = 0; k < n; k++) {
      Ch c = {(uint32_t)parts[k], k > 0, ccc_of((uint32_t)parts[k])};
      push(out, c);
      if (c.ccc != 0) continue;
      sort_marks(out->c + marks, out->n - 1 - marks);
      marks = out->n;
    }
  }
  if (out->n > marks) sort_marks(out->c + marks, out->n - marks);
}

// The primary composite of two characters, or 0. The second of a pair is never below U+0300.
static uint32_t composed(uint32_t a, uint32_t b) {
  if (b < 0x300) return 0;
  utf8proc_int32_t pair[3] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b, 0};
  return utf8proc_normalize_utf32(pair, 2, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE)) == 1 ? (uint32_t)pair[0] : 0;
}

// Canonical composition in place: each mark not blocked from the last starter joins it when there is a composite.
static void compose(Chs *l) {
  size_t n = 0, starter = SIZE_MAX;
  int last = -1;                 // class of the last mark kept behind the starter, -1 = none
  for (size_t i = 0; i < l->n; i++) {
    Ch c = l->c[i];
    uint32_t joined = starter != SIZE_MAX && (last < 0 || last < c.ccc) ? composed(l->c[starter].cp, c.cp) : 0;
    if (joined) {
      l->c[starter].cp = joined;
      l->c[starter].change += c.change - 1;
      continue;
    }
    if (c.ccc == 0) {
      starter = n;
      last = -1;
    } else if (starter != SIZE_MAX) {
      last = c.ccc;
    }
    l->c[n++] = c;
  }
  l->n = n;
}

static size_t skip_char(const TkText *in, size_t at) {
  uint32_t cp;
  return at < in->n ? at + rt_utf8_next(in->s + at, &cp) : at;
}

// Whether nothing before the character can change it, and it nothing before it: it begins with a starter that is never the second of a
// composition (the second half of the table's composition indices, and the vowels and finals of Hangul).
static bool boundary_before(uint32_t cp, bool compat) {
  if (cp < 0x300) return !compat || cp < 0x80;
  utf8proc_int32_t parts[32];
  if (decomposed(cp, compat, parts) < 1) return false;
  uint32_t c = (uint32_t)parts[0];
  const utf8proc_property_t *p = utf8proc_get_property(parts[0]);
  bool second = p->comb_index != UINT16_MAX && p->comb_index >= 0x8000;
  return p->combining_class == 0 && !second && !(c >= 0x1160 && c <= 0x11FF);
}

// Whether the text is in the normal form already, as far as a quick look can tell.
static bool is_normal(const TkNormalizer *z, const TkText *in) {
  bool nfc = z->compose && !z->compat;
  for (size_t i = 0; i < in->n;) {
    uint32_t cp;
    utf8proc_int32_t parts[32];
    i += rt_utf8_next(in->s + i, &cp);
    if (cp < 0x80 || (nfc && cp < 0x300)) continue;
    if (!nfc || !boundary_before(cp, false) || decomposed(cp, false, parts) != 1 || (uint32_t)parts[0] != cp) return false;
  }
  return true;
}

// What may follow changes nothing before the last boundary.
static size_t final_normal_form(const TkNormalizer *z, const TkText *in, TkCall *call) {
  (void)call;
  size_t end = in->n;
  while (end) {
    uint32_t cp;
    do end--; while (end && ((uint8_t)in->s[end] & 0xC0) == 0x80);
    rt_utf8_next(in->s + end, &cp);
    if (boundary_before(cp, z->compat)) break;
  }
  return end;
}

static bool run_normal_form(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call) {
  (void)call;
  if (is_normal(z, in)) return false;
  Chs l = {0};
  decompose(in, z->compat, &l);
  if (z->compose) compose(&l);
  size_t at = 0;                 // place in `in` of the next character to be replaced
  for (size_t i = 0; i < l.n; i++) {
    Ch c = l.c[i];
    char s[4];
    size_t place = c.change > 0 ? at - (at > 0) : at < in->n ? at : in->n - 1;
    if (c.change <= 0) at = skip_char(in, at);
    for (int k = c.change; k < 0; k++) at = skip_char(in, at);
    tk_text_put(out, s, rt_utf8_put(s, c.cp), tk_from(in, place), tk_to(in, place));
  }
  rt_free(l.c);
  return true;
}

bool tk_normalizer_resumes(const TkNormalizer *z) { return z->run != run_strip && !z->pattern.re; }

bool tk_normalizer_boundary(const TkNormalizer *z, const char *s, size_t n) {
  uint32_t cp;
  if (z->run != run_normal_form) return true;
  if (n == 0) return false;
  rt_utf8_next(s, &cp);
  return boundary_before(cp, z->compat);
}

// --- reading
static bool read_content(TkNormalizer *z, const char *what, const json_t *v, const char *key, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, key, &s, e)) return false;
  if (!s) return rt_fail(e, "%s: normalizer: no \"%s\"", what, key);
  z->content = rt_strdup(s);
  return true;
}

static bool read_prepend(TkNormalizer *z, const char *what, const json_t *v, RtError *e) {
  if (!read_content(z, what, v, "prepend", e)) return false;
  return *z->content || rt_fail(e, "%s: normalizer Prepend: an empty \"prepend\" is not supported", what);
}

static bool read_replace(TkNormalizer *z, const char *what, const json_t *v, RtError *e) {
  if (!read_content(z, what, v, "content", e) || !tk_pattern_read(&z->pattern, what, json_object_get(v, "pattern"), e)) return false;
  return !tk_pattern_matches_empty(&z->pattern) ||      // Hugging Face's own loses count of the places there
         rt_fail(e, "%s: normalizer Replace: a \"pattern\" that matches nothing at all is not supported", what);
}

static bool read_strip(TkNormalizer *z, const char *what, const json_t *v, RtError *e) {
  z->left = z->right = true;
  return rtj_get_bool(what, v, "strip_left", &z->left, e) && rtj_get_bool(what, v, "strip_right", &z->right, e);
}

static const struct {
  const char *type;
  bool (*run)(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call);
  size_t (*final)(const TkNormalizer *z, const TkText *in, TkCall *call);
  bool (*read)(TkNormalizer *z, const char *what, const json_t *v, RtError *e);
  bool compat, compose;
} kinds[] = {
  {"Prepend", run_prepend, NULL, read_prepend, 0, 0},
  {"Replace", run_replace, final_replace, read_replace, 0, 0},
  {"Strip", run_strip, final_strip, read_strip, 0, 0},
  {"Lowercase", run_lowercase, NULL, NULL, 0, 0},
  {"NFC", run_normal_form, final_normal_form, NULL, 0, 1},
  {"NFD", run_normal_form, final_normal_form, NULL, 0, 0},
  {"NFKC", run_normal_form, final_normal_form, NULL, 1, 1},
  {"NFKD", run_normal_form, final_normal_form, NULL, 1, 0},
};

bool tk_normalizer_read(Tokenizer *t, const json_t *v, RtError *e) {
  if (!v || json_is_null(v)) return true;
  const char *type = json_string_value(json_object_get(v, "type"));
  if (type && strcmp(type, "Sequence") == 0) {
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(v, "normalizers"), i, part) if (!tk_normalizer_read(t, part, e)) return false;
    return true;
  }
  for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(type, kinds[i].type) != 0) continue;
    t->norm = rt_realloc(t->norm, (size_t)t->nnorm + 1, sizeof *t->norm);
    TkNormalizer *z = &t->norm[t->nnorm++];
    *z = (TkNormalizer){.run = kinds[i].run, .final = kinds[i].final, .compat = kinds[i].compat, .compose = kinds[i].compose};
    return !kinds[i].read || kinds[i].read(z, t->path, v, e);
  }
  return rt_fail(e, "%s: normalizer \"%.80s\" is not supported", t->path, type ? type : "(no type)");
}

void tk_normalizer_free(TkNormalizer *z) {
  tk_pattern_free(&z->pattern);
  rt_free(z->content);
}

const TkText *tk_normalize(const Tokenizer *t, const TkText *in, TkText buf[2], bool open, TkCall *call) {
  int next = 0;
  for (int i = 0; i < t->nnorm && !call->failed; i++) {
    const TkNormalizer *z = &t->norm[i];
    TkText part = *in;           // shares what it points to
    if (open && z->final) part.n = z->final(z, in, call);
    tk_text_clear(&buf[next]);
    if (z->run(z, &part, &buf[next], call)) {
      in = &buf[next];
      next ^= 1;
    } else if (part.n < in->n) {
      tk_text_copy(&buf[next], in, 0, part.n);
      in = &buf[next];
      next ^= 1;
    }
  }
  return in;
}
