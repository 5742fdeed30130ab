// The door: see template.h.
#include "runtime/template/template.h"

#include "runtime/template/eval.h"
#include "runtime/template/parse.h"

struct Template {
  char *name;
  TpChunk *chunk;              // all of the tree
  Node *body;
  bool generation;
};

// Here and below setjmp stands in a function of its own, whose locals nobody changes after it.
static bool read_template(Tp *t, Template *out, const char *text, size_t n) {
  if (setjmp(t->out)) return false;
  out->body = tp_parse(t, tp_lex(t, text, n), &out->generation);
  return true;
}

Template *template_open(const char *name, const char *text, size_t n, RtError *e) {
  Template *out = rt_alloc(1, sizeof *out);
  Tp t;
  out->name = rt_strdup(name);
  tp_begin(&t, out->name, n, e);
  bool ok = read_template(&t, out, text, n);
  out->chunk = t.chunk;
  if (ok) return out;
  template_free(out);
  return NULL;
}

void template_free(Template *t) {
  if (!t) return;
  tp_drop(t->chunk);
  rt_free(t->name);
  rt_free(t);
}

const char *template_name(const Template *t) { return t->name; }
bool template_marks_generation(const Template *t) { return t->generation; }

// About the bytes of what is handed in.
static size_t size_of(const json_t *j) {
  size_t n = 8;
  const char *key;
  json_t *v;
  if (json_is_string(j)) n += json_string_length(j);
  for (size_t i = 0; json_is_array(j) && i < json_array_size(j); i++) n += size_of(json_array_get(j, i));
  if (json_is_object(j)) json_object_foreach((json_t *)(uintptr_t)j, key, v) n += strlen(key) + size_of(v);
  return n;
}

static Scope *globals(Eval *x, const TemplateInput *in) {
  Scope *s = tp_alloc(x->t, 1, sizeof *s);
  const char *key;
  json_t *v;
  scope_set(x, s, "messages", v_of_messages(x->t, in->messages, in->n_messages));
  scope_set(x, s, "tools", v_of_json(x->t, in->tools));
  scope_set(x, s, "documents", v_of_json(x->t, in->documents));
  scope_set(x, s, "add_generation_prompt", v_bool(in->add_generation_prompt));
  if (in->names) json_object_foreach((json_t *)(uintptr_t)in->names, key, v) scope_set(x, s, key, v_of_json(x->t, v));
  return s;
}

static bool render(Tp *t, const Template *of, const TemplateInput *in, Buf *out) {
  if (setjmp(t->out)) return false;
  Eval x = {t, in->now};
  Scope *top = tp_alloc(t, 1, sizeof *top);
  top->up = globals(&x, in);
  run_template(&x, top, of->body, out);
  return true;
}

bool template_render(const Template *of, const TemplateInput *in, Rendered *out, RtError *e) {
  Tp t;
  *out = (Rendered){.n = 0};
  tp_begin(&t, of->name, size_of(in->messages) + size_of(in->tools) + size_of(in->documents), e);
  Buf b = buf_new(&t);
  bool ok = render(&t, of, in, &b);
  if (ok) {
    out->text = rt_alloc(b.n + 1, 1);
    if (b.n) memcpy(out->text, b.s, b.n);
    out->n = b.n, out->n_runs = b.n_runs;
    out->run = rt_alloc(b.n_runs, sizeof *out->run);
    if (b.n_runs) memcpy(out->run, b.run, b.n_runs * sizeof *out->run);
  }
  tp_drop(t.chunk);
  return ok;
}

void rendered_free(Rendered *r) {
  rt_free(r->text);
  rt_free(r->run);
  *r = (Rendered){.n = 0};
}
