// Opening a program and running its entries.
#include "runtime/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"

Engine *engine_open(const RtProgram *rt, const Prog *p, const EngineStreams *streams, int isa, int threads) {
  Engine *en = rt_alloc(1, sizeof *en);
  *en = (Engine){.rt = rt, .prog = p, .isa = &rt->isas[isa], .nstream = streams->n};
  en->stream_of = rt_alloc((size_t)p->nmodel, sizeof *en->stream_of);
  en->stream_context = rt_alloc((size_t)streams->n, sizeof *en->stream_context);
  en->slot_rows = rt_alloc((size_t)streams->n, sizeof *en->slot_rows);
  for (int i = 0; i < p->nmodel; i++) en->stream_of[i] = streams->of[i];
  for (int k = 0; k < streams->n; k++) en->stream_context[k] = streams->context[k];
  en->pool = pool_new(threads, (size_t)rt->scratch_bytes);
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
  rt_free(en->weights), rt_free(en->buf), rt_free(en->sym), rt_free(en->arranged), rt_free(en->start), rt_free(en->tokens), rt_free(en->rows), rt_free(en->slot_rows);
  rt_free(en->stream_of), rt_free(en->stream_context);
  rt_free(en);
}

// "ids.base": the tokens model base reads; "rows": of the anchor.
static void *step_input(const Engine *en, const Step *s, const char *name) {
  size_t n = strcspn(name, ".");
  int model = name[n] ? prog_model(en->prog, name + n + 1) : en->prog->anchor;
  if (model < 0) return NULL;
  const StepStream *t = &s->stream[en->stream_of[model]];
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
      MaskKey key = {.q = en->stream_of[q->model], .k = en->stream_of[k->model], .rows = !strcmp(q->kind, "rows"),
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
  int stream = sym->model < 0 ? 0 : en->stream_of[sym->model];
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
  en->rt->entries[entry](&ctx);
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
