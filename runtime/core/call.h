// A call into the runtime, as its user makes it (a command of a program, calmc, later a server's request): where what it has to say goes, and
// what becomes of its memory when memory ends.
#ifndef CALM_RUNTIME_CALL_H
#define CALM_RUNTIME_CALL_H
#include <stdint.h>

#include "runtime/core/rt_error.h"

// What a call is at, for who wants to know where time goes.
typedef enum RtPhase {
  RT_PHASE_OTHER,
  RT_PHASE_OPEN,               // what was compiled, models, tokenizers, checkpoints, room for steps; and closed again
  RT_PHASE_PACK,               // frozen weights
  RT_PHASE_READ,               // data and prompts, into token ids; rows of the frozen cache; what is only checked
  RT_PHASE_KERNELS,            // steps, whole
  RT_PHASE_SAMPLING,
  RT_PHASE_WRITING,            // files and standard output
  N_RT_PHASE
} RtPhase;

// Where messages go (a NULL function drops them), and where to ask.
typedef struct RtHost {
  void (*warning)(void *user, const char *text);                                       // one line, without "warning: " and newline
  void (*note)(void *user, const char *text);                                          // the same of what is as it should be
  void (*progress)(void *user, const char *what, int64_t done, int64_t total);         // done == total: it is over
  bool (*stop)(void *user);                                                            // whether to give up what is under way; NULL: never
  RtPhase (*phase)(void *user, RtPhase next);                                          // what comes now; what it was at. NULL: nobody wants to know
  void *user;
} RtHost;

// run(user, e), whose result it returns. When memory ends inside, all that was allocated inside (alloc.h; jansson's and PCRE2's memory too) is
// freed, its objects (maps, descriptors, temporary files, threads) end, and the answer is false, with e saying how much was asked for. What run got from outside must not be used again then, since it may be
// half changed: a user gives up what it lent to a call that ended so. Calls may nest; each thread has its own.
bool rt_call(const RtHost *host, bool (*run)(void *user, RtError *e), void *user, RtError *e);

// To the host of the innermost call of this thread.
void rt_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rt_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rt_progress(const char *what, int64_t done, int64_t total);
// What this thread's call is at from now on; what it was at, to be given back when that is over.
RtPhase rt_phase(RtPhase next);
// The same for the rest of a function, however it returns.
static inline void rt_phase_end(const RtPhase *was) { rt_phase(*was); }
#define RT_IN_PHASE(next) __attribute__((cleanup(rt_phase_end))) RtPhase rt_was_at = rt_phase(next)
// Asked between steps of what may take long: whether its host wants it given up. Then e says so.
bool rt_stopped(RtError *e);
#endif
