// JSONL rows to token ids: see data.h. A mistake in the file is answered with its line, key, what was found and what was expected.
#include "runtime/rows/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/chat.h"
#include "runtime/rows/cut.h"
#include "runtime/rows/own.h"

#define LINES_OF_ARRAY " (jq -c '.[]' makes lines of one array)"
#define ROWS "{\"text\"}, {\"prompt\", \"completion\"}, {\"messages\"} or {\"input_ids\", \"labels\"}"

typedef struct Reader {
  const char *path;
  const DataOptions *o;
  RtError *e;
  Data *data;
  OwnText *own;                // of the row at hand, by stream; NULL: augments have none
  int64_t line, row, first;    // of it: its number, its place among the rows, its first window in data
} Reader;

static bool fail(const Reader *r, const char *key, const char *expected, const json_t *found) {
  return rt_fail(r->e, "%s:%lld: \"%s\": expected %s, found %s", r->path, (long long)r->line, key, expected, rtj_kind(found));
}

static DataRow *new_row(Reader *r) {
  Data *d = r->data;
  if (d->n == d->cap) d->row = rt_realloc(d->row, (size_t)(d->cap = d->cap * 2 + 16), sizeof *d->row);
  DataRow *row = &d->row[d->n++];
  *row = (DataRow){.line = r->line, .row = r->row, .window = d->n - 1 - r->first};
  return row;
}

// Appends a row of n tokens, its ids and labels to be filled in.
static DataRow *add_row(Reader *r, int64_t n) {
  DataRow *row = new_row(r);
  row->ids = rt_alloc((size_t)n, sizeof(int32_t)), row->labels = rt_alloc((size_t)n, sizeof(int32_t)), row->n = n;
  return row;
}

static bool check_id(const Reader *r, const char *key, int64_t id) {
  if (id >= 0 && id < r->o->vocab) return true;
  return rt_fail(r->e, "%s:%lld: \"%s\": the token id %lld is not below the model's vocabulary size %lld", r->path, (long long)r->line, key,
                 (long long)id, (long long)r->o->vocab);
}

static bool check_ids(const Reader *r, const char *key, const int32_t *ids, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!check_id(r, key, ids[i])) return false;
  return true;
}

static bool follows(const Reader *r) { return r->o->streams && r->o->streams->n > 1; }

// Encodes a string member; the tokenizer's errors get the place in the file. spans is filled where streams follow, else NULL.
static int64_t encode(const Reader *r, const char *key, const json_t *text, bool continuation, int32_t **ids, TokSpan **spans) {
  RtError why;
  *spans = NULL;
  int64_t n = tokenizer_encode(r->o->tok, json_string_value(text), json_string_length(text), continuation, ids, follows(r) ? spans : NULL, &why);
  if (n < 0) return rt_fail(r->e, "%s:%lld: \"%s\": %s", r->path, (long long)r->line, key, why.text), -1;
  if (check_ids(r, key, *ids, n)) return n;
  rt_free(*ids), rt_free(*spans);
  return -1;
}

// Errors of a following stream get the place in the file.
static bool at_line(const Reader *r, const RtError *why) {
  return rt_fail_about(r->e, why->about, "%s:%lld: %s", r->path, (long long)r->line, why->text);
}

// Special tokens, which say nothing.
static bool follow_silent(Follow *f, const int32_t *ids, int64_t n, RtError *e) {
  for (int64_t i = 0; i < n; i++)
    if (!follow_token(f, ids[i], "", 0, e)) return false;
  return true;
}

int64_t row_labelled(const DataRow *r) {
  int64_t n = 0;
  for (int64_t i = 1; i < r->n; i++) n += r->labels[i] != -100;
  return n;
}

static CutRules cut_rules(const Reader *r) { return (CutRules){.streams = r->o->streams, .context = r->o->context, .too_long = r->o->too_long}; }

// The row added last, after what the context of a stream did to it.
static void count_cut(Reader *r, DataRow *row, int by, bool out, bool cut) {
  DataLimit *l = &r->data->limit[by];
  l->out += out, l->cut += cut;
  if (row->follow) follow_seal(row->follow);
  if (out) data_row_free(row), r->data->n--;
}

// A row to what fits the contexts; c has its tokens. Errors get the place in the file.
static bool cut_to_fit(Reader *r, DataRow *row, const CutRow *c) {
  RtError why;
  CutDone done;
  const CutRules rules = cut_rules(r);
  if (!cut_row(&rules, c, &done, &why)) return at_line(r, &why);
  row->follow = done.follow;
  if (done.drop) cut_out(row->ids, row->n, c->keep, done.drop), cut_out(row->labels, row->n, c->keep, done.drop);
  row->n -= done.drop;
  if (row->prompt_n) row->prompt_n -= done.drop;
  count_cut(r, row, done.by, done.out, done.drop > 0);
  return true;
}

// --- {"text"}: what the tokenizer's template makes of it (BOS, text, maybe EOS); every token behind the prefix is trained on. Text longer
// than the context goes into windows, each with the prefix before it; nothing of it is lost, so this is not counted as cut.
typedef struct Windows {
  const char *text;
  size_t len;
  const int32_t *prefix;
  int32_t *ids;                // of the text, then the template's suffix
  TokSpan *span;
  int64_t np, n, of_text;      // tokens of the prefix; of ids; of these the text's own
} Windows;

// The streams that follow a window of k tokens from token `at`; fewer where a stream's context (*by) is full before.
static bool follow_window(Reader *r, const Windows *w, DataRow *row, int64_t at, int64_t k, int *by) {
  RtError why;
  size_t begin = at && at <= w->of_text ? (size_t)w->span[at - 1].end : 0, end = w->len;
  int64_t words = at + k < w->of_text ? k : at < w->of_text ? w->of_text - at : 0, to = at + words;
  if (to < w->of_text) end = (size_t)(w->span[to - 1].end < w->span[to].begin ? w->span[to - 1].end : w->span[to].begin);
  Follow *f = row->follow = follow_new(r->o->streams, at > 0);
  if (!own_begin(f, r->own, &why) || !follow_prompt_end(f, &why) || !follow_silent(f, w->prefix, w->np, &why) ||
      !follow_encoded(f, r->o->tok, w->ids + at, w->span + at, words, w->text, begin, end, &why) ||
      !follow_silent(f, w->ids + at + words, k - words, &why)) return at_line(r, &why);
  follow_seal(f);
  row->n = follow_fits(f);
  if (row->n < w->np + k) *by = follow_limit(f, row->n);
  return row->n > w->np || rt_fail(r->e, "%s:%lld: %s's context is full before the text begins", r->path, (long long)r->line, streams_narrow(r->o->streams, *by));
}

// Where texts of their own do not fit streams' contexts no window of the row does: an error, or, where rows that are too long are left out, *out.
static bool own_fits(Reader *r, bool *out) {
  RtError why;
  Follow *f = r->own ? follow_new(r->o->streams, false) : NULL;
  int by = 0;
  bool ok = !f || own_begin(f, r->own, &why);
  if (ok && f) by = cut_own_over(f);
  *out = by && r->o->too_long == TOO_LONG_skip;
  if (*out) r->data->limit[by].out++;
  else if (by) ok = cut_refuse_own(f, by, &why);
  follow_free(f);
  return ok || at_line(r, &why);
}

static bool read_windows(Reader *r, const Windows *w) {
  bool out;
  if (!own_fits(r, &out)) return false;
  if (out) return true;
  int64_t context = r->o->context, first = r->data->n, widest = 0;
  int by = -1;                 // whose context ended the first window
  for (int64_t at = 0, k; at < w->n; at += k) {
    k = w->n - at < context - w->np ? w->n - at : context - w->np;
    if (k <= 0) return rt_fail(r->e, "%s: a context of %lld leaves no room behind the %lld token%s every text begins with", r->path,
                               (long long)context, (long long)w->np, plural(w->np));
    DataRow *row = add_row(r, w->np + k);
    for (int64_t i = 0; i < w->np; i++) row->ids[i] = w->prefix[i], row->labels[i] = -100;
    for (int64_t i = 0; i < k; i++) row->ids[w->np + i] = row->labels[w->np + i] = w->ids[at + i];
    row->labels[0] = -100;       // nothing stands before it to predict it from
    int full = 0;
    if (follows(r) && !follow_window(r, w, row, at, k, &full)) return false;
    k = row->n - w->np;
    if (by < 0) by = full;
    if (row->n > widest) widest = row->n;
  }
  if (r->data->n - first < 2) return true;
  DataLimit *l = &r->data->limit[by];
  l->split++, l->windows += r->data->n - first;
  if (widest > l->widest) l->widest = widest;
  return true;
}

static bool read_text(Reader *r, const json_t *text) {
  const int32_t *suffix;
  Windows w = {.text = json_string_value(text), .len = json_string_length(text)};
  w.np = tokenizer_prefix(r->o->tok, &w.prefix);
  w.of_text = encode(r, "text", text, false, &w.ids, &w.span);
  if (w.of_text < 0) return false;
  int64_t ns = tokenizer_suffix(r->o->tok, &suffix);
  w.n = w.of_text + ns;
  w.ids = rt_realloc(w.ids, (size_t)w.n, sizeof *w.ids);
  if (ns) memcpy(w.ids + w.of_text, suffix, (size_t)ns * sizeof *w.ids);
  bool ok = check_ids(r, "text", w.prefix, w.np) && check_ids(r, "text", suffix, ns) && read_windows(r, &w);
  rt_free(w.ids), rt_free(w.span);
  return ok;
}

// --- {"prompt", "completion"}
typedef struct Part {          // a string and its tokens
  const json_t *text;
  int32_t *ids;
  TokSpan *span;
  int64_t n;
} Part;

// From its token `at` on.
static bool follow_part(const Reader *r, Follow *f, const Part *p, int64_t at, RtError *e) {
  return follow_encoded(f, r->o->tok, p->ids + at, p->span + at, p->n - at, json_string_value(p->text), at ? (size_t)p->span[at - 1].end : 0,
                        json_string_length(p->text), e);
}

typedef struct Pair {
  const Reader *r;
  const DataRow *row;
  int64_t np;
  const Part *prompt, *completion;
} Pair;

static Follow *follow_pair(const void *user, int64_t drop, RtError *e) {
  const Pair *p = user;
  Follow *f = follow_new(p->r->o->streams, drop > 0);
  int64_t said = p->np + p->prompt->n + p->completion->n;
  if (own_begin(f, p->r->own, e) && follow_silent(f, p->row->ids, p->np, e) && follow_part(p->r, f, p->prompt, drop, e) && follow_prompt_end(f, e) && follow_part(p->r, f, p->completion, 0, e) &&
      follow_silent(f, p->row->ids + said, p->row->n - said, e)) return f;
  follow_free(f);
  return NULL;
}

static bool read_pair(Reader *r, const json_t *prompt, const json_t *completion) {
  const int32_t *prefix;
  Part a = {.text = prompt, .n = -1}, b = {.text = completion, .n = -1};
  int64_t np = tokenizer_prefix(r->o->tok, &prefix);
  bool ok = check_ids(r, "prompt", prefix, np) && (a.n = encode(r, "prompt", prompt, false, &a.ids, &a.span)) >= 0 &&
            (b.n = encode(r, "completion", completion, true, &b.ids, &b.span)) >= 0;
  int32_t end = r->o->ends->append;
  bool eos = ok && end >= 0 && !(b.n > 0 && text_ends_at(r->o->ends, b.ids[b.n - 1]));
  ok = ok && (!eos || check_id(r, "completion", end));
  if (ok) {
    int64_t n = np + a.n + b.n + eos;
    DataRow *row = add_row(r, n);
    if (np) memcpy(row->ids, prefix, (size_t)np * sizeof *row->ids);
    memcpy(row->ids + np, a.ids, (size_t)a.n * sizeof *row->ids);
    memcpy(row->ids + np + a.n, b.ids, (size_t)b.n * sizeof *row->ids);
    if (eos) row->ids[n - 1] = end;
    row->prompt_n = np + a.n;
    for (int64_t i = 0; i < n; i++) row->labels[i] = i < row->prompt_n ? -100 : row->ids[i];
    row->prompt_len = json_string_length(prompt);
    row->prompt = memcpy(rt_alloc(row->prompt_len + 1, 1), json_string_value(prompt), row->prompt_len);
    const Pair pair = {r, row, np, &a, &b};
    ok = cut_to_fit(r, row, &(CutRow){.what = "row", .n = n, .keep = np, .prompt = row->prompt_n, .follow = follows(r) ? follow_pair : NULL, .user = &pair});
  }
  if (a.n >= 0) rt_free(a.ids), rt_free(a.span);
  if (a.n >= 0 && b.n >= 0) rt_free(b.ids), rt_free(b.span);
  return ok;
}

// --- conversations

static bool read_chat(Reader *r, const json_t *obj) {
  RtError why;
  Conversation c;
  if (!conversation_read(&c, obj, false, &why)) return at_line(r, &why);
  const Streams alone = {.n = 0};
  const ChatRules rules = {.tok = r->o->tok, .ends = r->o->ends, .streams = r->o->streams ? r->o->streams : &alone, .vocab = r->o->vocab, .cut = cut_rules(r), .own = r->own,
                           .all = r->o->train_all, .date = r->o->date};
  ChatRow *rows = NULL;
  int n = 0;
  const char *first = json_string_value(json_object_get(json_array_get(c.messages, 0), "role"));
  bool asked = !r->o->train_all && first && strcmp(first, "assistant");
  bool ok = r->o->form || (rules.streams->n ? chat_rows(&rules, &c, &rows, &n, &why) : rt_fail(&why, "conversations are not read here"));
  conversation_free(&c);
  if (!ok) return rt_fail_about(r->e, why.about, "%s:%lld: %s", r->path, (long long)r->line, why.text);
  if (n > 1) r->data->rewritten++, r->data->turns += n;
  for (int i = 0; i < n; i++) {
    DataRow *row = new_row(r);
    row->ids = rows[i].ids, row->labels = rows[i].labels, row->n = rows[i].n, row->prompt_n = rows[i].prompt_n, row->follow = rows[i].follow, row->asked = asked;
    count_cut(r, row, rows[i].by, rows[i].out, rows[i].cut);
  }
  rt_free(rows);
  return true;
}

// --- {"input_ids", "labels"}: the prompt is what stands before the first label.
typedef struct Numbers {
  const Reader *r;
  const DataRow *row;
  int64_t keep, prompt;
} Numbers;

static Follow *follow_numbers(const void *user, int64_t drop, RtError *e) {
  const Numbers *x = user;
  int64_t n = x->row->n;
  int32_t *ids = rt_alloc((size_t)n, sizeof *ids);
  memcpy(ids, x->row->ids, (size_t)n * sizeof *ids);
  cut_out(ids, n, x->keep, drop);
  Follow *f = follow_new(x->r->o->streams, drop > 0);
  bool ok = own_begin(f, x->r->own, e) && follow_ids(f, x->r->o->tok, ids, n - drop, x->prompt - drop, e);
  rt_free(ids);
  if (ok) return f;
  follow_free(f);
  return NULL;
}

static bool cut_numbers(Reader *r, DataRow *row) {
  Numbers x = {.r = r, .row = row, .keep = cut_keep(r->o->tok, r->o->ends ? r->o->ends->bos : -1, row->ids, row->n)};
  while (x.prompt < row->n && row->labels[x.prompt] == -100) x.prompt++;
  if (x.keep > x.prompt) x.keep = x.prompt;
  return cut_to_fit(r, row, &(CutRow){.what = "row", .n = row->n, .keep = x.keep, .prompt = x.prompt, .follow = follows(r) ? follow_numbers : NULL, .user = &x});
}

static bool read_ids(Reader *r, const json_t *ids, const json_t *labels) {
  int64_t n = (int64_t)json_array_size(ids);
  if (r->o->only_text)
    return rt_fail(r->e, "%s:%lld: \"input_ids\" are not %s's, which has another tokenizer than the anchor; expected text", r->path, (long long)r->line, r->o->only_text);
  if (!json_is_array(ids)) return fail(r, "input_ids", "an array of token ids", ids);
  if (!json_is_array(labels)) return fail(r, "labels", "an array of token ids or -100, beside \"input_ids\"", labels);
  if ((int64_t)json_array_size(labels) != n)
    return rt_fail(r->e, "%s:%lld: \"labels\" has %zu, \"input_ids\" %lld numbers", r->path, (long long)r->line, json_array_size(labels), (long long)n);
  if (n == 0) return rt_fail(r->e, "%s:%lld: \"input_ids\" is empty", r->path, (long long)r->line);
  DataRow *row = add_row(r, n);
  row->numbers = true;
  for (int64_t i = 0; i < n; i++) {
    const json_t *id = json_array_get(ids, (size_t)i), *label = json_array_get(labels, (size_t)i);
    if (!json_is_integer(id)) return fail(r, "input_ids", "token ids", id);
    if (!json_is_integer(label)) return fail(r, "labels", "token ids or -100", label);
    if (!check_id(r, "input_ids", json_integer_value(id))) return false;
    if (json_integer_value(label) != -100 && !check_id(r, "labels", json_integer_value(label))) return false;
    row->ids[i] = (int32_t)json_integer_value(id);
    row->labels[i] = (int32_t)json_integer_value(label);
  }
  if (r->o->form) return true;
  return cut_numbers(r, row);
}

static bool need_string(const Reader *r, const json_t *obj, const char *key, const json_t **out) {
  *out = json_object_get(obj, key);
  return json_is_string(*out) || fail(r, key, "a string", *out);
}

// Whether nothing more is to be known of a row of these texts.
static bool is_decided(const Reader *r, const json_t *const *text, int n) {
  if (r->o->form) return true;
  if (r->own) return false;
  bool fits = r->o->bytes && byte_rule_fits(r->o->bytes, text, n);
  r->data->decided += fits;
  return fits;
}

// An object that is none of the rows, or two at once: its keys, as far as they fit.
static bool other_keys(const Reader *r, const json_t *obj) {
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

static bool read_kind(Reader *r, const json_t *obj) {
  const json_t *ids = rtj_has(obj, "input_ids"), *a, *b;
  if (ids) return read_ids(r, ids, json_object_get(obj, "labels"));
  bool pair = rtj_has(obj, "prompt") || rtj_has(obj, "completion"), chat = conversation_is(obj);
  bool text = rtj_has(obj, "text") && !(chat && conversation_written_out(obj));
  if (text + pair + chat != 1) return other_keys(r, obj);
  if (!r->o->tok) return rt_fail(r->e, "%s:%lld: text needs a tokenizer, and the model has none", r->path, (long long)r->line);
  if (chat) return read_chat(r, obj);
  r->data->texts++;
  if (text) return need_string(r, obj, "text", &a) && (is_decided(r, &a, 1) || read_text(r, a));
  if (!need_string(r, obj, "prompt", &a) || !need_string(r, obj, "completion", &b)) return false;
  return is_decided(r, (const json_t *[]){a, b}, 2) || read_pair(r, a, b);
}

static bool holds(const Reader *r, const json_t *text) {
  return json_is_string(text) && own_holds(r->o->streams, r->own, json_string_value(text), json_string_length(text));
}

// An answer, of whatever form its row has; one in parts by any of them.
static bool holds_answer(const Reader *r, const json_t *message) {
  const char *role = json_string_value(json_object_get(message, "role"));
  const json_t *content = json_object_get(message, "content");
  if (!role || strcmp(role, "assistant")) return false;
  for (size_t i = 0; i < json_array_size(content); i++)
    if (holds(r, json_object_get(json_array_get(content, i), "text"))) return true;
  return holds(r, content);
}

// Whether an augment is given what is to be completed: a completion, an answer, or all of a text.
static bool is_given(const Reader *r, const json_t *obj) {
  RtError why;
  Conversation c;
  if (!conversation_is(obj)) return holds(r, json_object_get(obj, "completion")) || holds(r, json_object_get(obj, "text"));
  if (!conversation_read(&c, obj, false, &why)) return false;
  bool given = false;
  for (size_t i = 0; i < json_array_size(c.messages) && !given; i++) given = holds_answer(r, json_array_get(c.messages, i));
  conversation_free(&c);
  return given;
}

static bool read_row(Reader *r, const json_t *obj) {
  RtError why;
  if (!json_is_object(obj))
    return rt_fail(r->e, "%s:%lld: expected a row, an object such as " ROWS ", found %s%s", r->path, (long long)r->line, rtj_kind(obj),
                   json_is_array(obj) ? LINES_OF_ARRAY : "");
  if (!own_read(r->o->streams, r->o->alone ? NULL : json_object_get(obj, "augment"), &r->own, &why)) return at_line(r, &why);
  bool ok = read_kind(r, obj);
  if (ok && r->own) r->data->own++, r->data->given += is_given(r, obj);
  rt_free(r->own);
  return ok;
}

// A line that is no JSON: mostly text, or JSON that goes over several lines.
static bool no_row(const Reader *r, const char *s, size_t n, const json_error_t *je) {
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

static json_t *parse_line(const Reader *r, const char *s, size_t n) {
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

static bool read_line(Reader *r, const char *s, size_t n) {
  json_t *v = parse_line(r, s, n);
  bool ok = v && read_row(r, v);
  json_decref(v);
  return ok;
}

json_t *data_json(const DataFile *f, int64_t at, LineText *t, RtError *e) {
  const Reader r = {.path = data_path_of(f, at), .e = e, .line = data_line_of(f, at), .row = at};
  return data_text(f, at, t, e) ? parse_line(&r, t->s, t->n) : NULL;
}

void data_share(DataShare *own, const DataOptions *theirs) {
  *own = (DataShare){.o = *theirs};
  if (theirs->tok) own->o.tok = own->tok = tokenizer_share(theirs->tok);
  if (!theirs->streams) return;
  own->streams = streams_share(theirs->streams), own->o.streams = &own->streams;
  own->chat = rt_alloc((size_t)own->streams.n, sizeof *own->chat);
  for (int k = 0; k < own->streams.n; k++) {
    Stream *s = &own->streams.s[k];
    if (!s->chat) continue;
    chat_share(&own->chat[k], s->chat, k ? s->tok : own->tok);
    s->chat = &own->chat[k];
  }
}

void data_share_end(DataShare *own) {
  for (int k = 0; own->chat && k < own->streams.n; k++) chat_close(&own->chat[k]);
  rt_free(own->chat);
  streams_free(&own->streams);
  if (own->tok) tokenizer_free(own->tok);
}

Data *data_new(const DataOptions *o) {
  Data *d = rt_alloc(1, sizeof *d);
  d->nlimit = o->streams ? o->streams->n : 1;
  d->limit = rt_alloc((size_t)d->nlimit, sizeof *d->limit);
  return d;
}

bool data_add(Data *d, const DataFile *f, int64_t at, const DataOptions *o, RtError *e) {
  Reader r = {.path = data_path_of(f, at), .o = o, .e = e, .data = d, .line = data_line_of(f, at), .row = at, .first = d->n};
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

void data_row_free(DataRow *r) {
  if (r->held) return;
  rt_free(r->ids), rt_free(r->labels), rt_free((char *)(uintptr_t)r->prompt);
  follow_free(r->follow);
}

void data_clear(Data *d) {
  for (int64_t i = 0; i < d->n; i++) data_row_free(&d->row[i]);
  d->n = 0;
}

void data_free(Data *d) {
  if (!d) return;
  data_clear(d);
  rt_free(d->row), rt_free(d->limit), rt_free(d->text.s);
  rt_free(d);
}

void data_uncount(Data *d) {
  d->own = d->given = d->rewritten = d->turns = d->tokens = d->labelled = d->windows = d->trained = d->looked = d->of = d->decided = d->texts = 0;
  memset(d->limit, 0, (size_t)d->nlimit * sizeof *d->limit);
}

void data_count_in(Data *d, const Data *from) {
  d->tokens += from->tokens, d->labelled += from->labelled, d->looked += from->looked, d->decided += from->decided, d->texts += from->texts;
  d->rewritten += from->rewritten, d->turns += from->turns, d->own += from->own, d->given += from->given;
  d->windows += from->windows, d->trained += from->trained;
  if (from->of) d->of = from->of;
  for (int64_t k = 0; k < d->nlimit; k++) {
    DataLimit *l = &d->limit[k];
    const DataLimit *x = &from->limit[k];
    l->out += x->out, l->cut += x->cut, l->split += x->split, l->windows += x->windows;
    if (x->widest > l->widest) l->widest = x->widest;
  }
}

void data_hold(DataFile *f, Data *d) {
  f->held = d;
  f->first = rt_alloc((size_t)data_count(f) + 1, sizeof *f->first);
  for (int64_t i = 0, w = 0; i < data_count(f); f->first[++i] = w)
    for (; w < d->n && d->row[w].row == i; w++) d->row[w].held = true;
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
