// generate --data: the answers to a file of prompts, many at a time.
#ifndef CALM_RUNTIME_ANSWERS_H
#define CALM_RUNTIME_ANSWERS_H
#include "runtime/commands/command.h"

// A row is {"prompt"} (with --chat a message) or a conversation, whose next answer it is, in place of one that it ends with. Its answer is the row with
// "generated" and "stopped" ("end of text", "--stop" or "length") more, a line each, in the order of the rows, to --out or standard output. Each is what
// generate alone gives with --seed and the row's place (from 0) added to it. False and an error.
bool answers_make(App *a, const Options *o, RtError *e);
#endif
