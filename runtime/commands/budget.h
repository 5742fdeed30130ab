// How a command keeps within --memory: how many tokens it computes at a time, what it computes twice, and what is left for caches. Chosen before any
// weight is read, from the description of the program and a look at the data; where even the least is too much, that is an error.
#ifndef CALM_RUNTIME_COMMANDS_BUDGET_H
#define CALM_RUNTIME_COMMANDS_BUDGET_H
#include "runtime/commands/command.h"
#include "runtime/work/work.h"

// Bytes that a run takes at its peak which computes cap tokens at a time, or decodes cap sequences.
typedef int64_t BudgetPeak(void *user, int64_t cap);
// The largest cap up to `want` whose peak is `most` bytes at most, in steps of 16 above 16 and of 64 above 64; 0: not even 1.
int64_t budget_largest(int64_t want, int64_t most, BudgetPeak *peak, void *user);

// Lowers *cap, the tokens of a step, as far as --memory asks, and says so; without --memory, and where not even one token fits, it stays (memory_check
// refuses that). data NULL: of any text. l: the load, but for how large its steps are. whole: every token of a row is wanted.
void budget_steps(const App *a, const Load *l, const Data *data, bool whole, int64_t *cap);
// The same of sequences decoded at a time, of `longest` tokens each.
void budget_slots(const App *a, int64_t longest, int64_t *slots);

// A training.
typedef struct TrainBudget {
  int64_t cap;                 // most tokens computed at a time; that of the settings where there is no budget
  bool lean;                   // by entry lean
  double more;                 // operations of lean over those of train
  int64_t peak;                // bytes in all, without the rows that the frozen cache keeps
  int64_t left;                // bytes for these; INT64_MAX where there is no budget
} TrainBudget;
// look, held: at its data (NULL: any text, no held-out data). before: tokens at a time of the run that is gone on with, which are kept where they
// fit (0: none). False and an error where nothing fits.
bool budget_train(const App *a, const TrainSettings *s, const Data *look, const Data *held, int64_t before, TrainBudget *b, RtError *e);
// "steps of at most 832 tokens (tokens_cap 4096), …": what was chosen. To be freed.
char *budget_words(const TrainSettings *s, const TrainBudget *b);
#endif
