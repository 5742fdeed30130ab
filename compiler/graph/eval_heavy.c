// Reference evaluation of products, rows by index, attention and the loss.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"
#include "graph/eval_ops.h"
#include "graph/ops.h"

void eval_linear(Eval *e, NodeId id) {
  const double *x = eval_in(e, id, 0), *w = eval_in(e, id, 1);
  int64_t T = eval_rows(e, eval_type(e, id, 0)), K = type_row_elems(eval_type(e, id, 0));
  int64_t N = type_row_elems(&e->g->node[id].type);
  double *y = eval_out(e, id, 0);
  for (int64_t t = 0; t < T; t++)
    for (int64_t n = 0; n < N; n++)
      for (int64_t k = 0; k < K; k++) y[t * N + n] += x[t * K + k] * w[n * K + k];
}

void eval_linear_dx(Eval *e, NodeId id) {
  const double *dy = eval_in(e, id, 0), *w = eval_in(e, id, 1);
  int64_t T = eval_rows(e, eval_type(e, id, 0)), N = type_row_elems(eval_type(e, id, 0));
  int64_t K = type_row_elems(&e->g->node[id].type);
  double *dx = eval_out(e, id, 0);
  for (int64_t t = 0; t < T; t++)
    for (int64_t n = 0; n < N; n++)
      for (int64_t k = 0; k < K; k++) dx[t * K + k] += dy[t * N + n] * w[n * K + k];
}

void eval_linear_dw(Eval *e, NodeId id) {
  const double *dy = eval_in(e, id, 0), *x = eval_in(e, id, 1);
  int64_t T = eval_rows(e, eval_type(e, id, 0)), N = type_row_elems(eval_type(e, id, 0));
  int64_t K = type_row_elems(eval_type(e, id, 1));
  double *dw = eval_out(e, id, 0);
  for (int64_t t = 0; t < T; t++)
    for (int64_t n = 0; n < N; n++)
      for (int64_t k = 0; k < K; k++) dw[n * K + k] += dy[t * N + n] * x[t * K + k];
}

static int64_t index_of(const Eval *e, NodeId id, int k, int64_t r) { return (int64_t)eval_in(e, id, k)[r]; }

// Are all values of operand k (ids, rows, labels) in 0 … limit - 1? When not, that is the evaluation's error.
static bool indices_fit(Eval *e, NodeId id, int k, int64_t from, int64_t limit) {
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, k)); r++) {
    int64_t i = index_of(e, id, k, r) + from;
    if (i >= 0 && i < limit) continue;
    e->error = arena_printf(e->arena, "node %%%d (%s): index %lld of row %lld is not in 0 … %lld", id,
                            op_name(e->g->node[id].op), (long long)i, (long long)r, (long long)limit - 1);
    return false;
  }
  return true;
}

// y[r] = x[index[r]] (gather) or y[index[r]] = x[r], rows of n numbers.
static void move_rows(Eval *e, NodeId id, const double *x, double *y, int index, int64_t n, bool gather) {
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, index)); r++) {
    int64_t i = index_of(e, id, index, r);
    memcpy(y + (gather ? r : i) * n, x + (gather ? i : r) * n, (size_t)n * sizeof *y);
  }
}

void eval_lookup(Eval *e, NodeId id) {
  int64_t from = e->g->node[id].attr.of_lookup.from, n = type_row_elems(&e->g->node[id].type);
  if (!indices_fit(e, id, 0, from, eval_type(e, id, 1)->dim[0])) return;
  move_rows(e, id, eval_in(e, id, 1) + from * n, eval_out(e, id, 0), 0, n, true);
}

void eval_lookup_dw(Eval *e, NodeId id) {
  int64_t from = e->g->node[id].attr.of_lookup_dw.from;
  if (!indices_fit(e, id, 0, from, e->g->node[id].attr.of_lookup_dw.rows)) return;
  int64_t n = type_row_elems(eval_type(e, id, 1));
  double *w = eval_out(e, id, 0);
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, 1)); r++)
    for (int64_t i = 0; i < n; i++) w[(index_of(e, id, 0, r) + from) * n + i] += eval_in(e, id, 1)[r * n + i];
}

static void take_mask(Eval *e, NodeId id) {
  int64_t n = eval_rows(e, &e->g->node[id].type);
  EvalMask from = e->mask[e->g->node[id].in[0]];
  int32_t *lo = ARENA_ARRAY(e->arena, int32_t, n + 1), *hi = ARENA_ARRAY(e->arena, int32_t, n + 1);
  for (int64_t r = 0; r < n; r++) {
    lo[r] = from.lo[index_of(e, id, 1, r)];
    hi[r] = from.hi[index_of(e, id, 1, r)];
  }
  e->mask[id] = (EvalMask){lo, hi};
}

void eval_take(Eval *e, NodeId id) {
  if (!indices_fit(e, id, 1, 0, eval_rows(e, eval_type(e, id, 0)))) return;
  if (e->g->node[id].type.dt == DT_MASK) take_mask(e, id);
  else move_rows(e, id, eval_in(e, id, 0), eval_out(e, id, 0), 1, type_row_elems(&e->g->node[id].type), true);
}

void eval_untake(Eval *e, NodeId id) {
  if (!indices_fit(e, id, 1, 0, eval_rows(e, &e->g->node[id].type))) return;
  move_rows(e, id, eval_in(e, id, 0), eval_out(e, id, 0), 1, type_row_elems(eval_type(e, id, 0)), false);
}

void eval_append(Eval *e, NodeId id) {
  const Type *t = &e->g->node[id].type;
  if (!indices_fit(e, id, 2, 0, eval_rows(e, t))) return;
  double *y = eval_out(e, id, 0);
  memcpy(y, eval_in(e, id, 0), (size_t)eval_elems(e, t) * sizeof *y);
  move_rows(e, id, eval_in(e, id, 1), y, 2, type_row_elems(t), false);
}

// ---- attention
typedef struct Attn {
  const double *q, *k, *v;
  EvalMask mask;
  int64_t T, H, K, D, E;
  double scale, cap;
} Attn;

static const char *interval_error(Eval *e, NodeId id, const Attn *a, int64_t keys) {
  for (int64_t t = 0; t < a->T; t++) {
    if (a->mask.lo[t] < a->mask.hi[t] && (a->mask.lo[t] < 0 || a->mask.hi[t] > keys))
      return arena_printf(e->arena, "node %%%d (%s): interval [%d, %d) of row %lld, but there are %lld keys", id,
                          op_name(e->g->node[id].op), a->mask.lo[t], a->mask.hi[t], (long long)t, (long long)keys);
  }
  return NULL;
}

static Attn attn(Eval *e, NodeId id, int from) {
  const Node *n = &e->g->node[id];
  const Type *q = eval_type(e, id, from), *k = eval_type(e, id, from + 1), *v = eval_type(e, id, from + 2);
  Attn a = {.q = eval_in(e, id, from), .k = eval_in(e, id, from + 1), .v = eval_in(e, id, from + 2),
            .mask = e->mask[n->in[from + 3]], .T = eval_rows(e, q), .H = q->dim[1], .K = k->dim[1], .D = q->dim[2],
            .E = v->dim[2], .scale = n->attr.scale, .cap = n->attr.softcap};
  e->error = interval_error(e, id, &a, eval_rows(e, k));
  return a;
}

static double raw_score(const Attn *a, int64_t t, int64_t h, int64_t j) {
  double s = 0;
  for (int64_t d = 0; d < a->D; d++)
    s += a->q[(t * a->H + h) * a->D + d] * a->k[(j * a->K + h / (a->H / a->K)) * a->D + d];
  return s * a->scale;
}

static double score(const Attn *a, int64_t t, int64_t h, int64_t j) {
  double s = raw_score(a, t, h, j);
  return a->cap > 0 ? a->cap * tanh(s / a->cap) : s;
}

static double log_sum(const Attn *a, int64_t t, int64_t h) {
  double top = -INFINITY, sum = 0;
  for (int64_t j = a->mask.lo[t]; j < a->mask.hi[t]; j++) top = fmax(top, score(a, t, h, j));
  if (a->mask.lo[t] >= a->mask.hi[t]) return -INFINITY;
  for (int64_t j = a->mask.lo[t]; j < a->mask.hi[t]; j++) sum += exp(score(a, t, h, j) - top);
  return top + log(sum);
}

void eval_attention(Eval *e, NodeId id) {
  Attn a = attn(e, id, 0);
  if (e->error) return;
  double *out = eval_out(e, id, 0), *lse = eval_out(e, id, 1);
  for (int64_t t = 0; t < a.T; t++)
    for (int64_t h = 0; h < a.H; h++) {
      int64_t kh = h / (a.H / a.K);
      double l = lse[t * a.H + h] = log_sum(&a, t, h);
      for (int64_t j = a.mask.lo[t]; j < a.mask.hi[t]; j++) {
        double p = exp(score(&a, t, h, j) - l);
        for (int64_t x = 0; x < a.E; x++) out[(t * a.H + h) * a.E + x] += p * a.v[(j * a.K + kh) * a.E + x];
      }
    }
}

// One query row and head; delta = sum of out' * out, less lse'.
static void attention_row_grad(const Attn *a, const double *dout, double l, double delta, int64_t t, int64_t h,
                               double *dq, double *dk, double *dv) {
  int64_t kh = h / (a->H / a->K);
  for (int64_t j = a->mask.lo[t]; j < a->mask.hi[t]; j++) {
    double p = exp(score(a, t, h, j) - l), dp = 0;
    for (int64_t x = 0; x < a->E; x++) {
      dp += dout[x] * a->v[(j * a->K + kh) * a->E + x];
      dv[(j * a->K + kh) * a->E + x] += p * dout[x];
    }
    double ds = p * (dp - delta);
    if (a->cap > 0) {
      double th = tanh(raw_score(a, t, h, j) / a->cap);
      ds *= 1 - th * th;
    }
    for (int64_t d = 0; d < a->D; d++) {
      dq[(t * a->H + h) * a->D + d] += ds * a->scale * a->k[(j * a->K + kh) * a->D + d];
      dk[(j * a->K + kh) * a->D + d] += ds * a->scale * a->q[(t * a->H + h) * a->D + d];
    }
  }
}

void eval_attention_grad(Eval *e, NodeId id) {
  Attn a = attn(e, id, 1);
  if (e->error) return;
  const double *dout = eval_in(e, id, 0), *out = eval_in(e, id, 5), *lse = eval_in(e, id, 6), *dlse = e->g->node[id].nin == 8 ? eval_in(e, id, 7) : NULL;
  double *dq = eval_out(e, id, 0), *dk = eval_out(e, id, 1), *dv = eval_out(e, id, 2);
  for (int64_t t = 0; t < a.T; t++)
    for (int64_t h = 0; h < a.H; h++) {
      int64_t at = (t * a.H + h) * a.E;
      double delta = dlse ? -dlse[t * a.H + h] : 0;
      for (int64_t x = 0; x < a.E; x++) delta += dout[at + x] * out[at + x];
      attention_row_grad(&a, dout + at, lse[t * a.H + h], delta, t, h, dq, dk, dv);
    }
}

// ---- loss
typedef struct Head {
  const double *h, *w, *bias;  // bias: NULL, or one of every entry
  int64_t R, D, V;
  double cap;
} Head;

static Head head(Eval *e, NodeId id) {
  const Type *h = eval_type(e, id, 0), *w = eval_type(e, id, 1);
  const Node *n = &e->g->node[id];
  const double *bias = n->nin == op_max_in(n->op) ? eval_in(e, id, n->nin - 1) : NULL;
  return (Head){eval_in(e, id, 0), eval_in(e, id, 1), bias, eval_rows(e, h), h->dim[1], w->dim[0], n->attr.softcap};
}

// Logits of row r, and their derivative with respect to the raw product; returns the log of the sum.
static double logits(const Head *x, int64_t r, double *l, double *slope) {
  double top = -INFINITY, sum = 0;
  for (int64_t v = 0; v < x->V; v++) {
    double s = x->bias ? x->bias[v] : 0;
    for (int64_t d = 0; d < x->D; d++) s += x->h[r * x->D + d] * x->w[v * x->D + d];
    double th = x->cap > 0 ? tanh(s / x->cap) : 0;
    l[v] = x->cap > 0 ? x->cap * th : s;
    slope[v] = 1 - th * th;
    top = fmax(top, l[v]);
  }
  for (int64_t v = 0; v < x->V; v++) sum += exp(l[v] - top);
  return top + log(sum);
}

typedef void RowOf(void *user, int64_t r, int64_t label, const double *l, const double *slope, double lse);
static void each_row(Eval *e, NodeId id, const Head *x, RowOf *f, void *user) {
  if (!indices_fit(e, id, 2, 0, x->V)) return;
  double *l = need_alloc((size_t)x->V * 2 + 1, sizeof *l);
  for (int64_t r = 0; r < x->R; r++) {
    double lse = logits(x, r, l, l + x->V);
    f(user, r, index_of(e, id, 2, r), l, l + x->V, lse);
  }
  free(l);
}

typedef struct Loss {
  Head x;
  const double *g;
  double *nll, *dh, *dw, *db;
} Loss;

static void loss_row(void *user, int64_t r, int64_t label, const double *l, const double *slope, double lse) {
  Loss *o = user;
  if (o->nll) o->nll[r] = lse - l[label];
  for (int64_t v = 0; v < o->x.V && o->g; v++) {
    double d = o->g[r] * (exp(l[v] - lse) - (v == label)) * slope[v];
    if (o->db) o->db[v] += d;
    for (int64_t i = 0; i < o->x.D; i++) {
      if (o->dh) o->dh[r * o->x.D + i] += d * o->x.w[v * o->x.D + i];
      if (o->dw) o->dw[v * o->x.D + i] += d * o->x.h[r * o->x.D + i];
    }
  }
}

void eval_xent(Eval *e, NodeId id) {
  Loss o = {.x = head(e, id), .nll = eval_out(e, id, 0)};
  each_row(e, id, &o.x, loss_row, &o);
}

void eval_xent_grad(Eval *e, NodeId id) {
  Loss o = {.x = head(e, id), .g = eval_in(e, id, 3), .dh = eval_out(e, id, 0), .nll = eval_out(e, id, 1)};
  each_row(e, id, &o.x, loss_row, &o);
}

void eval_xent_dw(Eval *e, NodeId id) {
  Loss o = {.x = head(e, id), .g = eval_in(e, id, 3), .dw = eval_out(e, id, 0)};
  if (o.x.bias) o.db = eval_out(e, id, 1);
  each_row(e, id, &o.x, loss_row, &o);
}
