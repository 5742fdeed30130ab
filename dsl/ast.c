// The syntax tree: making nodes, printing them, parsing one text. See ast.h.
#include "dsl/ast.h"

#include <stdio.h>
#include <string.h>

#include "dsl/parse.h"
#include "dsl/utf8.h"
#include "parser.h"

const char *ast_kind_name(AstKind k) {
  static const char *const names[] = {
#define X(kind, name, fields) name,
#include "dsl/ast.def"
#undef X
  };
  return k < AST_COUNT ? names[k] : "?";
}

bool ast_selects(const Ast *a) { return a->kind >= AST_SEL_LIST && a->kind <= AST_SEL_SPREAD; }

const Ast *ast_kid(const Ast *a, AstKind k) {
  for (int i = 0; i < a->nkid; i++)
    if (a->kid[i] && a->kid[i]->kind == k) return a->kid[i];
  return NULL;
}

Ast *ast_new(Parse *ps, AstKind kind, Loc loc) {
  Ast *a = ARENA_NEW(ps->arena, Ast);
  a->kind = kind;
  a->loc = loc;
  return a;
}

Ast *ast_name(Parse *ps, AstKind kind, Loc loc, const char *name, Loc name_loc) {
  Ast *a = ast_new(ps, kind, loc);
  a->name = name;
  a->name_loc = name_loc;
  return a;
}

Ast *ast_add(Parse *ps, Ast *parent, Ast *kid) {
  if (kid && kid->height >= AST_MAX_DEPTH) {
    if (!ps->too_deep)
      diag_error(ps->diags, kid->loc, "this is nested too deeply: at most %d levels", (int)AST_MAX_DEPTH);
    ps->too_deep = true;
    kid = ast_new(ps, AST_NONE, kid->loc);
  }
  if (kid && kid->height >= parent->height) parent->height = kid->height + 1;
  ARENA_PUSH(ps->arena, parent->kid, parent->nkid, parent->cap, kid);
  return parent;
}

Ast *ast_adopt(Parse *ps, Ast *parent, const Ast *holder) {
  for (int i = 0; i < holder->nkid; i++) ast_add(ps, parent, holder->kid[i]);
  return parent;
}

// ---- printing: (kind name "str" "str2" number kid …), on one line where that fits

enum { WIDTH = 110 };

static void print_string(const char *s, Buf *out) {
  buf_putc(out, '"');
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') buf_printf(out, "\\%c", *s);
    else if (*s == '\n') buf_puts(out, "\\n");
    else if (*s == '\t') buf_puts(out, "\\t");
    else if ((unsigned char)*s < 0x20) buf_printf(out, "\\u{%x}", *s);
    else buf_putc(out, *s);
  }
  buf_putc(out, '"');
}

// The shortest decimal that reads back as the same number.
static void print_number(const Ast *a, Buf *out) {
  char text[40];
  if (a->is_int) {
    buf_printf(out, "%.0f", a->num);
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    double back;
    snprintf(text, sizeof text, "%.*g", digits, a->num);
    if (sscanf(text, "%lf", &back) == 1 && back == a->num) break;
  }
  buf_puts(out, text);
  if (!strpbrk(text, ".en")) buf_puts(out, ".0");
}

static void print_head(const Ast *a, Buf *out) {
  buf_printf(out, "(%s", ast_kind_name(a->kind));
  if (a->name) buf_printf(out, " %s", a->name);
  if (a->str) {
    buf_putc(out, ' ');
    print_string(a->str, out);
  }
  if (a->str2) {
    buf_putc(out, ' ');
    print_string(a->str2, out);
  }
  if (a->kind == AST_NUMBER) {
    buf_putc(out, ' ');
    print_number(a, out);
  }
}

// On one line; gives up (false) once more than `room` bytes were written.
static bool print_flat(const Ast *a, Buf *out, size_t room) {
  size_t start = out->n;
  if (!a) {
    buf_putc(out, '-');
    return true;
  }
  print_head(a, out);
  for (int i = 0; i < a->nkid; i++) {
    buf_putc(out, ' ');
    size_t used = out->n - start;
    if (used > room || !print_flat(a->kid[i], out, room - used)) return false;
  }
  buf_putc(out, ')');
  return out->n - start <= room;
}

static bool always_tall(const Ast *a) {
  AstKind k = a->kind;
  if (k == AST_BLOCK && (a->kid[0]->kind == AST_FORMAL || a->kid[0]->kind == AST_STRING)) return false;
  return k == AST_FILE || k == AST_BLOCK || k == AST_ARCH || k == AST_TRAIN || k == AST_EVAL || k == AST_CONFIG ||
         k == AST_INITS;
}

static void print_at(const Ast *a, Buf *out, int indent) {
  buf_printf(out, "%*s", indent, "");
  size_t start = out->n, room = indent < WIDTH / 2 ? (size_t)(WIDTH - indent) : WIDTH / 2;
  if (!a || !a->nkid || !always_tall(a)) {
    if (print_flat(a, out, a && a->nkid ? room : (size_t)-1)) return;
    out->n = start;
  }
  print_head(a, out);
  for (int i = 0; i < a->nkid; i++) {
    buf_putc(out, '\n');
    print_at(a->kid[i], out, indent + 2);
  }
  buf_putc(out, ')');
}

void ast_print(const Ast *a, Buf *out) {
  print_at(a, out, 0);
  buf_putc(out, '\n');
}

// ---- parsing

Ast *ast_parse(Arena *a, Sources *s, Diags *d, uint32_t file) {
  const char *text = s->v[file].text;
  size_t len = s->v[file].len, bad = utf8_check(text, len);
  Parse ps = {.arena = a, .diags = d, .file = file, .text = text, .told_at = UINT32_MAX};
  Loc start = {file, 0, 0};
  if (bad != len) {
    Loc at = {file, (uint32_t)bad, (uint32_t)bad + 1};
    diag_error(d, at, "%s", utf8_explain(a, text, bad));
    return ast_new(&ps, AST_FILE, start);
  }
  ps.held.kind = -1;
  ps.last = ps.prev = (Token){.kind = '}', .loc = start};   // as after a declaration: another may begin
  lexer_begin(&ps, text, len);
  ps.next.kind = calm_scan(&ps, &ps.next.val, &ps.next.loc, ps.scanner);
  calm_parse(&ps);
  lexer_end(&ps);
  return ps.result ? ps.result : ast_new(&ps, AST_FILE, start);
}
