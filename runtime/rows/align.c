// See align.h.
#include "runtime/rows/align.h"

#include <string.h>

#include "runtime/core/core.h"

Side side_new(size_t messages) {
  return (Side){.messages = messages, .grows = true, .answer = rt_alloc(messages, sizeof(bool)), .start = rt_alloc(messages, sizeof(size_t)), .stop = rt_alloc(messages, sizeof(size_t))};
}

void side_free(Side *s) {
  rendered_free(&s->r);
  rt_free(s->answer), rt_free(s->start), rt_free(s->stop);
  *s = (Side){.grows = false};
}

size_t side_content_end(const Side *s, size_t answer) {
  size_t end = s->start[answer];
  for (size_t i = 0; i < s->r.n_runs; i++) {
    const TemplateRun *u = &s->r.run[i];
    if (u->message == (int32_t)answer && u->begin >= s->start[answer] && u->end <= s->stop[answer]) end = u->end;
  }
  return end;
}

// ---- answers

// What is put together here begins empty, and has room for the power of two that its number asks for.
static size_t room(size_t n) {
  size_t r = 1;
  while (r < n) r *= 2;
  return r;
}

static void put_run(Rendered *r, TemplateRun u) {
  if (!r->n_runs || room(r->n_runs) < r->n_runs + 1) r->run = rt_realloc(r->run, room(r->n_runs + 1), sizeof *r->run);
  r->run[r->n_runs++] = u;
}

static void put_text(Rendered *r, const char *s, size_t n) {
  size_t all = r->n + n + 1;
  if (!r->text || room(r->n + 1) < all) r->text = rt_realloc(r->text, room(all), 1);
  memcpy(r->text + r->n, s, n);
  r->text[r->n += n] = 0;
}

static void put_part(Rendered *out, const Rendered *from, size_t begin, size_t end) {
  if (end <= begin) return;
  for (size_t i = 0; i < from->n_runs; i++) {
    TemplateRun u = from->run[i];
    if (u.end <= begin || u.begin >= end) continue;
    if (u.begin < begin) u.offset += begin - u.begin, u.begin = begin;
    if (u.end > end) u.end = end;
    u.begin += out->n - begin, u.end += out->n - begin;
    put_run(out, u);
  }
  put_text(out, from->text + begin, end - begin);
}

static void put_spoken(Rendered *out, const Side *anchor, const Spoken *spoken, size_t answer) {
  for (size_t i = 0; i < spoken->n; i++) {
    const TemplateRun *u = &spoken->run[i];
    if (u->message != (int32_t)answer) continue;
    put_run(out, (TemplateRun){out->n, out->n + u->end - u->begin, u->offset, u->message, false});
    put_text(out, anchor->r.text + u->begin, u->end - u->begin);
  }
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool same_words(const char *a, size_t n, const char *b, size_t m) {
  while (n && is_blank(*a)) a++, n--;
  while (n && is_blank(a[n - 1])) n--;
  while (m && is_blank(*b)) b++, m--;
  while (m && is_blank(b[m - 1])) m--;
  return n == m && !memcmp(a, b, n);
}

bool side_agrees(const Side *s, const Side *anchor, const Spoken *spoken) {
  bool same = true;
  for (size_t i = 0; same && i + 1 < s->messages; i++) {
    if (!s->answer[i]) continue;
    Rendered said = {0};
    put_spoken(&said, anchor, spoken, i);
    same = same_words(said.n ? said.text : "", said.n, s->r.text + s->start[i], side_content_end(s, i) - s->start[i]);
    rt_free(said.text), rt_free(said.run);
  }
  return same;
}

void side_answer(Side *s, const Side *anchor, const Spoken *spoken) {
  Rendered out = {0};
  size_t at = 0;
  put_text(&out, "", 0);
  for (size_t i = 0; i < s->messages; i++) {
    if (!s->answer[i]) continue;
    size_t end = side_content_end(s, i);
    put_part(&out, &s->r, at, s->start[i]);
    s->start[i] = out.n;
    put_spoken(&out, anchor, spoken, i);
    s->stop[i] = out.n;
    at = end;
  }
  put_part(&out, &s->r, at, s->r.n);
  rendered_free(&s->r);
  s->r = out;
}

void side_answer_own(Side *anchor, const Spoken *spoken) {
  Rendered out = {.text = anchor->r.text, .n = anchor->r.n};
  size_t next = 0;
  for (size_t i = 0; i <= anchor->r.n_runs; i++) {
    TemplateRun u = i < anchor->r.n_runs ? anchor->r.run[i] : (TemplateRun){.begin = anchor->r.n, .message = -1};
    while (next < spoken->n && spoken->run[next].begin <= u.begin) put_run(&out, spoken->run[next++]);
    bool own = u.message >= 0 && anchor->answer[u.message] && u.begin >= anchor->start[u.message];
    if (i < anchor->r.n_runs && !own) put_run(&out, u);
  }
  rt_free(anchor->r.run);
  anchor->r = out;
}

// ---- what is open

Reading reading_new(const Side *anchor) {
  Reading r = {.anchor = anchor, .upto = rt_alloc(anchor->messages, sizeof *r.upto), .left = rt_alloc(anchor->messages, sizeof *r.left),
               .written = rt_alloc(anchor->messages, sizeof *r.written), .ended = rt_alloc(anchor->r.n_runs, sizeof *r.ended)};
  for (size_t i = 0; i < anchor->r.n_runs; i++) {
    int32_t m = anchor->r.run[i].message;
    if (m >= 0) r.left[m]++, r.written[m] = true;
  }
  return r;
}

void reading_free(Reading *r) { rt_free(r->upto), rt_free(r->left), rt_free(r->written), rt_free(r->ended); }

void reading_on(Reading *r, size_t e) {
  const Rendered *a = &r->anchor->r;
  r->e = e;
  for (size_t i = r->run; i < a->n_runs && a->run[i].begin < e; i++) {     // runs may overlap, where a content is written within an answer
    const TemplateRun *u = &a->run[i];
    if (r->ended[i]) continue;
    if (u->message >= 0) {
      size_t *upto = &r->upto[u->message], to = u->offset + (e < u->end ? e : u->end) - u->begin;
      if (to > *upto) *upto = to;
      if (*upto && (size_t)u->message > r->latest) r->latest = (size_t)u->message;
    }
    r->ended[i] = u->end < e;
    if (r->ended[i] && u->message >= 0 && !--r->left[u->message]) r->upto[u->message] = SIZE_MAX;
  }
  while (r->run < a->n_runs && r->ended[r->run]) r->run++;
  for (; r->before < r->latest; r->before++)
    if (!r->written[r->before]) r->upto[r->before] = SIZE_MAX;
}

size_t side_open(const Reading *r, const Side *s, Opened *o) {
  const Side *a = r->anchor;
  size_t open = o->open;
  for (size_t i = 0; i < a->messages; i++)
    if (a->answer[i] && a->start[i] <= r->e && s->answer[i] && s->start[i] > open) open = s->start[i];
  for (; o->run < s->r.n_runs; o->run++) {
    const TemplateRun *v = &s->r.run[o->run];
    if (v->message < 0 || v->end <= open) continue;
    size_t upto = r->upto[v->message], read = upto > v->offset ? upto - v->offset : 0, n = v->end - v->begin;
    if (read && v->begin + (read < n ? read : n) > open) open = v->begin + (read < n ? read : n);
    if (read < n || (read == n && upto != SIZE_MAX)) return open;                   // the message may go on
    o->open = open;
  }
  return open;
}
