// Diagnostics: collecting and showing them. See diag.h.
#include "dsl/diag.h"

#include <stdio.h>
#include <string.h>

enum { SHOW_ERRORS = 40, COUNT_ERRORS = 400, SHOW_BYTES = 200 };   // more errors, or more of a line, tell nobody anything

void diags_init(Diags *d, Sources *s) { *d = (Diags){.arena = s->arena, .sources = s}; }

bool diags_shown(const Diags *d) { return d->errors < SHOW_ERRORS; }
bool diags_full(const Diags *d) { return d->errors >= COUNT_ERRORS; }

static void add(Diags *d, DiagKind kind, Loc loc, const char *fmt, va_list ap) {
  d->warnings += kind == DIAG_WARNING;
  if (diags_full(d) || (kind == DIAG_WARNING && d->warnings > SHOW_ERRORS)) {      // never shown
    d->errors += kind == DIAG_ERROR;
    return;
  }
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, again);
  va_end(again);
  char *text = arena_alloc(d->arena, (size_t)n + 1, 1);
  vsnprintf(text, (size_t)n + 1, fmt, ap);
  Diag diag = {kind, loc, text};
  ARENA_PUSH(d->arena, d->v, d->n, d->cap, diag);
  if (kind == DIAG_ERROR) d->errors++;
}

#define DEFINE(name, kind)                            \
  void name(Diags *d, Loc loc, const char *fmt, ...) { \
    va_list ap;                                       \
    va_start(ap, fmt);                                \
    add(d, kind, loc, fmt, ap);                       \
    va_end(ap);                                       \
  }
DEFINE(diag_error, DIAG_ERROR)
DEFINE(diag_warn, DIAG_WARNING)
DEFINE(diag_note, DIAG_NOTE)

// The line that holds loc, cut to SHOW_BYTES around it, and carets under the part of loc on that line. One caret a code
// point.
static void print_line(const Source *src, Loc loc, int line, Buf *out) {
  size_t at = loc.begin < src->len ? loc.begin : src->len, from = at, to = at;
  while (from > 0 && src->text[from - 1] != '\n') from--;
  while (to < src->len && src->text[to] != '\n') to++;
  if (to > from && src->text[to - 1] == '\r') to--;
  if (at - from > SHOW_BYTES / 2) from = at - SHOW_BYTES / 2;
  if (to - from > SHOW_BYTES) to = from + SHOW_BYTES;
  while (from < at && (src->text[from] & 0xc0) == 0x80) from++;
  while (to > at && to < src->len && (src->text[to] & 0xc0) == 0x80) to--;
  buf_printf(out, "%5d | ", line);
  buf_write(out, src->text + from, to > from ? to - from : 0);
  buf_puts(out, "\n      | ");
  for (size_t i = from; i < at; i++)
    if ((src->text[i] & 0xc0) != 0x80) buf_putc(out, src->text[i] == '\t' ? '\t' : ' ');
  buf_putc(out, '^');
  for (size_t i = at + 1; i < loc.end && i < to; i++)
    if ((src->text[i] & 0xc0) != 0x80) buf_putc(out, '~');
  buf_putc(out, '\n');
}

static void print_one(const Sources *s, const Diag *g, Buf *out) {
  static const char *const kinds[] = {"error", "warning", "note"};
  if (!g->loc.file) {
    buf_printf(out, "%s: %s\n", kinds[g->kind], g->text);
    return;
  }
  const Source *src = &s->v[g->loc.file];
  int line, col;
  if (src->instead) {
    buf_printf(out, "%s: %s: %s\n", src->instead, kinds[g->kind], g->text);
    return;
  }
  sources_line_col(s, g->loc, &line, &col);
  buf_printf(out, "%s:%d:%d: %s: %s\n", src->path, line, col, kinds[g->kind], g->text);
  print_line(src, g->loc, line, out);
}

void diags_print(const Diags *d, Buf *out) {
  int errors = 0;
  for (int i = 0; i < d->n; i++) {
    if (d->v[i].kind == DIAG_ERROR && ++errors > SHOW_ERRORS) {
      int more = d->errors - SHOW_ERRORS;
      buf_printf(out, "error: and %s%d more error%s\n", diags_full(d) ? "at least " : "", more, more == 1 ? "" : "s");
      return;
    }
    print_one(d->sources, &d->v[i], out);
  }
  if (d->warnings > SHOW_ERRORS) buf_printf(out, "warning: and %d more\n", d->warnings - SHOW_ERRORS);
}
