// Which two tokens merge into which, and how early: an open-addressing hash table, filled straight from the JSON text.
#ifndef CALM_RUNTIME_TEXT_MERGES_H
#define CALM_RUNTIME_TEXT_MERGES_H
#include "runtime/text/hash.h"
#include "runtime/text/vocab.h"

typedef struct TkPair {
  uint64_t key;                // left id << 32 | right id
  uint32_t rank;               // UINT32_MAX marks an empty slot
  int32_t id;                  // of the merged token
} TkPair;
typedef struct TkMerges {
  TkPair *pair;
  size_t mask;
  uint64_t seed;
  bool mapped;                 // pair is not its own
} TkMerges;

// ["left right", …] or [["left", "right"], …]. prefix: bytes at the right one's beginning that the two together have not.
bool tk_merges_read(TkMerges *m, const TkVocab *v, const char *what, JsonStr merges, size_t prefix, RtError *e);
void tk_merges_free(TkMerges *m);

// NULL when they do not merge.
static inline const TkPair *tk_merge_find(const TkMerges *m, int32_t left, int32_t right) {
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  for (size_t i = tk_mix(key ^ m->seed) & m->mask;; i = (i + 1) & m->mask) {
    if (m->pair[i].rank == UINT32_MAX) return NULL;
    if (m->pair[i].key == key) return &m->pair[i];
  }
}
#endif
