// See part.h. A line of the part is its number, a tab and the line; the first is what it is of. What a crash left half written is cut off.
#include "runtime/commands/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/files/files.h"

struct Part {
  int fd;
  char *to, *path;
  int64_t lines, count;
  struct Place { uint64_t at, n; } *place;         // by line; n 0: not there
  uint64_t end;                // of the part
};
#define BEGINS "calm answers 1\t"

static void part_end(void *object) {
  Part *p = object;
  if (p->fd >= 0) close(p->fd);
  rt_free(p->to), rt_free(p->path), rt_free(p->place);
}

static bool cannot(const Part *p, const char *what, RtError *e) { return rt_fail(e, "cannot %s %s: %s", what, p->path, strerror(errno)); }

static bool append(Part *p, const char *s, size_t n, RtError *e) {
  for (size_t done = 0; done < n;) {
    ssize_t k = pwrite(p->fd, s + done, n - done, (off_t)(p->end + done));
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return cannot(p, "write", e);
    done += (size_t)k;
  }
  p->end += n;
  return true;
}

static bool other(const Part *p, const json_t *was, const json_t *is, RtError *e) {
  const char *key;
  json_t *v;
  Bytes keys = {0};
  json_object_foreach((json_t *)(uintptr_t)is, key, v) {
    if (json_equal(v, json_object_get(was, key))) continue;
    if (keys.n) bytes_put(&keys, ", ", 2);
    bytes_put(&keys, key, strlen(key));
  }
  rt_fail_about(e, RT_ABOUT_ANSWERS, "%s is of an interrupted run of other %s, and is left as it is", p->path, keys.s ? keys.s : "content");
  rt_free(keys.s);
  return false;
}

// What is there of the part s[0, n).
static bool read_part(Part *p, const char *s, size_t n, const json_t *of, RtError *e) {
  const char *eol = memchr(s, '\n', n);
  size_t head = sizeof BEGINS - 1;
  json_t *was = eol && (size_t)(eol - s) > head && !memcmp(s, BEGINS, head) ? json_loadb(s + head, (size_t)(eol - s) - head, 0, NULL) : NULL;
  if (!was) return rt_fail(e, "%s: expected the answers of an interrupted run, or nothing, found something else; it is left as it is", p->path);
  bool ok = json_equal(was, of) || other(p, was, of, e);
  json_decref(was);
  for (const char *at = eol + 1; ok && (eol = memchr(at, '\n', n - (size_t)(at - s))); at = eol + 1) {
    char *tab;
    long long line = strtoll(at, &tab, 10);
    if (*tab != '\t' || line < 0 || line >= p->lines || p->place[line].n) return rt_fail(e, "%s: spoilt at byte %zu; it is left as it is", p->path, (size_t)(at - s));
    p->place[line] = (struct Place){(uint64_t)(tab + 1 - s), (uint64_t)(eol - tab - 1)};
    p->count++;
    p->end = (uint64_t)(eol + 1 - s);
  }
  if (!p->end && ok) p->end = (uint64_t)((const char *)memchr(s, '\n', n) + 1 - s);
  return ok;
}

// Whether a part s[0, n) of ours has no answer yet, and nothing is lost where it begins anew.
static bool keeps_none(const char *s, size_t n) {
  size_t head = sizeof BEGINS - 1;
  const char *eol = n > head && !memcmp(s, BEGINS, head) ? memchr(s, '\n', n) : NULL;
  return eol && !memchr(eol + 1, '\n', n - (size_t)(eol + 1 - s));
}

static bool take(Part *p, const json_t *of, bool again, RtError *e) {
  struct stat st;
  FileMap m = {0};
  FileIn *in;
  if (again && ftruncate(p->fd, 0) != 0) return cannot(p, "write", e);
  if (fstat(p->fd, &st) != 0) return cannot(p, "read", e);
  if (st.st_size > 0) {
    bool ok = (in = file_in_open(p->path, e)) && file_in_map(&m, in, p->path, e), none = ok && keeps_none((const char *)m.data, m.size);
    ok = ok && (none || read_part(p, (const char *)m.data, m.size, of, e));
    file_unmap(&m), rt_end(in);
    ok = ok && (ftruncate(p->fd, (off_t)p->end) == 0 || cannot(p, "write", e));
    if (!none) return ok;
    if (!ok) return false;
  }
  char *text = json_dumps(of, JSON_COMPACT), *line = rt_format(BEGINS "%s\n", text);
  bool ok = append(p, line, strlen(line), e);
  rt_free(text), rt_free(line);
  return ok;
}

Part *part_open(const char *path, const json_t *of, int64_t lines, bool again, RtError *e) {
  Part *p = rt_object(sizeof *p, part_end);
  struct stat st;
  p->fd = -1;
  p->to = rt_strdup(path), p->path = rt_format("%s.part", path);
  p->lines = lines, p->place = rt_alloc((size_t)lines + 1, sizeof *p->place);
  p->fd = open(p->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  bool ok = p->fd >= 0 || cannot(p, "write", e);
  if (ok && (fstat(p->fd, &st) != 0 || !S_ISREG(st.st_mode))) ok = rt_fail(e, "%s: expected a file or nothing; it is left as it is", p->path);
  if (ok && flock(p->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ok = rt_fail(e, "another process is writing %s", p->path);
  if (ok && take(p, of, again, e)) return p;
  rt_end(p);
  return NULL;
}

bool part_has(const Part *p, int64_t line) { return p->place[line].n > 0; }
int64_t part_count(const Part *p) { return p->count; }
const char *part_path(const Part *p) { return p->path; }

bool part_add(Part *p, int64_t line, const char *s, size_t n, RtError *e) {
  char *head = rt_format("%lld\t", (long long)line);
  Bytes b = {0};
  size_t k = strlen(head);
  bytes_put(&b, head, k), bytes_put(&b, s, n), bytes_put(&b, "\n", 1);
  p->place[line] = (struct Place){p->end + k, n};
  bool ok = append(p, b.s, b.n, e);
  p->count += ok;
  rt_free(head), rt_free(b.s);
  return ok;
}

bool part_finish(Part *p, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  FileOut *f = file_out_open(p->to, e);
  Bytes line = {0};
  bool ok = f != NULL;
  for (int64_t i = 0; ok && i < p->lines; i++) {
    const struct Place *at = &p->place[i];
    line.n = 0;
    if (line.cap < at->n + 1) line.s = rt_realloc(line.s, line.cap = (size_t)at->n * 2 + 64, 1);
    if (!(ok = file_read_at(p->fd, line.s, (size_t)at->n, (size_t)at->at) || cannot(p, "read", e))) file_out_abandon(f);
    else line.s[at->n] = '\n', ok = file_out_write(f, line.s, (size_t)at->n + 1, e);
  }
  rt_free(line.s);
  ok = ok && file_out_commit(f, e);
  if (ok) unlink(p->path);
  return ok;
}

void part_close(Part *p) {
  if (p) rt_end(p);
}
