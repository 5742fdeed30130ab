// SentencePiece's precompiled_charsmap: what each character, and each short cluster of them, is normalized to. As Hugging Face runs it.
#ifndef CALM_RUNTIME_TEXT_CHARSMAP_H
#define CALM_RUNTIME_TEXT_CHARSMAP_H
#include "runtime/text/placed.h"

typedef struct TkCharsmap {
  uint8_t *bytes;              // as it was written; what follows lies in it
  size_t units;                // of a double array, four bytes each from byte 4 on
  const char *text;            // what is put for keys, each text ended by a zero
  size_t ntext;
  bool joins;                  // a key begins with a character that joins whatever follows it
} TkCharsmap;

// From base64, as tokenizer.json has it. what names the file.
bool tk_charsmap_read(TkCharsmap *m, const char *what, const char *base64, RtError *e);
void tk_charsmap_free(TkCharsmap *m);
bool tk_charsmap_run(const TkCharsmap *m, const TkText *in, TkText *out);           // these three: TkNormalizerKind's
size_t tk_charsmap_final(const TkCharsmap *m, const TkText *in);
bool tk_charsmap_boundary(const TkCharsmap *m, const char *s, size_t n);
#endif
