// tokenizer.json as Hugging Face `tokenizers` runs it: BPE and Unigram. Text is UTF-8.
#ifndef CALM_RUNTIME_TOKENIZER_H
#define CALM_RUNTIME_TOKENIZER_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"
#include "runtime/text/bound.h"
#include "runtime/text/span.h"

typedef struct Tokenizer Tokenizer;

Tokenizer *tokenizer_open(const char *path, RtError *e);     // a tokenizer.json; what it uses and calm does not know is an error naming it
void tokenizer_free(Tokenizer *t);
// A file named vocab.json is opened as what it and the merges.txt beside it say (two_files.h). The tokenizer.json that stands for what is opened: the
// file itself, or one put together; to be freed with rt_free, *n bytes.
char *tokenizer_json(const char *path, size_t *n, RtError *e);
// The names of the files that are read beside it, but for tokenizer_config.json, and may be missing: *n of them.
const char *const *tokenizer_beside(const char *path, int *n);
// The tokenizer as one piece of memory that depends on no address: to be written to a file, freed with rt_free, *n bytes.
void *tokenizer_image(const Tokenizer *t, size_t *n);
// The same tokenizer from such a piece (8-byte aligned, to outlive it), whose tables are used where they lie: nothing of them is copied. It is
// untrusted: every place and id in it is looked at first. path: the tokenizer.json that messages name; what: the file that the image is in.
Tokenizer *tokenizer_mapped(const void *image, size_t n, const char *path, const char *what, RtError *e);
// The same tokenizer with work areas of its own, for a thread that makes it, uses it and frees it there; t must outlive it.
Tokenizer *tokenizer_share(const Tokenizer *t);
// Do two tokenizer.json files hold the same tokenizer (equal bytes, or equal JSON)? False and an error where one cannot be read.
bool tokenizer_same(const char *a, const char *b, bool *same, RtError *e);
int tokenizer_vocab(const Tokenizer *t);                     // one past the largest id
// Encodes text without adding special tokens (added tokens written in the text are recognised). Returns the count, ids and spans
// to be freed with rt_free (either may be NULL when not wanted). continuation: the text continues another one, so no prefix space or prepended ▁ is put
// before it (a row's completion is such a text, and gets no BOS either). -1 and an error on invalid UTF-8 (names line and byte).
int64_t tokenizer_encode(const Tokenizer *t, const char *text, size_t len, bool continuation, int32_t **ids, TokSpan **spans, RtError *e);
// No text makes more tokens than this.
bool tokenizer_most(const Tokenizer *t, TkTokensMost *m);    // false: none is known
// Whether a text can have an id that is not below `vocab`: only where it holds one of these, *content[0, n) of the tokenizer's; -1: there is no saying, or they
// are more than `most`.
int tokenizer_beyond(const Tokenizer *t, int64_t vocab, const char **content, int most);
// Ids the post-processor (TemplateProcessing) puts before and after a single text: BOS, EOS. Returns the count.
int tokenizer_prefix(const Tokenizer *t, const int32_t **ids);
int tokenizer_suffix(const Tokenizer *t, const int32_t **ids);
// Decodes all ids at once; special tokens are skipped. To be freed with rt_free, NUL-terminated, *len bytes. Invalid UTF-8 becomes U+FFFD as HF does.
// NULL and an error where the decoders take more than a multiple of the tokens' length.
char *tokenizer_decode(const Tokenizer *t, const int32_t *ids, int64_t n, size_t *len, RtError *e);
bool tokenizer_is_special(const Tokenizer *t, int32_t id);
// How the token of an id is written, *n bytes of it, borrowed; NULL when the id has none.
const char *tokenizer_token(const Tokenizer *t, int32_t id, size_t *n);
int32_t tokenizer_token_id(const Tokenizer *t, const char *token);   // -1 when there is none

// Streaming decode: decode(prompt + completion) minus decode(prompt), handed out in whole characters only.
typedef struct TokStream TokStream;
TokStream *tokstream_new(const Tokenizer *t, const int32_t *prompt, int64_t n);
// The same, but text comes out with the id that completes it. Decoding gives other text only for a run of byte tokens whose later bytes
// are no UTF-8: it replaces the whole run.
TokStream *tokstream_eager(const Tokenizer *t, const int32_t *prompt, int64_t n);
// Adds an id; returns newly settled text (owned by the stream, valid until the next call; maybe ""). NULL and an error as in tokenizer_decode,
// also where that happened to the prompt.
const char *tokstream_push(TokStream *s, int32_t id, size_t *len, RtError *e);
const char *tokstream_end(TokStream *s, size_t *len, RtError *e);   // the rest, when no more ids come
void tokstream_free(TokStream *s);
#endif
