// What byte-pair encoding knows: the merges, the ids of characters and bytes, and how the model is to be run.
#ifndef CALM_RUNTIME_TEXT_BPE_TABLES_H
#define CALM_RUNTIME_TEXT_BPE_TABLES_H
#include "runtime/text/merges.h"
#include "runtime/text/model.h"

enum { TK_FAST_CHARS = 0x800, TK_AFFIX = 32 };
typedef struct TkAffix {
  uint32_t n;                  // bytes; 0: none
  char s[TK_AFFIX];
} TkAffix;
typedef struct TkBpe {
  const TkVocab *vocab;
  TkMerges merges;
  int32_t fast[TK_FAST_CHARS]; // id of the one-character token, -1
  int32_t byte[256];           // id of <0xNN>, -1
  int32_t shown[256];          // id of the byte-level character of a byte, -1
  int32_t unk;                 // -1: none
  TkAffix prefix, suffix;      // how a piece's characters but the first are written in the vocabulary, and how its last one is
  bool byte_fallback, fuse_unk, ignore_merges;
  bool bytes;                  // byte-level, and every byte has a token: pieces are bytes, turned to ids without their characters
} TkBpe;

bool tk_bpe_read(void *own, TkVocab *vocab, const TkModelSource *from, RtError *e);
void tk_bpe_save(const void *own, TkImageOut *to);
bool tk_bpe_map(void *own, TkVocab *vocab, const TkImage *from, RtError *e);
bool tk_bpe_take_bytes(void *own);
void tk_bpe_free(void *own);
#endif
