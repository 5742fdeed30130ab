// See models.h.
#include "runtime/rows/models.h"

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static void set_dirs(Models *m, const ModelPlace *place, int n) {
  const Prog *p = m->prog;
  m->dir = rt_alloc((size_t)p->nmodel, sizeof *m->dir);
  m->tokfile = rt_alloc((size_t)p->nmodel, sizeof *m->tokfile);
  for (int i = 0; i < p->nmodel; i++) m->dir[i] = p->model[i].dir, m->tokfile[i] = p->model[i].tokenizer ? rt_strdup(p->model[i].tokenizer) : NULL;
  for (int k = 0; k < n; k++) {
    int i = place[k].model;
    m->dir[i] = place[k].dir;
    char *tok = file_join(place[k].dir, "tokenizer.json");
    if (file_is_there(tok)) {
      rt_free(m->tokfile[i]);
      m->tokfile[i] = tok;
    } else {
      rt_free(tok);
    }
  }
}

// ---- token streams

// *k: the stream that model i reads, which may be a new one; *shared: with the anchor's ids.
static bool find_stream(const Models *m, int i, int *k, bool *shared, RtError *e) {
  const Prog *p = m->prog;
  const char *anchor = m->tokfile[p->anchor], *mine = m->tokfile[i];
  *shared = true;
  if (mine && anchor && !tokenizer_same(mine, anchor, shared, e)) return false;
  if (*shared && !p->model[i].prompt_only) return *k = 0, true;
  for (*k = 1; *k < m->streams.n; ++*k) {
    const Stream *s = &m->streams.s[*k];
    bool same = *shared && !s->tok;
    if (!*shared && s->tok && !tokenizer_same(mine, m->tokfile[prog_model(p, s->model)], &same, e)) return false;
    if (same && s->prompt_only == p->model[i].prompt_only) return true;
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
    *s = (Stream){.model = pm->name, .prompt_only = pm->prompt_only, .context = INT32_MAX, .vocab = INT32_MAX};
    if (!shared && !(s->tok = tokenizer_open(m->tokfile[i], e))) return false;
    if (s->tok) s->rule = settler_new(s->tok);
    m->streams.n++;
  }
  m->streams.of[i] = k;
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

static bool open_tokenizers(Models *m, RtError *e) {
  const Prog *p = m->prog;
  int a = p->anchor;
  m->streams.s = rt_alloc((size_t)p->nmodel + 1, sizeof *m->streams.s);
  m->streams.of = rt_alloc((size_t)p->nmodel, sizeof *m->streams.of);
  m->streams.n = 1;
  m->streams.s[0] = (Stream){.model = p->model[a].name, .context = INT32_MAX, .vocab = INT32_MAX};
  for (int i = 0; i < p->nmodel; i++)
    if (!choose_stream(m, i, e)) return false;
  for (int k = 1; k < m->streams.n; k++) {         // ids that are the anchor's own
    Stream *s = &m->streams.s[k];
    if (!check_prefix(s, e)) return false;
    if (!s->tok && s->vocab < m->streams.s[0].vocab) m->streams.s[0].vocab = s->vocab;
  }
  m->context = m->streams.s[0].context, m->vocab = m->streams.s[0].vocab;
  m->hf = hfdir_from(m->dir[a], p->model[a].config, m->tokfile[a], e);
  if (!m->hf || (m->tokfile[a] && !(m->tok = tokenizer_open(m->tokfile[a], e)))) return false;
  text_ends_read(&m->ends, m->hf, m->tok);
  return true;
}

Models *models_open(const Prog *p, const ModelPlace *place, int n, RtError *e) {
  Models *m = rt_alloc(1, sizeof *m);
  m->prog = p;
  set_dirs(m, place, n);
  if (open_tokenizers(m, e)) return m;
  models_close(m);
  return NULL;
}

void models_close(Models *m) {
  if (!m) return;
  if (m->tok) tokenizer_free(m->tok);
  if (m->hf) hfdir_free(m->hf);
  text_ends_free(&m->ends);
  streams_free(&m->streams);
  for (int i = 0; m->tokfile && i < m->prog->nmodel; i++) rt_free(m->tokfile[i]);
  rt_free(m->dir), rt_free(m->tokfile);
  rt_free(m);
}
