// Inside of the parser: what lexer.l, tokens.c, parser.y and expect.c share. One Parse a text; nothing global.
//   lexer.l    bytes to raw tokens: every word is a NAME
//   tokens.c   decides which words are keywords where they stand, keeps the open brackets, and skips after an error
//   parser.y   the grammar
//   expect.c   words a syntax error
#ifndef CALM_DSL_PARSE_H
#define CALM_DSL_PARSE_H
#include "dsl/ast.h"

typedef union Value {
  Ast *ast;
  const char *text;      // NAME, STRING: their text
} Value;

typedef struct Token {
  int kind;
  Loc loc;
  Value val;
} Token;

typedef struct Open {
  char bracket;          // ( [ {
  Loc loc;
} Open;

typedef struct Parse {
  Arena *arena;
  Diags *diags;
  uint32_t file;
  const char *text;      // of the file
  void *scanner;
  uint32_t at;           // lexer: bytes read
  Token next;            // one token of look-ahead, raw
  Token prev, last;      // the two tokens handed to the parser before now; last is the parser's look-ahead
  Open *open;            // brackets open now, outermost first
  int nopen, capopen;
  Token held;            // waits while virtual closing brackets go out (see tokens.c); kind -1 = nothing
  int close_to;          // number of brackets that stay open before held goes out
  bool is_virtual;       // last is a closing bracket that nobody wrote,
  Open closing;          // for this one
  bool stray;            // last is a closing bracket that closes nothing
  bool mistaken;         // it stood for another one, which goes out next
  bool told;             // a missing closing bracket was reported before held
  uint32_t told_at;      // where the last syntax error was reported: a token is complained about once
  bool panic;            // an error was reported: skip to where the grammar can go on
  int panic_depth;       // brackets open where the error was
  bool in_connect, in_adapt, in_arch;
  bool too_deep;
  Ast *result;
} Parse;

// lexer.l: the next raw token.
int calm_scan(Parse *ps, Value *val, Loc *loc, void *scanner);
void lexer_begin(Parse *ps, const char *text, size_t len);
void lexer_end(Parse *ps);
// tokens.c
int calm_lex(Value *val, Loc *loc, Parse *ps);          // what the parser calls
char *lex_string(Parse *ps, const char *s, size_t n, Loc loc);   // the text between the quotes, escapes resolved
char *lex_name(Parse *ps, const char *s, size_t n, Loc loc);
Ast *lex_number(Parse *ps, const char *s, size_t n, bool is_int, Loc loc);
char *lex_quoted(Parse *ps, const char *s, size_t n, size_t quote, Loc loc);   // in wrong quotes, `quote` bytes each
int lex_stray(Parse *ps, const char *s, size_t n, Loc loc);   // reports bytes that begin no token; the one meant, or 0
bool tokens_sync(const Parse *ps);                      // can the grammar go on at ps->last after an error?
const char *token_word(int kind);                       // spelling of a keyword token, NULL for others
int token_nth_word(int i);                              // the i-th keyword token, 0 after the last
bool token_reserved(int kind);                          // a keyword everywhere
bool token_begins_line(const Parse *ps, Loc loc, bool at_margin);   // at_margin: and is not indented
char closing_bracket(char open);
// expect.c: reports that ps->last was found where only the expected tokens (token codes of parser.h) can stand.
void report_syntax(Parse *ps, const int *expected, int n);
// Reports that `held` came before the bracket o was closed.
void report_unclosed(Parse *ps, Open o);
// ast.c
enum { AST_MAX_DEPTH = 256 };   // taller trees are refused, so that walks may recurse
Ast *ast_new(Parse *ps, AstKind kind, Loc loc);
Ast *ast_name(Parse *ps, AstKind kind, Loc loc, const char *name, Loc name_loc);
Ast *ast_add(Parse *ps, Ast *parent, Ast *kid);         // returns parent; kid NULL = an optional one left out
Ast *ast_adopt(Parse *ps, Ast *parent, const Ast *holder);   // adds all of holder's kids
#endif
