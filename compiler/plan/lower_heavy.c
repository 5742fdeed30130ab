// Heavy ops: which kernel, which arguments, in the order kernels.def says.

#include "plan/lower.h"

#include "dsl/base/bug.h"
#include "graph/ops.h"

typedef struct In {            // a node's input: buffer, and extents within a row
  int buf;
  const Type *t;
} In;

static In in(Lower *l, const Node *n, int k) { return (In){lower_buf(l, n->in[k]), &l->g->node[n->in[k]].type}; }

static int64_t product(const int64_t *d, int n) {
  int64_t p = 1;
  for (int i = 0; i < n; i++) p *= d[i];
  return p;
}

// w[out…, in…]: N = product of out…, K = product of the last `inner` extents.
static void matrix_extents(const Type *w, int inner, int64_t *N, int64_t *K) {
  *N = product(w->dim, w->rank - inner);
  *K = product(w->dim + w->rank - inner, inner);
}

// The buffer of result k of a node with several; one nobody asked for is still written, to a buffer of its own.
static int result(Lower *l, NodeId n, int k) {
  NodeId part = l->part[(size_t)n * MAX_OUT + (size_t)k];
  if (part != NODE_NONE) return lower_buf(l, part);
  const Type *t = &l->g->node[n].out[k];
  return lower_new_act(l, t->dt, lower_sym(l, t), type_row_elems(t));
}

static Call *call(Lower *l, KernelDraft *d, const Type *rows) { return lower_call(l, d, lower_sym(l, rows), 0); }

// Arguments of a heavy kernel stay as they are listed, also when one buffer stands for two.
static void arg(Lower *l, KernelDraft *d, int buf, bool written) {
  const PBuf *b = &l->p->buf[buf];
  KArg a = {.dt = b->dt, .per_row = b->sym >= 0, .written = written, .cached = b->kind == BUF_CACHE && b->cached.of >= 0, .elems = b->elems};
  int nbuf = d->k.narg;
  ARENA_PUSH(l->p->arena, d->k.arg, d->k.narg, d->caparg, a);
  ARENA_PUSH(l->p->arena, d->buf, nbuf, d->capbuf, buf);
}

static void dw(Lower *l, const Node *n, int out, bool accumulate) {
  In dy = in(l, n, 0), x = in(l, n, 1);
  KernelDraft d = {.k = {.cls = K_DW, .DW = {.N = type_row_elems(dy.t), .K = type_row_elems(x.t)}, .exact = n->attr.of_linear_dw.exact}};
  arg(l, &d, dy.buf, false);
  arg(l, &d, x.buf, false);
  arg(l, &d, out, true);
  call(l, &d, dy.t)->accumulate = accumulate;
}

void lower_linear_dw(Lower *l, NodeId id) { dw(l, &l->g->node[id], lower_buf(l, id), false); }

void lower_lookup(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In ids = in(l, n, 0);
  const Node *table = &l->g->node[n->in[1]];
  bool rounded = op_is(table->op, T_ROUNDED);
  KernelDraft d = {.k = {.cls = K_LOOKUP, .LOOKUP = {.V = table->type.dim[0], .W = type_row_elems(&n->type), .rounded = rounded, .from = n->attr.of_lookup.from}}};
  arg(l, &d, ids.buf, false);
  arg(l, &d, lower_buf(l, rounded ? table->in[0] : n->in[1]), false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, ids.t);
}

void lower_lookup_dw(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In ids = in(l, n, 0), dy = in(l, n, 1);
  KernelDraft d = {.k = {.cls = K_LOOKUP_DW, .LOOKUP_DW = {.V = n->type.dim[0], .W = type_row_elems(dy.t), .from = n->attr.of_lookup_dw.from}}};
  arg(l, &d, ids.buf, false);
  arg(l, &d, dy.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, ids.t);
}

void lower_take(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In x = in(l, n, 0), idx = in(l, n, 1);
  if (n->type.dt == DT_MASK) return;                        // the runtime gives the mask of the taken rows
  KernelDraft d = {.k = {.cls = K_TAKE, .TAKE = {.W = type_row_elems(x.t), .bytes = dtype_size(x.t->dt)}}};
  arg(l, &d, x.buf, false);
  arg(l, &d, idx.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, idx.t);
}

void lower_untake(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In dy = in(l, n, 0), idx = in(l, n, 1);
  KernelDraft d = {.k = {.cls = K_UNTAKE, .UNTAKE = {.W = type_row_elems(dy.t)}}};
  arg(l, &d, dy.buf, false);
  arg(l, &d, idx.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, &n->type);
}

// Rows are A groups of B elements, the piece is C of each, from element `from` on.
static void move_piece(Lower *l, NodeId id, KernelClass cls, const Type *wide, const Type *piece) {
  const Node *n = &l->g->node[id];
  In x = in(l, n, 0);
  int axis = (int)n->attr.of_slice.axis;                     // and of an unslice
  int64_t A = product(wide->dim + 1, axis - 1), inner = product(wide->dim + axis + 1, wide->rank - axis - 1);
  KernelDraft d = {.k = {.cls = cls}};                      // the two agree on these
  d.k.SLICE = (KExtents_SLICE){.A = A, .B = wide->dim[axis] * inner, .C = piece->dim[axis] * inner, .from = n->attr.of_slice.from * inner};
  arg(l, &d, x.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, x.t);
}
void lower_slice(Lower *l, NodeId id) { move_piece(l, id, K_SLICE, in(l, &l->g->node[id], 0).t, &l->g->node[id].type); }
void lower_unslice(Lower *l, NodeId id) { move_piece(l, id, K_UNSLICE, &l->g->node[id].type, in(l, &l->g->node[id], 0).t); }

void lower_largest(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In x = in(l, n, 0);
  KernelDraft d = {.k = {.cls = K_LARGEST, .LARGEST = {.E = type_row_elems(x.t), .S = type_row_elems(&n->type)}}};
  arg(l, &d, x.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, x.t);
}

static void by_ids(Lower *l, NodeId id, KernelClass cls, const Type *wide, const Type *picked) {
  const Node *n = &l->g->node[id];
  KernelDraft d = {.k = {.cls = cls, .PICK = {.E = type_row_elems(wide), .S = type_row_elems(picked)}}};     // the two agree on these
  arg(l, &d, in(l, n, 0).buf, false);
  arg(l, &d, in(l, n, 1).buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, wide);
}
void lower_pick(Lower *l, NodeId id) { by_ids(l, id, K_PICK, in(l, &l->g->node[id], 0).t, &l->g->node[id].type); }
void lower_unpick(Lower *l, NodeId id) { by_ids(l, id, K_UNPICK, &l->g->node[id].type, in(l, &l->g->node[id], 0).t); }

static void experts(Lower *l, NodeId id, bool joins) {
  const Node *n = &l->g->node[id];
  In x = in(l, n, 0), ids = in(l, n, 2);
  const Type *w = &l->g->node[n->in[1]].type;
  int64_t S = ids.t->dim[1], K = type_row_elems(x.t) / (joins ? S : 1), N = type_row_elems(&n->type) / (joins ? 1 : S);
  bool forward = !op_is(n->op, T_BY_OUTER);
  KernelDraft d = {.k = {.cls = forward ? K_EXPERTS : K_EXPERTS_T, .EXPERTS = {.K = K, .N = N, .E = w->dim[0], .S = S, .joins = joins}, .exact = n->attr.of_to_experts.exact}};     // the two agree on these
  int packed = lower_stack(l, n->in[1], forward ? N : K, forward ? K : N, d.k.exact, lower_of(l, x.t));
  arg(l, &d, x.buf, false);
  arg(l, &d, packed, false);
  arg(l, &d, ids.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  call(l, &d, x.t);
}
void lower_to_experts(Lower *l, NodeId id) { experts(l, id, false); }
void lower_to_experts_dx(Lower *l, NodeId id) { experts(l, id, true); }
void lower_from_experts(Lower *l, NodeId id) { experts(l, id, true); }
void lower_from_experts_dx(Lower *l, NodeId id) { experts(l, id, false); }

void lower_append(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In cache = in(l, n, 0), x = in(l, n, 1), slots = in(l, n, 2);
  KernelDraft d = {.k = {.cls = K_APPEND, .APPEND = {.W = type_row_elems(x.t)}}};
  arg(l, &d, x.buf, false);
  arg(l, &d, slots.buf, false);
  arg(l, &d, cache.buf, true);
  call(l, &d, x.t)->of = l->p->buf[cache.buf].cached.of;
}

void lower_colsum(Lower *l, NodeId id) {
  const Node *n = &l->g->node[id];
  In x = in(l, n, 0);
  int64_t width = type_row_elems(&n->type);
  KernelDraft d = {.k = {.cls = K_COLSUM, .COLSUM = {.W = width}}};
  arg(l, &d, x.buf, false);
  arg(l, &d, lower_buf(l, id), true);
  lower_call(l, &d, lower_sym(l, x.t), lower_sym(l, x.t) < 0 ? x.t->dim[0] : 0);
}

// Inputs: [out',] q, k, v, mask [, out, lse [, lse']]; the last stands behind everything that gradients without it have.
static void attention(Lower *l, NodeId id, bool grad) {
  const Node *n = &l->g->node[id];
  int q = grad;
  const Type *tq = in(l, n, q).t, *tk = in(l, n, q + 1).t, *tv = in(l, n, q + 2).t;
  KernelDraft d = {.k = {.cls = grad ? K_ATTN_GRAD : K_ATTN, .scale = n->attr.scale, .softcap = n->attr.softcap}};
  if (grad) d.k.ATTN_GRAD = (KExtents_ATTN_GRAD){.H = tq->dim[1], .K = tk->dim[1], .D = tq->dim[2], .E = tv->dim[2], .shifted = n->nin > op_min_in(n->op)};
  else d.k.ATTN = (KExtents_ATTN){.H = tq->dim[1], .K = tk->dim[1], .D = tq->dim[2], .E = tv->dim[2]};
  for (int k = 0; k < op_min_in(n->op); k++) arg(l, &d, in(l, n, k).buf, false);
  for (int k = 0; k < n->nout; k++) arg(l, &d, result(l, id, k), true);
  for (int k = op_min_in(n->op); k < n->nin; k++) arg(l, &d, in(l, n, k).buf, false);
  call(l, &d, tq);
}

void lower_attention(Lower *l, NodeId id) { attention(l, id, false); }
void lower_attention_grad(Lower *l, NodeId id) { attention(l, id, true); }

// A bias stands behind everything that a head without one has.
static void loss(Lower *l, NodeId id, KernelClass cls) {
  const Node *n = &l->g->node[id];
  int rows = op_min_in(n->op);
  In h = in(l, n, 0);
  const Type *w = &l->g->node[n->in[1]].type;
  KernelDraft d = {.k = {.cls = cls, .XENT = {.D = type_row_elems(h.t), .V = w->dim[0], .biased = n->nin > rows}, .softcap = n->attr.softcap}};   // the three agree on these
  int packed = lower_packed(l, n->in[1], w->dim[0], type_row_elems(h.t), false, lower_of(l, h.t));
  arg(l, &d, h.buf, false);
  arg(l, &d, packed, false);
  for (int k = 2; k < rows; k++) arg(l, &d, in(l, n, k).buf, false);
  int before = cls == K_XENT_DW ? 1 : n->nout;
  if (n->nout == 1) arg(l, &d, lower_buf(l, id), true);
  else for (int k = 0; k < before; k++) arg(l, &d, result(l, id, k), true);
  if (n->nin > rows) arg(l, &d, in(l, n, rows).buf, false);
  for (int k = before; k < n->nout; k++) arg(l, &d, result(l, id, k), true);
  call(l, &d, h.t);
}

void lower_xent(Lower *l, NodeId id) { loss(l, id, K_XENT); }
void lower_xent_grad(Lower *l, NodeId id) { loss(l, id, K_XENT_GRAD); }
void lower_xent_dw(Lower *l, NodeId id) { loss(l, id, K_XENT_DW); }

void lower_none(Lower *l, NodeId id) { bug("op %s has no kernel of its own", op_name(l->g->node[id].op)); }

static LowerRule *const rule[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) lower_##lower,
#include "graph/ops.def"
#undef X
};

void lower_heavy(Lower *l, NodeId id) { rule[l->g->node[id].op](l, id); }

// ---- products
// Which product an epilogue value belongs to (paired units: all go to program 0).
static int product_of(const Lower *l, const Unit *u, NodeId n) {
  for (int m = 0; m < u->nheavy; m++) {
    if (u->node[m] == n) return m;
  }
  const Node *x = &l->g->node[n];
  for (int k = 0; k < x->nin; k++) {
    if (l->f->unit[x->in[k]] < 0 || &l->f->u[l->f->unit[x->in[k]]] != u) continue;
    int m = product_of(l, u, x->in[k]);
    if (m >= 0) return m;
  }
  return -1;
}

static void epilogue(Lower *l, KernelDraft *d, const Unit *u, int prog) {
  ProgBuilder b = prog_begin(l, d, u, prog);
  bool any = false;
  for (int i = 0; i < u->n; i++) {
    if (!u->paired && product_of(l, u, u->node[i]) != prog) continue;
    any |= i >= u->nheavy;
  }
  if (!any && !u->paired) {                                 // a plain store
    draft_arg(l, d, lower_buf(l, u->node[prog]), true);
    return;
  }
  for (int i = 0; i < u->n; i++) {
    if (u->paired || product_of(l, u, u->node[i]) == prog) prog_value(&b, u->node[i]);
  }
  for (int i = 0; i < u->n; i++) {
    if ((u->paired || product_of(l, u, u->node[i]) == prog) && l->f->stored[u->node[i]]) prog_store(&b, u->node[i]);
  }
}

// A unit whose plain stores do not sit at argument 1 + nmat + i would be misread: every product gets an epilogue or none does.
static bool has_epilogue(const Lower *l, const Unit *u, int m) {
  for (int i = u->nheavy; i < u->n; i++) {
    if (product_of(l, u, u->node[i]) == m) return true;
  }
  return false;
}

static void trivial_epilogue(Lower *l, KernelDraft *d, const Unit *u, int m) {
  ProgBuilder b = prog_begin(l, d, u, m);
  prog_store(&b, u->node[m]);
}

void lower_gemm(Lower *l, const Unit *u) {
  const Node *first = &l->g->node[u->node[0]];
  In x = in(l, first, 0);
  bool forward = !op_is(first->op, T_BY_OUTER);
  KernelDraft d = {.k = {.cls = forward ? K_GEMM : K_GEMM_T, .GEMM = {.K = type_row_elems(x.t)}, .nmat = u->nheavy, .paired = u->paired, .exact = first->attr.of_linear.exact}};
  int packed[MAX_MATS];
  for (int m = 0; m < u->nheavy; m++) {
    const Node *n = &l->g->node[u->node[m]];
    int64_t N, K;
    matrix_extents(&l->g->node[n->in[1]].type, (int)n->attr.of_linear.inner, &N, &K);
    d.k.N[m] = forward ? N : K;
    packed[m] = lower_packed(l, n->in[1], N, K, d.k.exact, lower_of(l, x.t));
  }
  arg(l, &d, x.buf, false);
  for (int m = 0; m < u->nheavy; m++) arg(l, &d, packed[m], false);
  bool any = false;
  for (int m = 0; m < u->nheavy; m++) any |= has_epilogue(l, u, m);
  if (u->paired) {
    epilogue(l, &d, u, 0);
  } else {
    for (int m = 0; m < u->nheavy; m++) {
      if (any && !has_epilogue(l, u, m)) trivial_epilogue(l, &d, u, m);
      else epilogue(l, &d, u, m);
    }
  }
  call(l, &d, x.t);
}

// ---- gradients of parameters
static void accumulate(Lower *l, NodeId leaf, int grad) {
  const Type *t = &l->g->node[leaf].type;
  bool lead = t->rank >= 2;
  int64_t rows = lead ? t->dim[0] : 1, elems = type_row_elems(t) / (rows ? rows : 1);
  KernelDraft d = {.k = {.cls = K_ROW}};
  RowVal v[3] = {{.src = RV_LOAD, .rank = 1, .dim = {elems}, .store = -1}, {.src = RV_LOAD, .rank = 1, .dim = {elems}, .store = -1},
                 {.src = RV_OP, .op = OP_add, .in = {0, 1}, .rank = 1, .dim = {elems}}};
  v[0].arg = draft_arg_rows(l, &d, grad, false, true, elems);
  v[1].arg = draft_arg_rows(l, &d, lower_buf(l, leaf), false, true, elems);
  v[2].store = draft_arg_rows(l, &d, grad, true, true, elems);
  d.k.prog[0].v = ARENA_ARRAY(l->p->arena, RowVal, 3);
  for (int i = 0; i < 3; i++) d.k.prog[0].v[i] = v[i];
  d.k.prog[0].n = 3;
  lower_call(l, &d, -1, rows);
}

void lower_grad(Lower *l, NodeId leaf, const char *param) {
  const Node *n = &l->g->node[leaf];
  int grad = plan_named_buf(l->p, BUF_GRAD, param, &n->type, -1);
  if (op_class(n->op) == OPC_DW && !l->f->stored[leaf]) dw(l, n, grad, true);
  else accumulate(l, leaf, grad);
}
