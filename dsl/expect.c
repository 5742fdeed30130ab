// Words a syntax error: what was found, what was expected, where the open bracket stands, and what was probably meant.
// The parser tells every token that could have stood there; here they become a user's words.
#include <string.h>

#include "runtime/abi/abi.h"
#include "dsl/parse.h"
#include "parser.h"

enum { MAX_CODE = T_SPREAD + 1, MAX_PIECES = 16 };

typedef struct Expected {
  bool has[MAX_CODE];
  int total;             // how many it has
  const char *piece[MAX_PIECES];
  int n;
} Expected;

// After token `before`, where `expects` could stand, the text says it all.
typedef struct Hint {
  int before, expects;
  enum { ANYWHERE, IN_CONNECT, IN_ADAPT, ALONE } when;   // ALONE: nothing else could stand there
  const char *text;
} Hint;

static const Hint hints[] = {
  {T_ANCHOR, T_NAME, ANYWHERE, "a name for the model, as in anchor base = \"directory\""},
  {T_AUGMENT, T_NAME, ANYWHERE, "a name for the model, as in augment code = \"directory\""},
  {T_MODEL, T_NAME, ANYWHERE,
   "a name for the model, as in model kv = ARCH { hidden_size = 128 } tokenizer \"tokenizer.json\""},
  {T_USE, T_STRING, ANYWHERE, "the path of a .calm file in quotes"},
  {T_EVAL, T_STRING, ANYWHERE, "a title in quotes, as in eval \"held out\" { data = \"test.jsonl\" }"},
  {T_FOR, T_STRING, ANYWHERE, "an architecture in quotes, such as \"MyModelForCausalLM\""},
  {T_UNDER, T_STRING, ANYWHERE, "what the weights' names begin with, such as \"layers.{i}.\""},
  {T_LIKE, T_NAME, ANYWHERE, "the arch that it builds on"},
  {T_READS, T_NAME, ANYWHERE, "'prompt': the augment then reads the prompt only; or 'aligned': its tokens then end where the anchor's do"},
  {T_AS, T_NAME, ANYWHERE, "'int8': its matrices are then kept in 8 bits"},
  {T_TOKENIZER, T_STRING, ANYWHERE, "the path of a tokenizer.json in quotes"},
  {T_PREFIX, T_STRING, ANYWHERE, "what weight names may begin with, such as \"model.\" | \"\""},
  {T_PARAM, T_NAME, ANYWHERE, "a parameter with its shape, such as wq[heads, D]"},
  {T_WITH, T_NAME, ANYWHERE, "an op with its arguments, such as cross_attention(heads = 4)"},
  {T_TUNE, T_NAME, ANYWHERE, "the model to train on from its weights, as in tune base"},
  {T_ADAPT, T_NAME, ANYWHERE, "the model to adapt, as in adapt base \"*.q_proj\" with lora(rank = 8)"},
  {T_CONNECT, T_NAME, ANYWHERE, "the model to read from, as in connect code[every 4] -> base[spread]"},
  {T_ARROW, T_NAME, IN_CONNECT, "the model to add to, and its layers, such as base[spread]"},
  {T_ARROW, T_NAME, ANYWHERE, "a name and shape for the result, such as delta[N, D]"},
  {'.', T_NAME, IN_CONNECT, "the name of a tap, as in code[every 4].normed"},
  {T_TAP, T_NAME, ANYWHERE, "a name for the tap, as in tap normed(x[T, D], k) = …"},
  {T_NAME, '[', IN_CONNECT, "a layer selector such as [every 2]"},
  {'[', T_SPREAD, IN_CONNECT, "a layer selector such as [every 2], [4, 8], [4..16 step 4], [all], [last] or [spread]"},
  {']', T_ARROW, IN_CONNECT, "'->' and the model to add to"},
  {']', T_WITH, IN_CONNECT, "'with' and an op, such as with cross_attention(heads = 4)"},
  {T_NAME, T_STRING, IN_ADAPT, "which products, such as \"*.q_proj\", .{q_proj, v_proj} or [every 2], or 'with' and an op, such as with lora(rank = 8)"},
  {'.', T_NAME, IN_ADAPT, "the products to adapt, such as q_proj or {q_proj, v_proj}"},
  {'[', T_SPREAD, IN_ADAPT, "a layer selector such as [every 2], [4, 8], [4..16 step 4], [all] or [last]"},
  {']', T_WITH, IN_ADAPT, "'with' and an op, such as with lora(rank = 8)"},
  {T_NAME, '(', ALONE, "the arguments in parentheses, such as (heads = 4) or ()"},
  {T_NAME, '[', ALONE, "its shape in brackets, such as [N, D]"},
  {T_NAME, T_FOR, ALONE, "'for' and the architectures it serves, such as for \"MyModelForCausalLM\""},
  {')', T_ARROW, ALONE, "'->' and the result, such as -> delta[N, D]"},
  {'}', T_TOKENIZER, ALONE, "'tokenizer' and the path of a tokenizer.json"},
  {':', T_NAME, ANYWHERE, "a type: int, float, string or bool"},
};

// Sets of tokens that one phrase names. The set is recognised by its first token (and `also`, where not 0).
typedef struct Group {
  int mark, also;
  const char *text;
  int tokens[15];        // 0 ends
} Group;

static const Group groups[] = {
  {T_ANCHOR, 0, "a declaration (anchor, augment, model, tune, adapt, connect, train, eval, op, fn, arch or use)",
   {T_ANCHOR, T_AUGMENT, T_USE, T_MODEL, T_TUNE, T_ADAPT, T_CONNECT, T_TRAIN, T_EVAL, T_OP, T_FN, T_ARCH, T_AS, T_READS}},   // or more on the model above
  {T_CONFIG, 0, "a section (config, prefix, init, fn, embed, layers, tap or head)",
   {T_CONFIG, T_PREFIX, T_INIT, T_FN, T_EMBED, T_LAYERS, T_TAP, T_HEAD}},
  {T_RETURN, 0, "a statement (name = value, param or return)", {T_NAME, T_PARAM, T_RETURN}},
  {T_REQUIRE, 0, "name = value, require or ignore", {T_NAME, T_REQUIRE, T_IGNORE}},
  {T_NUMBER, 0, "a value", {T_NUMBER, T_STRING, T_NAME, T_TRUE, T_FALSE, T_NONE, T_WEIGHT_OPT, '(', '[', '-', T_NOT}},
  {T_STRING, '}', "a rule such as \"*.bias\" = zeros", {T_STRING}},
  {T_NAME, '}', "a setting such as steps = 100", {T_NAME}},
  {T_NAME, 0, "a name", {T_NAME}},
  {T_STRING, 0, "a string in quotes", {T_STRING}},
};

static const int operators[] = {'?', T_OR, T_AND, T_NOT, T_EQ, T_NE, '<', T_LE, '>', T_GE, T_IN, T_DEFAULT, '+', '-',
                                '*', '/', '%', '^', '[', '(', '.', '|'};
enum { NOPERATORS = sizeof operators / sizeof *operators };

// A token as it is written.
static const char *spell(Parse *ps, int code) {
  const char *word = token_word(code);
  if (word) return word;
  switch (code) {
    case T_END: return "the end of the file";
    case T_ARROW: return "->";
    case T_DOTDOT: return "..";
    case T_DEFAULT: return "??";
    case T_EQ: return "==";
    case T_NE: return "!=";
    case T_LE: return "<=";
    case T_GE: return ">=";
    case T_WEIGHT_OPT: return "weight?";
    default: return arena_printf(ps->arena, "%c", code);
  }
}

static const char *quoted(Parse *ps, int code) {
  return code == T_END ? spell(ps, code) : arena_printf(ps->arena, "'%s'", spell(ps, code));
}

static const char *describe(Parse *ps, const Token *t) {
  switch (t->kind) {
    case T_NAME: return arena_printf(ps->arena, "the name '%s'", t->val.text);
    case T_NUMBER: return arena_printf(ps->arena, "the number %.17g", t->val.ast->num);
    case T_STRING:
      return strlen(t->val.text) < 40 ? arena_printf(ps->arena, "the string \"%s\"", t->val.text) : "a string";
    default: return quoted(ps, t->kind);
  }
}

static void add_piece(Expected *e, const char *text) {
  if (e->n < MAX_PIECES) e->piece[e->n++] = text;
}

static void drop(Expected *e, const int *codes, int n) {
  for (int i = 0; i < n && codes[i]; i++) e->has[codes[i]] = false;
}

static const char *find_hint(const Parse *ps, const Expected *e) {
  const bool in[] = {[ANYWHERE] = true, [IN_CONNECT] = ps->in_connect, [IN_ADAPT] = ps->in_adapt, [ALONE] = e->total == 1};
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
    const Hint *h = &hints[i];
    if (in[h->when] && h->before == ps->prev.kind && e->has[h->expects] && !e->has['+']) return h->text;
  }
  return NULL;
}

static void find_pieces(Parse *ps, Expected *e) {
  const char *hint = find_hint(ps, e);
  if (hint) {
    add_piece(e, hint);
    return;
  }
  bool after_value = e->has['+'];
  if (after_value) drop(e, operators, NOPERATORS);
  if (e->has[T_ANCHOR]) e->has[T_END] = false;
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    const Group *group = &groups[g];
    if (!e->has[group->mark] || (group->also && !e->has[group->also])) continue;
    add_piece(e, group->text);
    drop(e, group->tokens, 15);
  }
  for (int code = 0; code < MAX_CODE; code++)
    if (e->has[code]) add_piece(e, quoted(ps, code));
  if (!e->n) add_piece(e, after_value ? "an operator" : "something else");
}

static const char *join(Parse *ps, const Expected *e) {
  Buf b = {0};
  for (int i = 0; i < e->n; i++) {
    if (i) buf_puts(&b, i + 1 == e->n ? " or " : ", ");
    buf_puts(&b, e->piece[i]);
  }
  const char *text = arena_strndup(ps->arena, b.s, b.n);
  buf_free(&b);
  return text;
}

// The word nearest to `written` among those that may begin something (or, with e, among those expected).
static const char *nearest_word(const char *written, const Expected *e) {
  Near near = near_begin(written);
  for (int i = 0, kind; (kind = token_nth_word(i)); i++) {
    bool begins = kind == T_RETURN || kind == T_PARAM || kind == T_REQUIRE || kind == T_IGNORE;
    begins = begins || (kind >= T_ANCHOR && kind <= T_HEAD);
    if (e ? e->has[kind] : begins) near_offer(&near, token_word(kind));
  }
  return near.best;
}

static const char *nearest_of(const char *written, const int *kinds, int n) {
  Near near = near_begin(written);
  for (int i = 0; i < n; i++) near_offer(&near, token_word(kinds[i]));
  return near.best;
}

// A keyword that was taken for a name, because it is misspelt: the name stands alone before what the keyword would be
// followed by.
static bool may_be_misspelt(const Parse *ps, const Expected *e, const Token *found) {
  int k = found->kind;
  bool follows = k == T_NAME || k == T_STRING || k == T_NUMBER || k == '{' || k == '(';
  return follows && ps->prev.kind == T_NAME && !ps->in_connect && e->has['='] && !e->has['+'];
}

// Words that begin a line elsewhere, and what is written here.
static const struct { const char *word, *text; } foreign[] = {
  {"import", "; another file is read by use \"parts.calm\""}, {"include", "; another file is read by use \"parts.calm\""}, {"from", "; another file is read by use \"parts.calm\""},
  {"freeze", "; what neither 'tune' nor 'adapt' names is frozen"}, {"frozen", "; what neither 'tune' nor 'adapt' names is frozen"},
  {"def", "; a function is written fn twice(x) = x * 2"}, {"let", "; a value is written name = value, in an op or arch"},
};

// Where a declaration was expected, and a name stands.
static const char *no_declaration(const Parse *ps, const char *name) {
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    if (!strcmp(foreign[i].word, name)) return foreign[i].text;
  if (setting_find("train", name) >= 0) return "; settings of a training stand in train { … }";
  return ps->next.kind == '=' ? "; a model is declared as anchor NAME = \"directory\", or augment NAME = \"directory\"" : NULL;
}

// What was probably meant: "; did you mean 'x'?" or another remark; "" when nothing comes to mind.
static const char *suggest(Parse *ps, const Expected *e, const Token *found) {
  const char *prev = ps->prev.kind == T_NAME ? ps->prev.val.text : "", *word = NULL;
  if (found->kind == T_NAME && e->has[T_ANCHOR] && (word = no_declaration(ps, found->val.text))) return word;
  if (found->kind == ',' && e->has[T_NAME] && e->has['}']) return "; nothing separates settings: leave ',' out";
  if (found->kind == ':' && ps->in_connect && ps->nopen) return "; a range of layers is written 4..16, or 4..16 step 4";
  if (found->kind == T_NAME && (word = nearest_word(found->val.text, e)))
    return arena_printf(ps->arena, "; did you mean '%s'?", word);
  if (may_be_misspelt(ps, e, found) && (word = nearest_word(prev, NULL)))
    return arena_printf(ps->arena, "; did you mean '%s' instead of '%s'?", word, prev);
  if (*prev && e->has['='] && !e->has['+'] && (word = nearest_of(prev, (const int[]){T_TOKENS, T_ROWS}, 2)))
    return arena_printf(ps->arena, "; did you mean '%s' instead of '%s'?", word, prev);
  if (found->kind == T_NAME && (!strcmp(prev, "if") || !strcmp(found->val.text, "if")))
    return "; a choice is written condition ? this : that";
  if (found->kind == '=' && *prev && e->has['+'] && token_begins_line(ps, ps->prev.loc, false))
    return arena_printf(ps->arena, "; is a value missing before '%s'?", prev);
  if (found->kind == '=' && e->has[T_EQ]) return "; a comparison is written '=='";
  if (e->has[T_NAME] && token_reserved(found->kind))
    return arena_printf(ps->arena, "; '%s' is a word of the language, never a name", token_word(found->kind));
  static const int comparisons[] = {T_EQ, T_NE, '<', T_LE, '>', T_GE, T_IN};
  for (size_t i = 0; e->has['+'] && i < sizeof comparisons / sizeof *comparisons; i++)
    if (found->kind == comparisons[i]) return "; comparisons do not chain: join them with 'and'";
  return "";
}

static void note_open(Parse *ps, Open o) {
  diag_note(ps->diags, o.loc, "this '%c' is not closed yet", o.bracket);
}

static bool same_line(const Parse *ps, Loc a, Loc b) {
  for (uint32_t i = a.begin; i < b.begin; i++)
    if (ps->text[i] == '\n') return false;
  return true;
}

void report_syntax(Parse *ps, const int *expected, int n) {
  const Token *found = ps->is_virtual ? &ps->held : &ps->last;
  bool opens = found->kind == '(' || found->kind == '[' || found->kind == '{';
  int depth = ps->nopen - (opens && !ps->is_virtual);
  bool repeated = found->loc.begin == ps->told_at;
  ps->told_at = found->loc.begin;
  ps->told = ps->told || ps->is_virtual;
  ps->mistaken = ps->stray && depth && ps->open[depth - 1].bracket != '{';
  ps->panic = !ps->is_virtual && !ps->mistaken && !tokens_sync(ps);
  ps->panic_depth = depth;
  if (repeated) return;
  Expected e = {.total = n};
  for (int i = 0; i < n; i++) e.has[expected[i]] = true;
  const char *remark = suggest(ps, &e, found);
  bool closers = e.has[')'] || e.has[']'] || e.has['}'];
  find_pieces(ps, &e);
  diag_error(ps->diags, found->loc, "found %s, expected %s%s", describe(ps, found), join(ps, &e), remark);
  if (ps->is_virtual) note_open(ps, ps->closing);
  if (ps->is_virtual || !closers || !depth) return;
  Open inner = ps->open[depth - 1];   // a brace may stay open for many lines, the others seldom
  if (inner.bracket != '{' && !same_line(ps, inner.loc, found->loc)) note_open(ps, inner);
}

void report_unclosed(Parse *ps, Open o) {
  if (ps->held.loc.begin == ps->told_at) return;
  ps->told_at = ps->held.loc.begin;
  diag_error(ps->diags, ps->held.loc, "found %s, expected '%c'", describe(ps, &ps->held), closing_bracket(o.bracket));
  note_open(ps, o);
}
