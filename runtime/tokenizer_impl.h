// Inside the tokenizer: what its files share. The pipeline is Hugging Face's:
//   raw text ─ added tokens cut out ─▶ segments ─ normalizers ─▶ ─ added tokens of the normalized kind ─▶ ─ pre-tokenizers ─▶ pieces ─ BPE ─▶ ids
// Each stage carries, for every byte of its text, which raw bytes it came from.
#ifndef CALM_RUNTIME_TOKENIZER_IMPL_H
#define CALM_RUNTIME_TOKENIZER_IMPL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>

#include "runtime/json_scan.h"
#include "runtime/tokenizer.h"

typedef struct TkStr {
  const char *s;
  size_t n;
} TkStr;

// --- text with places (tokenizer_text.c). Byte i came from the raw bytes [from[i], to[i]), always whole characters.
typedef struct TkText {
  char *s;
  uint32_t *from, *to;
  size_t n, cap;
} TkText;
// Pieces lie end to end in t; piece i is [i ? end[i-1] : 0, end[i]). None is empty.
typedef struct TkPieces {
  TkText t;
  size_t *end, n, cap;
} TkPieces;

void tk_text_free(TkText *t);
void tk_text_put(TkText *t, const char *s, size_t n, uint32_t from, uint32_t to);   // all n bytes from one place
void tk_text_copy(TkText *t, const TkText *src, size_t begin, size_t end);
void tk_text_raw(TkText *t, const char *raw, size_t begin, size_t end);            // appends raw[begin, end) as it is
void tk_pieces_free(TkPieces *p);
void tk_pieces_clear(TkPieces *p);
void tk_pieces_close(TkPieces *p);                          // the text appended since the last piece becomes a piece, unless empty
bool tk_is_space(uint32_t cp);                              // Unicode White_Space
bool tk_is_number(uint32_t cp);                             // category N
bool tk_is_word(uint32_t cp);                               // letter, mark, number, connector, joiner

// --- patterns (tokenizer_regex.c): a literal or a regular expression in Oniguruma's syntax
typedef struct TkPattern {
  char *literal;
  size_t n;
  pcre2_code *re;
} TkPattern;
// State of one encode call.
typedef struct TkCall {
  bool continuation;
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
} TkFind;

bool tk_pattern_read(TkPattern *p, const char *what, const json_t *v, RtError *e);  // {"String": …} or {"Regex": …}
void tk_pattern_free(TkPattern *p);
// Next match [*b, *e); false when there are no more, or on failure (call->failed).
bool tk_pattern_find(const TkPattern *p, TkCall *call, TkFind *f, size_t *b, size_t *e);

// --- components: parsed from JSON into flat arrays (a Sequence is its members)
typedef struct TkNormalizer TkNormalizer;
struct TkNormalizer {
  void (*run)(const TkNormalizer *z, const TkText *in, TkText *out, TkCall *call);
  TkPattern pattern;
  char *content;
  bool left, right, compat, compose;
};
typedef enum TkBehavior { TK_ISOLATED, TK_REMOVED, TK_CONTIGUOUS, TK_WITH_PREVIOUS, TK_WITH_NEXT } TkBehavior;
typedef enum TkPrepend { TK_PREPEND_NEVER, TK_PREPEND_FIRST, TK_PREPEND_ALWAYS } TkPrepend;
typedef struct TkSplitter TkSplitter;
struct TkSplitter {
  void (*run)(const TkSplitter *s, const TkPieces *in, TkPieces *out, TkCall *call);
  TkPattern pattern;
  bool (*is)(uint32_t cp);     // a class of characters instead of the pattern
  TkBehavior behavior;
  bool invert, split, prefix_space;
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
} TkTrie;
typedef struct TkCut {         // a part of a text: an added token, or what lies between (added < 0)
  size_t begin, end;
  int32_t added;
} TkCut;

void tk_trie_add(TkTrie *t, const char *s, size_t n, int32_t added);
void tk_trie_free(TkTrie *t);
// Cuts s[0, n) into parts that cover it; appends to *cuts.
void tk_cut(const TkTrie *t, const TkAdded *added, const char *s, size_t n, TkCut **cuts, size_t *count, size_t *cap);

// Fails naming line and byte (from 1) of the byte at offset `at`.
bool tk_not_utf8(const char *text, size_t at, RtError *e);

struct Tokenizer {
  char *path;
  TkVocab vocab;
  int64_t n;                   // one past the largest id, added tokens included
  int32_t unk;
  bool byte_fallback, fuse_unk, ignore_merges;
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
};

// Parse a component, appending its parts. `what` names the file.
bool tk_normalizer_read(Tokenizer *t, const json_t *v, RtError *e);
void tk_normalizer_free(TkNormalizer *z);
void tk_normalize(const Tokenizer *t, TkText *text, TkCall *call);                  // in place
bool tk_splitter_read(Tokenizer *t, const json_t *v, RtError *e);
void tk_splitter_free(TkSplitter *s);
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
#endif
