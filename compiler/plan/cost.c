// What every kernel has to do, and what it is called, from its class and extents: operations, and the bytes that no way of computing it goes without. A
// program's --profile holds what it took against that.
#include <string.h>

#include "dsl/base/bug.h"
#include "plan/plan.h"

// ---- row work

int64_t rowval_elems(const RowVal *v) {
  int64_t n = 1;
  for (int i = 0; i < v->rank; i++) n *= v->dim[i];
  return n;
}

bool row_is_sum(const RowVal *v) { return v->src == RV_OP && op_is(v->op, T_SUMS); }
bool row_is_rotate(const RowVal *v) { return v->src == RV_OP && op_is(v->op, T_HALVES); }

int64_t row_work(const RowProg *p) {
  int64_t work = 1;
  for (int i = 0; i < p->n; i++) {
    const RowVal *v = &p->v[i];
    if (v->src == RV_OP) work += rowval_elems(row_is_sum(v) ? &p->v[v->in[0]] : v) * op_cost(v->op);
  }
  return work;
}

// ---- operations, of one of what they are counted by

static int64_t columns(const Kernel *k) {
  int64_t n = 0;
  for (int i = 0; i < k->nmat; i++) n += k->N[i];
  return n;
}
static int64_t flops_none(const Kernel *k) { return (void)k, 0; }
static int64_t flops_row(const Kernel *k) { return row_work(&k->prog[0]) - 1; }
static int64_t flops_gemm(const Kernel *k) { return 2 * k->GEMM.K * columns(k); }
static int64_t flops_dw(const Kernel *k) { return 2 * k->DW.N * k->DW.K; }
// Each row meets S of the matrices, and so few are read whatever the rows.
static int64_t flops_experts(const Kernel *k) { return 2 * k->EXPERTS.S * k->EXPERTS.K * k->EXPERTS.N; }
static int64_t flops_lookup_dw(const Kernel *k) { return k->LOOKUP_DW.W; }
static int64_t flops_colsum(const Kernel *k) { return k->COLSUM.W; }
static int64_t flops_attention(const Kernel *k) { return 2 * k->ATTN.H * (k->ATTN.D + k->ATTN.E); }
// Scores again, and the gradients of probabilities, values, queries and keys.
static int64_t flops_attention_grad(const Kernel *k) { return 2 * k->ATTN_GRAD.H * (3 * k->ATTN_GRAD.D + 2 * k->ATTN_GRAD.E); }
static int64_t flops_xent(const Kernel *k) { return 2 * k->XENT.D * k->XENT.V; }
// Logits again, and a product with their gradient.
static int64_t flops_xent_twice(const Kernel *k) { return 4 * k->XENT.D * k->XENT.V; }

// ---- names

static void name_row(const Kernel *k, Buf *out) {
  const RowProg *p = &k->prog[0];
  enum { MOST = 5 };
  int64_t widest = 1;
  int said = 0;
  for (int i = 0; i < p->n; i++) widest = rowval_elems(&p->v[i]) > widest ? rowval_elems(&p->v[i]) : widest;
  buf_printf(out, " %lld", (long long)widest);
  for (int i = 0; i < p->n; i++) {
    bool again = p->v[i].src != RV_OP;
    for (int j = 0; j < i && !again; j++) again = p->v[j].src == RV_OP && p->v[j].op == p->v[i].op;
    if (again) continue;
    if (said++ == MOST) buf_puts(out, " …");
    if (said <= MOST) buf_printf(out, " %s", op_name(p->v[i].op));
  }
}
static void name_gemm(const Kernel *k, Buf *out) {
  buf_printf(out, " %lld -> ", (long long)k->GEMM.K);
  for (int i = 0; i < k->nmat; i++) buf_printf(out, "%s%lld", i ? "+" : "", (long long)k->N[i]);
}
static void name_extents(const Kernel *k, Buf *out) {
  for (int i = 0; i < kernel_class[k->cls].nextent; i++) buf_printf(out, "%s%lld", i ? " x " : " ", (long long)k->dim[i]);
}
static void name_matrix(const Kernel *k, Buf *out) { buf_printf(out, " %lld x %lld", (long long)k->dim[0], (long long)k->dim[1]); }
static void name_head(const Kernel *k, Buf *out) { buf_printf(out, " %lld -> %lld", (long long)k->XENT.D, (long long)k->XENT.V); }
static void name_experts(const Kernel *k, Buf *out) {
  const KExtents_EXPERTS *e = &k->EXPERTS;
  buf_printf(out, " %lld of %lld, %lld -> %lld", (long long)e->S, (long long)e->E, (long long)e->K, (long long)e->N);
}
static void name_attention(const Kernel *k, Buf *out) {
  buf_printf(out, " %lld/%lld x %lld", (long long)k->ATTN.H, (long long)k->ATTN.K, (long long)k->ATTN.D);
  if (k->ATTN.E != k->ATTN.D) buf_printf(out, "/%lld", (long long)k->ATTN.E);
}

// ---- the classes

typedef struct ClassCost {
  bool product;
  Per per;                     // of what its operations are those of one
  int64_t (*flops)(const Kernel *k);
  void (*name)(const Kernel *k, Buf *out);
  int panels, mask;            // 1 + the first argument that is panels, and the mask; 0: none
} ClassCost;
#define PANELS(cls) 1 + KARG(cls, packed)
#define MASK(cls) 1 + KARG(cls, mask)
static const ClassCost COST[K_COUNT] = {
  [K_ROW]       = {false, PER_ROW,  flops_row,            name_row,       0, 0},
  [K_GEMM]      = {true,  PER_ROW,  flops_gemm,           name_gemm,      PANELS(GEMM), 0},
  [K_GEMM_T]    = {true,  PER_ROW,  flops_gemm,           name_gemm,      PANELS(GEMM_T), 0},
  [K_DW]        = {true,  PER_ROW,  flops_dw,             name_matrix,    0, 0},
  [K_PACK]      = {false, PER_ROW,  flops_none,           name_matrix,    PANELS(PACK), 0},
  [K_LARGEST]   = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_PICK]      = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_UNPICK]    = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_EXPERTS]   = {true,  PER_ROW,  flops_experts,        name_experts,   PANELS(EXPERTS), 0},
  [K_EXPERTS_T] = {true,  PER_ROW,  flops_experts,        name_experts,   PANELS(EXPERTS_T), 0},
  [K_LOOKUP]    = {false, PER_ROW,  flops_none,           name_matrix,    0, 0},
  [K_LOOKUP_DW] = {false, PER_ROW,  flops_lookup_dw,      name_matrix,    0, 0},
  [K_TAKE]      = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_UNTAKE]    = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_APPEND]    = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_SLICE]     = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_UNSLICE]   = {false, PER_ROW,  flops_none,           name_extents,   0, 0},
  [K_COLSUM]    = {false, PER_ROW,  flops_colsum,         name_extents,   0, 0},
  [K_ATTN]      = {true,  PER_PAIR, flops_attention,      name_attention, 0, MASK(ATTN)},
  [K_ATTN_GRAD] = {true,  PER_PAIR, flops_attention_grad, name_attention, 0, MASK(ATTN_GRAD)},
  [K_XENT]      = {true,  PER_ROW,  flops_xent,           name_head,      PANELS(XENT), 0},
  [K_XENT_GRAD] = {true,  PER_ROW,  flops_xent_twice,     name_head,      PANELS(XENT_GRAD), 0},
  [K_XENT_DW]   = {true,  PER_ROW,  flops_xent_twice,     name_head,      PANELS(XENT_DW), 0},
};

static const ClassCost *class_cost(const Kernel *k) {
  const ClassCost *c = &COST[k->cls];
  if (!c->flops || !c->name) bug("kernel class %s has no row in cost.c", kernel_class[k->cls].name);
  return c;
}

// Arguments that are not read and written by the call's own rows, where they have rows, and else once.
static const struct { KernelClass cls; int arg; Per per; } OTHERWISE[] = {
  {K_LOOKUP, KARG(LOOKUP, table), PER_ROW},
  {K_UNTAKE, KARG(UNTAKE, dy), PER_SOURCE},        {K_UNTAKE, KARG(UNTAKE, idx), PER_SOURCE},
  {K_ATTN, KARG(ATTN, k), PER_KEY},                {K_ATTN, KARG(ATTN, v), PER_KEY},
  {K_ATTN_GRAD, KARG(ATTN_GRAD, k), PER_KEY},      {K_ATTN_GRAD, KARG(ATTN_GRAD, v), PER_KEY},
  {K_ATTN_GRAD, KARG(ATTN_GRAD, dk), PER_KEY},     {K_ATTN_GRAD, KARG(ATTN_GRAD, dv), PER_KEY},
};

static Per counted_by(const Kernel *k, int arg) {
  for (size_t i = 0; i < sizeof OTHERWISE / sizeof OTHERWISE[0]; i++)
    if (OTHERWISE[i].cls == k->cls && OTHERWISE[i].arg == arg) return OTHERWISE[i].per;
  return k->arg[arg].per_row ? PER_ROW : PER_CALL;
}

// One matrix is packed, but for those that share the left operand.
static bool is_panels(const Kernel *k, int arg) {
  int first = class_cost(k)->panels - 1;
  return first >= 0 && arg >= first && arg < first + (k->nmat ? k->nmat : 1);
}

static int64_t arg_bytes(const Kernel *k, int arg, Precision of) {
  Precision p = k->exact ? PRECISION_F32 : of;
  const KArg *a = &k->arg[arg];
  bool stack = (k->cls == K_EXPERTS || k->cls == K_EXPERTS_T) && is_panels(k, arg);
  int64_t elems = k->cls == K_LOOKUP && arg == KARG(LOOKUP, table) ? k->LOOKUP.W : stack ? k->EXPERTS.S * a->elems : a->elems;
  return elems * dtype_size(is_panels(k, arg) ? panel_under(a->dt, p) : a->cached ? cache_dtype(p) : a->dt);
}

void kernel_cost(const Kernel *k, KernelCost *c) {
  const ClassCost *of = class_cost(k);
  *c = (KernelCost){.product = of->product && !k->exact, .mask = of->mask ? of->mask : -1, .source = kernel_class[k->cls].form == FORM_SOURCE_ROWS ? 1 + k->narg : -1};
  c->flops[of->per] = of->flops(k);
  for (int i = 0; i < k->narg; i++)
    for (int p = 0; p < N_PRECISION && i != of->mask - 1; p++) c->bytes[counted_by(k, i)][p] += arg_bytes(k, i, (Precision)p);
}

void kernel_title(const Kernel *k, Buf *out) {
  const ClassCost *of = class_cost(k);
  buf_puts(out, kernel_class[k->cls].name);
  of->name(k, out);
  if (k->exact) buf_puts(out, " exact");
  if (of->panels && k->arg[of->panels - 1].dt != DT_F32) buf_printf(out, " %s", dtype_name(k->arg[of->panels - 1].dt));
}
