// See state.h.
#include "runtime/template/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 14, ALIGN = 16 };

void tp_begin(Tp *t, const char *name, size_t n, RtError *e) {
  const size_t most = (size_t)INT32_MAX;
  if (n > most) n = most;
  t->chunk = NULL, t->top = t->end = NULL, t->tail = NULL;
  t->steps = (int64_t)n * TP_STEPS_A_BYTE + TP_STEPS;
  t->room = n * TP_ROOM_A_BYTE + TP_ROOM;
  t->depth = 0, t->line = 1;
  t->name = name, t->e = e;
}

void tp_drop(TpChunk *c) {
  while (c) {
    TpChunk *next = c->next;
    rt_free(c);
    c = next;
  }
}

_Noreturn void tp_fail(Tp *t, const char *fmt, ...) {
  char text[700];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  rt_fail(t->e, "%s:%d: %s", t->name, t->line, text);
  longjmp(t->out, 1);
}

void *tp_alloc(Tp *t, size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || n > t->room) tp_fail(t, "the template takes too much memory");
  uintptr_t at = ((uintptr_t)t->top + ALIGN - 1) / ALIGN * ALIGN;
  if (!t->top || at > (uintptr_t)t->end || n > (uintptr_t)t->end - at) {
    size_t want = n > CHUNK / 2 ? n * 2 : CHUNK;         // twice: a text that was made is often gone on with
    TpChunk *c = rt_alloc(1, sizeof *c + ALIGN + want);
    c->next = t->chunk, c->size = want, t->chunk = c;
    at = ((uintptr_t)(c + 1) + ALIGN - 1) / ALIGN * ALIGN;
    t->end = (char *)at + want;
    t->room -= want < t->room ? want : t->room;
  }
  t->tail = t->top = (char *)at + n;
  return memset((void *)at, 0, n);
}

bool tp_extend(Tp *t, const char *end, size_t n) {
  if (end != t->tail || n > (size_t)(t->end - t->top)) return false;
  t->tail = t->top += n;
  return true;
}

void tp_give_back(Tp *t, const char *end, const char *now) {
  if (end == t->tail) t->tail = t->top = (char *)(uintptr_t)now;
}

void tp_spend(Tp *t, size_t steps) {
  if (steps > (size_t)INT32_MAX || (t->steps -= (int64_t)steps) < 0) tp_fail(t, "the template takes too many steps");
}

void tp_enter(Tp *t) {
  if (++t->depth > TP_DEPTH) tp_fail(t, "nested more than %d deep", TP_DEPTH);
}
