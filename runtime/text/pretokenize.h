// Pre-tokenizers: split pieces into smaller ones, and for the byte-level flavour rewrite bytes as characters.
#ifndef CALM_RUNTIME_TEXT_PRETOKENIZE_H
#define CALM_RUNTIME_TEXT_PRETOKENIZE_H
#include "runtime/text/component.h"
#include "runtime/text/most.h"
#include "runtime/text/split.h"

// Where a pre-tokenizer stands.
typedef struct TkWhere {
  bool first;                  // no other ran before
  bool pieces;                 // none runs behind it, and texts go on from the beginnings of pieces only (TkModelKind.whole)
} TkWhere;

// A kind. `run` is all that it needs; what is left out costs settled tokens, never correctness: `grows` and `resumes` are promises that the
// stable prefix (settled.h) builds on; `most` is one that bounds the tokens of a text (most.h).
typedef struct TkPretokenizerKind {
  TkKind kind;
  void (*run)(const void *own, TkSplitting *w, TkCall *call);   // from w->in to w->out, maybe of another w->t
  bool grows;                  // run minds w->open; false: nothing of a text that may go on is final
  // Whether a text splits the same from behind any settled token on, as if it began there (call->joined); or, for one of where's pieces, from
  // behind any settled piece on. NULL: it does not.
  bool (*resumes)(const void *own, TkWhere where);
  bool (*most)(const void *own, const TkMostOf *of, TkTokensMost *m);
  void (*leave_bytes)(void *own);   // from now on leaves bytes in place of the byte-level characters it writes; NULL: it writes none
} TkPretokenizerKind;

extern const TkFamily tk_pretokenizers;

// Splits text[begin, end); leaves the pieces in w->in, of w->t. With open more text may follow: the last of them is growing.
void tk_pretokenize(const TkComponents *l, TkSplitting *w, const TkText *text, size_t begin, size_t end, bool open, TkCall *call);
bool tk_pretokenizers_resume(const TkComponents *l, bool whole);
// Whether the pieces end up as byte-level characters and could be left as bytes; the second has that done.
bool tk_pretokenizers_show_bytes(const TkComponents *l);
void tk_pretokenizers_leave_bytes(TkComponents *l);
#endif
