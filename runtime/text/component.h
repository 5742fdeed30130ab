// What the four lists of a tokenizer.json have in common: normalizers, pre-tokenizers, decoders and post-processors are each one component, or a
// Sequence of them, read into a flat list. A kind of component is one constant that begins with a TkKind; the rest of it are its family's functions
// (normalize.h, pretokenize.h, decode.h, post.h).
#ifndef CALM_RUNTIME_TEXT_COMPONENT_H
#define CALM_RUNTIME_TEXT_COMPONENT_H
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct TkKind {
  const char *type;            // its name in tokenizer.json
  size_t size;                 // of its parameters, `own` below: a struct of the kind's own; 0 = it has none
  const void *preset;          // what they are where nothing is said; NULL: zero
  bool (*read)(void *own, const char *what, const json_t *v, RtError *e);   // NULL: tokenizer.json says nothing about them
  void (*free)(void *own);     // what own points to, also where read failed; NULL: nothing
} TkKind;
typedef struct TkComponent {
  const TkKind *kind;
  void *own;                   // NULL where kind->size is 0
} TkComponent;
typedef struct TkComponents {
  TkComponent *c;
  int n;
} TkComponents;
typedef struct TkFamily {
  const char *name;            // for messages
  const char *members;         // the key of a Sequence's members
  const TkKind *const *kinds;  // NULL ends them
} TkFamily;

// Appends the components that v stands for (none where it is absent or null). `what` names the file. Each is a walk over every text, so there
// are at most TK_COMPONENTS; Sequences may stand in Sequences, not for ever.
enum { TK_COMPONENTS = 64, TK_SEQUENCES = 8 };
bool tk_components_read(TkComponents *l, const TkFamily *f, const char *what, const json_t *v, RtError *e);
void *tk_components_add(TkComponents *l, const TkKind *k);  // its parameters, preset
void tk_components_free(TkComponents *l);
#endif
