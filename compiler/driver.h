// The compiler as a whole: from a spec's path to a program, or to any level between.
#ifndef CALM_DRIVER_H
#define CALM_DRIVER_H
#include <stdbool.h>

#include "base/buf.h"
#include "build/build.h"
#include "plan/plan.h"

#define CALM_VERSION "0.1.0"

typedef struct Options {
#define FLAG bool
#define TEXT const char *
#define X(field, kind, name, letter, arg, help) kind field;
#include "options.def"
#undef X
#undef FLAG
#undef TEXT
  const char *spec;            // what the command works on: a spec, or a model's directory
} Options;

// Exit status: 0, 1 (an error of the input; told on standard error), 2 (usage).
int driver_build(const Options *o);
int driver_tokenize(const Options *o);     // spec: a folder with a tokenizer.json, or such a file
int driver_verify(const Options *o);       // verify.c: a model alone against a dump of it
bool emit_known(const char *kind);         // of --emit
void emit_list(Buf *out);                  // "tree, graph, …"

// describe.c: the description that goes into the program (runtime/program.h), as JSON text appended to out.
void describe(const Program *p, const Plan *plan, const Spec *spec, Buf *out);

// link.c: links an object file with the runtime library to the program `out`, through `cc`; written under another name and renamed.
// Returns false after telling why on standard error.
bool link_program(const Buf *object, const char *out);
// Runs argv[0] with its arguments, found as a shell would, and waits. Its exit status; -1 after telling that it could not be run.
int run_command(char *const *argv);
// Writes n bytes to path by way of a temporary name. Returns false after telling why.
bool write_file(const char *path, const void *data, size_t n);
#endif
