// What a pack file was made from, by size and hash: {"made_from": [{"what", "model", "dir", "files": {FILE: {"size", "sha256"}}, "absent": [FILE]}]}, a group for
// each directory: a model's weights and configuration, a tokenizer, parameters.
#ifndef CALM_RUNTIME_MADEFROM_H
#define CALM_RUNTIME_MADEFROM_H
#include "runtime/rows/rows.h"

#define MADE_MODEL "model"
#define MADE_TOKENIZER "tokenizer"
#define MADE_PARAMETERS "parameters"

// The list of what these models read, and of params, a file (NULL: none); hashes are remembered (files/sha256.h). A new reference; NULL and an error.
json_t *made_from(const Models *m, const char *params, RtError *e);
// Whether those of these files that are here are as they were, by size and then by hash; params: of parameters too. A file that is not here is not missed.
bool made_current(const PackFile *f, const Models *m, bool params, RtError *e);
// Adds to files, {FILE: sha256}, what identities of parameters ask of a model.
bool made_identity(const PackFile *f, const char *model, json_t *files, RtError *e);
// Reads those that are here anew, where they were then; of the others a line goes to standard output.
bool made_check(const PackFile *f, SumsFound *found, RtError *e);
#endif
