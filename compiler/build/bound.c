// What trained parameters belong to besides models and shapes: what a connection's operator, or the text of a model made from nothing, computes. It is a
// hash of hashes over the graph as it was built: a node's is that of its op, attributes and extents and of its operands' hashes. So names of the
// text, its comments and its order, functions (which are inlined), initial values, settings and types of numbers do not enter.
#include <stdlib.h>
#include <string.h>

#include "build/ctx.h"
#include "runtime/files/files.h"

enum { HEX = SHA256_HEX };

// What is hashed, in the order of the graph. A connection's part of a graph is small: nothing here is as long as the graph, but for the marks that
// all of a graph's walks share.
typedef struct Walk {
  Ev *ev;
  NodeId *node;
  int n, cap;
  const char **given;          // per node found: what it counts by, where its value comes from elsewhere
} Walk;

static void begin(Walk *w) {
  Ev *ev = w->ev;
  if (ev->capmark < ev->g->n) {
    int *more = ARENA_ARRAY(ev->b->a, int, ev->g->cap);
    if (ev->capmark) memcpy(more, ev->mark, (size_t)ev->capmark * sizeof *more);
    ev->mark = more, ev->capmark = ev->g->cap;
  }
}

// ev->mark of a node: 1 + its place in w->node, 0 before it is found.
static void find(Walk *w, NodeId id) {
  if (w->ev->mark[id]) return;
  ARENA_PUSH(w->ev->b->a, w->node, w->n, w->cap, id);
  w->ev->mark[id] = w->n;
}

static int by_id(const void *a, const void *b) { return *(const NodeId *)a < *(const NodeId *)b ? -1 : 1; }

// The first ngiven nodes found are those that come from elsewhere.
static const char *hash(Walk *w, NodeId result, const char *const *name, int ngiven) {
  Ev *ev = w->ev;
  const Graph *g = ev->g;
  find(w, result);
  for (int i = ngiven; i < w->n; i++)
    for (int k = 0; k < g->node[w->node[i]].nin; k++) find(w, g->node[w->node[i]].in[k]);
  w->given = ARENA_ARRAY(ev->b->a, const char *, w->n);
  NodeId *given = ARENA_ARRAY(ev->b->a, NodeId, ngiven + 1);
  memcpy(given, w->node, (size_t)ngiven * sizeof *given);
  qsort(w->node, (size_t)w->n, sizeof *w->node, by_id);      // operands before their users
  for (int i = 0; i < w->n; i++) ev->mark[w->node[i]] = i + 1;
  for (int i = 0; i < ngiven; i++) w->given[ev->mark[given[i]] - 1] = name[i];
  char(*hex)[HEX] = arena_alloc(ev->b->a, (size_t)w->n, HEX);
  Buf text = {0};
  Sha256 begun;                                    // once: asking the processor for its ways takes longer than a node's hash
  sha256_init(&begun);
  for (int i = 0; i < w->n; i++) {
    Sha256 sum = begun;
    const Node *n = &g->node[w->node[i]];
    text.n = 0;
    if (w->given[i]) buf_puts(&text, w->given[i]);
    else graph_print_meaning(g, w->node[i], &text);
    for (int k = 0; !w->given[i] && k < n->nin; k++) buf_printf(&text, " %s", hex[ev->mark[n->in[k]] - 1]);
    sha256_add(&sum, text.s, text.n);
    sha256_hex(&sum, hex[i]);
  }
  buf_free(&text);
  const char *found = hex[ev->mark[result] - 1];
  for (int i = 0; i < w->n; i++) ev->mark[w->node[i]] = 0;
  return found;
}

void bound_connection(Ev *ev, int conn, NodeId to, NodeId from, NodeId delta) {
  static const char *const name[] = {"the state it adds to", "the state it reads"};
  Walk w = {.ev = ev};
  if (delta == NODE_NONE) return;
  begin(&w);
  find(&w, to), find(&w, from);
  ev->delta[conn] = delta;
  ev->b->prog->conn[conn].computes = hash(&w, delta, name, w.n);
}

void bound_model(Ev *ev, const MInst *m, NodeId result) {
  Walk w = {.ev = ev};
  const char **name = ARENA_ARRAY(ev->b->a, const char *, ev->b->nconn + 1);
  if ((m->file && !m->tune && !m->nadapt) || result == NODE_NONE) return;
  begin(&w);
  for (int i = 0; i < ev->b->nconn; i++)
    if (ev->delta[i] != NODE_NONE) name[w.n] = ev->b->conn[i].pub.name, find(&w, ev->delta[i]);
  m->pub->computes = hash(&w, result, name, w.n);
}
