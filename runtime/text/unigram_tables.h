// What Unigram knows: the tokens' scores, and all tokens as a trie.
#ifndef CALM_RUNTIME_TEXT_UNIGRAM_TABLES_H
#define CALM_RUNTIME_TEXT_UNIGRAM_TABLES_H
#include "runtime/text/model.h"

// What a text costs is its length times that of the longest token, which is ten for most vocabularies.
enum { TK_UNIGRAM_TOKEN = 512 };
typedef struct TkNode {
  uint32_t child;              // the first; a node's children lie side by side, ascending by byte, behind it
  int32_t id;                  // of the token that ends here; -1: none does
  uint16_t n;                  // children
  uint8_t byte, zero;
} TkNode;
typedef struct TkUnigram {
  const TkVocab *vocab;        // whose ids have no holes
  double *score;               // by id
  TkNode *node;                // the first is the root
  size_t nnode;
  int32_t byte[256];           // id of <0xNN>, -1
  double unk_score;
  int32_t unk;
  bool byte_fallback;
  bool mapped;                 // score and node are not its own
} TkUnigram;

bool tk_unigram_read(void *own, TkVocab *vocab, const TkModelSource *from, RtError *e);
void tk_unigram_save(const void *own, TkImageOut *to);
bool tk_unigram_map(void *own, TkVocab *vocab, const TkImage *from, RtError *e);
void tk_unigram_free(void *own);

// The child of a node at that byte; NULL where there is none.
static inline const TkNode *tk_child(const TkUnigram *t, const TkNode *of, uint8_t byte) {
  const TkNode *c = t->node + of->child;
  size_t low = 0, n = of->n;
  while (n > 4) {                // the first whose byte is not below it lies in [low, low + n]
    size_t half = n / 2;
    if (c[low + half - 1].byte < byte) low += half, n -= half;
    else n = half;
  }
  for (; n; low++, n--)
    if (c[low].byte == byte) return &c[low];
  return NULL;
}
#endif
