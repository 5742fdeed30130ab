// tokenize: lines of JSON strings to ids and back (tokenize_lines.h) with one of the program's tokenizers.
#include <string.h>

#include "runtime/commands/commands.h"
#include "runtime/text/tokenize_lines.h"

// The tokenizer of --model NAME, else the anchor's. *own: to be freed.
static const Tokenizer *choose(const Engine *en, const Options *o, Tokenizer **own, RtError *e) {
  int m = en->prog->anchor;
  for (int i = 0; i < o->model.n; i++) {
    if (strchr(o->model.v[i], '=')) continue;
    m = prog_model(en->prog, o->model.v[i]);
    if (m < 0) {
      rt_fail(e, "--model %s: this program has no model of that name (see info)", o->model.v[i]);
      return NULL;
    }
  }
  if (m == en->prog->anchor && en->tok) return en->tok;
  if (!en->tokfile[m]) {
    rt_fail(e, "model %s has no tokenizer.json", en->prog->model[m].name);
    return NULL;
  }
  return *own = tokenizer_open(en->tokfile[m], e);
}

int cmd_tokenize(const Options *o) {
  RtError e;
  Engine *en = cmd_open(o, &e);
  if (!en) return cmd_fail(&e);
  Tokenizer *own = NULL;
  const Tokenizer *t = choose(en, o, &own, &e);
  bool ok = t && tokenize_lines(t, o->decode, &e);
  if (own) tokenizer_free(own);
  engine_close(en);
  return ok ? 0 : cmd_fail(&e);
}
