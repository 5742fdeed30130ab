// Word problems with their equations, as the sources keep them, read into one form.
#ifndef CALM_EXAMPLES_PROBLEMS_H
#define CALM_EXAMPLES_PROBLEMS_H
#include "examples/lib/equation.h"
#include "examples/lib/rows.h"

enum { PROBLEM_NUMBERS = 16 };
typedef struct Problem {
  char *english, *swahili;     // NULL where the source has no such text
  char *prefix;                // the equation with numbers factored out, or NULL
  char *number[PROBLEM_NUMBERS];
  int numbers;
  char equation[EQUATION_ROOM];  // infix with numbers; "" where it does not give the source's answer
} Problem;
typedef struct ProblemList {
  Problem *problem;
  int n, dropped;              // dropped: those without an equation
} ProblemList;

// math/msvamp/test_Swahili.json; math/qalign-sw-en joined to the answers of math/gsm8k/train.jsonl; math/mawps-asdiv-a_svamp/train.csv. What the lists hold
// stays until the program ends.
ProblemList msvamp_read(const char *source);
ProblemList gsm8k_read(const char *source);
ProblemList mawps_read(const char *source);

// The prefix equation that most of the first n problems have.
const char *problems_commonest(const ProblemList *list, int n);

// &amp; &lt; &gt; &quot; &apos; as what they stand for, in place.
char *xml_text(char *s);
#endif
