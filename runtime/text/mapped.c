// A tokenizer into an image and out of it. What a table says is used where it lies, so all of it is looked at when it is opened: places within the texts, ids within the
// vocabulary, tries that end, hash tables with room. That walk is most of what opening takes: some 10 ms for half a million merges.
#include "runtime/text/image.h"

#include <string.h>

#include "runtime/files/files.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/tokenizer.h"

typedef struct About {
  uint64_t vocab_seed;
  int32_t raw_first[256], normalized_first[256];
  uint8_t raw_lstrip, raw_word, normalized_lstrip, normalized_word;
  char model[28];
} About;
typedef struct AddedRow {      // texts end with a zero that n does not count
  uint32_t at, n, shown_at, nshown;
  int32_t id;
  uint8_t special, single_word, lstrip, rstrip, normalized, shown, zero[2];
} AddedRow;
_Static_assert(sizeof(TkEntry) == 12 && sizeof(struct TkTrieNode) == 16 && sizeof(AddedRow) == 28, "tables lie in images as they are");

static void put_added(TkImageOut *o, const Tokenizer *t) {
  AddedRow *row = rt_alloc((size_t)t->nadded, sizeof *row);
  char *texts = NULL;
  size_t n = 0;
  for (int i = 0; i < t->nadded; i++) {
    const TkAdded *a = &t->added[i];
    texts = rt_realloc(texts, n + a->n + a->nshown + 2, 1);
    row[i] = (AddedRow){.at = (uint32_t)n, .n = (uint32_t)a->n, .id = a->id, .special = a->special, .single_word = a->single_word, .lstrip = a->lstrip,
                        .rstrip = a->rstrip, .normalized = a->normalized, .shown = a->shown != NULL};
    memcpy(texts + n, a->content, a->n + 1), n += a->n + 1;
    row[i].shown_at = (uint32_t)n, row[i].nshown = (uint32_t)a->nshown;
    if (a->shown) memcpy(texts + n, a->shown, a->nshown + 1), n += a->nshown + 1;
  }
  tk_image_put(o, TK_TABLE_ADDED, row, (size_t)t->nadded, sizeof *row);
  tk_image_put(o, TK_TABLE_ADDED_TEXTS, texts, n, 1);
  rt_free(row), rt_free(texts);
}

void *tokenizer_image(const Tokenizer *t, size_t *n) {
  TkImageOut o = tk_image_begin();
  About about = {.vocab_seed = t->vocab.seed, .raw_lstrip = t->raw.lstrip, .raw_word = t->raw.single_word, .normalized_lstrip = t->normalized.lstrip,
                 .normalized_word = t->normalized.single_word};
  memcpy(about.raw_first, t->raw.first, sizeof about.raw_first);
  memcpy(about.normalized_first, t->normalized.first, sizeof about.normalized_first);
  memcpy(about.model, t->model.kind->type, strnlen(t->model.kind->type, sizeof about.model - 1));
  char *parts = json_dumps(t->parts, JSON_COMPACT | JSON_REAL_PRECISION(17));
  if (!parts) rt_no_memory(0);
  tk_image_put(&o, TK_TABLE_ABOUT, &about, 1, sizeof about);
  tk_image_put(&o, TK_TABLE_PARTS, parts, strlen(parts), 1);
  rt_free(parts);
  tk_image_put(&o, TK_TABLE_BYTES, t->vocab.bytes, t->vocab.nbytes, 1);
  tk_image_put(&o, TK_TABLE_VOCAB, t->vocab.token, (size_t)t->vocab.n, sizeof *t->vocab.token);
  tk_image_put(&o, TK_TABLE_SLOTS, t->vocab.slot, t->vocab.mask + 1, sizeof *t->vocab.slot);
  tk_image_put(&o, TK_TABLE_TEXTS, t->texts.token, (size_t)t->texts.n, sizeof *t->texts.token);
  put_added(&o, t);
  tk_image_put(&o, TK_TABLE_RAW, t->raw.node, (size_t)t->raw.n, sizeof *t->raw.node);
  tk_image_put(&o, TK_TABLE_NORMALIZED, t->normalized.node, (size_t)t->normalized.n, sizeof *t->normalized.node);
  t->model.kind->save(t->model.own, &o);
  *n = o.n;
  return o.s;
}

// ---- looked at

// Texts within the bytes, ids ascending.
static const TkEntry *get_entries(const TkImage *m, TkTable which, size_t nbytes, size_t *n, RtError *e) {
  const TkEntry *x = tk_image_get(m, which, sizeof *x, n, e);
  bool ok = x && *n <= RTJ_MAX_ID;
  for (size_t i = 0; ok && i < *n; i++)
    ok = x[i].at <= nbytes && x[i].n <= nbytes - x[i].at && x[i].id <= RTJ_MAX_ID && (!i || x[i - 1].id < x[i].id);
  return ok ? x : x ? (tk_image_bad(m, "tokens", e), NULL) : NULL;
}

static bool map_vocab(TkVocab *v, TkTexts *texts, const About *about, const TkImage *m, RtError *e) {
  size_t n, slots, ntexts, run = 0, used = 0;
  const char *bytes = tk_image_get(m, TK_TABLE_BYTES, 1, &v->nbytes, e);
  const TkEntry *token = bytes ? get_entries(m, TK_TABLE_VOCAB, v->nbytes, &n, e) : NULL;
  const TkEntry *all = token ? get_entries(m, TK_TABLE_TEXTS, v->nbytes, &ntexts, e) : NULL;
  const uint64_t *slot = all ? tk_image_get(m, TK_TABLE_SLOTS, sizeof *slot, &slots, e) : NULL;
  if (!slot) return false;
  if (!slots || slots & (slots - 1)) return tk_image_bad(m, "the vocabulary's index", e);
  for (size_t i = 0; i < slots; i++) {
    if ((uint32_t)slot[i] > n || (slot[i] && !(uint32_t)slot[i])) return tk_image_bad(m, "the vocabulary's index", e);
    used += slot[i] != 0;
    if (!tk_image_run(m, slot[i] != 0, &run, "the vocabulary's index", e)) return false;
  }
  if (used > slots / 2) return tk_image_bad(m, "the vocabulary's index", e);
  *v = (TkVocab){.bytes = (char *)(uintptr_t)bytes, .nbytes = v->nbytes, .token = (TkEntry *)(uintptr_t)token, .n = (int64_t)n,
                 .slot = (uint64_t *)(uintptr_t)slot, .mask = slots - 1, .seed = about->vocab_seed, .mapped = true};
  *texts = (TkTexts){.bytes = bytes, .token = (TkEntry *)(uintptr_t)all, .n = (int64_t)ntexts, .ids = ntexts ? (int64_t)all[ntexts - 1].id + 1 : 0};
  return true;
}

// A text with its zero.
static char *get_text(const char *texts, size_t all, uint32_t at, uint32_t n) {
  return at < all && n < all - at && !texts[at + n] && strlen(texts + at) == n ? (char *)(uintptr_t)(texts + at) : NULL;
}

static bool map_added(Tokenizer *t, const TkImage *m, RtError *e) {
  size_t n, all;
  const AddedRow *row = tk_image_get(m, TK_TABLE_ADDED, sizeof *row, &n, e);
  const char *texts = row ? tk_image_get(m, TK_TABLE_ADDED_TEXTS, 1, &all, e) : NULL;
  if (!texts) return false;
  if (n > INT32_MAX / sizeof *t->added) return tk_image_bad(m, "added tokens", e);
  t->added = rt_alloc(n, sizeof *t->added);
  t->nadded = (int)n;
  for (size_t i = 0; i < n; i++) {
    const AddedRow *r = &row[i];
    char *content = get_text(texts, all, r->at, r->n), *shown = r->shown ? get_text(texts, all, r->shown_at, r->nshown) : NULL;
    if (!content || !r->n || (r->shown && !shown) || r->id < 0 || r->id > RTJ_MAX_ID) return tk_image_bad(m, "added tokens", e);
    t->added[i] = (TkAdded){.content = content, .shown = shown, .n = r->n, .nshown = shown ? r->nshown : 0, .id = r->id, .special = r->special & 1,
                            .single_word = r->single_word & 1, .lstrip = r->lstrip & 1, .rstrip = r->rstrip & 1, .normalized = r->normalized & 1};
  }
  return true;
}

// A child stands behind its parent and a sibling before: every walk ends.
static bool map_trie(TkTrie *t, int nadded, const int32_t first[256], const TkImage *m, TkTable which, RtError *e) {
  size_t n;
  const struct TkTrieNode *x = tk_image_get(m, which, sizeof *x, &n, e);
  if (!x) return false;
  bool ok = n <= INT32_MAX;
  for (size_t i = 1; ok && i < n; i++) {
    int32_t me = (int32_t)i;
    ok = (!x[i].child || (x[i].child > me && x[i].child < (int32_t)n)) && x[i].sibling >= 0 && x[i].sibling < me && x[i].added >= -1 && x[i].added < nadded;
  }
  for (int i = 0; ok && i < 256; i++) ok = first[i] >= 0 && (first[i] < (int32_t)n || !first[i]);
  if (!ok) return tk_image_bad(m, "the search for added tokens", e);
  t->node = (struct TkTrieNode *)(uintptr_t)x, t->n = t->cap = (int32_t)n, t->mapped = true;
  memcpy(t->first, first, sizeof t->first);
  return true;
}

static bool map_all(Tokenizer *t, const TkImage *m, RtError *e) {
  size_t n;
  const About *about = tk_image_get(m, TK_TABLE_ABOUT, sizeof *about, &n, e);
  if (!about) return false;
  if (n != 1 || about->model[sizeof about->model - 1]) return tk_image_bad(m, "its head", e);
  if (!map_vocab(&t->vocab, &t->texts, about, m, e)) return false;
  const TkModelKind *kind = tk_model_kind(about->model, m->what, e);
  if (!kind) return false;
  t->model = (TkModel){kind, rt_alloc(1, kind->size)};
  if (!kind->map(t->model.own, &t->vocab, m, e)) return false;
  const char *text = tk_image_get(m, TK_TABLE_PARTS, 1, &n, e);
  json_t *parts = text ? rtj_text(m->what, text, n, e) : NULL;
  bool ok = parts && (json_is_object(parts) || tk_image_bad(m, "its components", e)) && tk_pipeline_read(t, parts, e);
  json_decref(parts);
  if (!ok || !map_added(t, m, e)) return false;
  t->raw.lstrip = about->raw_lstrip & 1, t->raw.single_word = about->raw_word & 1;
  t->normalized.lstrip = about->normalized_lstrip & 1, t->normalized.single_word = about->normalized_word & 1;
  return map_trie(&t->raw, t->nadded, about->raw_first, m, TK_TABLE_RAW, e) &&
         map_trie(&t->normalized, t->nadded, about->normalized_first, m, TK_TABLE_NORMALIZED, e);
}

Tokenizer *tokenizer_mapped(const void *image, size_t n, const char *path, const char *what, RtError *e) {
  TkImage m = {image, n, what};
  if (!tk_image_open(&m, e)) return NULL;
  Tokenizer *t = rt_alloc(1, sizeof *t);
  t->path = rt_strdup(path);
  t->mapped = true;
  if (map_all(t, &m, e)) return t;
  tokenizer_free(t);
  return NULL;
}
