// What can be decided of a row from its bytes: one of so few that its texts cannot make more tokens than the contexts of a program's models hold, nor any that
// these do not know, need not be tokenized to know that nothing of it is cut. Proved from the tokenizers' settings (tokenizer_most); what a tokenizer gives up
// on for want of steps is seen when the row is read.
#ifndef CALM_RUNTIME_ROWS_BYTES_H
#define CALM_RUNTIME_ROWS_BYTES_H
#include <jansson.h>

#include "runtime/rows/follow.h"

typedef struct ByteRule ByteRule;

// Of rows that are read with an anchor's tokenizer (NULL: none) and context, ids below vocab, and the streams that follow it (NULL: none). NULL: nothing can be
// decided so. What it is told of must outlive it.
ByteRule *byte_rule(const Tokenizer *tok, const TextEnds *ends, const Streams *streams, int64_t vocab, int64_t context);
void byte_rule_free(ByteRule *r);
// A row that is n texts, two at most.
bool byte_rule_fits(const ByteRule *r, const json_t *const *text, int n);
// A row of a text, or of two, that stands in a line of so many bytes: JSON never writes a text in fewer. Only of rows whose form is known to be good.
bool byte_rule_line(const ByteRule *r, int64_t bytes);
#endif
