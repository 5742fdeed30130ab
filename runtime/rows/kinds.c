// See kinds.h.
#include "runtime/rows/kinds.h"

#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/chat.h"
#include "runtime/rows/cut.h"

bool row_expected(const RowReader *r, const char *key, const char *expected, const json_t *found) {
  return rt_fail(r->e, "%s:%lld: \"%s\": expected %s, found %s", r->path, (long long)r->line, key, expected, rtj_kind(found));
}

static DataRow *new_row(RowReader *r) {
  Data *d = r->data;
  if (d->n == d->cap) d->row = rt_realloc(d->row, (size_t)(d->cap = d->cap * 2 + 16), sizeof *d->row);
  DataRow *row = &d->row[d->n++];
  *row = (DataRow){.line = r->line, .row = r->row, .window = d->n - 1 - r->first};
  return row;
}

// Appends a row of n tokens, its ids and labels to be filled in.
static DataRow *add_row(RowReader *r, int64_t n) {
  DataRow *row = new_row(r);
  row->ids = rt_alloc((size_t)n, sizeof(int32_t)), row->labels = rt_alloc((size_t)n, sizeof(int32_t)), row->n = n;
  return row;
}

static bool check_id(const RowReader *r, const char *key, int64_t id) {
  if (id >= 0 && id < r->o->vocab) return true;
  return rt_fail(r->e, "%s:%lld: \"%s\": the token id %lld is not below the model's vocabulary size %lld", r->path, (long long)r->line, key,
                 (long long)id, (long long)r->o->vocab);
}

static bool check_ids(const RowReader *r, const char *key, const int32_t *ids, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!check_id(r, key, ids[i])) return false;
  return true;
}

static bool follows(const RowReader *r) { return r->o->streams && r->o->streams->n > 1; }

// Encodes a string member; the tokenizer's errors get the place in the file. spans is filled where streams follow, else NULL.
static int64_t encode(const RowReader *r, const char *key, const json_t *text, bool continuation, int32_t **ids, TokSpan **spans) {
  RtError why;
  *spans = NULL;
  int64_t n = tokenizer_encode(r->o->tok, json_string_value(text), json_string_length(text), continuation, ids, follows(r) ? spans : NULL, &why);
  if (n < 0) return rt_fail(r->e, "%s:%lld: \"%s\": %s", r->path, (long long)r->line, key, why.text), -1;
  if (check_ids(r, key, *ids, n)) return n;
  rt_free(*ids), rt_free(*spans);
  return -1;
}

bool row_at_line(const RowReader *r, const RtError *why) {
  return rt_fail_about(r->e, why->about, "%s:%lld: %s", r->path, (long long)r->line, why->text);
}

// Special tokens, which say nothing.
static bool follow_silent(Follow *f, const int32_t *ids, int64_t n, RtError *e) {
  for (int64_t i = 0; i < n; i++)
    if (!follow_token(f, ids[i], "", 0, e)) return false;
  return true;
}

static CutRules cut_rules(const RowReader *r) { return (CutRules){.streams = r->o->streams, .context = r->o->context, .too_long = r->o->too_long}; }

// The row added last, after what the context of a stream did to it.
static void count_cut(RowReader *r, DataRow *row, int by, bool out, bool cut) {
  DataLimit *l = &r->data->limit[by];
  l->out += out, l->cut += cut;
  if (row->follow) follow_seal(row->follow);
  if (out) data_row_free(row), r->data->n--;
}

// A row to what fits the contexts; c has its tokens. Errors get the place in the file.
static bool cut_to_fit(RowReader *r, DataRow *row, const CutRow *c) {
  RtError why;
  CutDone done;
  const CutRules rules = cut_rules(r);
  if (!cut_row(&rules, c, &done, &why)) return row_at_line(r, &why);
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
static bool follow_window(RowReader *r, const Windows *w, DataRow *row, int64_t at, int64_t k, int *by) {
  RtError why;
  size_t begin = at && at <= w->of_text ? (size_t)w->span[at - 1].end : 0, end = w->len;
  int64_t words = at + k < w->of_text ? k : at < w->of_text ? w->of_text - at : 0, to = at + words;
  if (to < w->of_text) end = (size_t)(w->span[to - 1].end < w->span[to].begin ? w->span[to - 1].end : w->span[to].begin);
  Follow *f = row->follow = follow_new(r->o->streams, at > 0);
  if (!own_begin(f, r->own, &why) || !follow_prompt_end(f, &why) || !follow_silent(f, w->prefix, w->np, &why) ||
      !follow_encoded(f, r->o->tok, w->ids + at, w->span + at, words, w->text, begin, end, &why) ||
      !follow_silent(f, w->ids + at + words, k - words, &why)) return row_at_line(r, &why);
  follow_seal(f);
  row->n = follow_fits(f);
  if (row->n < w->np + k) *by = follow_limit(f, row->n);
  return row->n > w->np || rt_fail(r->e, "%s:%lld: %s's context is full before the text begins", r->path, (long long)r->line, streams_narrow(r->o->streams, *by));
}

// Where texts of their own do not fit streams' contexts no window of the row does: an error, or, where rows that are too long are left out, *out.
static bool own_fits(RowReader *r, bool *out) {
  RtError why;
  Follow *f = r->own ? follow_new(r->o->streams, false) : NULL;
  int by = 0;
  bool ok = !f || own_begin(f, r->own, &why);
  if (ok && f) by = cut_own_over(f);
  *out = by && r->o->too_long == TOO_LONG_skip;
  if (*out) r->data->limit[by].out++;
  else if (by) ok = cut_refuse_own(f, by, &why);
  follow_free(f);
  return ok || row_at_line(r, &why);
}

static bool read_windows(RowReader *r, const Windows *w) {
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

bool row_of_text(RowReader *r, const json_t *text) {
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
static bool follow_part(const RowReader *r, Follow *f, const Part *p, int64_t at, RtError *e) {
  return follow_encoded(f, r->o->tok, p->ids + at, p->span + at, p->n - at, json_string_value(p->text), at ? (size_t)p->span[at - 1].end : 0,
                        json_string_length(p->text), e);
}

typedef struct Pair {
  const RowReader *r;
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

bool row_of_pair(RowReader *r, const json_t *prompt, const json_t *completion) {
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

bool row_of_chat(RowReader *r, const json_t *obj) {
  RtError why;
  Conversation c;
  if (!conversation_read(&c, obj, false, &why)) return row_at_line(r, &why);
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
  const RowReader *r;
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

static bool cut_numbers(RowReader *r, DataRow *row) {
  Numbers x = {.r = r, .row = row, .keep = cut_keep(r->o->tok, r->o->ends ? r->o->ends->bos : -1, row->ids, row->n)};
  while (x.prompt < row->n && row->labels[x.prompt] == -100) x.prompt++;
  if (x.keep > x.prompt) x.keep = x.prompt;
  return cut_to_fit(r, row, &(CutRow){.what = "row", .n = row->n, .keep = x.keep, .prompt = x.prompt, .follow = follows(r) ? follow_numbers : NULL, .user = &x});
}

bool row_of_ids(RowReader *r, const json_t *ids, const json_t *labels) {
  int64_t n = (int64_t)json_array_size(ids);
  if (r->o->only_text)
    return rt_fail(r->e, "%s:%lld: \"input_ids\" are not %s's, which has another tokenizer than the anchor; expected text", r->path, (long long)r->line, r->o->only_text);
  if (!json_is_array(ids)) return row_expected(r, "input_ids", "an array of token ids", ids);
  if (!json_is_array(labels)) return row_expected(r, "labels", "an array of token ids or -100, beside \"input_ids\"", labels);
  if ((int64_t)json_array_size(labels) != n)
    return rt_fail(r->e, "%s:%lld: \"labels\" has %zu, \"input_ids\" %lld numbers", r->path, (long long)r->line, json_array_size(labels), (long long)n);
  if (n == 0) return rt_fail(r->e, "%s:%lld: \"input_ids\" is empty", r->path, (long long)r->line);
  DataRow *row = add_row(r, n);
  row->numbers = true;
  for (int64_t i = 0; i < n; i++) {
    const json_t *id = json_array_get(ids, (size_t)i), *label = json_array_get(labels, (size_t)i);
    if (!json_is_integer(id)) return row_expected(r, "input_ids", "token ids", id);
    if (!json_is_integer(label)) return row_expected(r, "labels", "token ids or -100", label);
    if (!check_id(r, "input_ids", json_integer_value(id))) return false;
    if (json_integer_value(label) != -100 && !check_id(r, "labels", json_integer_value(label))) return false;
    row->ids[i] = (int32_t)json_integer_value(id);
    row->labels[i] = (int32_t)json_integer_value(label);
  }
  if (r->o->form) return true;
  return cut_numbers(r, row);
}
