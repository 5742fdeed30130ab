// See shape.h.
#include "runtime/rows/shape.h"

#include "runtime/core/core.h"
#include "runtime/rows/rowstep.h"

// ---- tables: weights with a vector a token, which stay in their files (engine/tables.c)

enum { PAGE = 4096 };

// Bytes of a table with `rows` vectors that the tokens of a stream read.
static int64_t touched(const Data *d, int stream, int64_t rows, int64_t bytes) {
  int64_t width = bytes / rows, n = 0, pages = (bytes + PAGE - 1) / PAGE;
  char *seen = rt_alloc((size_t)pages, 1);
  for (int64_t i = 0; i < d->n; i++) {
    const DataRow *r = &d->row[i];
    const int32_t *ids = stream ? r->follow->s[stream].ids : r->ids;
    int64_t len = stream ? r->follow->s[stream].n : r->n;
    for (int64_t t = 0; t < len; t++) {
      if (ids[t] >= rows) continue;
      for (int64_t at = ids[t] * width / PAGE; at <= (ids[t] * width + width - 1) / PAGE; at++) n += !seen[at], seen[at] = 1;
    }
  }
  rt_free(seen);
  return n * PAGE < bytes ? n * PAGE : bytes;
}

// Of those that the tokens of a data set read; d NULL: of so many tokens, by stream.
static int64_t tables(const Models *m, const Data *d, const int64_t *tokens) {
  const Prog *p = m->prog;
  int64_t sum = 0;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind != BUF_WEIGHT || !b->stored.tables) continue;
    int stream = m->streams.of[b->stored.model];
    int64_t bytes = prog_buf_bytes(b, PRECISION_F32);
    sum = size_sum(sum, !d ? engine_table_bytes(b, tokens[stream], false) : b->stored.tables > 1 ? touched(d, stream, b->stored.tables, bytes) : bytes);
  }
  return sum;
}

// ---- a data set

static Shape new_shape(const Models *m) {
  return (Shape){.tokens = rt_alloc((size_t)m->streams.n, sizeof(int64_t)), .tables = -1};
}

// The same step, filled to the cap in the stream that has most tokens.
static void fill(const Models *m, int64_t cap, Shape *s) {
  int64_t most = 0;
  for (int k = 0; k < m->streams.n; k++)
    if (s->tokens[k] > most) most = s->tokens[k];
  if (most == 0 || most >= cap) return;
  for (int k = 0; k < m->streams.n; k++) s->tokens[k] = s->tokens[k] * cap / most;
  s->rows = s->rows * cap / most;
}

Shape shape_of_data(const Models *m, const Data *d, int64_t cap, bool shuffled) {
  Shape out = new_shape(m);
  int64_t steps = 0;
  Step *s = step_new(m->streams.n);
  for (int64_t i = 0; i < d->n;) {
    step_reset(s);
    while (i < d->n && row_fits(s, &d->row[i], row_tokens(&d->row[i]), cap)) row_add(s, &d->row[i++], 0);
    for (int k = 0; k < m->streams.n; k++)
      if (s->stream[k].ntok > out.tokens[k]) out.tokens[k] = s->stream[k].ntok;
    if (s->nrow > out.rows) out.rows = s->nrow;
    steps++;
  }
  step_free(s);
  if ((shuffled || !data_whole(d)) && steps > 1) fill(m, cap, &out);
  if (data_whole(d)) out.tables = tables(m, d, NULL);
  return out;
}

// ---- any text

// Prose, names, numbers, code: what texts hold, to compare how many tokens two tokenizers make of one.
static const char SAMPLE[] =
    "The house stood a little way back from the road, and nobody had lived in it since the spring. Every evening, when the lamps were lit, the "
    "children said that someone was walking behind the windows; their mother did not believe a word of it. \"You will see,\" said Anna, \"one day "
    "he will open the door himself, and then what are we going to tell him?\"\n\n"
    "In 1987 the company sold 12,450 machines in 31 countries, about 18.5 % more than in the year before, most of them in Asia and South America. "
    "According to its report, published on Thursday, costs fell by $3.2 million while research and development grew for the fourth time.\n\n"
    "def total(items, rate=0.25):\n    result = 0\n    for item in items:\n        result += item.price * (1 + rate)\n    return result\n";

// Raises the tokens of each stream for one of the anchor's to what they are where the sample is a prompt, or stands behind one.
static void raise_ratios(const Models *m, const int32_t *ids, const TokSpan *span, int64_t n, bool prompt, double *per_token) {
  RtError e;
  Follow *f = follow_new(&m->streams, false);
  bool ok = (prompt || follow_prompt_end(f, &e)) && follow_encoded(f, m->tok, ids, span, n, SAMPLE, 0, sizeof SAMPLE - 1, &e) && (!prompt || follow_prompt_end(f, &e));
  for (int k = 1; ok && f->n && k < m->streams.n; k++) {
    double is = (double)f->s[k].seen[f->n - 1] / (double)f->n;
    if (is > per_token[k]) per_token[k] = is;
  }
  follow_free(f);
}

// Tokens of each stream for one of the anchor's.
static void ratios(const Models *m, double *per_token) {
  for (int k = 0; k < m->streams.n; k++) per_token[k] = m->streams.s[k].silent ? 0 : 1;
  if (m->streams.n == 1 || !m->tok) return;
  RtError e;
  int32_t *ids = NULL;
  TokSpan *span = NULL;
  int64_t n = tokenizer_encode(m->tok, SAMPLE, sizeof SAMPLE - 1, false, &ids, &span, &e);
  if (n <= 0) return;
  for (int k = 1; k < m->streams.n; k++) per_token[k] = 0;
  raise_ratios(m, ids, span, n, true, per_token), raise_ratios(m, ids, span, n, false, per_token);
  rt_free(ids), rt_free(span);
}

Shape shape_of_tokens(const Models *m, int64_t n) {
  Shape out = new_shape(m);
  double *ratio = rt_alloc((size_t)m->streams.n, sizeof *ratio);
  ratios(m, ratio);
  for (int k = 0; k < m->streams.n; k++) out.tokens[k] = (int64_t)((double)n * ratio[k]);
  out.rows = n;
  out.tables = tables(m, NULL, out.tokens);
  rt_free(ratio);
  return out;
}

Shape shape_of_text(const Models *m, int64_t cap) {
  double *ratio = rt_alloc((size_t)m->streams.n, sizeof *ratio), most = 1;
  ratios(m, ratio);
  for (int k = 0; k < m->streams.n; k++)
    if (ratio[k] > most) most = ratio[k];
  rt_free(ratio);
  Shape out = shape_of_tokens(m, (int64_t)((double)cap / most));
  out.tables = -1;
  return out;
}

void shape_free(Shape *s) { rt_free(s->tokens); }
