// What the process is told while a command runs: to stop, that a file it has mapped is gone, that its stack is full.
#ifndef CALM_RUNTIME_SIGNALS_H
#define CALM_RUNTIME_SIGNALS_H
#include <stdbool.h>

// First of all, once in a process. A write that nobody reads or that is over the limit of a file's size fails from now on instead of killing;
// reading a mapped file that became shorter, and a full stack, end the process with status 1 after a line that says so.
void signals_open(void);
// From now on the first SIGINT, SIGTERM or SIGHUP only asks, and says on standard error that it does; the second ends the process at once, as the first does
// before, but for a SIGHUP, which comes twice where a terminal is closed. SIGHUP that was ignored stays so.
void signals_ask(void);
// The signal that asked; 0: none.
int signals_asked(void);
// A conversation: from now on SIGINT asks any number of times, says nothing and ends nothing; SIGTERM does as before. False with errno.
bool signals_converse(void);
// What SIGINT asked for is done: it has not asked.
void signals_heard(void);
// Of a conversation: waits until fd can be read (true) or a signal has asked (false).
bool signals_wait(int fd);
#endif
