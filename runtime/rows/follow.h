// Token streams. Models with the anchor's tokenizer read the anchor's own ids: stream 0. Every other tokenizer of a program, and every
// augment that reads only the prompt, is a stream of its own that follows the anchor's: the same text, its own tokens and positions.
//
// What an anchor position may see of a following stream: the tokens that are settled by the text of the anchor's tokens
// up to it, that is, the tokens every continuation of that text would begin with (settled.h). So nothing leaks from later text, and the
// count depends on the ids so far only, not on how they were cut into steps.
//   - The text of an anchor token is what it adds to the text; special tokens add nothing, each model gets its own. A character that is
//     split over tokens comes with the last of them.
//   - A stream begins with its tokenizer's prefix (BOS), visible from the first position on.
//   - `reads prompt`: the prompt is a complete text at its last token, where all of it becomes visible; nothing behind it is read.
//     With the anchor's tokenizer the ids are the anchor's own, and position i sees those up to i.
//   - `reads aligned`: the prompt is a complete text at its last token, as there; behind it what an anchor token adds to the text is cut into tokens by
//     itself, as a text that goes on, so nothing that comes later changes them: they are seen at once, where settled ones come a word late. They are
//     not always those of the whole text: where the anchor cuts what the tokenizer would have kept together, they are smaller.
//   - A silent stream, of models that are left out, has no tokens, whatever the text and its own.
//   - A text of its own (own.h) a stream reads in place of the anchor's: all of it is visible from the first anchor token on.
#ifndef CALM_RUNTIME_FOLLOW_H
#define CALM_RUNTIME_FOLLOW_H
#include "runtime/abi/abi.h"
#include "runtime/text/text.h"

typedef struct Stream {
  const char *model;           // the first model that reads it, for messages
  Tokenizer *tok;              // owned; NULL: stream 0, or the anchor's ids
  Settler *rule;               // owned; NULL where tok is
  bool shares;                 // tok is the anchor's: of a text that is not its own it reads the anchor's ids
  bool renders;                // and of a conversation its own template's rendering
  Reads reads;
  bool silent;                 // it reads nothing, for nothing reads its models: tok is NULL, and there is no limit to what fits
  int64_t context, vocab;      // smallest over its models: most tokens, and ids must be below vocab
  struct Chat *chat;           // its model's chat template, borrowed; NULL: none (chat.h)
  const char *narrow;          // the model whose context that is; NULL: none has one
} Stream;

typedef struct Streams {
  Stream *s;                   // s[0] is the anchor's own
  int n;
  int *of;                     // per model of the program: its stream
  const char *const *name;     // per model, models of them, and which is the anchor; borrowed
  int models, anchor;
} Streams;

void streams_free(Streams *ss);
// The same streams for another thread, which makes, uses and frees them: tokenizers have work areas of their own. ss must outlive them.
Streams streams_share(const Streams *ss);
// Whose context a stream ends at, for messages.
static inline const char *streams_narrow(const Streams *ss, int k) { return ss->s[k].narrow ? ss->s[k].narrow : ss->s[k].model; }

// The streams that follow one anchor sequence.
typedef struct FollowTokens {
  int32_t *ids;
  int64_t n, cap;
  int32_t *seen;               // per anchor token: how many of ids its position sees
  SettledText *text;           // NULL once no more is read, and behind the prompt of an aligned stream
  bool ended;
  char *own;                   // its own text, own_len bytes; NULL: it reads the anchor's
  size_t own_len;
  char *said;                  // the text of the anchor's tokens as this stream reads it, whole
  size_t len, cap_said;
  int64_t *end;                // per anchor token: bytes of it up to and with that token
} FollowTokens;
typedef struct Follow {
  const Streams *streams;
  FollowTokens *s;             // by stream; s[0] is not used
  bool continuation;
  int32_t *id;                 // the anchor's tokens
  int64_t n, cap;
  int64_t prompt;              // anchor tokens of the prompt; -1: it has not ended
  bool rendered;               // a conversation, which streams render by their own templates
  uint64_t bare;               // streams, a bit each, that begin with no prefix: their texts have it
  TokStream *said;             // owned; decodes tokens that come without their text, NULL before the first
} Follow;

// NULL where the program has one stream. continuation: the text continues another one (a window of a longer text).
Follow *follow_new(const Streams *ss, bool continuation);
// The same of a conversation, which streams render by their own templates. The text of a stream in `bare` (a bit each) brings all of its tokens with it (a
// chat template's): nothing is put before it, unless it has lost its beginning.
Follow *follow_rendered(const Streams *ss, bool continuation, uint64_t bare);
void follow_free(Follow *f);
// Stream k reads this text of its own, and no token of the anchor's. Before the first token.
bool follow_own(Follow *f, int k, const char *text, size_t n, RtError *e);
// The same texts as of `from` (may be NULL), which were read.
void follow_own_of(Follow *f, const Follow *from);
// The next token of the anchor, and the n bytes of text it adds, whole characters. False and an error where a following model does not know
// a token.
bool follow_token(Follow *f, int32_t id, const char *bytes, size_t n, RtError *e);
// The same where each stream has its own text, by stream.
typedef struct FollowBytes {
  const char *s;
  size_t n;
} FollowBytes;
bool follow_token_each(Follow *f, int32_t id, const FollowBytes *bytes, RtError *e);
// The next token, of which only the id is known: its text is what tok (NULL: nothing) decodes after those before it.
bool follow_id(Follow *f, const Tokenizer *tok, int32_t id, RtError *e);
// The next n tokens of the anchor, which tok encoded: they say text[begin, end). A character belongs to the last token that has a part of it,
// what lies between spans to the later token, the rest to the last. Stops where a context is full.
bool follow_encoded(Follow *f, const Tokenizer *tok, const int32_t *ids, const TokSpan *span, int64_t n, const char *text, size_t begin,
                    size_t end, RtError *e);
// All tokens of the anchor, by their ids; the first `prompt` are the prompt. Stops where a context is full.
bool follow_ids(Follow *f, const Tokenizer *tok, const int32_t *ids, int64_t n, int64_t prompt, RtError *e);
// The prompt ends with the anchor tokens so far.
bool follow_prompt_end(Follow *f, RtError *e);
// No more tokens come: gives back what only they would need.
void follow_seal(Follow *f);
// The same for the first n anchor tokens.
Follow *follow_copy(const Follow *f, int64_t n);
// Raises most[k] (by stream) to what the first n anchor tokens see of stream k.
void follow_most(const Follow *f, int64_t n, int64_t *most);
// How many of the first anchor tokens (not all need be there) fit every stream's context.
int64_t follow_fits(const Follow *f);
// The stream whose context lets in only the first n of them, where n is what follow_fits gave and more are there.
int follow_limit(const Follow *f, int64_t n);

// What the stable prefix costs: over the first n anchor positions, the tokens of stream k that are visible, and those that end in the text
// so far.
typedef struct FollowShare { int64_t visible, ended; } FollowShare;
bool follow_share(const Follow *f, int64_t n, int k, FollowShare *sum, RtError *e);
#endif
