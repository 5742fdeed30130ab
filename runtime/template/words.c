// Calling what is in the tables: see words.h.
#include "runtime/template/words.h"

enum { NAME = 40 };

// The i-th name of a word's parameters; false: there is none.
static bool parameter(const char *takes, int i, char name[NAME]) {
  while (*takes) {
    size_t n = strcspn(takes, " ");
    if (i-- == 0) {
      memcpy(name, takes, n);
      name[n] = 0;
      return true;
    }
    takes += n + (takes[n] == ' ');
  }
  return false;
}

static int place_of(const char *takes, const char *key) {
  char name[NAME];
  for (int i = 0; parameter(takes, i, name); i++)
    if (!strcmp(name, key)) return i;
  return -1;
}

Value word_call(Tp *t, const Word *w, const char *what, Value v, const Call *c, const struct tm *now) {
  In in = {.v = v, .all = c, .now = now};
  char name[NAME];
  tp_spend(t, 1);
  if (*w->takes == '*') return w->run(t, &in);
  for (size_t i = 0; i < c->n; i++) {
    if (!parameter(w->takes, (int)i, name)) tp_fail(t, "%s %s: %zu arguments are too many", what, w->name, c->n);
    in.arg[i] = c->at[i], in.given[i] = true;
  }
  for (size_t i = 0; i < c->n_named; i++) {
    int at = place_of(w->takes, c->key[i]);
    if (at < 0) tp_fail(t, "%s %s: there is no argument %s", what, w->name, c->key[i]);
    if (in.given[at]) tp_fail(t, "%s %s: %s is given twice", what, w->name, c->key[i]);
    in.arg[at] = c->named[i], in.given[at] = true;
  }
  for (int i = 0; i < w->needs; i++)
    if (!in.given[i] && parameter(w->takes, i, name)) tp_fail(t, "%s %s: %s is missing", what, w->name, name);
  return w->run(t, &in);
}

void word_known(Tp *t, const char *what, bool known, const char *name) {
  if (!known) tp_fail(t, "there is no %s '%.60s', or it is not supported", what, name);
}

Value arg_str(Tp *t, const In *in, int i, const char *otherwise) {
  if (!in->given[i]) return v_cstr(otherwise);
  if (in->arg[i].kind == UNDEFINED) fail_undefined(t, in->arg[i]);
  if (in->arg[i].kind != STR) tp_fail(t, "expected a str as argument, found a %s", v_kind(in->arg[i]));
  return in->arg[i];
}

int64_t arg_int(Tp *t, const In *in, int i, int64_t otherwise) {
  if (!in->given[i]) return otherwise;
  if (in->arg[i].kind != INT && in->arg[i].kind != BOOL) tp_fail(t, "expected an int as argument, found a %s", v_kind(in->arg[i]));
  return in->arg[i].i;
}

bool arg_bool(const In *in, int i, bool otherwise) { return in->given[i] ? v_true(in->arg[i]) : otherwise; }
