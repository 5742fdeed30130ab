// See precision.h.
#include "runtime/commands/precision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

static void add(char why[PRECISION_WHY], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(char why[PRECISION_WHY], const char *fmt, ...) {
  size_t at = strlen(why);
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why + at, PRECISION_WHY - at, fmt, ap);
  va_end(ap);
}

// ---- what is stored

// The tensor of the first frozen matrix that stands in panels of this dtype, or NULL; exact products do not ask. What is widened to f32 for its panels (F8_E5M2) is none of f32:
// bf16 holds its numbers too.
static const ProgBuf *stored_in(const Prog *p, Dtype panel) {
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i], *from = b->kind == BUF_PACKED && b->dt == panel && !b->packed.exact ? &p->buf[b->packed.source] : NULL;
    if (from && from->kind == BUF_WEIGHT && panel_dtype(from->dt) == panel && (panel != DT_F32 || from->dt == DT_F32)) return from;
  }
  return NULL;
}

static const char *kept_as_int8(const Prog *p) {
  for (int i = 0; i < p->nmodel; i++)
    if (p->model[i].keep == KEEP_INT8) return p->model[i].name;
  return NULL;
}

static const char *model_of(const Prog *p, const ProgBuf *weight) { return p->model[weight->stored.model].name; }
static const char *file_type(const ProgBuf *weight) { return dtype_info[weight->dt].file; }

static Precision by_weights(const RtProgram *rt, const Prog *p, const char *path, char why[PRECISION_WHY]) {
  const ProgBuf *narrow = stored_in(p, DT_BF16), *other = stored_in(p, DT_F32);
  if (!other) other = stored_in(p, DT_F16);
  if (!narrow) {
    const char *whole = kept_as_int8(p);
    if (other) add(why, "%s's weights are stored in %s", model_of(p, other), file_type(other));
    else if (whole) add(why, "%s is kept as int8", whole);
    else add(why, "no frozen weights are stored in BF16");
    return PRECISION_F32;
  }
  add(why, "%s's weights are stored in %s", model_of(p, narrow), file_type(narrow));
  if (other) {
    add(why, ", but %s's %sin %s, which bf16 would round", model_of(p, other), other->stored.model == narrow->stored.model ? "also " : "", file_type(other));
    return PRECISION_F32;
  }
  RtError e;
  int i = isa_choose(rt->isas, rt->isa_count, path, PRECISION_BF16, &e);
  if (i >= 0 && isa_multiplies(rt->isas[i].name, PRECISION_BF16)) {
    add(why, " and this processor multiplies it");
    return PRECISION_BF16;
  }
  add(why, isa_built(rt->isas, rt->isa_count, PRECISION_BF16) ? ", but no instruction multiplies it here" : ", but this program has no kernels of it");
  return PRECISION_F32;
}

int precision_choose(const RtProgram *rt, const Prog *p, const char *path, const PrecisionAsk *ask, char why[PRECISION_WHY], RtError *e) {
  RtError no;
  why[0] = 0;
  Precision is = ask->word == PRECISION_AUTO ? by_weights(rt, p, path, why) : (Precision)(ask->word - PRECISION_SAID);
  if (ask->word != PRECISION_AUTO) add(why, "%s", ask->by);
  const ProgBuf *half = stored_in(p, DT_F16);
  if (half && !precision_takes(is, DT_F16))
    return rt_fail_about(e, RT_ABOUT_PRECISION, "precision %s, since %s: model %s's weights are stored in F16, whose numbers have 11 significant bits and bf16's 8; "
                         "f32 computes with all of them in the same memory", precision_name(is), why, model_of(p, half)), -1;
  int i = isa_choose(rt->isas, rt->isa_count, path, is, &no);
  if (i < 0) return rt_fail(e, "%s%.900s", path && *path ? "CALM_ISA=" : "", no.text), -1;
  if (!isa_multiplies(rt->isas[i].name, is)) add(why, "; emulated, since no instruction multiplies it here");
  return i;
}

// ---- who asks

static bool by_flag(const Options *o, PrecisionAsk *ask) {
  const char *text = o->run_command == C_TRAIN ? o->setting[SET_train_precision] : NULL;
  *ask = (PrecisionAsk){.by = o->precision_by ? o->precision_by : "--precision says so"};
  if (o->run_command == C_VERIFY) {
    if (!o->given[FLAG_verify_precision]) ask->by = "verify's default";
    ask->word = o->verify_precision;
    return true;
  }
  if (text) ask->word = setting_word(&setting_row[SET_train_precision], text);
  else ask->word = o->precision;
  return text || o->given[FLAG_precision];
}

static PrecisionAsk asked(const Prog *p, const Options *o) {
  PrecisionAsk ask;
  if (!options_compute(o)) return (PrecisionAsk){.word = PRECISION_SAID + PRECISION_F32, .by = "nothing is computed"};
  if (by_flag(o, &ask)) return ask;
  const char *spec = json_string_value(json_object_get(p->train, "precision"));
  return (PrecisionAsk){.word = spec ? setting_word(&setting_row[SET_train_precision], spec) : PRECISION_AUTO, .by = "the train block says so"};
}

// Where nobody says: a pack file is in one.
static void ask_pack(const App *a, const Options *o, PrecisionAsk *ask) {
  PrecisionAsk flag;
  const char *is = a->pack ? json_string_value(json_object_get(packfile_about(a->pack), "precision")) : NULL;
  if (!is || !options_compute(o) || by_flag(o, &flag) || o->run_command == C_VERIFY) return;
  for (int p = 0; p < N_PRECISION; p++)
    if (!strcmp(is, precision_name((Precision)p))) *ask = (PrecisionAsk){.word = PRECISION_SAID + p, .by = "the pack file is in it"};
}

int precision_open(App *a, const Options *o, RtError *e) {
  PrecisionAsk ask = asked(a->prog, o);
  ask_pack(a, o, &ask);
  return precision_choose(o->rt, a->prog, getenv("CALM_ISA"), &ask, a->precision_why, e);
}

bool precision_of(App *a, const Options *o, const Checkpoint *c, bool spec, RtError *e) {
  PrecisionAsk ask;
  int trained;
  if (!options_compute(o) || !c) return true;
  if (!checkpoint_precision(c, &trained, e)) return false;
  if (trained < 0) return true;
  bool told = by_flag(o, &ask) || spec;
  if (told) {                                      // as precision_open did
    if (a->en->isa->precision != trained) add(a->precision_why, ", though the parameters were trained in %s", precision_name((Precision)trained));
    return true;
  }
  ask = (PrecisionAsk){.word = PRECISION_SAID + trained, .by = "the parameters were trained in it"};
  int i = precision_choose(o->rt, a->prog, getenv("CALM_ISA"), &ask, a->precision_why, e);
  if (i >= 0) engine_use(a->en, i);
  return i >= 0;
}
