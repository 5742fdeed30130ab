// tokenize: lines of JSON strings to ids and back (tokenize_lines.h) with one of the program's tokenizers.
#include <stdio.h>
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/text/text.h"

// The tokenizer of --model NAME, else the anchor's. *own: to be freed.
static const Tokenizer *choose(const Models *ms, const Options *o, Tokenizer **own, RtError *e) {
  int m = ms->prog->anchor, named = 0;
  for (int i = 0; i < o->model.n; i++) {
    if (strchr(o->model.v[i], '=')) continue;
    if (named++) return rt_fail_about(e, RT_ABOUT_USAGE, "--model is given twice; one tokenizer is used"), NULL;
    m = prog_model(ms->prog, o->model.v[i]);
    if (m < 0) {
      rt_fail_about(e, RT_ABOUT_USAGE, "--model %s: this program has no model of that name (see info)", o->model.v[i]);
      return NULL;
    }
  }
  if (m == ms->prog->anchor && ms->tok) return ms->tok;
  if (!ms->tokfile[m]) {
    rt_fail(e, "model %s has no tokenizer.json", ms->prog->model[m].name);
    return NULL;
  }
  return *own = tokenizer_open(ms->tokfile[m], e);
}

int cmd_tokenize(const Options *o) {
  RtError e;
  App a;
  Tokenizer *own = NULL;
  bool ok = app_open(&a, o, &e);
  const Tokenizer *t = ok ? choose(a.models, o, &own, &e) : NULL;
  ok = t && tokenize_lines(t, o->decode, &(TokLines){stdin, stdout, "standard input", "standard output"}, &e);
  if (own) tokenizer_free(own);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
