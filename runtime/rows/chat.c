// Conversations rendered, encoded and labelled: see chat.h.
#include "runtime/rows/chat.h"

#include <string.h>

#include "runtime/files/files.h"
#include "runtime/rows/align.h"
#include "runtime/rows/packed.h"

// ---- templates of models

static bool render(const Chat *c, const Conversation *of, size_t n, bool prompt, const struct tm *now, Rendered *out, RtError *e) {
  const TemplateInput in = {.messages = of->messages, .n_messages = n, .tools = of->tools, .documents = of->documents, .names = c->hf.names,
                            .add_generation_prompt = prompt, .now = now};
  return template_render(c->template, &in, out, e);
}

// The first special token that the template writes behind an answer.
static int32_t find_turn_end(const Chat *c, const Tokenizer *tok) {
  RtError e;
  Rendered r;
  int32_t *ids = NULL, found = -1;
  const struct tm any = {.tm_year = 100, .tm_mday = 1};
  json_t *m = json_pack("[{s:s,s:s},{s:s,s:s}]", "role", "user", "content", "Hi", "role", "assistant", "content", "Hello");
  const Conversation of = {.messages = m};
  if (render(c, &of, 2, false, &any, &r, &e)) {
    size_t at = r.n;
    for (size_t i = 0; i < r.n_runs; i++)
      if (r.run[i].message == 1) at = r.run[i].end;
    int64_t n = tokenizer_encode(tok, r.text + at, r.n - at, true, &ids, NULL, &e);
    for (int64_t i = 0; i < n && found < 0; i++)
      if (tokenizer_is_special(tok, ids[i])) found = ids[i];
    if (n >= 0) rt_free(ids);
    rendered_free(&r);
  }
  json_decref(m);
  return found;
}

void chat_start(Chat *c, const ChatSource *from, const Tokenizer *tok) {
  *c = (Chat){.from = *from, .tok = tok, .turn_end = -1};
}

void chat_share(Chat *own, const Chat *theirs, const Tokenizer *tok) {
  chat_start(own, &theirs->from, tok);
  if (theirs->lent) theirs = theirs->lent;
  if (atomic_load(&theirs->ready)) own->lent = theirs;
}

bool chat_read(const ChatSource *from, HfChat *out, RtError *e) {
  if (from->pack && !from->file) return packed_chat(from->pack, from->model, out, e);
  char *dir = from->tokfile ? file_dirname(from->tokfile) : NULL;
  bool ok = hfchat_read(out, dir, from->file, e);
  rt_free(dir);
  return ok;
}

bool chat_same(const ChatSource *a, const ChatSource *b) {
  RtError ignored;
  HfChat x = {0}, y = {0};
  bool same = chat_read(a, &x, &ignored) && chat_read(b, &y, &ignored) && x.n == y.n && !x.text == !y.text &&
              (!x.text || (!memcmp(x.text, y.text, x.n) && json_equal(x.names, y.names)));
  hfchat_free(&x), hfchat_free(&y);
  return same;
}

const Chat *chat_ready(Chat *c, RtError *e) {
  RtError why;
  HfChat hf;
  if (c->lent) return c->lent;
  if (atomic_load(&c->ready)) return c;
  if (!chat_read(&c->from, &hf, e)) return hfchat_free(&hf), NULL;
  c->hf = hf;
  if (hf.text && !(c->template = template_open(hf.from, hf.text, hf.n, &why))) c->why = rt_strdup(why.text);
  if (c->template && c->tok) c->turn_end = find_turn_end(c, c->tok);
  atomic_store(&c->ready, true);
  return c;
}

void chat_close(Chat *c) {
  template_free(c->template);
  hfchat_free(&c->hf);
  rt_free(c->why);
  *c = (Chat){.turn_end = -1};
}

// ---- one model's text of a conversation

static bool is_answer(const Conversation *c, size_t i) { return !strcmp(json_string_value(json_object_get(json_array_get(c->messages, i), "role")), "assistant"); }

// Said, but not to be learned: "weight": 0.
static bool is_left(const Conversation *c, size_t i) {
  const json_t *weight = json_object_get(json_array_get(c->messages, i), "weight");
  return json_is_number(weight) && json_number_value(weight) == 0;
}

static bool begins(const Rendered *whole, const Rendered *part) { return part->n <= whole->n && !memcmp(whole->text, part->text, part->n); }

typedef struct Text { Bytes b; TemplateRun *run; size_t n_runs; } Text;

static void put_content(Text *t, const char *s, size_t n, size_t message, size_t offset) {
  if (n) {
    t->run = rt_realloc(t->run, t->n_runs + 1, sizeof *t->run);
    t->run[t->n_runs++] = (TemplateRun){t->b.n, t->b.n + n, offset, (int32_t)message, false};
  }
  bytes_put(&t->b, s, n);
}

// The contents of the first n messages, joined by newlines; prompt: with one behind them.
static void join_contents(const Conversation *c, size_t n, bool prompt, Rendered *out) {
  Text t = {0};
  bytes_put(&t.b, "", 0);
  for (size_t i = 0; i < n; i++) {
    const json_t *content = json_object_get(json_array_get(c->messages, i), "content");
    size_t offset = 0;
    if (i) bytes_put(&t.b, "\n", 1);
    if (json_is_string(content)) put_content(&t, json_string_value(content), json_string_length(content), i, 0);
    for (size_t k = 0; json_is_array(content) && k < json_array_size(content); k++) {
      const json_t *text = json_object_get(json_array_get(content, k), "text");
      if (!json_is_string(text)) continue;
      put_content(&t, json_string_value(text), json_string_length(text), i, offset);
      offset += json_string_length(text);
    }
  }
  if (prompt && n) bytes_put(&t.b, "\n", 1);
  *out = (Rendered){t.b.s, t.b.n, t.run, t.n_runs};
}

// Whether a stream reads a rendering of its own, and not the anchor's or a text that has nothing to do with it.
static bool wants_text(const ChatRules *r, int k) {
  const Stream *s = &r->streams->s[k];
  return k == 0 || (s->tok && (!s->shares || s->renders) && !(r->own && r->own[k].text));
}

static bool of_tools(const Chat *chat, const Conversation *c) { return c->tools && chat->hf.tools_apart; }

// What a template makes of no message at all is asked for where an answer is the first.
static bool begins_with_answer(RtError *e) {
  RtError why = *e;
  return rt_fail(e, "the conversation begins with an answer, and its chat template renders none that is empty (%.800s)", why.text);
}

// Stream k's text of the first n messages.
static bool text_of(const ChatRules *r, int k, const Conversation *c, size_t n, bool prompt, Rendered *out, RtError *e) {
  Chat *source = r->streams->s[k].chat;
  const Chat *chat = source ? chat_ready(source, e) : NULL;
  if (source && !chat) return false;
  if (chat && chat->template && of_tools(chat, c))
    return rt_fail_about(e, RT_ABOUT_TEMPLATE, "%s has a template of its own for conversations with tools (tool_use), which is not read here", chat->hf.from);
  if (chat && chat->template) return render(chat, c, n, prompt, &r->date, out, e) || (!n && begins_with_answer(e));
  if (chat && chat->why) return rt_fail(e, "%s", chat->why);
  if (k == 0) return rt_fail_about(e, RT_ABOUT_TEMPLATE, "a conversation needs a chat template, and model %s has none (chat_template.jinja, or chat_template of tokenizer_config.json)", r->streams->s[0].model);
  join_contents(c, n, prompt, out);
  return true;
}

// What is said to a model, or trained on, is something.
static bool says_something(const ChatRules *r, const Rendered *text, RtError *e) {
  return text->n || rt_fail(e, "the chat template of %s writes nothing of the conversation", r->streams->s[0].model);
}

// The whole of it, and where its answers begin; whether it grows.
static bool read_side(const ChatRules *r, int k, const Conversation *c, Side *s, RtError *e) {
  size_t n = json_array_size(c->messages);
  *s = side_new(n);
  bool ok = text_of(r, k, c, n, false, &s->r, e);
  for (size_t i = 0; ok && s->grows && i < n; i++) {
    if (!is_answer(c, i)) continue;
    Rendered before = {0}, with = {0};
    ok = text_of(r, k, c, i, true, &before, e) && text_of(r, k, c, i + 1, false, &with, e);
    if (ok) s->grows = begins(&s->r, &before) && begins(&s->r, &with) && before.n <= with.n;
    s->answer[i] = true, s->start[i] = before.n, s->stop[i] = with.n;
    rendered_free(&before), rendered_free(&with);
  }
  return ok;
}

// The prefix as generation renders it; of the anchor's then answer `at` and its end, which are the others' too.
static bool read_turn(const ChatRules *r, int k, const Conversation *c, size_t at, Side *s, RtError *e) {
  Rendered before = {0}, with = {0};
  *s = side_new(at + 1);
  s->answer[at] = true;
  if (k) {
    bool said = text_of(r, k, c, at, true, &s->r, e);
    s->start[at] = s->stop[at] = s->r.n;
    return said;
  }
  bool ok = text_of(r, k, c, at, true, &before, e) && text_of(r, k, c, at + 1, false, &with, e);
  if (ok) {
    size_t from = before.n, first = 0;
    if (!begins(&with, &before)) {                         // the answer is written otherwise than generation is asked for it
      while (first < with.n_runs && with.run[first].message != (int32_t)at) first++;
      ok = first < with.n_runs || rt_fail(e, "the chat template of %s writes nothing of message %zu", r->streams->s[k].model, at + 1);
      from = ok ? with.run[first].begin : 0;
    }
    size_t rest = ok ? with.n - from : 0;
    while (first < with.n_runs && with.run[first].end <= from) first++;
    s->r = (Rendered){.text = rt_alloc(before.n + rest + 1, 1), .n = before.n + rest, .run = rt_alloc(before.n_runs + with.n_runs, sizeof *s->r.run)};
    memcpy(s->r.text, before.text, before.n), memcpy(s->r.text + before.n, with.text + from, rest);
    for (size_t i = 0; i < before.n_runs; i++) s->r.run[s->r.n_runs++] = before.run[i];
    for (; first < with.n_runs; first++) {
      TemplateRun u = with.run[first];
      if (u.begin < from) u.offset += from - u.begin, u.begin = from;
      u.begin += before.n - from, u.end += before.n - from;
      s->r.run[s->r.n_runs++] = u;
    }
    s->start[at] = before.n, s->stop[at] = s->r.n;
  }
  rendered_free(&before), rendered_free(&with);
  return ok;
}

// ---- the anchor's tokens

typedef struct Tokens {
  int32_t *ids;
  TokSpan *span;
  int64_t n;
} Tokens;

static bool encode_part(const ChatRules *r, const char *text, size_t begin, size_t end, Tokens *t, RtError *e) {
  int32_t *ids;
  TokSpan *span;
  int64_t n = tokenizer_encode(r->tok, text + begin, end - begin, begin > 0, &ids, &span, e);
  if (n < 0) return false;
  t->ids = rt_realloc(t->ids, (size_t)(t->n + n) + 1, sizeof *t->ids);         // and room for an end
  t->span = rt_realloc(t->span, (size_t)(t->n + n) + 1, sizeof *t->span);
  bool ok = true;
  for (int64_t i = 0; i < n; i++) {
    if (ids[i] >= r->vocab && ok) ok = rt_fail(e, "the token id %d is not below the model's vocabulary size %lld", (int)ids[i], (long long)r->vocab);
    t->ids[t->n] = ids[i];
    t->span[t->n] = span[i];
    t->span[t->n].begin += begin, t->span[t->n++].end += begin;
  }
  rt_free(ids), rt_free(span);
  return ok;
}

typedef struct Answer {
  size_t begin, end;           // bytes of the rendering
  bool marked;                 // by a generation block: trained on as they are
  bool left;                   // not trained on
} Answer;

// Each answer begins a token: generation begins there.
static bool encode(const ChatRules *r, const Rendered *text, const Answer *a, size_t n, Tokens *t, RtError *e) {
  size_t at = 0;
  for (size_t i = 0; i <= n; i++) {
    size_t to = i < n ? a[i].begin : text->n;
    if (to > at && !encode_part(r, text->text, at, to, t, e)) return false;
    if (to > at) at = to;
  }
  return true;
}

// The anchor's, of which a text was rendered.
static const Chat *anchors(const ChatRules *r) {
  const Chat *c = r->streams->s[0].chat;
  return c->lent ? c->lent : c;
}

static bool ends_turn(const ChatRules *r, int32_t id) { return text_ends_at(r->ends, id) || id == anchors(r)->turn_end; }

// What is trained on of an answer ends with the first end of a turn behind its content; what a template writes after it, generation never does. false:
// there is no such end.
static bool label(const ChatRules *r, const Tokens *t, const Answer *a, size_t content, int32_t *labels) {
  for (int64_t i = 0; i < t->n; i++) {
    if ((size_t)t->span[i].begin < a->begin || (size_t)t->span[i].begin >= a->end) continue;
    if (!a->left) labels[i] = t->ids[i];
    if (!a->marked && (size_t)t->span[i].begin >= content && ends_turn(r, t->ids[i])) return true;
  }
  return a->marked;
}

// ---- what the others read of it

static size_t whole_chars(const Rendered *r, size_t at) {
  while (at && at < r->n && ((unsigned char)r->text[at] & 0xC0) == 0x80) at--;
  return at;
}

// Where the text of token i ends, of the first `said`, which say `len` bytes; an end that is appended says nothing and has no span.
static size_t token_end(const Tokens *t, int64_t said, int64_t i, size_t len) {
  if (i == said - 1) return len;
  return (size_t)(t->span[i].end < t->span[i + 1].begin ? t->span[i].end : t->span[i + 1].begin);
}

typedef struct Sides {
  const ChatRules *r;
  const Side *side;
  const Tokens *t;
  int64_t keep, said, prompt;
} Sides;

// What stands before the first token that is kept is nobody's any more.
static bool follow_text(const Sides *x, int64_t drop, Follow *f, RtError *e) {
  const ChatRules *r = x->r;
  const Side *side = x->side;
  const Tokens *t = x->t;
  int n = r->streams->n;
  FollowBytes *bytes = rt_alloc((size_t)n, sizeof *bytes);
  size_t *at = rt_alloc((size_t)n, sizeof *at);
  Opened *opened = rt_alloc((size_t)n, sizeof *opened);
  Reading reading = reading_new(&side[0]);
  bool ok = x->prompt > 0 || follow_prompt_end(f, e);
  for (int64_t i = 0; ok && i < t->n; i++) {
    if (i < x->said) reading_on(&reading, token_end(t, x->said, i, side[0].r.n));
    for (int k = 1; k < n; k++) {
      size_t to = at[k];
      if (i < x->said && wants_text(r, k)) to = whole_chars(&side[k].r, side_open(&reading, &side[k], &opened[k]));
      if (to < at[k]) to = at[k];
      bytes[k] = (FollowBytes){side[k].r.text ? side[k].r.text + at[k] : "", to - at[k]}, at[k] = to;
    }
    if (i >= x->keep && i < x->keep + drop) continue;
    ok = follow_token_each(f, t->ids[i], bytes, e) && (i + 1 != x->prompt || follow_prompt_end(f, e));
  }
  rt_free(bytes), rt_free(at), rt_free(opened);
  reading_free(&reading);
  return ok;
}

static Follow *follow_sides(const void *user, int64_t drop, RtError *e) {
  const Sides *x = user;
  uint64_t bare = 0;                                       // a template's text has all of its tokens, contents alone begin as any text does
  for (int k = 1; k < x->r->streams->n; k++) {
    const Chat *chat = x->r->streams->s[k].chat;
    if (chat && (chat->lent ? chat->lent : chat)->template) bare |= UINT64_C(1) << k;
  }
  Follow *f = follow_rendered(x->r->streams, drop > 0, bare);
  if (own_begin(f, x->r->own, e) && follow_text(x, drop, f, e)) return f;
  follow_free(f);
  return NULL;
}

// To what fits the contexts.
static bool fit_row(const ChatRules *r, const Sides *x, const char *what, ChatRow *row, RtError *e) {
  CutDone done;
  const CutRow c = {.what = what, .n = row->n, .keep = x->keep, .prompt = x->prompt, .follow = r->streams->n > 1 ? follow_sides : NULL, .user = x};
  if (!cut_row(&r->cut, &c, &done, e)) return false;
  row->follow = done.follow, row->out = done.out, row->cut = done.drop > 0, row->by = done.by;
  if (done.drop) cut_out(row->ids, row->n, x->keep, done.drop), cut_out(row->labels, row->n, x->keep, done.drop);
  row->n -= done.drop, row->prompt_n -= done.drop;
  return true;
}

// ---- rows

// The answers in the anchor's text, ascending, which are trained on but for those that are left. only: of this answer alone (-1: of all).
static size_t answers(const ChatRules *r, const Conversation *c, const Side *s, int64_t only, Answer *out) {
  const Rendered *t = &s->r;
  size_t n = 0, last = json_array_size(c->messages);
  if (r->all) return out[0] = (Answer){0, t->n, true, false}, 1;
  if (template_marks_generation(anchors(r)->template)) {
    for (size_t i = 0; i < t->n_runs; i++) {
      const TemplateRun *u = &t->run[i];
      if (!u->generated || (only >= 0 && u->end <= s->start[only])) continue;
      if (n && out[n - 1].end == u->begin) out[n - 1].end = u->end;
      else out[n++] = (Answer){u->begin, u->end, true, false};
      if (u->message >= 0 && is_left(c, (size_t)u->message)) out[n - 1].left = true;
    }
    return n;
  }
  for (size_t i = 0; i < last; i++) {
    if (!is_answer(c, i) || (only >= 0 && (size_t)only != i)) continue;
    out[n++] = (Answer){s->start[i], s->stop[i], false, is_left(c, i)};
  }
  return n;
}

// Where the content ends that stands in [begin, end).
static size_t content_end(const Rendered *t, const Answer *a) {
  size_t end = a->begin;
  for (size_t i = 0; i < t->n_runs; i++)
    if (t->run[i].message >= 0 && t->run[i].begin >= a->begin && t->run[i].end <= a->end) end = t->run[i].end;
  return end;
}

static int64_t keep_of(const ChatRules *r, const Tokens *t, int64_t prompt) {
  int64_t keep = cut_keep(r->tok, r->ends->bos, t->ids, t->n);
  return keep < prompt ? keep : prompt;
}

// What the anchor says in its answers, of the first `said` tokens.
static Spoken spoken_by(const ChatRules *r, const Side *anchor, const Tokens *t, int64_t said) {
  Spoken out = {0};
  for (size_t i = 0; i < anchor->messages; i++) {
    if (!anchor->answer[i]) continue;
    size_t content = side_content_end(anchor, i), from = 0, to = 0, offset = 0;
    for (int64_t k = 0; k < said && (size_t)t->span[k].begin < anchor->stop[i]; k++) {
      from = to > anchor->start[i] ? to : anchor->start[i], to = token_end(t, said, k, anchor->r.n);
      if (to <= anchor->start[i]) continue;
      if ((size_t)t->span[k].begin >= content && ends_turn(r, t->ids[k])) break;
      if (to <= from || tokenizer_is_special(r->tok, t->ids[k])) continue;
      out.run = rt_realloc(out.run, out.n + 1, sizeof *out.run);
      out.run[out.n++] = (TemplateRun){from, to, offset, (int32_t)i, false};
      offset += to - from;
    }
  }
  return out;
}

// Aligns the others' texts with the anchor's answers. False: what stands behind an answer of one does not go on from what the anchor says.
static bool agree(const ChatRules *r, const Tokens *t, int64_t said, Side *side) {
  Spoken spoken = spoken_by(r, &side[0], t, said);
  bool same = true;
  for (int k = 1; same && !r->all && k < r->streams->n; k++)
    if (wants_text(r, k)) same = side_agrees(&side[k], &side[0], &spoken);
  for (int k = 1; same && k < r->streams->n; k++)
    if (wants_text(r, k)) side_answer(&side[k], &side[0], &spoken);
  if (same) side_answer_own(&side[0], &spoken);
  rt_free(spoken.run);
  return same;
}

// apart: it takes a row an answer, and none is made.
static bool make_row(const ChatRules *r, const Conversation *c, Side *side, int64_t only, ChatRow *row, bool *apart, RtError *e) {
  Tokens t = {0};
  const Rendered *text = &side[0].r;
  Answer *a = rt_alloc(text->n_runs + json_array_size(c->messages) + 1, sizeof *a);
  size_t n = answers(r, c, &side[0], only, a);
  bool ok = says_something(r, text, e) && encode(r, text, a, n, &t, e), ended = true;
  *apart = false;
  if (ok) {
    row->labels = rt_alloc((size_t)t.n + 1, sizeof *row->labels);
    for (int64_t i = 0; i <= t.n; i++) row->labels[i] = -100;
    for (size_t i = 0; i < n; i++) ended = label(r, &t, &a[i], content_end(text, &a[i]), row->labels);
    int64_t said = t.n;
    if (!ended && !a[n - 1].left && is_answer(c, json_array_size(c->messages) - 1) && r->ends->append >= 0) t.ids[t.n] = row->labels[t.n] = r->ends->append, t.n++;
    if (t.n) row->labels[0] = -100;                        // nothing stands before it to predict it from
    while (row->prompt_n < t.n && row->labels[row->prompt_n] == -100) row->prompt_n++;
    row->ids = t.ids, row->n = t.n;
    *apart = r->streams->n > 1 && !agree(r, &t, said, side) && only < 0;
    Sides x = {r, side, &t, keep_of(r, &t, row->prompt_n), said, row->prompt_n};
    ok = *apart || fit_row(r, &x, "row", row, e);
  } else {
    rt_free(t.ids);
  }
  if (*apart) chat_row_free(row);
  rt_free(t.span), rt_free(a);
  return ok;
}

bool chat_rows(const ChatRules *r, const Conversation *c, ChatRow **rows, int *n, RtError *e) {
  size_t messages = json_array_size(c->messages);
  int streams = r->streams->n;
  Side *side = rt_alloc((size_t)streams, sizeof *side);
  bool ok = true, grows = true, apart;
  for (int k = 0; ok && k < streams; k++)
    if (wants_text(r, k)) ok = read_side(r, k, c, &side[k], e), grows = grows && side[k].grows;
  for (int k = 0; ok && !grows && k < streams; k++)        // where answers begin is nowhere in these texts
    if (wants_text(r, k)) memset(side[k].answer, 0, messages * sizeof *side[k].answer);
  *rows = rt_alloc(messages + 1, sizeof **rows), *n = 0;
  if (ok && (grows || r->all)) ok = make_row(r, c, side, -1, &(*rows)[(*n)++], &apart, e), grows = !apart, *n -= apart;
  for (size_t i = 0; ok && !grows && !r->all && i < messages; i++) {
    if (!is_answer(c, i) || is_left(c, i)) continue;
    for (int k = 0; ok && k < streams; k++) {
      side_free(&side[k]);
      if (wants_text(r, k)) ok = read_turn(r, k, c, i, &side[k], e);
    }
    Conversation up_to = {.messages = json_array()};
    for (size_t k = 0; k <= i; k++) json_array_append(up_to.messages, json_array_get(c->messages, k));
    ok = ok && make_row(r, &up_to, side, (int64_t)i, &(*rows)[(*n)++], &apart, e);
    conversation_free(&up_to);
  }
  for (int k = 0; k < streams; k++) side_free(&side[k]);
  rt_free(side);
  if (ok) return true;
  for (int i = 0; i < *n; i++) chat_row_free(&(*rows)[i]);
  rt_free(*rows);
  return false;
}

bool chat_prompt(const ChatRules *r, const Conversation *c, ChatRow *out, RtError *e) {
  size_t n = json_array_size(c->messages);
  int streams = r->streams->n;
  Side *side = rt_alloc((size_t)streams, sizeof *side);
  Tokens t = {0};
  bool ok = true;
  *out = (ChatRow){0};
  for (int k = 0; ok && k < streams; k++) {
    if (!wants_text(r, k)) continue;
    side[k] = side_new(n + 1);
    ok = text_of(r, k, c, n, true, &side[k].r, e);
    side[k].answer[n] = true, side[k].start[n] = side[k].stop[n] = side[k].r.n;        // the answer that is to come
  }
  ok = ok && says_something(r, &side[0].r, e) && encode(r, &side[0].r, NULL, 0, &t, e);
  out->ids = t.ids, out->n = out->prompt_n = t.n;
  Sides x = {r, side, &t, keep_of(r, &t, t.n), t.n, t.n};
  ok = ok && fit_row(r, &x, "prompt", out, e);
  for (int k = 0; k < streams; k++) side_free(&side[k]);
  rt_free(side), rt_free(t.span);
  return ok;
}

void chat_row_free(ChatRow *r) {
  rt_free(r->ids), rt_free(r->labels);
  follow_free(r->follow);
  *r = (ChatRow){0};
}
