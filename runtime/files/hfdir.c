// A Hugging Face model directory outside its weights: see hfdir.h.
#include "runtime/files/hfdir.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"
#include "runtime/files/safetensors.h"

static int by_id(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

// The union of what the files named: ascending, each once.
static void sort_eos(HfDir *h) {
  int n = 0;
  if (h->n_eos) qsort(h->eos, (size_t)h->n_eos, sizeof *h->eos, by_id);
  for (int i = 0; i < h->n_eos; i++)
    if (n == 0 || h->eos[n - 1] != h->eos[i]) h->eos[n++] = h->eos[i];
  h->n_eos = n;
}

static void found_eos(HfDir *h, const char *from, int32_t id) {
  if (h->first_eos < 0) h->first_eos = id, h->first_eos_from = from;
  h->eos[h->n_eos++] = id;
}

// "eos_token_id": a number, a list of numbers, null or absent. Some files write -1 for "none". from: the file's own name.
static bool read_eos_ids(HfDir *h, const char *what, const char *from, const json_t *obj, RtError *e) {
  const json_t *v = json_object_get(obj, "eos_token_id");
  if (!v || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == -1)) return true;
  size_t n = json_is_array(v) ? json_array_size(v) : 1;
  h->eos = rt_realloc(h->eos, (size_t)h->n_eos + n, sizeof *h->eos);
  for (size_t i = 0; i < n; i++) {
    int32_t id;
    if (!rtj_id(what, "eos_token_id", json_is_array(v) ? json_array_get(v, i) : v, &id, e)) return false;
    found_eos(h, from, id);
  }
  return true;
}

static bool read_bos_id(HfDir *h, const char *what, const json_t *obj, RtError *e) {
  const json_t *v = json_object_get(obj, "bos_token_id");
  if (h->bos >= 0 || !v || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == -1)) return true;
  return rtj_id(what, "bos_token_id", v, &h->bos, e);
}

// The id that tokenizer_config.json itself lists for a token, or -1.
static int32_t listed_id(const json_t *config, const char *token) {
  const char *key;
  json_t *v;
  json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, v) {
    const char *content = json_string_value(json_object_get(v, "content"));
    char *end = NULL;
    long id = content && strcmp(content, token) == 0 ? strtol(key, &end, 10) : -1;
    if (id >= 0 && id <= RTJ_MAX_ID && *key && !*end) return (int32_t)id;
  }
  return -1;
}

// A special token of tokenizer_config.json: its text, an object holding it under "content", null or absent ("" is none too).
static bool read_token(const char *what, const json_t *config, const char *key, HfToken *out, RtError *e) {
  const json_t *v = json_object_get(config, key), *text = json_is_object(v) ? json_object_get(v, "content") : v;
  *out = (HfToken){.listed = -1};
  if (!v || json_is_null(v)) return true;
  if (!json_is_string(text)) return rt_fail(e, "%s: \"%s\": expected a string or an object with \"content\", found %s", what, key, rtj_kind(v));
  if (!*json_string_value(text)) return true;
  out->text = json_string_value(text);
  out->listed = listed_id(config, out->text);
  return true;
}

static bool read_tokenizer_config(HfDir *h, RtError *e) {
  if (!h->tokenizer) return true;
  char *dir = file_dirname(h->tokenizer), *path = file_join(dir, "tokenizer_config.json");
  bool ok = true;
  if (file_is_there(path)) {
    h->tokenizer_config = rtj_object_file(path, JSON_DECODE_INT_AS_REAL, e);
    ok = h->tokenizer_config && read_token(path, h->tokenizer_config, "eos_token", &h->eos_token, e) &&
         read_token(path, h->tokenizer_config, "bos_token", &h->bos_token, e);
  }
  rt_free(path);
  rt_free(dir);
  return ok;
}

static bool read_generation(HfDir *h, RtError *e) {
  RtError none;
  bool ok = hfgeneration_read(&h->how, "", NULL, &none);
  if (!h->dir) return ok;
  char *path = file_join(h->dir, "generation_config.json");
  if (file_is_there(path)) {
    h->generation = rtj_object_file(path, 0, e);
    ok = h->generation && read_eos_ids(h, path, "generation_config.json", h->generation, e) && read_bos_id(h, path, h->generation, e) &&
         hfgeneration_read(&h->how, path, h->generation, e);
  }
  rt_free(path);
  return ok;
}

// from: what a user knows the object as, what: its path.
static bool read_config(HfDir *h, const char *from, const char *what, RtError *e) {
  json_t *text = json_object_get(h->config, "text_config");
  if (text && !json_is_object(text)) return rt_fail(e, "%s: \"text_config\": expected an object, found %s", what, rtj_kind(text));
  h->text = text ? text : h->config;
  h->vocab_size = -1;
  return rtj_get_int_in(what, h->text, "vocab_size", 0, INT32_MAX, &h->vocab_size, e) && read_eos_ids(h, what, from, h->text, e) &&
         read_eos_ids(h, what, from, h->config, e) && read_bos_id(h, what, h->text, e) && read_bos_id(h, what, h->config, e);
}

HfDir *hfdir_from(const char *dir, json_t *config, const char *from, const char *tokenizer, RtError *e) {
  HfDir *h = rt_alloc(1, sizeof *h);
  h->dir = dir ? rt_strdup(dir) : NULL;
  h->config = json_incref(config);
  h->tokenizer = tokenizer ? rt_strdup(tokenizer) : NULL;
  h->bos = h->first_eos = h->bos_token.listed = h->eos_token.listed = -1;
  char *path = dir ? file_join(dir, "config.json") : rt_strdup("config");
  bool ok = read_config(h, from, path, e) && read_generation(h, e) && read_tokenizer_config(h, e);
  rt_free(path);
  sort_eos(h);
  if (ok) return h;
  hfdir_free(h);
  return NULL;
}

static bool is_in(const char *dir, const char *name) {
  char *path = file_join(dir, name);
  bool there = file_is_there(path);
  rt_free(path);
  return there;
}

bool hf_tokenizer(const char *dir, char **path, RtError *e) {
  static const char *const sentencepiece[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};
  *path = NULL;
  if (is_in(dir, "tokenizer.json")) return *path = file_join(dir, "tokenizer.json"), true;
  if (is_in(dir, "vocab.json") && is_in(dir, "merges.txt")) return *path = file_join(dir, "vocab.json"), true;
  for (size_t i = 0; i < sizeof sentencepiece / sizeof *sentencepiece; i++)
    if (is_in(dir, sentencepiece[i]))
      return rt_fail(e, "%s/%s: a SentencePiece model, without the tokenizer.json that is read; this writes one (with transformers and sentencepiece installed): "
                     HF_TOKENIZER_LINE, dir, sentencepiece[i], dir, dir);
  return true;
}

HfDir *hfdir_open(const char *dir, RtError *e) {
  if (!file_is_dir(dir)) {
    rt_fail(e, "%s: no such directory (expected a Hugging Face model directory)", dir);
    return NULL;
  }
  char *path = file_join(dir, "config.json"), *tokenizer = NULL;
  HfDir *h = NULL;
  if (!file_is_there(path)) {
    if (!st_only_gguf(dir, e)) rt_fail(e, "%s: no config.json (expected a Hugging Face model directory)", dir);
  } else if (hf_tokenizer(dir, &tokenizer, e)) {
    json_t *config = rtj_object_file(path, 0, e);
    if (config) h = hfdir_from(dir, config, "config.json", tokenizer, e);
    json_decref(config);
  }
  rt_free(tokenizer);
  rt_free(path);
  return h;
}

void hfdir_free(HfDir *h) {
  if (!h) return;
  json_decref(h->config);
  json_decref(h->generation);
  json_decref(h->tokenizer_config);
  rt_free(h->dir);
  rt_free(h->tokenizer);
  rt_free(h->eos);
  rt_free(h);
}
