// Did you mean: the candidate nearest to a misspelt word.
#ifndef CALM_RUNTIME_ABI_NEAR_H
#define CALM_RUNTIME_ABI_NEAR_H

typedef struct Near {
  const char *word;      // what was written
  const char *best;      // the nearest candidate so far, NULL when none is near enough
  int distance;
  const char *ours;      // what calm calls it where others call it so; NULL
} Near;

Near near_begin(const char *word);
// What calm calls what others call `word` (habit.def), as a setting is written; NULL. And what there is to say of it, or "".
const char *near_habit(const char *word);
const char *near_remark(const char *word);
// Offers a candidate; it must outlive n. A tie keeps the first; what others call the word goes before what looks like it.
void near_offer(Near *n, const char *candidate);
// Edits (insert, delete, replace, swap neighbours; a change of case counts as none) between a and b, or `limit` when
// there are that many or more.
int near_distance(const char *a, const char *b, int limit);
#endif
