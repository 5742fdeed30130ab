// Opening a program and running its entries. A tokenizer is shared by all models of a program for now: another one in
// an augmenting model needs the byte-span masks of DESIGN section 4 and is refused by name.
#include "runtime/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/isa.h"
#include "runtime/json.h"
#include "runtime/sha256.h"

Prog *prog_open(void) { return prog_parse(calm_program_json, (size_t)calm_program_json_len); }

static bool set_dirs(Engine *en, const char *const *overrides, int n, RtError *e) {
  const Prog *p = en->prog;
  en->dir = rt_alloc((size_t)p->nmodel, sizeof *en->dir);
  en->tokfile = rt_alloc((size_t)p->nmodel, sizeof *en->tokfile);
  for (int i = 0; i < p->nmodel; i++) en->dir[i] = p->model[i].dir, en->tokfile[i] = p->model[i].tokenizer;
  for (int k = 0; k < n; k++) {
    const char *eq = strchr(overrides[k], '=');
    char *name = eq ? rt_strndup(overrides[k], (size_t)(eq - overrides[k])) : NULL;
    int i = eq ? prog_model(p, name) : -1;
    free(name);
    if (!eq) return rt_fail(e, "--model %s: expected NAME=DIR", overrides[k]);
    if (i < 0) return rt_fail(e, "--model %s: this program has no model of that name (see info)", overrides[k]);
    if (!p->model[i].dir) return rt_fail(e, "--model %s: %s is made from nothing and has no directory", overrides[k],
                                         p->model[i].name);
    en->dir[i] = eq + 1;
    char *tok = file_join(eq + 1, "tokenizer.json");
    if (file_is_regular(tok)) en->tokfile[i] = tok;           // kept for the life of the program
    else free(tok);
  }
  return true;
}

// Equal bytes, or equal JSON.
static bool same_tokenizer(const char *a, const char *b, bool *same, RtError *e) {
  char ha[SHA256_HEX], hb[SHA256_HEX];
  *same = !strcmp(a, b);
  if (*same) return true;
  if (!sha256_file(a, ha, e) || !sha256_file(b, hb, e)) return false;
  *same = !strcmp(ha, hb);
  if (*same) return true;
  json_t *ja = rtj_object_file(a, 0, e), *jb = ja ? rtj_object_file(b, 0, e) : NULL;
  *same = jb && json_equal(ja, jb);
  bool ok = jb != NULL;
  json_decref(ja), json_decref(jb);
  return ok;
}

static bool check_tokenizers(Engine *en, RtError *e) {
  const Prog *p = en->prog;
  const char *mine = en->tokfile[p->anchor];
  for (int i = 0; i < p->nmodel && mine; i++) {
    bool same = true;
    if (i == p->anchor || !en->tokfile[i]) continue;
    if (!same_tokenizer(mine, en->tokfile[i], &same, e)) return false;
    if (!same)
      return rt_fail(e, "model %s has another tokenizer (%s) than %s (%s), which is not supported yet", p->model[i].name,
                     en->tokfile[i], p->model[p->anchor].name, mine);
  }
  return true;
}

static bool open_tokenizer(Engine *en, RtError *e) {
  const Prog *p = en->prog;
  int a = p->anchor;
  en->context = en->vocab = INT32_MAX;
  for (int i = 0; i < p->nmodel; i++) {
    if (p->model[i].context > 0 && p->model[i].context < en->context) en->context = p->model[i].context;
    if (p->model[i].vocab > 0 && p->model[i].vocab < en->vocab) en->vocab = p->model[i].vocab;
  }
  if (!check_tokenizers(en, e)) return false;
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
  if (path < 0 || !set_dirs(en, overrides, n, e) || !open_tokenizer(en, e)) {
    engine_close(en);
    return NULL;
  }
  en->isa = &calm_isas[path];
  en->pool = pool_new(threads, (size_t)calm_scratch_bytes);
  en->weights = rt_alloc((size_t)p->nmodel, sizeof *en->weights);
  en->buf = rt_alloc((size_t)p->nbuf, sizeof *en->buf);
  en->sym = rt_alloc((size_t)p->nsym, sizeof *en->sym);
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
    if (en->prog->buf[i].kind == PB_INPUT && !strncmp(en->prog->buf[i].name, "adamw.", 6)) free(en->buf[i]);
  region_free(&en->flat), region_free(&en->packed), region_free(&en->arena), region_free(&en->cache),
      region_free(&en->consts);
  if (en->tok) tokenizer_free(en->tok);
  if (en->hf) hfdir_free(en->hf);
  free(en->weights), free(en->buf), free(en->sym), free(en->tokens), free(en->rows);
  free(en->dir), free(en->tokfile);
  prog_close(en->prog);
  free(en);
}

// "ids.base" and "ids" alike: every model reads the same tokens.
static void *step_input(const Step *s, const char *name) {
  const struct { const char *name; void *at; } IN[] = {{"ids", s->ids}, {"pos", s->pos}, {"slots", s->slots},
                                                       {"rows", s->rows},
                                                       {"labels", s->labels}, {"gscale", s->gscale}};
  size_t n = strcspn(name, ".");
  for (size_t i = 0; i < sizeof IN / sizeof IN[0]; i++)
    if (strlen(IN[i].name) == n && !strncmp(name, IN[i].name, n)) return IN[i].at;
  return NULL;
}

static void bind_step(Engine *en, int entry, Step *s) {
  const Prog *p = en->prog;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind == PB_MASK) {
      bool cache = !strcmp(p->sym[b->mask[1]].kind, "cache");
      if (cache != (entry == en->e_step)) continue;           // only stepping looks at cached keys
      bool rows = !strcmp(p->sym[b->mask[0]].kind, "rows");
      en->buf[i] = (void *)(uintptr_t)step_mask(s, rows, cache, b->mask[2], en->slot_rows);
    } else if (b->kind == PB_INPUT) {
      void *at = step_input(s, b->name);
      if (at) en->buf[i] = at;
    }
  }
}

void engine_run(Engine *en, int entry, Step *s) {
  if (entry < 0) return;
  const Prog *p = en->prog;
  if (s && (s->ntok > en->tokens[entry] || s->nrow > en->rows[entry])) {
    fprintf(stderr, "calm: bug: entry %s: a step of %lld tokens and %lld rows, room for %lld and %lld\n",
            p->entry[entry].name,
            (long long)s->ntok, (long long)s->nrow, (long long)en->tokens[entry], (long long)en->rows[entry]);
    abort();
  }
  if (s) bind_step(en, entry, s);
  for (int i = 0; i < p->nsym; i++) {
    const char *kind = p->sym[i].kind;
    en->sym[i] = !strcmp(kind, "tokens") ? (s ? s->ntok : 0) : !strcmp(kind, "rows") ? (s ? s->nrow : 0)
               : !strcmp(kind, "cache") ? en->slots * en->slot_rows : p->theta / 1024;
  }
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
