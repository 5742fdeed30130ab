// generate: continues a prompt. The completion and a newline go to standard output as whole characters settle; all else
// to standard error. Many prompts at a time: answers.c; a conversation: session.c.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/commands/answers.h"
#include "runtime/commands/command.h"
#include "runtime/commands/owntext.h"
#include "runtime/commands/sampling.h"
#include "runtime/commands/session.h"
#include "runtime/commands/streams.h"
#include "runtime/commands/writer.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

static bool read_prompt(const Options *o, char **text, size_t *n, RtError *e) {
  const char *path = o->prompt && !strcmp(o->prompt, "-") ? o->prompt : o->prompt_file;
  if (path) {
    FileMap m = {0};
    FileIn *in = file_in_piped(path, e);
    bool ok = in && file_in_map(&m, in, file_said(path), e);
    rt_end(in);
    if (!ok) return false;
    const char *all = m.data ? (const char *)m.data : "";
    const char *other = text_instead(all, m.size);
    if (other) return file_unmap(&m), rt_fail(e, "%s: %s", file_said(path), other);
    size_t bom = rt_utf8_bom(all, m.size);
    *text = rt_alloc((*n = m.size - bom) + 1, 1);
    memcpy(*text, all + bom, *n);
    file_unmap(&m);
    return true;
  }
  *text = rt_strdup(o->prompt);
  *n = strlen(o->prompt);
  return true;
}

static bool encode_prompt(const Models *m, const Options *o, Prompt *p, RtError *e) {
  char *text = NULL;
  size_t len = 0;
  bool ok = read_prompt(o, &text, &len, e) && (o->chat ? prompt_message(m, o->system, text, len, p, e) : prompt_text(m, text, len, p, e));
  if (ok && p->cut) rt_note("the prompt is longer than a context: cut from the left to %lld token%s", (long long)p->n, plural(p->n));
  rt_free(text);
  return ok;
}

// Loads the weights, where memory allows the caches that the text may grow to.
static bool load(App *a, const Options *o, const Prompt *p, RtError *e) {
  const char *why;
  int64_t most = writer_most(a->models, o, p->n, &why);
  Shape step = shape_of_tokens(a->models, p->n < GENERATE_CHUNK ? p->n : GENERATE_CHUNK), all = shape_of_tokens(a->models, p->n + most);
  bool ok = app_load(a, o, &(Load){.tables = all.tables, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, 1}}, .cached = all.tokens}, e);
  shape_free(&step), shape_free(&all);
  return ok;
}

static bool run(const App *a, const Options *o, Prompt *p, RtError *e) {
  const Models *m = a->models;
  int64_t n = p->n;
  Writer w;
  writer_start(&w, m, o, p, o->chat, 0, NULL);
  int64_t *known = rt_alloc((size_t)m->streams.n, sizeof *known);
  follow_most(p->follow, n, known);
  Decoder *d = decoder_new(a->en, m->tok, 1, n + w.most, n < GENERATE_CHUNK ? n : GENERATE_CHUNK, GENERATE_CHUNK, false, known, e);
  rt_free(known);
  if (!d) return writer_free(&w), false;
  DecodeSeq *s = decoder_open(d, p->ids, n, p->follow, NULL);
  p->follow = NULL;
  double start = rt_now(), first = 0;
  bool ok = true;
  while (ok && !writer_is_done(&w, s)) {
    DecodeStep did = decoder_step(d, e);
    ok = did != DECODE_FAILED;
    if (did != DECODE_STEPPED) break;
    if (!s->logits) continue;                      // the prompt is not through yet
    if (!w.made) first = rt_now() - start;
    ok = writer_next(&w, d, s, e) && streams_written(e);
  }
  RtError why;
  ok = writer_end(&w, ok ? e : &why) && ok;
  putchar('\n');
  if (ok) ok = streams_written(e);                 // a terminal shows the figures after it
  else fflush(stdout);
  bool asked = !ok && e->about == RT_ABOUT_STOP;
  if (ok || asked) writer_tell(&w, n, 0, first, rt_now() - start - first, asked ? "a signal" : writer_why(&w, s));
  writer_free(&w);
  decoder_free(d);
  return ok;
}

static bool one(App *a, const Options *o, RtError *e) {
  Prompt p = {0};
  json_t *own;
  bool ok = owntext_asked(o, &own, e) && app_part(a, own, o->chat, e) && owntext_begin(a, own, NULL, e) && encode_prompt(a->models, o, &p, e);
  owntext_end(a), json_decref(own);
  ok = ok && load(a, o, &p, e) && run(a, o, &p, e);
  prompt_free(&p);
  return ok;
}

static int usage(const Options *o) {
  int sources = (o->prompt != NULL) + (o->prompt_file != NULL) + (o->prompts != NULL);
  if (sources > 1) return usage_error("--prompt, --prompt-file and --data: give one of them");
  if (!sources && o->chat && !isatty(STDIN_FILENO))
    return usage_error("--chat alone is a conversation on a terminal, and standard input is none: give --prompt TEXT, or --data FILE of prompts");
  if (!sources && !o->chat) return usage_error("give --prompt TEXT (\"\" starts from the beginning-of-text token), --data FILE of prompts, or --chat on a terminal");
  if (!o->chat && o->system && !o->prompts) return usage_error("--system is a message before --prompt's, for --chat");
  if (!o->prompts && o->prompt_too_long == TOO_LONG_skip) return usage_error("--too-long skip leaves rows of --data without an answer; of a prompt: truncate");
  if (!o->prompts && o->answers) return usage_error("--out takes the answers to --data");
  return 0;
}

int cmd_generate(const Options *o) {
  RtError e;
  int wrong = usage(o);
  if (wrong) return wrong;
  App a;
  const char *most;
  bool ok = app_open(&a, o, &e);
  if (ok && !a.models->tok) ok = rt_fail(&e, "generate needs a tokenizer, and %s has no tokenizer.json", a.prog->model[a.prog->anchor].name);
  if (ok) sampling_tell(a.models, o), a.models->too_long = o->prompt_too_long, a.models->room = writer_most(a.models, o, 0, &most);
  if (ok && !o->prompts) options_idle(o, FLAG_slots, "there is no --data");
  bool given = o->prompt || o->prompt_file;
  ok = ok && (o->prompts ? answers_make(&a, o, &e) : given ? one(&a, o, &e) : session_run(&a, o, &e));
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
