// One text that is generated, token by token: which come next, what they say, and what ends it.
#ifndef CALM_RUNTIME_WRITER_H
#define CALM_RUNTIME_WRITER_H
#include "runtime/commands/options.h"
#include "runtime/commands/prompt.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

// Text on its way out: what might begin a stop text is held back.
typedef struct Printer {
  const OptList *stop;
  Bytes *into;                 // NULL: standard output
  char *held;
  size_t n;
  bool stopped;
} Printer;

typedef enum WriterStop { STOP_END, STOP_TEXT, STOP_CONTEXT, STOP_MOST, N_WRITER_STOPS } WriterStop;      // what ended a text

typedef struct Writer {
  const Options *o;
  const Models *m;
  Sampler *sampler;
  TokStream *ts;
  Printer out;
  int64_t most, made;          // tokens
  const char *limit;           // what set the most
  bool chat, end;              // an end of a turn ends it; it has ended so
} Writer;

// How many tokens to generate at most: --max-tokens, else what generation_config.json says, else GENERATE_TOKENS; never more than the context has
// room for. *why: what set the number, for when it ends the text.
int64_t writer_most(const Models *m, const Options *o, int64_t prompt, const char **why);
// chat: the prompt is a conversation. more: what is added to --seed. into: NULL, standard output.
void writer_start(Writer *w, const Models *m, const Options *o, const Prompt *p, bool chat, int64_t more, Bytes *into);
// Nothing more is to come of it.
bool writer_is_done(const Writer *w, const DecodeSeq *s);
// Takes the next token of a sequence that has logits. False and an error.
bool writer_next(Writer *w, Decoder *d, DecodeSeq *s, RtError *e);
// What was held back. False and an error; the writer is to be freed either way.
bool writer_end(Writer *w, RtError *e);
void writer_free(Writer *w);
// Of one that is done: what ended it, in a word of files ("end of text", "--stop", "length"), and in all words.
WriterStop writer_stop(const Writer *w, const DecodeSeq *s);
const char *writer_stop_name(WriterStop stop);
const char *writer_why(const Writer *w, const DecodeSeq *s);
// Says on standard error how long it took, in seconds up to the first token and after it, and what stopped it. kept: tokens of the prompt that were not computed.
void writer_tell(const Writer *w, int64_t prompt, int64_t kept, double first, double rest, const char *why);
#endif
