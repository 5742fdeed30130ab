/* The grammar (README.md). Pure: all state is in Parse. The tree's layout is ast.def's. After an error tokens.c skips
   to the end of the innermost bracket or to the next statement, so `error` stands in every bracket and every list. */
%define api.pure full
%define api.prefix {calm_}
%define api.token.prefix {T_}
%define api.value.type {union Value}
%define api.location.type {Loc}
%define parse.error custom
%define parse.lac full
%locations
%parse-param {Parse *ps}
%lex-param {Parse *ps}

%code requires {
#include <stdlib.h>

#include "dsl/base/alloc.h"
#include "dsl/parse.h"
}
%code {
#define YYMALLOC(n) need_alloc(1, (n))
#define YYFREE free
#define YYLLOC_DEFAULT(cur, rhs, n)                                           \
  do {                                                                        \
    if (n)                                                                    \
      (cur) = (Loc){ps->file, YYRHSLOC(rhs, 1).begin, YYRHSLOC(rhs, n).end};  \
    else                                                                      \
      (cur) = (Loc){ps->file, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end};    \
  } while (0)

static void calm_error(const Loc *loc, Parse *ps, const char *msg) {
  (void)msg;   // bison's own: its stack is full
  diag_error(ps->diags, *loc, "this is nested too deeply");
}

// Short hands of the actions.
#define NEW(kind, loc) ast_new(ps, AST_##kind, (loc))
#define NAMED(kind, loc, name, name_loc) ast_name(ps, AST_##kind, (loc), (name), (name_loc))
#define ADD(parent, kid) ast_add(ps, (parent), (kid))
#define ADOPT(parent, holder) ast_adopt(ps, (parent), (holder))

static Ast *with_str(Ast *a, const char *str) {
  a->str = str;
  return a;
}
static Ast *binary(Parse *ps, Loc loc, const char *op, Ast *l, Ast *r) {
  return ADD(ADD(with_str(NEW(BINARY, loc), op), l), r);
}
static Loc up_to(Loc first, Loc last) { return (Loc){first.file, first.begin, last.end}; }
static Ast *model(Parse *ps, Loc loc, const char *name, Loc name_loc, const char *arch, Loc arch_loc, Ast *keys, const Ast *tokenizer, Ast *init) {
  Ast *m = with_str(NAMED(MODEL, loc, name, name_loc), arch);
  m->str2 = tokenizer->str;
  keys->loc = arch_loc;               // the place of the arch's name, for whoever complains about it
  return ADD(ADD(m, keys), init);
}
static Ast *unary(Parse *ps, Loc loc, const char *op, Ast *x) { return ADD(with_str(NEW(UNARY, loc), op), x); }

// In a list, after an error that makes tokens.c skip: what it skips to is where the list goes on.
#define RECOVER       \
  do {                \
    if (ps->panic) {  \
      yyclearin;      \
      yyerrok;        \
    }                 \
  } while (0)
}

%token END 0
%token <text> NAME STRING WEIGHT_OPT
%token <ast> NUMBER
%token ARROW DOTDOT DEFAULT EQ NE LE GE
%token TRUE FALSE NONE AND OR NOT IN FOR RETURN
%token ANCHOR AUGMENT USE MODEL TUNE ADAPT CONNECT TRAIN EVAL OP FN ARCH
%token CONFIG PREFIX INIT EMBED LAYERS TAP HEAD
%token REQUIRE IGNORE PARAM WITH STEP UNDER LIKE TOKENIZER READS AS TOKENS ROWS
%token EVERY ALL LAST SPREAD

%precedence NOTHING_MORE     // what may follow is left out, unless something wrong follows: then the declaration is whole all the same
%precedence error
%right '?' ':'
%left OR
%left AND
%right NOT
%nonassoc EQ NE '<' LE '>' GE IN
%left DEFAULT
%left '+' '-'
%left '*' '/' '%'
%precedence NEGATE
%right '^'

%type <ast> decls decl anchor augment said use model tune adapt connect train eval op fn arch
%type <ast> adapted products product_list product layers_of picked layers_in selector exprs settings setting keys tokenizer init_opt init rules rule
%type <ast> formals formal_list formal one_formal type_default dims dims_opt result body block stmts stmt params param
%type <ast> sections section config items item names ignored strings prefixes embed layers tap head served
%type <ast> expr primary postfix string call args arg_list arg list
%type <text> unit type_opt like

%%

file: decls { ps->result = $1; ps->result->loc = @$; };

decls: %empty { $$ = NEW(FILE, @$); }
  | decls decl { $$ = ADD($1, $2); }
  | decls error { $$ = $1; RECOVER; };
decl: anchor | augment | use | model | tune | adapt | connect | train | eval | op | fn | arch;

anchor: ANCHOR NAME '=' STRING said { $$ = ADOPT(with_str(NAMED(ANCHOR, @$, $2, @2), $4), $5); }
  | ANCHOR NAME '=' STRING error { $$ = with_str(NAMED(ANCHOR, up_to(@1, @4), $2, @2), $4); RECOVER; };
augment: AUGMENT NAME '=' STRING said { $$ = ADOPT(with_str(NAMED(AUGMENT, @$, $2, @2), $4), $5); }
  | AUGMENT NAME '=' STRING error { $$ = with_str(NAMED(AUGMENT, up_to(@1, @4), $2, @2), $4); RECOVER; };
said: %empty %prec NOTHING_MORE { $$ = NEW(BLOCK, @$); }
  | said AS NAME { $$ = ADD($1, NAMED(AS, up_to(@2, @3), $3, @3)); }
  | said READS NAME { $$ = ADD($1, NAMED(READS, up_to(@2, @3), $3, @3)); };
use: USE STRING { $$ = with_str(NEW(USE, @$), $2); };

model: MODEL NAME '=' NAME keys tokenizer said init_opt { $$ = ADOPT(model(ps, @$, $2, @2, $4, @4, $5, $6, $8), $7); }
  | MODEL NAME '=' NAME keys tokenizer error { $$ = model(ps, up_to(@1, @6), $2, @2, $4, @4, $5, $6, NULL); RECOVER; };
keys: '{' settings '}' { $$ = $2; };
tokenizer: TOKENIZER STRING { $$ = with_str(NEW(STRING, @2), $2); };
init_opt: %empty %prec NOTHING_MORE { $$ = NULL; } | init;

tune: TUNE NAME %prec NOTHING_MORE { $$ = NAMED(TUNE, @$, $2, @2); }
  | TUNE NAME strings { $$ = ADOPT(NAMED(TUNE, @$, $2, @2), $3); };
adapt: ADAPT NAME adapted WITH call { $$ = ADOPT(ADD(NAMED(ADAPT, @$, $2, @2), $5), $3); };
adapted: %empty { $$ = NEW(BLOCK, @$); }
  | strings
  | layers_in { $$ = ADD(NEW(BLOCK, @$), $1); }
  | '.' products { $$ = $2; }
  | '.' products layers_in { $$ = ADD($2, $3); };
products: product { $$ = ADD(NEW(BLOCK, @$), $1); }
  | '{' product_list comma_opt '}' { $$ = $2; }
  | '{' error '}' { $$ = NEW(BLOCK, @$); yyerrok; };
product_list: product { $$ = ADD(NEW(BLOCK, @$), $1); }
  | product_list ',' product { $$ = ADD($1, $3); };
product: NAME { $$ = NAMED(NAME, @1, $1, @1); };

connect: CONNECT layers_of ARROW layers_of WITH call { $$ = ADD(ADD(ADD(NEW(CONNECT, @$), $2), $4), $6); };
layers_of: picked
  | picked '.' NAME { $$ = ADD($1, NAMED(NAME, @3, $3, @3)); $$->loc = @$; };
picked: NAME layers_in { $$ = ADD(NAMED(LAYERS, @$, $1, @1), $2); };
layers_in: '[' selector ']' { $$ = $2; }
  | '[' error ']' { $$ = NEW(SEL_ALL, @$); yyerrok; };
selector: exprs { $1->kind = AST_SEL_LIST; $$ = $1; }
  | expr DOTDOT expr { $$ = ADD(ADD(ADD(NEW(SEL_RANGE, @$), $1), $3), NULL); }
  | expr DOTDOT expr STEP expr { $$ = ADD(ADD(ADD(NEW(SEL_RANGE, @$), $1), $3), $5); }
  | EVERY expr { $$ = ADD(NEW(SEL_EVERY, @$), $2); }
  | ALL { $$ = NEW(SEL_ALL, @$); }
  | LAST { $$ = NEW(SEL_LAST, @$); }
  | SPREAD { $$ = NEW(SEL_SPREAD, @$); };
exprs: expr { $$ = ADD(NEW(LIST, @$), $1); }
  | exprs ',' expr { $$ = ADD($1, $3); $$->loc = @$; };

train: TRAIN '{' settings '}' { $$ = ADOPT(NEW(TRAIN, @$), $3); };
eval: EVAL STRING '{' settings '}' { $$ = ADOPT(with_str(NEW(EVAL, @$), $2), $4); $$->name_loc = @2; };
settings: %empty { $$ = NEW(BLOCK, @$); }
  | settings setting { $$ = ADD($1, $2); }
  | settings error { $$ = $1; RECOVER; };
setting: NAME '=' expr unit { $$ = ADD(with_str(NAMED(SETTING, @$, $1, @1), $4), $3); };
unit: %empty { $$ = NULL; } | TOKENS { $$ = "tokens"; } | ROWS { $$ = "rows"; };

op: OP NAME formals ARROW result block { $$ = ADD(ADD(ADD(NAMED(OP, @$, $2, @2), $3), $5), $6); };
result: NAME dims_opt { $$ = ADD(NAMED(RESULT, @$, $1, @1), $2); };
fn: FN NAME formals body { $$ = ADD(ADD(NAMED(FN, @$, $2, @2), $3), $4); };
formals: '(' ')' { $$ = NEW(BLOCK, @$); }
  | '(' formal_list comma_opt ')' { $$ = $2; $$->loc = @$; }
  | '(' error ')' { $$ = NEW(BLOCK, @$); yyerrok; };
formal_list: formal { $$ = ADD(NEW(BLOCK, @$), $1); }
  | formal_list ',' formal { $$ = ADD($1, $3); };
formal: NAME dims_opt type_opt type_default { $$ = ADD(ADD(with_str(NAMED(FORMAL, @$, $1, @1), $3), $2), $4); };
type_opt: %empty { $$ = NULL; } | ':' NAME { $$ = $2; };
type_default: %empty { $$ = NULL; } | '=' expr { $$ = $2; };
one_formal: '(' formal ')' { $$ = $2; }
  | '(' error ')' { $$ = NAMED(FORMAL, @$, "x", @$); ADD(ADD($$, NULL), NULL); yyerrok; };
dims: '[' exprs comma_opt ']' { $2->kind = AST_DIMS; $$ = $2; $$->loc = @$; }
  | '[' error ']' { $$ = NEW(DIMS, @$); yyerrok; };
dims_opt: %empty { $$ = NULL; } | dims;
comma_opt: %empty | ',';

body: '=' expr { $$ = $2; } | block;
block: '{' stmts '}' { $$ = $2; $$->loc = @$; };
stmts: %empty { $$ = NEW(BLOCK, @$); }
  | stmts stmt { $$ = $2->kind == AST_LIST ? ADOPT($1, $2) : ADD($1, $2); }
  | stmts error { $$ = $1; RECOVER; };
stmt: NAME dims_opt '=' expr { $$ = ADD(ADD(NAMED(BIND, @$, $1, @1), $2), $4); }
  | PARAM params { $$ = $2; }
  | RETURN expr { $$ = ADD(NEW(RETURN, @$), $2); };
params: param { $$ = ADD(NEW(LIST, @$), $1); }
  | params ',' param { $$ = ADD($1, $3); };
param: NAME dims type_default { $$ = ADD(ADD(NAMED(PARAM, @$, $1, @1), $2), $3); };

arch: ARCH NAME FOR served like '{' sections '}' {
    $$ = with_str(NAMED(ARCH, @$, $2, @2), $5);
    ADOPT(ADD($$, $4), $7);
  };
like: %empty { $$ = NULL; } | LIKE NAME { $$ = $2; };
served: strings { $$ = $1; $$->loc = @$; };
strings: STRING { $$ = ADD(NEW(BLOCK, @$), with_str(NEW(STRING, @1), $1)); }
  | strings ',' STRING { $$ = ADD($1, with_str(NEW(STRING, @3), $3)); };
sections: %empty { $$ = NEW(BLOCK, @$); }
  | sections section { $$ = ADD($1, $2); }
  | sections error { $$ = $1; RECOVER; };
section: config | PREFIX prefixes { $$ = $2; $$->loc = @$; } | init | fn | embed | layers | tap | head;
config: CONFIG '{' items '}' { $$ = $3; $$->loc = @$; };
items: %empty { $$ = NEW(CONFIG, @$); }
  | items item { $$ = ADD($1, $2); }
  | items error { $$ = $1; RECOVER; };
item: NAME '=' expr { $$ = ADD(ADD(NAMED(BIND, @$, $1, @1), NULL), $3); }
  | REQUIRE expr { $$ = ADD(ADD(NEW(REQUIRE, @$), $2), NULL); }
  | REQUIRE expr ',' STRING { $$ = ADD(ADD(NEW(REQUIRE, @$), $2), with_str(NEW(STRING, @4), $4)); }
  | IGNORE names { $$ = $2; $$->loc = @$; };
names: ignored { $$ = ADD(NEW(IGNORE, @$), $1); }
  | names ',' ignored { $$ = ADD($1, $3); };
ignored: NAME { $$ = NAMED(NAME, @1, $1, @1); }
  | STRING { $$ = with_str(NEW(STRING, @1), $1); };
prefixes: STRING { $$ = ADD(NEW(PREFIX, @$), with_str(NEW(STRING, @1), $1)); }
  | prefixes '|' STRING { $$ = ADD($1, with_str(NEW(STRING, @3), $3)); };
init: INIT '{' rules '}' { $$ = $3; $$->loc = @$; };
rules: %empty { $$ = NEW(INITS, @$); }
  | rules rule { $$ = ADD($1, $2); }
  | rules error { $$ = $1; RECOVER; };
rule: STRING '=' expr { $$ = ADD(with_str(NEW(INIT, @$), $1), $3); };
embed: EMBED one_formal body { $$ = ADD(ADD(NEW(EMBED, @$), $2), $3); };
layers: LAYERS NAME IN expr DOTDOT expr UNDER STRING one_formal block {
    $$ = with_str(NAMED(BLOCKS, @$, $2, @2), $8);
    ADD(ADD(ADD(ADD($$, $4), $6), $9), $10);
  };
tap: TAP NAME formals body { $$ = ADD(ADD(NAMED(TAP, @$, $2, @2), $3), $4); };
head: HEAD one_formal body { $$ = ADD(ADD(NEW(HEAD, @$), $2), $3); };

expr: postfix
  | expr '?' expr ':' expr { $$ = ADD(ADD(ADD(NEW(COND, @$), $1), $3), $5); }
  | expr OR expr { $$ = binary(ps, @$, "or", $1, $3); }
  | expr AND expr { $$ = binary(ps, @$, "and", $1, $3); }
  | NOT expr { $$ = unary(ps, @$, "not", $2); }
  | expr EQ expr { $$ = binary(ps, @$, "==", $1, $3); }
  | expr NE expr { $$ = binary(ps, @$, "!=", $1, $3); }
  | expr '<' expr { $$ = binary(ps, @$, "<", $1, $3); }
  | expr LE expr { $$ = binary(ps, @$, "<=", $1, $3); }
  | expr '>' expr { $$ = binary(ps, @$, ">", $1, $3); }
  | expr GE expr { $$ = binary(ps, @$, ">=", $1, $3); }
  | expr IN expr { $$ = binary(ps, @$, "in", $1, $3); }
  | expr NOT IN expr %prec IN { $$ = unary(ps, @$, "not", binary(ps, @$, "in", $1, $4)); }
  | expr DEFAULT expr { $$ = binary(ps, @$, "??", $1, $3); }
  | expr '+' expr { $$ = binary(ps, @$, "+", $1, $3); }
  | expr '-' expr { $$ = binary(ps, @$, "-", $1, $3); }
  | expr '*' expr { $$ = binary(ps, @$, "*", $1, $3); }
  | expr '/' expr { $$ = binary(ps, @$, "/", $1, $3); }
  | expr '%' expr { $$ = binary(ps, @$, "%", $1, $3); }
  | '-' expr %prec NEGATE { $$ = unary(ps, @$, "-", $2); }
  | expr '^' expr { $$ = binary(ps, @$, "^", $1, $3); };

postfix: primary
  | postfix '[' exprs comma_opt ']' { $$ = ADOPT(ADD(NEW(INDEX, @$), $1), $3); }
  | postfix '[' error ']' { $$ = $1; yyerrok; }
  | postfix '.' NAME { $$ = ADD(NAMED(MEMBER, @$, $3, @3), $1); };
primary: NUMBER { $$ = $1; }
  | string
  | NAME { $$ = NAMED(NAME, @$, $1, @1); }
  | TRUE { $$ = NEW(TRUE, @$); }
  | FALSE { $$ = NEW(FALSE, @$); }
  | NONE { $$ = NEW(NONE, @$); }
  | call
  | WEIGHT_OPT args { $$ = ADOPT(with_str(NAMED(CALL, @$, $1, @1), "?"), $2); }
  | '(' expr ')' { $$ = $2; }
  | '(' expr ',' ')' { $$ = ADD(NEW(LIST, @$), $2); }
  | '(' expr ',' exprs comma_opt ')' { $$ = ADOPT(ADD(NEW(LIST, @$), $2), $4); }
  | '(' error ')' { $$ = NEW(NONE, @$); yyerrok; }
  | '[' list ']' { $$ = $2; $$->loc = @$; }
  | '[' expr FOR NAME IN expr ']' { $$ = ADD(ADD(ADD(NAMED(COMPREHEND, @$, $4, @4), $2), $6), NULL); }
  | '[' expr FOR NAME IN expr DOTDOT expr ']' { $$ = ADD(ADD(ADD(NAMED(COMPREHEND, @$, $4, @4), $2), $6), $8); }
  | '[' error ']' { $$ = NEW(LIST, @$); yyerrok; };
list: %empty { $$ = NEW(LIST, @$); } | exprs comma_opt { $$ = $1; };
string: STRING { $$ = with_str(NEW(STRING, @$), $1); }
  | prefixes '|' STRING { $$ = ADD($1, with_str(NEW(STRING, @3), $3)); $$->kind = AST_ALT; $$->loc = @$; };
call: NAME args { $$ = ADOPT(NAMED(CALL, @$, $1, @1), $2); };
args: '(' ')' { $$ = NEW(LIST, @$); }
  | '(' arg_list comma_opt ')' { $$ = $2; }
  | '(' error ')' { $$ = NEW(LIST, @$); yyerrok; };
arg_list: arg { $$ = ADD(NEW(LIST, @$), $1); }
  | arg_list ',' arg { $$ = ADD($1, $3); };
arg: expr | NAME '=' expr { $$ = ADD(NAMED(NAMED, @$, $1, @1), $3); };

%%

// The token code of a symbol (bison's own table runs the other way).
static int token_code(yysymbol_kind_t symbol) {
  int code = 0;
  while (code < T_SPREAD && YYTRANSLATE(code) != symbol) code++;
  return code;
}

// What could have stood here, as token codes; expect.c words it.
static int yyreport_syntax_error(const yypcontext_t *ctx, Parse *ps) {
  enum { MAX = YYNTOKENS };
  yysymbol_kind_t symbol[MAX];
  int n = yypcontext_expected_tokens(ctx, symbol, MAX), code[MAX];
  for (int i = 0; i < n; i++) code[i] = token_code(symbol[i]);
  report_syntax(ps, code, n > 0 ? n : 0);
  return 0;
}
