// The kinds of normalizers, each one constant, and the walk over a tokenizer's list of them.
#include "runtime/text/normalize.h"

#include <string.h>
#include <utf8proc.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/chars.h"
#include "runtime/text/charsmap.h"
#include "runtime/text/classes.h"
#include "runtime/text/normal_form.h"
#include "runtime/text/regex.h"

// What kinds promise that look at one character at a time.
static size_t final_all(const void *own, const TkText *in, TkCall *call) { return (void)own, (void)call, in->n; }
static bool resumes(const void *own) { return (void)own, true; }
static bool anywhere(const void *own, const char *s, size_t n) { return (void)own, (void)s, (void)n, true; }

// What of a text's other characters may become so many times as long; ASCII stays what it is.
static bool most_others(int64_t times, TkTokensMost *m) {
  m->other = times * (m->ascii > m->other ? m->ascii : m->other);
  return true;
}

static bool read_string(char **out, const char *what, const json_t *v, const char *key, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, key, &s, e)) return false;
  if (!s) return rt_fail(e, "%s: normalizer: no \"%s\"", what, key);
  *out = rt_strdup(s);
  return true;
}

// --- Prepend: a string before the text
typedef struct Prepend { char *prepend; } Prepend;

static bool read_prepend(void *own, const char *what, const json_t *v, RtError *e) {
  Prepend *z = own;
  if (!read_string(&z->prepend, what, v, "prepend", e)) return false;
  return *z->prepend || rt_fail(e, "%s: normalizer Prepend: an empty \"prepend\" is not supported", what);
}

static void free_prepend(void *own) { rt_free(((Prepend *)own)->prepend); }

static bool run_prepend(const void *own, const TkText *in, TkText *out, TkCall *call) {
  const Prepend *z = own;
  if (in->n == 0 || call->within || tk_from(in, 0) == call->joined) return false;
  tk_text_put(out, z->prepend, strlen(z->prepend), tk_from(in, 0), tk_to(in, 0));
  tk_text_copy(out, in, 0, in->n);
  return true;
}

static bool most_prepend(const void *own, const TkMostOf *of, TkTokensMost *m) {
  m->fixed += tk_most_string(of, m, ((const Prepend *)own)->prepend);
  return true;
}

static const TkNormalizerKind prepend = {
  .kind = {.type = "Prepend", .size = sizeof(Prepend), .read = read_prepend, .free = free_prepend},
  .run = run_prepend, .final = final_all, .resumes = resumes, .boundary = anywhere, .most = most_prepend,
};

// --- Replace: a string for what a pattern matches
typedef struct Replace {
  TkPattern pattern;
  char *content;
  uint32_t run_of;             // the regular expression is a run of this character, so many or more; 0: it is another
} Replace;

// Of "c+" and "c{n,}", c; else 0. (XLM-R's, mT5's and others replace a run of spaces.)
static uint32_t run_of(const char *regex) {
  uint32_t cp = 0;
  if (!*regex || strchr("\\^$.|?*+()[]{}", *regex)) return 0;
  const char *s = regex + rt_utf8_next(regex, &cp);
  if (strcmp(s, "+") == 0) return cp;
  size_t digits = *s == '{' ? strspn(s + 1, "0123456789") : 0;
  return digits && s[1] != '0' && strcmp(s + 1 + digits, ",}") == 0 ? cp : 0;
}

static bool read_replace(void *own, const char *what, const json_t *v, RtError *e) {
  Replace *z = own;
  const json_t *pattern = json_object_get(v, "pattern");
  if (!read_string(&z->content, what, v, "content", e) || !tk_pattern_read(&z->pattern, what, pattern, e)) return false;
  if (z->pattern.re) z->run_of = run_of(rtj_said(pattern, "Regex"));
  return !tk_pattern_matches_empty(&z->pattern) ||      // Hugging Face's own loses count of the places there
         rt_fail(e, "%s: normalizer Replace: a \"pattern\" that matches nothing at all is not supported", what);
}

static void free_replace(void *own) {
  Replace *z = own;
  tk_pattern_free(&z->pattern);
  rt_free(z->content);
}

static bool run_replace(const void *own, const TkText *in, TkText *out, TkCall *call) {
  const Replace *z = own;
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

static size_t before_run(const TkText *in, uint32_t of) {
  char c[4];
  size_t k = rt_utf8_put(c, of), end = in->n;
  while (end >= k && memcmp(in->s + end - k, c, k) == 0) end -= k;
  return end;
}

// A regular expression may look at the end in ways that partial matching does not tell of: nothing is final before the end, but of a run what
// stands before the one that may go on.
static size_t final_replace(const void *own, const TkText *in, TkCall *call) {
  const Replace *z = own;
  TkFind f = {.s = in->s, .n = in->n, .last_end = SIZE_MAX, .open = true};
  size_t b, e;
  if (z->pattern.re) return z->run_of ? before_run(in, z->run_of) : 0;
  while (tk_pattern_find(&z->pattern, call, &f, &b, &e)) {}
  return f.stop;
}

static bool resumes_replace(const void *own) { return !((const Replace *)own)->pattern.re || ((const Replace *)own)->run_of; }

static bool boundary_replace(const void *own, const char *s, size_t n) {
  const Replace *z = own;
  uint32_t cp;
  if (!z->run_of) return true;
  if (n) rt_utf8_next(s, &cp);
  return n && cp != z->run_of;
}

// A match is one character at least.
static bool most_replace(const void *own, const TkMostOf *of, TkTokensMost *m) {
  const Replace *z = own;
  int64_t made = tk_most_string(of, m, z->content), weight = z->pattern.literal ? tk_most_weight(of, z->pattern.literal, z->pattern.n) : 1;
  int64_t each = (made + weight - 1) / weight;
  if (each > m->ascii) m->ascii = each;
  if (each > m->other) m->other = each;
  return tk_pattern_ends(&z->pattern);
}

static const TkNormalizerKind replace = {
  .kind = {.type = "Replace", .size = sizeof(Replace), .read = read_replace, .free = free_replace},
  .run = run_replace, .final = final_replace, .resumes = resumes_replace, .boundary = boundary_replace, .most = most_replace,
};

// --- Strip: spaces at the text's beginning and end
typedef struct Strip { bool left, right; } Strip;

static bool read_strip(void *own, const char *what, const json_t *v, RtError *e) {
  Strip *z = own;
  return rtj_get_bool(what, v, "strip_left", &z->left, e) && rtj_get_bool(what, v, "strip_right", &z->right, e);
}

static bool run_strip(const void *own, const TkText *in, TkText *out, TkCall *call) {
  const Strip *z = own;
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
  if (!z->left || call->within) begin = 0;
  if (!z->right) end = in->n;
  if (end < begin) end = begin;                             // spaces alone
  if (end - begin == in->n) return false;
  tk_text_copy(out, in, begin, end);
  return true;
}

static size_t final_strip(const void *own, const TkText *in, TkCall *call) {
  (void)call;
  const Strip *z = own;
  size_t end = 0, k;
  for (size_t i = 0; i < in->n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(in->s + i, &cp);
    if (!tk_is_space(cp)) end = i + k;
  }
  return z->right ? end : in->n;
}

static const Strip both = {true, true};
static const TkNormalizerKind strip = {
  .kind = {.type = "Strip", .size = sizeof(Strip), .preset = &both, .read = read_strip},
  .run = run_strip, .final = final_strip, .resumes = resumes, .boundary = anywhere, .most = tk_most_same,
};

// --- Lowercase
static bool run_lowercase(const void *own, const TkText *in, TkText *out, TkCall *call) {
  (void)own, (void)call;
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

static bool most_lowercase(const void *own, const TkMostOf *of, TkTokensMost *m) { return (void)own, (void)of, most_others(2, m); }

static const TkNormalizerKind lowercase = {
  .kind = {.type = "Lowercase"},
  .run = run_lowercase, .final = final_all, .resumes = resumes, .boundary = anywhere, .most = most_lowercase,
};

// --- StripAccents: no combining marks
static bool run_accents(const void *own, const TkText *in, TkText *out, TkCall *call) {
  (void)own, (void)call;
  bool changed = false;
  for (size_t i = 0, k; i < in->n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(in->s + i, &cp);
    if (tk_is_mark(cp)) changed = true;
    else tk_text_copy(out, in, i, i + k);
  }
  if (!changed) tk_text_clear(out, out->most);
  return changed;
}

static const TkNormalizerKind accents = {
  .kind = {.type = "StripAccents"},
  .run = run_accents, .final = final_all, .resumes = resumes, .boundary = anywhere, .most = tk_most_same,
};

// --- Nmt: no control characters, and a space for each kind of space and for what stands for nothing
static bool nmt_drops(uint32_t c) { return (c && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F; }

static bool nmt_space(uint32_t c) {
  return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

static bool run_nmt(const void *own, const TkText *in, TkText *out, TkCall *call) {
  (void)own, (void)call;
  for (size_t i = 0, k; i < in->n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(in->s + i, &cp);
    if (nmt_space(cp)) tk_text_put(out, " ", 1, tk_from(in, i), tk_to(in, i));
    else if (!nmt_drops(cp)) tk_text_copy(out, in, i, i + k);
  }
  return true;
}

static bool most_nmt(const void *own, const TkMostOf *of, TkTokensMost *m) {
  (void)own, (void)of;
  if (m->ascii > m->other) m->other = m->ascii;              // signs and spaces become a space
  return true;
}

static const TkNormalizerKind nmt = {
  .kind = {.type = "Nmt"},
  .run = run_nmt, .final = final_all, .resumes = resumes, .boundary = anywhere, .most = most_nmt,
};

// --- NFC, NFD, NFKC, NFKD
static bool run_form(const void *own, const TkText *in, TkText *out, TkCall *call) { return (void)call, tk_form_run(*(const TkForm *)own, in, out); }

static size_t final_form(const void *own, const TkText *in, TkCall *call) { return (void)call, tk_form_final(*(const TkForm *)own, in); }

static bool boundary_form(const void *own, const char *s, size_t n) {
  uint32_t cp;
  if (n == 0) return false;
  rt_utf8_next(s, &cp);
  return tk_form_boundary(*(const TkForm *)own, cp);
}

// So many times as many bytes may the decomposition of a character have (U+0390, U+FDFA); composing makes no more of them.
static bool most_form(const void *own, const TkMostOf *of, TkTokensMost *m) { return (void)of, most_others(((const TkForm *)own)->compat ? 11 : 3, m); }

static const TkForm form_c = {.compose = true}, form_kc = {.compat = true, .compose = true}, form_kd = {.compat = true};
static const TkNormalizerKind nfc = {
  .kind = {.type = "NFC", .size = sizeof(TkForm), .preset = &form_c},
  .run = run_form, .final = final_form, .resumes = resumes, .boundary = boundary_form, .most = most_form,
};
static const TkNormalizerKind nfd = {
  .kind = {.type = "NFD", .size = sizeof(TkForm)},
  .run = run_form, .final = final_form, .resumes = resumes, .boundary = boundary_form, .most = most_form,
};
static const TkNormalizerKind nfkc = {
  .kind = {.type = "NFKC", .size = sizeof(TkForm), .preset = &form_kc},
  .run = run_form, .final = final_form, .resumes = resumes, .boundary = boundary_form, .most = most_form,
};
static const TkNormalizerKind nfkd = {
  .kind = {.type = "NFKD", .size = sizeof(TkForm), .preset = &form_kd},
  .run = run_form, .final = final_form, .resumes = resumes, .boundary = boundary_form, .most = most_form,
};

// --- Precompiled: what SentencePiece's table of characters says
static bool read_precompiled(void *own, const char *what, const json_t *v, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(what, v, "precompiled_charsmap", &s, e)) return false;
  if (!s) return rt_fail(e, "%s: normalizer Precompiled: no \"precompiled_charsmap\"", what);
  return tk_charsmap_read(own, what, s, e);
}

static void free_precompiled(void *own) { tk_charsmap_free(own); }
static bool run_precompiled(const void *own, const TkText *in, TkText *out, TkCall *call) { return (void)call, tk_charsmap_run(own, in, out); }
static size_t final_precompiled(const void *own, const TkText *in, TkCall *call) { return (void)call, tk_charsmap_final(own, in); }
static bool boundary_precompiled(const void *own, const char *s, size_t n) { return tk_charsmap_boundary(own, s, n); }

static const TkNormalizerKind precompiled = {
  .kind = {.type = "Precompiled", .size = sizeof(TkCharsmap), .read = read_precompiled, .free = free_precompiled},
  .run = run_precompiled, .final = final_precompiled, .resumes = resumes, .boundary = boundary_precompiled,
};

// --- all of them
static const TkKind *const kinds[] = {&prepend.kind, &replace.kind, &strip.kind, &lowercase.kind, &accents.kind, &nmt.kind, &precompiled.kind,
                                    &nfc.kind, &nfd.kind, &nfkc.kind, &nfkd.kind, NULL};
const TkFamily tk_normalizers = {"normalizer", "normalizers", kinds};

static const TkNormalizerKind *kind_of(const TkComponent *c) { return (const TkNormalizerKind *)c->kind; }

bool tk_normalizers_resume(const TkComponents *l) {
  for (int i = 0; i < l->n; i++) {
    const TkNormalizerKind *k = kind_of(&l->c[i]);
    if (!k->resumes || !k->resumes(l->c[i].own)) return false;
  }
  return true;
}

// One of them, into buf[*next] if that is needed; then the other buffer is the next. Returns the text; with open only what is final of it.
static const TkText *step(const TkComponent *c, const TkText *in, TkText buf[2], int *next, bool open, TkCall *call) {
  const TkNormalizerKind *k = kind_of(c);
  TkText part = *in, *out = &buf[*next];                    // part shares what it points to
  bool misplaced = in->misplaced;
  if (open) part.n = k->final ? k->final(c->own, in, call) : 0;
  tk_text_clear(out, call->left.room);
  if (open && part.n == 0) return out;                      // nothing is final: not even what a normalizer makes of nothing
  if (!k->run(c->own, &part, out, call)) {
    if (part.n == in->n) return in;
    tk_text_copy(out, in, 0, part.n);
  }
  out->misplaced |= misplaced;
  *next ^= 1;
  if (out->full) tk_call_out(call, "too much memory");
  return out;
}

const TkText *tk_normalize(const TkComponents *l, const TkText *in, TkText buf[2], bool open, TkCall *call) {
  int next = 0;
  for (int i = 0; i < l->n && !call->failed && (i == 0 || !open || in->n); i++) in = step(&l->c[i], in, buf, &next, open, call);
  return in;
}

bool tk_normalizers_boundary(const TkComponents *l, const TkText *from, TkText buf[2], TkCall *call) {
  int next = 0;
  for (int i = 0; i < l->n && !call->failed; i++) {
    const TkNormalizerKind *k = kind_of(&l->c[i]);
    if (!k->boundary || !k->boundary(l->c[i].own, from->s, from->n)) return false;
    if (i + 1 < l->n) from = step(&l->c[i], from, buf, &next, true, call);
  }
  return !call->failed;
}
