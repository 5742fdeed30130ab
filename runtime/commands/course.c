// See course.h.
#include "runtime/commands/course.h"

#include <math.h>
#include <stdio.h>

#include "runtime/core/core.h"

char *course_step(const TrainSettings *s) {
  return rt_format("a step of %lld batch%s of %lld %s", (long long)s->accumulate, s->accumulate == 1 ? "" : "es", (long long)s->batch.n, s->batch.rows ? "rows" : "tokens");
}

// Rows of data that are at hand whole, in the order in which a training takes them.
typedef struct Walk {
  const Data *d;
  int64_t *first;              // per row of the file, and one more: where its windows begin in d
  Order order;
  int64_t epoch, position, window;
} Walk;

static void walk_start(Walk *w, const Course *c) {
  const Data *d = c->look;
  *w = (Walk){.d = d, .first = rt_alloc((size_t)d->of + 1, sizeof *w->first), .window = -1};
  for (int64_t i = 0; i < d->n; i++) w->first[d->row[i].row + 1] = i + 1;
  for (int64_t i = 0; i < d->of; i++)
    if (w->first[i + 1] < w->first[i]) w->first[i + 1] = w->first[i];      // a row without windows
  order_start(&w->order, c->file, c->seed, c->set->shuffle);
  order_draw(&w->order, 0);
}

static const DataRow *walk_next(Walk *w) {
  for (;;) {
    if (w->position == w->d->of) w->position = 0, order_draw(&w->order, ++w->epoch);
    int64_t row = order_row(&w->order, w->position);
    if (w->window < 0) w->window = w->first[row];
    if (w->window < w->first[row + 1]) {
      const DataRow *r = &w->d->row[w->window++];
      if (row_tokens(r) > 0) return r;
    } else w->position++, w->window = -1;
  }
}

static void walk_end(Walk *w) {
  order_end(&w->order);
  rt_free(w->first);
}

static void add_row(Course *c, const DataRow *r) {
  c->rows++, c->tokens += r->n, c->labelled += row_labelled(r);
}

// Tokens by the mean of an epoch.
static void by_passes(CourseCount *n, const Course *c) { n->tokens = n->passes * (double)c->tokens, n->labelled = n->passes * (double)c->labelled; }

static void count_epoch(Course *c) {
  Walk w;
  walk_start(&w, c);
  for (const DataRow *r = walk_next(&w); w.epoch == 0; r = walk_next(&w)) add_row(c, r);
  if (!c->rows) c->rows = 1;   // a mix may have none in its first epoch
  walk_end(&w);
}

// By a sample, and how often an epoch reads each file.
static void guess_epoch(Course *c) {
  double rows = 0, tokens = 0, labelled = 0;
  for (int k = 0; k < c->file->nparts; k++) {
    const DataPart *p = &c->file->part[k];
    DataPartCount of = data_count_part(c->file, c->look, k);
    double times = of.looked ? (double)p->taken / (double)of.looked : 0;
    rows += (double)of.trained * times, tokens += (double)of.trained_tokens * times, labelled += (double)of.labelled * times;
  }
  c->rows = (int64_t)(rows + 0.5), c->tokens = (int64_t)(tokens + 0.5), c->labelled = (int64_t)(labelled + 0.5);
}

Course course_of(const TrainSettings *s, const DataFile *file, const Data *look, uint64_t seed, const char *step) {
  Course c = {.rule = {.want = s->batch.n * s->accumulate, .by_rows = s->batch.rows, .most = INT64_MAX, .words = step}, .set = s, .file = file, .look = look,
              .seed = seed, .exact = data_whole(look)};
  if (c.exact) count_epoch(&c);
  else guess_epoch(&c);
  if (c.exact && s->batch.unsaid) c.rule.most = c.rows;      // a larger file than is looked at whole has more than the default batch
  return c;
}

// All steps, and one epoch at least, unless these are too many.
static CourseCount count(const Course *c) {
  const TrainSettings *s = c->set;
  enum { LOOK = 1 << 22 };
  Walk w;
  CourseCount out = {0};
  int64_t taken = 0, of_steps = 0, step = 0, all = 0, labelled = 0;
  bool endless = false;        // one step is too many
  walk_start(&w, c);
  const DataRow *next = walk_next(&w);
  for (; (step < s->steps || !out.epoch) && taken < LOOK && !endless; step++) {
    int64_t before = taken, tokens = 0;
    for (; !endless && rule_takes(&c->rule, taken - before, tokens, next); endless = ++taken - before >= LOOK)
      tokens += next->n, labelled += row_labelled(next), next = walk_next(&w);
    all += tokens;
    if (!out.epoch && taken >= c->rows) out.epoch = (double)step + (double)(c->rows - before) / (double)(taken - before);
    if (step < s->steps) of_steps = taken, out.tokens = (double)all, out.labelled = (double)labelled;
  }
  walk_end(&w);
  out.about = endless || step < s->steps || !out.epoch;
  if (endless) out.epoch = (double)(c->rule.by_rows ? c->rows : c->tokens) / (double)c->rule.want;
  else if (!out.epoch) out.epoch = (double)step * (double)c->rows / (double)taken;
  out.passes = endless ? (double)s->steps / out.epoch : (double)of_steps / (double)c->rows;
  if (!endless && step < s->steps) out.passes *= (double)s->steps / (double)step;
  if (out.about) by_passes(&out, c);
  return out;
}

static CourseCount estimate(const Course *c) {
  const TrainSettings *s = c->set;
  double epoch = (double)(c->rule.by_rows ? c->rows : c->tokens) / (double)c->rule.want;
  CourseCount out = {.epoch = epoch, .passes = (double)s->steps / epoch, .about = true};
  by_passes(&out, c);
  return out;
}

CourseCount course_count(const Course *c) { return c->exact ? count(c) : estimate(c); }

// As many digits as are of use.
static const char *amount(double x, char text[32]) {
  snprintf(text, 32, x == floor(x) || x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2g", x);
  return text;
}

char *course_words(const Course *c) {
  const TrainSettings *s = c->set;
  CourseCount n = course_count(c);
  char epoch[32], passes[32], times[32], batches[32] = "", batch[64];
  const char *about = n.about ? "about " : "";
  if (s->accumulate > 1) snprintf(batches, sizeof batches, "%lld x ", (long long)s->accumulate);
  bool pass = s->batch.unsaid && c->exact && c->tokens <= c->rule.want;
  if (pass) snprintf(batch, sizeof batch, "all %lld row%s", (long long)c->rows, plural(c->rows));
  else snprintf(batch, sizeof batch, "%s%lld %s%s", batches, (long long)s->batch.n, s->batch.rows ? "row" : "token", plural(s->batch.n));
  if (!s->batch.unsaid && n.epoch < 1)
    rt_warn("a step of %s reads the data's %lld row%s (%lld token%s) %s times; --batch %lldrows is one pass", batch, (long long)c->rows, plural(c->rows),
            (long long)c->tokens, plural(c->tokens), amount(1 / n.epoch, times), (long long)c->rows);
  if (!s->batch.unsaid && !s->batch.rows && c->rows && (double)c->rule.want < (double)c->tokens / (double)c->rows)
    rt_warn("a step of %s is less than a row of the data, %.0f tokens on average: it takes one; --batch %lldrows is one of rows", batch, (double)c->tokens / (double)c->rows, (long long)s->batch.n);
  return rt_format("batch %s, %s%s step%s an epoch, %lld step%s: %s%s pass%s", batch, about, amount(n.epoch, epoch), n.epoch == 1 ? "" : "s",
                   (long long)s->steps, plural(s->steps), about, amount(n.passes, passes), n.passes == 1 ? "" : "es");
}

char *course_file(const DataFile *f, const Data *look, int part) {
  const DataPart *p = &f->part[part];
  DataPartCount of = data_count_part(f, look, part);
  double times = of.looked ? (double)p->lines.n / (double)of.looked : 0;
  char each[32], *share = p->share <= 0 ? rt_strdup("") : rt_format("; share %.4g: %lld of an epoch's %lld rows, which is %s times each", p->share, (long long)p->taken,
                                                                    (long long)data_count(f), amount((double)p->taken / (double)p->lines.n, each));
  char *words;
  if (data_whole(look))
    words = rt_format("%s: %lld row%s, %lld token%s (%lld labelled)%s", p->lines.path, (long long)p->lines.n, plural(p->lines.n), (long long)of.tokens, plural(of.tokens),
                      (long long)of.labelled, share);
  else
    words = rt_format("%s: %lld row%s, about %.3g tokens (%.3g labelled; by a sample of %lld rows)%s", p->lines.path, (long long)p->lines.n, plural(p->lines.n),
                      (double)of.tokens * times, (double)of.labelled * times, (long long)of.looked, share);
  rt_free(share);
  return words;
}

void course_files(const Course *c, FILE *out, const char *head) {
  for (int k = 0; c->file->nparts > 1 && k < c->file->nparts; k++) {
    char *words = course_file(c->file, c->look, k);
    fprintf(out, "%s%s\n", head, words);
    rt_free(words);
  }
}
