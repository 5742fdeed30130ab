// The words of templates: filters, tests, functions and methods. Each is one row of a table; what it takes is said there, and its C gets its
// arguments in their order, with UNDEFINED (and `given` false) where one was left out.
#ifndef CALM_RUNTIME_TEMPLATE_WORDS_H
#define CALM_RUNTIME_TEMPLATE_WORDS_H
#include "runtime/template/value.h"

enum { WORD_ARGS = 8 };

typedef struct Call {          // what a word was called with, as the template wrote it
  const Value *at;             // by place, n of them
  size_t n;
  const char *const *key;      // by name
  const Value *named;
  size_t n_named;
} Call;

typedef struct In {            // the same, sorted by a word's parameters
  Value v;                     // what it is applied to
  Value arg[WORD_ARGS];
  bool given[WORD_ARGS];
  const Call *all;
  const struct tm *now;
} In;

typedef struct Word {
  const char *name;
  const char *takes;           // its parameters by name, apart by blanks; the first `needs` must be given. "*": whatever the word finds in In.all
  int needs;
  Value (*run)(Tp *t, const In *in);
} Word;

const Word *filter_find(const char *name);
const Word *test_find(const char *name);                 // run gives a BOOL
const Word *function_find(const char *name);
const Word *method_find(Kind of, const char *name, size_t n);
// Calls w; `what` for messages: "filter", "method", …
Value word_call(Tp *t, const Word *w, const char *what, Value v, const Call *c, const struct tm *now);
// An error unless known.
void word_known(Tp *t, const char *what, bool known, const char *name);

// What several of them want.
Value arg_str(Tp *t, const In *in, int i, const char *otherwise);     // a STR, else an error
int64_t arg_int(Tp *t, const In *in, int i, int64_t otherwise);
bool arg_bool(const In *in, int i, bool otherwise);
typedef struct Bound {         // of a METHOD
  Value self;
  const Word *word;
} Bound;
Value v_attr(Tp *t, Value v, const char *name, size_t n);             // v.name
Value v_item(Tp *t, Value v, Value key);                              // v[key]
Value s_strip(Tp *t, Value s, Value chars, bool left, bool right);    // chars: UNDEFINED, or a STR of what goes
Value s_replace(Tp *t, Value s, Value old, Value with, int64_t most); // most < 0: all
Value s_lines(Tp *t, Value s);                                        // splitlines
Value s_case(Tp *t, Value s, bool upper);
Value s_capital(Tp *t, Value s);                                      // the first character large, the others small
Value s_padded(Tp *t, Value s, int64_t width, Value fill, int where); // -1: the text to the left, 0: in the middle, 1: to the right
Value s_percent(Tp *t, Value format, const Value *args, size_t n);    // format % args
#endif
