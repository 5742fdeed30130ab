// Diagnostics: collected, not thrown. Each has a place, says what was found and what was expected, and may carry notes
// ("declared here"), and a suggestion. Printed at the end, in source order of their arrival:
//   spec.calm:3:9: error: no layer 17 in model 'base': it has 16 blocks
//      3 | connect code[17] -> base[4] with cross_attention(heads = 4)
//        |              ^~
//   spec.calm:1:9: note: 'base' is declared here
#ifndef CALM_DSL_DIAG_H
#define CALM_DSL_DIAG_H
#include "dsl/base/buf.h"
#include "dsl/source.h"

typedef enum DiagKind { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE } DiagKind;

typedef struct Diag {
  DiagKind kind;
  Loc loc;
  const char *text;
} Diag;

typedef struct Diags {
  Arena *arena;
  Sources *sources;
  Diag *v;
  int n, cap;
  int errors, warnings;
} Diags;

void diags_init(Diags *d, Sources *s);
void diag_error(Diags *d, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_warn(Diags *d, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// A note belongs to the diagnostic before it.
void diag_note(Diags *d, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Will an error that comes now be shown, or only counted?
bool diags_shown(const Diags *d);
// So many errors that no more are shown: whoever finds them by the thousand may stop.
bool diags_full(const Diags *d);
void diags_print(const Diags *d, Buf *out);   // all of them, with source line and caret
#endif
