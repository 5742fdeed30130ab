// Did you mean: optimal string alignment distance over at most MAX_WORD bytes. See near.h.
#include "runtime/abi/near.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_WORD = 64 };

static int min2(int a, int b) { return a < b ? a : b; }
static char lower(char c) { return (char)tolower((unsigned char)c); }

int near_distance(const char *a, const char *b, int limit) {
  size_t la = strlen(a), lb = strlen(b);
  size_t gap = la > lb ? la - lb : lb - la;
  if (la > MAX_WORD || lb > MAX_WORD || gap >= (size_t)limit) return limit;
  int row[3][MAX_WORD + 1];                       // the row in work and the two before it
  for (size_t j = 0; j <= lb; j++) row[0][j] = (int)j;
  for (size_t i = 1; i <= la; i++) {
    int *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
    cur[0] = (int)i;
    for (size_t j = 1; j <= lb; j++) {
      char ca = lower(a[i - 1]), cb = lower(b[j - 1]);
      int d = min2(up[j - 1] + (ca != cb), min2(up[j], cur[j - 1]) + 1);
      if (i > 1 && j > 1 && ca == lower(b[j - 2]) && lower(a[i - 2]) == cb) d = min2(d, up2[j - 2] + 1);
      cur[j] = d;
    }
  }
  return min2(row[la % 3][lb], limit);
}

Near near_begin(const char *word) {
  // A third of the word may be wrong: one letter of three, two of six, never a whole short word.
  int limit = (int)(strlen(word) + 2) / 3 + 1;
  return (Near){word, NULL, limit > 4 ? 4 : limit, near_habit(word)};
}

// Is the shorter one the beginning or the end of the longer one, and half of it at least? hidden_layers is so of num_hidden_layers.
static bool is_part(const char *a, const char *b) {
  size_t la = strlen(a), lb = strlen(b);
  if (la > lb) return is_part(b, a);
  return la >= 5 && 2 * la >= lb && (!strncmp(a, b, la) || !strcmp(a, b + lb - la));
}

static const struct { const char *theirs, *ours, *remark; } habits[] = {
#define HABIT(theirs, ours, remark) {theirs, ours, remark},
#include "runtime/abi/habit.def"
#undef HABIT
};
enum { N_HABITS = sizeof habits / sizeof *habits };

// Equal but for '-' and '_'.
static bool same_name(const char *a, const char *b) {
  while (*a && (*a == *b || (*a == '-' && *b == '_') || (*a == '_' && *b == '-'))) a++, b++;
  return !*a && !*b;
}

static int habit(const char *word) {
  int i = 0;
  while (i < N_HABITS && !same_name(word, habits[i].theirs)) i++;
  return i;
}

const char *near_habit(const char *word) {
  int i = habit(word);
  return i < N_HABITS ? habits[i].ours : NULL;
}

const char *near_remark(const char *word) {
  int i = habit(word);
  return i < N_HABITS && habits[i].remark ? habits[i].remark : "";
}

void near_offer(Near *n, const char *candidate) {
  if (!candidate || !strcmp(candidate, n->word)) return;
  bool known = n->ours && same_name(n->ours, candidate);
  if (!known && strlen(n->word) < 2) return;
  int d = known ? -1 : near_distance(n->word, candidate, n->distance < 0 ? 0 : n->distance);
  if (d == n->distance && !n->best && is_part(n->word, candidate)) d = n->distance - 1;
  if (d < n->distance) {
    n->distance = d;
    n->best = candidate;
  }
}
