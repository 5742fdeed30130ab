// generate --chat on a terminal: a conversation, turn by turn.
#ifndef CALM_RUNTIME_SESSION_H
#define CALM_RUNTIME_SESSION_H
#include "runtime/commands/command.h"

// Loads the weights and answers what is typed until its end (Ctrl-D, or Ctrl-C twice at the prompt). False and an error, also where the anchor has no
// chat template.
bool session_run(App *a, const Options *o, RtError *e);
#endif
