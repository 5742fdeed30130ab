// What a Hugging Face directory says of conversations: its chat template, and the names of special tokens that templates use. chat_template.jinja goes
// before the chat_template of tokenizer_config.json, as transformers has it; of a list the one called "default" is taken;
// that there is one for tools besides (called "tool_use"), which transformers takes then, is known, and no more.
#ifndef CALM_RUNTIME_HFCHAT_H
#define CALM_RUNTIME_HFCHAT_H
#include <jansson.h>

#include "runtime/core/core.h"

typedef struct HfChat {
  char *text;                  // NULL: there is none
  size_t n;
  char *from;                  // where it stands, for messages
  bool tools_apart;            // conversations with tools have another template, which is not read
  json_t *names;               // {"bos_token": "<s>", …}
} HfChat;

// dir: where tokenizer.json lies; template: another file's template instead, or NULL. False and an error on what cannot be read.
bool hfchat_read(HfChat *c, const char *dir, const char *template, RtError *e);
void hfchat_free(HfChat *c);
#endif
