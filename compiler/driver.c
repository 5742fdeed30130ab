// The stages in order, each of which can be stopped at, dumped and timed.
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llvm/llvm.h"
#include "passes/passes.h"
#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/text/tokenize_lines.h"

static const char *const kinds[] = {"tree", "graph", "plan", "llvm", "asm", "obj"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

bool emit_known(const char *kind) {
  for (int i = 0; i < N_KINDS; i++)
    if (!strcmp(kinds[i], kind)) return true;
  return false;
}

void emit_list(Buf *out) {
  for (int i = 0; i < N_KINDS; i++) buf_printf(out, "%s%s", i ? ", " : "", kinds[i]);
}

typedef struct Run {
  const Options *o;
  Arena *arena;
  struct timespec last;
} Run;

static void stage_done(Run *r, const char *stage) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (r->o->time)
    fprintf(stderr, "%-8s %8.1f ms\n", stage,
            (double)(now.tv_sec - r->last.tv_sec) * 1e3 + (double)(now.tv_nsec - r->last.tv_nsec) / 1e6);
  clock_gettime(CLOCK_MONOTONIC, &r->last);
}

static bool stop_at(const Run *r, const char *kind) { return r->o->emit && !strcmp(r->o->emit, kind); }

// What --emit asked for: to -o, else to standard output.
static int give(const Run *r, Buf *text) {
  bool ok = true;
  if (r->o->out && strcmp(r->o->out, "-")) ok = write_file(r->o->out, text->s, text->n);
  else ok = fwrite(text->s, 1, text->n, stdout) == text->n && !fflush(stdout);
  buf_free(text);
  if (!ok && (!r->o->out || !strcmp(r->o->out, "-"))) fputs("calmc: error: cannot write to standard output\n", stderr);
  return ok ? 0 : 1;
}

static void show_diags(const Diags *d) {
  Buf text = {0};
  diags_print(d, &text);
  if (text.n) fputs(text.s, stderr);
  buf_free(&text);
}

static void dump_pass(void *user, const Pass *p, const Graph *g) {
  const Run *r = user;
  Buf text = {0};
  if (strcmp(r->o->dump, p->name)) return;
  graph_print(g, &text);
  fputs(text.s, stderr);
  buf_free(&text);
}

static int emit_graphs(const Run *r, const Program *p) {
  Buf text = {0};
  for (int i = 0; i < p->nentry; i++) graph_print(p->entry[i], &text);
  return give(r, &text);
}

// SPEC without .calm, in the current folder.
static const char *default_out(Arena *a, const char *spec) {
  const char *slash = strrchr(spec, '/'), *base = slash ? slash + 1 : spec, *dot = strrchr(base, '.');
  return dot && dot > base ? arena_strndup(a, base, (size_t)(dot - base)) : arena_printf(a, "%s.out", base);
}

static int back_end(Run *r, const Program *p, const Plan *plan, const Spec *spec) {
  Buf json = {0}, code = {0};
  describe(p, plan, spec, &json);
  llvm_emit(plan, json.s, stop_at(r, "llvm") ? EMIT_LLVM : stop_at(r, "asm") ? EMIT_ASM : EMIT_OBJ, &code);
  buf_free(&json);
  stage_done(r, "llvm");
  if (r->o->emit) return give(r, &code);
  bool ok = link_program(&code, r->o->out ? r->o->out : default_out(r->arena, r->o->spec));
  buf_free(&code);
  stage_done(r, "link");
  return ok ? 0 : 1;
}

static int compile(Run *r, const Program *p, const Spec *spec) {
  Plan *plan = plan_new(r->arena);
  if (stop_at(r, "graph") && !r->o->dump) return emit_graphs(r, p);
  for (int i = 0; i < p->nentry; i++) {
    const Graph *g = passes_run(p->entry[i], r->arena, r->o->dump ? dump_pass : NULL, r);
    const char *wrong = stop_at(r, "graph") ? NULL : plan_add(plan, g);
    if (!wrong) continue;
    fprintf(stderr, "%s: error: %s: %s\n", r->o->spec, g->name, wrong);
    return 1;
  }
  if (stop_at(r, "graph")) return emit_graphs(r, p);
  stage_done(r, "passes");
  plan_finish(plan);
  stage_done(r, "plan");
  if (!stop_at(r, "plan")) return back_end(r, p, plan, spec);
  Buf text = {0};
  plan_print(plan, &text);
  return give(r, &text);
}

static int front_end(Run *r, Sources *sources, Diags *d) {
  Spec *spec = spec_parse(r->arena, sources, d, r->o->spec);
  stage_done(r, "parse");
  if (!d->errors && stop_at(r, "tree")) {
    Buf text = {0};
    show_diags(d);
    ast_print(spec->file, &text);
    return give(r, &text);
  }
  Program *p = d->errors ? NULL : program_build(r->arena, spec, d);
  stage_done(r, "build");
  show_diags(d);
  if (!p) {
    fprintf(stderr, "%d error%s\n", d->errors, d->errors == 1 ? "" : "s");
    return 1;
  }
  int status = compile(r, p, spec);
  program_close(p);
  return status;
}

int driver_build(const Options *o) {
  Run r = {.o = o, .arena = arena_new()};
  Sources sources;
  Diags diags;
  clock_gettime(CLOCK_MONOTONIC, &r.last);
  sources_init(&sources, r.arena);
  diags_init(&diags, &sources);
  int status = front_end(&r, &sources, &diags);
  arena_free(r.arena);
  return status;
}

int driver_tokenize(const Options *o) {
  RtError e;
  char *path = file_is_dir(o->spec) ? file_join(o->spec, "tokenizer.json") : rt_strdup(o->spec);
  Tokenizer *t = tokenizer_open(path, &e);
  bool ok = t && tokenize_lines(t, o->decode, &e);
  if (!ok) fprintf(stderr, "calmc: error: %s\n", e.text);
  tokenizer_free(t);
  rt_free(path);
  return ok ? 0 : 1;
}
