// See alloc.h and call.h. Every block has two links in front, so that a call can drop what it holds; blocks made outside of any call link to
// themselves. Objects stand in a list of their own, since they must end while the memory they use is still there. The innermost call of a
// thread is the one thing that this library keeps outside of what it is given.
#include "runtime/core/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/core/call.h"

typedef struct Block {
  _Alignas(16) struct Block *prev;
  struct Block *next;
} Block;

typedef struct Object {
  Block b;
  void (*end)(void *object);
} Object;

typedef struct Call {
  Block held, objects;
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

// 0 when that is beyond what can be addressed.
static size_t bytes_behind(size_t front, size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || __builtin_add_overflow(n ? n : 1, front, &n) || n > PTRDIFF_MAX) return 0;
  return n;
}

// Zeroed, with its links in front; in that list of the call that `list` lies at. NULL where there is no memory.
static Block *new_block(size_t bytes, size_t list) {
  Block *b = bytes ? calloc(1, bytes) : NULL;
  if (!b) return NULL;
  if (current) link_after(b, (Block *)((char *)current + list));
  else b->prev = b->next = b;
  return b;
}

void *rt_try_alloc(size_t count, size_t size) {
  Block *b = new_block(bytes_behind(sizeof(Block), count, size), offsetof(Call, held));
  return b ? b + 1 : NULL;
}

void *rt_alloc(size_t count, size_t size) {
  void *p = rt_try_alloc(count, size);
  if (!p) rt_no_memory(bytes_behind(0, count, size));
  return p;
}

void *rt_realloc(void *p, size_t count, size_t size) {
  if (!p) return rt_alloc(count, size);
  size_t n = bytes_behind(sizeof(Block), count, size);
  Block *old = (Block *)p - 1;
  bool alone = old->prev == old;
  Block *b = n ? realloc(old, n) : NULL;
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

void *rt_object(size_t bytes, void (*end)(void *object)) {
  Object *o = (Object *)new_block(bytes_behind(sizeof(Object), 1, bytes), offsetof(Call, objects));
  if (!o) rt_no_memory(bytes);
  o->end = end;
  return o + 1;
}

void rt_end(void *object) {
  if (!object) return;
  Object *o = (Object *)object - 1;
  unlink_block(&o->b);
  o->end(object);
  free(o);
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
  if (n < 0) rt_no_memory(0);
  char *s = rt_alloc((size_t)n + 1, 1);
  va_start(ap, fmt);
  vsnprintf(s, (size_t)n + 1, fmt, ap);
  va_end(ap);
  return s;
}

// ---- calls

static void drop(Call *c) {
  while (c->objects.next != &c->objects) rt_end((Object *)c->objects.next + 1);
  while (c->held.next != &c->held) rt_free(c->held.next + 1);
}

// The newest stays in front. to NULL: to nobody.
static void move_blocks(Block *from, Block *to) {
  while (from->prev != from) {
    Block *b = from->prev;
    unlink_block(b);
    if (to) link_after(b, to);
    else b->prev = b->next = b;
  }
}

// What is left of a call that ended well is its caller's.
static void pass_on(Call *c) {
  move_blocks(&c->held, c->outer ? &c->outer->held : NULL);
  move_blocks(&c->objects, c->outer ? &c->outer->objects : NULL);
}

bool rt_call(const RtHost *host, bool (*run)(void *user, RtError *e), void *user, RtError *e) {
  Call c = {.host = host, .outer = current};
  c.held.prev = c.held.next = &c.held;
  c.objects.prev = c.objects.next = &c.objects;
  current = &c;
  if (setjmp(c.out)) {
    current = c.outer;
    drop(&c);
    return c.wanted ? rt_fail(e, "out of memory: %zu bytes could not be had", c.wanted)
                    : rt_fail(e, "out of memory: a size is beyond what can be addressed");
  }
  bool ok = run(user, e);
  current = c.outer;
  pass_on(&c);
  return ok;
}

static void say(void (*to)(void *user, const char *text), const char *fmt, va_list ap) {
  RtError e;
  vsnprintf(e.text, sizeof e.text, fmt, ap);
  to(current->host->user, e.text);
}

void rt_warn(const char *fmt, ...) {
  if (!current || !current->host || !current->host->warning) return;
  va_list ap;
  va_start(ap, fmt);
  say(current->host->warning, fmt, ap);
  va_end(ap);
}

void rt_note(const char *fmt, ...) {
  if (!current || !current->host || !current->host->note) return;
  va_list ap;
  va_start(ap, fmt);
  say(current->host->note, fmt, ap);
  va_end(ap);
}

void rt_progress(const char *what, int64_t done, int64_t total) {
  if (current && current->host && current->host->progress) current->host->progress(current->host->user, what, done, total);
}

RtPhase rt_phase(RtPhase next) {
  if (!current || !current->host || !current->host->phase) return RT_PHASE_OTHER;
  return current->host->phase(current->host->user, next);
}

bool rt_stopped(RtError *e) {
  if (!current || !current->host || !current->host->stop || !current->host->stop(current->host->user)) return false;
  rt_fail_about(e, RT_ABOUT_STOP, "stopped");
  return true;
}
