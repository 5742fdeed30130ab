// A template as a tree. Lists are `kid[0 … n)`; what a kind does not use is zero.
#ifndef CALM_RUNTIME_TEMPLATE_TREE_H
#define CALM_RUNTIME_TEMPLATE_TREE_H
#include "runtime/template/value.h"

typedef enum NodeKind {
  // expressions
  E_CONST,                     // value
  E_NAME,                      // name
  E_LIST, E_TUPLE,             // kid
  E_DICT,                      // kid: key, value, key, value, …
  E_ATTR,                      // a.name
  E_ITEM,                      // a[b]
  E_SLICE,                     // kid: from, to, step, each NULL where it is not said; only inside E_ITEM
  E_CALL,                      // a(args)
  E_FILTER,                    // a | name(args); a is NULL where a block's text goes in
  E_TEST,                      // a is name(args)
  E_IF,                        // b if a else c; c may be NULL
  E_AND, E_OR, E_NOT, E_NEG, E_POS,
  E_MATH,                      // a op b
  E_CONCAT,                    // kid
  E_COMPARE,                   // a op[0] kid[0] op[1] kid[1] …
  // statements
  S_BODY,                      // kid
  S_TEXT,                      // value
  S_PRINT,                     // a
  S_IF,                        // kid: condition, body, condition, body, …, and one more for else
  S_FOR,                       // for b in a if c: kid[0], else kid[1], which may be NULL; flag: recursive
  S_SET,                       // b = a; b: E_NAME, E_TUPLE of them, or E_ATTR (a namespace's)
  S_SET_BLOCK,                 // b = kid[0] through the filters a
  S_MACRO,                     // macro
  S_CALL,                      // a, an E_CALL, with macro as its caller
  S_FILTER,                    // kid[0] through the filters a
  S_WITH,                      // kid: names and values in turn, then the body
  S_GENERATION,                // kid[0]
  S_BREAK, S_CONTINUE,
} NodeKind;

typedef enum Op { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD, OP_POW, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_NOT_IN } Op;

typedef struct Node Node;
typedef struct Args {          // of a call
  Node **at;
  const char **key;            // NULL for those by place, which come first
  size_t n;
  Node *more, *named;          // *more, **named; NULL: none
} Args;
typedef struct MacroDef {
  const char *name;            // NULL: the caller of a call block
  const char **arg;
  Node **fallback;             // NULL: must be given
  size_t n;
  Node *body;
} MacroDef;
struct Node {
  NodeKind kind;
  Op op;
  bool flag;
  int line;
  const char *name;
  Node *a, *b, *c, **kid;
  Op *ops;
  size_t n;
  Value value;
  Args args;
  MacroDef *macro;
};
#endif
