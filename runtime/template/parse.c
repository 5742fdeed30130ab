// Statements: see parse.h.
#include "runtime/template/parse.h"
#include "runtime/template/words.h"

Node *node_new(Parse *p, NodeKind kind, int line) {
  Node *n = tp_alloc(p->t, 1, sizeof *n);
  n->kind = kind, n->line = line;
  return n;
}

void node_add(Parse *p, Node *list, Node *kid) {
  if ((list->n & (list->n - 1)) == 0) {                   // full at every power of two
    Node **kids = tp_alloc(p->t, list->n ? list->n * 2 : 1, sizeof *kids);
    if (list->n) memcpy(kids, list->kid, list->n * sizeof *kids);
    list->kid = kids;
  }
  list->kid[list->n++] = kid;
}

bool at_op(const Parse *p, const char *s) { return p->k->kind == T_OP && !strcmp(p->k->s, s); }
bool at_name(const Parse *p, const char *s) { return p->k->kind == T_NAME && !strcmp(p->k->s, s); }
bool skip_op(Parse *p, const char *s) { return at_op(p, s) && p->k++; }
bool skip_name(Parse *p, const char *s) { return at_name(p, s) && p->k++; }

_Noreturn void unexpected(Parse *p, const char *wanted) {
  static const char *const kind[] = {"text", "'{{'", "'}}'", "'{%'", "'%}'"};
  const Token *k = p->k;
  p->t->line = k->line;
  if (k->kind <= T_BLOCK_END) tp_fail(p->t, "expected %s, found %s", wanted, kind[k->kind]);
  if (k->kind == T_END) tp_fail(p->t, "expected %s, found the end of the template", wanted);
  tp_fail(p->t, "expected %s, found %s%.*s%s", wanted, k->kind == T_STRING ? "the string '" : "'", (int)(k->n < 60 ? k->n : 60), k->s, "'");
}

void want_op(Parse *p, const char *s) {
  char wanted[8] = {'\'', s[0], s[1] ? s[1] : '\'', s[1] ? '\'' : 0};
  if (!skip_op(p, s)) unexpected(p, wanted);
}

const char *want_name(Parse *p) {
  if (p->k->kind != T_NAME) unexpected(p, "a name");
  return p->k++->s;
}

static void end_block(Parse *p) {
  if (p->k->kind != T_BLOCK_END) unexpected(p, "'%}'");
  p->k++;
}

static Node *parse_statement(Parse *p);

// Up to a tag that begins with one of these words (apart by blanks), which p stands at then; NULL: to the end of the template.
static Node *parse_body(Parse *p, const char *until) {
  tp_enter(p->t);
  const Token *first = p->k;
  Node *body = node_new(p, S_BODY, first->line);
  for (;; ) {
    const Token *k = p->k;
    if (k->kind == T_END) {
      if (!until) break;
      p->t->line = first[-1].line;                        // of the tag before
      tp_fail(p->t, "the block that begins here does not end (expected: %s)", until);
    }
    p->k++;
    if (k->kind == T_TEXT) {
      Node *n = node_new(p, S_TEXT, k->line);
      n->value = v_text(k->s, k->n);
      node_add(p, body, n);
    } else if (k->kind == T_PRINT) {
      Node *n = node_new(p, S_PRINT, k->line);
      n->a = parse_tuple(p, true);
      if (p->k->kind != T_PRINT_END) unexpected(p, "'}}'");
      p->k++;
      node_add(p, body, n);
    } else {
      const char *at = until && p->k->kind == T_NAME ? strstr(until, p->k->s) : NULL;
      if (at && (at == until || at[-1] == ' ') && (at[p->k->n] == ' ' || !at[p->k->n])) break;
      node_add(p, body, parse_statement(p));
    }
  }
  p->t->depth--;
  return body;
}

static Node *body_to(Parse *p, const char *end) {
  end_block(p);
  Node *body = parse_body(p, end);
  p->k++;
  end_block(p);
  return body;
}

// The same where names are a scope's own.
static Node *scope_to(Parse *p, const char *end) {
  bool branch = p->branch;
  p->branch = false;
  Node *body = body_to(p, end);
  p->branch = branch;
  return body;
}

static Node *parse_if(Parse *p, Node *n) {
  bool branch = p->branch;
  p->branch = true;
  for (;;) {
    node_add(p, n, parse_tuple(p, false));
    end_block(p);
    node_add(p, n, parse_body(p, "elif else endif"));
    if (skip_name(p, "elif")) continue;
    if (skip_name(p, "else")) {
      end_block(p);
      node_add(p, n, parse_body(p, "endif"));
    }
    break;
  }
  p->branch = branch;
  p->k++;
  end_block(p);
  return n;
}

static Node *parse_for(Parse *p, Node *n) {
  n->b = parse_target(p, false);
  if (!skip_name(p, "in")) unexpected(p, "'in'");
  n->a = parse_tuple(p, false);
  bool branch = p->branch;
  p->branch = false;
  if (skip_name(p, "if")) n->c = parse_expression(p);
  n->flag = skip_name(p, "recursive");
  end_block(p);
  p->loops++;
  node_add(p, n, parse_body(p, "endfor else"));
  p->loops--;
  if (skip_name(p, "else")) {
    end_block(p);
    node_add(p, n, parse_body(p, "endfor"));
  } else {
    node_add(p, n, NULL);
  }
  p->branch = branch;
  p->k++;
  end_block(p);
  return n;
}

static Node *parse_set(Parse *p, Node *n) {
  n->b = parse_target(p, true);
  if (skip_op(p, "=")) {
    n->a = parse_tuple(p, true);
    end_block(p);
    return n;
  }
  n->kind = S_SET_BLOCK;
  n->a = parse_filters(p, NULL, false);
  node_add(p, n, scope_to(p, "endset"));
  return n;
}

static void parse_parameters(Parse *p, MacroDef *m) {
  want_op(p, "(");
  for (bool first = true; !at_op(p, ")"); first = false) {
    if (!first) want_op(p, ",");
    if (at_op(p, ")")) break;
    const char **arg = tp_alloc(p->t, m->n + 1, sizeof *arg);
    Node **fallback = tp_alloc(p->t, m->n + 1, sizeof *fallback);
    if (m->n) memcpy(arg, m->arg, m->n * sizeof *arg), memcpy(fallback, m->fallback, m->n * sizeof *fallback);
    m->arg = arg, m->fallback = fallback;
    m->arg[m->n] = want_name(p);
    if (skip_op(p, "=")) m->fallback[m->n] = parse_expression(p);
    else if (m->n && m->fallback[m->n - 1]) unexpected(p, "a default, as the parameters before have");
    m->n++;
  }
  want_op(p, ")");
}

static Node *macro_body(Parse *p, const char *end) {
  int loops = p->loops;
  p->loops = 0;
  Node *body = scope_to(p, end);
  p->loops = loops;
  return body;
}

static Node *parse_macro(Parse *p, Node *n) {
  n->macro = tp_alloc(p->t, 1, sizeof *n->macro);
  n->macro->name = want_name(p);
  parse_parameters(p, n->macro);
  n->macro->body = macro_body(p, "endmacro");
  return n;
}

static Node *parse_call_block(Parse *p, Node *n) {
  n->macro = tp_alloc(p->t, 1, sizeof *n->macro);
  if (at_op(p, "(")) parse_parameters(p, n->macro);
  n->a = parse_call_of(p);
  n->macro->body = macro_body(p, "endcall");
  return n;
}

static Node *parse_filter_block(Parse *p, Node *n) {
  n->a = parse_filters(p, NULL, true);
  node_add(p, n, scope_to(p, "endfilter"));
  return n;
}

static Node *parse_with(Parse *p, Node *n) {
  while (p->k->kind != T_BLOCK_END) {
    if (n->n) want_op(p, ",");
    node_add(p, n, parse_target(p, false));
    want_op(p, "=");
    node_add(p, n, parse_expression(p));
  }
  node_add(p, n, scope_to(p, "endwith"));
  return n;
}

static Node *parse_generation(Parse *p, Node *n) {
  p->generation = true;
  node_add(p, n, macro_body(p, "endgeneration"));
  return n;
}

static Node *parse_out_of_loop(Parse *p, Node *n) {
  if (!p->loops) tp_fail(p->t, "'%s' outside of a loop", n->kind == S_BREAK ? "break" : "continue");
  end_block(p);
  return n;
}

static const struct { const char *word; NodeKind kind; Node *(*parse)(Parse *p, Node *n); } statements[] = {
    {"if", S_IF, parse_if}, {"for", S_FOR, parse_for}, {"set", S_SET, parse_set}, {"macro", S_MACRO, parse_macro}, {"call", S_CALL, parse_call_block},
    {"filter", S_FILTER, parse_filter_block}, {"with", S_WITH, parse_with}, {"generation", S_GENERATION, parse_generation},
    {"break", S_BREAK, parse_out_of_loop}, {"continue", S_CONTINUE, parse_out_of_loop},
};

// Behind "{%".
static Node *parse_statement(Parse *p) {
  p->t->line = p->k->line;
  if (p->k->kind != T_NAME) unexpected(p, "a statement");
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    if (!at_name(p, statements[i].word)) continue;
    Node *n = node_new(p, statements[i].kind, p->k->line);
    p->k++;
    return statements[i].parse(p, n);
  }
  unexpected(p, "if, for, set, macro, call, filter, with, generation, break or continue");
}

Node *tp_parse(Tp *t, const Token *tokens, bool *generation) {
  Parse p = {.t = t, .k = tokens};
  Node *body = parse_body(&p, NULL);
  if (p.unknown) t->line = p.unknown->line, word_known(t, p.unknown->kind == E_TEST ? "test" : "filter", false, p.unknown->name);
  *generation = p.generation;
  return body;
}
