// What parameters belong to: the program's spec, and the files of its models by SHA-256 (remembered, so that a large model is read for it once).
#ifndef CALM_RUNTIME_IDENTITY_H
#define CALM_RUNTIME_IDENTITY_H
#include <jansson.h>

#include "runtime/rows/rows.h"

typedef struct Identity {
  const Models *models;        // borrowed
  json_t *is;                  // NULL until it is asked for
} Identity;

// {"spec": sha256, "models": {NAME: {FILE: sha256, …}}}, found once and kept: what was read at the start, whatever becomes of the files. Borrowed;
// NULL and an error when a file cannot be read.
const json_t *identity_get(Identity *id, RtError *e);
// Refuses, by the name of what differs, parameters of another program; path is whose they are. force: another spec text is let through.
bool identity_check(Identity *id, const json_t *theirs, const char *path, bool force, RtError *e);
void identity_drop(Identity *id);
#endif
