// See budget.h.
#include "runtime/commands/budget.h"

#include <math.h>
#include <stdio.h>

#include "runtime/commands/frozen.h"
#include "runtime/commands/memory.h"
#include "runtime/core/core.h"

// ---- searching

// Caps that are tried: 1, 2, 3, … 16, 32, 48, 64, 128, 192, … Of sequences every one of the first counts: 15 decode five times as fast as one.
static int64_t rung(int64_t i) { return i < 16 ? i + 1 : i < 19 ? 16 * (i - 14) : 64 * (i - 17); }

int64_t budget_largest(int64_t want, int64_t most, BudgetPeak *peak, void *user) {
  if (peak(user, want) <= most) return want;
  int64_t lo = -1, hi = 0;                         // rung lo fits, rung hi does not
  while (rung(hi) < want && peak(user, rung(hi)) <= most) lo = hi, hi = hi * 2 + 1;
  while (hi - lo > 1) {
    int64_t mid = lo + (hi - lo) / 2;
    if (rung(mid) < want && peak(user, rung(mid)) <= most) lo = mid;
    else hi = mid;
  }
  return lo < 0 ? 0 : rung(lo);
}

static int64_t needs(const App *a, const Footprint *f) { return memory_surely(memory_need(a, f).peak); }

typedef struct Word {
  const char *one, *more;      // "sequence is decoded", "sequences are decoded"
} Word;

// What was chosen, where that is less than was asked for. Where not even one fits it is one: memory_check then says how much the least takes.
static void lower(const App *a, BudgetPeak *peak, void *user, Word what, int64_t *cap) {
  if (!a->limits.asked) return;
  int64_t n = budget_largest(*cap, a->limits.asked, peak, user);
  if (n && n < *cap) rt_note("--memory: %lld %s at a time, not %lld", (long long)n, n == 1 ? what.one : what.more, (long long)*cap);
  *cap = n ? n : 1;
}

// ---- steps

typedef struct Steps {
  const App *a;
  const Load *l;
  const Data *data;
  bool whole;
} Steps;

static int64_t steps_peak(void *user, int64_t cap) {
  const Steps *s = user;
  Shape shape = s->data ? shape_of_data(s->a->models, s->data, cap, false) : shape_of_text(s->a->models, cap);
  Load l = *s->l;
  for (int i = 0; i < l.nstep; i++) l.step[i].tokens = shape.tokens, l.step[i].rows = s->whole ? shape.tokens[0] : shape.rows;
  Footprint f = engine_footprint(s->a->en, &l);
  shape_free(&shape);
  return needs(s->a, &f);
}

void budget_steps(const App *a, const Load *l, const Data *data, bool whole, int64_t *cap) {
  lower(a, steps_peak, &(Steps){a, l, data, whole}, (Word){"token is computed", "tokens are computed"}, cap);
}

typedef struct Slots {
  const App *a;
  int64_t longest;
} Slots;

static int64_t slots_peak(void *user, int64_t slots) {
  const Slots *s = user;
  const Engine *en = s->a->en;
  Shape step = shape_of_text(s->a->models, decoder_step_tokens(slots, s->longest)), all = shape_of_tokens(s->a->models, slots * s->longest);
  Footprint f = engine_footprint(en, &(Load){.tables = -1, .nstep = 1, .step = {{en->entry[ENTRY_STEP], step.tokens, slots}}, .cached = all.tokens});
  shape_free(&step), shape_free(&all);
  return needs(s->a, &f);
}

void budget_slots(const App *a, int64_t longest, int64_t *slots) {
  lower(a, slots_peak, &(Slots){a, longest}, (Word){"sequence is decoded", "sequences are decoded"}, slots);
}

// ---- a training

typedef struct Training {
  const App *a;
  const TrainSettings *s;
  const Data *look, *held;
  bool lean;
} Training;

static Footprint training_footprint(const Training *t, int64_t cap) {
  const Engine *en = t->a->en;
  TrainSettings s = *t->s;
  s.tokens_cap = cap;
  int64_t at_a_time = settings_step_tokens(&s, t->look ? feed_longest_of_all(t->look) : 0);
  Shape step = t->look ? shape_of_data(t->a->models, t->look, at_a_time, s.shuffle) : shape_of_text(t->a->models, at_a_time);
  Shape held = t->held ? shape_of_data(t->a->models, t->held, cap, false) : shape_of_text(t->a->models, cap);
  Load l = {.training = true, .tables = t->held ? -1 : step.tables, .nstep = 1, .step = {{en->entry[t->lean ? ENTRY_LEAN : ENTRY_TRAIN], step.tokens, step.rows}}};
  if (s.validate.n) l.step[l.nstep++] = (StepLoad){en->entry[ENTRY_LOSS], held.tokens, held.rows};
  EntryKind kind = t->lean ? ENTRY_LEAN : ENTRY_TRAIN;
  if (frozen_wanted(&s, t->lean) && frozen_can(en, kind)) l.frozen = frozen_bytes(en, kind, step.tokens, step.rows);      // what a step is given
  Footprint f = engine_footprint(en, &l);
  shape_free(&step), shape_free(&held);
  return f;
}

static int64_t training_peak(void *user, int64_t cap) {
  const Training *t = user;
  Footprint f = training_footprint(t, cap);
  return needs(t->a, &f);
}

// Operations of lean over those of train, by some rows.
static double lean_share(const Training *t) {
  enum { COUNTED = 256 };
  const double unknown = 4.0 / 3;                  // of a model that is passed back through whole: one forward pass more
  Engine *en = t->a->en;
  Step *s = step_new(en->nstream);
  double plain = 0, lean = 0;
  for (int64_t i = 0; t->look && i < t->look->n && i < COUNTED; i++) {
    step_reset(s);
    if (!row_add(s, &t->look->row[i], 0)) continue;
    plain += engine_flops(en, en->entry[ENTRY_TRAIN], s), lean += engine_flops(en, en->entry[ENTRY_LEAN], s);
  }
  step_free(s);
  return plain > 0 ? lean / plain : unknown;
}

// What a token costs where so many are computed at a time: a step reads all weights, which is worth some tokens.
static double cost(int64_t cap) {
  enum { STEP_TOKENS = 64 };
  return cap ? 1 + (double)STEP_TOKENS / (double)cap : HUGE_VAL;
}

// What the least that is possible is made of, and what would help against the largest part.
static bool too_little(const Training *t, int64_t asked, RtError *e) {
  Footprint f = training_footprint(t, 1);
  int64_t longest = t->look ? feed_longest(t->look) : 1, weights = f.packed + f.shared + f.tables, own = needs(t->a, &f) - weights - f.params - f.activations;
  const char *help = f.activations > weights && f.activations > f.params ? "shorter rows"
                     : f.params > weights                               ? "fewer or narrower connections"
                                                                        : "smaller models, or `as int8` behind a model in the spec";
  return rt_fail(e,
                 "at least %lld MB of memory are needed, and --memory allows %.0f MB: %.0f for weights, %.0f for parameters, gradient and moments, %.0f for a step of the longest row "
                 "(%lld token%s), %.0f for program, tokenizers and data (what helps: more memory, %s)",
                 (long long)((needs(t->a, &f) + 999999) / 1000000), (double)asked / 1e6, (double)weights / 1e6, (double)f.params / 1e6, (double)f.activations / 1e6, (long long)longest,
                 plural(longest), (double)own / 1e6, help);
}

// The cheaper of both ways.
static void choose_way(Training *t, int64_t before, TrainBudget *b) {
  int64_t asked = t->a->limits.asked, want = t->s->tokens_cap;
  t->lean = false;
  if (before && before < want) want = before;
  int64_t plain = budget_largest(want, asked, training_peak, t);
  b->cap = plain, b->lean = false;
  if (t->a->en->entry[ENTRY_LEAN] < 0 || plain == want) return;
  t->lean = true, b->more = lean_share(t);
  int64_t lean = budget_largest(want, asked, training_peak, t);
  if (b->more * cost(lean) >= cost(plain)) return;
  b->cap = lean, b->lean = true;
}

bool budget_train(const App *a, const TrainSettings *s, const Data *look, const Data *held, int64_t before, TrainBudget *b, RtError *e) {
  Training t = {a, s, look, held, false};
  int64_t asked = a->limits.asked;
  *b = (TrainBudget){.cap = s->tokens_cap, .left = INT64_MAX};
  if (asked) choose_way(&t, before, b);
  t.lean = asked && (b->lean || (!b->cap && a->en->entry[ENTRY_LEAN] >= 0));
  if (!b->cap) return too_little(&t, asked, e);
  Footprint f = training_footprint(&t, b->cap);
  b->peak = needs(a, &f);
  if (asked) b->left = asked - b->peak;
  return true;
}

char *budget_words(const TrainSettings *s, const TrainBudget *b) {
  char more[160] = "";
  if (b->lean) snprintf(more, sizeof more, ", what the backward pass needs is computed again (%.0f %% more operations)", 100 * (b->more - 1));
  return rt_format("steps of at most %lld token%s (tokens_cap %lld)%s; about %.0f MB in all", (long long)b->cap, plural(b->cap), (long long)s->tokens_cap, more, (double)b->peak / 1e6);
}
