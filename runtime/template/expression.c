// Expressions: see parse.h. From the loosest to the tightest: if else, or, and, not, comparisons, + -, ~, * / // %, **, signs, . [] (), filters and tests.
#include "runtime/template/parse.h"
#include "runtime/template/words.h"

static Node *parse_not(Parse *p);
static Node *parse_unary(Parse *p, bool filters);

static Node *two(Parse *p, NodeKind kind, int line, Node *a, Node *b) {
  Node *n = node_new(p, kind, line);
  n->a = a, n->b = b;
  return n;
}

static Node *parse_list(Parse *p) {
  Node *n = node_new(p, E_LIST, p->k->line);
  want_op(p, "[");
  while (!at_op(p, "]")) {
    if (n->n) want_op(p, ",");
    if (at_op(p, "]")) break;
    node_add(p, n, parse_expression(p));
  }
  want_op(p, "]");
  return n;
}

static Node *parse_dict(Parse *p) {
  Node *n = node_new(p, E_DICT, p->k->line);
  want_op(p, "{");
  while (!at_op(p, "}")) {
    if (n->n) want_op(p, ",");
    if (at_op(p, "}")) break;
    node_add(p, n, parse_expression(p));
    want_op(p, ":");
    node_add(p, n, parse_expression(p));
  }
  want_op(p, "}");
  return n;
}

static Node *constant(Parse *p, Value v) {
  Node *n = node_new(p, E_CONST, p->k->line);
  n->value = v;
  p->k++;
  return n;
}

static Node *parse_strings(Parse *p) {
  Buf b = buf_new(p->t);
  int line = p->k->line;
  for (; p->k->kind == T_STRING; p->k++) buf_put(&b, p->k->s, p->k->n);
  Node *n = node_new(p, E_CONST, line);
  n->value = buf_value(&b);
  return n;
}

static Node *parse_primary(Parse *p) {
  const Token *k = p->k;
  if (k->kind == T_STRING) return parse_strings(p);
  if (k->kind == T_INT) return constant(p, v_int(k->i));
  if (k->kind == T_FLOAT) return constant(p, v_float(k->f));
  if (k->kind == T_NAME) {
    if (at_name(p, "true") || at_name(p, "True")) return constant(p, v_bool(true));
    if (at_name(p, "false") || at_name(p, "False")) return constant(p, v_bool(false));
    if (at_name(p, "none") || at_name(p, "None")) return constant(p, v_none());
    Node *n = node_new(p, E_NAME, k->line);
    n->name = want_name(p);
    return n;
  }
  if (at_op(p, "[")) return parse_list(p);
  if (at_op(p, "{")) return parse_dict(p);
  if (!at_op(p, "(")) unexpected(p, "an expression");
  p->k++;
  Node *n = at_op(p, ")") ? node_new(p, E_TUPLE, k->line) : parse_tuple(p, true);
  want_op(p, ")");
  return n;
}

static Node *parse_subscribed(Parse *p) {
  Node *n = node_new(p, E_SLICE, p->k->line), *from = NULL;
  if (!at_op(p, ":")) {
    from = parse_expression(p);
    if (!at_op(p, ":")) return from;
  }
  p->k++;
  node_add(p, n, from);
  bool over = at_op(p, ":") || at_op(p, "]") || at_op(p, ",");
  node_add(p, n, over ? NULL : parse_expression(p));
  bool step = skip_op(p, ":") && !at_op(p, "]") && !at_op(p, ",");
  node_add(p, n, step ? parse_expression(p) : NULL);
  return n;
}

static Node *parse_item(Parse *p, Node *a) {
  int line = p->k->line;
  want_op(p, "[");
  Node *b = parse_subscribed(p);
  if (at_op(p, ",")) {
    Node *tuple = node_new(p, E_TUPLE, line);
    node_add(p, tuple, b);
    while (skip_op(p, ",")) node_add(p, tuple, parse_subscribed(p));
    for (size_t i = 0; i < tuple->n; i++)
      if (tuple->kid[i]->kind == E_SLICE) unexpected(p, "one slice");
    b = tuple;
  }
  want_op(p, "]");
  return two(p, E_ITEM, line, a, b);
}

static Node *parse_member(Parse *p, Node *a) {
  int line = p->k->line;
  want_op(p, ".");
  if (p->k->kind == T_INT) return two(p, E_ITEM, line, a, constant(p, v_int(p->k->i)));
  Node *n = two(p, E_ATTR, line, a, NULL);
  n->name = want_name(p);
  return n;
}

static void add_arg(Parse *p, Args *a, const char *key, Node *v) {
  Node **at = tp_alloc(p->t, a->n + 1, sizeof *at);
  const char **keys = tp_alloc(p->t, a->n + 1, sizeof *keys);
  if (a->n) memcpy(at, a->at, a->n * sizeof *at), memcpy(keys, a->key, a->n * sizeof *keys);
  at[a->n] = v, keys[a->n++] = key;
  a->at = at, a->key = keys;
}

void parse_args(Parse *p, Args *out) {
  want_op(p, "(");
  for (bool first = true; !at_op(p, ")"); first = false) {
    if (!first) want_op(p, ",");
    if (at_op(p, ")")) break;
    if (!out->named && !out->more && skip_op(p, "*")) out->more = parse_expression(p);
    else if (!out->named && skip_op(p, "**")) out->named = parse_expression(p);
    else if (p->k->kind == T_NAME && p->k[1].kind == T_OP && !strcmp(p->k[1].s, "=")) {
      if (out->named) unexpected(p, "no more arguments");
      const char *key = want_name(p);
      p->k++;
      add_arg(p, out, key, parse_expression(p));
    } else {
      if (out->more || out->named || (out->n && out->key[out->n - 1])) unexpected(p, "an argument by name");
      add_arg(p, out, NULL, parse_expression(p));
    }
  }
  want_op(p, ")");
}

static Node *parse_call(Parse *p, Node *a) {
  Node *n = two(p, E_CALL, p->k->line, a, NULL);
  parse_args(p, &n->args);
  return n;
}

static Node *parse_postfix(Parse *p, Node *a) {
  tp_enter(p->t);
  int depth = p->t->depth;
  for (;; tp_enter(p->t)) {
    if (at_op(p, ".")) a = parse_member(p, a);
    else if (at_op(p, "[")) a = parse_item(p, a);
    else if (at_op(p, "(")) a = parse_call(p, a);
    else break;
  }
  p->t->depth = depth - 1;
  return a;
}

// name, or name.name
static const char *dotted(Parse *p) {
  const char *name = want_name(p);
  if (at_op(p, ".")) unexpected(p, "a filter or test of Jinja's own");
  return name;
}

static void look_up(Parse *p, const Node *n, bool known) {
  if (!known && !p->branch && !p->unknown) p->unknown = n;
}

Node *parse_filters(Parse *p, Node *a, bool first) {
  while (first || skip_op(p, "|")) {
    Node *n = two(p, E_FILTER, p->k->line, a, NULL);
    p->t->line = p->k->line;
    n->name = dotted(p);
    look_up(p, n, filter_find(n->name) != NULL);
    if (at_op(p, "(")) parse_args(p, &n->args);
    a = n;
    first = false;
  }
  return a;
}

// What may stand behind a test's name without brackets.
static bool at_argument(const Parse *p) {
  if (p->k->kind == T_STRING || p->k->kind == T_INT || p->k->kind == T_FLOAT) return true;
  if (p->k->kind == T_NAME) return !at_name(p, "else") && !at_name(p, "or") && !at_name(p, "and");
  return at_op(p, "[") || at_op(p, "{");
}

static Node *parse_test(Parse *p, Node *a) {
  int line = p->k->line;
  p->k++;
  bool negated = skip_name(p, "not");
  Node *n = two(p, E_TEST, line, a, NULL);
  p->t->line = line;
  n->name = dotted(p);
  look_up(p, n, test_find(n->name) != NULL);
  if (at_op(p, "(")) parse_args(p, &n->args);
  else if (at_argument(p)) {
    if (at_name(p, "is")) unexpected(p, "no second test");
    add_arg(p, &n->args, NULL, parse_postfix(p, parse_primary(p)));
  }
  return negated ? two(p, E_NOT, line, n, NULL) : n;
}

static Node *parse_unary(Parse *p, bool filters) {
  tp_enter(p->t);
  int line = p->k->line;
  Node *a;
  if (skip_op(p, "-")) a = two(p, E_NEG, line, parse_unary(p, false), NULL);
  else if (skip_op(p, "+")) a = two(p, E_POS, line, parse_unary(p, false), NULL);
  else a = parse_primary(p);
  a = parse_postfix(p, a);
  int depth = p->t->depth;
  for (; filters; tp_enter(p->t)) {                       // as deep as its tree
    if (at_op(p, "|")) a = parse_filters(p, a, false);
    else if (at_name(p, "is")) a = parse_test(p, a);
    else if (at_op(p, "(")) a = parse_call(p, a);
    else break;
  }
  p->t->depth = depth - 1;
  return a;
}

typedef struct OpWord { const char *s; Op op; } OpWord;

// The operator that p stands at, of these up to one without a word; it is stepped over.
static bool take_op(Parse *p, const OpWord *of, Op *op) {
  for (; of->s; of++)
    if (skip_op(p, of->s)) {
      *op = of->op;
      return true;
    }
  return false;
}

// Operators of one tightness, from the left.
static Node *chain(Parse *p, const OpWord *of, Node *(*next)(Parse *p)) {
  Node *a = next(p);
  Op op;
  int depth = p->t->depth;
  for (int line = p->k->line; take_op(p, of, &op); line = p->k->line) {
    tp_enter(p->t);                                       // the tree is as deep as the chain is long
    a = two(p, E_MATH, line, a, next(p));
    a->op = op;
  }
  p->t->depth = depth;
  return a;
}

static Node *parse_sign(Parse *p) { return parse_unary(p, true); }
static Node *parse_pow(Parse *p) {
  static const OpWord of[] = {{"**", OP_POW}, {NULL, OP_POW}};
  return chain(p, of, parse_sign);
}
static Node *parse_product(Parse *p) {
  static const OpWord of[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"//", OP_FLOORDIV}, {"%", OP_MOD}, {NULL, OP_MUL}};
  return chain(p, of, parse_pow);
}
static Node *parse_concat(Parse *p) {
  Node *a = parse_product(p);
  if (!at_op(p, "~")) return a;
  Node *n = node_new(p, E_CONCAT, p->k->line);
  node_add(p, n, a);
  while (skip_op(p, "~")) node_add(p, n, parse_product(p));
  return n;
}
static Node *parse_sum(Parse *p) {
  static const OpWord of[] = {{"+", OP_ADD}, {"-", OP_SUB}, {NULL, OP_ADD}};
  return chain(p, of, parse_concat);
}

static bool take_comparison(Parse *p, Op *op) {
  static const OpWord of[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT}, {"<=", OP_LE}, {">", OP_GT}, {">=", OP_GE}, {NULL, OP_EQ}};
  if (take_op(p, of, op)) return true;
  if (skip_name(p, "in")) return *op = OP_IN, true;
  if (!at_name(p, "not") || p->k[1].kind != T_NAME || strcmp(p->k[1].s, "in") != 0) return false;
  p->k += 2;
  *op = OP_NOT_IN;
  return true;
}

static Node *parse_compare(Parse *p) {
  int line = p->k->line;
  Node *a = parse_sum(p), *n = NULL;
  for (Op op; take_comparison(p, &op);) {
    if (!n) n = two(p, E_COMPARE, line, a, NULL);
    Op *ops = tp_alloc(p->t, n->n + 1, sizeof *ops);
    if (n->n) memcpy(ops, n->ops, n->n * sizeof *ops);
    ops[n->n] = op;
    n->ops = ops;
    node_add(p, n, parse_sum(p));
  }
  return n ? n : a;
}

static Node *parse_not(Parse *p) {
  if (!at_name(p, "not")) return parse_compare(p);
  tp_enter(p->t);
  int line = p->k->line;
  p->k++;
  Node *n = two(p, E_NOT, line, parse_not(p), NULL);
  p->t->depth--;
  return n;
}

static Node *words(Parse *p, const char *word, NodeKind kind, Node *(*next)(Parse *p)) {
  Node *a = next(p);
  int depth = p->t->depth;
  for (int line = p->k->line; skip_name(p, word); line = p->k->line) {
    tp_enter(p->t);
    a = two(p, kind, line, a, next(p));
  }
  p->t->depth = depth;
  return a;
}
static Node *parse_and(Parse *p) { return words(p, "and", E_AND, parse_not); }
static Node *parse_or(Parse *p) { return words(p, "or", E_OR, parse_and); }

Node *parse_test_free(Parse *p) { return parse_or(p); }

Node *parse_expression(Parse *p) {
  tp_enter(p->t);
  int depth = p->t->depth;
  bool branch = p->branch;
  const Node *unknown = p->unknown;
  Node *a = parse_or(p);
  for (int line = p->k->line; skip_name(p, "if"); line = p->k->line) {
    tp_enter(p->t);
    p->branch = true, p->unknown = unknown;               // what stood before it is in a branch, too
    Node *n = two(p, E_IF, line, a, parse_or(p));
    n->c = skip_name(p, "else") ? parse_expression(p) : NULL;
    a = n;
  }
  p->branch = branch;
  p->t->depth = depth - 1;
  return a;
}

Node *parse_tuple(Parse *p, bool conditions) {
  int line = p->k->line;
  Node *a = conditions ? parse_expression(p) : parse_or(p);
  if (!at_op(p, ",")) return a;
  Node *n = node_new(p, E_TUPLE, line);
  node_add(p, n, a);
  while (skip_op(p, ",")) {
    if (p->k->kind == T_PRINT_END || p->k->kind == T_BLOCK_END || at_op(p, ")")) break;
    node_add(p, n, conditions ? parse_expression(p) : parse_or(p));
  }
  return n;
}

static Node *parse_one_target(Parse *p, bool members) {
  if (skip_op(p, "(")) {
    Node *n = parse_target(p, false);
    want_op(p, ")");
    return n;
  }
  static const char *const never[] = {"true", "false", "none", "True", "False", "None"};
  for (size_t i = 0; i < sizeof never / sizeof *never; i++)
    if (at_name(p, never[i])) unexpected(p, "a name that can be set");
  Node *n = node_new(p, E_NAME, p->k->line);
  n->name = want_name(p);
  if (!members || !skip_op(p, ".")) return n;
  Node *m = two(p, E_ATTR, n->line, n, NULL);
  m->name = want_name(p);
  return m;
}

Node *parse_target(Parse *p, bool members) {
  int line = p->k->line;
  Node *a = parse_one_target(p, members);
  if (!at_op(p, ",")) return a;
  Node *n = node_new(p, E_TUPLE, line);
  node_add(p, n, a);
  while (skip_op(p, ",")) {
    if (p->k->kind != T_NAME && !at_op(p, "(")) break;
    node_add(p, n, parse_one_target(p, members));
  }
  return n;
}

Node *parse_call_of(Parse *p) {
  Node *n = parse_unary(p, true);
  if (n->kind != E_CALL) unexpected(p, "a call");
  return n;
}
