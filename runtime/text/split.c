// See split.h.
#include "runtime/text/split.h"

#include <string.h>

#include "runtime/core/core.h"

static void push(TkSplitting *w, size_t begin, size_t end, bool match) {
  if (w->part_n == w->part_cap) {
    w->part_cap = w->part_cap ? w->part_cap * 2 : 64;
    w->part = rt_realloc(w->part, w->part_cap, sizeof *w->part);
  }
  w->part[w->part_n++] = (TkPart){begin, end, match};
}

// Covers a piece with matches and what lies between them. Where it is still growing (open) the last part is what cannot be matched, maybe
// empty, and what a match may yet take is left out.
static void find_parts(const TkSplit *sp, TkSplitting *w, TkPiece p, bool open, TkCall *call) {
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
static void split_piece(const TkSplit *sp, TkSplitting *w, TkPiece p, bool open, TkCall *call) {
  find_parts(sp, w, p, open, call);
  size_t end = p.end;
  bool joins = sp->behavior != TK_ISOLATED && sp->behavior != TK_REMOVED;
  if (open) {
    TkPart *last = &w->part[w->part_n - 1];
    end = last->end;
    if (end < p.end && tk_from(w->t, end) < w->left) w->left = tk_from(w->t, end);
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

void tk_split_run(const TkSplit *sp, TkSplitting *w, TkCall *call) {
  for (size_t i = 0; i < w->in.n && !call->failed; i++) split_piece(sp, w, w->in.p[i], is_open(w, i), call);
}

bool tk_split_resumes(const TkSplit *sp) {
  if (sp->pattern.re) return !tk_pattern_looks_behind(&sp->pattern) && (sp->behavior == TK_ISOLATED || sp->behavior == TK_REMOVED);
  return !sp->pattern.literal || tk_pattern_one_char(&sp->pattern) || (sp->behavior == TK_ISOLATED && !sp->invert);
}

TkText *tk_splitting_buffer(TkSplitting *w) {
  TkText *b = &w->buf[w->t == &w->buf[0]];
  tk_text_clear(b, w->room);
  return b;
}

void tk_splitting_swap(TkSplitting *w) {
  TkPieces swap = w->in;
  w->in = w->out;
  w->out = swap;
}

void tk_splitting_take(TkSplitting *w, const TkText *t) {
  w->t = t;
  tk_splitting_swap(w);
  w->out.n = 0;
}

void tk_splitting_free(TkSplitting *w) {
  for (int i = 0; i < 2; i++) tk_text_free(&w->buf[i]);
  rt_free(w->in.p);
  rt_free(w->out.p);
  rt_free(w->part);
}
