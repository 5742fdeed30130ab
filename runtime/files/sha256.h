// SHA-256 (FIPS 180-4), of memory and of files.
#ifndef CALM_RUNTIME_SHA256_H
#define CALM_RUNTIME_SHA256_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"
#include "runtime/files/file.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 2 * SHA256_BYTES + 1 };      // digits and the end

// A way to take in n blocks of 64 bytes; here: whether this processor can. sha256_path(0 …) lists them, the fastest first, then NULL.
typedef struct Sha256Path {
  const char *name;
  bool (*here)(void);
  void (*blocks)(uint32_t h[8], const uint8_t *p, size_t n);
} Sha256Path;
const Sha256Path *sha256_path(int i);

typedef struct Sha256 {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t block[64];
  const Sha256Path *path;
} Sha256;

void sha256_init(Sha256 *s);                                // on the fastest path there is
void sha256_init_on(Sha256 *s, const Sha256Path *path);
void sha256_add(Sha256 *s, const void *data, size_t n);
void sha256_end(Sha256 *s, uint8_t out[SHA256_BYTES]);      // finishes s
void sha256_hex(Sha256 *s, char out[SHA256_HEX]);           // the same, as text
void sha256_of(const void *data, size_t n, char out[SHA256_HEX]);
// A file's content in short.
typedef struct FileSum {
  uint64_t size;
  char sha256[SHA256_HEX];
} FileSum;
// Read anew, of file `name` in a directory held open (NULL: a path); path: what errors call it.
bool sha256_read(const FileDir *dir, const char *name, const char *path, FileSum *sum, RtError *e);
// The same for what may be large, read only once: remembered under $XDG_CACHE_HOME/calm (or ~/.cache/calm) by device, inode, size and times of change; that the
// cache cannot be read or written is no error.
bool sha256_sum(const char *path, FileSum *sum, RtError *e);
// The same in two halves, of a file that is read for more than its hash: what is remembered of it; and what a whole reading gave, to be remembered. cache: cache.h's.
bool sha256_known(const FileDir *cache, const FileIn *in, FileSum *sum);
void sha256_keep(const FileDir *cache, const FileIn *in, const FileSum *sum);
bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e);
#endif
