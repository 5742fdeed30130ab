// calmc: command line.
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "passes/passes.h"
#include "runtime/abi/abi.h"

enum { FLAG, TEXT, TEXTS };
enum { BUILD = 1, TOKENIZE = 2, VERIFY = 4, DOCTOR = 8, PACK = 16, DOC = 32, FAMILIES = 64, DRAW = 128 };
typedef struct OptionRow {
  const char *name;
  char letter;
  int kind;
  const char *arg, *help;
  size_t at;
  int commands;                // 0: any
} OptionRow;
static const OptionRow rows[] = {
#define X(field, kind, name, letter, arg, commands, help) {name, letter, kind, arg, help, offsetof(Options, field), commands},
#include "options.def"
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const struct {
  const char *name, *arg, *help;
  int bit;
  int (*run)(const Options *o);
} commands[] = {
  {"build", "SPEC.calm", "compile a composition to a native program", BUILD, driver_build},
  {"pack", "SPEC.calm", "build, and write PROGRAM.pack: weights, tokenizers and parameters as one file that a start maps", PACK, driver_pack},
  {"draw", "SPEC.calm", "the composition as a picture (SVG): models, layers, connections, what is trained", DRAW, driver_draw},
  {"tokenize", "DIR", "JSON strings on standard input, one a line, to ids and byte spans with DIR/tokenizer.json", TOKENIZE, driver_tokenize},
  {"verify", "DIR|SPEC", "compare a model, or the anchor of a spec, with a dump of it (examples/verify); name the first block that diverges", VERIFY, driver_verify},
  {"doctor", "", "what this machine is and can do, what programs will run on it, and what is missing to make them", DOCTOR, driver_doctor},
  {"doc", "[NAME]", "functions, operators, architectures and selectors of the language, or one of them whole", DOC, driver_doc},
  {"families", "[NAME]", "the model families that are known, or those of one name, with the keys of config.json that each understands", FAMILIES, driver_families},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

// Those of the programs that calmc makes.
static const char *const program_commands[] = {
#define COMMAND(bit, run, name, args, words, asks, flag, help) name,
#include "runtime/abi/commands.def"
#undef COMMAND
};
enum { N_PROGRAM_COMMANDS = sizeof program_commands / sizeof *program_commands };

// Options of the commands in bits; those of any with them.
static void help_options(int bits) {
  fputs("\noptions:\n", stdout);
  for (int i = 0; i < N_ROWS; i++) {
    char left[64];
    if (rows[i].commands && !(rows[i].commands & bits)) continue;
    snprintf(left, sizeof left, "%c%c%s--%s%s%s", rows[i].letter ? '-' : ' ', rows[i].letter ? rows[i].letter : ' ',
             rows[i].letter ? ", " : "  ", rows[i].name, rows[i].arg ? "=" : "", rows[i].arg ? rows[i].arg : "");
    printf("  %-20s %s\n", left, rows[i].help);
  }
  if (bits & BUILD) {
    Buf kinds = {0};
    emit_list(&kinds);
    fputs("\npasses (for --dump):\n", stdout);
    for (const Pass *p = passes; p->name; p++) printf("  %-20s %s\n", p->name, p->what);
    printf("\n--emit kinds: %s\n", kinds.s);
    buf_free(&kinds);
  }
}

static void help_of(int which) {
  printf("usage: calmc %s%s%s [options]\n%s\n", commands[which].name, *commands[which].arg ? " " : "", commands[which].arg, commands[which].help);
  help_options(commands[which].bit);
}

static void help(void) {
  fputs("calmc: compiles a model composition to a native program\n\n"
        "usage: calmc build SPEC.calm [-o PROGRAM] [options]\n"
        "       calmc pack SPEC.calm [-o PROGRAM] [--params PATH]\n"
        "       calmc draw SPEC.calm [-o PICTURE.svg]\n"
        "       calmc tokenize DIR [--decode]\n"
        "       calmc verify DIR|SPEC.calm --ref DUMP.safetensors [--tol X]\n"
        "       calmc doctor\n"
        "       calmc doc [NAME]\n"
        "       calmc families [NAME]\n\ncommands:\n", stdout);
  for (int i = 0; i < N_COMMANDS; i++) printf("  %-8s %-11s %s\n", commands[i].name, commands[i].arg, commands[i].help);
  help_options(~0);
  fputs("exit status: 0 fine, 1 an error or a limit, 2 a command line that cannot be understood\n", stdout);
}

// Tells that the command line cannot be understood; near, where something is: what was probably meant. Returns the exit status of that.
__attribute__((format(printf, 2, 3))) static int usage(const Near *near, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("error: ", stderr);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  if (near && near->best) fprintf(stderr, "; did you mean '%s'?", near->best);
  fputs(" (calmc --help says more)\n", stderr);
  return 2;
}

static int no_option(const char *written, size_t n) {
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), written);
  Near near = near_begin(word);
  for (int k = 0; k < N_ROWS; k++) near_offer(&near, rows[k].name);
  if (!near.best) return usage(NULL, "there is no option '--%s'", word);
  return usage(NULL, "there is no option '--%s'; did you mean '--%s'?", word, near.best);
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
      if (eq || (!is_long && name[1])) return usage(NULL, "this option takes no value: '%s'", a);
      *(bool *)(void *)at = true;
      return 0;
    }
    const char *value = eq ? eq + 1 : !is_long && name[1] ? name + 1 : NULL, **to = (const char **)(void *)at;
    if (!value && *i + 1 >= argc) return usage(NULL, "this option needs a value: '%s %s'", a, r->arg);
    if (r->kind == TEXTS) {
      Texts *all = (Texts *)(void *)at;
      if (all->n == MOST_TEXTS) return usage(NULL, "--%s is given more than %d times", r->name, MOST_TEXTS);
      all->v[all->n++] = value ? value : argv[++*i];
      return 0;
    }
    if (*to) return usage(NULL, "--%s is given twice; it takes one value", r->name);
    *to = value ? value : argv[++*i];
    return 0;
  }
  return is_long ? no_option(name, n) : usage(NULL, "there is no option '%s'", a);
}

static int find_command(const char *name) {
  for (int i = 0; i < N_COMMANDS; i++)
    if (!strcmp(name, commands[i].name)) return i;
  return -1;
}

// A command that calmc does not have: a program's, a spec without one, or a slip.
static int no_command(const char *name, const char *next) {
  for (int i = 0; i < N_PROGRAM_COMMANDS; i++) {
    if (strcmp(name, program_commands[i])) continue;
    if (!next || !driver_is_spec(next)) return usage(NULL, "%s is a command of the built program: calmc build SPEC.calm -o app, then ./app %s", name, name);
    const char *slash = strrchr(next, '/'), *base = slash ? slash + 1 : next;
    return usage(NULL, "%s is a command of the built program: calmc build %s, then ./%.*s %s", name, next, (int)(strlen(base) - 5), base, name);
  }
  if (driver_is_spec(name)) return usage(NULL, "'%s' is no command; did you mean 'calmc build %s'?", name, name);
  Near near = near_begin(name);
  for (int i = 0; i < N_COMMANDS; i++) near_offer(&near, commands[i].name);
  for (int i = 0; i < N_PROGRAM_COMMANDS; i++) near_offer(&near, program_commands[i]);
  return usage(&near, "the commands are build, pack, draw, tokenize, verify, doctor, doc and families; found '%s'", name);
}

static int known_pass(const char *name) {
  Near near = near_begin(name);
  for (const Pass *p = passes; p->name; p++) {
    if (!strcmp(p->name, name)) return 0;
    near_offer(&near, p->name);
  }
  return usage(&near, "there is no pass '%s'", name);
}

static int known_kind(const char *kind) {
  Near near = near_begin(kind);
  if (emit_known(kind)) return 0;
  emit_near(&near);
  return usage(&near, "--emit takes tree, graph, plan, llvm, asm or obj; found '%s'", kind);
}

static int known_path(const char *path) {
  Near near = near_begin(path);
  if (path_known(path)) return 0;
  path_near(&near);
  return usage(&near, "--isa takes avx512, avx2 or native; found '%s'", path);
}

// A name, or MODEL=NAME; whether there is such a model the program knows.
static int known_precision(const Texts *said) {
  int all = 0;
  for (int i = 0; i < said->n; i++) {
    const char *eq = strchr(said->v[i], '='), *name = eq ? eq + 1 : said->v[i];
    bool known = !strcmp(name, "auto");
    for (int p = 0; p < N_PRECISION; p++) known |= !strcmp(name, precision_name((Precision)p));
    if (!known) return usage(NULL, "--precision takes auto, f32 or bf16, or one of them behind MODEL=; found '%s'", said->v[i]);
    all += !eq;
  }
  return all > 1 ? usage(NULL, "--precision is given twice for all models; MODEL=NAME gives it to one") : 0;
}

static int known_context(const char *text) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno && n >= 1 && n <= INT32_MAX ? 0 : usage(NULL, "--context takes a whole number of tokens from 1 on; found '%s'", text);
}

// Has the command what it needs, and nothing that it has no use for? 0, or 2 after a message.
static int check_options(const Options *o, int which) {
  int bit = commands[which].bit;
  for (int k = 0; k < N_ROWS; k++) {
    const char *at = (const char *)o + rows[k].at;
    bool given = rows[k].kind == FLAG ? *(const bool *)(const void *)at : rows[k].kind == TEXTS ? ((const Texts *)(const void *)at)->n > 0 : *(const char *const *)(const void *)at != NULL;
    if (!given || !rows[k].commands || rows[k].commands & bit) continue;
    int i = 0;
    while (!(commands[i].bit & rows[k].commands)) i++;
    return usage(NULL, "--%s is an option of %s, not of %s", rows[k].name, commands[i].name, commands[which].name);
  }
  if (!*commands[which].arg && o->spec) return usage(NULL, "%s takes nothing; found '%s'", commands[which].name, o->spec);
  if (*commands[which].arg && *commands[which].arg != '[' && !o->spec) return usage(NULL, "calmc %s: expected %s", commands[which].name, commands[which].arg);
  if (bit == VERIFY && !o->ref) return usage(NULL, "verify needs --ref DUMP.safetensors");
  if (o->compare && o->emit) return usage(NULL, "--compare puts more than one program into what is built; --emit shows one");
  int bad = o->emit ? known_kind(o->emit) : 0;
  if (!bad && o->isa) bad = known_path(o->isa);
  if (!bad) bad = known_precision(&o->precision);
  if (!bad && o->context) bad = known_context(o->context);
  return bad ? bad : o->dump ? known_pass(o->dump) : 0;
}

// Fills o and *which; -1: go on, else the exit status.
static int read_line(Options *o, int *which, int argc, char **argv) {
  *which = -1;
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1]) {
      int bad = read_option(o, argc, argv, &i);
      if (bad) return bad;
    } else if (*which < 0) {
      *which = find_command(argv[i]);
      if (*which < 0) return no_command(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    } else if (!o->spec) {
      o->spec = argv[i];
    } else {
      return usage(NULL, "one at a time; found '%s' after '%s'", argv[i], o->spec);
    }
  }
  if (o->help || o->version) {
    if (o->help && *which >= 0) help_of(*which);
    else if (o->help) help();
    else puts("calmc " CALM_VERSION);
    return driver_written(0);
  }
  if (*which < 0) return usage(NULL, "no command: expected build, pack, draw, tokenize, verify, doctor, doc or families, as in calmc build SPEC.calm");
  int bad = check_options(o, *which);
  return bad ? bad : -1;
}

int main(int argc, char **argv) {
  Options o = {0};
  int which;
  standard_files();
  signal(SIGXFSZ, SIG_IGN);                        // a file larger than ulimit -f allows is an error like a full disk
  int status = read_line(&o, &which, argc, argv);
  if (status >= 0) return status;
  Work work = {commands[which].run, &o, 1};
  return end_as(on_own_stack(driver_run, &work));
}
