// See encoding.h. Stands on nothing of calm.
#include "runtime/abi/encoding.h"

#include <stdbool.h>
#include <string.h>

// Do the first bytes repeat a pattern of `width`, in which only byte `place` is not zero?
static bool spread(const char *s, size_t n, size_t width, size_t place) {
  enum { LOOK = 16 };
  if (n < 2 * width) return false;
  for (size_t i = 0; i < LOOK && i < n - n % width; i++)
    if ((s[i] != 0) != (i % width == place)) return false;
  return true;
}

static const char *encoding(const char *s, size_t n) {
  bool le32 = n >= 4 && !memcmp(s, "\xFF\xFE\0\0", 4), be32 = n >= 4 && !memcmp(s, "\0\0\xFE\xFF", 4);
  bool mark = n >= 2 && (!memcmp(s, "\xFF\xFE", 2) || !memcmp(s, "\xFE\xFF", 2));
  if (le32 || be32 || spread(s, n, 4, 0) || spread(s, n, 4, 3)) return "it is UTF-32, expected UTF-8 (convert it: iconv -f UTF-32 -t UTF-8)";
  return mark || spread(s, n, 2, 0) || spread(s, n, 2, 1) ? "it is UTF-16, expected UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)" : NULL;
}

#define COMPRESSED(by, command) "it is compressed by " by ", expected text (" command " writes it)"
static const char *compressed(const char *s, size_t n) {
  static const struct { const char *magic; size_t n, at; const char *told; } KIND[] = {
      {"\x1F\x8B", 2, 0, COMPRESSED("gzip", "gzip -dc")},
      {"\x28\xB5\x2F\xFD", 4, 0, COMPRESSED("zstd", "zstd -dc")},
      {"\xFD" "7zXZ\0", 6, 0, COMPRESSED("xz", "xz -dc")},
      {"1AY&SY", 6, 4, COMPRESSED("bzip2", "bzip2 -dc")},
      {"\x04\x22\x4D\x18", 4, 0, COMPRESSED("lz4", "lz4 -dc")},
      {"PK\x03\x04", 4, 0, COMPRESSED("zip", "unzip -p")},
      {"PAR1", 4, 0, "it is a Parquet table, expected text (pandas writes it: read_parquet(FILE).to_json(OUT, orient='records', lines=True))"},
  };
  for (size_t i = 0; i < sizeof KIND / sizeof *KIND; i++)
    if (n >= KIND[i].at + KIND[i].n && !memcmp(s + KIND[i].at, KIND[i].magic, KIND[i].n)) return KIND[i].told;
  return NULL;
}

const char *text_instead(const char *s, size_t n) {
  const char *packed = compressed(s, n);
  return packed ? packed : encoding(s, n);
}
