// See trainlog.h.
#include "runtime/work/trainlog.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/events.h"

// Lines of fields, as CSV has them.
typedef struct Fields {
  char **v;
  int n;
} Fields;

struct TrainLog {
  int csv, events;             // events: -1 where there are none
  char *path, *events_path;
  Fields column;
  int each, more;              // columns of held-out files; and of those that are none any more
};

static const char HEADER[] = "step,tokens,loss,lr,grad_norm,tokens_per_s,held_out_loss";
enum { STEP, TOKENS, LOSS, TOKENS_PER_S = 5, FIXED = 7 };            // columns of it

// Columns behind these may come and go.
bool trainlog_is(const char *path) { return file_is_of(path, &(FileMark){0, "step,tokens,loss,", NULL}, 1); }

// ---- fields

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
  Bytes b = {0};
  for (int k = 0; k < line->n; k++) bytes_put(&b, ",", k > 0), bytes_put(&b, line->v[k], strlen(line->v[k]));
  bytes_put(&b, "\n", 1);
  bool ok = file_out_write(f, b.s, b.n, e);
  rt_free(b.s);
  return ok;
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
  Fields was = nl && keep ? fields_of(at, (size_t)(nl - at)) : (Fields){0};
  l->column = columns(l, &was, held, n);
  FileOut *f = file_out_open(l->path, e);
  bool ok = f && put_line(f, &l->column, e);
  for (; ok && nl; at = nl + 1, nl = line_end(at, end)) {
    char *stop;
    long long step = strtoll(at, &stop, 10);
    if (stop != at && *stop == ',' && step <= keep) ok = put_old(f, at, (size_t)(nl - at), &was, &l->column, e);
  }
  ok = ok && file_out_commit(f, e);
  fields_free(&was);
  file_unmap(&old);
  return ok;
}

// ---- its lines as events

static double wall_time(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// What a column is called without its quotes.
static char *tag_of(const char *field) {
  char *tag = rt_strdup(field), *to = tag;
  for (const char *c = field; *c; c++)
    if (*c != '"' || (c > field && c[1] == '"')) *to++ = *c, c += *c == '"';
  *to = 0;
  return tag;
}

// The numbers of a line as they are written, so that whoever reads either file finds the same.
static void add_event(const TrainLog *l, Bytes *out, double when, const Fields *line) {
  EventScalar *x = rt_alloc((size_t)l->column.n, sizeof *x);
  int n = 0;
  for (int k = TOKENS; k < l->column.n && k < line->n; k++)
    if (*line->v[k]) x[n++] = (EventScalar){tag_of(l->column.v[k]), strtod(line->v[k], NULL)};
  events_step(out, when, strtoll(line->v[STEP], NULL, 10), x, n);
  for (int k = 0; k < n; k++) rt_free((char *)(uintptr_t)x[k].tag);
  rt_free(x);
}

// How long a step took, as far as its line says it.
static double seconds_of(const Fields *line, double *tokens_before) {
  if (line->n < FIXED) return 0;
  double tokens = strtod(line->v[TOKENS], NULL), rate = strtod(line->v[TOKENS_PER_S], NULL), step = tokens - *tokens_before;
  *tokens_before = tokens;
  return rate > 0 && step > 0 ? step / rate : 0;
}

// All lines that the log has. It does not say when they were written: before now, as far apart as they took to compute. f: NULL, only how long they took.
static bool put_events(const TrainLog *l, const FileMap *log, double when, FileOut *f, double *seconds, RtError *e) {
  const char *at = (const char *)log->data, *end = at + log->size, *nl = line_end(at, end);
  double tokens = 0;
  Bytes b = {0};
  bool ok = true;
  *seconds = 0;
  if (f) events_begin(&b, when);
  while (nl && ok) {
    at = nl + 1, nl = line_end(at, end);
    Fields line = nl ? fields_of(at, (size_t)(nl - at)) : (Fields){0};
    *seconds += seconds_of(&line, &tokens);
    if (f && line.n) add_event(l, &b, when + *seconds, &line);
    if (b.n > 1 << 20 || (f && !nl)) ok = file_out_write(f, b.s, b.n, e), b.n = 0;
    fields_free(&line);
  }
  rt_free(b.s);
  return ok;
}

static int open_to_append(const char *path, RtError *e) {
  int fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) rt_fail(e, "cannot write %s: %s", path, strerror(errno));
  return fd;
}

static bool begin_events(TrainLog *l, RtError *e) {
  FileMap log;
  double seconds;
  if (!file_map(&log, l->path, e)) return false;
  put_events(l, &log, 0, NULL, &seconds, e);
  FileOut *f = file_out_open(l->events_path, e);
  bool ok = f && put_events(l, &log, wall_time() - seconds, f, &seconds, e) && file_out_commit(f, e);
  file_unmap(&log);
  return ok && (l->events = open_to_append(l->events_path, e)) >= 0;
}

static void log_end(void *object) {
  TrainLog *l = object;
  if (l->csv >= 0) close(l->csv);
  if (l->events >= 0) close(l->events);
  fields_free(&l->column);
  rt_free(l->path), rt_free(l->events_path);
}

TrainLog *trainlog_open(const char *path, const char *events, int64_t keep, const char *const *held, int n, RtError *e) {
  TrainLog *l = rt_object(sizeof *l, log_end);
  *l = (TrainLog){.csv = -1, .events = -1};
  l->path = rt_strdup(path);
  if (events) l->events_path = rt_strdup(events);
  if (rewrite(l, keep, held, n, e) && (l->csv = open_to_append(l->path, e)) >= 0 && (!events || begin_events(l, e))) return l;
  rt_end(l);
  return NULL;
}

static bool write_all(int fd, const char *path, const void *data, size_t n, RtError *e) {
  const char *s = data;
  for (ssize_t k; n; s += k, n -= (size_t)k) {
    k = write(fd, s, n);
    if (k < 0 && errno != EINTR) return rt_fail(e, "cannot write %s: %s", path, strerror(errno));
    if (k < 0) k = 0;
  }
  return true;
}

static bool write_event(TrainLog *l, const char *line, size_t n, RtError *e) {
  Bytes b = {0};
  Fields f = fields_of(line, n);
  add_event(l, &b, wall_time(), &f);
  bool ok = write_all(l->events, l->events_path, b.s, b.n, e);
  fields_free(&f), rt_free(b.s);
  return ok;
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
  bool ok = write_all(l->csv, l->path, line, at, e) && (l->events < 0 || write_event(l, line, at - 1, e));
  rt_free(line);
  return ok;
}

void trainlog_close(TrainLog *l) {
  if (l) rt_end(l);
}

// ---- read again

// Whether its last fixed column, the held-out loss, has a number.
static bool line_looked(const char *at, const char *nl) {
  for (int k = 1; k < FIXED && at; k++) at = (at = memchr(at, ',', (size_t)(nl - at))) ? at + 1 : NULL;
  return at && at < nl && *at != ',';
}

static void table_row(TrainTable *t, TrainRow at_place, const char *at, const char *nl) {
  Fields line = fields_of(at, (size_t)(nl - at));
  if (t->rows == t->room) {
    t->room = 2 * t->room + 64;
    t->value = rt_realloc(t->value, (size_t)t->room, (size_t)t->n * sizeof *t->value);
    t->row = rt_realloc(t->row, (size_t)t->room, sizeof *t->row);
  }
  for (int k = 0; k < t->n; k++) t->value[t->rows * t->n + k] = k < line.n && *line.v[k] ? strtod(line.v[k], NULL) : NAN;
  t->row[t->rows++] = at_place;
  fields_free(&line);
}

// Of the rows those that are evenly apart, for as many lines as there are now: the distances double, so that whoever is left was never dropped.
static void table_thin(TrainTable *t, int64_t most) {
  int64_t n = 0;
  while (t->lines / t->each >= most) t->each *= 2;
  while (t->looks / t->each_look >= most) t->each_look *= 2;
  for (int64_t i = 0; i < t->rows; i++) {
    const TrainRow r = t->row[i];
    if (r.line % t->each && r.line != t->lines && !(r.look && (r.look % t->each_look == 0 || r.look == t->looks))) continue;
    memmove(t->value + n * t->n, t->value + i * t->n, (size_t)t->n * sizeof *t->value);
    t->row[n++] = r;
  }
  t->rows = n;
}

bool trainlog_read_on(TrainTable *t, const char *path, int64_t most, RtError *e) {
  FileMap m;
  if (!file_map(&m, path, e)) return false;
  if (t->at > m.size) trainlog_free(t);            // it is another log
  const char *at = (const char *)m.data + t->at, *end = (const char *)m.data + m.size, *nl = line_end(at, end);
  if (!t->at && nl) {
    Fields head = fields_of(at, (size_t)(nl - at));
    t->name = rt_alloc((size_t)head.n, sizeof *t->name);
    for (; t->n < head.n; t->n++) t->name[t->n] = tag_of(head.v[t->n]);
    fields_free(&head);
    t->each = t->each_look = 1;
    at = nl + 1, nl = line_end(at, end);
  }
  for (const char *after; nl; at = nl + 1, nl = after) {
    bool looked = line_looked(at, nl);
    after = line_end(nl + 1, end);
    t->lines++, t->looks += looked;
    if (t->lines % t->each == 0 || looked || !after) table_row(t, (TrainRow){t->lines, looked ? t->looks : 0}, at, nl);
    if (t->rows > 4 * most) table_thin(t, most);
  }
  t->at = (size_t)(at - (const char *)m.data);
  if (t->rows) table_thin(t, most);
  file_unmap(&m);
  return true;
}

void trainlog_free(TrainTable *t) {
  for (int k = 0; k < t->n; k++) rt_free(t->name[k]);
  rt_free(t->name), rt_free(t->value), rt_free(t->row);
  *t = (TrainTable){0};
}
