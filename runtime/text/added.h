// Added tokens in a text: leftmost-longest search in a trie, with the rules for words and spaces around a token.
#ifndef CALM_RUNTIME_TEXT_ADDED_H
#define CALM_RUNTIME_TEXT_ADDED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/text/call.h"

typedef struct TkAdded {
  char *content, *shown;       // shown: the normalized kind, normalized; else NULL
  size_t n, nshown;
  int32_t id;
  bool special, single_word, lstrip, rstrip, normalized;
} TkAdded;
typedef struct TkTrie {        // a node's children are a list by byte
  struct TkTrieNode {
    uint8_t byte;
    int32_t child, sibling, added;                          // indices, 0 / -1 = none
  } *node;
  int32_t n, cap, first[256];
  bool lstrip, single_word;    // some token takes the spaces before it, or is none within a word
  bool mapped;                 // node is not its own
} TkTrie;
typedef struct TkCut {         // a part of a text: an added token, or what lies between (added < 0)
  size_t begin, end;
  int32_t added;
} TkCut;
typedef struct TkCuts {
  TkCut *c;
  size_t n, cap;
} TkCuts;

void tk_trie_add(TkTrie *t, const char *s, size_t n, int32_t index, const TkAdded *a);
void tk_trie_free(TkTrie *t);
// Cuts s[begin, n) into parts that cover it; what stands before begin is looked at, not cut. With open more text may follow: the parts
// cover only what is final, up to the returned place, and the last one, if no added token, may go on there. Returns n otherwise.
size_t tk_cut(const TkTrie *t, const TkAdded *added, const char *s, size_t begin, size_t n, bool open, TkCuts *cuts, TkCall *call);
bool tk_word_ends(const char *s, size_t at);                // whether the character before `at`, if any, is none of a word
#endif
