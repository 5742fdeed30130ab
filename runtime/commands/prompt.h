// What generation starts from, as tokens of every stream.
#ifndef CALM_RUNTIME_PROMPT_H
#define CALM_RUNTIME_PROMPT_H
#include "runtime/rows/rows.h"

typedef struct Prompt {        // the post-processor's prefix (BOS) and the prompt's tokens; the model's BOS where both are empty
  int32_t *ids;
  int64_t n;
  Follow *follow;              // what the other streams read of it; NULL once a sequence has it
  bool out, cut;               // longer than a context: it is to be left out; it is without its beginning
} Prompt;

// A text to continue. False and an error, also where it does not fit a context or there is nothing to start from; prompt_free is due either way.
bool prompt_text(const Models *m, const char *text, size_t n, Prompt *p, RtError *e);
// The next answer of a conversation.
bool prompt_chat(const Models *m, const Conversation *c, Prompt *p, RtError *e);
// A text as a user's message; system: the message before it, or NULL.
bool prompt_message(const Models *m, const char *system, const char *text, size_t n, Prompt *p, RtError *e);
void prompt_free(Prompt *p);
#endif
