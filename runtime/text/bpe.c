// See bpe.h.
#include "runtime/text/bpe.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/bpe_cuts.h"
#include "runtime/text/bpe_tables.h"
#include "runtime/text/chars.h"

// A work area: symbols in a linked list, and a heap of the merges to do.
typedef struct Symbol {
  int32_t id, prev, next;
  uint32_t begin, len;         // bytes of the piece
} Symbol;
typedef struct Merge {
  uint64_t key;                // rank << 32 | position
  int32_t id;
} Merge;
typedef struct Work {
  Symbol *sym;
  size_t n, cap;
  uint32_t at;                 // bytes of the piece taken so far
  int32_t next;                // the symbol to be handed out
  Merge *heap;
  size_t heap_n, heap_cap;
} Work;

// Symbols lie end to end. (Where a fused unknown is only put after byte tokens that follow it, Hugging Face's spans are these too.)
static void add_symbol(Work *w, int32_t id, size_t len) {
  if (w->n == w->cap) {
    w->cap = w->cap ? w->cap * 2 : 64;
    w->sym = rt_realloc(w->sym, w->cap, sizeof *w->sym);
  }
  int32_t at = (int32_t)w->n++;
  w->sym[at] = (Symbol){.id = id, .prev = at - 1, .next = at + 1, .begin = w->at, .len = (uint32_t)len};
  w->at += (uint32_t)len;
}

// A character that is no token, as bytes: false when one of its bytes has no token either.
static bool add_bytes(const TkBpe *t, Work *w, const char *s, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (t->byte[(uint8_t)s[i]] < 0) return false;
  for (size_t i = 0; i < len; i++) add_symbol(w, t->byte[(uint8_t)s[i]], 1);
  return true;
}

// The piece as one token, when it is one and merges are not asked for.
static int32_t whole_piece(const TkBpe *t, const char *s, size_t n) {
  if (!t->ignore_merges) return -1;
  if (!t->bytes) return tk_vocab_find(t->vocab, s, n);
  char few[512] = "", *shown = n <= sizeof few / 2 ? few : rt_alloc(n, 2);
  size_t k = 0;
  for (size_t i = 0; i < n; i++) k += rt_utf8_put(shown + k, tk_byte_char((uint8_t)s[i]));
  int32_t id = tk_vocab_find(t->vocab, shown, k);
  if (shown != few) rt_free(shown);
  return id;
}

static void start_bytes(const TkBpe *t, Work *w, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) add_symbol(w, t->shown[(uint8_t)s[i]], 1);
  w->sym[w->n - 1].next = -1;
}

// The id of a piece's character, as the vocabulary writes it where it stands.
static int32_t char_id(const TkBpe *t, const char *s, size_t k, bool first, bool last) {
  char text[2 * TK_AFFIX + 4];
  size_t n = 0;
  if (!t->prefix.n && !t->suffix.n) return tk_vocab_find(t->vocab, s, k);
  if (!first) memcpy(text, t->prefix.s, n = t->prefix.n);
  memcpy(text + n, s, k), n += k;
  if (last) memcpy(text + n, t->suffix.s, t->suffix.n), n += t->suffix.n;
  return tk_vocab_find(t->vocab, text, n);
}

static void start_symbols(const TkBpe *t, Work *w, const char *s, size_t n) {
  size_t unk_len = 0, k;
  bool plain = !t->prefix.n && !t->suffix.n;
  for (size_t i = 0; i < n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(s + i, &cp);
    int32_t id = plain && cp < TK_FAST_CHARS ? t->fast[cp] : char_id(t, s + i, k, i == 0, i + k == n);
    if (id < 0 && t->byte_fallback && add_bytes(t, w, s + i, k)) continue;
    // Nothing stands for it: left out, and as in Hugging Face's spans the tokens behind it in the piece move up to its place.
    if (id < 0 && t->unk < 0) continue;
    if (unk_len && (id >= 0 || !t->fuse_unk)) {
      add_symbol(w, t->unk, unk_len);
      unk_len = 0;
    }
    if (id >= 0) {
      add_symbol(w, id, k);
    } else {
      unk_len += k;
    }
  }
  if (unk_len) add_symbol(w, t->unk, unk_len);
  if (w->n) w->sym[w->n - 1].next = -1;
}

static void heap_push(Work *w, Merge m) {
  if (w->heap_n == w->heap_cap) {
    w->heap_cap = w->heap_cap ? w->heap_cap * 2 : 64;
    w->heap = rt_realloc(w->heap, w->heap_cap, sizeof *w->heap);
  }
  size_t i = w->heap_n++;
  for (; i && w->heap[(i - 1) / 2].key > m.key; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
  w->heap[i] = m;
}

static Merge heap_pop(Work *w) {
  Merge top = w->heap[0], m = w->heap[--w->heap_n];
  size_t i = 0, c;
  while ((c = 2 * i + 1) < w->heap_n) {
    if (c + 1 < w->heap_n && w->heap[c + 1].key < w->heap[c].key) c++;
    if (w->heap[c].key >= m.key) break;
    w->heap[i] = w->heap[c];
    i = c;
  }
  w->heap[i] = m;
  return top;
}

static void offer(const TkBpe *t, Work *w, int32_t left) {
  if (left < 0 || w->sym[left].next < 0) return;
  const TkPair *p = tk_merge_find(&t->merges, w->sym[left].id, w->sym[w->sym[left].next].id);
  if (p) heap_push(w, (Merge){(uint64_t)p->rank << 32 | (uint32_t)left, p->id});
}

static void merge(const TkBpe *t, Work *w) {
  w->heap_n = 0;
  for (size_t i = 0; i + 1 < w->n; i++) offer(t, w, (int32_t)i);
  while (w->heap_n) {
    Merge m = heap_pop(w);
    Symbol *a = &w->sym[(uint32_t)m.key];
    if (a->len == 0 || a->next < 0) continue;               // gone, or its neighbour went
    Symbol *b = &w->sym[a->next];
    const TkPair *p = tk_merge_find(&t->merges, a->id, b->id);
    if (!p || p->id != m.id) continue;                      // an entry from before one side was merged
    a->id = m.id;
    a->len += b->len;
    a->next = b->next;
    b->len = 0;
    if (a->next >= 0) w->sym[a->next].prev = (int32_t)(a - w->sym);
    offer(t, w, a->prev);
    offer(t, w, (int32_t)(a - w->sym));
  }
}

static void encode(const void *own, void *work, const char *s, size_t n) {
  const TkBpe *t = own;
  Work *w = work;
  w->n = 0;
  w->at = 0;
  int32_t whole = whole_piece(t, s, n);
  if (whole >= 0) {
    add_symbol(w, whole, n);
    w->sym[0].next = -1;
  } else {
    if (t->bytes) start_bytes(t, w, s, n);
    else start_symbols(t, w, s, n);
    if (w->n > 1) merge(t, w);
  }
  w->next = w->n ? 0 : -1;
}

static size_t take(void *work, TkToken *to, size_t most) {
  Work *w = work;
  size_t n = 0;
  int32_t k = w->next;
  for (; k >= 0 && n < most; k = w->sym[k].next) to[n++] = (TkToken){w->sym[k].id, w->sym[k].begin, w->sym[k].begin + w->sym[k].len};
  w->next = k;
  return n;
}

static void work_free(void *work) {
  Work *w = work;
  rt_free(w->sym);
  rt_free(w->heap);
}

static int64_t most(const void *own, const char *s, size_t n) {
  const TkBpe *t = own;
  return t->bytes || (t->byte_fallback && tk_vocab_find(t->vocab, s, n) < 0) ? (int64_t)n : 1;
}

const TkModelKind tk_bpe = {
  .type = "BPE",
  .size = sizeof(TkBpe), .read = tk_bpe_read, .free = tk_bpe_free, .save = tk_bpe_save, .map = tk_bpe_map,
  .encode = encode, .take = take, .work_size = sizeof(Work), .work_free = work_free,
  .take_bytes = tk_bpe_take_bytes,
  .cuts = tk_bpe_cuts, .last_cut = tk_bpe_last_cut, .cuts_free = tk_bpe_cuts_free, .most = most,
};
