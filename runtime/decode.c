// See decode.h.
#include "runtime/decode.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

Decoder *decoder_new(Engine *en, int64_t nslots, int64_t context, int64_t tokens, int64_t chunk, bool all_rows,
                     RtError *e) {
  if (tokens < nslots) tokens = nslots;
  if (nslots * context > INT32_MAX) {
    rt_fail(e, "%lld sequences of %lld tokens do not fit the caches", (long long)nslots, (long long)context);
    return NULL;
  }
  engine_cap(en, en->e_step, tokens, all_rows ? tokens : nslots);
  engine_caches(en, nslots, context);
  if (!engine_place(en, e)) return NULL;
  Decoder *d = rt_alloc(1, sizeof *d);
  *d = (Decoder){.en = en, .step = step_new(), .nslots = nslots, .context = context, .chunk = chunk, .tokens = tokens,
                 .all_rows = all_rows};
  d->seq = rt_alloc((size_t)nslots, sizeof *d->seq);
  return d;
}

void decoder_free(Decoder *d) {
  if (!d) return;
  for (int64_t i = 0; i < d->nslots; i++) free(d->seq[i].ids);
  free(d->seq);
  step_free(d->step);
  free(d);
}

DecodeSeq *decoder_open(Decoder *d, const int32_t *ids, int64_t n, void *user) {
  for (int64_t i = 0; i < d->nslots; i++) {
    DecodeSeq *s = &d->seq[i];
    if (s->open) continue;
    s->n = s->past = s->chunk = 0;
    s->logits = NULL;
    s->open = true;
    s->user = user;
    for (int64_t k = 0; k < n; k++) decoder_push(s, ids[k]);
    return s;
  }
  return NULL;
}

void decoder_push(DecodeSeq *s, int32_t id) {
  if (s->n == s->cap) s->ids = rt_realloc(s->ids, (size_t)(s->cap = s->cap * 2 + 64), sizeof *s->ids);
  s->ids[s->n++] = id;
}

void decoder_close(DecodeSeq *s) { s->open = false; }

bool decoder_step(Decoder *d) {
  step_reset(d->step);
  // Sequences that only wait for one token come first, so that long prompts cannot starve them.
  for (int prompts = 0; prompts < 2; prompts++)
    for (int64_t i = 0; i < d->nslots; i++) {
      DecodeSeq *s = &d->seq[i];
      int64_t left = s->n - s->past, most = s->chunk ? s->chunk : d->chunk, space = d->tokens - d->step->ntok;
      if (!s->open || (left > 1) != prompts) continue;
      s->logits = NULL;
      int64_t take = left < most ? left : most;
      if (take > space) take = space;
      if (s->past + take > d->context) take = d->context - s->past;
      if (take <= 0) continue;
      step_add(d->step, s->ids + s->past, take, s->past, i, d->context);
      if (d->all_rows) step_want_all(d->step);
      else if (take == left) step_want(d->step, take - 1, 0, 0);
      s->past += take;
    }
  if (d->step->ntok == 0) return false;
  engine_run(d->en, d->en->e_step, d->step);
  int64_t vocab = d->en->prog->model[d->en->prog->anchor].vocab;
  const float *logits = engine_output(d->en, d->en->e_step, "logits");
  for (int64_t i = 0; i < d->step->nseq; i++) {
    const StepSeq *q = &d->step->seq[i];
    if (q->nr) d->seq[q->slot].logits = logits + (q->r0 + (d->all_rows ? 0 : q->nr - 1)) * vocab;
  }
  return true;
}
