// Numbers as people write them, in specs, flags, settings and the environment: one reader for all. Nothing stands before a number but its '-': no
// space, no '+'; no hexadecimal, infinity or NaN.
#ifndef CALM_RUNTIME_ABI_NUMBER_H
#define CALM_RUNTIME_ABI_NUMBER_H
#include <stdbool.h>
#include <stdint.h>

// The number that a text begins with, and what stands behind it; false where it begins with none, or with one beyond what the type holds.
bool number_whole(const char *text, int64_t *out, const char **end);       // -12
bool number_real(const char *text, double *out, const char **end);         // -12, 0.5, .5, 3e-4
// A size in bytes, and nothing else: 4GB, 1.5 GB, 500MB (of 10^9, 10^6), or a whole number of them.
bool number_bytes_text(const char *text, int64_t *out);
// The same of a text that is nothing else.
bool number_whole_text(const char *text, int64_t *out);
bool number_real_text(const char *text, double *out);
#endif
