// Texts that augments read of their own beside a prompt: --augment NAME=TEXT, and "augment" of a row of prompts.
#ifndef CALM_RUNTIME_OWNTEXT_H
#define CALM_RUNTIME_OWNTEXT_H
#include <jansson.h>

#include "runtime/commands/command.h"

// {NAME: text} of --augment, to be let go; *asked is NULL without one. False and an error.
bool owntext_asked(const Options *o, json_t **asked, RtError *e);
// What the models read beside the next prompt: as asked (or NULL), and as this row says, which goes before. owntext_end after the prompt.
bool owntext_begin(const App *a, const json_t *asked, const json_t *row, RtError *e);
void owntext_end(const App *a);
#endif
