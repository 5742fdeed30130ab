// What evaluating a spec's text may take, in units counted the same on every machine: one for an expression, one for 32 bytes that a value
// takes. What can be meant is far below; a function that calls itself twice, a list that is doubled again and again ends here, by a line that
// names the place, before it has taken a machine's memory. Every part of an architecture or an op that is applied brings units of its own, and so
// does every byte of text.
#include <string.h>

#include "build/ctx.h"

enum { UNITS = 2000000, UNITS_OF_PART = 4000, RESERVE = 200000, RESERVE_OF_SETTING = 1000 };

void budget_begin(Build *b) {
  const Spec *s = b->spec;
  b->units = UNITS;
  b->reserve = RESERVE;
  b->units += 2 * (int64_t)s->sources->v[s->file->loc.file].len;
  for (int i = 0; i < s->nused; i++) b->units += 2 * (int64_t)s->sources->v[s->lib[i]->loc.file].len;
}

void budget_part(Build *b) { b->units += UNITS_OF_PART; }

void budget_setting(Build *b) {
  if (!b->spent || b->reserve < RESERVE_OF_SETTING) return;
  b->reserve -= RESERVE_OF_SETTING;
  b->units = RESERVE_OF_SETTING;
  b->spent = false;
}

bool spend_text(Ev *ev, Loc loc, const char *text) { return spend(ev, loc, 1 + (int64_t)strlen(text) / 32); }

bool spend(Ev *ev, Loc loc, int64_t units) {
  Build *b = ev->b;
  if (b->spent) return false;
  b->units -= units;
  if (b->units >= 0) return true;
  fail(ev, loc, "evaluating this spec takes more steps or more memory than %d million values have: a function that calls itself too often, or a list or a string that grows without end?", UNITS / 1000000);
  b->spent = true;
  return false;
}
