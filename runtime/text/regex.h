// Patterns: a literal or a regular expression in Oniguruma's syntax.
#ifndef CALM_RUNTIME_TEXT_REGEX_H
#define CALM_RUNTIME_TEXT_REGEX_H
#include <jansson.h>

#include "runtime/text/call.h"

typedef struct TkPattern {
  char *literal;
  size_t n;
  pcre2_code *re, *here;       // here: the same, tried at one place only; NULL where searches count their steps
  struct TkCodes *held;        // both, by the call (rt_object)
  bool jit, tells;             // tells: partial matching tells of every look at the end
  int64_t step, along;         // what a step of a counted search costs, and a byte that it goes along; else step is a byte looked at
} TkPattern;
// A cursor over the matches in one text.
typedef struct TkFind {
  const char *s;
  size_t n, at;
  size_t last_end;             // SIZE_MAX before the first match
  bool open;                   // more text may follow: the search ends where a match would look beyond the end
  size_t stop;                 // with open, after the last match: nothing before it can begin another match, whatever follows
} TkFind;

bool tk_pattern_read(TkPattern *p, const char *what, const json_t *v, RtError *e);  // {"String": …} or {"Regex": …}
bool tk_pattern_regex(TkPattern *p, const char *what, const char *source, RtError *e);
void tk_pattern_literal(TkPattern *p, const char *s);
void tk_pattern_free(TkPattern *p);
bool tk_pattern_matches_empty(const TkPattern *p);   // could it match no character?
bool tk_pattern_ends(const TkPattern *p);            // do its searches take few steps of any text? (Others may run out of them: budget.h)
bool tk_pattern_one_char(const TkPattern *p);        // a literal of one character?
bool tk_pattern_looks_behind(const TkPattern *p);    // does whether it matches depend on what stands before?
// Next match [*b, *e); false when there are no more, or on failure (call->failed).
bool tk_pattern_find(const TkPattern *p, TkCall *call, TkFind *f, size_t *b, size_t *e);
#endif
