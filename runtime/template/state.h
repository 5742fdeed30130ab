// What one reading or one rendering of a template has: memory, what it may still take, and the way out. Whatever fails leaves through tp_fail, so that
// no caller below the door looks for errors; all that was made lies in the arena and goes with it.
#ifndef CALM_RUNTIME_TEMPLATE_STATE_H
#define CALM_RUNTIME_TEMPLATE_STATE_H
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

enum {
  TP_DEPTH = 400,              // of expressions, blocks, macros and values inside one another
  TP_STEPS = 1 << 24,          // of a rendering, and these for each byte of its input:
  TP_STEPS_A_BYTE = 256,
  TP_ROOM = 64 << 20,          // bytes of its memory, and these for each byte of its input:
  TP_ROOM_A_BYTE = 256,
};

typedef struct TpChunk {
  struct TpChunk *next;
  size_t size;
  char *at;
} TpChunk;

typedef struct Tp {
  TpChunk *chunk;              // the newest first
  char *top, *end;             // what is free of it
  const char *tail;            // where the last block ends, to the byte
  int64_t steps;
  size_t room;
  int depth;
  int line;                    // where the template is
  const char *name;
  RtError *e;
  jmp_buf out;
} Tp;

// Readies t for a text of n bytes. The caller sets t->out by setjmp before anything else, and ends with tp_drop (or keeps the chunks).
void tp_begin(Tp *t, const char *name, size_t n, RtError *e);
void tp_drop(TpChunk *chunk);
_Noreturn void tp_fail(Tp *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *tp_alloc(Tp *t, size_t count, size_t size);        // zeroed
void tp_spend(Tp *t, size_t steps);
void tp_enter(Tp *t);                                     // one level deeper; left by t->depth--
// What ends at `end` grows by n bytes where it stands, if nothing stands behind it and there is room.
bool tp_extend(Tp *t, const char *end, size_t n);
// The block that ends at `end` ends at `now` already, if it is the last.
void tp_give_back(Tp *t, const char *end, const char *now);
#endif
