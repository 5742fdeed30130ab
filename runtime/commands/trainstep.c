// See trainstep.h.
#include "runtime/commands/trainstep.h"

#include <math.h>
#include <string.h>

#include "runtime/core/core.h"

bool train_possible(const Engine *en, RtError *e) {
  if (en->entry[ENTRY_TRAIN] >= 0 && en->prog->nparam > 0) return true;
  return rt_fail(e, "%s has nothing to train: no connection and no model made from nothing", en->prog->spec);
}

int64_t train_look_every(const TrainSettings *s) {
  return s->eval_every > 0 ? s->eval_every : s->eval_every == 0 ? INT64_MAX : s->steps < 100 ? 5 : s->steps / 20;
}

bool train_gradients(Trainer *t, const DataRow *const *row, int64_t n, double *loss, RtError *e) {
  int64_t labels = 0;
  for (int64_t i = 0; i < n; i++) labels += row_labelled(row[i]);
  engine_zero_grads(t->en);
  double nll = 0;
  if (!feed_nll(&t->steps, row, n, (float)(1.0 / (double)labels), &nll, NULL, NULL, e)) return false;
  *loss = nll / (double)labels;
  return true;
}

// torch.optim.AdamW's order, and torch.nn.utils.clip_grad_norm_ before it.
double train_update(Trainer *t, double lr) {
  Engine *en = t->en;
  const TrainSettings *s = &t->set;
  engine_run(en, en->entry[ENTRY_NORM], NULL);
  double norm = sqrt((double)*engine_output(en, en->entry[ENTRY_NORM], OUTPUT_NORM2));
  double clip = s->clip > 0 ? s->clip / (norm + 1e-6) : 1, n = (double)(t->st.step + 1);
  const struct { InputKind what; double value; } SCALAR[] = {
      {INPUT_CLIP, clip < 1 ? clip : 1},       {INPUT_DECAY, 1 - lr * s->weight_decay},
      {INPUT_BETA1, s->betas.v[0]},                 {INPUT_REST1, 1 - s->betas.v[0]},
      {INPUT_BETA2, s->betas.v[1]},                 {INPUT_REST2, 1 - s->betas.v[1]},
      {INPUT_BIAS2, 1 / sqrt(1 - pow(s->betas.v[1], n))}, {INPUT_EPS, s->eps},
      {INPUT_STEP, lr / (1 - pow(s->betas.v[0], n))}};
  for (size_t i = 0; i < sizeof SCALAR / sizeof SCALAR[0]; i++) engine_scalar(en, SCALAR[i].what, (float)SCALAR[i].value);
  if (isfinite(norm)) engine_run(en, en->entry[ENTRY_UPDATE], NULL);
  return norm;
}
