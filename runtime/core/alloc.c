// See alloc.h and call.h. Every block has two links in front, so that a call can drop what it holds; blocks made outside of any call link to
// themselves. The innermost call of a thread is the one thing that this library keeps outside of what it is given.
#include "runtime/core/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/call.h"

typedef struct Block {
  _Alignas(16) struct Block *prev;
  struct Block *next;
} Block;

typedef struct Call {
  Block held;
  jmp_buf out;
  size_t wanted;               // what could not be had
  const RtHost *host;
  struct Call *outer;
} Call;

static _Thread_local Call *current;

static void link_after(Block *b, Block *at) {
  b->prev = at, b->next = at->next;
  at->next->prev = b, at->next = b;
}

static void unlink_block(Block *b) {
  b->prev->next = b->next, b->next->prev = b->prev;
}

_Noreturn void rt_no_memory(size_t bytes) {
  if (!current) {
    fprintf(stderr, "calm: bug: out of memory (%zu bytes) outside of any call\n", bytes);
    abort();
  }
  current->wanted = bytes;
  longjmp(current->out, 1);
}

static void *hold(Block *b, size_t bytes) {
  if (!b) rt_no_memory(bytes);
  if (current) link_after(b, &current->held);
  else b->prev = b->next = b;
  return b + 1;
}

static size_t bytes_with_links(size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || __builtin_add_overflow(n ? n : 1, sizeof(Block), &n) || n > PTRDIFF_MAX) rt_no_memory(SIZE_MAX);
  return n;
}

void *rt_alloc(size_t count, size_t size) {
  size_t n = bytes_with_links(count, size);
  return hold(calloc(1, n), n);
}

void *rt_realloc(void *p, size_t count, size_t size) {
  if (!p) return rt_alloc(count, size);
  size_t n = bytes_with_links(count, size);
  Block *old = (Block *)p - 1;
  bool alone = old->prev == old;
  Block *b = realloc(old, n);
  if (!b) rt_no_memory(n);
  if (alone) b->prev = b->next = b;
  else b->prev->next = b->next->prev = b;
  return b + 1;
}

void rt_free(void *p) {
  if (!p) return;
  Block *b = (Block *)p - 1;
  unlink_block(b);
  free(b);
}

char *rt_strndup(const char *s, size_t n) {
  size_t len = strnlen(s, n);
  char *p = rt_alloc(len + 1, 1);
  return memcpy(p, s, len);
}

char *rt_strdup(const char *s) {
  return rt_strndup(s, strlen(s));
}

char *rt_format(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n < 0) rt_no_memory(SIZE_MAX);
  char *s = rt_alloc((size_t)n + 1, 1);
  va_start(ap, fmt);
  vsnprintf(s, (size_t)n + 1, fmt, ap);
  va_end(ap);
  return s;
}

// ---- calls

static void drop(Call *c) {
  while (c->held.next != &c->held) rt_free(c->held.next + 1);
}

// What is left of a call that ended well is its caller's.
static void pass_on(Call *c) {
  while (c->held.next != &c->held) {
    Block *b = c->held.next;
    unlink_block(b);
    if (c->outer) link_after(b, &c->outer->held);
    else b->prev = b->next = b;
  }
}

bool rt_call(const RtHost *host, bool (*run)(void *user, RtError *e), void *user, RtError *e) {
  Call c = {.host = host, .outer = current};
  c.held.prev = c.held.next = &c.held;
  current = &c;
  if (setjmp(c.out)) {
    current = c.outer;
    drop(&c);
    return c.wanted == SIZE_MAX ? rt_fail(e, "out of memory: a size is beyond what can be addressed")
                                : rt_fail(e, "out of memory: %zu bytes could not be had", c.wanted);
  }
  bool ok = run(user, e);
  current = c.outer;
  pass_on(&c);
  return ok;
}

void rt_warn(const char *fmt, ...) {
  if (!current || !current->host || !current->host->warning) return;
  va_list ap;
  va_start(ap, fmt);
  RtError e;
  vsnprintf(e.text, sizeof e.text, fmt, ap);
  va_end(ap);
  current->host->warning(current->host->user, e.text);
}

void rt_progress(const char *what, int64_t done, int64_t total) {
  if (current && current->host && current->host->progress) current->host->progress(current->host->user, what, done, total);
}
