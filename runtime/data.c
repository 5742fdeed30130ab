// JSONL rows to token ids: see data.h. A mistake in the file is answered with its line, key, what was found and what was expected.
#include "runtime/data.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/utf8.h"

typedef struct Reader {
  const char *path;
  const DataOptions *o;
  int64_t *cut;
  RtError *e;
  Data *data;
  int64_t cap, line;
} Reader;

static bool fail(const Reader *r, const char *key, const char *expected, const json_t *found) {
  return rt_fail(r->e, "%s:%lld: \"%s\": expected %s, found %s", r->path, (long long)r->line, key, expected, rtj_kind(found));
}

// Appends a row of n tokens, its ids and labels to be filled in.
static DataRow *add_row(Reader *r, int64_t n) {
  Data *d = r->data;
  if (d->n == r->cap) {
    r->cap = r->cap ? r->cap * 2 : 256;
    d->row = rt_realloc(d->row, (size_t)r->cap, sizeof *d->row);
  }
  DataRow *row = &d->row[d->n++];
  *row = (DataRow){.ids = rt_alloc((size_t)n, sizeof(int32_t)), .labels = rt_alloc((size_t)n, sizeof(int32_t)), .n = n, .line = r->line};
  return row;
}

static bool is_eos(const DataOptions *o, int32_t id) {
  for (int i = 0; i < o->n_eos; i++)
    if (o->eos_set[i] == id) return true;
  return id == o->eos && id >= 0;
}

static bool check_id(const Reader *r, const char *key, int64_t id) {
  if (id >= 0 && id < r->o->vocab) return true;
  return rt_fail(r->e, "%s:%lld: \"%s\": the token id %lld is not below the model's vocabulary size %lld", r->path, (long long)r->line, key,
                 (long long)id, (long long)r->o->vocab);
}

// Encodes a string member; the tokenizer's errors get the place in the file.
static int64_t encode(const Reader *r, const char *key, const json_t *text, bool continuation, int32_t **ids) {
  RtError why;
  int64_t n = tokenizer_encode(r->o->tok, json_string_value(text), json_string_length(text), continuation, ids, NULL, &why);
  if (n < 0) return rt_fail(r->e, "%s:%lld: \"%s\": %s", r->path, (long long)r->line, key, why.text), -1;
  for (int64_t i = 0; i < n; i++)
    if (!check_id(r, key, (*ids)[i])) {
      free(*ids);
      return -1;
    }
  return n;
}

// --- {"text"}: what the tokenizer's template makes of it (BOS, text, maybe EOS); every token behind the prefix is trained on. Text longer
// than the context goes into windows, each with the prefix before it; nothing of it is lost, so this is not counted as cut.
static bool read_text(Reader *r, const json_t *text) {
  const int32_t *prefix, *suffix;
  int32_t *ids;
  int64_t np = tokenizer_prefix(r->o->tok, &prefix), ns = tokenizer_suffix(r->o->tok, &suffix), context = r->o->context;
  int64_t n = encode(r, "text", text, false, &ids);
  if (n < 0) return false;
  ids = rt_realloc(ids, (size_t)(n + ns), sizeof *ids);
  if (ns) memcpy(ids + n, suffix, (size_t)ns * sizeof *ids);
  n += ns;
  if (np >= context) {
    free(ids);
    return rt_fail(r->e, "%s: a context of %lld leaves no room behind the %lld tokens every text begins with", r->path, (long long)context,
                   (long long)np);
  }
  for (int64_t at = 0; at < n;) {
    int64_t k = n - at < context - np ? n - at : context - np;
    DataRow *row = add_row(r, np + k);
    for (int64_t i = 0; i < np; i++) row->ids[i] = prefix[i], row->labels[i] = -100;
    for (int64_t i = 0; i < k; i++) row->ids[np + i] = row->labels[np + i] = ids[at + i];
    row->labels[0] = -100;       // nothing stands before it to predict it from
    at += k;
  }
  free(ids);
  return true;
}

// --- {"prompt", "completion"}
static bool read_pair(Reader *r, const json_t *prompt, const json_t *completion) {
  const int32_t *prefix;
  int32_t *a, *b;
  int64_t np = tokenizer_prefix(r->o->tok, &prefix), na = encode(r, "prompt", prompt, false, &a);
  if (na < 0) return false;
  int64_t nb = encode(r, "completion", completion, true, &b);
  if (nb < 0) {
    free(a);
    return false;
  }
  int64_t eos = r->o->eos >= 0 && !(nb > 0 && is_eos(r->o, b[nb - 1])), n = np + na + nb + eos;
  DataRow *row = add_row(r, n);
  if (np) memcpy(row->ids, prefix, (size_t)np * sizeof *a);
  memcpy(row->ids + np, a, (size_t)na * sizeof *a);
  memcpy(row->ids + np + na, b, (size_t)nb * sizeof *b);
  if (eos) row->ids[n - 1] = r->o->eos;
  row->prompt_n = np + na;
  for (int64_t i = 0; i < n; i++) row->labels[i] = i < row->prompt_n ? -100 : row->ids[i];
  row->prompt = rt_strdup(json_string_value(prompt));
  row->completion = rt_strdup(json_string_value(completion));
  if (n > r->o->context) {
    row->n = r->o->context;
    if (row->prompt_n > row->n) row->prompt_n = row->n;
    *r->cut += 1;
  }
  free(a);
  free(b);
  return true;
}

// --- {"input_ids", "labels"}
static bool read_ids(Reader *r, const json_t *ids, const json_t *labels) {
  int64_t n = (int64_t)json_array_size(ids);
  if (!json_is_array(ids)) return fail(r, "input_ids", "an array of token ids", ids);
  if (!json_is_array(labels)) return fail(r, "labels", "an array of token ids or -100, beside \"input_ids\"", labels);
  if ((int64_t)json_array_size(labels) != n)
    return rt_fail(r->e, "%s:%lld: \"labels\" has %zu entries, \"input_ids\" has %lld", r->path, (long long)r->line, json_array_size(labels),
                   (long long)n);
  if (n == 0) return rt_fail(r->e, "%s:%lld: \"input_ids\" is empty", r->path, (long long)r->line);
  DataRow *row = add_row(r, n);
  for (int64_t i = 0; i < n; i++) {
    const json_t *id = json_array_get(ids, (size_t)i), *label = json_array_get(labels, (size_t)i);
    if (!json_is_integer(id)) return fail(r, "input_ids", "token ids", id);
    if (!json_is_integer(label)) return fail(r, "labels", "token ids or -100", label);
    if (!check_id(r, "input_ids", json_integer_value(id))) return false;
    if (json_integer_value(label) != -100 && !check_id(r, "labels", json_integer_value(label))) return false;
    row->ids[i] = (int32_t)json_integer_value(id);
    row->labels[i] = (int32_t)json_integer_value(label);
  }
  if (n > r->o->context) {
    row->n = r->o->context;
    *r->cut += 1;
  }
  return true;
}

static bool need_string(const Reader *r, const json_t *obj, const char *key, const json_t **out) {
  *out = json_object_get(obj, key);
  return json_is_string(*out) || fail(r, key, "a string", *out);
}

static bool read_row(Reader *r, const json_t *obj) {
  const json_t *ids = json_object_get(obj, "input_ids"), *a, *b;
  if (!json_is_object(obj)) return rt_fail(r->e, "%s:%lld: expected an object, found %s", r->path, (long long)r->line, rtj_kind(obj));
  if (ids) return read_ids(r, ids, json_object_get(obj, "labels"));
  bool text = json_object_get(obj, "text"), pair = json_object_get(obj, "prompt") || json_object_get(obj, "completion");
  if (text == pair)
    return rt_fail(r->e, "%s:%lld: expected {\"text\"}, {\"prompt\", \"completion\"} or {\"input_ids\", \"labels\"}, found %s of these", r->path,
                   (long long)r->line, text ? "two" : "none");
  if (!r->o->tok) return rt_fail(r->e, "%s:%lld: text needs a tokenizer, and the model has none", r->path, (long long)r->line);
  if (text) return need_string(r, obj, "text", &a) && read_text(r, a);
  return need_string(r, obj, "prompt", &a) && need_string(r, obj, "completion", &b) && read_pair(r, a, b);
}

static bool read_line(Reader *r, const char *s, size_t n) {
  size_t at = 0;
  while (at < n && strchr(" \t\r", s[at])) at++;
  if (at == n) return true;
  size_t valid = rt_utf8_valid(s, n);
  if (valid < n)
    return rt_fail(r->e, "%s:%lld: not UTF-8: byte %zu of the line is 0x%02X", r->path, (long long)r->line, valid + 1, (unsigned)(uint8_t)s[valid]);
  json_error_t je;
  json_t *v = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
  if (!v) return rt_fail(r->e, "%s:%lld:%d: %s", r->path, (long long)r->line, je.column, je.text);
  bool ok = read_row(r, v);
  json_decref(v);
  return ok;
}

Data *data_read(const char *path, const DataOptions *o, int64_t *cut, RtError *e) {
  FileMap m;
  int64_t ignored = 0;
  if (!file_map(&m, path, e)) return NULL;
  Reader r = {.path = path, .o = o, .cut = cut ? cut : &ignored, .e = e, .data = rt_alloc(1, sizeof(Data))};
  *r.cut = 0;
  const char *s = (const char *)m.data, *end = s + m.size;
  bool ok = true;
  while (ok && s < end) {
    const char *eol = memchr(s, '\n', (size_t)(end - s));
    r.line++;
    ok = read_line(&r, s, (size_t)((eol ? eol : end) - s));
    s = eol ? eol + 1 : end;
  }
  file_unmap(&m);
  if (ok && r.data->n == 0) ok = rt_fail(e, "%s: no rows", path);
  if (!ok) {
    data_free(r.data);
    return NULL;
  }
  for (int64_t i = 0; i < r.data->n; i++) {
    const DataRow *row = &r.data->row[i];
    r.data->tokens += row->n;
    for (int64_t k = 1; k < row->n; k++) r.data->labelled += row->labels[k] != -100;
  }
  return r.data;
}

void data_free(Data *d) {
  if (!d) return;
  for (int64_t i = 0; i < d->n; i++) {
    free(d->row[i].ids);
    free(d->row[i].labels);
    free((char *)(uintptr_t)d->row[i].prompt);
    free((char *)(uintptr_t)d->row[i].completion);
  }
  free(d->row);
  free(d);
}
