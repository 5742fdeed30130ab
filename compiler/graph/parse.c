// Reads the printer's text back to an equal graph. The text is untrusted: every mistake is answered with its line.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"

typedef struct Reader {
  Graph *g;
  Arena *arena;
  const char *at;
  int line;
  const char *error;                         // the first one; everything after it is skipped
} Reader;

static void fail(Reader *r, const char *what) {
  if (!r->error) r->error = arena_printf(r->arena, "line %d: %s", r->line, what);
}

static void blanks(Reader *r) {
  while (*r->at == ' ' || *r->at == '\t') r->at++;
}

static bool line_ends(Reader *r) {
  blanks(r);
  return !*r->at || *r->at == '\n';
}

static bool accept(Reader *r, char c) {
  blanks(r);
  if (*r->at != c) return false;
  r->at++;
  return true;
}

static void expect(Reader *r, char c) {
  if (!accept(r, c)) fail(r, arena_printf(r->arena, "expected '%c'", c));
}

// Letters, digits, '_' and '.'; empty when there is none.
static const char *word(Reader *r) {
  blanks(r);
  const char *from = r->at;
  while (isalnum((unsigned char)*r->at) || *r->at == '_' || *r->at == '.') r->at++;
  return arena_strndup(r->arena, from, (size_t)(r->at - from));
}

static bool accept_word(Reader *r, const char *w) {
  const char *from = r->at;
  if (!strcmp(word(r), w)) return true;
  r->at = from;
  return false;
}

static const char *rest_of_line(Reader *r) {
  blanks(r);
  size_t n = strcspn(r->at, "\n");
  const char *s = arena_strndup(r->arena, r->at, n);
  r->at += n;
  return s;
}

static int64_t integer(Reader *r) {
  blanks(r);
  char *end;
  errno = 0;
  long long v = isspace((unsigned char)*r->at) ? (end = (char *)r->at, 0) : strtoll(r->at, &end, 10);
  if (end == r->at || errno) fail(r, "expected an integer");
  r->at = end;
  return v;
}

static double number(Reader *r) {
  blanks(r);
  char *end;
  double v = isspace((unsigned char)*r->at) ? (end = (char *)r->at, 0) : strtod(r->at, &end);
  if (end == r->at) fail(r, "expected a number");
  r->at = end;
  return v;
}

static NodeId node_ref(Reader *r) {
  expect(r, '%');
  int64_t id = integer(r);
  if (!r->error && (id < 0 || id >= r->g->n))
    fail(r, arena_printf(r->arena, "node %%%lld does not come before this", (long long)id));
  return r->error ? NODE_NONE : (NodeId)id;
}

static const char *quoted(Reader *r) {
  expect(r, '"');
  Buf b = {0};
  buf_puts(&b, "");
  while (!r->error && *r->at != '"') {
    if (!*r->at || *r->at == '\n') {
      fail(r, "expected '\"' before the end of the line");
    } else if (*r->at == '\\' && r->at[1] && r->at[1] != '\n') {
      buf_putc(&b, r->at[1] == 'n' ? '\n' : r->at[1]);
      r->at += 2;
    } else {
      buf_putc(&b, *r->at++);
    }
  }
  if (!r->error) r->at++;
  const char *s = arena_strdup(r->arena, b.s ? b.s : "");
  buf_free(&b);
  return s;
}

// ---- types: extents and the element type between " x "

static bool dtype_find(const char *name, Dtype *t) {
  *t = dtype_named(name);
  return *t != DT_NONE && dtype_info[*t].use != DTYPE_FILE;
}

static int sym_find(const Graph *g, const char *name) {
  for (int i = 0; i < g->nsym; i++) {
    if (!strcmp(g->sym[i].name, name)) return i;
  }
  return -1;
}

static void extent(Reader *r, Type *t, const char *w, int64_t *elems) {
  int sym = sym_find(r->g, w);
  if (t->rank == MAX_RANK) {
    fail(r, "too many extents");
  } else if (sym >= 0 && t->rank == 0) {
    t->dim[t->rank++] = sym_dim(sym);
  } else {
    char *end;
    errno = 0;
    long long d = isdigit((unsigned char)*w) ? strtoll(w, &end, 10) : -1;
    if (d < 0 || *end || errno || __builtin_mul_overflow(*elems, (int64_t)d, elems))
      fail(r, arena_printf(r->arena, "expected an extent or an element type, found '%s'", w));
    t->dim[t->rank++] = d;
  }
}

static Type type(Reader *r) {
  Type t = {0};
  int64_t elems = 1;
  while (!r->error) {
    const char *w = word(r);
    if (dtype_find(w, &t.dt)) break;
    extent(r, &t, w, &elems);
    if (!r->error && !accept_word(r, "x")) fail(r, "expected 'x' after an extent");
  }
  return t;
}

// ---- lines

static void sym_line(Reader *r) {
  const char *w = word(r);
  SymKind kind = w[0] == 'T' ? SYM_TOKENS : w[0] == 'C' ? SYM_CACHE : w[0] == 'R' ? SYM_ROWS : SYM_FLAT;
  bool of_model = kind == SYM_TOKENS || kind == SYM_CACHE;
  int model = -1;
  for (int i = 0; of_model && w[0] && w[1] == '.' && i < r->g->nmodel; i++) {
    if (!strcmp(r->g->model[i].name, w + 2)) model = i;
  }
  if (of_model ? model >= 0 : !strcmp(w, kind == SYM_ROWS ? "R" : "P")) graph_add_sym(r->g, kind, model);
  else fail(r, arena_printf(r->arena, "no row symbol '%s'", w));
}

static const double *data(Reader *r, int64_t *count) {
  double *v = ARENA_ARRAY(r->arena, double, 8);
  int64_t n = 0, cap = 8;
  expect(r, '[');
  while (!r->error && !accept(r, ']')) {
    double x = number(r);
    ARENA_PUSH(r->arena, v, n, cap, x);
  }
  *count = n;
  return v;
}

static void attrs(Reader *r, Node *n, int64_t *ndata) {
  AttrFields fields = op_attr_fields(n->op);
  AttrField f;
  while (!r->error && op_attr_field(&fields, &f)) {
    if (f.kind == 'n') {
      n->attr.name = quoted(r);
    } else if (f.kind == 'd') {
      n->attr.data = data(r, ndata);
    } else if (!accept_word(r, f.key)) {
      if (!f.flag) fail(r, arena_printf(r->arena, "expected %s=", f.key));
    } else {
      expect(r, '=');
      if (f.kind == 'i') n->attr.i[f.index] = integer(r);
      else n->attr.f[f.index] = number(r);
      if (f.flag && n->attr.i[f.index] != 1) fail(r, arena_printf(r->arena, "expected %s=1", f.key));
    }
  }
}

static void result_types(Reader *r, Node *n) {
  expect(r, ':');
  do {
    if (n->nout == MAX_OUT) fail(r, "too many results");
    else n->out[n->nout++] = type(r);
  } while (!r->error && accept(r, ','));
  n->type = n->out[0];
}

// The types are in the text and inferred again; both must agree.
static void check_types(Reader *r, const Node *n) {
  Node again = *n;
  const char *why = op_infer(r->g, &again);
  if (why) {
    fail(r, why);
    return;
  }
  if (again.nout != n->nout) fail(r, arena_printf(r->arena, "%s has %d results", op_name(n->op), again.nout));
  for (int k = 0; k < n->nout && !r->error; k++) {
    const char *gives = type_text(r->g, &again.out[k]), *says = type_text(r->g, &n->out[k]);
    if (!type_equal(&again.out[k], &n->out[k]))
      fail(r, arena_printf(r->arena, "%s gives %s, the text says %s", op_name(n->op), gives, says));
  }
}

static void node_line(Reader *r) {
  Graph *g = r->g;
  if (integer(r) != g->n && !r->error) fail(r, arena_printf(r->arena, "expected node %%%d", g->n));
  expect(r, '=');
  const char *name = word(r);
  Node n = {.op = op_find(name)};
  if (n.op == OP_COUNT) fail(r, arena_printf(r->arena, "no op '%s'", name));
  while (!r->error && (blanks(r), *r->at == '%')) {
    NodeId in = node_ref(r);
    if (n.nin == MAX_IN) fail(r, "too many operands");
    else n.in[n.nin++] = in;
  }
  if (r->error) return;
  int64_t ndata = -1;
  attrs(r, &n, &ndata);
  if (!r->error) result_types(r, &n);
  if (!r->error && ndata >= 0 && (type_row_sym(&n.type) >= 0 || ndata != type_row_elems(&n.type)))
    fail(r, arena_printf(r->arena, "%s, but %lld values", type_text(g, &n.type), (long long)ndata));
  if (!r->error) check_types(r, &n);
  n.backward = accept_word(r, "backward");
  if (!r->error) ARENA_PUSH(r->arena, g->node, g->n, g->cap, n);
}

static void output_line(Reader *r) {
  const char *name = quoted(r);
  NodeId node = node_ref(r);
  if (!r->error) graph_output(r->g, name, node);
}

static void line(Reader *r) {
  if (accept(r, '%')) node_line(r);
  else if (accept_word(r, "model")) graph_add_model(r->g, rest_of_line(r));
  else if (accept_word(r, "sym")) sym_line(r);
  else if (accept_word(r, "output")) output_line(r);
  else fail(r, "expected model, sym, %node or output");
  if (!r->error && !line_ends(r)) fail(r, arena_printf(r->arena, "unexpected '%s'", rest_of_line(r)));
}

Graph *graph_parse(Arena *a, const char *text, const char **why) {
  Reader r = {.g = graph_new(a, ""), .arena = a, .at = text, .line = 1};
  if (accept_word(&r, "graph")) r.g->name = rest_of_line(&r);
  else fail(&r, "expected graph NAME");
  while (!r.error && *r.at == '\n') {
    r.at++;
    r.line++;
    if (!line_ends(&r)) line(&r);
  }
  *why = r.error;
  return r.error ? NULL : r.g;
}
