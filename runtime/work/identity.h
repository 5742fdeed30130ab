// What parameters belong to: the files of the program's models and tokenizers by SHA-256 (remembered, so that a large model is read for it once), its
// connections, and what their operators compute (compiler/build/bound.c). Not the spec's text, its initial values, settings or number types.
#ifndef CALM_RUNTIME_IDENTITY_H
#define CALM_RUNTIME_IDENTITY_H
#include <jansson.h>

#include "runtime/rows/rows.h"

typedef struct Identity {
  const Models *models;        // borrowed
  json_t *is;                  // NULL until it is asked for
} Identity;

// {"models": {NAME: {"files": {FILE: sha256, …}, "reads", "dtypes": [as stored, …], of one that is trained "computes": sha256, of one made from nothing "config": {…}}, …},
//  "connections": {NAME: {"op": name, "tap": name or null, "computes": sha256}, …}},
// found once and kept: what was read at the start, whatever becomes of the files. dtypes is for people, config to say what differs. Borrowed; NULL and an error
// when a file cannot be read.
const json_t *identity_get(Identity *id, RtError *e);
// What a checkpoint says of whom it belongs to.
typedef struct Theirs {
  const json_t *belongs_to;    // an object
  const char *spec, *path;     // name of the spec that trained them (NULL: not known); what errors call the checkpoint
  bool earlier;                // by an earlier calm, which kept {"spec": sha256 of the text, "models": {NAME: {FILE: sha256}}}
} Theirs;
// Refuses parameters of another program by the names of all that differs. misfit: what is wrong with their tensors, NULL where all fit; it comes before what
// else differs, but for a model or connection more or less, which is why. force: other models and tokenizers are let through, and told, and nothing else is.
bool identity_check(Identity *id, const Theirs *t, const RtError *misfit, bool force, RtError *e);
// Whether nothing says what their operators compute: an earlier calm saved them, from another text of the spec.
bool identity_unsaid(const Identity *id, const Theirs *t);
void identity_drop(Identity *id);
#endif
