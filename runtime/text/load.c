// Reading a tokenizer.json. The vocabulary and the merges, which are nearly all of it, are read straight from the text; the rest
// goes through jansson with those two cut out.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"
#include "runtime/text/impl.h"

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

static bool find_large(const char *path, const FileMap *m, JsonStr *vocab, JsonStr *merges, RtError *e) {
  JsonScan s;
  bool first = true, ok;
  JsonStr key;
  int k = 0;
  jscan_init(&s, path, (const char *)m->data, m->size, e);
  ok = jscan_expect(&s, '{');
  while (ok && (k = jscan_member(&s, &first, &key)) > 0)
    ok = is(key, "model") && jscan_peek(&s) == '{' ? find_in_model(&s, vocab, merges) : jscan_skip(&s);
  jscan_free(&s);
  return ok && k == 0;
}

// Parses the file with the two large parts replaced by null.
static json_t *parse_rest(const char *path, const FileMap *m, JsonStr vocab, JsonStr merges, RtError *e) {
  JsonStr cut[2] = {vocab, merges};
  if (cut[0].s > cut[1].s) cut[0] = merges, cut[1] = vocab;
  const char *from = (const char *)m->data, *end = from + m->size;
  char *text = rt_alloc(m->size + 16, 1), *to = text;
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

static bool refuse_string(Tokenizer *t, const json_t *model, const char *key, RtError *e) {
  const char *s = NULL;
  if (!rtj_get_string(t->path, model, key, &s, e)) return false;
  return !s || !*s || rt_fail(e, "%s: model: \"%s\" is not supported (found \"%.40s\")", t->path, key, s);
}

static bool read_model(Tokenizer *t, const json_t *model, JsonStr vocab, JsonStr merges, RtError *e) {
  const char *type = "BPE", *unk = NULL;
  if (!json_is_object(model)) return rt_fail(e, "%s: \"model\": expected an object, found %s", t->path, rtj_kind(model));
  if (!rtj_get_string(t->path, model, "type", &type, e)) return false;
  if (strcmp(type, "BPE") != 0) return rt_fail(e, "%s: a tokenizer model of type \"%.80s\" is not supported (BPE is)", t->path, type);
  const json_t *dropout = json_object_get(model, "dropout");
  if (json_is_number(dropout) && json_number_value(dropout) != 0) return rt_fail(e, "%s: model: \"dropout\" is not supported", t->path);
  if (!refuse_string(t, model, "continuing_subword_prefix", e) || !refuse_string(t, model, "end_of_word_suffix", e) ||
      !rtj_get_bool(t->path, model, "byte_fallback", &t->byte_fallback, e) || !rtj_get_bool(t->path, model, "fuse_unk", &t->fuse_unk, e) ||
      !rtj_get_bool(t->path, model, "ignore_merges", &t->ignore_merges, e) || !rtj_get_string(t->path, model, "unk_token", &unk, e))
    return false;
  if (!vocab.s || !merges.s) return rt_fail(e, "%s: model: expected \"vocab\" and \"merges\"", t->path);
  if (!tk_vocab_read(&t->vocab, t->path, vocab, e) || !tk_merges_read(&t->vocab, t->path, merges, e)) return false;
  t->unk = unk ? tk_vocab_find(&t->vocab, unk, strlen(unk)) : -1;
  return t->unk >= 0 || !unk || rt_fail(e, "%s: model: the unk_token \"%.80s\" is not in the vocabulary", t->path, unk);
}

static bool read_added(Tokenizer *t, const json_t *v, RtError *e) {
  const char *content = NULL;
  int64_t id = -1;
  TkAdded a = {.normalized = true};
  if (!json_is_object(v)) return rt_fail(e, "%s: \"added_tokens\": expected objects, found %s", t->path, rtj_kind(v));
  if (!rtj_get_string(t->path, v, "content", &content, e) || !rtj_get_int(t->path, v, "id", &id, e) ||
      !rtj_get_bool(t->path, v, "special", &a.special, e) || !rtj_get_bool(t->path, v, "single_word", &a.single_word, e) ||
      !rtj_get_bool(t->path, v, "lstrip", &a.lstrip, e) || !rtj_get_bool(t->path, v, "rstrip", &a.rstrip, e) ||
      !rtj_get_bool(t->path, v, "normalized", &a.normalized, e))
    return false;
  if (!content || id < 0 || id >= 1 << 26) return rt_fail(e, "%s: \"added_tokens\": a token without its content or id", t->path);
  if (!*content) return true;
  int32_t known = tk_vocab_find(&t->vocab, content, strlen(content));
  a.content = rt_strdup(content);
  a.n = strlen(content);
  a.id = known >= 0 ? known : (int32_t)id;       // a token that the vocabulary has keeps its place there
  t->added = rt_realloc(t->added, (size_t)t->nadded + 1, sizeof *t->added);
  t->added[t->nadded++] = a;
  return true;
}

// Puts the added tokens into the two tries and into the tables by id. The normalized kind is searched in normalized text, so it
// goes through the normalizers itself.
static bool index_added(Tokenizer *t, RtError *e) {
  t->n = t->vocab.n;
  for (int i = 0; i < t->nadded; i++)
    if (t->added[i].id >= t->n) t->n = t->added[i].id + 1;
  t->text = rt_alloc((size_t)t->n, sizeof *t->text);
  t->special = rt_alloc((size_t)t->n, 1);
  if (t->vocab.n) memcpy(t->text, t->vocab.token, (size_t)t->vocab.n * sizeof *t->text);
  TkCall call = {.path = t->path, .e = e, .joined = -1};
  TkText buf[2] = {0};
  for (int i = 0; i < t->nadded && !call.failed; i++) {
    TkAdded *a = &t->added[i];
    t->text[a->id] = (TkStr){a->content, a->n};
    t->special[a->id] |= a->special;
    if (!a->normalized) {
      tk_trie_add(&t->raw, a->content, a->n, i, a);
      continue;
    }
    TkText view = tk_text_view(a->content, 0, a->n);
    const TkText *text = tk_normalize(t, &view, buf, false, &call);
    if (text->n) tk_trie_add(&t->normalized, text->s, text->n, i, a);
    a->shown = rt_strndup(text->n ? text->s : "", text->n);  // decoding shows it as it was searched
    t->text[a->id] = (TkStr){a->shown, text->n};
  }
  tk_text_free(&buf[0]);
  tk_text_free(&buf[1]);
  pcre2_match_data_free(call.match);
  return !call.failed;
}

// --- post-processor: only which ids it puts around a single text matters here
static void add_ids(int32_t **list, int *n, const int32_t *ids, int count, bool front) {
  *list = rt_realloc(*list, (size_t)(*n + count), sizeof **list);
  if (front) memmove(*list + count, *list, (size_t)*n * sizeof **list);
  memcpy(*list + (front ? 0 : *n), ids, (size_t)count * sizeof **list);
  *n += count;
}

static bool id_of(const Tokenizer *t, const json_t *v, int32_t *id, RtError *e) {
  if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
    return rt_fail(e, "%s: post-processor: expected token ids", t->path);
  *id = (int32_t)json_integer_value(v);
  return true;
}

static bool read_template(Tokenizer *t, const json_t *v, RtError *e) {
  const json_t *single = json_object_get(v, "single"), *specials = json_object_get(v, "special_tokens");
  int32_t before[64], after[64];
  int nbefore = 0, nafter = 0, texts = 0;
  size_t i, j;
  json_t *part, *item;
  json_array_foreach(single, i, part) {
    const char *name = json_string_value(json_object_get(json_object_get(part, "SpecialToken"), "id"));
    const json_t *text = json_object_get(part, "Sequence");
    if (text) {
      const char *id = json_string_value(json_object_get(text, "id"));
      if (!id || strcmp(id, "A") != 0)
        return rt_fail(e, "%s: TemplateProcessing: \"single\" takes the text \"A\", found \"%.80s\"", t->path, id ? id : "?");
      texts++;
      continue;
    }
    const json_t *ids = name ? json_object_get(json_object_get(specials, name), "ids") : NULL;
    if (!json_is_array(ids)) return rt_fail(e, "%s: TemplateProcessing: the ids of \"%.80s\" are not given", t->path, name ? name : "?");
    json_array_foreach(ids, j, item) {
      if (nbefore == 64 || nafter == 64) return rt_fail(e, "%s: TemplateProcessing: more than 64 special tokens", t->path);
      if (!id_of(t, item, texts ? &after[nafter++] : &before[nbefore++], e)) return false;
    }
  }
  if (texts != 1) return rt_fail(e, "%s: TemplateProcessing: expected the text once in \"single\", found it %d times", t->path, texts);
  add_ids(&t->prefix, &t->nprefix, before, nbefore, true);
  add_ids(&t->suffix, &t->nsuffix, after, nafter, false);
  return true;
}

// BERT's and RoBERTa's: "cls" and "sep" are [text, id].
static bool read_cls_sep(Tokenizer *t, const json_t *v, RtError *e) {
  int32_t cls, sep;
  if (!id_of(t, json_array_get(json_object_get(v, "cls"), 1), &cls, e) || !id_of(t, json_array_get(json_object_get(v, "sep"), 1), &sep, e))
    return false;
  add_ids(&t->prefix, &t->nprefix, &cls, 1, true);
  add_ids(&t->suffix, &t->nsuffix, &sep, 1, false);
  return true;
}

static bool read_post(Tokenizer *t, const json_t *v, RtError *e) {
  if (!v || json_is_null(v)) return true;
  const char *type = json_string_value(json_object_get(v, "type"));
  if (!type) type = "(no type)";
  if (strcmp(type, "TemplateProcessing") == 0) return read_template(t, v, e);
  if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) return read_cls_sep(t, v, e);
  if (strcmp(type, "ByteLevel") == 0) return true;          // trims offsets only
  if (strcmp(type, "Sequence") != 0) return rt_fail(e, "%s: post-processor \"%.80s\" is not supported", t->path, type);
  size_t i;
  json_t *part;
  json_array_foreach(json_object_get(v, "processors"), i, part) if (!read_post(t, part, e)) return false;
  return true;
}

static bool read_all(Tokenizer *t, const json_t *root, JsonStr vocab, JsonStr merges, RtError *e) {
  if (!json_is_object(root)) return rt_fail(e, "%s: expected a JSON object, found %s", t->path, rtj_kind(root));
  if (!read_model(t, json_object_get(root, "model"), vocab, merges, e)) return false;
  size_t i;
  json_t *v;
  json_array_foreach(json_object_get(root, "added_tokens"), i, v) if (!read_added(t, v, e)) return false;
  const json_t *dec = json_object_get(root, "decoder");
  t->has_decoder = dec && !json_is_null(dec);
  t->pool = tk_pool_new();
  if (!tk_normalizer_read(t, json_object_get(root, "normalizer"), e) || !tk_splitter_read(t, json_object_get(root, "pre_tokenizer"), e))
    return false;
  tk_splitters_finish(t);
  return         tk_decoder_read(t, dec, e) && read_post(t, json_object_get(root, "post_processor"), e) && index_added(t, e);
}

Tokenizer *tokenizer_open(const char *path, RtError *e) {
  FileMap m;
  if (!file_map(&m, path, e)) return NULL;
  Tokenizer *t = rt_alloc(1, sizeof *t);
  t->path = rt_strdup(path);
  JsonStr vocab = {0}, merges = {0};
  json_t *root = NULL;
  size_t valid = rt_utf8_valid((const char *)m.data, m.size);
  bool ok = valid == m.size || rt_fail(e, "%s: not UTF-8 at byte %zu", path, valid);
  ok = ok && find_large(path, &m, &vocab, &merges, e) && (root = parse_rest(path, &m, vocab, merges, e)) != NULL &&
       read_all(t, root, vocab, merges, e);
  json_decref(root);
  file_unmap(&m);
  if (ok) return t;
  tokenizer_free(t);
  return NULL;
}

void tokenizer_free(Tokenizer *t) {
  if (!t) return;
  for (int i = 0; i < t->nadded; i++) rt_free(t->added[i].content), rt_free(t->added[i].shown);
  for (int i = 0; i < t->nnorm; i++) tk_normalizer_free(&t->norm[i]);
  for (int i = 0; i < t->nsplit; i++) tk_splitter_free(&t->split[i]);
  for (int i = 0; i < t->ndec; i++) tk_decoder_free(&t->dec[i]);
  tk_vocab_free(&t->vocab);
  tk_pool_free(t->pool);
  tk_trie_free(&t->raw);
  tk_trie_free(&t->normalized);
  rt_free(t->added);
  rt_free(t->norm);
  rt_free(t->split);
  rt_free(t->dec);
  rt_free(t->text);
  rt_free(t->special);
  rt_free(t->prefix);
  rt_free(t->suffix);
  rt_free(t->path);
  rt_free(t);
}
