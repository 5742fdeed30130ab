// See writer.h.
#include "runtime/commands/writer.h"

#include <stdio.h>
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/commands/sampling.h"
#include "runtime/core/core.h"

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
  if (p->into) bytes_put(p->into, p->held, out);
  else fwrite(p->held, 1, out, stdout);
  memmove(p->held, p->held + out, p->n - out);
  p->n -= out;
}

int64_t writer_most(const Models *m, const Options *o, int64_t prompt, const char **why) {
  int64_t room = m->context - prompt, asked = o->max_tokens, own = m->how.max_new_tokens, whole = m->how.max_length;
  *why = "--max-tokens";
  if (asked == OPT_UNSET && own >= 0) asked = own, *why = "max_new_tokens of generation_config.json (more: --max-tokens)";
  if (asked == OPT_UNSET && whole >= 0) asked = whole > prompt ? whole - prompt : 0, *why = "max_length of generation_config.json, prompt and answer (more: --max-tokens)";
  if (asked == OPT_UNSET) asked = GENERATE_TOKENS, *why = "the default of " GENERATE_TOKENS_TEXT " tokens (more: --max-tokens)";
  if (asked < room) return asked;
  *why = "the end of the context";
  return room;
}

void writer_start(Writer *w, const Models *m, const Options *o, const Prompt *p, bool chat, int64_t more, Bytes *into) {
  Sampling how = sampling_of(m, o);
  how.seed += (uint64_t)more;
  *w = (Writer){.o = o, .m = m, .sampler = sampler_new(&how), .ts = tokstream_new(m->tok, p->ids, p->n), .out = {.stop = &o->stop, .into = into}, .chat = chat};
  w->most = writer_most(m, o, p->n, &w->limit);
}

bool writer_is_done(const Writer *w, const DecodeSeq *s) { return w->made >= w->most || w->end || w->out.stopped || s->full; }

bool writer_next(Writer *w, Decoder *d, DecodeSeq *s, RtError *e) {
  const Prog *p = w->m->prog;
  int32_t id = sampler_pick(w->sampler, s->logits, p->model[p->anchor].vocab, s->ids, s->n);
  if (id < 0) return rt_fail(e, "no logit is a number after %lld token%s", (long long)s->n, plural(s->n));
  w->end = !w->o->ignore_eos && (text_ends_at(&w->m->ends, id) || (w->chat && id == w->m->chat[0].turn_end));
  if (w->end) return true;
  w->made++;
  if (!decoder_push(d, s, id, e)) return false;
  size_t n;
  const char *text = tokstream_push(w->ts, id, &n, e);
  if (text) emit(&w->out, text, n, false);
  return text;
}

bool writer_end(Writer *w, RtError *e) {
  size_t n;
  const char *rest = tokstream_end(w->ts, &n, e);
  if (rest) emit(&w->out, rest, n, true);
  return rest;
}

void writer_free(Writer *w) {
  rt_free(w->out.held);
  tokstream_free(w->ts);
  sampler_free(w->sampler);
}

WriterStop writer_stop(const Writer *w, const DecodeSeq *s) { return w->end ? STOP_END : w->out.stopped ? STOP_TEXT : s->full ? STOP_CONTEXT : STOP_MOST; }

const char *writer_stop_name(WriterStop stop) {
  static const char *const name[N_WRITER_STOPS] = {"end of text", "--stop", "length", "length"};
  return name[stop];
}

const char *writer_why(const Writer *w, const DecodeSeq *s) {
  WriterStop stop = writer_stop(w, s);
  return stop == STOP_CONTEXT ? "the end of the context" : stop == STOP_MOST ? w->limit : writer_stop_name(stop);
}

void writer_tell(const Writer *w, int64_t prompt, int64_t kept, double first, double rest, const char *why) {
  fprintf(stderr, "%lld prompt token%s", (long long)prompt, plural(prompt));
  if (kept) fprintf(stderr, ", %lld of them known,", (long long)kept);
  fprintf(stderr, " in %.2f s, %lld token%s", first, (long long)w->made, plural(w->made));
  if (w->made > 1 && rest > 0) fprintf(stderr, " at %.1f a second", (double)(w->made - 1) / rest);
  fprintf(stderr, "; stopped by %s\n", why);
}
