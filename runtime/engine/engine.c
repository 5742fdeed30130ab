// Opening a program and running its entries.
#include "runtime/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/machine/isa.h"

Prog *prog_open(void) { return prog_parse(calm_program_json, (size_t)calm_program_json_len); }

static bool set_dirs(Engine *en, const char *const *overrides, int n, RtError *e) {
  const Prog *p = en->prog;
  en->dir = rt_alloc((size_t)p->nmodel, sizeof *en->dir);
  en->tokfile = rt_alloc((size_t)p->nmodel, sizeof *en->tokfile);
  for (int i = 0; i < p->nmodel; i++) en->dir[i] = p->model[i].dir, en->tokfile[i] = p->model[i].tokenizer ? rt_strdup(p->model[i].tokenizer) : NULL;
  for (int k = 0; k < n; k++) {
    const char *eq = strchr(overrides[k], '=');
    char *name = eq ? rt_strndup(overrides[k], (size_t)(eq - overrides[k])) : NULL;
    int i = eq ? prog_model(p, name) : -1;
    rt_free(name);
    if (!eq) return rt_fail(e, "--model %s: expected NAME=DIR", overrides[k]);
    if (i < 0) return rt_fail(e, "--model %s: this program has no model of that name (see info)", overrides[k]);
    if (!p->model[i].dir) return rt_fail(e, "--model %s: %s is made from nothing and has no directory", overrides[k],
                                         p->model[i].name);
    en->dir[i] = eq + 1;
    char *tok = file_join(eq + 1, "tokenizer.json");
    if (file_is_regular(tok)) {
      rt_free(en->tokfile[i]);
      en->tokfile[i] = tok;
    } else {
      rt_free(tok);
    }
  }
  return true;
}

// ---- token streams

// *k: the stream that model i reads, which may be a new one; *shared: with the anchor's ids.
static bool find_stream(const Engine *en, int i, int *k, bool *shared, RtError *e) {
  const Prog *p = en->prog;
  const char *anchor = en->tokfile[p->anchor], *mine = en->tokfile[i];
  *shared = true;
  if (mine && anchor && !tokenizer_same(mine, anchor, shared, e)) return false;
  if (*shared && !p->model[i].prompt_only) return *k = 0, true;
  for (*k = 1; *k < en->streams.n; ++*k) {
    const Stream *s = &en->streams.s[*k];
    bool same = *shared && !s->tok;
    if (!*shared && s->tok && !tokenizer_same(mine, en->tokfile[prog_model(p, s->model)], &same, e)) return false;
    if (same && s->prompt_only == p->model[i].prompt_only) return true;
  }
  return true;
}

static bool choose_stream(Engine *en, int i, RtError *e) {
  const ProgModel *m = &en->prog->model[i];
  int k;
  bool shared;
  if (!find_stream(en, i, &k, &shared, e)) return false;
  Stream *s = &en->streams.s[k];
  if (k == en->streams.n) {
    *s = (Stream){.model = m->name, .prompt_only = m->prompt_only, .context = INT32_MAX, .vocab = INT32_MAX};
    if (!shared && !(s->tok = tokenizer_open(en->tokfile[i], e))) return false;
    if (s->tok) s->rule = settler_new(s->tok);
    en->streams.n++;
  }
  en->streams.of[i] = k;
  if (m->context > 0 && m->context < s->context) s->context = m->context;
  if (m->vocab > 0 && m->vocab < s->vocab) s->vocab = m->vocab;
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
  return rt_fail(e, "the tokenizer of model %s begins every text with %d tokens; the context of the model holds %lld", s->model, n,
                 (long long)s->context);
}

static bool open_tokenizers(Engine *en, RtError *e) {
  const Prog *p = en->prog;
  int a = p->anchor;
  en->streams.s = rt_alloc((size_t)p->nmodel + 1, sizeof *en->streams.s);
  en->streams.of = rt_alloc((size_t)p->nmodel, sizeof *en->streams.of);
  en->streams.n = 1;
  en->streams.s[0] = (Stream){.model = p->model[a].name, .context = INT32_MAX, .vocab = INT32_MAX};
  for (int i = 0; i < p->nmodel; i++)
    if (!choose_stream(en, i, e)) return false;
  for (int k = 1; k < en->streams.n; k++) {         // ids that are the anchor's own
    Stream *s = &en->streams.s[k];
    if (!check_prefix(s, e)) return false;
    if (!s->tok && s->vocab < en->streams.s[0].vocab) en->streams.s[0].vocab = s->vocab;
  }
  en->context = en->streams.s[0].context, en->vocab = en->streams.s[0].vocab;
  en->slot_rows = rt_alloc((size_t)en->streams.n, sizeof *en->slot_rows);
  en->hf = hfdir_from(en->dir[a], p->model[a].config, en->tokfile[a], e);
  if (!en->hf) return false;
  return !en->tokfile[a] || (en->tok = tokenizer_open(en->tokfile[a], e));
}

Engine *engine_open(const char *const *overrides, int n, int threads, RtError *e) {
  Engine *en = rt_alloc(1, sizeof *en);
  Prog *p = en->prog = prog_open();
  int path = isa_choose(calm_isas, calm_isa_count, getenv("CALM_ISA"), e);
  if (threads == 0 && path >= 0 && (threads = pool_default_threads()) == 0) {
    rt_fail(e, "CALM_THREADS=%s: expected a number from 1 to 1024", getenv("CALM_THREADS"));
    path = -1;
  }
  if (path < 0 || !set_dirs(en, overrides, n, e) || !open_tokenizers(en, e)) {
    engine_close(en);
    return NULL;
  }
  en->isa = &calm_isas[path];
  en->pool = pool_new(threads, (size_t)calm_scratch_bytes);
  en->weights = rt_alloc((size_t)p->nmodel, sizeof *en->weights);
  en->buf = rt_alloc((size_t)p->nbuf, sizeof *en->buf);
  en->sym = rt_alloc((size_t)p->nsym, sizeof *en->sym);
  en->arranged = rt_alloc((size_t)(p->nentry * (p->nsym + 1)), sizeof *en->arranged);
  en->start = rt_alloc((size_t)p->nsym + 1, sizeof *en->start);
  en->tokens = rt_alloc((size_t)p->nentry, sizeof *en->tokens);
  en->rows = rt_alloc((size_t)p->nentry, sizeof *en->rows);
  const struct { int *at; const char *name; } ENTRY[] = {
      {&en->e_train, "train"}, {&en->e_loss, "loss"}, {&en->e_step, "step"}, {&en->e_score, "score"}, {&en->e_probe, "probe"},
      {&en->e_norm, "norm"}, {&en->e_update, "update"}, {&en->e_prepare, "prepare"}, {&en->e_init, "init"}};
  for (size_t i = 0; i < sizeof ENTRY / sizeof ENTRY[0]; i++) *ENTRY[i].at = prog_entry(p, ENTRY[i].name);
  return en;
}

void engine_close(Engine *en) {
  if (!en) return;
  pool_free(en->pool);
  blas_close(en->blas);
  for (int i = 0; en->weights && i < en->prog->nmodel; i++)
    if (en->weights[i]) st_close(en->weights[i]);
  for (int i = 0; en->buf && i < en->prog->nbuf; i++)
    if (en->prog->buf[i].kind == PB_INPUT && !strncmp(en->prog->buf[i].name, "adamw.", 6)) rt_free(en->buf[i]);
  region_free(&en->flat), region_free(&en->packed), region_free(&en->arena), region_free(&en->cache),
      region_free(&en->consts);
  if (en->tok) tokenizer_free(en->tok);
  if (en->hf) hfdir_free(en->hf);
  streams_free(&en->streams);
  rt_free(en->weights), rt_free(en->buf), rt_free(en->sym), rt_free(en->arranged), rt_free(en->start), rt_free(en->tokens), rt_free(en->rows), rt_free(en->slot_rows);
  for (int i = 0; en->tokfile && i < en->prog->nmodel; i++) rt_free(en->tokfile[i]);
  rt_free(en->dir), rt_free(en->tokfile);
  prog_close(en->prog);
  rt_free(en);
}

// "ids.base": the tokens model base reads; "rows": of the anchor.
static void *step_input(const Engine *en, const Step *s, const char *name) {
  size_t n = strcspn(name, ".");
  int model = name[n] ? prog_model(en->prog, name + n + 1) : en->prog->anchor;
  if (model < 0) return NULL;
  const StepStream *t = &s->stream[en->streams.of[model]];
  const struct { const char *name; void *at; } IN[] = {{"ids", t->ids}, {"pos", t->pos}, {"slots", t->slots}, {"rows", s->rows},
                                                       {"labels", s->labels}, {"gscale", s->gscale}};
  for (size_t i = 0; i < sizeof IN / sizeof IN[0]; i++)
    if (strlen(IN[i].name) == n && !strncmp(name, IN[i].name, n)) return IN[i].at;
  return NULL;
}

static void bind_step(Engine *en, int entry, Step *s) {
  const Prog *p = en->prog;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind == PB_MASK) {
      const ProgSym *q = &p->sym[b->mask[0]], *k = &p->sym[b->mask[1]];
      MaskKey key = {.q = en->streams.of[q->model], .k = en->streams.of[k->model], .rows = !strcmp(q->kind, "rows"),
                     .cache = !strcmp(k->kind, "cache"), .window = b->mask[2]};
      if (key.cache != (entry == en->e_step)) continue;       // only stepping looks at cached keys
      en->buf[i] = (void *)(uintptr_t)step_mask(s, key);
    } else if (b->kind == PB_INPUT) {
      void *at = step_input(en, s, b->name);
      if (at) en->buf[i] = at;
    }
  }
}

// Extents of a symbol in a step.
static int64_t extent(const Engine *en, const ProgSym *sym, const Step *s) {
  int stream = sym->model < 0 ? 0 : en->streams.of[sym->model];
  if (!strcmp(sym->kind, "tokens")) return s ? s->stream[stream].ntok : 0;
  if (!strcmp(sym->kind, "rows")) return s ? s->nrow : 0;
  return !strcmp(sym->kind, "cache") ? en->slots * en->slot_rows[stream] : en->prog->theta / 1024;
}

static void check_room(const Engine *en, int entry, const Step *s) {
  bool fits = s->nrow <= en->rows[entry];
  for (int k = 0; k < s->nstream; k++) fits = fits && s->stream[k].ntok <= en->tokens[entry];
  if (fits) return;
  fprintf(stderr, "calm: bug: entry %s: a step of %lld rows has no room (%lld tokens, %lld rows)\n", en->prog->entry[entry].name,
          (long long)s->nrow, (long long)en->tokens[entry], (long long)en->rows[entry]);
  abort();
}

void engine_run(Engine *en, int entry, Step *s) {
  if (entry < 0) return;
  const Prog *p = en->prog;
  if (s) {
    check_room(en, entry, s);
    bind_step(en, entry, s);
  }
  for (int i = 0; i < p->nsym; i++) en->sym[i] = extent(en, &p->sym[i], s);
  engine_arrange(en, entry);
  RtCtx ctx = {.buf = en->buf, .sym = en->sym, .kernel = en->isa->kernel, .pool = en->pool};
  calm_entries[entry](&ctx);
}

void engine_bind(Engine *en, const char *name, void *data) {
  for (int i = 0; i < en->prog->nbuf; i++)
    if (en->prog->buf[i].kind == PB_INPUT && !strcmp(en->prog->buf[i].name, name)) en->buf[i] = data;
}

float *engine_output(Engine *en, int entry, const char *name) {
  int b = prog_output(en->prog, entry, name);
  return b < 0 ? NULL : en->buf[b];
}

void engine_scalar(Engine *en, const char *name, float value) {
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != PB_INPUT || strcmp(b->name, name)) continue;
    if (!en->buf[i]) en->buf[i] = rt_alloc(16, sizeof(float));
    *(float *)en->buf[i] = value;
  }
}
