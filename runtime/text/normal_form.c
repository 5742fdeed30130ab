// See normal_form.h. The tables are utf8proc's; the walk is calm's own, because every character has to keep its place.
#include "runtime/text/normal_form.h"

#include <string.h>
#include <utf8proc.h>

#include "runtime/core/core.h"

// A character and its change (placed.h).
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

// The character begins with a starter that is never the second of a composition (the second half of the table's composition indices, and the
// vowels and finals of Hangul).
bool tk_form_boundary(TkForm form, uint32_t cp) {
  if (cp < 0x300) return !form.compat || cp < 0x80;
  utf8proc_int32_t parts[32];
  if (decomposed(cp, form.compat, parts) < 1) return false;
  uint32_t c = (uint32_t)parts[0];
  const utf8proc_property_t *p = utf8proc_get_property(parts[0]);
  bool second = p->comb_index != UINT16_MAX && p->comb_index >= 0x8000;
  return p->combining_class == 0 && !second && !(c >= 0x1160 && c <= 0x11FF);
}

// Whether the text is in the normal form already, as far as a quick look can tell.
static bool is_normal(TkForm form, const TkText *in) {
  bool nfc = form.compose && !form.compat;
  for (size_t i = 0; i < in->n;) {
    uint32_t cp;
    utf8proc_int32_t parts[32];
    i += rt_utf8_next(in->s + i, &cp);
    if (cp < 0x80 || (nfc && cp < 0x300)) continue;
    if (!nfc || !tk_form_boundary(form, cp) || decomposed(cp, false, parts) != 1 || (uint32_t)parts[0] != cp) return false;
  }
  return true;
}

size_t tk_form_final(TkForm form, const TkText *in) {
  size_t end = in->n;
  while (end) {
    uint32_t cp;
    do end--; while (end && ((uint8_t)in->s[end] & 0xC0) == 0x80);
    rt_utf8_next(in->s + end, &cp);
    if (tk_form_boundary(form, cp)) break;
  }
  return end;
}

bool tk_form_run(TkForm form, const TkText *in, TkText *out) {
  if (is_normal(form, in)) return false;
  Chs l = {0};
  decompose(in, form.compat, &l);
  if (form.compose) compose(&l);
  size_t at = 0;                 // place in `in` of the next character to be replaced
  for (size_t i = 0; i < l.n; i++) tk_text_change(out, in, &at, l.c[i].cp, l.c[i].change);
  rt_free(l.c);
  return true;
}
