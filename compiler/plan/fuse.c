// Levels, units and what must be stored. See fuse.h.
#include "plan/fuse.h"

#include <stdlib.h>
#include <string.h>

typedef struct Fuser {
  const Graph *g;
  Arena *a;
  Fusion *f;
  bool forward_only;
  int *home;                   // gemm unit whose epilogue a row node joined, or -1
  bool *carried;               // row node that rests on no product, and yet is computed in an epilogue: all its users are there
  int *uses;                   // users of each node, outputs included
  int *by_input;               // node -> the last gemm unit that reads it, -1
  int *by_level;               // [(level * nsym + sym) * 2 + live] -> its row unit, -1
  bool *live;                  // node -> does it depend on a parameter, or is it the backward pass's? Nothing is in an entry that is not split (split.c)
} Fuser;

NodeId fuse_root(const Graph *g, NodeId n) {
  while (op_is(g->node[n].op, T_SAME_DATA)) n = g->node[n].in[0];
  return n;
}

bool fuse_is_static_row(const Graph *g, NodeId n) {
  return op_class(g->node[n].op) == OPC_ROW && type_row_sym(&g->node[n].type) < 0;
}

bool fuse_grad_param(const Output *o, const char **param) {
  return prog_name_is(OutputKind_names, OUTPUT_GRAD, o->name, param) && **param;
}

void fuse_grad_leaves(const Graph *g, NodeId n, void (*f)(void *user, NodeId leaf), void *user) {
  const Node *x = &g->node[n];
  const Node *p = &g->node[x->in[0]], *q = &g->node[x->in[1]];
  if (op_is(x->op, T_SUM_OF_TWO) && type_equal(&p->type, &x->type) && type_equal(&q->type, &x->type)) {
    fuse_grad_leaves(g, x->in[0], f, user);
    fuse_grad_leaves(g, x->in[1], f, user);
  } else {
    f(user, n);
  }
}

static bool skip(const Fuser *z, NodeId n) { return z->forward_only && z->g->node[n].backward; }

static bool is_row(const Graph *g, NodeId n) {
  return op_class(g->node[n].op) == OPC_ROW && type_row_sym(&g->node[n].type) >= 0;
}

// A view of row work, which starts a new group.
static bool is_row_view(const Graph *g, NodeId n) {
  return op_is(g->node[n].op, T_SAME_DATA) && op_class(g->node[fuse_root(g, n)].op) == OPC_ROW;
}

static bool is_heavy(const Graph *g, NodeId n) {
  OpClass c = op_class(g->node[n].op);
  return c != OPC_SOURCE && c != OPC_ROW && c != OPC_VIEW;
}

// ---- levels
static void levels_asap(Fuser *z) {
  const Graph *g = z->g;
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    int l = 0;
    for (int k = 0; k < n->nin; k++) l = z->f->level[n->in[k]] > l ? z->f->level[n->in[k]] : l;
    if (is_heavy(g, i)) l++;
    if (is_row_view(g, i)) l++;
    z->f->level[i] = l;
  }
}

// Backward row work and products that hang on forward values alone (recomputation) run as late as their users allow: run early they would keep
// their results alive from the forward pass on.
static bool may_wait(const Graph *g, NodeId i) { return is_row(g, i) || is_row_view(g, i) || op_class(g->node[i].op) == OPC_GEMM; }

static void levels_alap(Fuser *z) {
  const Graph *g = z->g;
  int *level = z->f->level, forward = 0;
  for (NodeId i = 0; i < g->n; i++) {
    if (!g->node[i].backward && level[i] > forward) forward = level[i];
  }
  int *late = ARENA_ARRAY(z->a, int, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) late[i] = -1;
  for (NodeId i = g->n - 1; i >= 0; i--) {
    const Node *n = &g->node[i];
    if (n->backward && may_wait(g, i) && level[i] <= forward && late[i] > level[i]) level[i] = late[i];
    for (int k = 0; k < n->nin; k++) {
      NodeId in = n->in[k];
      bool steps = is_heavy(g, i) || is_row_view(g, i);
      int need = level[i] - steps;
      if (late[in] < 0 || need < late[in]) late[in] = need;
    }
  }
}

// ---- what depends on parameters
static void find_live(Fuser *z) {
  const Graph *g = z->g;
  bool parted = prog_name_is(EntryKind_names, ENTRY_LOSS, g->name, &(const char *){NULL});
  for (NodeId i = 0; i < g->n; i++) parted |= g->node[i].backward;
  for (NodeId i = 0; parted && i < g->n; i++) {
    const Node *n = &g->node[i];
    z->live[i] = n->backward || op_is(n->op, T_TRAINED);
    for (int k = 0; k < n->nin; k++) z->live[i] |= z->live[n->in[k]];
  }
}

// ---- units
static int unit_new(Fuser *z, UnitKind kind, int level, int sym, NodeId first) {
  Unit u = {.kind = kind, .level = level, .sym = sym, .first = first, .live = z->live[first]};
  ARENA_PUSH(z->a, z->f->u, z->f->n, z->f->cap, u);
  return z->f->n - 1;
}

static void unit_push(Fuser *z, int id, NodeId n) {
  Unit *u = &z->f->u[id];
  ARENA_PUSH(z->a, u->node, u->n, u->cap, n);
  z->f->unit[n] = id;
}

enum { MOST_MATS = 4 };
// Products of one input share a unit, so that the input is read once and their results may meet in one epilogue; exact ones have one of their own.
static int gemm_unit(Fuser *z, NodeId i) {
  const Graph *g = z->g;
  const Node *n = &g->node[i];
  if (op_is(n->op, T_BY_OUTER)) return unit_new(z, UNIT_GEMM, z->f->level[i], -1, i);
  int *last = &z->by_input[2 * (size_t)fuse_root(g, n->in[0]) + (n->attr.of_linear.exact != 0)];
  const Unit *u = *last < 0 ? NULL : &z->f->u[*last];
  if (!u || u->level != z->f->level[i] || u->nheavy == MOST_MATS || u->live != z->live[i]) *last = unit_new(z, UNIT_GEMM, z->f->level[i], -1, i);
  return *last;
}

static void heavy_units(Fuser *z) {
  for (NodeId i = 0; i < z->g->n; i++) {
    if (!is_heavy(z->g, i) || skip(z, i)) continue;
    bool gemm = op_class(z->g->node[i].op) == OPC_GEMM;
    int u = gemm ? gemm_unit(z, i) : unit_new(z, UNIT_HEAVY, z->f->level[i], -1, i);
    unit_push(z, u, i);
    z->f->u[u].nheavy++;
  }
}

// ---- epilogues
static int64_t static_elems(const Type *t) { return type_row_elems(t); }

static bool same_extents(const Type *x, const Type *y) {
  if (x->rank != y->rank) return false;
  for (int i = 0; i < x->rank; i++) {
    if (x->dim[i] != y->dim[i]) return false;
  }
  return true;
}

// A shared operand of an epilogue: a scalar, or one value per column.
static bool shared_ok(const Graph *g, NodeId n, int64_t cols) {
  const Node *x = &g->node[n];
  int64_t e = static_elems(&x->type);
  if (e != 1 && e != cols) return false;
  if (!fuse_is_static_row(g, n)) return true;
  if (!op_is(x->op, T_EACH)) return false;
  for (int k = 0; k < x->nin; k++) {
    if (!shared_ok(g, x->in[k], cols)) return false;
  }
  return true;
}

// The unit that makes a value during level `level`, or -1 when it is there before.
static int made_by(const Fuser *z, NodeId n, int level) {
  NodeId r = fuse_root(z->g, n);
  if (op_is(z->g->node[r].op, T_PART)) r = z->g->node[r].in[0];
  if (z->f->level[r] < level || op_class(z->g->node[r].op) == OPC_SOURCE) return -1;
  return z->home[r] >= 0 ? z->home[r] : z->f->unit[r];
}

// The gemm unit whose epilogue row node i may join, or -1.
static int epilogue_home(const Fuser *z, NodeId i) {
  const Graph *g = z->g;
  const Node *n = &g->node[i];
  if (!op_is(n->op, T_EPILOGUE)) return -1;
  int target = -1, level = z->f->level[i];
  for (int k = 0; k < n->nin; k++) {
    if (type_row_sym(&g->node[n->in[k]].type) < 0) continue;
    int u = made_by(z, n->in[k], level);
    if (u >= 0 && z->f->u[u].kind == UNIT_GEMM && (target < 0 || z->f->u[u].first > z->f->u[target].first)) target = u;
  }
  if (target < 0 || z->f->u[target].live != z->live[i]) return -1;
  int64_t cols = static_elems(&n->type);
  for (int k = 0; k < n->nin; k++) {
    const Node *x = &g->node[n->in[k]];
    if (type_row_sym(&x->type) < 0) {
      if (!shared_ok(g, n->in[k], cols)) return -1;
      continue;
    }
    if (!same_extents(&x->type, &n->type)) return -1;
    if (op_is(x->op, T_SAME_DATA) && made_by(z, n->in[k], level) >= 0) return -1;
    int u = made_by(z, n->in[k], level);
    bool row_later = z->f->level[n->in[k]] == level && op_class(x->op) == OPC_ROW && z->home[n->in[k]] < 0 && !z->carried[n->in[k]];
    if (row_later || (u >= 0 && u != target && z->f->u[u].first > z->f->u[target].first)) return -1;
  }
  return target;
}

// The products (as a bit set) that row or product node n of unit u rests on.
static unsigned products(const Fuser *z, int u, NodeId n) {
  const Unit *x = &z->f->u[u];
  for (int m = 0; m < x->nheavy; m++) {
    if (x->node[m] == n) return 1u << m;
  }
  if (z->home[n] != u) return 0;
  unsigned set = 0;
  const Node *node = &z->g->node[n];
  for (int k = 0; k < node->nin; k++) set |= products(z, u, node->in[k]);
  return set;
}

static bool may_pair(const Fuser *z, int u) {
  const Unit *x = &z->f->u[u];
  for (int m = 1; m < x->nheavy; m++) {
    if (!same_extents(&z->g->node[x->node[m]].type, &z->g->node[x->node[0]].type)) return false;
  }
  return true;
}

// Whether row node i may be computed in whatever epilogue of its level: from what was there before, or is carried itself.
static bool may_be_carried(const Fuser *z, NodeId i) {
  const Graph *g = z->g;
  const Node *n = &g->node[i];
  if (!op_is(n->op, T_EPILOGUE) || !n->backward) return false;      // in the forward pass row work runs where its operands are made
  for (int k = 0; k < n->nin; k++) {
    const Node *x = &g->node[n->in[k]];
    if (type_row_sym(&x->type) < 0) {
      if (!shared_ok(g, n->in[k], static_elems(&n->type))) return false;
    } else if (!same_extents(&x->type, &n->type) || (z->f->level[fuse_root(g, n->in[k])] >= z->f->level[i] && op_class(x->op) != OPC_SOURCE && !z->carried[n->in[k]])) {
      return false;
    }
  }
  return true;
}

static void find_homes(Fuser *z) {
  for (NodeId i = 0; i < z->g->n; i++) {
    z->home[i] = -1;
    z->carried[i] = z->carried[i] && may_be_carried(z, i);
    if (!is_row(z->g, i) || skip(z, i) || z->carried[i]) continue;
    int u = epilogue_home(z, i);
    if (u < 0) continue;
    z->home[i] = u;
    unsigned set = products(z, u, i);
    if (!set || ((set & (set - 1)) && !may_pair(z, u))) z->home[i] = -1;
  }
}

// What a node's users are to it: nobody, one epilogue of its own level, or others.
enum { NOBODY = -2, OTHERS = -1 };
static void meet(int *users, int user) { *users = *users == NOBODY || *users == user ? user : OTHERS; }

static void outputs_are_users(const Fuser *z, int *users) {
  for (NodeId i = 0; i < z->g->n; i++) users[i] = NOBODY;
  for (int i = 0; i < z->g->nout; i++) users[z->g->out[i].node] = OTHERS;
}

// Carried nodes go where their users are. One with users elsewhere is carried no longer, and where its users go has to be found again: true.
static bool settle(Fuser *z, int *users) {
  const Graph *g = z->g;
  bool again = false;
  outputs_are_users(z, users);
  for (NodeId i = g->n - 1; i >= 0; i--) {
    if (skip(z, i)) continue;
    if (z->carried[i]) {
      int u = users[i];
      bool there = u >= 0 && z->f->u[u].live == z->live[i] && z->f->u[u].level == z->f->level[i];
      if (there) z->home[i] = u;
      else z->carried[i] = false, again = true;
    }
    for (int k = 0; k < g->node[i].nin; k++) meet(&users[g->node[i].in[k]], z->home[i] >= 0 ? z->home[i] : OTHERS);
  }
  return again;
}

// How many users a node has in the row kernel of its level, in its own unit, and beyond both.
typedef struct Users { int rows, inside, beyond; } Users;

static void count_user(const Fuser *z, NodeId i, NodeId x, Users *of) {
  const Graph *g = z->g;
  int u = z->home[x] >= 0 ? z->home[x] : z->f->unit[x];
  bool row = is_row(g, i) && z->home[i] < 0;
  bool level = z->f->level[i] == z->f->level[x] && z->live[i] == z->live[x] && type_row_sym(&g->node[i].type) == type_row_sym(&g->node[x].type);
  if (row && level) of->rows++;
  else if (u >= 0 && z->home[i] == u) of->inside++;
  else of->beyond++;
}

// Whether what row node i of an epilogue reads of its own unit is stored without it as well.
static bool reads_what_stands(const Fuser *z, NodeId i, const Users *of) {
  const Node *n = &z->g->node[i];
  for (int k = 0; k < n->nin; k++) {
    NodeId x = n->in[k];
    bool inside = z->f->unit[x] == z->home[i] || z->home[x] == z->home[i];
    if (inside && !of[x].rows && !of[x].beyond) return false;
  }
  return true;
}

// What only the row kernel of the same level reads is left to it where nothing more has to be stored for that: the square that a norm sums.
static void leave_to_rows(Fuser *z) {
  const Graph *g = z->g;
  Users *of = ARENA_ARRAY(z->a, Users, g->n + 1);
  for (int i = 0; i < g->nout; i++) of[g->out[i].node].beyond++;
  for (NodeId i = g->n - 1; i >= 0; i--) {
    if (skip(z, i)) continue;
    bool alone = z->home[i] >= 0 && of[i].rows && !of[i].inside && !of[i].beyond;
    if (alone && reads_what_stands(z, i, of)) z->home[i] = -1;
    for (int k = 0; k < g->node[i].nin; k++) count_user(z, i, g->node[i].in[k], &of[g->node[i].in[k]]);
  }
}

static void join(Fuser *z) {
  for (NodeId i = 0; i < z->g->n; i++) {
    if (z->home[i] < 0) continue;
    unsigned set = products(z, z->home[i], i);
    if (set & (set - 1)) z->f->u[z->home[i]].paired = true;
    unit_push(z, z->home[i], i);
  }
}

static void epilogues(Fuser *z) {
  int *users = ARENA_ARRAY(z->a, int, z->g->n + 1);
  for (NodeId i = 0; i < z->g->n; i++) z->carried[i] = is_row(z->g, i) && !skip(z, i) && may_be_carried(z, i);
  do find_homes(z);
  while (settle(z, users));
  leave_to_rows(z);
  join(z);
}

static void row_units(Fuser *z) {
  for (NodeId i = 0; i < z->g->n; i++) {
    if (!is_row(z->g, i) || skip(z, i) || z->home[i] >= 0) continue;
    int sym = type_row_sym(&z->g->node[i].type), *u = &z->by_level[((size_t)z->f->level[i] * (size_t)z->g->nsym + (size_t)sym) * 2 + z->live[i]];
    if (*u < 0) *u = unit_new(z, UNIT_ROW, z->f->level[i], sym, i);
    unit_push(z, *u, i);
  }
}

// ---- what must be stored
static void want(Fuser *z, NodeId n) {
  n = fuse_root(z->g, n);
  if (op_is(z->g->node[n].op, T_PART)) {
    z->f->stored[n] = true;
    return;
  }
  if (op_class(z->g->node[n].op) == OPC_SOURCE) return;
  z->f->stored[n] = true;
}

static void want_inline(Fuser *z, NodeId n);

// A user outside n's unit reads n: from memory, or, for static row work, by repeating it.
static void want_from_row(Fuser *z, NodeId n) {
  NodeId r = fuse_root(z->g, n);
  if (r == n && fuse_is_static_row(z->g, n)) want_inline(z, n);
  else want(z, n);
}

static void want_inline(Fuser *z, NodeId n) {
  for (int k = 0; k < z->g->node[n].nin; k++) want_from_row(z, z->g->node[n].in[k]);
}

static void want_leaf(void *user, NodeId leaf) {
  Fuser *z = user;
  if (op_class(z->g->node[leaf].op) == OPC_DW && z->uses[leaf] == 1) return;    // adds straight to the gradient
  want(z, leaf);
}

static void stored(Fuser *z) {
  const Graph *g = z->g;
  for (int i = 0; i < g->nout; i++) {
    const char *param;
    if (skip(z, g->out[i].node)) continue;
    if (fuse_grad_param(&g->out[i], &param)) fuse_grad_leaves(g, g->out[i].node, want_leaf, z);
    else want(z, g->out[i].node);
  }
  for (NodeId i = 0; i < g->n; i++) {
    if (skip(z, i)) continue;
    const Node *n = &g->node[i];
    for (int k = 0; k < n->nin; k++) {
      if (is_heavy(g, i)) want(z, n->in[k]);
      else if (is_row(g, i) && (z->f->unit[i] != z->f->unit[n->in[k]] || z->f->unit[i] < 0)) want_from_row(z, n->in[k]);
    }
  }
  for (NodeId i = g->n - 1; i >= 0; i--) {                                   // static row work that must stand in memory
    if (!z->f->stored[i] || !fuse_is_static_row(g, i) || skip(z, i)) continue;
    unit_push(z, unit_new(z, UNIT_STATIC, z->f->level[i], -1, i), i);
    want_inline(z, i);
  }
}

static int by_time(const void *x, const void *y, void *user) {
  const Fusion *f = user;
  const Unit *u = &f->u[*(const int *)x], *v = &f->u[*(const int *)y];
  if (u->level != v->level) return u->level < v->level ? -1 : 1;
  int ku = u->kind == UNIT_ROW ? 2 : u->kind == UNIT_STATIC ? 1 : 0, kv = v->kind == UNIT_ROW ? 2 : v->kind == UNIT_STATIC ? 1 : 0;
  if (ku != kv) return ku - kv;
  if (ku == 2 && u->live != v->live) return u->live - v->live;      // what is live may read what is not
  return (u->first > v->first) - (u->first < v->first);
}

static void find_units(Fuser *z) {
  int levels = 0;
  z->by_input = ARENA_ARRAY(z->a, int, 2 * (size_t)z->g->n + 1);
  for (NodeId i = 0; i < z->g->n; i++) {
    z->by_input[2 * i] = z->by_input[2 * i + 1] = -1;
    if (z->f->level[i] >= levels) levels = z->f->level[i] + 1;
  }
  size_t n = (size_t)levels * (size_t)z->g->nsym * 2;
  z->by_level = ARENA_ARRAY(z->a, int, n + 1);
  for (size_t i = 0; i < n; i++) z->by_level[i] = -1;
}

Fusion *fuse(const Graph *g, Arena *a, bool forward_only) {
  Fusion *f = ARENA_NEW(a, Fusion);
  size_t n = (size_t)g->n + 1;
  f->level = ARENA_ARRAY(a, int, n);
  f->unit = ARENA_ARRAY(a, int, n);
  f->stored = ARENA_ARRAY(a, bool, n);
  Fuser z = {.g = g, .a = a, .f = f, .forward_only = forward_only};
  z.home = ARENA_ARRAY(a, int, n);
  z.uses = ARENA_ARRAY(a, int, n);
  z.live = ARENA_ARRAY(a, bool, n);
  z.carried = ARENA_ARRAY(a, bool, n);
  for (NodeId i = 0; i < g->n; i++) {
    f->unit[i] = -1;
    for (int k = 0; k < g->node[i].nin; k++) z.uses[g->node[i].in[k]]++;
  }
  for (int i = 0; i < g->nout; i++) z.uses[g->out[i].node]++;
  find_live(&z);
  levels_asap(&z);
  levels_alap(&z);
  find_units(&z);
  heavy_units(&z);
  epilogues(&z);
  row_units(&z);
  stored(&z);
  f->order = ARENA_ARRAY(a, int, f->n + 1);
  for (int i = 0; i < f->n; i++) f->order[i] = i;
  if (f->n) qsort_r(f->order, (size_t)f->n, sizeof(int), by_time, f);
  return f;
}
