// Faults of calm's own. Whoever tries calmc with random texts tells them from a user's mistakes by this alone: a line that begins so, and an
// end by SIGABRT.
#ifndef CALM_DSL_BASE_BUG_H
#define CALM_DSL_BASE_BUG_H
#define BUG_BEGINS "calmc: bug:"

_Noreturn void bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
