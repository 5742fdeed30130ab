// See answers.h. All prompts are read before anything is computed, for their mistakes and for how much room they take; then again, one when a sequence is free:
// there may be any number of them, so none is held, and reading both times takes 0.2 % of answering 60 prompts of 450 tokens with one token each (two tokenizers).
#include "runtime/commands/answers.h"

#include <stdio.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/owntext.h"
#include "runtime/commands/pace.h"
#include "runtime/commands/part.h"
#include "runtime/commands/sampling.h"
#include "runtime/commands/streams.h"
#include "runtime/commands/writer.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

typedef struct Answers {
  App *a;
  const Options *o;
  DataFile *file;
  json_t *own;                 // of --augment; NULL
  LineText text;
  Part *part;                  // NULL: to standard output, where they wait for those before them
  char **line;                 // by row
  int64_t rows, next, done, printed;       // next to begin; done in this run; printed to standard output
  int64_t left, longest;       // rows to answer at the start; tokens of the longest
  int64_t *known;              // by stream, as decoder_new wants it
  int64_t tokens, ended[N_WRITER_STOPS], out, cut;      // out: prompts that are too long
  Pace pace;
} Answers;

typedef struct Answer {        // one that is under way
  int64_t row;
  json_t *obj;
  bool chat;
  Bytes text;
  Writer w;
} Answer;

// ---- prompts

static bool of_conversation(const Answers *w, const json_t *row, Prompt *p, RtError *e) {
  Conversation c;
  if (!conversation_read(&c, row, true, e)) return false;
  size_t n = json_array_size(c.messages);
  const char *first = json_string_value(json_object_get(json_array_get(c.messages, 0), "role"));
  const char *last = json_string_value(json_object_get(json_array_get(c.messages, n - 1), "role"));
  json_t *messages = json_array();
  if (w->o->system && first && strcmp(first, "system")) json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "system", "content", w->o->system));
  for (size_t i = 0; i < n; i++)
    if (i + 1 < n || !last || strcmp(last, "assistant")) json_array_append(messages, json_array_get(c.messages, i));
  json_decref(c.messages);
  c.messages = messages;
  bool ok = json_array_size(messages) ? prompt_chat(w->a->models, &c, p, e) : rt_fail(e, "there is no message to answer");
  conversation_free(&c);
  return ok;
}

static bool of_row(const Answers *w, const json_t *row, Prompt *p, bool *chat, RtError *e) {
  const json_t *text = rtj_has(row, "prompt");
  if (!json_is_object(row)) return rt_fail(e, "expected a row, {\"prompt\"} or {\"messages\"}, found %s", rtj_kind(row));
  if (json_object_get(row, "generated")) return rt_fail(e, "the row has a key \"generated\" already, which its answer is written to");
  *chat = conversation_is(row);
  if (*chat && !text) return of_conversation(w, row, p, e);
  if (!json_is_string(text)) return rt_fail(e, "expected \"prompt\", a string, or a conversation such as \"messages\", found %s", rtj_kind(text));
  *chat = w->o->chat;
  const char *s = json_string_value(text);
  size_t n = json_string_length(text);
  return *chat ? prompt_message(w->a->models, w->o->system, s, n, p, e) : prompt_text(w->a->models, s, n, p, e);
}

// Row `at`: its object, to be let go, and its prompt.
static json_t *read_row(Answers *w, int64_t at, Prompt *p, bool *chat, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  RtError why;
  *p = (Prompt){0};
  json_t *row = data_json(w->file, at, &w->text, e);
  bool ok = row && owntext_begin(w->a, w->own, row, &why) && of_row(w, row, p, chat, &why);
  owntext_end(w->a);
  if (!row || ok) return row;
  rt_fail_about(e, why.about, "%s:%lld: %s", data_path(w->file), (long long)data_line_of(w->file, at), why.text);
  json_decref(row), prompt_free(p);
  return NULL;
}

static bool has_answer(const Answers *w, int64_t row) { return w->part ? part_has(w->part, row) : row < w->printed || w->line[row]; }

static bool put(Answers *w, int64_t row, const json_t *obj, RtError *e) {
  char *line = json_dumps(obj, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
  if (w->part) {
    bool ok = part_add(w->part, row, line, strlen(line), e);
    rt_free(line);
    return ok;
  }
  w->line[row] = line;
  return true;
}

static bool print_ready(Answers *w, RtError *e) {
  for (; w->line && w->printed < w->rows && w->line[w->printed]; w->printed++) {
    puts(w->line[w->printed]);
    rt_free(w->line[w->printed]);
    w->line[w->printed] = NULL;
  }
  return streams_written(e);
}

// A row whose prompt is too long has its place, and no answer.
static bool leave_out(Answers *w, int64_t row, json_t *obj, RtError *e) {
  json_object_set_new(obj, "generated", json_null());
  json_object_set_new(obj, "stopped", json_string("too long"));
  w->out++;
  return put(w, row, obj, e);
}

static bool read_all(Answers *w, RtError *e) {
  const char *why;
  bool chat;
  char *what = rt_format("reading %s", data_path(w->file));
  bool ok = true;
  for (int64_t i = 0; ok && i < w->rows; i++) {
    Prompt p;
    if (has_answer(w, i)) continue;
    json_t *row = read_row(w, i, &p, &chat, e);
    rt_progress(what, i, w->rows);
    if (!(ok = row && !rt_stopped(e))) break;
    w->cut += p.cut;
    if (p.out) {
      ok = leave_out(w, i, row, e);
      json_decref(row), prompt_free(&p);
      continue;
    }
    int64_t n = p.n + writer_most(w->a->models, w->o, p.n, &why);
    if (n > w->longest) w->longest = n;
    if (p.follow) follow_most(p.follow, p.n, w->known);
    w->left++;
    json_decref(row), prompt_free(&p);
  }
  rt_progress(what, 1, 1);
  rt_free(what);
  return ok;
}

// ---- answers

static bool keep(Answers *w, Answer *x, const DecodeSeq *s, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  WriterStop how = writer_stop(&x->w, s);
  if (!writer_end(&x->w, e)) return false;
  json_object_set_new(x->obj, "generated", json_stringn(x->text.s ? x->text.s : "", x->text.n));
  json_object_set_new(x->obj, "stopped", json_string(writer_stop_name(how)));
  w->done++, w->tokens += x->w.made, w->ended[how]++;
  return put(w, x->row, x->obj, e) && print_ready(w, e);
}

static void drop(DecodeSeq *s) {
  Answer *x = s->user;
  decoder_close(s);
  writer_free(&x->w);
  json_decref(x->obj), rt_free(x->text.s), rt_free(x);
}

// The next row that has no answer yet, if there is one. *more: there may be another.
static bool begin(Answers *w, Decoder *d, bool *more, RtError *e) {
  while (w->next < w->rows && has_answer(w, w->next)) w->next++;
  if (!(*more = w->next < w->rows)) return true;
  Prompt p;
  Answer *x = rt_alloc(1, sizeof *x);
  x->row = w->next++;
  if (!(x->obj = read_row(w, x->row, &p, &x->chat, e))) return rt_free(x), false;
  writer_start(&x->w, w->a->models, w->o, &p, x->chat, x->row, &x->text);
  decoder_open(d, p.ids, p.n, p.follow, x);
  p.follow = NULL;
  prompt_free(&p);
  return true;
}

static bool answer_all(Answers *w, Decoder *d, int64_t slots, RtError *e) {
  bool ok = true, more = true;
  int64_t open = 0;
  while (ok) {
    while (ok && more && open < slots) ok = begin(w, d, &more, e), open += ok && more;
    DecodeStep did = !ok ? DECODE_FAILED : open ? decoder_step(d, e) : DECODE_IDLE;
    ok = did != DECODE_FAILED;
    for (int64_t i = 0; ok && i < slots; i++) {
      DecodeSeq *s = &d->seq[i];
      Answer *x = s->user;
      if (!s->open) continue;
      if (s->logits && !writer_is_done(&x->w, s)) ok = writer_next(&x->w, d, s, e);
      if (!ok || !writer_is_done(&x->w, s)) continue;
      ok = keep(w, x, s, e);
      drop(s), open--;
    }
    if (did == DECODE_IDLE && !open && !more) break;
    pace_say(&w->pace, w->done, w->tokens);
  }
  for (int64_t i = 0; i < slots; i++)
    if (d->seq[i].open) drop(&d->seq[i]);
  pace_end(&w->pace);
  return ok;
}

static bool run(Answers *w, RtError *e) {
  App *a = w->a;
  int64_t slots = w->o->slots < w->left ? w->o->slots : w->left;
  budget_slots(a, w->longest, &slots);
  int64_t tokens = decoder_step_tokens(slots, w->longest);
  Shape step = shape_of_text(a->models, tokens), all = shape_of_tokens(a->models, slots * w->longest);
  bool ok = app_load(a, w->o, &(Load){.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, slots}}, .cached = all.tokens}, e);
  shape_free(&step), shape_free(&all);
  Decoder *d = ok ? decoder_new(a->en, a->models->tok, slots, w->longest, tokens, DECODE_CHUNK, false, w->known, e) : NULL;
  if (!d) return false;
  w->pace = pace_begin(w->rows - w->left, w->rows);
  ok = answer_all(w, d, slots, e);
  decoder_free(d);
  return ok;
}

// ---- the command

static json_t *hash_of(const json_t *v) {
  char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS), hex[SHA256_HEX];
  Sha256 s;
  sha256_init(&s);
  sha256_add(&s, text, strlen(text));
  sha256_hex(&s, hex);
  rt_free(text);
  return json_string(hex);
}

static json_t *list_of(const OptList *l) {
  json_t *v = json_array();
  for (int i = 0; i < l->n; i++) json_array_append_new(v, json_string(l->v[i]));
  return v;
}

static bool params_hash(const Answers *w, char hex[SHA256_HEX], RtError *e) {
  const char *given = w->o->params ? w->o->params : w->o->pack;
  snprintf(hex, SHA256_HEX, "seed %lld", w->a->prog->nparam ? (long long)w->o->seed : 0);
  if (!given) return true;
  char *path = file_is_dir(given) ? file_join(given, "theta.safetensors") : rt_strdup(given);
  bool ok = sha256_file(path, hex, e);
  rt_free(path);
  return ok;
}

// What decides what the answers are.
static json_t *of_run(const Answers *w, RtError *e) {
  const Options *o = w->o;
  const Models *m = w->a->models;
  Sampling s = sampling_of(m, o);
  Identity id = {.models = m};
  char hex[SHA256_HEX];
  const json_t *models = identity_get(&id, e);
  json_t *v = NULL;
  if (models && params_hash(w, hex, e)) {
    const char *why;
    json_t *chat = json_pack("{s:b, s:s?, s:s?, s:I}", "chat", o->chat, "system", o->system, "template", o->chat_template, "date", (json_int_t)models_date(m));
    v = json_pack("{s:s, s:o, s:s, s:s, s:o, s:[f, I, f, f, f, I], s:I, s:[o, b], s:o, s:[o, o, i, o]}", "data", w->file->part[0].lines.sum.sha256, "models", hash_of(models), "parameters",
                  hex, "too-long", setting_row[SET_train_too_long].words[o->prompt_too_long], "augments' texts", w->own ? hash_of(w->own) : json_null(), "sampling", s.temperature, (json_int_t)s.top_k, s.top_p, s.min_p, s.repetition, (json_int_t)s.seed, "max-tokens",
                  (json_int_t)writer_most(m, o, 0, &why), "stop texts", list_of(&o->stop), o->ignore_eos, "chat", chat, "connections' scales or precision",
                  list_of(&o->scale), list_of(&o->ablate), o->precision, list_of(&o->precision_of));
  }
  identity_drop(&id);
  return v;
}

static bool open_part(Answers *w, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  const char *out = w->o->answers;
  if (!out) return w->line = rt_alloc((size_t)w->rows + 1, sizeof *w->line), true;
  if (!output_allowed(w->a, w->o, NULL, out, e)) return false;
  if (file_is_there(out) && !w->o->overwrite)
    return rt_fail_about(e, RT_ABOUT_ANSWERS, "%s is there already, and is left as it is", out);
  json_t *of = of_run(w, e);
  if (of) w->part = part_open(out, of, w->rows, w->o->overwrite, e);
  json_decref(of);
  if (w->part && part_count(w->part)) rt_note("%s: going on, %lld of %lld rows have their answers", part_path(w->part), (long long)part_count(w->part), (long long)w->rows);
  return w->part;
}

static void say_end(const Answers *w) {
  double took = rt_now() - w->pace.start;
  fprintf(stderr, "%s%s%lld row%s, %lld token%s in %.1f s; stopped by end of text %lld, --stop %lld, length %lld\n", w->o->answers ? w->o->answers : "",
          w->o->answers ? ": " : "", (long long)w->rows, plural(w->rows), (long long)w->tokens, plural(w->tokens), took, (long long)w->ended[STOP_END],
          (long long)w->ended[STOP_TEXT], (long long)(w->ended[STOP_CONTEXT] + w->ended[STOP_MOST]));
  if (w->out)
    fprintf(stderr, "%lld prompt%s longer than a context and not answered (--too-long skip)\n", (long long)w->out, w->out == 1 ? " is" : "s are");
  if (w->cut) fprintf(stderr, "%lld prompt%s longer than a context: cut from the left (--too-long truncate)\n", (long long)w->cut, w->cut == 1 ? " is" : "s are");
}

bool answers_make(App *a, const Options *o, RtError *e) {
  Answers w = {.a = a, .o = o, .pace.start = rt_now()};
  bool ok = (w.file = data_open_piped(o->prompts, e)) != NULL;
  if (ok) w.rows = data_count(w.file);
  ok = ok && owntext_asked(o, &w.own, e) && app_part(a, w.own || data_augments(w.file), o->chat || data_talks(w.file), e);
  w.known = rt_alloc((size_t)a->models->streams.n, sizeof *w.known);
  ok = ok && open_part(&w, e) && read_all(&w, e) && print_ready(&w, e) && (!w.left || run(&w, e)) && (!w.part || part_finish(w.part, e));
  if (ok) say_end(&w);
  else if (w.part && part_count(w.part))
    rt_note("%s keeps the answers of %lld of %lld rows; the same command goes on", part_path(w.part), (long long)part_count(w.part), (long long)w.rows);
  for (int64_t i = 0; w.line && i < w.rows; i++) rt_free(w.line[i]);
  rt_free(w.line), rt_free(w.known), rt_free(w.text.s);
  part_close(w.part), data_close(w.file), json_decref(w.own);
  return ok;
}
