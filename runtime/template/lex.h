// A template's text into tokens: text between tags as it is to be written (whitespace control done), and what stands in tags.
#ifndef CALM_RUNTIME_TEMPLATE_LEX_H
#define CALM_RUNTIME_TEMPLATE_LEX_H
#include "runtime/template/value.h"

typedef enum TokenKind { T_TEXT, T_PRINT, T_PRINT_END, T_BLOCK, T_BLOCK_END, T_NAME, T_STRING, T_INT, T_FLOAT, T_OP, T_END } TokenKind;
typedef struct Token {
  TokenKind kind;
  int line;
  const char *s;               // as text; of T_NAME and T_OP it ends with a NUL
  size_t n;
  int64_t i;
  double f;
} Token;

// All tokens, the last of kind T_END.
Token *tp_lex(Tp *t, const char *text, size_t n);
#endif
