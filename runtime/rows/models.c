// See models.h.
#include "runtime/rows/models.h"

#include <stdio.h>
#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/packed.h"

static void set_dirs(Models *m, const ModelPlace *place, int n) {
  const Prog *p = m->prog;
  m->dir = rt_alloc((size_t)p->nmodel, sizeof *m->dir);
  m->tokfile = rt_alloc((size_t)p->nmodel, sizeof *m->tokfile);
  for (int i = 0; i < p->nmodel; i++) m->dir[i] = p->model[i].dir, m->tokfile[i] = p->model[i].tokenizer ? rt_strdup(p->model[i].tokenizer) : NULL;
  for (int k = 0; k < n; k++) {
    int i = place[k].model;
    m->dir[i] = place[k].dir;
    RtError none;
    char *tok;
    if (!hf_tokenizer(place[k].dir, &tok, &none) || !tok) continue;      // the one that was compiled for stays
    rt_free(m->tokfile[i]);
    m->tokfile[i] = tok;
  }
}

// ---- is what lies there the model that was compiled?

// What differs between a config.json and the one that the program was compiled for, of the keys that count.
enum { NONE, OTHER, SIZE, WIDTH };
typedef struct Differs {
  const ProgModel *model;
  int keys, worst;
  char told[400];              // of the worst
} Differs;

static void differing(Differs *d, const json_t *was, const json_t *is) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)was, key, v) {
    const json_t *now = json_object_get(is, key);
    if (!now || inert_key(key) || json_equal(v, now)) continue;
    if (json_is_object(v) && json_is_object(now)) {
      differing(d, v, now);
      continue;
    }
    bool size = json_is_integer(v) && json_is_integer(now);
    if (!size && json_is_number(v) && json_is_number(now) && (float)json_number_value(v) == (float)json_number_value(now)) continue;       // a writer of 15 digits
    int kind = !size ? OTHER : json_integer_value(v) == d->model->width ? WIDTH : SIZE;
    d->keys++;
    if (kind <= d->worst) continue;
    size_t how = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12);
    char *found = json_dumps(now, how), *want = json_dumps(v, how);
    snprintf(d->told, sizeof d->told, "%s\"%.60s\" is %.80s, and the program was compiled for %.80s", kind == WIDTH ? "another width: " : "", key, found,
             want);
    rt_free(found), rt_free(want);
    d->worst = kind;
  }
}

// A size that differs is another model; of anything else that may change what is computed a program can only say that it goes by its own.
static bool check_model(const ProgModel *pm, const char *dir, RtError *e) {
  char *path = file_join(dir, "config.json");
  bool there = file_is_there(path);
  json_t *now = there ? rtj_object_file(path, 0, e) : NULL;
  Differs d = {.model = pm};
  bool ok = now || !there;
  char more[40] = "";
  if (now) differing(&d, pm->config, now);
  if (d.keys > 1) snprintf(more, sizeof more, " (%d other key%s differ%s)", d.keys - 1, plural(d.keys - 1), d.keys == 2 ? "s" : "");
  if (d.worst >= SIZE) ok = rt_fail_about(e, RT_ABOUT_MODEL_DIR, "model %s: %s: %s%s", pm->name, path, d.told, more);
  else if (d.worst) rt_warn("model %s: %s: %s%s: it computes as it was compiled", pm->name, path, d.told, more);
  json_decref(now), rt_free(path);
  return ok;
}

static bool check_models(const Models *m, RtError *e) {
  for (int i = 0; i < m->prog->nmodel; i++)
    if (m->dir[i] && !check_model(&m->prog->model[i], m->dir[i], e)) return false;
  return true;
}

// ---- token streams

// Whether two models have the same tokenizer; a model without one takes the other's ids.
static bool same_tokenizer(const Models *m, int i, int j, bool *same, RtError *e) {
  if (m->pack) return *same = packed_tokenizer(m->pack, i) == packed_tokenizer(m->pack, j), true;
  *same = true;
  return !m->tokfile[i] || !m->tokfile[j] || tokenizer_same(m->tokfile[i], m->tokfile[j], same, e);
}

bool models_other_tokenizer(const Models *m, int i) {
  RtError ignored;
  bool same;
  return !same_tokenizer(m, i, m->prog->anchor, &same, &ignored) || !same;
}

static Tokenizer *open_tokenizer(const Models *m, int i, RtError *e) {
  return m->pack ? packed_open(m->pack, i, m->tokfile[i], e) : tokenizer_open(m->tokfile[i], e);
}

static bool has_tokenizer(const Models *m, int i) { return m->pack ? packed_tokenizer(m->pack, i) >= 0 : m->tokfile[i] != NULL; }

static ChatSource source_of(const Models *m, int i) {
  return (ChatSource){.pack = m->pack, .model = i, .tokfile = m->tokfile[i], .file = i == m->prog->anchor ? m->template : NULL};
}

// Whether two models read conversations alike, where that matters; without a tokenizer a model reads what the other does.
static bool alike(const Models *m, int i, int j) {
  const ChatSource a = source_of(m, i), b = source_of(m, j);
  return !m->talks || i == j || !has_tokenizer(m, i) || !has_tokenizer(m, j) || chat_same(&a, &b);
}

// Whether a stream reads of a row what a model does. Tokens that are the anchor's end where the anchor's do.
static bool reads_alike(const Stream *s, Reads reads, bool shared) {
  return s->reads == reads || (shared && s->reads != READS_PROMPT && reads != READS_PROMPT);
}

// *k: the stream that model i reads, which may be a new one; *shared: with the anchor's ids.
static bool find_stream(const Models *m, int i, int *k, bool *shared, RtError *e) {
  const Prog *p = m->prog;
  *shared = false;
  for (*k = 1; m->silent[i] && *k < m->streams.n; ++*k)
    if (m->streams.s[*k].silent) return true;
  if (m->silent[i]) return true;
  if (!same_tokenizer(m, i, p->anchor, shared, e)) return false;
  if (*shared && p->model[i].reads != READS_PROMPT && (!m->apart || !m->tok || i == p->anchor) && alike(m, i, p->anchor)) return *k = 0, true;
  for (*k = 1; *k < m->streams.n; ++*k) {
    const Stream *s = &m->streams.s[*k];
    if (s->silent) continue;
    bool same = *shared && (!s->tok || s->shares);
    if (!*shared && s->tok && !s->shares && !same_tokenizer(m, i, prog_model(p, s->model), &same, e)) return false;
    if (same && reads_alike(s, p->model[i].reads, *shared) && !m->apart && alike(m, i, prog_model(p, s->model))) return true;
  }
  return true;
}

static bool choose_stream(Models *m, int i, RtError *e) {
  const ProgModel *pm = &m->prog->model[i];
  int k;
  bool shared;
  if (!find_stream(m, i, &k, &shared, e)) return false;
  Stream *s = &m->streams.s[k];
  if (k == m->streams.n) {
    *s = (Stream){.model = pm->name, .reads = pm->reads, .context = INT32_MAX, .vocab = INT32_MAX, .silent = m->silent[i]};
    s->renders = shared && m->tok && !alike(m, i, m->prog->anchor);
    s->shares = shared && m->tok && (m->apart || s->renders);
    if (!shared && !s->silent && !(s->tok = open_tokenizer(m, i, e))) return false;
    if (s->shares) s->tok = tokenizer_share(m->tok);
    if (s->tok) s->rule = settler_new(s->tok);
    m->streams.n++;
  }
  m->streams.of[i] = k;
  if (s->silent) return true;
  if (pm->context > 0 && pm->context < s->context) s->context = pm->context, s->narrow = pm->name;
  if (pm->vocab > 0 && pm->vocab < s->vocab) s->vocab = pm->vocab;
  return true;
}

// What a following stream begins with, whatever the text.
static bool check_prefix(const Stream *s, RtError *e) {
  const int32_t *ids;
  int n = s->tok ? tokenizer_prefix(s->tok, &ids) : 0;
  for (int i = 0; i < n; i++)
    if (ids[i] >= s->vocab)
      return rt_fail(e, "the tokenizer of model %s begins every text with id %d; the model knows ids below %lld", s->model, (int)ids[i],
                     (long long)s->vocab);
  if (n <= s->context) return true;
  return rt_fail(e, "the tokenizer of model %s begins every text with %d token%s; the context of the model holds %lld", s->model, n, plural(n),
                 (long long)s->context);
}

static bool open_streams(Models *m, RtError *e) {
  const Prog *p = m->prog;
  int a = p->anchor;
  m->streams.s = rt_alloc((size_t)p->nmodel + 1, sizeof *m->streams.s);
  m->streams.of = rt_alloc((size_t)p->nmodel, sizeof *m->streams.of);
  m->streams.n = 1, m->streams.name = m->name, m->streams.models = p->nmodel, m->streams.anchor = a;
  m->streams.s[0] = (Stream){.model = p->model[a].name, .context = INT32_MAX, .vocab = INT32_MAX};
  for (int i = 0; i < p->nmodel; i++)
    if (!choose_stream(m, i, e)) return false;
  for (int k = 1; k < m->streams.n; k++) {         // ids that are the anchor's own
    Stream *s = &m->streams.s[k];
    if (!check_prefix(s, e)) return false;
    if ((!s->tok || s->shares) && s->vocab < m->streams.s[0].vocab) m->streams.s[0].vocab = s->vocab;
  }
  m->context = m->streams.s[0].context, m->vocab = m->streams.s[0].vocab;
  return true;
}

static bool open_tokenizers(Models *m, RtError *e) {
  m->name = rt_alloc((size_t)m->prog->nmodel, sizeof *m->name);
  for (int i = 0; i < m->prog->nmodel; i++) m->name[i] = m->prog->model[i].name;
  return open_streams(m, e) && (!has_tokenizer(m, m->prog->anchor) || (m->tok = open_tokenizer(m, m->prog->anchor, e)));
}

static bool read_ends(Models *m, RtError *e) {
  int a = m->prog->anchor;
  if (m->pack) return packed_ends(m->pack, &m->ends, e) && packed_generation(m->pack, &m->generation, &m->how, e);
  HfDir *hf = hfdir_from(m->dir[a], m->prog->model[a].config, m->dir[a] ? "config.json" : "the spec", m->tokfile[a], e);
  if (!hf) return false;
  text_ends_read(&m->ends, hf, m->tok);
  m->how = hf->how, m->generation = json_incref(hf->generation);
  hfdir_free(hf);
  return true;
}

// ---- chat templates

static void start_chat(Models *m, int k) {
  const ChatSource from = source_of(m, k ? prog_model(m->prog, m->streams.s[k].model) : m->prog->anchor);
  chat_start(&m->chat[k], &from, k ? m->streams.s[k].tok : m->tok);
  m->streams.s[k].chat = &m->chat[k];
}

static void start_chats(Models *m) {
  m->chat = rt_alloc((size_t)m->streams.n, sizeof *m->chat);
  for (int k = 0; k < m->streams.n; k++) start_chat(m, k);
}

bool models_chat_template(Models *m, const char *path, RtError *e) {
  chat_close(&m->chat[0]);
  m->template = path;
  start_chat(m, 0);
  return chat_ready(&m->chat[0], e);
}

static void close_streams(Models *m) {
  for (int k = 0; m->chat && k < m->streams.n; k++) chat_close(&m->chat[k]);
  rt_free(m->chat);
  m->chat = NULL;
  streams_free(&m->streams);
}

bool models_part(Models *m, bool own, bool talk, RtError *e) {
  close_streams(m);
  m->apart |= own, m->talks |= talk;
  if (!open_streams(m, e)) return false;
  start_chats(m);
  return true;
}

bool models_set_date(Models *m, int64_t date, RtError *e) {
  struct tm day = {.tm_year = (int)(date / 10000) - 1900, .tm_mon = (int)(date / 100 % 100) - 1, .tm_mday = (int)(date % 100), .tm_hour = 12, .tm_isdst = -1}, is = day;
  if (mktime(&is) == -1 || is.tm_mon != day.tm_mon || is.tm_mday != day.tm_mday) return rt_fail(e, "%lld: expected a day, YYYYMMDD", (long long)date);
  m->date = is;
  return true;
}

int64_t models_date(const Models *m) { return (m->date.tm_year + 1900) * 10000LL + (m->date.tm_mon + 1) * 100 + m->date.tm_mday; }

Models *models_open(const Prog *p, const ModelPlace *place, int n, const PackFile *pack, const bool *silent, RtError *e) {
  Models *m = rt_alloc(1, sizeof *m);
  m->prog = p, m->pack = pack;
  m->silent = rt_alloc((size_t)p->nmodel, sizeof *m->silent);
  for (int i = 0; silent && i < p->nmodel; i++) m->silent[i] = silent[i];
  set_dirs(m, place, n);
  if ((pack ? packed_check(pack, p->nmodel, e) : check_models(m, e)) && open_tokenizers(m, e) && read_ends(m, e)) {
    time_t now = time(NULL);
    localtime_r(&now, &m->date);
    start_chats(m);
    return m;
  }
  models_close(m);
  return NULL;
}

void models_close(Models *m) {
  if (!m) return;
  text_ends_free(&m->ends), json_decref(m->generation);
  close_streams(m);                                // some have shares of the anchor's tokenizer
  if (m->tok) tokenizer_free(m->tok);
  for (int i = 0; m->tokfile && i < m->prog->nmodel; i++) rt_free(m->tokfile[i]);
  rt_free(m->dir), rt_free(m->tokfile), rt_free(m->name), rt_free(m->silent);
  rt_free(m);
}

// ---- into a pack file

static const Tokenizer *tokenizer_of(const Models *m, int i) {
  const Stream *s = &m->streams.s[m->streams.of[i]];
  return s->tok ? s->tok : m->tok;
}

// The first model before i that has i's tokenizer; -1: none has.
static bool earlier(const Models *m, int i, int *found, RtError *e) {
  *found = -1;
  for (int j = 0; *found < 0 && j < i; j++) {
    bool same = tokenizer_of(m, i) == tokenizer_of(m, j);
    if (!same && !same_tokenizer(m, i, j, &same, e)) return false;
    if (same) *found = j;
  }
  return true;
}

bool models_pack(const Models *m, PackOut *o, json_t *about, RtError *e) {
  json_t *of = json_array();
  int made = 0;
  bool ok = true;
  for (int i = 0; ok && i < m->prog->nmodel; i++) {
    const Tokenizer *t = tokenizer_of(m, i);
    int j;
    ok = earlier(m, i, &j, e);
    if (!ok) break;
    if (t && j < 0) ok = packed_put_tokenizer(o, t, made, e);
    json_array_append_new(of, !t ? json_integer(-1) : j >= 0 ? json_incref(json_array_get(of, (size_t)j)) : json_integer(made++));
  }
  json_t *chat = json_array();
  for (int i = 0; ok && i < m->prog->nmodel; i++) {
    const ChatSource from = source_of(m, i);
    HfChat hf = {0};
    if ((ok = chat_read(&from, &hf, e))) json_array_append_new(chat, packed_chat_json(&hf));
    hfchat_free(&hf);
  }
  json_object_set_new(about, "chat", chat);
  json_object_set_new(about, "tokenizers", of);
  json_object_set_new(about, "ends", packed_ends_json(&m->ends));
  if (m->generation) json_object_set(about, "generation", m->generation);
  return ok;
}
