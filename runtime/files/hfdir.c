// A Hugging Face model directory outside its weights: see hfdir.h.
#include "runtime/files/hfdir.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"
#include "runtime/files/json_scan.h"

static void add_eos(HfDir *h, int32_t id) {
  int at = 0;
  while (at < h->n_eos && h->eos[at] < id) at++;
  if (at < h->n_eos && h->eos[at] == id) return;
  h->eos = rt_realloc(h->eos, (size_t)h->n_eos + 1, sizeof *h->eos);
  memmove(h->eos + at + 1, h->eos + at, (size_t)(h->n_eos - at) * sizeof *h->eos);
  h->eos[at] = id;
  h->n_eos++;
}

static bool token_id(const char *what, const char *key, const json_t *v, int32_t *out, RtError *e) {
  if (!json_is_integer(v)) return rt_fail(e, "%s: \"%s\": expected a token id, found %s", what, key, rtj_kind(v));
  json_int_t id = json_integer_value(v);
  if (id < 0 || id > INT32_MAX) return rt_fail(e, "%s: \"%s\": %lld is no token id", what, key, (long long)id);
  *out = (int32_t)id;
  return true;
}

// "eos_token_id": a number, a list of numbers, null or absent. Some files write -1 for "none".
static bool read_eos_ids(HfDir *h, const char *what, const json_t *obj, RtError *e) {
  const json_t *v = json_object_get(obj, "eos_token_id");
  if (!v || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == -1)) return true;
  int32_t id;
  if (!json_is_array(v)) {
    if (!token_id(what, "eos_token_id", v, &id, e)) return false;
    add_eos(h, id);
    return true;
  }
  size_t i;
  json_t *item;
  json_array_foreach(v, i, item) {
    if (!token_id(what, "eos_token_id", item, &id, e)) return false;
    add_eos(h, id);
  }
  return true;
}

static bool read_bos_id(HfDir *h, const char *what, const json_t *obj, RtError *e) {
  const json_t *v = json_object_get(obj, "bos_token_id");
  if (h->bos >= 0 || !v || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == -1)) return true;
  return token_id(what, "bos_token_id", v, &h->bos, e);
}

// A special token in tokenizer_config.json: its text, or an object holding it under "content".
static const char *token_text(const json_t *config, const char *key) {
  const json_t *v = json_object_get(config, key);
  return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
}

// The id that tokenizer_config.json itself lists for a token, or -1.
static int32_t id_in_config(const json_t *config, const char *token) {
  const char *key;
  json_t *v;
  json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, v) {
    const char *content = json_string_value(json_object_get(v, "content"));
    if (content && strcmp(content, token) == 0) return (int32_t)strtol(key, NULL, 10);
  }
  return -1;
}

// One element of "added_tokens": its id when its content is token, otherwise -1.
static bool added_token(JsonScan *s, const char *token, int64_t *id) {
  bool first = true, same = false;
  int64_t found = -1;
  JsonStr str;
  int k;
  if (!jscan_expect(s, '{')) return false;
  while ((k = jscan_member(s, &first, &str)) > 0) {
    bool is_id = str.n == 2 && memcmp(str.s, "id", 2) == 0, is_content = str.n == 7 && memcmp(str.s, "content", 7) == 0;
    if (is_content && jscan_peek(s) == '"') {
      if (!jscan_string(s, &str)) return false;
      same = str.n == strlen(token) && memcmp(str.s, token, str.n) == 0;
    } else if (is_id ? !jscan_int(s, &found) : !jscan_skip(s)) {
      return false;
    }
  }
  if (same) *id = found;
  return k == 0;
}

// Looks token up among the added tokens of a tokenizer.json; *id stays -1 when it is not there. Only as much of the file is
// read as is needed: "added_tokens" stands before the vocabulary.
static bool id_in_tokenizer(const char *path, const char *token, int64_t *id, RtError *e) {
  FileMap m;
  if (!file_map(&m, path, e)) return false;
  JsonScan s;
  jscan_init(&s, path, (const char *)m.data, m.size, e);
  bool first = true, ok = jscan_expect(&s, '{');
  JsonStr key;
  int k = 0;
  while (ok && *id < 0 && (k = jscan_member(&s, &first, &key)) > 0) {
    if (key.n != 12 || memcmp(key.s, "added_tokens", 12) != 0) {
      ok = jscan_skip(&s);
      continue;
    }
    bool first_token = true;
    ok = jscan_expect(&s, '[');
    while (ok && (k = jscan_element(&s, &first_token)) > 0) ok = added_token(&s, token, id);
    if (k < 0) break;
  }
  jscan_free(&s);
  file_unmap(&m);
  return ok && k >= 0;
}

// The id of tokenizer_config.json's bos_token or eos_token; -1 when it names none, or one that is no added token.
static bool named_token(const json_t *config, const char *key, const char *tokenizer, int64_t *id, RtError *e) {
  const char *token = token_text(config, key);
  *id = -1;
  if (!token) return true;
  *id = id_in_config(config, token);
  return *id >= 0 || id_in_tokenizer(tokenizer, token, id, e);
}

static bool read_tokenizer_config(HfDir *h, RtError *e) {
  if (!h->tokenizer) return true;
  char *dir = file_dirname(h->tokenizer), *path = file_join(dir, "tokenizer_config.json");
  bool ok = true;
  if (file_is_regular(path)) {
    json_t *config = rtj_object_file(path, JSON_DECODE_INT_AS_REAL, e);
    int64_t eos = -1, bos = -1;
    ok = config && named_token(config, "eos_token", h->tokenizer, &eos, e) && named_token(config, "bos_token", h->tokenizer, &bos, e);
    if (ok && eos >= 0) add_eos(h, (int32_t)eos);
    if (ok && bos >= 0 && h->bos < 0) h->bos = (int32_t)bos;
    json_decref(config);
  }
  rt_free(path);
  rt_free(dir);
  return ok;
}

static bool read_generation(HfDir *h, RtError *e) {
  if (!h->dir) return true;
  char *path = file_join(h->dir, "generation_config.json");
  bool ok = true;
  if (file_is_regular(path)) {
    h->generation = rtj_object_file(path, 0, e);
    ok = h->generation && read_eos_ids(h, path, h->generation, e) && read_bos_id(h, path, h->generation, e);
  }
  rt_free(path);
  return ok;
}

static bool read_config(HfDir *h, const char *what, RtError *e) {
  json_t *text = json_object_get(h->config, "text_config");
  if (text && !json_is_object(text)) return rt_fail(e, "%s: \"text_config\": expected an object, found %s", what, rtj_kind(text));
  h->text = text ? text : h->config;
  h->vocab_size = -1;
  return rtj_get_int(what, h->text, "vocab_size", &h->vocab_size, e) && read_eos_ids(h, what, h->config, e) &&
         read_eos_ids(h, what, h->text, e) && read_bos_id(h, what, h->text, e) && read_bos_id(h, what, h->config, e);
}

HfDir *hfdir_from(const char *dir, json_t *config, const char *tokenizer, RtError *e) {
  HfDir *h = rt_alloc(1, sizeof *h);
  h->dir = dir ? rt_strdup(dir) : NULL;
  h->config = json_incref(config);
  h->tokenizer = tokenizer ? rt_strdup(tokenizer) : NULL;
  h->bos = -1;
  char *path = dir ? file_join(dir, "config.json") : rt_strdup("config");
  bool ok = read_config(h, path, e) && read_generation(h, e) && read_tokenizer_config(h, e);
  rt_free(path);
  if (ok) return h;
  hfdir_free(h);
  return NULL;
}

HfDir *hfdir_open(const char *dir, RtError *e) {
  if (!file_is_dir(dir)) {
    rt_fail(e, "%s: no such directory (expected a Hugging Face model directory)", dir);
    return NULL;
  }
  char *path = file_join(dir, "config.json"), *tokenizer = file_join(dir, "tokenizer.json");
  HfDir *h = NULL;
  if (!file_is_regular(path)) {
    rt_fail(e, "%s: no config.json (expected a Hugging Face model directory)", dir);
  } else {
    json_t *config = rtj_object_file(path, 0, e);
    if (config) h = hfdir_from(dir, config, file_is_regular(tokenizer) ? tokenizer : NULL, e);
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
  rt_free(h->dir);
  rt_free(h->tokenizer);
  rt_free(h->eos);
  rt_free(h);
}
