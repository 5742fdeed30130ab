// Layer maps: the two sides' layers paired in order, and no way round in a circle.
#include <string.h>

#include "build/ctx.h"
#include "runtime/core/core.h"

static MInst *model_named(const Build *b, const char *name) {
  int i = map_find(&b->models, name);
  return i < 0 ? NULL : &b->model[i];
}

static void add_connection(Build *b, Conn c, const MInst *from, int k, const MInst *to, int j) {
  const char *name = arena_printf(b->a, "%s.%d->%s.%d", from->pub->name, k, to->pub->name, j);
  int other = map_first(b->a, &b->conns, name, b->nconn);
  if (other >= 0) {
    if (fail_at(b, c.decl->loc, "%s is connected twice", name)) diag_note(b->d, b->conn[other].decl->loc, "the first time here");
    return;
  }
  c.pub = (BConnection){.name = name, .from = from->index, .from_layer = k, .tap = c.tap ? c.tap->name : NULL, .to = to->index, .to_layer = j,
                        .op = c.decl->kid[2]->name};
  ARENA_PUSH(b->a, b->conn, b->nconn, b->capconn, c);
}

// Which connections are added to a layer, in their order.
static void index_connections(Build *b) {
  for (int i = 0; i < b->nmodel; i++) {
    MInst *m = &b->model[i];
    m->into = ARENA_ARRAY(b->a, int, m->pub->blocks + 1);
    for (int64_t k = 0; k <= m->pub->blocks; k++) m->into[k] = -1;
  }
  for (int i = b->nconn; i-- > 0;) {
    int *first = &b->model[b->conn[i].pub.to].into[b->conn[i].pub.to_layer];
    b->conn[i].next = *first;
    *first = i;
  }
}

const Ast *usable_op(const Build *b, const Ast *call) {
  const Ast *op = spec_find(b->spec, AST_OP, call->name);
  bool bad = !op || spec_told(b->spec, call->loc) || spec_told(b->spec, op->kid[0]->loc) || spec_told_syntax(b->spec, op->loc);
  return bad ? NULL : op;
}

static bool pair(Build *b, const Ast *decl, MInst *const m[2]) {
  const Ast *side[2] = {decl->kid[0], decl->kid[1]};
  Conn c = {.decl = decl, .op = usable_op(b, decl->kid[2])};
  Layers l[2] = {{0}, {0}};
  bool spreads[2], ok = true;
  for (int i = 0; i < 2; i++) {
    spreads[i] = side[i]->kid[0]->kind == AST_SEL_SPREAD;
    if (!m[i] || !m[i]->counted) ok = false;
    else if (!spreads[i]) ok = layers_select(b, side[i]->kid[0], m[i], &l[i]) && ok;
  }
  bool wants_tap = side[0]->nkid > 1 && m[0] && m[0]->counted;
  if (wants_tap && !(c.tap = arch_find_tap(b, m[0], side[0]->kid[1]))) ok = false;
  if (c.tap && (c.tap->kid[0]->nkid != 2 || spec_told(b->spec, c.tap->kid[0]->loc))) c.op = NULL;
  if (!ok || (spreads[0] && spreads[1])) return false;     // the latter was told
  for (int i = 0; i < 2; i++)
    if (spreads[i] && !layers_spread(b, side[i]->kid[0], m[i], l[1 - i].n, &l[i])) return false;
  if (l[0].n != l[1].n) {
    fail_at(b, decl->loc,
            "%d layer%s of model '%s' cannot meet %d of model '%s': expected as many on both sides (one side may say "
            "[spread])",
            l[0].n, plural(l[0].n), m[0]->pub->name, l[1].n, m[1]->pub->name);
    return false;
  }
  if (!l[0].n) fail_at(b, decl->loc, "this connects no layers");
  for (int i = 0; i < l[0].n; i++) add_connection(b, c, m[0], l[0].v[i], m[1], l[1].v[i]);
  return c.op != NULL;
}

// What a model's text says is looked at only as far as connections that are right read it: after an error nobody knows what is not used.
static void connect(Build *b, const Ast *decl) {
  MInst *m[2] = {model_named(b, decl->kid[0]->name), model_named(b, decl->kid[1]->name)};
  if (!spec_told_syntax(b->spec, decl->loc) && pair(b, decl, m)) return;
  for (int i = 0; i < 2; i++)
    if (m[i]) m[i]->erred = true;
}

// ---- circles: depth first over layers; a layer needs the one below it and what is added to it

typedef struct Visit {         // a layer on the way
  int model, layer;
  int conn;                    // the next connection to follow, -1 at the end
  bool entered, by_conn;       // by_conn: the last of the path led here
} Visit;
typedef struct Link {          // a connection on the way, and the layer it is added to
  const Conn *c;
  int model, layer;
} Link;
typedef struct Walk {
  Build *b;
  char **mark;                 // per model and layer: 0 new, 1 open, 2 done
  Visit *v;
  int n, cap;
  Link *path;
  int npath, cappath;
  bool found;
} Walk;

// The last link of the path reads a layer that is on the way.
static void report_circle(Walk *w, int model, int layer) {
  enum { SHOWN = 20 };
  int last = w->npath - 1, first = last, end;
  while (first > 0 && !(w->path[first].model == model && w->path[first].layer <= layer)) first--;
  end = last - first < SHOWN ? first : last - SHOWN + 1;
  Buf t = {0};
  for (int i = last; i >= end; i--) buf_printf(&t, "%s%s", i < last ? ", " : "", w->path[i].c->pub.name);
  if (end > first) buf_printf(&t, " and %d more", end - first);
  const Conn *c = w->path[last].c;
  fail_at(w->b, c->decl->loc, "connections run in a circle: %s", t.s);
  for (int i = end; i < last; i++)
    if (w->path[i].c->decl != c->decl) diag_note(w->b->d, w->path[i].c->decl->loc, "%s comes from here", w->path[i].c->pub.name);
  buf_free(&t);
  w->found = true;
}

static void push(Walk *w, int model, int layer, bool by_conn) {
  Visit v = {model, layer, w->b->model[model].into[layer], false, by_conn};
  ARENA_PUSH(w->b->a, w->v, w->n, w->cap, v);
}

static void follow(Walk *w, Visit *v) {
  const Conn *c = &w->b->conn[v->conn];
  Link link = {c, v->model, v->layer};
  v->conn = c->next;
  char mark = w->mark[c->pub.from][c->pub.from_layer];
  if (mark == 2) return;
  ARENA_PUSH(w->b->a, w->path, w->npath, w->cappath, link);
  if (mark == 1) report_circle(w, c->pub.from, c->pub.from_layer);
  else push(w, c->pub.from, c->pub.from_layer, true);
}

// A list of layers in place of calls: models may have thousands.
static void visit(Walk *w, int model, int layer) {
  push(w, model, layer, false);
  while (w->n && !w->found) {
    Visit *v = &w->v[w->n - 1];
    char *mark = &w->mark[v->model][v->layer];
    if (!v->entered && *mark != 2) {
      v->entered = true;
      *mark = 1;
      if (v->layer > 0 && w->mark[v->model][v->layer - 1] != 2) push(w, v->model, v->layer - 1, false);
    } else if (*mark != 2 && v->conn >= 0) {
      follow(w, v);
    } else {
      *mark = 2;
      w->npath -= v->by_conn;
      w->n--;
    }
  }
}

static bool no_circle(Build *b) {
  Walk w = {.b = b};
  w.mark = ARENA_ARRAY(b->a, char *, b->nmodel + 1);
  for (int i = 0; i < b->nmodel; i++) w.mark[i] = ARENA_ARRAY(b->a, char, b->model[i].pub->blocks + 1);
  for (int i = 0; i < b->nmodel && !w.found; i++) visit(&w, i, (int)b->model[i].pub->blocks);
  return !w.found;
}

void connections_make(Build *b) {
  for (int i = 0; i < b->spec->file->nkid; i++)
    if (b->spec->file->kid[i]->kind == AST_CONNECT) connect(b, b->spec->file->kid[i]);
  index_connections(b);
  if (!no_circle(b)) {                             // states cannot be followed in a circle: each model for itself
    b->nconn = 0;
    index_connections(b);
    for (int i = 0; i < b->nmodel; i++) b->model[i].erred = true;
  }
  b->prog->conn = ARENA_ARRAY(b->a, BConnection, b->nconn + 1);
  b->prog->nconn = b->nconn;
  for (int i = 0; i < b->nconn; i++) {
    const BConnection *c = &b->conn[i].pub;
    MInst *from = &b->model[c->from];
    b->prog->conn[i] = *c;
    if (from->read < c->from_layer) from->read = c->from_layer;
  }
}
