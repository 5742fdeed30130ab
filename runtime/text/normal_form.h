// Unicode normal forms of texts with places.
#ifndef CALM_RUNTIME_TEXT_NORMAL_FORM_H
#define CALM_RUNTIME_TEXT_NORMAL_FORM_H
#include <stdbool.h>

#include "runtime/text/placed.h"

typedef struct TkForm { bool compat, compose; } TkForm;     // NFD: neither; NFC: compose; NFKD: compat; NFKC: both

// Appends the text in the form; false, and nothing appended, when a quick look tells that it is in that form already.
bool tk_form_run(TkForm form, const TkText *in, TkText *out);
// Whether nothing before the character can change it, and it nothing before it.
bool tk_form_boundary(TkForm form, uint32_t cp);
// The last boundary of the text: what may follow changes nothing before it.
size_t tk_form_final(TkForm form, const TkText *in);
#endif
