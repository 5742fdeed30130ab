// Runs a program that nobody has read, what a language model wrote, where it can read the system's libraries and nothing else.
#ifndef CALM_EXAMPLES_SANDBOX_H
#define CALM_EXAMPLES_SANDBOX_H
#include <stdbool.h>
#include <stddef.h>

// Why there is no sandbox here (Linux with user namespaces, Landlock and seccomp), or NULL.
const char *sandbox_missing(void);
// Runs argv and puts the first room - 1 bytes of its standard output into out, with a 0 behind them. It sees and signals no other process and makes none, has no socket, reads
// beneath /usr, /lib and /lib64 alone, writes no file and changes nothing about one, and has 1 GB of memory and `seconds` of processor time; after four times as many
// seconds by the clock it is killed. False where it could not be started; how it ends is nobody's business.
bool sandbox_run(char *const *argv, int seconds, char *out, size_t room);
#endif
