// Strings of a template: see value.h. A string that is made of parts of others says of its bytes what these said.
#include <string.h>

#include "runtime/template/value.h"

Value s_part(Tp *t, Value s, size_t begin, size_t end) {
  if (end <= begin) return v_text("", 0);
  Value out = {.kind = STR, .markup = s.markup, .s = s.s + begin, .n = end - begin};
  const Runs *r = s.runs;
  if (!r) return out;
  if (begin == 0 && end == s.n) return s;
  size_t from = 0, to = r->n;
  while (from < to && r->run[from].end <= begin) from++;
  while (to > from && r->run[to - 1].begin >= end) to--;
  tp_spend(t, r->n / 4 + (to - from));
  if (from == to) return out;
  Runs *part = tp_alloc(t, 1, sizeof *part + (to - from) * sizeof *part->run);
  part->n = to - from;
  for (size_t i = from; i < to; i++) {
    TemplateRun *p = &part->run[i - from];
    *p = r->run[i];
    if (p->begin < begin) p->offset += begin - p->begin, p->begin = begin;
    if (p->end > end) p->end = end;
    p->begin -= begin, p->end -= begin;
  }
  out.runs = part;
  return out;
}

Buf buf_new(Tp *t) { return (Buf){.t = t}; }

static void buf_room(Buf *b, size_t n) {
  if (n <= b->cap - b->n) return;
  tp_spend(b->t, b->n / 16);
  size_t cap = b->n * 2 + n + 64;
  char *s = tp_alloc(b->t, cap, 1);
  if (b->n) memcpy(s, b->s, b->n);
  b->s = s, b->cap = cap;
}

void buf_put(Buf *b, const char *s, size_t n) {
  if (!n) return;
  tp_spend(b->t, n / 16);
  buf_room(b, n);
  memcpy(b->s + b->n, s, n);
  b->n += n;
}

void buf_str(Buf *b, const char *s) { buf_put(b, s, strlen(s)); }

static void add_run(Buf *b, TemplateRun r) {
  TemplateRun *last = b->n_runs ? &b->run[b->n_runs - 1] : NULL;
  if (last && last->end == r.begin && last->generated == r.generated && last->message == r.message &&
      (r.message < 0 || last->offset + (last->end - last->begin) == r.offset)) {
    last->end = r.end;
    return;
  }
  if (b->n_runs == b->cap_runs) {
    size_t cap = b->cap_runs * 2 + 4;
    TemplateRun *run = tp_alloc(b->t, cap, sizeof *run);
    if (b->n_runs) memcpy(run, b->run, b->n_runs * sizeof *run);
    b->run = run, b->cap_runs = cap;
  }
  b->run[b->n_runs++] = r;
}

// What r says, of bytes that stand at `at`.
static void buf_runs(Buf *b, const Runs *r, size_t at) {
  if (!r) return;
  tp_spend(b->t, r->n / 4);
  for (size_t i = 0; i < r->n; i++) {
    TemplateRun one = r->run[i];
    one.begin += at, one.end += at;
    add_run(b, one);
  }
}

void buf_text(Buf *b, Value s) {
  size_t at = b->n;
  buf_put(b, s.s, s.n);
  buf_runs(b, s.runs, at);
}

void buf_generated(Buf *b, size_t from) {
  size_t first = b->n_runs, n = b->n_runs;
  while (first && b->run[first - 1].begin >= from) first--;
  TemplateRun *old = b->run;
  b->run = NULL, b->n_runs = b->cap_runs = 0;
  for (size_t i = 0; i < first; i++) add_run(b, old[i]);
  for (size_t i = first; i < n; i++) {
    if (old[i].begin > from) add_run(b, (TemplateRun){from, old[i].begin, 0, -1, true});
    from = old[i].end;
    old[i].generated = true;
    add_run(b, old[i]);
  }
  if (b->n > from) add_run(b, (TemplateRun){from, b->n, 0, -1, true});
}

Value buf_value(Buf *b) {
  Value out = v_text(b->s ? b->s : "", b->n);
  if (b->cap) tp_give_back(b->t, b->s + b->cap, b->s + b->n);
  if (!b->n_runs) return out;
  Runs *r = tp_alloc(b->t, 1, sizeof *r + b->n_runs * sizeof *r->run);
  r->n = b->n_runs;
  memcpy(r->run, b->run, b->n_runs * sizeof *r->run);
  out.runs = r;
  return out;
}

Value s_join2(Tp *t, Value a, Value b) {
  if (!b.n) return a;
  if (!a.n) return b;
  tp_spend(t, b.n / 16);
  if (tp_extend(t, a.s + a.n, b.n)) {                                  // a text that is added to again and again is copied once
    memcpy((char *)(uintptr_t)(a.s + a.n), b.s, b.n);
    Buf u = {.t = t, .s = (char *)(uintptr_t)a.s};
    buf_runs(&u, a.runs, 0), buf_runs(&u, b.runs, a.n);
    u.n = a.n + b.n;
    return buf_value(&u);
  }
  Buf u = buf_new(t);
  buf_text(&u, a), buf_text(&u, b);
  return buf_value(&u);
}

size_t s_chars(Value s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.s[i] & 0xC0) != 0x80;
  return n;
}

size_t s_byte_of(Value s, size_t chars) {
  size_t i = 0;
  for (; i < s.n; i++)
    if (((unsigned char)s.s[i] & 0xC0) != 0x80 && chars-- == 0) break;
  return i;
}

bool is_space(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
