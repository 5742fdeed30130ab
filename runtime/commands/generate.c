// generate: continues a prompt. The completion and a newline go to standard output as whole characters settle; all else
// to standard error.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/commands/sampling.h"
#include "runtime/commands/streams.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

// Text on its way out: what might begin a stop text is held back.
typedef struct Printer {
  const OptList *stop;
  char *held;
  size_t n;
  bool stopped;
} Printer;

static size_t longest_start(const Printer *p) {
  size_t most = 0;
  for (int i = 0; i < p->stop->n; i++) {
    size_t len = strlen(p->stop->v[i]);
    for (size_t k = len ? len - 1 : 0; k > most; k--)
      if (k <= p->n && !memcmp(p->held + p->n - k, p->stop->v[i], k)) most = k;
  }
  return most;
}

static void emit(Printer *p, const char *text, size_t n, bool last) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  if (p->stopped) return;
  p->held = rt_realloc(p->held, p->n + n + 1, 1);
  memcpy(p->held + p->n, text, n);
  p->held[p->n += n] = 0;
  size_t out = last ? p->n : p->n - longest_start(p), first = p->n + 1;
  for (int i = 0; i < p->stop->n; i++) {
    const char *hit = *p->stop->v[i] ? memmem(p->held, p->n, p->stop->v[i], strlen(p->stop->v[i])) : NULL;
    if (hit && (size_t)(hit - p->held) < first) first = (size_t)(hit - p->held);
  }
  if (first <= p->n) out = first, p->stopped = true;
  fwrite(p->held, 1, out, stdout);
  memmove(p->held, p->held + out, p->n - out);
  p->n -= out;
}

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

typedef struct Prompt {        // the post-processor's prefix (BOS) and the prompt's tokens; the model's BOS where both are empty
  int32_t *ids;
  int64_t n;
  Follow *follow;              // what the other streams read of it
} Prompt;

static bool check_prompt(const Models *m, const Prompt *p, RtError *e) {
  if (p->n == 0)
    return rt_fail(e, "an empty prompt has nothing to start from: the tokenizer (its post_processor) puts no token before a text, and neither "
                      "config.json (bos_token_id) nor generation_config.json nor tokenizer_config.json (bos_token) names one; give some text");
  if (p->n >= m->context)
    return rt_fail(e, "the prompt is %lld token%s long; %s's context holds %lld", (long long)p->n, plural(p->n),
                   streams_narrow(&m->streams, 0), (long long)m->context);
  for (int64_t i = 0; i < p->n; i++)
    if (p->ids[i] >= m->vocab)
      return rt_fail(e, "the prompt holds token id %d; the models know ids below %lld", (int)p->ids[i], (long long)m->vocab);
  if (!p->follow || follow_fits(p->follow) == p->n) return true;
  int k = follow_limit(p->follow, follow_fits(p->follow));
  return rt_fail(e, "the prompt is longer than %s's context of %lld token%s", streams_narrow(&m->streams, k), (long long)m->streams.s[k].context,
                 plural(m->streams.s[k].context));
}

// The prompt as a message, with the system's before it.
static bool ask(const Models *m, const Options *o, const char *text, size_t len, Prompt *p, RtError *e) {
  if (rt_utf8_valid(text, len) < len) return rt_fail(e, "the message is not UTF-8");
  Conversation c = {.messages = json_array()};
  if (o->system) json_array_append_new(c.messages, json_pack("{s:s, s:s}", "role", "system", "content", o->system));
  json_array_append_new(c.messages, json_pack("{s:s, s:o}", "role", "user", "content", json_stringn(text, len)));
  const ChatRules rules = {.tok = m->tok, .ends = &m->ends, .streams = &m->streams, .vocab = m->vocab, .date = m->date};
  ChatRow row;
  bool ok = chat_prompt(&rules, &c, &row, e);
  conversation_free(&c);
  p->ids = row.ids, p->n = row.n, p->follow = row.follow;
  return ok && check_prompt(m, p, e);
}

static bool encode_prompt(const Models *m, const Options *o, Prompt *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  char *text = NULL;
  size_t len = 0;
  if (!read_prompt(o, &text, &len, e)) return false;
  if (o->chat) {
    bool asked = ask(m, o, text, len, p, e);
    rt_free(text);
    return asked;
  }
  int32_t *mine = NULL;
  TokSpan *span = NULL;
  const int32_t *prefix;
  int np = tokenizer_prefix(m->tok, &prefix);
  int64_t k = tokenizer_encode(m->tok, text, len, false, &mine, &span, e);
  bool ok = k >= 0;
  if (np + k == 0 && m->ends.bos >= 0) np = 1, prefix = &m->ends.bos;
  if (ok) {
    p->ids = rt_alloc((size_t)(p->n = np + k), sizeof *p->ids);
    if (np) memcpy(p->ids, prefix, (size_t)np * sizeof *p->ids);
    if (k) memcpy(p->ids + np, mine, (size_t)k * sizeof *p->ids);
    p->follow = follow_new(&m->streams, false);
    for (int i = 0; i < np && ok && p->follow; i++) ok = follow_token(p->follow, prefix[i], "", 0, e);
    ok = ok && (!p->follow || (follow_encoded(p->follow, m->tok, mine, span, k, text, 0, len, e) && follow_prompt_end(p->follow, e)));
    rt_free(mine), rt_free(span);
  }
  rt_free(text);
  return ok && check_prompt(m, p, e);
}

// How many tokens to generate at most: --max-tokens, else what generation_config.json says, else GENERATE_TOKENS; never more than the context has
// room for. *why: what set the number, for when it ends the text.
static int64_t most_tokens(const App *a, const Options *o, int64_t prompt, const char **why) {
  int64_t room = a->models->context - prompt, asked = o->max_tokens, own = a->models->how.max_new_tokens;
  *why = "--max-tokens";
  if (asked == OPT_UNSET && own >= 0) asked = own, *why = "max_new_tokens of generation_config.json (more: --max-tokens)";
  if (asked == OPT_UNSET) asked = GENERATE_TOKENS, *why = "the default of " GENERATE_TOKENS_TEXT " tokens (more: --max-tokens)";
  if (asked < room) return asked;
  *why = "the end of the context";
  return room;
}

// Loads the weights, where memory allows the caches that the text may grow to.
static bool load(App *a, const Options *o, const Prompt *p, RtError *e) {
  const char *why;
  int64_t most = most_tokens(a, o, p->n, &why);
  Shape step = shape_of_tokens(a->models, p->n < GENERATE_CHUNK ? p->n : GENERATE_CHUNK), all = shape_of_tokens(a->models, p->n + most);
  bool ok = app_load(a, o, &(Load){.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, 1}}, .cached = all.tokens}, e);
  shape_free(&step), shape_free(&all);
  return ok;
}

static bool run(const App *a, const Options *o, Prompt *p, RtError *e) {
  Engine *en = a->en;
  const Models *m = a->models;
  const char *limit;
  int64_t n = p->n, most = most_tokens(a, o, n, &limit), made = 0;
  Sampling how = sampling_of(m, o);
  int64_t *known = rt_alloc((size_t)m->streams.n, sizeof *known);
  follow_most(p->follow, n, known);
  Decoder *d = decoder_new(en, m->tok, 1, n + most, n < GENERATE_CHUNK ? n : GENERATE_CHUNK, GENERATE_CHUNK, false, known, e);
  rt_free(known);
  if (!d) return false;
  DecodeSeq *s = decoder_open(d, p->ids, n, p->follow, NULL);
  p->follow = NULL;
  Sampler *sampler = sampler_new(&how);
  TokStream *ts = tokstream_new(m->tok, p->ids, n);
  Printer out = {.stop = &o->stop};
  double start = rt_now(), first = 0;
  bool ok = true, end = false;
  size_t len;
  while (made < most && !end && !out.stopped) {
    DecodeStep did = decoder_step(d, e);
    ok = did != DECODE_FAILED;
    if (did != DECODE_STEPPED) break;
    if (!s->logits) continue;                      // the prompt is not through yet
    if (!made) first = rt_now() - start;
    int32_t id = sampler_pick(sampler, s->logits, en->prog->model[en->prog->anchor].vocab, s->ids, s->n);
    if (id < 0) {
      ok = rt_fail(e, "no logit is a number after %lld token%s", (long long)s->n, plural(s->n));
      break;
    }
    if ((end = !o->ignore_eos && (text_ends_at(&m->ends, id) || (o->chat && id == m->chat[0].turn_end)))) break;
    made++;
    if (!(ok = decoder_push(d, s, id, e))) break;
    const char *text = tokstream_push(ts, id, &len, e);
    if (!(ok = text != NULL)) break;
    emit(&out, text, len, false);
    if (!(ok = streams_written(e))) break;
  }
  RtError why;
  const char *rest = tokstream_end(ts, &len, ok ? e : &why);
  if (rest) emit(&out, rest, len, true);
  else ok = false;
  putchar('\n');
  if (ok) ok = streams_written(e);                 // a terminal shows the figures after it
  else fflush(stdout);
  double seconds = rt_now() - start - first;
  bool asked = !ok && e->about == RT_ABOUT_STOP;
  if (ok || asked) {
    fprintf(stderr, "%lld prompt token%s in %.2f s, %lld token%s", (long long)n, plural(n), first, (long long)made, plural(made));
    if (made > 1 && seconds > 0) fprintf(stderr, " at %.1f a second", (double)(made - 1) / seconds);
    fprintf(stderr, "; stopped by %s\n", asked ? "a signal" : end ? "end of text" : out.stopped ? "--stop" : s->full ? "the end of the context" : limit);
  }
  rt_free(out.held);
  tokstream_free(ts);
  sampler_free(sampler);
  decoder_free(d);
  return ok;
}

int cmd_generate(const Options *o) {
  RtError e;
  if (o->prompt && o->prompt_file) return usage_error("--prompt and --prompt-file: give one of them");
  if (!o->prompt && !o->prompt_file) return usage_error("give --prompt TEXT (\"\" starts from the beginning-of-text token)");
  if (!o->chat && o->system) return usage_error("--system is a message before --prompt's, for --chat");
  App a;
  Prompt p = {0};
  bool ok = app_open(&a, o, &e);
  if (ok && !a.models->tok) ok = rt_fail(&e, "generate needs a tokenizer, and %s has no tokenizer.json", a.prog->model[a.prog->anchor].name);
  if (ok) sampling_tell(a.models, o);
  ok = ok && encode_prompt(a.models, o, &p, &e) && load(&a, o, &p, &e) && run(&a, o, &p, &e);
  rt_free(p.ids);
  follow_free(p.follow);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
