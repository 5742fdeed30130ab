// What a text may cost. A tokenizer.json comes from a stranger, and a text too: patterns that search for ever, normalizers that multiply, tokens
// that are looked for at every place. Each call (encoding a text, a look at an open one, decoding ids, reading a tokenizer) has so many steps and
// so much room, in proportion to what it was given; they are counted, never timed, and a text that needs more is an error.
#ifndef CALM_RUNTIME_TEXT_BUDGET_H
#define CALM_RUNTIME_TEXT_BUDGET_H
#include <stddef.h>
#include <stdint.h>

enum {
  TK_STEPS_A_BYTE = 1024,      // ordinary text takes a hundred at most
  TK_STEPS = 1 << 16,          // and these, however short the text
  TK_GROWTH = 4,               // a text may become so many times as long: signs for spaces, Hangul decomposed, make it 3
  TK_ROOM = 1 << 16,           // and these, bytes
};

typedef struct TkBudget {
  int64_t steps;
  size_t room;                 // bytes that any text of the call may have
} TkBudget;

static inline TkBudget tk_budget(size_t bytes) {
  const size_t most = (size_t)INT32_MAX * 2;               // of texts that are never as long (tokenizer.c)
  if (bytes > most) bytes = most;
  return (TkBudget){(int64_t)bytes * TK_STEPS_A_BYTE + TK_STEPS, bytes * TK_GROWTH + TK_ROOM};
}
#endif
