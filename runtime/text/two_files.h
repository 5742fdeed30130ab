// What a tokenizer is read from: a tokenizer.json as it lies, or the two files that came before it, vocab.json and merges.txt, put together to the
// tokenizer.json that they mean.
#ifndef CALM_RUNTIME_TEXT_TWO_FILES_H
#define CALM_RUNTIME_TEXT_TWO_FILES_H
#include "runtime/files/files.h"

typedef struct TkFile {
  JsonStr text;                // of the tokenizer.json; UTF-8
  FileMap map;                 // where it lies,
  char *made;                  // or was put together
} TkFile;

bool tk_file_open(TkFile *f, const char *path, RtError *e);
void tk_file_close(TkFile *f);
#endif
