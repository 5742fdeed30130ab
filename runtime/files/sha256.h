// SHA-256 (FIPS 180-4), of memory and of files; file hashes are remembered so that a large model is read for it only once.
#ifndef CALM_RUNTIME_SHA256_H
#define CALM_RUNTIME_SHA256_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/rt_error.h"

enum { SHA256_HEX = 65 };      // 64 digits and the end

typedef struct Sha256 {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t block[64];
} Sha256;

void sha256_init(Sha256 *s);
void sha256_add(Sha256 *s, const void *data, size_t n);
void sha256_hex(Sha256 *s, char out[SHA256_HEX]);           // finishes s
void sha256_of(const void *data, size_t n, char out[SHA256_HEX]);
// Of a file's content. Remembered under $XDG_CACHE_HOME/calm (or ~/.cache/calm) by device, inode, size and times of change; that the
// cache cannot be read or written is no error.
bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e);
#endif
