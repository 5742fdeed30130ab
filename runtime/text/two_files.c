// See two_files.h. What the two files leave open is said in tokenizer_config.json, special_tokens_map.json and added_tokens.json beside them, as
// transformers reads these: which tokens are special, what is put around a text. How a text is split they do not say; the class does that
// tokenizer_config.json names, and those for which it is known stand in tokenizer_classes.txt.
#include "runtime/text/two_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/vocab.h"

static const char *const BESIDE[] = {"merges.txt", "special_tokens_map.json", "added_tokens.json"};
static const char *const NAMED[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
static const char *const USUAL[] = {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>"};          // of the first three, where nothing is said
enum { N_NAMED = sizeof NAMED / sizeof *NAMED, N_USUAL = sizeof USUAL / sizeof *USUAL };

static bool is_two(const char *path) {
  const char *slash = strrchr(path, '/');
  return !strcmp(slash ? slash + 1 : path, "vocab.json");
}

const char *const *tokenizer_beside(const char *path, int *n) {
  *n = is_two(path) ? (int)(sizeof BESIDE / sizeof *BESIDE) : 0;
  return BESIDE;
}

static bool map_text(FileMap *m, const char *path, RtError *e) {
  if (!file_map(m, path, e)) return false;
  const char *s = (const char *)m->data, *other = text_instead(s, m->size);
  size_t valid = rt_utf8_valid(s, m->size);
  if (!other && valid == m->size) return true;
  if (other) rt_fail(e, "%s: %s", path, other);
  else rt_fail(e, "%s: not UTF-8 at byte %zu", path, valid);
  return file_unmap(m), false;
}

// ---- what lies beside them
typedef struct Two {
  char *dir, *config_path;
  json_t *config, *map, *extra;   // the three files; NULL where there is none
  TkVocab vocab;
  json_t *added;               // the result's list
  int64_t next;                // id of the next token that the vocabulary has not
} Two;

static bool read_beside(const Two *t, const char *name, json_t **to, RtError *e) {
  char *path = file_join(t->dir, name);
  bool ok = !file_is_there(path) || (*to = rtj_object_file(path, JSON_DECODE_INT_AS_REAL, e));
  rt_free(path);
  return ok;
}

// Tokens are special by special_tokens_map.json before tokenizer_config.json, where that lists none itself.
static const json_t *said(const Two *t, const char *key) {
  const json_t *v = json_object_get(t->config, "added_tokens_decoder") ? NULL : json_object_get(t->map, key);
  return v ? v : json_object_get(t->config, key);
}

static const char *text_of(const json_t *v) { return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v); }

static json_t *known(const Two *t, const char *text) {
  size_t i;
  json_t *v;
  json_array_foreach(t->added, i, v) if (!strcmp(json_string_value(json_object_get(v, "content")), text)) return v;
  return NULL;
}

// of: a string, or an object with its flags; listed: the id that a file gives it, -1 where none does. One that is there already stays as it is.
static bool add(Two *t, const json_t *of, bool special, bool normalized, int64_t listed, RtError *e) {
  static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
  const char *text = text_of(of);
  if (!text) return rt_fail(e, "%s: a special token: expected a string or an object with \"content\", found %s", t->dir, rtj_kind(of));
  if (!*text || known(t, text)) return true;
  int64_t id = tk_vocab_find(&t->vocab, text, strlen(text));
  if (id < 0) id = t->next++;
  if (listed >= 0 && listed != id)
    return rt_fail(e, "%s: the added token \"%.80s\" is listed with id %lld, but its place behind the vocabulary is %lld", t->dir, text, (long long)listed, (long long)id);
  json_t *a = json_pack("{s:I, s:s, s:b}", "id", (json_int_t)id, "content", text, "special", special);
  if (!rtj_get_bool(t->dir, of, "normalized", &normalized, e)) return json_decref(a), false;
  json_object_set_new(a, "normalized", json_boolean(normalized));
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    bool on = false;
    if (json_is_object(of) && !rtj_get_bool(t->dir, of, flags[i], &on, e)) return json_decref(a), false;
    json_object_set_new(a, flags[i], json_boolean(on));
  }
  return json_array_append_new(t->added, a) == 0;
}

static bool is_named(const Two *t, const char *text) {
  for (int i = 0; i < N_NAMED; i++) {
    const char *s = text_of(said(t, NAMED[i]));
    if (s && !strcmp(s, text)) return true;
  }
  return false;
}

// Those listed with ids, in the order of these: the list of tokenizer_config.json, else all of added_tokens.json.
typedef struct Listed {
  int64_t id;
  const char *key;
  const json_t *v;
} Listed;

static int by_id(const void *a, const void *b) {
  int64_t x = ((const Listed *)a)->id, y = ((const Listed *)b)->id;
  return (x > y) - (x < y);
}

static bool add_listed(Two *t, RtError *e) {
  json_t *list = json_object_get(t->config, "added_tokens_decoder"), *from = list ? list : t->extra, *v;
  Listed *all = rt_alloc(json_object_size(from) + 1, sizeof *all);
  size_t n = 0;
  bool ok = true;
  const char *key;
  json_object_foreach(from, key, v) {
    char *end = NULL;
    int64_t id = list ? strtoll(key, &end, 10) : json_is_number(v) ? (int64_t)json_number_value(v) : -1;
    if (id < 0 || id > RTJ_MAX_ID || (end && (*end || !*key))) {
      ok = rt_fail(e, "%s: an added token's id: expected a number from 0 to %d, found \"%.40s\"", t->dir, RTJ_MAX_ID, list ? key : rtj_kind(v));
      break;
    }
    all[n++] = (Listed){id, key, v};
  }
  if (n) qsort(all, n, sizeof *all, by_id);
  for (size_t i = 0; ok && i < n; i++) {
    if (list) {
      bool special = false;
      const char *text = text_of(all[i].v);
      ok = rtj_get_bool(t->dir, all[i].v, "special", &special, e) && add(t, all[i].v, special || (text && is_named(t, text)), true, all[i].id, e);
    } else {
      json_t *text = json_string(all[i].key);
      bool special = is_named(t, all[i].key);
      ok = add(t, text, special, !special, all[i].id, e);
      json_decref(text);
    }
  }
  rt_free(all);
  return ok;
}

// One that some key describes with its flags counts before others of the same text.
static bool add_named(Two *t, RtError *e) {
  for (int objects = 1; objects >= 0; objects--)
    for (int i = 0; i < N_NAMED; i++) {
      const json_t *v = said(t, NAMED[i]);
      if (v && !json_is_null(v) && json_is_object(v) == objects && !add(t, v, true, false, -1, e)) return false;
    }
  return true;
}

static bool add_usual(Two *t, RtError *e) {
  for (int i = 0; i < N_USUAL; i++) {
    json_t *usual = said(t, NAMED[i]) ? NULL : json_string(USUAL[i]);
    bool ok = !usual || add(t, usual, true, false, -1, e);
    json_decref(usual);
    if (!ok) return false;
  }
  return true;
}

static bool add_more(Two *t, RtError *e) {
  static const char *const keys[] = {"additional_special_tokens", "extra_special_tokens"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    size_t i;
    json_t *v;
    json_array_foreach(said(t, keys[k]), i, v) if (!add(t, v, true, false, -1, e)) return false;
  }
  return true;
}

// ---- the parts of the tokenizer.json
static bool check_class(const Two *t, RtError *e) {
  static const char *const classes[] = {TOKENIZER_CLASSES};
  const char *is = NULL;
  if (!rtj_get_string(t->config_path, t->config, "tokenizer_class", &is, e)) return false;
  for (size_t i = 0; is && i < sizeof classes / sizeof *classes; i++)
    if (!strcmp(is, classes[i])) return true;
  return !is || rt_fail(e, "%s: what vocab.json and merges.txt mean to a \"%.80s\" is not known; this writes the tokenizer.json that is read (with transformers installed): "
                        HF_TOKENIZER_LINE, t->config_path, is, t->dir, t->dir);
}

// What a text begins or ends with, if it does.
static bool put_around(const Two *t, json_t *single, json_t *special, const char *key, const char *token, int usual, RtError *e) {
  bool on = false;
  const json_t *v = said(t, token);
  const char *text = v ? text_of(v) : USUAL[usual];
  if (!rtj_get_bool(t->config_path, t->config, key, &on, e)) return false;
  if (!on || !text || !known(t, text)) return true;
  json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", text, "type_id", 0));
  json_object_set_new(special, text, json_pack("{s:s, s:[O], s:[s]}", "id", text, "ids", json_object_get(known(t, text), "id"), "tokens", text));
  return true;
}

static json_t *parts(Two *t, RtError *e) {
  bool prefix = false;
  json_t *single = json_array(), *special = json_object(), *o = NULL;
  bool ok = rtj_get_bool(t->config_path, t->config, "add_prefix_space", &prefix, e) && put_around(t, single, special, "add_bos_token", "bos_token", 0, e);
  json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0));
  ok = ok && put_around(t, single, special, "add_eos_token", "eos_token", 1, e);
  if (ok)
    o = json_pack("{s:s, s:O, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:O, s:[O, {s:{s:s, s:i}}], s:O}, s:{s:s, s:b, s:b, s:b}}", "version", "1.0", "added_tokens", t->added,
                  "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefix, "trim_offsets", 1, "use_regex", 1, "post_processor", "type",
                  "TemplateProcessing", "single", single, "pair", json_array_get(single, 0), "Sequence", "id", "B", "type_id", 1, "special_tokens", special,
                  "decoder", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1);
  json_decref(single), json_decref(special);
  return o;
}

// ---- the whole
static void put_string(Bytes *o, const char *s, size_t n) {
  bytes_put(o, "\"", 1);
  for (size_t i = 0; i < n; i++) {
    char code[8];
    if ((uint8_t)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\') bytes_put(o, s + i, 1);
    else bytes_put(o, code, (size_t)snprintf(code, sizeof code, "\\u%04x", (unsigned)(uint8_t)s[i]));
  }
  bytes_put(o, "\"", 1);
}

// Whether both sides of a merge, and the two together, are tokens.
static bool joins_tokens(const TkVocab *v, const char *left, size_t nleft, const char *right, size_t nright) {
  char *both = rt_alloc(nleft + nright + 1, 1);
  memcpy(both, left, nleft), memcpy(both + nleft, right, nright);
  bool ok = tk_vocab_find(v, left, nleft) >= 0 && tk_vocab_find(v, right, nright) >= 0 && tk_vocab_find(v, both, nleft + nright) >= 0;
  rt_free(both);
  return ok;
}

static bool put_merges(Bytes *o, const TkVocab *v, const char *path, const char *s, size_t n, RtError *e) {
  bool first = true;
  int64_t number = 0;
  for (size_t i = s ? rt_utf8_bom(s, n) : 0, end; i < n; i = end + 1) {
    const char *newline = memchr(s + i, '\n', n - i);
    end = newline ? (size_t)(newline - s) : n;
    size_t len = end - i;
    number++;
    len -= len && s[i + len - 1] == '\r';
    if (!len || (len >= 8 && !memcmp(s + i, "#version", 8))) continue;
    const char *space = memchr(s + i, ' ', len);
    size_t left = space ? (size_t)(space - s) - i : 0, right = space ? len - left - 1 : 0;
    if (!left || !right || memchr(space + 1, ' ', right))
      return rt_fail(e, "%s:%lld: expected two tokens with a space between them, found \"%.*s\"", path, (long long)number, (int)(len < 80 ? len : 80), s + i);
    if (!joins_tokens(v, s + i, left, space + 1, right))
      return rt_fail(e, "%s:%lld: joins \"%.*s\" and \"%.*s\", but not all of these and the two together are tokens of vocab.json", path, (long long)number,
                     (int)(left < 80 ? left : 80), s + i, (int)(right < 80 ? right : 80), space + 1);
    bytes_put(o, first ? "[" : ",[", first ? 1 : 2);
    put_string(o, s + i, left);
    bytes_put(o, ",", 1);
    put_string(o, space + 1, right);
    bytes_put(o, "]", 1);
    first = false;
  }
  return true;
}

// The one object that a text is; false, with an error, where it is none, or not alone.
static bool find_object(const char *path, const FileMap *m, JsonStr *to, RtError *e) {
  JsonScan s;
  jscan_init(&s, path, (const char *)m->data, m->size, e);
  bool ok = jscan_peek(&s) == '{' || jscan_fail(&s, "'{'");
  to->s = s.p;
  ok = ok && jscan_skip(&s);
  to->n = (size_t)(s.p - to->s);
  ok = ok && ((!jscan_peek(&s) && s.p == s.end) || jscan_fail(&s, "the end of the file"));
  jscan_free(&s);
  return ok;
}

static bool put_together(Bytes *o, Two *t, const char *path, const FileMap *vocab, RtError *e) {
  JsonStr object;
  FileMap lines = {0};
  if (!read_beside(t, "tokenizer_config.json", &t->config, e) || !read_beside(t, BESIDE[1], &t->map, e) || !read_beside(t, BESIDE[2], &t->extra, e) ||
      !check_class(t, e) || !find_object(path, vocab, &object, e) || !tk_vocab_read(&t->vocab, path, object, e))
    return false;
  t->next = t->vocab.n;
  if (!add_listed(t, e) || !add_named(t, e) || !add_usual(t, e) || !add_more(t, e)) return false;
  json_t *head = parts(t, e);
  char *text = head ? json_dumps(head, JSON_COMPACT) : NULL, *merges = file_join(t->dir, BESIDE[0]);
  static const char model[] = ",\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":\"\",\"fuse_unk\":false,\"vocab\":";
  bool ok = text && map_text(&lines, merges, e);
  if (ok) {
    bytes_put(o, text, strlen(text) - 1);                         // but for its bracket
    bytes_put(o, model, sizeof model - 1);
    bytes_put(o, object.s, object.n);
    bytes_put(o, ",\"merges\":[", 11);
    ok = put_merges(o, &t->vocab, merges, (const char *)lines.data, lines.size, e);
    bytes_put(o, "]}}", 3);
    file_unmap(&lines);
  }
  rt_free(text), rt_free(merges);
  json_decref(head);
  return ok;
}

static bool open_two(TkFile *f, const char *path, RtError *e) {
  FileMap vocab;
  Bytes o = {0};
  if (!map_text(&vocab, path, e)) return false;
  Two t = {.dir = file_dirname(path), .added = json_array()};
  t.config_path = file_join(t.dir, "tokenizer_config.json");
  bool ok = put_together(&o, &t, path, &vocab, e);
  file_unmap(&vocab);
  tk_vocab_free(&t.vocab);
  json_decref(t.config), json_decref(t.map), json_decref(t.extra), json_decref(t.added);
  rt_free(t.dir), rt_free(t.config_path);
  f->made = o.s;
  f->text = (JsonStr){o.s, o.n};
  if (!ok) tk_file_close(f);
  return ok;
}

bool tk_file_open(TkFile *f, const char *path, RtError *e) {
  *f = (TkFile){0};
  if (is_two(path)) return open_two(f, path, e);
  if (!map_text(&f->map, path, e)) return false;
  f->text = (JsonStr){(const char *)f->map.data, f->map.size};
  return true;
}

void tk_file_close(TkFile *f) {
  if (f->made) rt_free(f->made);
  else if (f->map.held) file_unmap(&f->map);
  *f = (TkFile){0};
}

char *tokenizer_json(const char *path, size_t *n, RtError *e) {
  TkFile f;
  if (!tk_file_open(&f, path, e)) return NULL;
  char *text = rt_strndup(f.text.n ? f.text.s : "", f.text.n);
  *n = f.text.n;
  tk_file_close(&f);
  return text;
}
