// One graph per entry of the program: the residual streams of all models, joined by the connections, and what the entry wants.
#include <string.h>

#include "autodiff/autodiff.h"
#include "build/ctx.h"
#include "passes/passes.h"

// The state that a model's embedding or block k gives. A block gives what it is given, so that after an error the layer below stands in for
// it; of a model that is not sound the embedding says the type, and no more is looked at.
static NodeId own_state(Ev *ev, MInst *m, int k) {
  if (!m->counted) return NODE_NONE;
  if (!k) {
    ev->b->mute += !m->sound;
    NodeId x = arch_embed(ev, m);
    ev->b->mute -= !m->sound;
    return x;
  }
  ev->unread = m->index != ev->b->anchor && k > m->read;
  ev->layer = k;
  NodeId below = ev->state[m->index][k - 1], x = m->sound && !m->lacks_weight ? arch_block(ev, m, m->lo + k - 1, below) : below;
  ev->unread = false;
  return x == NODE_NONE ? below : x;
}

// Is what layer k of a model needs made? Else it comes first.
static bool made(Ev *ev, int model, int k) {
  if (ev->made[model][k]) return true;
  Want w = {model, k, ev->b->model[model].into[k], WANT_BELOW, NODE_NONE, NODE_NONE};
  ARENA_PUSH(ev->b->a, ev->want, ev->nwant, ev->capwant, w);
  return false;
}

// What connection c adds, as the runtime says at the time: as it is, in another measure, or not at all. Not where gradients are taken of it.
static NodeId measured(Ev *ev, const Conn *c, NodeId d) {
  if (d == NODE_NONE || (ev->entry != ENTRY_LOSS && ev->entry != ENTRY_STEP && ev->entry != ENTRY_SCORE)) return d;
  const char *name = arena_printf(ev->b->a, "%s.%s.%d", input_name(INPUT_GAIN), ev->g->model[c->pub.to].name, (int)(c - ev->b->conn));
  return t_bin(ev, c->decl->loc, OP_gain, t_input(ev, name, &(Type){.dt = DT_F32}), d);
}

// What connection c adds to the state x.
static NodeId addition(Ev *ev, const Conn *c, NodeId x) {
  NodeId a = ev->state[c->pub.from][c->pub.from_layer];
  if (c->tap) a = arch_tap(ev, &ev->b->model[c->pub.from], c->tap, c->pub.from_layer, a);
  const char *to = arena_printf(ev->b->a, "layer %d of model '%s'", c->pub.to_layer, ev->b->model[c->pub.to].pub->name);
  NodeId d = op_apply(ev, &(Applied){c->pub.name, c->decl, c->decl->kid[2], c->op, to}, x, a);
  if (ev->delta) bound_connection(ev, (int)(c - ev->b->conn), x, a, d);
  NodeId added = measured(ev, c, d);
  if (ev->delta) ev->delta[c - ev->b->conn] = added;         // a model's own hash is of all but what is added to it
  return added;
}

// One step towards a state. A block reads the layer below; every addition to a layer reads the layer before any of them.
static void make_on(Ev *ev, Want *w) {
  Build *b = ev->b;
  const Conn *c = w->conn >= 0 ? &b->conn[w->conn] : NULL;
  if (w->step == WANT_BELOW) {
    w->step = WANT_OWN;
    if (w->layer) made(ev, w->model, w->layer - 1);
  } else if (w->step == WANT_OWN) {
    w->step = WANT_ADDED;
    w->own = w->sum = own_state(ev, &b->model[w->model], w->layer);
  } else if (c && w->own != NODE_NONE) {
    if (c->op && !made(ev, c->pub.from, c->pub.from_layer)) return;
    NodeId d = c->op ? addition(ev, c, w->own) : NODE_NONE;
    if (d != NODE_NONE) w->sum = t_bin(ev, c->decl->loc, OP_add, w->sum, d);      // after an error go on, for others
    w->conn = c->next;
  } else {
    ev->state[w->model][w->layer] = w->sum;
    ev->made[w->model][w->layer] = true;
    ev->nwant--;
  }
}

// Layer k of a model after additions. A list of wanted layers in place of calls: models may have thousands.
static NodeId state_at(Ev *ev, int model, int k) {
  made(ev, model, k);
  while (ev->nwant) make_on(ev, &ev->want[ev->nwant - 1]);
  return ev->state[model][k];
}

static NodeId rows_input(Ev *ev, InputKind what, Dtype dt) {
  Type t = {.dt = dt, .rank = 1, .dim = {sym_dim(graph_add_sym(ev->g, SYM_ROWS, ev->b->anchor))}};
  return t_input(ev, input_name(what), &t);
}

static const char *state_name(Ev *ev, const char *what, const BModel *m, int layer) {
  return arena_printf(ev->b->a, "%s.%s.%d", what, m->name, layer);
}

// Ids come from the embedding and labels and samples from the head: each must be known to the other.
static NodeId same_vocabulary(Ev *ev, const MInst *m, NodeId logits) {
  if (logits == NODE_NONE) return logits;
  const Type *t = t_type(ev, logits);
  if (t->rank != 2) return logits;                           // the loss says what a head has to be
  if (!m->pub->vocab) m->pub->vocab = t->dim[1];
  if (t->dim[1] == m->pub->vocab) return logits;
  if (fail_at(ev->b, m->head->loc, "the head of model '%s' gives %lld logits; its embedding has vectors for %lld ids", m->pub->name,
              (long long)t->dim[1], (long long)m->pub->vocab))
    note_model(ev->b, m);
  return NODE_NONE;
}

// The anchor's head on the rows that matter; also the state before the head is evaluated on them.
static NodeId head_on_rows(Ev *ev) {
  if (ev->b->anchor < 0) return NODE_NONE;
  MInst *m = &ev->b->model[ev->b->anchor];
  if (!m->sound) return NODE_NONE;
  NodeId x = state_at(ev, m->index, (int)m->pub->blocks);
  if (x == NODE_NONE) return x;
  ev->rows = rows_input(ev, INPUT_ROWS, DT_I32);
  NodeId in[2] = {x, ev->rows};
  return same_vocabulary(ev, m, arch_head(ev, m, t_add(ev, m->head->loc, OP_take, in, 2, NULL)));
}

// ---- loss

// The scalar literal among the two operands of n, and the other operand.
static bool scalar_operand(const Graph *g, const Node *n, double *c, NodeId *other) {
  for (int k = 0; k < 2; k++) {
    const Node *x = &g->node[n->in[k]];
    if (x->op != OP_const || x->type.rank) continue;
    *c = x->attr.data[0];
    *other = n->in[1 - k];
    return true;
  }
  return false;
}

// cap * tanh(x / cap) at n: x, and the cap; n itself and 0 where it is something else.
static NodeId uncapped(const Graph *g, NodeId n, double *cap) {
  double c, d;
  NodeId y, x;
  *cap = 0;
  if (g->node[n].op != OP_mul || !scalar_operand(g, &g->node[n], &c, &y) || g->node[y].op != OP_tanh) return n;
  const Node *div = &g->node[g->node[y].in[0]];
  if (div->op != OP_div || !scalar_operand(g, div, &d, &x) || x != div->in[0] || c != d || c <= 0) return n;
  *cap = c;
  return x;
}

// linear(h, W) + bias at n: the product, and the bias[V], a frozen or trained vector; n itself and NODE_NONE where it is something else.
static NodeId unbiased(const Graph *g, NodeId n, NodeId *bias) {
  *bias = NODE_NONE;
  for (int k = 0; k < 2 && g->node[n].op == OP_add; k++) {
    NodeId y = g->node[n].in[k], b = g->node[n].in[1 - k];
    const Type *ty = &g->node[y].type, *tb = &g->node[b].type;
    if (g->node[y].op != OP_linear || tb->rank != 1 || dim_is_sym(tb->dim[0]) || tb->dt != DT_F32 || ty->rank != 2 || tb->dim[0] != ty->dim[1]) continue;
    *bias = b;
    return y;
  }
  return n;
}

// The head ends in linear(h, W), with or without a bias, or in its softcap: the loss takes h, W and the bias, and never makes the logits.
static NodeId loss_node(Ev *ev, NodeId logits) {
  const MInst *m = &ev->b->model[ev->b->anchor];
  double cap;
  NodeId bias;
  Node n = ev->g->node[unbiased(ev->g, uncapped(ev->g, logits, &cap), &bias)];
  if (n.op != OP_linear || n.type.rank != 2 || n.attr.of_linear.inner != 1) {
    if (fail_at(ev->b, m->head->loc,
                "the head must end in linear(x, weight) or linear(x, weight, bias) with a weight [V, D], or in softcap(that, cap): "
                "training never holds all logits"))
      note_model(ev->b, m);
    return NODE_NONE;
  }
  if (n.attr.of_linear.exact) {
    fail_at(ev->b, m->head->loc, "the head's product follows the precision of the model: linear takes no 'exact' here");
    return NODE_NONE;
  }
  const Node *w = &ev->g->node[n.in[1]];
  if (w->op == OP_transpose && ev->entry == ENTRY_TRAIN && !m->file) {
    fail_at(ev->b, m->head->loc, "the head of a model that is trained whole cannot be a transposed weight");
    return NODE_NONE;
  }
  NodeId in[4] = {n.in[0], n.in[1], rows_input(ev, INPUT_LABELS, DT_I32), bias};
  return t_add(ev, m->head->loc, OP_xent, in, bias == NODE_NONE ? 3 : 4, &(Attr){.softcap = cap});
}

// The second result of the gradient of the loss is the loss again: with it the logits are computed once. The loss itself when the head's
// input is not differentiated.
static NodeId loss_again(Graph *g, NodeId loss) {
  const Node *x = &g->node[loss];
  NodeId grad = loss + 1;
  for (; grad < g->n; grad++) {
    const Node *n = &g->node[grad];
    if (n->op == OP_xent_grad && n->in[0] == x->in[0] && n->in[1] == x->in[1] && n->in[2] == x->in[2]) break;
  }
  if (grad == g->n) return loss;
  for (NodeId i = grad + 1; i < g->n; i++)
    if (g->node[i].op == OP_part && g->node[i].in[0] == grad && g->node[i].attr.of_part.k == 1) return i;
  NodeId nll = graph_part(g, grad, 1);
  g->node[nll].backward = true;
  return nll;
}

// The graph without what the loss does not need, for the rows that matter.
static Graph *only_rows(const Ev *ev) {
  Arena *between = arena_new();
  Graph *g = pass_rows(pass_dce(ev->g, between), ev->b->a);
  arena_free(between);
  return g;
}

// The rows pass comes first, so that the gradient, too, starts at the rows that matter.
static void add_gradients(Ev *ev, NodeId loss) {
  Build *b = ev->b;
  graph_output(ev->g, output_name(OUTPUT_NLL), loss);
  ev->g = only_rows(ev);
  loss = ev->g->out[0].node;
  ev->g->nout = 0;
  NodeId *wrt = ARENA_ARRAY(b->a, NodeId, b->nparam + 1), *grad = ARENA_ARRAY(b->a, NodeId, b->nparam + 1);
  int *which = ARENA_ARRAY(b->a, int, b->nparam + 1), n = 0;
  Map there = {0};
  for (NodeId i = 0; i < ev->g->n; i++)
    if (ev->g->node[i].op == OP_param) map_first(b->a, &there, ev->g->node[i].attr.name, i);
  for (int i = 0; i < b->nparam; i++) {
    NodeId p = map_find(&there, b->param[i].pub.name);
    if (p >= 0) {
      which[n] = i;
      wrt[n++] = p;
    } else {
      fail_at(b, b->param[i].loc, "parameter '%s' does not reach the loss: nothing the anchor computes depends on it",
              b->param[i].pub.name);
    }
  }
  NodeId seed = rows_input(ev, INPUT_GSCALE, DT_F32);
  autodiff_reverse(ev->g, loss, seed, wrt, n, grad);
  graph_output(ev->g, output_name(OUTPUT_NLL), loss_again(ev->g, loss));
  for (int i = 0; i < n; i++) {
    const ParamInfo *p = &b->param[which[i]];
    if (grad[i] == NODE_NONE) fail_at(b, p->loc, "parameter '%s' does not reach the loss", p->pub.name);
    else graph_output(ev->g, arena_printf(b->a, "%s.%s", output_name(OUTPUT_GRAD), p->pub.name), grad[i]);
  }
}

// The gradient by the anchor's embedding output, for a spec without parameters: the state is given as an input, so that nothing below it
// is computed again.
static void add_state_gradient(Ev *ev, NodeId loss) {
  const BModel *m = ev->b->model[ev->b->anchor].pub;
  const char *name = state_name(ev, input_name(INPUT_HIDDEN), m, 0);
  NodeId x = NODE_NONE, grad;
  graph_output(ev->g, output_name(OUTPUT_NLL), loss);
  ev->g = only_rows(ev);
  loss = ev->g->out[0].node;
  ev->g->nout = 0;
  for (NodeId i = 0; i < ev->g->n; i++)
    if (ev->g->node[i].op == OP_input && !strcmp(ev->g->node[i].attr.name, name)) x = i;
  NodeId seed = rows_input(ev, INPUT_GSCALE, DT_F32);
  if (x == NODE_NONE) return;                                // a head that reads no state: there is no gradient to give
  autodiff_reverse(ev->g, loss, seed, &x, 1, &grad);
  graph_output(ev->g, output_name(OUTPUT_NLL), loss_again(ev->g, loss));
  if (grad != NODE_NONE) graph_output(ev->g, state_name(ev, output_name(OUTPUT_STATE_GRAD), m, 0), grad);
}

// ---- entries

static void score(Ev *ev) {
  Build *b = ev->b;
  ev->delta = ARENA_ARRAY(b->a, NodeId, b->nconn + 1);
  for (int i = 0; i < b->nconn; i++) ev->delta[i] = NODE_NONE;
  NodeId logits = head_on_rows(ev);
  if (logits != NODE_NONE) {
    graph_output(ev->g, output_name(OUTPUT_LOGITS), logits);
    bound_model(ev, &b->model[b->anchor], logits);
  }
  for (int i = 0; i < b->nmodel; i++)
    for (int k = 0; k <= (int)b->model[i].pub->blocks; k++) {
      NodeId x = state_at(ev, i, k);
      if (x == NODE_NONE) break;
      if (i != b->anchor && k == b->model[i].read) bound_model(ev, &b->model[i], x);
      graph_output(ev->g, state_name(ev, output_name(OUTPUT_HIDDEN), b->model[i].pub, k), x);
    }
}

// The anchor's embedding output as an input.
static void give_embedding(Ev *ev) {
  const MInst *m = &ev->b->model[ev->b->anchor];
  Type t = {.dt = DT_F32, .rank = 2, .dim = {sym_dim(graph_add_sym(ev->g, SYM_TOKENS, m->index)), m->pub->width}};
  ev->made[m->index][0] = true;
  ev->state[m->index][0] = t_input(ev, state_name(ev, input_name(INPUT_HIDDEN), m->pub, 0), &t);
}

static void wanted(Ev *ev) {
  if (ev->entry == ENTRY_PROBE) give_embedding(ev);
  NodeId logits = head_on_rows(ev);
  if (logits == NODE_NONE) return;
  if (ev->entry == ENTRY_STEP) {
    graph_output(ev->g, output_name(OUTPUT_LOGITS), logits);
    return;
  }
  NodeId loss = loss_node(ev, logits);
  if (loss == NODE_NONE) return;
  if (ev->entry == ENTRY_TRAIN) add_gradients(ev, loss);
  else if (ev->entry == ENTRY_PROBE) add_state_gradient(ev, loss);
  else graph_output(ev->g, output_name(OUTPUT_NLL), loss);
}

Graph *entry_build(Build *b, EntryKind kind) {
  Ev ev = {.b = b, .entry = kind, .rows = NODE_NONE, .g = graph_new(b->a, entry_name(kind))};
  ev.state = ARENA_ARRAY(b->a, NodeId *, b->nmodel + 1);
  ev.made = ARENA_ARRAY(b->a, bool *, b->nmodel + 1);
  for (int i = 0; i < b->nmodel; i++) {
    int n = (int)b->model[i].pub->blocks + 1;
    graph_add_model(ev.g, b->model[i].pub->name);
    ev.state[i] = ARENA_ARRAY(b->a, NodeId, n);
    ev.made[i] = ARENA_ARRAY(b->a, bool, n);
    for (int k = 0; k < n; k++) ev.state[i][k] = NODE_NONE;
  }
  if (kind == ENTRY_SCORE) score(&ev);
  else wanted(&ev);
  return ev.g;
}
