// Specs as a careless hand leaves them: a few random pieces deleted, doubled, moved, or replaced by what makes trouble. And messages as they are
// anywhere.
#ifndef CALM_TESTS_MUTATE_H
#define CALM_TESTS_MUTATE_H
#include <stddef.h>
#include <stdint.h>

enum { MUTATE_SEED = 20231 };                 // where *random begins
uint32_t mutate_below(uint32_t *random, uint32_t n);
// One to four changes of s, which has n > 0 bytes: *m bytes, the caller's to free; NUL-terminated.
char *mutate(uint32_t *random, const char *s, size_t n, size_t *m);
// Before spoilt texts are tried: a text that takes more than 60 s of processor time from here on ends the test by its signal, and (but under a
// sanitizer) one that wants more than 2 GiB runs out of memory.
void mutate_limits(void);
// The path of the current folder becomes FOLDER in text.
void mutate_paths(char *text);
#endif
