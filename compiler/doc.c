// doc: what the language has, from the tables and texts that it is compiled from: its functions (dsl/builtins.def), initial values (runtime/abi/init.def),
// selectors, and what the library declares, each with the comment above it; and how the library itself calls a function.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "dsl/ast.h"
#include "runtime/abi/abi.h"

typedef struct Entry {
  const char *name, *kind;
  const char *line;            // signature, or an example
  const char *what;            // one line; of a declaration the first sentence of its comment
  const char *text;            // of a declaration: all of it, with its comment; else NULL
} Entry;
typedef struct Text {          // a file of the library
  uint32_t file;               // of the sources
  const Ast *tree;
} Text;
typedef struct Doc {
  Arena *a;
  Sources sources;
  Entry *v;
  Text *text;
  int n, cap, ntext, captext;
} Doc;

static void add(Doc *d, const char *kind, const char *name, const char *line, const char *what, const char *text) {
  Entry e = {.name = name, .kind = kind, .line = line, .what = what, .text = text};
  ARENA_PUSH(d->a, d->v, d->n, d->cap, e);
}

// "x w b?" to "linear(x, w, b?)".
static const char *signature(Arena *a, const char *name, const char *params) {
  const char *out = "";
  for (size_t n; *params; params += n, params += *params == ' ') {
    n = strcspn(params, " ");
    out = arena_printf(a, "%s%s%.*s", out, *out ? ", " : "", (int)n, params);
  }
  return arena_printf(a, "%s(%s)", name, out);
}

// Do the two tensors that an op is given count the same rows? Then it adds to a product what it makes of the product's input; else it joins models.
static bool same_rows(const Ast *op) {
  const Ast *dims[2] = {op->kid[0]->kid[0]->kid[0], op->kid[0]->kid[1]->kid[0]};
  return dims[0] && dims[1] && dims[0]->nkid && dims[1]->nkid && dims[0]->kid[0]->kind == AST_NAME && dims[1]->kid[0]->kind == AST_NAME &&
         !strcmp(dims[0]->kid[0]->name, dims[1]->kid[0]->name);
}

// How connect or adapt applies an op: its first two arguments are given, the others are named.
static const char *applied(Arena *a, const Ast *op) {
  const Ast *formals = op->kid[0];
  const char *args = "";
  for (int i = 2; i < formals->nkid; i++) args = arena_printf(a, "%s%s%s = 8", args, i > 2 ? ", " : "", formals->kid[i]->name);
  return arena_printf(a, "%s with %s(%s)", same_rows(op) ? "adapt base \"*.q_proj\"" : "connect code[every 4] -> base[spread]", op->name, args);
}

static void add_functions(Doc *d) {
  static const struct { const char *name, *params, *what; } rows[] = {
      {"weight", "name", "a tensor of the model's files, with its shape: weight(\"lm_head.weight\")[V, D]; weight?(…) is none where there is no such tensor"},
#define F(name, params, takes, what) {#name, params, what},
#define E(name, number, result, op, what) {#name, "x", what},
#include "dsl/builtins.def"
#undef F
#undef E
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) add(d, "function", rows[i].name, signature(d->a, rows[i].name, rows[i].params), rows[i].what, NULL);
  static const struct { const char *name, *line; } constants[] = {
#define BARE(value) WORD
#define NO_WORD NOTHING
#define WORD(word, what) {#word, what},
#define NOTHING(word, what)
#define X(id, word, bare, called, params, what) bare(word, what)
#include "runtime/abi/init.def"
#undef X
  };
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    add(d, "initial value", constants[i].name, arena_printf(d->a, "param w[N, D] = %s", constants[i].name), constants[i].line, NULL);
}

static void add_selectors(Doc *d) {
  static const struct { const char *name, *line, *what; } rows[] = {
      {"numbers", "base[4, 8]", "these layers; 0 is the embedding's output, k the state after block k"},
      {"range", "base[4..16 step 4]", "from the first to the last, both included"},
      {"every", "base[every 4]", "each fourth layer, the last block's included where it falls on it"},
      {"all", "base[all]", "after each block"},
      {"last", "base[last]", "after the last block"},
      {"spread", "base[spread]", "as many layers as the other side has, evenly spread"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) add(d, "selector", rows[i].name, rows[i].line, rows[i].what, NULL);
}

// ---- the library

// Where the comment right above `at` begins; at itself where none is.
static uint32_t comment_above(const Source *s, uint32_t at) {
  uint32_t begin = at;
  while (begin) {
    uint32_t line = begin - 1;                     // the end of the line above
    while (line && s->text[line - 1] != '\n') line--;
    if (s->text[line] != '#') break;
    begin = line;
  }
  return begin;
}

// The first sentence of a comment of n bytes, on one line: up to a full stop that a capital or nothing follows.
static const char *first_sentence(Arena *a, const char *text, size_t n) {
  char *out = arena_alloc(a, n + 1, 1);
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    bool space = text[i] == '\n' || text[i] == ' ' || (text[i] == '#' && (!i || text[i - 1] == '\n'));
    if (space && (!len || out[len - 1] == ' ')) continue;
    if (len > 1 && out[len - 1] == ' ' && out[len - 2] == '.' && text[i] >= 'A' && text[i] <= 'Z') break;
    out[len++] = space ? ' ' : text[i];
  }
  while (len && out[len - 1] == ' ') len--;
  out[len] = 0;
  return out;
}

// What a declaration says before its body: up to its '{' or '='.
static const char *heading(Arena *a, const Source *s, const Ast *k) {
  size_t n = 0, all = k->loc.end - k->loc.begin;
  const char *t = s->text + k->loc.begin;
  int open = 0;
  for (; n < all && t[n] != '\n' && (open || (t[n] != '{' && t[n] != '=')); n++) open += (t[n] == '(') - (t[n] == ')');
  while (n && t[n - 1] == ' ') n--;
  return arena_printf(a, "%.*s", (int)n, t);
}

static void add_declaration(Doc *d, const Source *s, const Ast *k) {
  uint32_t begin = comment_above(s, k->loc.begin);
  bool said = begin < k->loc.begin;
  const char *what = said ? first_sentence(d->a, s->text + begin, k->loc.begin - begin) : "";
  const char *text = arena_printf(d->a, "%.*s", (int)(k->loc.end - begin), s->text + begin);
  const char *example = k->kind == AST_OP ? arena_printf(d->a, "%s\n\n# as in\n%s", text, applied(d->a, k)) : text;
  add(d, ast_kind_name(k->kind), k->name, heading(d->a, s, k), what, example);
}

static bool add_library(Doc *d) {
  Diags diags;
  sources_init(&d->sources, d->a);
  diags_init(&diags, &d->sources);
  for (const StdFile *f = std_files; f->name; f++) {
    uint32_t file = sources_add(&d->sources, f->name, f->text, strlen(f->text));
    const Ast *tree = ast_parse(d->a, &d->sources, &diags, file);
    Text text = {file, tree};
    if (tree) ARENA_PUSH(d->a, d->text, d->ntext, d->captext, text);
    for (int i = 0; tree && i < tree->nkid; i++) {
      AstKind kind = tree->kid[i]->kind;
      if (kind == AST_OP || kind == AST_ARCH || kind == AST_FN) add_declaration(d, &d->sources.v[file], tree->kid[i]);
    }
  }
  return diags.errors == 0;
}

static const Ast *find_call(const Ast *a, const char *name) {
  const Ast *found = a->kind == AST_CALL && !strcmp(a->name, name) ? a : NULL;
  for (int i = 0; i < a->nkid && !found; i++)
    if (a->kid[i] && !(a->kind == AST_FN && !strcmp(a->name, name))) found = find_call(a->kid[i], name);
  return found;
}

// The library's first call of it; NULL: it has none.
static const char *call_of(const Doc *d, const char *name) {
  for (int i = 0; i < d->ntext; i++) {
    const Ast *call = find_call(d->text[i].tree, name);
    const Source *s = &d->sources.v[d->text[i].file];
    if (call) return arena_printf(d->a, "# as in %s\n%.*s", s->path, (int)(call->loc.end - call->loc.begin), s->text + call->loc.begin);
  }
  return NULL;
}

// ---- printing

enum { COLUMN = 28, WIDTH = 170 };

// Words on lines of WIDTH, the first of which has come to COLUMN.
static void wrapped(const char *text) {
  int at = COLUMN;
  for (const char *w = text; *w;) {
    int n = (int)strcspn(w, " ");
    if (at > COLUMN && at + 1 + n > WIDTH) printf("\n  %*s", COLUMN, ""), at = COLUMN;
    else if (at > COLUMN) putchar(' '), at++;
    printf("%.*s", n, w), at += n;
    for (w += n; *w == ' ';) w++;
  }
  putchar('\n');
}

static void list_one(const Entry *e) {
  int n = (int)strlen(e->line);
  if (!*e->what) {
    printf("  %s\n", e->line);
    return;
  }
  if (n < COLUMN) printf("  %-*s", COLUMN, e->line);
  else printf("  %s\n  %*s", e->line, COLUMN, "");
  wrapped(e->what);
}

static void list(const Doc *d) {
  static const struct { const char *kind, *title; } parts[] = {
      {"function", "Functions of tensors, and of numbers known at compile time; an argument with ? may be left out, and any be given by name"},
      {"initial value", "Initial values of parameters, beside normal, uniform, fan_in and a number"},
      {"selector", "Layers of a model, in connect"},
      {"op", "Operators of the library: connect … with OP, adapt … with OP"},
      {"arch", "Architectures of the library"},
      {"fn", "Functions of the library, written in the language"},
  };
  for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
    printf("%s%s\n", p ? "\n" : "", parts[p].title);
    for (int i = 0; i < d->n; i++)
      if (!strcmp(d->v[i].kind, parts[p].kind)) list_one(&d->v[i]);
  }
  puts("\ncalmc doc NAME prints one of them whole. The grammar is in dsl/README.md; settings of train and eval are in MANUAL.md.");
}

static bool show(const Doc *d, const char *name) {
  bool any = false;
  for (int i = 0; i < d->n; i++) {
    const Entry *e = &d->v[i];
    if (strcmp(e->name, name)) continue;
    if (any) putchar('\n');
    if (e->text) puts(e->text);
    else printf("%s %s\n  %s\n", e->kind, e->line, e->what);
    bool called = !strcmp(e->kind, "function") || !strcmp(e->kind, "fn");
    const char *call = called ? call_of(d, name) : NULL;
    if (call) printf("\n%s\n", call);
    if (!strcmp(e->kind, "arch")) printf("\n# as in\nanchor base = \"DIR\"              # \"architectures\" of its config.json names it\n");
    any = true;
  }
  return any;
}

int driver_doc(const Options *o) {
  Doc d = {.a = arena_new()};
  int status = 0;
  if (!add_library(&d)) {
    fputs("calmc: bug: the library does not parse\n", stderr);
    abort();
  }
  add_functions(&d), add_selectors(&d);
  if (!o->spec) {
    list(&d);
  } else if (!show(&d, o->spec)) {
    Near near = near_begin(o->spec);
    for (int i = 0; i < d.n; i++) near_offer(&near, d.v[i].name);
    fprintf(stderr, "error: the language has no '%s'%s%s%s (calmc doc lists what it has)\n", o->spec, near.best ? "; did you mean '" : "", near.best ? near.best : "",
            near.best ? "'?" : "");
    status = 1;
  }
  arena_free(d.a);
  return driver_written(status);
}
