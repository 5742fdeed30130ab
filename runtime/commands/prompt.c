// See prompt.h.
#include "runtime/commands/prompt.h"

#include <string.h>

#include "runtime/core/core.h"

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

bool prompt_chat(const Models *m, const Conversation *c, Prompt *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  const ChatRules rules = {.tok = m->tok, .ends = &m->ends, .streams = &m->streams, .vocab = m->vocab, .date = m->date};
  ChatRow row;
  bool ok = chat_prompt(&rules, c, &row, e);
  *p = (Prompt){row.ids, row.n, row.follow};
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

bool prompt_text(const Models *m, const char *text, size_t n, Prompt *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  int32_t *mine = NULL;
  TokSpan *span = NULL;
  const int32_t *prefix;
  int np = tokenizer_prefix(m->tok, &prefix);
  int64_t k = tokenizer_encode(m->tok, text, n, false, &mine, &span, e);
  *p = (Prompt){0};
  if (k < 0) return false;
  if (np + k == 0 && m->ends.bos >= 0) np = 1, prefix = &m->ends.bos;
  p->ids = rt_alloc((size_t)(p->n = np + k), sizeof *p->ids);
  if (np) memcpy(p->ids, prefix, (size_t)np * sizeof *p->ids);
  if (k) memcpy(p->ids + np, mine, (size_t)k * sizeof *p->ids);
  p->follow = follow_new(&m->streams, false);
  bool ok = true;
  for (int i = 0; i < np && ok && p->follow; i++) ok = follow_token(p->follow, prefix[i], "", 0, e);
  ok = ok && (!p->follow || (follow_encoded(p->follow, m->tok, mine, span, k, text, 0, n, e) && follow_prompt_end(p->follow, e)));
  rt_free(mine), rt_free(span);
  return ok && check_prompt(m, p, e);
}

void prompt_free(Prompt *p) {
  rt_free(p->ids), follow_free(p->follow);
  *p = (Prompt){0};
}
