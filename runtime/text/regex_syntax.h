// What a regular expression of a tokenizer.json may be made of, how it is written for PCRE2, and what a search with it can cost.
#ifndef CALM_RUNTIME_TEXT_REGEX_SYNTAX_H
#define CALM_RUNTIME_TEXT_REGEX_SYNTAX_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct TkSyntax {
  char *text;                  // for PCRE2; NUL-terminated; rt_free
  bool tells;                  // partial matching tells of every look at the end of the text
  // The most steps of a try at one place that looks at w bytes are `once` + `each` * w; TK_SYNTAX_MOST: they may be more than a multiple of w.
  int64_t once, each;
  int64_t longest;             // steps that one part of it may take without a word: a repeat's least, a class's parts
} TkSyntax;
enum { TK_SYNTAX_MOST = 1 << 20 };

// What it is made of: characters, classes, groups, alternatives, repeats, look-arounds. What is left out has no use in a tokenizer, and ways of
// its own to look back, to jump, to recurse: back-references, calls of groups, conditions, \K, \G, \C, verbs. False and an error naming it.
bool tk_syntax_read(TkSyntax *x, const char *what, const char *source, RtError *e);
#endif
