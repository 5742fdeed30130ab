// See read.h. A mistake in the file is answered with its line, key, what was found and what was expected.
#include "runtime/rows/read.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/chat.h"
#include "runtime/rows/kinds.h"

#define LINES_OF_ARRAY " (jq -c '.[]' makes lines of one array)"
#define ROWS "{\"text\"}, {\"prompt\", \"completion\"}, {\"messages\"} or {\"input_ids\", \"labels\"}"

static bool need_string(const RowReader *r, const json_t *obj, const char *key, const json_t **out) {
  *out = json_object_get(obj, key);
  return json_is_string(*out) || row_expected(r, key, "a string", *out);
}

// Whether nothing more is to be known of a row of these texts.
static bool is_decided(const RowReader *r, const json_t *const *text, int n) {
  if (r->o->form) return true;
  if (r->own) return false;
  bool fits = r->o->bytes && byte_rule_fits(r->o->bytes, text, n);
  r->data->decided += fits;
  return fits;
}

// An object that is none of the rows, or two at once: its keys, as far as they fit.
static bool other_keys(const RowReader *r, const json_t *obj) {
  char found[240] = "no key";
  size_t at = 0, left = json_object_size(obj);
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)obj, key, v) {
    size_t need = strlen(key) + 10;
    if (at + need + 24 > sizeof found) break;
    at += (size_t)snprintf(found + at, sizeof found - at, "%s\"%s\"%s", at ? ", " : "", key, json_is_null(v) ? ": null" : "");
    left--;
  }
  if (left && json_object_size(obj)) snprintf(found + at, sizeof found - at, "%s%zu more", at ? " and " : "keys that are too long: ", left);
  return rt_fail(r->e, "%s:%lld: expected the keys of one kind of row, " ROWS ", found %s", r->path, (long long)r->line, found);
}

static bool read_kind(RowReader *r, const json_t *obj) {
  const json_t *ids = rtj_has(obj, "input_ids"), *a, *b;
  if (ids) return row_of_ids(r, ids, json_object_get(obj, "labels"));
  bool pair = rtj_has(obj, "prompt") || rtj_has(obj, "completion"), chat = conversation_is(obj);
  bool text = rtj_has(obj, "text") && !(chat && conversation_written_out(obj));
  if (text + pair + chat != 1) return other_keys(r, obj);
  if (!r->o->tok) return rt_fail(r->e, "%s:%lld: text needs a tokenizer, and the model has none", r->path, (long long)r->line);
  if (chat) return row_of_chat(r, obj);
  r->data->texts++;
  if (text) return need_string(r, obj, "text", &a) && (is_decided(r, &a, 1) || row_of_text(r, a));
  if (!need_string(r, obj, "prompt", &a) || !need_string(r, obj, "completion", &b)) return false;
  return is_decided(r, (const json_t *[]){a, b}, 2) || row_of_pair(r, a, b);
}

static bool holds(const RowReader *r, const json_t *text) {
  return json_is_string(text) && own_holds(r->o->streams, r->own, json_string_value(text), json_string_length(text));
}

// An answer, of whatever form its row has; one in parts by any of them.
static bool holds_answer(const RowReader *r, const json_t *message) {
  const char *role = json_string_value(json_object_get(message, "role"));
  const json_t *content = json_object_get(message, "content");
  if (!role || strcmp(role, "assistant")) return false;
  for (size_t i = 0; i < json_array_size(content); i++)
    if (holds(r, json_object_get(json_array_get(content, i), "text"))) return true;
  return holds(r, content);
}

// Whether an augment is given what is to be completed: a completion, an answer, or all of a text.
static bool is_given(const RowReader *r, const json_t *obj) {
  RtError why;
  Conversation c;
  if (!conversation_is(obj)) return holds(r, json_object_get(obj, "completion")) || holds(r, json_object_get(obj, "text"));
  if (!conversation_read(&c, obj, false, &why)) return false;
  bool given = false;
  for (size_t i = 0; i < json_array_size(c.messages) && !given; i++) given = holds_answer(r, json_array_get(c.messages, i));
  conversation_free(&c);
  return given;
}

static bool read_row(RowReader *r, const json_t *obj) {
  RtError why;
  if (!json_is_object(obj))
    return rt_fail(r->e, "%s:%lld: expected a row, an object such as " ROWS ", found %s%s", r->path, (long long)r->line, rtj_kind(obj),
                   json_is_array(obj) ? LINES_OF_ARRAY : "");
  if (!own_read(r->o->streams, r->o->alone ? NULL : json_object_get(obj, "augment"), &r->own, &why)) return row_at_line(r, &why);
  bool ok = read_kind(r, obj);
  if (ok && r->own) r->data->own++, r->data->given += is_given(r, obj);
  rt_free(r->own);
  return ok;
}

// A line that is no JSON: mostly text, or JSON that goes over several lines.
static bool no_row(const RowReader *r, const char *s, size_t n, const json_error_t *je) {
  while (n && (*s == ' ' || *s == '\t')) s++, n--;
  if (*s == '{' || *s == '[') {
    bool open = json_error_code(je) == json_error_premature_end_of_input;
    return rt_fail(r->e, "%s:%lld:%d: %s%s", r->path, (long long)r->line, je->column, je->text,
                   !open ? "" : *s == '[' ? "; a row is a JSON object on one line" LINES_OF_ARRAY : "; a row is a JSON object on one line");
  }
  enum { SHOW = 24 };
  size_t shown = n < SHOW ? n : SHOW;
  while (shown && shown < n && ((unsigned char)s[shown] & 0xC0) == 0x80) shown--;
  while (shown && (s[shown - 1] == '\r' || s[shown - 1] == ' ')) shown--;
  return rt_fail(r->e, "%s:%lld: expected a row, a JSON object on one line such as " ROWS ", found '%.*s%s'", r->path, (long long)r->line, (int)shown,
                 s, shown < n ? "…" : "");
}

static json_t *parse_line(const RowReader *r, const char *s, size_t n) {
  size_t bom = r->line == 1 ? rt_utf8_bom(s, n) : 0;
  size_t valid = rt_utf8_valid(s, n);
  if (valid < n) {
    rt_fail(r->e, "%s:%lld: not UTF-8: byte %zu of the line is 0x%02X", r->path, (long long)r->line, valid + 1, (unsigned)(uint8_t)s[valid]);
    return NULL;
  }
  json_error_t je;
  json_t *v = json_loadb(s + bom, n - bom, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
  if (!v) no_row(r, s + bom, n - bom, &je);
  return v;
}

static bool read_line(RowReader *r, const char *s, size_t n) {
  json_t *v = parse_line(r, s, n);
  bool ok = v && read_row(r, v);
  json_decref(v);
  return ok;
}

json_t *data_json(const DataFile *f, int64_t at, LineText *t, RtError *e) {
  const RowReader r = {.path = data_path_of(f, at), .e = e, .line = data_line_of(f, at), .row = at};
  return data_text(f, at, t, e) ? parse_line(&r, t->s, t->n) : NULL;
}

bool data_add(Data *d, const DataFile *f, int64_t at, const DataOptions *o, RtError *e) {
  RowReader r = {.path = data_path_of(f, at), .o = o, .e = e, .data = d, .line = data_line_of(f, at), .row = at, .first = d->n};
  if (!data_text(f, at, &d->text, e) || !read_line(&r, d->text.s, d->text.n)) return false;
  for (int64_t i = r.first; i < d->n; i++) {
    const DataRow *row = &d->row[i];
    d->tokens += row->n;
    const int64_t labelled = row_labelled(row);
    d->windows++, d->trained += labelled > 0, d->labelled += labelled;
  }
  d->looked++, d->of = data_count(f);
  return true;
}

bool data_decide(Data *d, const DataFile *f, int64_t at, const DataOptions *o) {
  if (!o->bytes || !byte_rule_line(o->bytes, data_bytes_of(f, at))) return false;
  d->decided++, d->texts++, d->looked++, d->of = data_count(f);
  return true;
}

static bool all_rows(Data *d, const DataFile *f, const DataOptions *o, RtError *e) {
  for (int64_t i = 0; i < data_count(f); i++)
    if (!data_add(d, f, i, o, e)) return false;
  return true;
}

// Runs of rows that lie together, so that a disk which is slow to seek is not asked for each.
static bool some_rows(Data *d, const DataFile *f, const DataPart *p, int64_t bytes, int64_t places, const DataOptions *o, RtError *e) {
  const Lines *l = &p->lines;
  int64_t n = l->n, width = (int64_t)l->sum.size / n + 1;
  if (places > bytes / width) places = bytes / width + 1;
  if (places > n) places = n;
  for (int64_t k = 0; k < places; k++) {
    int64_t i = (int64_t)((double)n / (double)places * (double)k), to = (int64_t)((double)n / (double)places * (double)(k + 1));
    uint64_t end = l->at[i] + (uint64_t)(bytes / places);
    do
      if (!data_add(d, f, p->first + i, o, e)) return false;
    while (++i < to && l->at[i] < end);
  }
  return true;
}

// Of each file as large a part as of all.
static bool some_of_each(Data *d, const DataFile *f, const DataOptions *o, int64_t bytes, RtError *e) {
  enum { PLACES = 64 };
  for (int k = 0; k < f->nparts; k++) {
    double part = (double)f->part[k].lines.sum.size / (double)data_bytes(f);
    int64_t places = (int64_t)(PLACES * part);
    if (!some_rows(d, f, &f->part[k], (int64_t)((double)bytes * part), places ? places : 1, o, e)) return false;
  }
  return true;
}

Data *data_sample(const DataFile *f, const DataOptions *o, int64_t whole, int64_t bytes, RtError *e) {
  Data *d = data_new(o);
  if (data_bytes(f) <= whole ? all_rows(d, f, o, e) : some_of_each(d, f, o, bytes, e)) return d;
  data_free(d);
  return NULL;
}

Data *data_read(const char *path, bool piped, const DataOptions *o, RtError *e) {
  DataFile *f = piped ? data_open_piped(path, e) : data_open(path, e);
  Data *d = f ? data_sample(f, o, INT64_MAX, 0, e) : NULL;
  data_close(f);
  return d;
}
