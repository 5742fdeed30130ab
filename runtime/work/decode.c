// See decode.h.
#include "runtime/work/decode.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/rows/rows.h"

int64_t decoder_step_tokens(int64_t nslots, int64_t longest) {
  int64_t all = size_product(nslots, longest < DECODE_CHUNK ? longest : DECODE_CHUNK), most = nslots > DECODE_TOKENS ? nslots : DECODE_TOKENS;
  return all < most ? all : most;
}

Decoder *decoder_new(Engine *en, const Tokenizer *tok, int64_t nslots, int64_t context, int64_t tokens, int64_t chunk, bool all_rows, const int64_t *known,
                     RtError *e) {
  if (tokens < nslots) tokens = nslots;
  engine_cap(en, en->entry[ENTRY_STEP], tokens, all_rows ? tokens : nslots);
  engine_caches(en, nslots, context, known);
  for (int k = 0; k < en->nstream; k++) {
    if (nslots * en->caches.slot_rows[k] <= INT32_MAX) continue;
    rt_fail(e, "the caches cannot hold %lld times %lld tokens", (long long)nslots, (long long)en->caches.slot_rows[k]);
    return NULL;
  }
  if (!engine_place(en, e)) return NULL;
  Decoder *d = rt_alloc(1, sizeof *d);
  *d = (Decoder){.en = en, .tok = tok, .step = step_new(en->nstream), .nslots = nslots, .context = context, .chunk = chunk, .tokens = tokens,
                 .all_rows = all_rows};
  d->seq = rt_alloc((size_t)nslots, sizeof *d->seq);
  return d;
}

void decoder_free(Decoder *d) {
  if (!d) return;
  for (int64_t i = 0; i < d->nslots; i++) follow_free(d->seq[i].follow), rt_free(d->seq[i].ids);
  rt_free(d->seq);
  step_free(d->step);
  rt_free(d);
}

static void append(DecodeSeq *s, int32_t id) {
  if (s->n == s->cap) s->ids = rt_realloc(s->ids, (size_t)(s->cap = s->cap * 2 + 64), sizeof *s->ids);
  s->ids[s->n++] = id;
}

DecodeSeq *decoder_open(Decoder *d, const int32_t *ids, int64_t n, Follow *follow, void *user) {
  for (int64_t i = 0; i < d->nslots; i++) {
    DecodeSeq *s = &d->seq[i];
    if (s->open) continue;
    s->n = s->past = s->chunk = 0;
    s->logits = NULL;
    s->open = true;
    s->full = false;
    s->user = user;
    s->follow = follow;
    for (int64_t k = 0; k < n; k++) append(s, ids[k]);
    return s;
  }
  return NULL;
}

void decoder_turn(DecodeSeq *s, const int32_t *ids, int64_t n) {
  int64_t same = 0;
  while (same < s->past && same < n - 1 && s->ids[same] == ids[same]) same++;
  s->n = s->past = same;
  s->logits = NULL;
  s->full = false;
  for (int64_t k = same; k < n; k++) append(s, ids[k]);
}

bool decoder_push(Decoder *d, DecodeSeq *s, int32_t id, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  append(s, id);
  return !s->follow || follow_id(s->follow, d->tok, id, e);
}

void decoder_close(DecodeSeq *s) {
  follow_free(s->follow);
  s->follow = NULL;
  s->open = false;
}

// ---- stepping

// How many of the next `take` tokens of a sequence leave room in every following stream: in its cache (`cache`), or in this step.
static int64_t fitting(const Decoder *d, const DecodeSeq *s, int64_t take, bool cache) {
  for (int k = 1; s->follow && k < d->step->nstream; k++) {
    const int32_t *seen = s->follow->s[k].seen;
    int64_t room = cache ? d->en->caches.slot_rows[k] : d->en->arena.tokens[d->en->entry[ENTRY_STEP]] - d->step->stream[k].ntok + (s->past ? seen[s->past - 1] : 0);
    while (take > 0 && seen[s->past + take - 1] > room) take--;
  }
  return take;
}

// Room for the first sequence of a step, whatever one of its tokens brings along.
static bool make_room(Decoder *d, const DecodeSeq *s, RtError *e) {
  int64_t most = 0;
  for (int k = 1; k < d->step->nstream; k++) {
    const int32_t *seen = s->follow->s[k].seen;
    int64_t n = seen[s->past] - (s->past ? seen[s->past - 1] : 0);
    if (n > most) most = n;
  }
  engine_cap(d->en, d->en->entry[ENTRY_STEP], most, 0);
  return engine_place(d->en, e);
}

// The next tokens of slot i, as many as there is room for.
static bool take_tokens(Decoder *d, int64_t i, RtError *e) {
  DecodeSeq *s = &d->seq[i];
  int64_t left = s->n - s->past, most = s->chunk ? s->chunk : d->chunk, space = d->tokens - d->step->stream[0].ntok;
  s->logits = NULL;
  int64_t take = left < most ? left : most;
  if (take > space) take = space;
  if (take <= 0) return true;
  if (s->past + take > d->context) take = d->context - s->past;
  take = fitting(d, s, take, true);
  s->full = take <= 0;
  if (s->full) return true;
  take = fitting(d, s, take, false);
  if (take == 0 && d->step->nseq == 0) {
    if (!make_room(d, s, e)) return false;
    take = 1;
  }
  if (take == 0) return true;
  step_add(d->step, s->ids + s->past, take, s->past, i);
  follow_step(s->follow, d->step);
  if (d->all_rows) step_want_all(d->step);
  else if (take == left) step_want(d->step, take - 1, 0, 0);
  s->past += take;
  return true;
}

DecodeStep decoder_step(Decoder *d, RtError *e) {
  if (rt_stopped(e)) return DECODE_FAILED;
  step_reset(d->step);
  for (int k = 0; k < d->step->nstream; k++) d->step->stream[k].slot_rows = d->en->caches.slot_rows[k];
  // Sequences that only wait for one token come first, so that long prompts cannot starve them.
  for (int prompts = 0; prompts < 2; prompts++)
    for (int64_t i = 0; i < d->nslots; i++) {
      const DecodeSeq *s = &d->seq[i];
      if (s->open && (s->n - s->past > 1) == prompts && !take_tokens(d, i, e)) return DECODE_FAILED;
    }
  if (d->step->nseq == 0) return DECODE_IDLE;
  engine_run(d->en, d->en->entry[ENTRY_STEP], d->step);
  int64_t vocab = d->en->prog->model[d->en->prog->anchor].vocab;
  const float *logits = engine_output(d->en, d->en->entry[ENTRY_STEP], OUTPUT_LOGITS);
  for (int64_t i = 0; i < d->step->nseq; i++) {
    const StepSeq *q = &d->step->seq[i];
    if (q->nr) d->seq[q->slot].logits = logits + (q->r0 + (d->all_rows ? 0 : q->nr - 1)) * vocab;
  }
  return DECODE_STEPPED;
}
