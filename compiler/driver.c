// The stages in order, each of which can be stopped at, dumped and timed.
#include "driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dsl/base/alloc.h"
#include "passes/passes.h"
#include "progress.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/text.h"

static const char *const kinds[] = {"tree", "graph", "plan", "llvm", "asm", "obj"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

bool emit_known(const char *kind) {
  for (int i = 0; i < N_KINDS; i++)
    if (!strcmp(kinds[i], kind)) return true;
  return false;
}

void emit_near(Near *n) {
  for (int i = 0; i < N_KINDS; i++) near_offer(n, kinds[i]);
}

void emit_list(Buf *out) {
  for (int i = 0; i < N_KINDS; i++) buf_printf(out, "%s%s", i ? ", " : "", kinds[i]);
}

typedef struct Run {
  const Options *o;
  Arena *arena;
  const Program *program;      // NULL: not yet built
  const char *path;            // of instruction sets, or NULL: all
  const char *out;             // where the result goes; NULL: standard output
  struct timespec last;
  Progress *progress;
} Run;

// next: what comes now, in a user's words; NULL: the next stage says so itself.
static void stage_done(Run *r, const char *stage, const char *next) {
  struct timespec now;
  if (next) progress_stage(r->progress, next);
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (r->o->time)
    fprintf(stderr, "%-8s %8.1f ms\n", stage,
            (double)(now.tv_sec - r->last.tv_sec) * 1e3 + (double)(now.tv_nsec - r->last.tv_nsec) / 1e6);
  clock_gettime(CLOCK_MONOTONIC, &r->last);
}

static bool stop_at(const Run *r, const char *kind) { return r->o->emit && !strcmp(r->o->emit, kind); }

// The result to its place, unless calmc was to end meanwhile.
static int finish(const Run *r, const Result *out, const Signals *s) {
  int status = signals_waiting(s);
  if (!status) status = result_commit(out);
  progress_hush(r->progress);
  if (!status && !out->in_place) output_say(r->o, out->path, r->program);
  return status;
}

// What --emit asked for: to -o, else to standard output.
static int give(const Run *r, Buf *text) {
  Result out;
  Signals s;
  signals_hold(&s);
  int status = result_begin(&out, r->out, false) ? 0 : 1, fd = status ? -1 : result_open(&out, NULL);
  if (fd < 0) status = 1;
  if (!status) status = result_write(&out, fd, text->s, text->n);
  if (fd >= 0 && !result_close(&out, fd) && !status) status = 1;
  if (!status) status = finish(r, &out, &s);
  result_end(&out);
  signals_release(&s);
  buf_free(text);
  return status;
}

static void show_diags(Run *r, const Diags *d) {
  Buf text = {0};
  diags_print(d, &text);
  if (text.n) progress_hush(r->progress), fputs(text.s, stderr);
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

// A stage as text: a line that says which, by which it is known later, and the rest.
static Buf stage_text(const Run *r) {
  Buf text = {0};
  buf_printf(&text, EMIT_BEGIN "%s\n", r->o->emit);
  return text;
}

static int emit_graphs(const Run *r, const Program *p) {
  Buf text = stage_text(r);
  for (int i = 0; i < p->nentry; i++) graph_print(p->entry[i], &text);
  return give(r, &text);
}

static int emit_drawing(const Run *r, const Program *p) {
  Buf text = {0};
  const char *slash = strrchr(r->o->spec, '/');
  draw_program(r->arena, p, slash ? slash + 1 : r->o->spec, &text);
  return give(r, &text);
}

int driver_again(char **argv, int n, const char *flag, const Texts *texts) {
  for (int i = 0; i < texts->n; i++) argv[n++] = (char *)(uintptr_t)flag, argv[n++] = (char *)(uintptr_t)texts->v[i];
  return n;
}

int driver_written(int status) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  fputs("error: cannot write to standard output\n", stderr);
  return 1;
}

bool driver_is_spec(const char *path) {
  size_t n = strlen(path);
  return n > 5 && !strcmp(path + n - 5, ".calm");
}

const char *driver_program(Arena *a, const char *spec) {
  const char *slash = strrchr(spec, '/'), *base = slash ? slash + 1 : spec, *dot = strrchr(base, '.');
  return dot && dot > base ? arena_strndup(a, base, (size_t)(dot - base)) : arena_printf(a, "%s.out", base);
}

// What becomes an object of the program: the composition, or (--compare) one of its models alone.
typedef struct Unit {
  const Plan *plan;
  const char *alone;           // NULL: the composition; else the symbol that it is found by
  Buf json;
} Unit;

static int generate(Run *r, Unit *unit, int n, const Result *out, const Signals *s) {
  EmitKind kind = stop_at(r, "llvm") ? EMIT_LLVM : stop_at(r, "asm") ? EMIT_ASM : EMIT_OBJ;
  const char **object = ARENA_ARRAY(r->arena, const char *, n);
  int status = 0;
  progress_stage(r->progress, "generating code");
  for (int i = 0; i < n && !status; i++) {
    object[i] = r->o->emit ? NULL : unit[i].alone ? arena_printf(r->arena, "%s.o", unit[i].alone) : "program.o";
    status = codegen(unit[i].plan, unit[i].json.s, unit[i].alone, r->path, kind, out, object[i], s);
  }
  stage_done(r, "llvm", r->o->emit || status ? NULL : "linking");
  if (status || r->o->emit) return status;
  status = link_program(out, object, n, RESULT_FILE, s);
  stage_done(r, "link", NULL);
  return status;
}

static int back_end(Run *r, Unit *unit, int n) {
  Result out;
  Signals s;
  signals_hold(&s);
  int status = result_begin(&out, r->out, !r->o->emit) ? generate(r, unit, n, &out, &s) : 1;
  if (!status) status = finish(r, &out, &s);
  result_end(&out);
  signals_release(&s);
  return status;
}

static Plan *plan_of(Run *r, const Program *p) {
  Plan *plan = plan_new(r->arena);
  for (int i = 0; i < p->nentry; i++) {
    Arena *of_entry = arena_new();
    const Graph *g = passes_run(p->entry[i], of_entry, r->o->dump ? dump_pass : NULL, r);
    if (!stop_at(r, "graph")) {
      plan_add(plan, g);
      if (!strcmp(g->name, entry_name(ENTRY_TRAIN))) plan_add_lean(plan, g);
    }
    arena_free(of_entry);
  }
  return plan;
}

static const char *name_of(const Spec *spec) {
  const Source *from = &spec->sources->v[spec->file->loc.file];
  const char *path = from->path, *slash = strrchr(path, '/');
  if (from->instead) return from->instead;
  return slash ? slash + 1 : path;
}

// --compare: the k-th model alone. False after telling what is wrong: what a composition asks of its models is less than what runs alone does.
static bool plan_alone(Run *r, const Spec *spec, Diags *d, const BModel *m, int k, Unit *u) {
  Spec *own = spec_alone(r->arena, spec, m->name);
  Program *p = program_build(r->arena, own, d);
  show_diags(r, d);
  if (!p) return fprintf(stderr, "error: --compare: model '%s' alone is no program\n", m->name), false;
  Plan *plan = plan_of(r, p);
  plan_finish(plan);
  u->plan = plan, u->alone = arena_printf(r->arena, "calm_alone_%d", k);
  describe(r->arena, p, plan, own, arena_printf(r->arena, "%s: %s alone", name_of(spec), m->name), &u->json);
  program_close(p);
  return true;
}

// The models that are files: what is made from nothing is trained in the composition, and is nothing without it.
static int plan_all(Run *r, const Program *p, const Plan *plan, const Spec *spec, Diags *d) {
  Unit *unit = ARENA_ARRAY(r->arena, Unit, p->nmodel + 1);
  int n = 1;
  bool ok = true;
  unit[0].plan = plan;
  describe(r->arena, p, plan, spec, name_of(spec), &unit[0].json);
  for (int i = 0; i < p->nmodel && r->o->compare && ok; i++) {
    if (p->model[i].role == ROLE_MODEL) fprintf(stderr, "%s is made from nothing: it is not compared alone\n", p->model[i].name);
    else if ((ok = plan_alone(r, spec, d, &p->model[i], i, &unit[n]))) n++;
  }
  if (r->o->compare) stage_done(r, "alone", NULL);
  int status = ok ? back_end(r, unit, n) : 1;
  for (int i = 0; i < n; i++) buf_free(&unit[i].json);
  return status;
}

static int compile(Run *r, const Program *p, const Spec *spec, Diags *d) {
  if (!output_allowed(r->o, r->out, spec, p)) return 1;
  if (!r->o->emit && !link_possible()) return 1;
  if (stop_at(r, EMIT_DRAWING)) return emit_drawing(r, p);
  if (stop_at(r, "graph") && !r->o->dump) return emit_graphs(r, p);
  Plan *plan = plan_of(r, p);
  if (stop_at(r, "graph")) return emit_graphs(r, p);
  stage_done(r, "passes", "planning kernels and memory");
  plan_finish(plan);
  stage_done(r, "plan", NULL);
  if (!stop_at(r, "plan")) return plan_all(r, p, plan, spec, d);
  Buf text = stage_text(r);
  plan_print(plan, &text);
  return give(r, &text);
}

static int front_end(Run *r, Sources *sources, Diags *d) {
  Spec *spec = r->o->text ? spec_parse_text(r->arena, sources, d, r->o->text, r->o->spec) : spec_parse(r->arena, sources, d, r->o->spec);
  spec->context = r->o->context ? strtoll(r->o->context, NULL, 10) : 0;      // main has looked at it
  stage_done(r, "parse", "building the graphs");
  if (!d->errors && stop_at(r, "tree")) {
    show_diags(r, d);
    if (!output_allowed(r->o, r->out, spec, NULL)) return 1;
    Buf text = stage_text(r);
    ast_print(spec->file, &text);
    return give(r, &text);
  }
  Program *p = program_build(r->arena, spec, d);           // after errors too: it may find more
  show_diags(r, d);
  stage_done(r, "build", "simplifying the graphs");
  if (!p) {
    fprintf(stderr, "%d error%s\n", d->errors, d->errors == 1 ? "" : "s");
    return 1;
  }
  r->program = p;
  int status = compile(r, p, spec, d);
  program_close(p);
  return status;
}

static bool run_command(void *user, RtError *e) {
  Work *w = user;
  (void)e;                                         // what was wrong has been said
  w->status = w->command(w->o);
  return true;
}

static void say_warning(void *user, const char *text) {
  (void)user;
  fprintf(stderr, "warning: %s\n", text);
}

static void say_note(void *user, const char *text) {
  (void)user;
  fprintf(stderr, "%s\n", text);
}

int driver_run(void *work) {
  Work *w = work;
  RtHost host = {.warning = say_warning, .note = say_note};
  RtError e;
  if (rt_call(&host, run_command, w, &e)) return w->status;
  tell_out_of("the compiler", OUT_OF_MEMORY);      // nothing else ends a call
  return 1;
}

int driver_build(const Options *o) {
  signal(SIGPIPE, SIG_IGN);                        // a reader that goes away: result_write
  Sources sources;
  Run r = {.o = o, .arena = arena_new()};
  r.out = o->out || o->emit ? o->out : driver_program(r.arena, o->spec);
  Diags diags;
  clock_gettime(CLOCK_MONOTONIC, &r.last);
  sources_init(&sources, r.arena);
  diags_init(&diags, &sources);
  r.progress = progress_begin(o->spec);
  progress_stage(r.progress, "reading the spec");
  RtError e;
  bool ok = path_of(o, &r.path, &e);
  if (!ok) progress_hush(r.progress), fprintf(stderr, "error: --isa native: %s\n", e.text);
  int status = ok ? front_end(&r, &sources, &diags) : 1;
  progress_end(r.progress);
  arena_free(r.arena);
  return status;
}

int driver_tokenize(const Options *o) {
  RtError e;
  char *path = NULL;
  bool found = !file_is_dir(o->spec) || hf_tokenizer(o->spec, &path, &e);
  if (!path) path = file_is_dir(o->spec) ? file_join(o->spec, "tokenizer.json") : rt_strdup(o->spec);
  Tokenizer *t = found ? tokenizer_open(path, &e) : NULL;
  bool ok = t && tokenize_lines(t, o->decode, &(TokLines){stdin, stdout, "standard input", "standard output"}, &e);
  if (!ok) fprintf(stderr, "error: %s\n", e.text);
  tokenizer_free(t);
  rt_free(path);
  return ok ? 0 : 1;
}
