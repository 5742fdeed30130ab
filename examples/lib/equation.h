// Arithmetic as the word problems write it: prefix with numbers factored out, infix with numbers, and its value.
#ifndef CALM_EXAMPLES_EQUATION_H
#define CALM_EXAMPLES_EQUATION_H
#include <stdbool.h>
#include <stddef.h>

enum { EQUATION_ROOM = 512 };

// "- + number0 2.0 number1" with numbers {"3", "5"} as "3 + 2 - 5", with no brackets but those that are needed; false where it is no such text, a number is
// missing, or it is longer than EQUATION_ROOM.
bool equation_infix(const char *prefix, char *const *number, int n, char out[EQUATION_ROOM]);

// The value of + - * / ( ) over decimal numbers, up to the end or an "=", a line's end or a full stop behind it; false where it is no such text or has no value.
bool equation_value(const char *infix, double *value);

// Numbers as a problem writes them: the same where they differ by less than a part in ten thousand (or one of a thousand next to nothing).
bool equation_same(double a, double b);

// Values of two equations: equal but for what doubles round.
bool equation_equal(double a, double b);
#endif
