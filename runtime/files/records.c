// See records.h. A head, then records end to end: {key, bytes, sum of the payload, sum of these} and the payload.
#include "runtime/files/records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/files/file.h"
#include "runtime/files/out.h"

typedef struct Head {
  char magic[16], of[64];
} Head;
static const char MAGIC[16] = "calm records 1\n";
typedef struct RecordHead {
  uint8_t key[RECORD_KEY];
  int64_t bytes;
  uint64_t payload, sum;       // sum: of the members before it
} RecordHead;

struct Records {
  int fd;
  int64_t end;
};

// ---- sums: fast, and any changed byte changes them

static uint64_t mix(uint64_t h, uint64_t w) {
  h = (h ^ w) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 29;
}

static uint64_t sum_of(const void *data, size_t n) {
  enum { WAYS = 4 };           // apart, so that multiplications overlap
  const uint8_t *p = data;
  uint64_t h[WAYS] = {1, 2, 3, 4}, w[WAYS], all = n;
  for (; n >= sizeof w; p += sizeof w, n -= sizeof w) {
    memcpy(w, p, sizeof w);
    for (int i = 0; i < WAYS; i++) h[i] = mix(h[i], w[i]);
  }
  memset(w, 0, sizeof w);
  memcpy(w, p, n);
  for (int i = 0; i < WAYS; i++) all = mix(all, mix(h[i], w[i]));
  return all;
}

static uint64_t sum_of_head(const RecordHead *h) { return sum_of(h, offsetof(RecordHead, sum)); }

// ---- whole writes

static bool write_at(int fd, const void *data, size_t n, int64_t at) {
  for (const char *p = data; n;) {
    ssize_t put = pwrite(fd, p, n, (off_t)at);
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = EIO;
    if (put <= 0) return false;
    p += put, at += put, n -= (size_t)put;
  }
  return true;
}

// ---- opening

static void records_end(void *object) {
  Records *r = object;
  if (r->fd > 0) close(r->fd);
}

static bool begin(Records *r, const char of[SHA256_HEX]) {
  Head h;
  memcpy(h.magic, MAGIC, sizeof h.magic), memcpy(h.of, of, sizeof h.of);
  r->end = sizeof h;
  return ftruncate(r->fd, 0) == 0 && write_at(r->fd, &h, sizeof h, 0);
}

static void walk(Records *r, int64_t size, RecordSeen *each, void *user) {
  RecordHead h;
  for (r->end = sizeof(Head); r->end + (int64_t)sizeof h <= size && file_read_at(r->fd, &h, sizeof h, (size_t)r->end); r->end += (int64_t)sizeof h + h.bytes) {
    if (h.sum != sum_of_head(&h) || h.bytes < 0 || h.bytes > size - r->end - (int64_t)sizeof h) break;
    each(user, h.key, r->end, h.bytes);
  }
}

Records *records_open(const char *path, const char of[SHA256_HEX], RecordSeen *each, void *user, bool *anew, RtError *e) {
  Records *r = rt_object(sizeof *r, records_end);
  struct stat st;
  Head h = {0};
  *anew = false;
  r->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  bool ok = r->fd >= 0 && fstat(r->fd, &st) == 0;
  if (!ok) rt_fail(e, "cannot open %s: %s", path, file_why(errno));
  if (ok && (!S_ISREG(st.st_mode) || (st.st_size && (!file_read_at(r->fd, &h, sizeof h, 0) || memcmp(h.magic, MAGIC, sizeof h.magic)))))
    ok = rt_fail(e, "%s: what is there is no file of calm's records, and is left as it is", path);
  if (ok && !memcmp(h.of, of, sizeof h.of)) {
    walk(r, st.st_size, each, user);
    ok = ftruncate(r->fd, (off_t)r->end) == 0 || rt_fail(e, "cannot cut %s: %s", path, file_why(errno));
  } else if (ok) {
    *anew = st.st_size > (off_t)sizeof h;
    ok = begin(r, of) || rt_fail(e, "cannot write %s: %s", path, file_why(errno));
  }
  if (ok) return r;
  rt_end(r);
  return NULL;
}

void records_close(Records *r) { rt_end(r); }

int64_t records_bytes(const Records *r) { return r->end; }

// ---- records

bool records_read(Records *r, int64_t place, void *out, int64_t n) {
  RecordHead h;
  return file_read_at(r->fd, &h, sizeof h, (size_t)place) && h.sum == sum_of_head(&h) && h.bytes == n && file_read_at(r->fd, out, (size_t)n, (size_t)place + sizeof h) &&
         h.payload == sum_of(out, (size_t)n);
}

int64_t records_add(Records *r, const uint8_t key[RECORD_KEY], const void *data, int64_t n) {
  RecordHead h = {.bytes = n, .payload = sum_of(data, (size_t)n)};
  int64_t at = r->end;
  memcpy(h.key, key, sizeof h.key);
  h.sum = sum_of_head(&h);
  if (write_at(r->fd, data, (size_t)n, at + (int64_t)sizeof h) && write_at(r->fd, &h, sizeof h, at)) {
    r->end = at + (int64_t)sizeof h + n;
    return at;
  }
  int why = errno;
  if (ftruncate(r->fd, (off_t)at) != 0) why = errno;
  errno = why;
  return -1;
}
