// The compiler as a whole: from a spec's path to a program, or to any level between.
#ifndef CALM_DRIVER_H
#define CALM_DRIVER_H
#include <limits.h>
#include <stdbool.h>

#include "build/build.h"
#include "dsl/base/buf.h"
#include "llvm/llvm.h"
#include "plan/plan.h"
#include "result.h"
#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "task.h"

// What an option says that may be given again: of every model, say, and of all.
enum { MOST_TEXTS = 65 };
typedef struct Texts {
  const char *v[MOST_TEXTS];
  int n;
} Texts;

typedef struct Options {
#define FLAG bool
#define TEXT const char *
#define TEXTS Texts
#define X(field, kind, name, letter, arg, commands, help) kind field;
#include "options.def"
#undef X
#undef FLAG
#undef TEXT
#undef TEXTS
  const char *spec;            // what the command works on: a spec, or a model's directory
  const char *text;            // of a spec that calmc itself makes (verify): `spec` is what messages name then; NULL: it is read
  bool quiet;                  // nobody is told what was made: calmc itself wants it (verify)
} Options;

// Exit status: 0; 1 (an error of the input, or something ran out; told on standard error); 2 (usage); ENDED_BY + a signal: end_as it.
typedef struct Work {
  int (*command)(const Options *o);
  const Options *o;
  int status;
} Work;
int driver_run(void *work);                // a command, where the readers' memory may end: its status
int driver_build(const Options *o);
int driver_tokenize(const Options *o);     // spec: a folder with a tokenizer.json, or such a file
int driver_verify(const Options *o);       // verify.c: a model alone against a dump of it
int driver_doctor(const Options *o);       // doctor.c: what this machine is, and whether programs can be made here
int driver_doc(const Options *o);          // doc.c: what the language has; spec: a name, or NULL: all of it
int driver_families(const Options *o);     // families.c: the families of the library and the keys each understands; spec: a name, or NULL: all
int driver_pack(const Options *o);         // pack.c: builds a program and has it write its pack file
int driver_draw(const Options *o);         // draw.c: a spec as a picture
int driver_again(char **argv, int n, const char *flag, const Texts *texts);     // argv[n…]: flag and value of each; how many there are then
int driver_written(int status);            // status, or 1 after telling that standard output could not be written
bool driver_is_spec(const char *path);     // whether it is named as one: SPEC.calm
const char *driver_program(Arena *a, const char *spec);    // where a program goes when nobody says: SPEC without .calm, in the current folder
#define EMIT_BEGIN "# calmc build --emit="  // how the texts begin that are calm's own, and are known to be
bool emit_known(const char *kind);         // of --emit
void emit_near(Near *n);                   // offers them
void emit_list(Buf *out);                  // "tree, graph, …"

// describe.c: the description that goes into the program (runtime/abi/program.def), as JSON text appended to out.
// name: what the program is called.
void describe(Arena *a, const Program *p, const Plan *plan, const Spec *spec, const char *name, Buf *out);

// alone.c: a spec that is `model` of this one alone, its files as they are: nothing connects, adapts, tunes or trains.
Spec *spec_alone(Arena *a, const Spec *spec, const char *model);

// draw.c: a program as a picture, an SVG appended to out; and what driver_draw stops a build at.
void draw_program(Arena *a, const Program *p, const char *title, Buf *out);
#define EMIT_DRAWING "drawing"

// codegen.c: the plan and its description to what kind says, in a process of its own, written to result_open(out, name), for one instruction-set
// path or all (NULL). alone: see LlvmEmit. An exit status; 0, or told.
int codegen(const Plan *plan, const char *json, const char *alone, const char *path, EmitKind kind, const Result *out, const char *name, const Signals *s);
#define CODEGEN_LIBRARY "calm_codegen.so"

// paths.c: of --isa; path_near offers them.
bool path_known(const char *name);
void path_near(Near *n);
// The path that a program with all of them runs here (CALM_ISA where it is set); NULL and an error: none.
const char *path_native(RtError *e);
const char *path_best(void);               // of all, wherever
// What --isa asks for: *path is a path's name, or NULL: all.
bool path_of(const Options *o, const char **path, RtError *e);

// output.c: whether a build may write to path (NULL: standard output): over nothing that it reads, a program only over one that calmc linked, a picture
// or what --emit asks for only over its like. p may be NULL. False after telling why not.
bool output_allowed(const Options *o, const char *path, const Spec *spec, const Program *p);
// Says what was made at path and, of a program, what to do with it.
void output_say(const Options *o, const char *path, const Program *p);

// link.c: whether all that link_program needs is there, asked before anything is compiled for it. False after telling what is not.
bool link_possible(void);
// Links n objects with the runtime library, through `cc`; all names are of the output's folder. As codegen.
int link_program(const Result *o, const char *const *object, int n, const char *program, const Signals *s);
// A file of calm's own: beside calmc, or where an installation has it; else `built_from` (may be NULL). False after telling where it is not.
bool find_library(const char *file, const char *built_from, char out[PATH_MAX]);
#endif
