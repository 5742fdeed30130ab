// The models of a program as text and rows see them: where they lie here, their tokenizers, and which tokens each reads.
#ifndef CALM_RUNTIME_MODELS_H
#define CALM_RUNTIME_MODELS_H
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"
#include "runtime/rows/chat.h"
#include "runtime/rows/follow.h"
#include "runtime/text/text.h"

typedef struct Models {
  const Prog *prog;            // borrowed
  const char **dir;            // per model: its directory, the compiled one or another; NULL when made from nothing
  char **tokfile;              // per model: its tokenizer.json, NULL when it has none; owned
  Tokenizer *tok;              // the anchor's, or NULL
  TextEnds ends;               // what begins and ends its texts
  HfGeneration how;            // what generation_config.json says of generating
  json_t *generation;          // that file; NULL: none
  const PackFile *pack;        // what the rest is read from instead of the models' directories, borrowed; or NULL
  Streams streams;
  Chat *chat;                  // by stream: its first model's chat template
  const char *only_text;       // rows of ids are refused, for they are another tokenizer's than this model's; NULL: they are not. Borrowed
  bool train_all;              // how conversations are read: DataOptions
  int64_t room;                // tokens that prompts which are cut leave free: CutRules
  int too_long;                // what becomes of rows that are longer than a context: likewise
  struct tm date;
  const OwnText *own;          // what augments read of their own beside a prompt, by stream, borrowed; NULL: nothing
  const char **name;           // per model
  bool alone;                  // DataOptions
  bool apart, talks;           // models_part
  bool *silent;                // by model: it reads nothing
  const char *template;        // the anchor's chat template, a file; NULL: its own
  int64_t context, vocab;      // smallest over the models that read the anchor's ids (vocab: ids must be below it)
} Models;

// Another place for a model, of the program's own number.
typedef struct ModelPlace {
  int model;
  const char *dir;             // borrowed for as long as the Models live
} ModelPlace;

// pack: NULL, or a pack file of this program, which has tokenizers and the rest; the directories need not be there then. NULL and an error.
// silent: by model, those that are to read nothing: their tokenizers and contexts do not count; NULL: none.
Models *models_open(const Prog *p, const ModelPlace *place, int n, const PackFile *pack, const bool *silent, RtError *e);
void models_close(Models *m);
// Whether model i reads other tokens of a text than the anchor: its tokenizer is another, or cannot be compared.
bool models_other_tokenizer(const Models *m, int i);
// Streams change for what is to be read, and chats with them. own: augments may have texts of their own; each gets a stream that has a tokenizer, or the
// anchor's. talk: conversations; each gets one whose template renders otherwise than that of the model with which it shares its tokens. Neither undoes the other.
bool models_part(Models *m, bool own, bool talk, RtError *e);
// The anchor's chat template is this file's.
bool models_chat_template(Models *m, const char *path, RtError *e);
// What templates take for today, YYYYMMDD; as a number, what it is now.
bool models_set_date(Models *m, int64_t date, RtError *e);
int64_t models_date(const Models *m);
// What models_open reads of a pack file: tokenizers as sections, the rest as members of about (packed.h).
bool models_pack(const Models *m, PackOut *o, json_t *about, RtError *e);
#endif
