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
  int64_t longest;             // steps that it may take without calling back: a row of characters, a repeat's least, a class's parts
  int64_t heaviest;            // steps for a character that a repeat goes along
} TkSyntax;
enum { TK_SYNTAX_MOST = 1 << 20 };

// What it is made of: characters, classes, groups, alternatives, repeats, look-arounds. What is left out has no use in a tokenizer, and ways of
// its own to look back, to jump, to recurse: back-references, calls of groups, conditions, \K, \G, \C, verbs. False and an error naming it.
int tk_syntax_shown(const char *source);     // how many bytes of it to show in a message
// counted: the text calls back where each alternative begins and behind each repeat, so that a search goes at most `longest` steps without a word.
bool tk_syntax_read(TkSyntax *x, const char *what, const char *source, bool counted, RtError *e);
#endif
