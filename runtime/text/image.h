// A tokenizer's tables as one piece of memory: a head, a place for each table, the tables. Made on the same architecture that reads it, by the same
// version of this room (TK_IMAGE), and untrusted all the same.
#ifndef CALM_RUNTIME_TEXT_IMAGE_H
#define CALM_RUNTIME_TEXT_IMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

enum { TK_IMAGE = 2 };         // goes up whenever a table changes: what it means, or how it lies

typedef enum TkTable {
  TK_TABLE_ABOUT,              // numbers of the whole
  TK_TABLE_PARTS,              // JSON: the components
  TK_TABLE_BYTES, TK_TABLE_VOCAB, TK_TABLE_SLOTS, TK_TABLE_TEXTS,
  TK_TABLE_ADDED, TK_TABLE_ADDED_TEXTS, TK_TABLE_RAW, TK_TABLE_NORMALIZED,
  TK_TABLE_MODEL, TK_TABLE_PAIRS, TK_TABLE_SCORES, TK_TABLE_NODES,   // the model's
  N_TK_TABLES
} TkTable;

typedef struct TkImageOut {
  char *s;                     // owned
  size_t n, cap;
} TkImageOut;
TkImageOut tk_image_begin(void);
void tk_image_put(TkImageOut *o, TkTable which, const void *data, size_t n, size_t size);     // n elements of size bytes

typedef struct TkImage {
  const uint8_t *data;
  size_t n;
  const char *what;            // the file, for messages
} TkImage;
bool tk_image_open(const TkImage *m, RtError *e);           // whether it begins as one of this version
// A table and how many elements it has (maybe none). NULL and an error where it does not lie in the image, or not as such elements do.
const void *tk_image_get(const TkImage *m, TkTable which, size_t size, size_t *n, RtError *e);
// Always false, with e filled: which of the tables is not what it can be.
bool tk_image_bad(const TkImage *m, const char *table, RtError *e);

// Walking over a hash table: false, with e filled, where more slots in a row are taken than any honest one has, which would be slow to search.
enum { TK_IMAGE_RUN = 1 << 14 };
bool tk_image_run(const TkImage *m, bool taken, size_t *run, const char *table, RtError *e);
#endif
