// See trainlog.h.
#include "runtime/work/trainlog.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

struct TrainLog {
  int csv;
  char *path;
  int each, more;              // columns of held-out files; and of those that are none any more
};

static const char HEADER[] = "step,tokens,loss,lr,grad_norm,tokens_per_s,held_out_loss";
enum { FIXED = 7 };            // columns of it

bool trainlog_is(const char *path) {
  RtError ignored;
  FileMap m;
  if (!file_map(&m, path, &ignored)) return false;
  size_t n = strlen("step,tokens,loss,");            // columns after these may come and go
  bool is = m.size >= n && !memcmp(m.data, HEADER, n);
  file_unmap(&m);
  return is;
}

// ---- lines of fields, as CSV has them

typedef struct Fields {
  char **v;
  int n;
} Fields;

static void fields_add(Fields *f, char *text) {
  f->v = rt_realloc(f->v, (size_t)f->n + 1, sizeof *f->v);
  f->v[f->n++] = text;
}

// As they are written, in their quotes.
static Fields fields_of(const char *s, size_t n) {
  Fields f = {0};
  for (size_t at = 0, begin = 0, quoted = 0; at <= n; at++) {
    if (at < n && s[at] == '"') quoted = !quoted;
    if (at < n && (s[at] != ',' || quoted)) continue;
    fields_add(&f, rt_strndup(s + begin, at - begin));
    begin = at + 1;
  }
  return f;
}

static void fields_free(Fields *f) {
  for (int k = 0; k < f->n; k++) rt_free(f->v[k]);
  rt_free(f->v);
}

static int fields_find(const Fields *f, const char *name) {
  int k = 0;
  while (k < f->n && strcmp(f->v[k], name)) k++;
  return k < f->n ? k : -1;
}

// A name in quotes; a newline is no part of a line.
static char *held_field(const char *name) {
  char *s = rt_alloc(2 * strlen(name) + 32, 1);
  size_t at = (size_t)sprintf(s, "\"held_out_loss ");
  for (; *name; name++) {
    if (*name == '"') s[at++] = '"';
    s[at++] = *name == '\n' || *name == '\r' ? ' ' : *name;
  }
  s[at] = '"';
  return s;
}

// ---- the file

// The end of the line at s.
static const char *line_end(const char *s, const char *end) { return s < end ? memchr(s, '\n', (size_t)(end - s)) : NULL; }

static bool put_line(FileOut *f, const Fields *line, RtError *e) {
  bool ok = true;
  for (int k = 0; k < line->n && ok; k++) ok = (!k || file_out_write(f, ",", 1, e)) && file_out_write(f, line->v[k], strlen(line->v[k]), e);
  return ok && file_out_write(f, "\n", 1, e);
}

// A line of the file of before, its columns in the places they have now.
static bool put_old(FileOut *f, const char *s, size_t n, const Fields *was, const Fields *now, RtError *e) {
  Fields old = fields_of(s, n), line = {0};
  for (int k = 0; k < now->n; k++) {
    int at = fields_find(was, now->v[k]);
    fields_add(&line, rt_strdup(at >= 0 && at < old.n ? old.v[at] : ""));
  }
  bool ok = put_line(f, &line, e);
  fields_free(&old), fields_free(&line);
  return ok;
}

static Fields columns(TrainLog *l, const Fields *was, const char *const *held, int n) {
  Fields now = fields_of(HEADER, sizeof HEADER - 1);
  l->each = n;
  for (int k = 0; k < n; k++) fields_add(&now, held_field(held[k]));
  for (int k = 0; k < was->n; k++)
    if (fields_find(&now, was->v[k]) < 0) fields_add(&now, rt_strdup(was->v[k])), l->more++;
  return now;
}

// Writes the file anew with its header and the lines of steps up to keep. Whatever is there has to be a file.
static bool rewrite(TrainLog *l, int64_t keep, const char *const *held, int n, RtError *e) {
  FileMap old = {0};
  if (file_is_there(l->path) && !file_map(&old, l->path, e)) return false;
  const char *at = (const char *)old.data, *end = at + old.size, *nl = line_end(at, end);
  Fields was = nl && keep ? fields_of(at, (size_t)(nl - at)) : (Fields){0}, now = columns(l, &was, held, n);
  FileOut *f = file_out_open(l->path, e);
  bool ok = f && put_line(f, &now, e);
  for (; ok && nl; at = nl + 1, nl = line_end(at, end)) {
    char *stop;
    long long step = strtoll(at, &stop, 10);
    if (stop != at && *stop == ',' && step <= keep) ok = put_old(f, at, (size_t)(nl - at), &was, &now, e);
  }
  ok = ok && file_out_commit(f, e);
  fields_free(&was), fields_free(&now);
  file_unmap(&old);
  return ok;
}

static void log_end(void *object) {
  TrainLog *l = object;
  if (l->csv >= 0) close(l->csv);
  rt_free(l->path);
}

TrainLog *trainlog_open(const char *path, int64_t keep, const char *const *held, int n, RtError *e) {
  TrainLog *l = rt_object(sizeof *l, log_end);
  *l = (TrainLog){.csv = -1};
  l->path = rt_strdup(path);
  if (rewrite(l, keep, held, n, e)) {
    l->csv = open(l->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (l->csv >= 0) return l;
    rt_fail(e, "cannot write %s: %s", l->path, strerror(errno));
  }
  rt_end(l);
  return NULL;
}

static bool write_all(int fd, const char *s, size_t n) {
  for (ssize_t k; n; s += k, n -= (size_t)k) {
    k = write(fd, s, n);
    if (k < 0 && errno != EINTR) return false;
    if (k < 0) k = 0;
  }
  return true;
}

bool trainlog_add(TrainLog *l, const TrainLine *x, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  enum { NUMBER = 32 };
  size_t room = (size_t)(FIXED + l->each + l->more + 1) * NUMBER, at;
  char *line = rt_alloc(room, 1);
  at = (size_t)snprintf(line, room, "%lld,%lld,%.9g,%.9g,%.9g,%.0f,", (long long)x->step, (long long)x->tokens, x->loss, x->lr, x->norm, x->tokens_per_s);
  if (!isnan(x->held)) at += (size_t)snprintf(line + at, room - at, "%.9g", x->held);
  for (int k = 0; k < l->each + l->more; k++) {
    line[at++] = ',';
    if (k < l->each && !isnan(x->held)) at += (size_t)snprintf(line + at, room - at, "%.9g", x->each[k]);
  }
  line[at++] = '\n';
  bool ok = write_all(l->csv, line, at) || rt_fail(e, "cannot write %s: %s", l->path, strerror(errno));
  rt_free(line);
  return ok;
}

void trainlog_close(TrainLog *l) {
  if (l) rt_end(l);
}
