// See trainlog.h.
#include "runtime/work/trainlog.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"

struct TrainLog {
  FILE *csv;
  char *path;
  bool tty;
  time_t shown;
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

// Writes the file anew with its header and the lines of steps up to keep.
static bool rewrite(const char *path, int64_t keep, RtError *e) {
  FileMap old = {0};
  RtError ignored;
  if (keep > 0 && file_is_regular(path)) file_map(&old, path, &ignored);
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

TrainLog *trainlog_open(const char *path, int64_t keep, RtError *e) {
  if (!rewrite(path, keep, e)) return NULL;
  FILE *csv = fopen(path, "ae");
  if (!csv) {
    rt_fail(e, "cannot write %s: %s", path, strerror(errno));
    return NULL;
  }
  TrainLog *l = rt_alloc(1, sizeof *l);
  *l = (TrainLog){.csv = csv, .path = rt_strdup(path), .tty = isatty(STDERR_FILENO)};
  return l;
}

static void show(TrainLog *l, const TrainLine *x) {
  long left = (long)(x->left + 0.5);
  fprintf(stderr, "%sstep %lld/%lld  loss %.4f  lr %.2e  %.0f tokens/s  %ld:%02ld left", l->tty ? "\r\033[K" : "",
          (long long)x->step,
          (long long)x->steps, x->loss, x->lr, x->tokens_per_s, left / 60, left % 60);
  if (!isnan(x->held)) fprintf(stderr, "  held-out loss %.4f", x->held);
  if (!l->tty || !isnan(x->held) || x->step == x->steps) fputc('\n', stderr);
}

bool trainlog_add(TrainLog *l, const TrainLine *x, RtError *e) {
  // A terminal is refreshed every second; a file gets a line every ten, and every look at the held-out loss.
  time_t now = time(NULL);
  if (x->step == x->steps || !isnan(x->held) || now - l->shown >= (l->tty ? 1 : 10)) {
    show(l, x);
    l->shown = now;
  }
  fprintf(l->csv, "%lld,%lld,%.9g,%.9g,%.9g,%.0f,", (long long)x->step, (long long)x->tokens, x->loss, x->lr, x->norm,
          x->tokens_per_s);
  if (!isnan(x->held)) fprintf(l->csv, "%.9g", x->held);
  fputc('\n', l->csv);
  if (fflush(l->csv) != 0) return rt_fail(e, "cannot write %s: %s", l->path, strerror(errno));
  return true;
}

void trainlog_close(TrainLog *l) {
  if (!l) return;
  if (l->tty) fputc('\n', stderr);
  fclose(l->csv);
  rt_free(l->path);
  rt_free(l);
}
