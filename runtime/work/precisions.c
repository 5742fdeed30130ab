// See precisions.h.
#include "runtime/work/precisions.h"

#include <string.h>

#include "runtime/core/core.h"

// -1: none.
static int word_of(const json_t *v) {
  const char *text = json_string_value(v);
  for (int p = 0; text && p < N_PRECISION; p++)
    if (!strcmp(text, precision_name((Precision)p))) return p;
  return -1;
}

json_t *precisions_json(const Prog *p, const Precision *of) {
  bool alike = true;
  for (int i = 1; i < p->nmodel; i++) alike &= of[i] == of[0];
  if (alike) return json_string(precision_name(of[0]));
  json_t *each = json_object();
  for (int i = 0; i < p->nmodel; i++) json_object_set_new(each, p->model[i].name, json_string(precision_name(of[i])));
  return each;
}

json_t *precisions_used(const Engine *en) {
  Precision *of = rt_alloc((size_t)en->prog->nmodel, sizeof *of);
  for (int i = 0; i < en->prog->nmodel; i++) of[i] = engine_precision(en, i);
  json_t *said = precisions_json(en->prog, of);
  rt_free(of);
  return said;
}

bool precisions_is(const json_t *v) {
  const char *name;
  json_t *of;
  if (!json_is_object(v) || !json_object_size(v)) return word_of(v) >= 0;
  json_object_foreach((json_t *)(uintptr_t)v, name, of)
    if (word_of(of) < 0) return false;
  return true;
}

// " (base, code)": the models of one precision.
static void put_models(Bytes *b, const json_t *said, int precision) {
  const char *name;
  json_t *of;
  int n = 0;
  json_object_foreach((json_t *)(uintptr_t)said, name, of) {
    if (word_of(of) != precision) continue;
    const char *before = n++ ? ", " : " (";
    bytes_put(b, before, 2), bytes_put(b, name, strlen(name));
  }
  bytes_put(b, ")", 1);
}

char *precisions_words(const json_t *said) {
  Bytes b = {0};
  bool in[N_PRECISION] = {false};
  const char *name;
  json_t *of;
  if (!precisions_is(said)) return rt_strdup("?");
  if (json_is_string(said)) return rt_strdup(json_string_value(said));
  json_object_foreach((json_t *)(uintptr_t)said, name, of) {
    int p = word_of(of);
    if (in[p]) continue;
    in[p] = true;
    if (b.n) bytes_put(&b, " and ", 5);
    bytes_put(&b, precision_name((Precision)p), strlen(precision_name((Precision)p)));
    put_models(&b, said, p);
  }
  return b.s;
}

bool precisions_read(const Prog *p, const json_t *said, Precision *of, const char **of_none) {
  for (int i = 0; i < p->nmodel; i++) {
    int is = !said || json_is_null(said) ? PRECISION_F32 : word_of(json_is_object(said) ? json_object_get(said, p->model[i].name) : said);
    if (is < 0) return *of_none = p->model[i].name, false;
    of[i] = (Precision)is;
  }
  return true;
}
