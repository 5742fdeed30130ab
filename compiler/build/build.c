// program_build: models, layer maps, then one graph per entry. The score entry comes first, for it builds everything: all errors of the
// text are found there. None ends the build before what does not depend on it has been looked at; no graph is used after one.
#include <string.h>

#include "build/ctx.h"
#include "dsl/base/bug.h"
#include "runtime/core/core.h"
#include "runtime/text/text.h"

static void check_vocabulary(Build *b) {
  if (b->anchor < 0) return;
  const MInst *anchor = &b->model[b->anchor];
  for (int i = 0; i < b->nmodel; i++) {
    const MInst *m = &b->model[i];
    if (m->own_tokens || m->same_unknown || !m->pub->vocab || m->pub->vocab >= anchor->pub->vocab) continue;
    if (fail_at(b, m->decl->loc, "model '%s' knows %lld token%s, fewer than the %lld of model '%s' whose ids it reads",
                m->pub->name, (long long)m->pub->vocab, plural(m->pub->vocab), (long long)anchor->pub->vocab, anchor->pub->name))
      note_model(b, anchor);
  }
}

// Ids of the tokenizer that a model of files has no row for: texts with such a token are refused when they come, others work, as those of models whose
// tokenizer knows tokens for pictures that it does not read. More rows than tokens are padding, or it is another model's tokenizer.
static void tell_beyond(const MInst *m, const Tokenizer *t) {
  enum { MOST = 64 };
  const char *token[MOST];
  const BModel *p = m->pub;
  int n = tokenizer_beyond(t, p->vocab, token, MOST);
  if (p->vocab > tokenizer_vocab(t))
    rt_note("model '%s' has %lld rows in its vocabulary (%s/config.json), and %s gives ids up to %d: the others are padding", p->name, (long long)p->vocab, p->dir,
            p->tokenizer, tokenizer_vocab(t) - 1);
  if (n == 0) return;
  rt_warn("model '%s' has %lld rows in its vocabulary (%s/config.json), and %s gives ids up to %d: a text with %s%s%s is refused", p->name, (long long)p->vocab, p->dir,
          p->tokenizer, tokenizer_vocab(t) - 1, n < 0 ? "a token beyond them" : "'", n < 0 ? "" : token[0], n < 0 ? "" : n > 1 ? "', or another token beyond them," : "'");
}

// A model made from nothing must have a row for every id its tokenizer gives.
static void check_tokenizer(Build *b, const MInst *m) {
  RtError e;
  if (b->spec->alone || !m->pub->tokenizer || !m->pub->vocab) return;
  Tokenizer *t = tokenizer_open(m->pub->tokenizer, &e);
  if (!t) {
    if (!m->file) fail_at(b, m->decl->loc, "%s", e.text);        // else it is said when it is needed
    return;
  }
  if (m->file) tell_beyond(m, t);
  else if (tokenizer_vocab(t) > m->pub->vocab)
    fail_at(b, m->decl->loc, "model '%s' has a vocabulary of %lld, but its tokenizer gives ids up to %d", m->pub->name,
            (long long)m->pub->vocab, tokenizer_vocab(t) - 1);
  tokenizer_free(t);
}

static void add_entry(Build *b, Graph *g) {
  const char *wrong = b->d->errors ? NULL : graph_verify(g, b->a);
  if (wrong) bug("build made a malformed graph '%s': %s", g->name, wrong);
  b->prog->entry[b->prog->nentry++] = g;
}

// A model's weight as its file holds it: a matrix [out, in] where a linear reads it ([in, out] where transposed), a table where a lookup does, else a vector.
static void stored_shape(ParamInfo *p) {
  BParam *q = &p->pub;
  int64_t out = 1, in = 1;
  if (q->model < 0 || p->stored || (p->table && !p->inner) || q->rank < 2) return;
  for (int i = 0; i < q->rank; i++) {
    if (p->inner && (p->turned ? i < p->inner : i >= q->rank - p->inner)) in *= q->dim[i];
    else out *= q->dim[i];
  }
  q->rank = p->inner ? 2 : 1;
  q->dim[0] = p->turned ? in : out;
  q->dim[1] = p->turned ? out : in;
}

static void publish_params(Build *b) {
  b->prog->nparam = b->nparam;
  b->prog->param = ARENA_ARRAY(b->a, BParam, b->nparam + 1);
  for (int i = 0; i < b->nparam; i++) {
    stored_shape(&b->param[i]);
    b->prog->param[i] = b->param[i].pub;
  }
}

// Errors in train and eval blocks, which no graph depends on.
static int setting_errors(const Build *b, int found) {
  const Spec *s = b->spec;
  for (int i = 0; i < s->ntold; i++)
    for (int k = 0; k < s->file->nkid; k++) {
      const Ast *block = s->file->kid[k];
      found += (block->kind == AST_TRAIN || block->kind == AST_EVAL) && loc_within(s->told[i], block->loc);
    }
  return found;
}

// aside: errors of settings found in this stage.
static void make_entries(Build *b, int aside) {
  if (diags_full(b->d)) return;
  Graph *score = entry_build(b, ENTRY_SCORE);
  settings_fit(b, score);
  for (int i = 0; i < b->nmodel; i++) tell_missing(b, &b->model[i]);
  bool whole = b->d->errors == setting_errors(b, aside) && !b->spec->partial;
  check_vocabulary(b);
  for (int i = 0; i < b->nmodel; i++) {
    check_unused_tensors(b, &b->model[i]);
    check_tunes(b, &b->model[i]);
    check_adapts(b, &b->model[i]);
    check_tokenizer(b, &b->model[i]);
  }
  if (!whole) return;
  b->prog->entry = ARENA_ARRAY(b->a, Graph *, 6);
  add_entry(b, entry_build(b, b->nparam ? ENTRY_TRAIN : ENTRY_PROBE));
  add_entry(b, entry_build(b, ENTRY_LOSS));
  add_entry(b, entry_build(b, ENTRY_STEP));
  add_entry(b, score);
  if (b->nparam) {
    add_entry(b, graph_norm(b->a));
    add_entry(b, graph_update(b->a));
  }
  publish_params(b);
  b->prog->adapter = b->adapter, b->prog->nadapter = b->nadapter;
}

Program *program_build(Arena *a, const Spec *spec, Diags *d) {
  Program *p = ARENA_NEW(a, Program);
  Build b = {.a = a, .spec = spec, .d = d, .prog = p};
  budget_begin(&b);
  models_load(&b);
  connections_make(&b);
  int before = d->errors;
  p->train = settings_train(&b);
  p->evals = settings_evals(&b);
  make_entries(&b, d->errors - before);
  for (int i = 0; i < b.nmodel; i++) model_close(b.model[i].file);
  if (!d->errors) return p;
  program_close(p);
  return NULL;
}

void program_close(Program *p) {
  if (!p) return;
  for (int i = 0; i < p->nmodel; i++) json_decref(p->model[i].config);
  json_decref(p->train);
  json_decref(p->evals);
}
