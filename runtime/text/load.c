// Reading a tokenizer.json. The vocabulary and the merges, which are nearly all of it, are read straight from the text; the rest
// goes through jansson with those two cut out.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/two_files.h"

static bool is(JsonStr s, const char *name) { return s.n == strlen(name) && memcmp(s.s, name, s.n) == 0; }

// Where "vocab" and "merges" stand in the text of the model object the cursor is at.
static bool find_in_model(JsonScan *s, JsonStr *vocab, JsonStr *merges) {
  bool first = true;
  JsonStr key;
  int k;
  if (!jscan_expect(s, '{')) return false;
  while ((k = jscan_member(s, &first, &key)) > 0) {
    JsonStr *slot = is(key, "vocab") ? vocab : is(key, "merges") ? merges : NULL;
    char c = jscan_peek(s);
    const char *begin = s->p;
    if (!jscan_skip(s)) return false;
    if (slot && (c == '{' || c == '[')) *slot = (JsonStr){begin, (size_t)(s->p - begin)};
  }
  return k == 0;
}

static bool find_large(const char *path, JsonStr file, JsonStr *vocab, JsonStr *merges, RtError *e) {
  JsonScan s;
  bool first = true, ok;
  JsonStr key;
  int k = 0;
  jscan_init(&s, path, file.s, file.n, e);
  ok = jscan_expect(&s, '{');
  while (ok && (k = jscan_member(&s, &first, &key)) > 0)
    ok = is(key, "model") && jscan_peek(&s) == '{' ? find_in_model(&s, vocab, merges) : jscan_skip(&s);
  jscan_free(&s);
  return ok && k == 0;
}

// Parses the file with the two large parts replaced by null.
static json_t *parse_rest(const char *path, JsonStr file, JsonStr vocab, JsonStr merges, RtError *e) {
  JsonStr cut[2] = {vocab, merges};
  if (cut[0].s > cut[1].s) cut[0] = merges, cut[1] = vocab;
  const char *from = file.s, *end = from + file.n;
  char *text = rt_alloc(file.n + 16, 1), *to = text;
  for (int i = 0; i < 2; i++) {
    if (!cut[i].s) continue;
    memcpy(to, from, (size_t)(cut[i].s - from));
    to += cut[i].s - from;
    memcpy(to, "null", 4);
    to += 4;
    from = cut[i].s + cut[i].n;
  }
  memcpy(to, from, (size_t)(end - from));
  to += end - from;
  json_t *v = rtj_text(path, text, (size_t)(to - text), e);
  rt_free(text);
  return v;
}

static bool read_model(Tokenizer *t, const json_t *model, JsonStr vocab, JsonStr merges, RtError *e) {
  const char *type = NULL;
  if (!json_is_object(model)) return rt_fail(e, "%s: \"model\": expected an object, found %s", t->path, rtj_kind(model));
  if (!rtj_get_string(t->path, model, "type", &type, e)) return false;
  const TkModelKind *kind = tk_model_kind(type, t->path, e);
  if (!kind) return false;
  t->model = (TkModel){kind, rt_alloc(1, kind->size)};
  return kind->read(t->model.own, &t->vocab, &(TkModelSource){t->path, model, vocab, merges}, e);
}

static bool read_added(Tokenizer *t, const json_t *v, RtError *e) {
  const char *content = NULL;
  int64_t id = -1;
  TkAdded a = {.normalized = true};
  if (!json_is_object(v)) return rt_fail(e, "%s: \"added_tokens\": expected objects, found %s", t->path, rtj_kind(v));
  if (!rtj_get_string(t->path, v, "content", &content, e) || !rtj_get_int_in(t->path, v, "id", 0, RTJ_MAX_ID, &id, e) ||
      !rtj_get_bool(t->path, v, "special", &a.special, e) || !rtj_get_bool(t->path, v, "single_word", &a.single_word, e) ||
      !rtj_get_bool(t->path, v, "lstrip", &a.lstrip, e) || !rtj_get_bool(t->path, v, "rstrip", &a.rstrip, e) ||
      !rtj_get_bool(t->path, v, "normalized", &a.normalized, e))
    return false;
  if (!content || id < 0) return rt_fail(e, "%s: \"added_tokens\": a token without its content or id", t->path);
  if (!*content) return true;
  int32_t known = tk_vocab_find(&t->vocab, content, strlen(content));
  a.content = rt_strdup(content);
  a.n = strlen(content);
  a.id = known >= 0 ? known : (int32_t)id;       // a token that the vocabulary has keeps its place there
  t->added[t->nadded++] = a;
  return true;
}

static bool read_all_added(Tokenizer *t, const json_t *list, RtError *e) {
  size_t i;
  json_t *v;
  t->added = rt_alloc(json_array_size(list), sizeof *t->added);
  json_array_foreach(list, i, v) if (!read_added(t, v, e)) return false;
  return true;
}

// Puts the added tokens into the two tries. The normalized kind is searched in normalized text, so it goes through the normalizers itself, and
// is shown so when decoded. All of them together are one text, as far as a budget goes.
static bool index_added(Tokenizer *t, RtError *e) {
  size_t bytes = 0, room;
  for (int i = 0; i < t->nadded; i++) bytes += t->added[i].n;
  TkCall call = {.path = t->path, .e = e, .joined = -1, .left = tk_budget(bytes)};
  TkText buf[2] = {0};
  room = call.left.room;
  for (int i = 0; i < t->nadded && !call.failed; i++) {
    TkAdded *a = &t->added[i];
    if (!a->normalized) {
      tk_trie_add(&t->raw, a->content, a->n, i, a);
      continue;
    }
    TkText view = tk_text_view(a->content, 0, a->n);
    const TkText *text = tk_normalize(&t->norm, &view, buf, false, &call);
    if (call.failed || !tk_call_holds(&call, text->n)) break;
    room -= text->n;
    if (text->n) tk_trie_add(&t->normalized, text->s, text->n, i, a);
    a->shown = rt_strndup(text->n ? text->s : "", text->n);
    a->nshown = strlen(a->shown);
    call.left.room = room;
  }
  tk_text_free(&buf[0]);
  tk_text_free(&buf[1]);
  tk_call_end(&call);
  return !call.failed || rt_fail(e, "%s: \"added_tokens\": normalizing them takes too many steps, or too much memory", t->path);
}

typedef struct AddedId {
  int32_t id;
  int of;                      // which added token has it
} AddedId;

static int by_id(const void *a, const void *b) {
  const AddedId *x = a, *y = b;
  return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->of > y->of) - (x->of < y->of);
}

// All tokens by id: the vocabulary's, and over them the added ones, of two with one id the later.
static bool list_tokens(Tokenizer *t, RtError *e) {
  TkTexts *x = &t->texts;
  AddedId *added = rt_alloc((size_t)t->nadded, sizeof *added);
  int64_t n = t->vocab.n, last = -1;           // where the last one lies that is behind the vocabulary's
  for (int i = 0; i < t->nadded; i++) added[i] = (AddedId){t->added[i].id, i};
  if (t->nadded) qsort(added, (size_t)t->nadded, sizeof *added, by_id);
  x->token = rt_alloc((size_t)(n + t->nadded), sizeof *x->token);
  if (n) memcpy(x->token, t->vocab.token, (size_t)n * sizeof *x->token);
  x->n = n;
  bool ok = true;
  for (int i = 0; ok && i < t->nadded; i++) {
    const TkAdded *a = &t->added[added[i].of];
    int64_t at = tk_entry_of(x->token, n, a->id);
    if (at < 0 && last >= 0 && x->token[last].id == (uint32_t)a->id) at = last;
    if (at < 0) at = last = x->n++;
    bool special = x->token[at].special || a->special;
    TkStr text = a->shown ? (TkStr){a->shown, a->nshown} : (TkStr){a->content, a->n};
    uint32_t place = 0;
    ok = tk_vocab_keep(&t->vocab, t->path, text.s, text.n, &place, e);
    x->token[at] = (TkEntry){.at = place, .n = (uint32_t)text.n, .id = (uint32_t)a->id & INT32_MAX, .special = special};
  }
  rt_free(added);
  x->bytes = t->vocab.bytes;
  tk_entries_sort(x->token, x->n);
  x->ids = x->n ? (int64_t)x->token[x->n - 1].id + 1 : 0;
  return ok;
}

static bool read_all(Tokenizer *t, const json_t *root, JsonStr vocab, JsonStr merges, RtError *e) {
  if (!json_is_object(root)) return rt_fail(e, "%s: expected a JSON object, found %s", t->path, rtj_kind(root));
  return read_model(t, json_object_get(root, "model"), vocab, merges, e) && read_all_added(t, json_object_get(root, "added_tokens"), e) &&
         tk_pipeline_read(t, root, e) && index_added(t, e) && list_tokens(t, e);
}

Tokenizer *tokenizer_open(const char *path, RtError *e) {
  TkFile f;
  if (!tk_file_open(&f, path, e)) return NULL;
  Tokenizer *t = rt_alloc(1, sizeof *t);
  t->path = rt_strdup(path);
  JsonStr vocab = {0}, merges = {0};
  json_t *root = NULL;
  bool ok = find_large(path, f.text, &vocab, &merges, e) && (root = parse_rest(path, f.text, vocab, merges, e)) != NULL &&
            read_all(t, root, vocab, merges, e);
  json_decref(root);
  tk_file_close(&f);
  if (ok) return t;
  tokenizer_free(t);
  return NULL;
}
