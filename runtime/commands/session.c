// See session.h. Every turn is the whole conversation so far, rendered by the models' own templates; where there is one stream, what the caches know of
// its beginning is not computed again. The terminal edits the line (its line mode); the prompt sign and all that is no answer go to standard error.
#include "runtime/commands/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/commands/memory.h"
#include "runtime/commands/owntext.h"
#include "runtime/commands/signals.h"
#include "runtime/commands/streams.h"
#include "runtime/commands/writer.h"
#include "runtime/core/core.h"
#include "runtime/work/work.h"

// A terminal keeps this much of a line, and drops the rest unsaid.
enum { TERMINAL_LINE = 4095 };

typedef struct Session {
  App *a;
  const Options *o;
  json_t *own;                 // of --augment; NULL
  Conversation talk;
  int64_t turn;                // answers since it began
  Decoder *d;                  // NULL: there are no caches
  DecodeSeq *s;                // what they know; NULL: nothing
  Bytes typed;                 // behind the line that was read last
} Session;

// ---- what is typed

typedef enum Typed { TYPED_LINE, TYPED_END, TYPED_STOP, TYPED_FAILED } Typed;

// A line without its newline: the first of what was typed. False: no whole one.
static bool take_line(Session *c, Bytes *line) {
  const char *end = c->typed.n ? memchr(c->typed.s, '\n', c->typed.n) : NULL;
  if (!end) return false;
  size_t n = (size_t)(end - c->typed.s);
  bytes_put(line, c->typed.s, n);
  memmove(c->typed.s, end + 1, c->typed.n -= n + 1);
  return true;
}

// *cut: the terminal may have dropped some of it.
static Typed read_line(Session *c, Bytes *line, bool *cut, RtError *e) {
  char room[TERMINAL_LINE + 1];
  line->n = 0, *cut = false;
  while (!take_line(c, line)) {
    if (!signals_wait(STDIN_FILENO)) return c->typed.n = 0, TYPED_STOP;
    ssize_t n = read(STDIN_FILENO, room, sizeof room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return rt_fail(e, "standard input: %s", strerror(errno)), TYPED_FAILED;
    if (n == 0 && !c->typed.n) return TYPED_END;
    *cut |= n > TERMINAL_LINE;              // with its newline
    bytes_put(&c->typed, n ? room : "\n", n ? (size_t)n : 1);      // Ctrl-D behind a text ends its line
  }
  return TYPED_LINE;
}

// ---- the conversation

static void say(Session *c, const char *role, const char *text, size_t n) {
  json_array_append_new(c->talk.messages, json_pack("{s:s, s:o}", "role", role, "content", json_stringn(n ? text : "", n)));
}

static void unsay(Session *c) { json_array_remove(c->talk.messages, json_array_size(c->talk.messages) - 1); }

static void begin(Session *c) {
  json_array_clear(c->talk.messages);
  c->turn = 0;
  if (c->o->system) say(c, "system", c->o->system, strlen(c->o->system));
}

static void not_sent(const Session *c, const RtError *e) {
  cmd_fail(c->o, e);
  fprintf(stderr, "the message was not sent%s\n", e->about == RT_ABOUT_CACHES ? "; /reset begins a new conversation" : "");
}

// What the models read of the conversation. Where it is longer than a context it is out, or cut: --too-long.
static bool render(const Session *c, Prompt *p, RtError *e) {
  bool ok = owntext_begin(c->a, c->own, NULL, e) && prompt_chat(c->a->models, &c->talk, p, e);
  owntext_end(c->a);
  return ok;
}

// Whether memory allows the caches that a prompt and its answer need; load: reads the weights too.
static bool allowed(Session *c, const Prompt *p, bool load, RtError *e) {
  const char *why;
  const Models *m = c->a->models;
  int64_t most = writer_most(m, c->o, p->n, &why);
  Shape step = shape_of_tokens(m, p->n < GENERATE_CHUNK ? p->n : GENERATE_CHUNK), all = shape_of_tokens(m, p->n + most);
  const Load l = {.tables = all.tables, .nstep = 1, .step = {{c->a->en->entry[ENTRY_STEP], step.tokens, 1}}, .cached = all.tokens};
  bool ok = load ? app_load(c->a, c->o, &l, e) : memory_check(c->a, c->o, &l, e);
  shape_free(&step), shape_free(&all);
  return ok;
}

// Caches for so many tokens: where they are too few, twice as many as are needed now, for the turns to come. Pages that no token reaches cost nothing.
static bool have_caches(Session *c, const Prompt *p, int64_t tokens, RtError *e) {
  const Models *m = c->a->models;
  if (c->d && tokens <= c->d->context && m->streams.n == 1) return true;
  int64_t twice = tokens < m->context / 2 ? 2 * tokens : m->context, *known = rt_alloc((size_t)m->streams.n, sizeof *known);
  follow_most(p->follow, p->n, known);
  decoder_free(c->d);
  c->s = NULL;
  c->d = decoder_new(c->a->en, m->tok, 1, m->streams.n == 1 ? twice : tokens, GENERATE_CHUNK, GENERATE_CHUNK, false, known, e);
  rt_free(known);
  return c->d;
}

// The sequence of a prompt; *kept: how many of its tokens are in the caches already.
static void open_sequence(Session *c, Prompt *p, int64_t *kept) {
  if (c->s) decoder_turn(c->s, p->ids, p->n);
  else c->s = decoder_open(c->d, p->ids, p->n, p->follow, NULL);
  p->follow = NULL;
  *kept = c->s->past;
}

// ---- an answer

// What has come of an answer since `from`, to who waits for it.
static bool show(const Bytes *said, size_t *from, RtError *e) {
  fwrite(said->s + *from, 1, said->n - *from, stdout);
  *from = said->n;
  return streams_written(e);
}

static void tell(const Session *c, const Writer *w, const Prompt *p, int64_t kept, double first, double rest, bool stopped) {
  writer_tell(w, p->n, kept, first, rest, stopped ? "Ctrl-C" : writer_why(w, c->s));
  if (!stopped && !w->end && !w->out.stopped && (c->s->full || c->s->n >= c->a->models->context))
    fprintf(stderr, "the conversation fills the context; /reset begins a new one\n");
}

// Streams an answer and keeps it in `said`, as far as it came. False and an error: RT_ABOUT_STOP where it was asked to stop.
static bool answer(Session *c, Prompt *p, Bytes *said, RtError *e) {
  Writer w;
  int64_t kept;
  size_t shown = 0;
  writer_start(&w, c->a->models, c->o, p, true, c->turn, said);
  open_sequence(c, p, &kept);
  double start = rt_now(), first = 0;
  bool ok = true;
  while (ok && !writer_is_done(&w, c->s)) {
    DecodeStep did = decoder_step(c->d, e);
    ok = did != DECODE_FAILED;
    if (did != DECODE_STEPPED) break;
    if (!c->s->logits) continue;                   // the prompt is not through yet
    if (!w.made) first = rt_now() - start;
    ok = writer_next(&w, c->d, c->s, e) && (said->n == shown || show(said, &shown, e));
  }
  RtError why;
  ok = writer_end(&w, ok ? e : &why) && ok;
  bytes_put(said, "\n", 1);
  bool out = show(said, &shown, ok ? e : &why), stopped = !ok && e->about == RT_ABOUT_STOP && signals_asked() == SIGINT;
  said->n--;
  ok = ok && out;
  if (ok || stopped) tell(c, &w, p, kept, first, rt_now() - start - first, stopped);
  writer_free(&w);
  return ok;
}

// A message and its answer; what cannot be answered leaves the conversation as it was. False and an error: it cannot go on.
static bool turn(Session *c, const char *text, size_t n, RtError *e) {
  const char *why;
  Prompt p = {0};
  Bytes said = {0};
  say(c, "user", text, n);
  bool ok = render(c, &p, e), out = ok && p.out;
  if (!ok || out || !allowed(c, &p, false, e) || !have_caches(c, &p, p.n + writer_most(c->a->models, c->o, p.n, &why), e)) {
    if (out) fputs("error: with this message the conversation is longer than a context; it was not sent: /reset begins a new one\n", stderr);
    else not_sent(c, e);
    return unsay(c), prompt_free(&p), true;
  }
  if (p.cut) fprintf(stderr, "the conversation is longer than a context: cut from the left to %lld token%s\n", (long long)p.n, plural(p.n));
  ok = answer(c, &p, &said, e);
  bool stopped = !ok && e->about == RT_ABOUT_STOP && signals_asked() == SIGINT;
  signals_heard();
  if (ok || said.n) say(c, "assistant", said.s, said.n), c->turn++;
  else unsay(c);
  if (stopped && !said.n) fprintf(stderr, "nothing was answered: the message is taken back\n");
  prompt_free(&p), rt_free(said.s);
  return ok || stopped;
}

// ---- lines

static const char HELP[] = "/reset begins a new conversation\n"
                           "/help  says this\n"
                           "Ctrl-C stops an answer; Ctrl-D, or Ctrl-C twice at the prompt, ends\n"
                           "A line is a message. One that begins with / is sent with a space before it, which is not sent.\n";

static void command(Session *c, const char *line) {
  if (!strcmp(line, "/reset")) begin(c), fprintf(stderr, "a new conversation\n");
  else if (!strcmp(line, "/help")) fputs(HELP, stderr);
  else fprintf(stderr, "error: %.*s: no such command (/help lists them); nothing was sent: to send such a line, put a space before it\n",
               (int)strcspn(line, " \t"), line);
}

static bool do_line(Session *c, const Bytes *line, bool cut, RtError *e) {
  RtError why;
  const char *text = line->n ? line->s : "";
  if (strspn(text, " \t") == line->n) return true;
  if (cut) {
    rt_fail(&why, "a terminal keeps %d bytes of a line, and this one may be longer; longer messages: --prompt-file, or --data", TERMINAL_LINE);
    return not_sent(c, &why), true;
  }
  if (rt_utf8_valid(text, line->n) < line->n) {
    rt_fail(&why, "the message is not UTF-8");
    return not_sent(c, &why), true;
  }
  if (*text == '/') return command(c, text), true;
  bool escaped = text[0] == ' ' && text[1] == '/';
  return turn(c, text + escaped, line->n - escaped, e);
}

static bool converse(Session *c, RtError *e) {
  Bytes line = {0};
  bool ok = true, cut, again = false;
  for (Typed t = TYPED_LINE; ok && t != TYPED_END;) {
    fputs("> ", stderr);
    t = read_line(c, &line, &cut, e);
    ok = t != TYPED_FAILED;
    if (t == TYPED_LINE) ok = do_line(c, &line, cut, e), again = false;
    if (t != TYPED_STOP) continue;
    if (signals_asked() != SIGINT) ok = !rt_stopped(e);
    else if (again) t = TYPED_END;
    else fputs("\nCtrl-C again, or Ctrl-D, ends\n", stderr), again = true;
    signals_heard();
  }
  if (ok) fputc('\n', stderr);
  rt_free(line.s);
  return ok;
}

// What would be wrong with every message is told before the weights are read: no template, or one that knows no such system message.
static bool load(Session *c, RtError *e) {
  Prompt p = {0};
  say(c, "user", "?", 1);
  bool ok = render(c, &p, e) && (!p.out || rt_fail(e, "what stands before the first message (--system) is longer than a context")) && allowed(c, &p, true, e);
  unsay(c), prompt_free(&p);
  return ok;
}

bool session_run(App *a, const Options *o, RtError *e) {
  Session c = {.a = a, .o = o, .talk = {.messages = json_array()}};
  begin(&c);
  if (a->models->too_long == TOO_LONG_error) a->models->too_long = TOO_LONG_skip;        // turn says what that comes to here
  bool ok = owntext_asked(o, &c.own, e) && app_part(a, c.own, true, e) && load(&c, e) && !rt_stopped(e) && (signals_converse() || rt_fail(e, "no descriptor is left: %s", strerror(errno)));
  if (ok) fputs("/help lists what can be done; Ctrl-D ends\n", stderr);
  ok = ok && converse(&c, e);
  decoder_free(c.d);
  conversation_free(&c.talk), json_decref(c.own);
  rt_free(c.typed.s);
  return ok;
}
