// See precision.h.
#include "runtime/commands/precision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

// More, behind a text that is owned.
static void add(char **text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(char **text, const char *fmt, ...) {
  char more[768];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(more, sizeof more, fmt, ap);
  va_end(ap);
  char *all = rt_format("%s%s", *text ? *text : "", more);
  rt_free(*text);
  *text = all;
}

// ---- what is stored

// The first frozen matrix that stands in panels of this dtype and is multiplied with rows of a model, or NULL; exact products do not ask. What is widened to f32 for its panels
// (F8_E5M2) is none of f32: bf16 holds its numbers too.
static const ProgBuf *stored_in(const Prog *p, int model, Dtype panel) {
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i], *from = b->kind == BUF_PACKED && b->dt == panel && !b->packed.exact ? &p->buf[b->packed.source] : NULL;
    int of = b->kind == BUF_PACKED && b->packed.of >= 0 ? b->packed.of : p->anchor;
    if (from && of == model && from->kind == BUF_WEIGHT && panel_dtype(from->dt) == panel && (panel != DT_F32 || from->dt == DT_F32)) return from;
  }
  return NULL;
}

static const char *file_type(const ProgBuf *weight) { return dtype_info[weight->dt].file; }

// Why a model has the precision that it has, by its weights: "%s" and what is said of all models that have the same.
typedef enum Telling { UNSTORED, AS_INT8, STORED, NARROW } Telling;        // the later, the more it tells of a choice that all share
typedef struct Reason {
  Precision is;
  Telling telling;
  char of[160];                // behind the models' names
} Reason;

static Reason by_weights(const RtProgram *rt, const Prog *p, int model, const char *path) {
  const ProgBuf *narrow = stored_in(p, model, DT_BF16), *other = stored_in(p, model, DT_F32);
  if (!other) other = stored_in(p, model, DT_F16);
  Reason r = {.is = PRECISION_F32, .telling = narrow ? NARROW : other ? STORED : p->model[model].keep == KEEP_INT8 ? AS_INT8 : UNSTORED};
  if (!narrow) {
    if (other) snprintf(r.of, sizeof r.of, "weights are stored in %s", file_type(other));
    else snprintf(r.of, sizeof r.of, "%s", r.telling == AS_INT8 ? "matrices are kept as int8" : "weights are not frozen in BF16");
    return r;
  }
  if (other) {
    snprintf(r.of, sizeof r.of, "weights are stored in %s, but also in %s, which bf16 would round", file_type(narrow), file_type(other));
    return r;
  }
  RtError e;
  int i = isa_choose(rt->isas, rt->isa_count, path, PRECISION_BF16, &e);
  bool here = i >= 0 && isa_multiplies(rt->isas[i].name, PRECISION_BF16);
  if (here) r.is = PRECISION_BF16;
  snprintf(r.of, sizeof r.of, "weights are stored in %s%s", file_type(narrow), here ? " and this processor multiplies it" :
           isa_built(rt->isas, rt->isa_count, PRECISION_BF16) ? ", but no instruction multiplies it here" : ", but this program has no kernels of it");
  return r;
}

static bool alike(const Reason *a, const Reason *b) { return a->is == b->is && !strcmp(a->of, b->of); }

// Of models that differ: a clause for each reason, and whose it is.
static void say_each(const Prog *p, const Reason *r, char **why) {
  for (int i = 0; i < p->nmodel; i++) {
    bool said = false;
    for (int k = 0; k < i; k++) said |= alike(&r[k], &r[i]);
    if (said) continue;
    add(why, "%s%s's", *why ? "; " : "", p->model[i].name);
    for (int k = i + 1; k < p->nmodel; k++)
      if (alike(&r[k], &r[i])) add(why, ", %s's", p->model[k].name);
    add(why, " %s", r[i].of);
  }
}

static void by_all_weights(const RtProgram *rt, const Prog *p, const char *path, PrecisionChoice *c) {
  Reason *r = rt_alloc((size_t)p->nmodel, sizeof *r);
  bool same = true;
  int most = 0;
  for (int i = 0; i < p->nmodel; i++) {
    r[i] = by_weights(rt, p, i, path);
    c->of[i] = r[i].is, same &= r[i].is == r[0].is;
    if (r[i].telling > r[most].telling) most = i;
  }
  if (!same) say_each(p, r, &c->why);
  else if (r[most].telling == UNSTORED) add(&c->why, "no frozen weights are stored in BF16");
  else add(&c->why, "%s's %s", p->model[most].name, r[most].of);
  rt_free(r);
}

// A model with weights in F16 that is in bf16; -1: none.
static int halved(const Prog *p, const Precision *of) {
  for (int i = 0; i < p->nmodel; i++)
    if (!precision_takes(of[i], DT_F16) && stored_in(p, i, DT_F16)) return i;
  return -1;
}

static Precision widest_of(const Prog *p, const Precision *of) {           // what a path has to have kernels of, beside f32
  Precision is = PRECISION_F32;
  for (int i = 0; i < p->nmodel; i++) is = of[i] > is ? of[i] : is;
  return is;
}

static bool no_precision(const char *said, const char *what, RtError *e) { return rt_fail_about(e, RT_ABOUT_USAGE, "--precision %.200s: %s", said, what); }

// What is said of models one by one. Of auto, what that would be for this one.
static bool say_of_each(const RtProgram *rt, const Prog *p, const char *path, const OptList *each, PrecisionChoice *c, RtError *e) {
  const Setting *row = &setting_row[SET_train_precision];
  bool *told = rt_alloc((size_t)p->nmodel, sizeof *told), ok = true;
  char expected[96];
  for (int k = 0; k < each->n && ok; k++) {
    const char *said = each->v[k], *eq = strchr(said, '=');
    char *name = rt_strndup(said, (size_t)(eq - said));
    int i = prog_model(p, name), word = setting_word(row, eq + 1);
    rt_free(name);
    setting_expected(row, expected, sizeof expected);
    if (i < 0) ok = no_precision(said, "this program has no model of that name (see info)", e);
    else if (word < 0) ok = rt_fail_about(e, RT_ABOUT_USAGE, "--precision %.200s: expected %s behind %s=", said, expected, p->model[i].name);
    else if (told[i]) ok = no_precision(said, "another is given for this model before", e);
    if (!ok) break;
    told[i] = true;
    c->of[i] = word == PRECISION_AUTO ? by_weights(rt, p, i, path).is : (Precision)(word - PRECISION_SAID);
    add(&c->why, "%s%s", k ? ", " : "; --precision says so of ", p->model[i].name);
  }
  rt_free(told);
  return ok;
}

bool precision_choose(const RtProgram *rt, const Prog *p, const char *path, const PrecisionAsk *ask, PrecisionChoice *c, RtError *e) {
  RtError no;
  *c = (PrecisionChoice){.isa = -1, .of = rt_alloc((size_t)p->nmodel, sizeof *c->of)};
  bool auto_ = !ask->of && ask->word == PRECISION_AUTO;
  if (auto_) by_all_weights(rt, p, path, c);
  else add(&c->why, "%s", ask->by);
  for (int i = 0; i < p->nmodel && !auto_; i++) c->of[i] = ask->of ? ask->of[i] : (Precision)(ask->word - PRECISION_SAID);
  if (ask->each && !say_of_each(rt, p, path, ask->each, c, e)) return false;
  Precision is = widest_of(p, c->of);
  int half = halved(p, c->of);
  if (half >= 0)
    return rt_fail_about(e, RT_ABOUT_PRECISION, "precision %s, since %s: model %s's weights are stored in F16, whose numbers have 11 significant bits and bf16's 8; "
                         "f32 computes with all of them in the same memory", precision_name(is), c->why, p->model[half].name);
  c->isa = isa_choose(rt->isas, rt->isa_count, path, is, &no);
  if (c->isa < 0) return rt_fail(e, "%s%.900s", path && *path ? "CALM_ISA=" : "", no.text);
  if (!isa_multiplies(rt->isas[c->isa].name, is)) add(&c->why, "; emulated, since no instruction multiplies it here");
  return true;
}

void precision_drop(PrecisionChoice *c) {
  rt_free(c->of), rt_free(c->why);
  *c = (PrecisionChoice){0};
}

// ---- who asks

static bool by_flag(const Options *o, PrecisionAsk *ask) {
  const char *text = o->run_command == C_TRAIN ? o->setting[SET_train_precision] : NULL;
  *ask = (PrecisionAsk){.of = o->precisions, .by = o->precision_by ? o->precision_by : "--precision says so"};
  if (ask->of) return true;
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

// What the user says of single models; where the precisions are given, nobody is asked.
static const OptList *each_of(const Options *o) { return o->precisions || !options_compute(o) ? NULL : &o->precision_of; }

// Where nobody says: a pack file is in one. of: room for the models'.
static void ask_pack(const App *a, const Options *o, Precision *of, PrecisionAsk *ask) {
  PrecisionAsk flag;
  const char *none;
  const json_t *is = a->pack ? json_object_get(packfile_about(a->pack), "precision") : NULL;
  if (!is || !options_compute(o) || by_flag(o, &flag) || o->run_command == C_VERIFY) return;
  if (precisions_read(a->prog, is, of, &none)) *ask = (PrecisionAsk){.of = of, .by = "the pack file is in it"};
}

// Likewise: what trained the parameters that will be used, which precision_of takes, too, once they are open. Known now, for how much is computed at a time follows from it.
static void ask_params(const App *a, const Options *o, Precision *of, PrecisionAsk *ask) {
  PrecisionAsk flag;
  if (!o->params || !(o->run_command & (C_EVAL | C_GENERATE | C_SCORE)) || by_flag(o, &flag)) return;
  if (checkpoint_expects(o->params, a->prog, of)) *ask = (PrecisionAsk){.of = of, .by = "the parameters were trained in it"};
}

bool precision_open(App *a, const Options *o, PrecisionChoice *c, RtError *e) {
  PrecisionAsk ask = asked(a->prog, o);
  Precision *of = rt_alloc((size_t)a->prog->nmodel, sizeof *of);
  ask_pack(a, o, of, &ask), ask_params(a, o, of, &ask);
  ask.each = each_of(o);
  bool ok = precision_choose(o->rt, a->prog, getenv("CALM_ISA"), &ask, c, e);
  rt_free(of);
  return ok;
}

void precision_use(App *a, PrecisionChoice *c) {
  engine_use(a->en, c->isa, c->of);
  json_decref(a->precision), rt_free(a->precision_words), rt_free(a->precision_why);
  a->precision = precisions_used(a->en), a->precision_words = precisions_words(a->precision);
  a->precision_why = rt_strdup(c->why);
  precision_drop(c);
}

// As precision_open did.
static void say_trained(App *a, const json_t *trained) {
  char *words = precisions_words(trained);
  if (strcmp(words, a->precision_words)) add(&a->precision_why, ", though the parameters were trained in %s", words);
  rt_free(words);
}

bool precision_of(App *a, const Options *o, const Checkpoint *c, bool spec, RtError *e) {
  PrecisionAsk ask;
  PrecisionChoice choice;
  if (!options_compute(o) || !c || !checkpoint_about(c)) return true;
  Precision *of = rt_alloc((size_t)a->prog->nmodel, sizeof *of);
  bool ok = checkpoint_precision(c, a->prog, of, e);
  json_t *trained = ok ? precisions_json(a->prog, of) : NULL;
  if (ok && (by_flag(o, &ask) || spec)) {
    say_trained(a, trained);
  } else if (ok) {
    ask = (PrecisionAsk){.of = of, .by = "the parameters were trained in it", .each = each_of(o)};
    ok = precision_choose(o->rt, a->prog, getenv("CALM_ISA"), &ask, &choice, e);
    if (ok) precision_use(a, &choice), say_trained(a, trained);
    else precision_drop(&choice);
  }
  json_decref(trained);
  rt_free(of);
  return ok;
}
