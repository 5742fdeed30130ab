// Inside the tokenizer: what its files share. The pipeline is Hugging Face's:
//   raw text ─ added tokens cut out ─▶ segments ─ normalizers ─▶ ─ added tokens of the normalized kind ─▶ ─ pre-tokenizers ─▶ pieces ─ BPE ─▶ ids
// Each stage carries, for every byte of its text, which raw bytes it came from.
#ifndef CALM_RUNTIME_TOKENIZER_IMPL_H
#define CALM_RUNTIME_TOKENIZER_IMPL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>

#include "runtime/files/json_scan.h"
#include "runtime/text/tokenizer.h"

typedef struct TkStr {
  const char *s;
  size_t n;
} TkStr;

// --- text with places (tokenizer_text.c). Byte i came from the raw bytes [tk_from(t, i), tk_to(t, i)), always whole characters. Text that
// nothing has changed yet is a view of the raw text, without a table of places.
typedef struct TkText {
  char *s;                     // of a view: raw text, not owned
  uint32_t *from, *to;         // NULL in a view
  size_t n, cap;
  uint32_t base;               // of a view: where it begins in the raw text
} TkText;
typedef struct TkPiece { size_t begin, end; } TkPiece;      // of a text
typedef struct TkPieces {
  TkPiece *p;
  size_t n, cap;
} TkPieces;

void tk_text_free(TkText *t);
void tk_text_clear(TkText *t);                              // empty, but not without memory
void tk_text_put(TkText *t, const char *s, size_t n, uint32_t from, uint32_t to);   // all n bytes from one place
void tk_text_copy(TkText *t, const TkText *src, size_t begin, size_t end);
TkText tk_text_view(const char *raw, size_t begin, size_t end);
uint32_t tk_from(const TkText *t, size_t i);
uint32_t tk_to(const TkText *t, size_t i);
void tk_piece_put(TkPieces *p, size_t begin, size_t end);
bool tk_is_space(uint32_t cp);                              // Unicode White_Space
bool tk_is_number(uint32_t cp);                             // category N
bool tk_is_word(uint32_t cp);                               // letter, mark, number, connector, joiner

// --- patterns (tokenizer_regex.c): a literal or a regular expression in Oniguruma's syntax
typedef struct TkPattern {
  char *literal;
  size_t n;
  pcre2_code *re;
  void *held;                  // it, by the call (rt_object)
  bool jit;
} TkPattern;
// State of one encode call.
typedef struct TkCall {
  int64_t joined;              // raw offset at which the text goes on from something, so that no prefix belongs there; -1 = none
  bool failed;                 // e is filled
  pcre2_match_data *match;
  const char *path;
  RtError *e;
} TkCall;
// A cursor over the matches in one text.
typedef struct TkFind {
  const char *s;
  size_t n, at;
  size_t last_end;             // SIZE_MAX before the first match
  bool open;                   // more text may follow: the search ends where a match would look beyond the end
  size_t stop;                 // with open, after the last match: nothing before it can begin another match, whatever follows
} TkFind;

bool tk_pattern_read(TkPattern *p, const char *what, const json_t *v, RtError *e);  // {"String": …} or {"Regex": …}
bool tk_pattern_matches_empty(const TkPattern *p);   // could it match no character?
void tk_pattern_free(TkPattern *p);
// Next match [*b, *e); false when there are no more, or on failure (call->failed).
bool tk_pattern_find(const TkPattern *p, TkCall *call, TkFind *f, size_t *b, size_t *e);

// --- components: parsed from JSON into flat arrays (a Sequence is its members)
typedef struct TkNormalizer TkNormalizer;
struct TkNormalizer {
  // Appends the normalized text to out; false when that would be `in` again, and out is left empty.
  bool (*run)(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call);
  // The length of the beginning of `in` that can be normalized already when more text may follow; NULL: all of it.
  size_t (*final)(const TkNormalizer *z, const TkText *in, TkCall *call);
  TkPattern pattern;
  char *content;
  bool left, right, compat, compose;
};
typedef enum TkBehavior { TK_ISOLATED, TK_REMOVED, TK_CONTIGUOUS, TK_WITH_PREVIOUS, TK_WITH_NEXT } TkBehavior;
typedef enum TkPrepend { TK_PREPEND_NEVER, TK_PREPEND_FIRST, TK_PREPEND_ALWAYS } TkPrepend;
typedef struct TkPart {
  size_t begin, end;
  bool match;
} TkPart;
// What pre-tokenizers work on: pieces of a text. With open the text may go on, and the last piece of `in` and `out` is the one that is still
// growing: every continuation's pieces include all before it, and one that begins with it (it may be empty).
typedef struct TkSplitting {
  const TkText *t;
  TkText buf[2];               // texts that a splitter rewrote, in turn
  TkPieces in, out;
  TkPart *part;                // work area
  size_t part_n, part_cap;
  bool open;
} TkSplitting;
typedef struct TkSplitter TkSplitter;
struct TkSplitter {
  void (*run)(const TkSplitter *s, TkSplitting *w, TkCall *call);   // from w->in to w->out, maybe of another w->t
  TkPattern pattern;
  bool (*is)(uint32_t cp);     // a class of characters instead of the pattern
  TkBehavior behavior;
  bool invert, split, prefix_space;
  bool raw;                    // ByteLevel: pieces stay bytes (Tokenizer.bytes)
  TkPrepend prepend;
  char *content;               // what stands for a space
};
typedef struct TkStrings {     // strings end to end, like pieces, but they may be empty
  char *s;
  size_t len, cap, *end, n, end_cap;
} TkStrings;
typedef struct TkDecoder TkDecoder;
struct TkDecoder {
  // first: in[0] is the beginning of the whole text
  void (*run)(const TkDecoder *d, const TkStrings *in, TkStrings *out, bool first, TkCall *call);
  TkPattern pattern;
  char *content;
  int64_t start, stop;
  TkPrepend prepend;
};

// --- vocabulary and merges (tokenizer_vocab.c)
typedef struct TkPair {
  uint64_t key;                // left id << 32 | right id
  uint32_t rank;               // UINT32_MAX marks an empty slot
  int32_t id;                  // of the merged token
} TkPair;
enum { TK_FAST_CHARS = 0x800 };
typedef struct TkVocab {
  char *bytes;                 // all token texts
  TkStr *token;                // by id; s is NULL where an id has no token
  int64_t n;                   // one past the largest id
  uint64_t *slot;              // hash table: upper half of the hash, id + 1
  size_t mask;
  TkPair *pair;
  size_t pair_mask;
  int32_t fast[TK_FAST_CHARS]; // id of the one-character token, -1
  int32_t byte[256];           // id of <0xNN>, -1
  int32_t shown[256];          // id of the byte-level character of a byte, -1
} TkVocab;

bool tk_vocab_read(TkVocab *v, const char *what, JsonStr vocab, RtError *e);
bool tk_merges_read(TkVocab *v, const char *what, JsonStr merges, RtError *e);
int32_t tk_vocab_find(const TkVocab *v, const char *s, size_t n);
const TkPair *tk_vocab_pair(const TkVocab *v, int32_t left, int32_t right);         // NULL when they do not merge
void tk_vocab_free(TkVocab *v);

// --- added tokens (tokenizer_added.c)
typedef struct TkAdded {
  char *content, *shown;       // shown: the normalized kind, normalized; else NULL
  size_t n;
  int32_t id;
  bool special, single_word, lstrip, rstrip, normalized;
} TkAdded;
typedef struct TkTrie {        // leftmost-longest search; a node's children are a list by byte
  struct TkTrieNode {
    uint8_t byte;
    int32_t child, sibling, added;                          // indices, 0 / -1 = none
  } *node;
  int32_t n, cap, first[256];
  bool lstrip, single_word;    // some token takes the spaces before it, or is none within a word
} TkTrie;
typedef struct TkCut {         // a part of a text: an added token, or what lies between (added < 0)
  size_t begin, end;
  int32_t added;
} TkCut;

void tk_trie_add(TkTrie *t, const char *s, size_t n, int32_t index, const TkAdded *a);
void tk_trie_free(TkTrie *t);
typedef struct TkCuts {
  TkCut *c;
  size_t n, cap;
} TkCuts;
// Cuts s[begin, n) into parts that cover it; what stands before begin is looked at, not cut. With open more text may follow: the parts
// cover only what is final, up to the returned place, and the last one, if no added token, may go on there. Returns n otherwise.
bool tk_word_ends(const char *s, size_t at);                // whether the character before `at`, if any, is none of a word
size_t tk_cut(const TkTrie *t, const TkAdded *added, const char *s, size_t begin, size_t n, bool open, TkCuts *cuts);

// Fails naming line and byte (from 1) of the byte at offset `at`.
bool tk_not_utf8(const char *text, size_t at, RtError *e);

struct Tokenizer {
  char *path;
  TkVocab vocab;
  int64_t n;                   // one past the largest id, added tokens included
  int32_t unk;
  bool byte_fallback, fuse_unk, ignore_merges;
  bool bytes;                  // byte-level, and every byte has a token: pieces are bytes, turned to ids without their characters
  TkAdded *added;
  int nadded;
  TkTrie raw, normalized;
  TkStr *text;                 // by id, added tokens first
  bool *special;               // by id
  TkNormalizer *norm;
  int nnorm;
  TkSplitter *split;
  int nsplit;
  TkDecoder *dec;
  int ndec;
  bool has_decoder;            // without one, tokens are joined by spaces
  bool byte_level, fallback;   // the decoder collects bytes of a character over several tokens
  int32_t *prefix, *suffix;
  int nprefix, nsuffix;
  struct TkPool *pool;         // work areas of encode calls, kept between calls
};

// Parse a component, appending its parts. `what` names the file.
bool tk_normalizer_read(Tokenizer *t, const json_t *v, RtError *e);
void tk_normalizer_free(TkNormalizer *z);
// Of the settled prefix: whether a text can be normalized from any tk_normalizer_boundary on as if it began there.
bool tk_normalizer_resumes(const TkNormalizer *z);
bool tk_normalizer_boundary(const TkNormalizer *z, const char *s, size_t n);        // before s[0]; false when n is 0 and it depends
// The normalized text: `in` itself, or one of the buffers. With open (more text may follow) only the part that is final.
const TkText *tk_normalize(const Tokenizer *t, const TkText *in, TkText buf[2], bool open, TkCall *call);
bool tk_splitter_read(Tokenizer *t, const json_t *v, RtError *e);
void tk_splitter_free(TkSplitter *s);
void tk_splitters_finish(Tokenizer *t);                     // when all are read, and the vocabulary
void tk_split(const Tokenizer *t, TkSplitting *w, const TkText *text, size_t begin, size_t end, TkCall *call);   // leaves pieces in w->in, of w->t
bool tk_decoder_read(Tokenizer *t, const json_t *v, RtError *e);
void tk_decoder_free(TkDecoder *d);
// Decodes; first = false when the text continues one that is not empty.
char *tk_decode(const Tokenizer *t, const int32_t *ids, int64_t n, bool first, size_t *len);
// Whether the id's token is one byte of a byte-fallback run (<0xNN>).
bool tk_is_byte_token(TkStr s, uint8_t *byte);

// The byte-level table that shows each byte as a character (tokenizer_text.c).
uint32_t tk_byte_char(uint8_t byte);
int tk_char_byte(uint32_t cp);                              // -1 when cp stands for none

// BPE of one piece (tokenizer_bpe.c): ids, and how many bytes of the piece each covers. The work area is reused between pieces.
typedef struct TkBpe {
  struct TkSymbol {
    int32_t id, prev, next;
    uint32_t begin, len;       // bytes of the piece
  } *sym;
  size_t n, cap;
  uint32_t at;                 // bytes of the piece taken so far
  struct TkMerge {
    uint64_t key;              // rank << 32 | position
    int32_t id;
  } *heap;
  size_t heap_n, heap_cap;
} TkBpe;
// Leaves the result in w->sym: index 0, then next until -1 (w->n = 0 when nothing came out).
void tk_bpe(const Tokenizer *t, TkBpe *w, const char *s, size_t n);
void tk_bpe_free(TkBpe *w);

// Pieces seen before and their tokens (tokenizer_cache.c).
typedef struct TkToken {
  int32_t id;
  uint32_t begin, end;         // bytes of the piece
} TkToken;
typedef struct TkCache {
  struct TkWord {
    uint64_t hash;             // 0 = empty
    uint32_t at, tokens_at;    // of the arenas
    uint16_t len, ntokens;
  } *word;
  size_t mask, used;
  char *bytes;
  TkToken *token;
  size_t bytes_n, token_n;
} TkCache;
enum { TK_CACHE_PIECE = 48 };  // longer pieces are not kept
uint64_t tk_hash(const char *s, size_t n);
// The tokens of the piece when it was seen before; NULL otherwise.
const TkToken *tk_cache_find(const TkCache *c, uint64_t hash, const char *s, size_t n, size_t *ntokens);
void tk_cache_add(TkCache *c, uint64_t hash, const char *s, size_t n, const TkBpe *w);
void tk_cache_free(TkCache *c);

// One encode call's work area; a tokenizer keeps those that are free (tokenizer.c).
typedef struct TkWork {
  struct TkWork *next;
  TkCall call;
  TkBpe bpe;
  TkText norm[2];
  TkSplitting split;
  TkCache cache;
  TkCuts raw, normalized;
  int32_t *ids;                // the result
  TokSpan *spans;
  int64_t n, cap;
} TkWork;
TkWork *tk_work_take(const Tokenizer *t, bool continuation, RtError *e);
void tk_work_give(const Tokenizer *t, TkWork *w);
struct TkPool *tk_pool_new(void);
void tk_pool_free(struct TkPool *p);
void tk_emit(TkWork *w, int32_t id, int64_t begin, int64_t end);
// The tokens of piece p of w->split.t.
void tk_encode_piece(const Tokenizer *t, TkWork *w, TkPiece p);
#endif
