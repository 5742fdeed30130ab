// Starting threads. What runs on one is a call of its own (call.h): it may free only what it made.
#ifndef CALM_RUNTIME_THREAD_H
#define CALM_RUNTIME_THREAD_H
#include <pthread.h>
#include <stddef.h>

// run(user) on a new thread with so many bytes of stack, whatever `ulimit -s` says. Signals stay the main thread's business, but for those that a thread
// raises itself. 0, or why there can be none (an errno).
int rt_thread_start(pthread_t *t, size_t stack, void *(*run)(void *user), void *user);
// From now on the calling thread runs only where a processor has nothing else to do.
void rt_thread_idle(void);
#endif
