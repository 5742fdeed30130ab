// Decoding as ids arrive. The stream keeps the ids since the last place where text before and after cannot influence each other
// (mostly one id), decodes those again with each new one, and hands out what no later id can change:
//   byte-fallback: a run of <0xNN> tokens is settled by the first other token, for an invalid run is replaced as a whole
//                  (an eager stream does not wait: the run is over with each character that is complete);
//   byte-level:    everything but an incomplete character at the end.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/impl.h"

struct TokStream {
  const Tokenizer *t;
  int32_t *ids;                // since the last restart
  int64_t n, cap;
  bool begun;                  // text came out before the restart
  bool eager;
  size_t sent;                 // bytes of the decoded ids handed out
  char *out;                   // what the last call returned
};

static TokStream *stream_new(const Tokenizer *t, const int32_t *prompt, int64_t n, bool eager) {
  TokStream *s = rt_alloc(1, sizeof *s);
  *s = (TokStream){.t = t, .eager = true};       // a run of bytes that ends the prompt was said with it
  size_t len;
  for (int64_t i = 0; i < n; i++) tokstream_push(s, prompt[i], &len);
  s->eager = eager;
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

// Bytes at the end of the kept ids that begin a character without ending it (byte-level flavour).
static bool incomplete_end(const TokStream *s) {
  char raw[8];
  size_t n = 0;
  for (int64_t i = s->n; i-- > 0 && n < 4;) {               // the last four bytes decide
    TkStr x = s->t->text[s->ids[i]];
    for (size_t j = x.n; j-- > 0 && n < 4;) {
      if (j && ((uint8_t)x.s[j] & 0xC0) == 0x80) continue;
      uint32_t cp;
      rt_utf8_next(x.s + j, &cp);
      int b = tk_char_byte(cp);
      if (b < 0) goto done;                                 // a token that stands for itself is whole characters
      raw[7 - n++] = (char)b;
    }
  }
done:
  for (size_t k = 1; k <= n && k <= 3; k++) {
    uint8_t c = (uint8_t)raw[8 - k];
    if (c >= 0xC0) return rt_utf8_scan(raw + 8 - k, k) == 0;
    if (c < 0x80) return false;
  }
  return false;
}

// Whether the run of byte tokens at the end of the kept ids is the beginning of a character.
static bool incomplete_run(const TokStream *s) {
  char raw[8];
  uint8_t byte;
  size_t n = 0;
  for (int64_t i = s->n; i-- > 0 && n < 4 && tk_is_byte_token(s->t->text[s->ids[i]], &byte); n++) raw[7 - n] = (char)byte;
  return rt_utf8_scan(raw + 8 - n, n) == 0;
}

// Hands out text[sent, settled) and starts over when nothing is left open.
static const char *hand_out(TokStream *s, char *text, size_t len, size_t settled, size_t *n) {
  size_t from = s->sent < settled ? s->sent : settled;
  *n = settled - from;
  rt_free(s->out);
  memmove(text, text + from, *n);
  text[*n] = 0;
  s->out = text;
  s->sent = from + *n;
  if (settled == len && len > 0) {
    s->begun = true;
    s->n = 0;
    s->sent = 0;
  }
  return s->out;
}

static const char *nothing(TokStream *s, size_t *n) {
  rt_free(s->out);
  s->out = rt_strdup("");
  *n = 0;
  return s->out;
}

const char *tokstream_push(TokStream *s, int32_t id, size_t *len) {
  const Tokenizer *t = s->t;
  uint8_t byte;
  if (id < 0 || id >= t->n || !t->text[id].s || t->special[id]) return nothing(s, len);   // decoding leaves these out
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 16;
    s->ids = rt_realloc(s->ids, (size_t)s->cap, sizeof *s->ids);
  }
  s->ids[s->n++] = id;
  if (t->fallback && tk_is_byte_token(t->text[id], &byte) && (!s->eager || incomplete_run(s))) return nothing(s, len);
  size_t all;
  char *text = tk_decode(t, s->ids, s->n, !s->begun, &all);
  // The incomplete end was decoded as one U+FFFD, three bytes.
  size_t settled = t->byte_level && incomplete_end(s) ? all - 3 : all;
  return hand_out(s, text, all, settled, len);
}

const char *tokstream_end(TokStream *s, size_t *len) {
  if (s->n == 0) return nothing(s, len);
  size_t all;
  char *text = tk_decode(s->t, s->ids, s->n, !s->begun, &all);
  return hand_out(s, text, all, all, len);
}
