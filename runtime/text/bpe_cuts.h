// Where a growing piece's byte-pair encoding is final: up to its last cut x|y that no merge crosses.
#ifndef CALM_RUNTIME_TEXT_BPE_CUTS_H
#define CALM_RUNTIME_TEXT_BPE_CUTS_H
#include <stddef.h>

void *tk_bpe_cuts(const void *bpe);          // TkModelKind's, of a TkBpe; NULL where the vocabulary has no cut to offer
size_t tk_bpe_last_cut(const void *cuts, const char *s, size_t n);
void tk_bpe_cuts_free(void *cuts);
#endif
