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
};

static const char HEADER[] = "step,tokens,loss,lr,grad_norm,tokens_per_s,held_out_loss\n";

bool trainlog_is(const char *path) {
  RtError ignored;
  FileMap m;
  if (!file_map(&m, path, &ignored)) return false;
  size_t n = strlen("step,tokens,loss,");            // columns after these may come and go
  bool is = m.size >= n && !memcmp(m.data, HEADER, n);
  file_unmap(&m);
  return is;
}

// Writes the file anew with its header and the lines of steps up to keep. Whatever is there has to be a file.
static bool rewrite(const char *path, int64_t keep, RtError *e) {
  FileMap old = {0};
  if (file_is_there(path) && !file_map(&old, path, e)) return false;
  FileOut *f = file_out_open(path, e);
  bool ok = f && file_out_write(f, HEADER, sizeof HEADER - 1, e);
  const char *at = (const char *)old.data, *end = at + old.size;
  while (ok && at < end) {
    const char *nl = memchr(at, '\n', (size_t)(end - at));
    if (!nl) break;
    char *stop;
    long long step = strtoll(at, &stop, 10);
    if (stop != at && *stop == ',' && step <= keep) ok = file_out_write(f, at, (size_t)(nl + 1 - at), e);
    at = nl + 1;
  }
  ok = ok && file_out_commit(f, e);
  file_unmap(&old);
  return ok;
}

static void log_end(void *object) {
  TrainLog *l = object;
  if (l->csv >= 0) close(l->csv);
  rt_free(l->path);
}

TrainLog *trainlog_open(const char *path, int64_t keep, RtError *e) {
  TrainLog *l = rt_object(sizeof *l, log_end);
  *l = (TrainLog){.csv = -1};
  l->path = rt_strdup(path);
  if (rewrite(l->path, keep, e)) {
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
  char held[32] = "", *line;
  if (!isnan(x->held)) snprintf(held, sizeof held, "%.9g", x->held);
  line = rt_format("%lld,%lld,%.9g,%.9g,%.9g,%.0f,%s\n", (long long)x->step, (long long)x->tokens, x->loss, x->lr, x->norm, x->tokens_per_s, held);
  bool ok = write_all(l->csv, line, strlen(line)) || rt_fail(e, "cannot write %s: %s", l->path, strerror(errno));
  rt_free(line);
  return ok;
}

void trainlog_close(TrainLog *l) {
  if (l) rt_end(l);
}
