// The models of a program as text and rows see them: where they lie here, their tokenizers, and which tokens each reads.
#ifndef CALM_RUNTIME_MODELS_H
#define CALM_RUNTIME_MODELS_H
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"
#include "runtime/rows/follow.h"
#include "runtime/text/text.h"

typedef struct Models {
  const Prog *prog;            // borrowed
  const char **dir;            // per model: its directory, the compiled one or another; NULL when made from nothing
  char **tokfile;              // per model: its tokenizer.json, NULL when it has none; owned
  Tokenizer *tok;              // the anchor's, or NULL
  HfDir *hf;                   // the anchor's facts
  TextEnds ends;               // what begins and ends its texts
  Streams streams;
  int64_t context, vocab;      // smallest over the models that read the anchor's ids (vocab: ids must be below it)
} Models;

// Another place for a model, of the program's own number.
typedef struct ModelPlace {
  int model;
  const char *dir;             // borrowed for as long as the Models live
} ModelPlace;

// NULL and an error.
Models *models_open(const Prog *p, const ModelPlace *place, int n, RtError *e);
void models_close(Models *m);
#endif
