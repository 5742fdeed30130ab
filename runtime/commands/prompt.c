// See prompt.h.
#include "runtime/commands/prompt.h"

#include <string.h>

#include "runtime/core/core.h"

static bool check_prompt(const Models *m, const Prompt *p, RtError *e) {
  if (p->n == 0)
    return rt_fail(e, "an empty prompt has nothing to start from: the tokenizer (its post_processor) puts no token before a text, and neither "
                      "config.json (bos_token_id) nor generation_config.json nor tokenizer_config.json (bos_token) names one; give some text");
  for (int64_t i = 0; i < p->n; i++)
    if (p->ids[i] >= m->vocab)
      return rt_fail(e, "the prompt holds token id %d; the models know ids below %lld", (int)p->ids[i], (long long)m->vocab);
  return true;
}

// At least one token is to be generated.
static CutRules cut_rules(const Models *m) { return (CutRules){.streams = &m->streams, .context = m->context, .too_long = m->too_long, .behind = 1, .room = m->room}; }

bool prompt_chat(const Models *m, const Conversation *c, Prompt *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  const ChatRules rules = {.tok = m->tok, .ends = &m->ends, .streams = &m->streams, .vocab = m->vocab, .cut = cut_rules(m), .own = m->own, .date = m->date};
  ChatRow row;
  bool ok = chat_prompt(&rules, c, &row, e);
  *p = (Prompt){row.ids, row.n, row.follow, .out = row.out, .cut = row.cut};
  return ok && check_prompt(m, p, e);
}

bool prompt_message(const Models *m, const char *system, const char *text, size_t n, Prompt *p, RtError *e) {
  *p = (Prompt){0};
  if (rt_utf8_valid(text, n) < n) return rt_fail(e, "the message is not UTF-8");
  Conversation c = {.messages = json_array()};
  if (system) json_array_append_new(c.messages, json_pack("{s:s, s:s}", "role", "system", "content", system));
  json_array_append_new(c.messages, json_pack("{s:s, s:o}", "role", "user", "content", json_stringn(text, n)));
  bool ok = prompt_chat(m, &c, p, e);
  conversation_free(&c);
  return ok;
}

// A text's tokens, those of the prefix before them.
typedef struct Plain {
  const Models *m;
  const char *text;
  size_t len;
  const int32_t *prefix, *ids;
  const TokSpan *span;
  int64_t np, n;
} Plain;

static Follow *follow_plain(const void *user, int64_t drop, RtError *e) {
  const Plain *x = user;
  Follow *f = follow_new(&x->m->streams, drop > 0);
  bool ok = own_begin(f, x->m->own, e);
  for (int64_t i = 0; i < x->np && ok; i++) ok = follow_token(f, x->prefix[i], "", 0, e);
  ok = ok && follow_encoded(f, x->m->tok, x->ids + drop, x->span + drop, x->n - drop, x->text, drop ? (size_t)x->span[drop - 1].end : 0, x->len, e) &&
       follow_prompt_end(f, e);
  if (ok) return f;
  follow_free(f);
  return NULL;
}

static bool fit_plain(const Plain *x, Prompt *p, RtError *e) {
  const Models *m = x->m;
  const CutRules rules = cut_rules(m);
  CutDone done;
  if (!cut_row(&rules, &(CutRow){.what = "prompt", .n = p->n, .keep = x->np, .prompt = p->n, .follow = m->streams.n > 1 ? follow_plain : NULL, .user = x}, &done, e)) return false;
  cut_out(p->ids, p->n, x->np, done.drop);
  p->n -= done.drop;
  p->follow = done.follow, p->out = done.out, p->cut = done.drop > 0;
  return true;
}

bool prompt_text(const Models *m, const char *text, size_t n, Prompt *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  int32_t *mine = NULL;
  TokSpan *span = NULL;
  Plain x = {.m = m, .text = text, .len = n};
  x.np = tokenizer_prefix(m->tok, &x.prefix);
  x.n = tokenizer_encode(m->tok, text, n, false, &mine, &span, e);
  *p = (Prompt){0};
  if (x.n < 0) return false;
  x.ids = mine, x.span = span;
  if (x.np + x.n == 0 && m->ends.bos >= 0) x.np = 1, x.prefix = &m->ends.bos;
  p->ids = rt_alloc((size_t)(p->n = x.np + x.n), sizeof *p->ids);
  if (x.np) memcpy(p->ids, x.prefix, (size_t)x.np * sizeof *p->ids);
  if (x.n) memcpy(p->ids + x.np, mine, (size_t)x.n * sizeof *p->ids);
  bool ok = check_prompt(m, p, e) && fit_plain(&x, p, e);
  rt_free(mine), rt_free(span);
  return ok;
}

void prompt_free(Prompt *p) {
  rt_free(p->ids), follow_free(p->follow);
  *p = (Prompt){0};
}
