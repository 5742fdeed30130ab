// State of one encode or decode call, as its components see it.
#ifndef CALM_RUNTIME_TEXT_CALL_H
#define CALM_RUNTIME_TEXT_CALL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>

#include "runtime/core/core.h"
#include "runtime/text/budget.h"

struct TkSearch {
  pcre2_match_data *match;
  pcre2_match_context *limits;
};
typedef struct TkCall {
  int64_t joined;              // raw offset at which the text goes on from something, so that no prefix belongs there; -1 = none
  bool within;                 // what is being looked at begins there, and what it goes on from is its own beginning
  bool whole;                  // and it is the beginning of a piece
  bool failed;                 // e is filled
  TkBudget left;
  struct TkSearch *search;     // what PCRE2 works with, of the work area; an object, NULL before the first search
  const char *path;
  RtError *e;
} TkCall;

// Always false, with e filled.
static inline bool tk_call_out(TkCall *c, const char *of) {
  if (!c->failed) rt_fail(c->e, "%s: this tokenizer takes %s for the text", c->path, of);
  c->failed = true;
  return false;
}

static inline bool tk_call_spend(TkCall *c, int64_t steps) {
  c->left.steps -= steps;
  return c->left.steps >= 0 || tk_call_out(c, "too many steps");
}

static inline bool tk_call_holds(TkCall *c, size_t bytes) { return bytes <= c->left.room || tk_call_out(c, "too much memory"); }

static inline void tk_call_end(TkCall *c) { rt_end(c->search); }
#endif
