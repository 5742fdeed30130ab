// How far a command is that goes through rows, and when it will be through: a line on standard error, every second on a terminal, else every ten.
#ifndef CALM_RUNTIME_PACE_H
#define CALM_RUNTIME_PACE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct Pace {
  int64_t before, rows;        // rows that were done before; all of them
  double start, said;
  bool shown;                  // whether something stands on the terminal
} Pace;

Pace pace_begin(int64_t before, int64_t rows);
// So many are done since, with so many tokens.
void pace_say(Pace *p, int64_t done, int64_t tokens);
void pace_end(Pace *p);        // a terminal's line is empty again
#endif
