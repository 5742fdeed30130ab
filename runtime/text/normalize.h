// Normalizers. Each rewrites a text and says for every byte which raw bytes it stands for, by the rules of Hugging Face's NormalizedString: a
// replaced character keeps its place, an inserted one shares the place of the one before it.
#ifndef CALM_RUNTIME_TEXT_NORMALIZE_H
#define CALM_RUNTIME_TEXT_NORMALIZE_H
#include "runtime/text/call.h"
#include "runtime/text/component.h"
#include "runtime/text/most.h"
#include "runtime/text/placed.h"

// A kind. `run` is all that it needs; what is left out costs settled tokens, never correctness: `final`, `resumes` and `boundary` are promises that
// the stable prefix (settled.h) builds on; `most` is one that bounds the tokens of a text (most.h).
typedef struct TkNormalizerKind {
  TkKind kind;
  // Appends the normalized text to out; false when that would be `in` again, and out is left empty.
  bool (*run)(const void *own, const TkText *in, TkText *out, TkCall *call);
  // The length of the beginning of `in` whose normalized text is that of every text that begins so; NULL: nothing is final before the end.
  size_t (*final)(const void *own, const TkText *in, TkCall *call);
  // Whether a text can be normalized from any `boundary` on as if it began there; NULL: it cannot.
  bool (*resumes)(const void *own);
  // Whether there is a boundary before s[0] (n may be 0: whatever comes); NULL: there is none anywhere.
  bool (*boundary)(const void *own, const char *s, size_t n);
  bool (*most)(const void *own, const TkMostOf *of, TkTokensMost *m);
} TkNormalizerKind;

extern const TkFamily tk_normalizers;

// The normalized text: `in` itself, or one of the buffers. With open (more text may follow) only the part that is final.
const TkText *tk_normalize(const TkComponents *l, const TkText *in, TkText buf[2], bool open, TkCall *call);
bool tk_normalizers_resume(const TkComponents *l);
// Whether there is a boundary before `from`, the rest of a text: for each of them, in what those before it make of that. call says that it is within.
bool tk_normalizers_boundary(const TkComponents *l, const TkText *from, TkText buf[2], TkCall *call);
#endif
