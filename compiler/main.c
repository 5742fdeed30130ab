// calmc: command line.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "passes/passes.h"
#include "runtime/abi/abi.h"

enum { FLAG, TEXT };
typedef struct OptionRow {
  const char *name;
  char letter;
  int kind;
  const char *arg, *help;
  size_t at;
} OptionRow;
static const OptionRow rows[] = {
#define X(field, kind, name, letter, arg, help) {name, letter, kind, arg, help, offsetof(Options, field)},
#include "options.def"
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const struct {
  const char *name, *arg, *help;
  int (*run)(const Options *o);
} commands[] = {
  {"build", "SPEC.calm", "compile a composition to a native program", driver_build},
  {"tokenize", "DIR", "JSON strings on standard input, one a line, to ids and byte spans with DIR/tokenizer.json", driver_tokenize},
  {"verify", "DIR", "compare a model with a dump of it (examples/verify); name the first block that diverges", driver_verify},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *f) {
  Buf kinds = {0};
  emit_list(&kinds);
  fputs("calmc: compiles a model composition to a native program\n\n"
        "usage: calmc build SPEC.calm [-o PROGRAM] [options]\n"
        "       calmc tokenize DIR [--decode]\n"
        "       calmc verify DIR --ref DUMP.safetensors [--tol X]\n\ncommands:\n", f);
  for (int i = 0; i < N_COMMANDS; i++) fprintf(f, "  %-8s %-11s %s\n", commands[i].name, commands[i].arg, commands[i].help);
  fputs("\noptions:\n", f);
  for (int i = 0; i < N_ROWS; i++) {
    char left[64];
    snprintf(left, sizeof left, "%c%c%s--%s%s%s", rows[i].letter ? '-' : ' ', rows[i].letter ? rows[i].letter : ' ',
             rows[i].letter ? ", " : "  ", rows[i].name, rows[i].arg ? "=" : "", rows[i].arg ? rows[i].arg : "");
    fprintf(f, "  %-20s %s\n", left, rows[i].help);
  }
  fputs("\npasses (for --dump):\n", f);
  for (const Pass *p = passes; p->name; p++) fprintf(f, "  %-20s %s\n", p->name, p->what);
  fprintf(f, "\n--emit kinds: %s\nexit status: 0 fine, 1 an error in the input, 2 wrong usage\n", kinds.s);
  buf_free(&kinds);
}

static int usage(const char *what, const char *arg) {
  fprintf(stderr, "calmc: %s%s%s%s\n", what, *arg ? " '" : "", arg, *arg ? "'" : "");
  fputs("usage: calmc build SPEC.calm [-o PROGRAM] [options], calmc tokenize DIR, calmc verify DIR --ref DUMP; calmc --help says more\n", stderr);
  return 2;
}

// Reads the option argv[*i]; returns 0, or 2 after a message.
static int read_option(Options *o, int argc, char **argv, int *i) {
  const char *a = argv[*i];
  bool is_long = a[1] == '-';
  const char *name = a + 1 + is_long, *eq = is_long ? strchr(name, '=') : NULL;
  size_t n = eq ? (size_t)(eq - name) : is_long ? strlen(name) : 1;
  for (int k = 0; k < N_ROWS; k++) {
    const OptionRow *r = &rows[k];
    if (is_long ? strlen(r->name) != n || strncmp(r->name, name, n) : r->letter != name[0]) continue;
    char *at = (char *)o + r->at;
    if (r->kind == FLAG) {
      if (eq || (!is_long && name[1])) return usage("this option takes no value:", a);
      *(bool *)(void *)at = true;
      return 0;
    }
    const char *value = eq ? eq + 1 : !is_long && name[1] ? name + 1 : NULL;
    if (!value && *i + 1 >= argc) return usage("this option needs a value:", a);
    *(const char **)(void *)at = value ? value : argv[++*i];
    return 0;
  }
  return usage("no option", a);
}

static bool known_pass(const char *name) {
  for (const Pass *p = passes; p->name; p++)
    if (!strcmp(p->name, name)) return true;
  return false;
}

int main(int argc, char **argv) {
  Options o = {0};
  const char *command = NULL;
  standard_files();
  signal(SIGXFSZ, SIG_IGN);                        // a file larger than ulimit -f allows is an error like a full disk
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1]) {
      int bad = read_option(&o, argc, argv, &i);
      if (bad) return bad;
    } else if (!command) {
      command = argv[i];
    } else if (!o.spec) {
      o.spec = argv[i];
    } else {
      return usage("one at a time; found", argv[i]);
    }
  }
  if (o.help || o.version) {
    if (o.help) help(stdout);
    else puts("calmc " CALM_VERSION);
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    fputs("error: cannot write to standard output\n", stderr);
    return 1;
  }
  if (!command) return usage("no command: expected build, tokenize or verify", "");
  int which = 0;
  while (which < N_COMMANDS && strcmp(command, commands[which].name)) which++;
  if (which == N_COMMANDS) return usage("the commands are build, tokenize and verify; found", command);
  if (!o.spec) return usage("expected", commands[which].arg);
  bool verify = commands[which].run == driver_verify;
  if (verify != !!o.ref || (o.tol && !verify)) return usage(verify ? "verify needs --ref DUMP.safetensors" : "--ref and --tol are verify's", "");
  if (o.emit && !emit_known(o.emit)) return usage("--emit takes tree, graph, plan, llvm, asm or obj; found", o.emit);
  if (o.dump && !known_pass(o.dump)) return usage("no such pass (calmc --help lists them):", o.dump);
  Work work = {commands[which].run, &o, 1};
  return end_as(on_own_stack(driver_run, &work));
}
