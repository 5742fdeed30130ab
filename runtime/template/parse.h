// Tokens into a tree, by jinja2's grammar. Names of filters and tests are looked up here, so that an unknown one is told when a template is read; in a branch,
// which may never be taken, when it is met: so does jinja2, and public templates have such.
#ifndef CALM_RUNTIME_TEMPLATE_PARSE_H
#define CALM_RUNTIME_TEMPLATE_PARSE_H
#include "runtime/template/lex.h"
#include "runtime/template/tree.h"

typedef struct Parse {
  Tp *t;
  const Token *k;              // where it is
  int loops;                   // inside how many; what becomes a function of its own counts anew
  bool generation;             // there was such a block
  bool branch;                 // inside an if; a loop, macro or block with a scope of its own is outside again
  const Node *unknown;         // the first filter or test outside of branches that nobody knows
} Parse;

Node *tp_parse(Tp *t, const Token *tokens, bool *generation);

// expressions (expression.c)
Node *parse_expression(Parse *p);
Node *parse_tuple(Parse *p, bool conditions);            // one, or several with commas between
Node *parse_target(Parse *p, bool members);              // what is assigned to; members: a namespace's too
Node *parse_filters(Parse *p, Node *a, bool first);      // | name …; first: without the |
Node *parse_test_free(Parse *p);                         // an expression without "if … else" around it: what a for loop goes over
Node *parse_call_of(Parse *p);
void parse_args(Parse *p, Args *out);

Node *node_new(Parse *p, NodeKind kind, int line);
void node_add(Parse *p, Node *list, Node *kid);
bool at_op(const Parse *p, const char *s);
bool at_name(const Parse *p, const char *s);
bool skip_op(Parse *p, const char *s);
bool skip_name(Parse *p, const char *s);
void want_op(Parse *p, const char *s);
const char *want_name(Parse *p);
_Noreturn void unexpected(Parse *p, const char *wanted);
#endif
