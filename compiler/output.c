// What a build may write over, and what it says of what it made.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "driver.h"
#include "dsl/path.h"
#include "runtime/draw/draw.h"
#include "runtime/files/files.h"

// Whether a declaration names the file or its directory; from the spec's own folder. For a build that ends before models are read.
static bool names(const char *path, const Spec *spec, const Ast *d) {
  const char *name = d->kind == AST_MODEL ? d->str2 : d->kind == AST_ANCHOR || d->kind == AST_AUGMENT ? d->str : NULL;
  return name && file_is_input(path, path_from(spec->sources->arena, spec->sources->v[spec->file->loc.file].path, name));
}

static bool reads(const char *path, const Spec *spec, const Program *p) {
  const Sources *sources = spec->sources;
  for (int i = 1; i < sources->n; i++)
    if (sources->v[i].path[0] != '<' && file_is_input(path, sources->v[i].path)) return true;
  for (int i = 0; i < spec->file->nkid; i++)
    if (names(path, spec, spec->file->kid[i])) return true;
  for (int i = 0; p && i < p->nmodel; i++)
    if ((p->model[i].dir && file_is_input(path, p->model[i].dir)) || (p->model[i].tokenizer && file_is_input(path, p->model[i].tokenizer))) return true;
  return file_is_input(path, "/proc/self/exe");
}

#define ELF "\177ELF"
// What may stand where a result goes: its like, made by calmc earlier.
typedef struct Kind {
  const char *what;
  int n;
  FileMark mark[4];
} Kind;
static const Kind program = {"program", 1, {{0, ELF, PROGRAM_MARK}}}, picture = {"picture", 1, {{0, DRAW_BEGIN, NULL}}},
                  stage = {"output of --emit", 4, {{0, EMIT_BEGIN, NULL}, {0, "; ModuleID = 'calm'\n", NULL}, {0, "\t.text\n\t.file\t\"calm\"\n", NULL}, {0, ELF, "calm_program_json_len"}}};

static const Kind *kind_of(const Options *o) { return !o->emit ? &program : strcmp(o->emit, EMIT_DRAWING) ? &stage : &picture; }

bool output_allowed(const Options *o, const char *path, const Spec *spec, const Program *p) {
  if (!path || !strcmp(path, "-")) return true;
  if (reads(path, spec, p)) {
    fprintf(stderr, "error: cannot write %s: this build reads it, and it is left as it is; name another file with -o\n", path);
    return false;
  }
  const Kind *k = kind_of(o);
  RtError e;
  return file_takes_place(path, k->what, k->mark, k->n, &e) || (fprintf(stderr, "error: %s\n", e.text), false);
}

void output_say(const Options *o, const char *path, const Program *p) {
  struct stat st;
  if (o->quiet || stat(path, &st) != 0) return;
  double size = (double)st.st_size;
  if (size < 1e6) fprintf(stderr, "wrote %s, %.1f kB", path, size / 1e3);
  else fprintf(stderr, "wrote %s, %.1f MB", path, size / 1e6);
  if (o->emit) {
    fputc('\n', stderr);
    return;
  }
  const char *at = strchr(path, '/') ? "" : "./";
  const json_t *data = json_object_get(p->train, "data");
  if (p->nparam && json_is_array(data)) fprintf(stderr, "; next: %s%s train\n", at, path);
  else if (p->nparam) fprintf(stderr, "; next: %s%s train --data %s\n", at, path, json_is_string(data) ? json_string_value(data) : "FILE.jsonl");
  else fprintf(stderr, "; next: %s%s %s\n", at, path, p->model[p->anchor].tokenizer ? "generate --prompt TEXT" : "info");
}
