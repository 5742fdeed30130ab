// See lines.h. Read piece by piece: a mapping would count the whole file as resident.
#include "runtime/files/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/cache.h"
#include "runtime/files/out.h"
#include "runtime/files/piped.h"

// ---- one reading

typedef struct Scan {
  uint64_t *at;
  LineGap *gap;
  int64_t n, cap, ngap, capgap;
  int64_t lines;               // that have ended
  uint64_t start;              // of this one
  bool content;                // something is in it
} Scan;

static void end_line(Scan *s, uint64_t next) {
  if (s->content) {
    int64_t blank = s->lines - s->n;
    if (blank != (s->ngap ? s->gap[s->ngap - 1].blank : 0)) {
      if (s->ngap == s->capgap) s->gap = rt_realloc(s->gap, (size_t)(s->capgap = s->capgap * 2 + 16), sizeof *s->gap);
      s->gap[s->ngap++] = (LineGap){.first = s->n, .blank = blank};
    }
    if (s->n + 1 >= s->cap) s->at = rt_realloc(s->at, (size_t)(s->cap = s->cap * 2 + 1024), sizeof *s->at);
    s->at[s->n++] = s->start;
  }
  s->lines++;
  s->start = next;
  s->content = false;
}

// Bytes p[0, n) of the file from offset `from` on.
static void scan(Scan *s, const char *p, size_t n, uint64_t from) {
  for (const char *c = p, *end = p + n; c < end;) {
    while (!s->content && c < end && *c != '\n') {
      s->content = *c != ' ' && *c != '\t' && *c != '\r';
      c++;
    }
    const char *eol = c < end ? memchr(c, '\n', (size_t)(end - c)) : NULL;
    if (!eol) return;
    c = eol + 1;
    end_line(s, from + (uint64_t)(c - p));
  }
}

static void take(Lines *l, Scan *s) {
  if (s->start < l->in->size) end_line(s, l->in->size);       // no newline at the end
  s->at = rt_realloc(s->at, (size_t)s->n + 1, sizeof *s->at);
  s->at[s->n] = l->in->size;
  l->at = l->made_at = s->at, l->n = s->n;
  l->gap = l->made_gap = s->gap, l->ngap = s->ngap;
  for (int64_t i = 0; i < l->n; i++)
    if ((int64_t)(l->at[i + 1] - l->at[i]) > l->longest) l->longest = (int64_t)(l->at[i + 1] - l->at[i]);
}

static bool rewritten(const Lines *l, RtError *e) { return rt_fail(e, "%s was written to while it was read", l->path); }

static bool unreadable(const Lines *l, int why, RtError *e) {
  if (!why) return rewritten(l, e);
  return rt_fail(e, "cannot read %s: %s", l->path, strerror(why));
}

static bool holds(const char *s, size_t n, const char *word) { return memmem(s, n, word, strlen(word)); }
static bool holds_talk(const char *s, size_t n) { return holds(s, n, "\"messages\"") || holds(s, n, "\"conversations\"") || holds(s, n, "\"instruction\""); }

// Lines and hash.
static bool make(Lines *l, RtError *e) {
  enum { PIECE = 1 << 20, BEFORE = 32 };                          // of the piece before, more than any word has
  char *room = rt_alloc(BEFORE + PIECE, 1), *piece = room + BEFORE, *what = rt_format("reading %s", l->path);
  size_t size = l->in->size;
  Scan s = {0};
  Sha256 sum;
  bool ok = true;
  sha256_init(&sum);
  for (size_t at = 0, n; at < size && ok; at += n) {
    n = size - at < PIECE ? size - at : PIECE;
    ok = !rt_stopped(e) && (file_in_read(l->in, piece, n, at) || unreadable(l, errno, e));
    if (!ok) break;
    size_t mark = at ? 0 : rt_utf8_bom(piece, n);
    sha256_add(&sum, piece, n);
    scan(&s, piece + mark, n - mark, at + mark);
    if (!l->augments) l->augments = holds(room, BEFORE + n, "\"augment\"");
    if (!l->talks) l->talks = holds_talk(room, BEFORE + n);
    if (n > BEFORE) memcpy(room, piece + n - BEFORE, BEFORE);
    rt_progress(what, (int64_t)at, (int64_t)size);
  }
  rt_progress(what, 1, 1);
  rt_free(room), rt_free(what);
  l->sum.size = sum.bytes;
  sha256_hex(&sum, l->sum.sha256);
  take(l, &s);
  return ok && (file_in_stands(l->in) || rewritten(l, e));
}

// ---- the index on disk: this, then at[n + 1], then gap[ngap], as they lie in memory

typedef struct Head {
  char magic[8];
  uint64_t size, n, ngap, longest, augments, talks;        // of the file; of the index
  char sha256[SHA256_HEX - 1];             // of the file
  char sum[SHA256_HEX - 1];                // of all the rest of the index
} Head;
static const char MAGIC[] = "calmrow2";

// All of them together take no more than this: an index of ten million rows is 80 MB.
#define INDEX_NAME "rows-"
enum { INDEX_MOST = 1000000000 };
static void index_name(const Lines *l, char name[96]) { snprintf(name, 96, INDEX_NAME "%s", l->sum.sha256); }

static Head head_of(const Lines *l) {
  Head h = {.size = l->sum.size, .n = (uint64_t)l->n, .ngap = (uint64_t)l->ngap, .longest = (uint64_t)l->longest, .augments = l->augments, .talks = l->talks};
  memcpy(h.magic, MAGIC, sizeof h.magic);
  memcpy(h.sha256, l->sum.sha256, sizeof h.sha256);
  return h;
}

static void sum_index(const Head *h, const void *at, size_t nat, const void *gap, size_t ngap, char out[SHA256_HEX]) {
  Sha256 s;
  sha256_init(&s);
  sha256_add(&s, h, offsetof(Head, sum));
  sha256_add(&s, at, nat);
  sha256_add(&s, gap, ngap);
  sha256_hex(&s, out);
}

static bool is_index_of(const Lines *l, const FileMap *m) {
  Head h;
  char sum[SHA256_HEX];
  int64_t at, gap;
  if (m->size < sizeof h) return false;
  memcpy(&h, m->data, sizeof h);
  if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.size != l->in->size || memcmp(h.sha256, l->sum.sha256, sizeof h.sha256) != 0) return false;
  if (!size_times((int64_t)h.n, sizeof *l->at, &at) || !size_times((int64_t)h.ngap, sizeof *l->gap, &gap)) return false;
  if ((int64_t)(m->size - sizeof h) != size_sum(size_sum(at, sizeof *l->at), gap)) return false;
  sum_index(&h, m->data + sizeof h, m->size - sizeof h, NULL, 0, sum);
  return memcmp(sum, h.sum, sizeof h.sum) == 0;
}

static bool recall(Lines *l, const FileDir *cache) {
  char name[96];
  RtError ignored;
  index_name(l, name);
  FileIn *in = cache_find(cache, name);
  bool there = in && file_in_map(&l->map, in, name, &ignored);
  if (there) cache_used(in);
  rt_end(in);
  if (!there) return false;
  if (!is_index_of(l, &l->map)) {
    rt_note("%s: the index of its rows that was kept is spoilt, and is made again", l->path);
    file_unmap(&l->map);
    return false;
  }
  const Head *h = (const void *)l->map.data;
  l->n = (int64_t)h->n, l->ngap = (int64_t)h->ngap, l->longest = (int64_t)h->longest, l->augments = h->augments, l->talks = h->talks;
  l->at = (const void *)(l->map.data + sizeof *h);
  l->gap = (const void *)(l->at + l->n + 1);
  return l->remembered = true;
}

// That it cannot be kept is no error.
static void keep(const Lines *l, const FileDir *cache) {
  char name[96], sum[SHA256_HEX];
  size_t at = ((size_t)l->n + 1) * sizeof *l->at, gap = (size_t)l->ngap * sizeof *l->gap;
  Head h = head_of(l);
  sum_index(&h, l->at, at, l->gap, gap, sum);
  memcpy(h.sum, sum, sizeof h.sum);
  index_name(l, name);
  FileOut *f = file_out_open_at(cache, name, name, NULL);
  if (f && file_out_write(f, &h, sizeof h, NULL) && file_out_write(f, l->at, at, NULL) && (!gap || file_out_write(f, l->gap, gap, NULL)))
    file_out_commit(f, NULL);
}

bool lines_open(Lines *l, const char *path, bool piped, RtError *e) {
  *l = (Lines){.path = rt_strdup(piped ? file_said(path) : path), .in = piped ? file_in_piped(path, e) : file_in_open(path, e)};
  if (!l->in) return false;
  FileDir *cache = cache_open();
  bool large = l->in->size >= LINES_KEPT_FROM;
  bool ok = cache && large && sha256_known(cache, l->in, &l->sum) && recall(l, cache);
  if (!ok && (ok = make(l, e)) && cache) {
    sha256_keep(cache, l->in, &l->sum);
    if (large) keep(l, cache), cache_trim(cache, INDEX_NAME, INDEX_MOST);
  }
  rt_end(cache);
  return ok;
}

void lines_close(Lines *l) {
  file_unmap(&l->map);
  rt_free(l->made_at), rt_free(l->made_gap), rt_free(l->path);
  rt_end(l->in);
  *l = (Lines){0};
}

// ---- lines

int64_t lines_number(const Lines *l, int64_t i) {
  int64_t lo = 0, hi = l->ngap;            // gaps before lo begin at or before line i
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if (l->gap[mid].first <= i) lo = mid + 1;
    else hi = mid;
  }
  return i + 1 + (lo ? l->gap[lo - 1].blank : 0);
}

bool lines_text(const Lines *l, int64_t i, LineText *t, RtError *e) {
  size_t n = (size_t)(l->at[i + 1] - l->at[i]);
  if (n > t->cap) {
    rt_free(t->s);
    t->s = NULL;
    t->s = rt_alloc(t->cap = n + n / 2 + 256, 1);
  }
  if (!file_in_read(l->in, t->s, n, (size_t)l->at[i])) return unreadable(l, errno, e);
  if (!file_in_stands(l->in)) return rewritten(l, e);
  const char *eol = memchr(t->s, '\n', n);
  t->n = eol ? (size_t)(eol - t->s) : n;
  return true;
}

size_t lines_begin(const Lines *l, char *out, size_t n) {
  if (n > l->in->size) n = l->in->size;
  return file_in_read(l->in, out, n, 0) ? n : 0;
}
