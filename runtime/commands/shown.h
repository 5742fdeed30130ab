// What is trained on, for the user to see before it is.
#ifndef CALM_RUNTIME_SHOWN_H
#define CALM_RUNTIME_SHOWN_H
#include "runtime/rows/rows.h"

// On standard error: of each file the first row that has something to train on, as text, what is trained of it between « and »; and how many of the tokens are, of all
// rows or of a sample, which is said. Nothing where there is no tokenizer. d: a look at them.
void shown_rows(const Models *m, const DataFile *f, const Data *d);
#endif
