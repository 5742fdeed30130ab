// score: what the models compute for given rows, as safetensors for other programs: r.input_ids, r.labels (-100: not trained on),
// r.logits and r.hidden.M.K for row r (counted from 0), r.input_ids.M and r.visible.M of a model M whose tokens are not the anchor's,
// and grad.NAME of the summed loss (in a program without parameters r.grad.hidden.M.0, by the embedding output). Rows share ragged
// steps, as in training.
// With --chunk the logits come through the caches instead; with --top K only the K largest of each position are kept, as r.top.ids and
// r.top.values.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

#define SCORES "calm.scores"             // in its metadata, which come first: what such a file is known by
static const FileMark MARK = {sizeof(uint64_t), "{\"__metadata__\":{\"" SCORES "\":", NULL};

typedef struct Score {
  App app;
  Engine *en;                  // the app's
  Data *data;
  const DataRow **row;         // its rows
  StWriter *out;
  Step *step;
  void **kept;                 // what the writer borrows
  int64_t nkept, capkept, cap, vocab;
  const char *path;            // of the data
  int64_t top;                 // how many logits of a position are kept; 0 = all
  const ProgOutput **hidden;   // asked for
  int nhidden;
} Score;

static void *keep(Score *s, size_t bytes) {
  if (s->nkept == s->capkept) s->kept = rt_realloc(s->kept, (size_t)(s->capkept = s->capkept * 2 + 64),
                                                   sizeof *s->kept);
  return s->kept[s->nkept++] = rt_alloc(bytes, 1);
}

static void add(Score *s, int64_t row, const char *what, Dtype dt, int rank, int64_t n, int64_t width,
                const void *data) {
  char name[256];
  snprintf(name, sizeof name, "%lld.%s", (long long)row, what);
  st_writer_add(s->out, name, dt, rank, (const int64_t[]){n, width}, data);
}

static void add_floats(Score *s, int64_t row, const char *what, int64_t n, int64_t width, const float *from) {
  size_t bytes = (size_t)(n * width) * sizeof(float);
  float *copy = keep(s, bytes);
  if (bytes) memcpy(copy, from, bytes);
  add(s, row, what, DT_F32, 2, n, width, copy);
}

// Is logit a placed before logit b? The larger one, of equals the one with the smaller id; no number comes last.
static bool before(const float *z, int64_t a, int64_t b) {
  if (isnan(z[a]) || isnan(z[b])) return isnan(z[a]) == isnan(z[b]) ? a < b : !isnan(z[a]);
  return z[a] != z[b] ? z[a] > z[b] : a < b;
}

// The ids of the k largest of z[vocab], largest first, by insertion.
static void largest(const float *z, int64_t vocab, int64_t k, int64_t *ids) {
  int64_t n = 0;
  for (int64_t i = 0; i < vocab; i++) {
    if (n == k && !before(z, i, ids[n - 1])) continue;
    int64_t at = n < k ? n++ : k - 1;
    for (; at > 0 && before(z, i, ids[at - 1]); at--) ids[at] = ids[at - 1];
    ids[at] = i;
  }
}

// Logits of n positions of a row: all of them, or the largest.
static void add_logits(Score *s, int64_t row, int64_t n, const float *logits) {
  int64_t k = s->top;
  if (!k) {
    add_floats(s, row, "logits", n, s->vocab, logits);
    return;
  }
  int64_t *ids = keep(s, (size_t)(n * k) * sizeof *ids);
  float *values = keep(s, (size_t)(n * k) * sizeof *values);
  for (int64_t t = 0; t < n; t++) {
    largest(logits + t * s->vocab, s->vocab, k, ids + t * k);
    for (int64_t i = 0; i < k; i++) values[t * k + i] = logits[t * s->vocab + ids[t * k + i]];
  }
  add(s, row, "top.ids", DT_I64, 2, n, k, ids);
  add(s, row, "top.values", DT_F32, 2, n, k, values);
}

static void add_whole(Score *s, int64_t row, const char *what, const char *model, int64_t n, const int32_t *from) {
  char name[192];
  int64_t *copy = keep(s, (size_t)n * sizeof *copy);
  for (int64_t i = 0; i < n; i++) copy[i] = from[i];
  snprintf(name, sizeof name, "%s%s%.128s", what, model ? "." : "", model ? model : "");
  add(s, row, name, DT_I64, 1, n, 0, copy);
}

// A row's ids; those of each model with other tokens, and how many of them each position sees.
static void add_ids(Score *s, int64_t row) {
  const DataRow *r = &s->data->row[row];
  const Prog *p = s->en->prog;
  add_whole(s, row, "input_ids", NULL, r->n, r->ids);
  add_whole(s, row, "labels", NULL, r->n, r->labels);
  for (int i = 0; i < p->nmodel; i++) {
    int k = s->en->stream_of[i];
    if (!k) continue;
    const FollowTokens *t = &r->follow->s[k];
    add_whole(s, row, "input_ids", p->model[i].name, r->n ? t->seen[r->n - 1] : 0, t->ids);
    add_whole(s, row, "visible", p->model[i].name, r->n, t->seen);
  }
}

// The state that a user calls base.4; NULL.
static const ProgOutput *find_hidden(const Score *s, const char *word) {
  const ProgEntry *entry = &s->en->prog->entry[s->en->entry[ENTRY_SCORE]];
  const char *called;
  for (int i = 0; i < entry->nout; i++)
    if (prog_name_is(OutputKind_names, OUTPUT_HIDDEN, entry->out[i].name, &called) && !strcmp(called, word)) return &entry->out[i];
  return NULL;
}

// --hidden base.4,code.2 --hidden base.0
static bool read_hidden(Score *s, const Options *o, RtError *e) {
  for (int i = 0; i < o->hidden.n; i++) {
    char *text = rt_strdup(o->hidden.v[i]), *at = NULL;
    for (char *w = strtok_r(text, ",", &at); w; w = strtok_r(NULL, ",", &at)) {
      const ProgOutput *found = find_hidden(s, w);
      if (!found) {
        rt_fail_about(e, RT_ABOUT_USAGE, "--hidden %s: expected MODEL.BLOCK such as %s.%lld (0 is the embedding; see info)", w,
                s->en->prog->model[s->en->prog->anchor].name,
                    (long long)s->en->prog->model[s->en->prog->anchor].blocks);
        rt_free(text);
        return false;
      }
      s->hidden = rt_realloc(s->hidden, (size_t)s->nhidden + 1, sizeof *s->hidden);
      s->hidden[s->nhidden++] = found;
    }
    rt_free(text);
  }
  return true;
}

// What a step of entry `score` gave for rows [first, first + n).
static void keep_rows(void *user, int64_t first, int64_t n) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  Score *s = user;
  const Prog *p = s->en->prog;
  int entry = s->en->entry[ENTRY_SCORE];
  const float *logits = engine_output(s->en, entry, OUTPUT_LOGITS);
  for (int64_t i = 0; i < n; i++) {
    int64_t r = first + i;
    add_ids(s, r);
    add_logits(s, r, s->data->row[r].n, logits + s->step->seq[i].r0 * s->vocab);
    for (int h = 0; h < s->nhidden; h++) {
      const ProgOutput *o = s->hidden[h];
      const ProgBuf *b = &p->buf[o->buf];
      const StepPart *q = &s->step->stream[s->en->stream_of[p->sym[b->sym].model]].part[i];
      add_floats(s, r, o->name, q->n, b->elems, engine_state(s->en, entry, o->what, o->model, o->layer) + q->t0 * b->elems);
    }
  }
}

// Logits and hidden states of every row by entry `score`.
static bool score_rows(Score *s, RtError *e) {
  FeedSteps f = {.en = s->en, .step = s->step, .entry = s->en->entry[ENTRY_SCORE], .whole = true, .cap = s->cap, .path = s->path};
  return feed_room(&f, 0, e) && feed_steps(&f, s->row, s->data->n, 0, keep_rows, s, e);
}

typedef struct ChunkRow {
  int64_t row, done;
  float *logits;
} ChunkRow;

// Logits by cached stepping, all rows side by side: row r takes sizes[r % n] tokens a step and leaves when it is
// through.
static bool score_chunks(Score *s, const int64_t *sizes, int64_t nsizes, RtError *e) {
  int64_t longest = 1, tokens = 0, *known = keep(s, (size_t)s->en->nstream * sizeof *known);
  for (int64_t i = 0; i < s->data->n; i++) {
    int64_t n = s->data->row[i].n, c = sizes[i % nsizes];
    if (n > longest) longest = n;
    tokens += n < c ? n : c;
    follow_most(s->data->row[i].follow, n, known);
  }
  if (tokens > s->cap) tokens = s->cap;
  Decoder *d = decoder_new(s->en, s->app.models->tok, s->data->n ? s->data->n : 1, longest, tokens, longest, true, known, e);
  if (!d) return false;
  ChunkRow *rows = rt_alloc((size_t)s->data->n, sizeof *rows);
  for (int64_t i = 0; i < s->data->n; i++) {
    const DataRow *r = &s->data->row[i];
    rows[i] = (ChunkRow){.row = i, .logits = rt_alloc((size_t)(r->n * s->vocab), sizeof(float))};
    DecodeSeq *q = decoder_open(d, r->ids, r->n, follow_copy(r->follow, r->n), &rows[i]);
    q->chunk = sizes[i % nsizes];
    add_ids(s, i);
  }
  DecodeStep did;
  while ((did = decoder_step(d, e)) == DECODE_STEPPED)
    for (int64_t i = 0; i < d->nslots; i++) {
      DecodeSeq *q = &d->seq[i];
      ChunkRow *c = q->user;
      if (!q->open || !q->logits) continue;
      memcpy(c->logits + c->done * s->vocab, q->logits, (size_t)((q->past - c->done) * s->vocab) * sizeof(float));
      c->done = q->past;
      if (q->past == q->n) decoder_close(q);
    }
  for (int64_t i = 0; i < s->data->n && did == DECODE_IDLE; i++) add_logits(s, i, s->data->row[i].n, rows[i].logits);
  for (int64_t i = 0; i < s->data->n; i++) rt_free(rows[i].logits);
  rt_free(rows);
  decoder_free(d);
  return did == DECODE_IDLE;
}

static bool score_by_chunks(Score *s, const char *text, RtError *e) {
  int64_t *sizes = keep(s, (strlen(text) + 1) * sizeof *sizes), n = 0;
  for (const char *at = text; *at;) {
    const char *end;
    if (!number_whole(at, &sizes[n], &end) || sizes[n] < 1 || (*end && *end != ',')) return rt_fail_about(e, RT_ABOUT_USAGE, "--chunk %s: expected numbers of tokens such as 1,7,64", text);
    at = *end ? end + 1 : end;
    n++;
  }
  if (!n) return rt_fail_about(e, RT_ABOUT_USAGE, "--chunk: expected numbers of tokens such as 1,7,64");
  return score_chunks(s, sizes, n, e);
}

// Gradients of the loss summed over every labelled token of every row.
static bool score_grads(Score *s, RtError *e) {
  Engine *en = s->en;
  engine_zero_grads(en);
  FeedSteps f = {.en = en, .step = s->step, .entry = en->entry[ENTRY_TRAIN], .cap = s->cap, .lean = true, .path = s->path};
  if (!feed_room(&f, 0, e) || !feed_steps(&f, s->row, s->data->n, 1, NULL, NULL, e)) return false;
  for (int i = 0; i < en->prog->nparam; i++) {
    const ProgParam *p = &en->prog->param[i];
    char *name = keep(s, strlen(p->name) + 8);
    sprintf(name, "grad.%s", p->name);
    st_writer_add(s->out, name, DT_F32, p->shape.n, p->shape.v, en->params.grad + p->offset);
  }
  return true;
}

// A program without parameters: the gradient by the anchor's embedding output, r.grad.hidden.M.0, each row by itself.
static bool score_state_grads(Score *s, RtError *e) {
  Engine *en = s->en;
  const ProgModel *m = &en->prog->model[en->prog->anchor];
  int anchor = en->prog->anchor;
  char name[160];
  snprintf(name, sizeof name, "grad.hidden.%.128s.0", m->name);
  int64_t longest = 1;
  for (int64_t i = 0; i < s->data->n; i++) {
    int64_t most = row_most_tokens(&s->data->row[i], s->data->row[i].n);
    if (most > longest) longest = most;
  }
  engine_cap(en, en->entry[ENTRY_SCORE], longest, 0);
  engine_cap(en, en->entry[ENTRY_PROBE], longest, longest);
  if (!engine_place(en, e)) return false;
  for (int64_t i = 0; i < s->data->n; i++) {
    const DataRow *r = &s->data->row[i];
    if (rt_stopped(e)) return false;
    float *state = keep(s, (size_t)(((r->n + RT_ROW_ROUND) * m->width)) * sizeof *state);
    step_reset(s->step);
    step_add(s->step, r->ids, r->n, 0, 0);
    follow_step(r->follow, s->step);
    engine_run(en, en->entry[ENTRY_SCORE], s->step);
    memcpy(state, engine_state(en, en->entry[ENTRY_SCORE], OUTPUT_HIDDEN, anchor, 0), (size_t)(r->n * m->width) * sizeof *state);
    step_reset(s->step);
    step_add(s->step, r->ids, r->n, 0, 0);
    follow_step(r->follow, s->step);
    for (int64_t t = 0; t + 1 < r->n; t++)
      if (r->labels[t + 1] >= 0) step_want(s->step, t, r->labels[t + 1], 1);
    engine_bind(en, anchor, 0, state);
    engine_run(en, en->entry[ENTRY_PROBE], s->step);
    add_floats(s, i, name, r->n, m->width, engine_state(en, en->entry[ENTRY_PROBE], OUTPUT_STATE_GRAD, anchor, 0));
  }
  return true;
}

static bool gradients(Score *s, RtError *e) {
  return s->en->entry[ENTRY_TRAIN] >= 0 ? score_grads(s, e) : score_state_grads(s, e);
}

// Loads the weights, where memory allows them with what is computed of all rows.
static bool load(Score *s, const Options *o, RtError *e) {
  Engine *en = s->en;
  int64_t tokens = 0, width = s->top ? 3 * s->top : s->vocab, *cached = rt_alloc((size_t)en->nstream, sizeof *cached);
  for (int64_t i = 0; i < s->data->n; i++) {
    const DataRow *r = &s->data->row[i];
    tokens += r->n;
    cached[0] += r->n;
    for (int k = 1; r->n && k < en->nstream; k++) cached[k] += r->follow->s[k].seen[r->n - 1];
  }
  Load l = {.training = o->grads && en->entry[ENTRY_TRAIN] >= 0, .tables = -1, .outputs = tokens * width * (int64_t)sizeof(float), .nstep = 2,
            .step = {{.entry = o->chunk ? en->entry[ENTRY_STEP] : en->entry[ENTRY_SCORE]},
                     {.entry = !o->grads ? -1 : en->entry[ENTRY_TRAIN] >= 0 ? en->entry[ENTRY_TRAIN] : en->entry[ENTRY_PROBE]}},
            .cached = o->chunk ? cached : NULL};
  budget_steps(&s->app, &l, s->data, true, &s->cap);
  Shape shape = shape_of_data(s->app.models, s->data, s->cap, false);
  l.tables = shape.tables;
  l.step[0].tokens = l.step[1].tokens = shape.tokens, l.step[0].rows = shape.tokens[0], l.step[1].rows = shape.rows;
  bool ok = app_load(&s->app, o, &l, e);
  rt_free(cached);
  shape_free(&shape);
  return ok;
}

static Data *read_rows(const Score *s, const char *path, RtError *e) {
  DataFile *f = data_open_piped(path, e);
  Data *d = f && app_part_for(&s->app, f, e) ? feed_whole(s->app.models, f, e) : NULL;
  data_close(f);
  return d;
}

static bool score(Score *s, const Options *o, RtError *e) {
  if (o->chunk && o->hidden.n) return rt_fail_about(e, RT_ABOUT_USAGE, "--chunk gives logits only; leave --hidden out");
  s->cap = o->score_cap, s->path = o->score_data;
  s->vocab = s->en->prog->model[s->en->prog->anchor].vocab;
  s->top = o->top;
  if (s->top > s->vocab) return rt_fail(e, "--top %lld: expected a number from 0 to the vocabulary's %lld", (long long)s->top, (long long)s->vocab);
  if (!output_replaces(&s->app, o, o->score_out, "result of score", &MARK, e) || !read_hidden(s, o, e) || !(s->data = read_rows(s, o->score_data, e)) ||
      !load(s, o, e)) return false;
  s->step = step_new(s->en->nstream);
  s->row = data_rows(s->data);
  bool ok = (o->chunk ? score_by_chunks(s, o->chunk, e) : score_rows(s, e)) && (!o->grads || gradients(s, e)) && !rt_stopped(e) &&
            engine_unchanged(s->app.en, e) && st_writer_save(s->out, o->score_out, NULL, e);
  if (ok) fprintf(stderr, "wrote %s: %d tensor%s\n", o->score_out, st_writer_count(s->out), plural(st_writer_count(s->out)));
  return ok;
}

int cmd_score(const Options *o) {
  RtError e;
  if (!o->score_data || !o->score_out) return usage_error("give --data FILE.jsonl and --out FILE.safetensors");
  if (o->grads && o->scale.n + o->ablate.n)
    return usage_error("--grads are those of the composition as it is trained: without --scale and --ablate");
  Score s = {0};
  bool ok = app_open(&s.app, o, &e);
  if (ok) {
    s.en = s.app.en;
    s.out = st_writer_new();
    st_writer_meta(s.out, SCORES, CALM_VERSION);
    ok = score(&s, o, &e);
  }
  if (s.out) st_writer_free(s.out);
  step_free(s.step);
  if (s.data) data_free(s.data);
  for (int64_t i = 0; i < s.nkept; i++) rt_free(s.kept[i]);
  rt_free(s.kept), rt_free(s.hidden), rt_free(s.row);
  app_close(&s.app);
  return ok ? 0 : cmd_fail(o, &e);
}
