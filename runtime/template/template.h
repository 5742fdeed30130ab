// The door of template: chat templates, which make one text of a conversation. A template is Jinja as transformers runs it (apply_chat_template's
// immutable sandbox: trim_blocks, lstrip_blocks, loop controls, generation blocks), read once to a tree and run over it. It comes with a model and is a
// stranger's: what it may take is counted (steps, memory, nesting), it can change nothing and reach nothing. What it says that is not understood is an
// error naming its line.
#ifndef CALM_RUNTIME_TEMPLATE_H
#define CALM_RUNTIME_TEMPLATE_H
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/core/core.h"

typedef struct Template Template;

// name: what messages call it (a path); it is copied. NULL and "NAME:LINE: …" where it is not understood. Used by any number of threads at once.
Template *template_open(const char *name, const char *text, size_t n, RtError *e);
void template_free(Template *t);
const char *template_name(const Template *t);
bool template_marks_generation(const Template *t);       // it has a {% generation %} block

typedef struct TemplateInput {
  const json_t *messages;      // an array of objects. As in apply_chat_template, members that are null are as if absent, and reasoning has all its names
  size_t n_messages;           // the first so many of them
  const json_t *tools, *documents;                       // NULL: none
  const json_t *names;         // an object of further names: bos_token, eos_token, …; NULL: none
  bool add_generation_prompt;
  const struct tm *now;        // what strftime_now formats; NULL: a template that asks for it is refused
} TemplateInput;

// Bytes [begin, end) of a rendering that stand as they do in a message's content (`message` is its number, `offset` where in its content: the string,
// or the texts of its parts joined), or were written inside a generation block, or both. message -1: of no content. Ascending, apart from each other.
typedef struct TemplateRun {
  size_t begin, end, offset;
  int32_t message;
  bool generated;
} TemplateRun;

typedef struct Rendered {
  char *text;                  // NUL behind it
  size_t n;
  TemplateRun *run;
  size_t n_runs;
} Rendered;

// False and "NAME:LINE: …" where the template refuses the conversation (raise_exception) or fails on it. To be freed with rendered_free.
bool template_render(const Template *t, const TemplateInput *in, Rendered *out, RtError *e);
void rendered_free(Rendered *r);
#endif
