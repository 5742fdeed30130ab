// Decoding as ids arrive. The stream keeps the ids since the last place where text before and after cannot influence each other
// (mostly one id), decodes those again with each new one, and hands out what no later id can change: the decoders say how much of the end they
// hold back (TkDecoderKind.held).
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/tokenizer.h"

struct TokStream {
  const Tokenizer *t;
  int32_t *ids;                // since the last restart
  int64_t n, cap;
  bool begun;                  // text came out before the restart
  bool eager;
  bool failed;                 // why
  RtError why;
  size_t sent;                 // bytes of the decoded ids handed out
  char *out;                   // what the last call returned
};

static TkIds kept(const TokStream *s) { return (TkIds){&s->t->texts, s->ids, s->n}; }

static char *decode(TokStream *s, TkIds ids, bool first, size_t *len) {
  char *text = tk_decode(&s->t->dec, !s->t->has_decoder, ids, first, len, s->t->path, &s->why);
  if (!text) s->failed = true;
  return text;
}

static char *decode_kept(TokStream *s, size_t *len) { return decode(s, kept(s), !s->begun, len); }

static TokStream *stream_new(const Tokenizer *t, const int32_t *prompt, int64_t n, bool eager) {
  TokStream *s = rt_alloc(1, sizeof *s);
  *s = (TokStream){.t = t, .eager = true};       // a run of bytes that ends the prompt was said with it
  size_t len;
  for (int64_t i = 0; i < n && !s->failed; i++) tokstream_push(s, prompt[i], &len, &s->why);
  s->eager = eager;
  if (!tk_decoders_stream(&t->dec)) rt_free(decode_kept(s, &s->sent));   // nothing came out yet; the prompt's text is not to come again
  return s;
}

TokStream *tokstream_new(const Tokenizer *t, const int32_t *prompt, int64_t n) { return stream_new(t, prompt, n, false); }
TokStream *tokstream_eager(const Tokenizer *t, const int32_t *prompt, int64_t n) { return stream_new(t, prompt, n, true); }

void tokstream_free(TokStream *s) {
  if (!s) return;
  rt_free(s->ids);
  rt_free(s->out);
  rt_free(s);
}

static void keep_last(TokStream *s, size_t sent) {
  s->begun = true;
  s->ids[0] = s->ids[s->n - 1];
  s->n = 1;
  s->sent = sent;
}

// Drops the ids that no later one can reach: all where nothing is held, all but the last where what is held is the last one's own.
static void restart(TokStream *s, size_t len, size_t held) {
  size_t alone;
  if (len > 0 && held == 0) {
    s->begun = true;
    s->n = 0;
    s->sent = 0;
  } else if (s->n > 1 && tk_decoders_held(&s->t->dec, (TkIds){&s->t->texts, s->ids + s->n - 1, 1}, s->eager) == held) {
    char *last = decode(s, (TkIds){&s->t->texts, s->ids + s->n - 1, 1}, false, &alone);
    if (last && alone >= held) keep_last(s, alone - held);
    rt_free(last);
  }
}

// Hands out what was not sent before of text[0, len - held), which it takes over.
static const char *hand_out(TokStream *s, char *text, size_t len, size_t held, size_t *n, RtError *e) {
  if (!text) return *e = s->why, NULL;
  size_t settled = held < len ? len - held : 0, from = s->sent < settled ? s->sent : settled;
  *n = settled - from;
  rt_free(s->out);
  memmove(text, text + from, *n);
  text[*n] = 0;
  s->out = text;
  s->sent = from + *n > s->sent ? from + *n : s->sent;
  restart(s, len, held);
  return s->out;
}

static const char *nothing(TokStream *s, size_t *n) {
  rt_free(s->out);
  s->out = rt_strdup("");
  *n = 0;
  return s->out;
}

const char *tokstream_push(TokStream *s, int32_t id, size_t *len, RtError *e) {
  if (s->failed) return *e = s->why, NULL;
  if (!tk_decodes(&s->t->texts, id)) return nothing(s, len);
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 16;
    s->ids = rt_realloc(s->ids, (size_t)s->cap, sizeof *s->ids);
  }
  s->ids[s->n++] = id;
  size_t all, held = tk_decoders_held(&s->t->dec, kept(s), s->eager);
  if (held == TK_ALL) return nothing(s, len);
  char *text = decode_kept(s, &all);
  return hand_out(s, text, all, held, len, e);
}

const char *tokstream_end(TokStream *s, size_t *len, RtError *e) {
  if (s->failed) return *e = s->why, NULL;
  if (s->n == 0) return nothing(s, len);
  size_t all;
  char *text = decode_kept(s, &all);
  return hand_out(s, text, all, 0, len, e);
}
