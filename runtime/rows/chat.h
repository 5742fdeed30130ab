// Conversations as the models of a program read them: each renders the messages with its own chat template, and where two tokenizers meet, the contents
// of the messages are what they have in common. A model without a template reads the contents, joined by newlines.
//
// Where an answer begins and ends: the prefix of a conversation, rendered as generation would be given it (add_generation_prompt), is where it begins. If
// every such prefix is one of the whole rendering, and the whole rendering up to each answer too, the conversation is one text and its answers are spans of
// it. Where a template rewrites earlier turns (drops their reasoning, moves the system's words), each answer is a text of its own: the prefix as generation
// renders it, and the answer.
#ifndef CALM_RUNTIME_ROWS_CHAT_H
#define CALM_RUNTIME_ROWS_CHAT_H
#include <jansson.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/files/files.h"
#include "runtime/rows/cut.h"
#include "runtime/rows/follow.h"
#include "runtime/rows/own.h"
#include "runtime/template/template.h"
#include "runtime/text/text.h"

// Where a model's template stands: member `model` of a pack file, or beside tokenizer.json; `file` goes before either. All borrowed, or NULL.
typedef struct ChatSource {
  const PackFile *pack;
  int model;
  const char *tokfile, *file;
} ChatSource;

// The template and its names, out's to be let go (hfchat_free) in any case.
bool chat_read(const ChatSource *from, HfChat *out, RtError *e);
// Whether two models render alike: both without a template, or with the same, byte for byte, and the same names in it. What cannot be read is like nothing.
bool chat_same(const ChatSource *a, const ChatSource *b);

// One model's, of one thread. Nothing of it is read before the first conversation is (chat_ready): most programs never see one.
typedef struct Chat {
  ChatSource from;
  const Tokenizer *tok;        // borrowed; NULL: none. What it makes of what the template writes behind an answer is looked at
  const struct Chat *lent;     // another's, which has the rest; NULL: this one has
  atomic_bool ready;           // the rest is there
  HfChat hf;
  Template *template;          // NULL: it has none, or none that is understood
  char *why;                   // what is wrong with it; NULL: it has none
  int32_t turn_end;            // the special token that it writes behind an answer; -1: none
} Chat;

void chat_start(Chat *c, const ChatSource *from, const Tokenizer *tok);
// The same for another thread, with its share of the tokenizer; theirs must outlive it, and may be made ready meanwhile.
void chat_share(Chat *own, const Chat *theirs, const Tokenizer *tok);
// Reads it, if nobody has: what has its template and the rest. NULL and an error on what cannot be read; a template that is not understood is one only where
// it is used.
const Chat *chat_ready(Chat *c, RtError *e);
void chat_close(Chat *c);

typedef struct ChatRules {
  const Tokenizer *tok;        // the anchor's
  const TextEnds *ends;
  const Streams *streams;      // each with its chat
  int64_t vocab;
  CutRules cut;                // what becomes of rows that are longer than a context
  const OwnText *own;          // by stream: what it reads in place of the conversation; NULL: none does
  bool all;                    // everything is trained on, not the answers alone
  struct tm date;              // today's, for templates that ask
} ChatRules;

typedef struct Conversation {
  json_t *messages;            // as {"role", "content", …}
  const json_t *tools, *documents;       // borrowed, or NULL
} Conversation;

// A row's conversation: {"messages"}, {"conversations"} (ShareGPT) or {"instruction", "input", "output"} (Alpaca). asks: an answer is wanted
// of it, so that it may lack one. False and an error naming the key.
bool conversation_read(Conversation *c, const json_t *row, bool asks, RtError *e);
bool conversation_is(const json_t *row);                  // whether it is one of these
bool conversation_written_out(const json_t *row);         // whether its "text" is Alpaca's, which says once more what instruction and output do
void conversation_free(Conversation *c);

typedef struct ChatRow {       // owned by whoever takes it
  int32_t *ids, *labels;       // as DataRow's
  int64_t n, prompt_n;
  Follow *follow;
  bool out, cut;               // by the context of stream `by` (cut.h): it is to be left out; it is without the beginning of its prompt
  int by;
} ChatRow;
// *n rows of a conversation: one, or one an answer where a template rewrites what was before.
bool chat_rows(const ChatRules *r, const Conversation *c, ChatRow **rows, int *n, RtError *e);
// What generation answers: labels are NULL, and the prompt has ended.
bool chat_prompt(const ChatRules *r, const Conversation *c, ChatRow *out, RtError *e);
void chat_row_free(ChatRow *r);
#endif
