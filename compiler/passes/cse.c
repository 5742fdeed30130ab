// Common subexpressions: two nodes with equal op, attributes, type and inputs are one. A forward and a backward node stay apart:
// merging them would keep a cheap value alive from one to the other (see plan/recompute.c).
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

static uint64_t mix(uint64_t h, const void *p, size_t n) {
  const unsigned char *s = p;
  for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * 0x100000001b3u;
  return h;
}

static uint64_t hash(const Node *n) {
  uint64_t h = 0xcbf29ce484222325u;
  h = mix(h, &n->op, sizeof n->op);
  h = mix(h, n->in, (size_t)n->nin * sizeof n->in[0]);
  h = mix(h, n->attr.i, sizeof n->attr.i);
  h = mix(h, n->attr.f, sizeof n->attr.f);
  if (n->attr.name) h = mix(h, n->attr.name, strlen(n->attr.name));
  return mix(h, n->type.dim, (size_t)n->type.rank * sizeof n->type.dim[0]);
}

static bool same_name(const char *x, const char *y) { return x == y || (x && y && !strcmp(x, y)); }

static bool equal(const Node *x, const Node *y) {
  if (x->op != y->op || x->nin != y->nin || x->backward != y->backward || !type_equal(&x->type, &y->type)) return false;
  if (memcmp(x->in, y->in, (size_t)x->nin * sizeof x->in[0])) return false;
  if (memcmp(x->attr.i, y->attr.i, sizeof x->attr.i) || memcmp(x->attr.f, y->attr.f, sizeof x->attr.f)) return false;
  if (!same_name(x->attr.name, y->attr.name) || !x->attr.data != !y->attr.data) return false;
  return !x->attr.data || !memcmp(x->attr.data, y->attr.data, (size_t)type_row_elems(&x->type) * sizeof(double));
}

Graph *pass_cse(const Graph *g, Arena *a) {
  Rewrite r = rewrite_begin(g, a);
  size_t size = 16;
  while (size < (size_t)g->n * 2) size *= 2;
  NodeId *table = ARENA_ARRAY(a, NodeId, size);            // new node + 1; 0 = free
  for (int i = 0; i < g->n; i++) {
    NodeId made = rewrite_same(&r, i);
    size_t slot = hash(&r.to->node[made]) & (size - 1);
    while (table[slot] && !equal(&r.to->node[table[slot] - 1], &r.to->node[made])) slot = (slot + 1) & (size - 1);
    if (table[slot]) {
      r.map[i] = table[slot] - 1;
      r.to->n--;                                           // the copy was the last node
    } else {
      table[slot] = made + 1;
    }
  }
  return rewrite_end(&r);
}
