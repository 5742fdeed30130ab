// JSONL rows to token ids: one JSON object a line; a byte order mark may stand before the first.
//   {"text"}                     every token is trained on (after BOS)
//   {"prompt", "completion"}     encoded separately and joined; loss on the completion and a final end-of-text token
//   {"input_ids", "labels"}      as they are; -100 = not trained; needs no tokenizer
#ifndef CALM_RUNTIME_DATA_H
#define CALM_RUNTIME_DATA_H
#include "runtime/rows/follow.h"
#include "runtime/text/text.h"

typedef struct DataRow {
  int32_t *ids, *labels;        // n each; labels[i] is ids[i] where that token is trained on, otherwise -100
  int64_t n;
  int64_t prompt_n;             // tokens before the completion (0 for text rows)
  const char *prompt;           // raw text, which may hold any character, prompt_len bytes of it; NULL for rows of other kinds
  size_t prompt_len;
  int64_t line;                 // 1-based line in the file
  Follow *follow;               // the streams that follow the anchor's; NULL where there is one stream
} DataRow;

// What a context did to the rows that are longer.
typedef struct DataLimit {
  int64_t cut, lost;            // rows cut at their end, and those of them that had labelled tokens and have none left
  int64_t split, windows;       // rows of text that became several windows, and how many they became
  int64_t widest;               // tokens of the longest window
} DataLimit;

typedef struct Data {
  DataRow *row;
  int64_t n;
  int64_t tokens, labelled;     // sums
  DataLimit *limit;             // by stream (the anchor's alone is one): what its context did
} Data;

typedef struct DataOptions {
  const Tokenizer *tok;         // NULL: only input_ids rows are possible
  const TextEnds *ends;         // what ends a text: appended (labelled) to a completion that does not bring an end
  int64_t vocab;                // ids must be below this
  const Streams *streams;       // the program's; NULL: the anchor's alone
  int64_t context;              // of the anchor's stream: longer rows are cut (text rows are split into windows)
} DataOptions;

// Reads every row. Errors name file, line, key, what was found and what was expected. NULL on error.
Data *data_read(const char *path, const DataOptions *o, RtError *e);
void data_free(Data *d);
#endif
