// Between lexer and parser: which words are keywords where they stand (tokens.def), which brackets are open, and where
// to go on after an error. The parser never sees unbalanced brackets: where a declaration, a section, `return`, the end
// of the file or another closing bracket shows that a bracket was forgotten, the missing ones are handed out first
// ("virtual"), and the error is reported once.
#include <string.h>

#include "dsl/parse.h"
#include "parser.h"
#include "runtime/abi/abi.h"

typedef enum WordClass {
  CLASS_NONE, CLASS_RESERVED, CLASS_DECL, CLASS_SECTION, CLASS_STATEMENT, CLASS_SELECTOR
} WordClass;

typedef struct Word {
  int kind;
  const char *text;
  WordClass class;
} Word;

static const Word words[] = {
#define X(kind, text, class) {T_##kind, text, CLASS_##class},
#include "dsl/tokens.def"
#undef X
};
enum { NWORDS = sizeof words / sizeof *words };

static const Word *word_of(int kind) {
  for (int i = 0; i < NWORDS; i++)
    if (words[i].kind == kind) return &words[i];
  return NULL;
}
static WordClass class_of(int kind) {
  const Word *w = word_of(kind);
  return w ? w->class : CLASS_NONE;
}
const char *token_word(int kind) {
  const Word *w = word_of(kind);
  return w ? w->text : NULL;
}
int token_nth_word(int i) { return i < NWORDS ? words[i].kind : 0; }
bool token_reserved(int kind) { return class_of(kind) == CLASS_RESERVED; }

bool token_begins_line(const Parse *ps, Loc loc, bool at_margin) {
  uint32_t i = loc.begin;
  while (!at_margin && i > 0 && (ps->text[i - 1] == ' ' || ps->text[i - 1] == '\t')) i--;
  return i == 0 || ps->text[i - 1] == '\n';
}

char closing_bracket(char open) { return open == '(' ? ')' : open == '[' ? ']' : '}'; }
static bool is_opener(int kind) { return kind == '(' || kind == '[' || kind == '{'; }
static bool is_closer(int kind) { return kind == ')' || kind == ']' || kind == '}'; }

// ---- words in context

// May a statement begin, or something be said about a value, after this token?
static bool ends_something(int kind) {
  switch (kind) {
    case '{': case '}': case ')': case ']':
    case T_NAME: case T_STRING: case T_NUMBER: case T_TRUE: case T_FALSE: case T_NONE: case T_TOKENS: case T_ROWS:
      return true;
    default:
      return false;
  }
}

// Where no declaration can begin its word counts only if what follows fits: then something before it is missing, or it
// is an arch's fn.
static bool decl_fits(int kind, int next) {
  if (kind == T_USE || kind == T_EVAL) return next == T_STRING;
  return kind == T_TRAIN ? next == '{' : next == T_NAME;
}

static int classify(const Parse *ps, const Token *t) {
  if (t->kind != T_NAME || ps->last.kind == '.') return t->kind;
  const Word *w = NULL;
  for (int i = 0; i < NWORDS && !w; i++)
    if (!strcmp(words[i].text, t->val.text)) w = &words[i];
  if (!w) return T_NAME;
  int next = ps->next.kind;
  bool selects = ps->in_connect || ps->in_adapt;
  bool binds = next == '=' || (next == '[' && w->kind != T_REQUIRE);
  switch (w->class) {
    case CLASS_RESERVED: return w->kind;
    case CLASS_SELECTOR: return selects && ps->last.kind == '[' ? w->kind : T_NAME;
    case CLASS_DECL:
      if (!ends_something(ps->last.kind))   // cut short: the line above was not finished
        return token_begins_line(ps, t->loc, true) && decl_fits(w->kind, next) ? w->kind : T_NAME;
      return !ps->nopen || decl_fits(w->kind, next) ? w->kind : T_NAME;
    default:
      if ((w->kind == T_WITH || w->kind == T_STEP) && !selects) return T_NAME;
      return ends_something(ps->last.kind) && !binds ? w->kind : T_NAME;
  }
}

static Token scan(Parse *ps) {
  Token t = {0};
  t.kind = calm_scan(ps, &t.val, &t.loc, ps->scanner);
  return t;
}

static Token take(Parse *ps) {
  Token t = ps->next;
  if (t.kind) ps->next = scan(ps);
  else t.loc = (Loc){ps->file, ps->last.loc.end, ps->last.loc.end};   // the end is where the last token ends
  t.kind = classify(ps, &t);
  return t;
}

// ---- brackets

// How many brackets may stay open when t is handed out; fewer than are open means that some closing bracket is missing
// before t. A closing bracket without its opening one leaves all open: the grammar will refuse it.
static int may_stay_open(const Parse *ps, const Token *t) {
  WordClass class = class_of(t->kind);
  if (t->kind == T_END || (class == CLASS_DECL && (t->kind != T_FN || !ps->in_arch))) return 0;
  if (class == CLASS_SECTION || t->kind == T_FN) return ps->in_arch && ps->nopen > 1 ? 1 : ps->nopen;
  bool statement = t->kind == T_RETURN || t->kind == T_PARAM;
  if (!statement && !is_closer(t->kind)) return ps->nopen;
  for (int i = ps->nopen; i-- > 0;) {
    char open = ps->open[i].bracket;
    if (statement ? open == '{' : closing_bracket(open) == t->kind) return i + 1;
    if (open == '{') break;
  }
  return ps->nopen;
}

static int hand_out(Parse *ps, Token t, Value *val, Loc *loc) {
  ps->prev = ps->last;
  ps->last = t;
  ps->stray = false;
  if (is_opener(t.kind)) {
    Open o = {(char)t.kind, t.loc};
    ARENA_PUSH(ps->arena, ps->open, ps->nopen, ps->capopen, o);
  } else if (is_closer(t.kind) && ps->nopen && closing_bracket(ps->open[ps->nopen - 1].bracket) == t.kind) {
    ps->nopen--;
    if (!ps->nopen && t.kind == '}') ps->in_arch = false;
  } else if (is_closer(t.kind)) {
    ps->stray = true;
  }
  WordClass class = class_of(t.kind);
  if (class == CLASS_DECL) ps->in_connect = t.kind == T_CONNECT, ps->in_adapt = t.kind == T_ADAPT;
  if (class == CLASS_DECL && t.kind != T_FN) ps->in_arch = t.kind == T_ARCH;
  if (t.kind == T_WITH) ps->in_connect = ps->in_adapt = false;
  *val = t.val;
  *loc = t.loc;
  return t.kind;
}

static int hand_out_virtual(Parse *ps, Value *val, Loc *loc) {
  ps->closing = ps->open[ps->nopen - 1];
  ps->is_virtual = true;
  uint32_t at = ps->last.loc.end;
  Token t = {.kind = closing_bracket(ps->closing.bracket), .loc = {ps->file, at, at}};
  return hand_out(ps, t, val, loc);
}

// ---- after an error

static bool syncs(const Parse *ps, const Token *t) {
  WordClass class = class_of(t->kind);
  if (t->kind == T_END || class == CLASS_DECL || class == CLASS_SECTION) return true;
  if (t->kind == T_RETURN || t->kind == T_PARAM || t->kind == T_REQUIRE || t->kind == T_IGNORE) return true;
  bool in_braces = ps->nopen && ps->open[ps->nopen - 1].bracket == '{';
  return in_braces && t->kind == T_NAME && ps->next.kind == '=';
}

bool tokens_sync(const Parse *ps) {
  return is_closer(ps->last.kind) ? !ps->stray : syncs(ps, &ps->last);
}

// A name that begins a line as a declaration would, and is nearly the word of one: an error of its own.
static bool misspelt_decl(const Parse *ps, const Token *t) {
  int next = ps->next.kind;
  if (t->kind != T_NAME || (next != T_NAME && next != T_STRING && next != '{') || !token_begins_line(ps, t->loc, true)) return false;
  Near near = near_begin(t->val.text);
  for (int i = 0; i < NWORDS; i++)
    if (words[i].class == CLASS_DECL) near_offer(&near, words[i].text);
  return near.best != NULL;
}

// Skips to the token the grammar can go on with: in ( and [ their end, in { the next statement, outside the next
// declaration; or whatever shows that the bracket was never closed. Brackets opened meanwhile are forgotten: the parser
// has not seen them.
static Token skip(Parse *ps) {
  int depth = ps->panic_depth;
  char in = depth ? ps->open[depth - 1].bracket : 0;
  Value val;
  Loc loc;
  for (;;) {
    Token t = take(ps);
    int stay = may_stay_open(ps, &t);
    bool stop;
    if (is_closer(t.kind)) {
      bool matched = stay && closing_bracket(ps->open[stay - 1].bracket) == t.kind;
      stop = matched && stay <= depth;
    } else {
      bool begins = stay == depth && (in == '{' ? syncs(ps, &t) : !in && (class_of(t.kind) == CLASS_DECL || misspelt_decl(ps, &t)));
      stop = t.kind == T_END || stay < depth || begins;
    }
    if (stop) {
      ps->nopen = depth;
      return t;
    }
    ps->nopen = stay;
    hand_out(ps, t, &val, &loc);
  }
}

int calm_lex(Value *val, Loc *loc, Parse *ps) {
  if (ps->is_virtual && !ps->told) {   // the parser took the bracket that is missing
    report_unclosed(ps, ps->closing);
    ps->told = true;
  }
  ps->is_virtual = false;
  if (ps->held.kind < 0) {
    ps->told = ps->panic || ps->mistaken;
    ps->held = ps->panic ? skip(ps) : take(ps);
    ps->panic = false;
    ps->close_to = may_stay_open(ps, &ps->held);
    if (ps->told && ps->nopen > ps->close_to) ps->told_at = ps->held.loc.begin;
  }
  if (ps->nopen > ps->close_to || ps->mistaken) {
    ps->mistaken = false;
    return hand_out_virtual(ps, val, loc);
  }
  Token t = ps->held;
  ps->held.kind = -1;
  return hand_out(ps, t, val, loc);
}
