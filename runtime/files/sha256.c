// SHA-256 (FIPS 180-4) and the cache of file hashes. A hash is kept in a file named by what identifies the content: device, inode,
// size, and both times of change, so a stale entry is never found and no locking is needed.
#include "runtime/files/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"

static const uint32_t K[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
  0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
  0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
  0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
  0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
  0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + w[i - 7] + (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
  }
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = k + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + K[i] + w[i];
    uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));
    k = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  uint32_t v[8] = {a, b, c, d, e, f, g, k};
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

void sha256_init(Sha256 *s) {
  *s = (Sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *s, const void *data, size_t n) {
  const uint8_t *p = data;
  size_t have = s->bytes % 64;
  s->bytes += n;
  if (have) {
    size_t k = n < 64 - have ? n : 64 - have;
    memcpy(s->block + have, p, k);
    p += k;
    n -= k;
    if (have + k < 64) return;
    compress(s->h, s->block);
  }
  for (; n >= 64; p += 64, n -= 64) compress(s->h, p);
  if (n) memcpy(s->block, p, n);
}

void sha256_hex(Sha256 *s, char out[SHA256_HEX]) {
  uint64_t bits = s->bytes * 8;
  uint8_t pad[72] = {0x80}, n = (uint8_t)((s->bytes % 64 < 56 ? 56 : 120) - s->bytes % 64);
  for (int i = 0; i < 8; i++) pad[n + i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, pad, n + 8u);
  for (int i = 0; i < 8; i++) snprintf(out + 8 * i, 9, "%08x", s->h[i]);
}

void sha256_of(const void *data, size_t n, char out[SHA256_HEX]) {
  Sha256 s;
  sha256_init(&s);
  if (n) sha256_add(&s, data, n);
  sha256_hex(&s, out);
}

// $XDG_CACHE_HOME/calm or ~/.cache/calm, made when missing; NULL when there is no place.
static char *cache_dir(void) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char *base = xdg && *xdg == '/' ? rt_strdup(xdg) : home && *home ? file_join(home, ".cache") : NULL;
  if (!base) return NULL;
  char *dir = file_join(base, "calm");
  mkdir(base, 0777);
  mkdir(dir, 0777);
  rt_free(base);
  return dir;
}

static char *cache_path(const struct stat *st) {
  char name[160], *dir = cache_dir();
  if (!dir) return NULL;
  snprintf(name, sizeof name, "sha256-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
           (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
           (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
  char *path = file_join(dir, name);
  rt_free(dir);
  return path;
}

static bool cache_get(const char *path, char out[SHA256_HEX]) {
  FILE *f = path ? fopen(path, "r") : NULL;
  if (!f) return false;
  size_t n = fread(out, 1, SHA256_HEX, f);
  fclose(f);
  out[SHA256_HEX - 1] = 0;
  return n == SHA256_HEX - 1 && strspn(out, "0123456789abcdef") == SHA256_HEX - 1;
}

// Read piece by piece: a mapping would count a whole model as resident, on top of what a training holds.
static bool hash_file(const char *path, char out[SHA256_HEX], RtError *e) {
  enum { PIECE = 1 << 18 };
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return rt_fail(e, "cannot read %s: %s", path, strerror(errno));
  bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  uint8_t *piece = rt_alloc(PIECE, 1);
  Sha256 s;
  ssize_t n = -1;
  sha256_init(&s);
  while (regular && ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR)))
    if (n > 0) sha256_add(&s, piece, (size_t)n);
  int why = errno;
  close(fd);
  rt_free(piece);
  if (!regular) return rt_fail(e, "cannot read %s: it is not a regular file", path);
  if (n < 0) return rt_fail(e, "cannot read %s: %s", path, strerror(why));
  sha256_hex(&s, out);
  return true;
}

bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e) {
  struct stat st;
  char *cached = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? cache_path(&st) : NULL;
  bool ok = cache_get(cached, out);
  if (!ok && hash_file(path, out, e)) {
    ok = true;
    // A file changed a moment ago might change again within one tick of its clock, unseen: that one is not remembered.
    if (cached && time(NULL) - st.st_ctim.tv_sec > 2) file_save(cached, out, SHA256_HEX - 1, NULL);
  }
  rt_free(cached);
  return ok;
}
