// See commands.h. Commands are rows of abi/commands.def, their options of options.def.
#include "runtime/commands/commands.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/commands/command.h"
#include "runtime/commands/gains.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/precision.h"
#include "runtime/commands/profile.h"
#include "runtime/commands/sampling.h"
#include "runtime/commands/signals.h"
#include "runtime/commands/rundata.h"
#include "runtime/commands/streams.h"
#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/machine/machine.h"
#include "runtime/work/work.h"

typedef struct Command {
  const char *name, *args, *help, *flag;
  int bit, words;
  int (*run)(const Options *o);
  bool stops;
} Command;
static const Command COMMANDS[] = {
#define COMMAND(bit, run, name, args, words, asks, flag, help) {name, args, help, flag, C_##bit, words, run, asks},
#include "runtime/abi/commands.def"
#undef COMMAND
};
enum { NCOMMANDS = sizeof COMMANDS / sizeof *COMMANDS };

// What the user of a command can do about an error.
static const struct { RtAbout about; int commands; const char *advice; } ADVICE[] = {
    {RT_ABOUT_MODEL_DIR, C_ALL, "another place for it: --model NAME=DIR"},
    {RT_ABOUT_PRECISION, C_COMPUTES | C_EXPORT, "--precision f32"},
    {RT_ABOUT_STEP, C_TRAIN | C_EVAL | C_SCORE, "fewer tokens at a time: --tokens-cap"},
    {RT_ABOUT_MEMORY, C_ALL, "give it more memory, or take smaller models"},
    {RT_ABOUT_TEMPLATE, C_TRAIN | C_EVAL | C_GENERATE | C_SCORE | C_INFO, "give one: --chat-template FILE"},
    {RT_ABOUT_BUDGET, C_ALL, "more memory: --memory; or shorter rows"},
    {RT_ABOUT_CACHES, C_EVAL, "fewer sequences at a time, or shorter ones: --slots, --max-tokens"},
    {RT_ABOUT_CACHES, C_GENERATE, "shorter text: --max-tokens"},
    {RT_ABOUT_DATA, C_TRAIN, "give --data FILE, or `data = \"…\"` in the spec's train block"},
    {RT_ABOUT_LONG_ROW, C_TRAIN | C_EVAL | C_GENERATE | C_SCORE | C_INFO, "as a flag: --too-long"},
    {RT_ABOUT_SPEC, C_ALL, "use them all the same: --force"},
    {RT_ABOUT_OTHER_DATA, C_TRAIN, "go on with it: --changed-data"},
    {RT_ABOUT_RUN, C_TRAIN, "go on with it: --resume; train into another directory: --out; replace it: --overwrite"},
    {RT_ABOUT_NO_RUN, C_TRAIN, "without --resume one is started"},
    {RT_ABOUT_CUT_RUN, C_TRAIN, "start it again: --overwrite"},
    {RT_ABOUT_RUN_DIR, C_TRAIN, "another directory: --out"},
    {RT_ABOUT_PACK_OUT, C_PACK, "another place: --out; or remove what is there"},
    {RT_ABOUT_ANSWERS, C_GENERATE, "another place: --out; replace it: --overwrite"},
    {RT_ABOUT_EXPORT, C_EXPORT, "export into another directory, or replace it: --overwrite"},
};

const char *cmd_advice(const Options *o, RtAbout about) {
  for (size_t i = 0; i < sizeof ADVICE / sizeof *ADVICE; i++)
    if (o && ADVICE[i].about == about && ADVICE[i].commands & o->run_command) return ADVICE[i].advice;
  return NULL;
}

int cmd_fail(const Options *o, const RtError *e) {
  const char *advice = cmd_advice(o, e->about);
  if (e->about == RT_ABOUT_READER) return 128 + SIGPIPE;
  fflush(stdout);                                  // what it is about stands before it
  if (e->about == RT_ABOUT_USAGE) return usage_error("%s", e->text);
  if (e->about == RT_ABOUT_STOP) return fprintf(stderr, "%s\n", e->text), 128 + signals_asked();
  fprintf(stderr, "error: %s%s%s%s\n", e->text, advice ? " (" : "", advice ? advice : "", advice ? ")" : "");
  return 1;
}

// --model NAME=DIR: another place for a model. For tokenize NAME alone chooses a model.
static bool read_places(const Prog *p, const Options *o, ModelPlace *place, int *n, RtError *e) {
  *n = 0;
  for (int k = 0; k < o->model.n; k++) {
    const char *text = o->model.v[k], *eq = strchr(text, '=');
    if (!eq && o->run_command == C_TOKENIZE) continue;
    if (!eq) return rt_fail_about(e, RT_ABOUT_USAGE, "--model %s: expected NAME=DIR", text);
    char *name = rt_strndup(text, (size_t)(eq - text));
    int i = prog_model(p, name);
    rt_free(name);
    if (i < 0) return rt_fail_about(e, RT_ABOUT_USAGE, "--model %s: this program has no model of that name (see info)", text);
    for (int h = 0; h < *n; h++)
      if (place[h].model == i) return rt_fail_about(e, RT_ABOUT_USAGE, "--model %s=… is given twice; a model lies in one directory", p->model[i].name);
    if (!p->model[i].dir) return rt_fail(e, "--model %s: %s is made from nothing and has no directory", text, p->model[i].name);
    place[(*n)++] = (ModelPlace){.model = i, .dir = eq + 1};
  }
  return true;
}

// --threads, CALM_THREADS, or what the machine allows.
static bool choose_threads(App *a, const Options *o, int *threads, RtError *e) {
  if (o->threads == OPT_UNSET) return limits_threads_here(threads, a->threads_why, e);
  snprintf(a->threads_why, sizeof a->threads_why, "--threads");
  *threads = (int)o->threads;
  return true;
}

static int64_t *contexts_of(const Streams *ss) {
  int64_t *context = rt_alloc((size_t)ss->n, sizeof *context);
  for (int k = 0; k < ss->n; k++) context[k] = ss->s[k].silent ? 0 : ss->s[k].context;
  return context;
}

static bool open_engine(App *a, const Options *o, RtError *e) {
  const Streams *ss = &a->models->streams;
  PrecisionChoice choice;
  int threads;
  bool ok = precision_open(a, o, &choice, e) && choose_threads(a, o, &threads, e);
  if (ok) {
    int64_t *context = contexts_of(ss);
    a->en = engine_open(o->rt, a->prog, &(EngineStreams){.n = ss->n, .of = ss->of, .context = context}, choice.isa, threads);
    rt_free(context);
    precision_use(a, &choice);
  }
  precision_drop(&choice);
  return ok;
}

bool app_part_for(const App *a, const DataFile *f, RtError *e) { return !f || app_part(a, data_augments(f), data_talks(f), e); }

bool app_part(const App *a, bool own, bool talk, RtError *e) {
  const Models *m = a->models;
  const Streams *ss = &m->streams;
  if (m->prog->nmodel < 2 || ((!own || m->apart) && (!talk || m->talks))) return true;
  if (!models_part(a->models, own, talk, e)) return false;
  int64_t *context = contexts_of(ss);
  engine_streams(a->en, &(EngineStreams){.n = ss->n, .of = ss->of, .context = context});
  rt_free(context);
  return true;
}

// The command that makes a pack file anew, as this command would take it, behind what is wrong with it: from the same directories, in the precision
// that is asked for here where it is another than what the pack file is in, else in what was asked for when it was packed.
static void say_again(const App *a, const Options *o, RtError *e) {
  const char *params = pack_params(a->pack), *name;
  const json_t *of;
  bool other = options_compute(o) && (o->given[FLAG_precision] || o->precision_of.n || !json_equal(a->precision, json_object_get(packfile_about(a->pack), "precision")));
  const json_t *is = other ? a->precision : pack_precision_told(a->pack);
  const char *precision = json_string_value(is);
  char *text = rt_format("%s; make it anew: %s pack --out %s%s%s%s%s", e->text, o->program, o->pack, params ? " --params " : "", params ? params : "",
                         precision ? " --precision " : "", precision ? precision : "");
  json_object_foreach((json_t *)(uintptr_t)is, name, of) {         // where models differ
    char *more = rt_format("%s --precision %s=%s", text, name, json_string_value(of));
    rt_free(text);
    text = more;
  }
  for (int i = 0; i < o->model.n; i++) {
    char *more = rt_format("%s --model %s", text, o->model.v[i]);
    rt_free(text);
    text = more;
  }
  rt_fail(e, "%s", text);
  rt_free(text);
}

bool app_pack_fits(const App *a, const Options *o, RtError *e) {
  if (!a->pack || !options_compute(o) || pack_fits(a->pack, a->en, e)) return true;
  say_again(a, o, e);
  return false;
}

// --pack: of this program, for this machine, and of the files as they are. Its parameters are used where no others are asked for, and not to train.
static bool use_pack(App *a, const Options *o, RtError *e) {
  if (!a->pack) return true;
  bool params = engine_pack_params(a->pack) && !o->params && o->run_command != C_TRAIN;
  engine_use_pack(a->en, a->pack, params);
  return made_current(a->pack, a->models, params, e) && app_pack_fits(a, o, e);
}

// What chat templates take for today: --date, else what they took in the run whose parameters are used; 0: today.
static int64_t date_of(const App *a, const Options *o) {
  if (o->date != OPT_UNSET) return o->date;
  if (!(o->run_command & (C_EVAL | C_GENERATE | C_SCORE | C_INFO))) return 0;
  return o->params ? checkpoint_date(o->params) : a->pack ? pack_date(a->pack) : 0;
}

// How rows are read; a training has settings of its own for that.
static bool open_rows(App *a, const Options *o, RtError *e) {
  int64_t date = date_of(a, o);
  rundata_too_long(a, o->too_long, NULL);
  return (!o->chat_template || models_chat_template(a->models, o->chat_template, e)) && (!date || models_set_date(a->models, date, e));
}

bool app_open(App *a, const Options *o, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  *a = (App){.prog = prog_parse(o->rt->json, (size_t)o->rt->json_len)};
  ModelPlace *place = rt_alloc((size_t)o->model.n, sizeof *place);
  Gains gains;
  int n;
  bool ok = gains_read(&gains, a->prog, o, e) && read_places(a->prog, o, place, &n, e) && (!o->pack || ((a->pack = packfile_open(o->pack, e)) && pack_is_of(a->pack, a->prog, e))) &&
            (a->models = models_open(a->prog, place, n, a->pack, gains.silent, e)) && open_rows(a, o, e) && open_engine(a, o, e);
  if (ok) gains_set(a, &gains);
  ok = ok && use_pack(a, o, e);
  if (!ok && a->pack && e->about == RT_ABOUT_PACK) say_again(a, o, e);         // once: that is about nothing
  rt_free(place), gains_free(&gains);
  limits_memory(&a->limits);
  a->limits.asked = opt_int(o->memory, 0);
  a->resident = rt_resident(), a->address_space = rt_address_space();
  if (!ok || !o->measured) return ok;
  if (!trace_allowed(a, o, NULL, (const char *const[]){o->score_out, o->eval_out, o->answers}, 3, e)) return false;
  profile_engine(a->measured = o->measured, a->en);
  return true;
}

void app_close(App *a) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  if (a->measured) profile_close(a->measured, a->en);
  engine_close(a->en);
  models_close(a->models);
  packfile_close(a->pack);
  if (a->prog) prog_close(a->prog);
  json_decref(a->precision), rt_free(a->precision_words), rt_free(a->precision_why);
  *a = (App){0};
}

bool app_load_params(App *a, const Options *o, const char *params, const Load *l, RtError *e) {
  Engine *en = a->en;
  Identity id = {.models = a->models};
  Checkpoint *c = NULL;
  bool ok = (!params || (c = checkpoint_open_params(params, &id, o->force, e))) && precision_of(a, o, c, false, e) && app_pack_fits(a, o, e);
  ok = ok && (!c || !(o->run_command & (C_EVAL | C_GENERATE | C_SCORE)) || rundata_template(c, o->chat_template, e));
  if (ok && options_compute(o) && !(o->run_command & (C_TRAIN | C_INFO))) rt_note("%s: %s, %s: %s", en->prog->spec, en->isa->name, a->precision_words, a->precision_why);
  ok = ok && memory_check(a, o, l, e) && engine_load(en, a->models->dir, l->training, e);
  if (ok && c) checkpoint_take(c, &(TrainVectors){.theta = en->params.theta});
  checkpoint_close(c), identity_drop(&id);
  if (ok && params) engine_prepare(en);
  return ok;
}

// Whether every parameter is a tuned model's, which begins trained.
static bool all_stored(const Prog *p) {
  bool all = true;
  for (int i = 0; i < p->nparam; i++) all &= p->param[i].init == INIT_STORED;
  return all;
}

bool app_load(App *a, const Options *o, const Load *l, RtError *e) {
  Engine *en = a->en;
  bool sampled = o->run_command == C_GENERATE && sampling_of(a->models, o).temperature > 0, given = o->params || en->packed_params;
  if (!o->params) options_idle(o, FLAG_force, "there is no --params");
  if (!sampled && (given || !en->prog->nparam)) options_idle(o, FLAG_seed, "nothing is random here");
  if (!app_load_params(a, o, o->params, l, e)) return false;
  if (o->params) return true;
  if (!given && en->prog->nparam > 0) {
    if (!params_init(en->prog, en->weights.file, (uint64_t)o->seed, en->params.theta, e)) return false;
    rt_warn("no --params: the initial%s parameters are used", all_stored(en->prog) ? "" : ", untrained");
  }
  engine_prepare(en);
  return true;
}

static void usage(FILE *to, const char *program) {
  fprintf(to, "usage: %s COMMAND [options]\n\n", program);
  for (int i = 0; i < NCOMMANDS; i++) fprintf(to, "  %-12s %-23s %s\n", COMMANDS[i].name, COMMANDS[i].args,
                                              COMMANDS[i].help);
  fprintf(to, "\n%s COMMAND --help lists a command's options.\n", program);
  fputs("CALM_THREADS and CALM_ISA force threads and the instruction-set path.\n"
        "exit status: 0 fine, 1 an error or a limit, 2 a command line that cannot be understood\n", to);
}

// Standard output that could not be written (a full disk, say) is an error like any other file's.
static int written(void) {
  RtError e;
  return streams_written(&e) ? 0 : cmd_fail(NULL, &e);
}

// Settings are those of this very program: its train block's, over the defaults.
static void help(const RtProgram *rt, int command) {
  TrainSettings own;
  RtError e;
  Prog *p = prog_parse(rt->json, (size_t)rt->json_len);
  settings_default(&own);
  if (!settings_json(&own, p->train, "train", &e)) rt_warn("%s", e.text);
  options_help(command, &own);
  prog_close(p);
}

// On a terminal, what takes longer than half a second says ten times a second how far it is.
typedef struct Shown {
  double next;
  bool begun, shown;
} Shown;

typedef struct CommandLine {
  const RtProgram *rt;
  int argc;
  char **argv;
  const Command *command;      // NULL: none, or not known yet
  int status;
  Shown shown;
  uint64_t said[64];           // hashes of warnings and notes
  int nsaid;
  double start;
  Profile *measured;           // of --profile and --trace
} CommandLine;

// The command itself, measured where that was asked for.
static int run_measured(CommandLine *l, Options *o) {
  RtError e;
  if ((o->profile || o->trace) && !(o->measured = l->measured = profile_begin(o, l->start, &e))) return cmd_fail(o, &e);
  int status = l->command->run(o);
  if (!l->measured) return status;
  if (!status) status = written();
  bool ok = profile_end(l->measured, &e);
  l->measured = NULL;
  return ok || status ? status : cmd_fail(o, &e);
}

static int run_command(CommandLine *l, const char *program, int argc, char **argv) {
  const Command *c = l->command;
  Options o;
  int status = 2;
  if (c->stops) signals_ask();
  if (options_parse(&o, c->bit, argc, argv)) {
    o.rt = l->rt;
    o.program = program;
    o.run_command = c->bit;
    if (o.help) {
      printf("usage: %s %s%s%s [options]\n%s\n\n", program, c->name, *c->args ? " " : "", c->args, c->help);
      help(l->rt, c->bit);
      status = 0;
    } else if (o.nword > c->words && *c->flag) {
      usage_error("unexpected '%s': %.*s is --%s", o.word[c->words], (int)strcspn(c->flag, " "), c->flag, c->flag);
    } else if (o.nword != c->words) {
      bool more = o.nword > c->words;
      usage_error("%s%s%s; usage: %s %s%s%s [options]", more ? "unexpected '" : "expected ", more ? o.word[c->words] : c->args, more ? "'" : "", program,
                  c->name, *c->args ? " " : "", c->args);
    } else {
      status = run_measured(l, &o);
    }
  }
  options_free(&o);
  return status ? status : written();
}

static void version(const RtProgram *rt) {
  Prog *p = prog_parse(rt->json, (size_t)rt->json_len);
  printf("calm %s, program of %s\n", CALM_VERSION, p->spec);
  prog_close(p);
}

// The command line names no command of these.
static int no_command(const char *program, const char *name) {
  if (!name) {
    int status = usage_error("no command: expected one of these");
    return usage(stderr, program), status;
  }
  Near near = near_begin(name);
  for (int i = 0; i < NCOMMANDS; i++) near_offer(&near, COMMANDS[i].name);
  bool flag = *name == '-', near_by = near.best && !flag;
  return usage_error("%s '%s'%s%s%s (%s --help lists the commands)", flag ? "expected a command before" : "no command is called", name,
                     near_by ? "; did you mean '" : "", near_by ? near.best : "", near_by ? "'?" : "", program);
}

static bool run_line(void *user, RtError *e) {
  CommandLine *l = user;
  const char *program = l->argc ? l->argv[0] : "app", *name = l->argc > 1 ? l->argv[1] : NULL;
  (void)e;                                         // commands have said what was wrong
  bool help = name && (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"));
  if (help || (name && !strcmp(name, "--version"))) {
    if (help) usage(stdout, program);
    else version(l->rt);
    l->status = written();
    return true;
  }
  for (int i = 0; i < NCOMMANDS; i++)
    if (name && !strcmp(name, COMMANDS[i].name)) l->command = &COMMANDS[i];
  l->status = l->command ? run_command(l, program, l->argc - 2, l->argv + 2) : no_command(program, name);
  return true;
}

// ---- what the rooms below have to say

// A line once: a command may come to the same file again.
static bool is_new(CommandLine *l, const char *text) {
  enum { MANY = sizeof l->said / sizeof *l->said };
  uint64_t key = rng_key(0, text);
  for (int i = 0; i < l->nsaid; i++)
    if (l->said[i] == key) return false;
  if (l->nsaid < MANY) l->said[l->nsaid++] = key;
  return true;
}

static void say_warning(void *user, const char *text) {
  if (is_new(user, text)) fprintf(stderr, "warning: %s\n", text);
}

static void say_note(void *user, const char *text) {
  if (is_new(user, text)) fprintf(stderr, "%s\n", text);
}

static void say_progress(void *user, const char *what, int64_t done, int64_t total) {
  Shown *s = &((CommandLine *)user)->shown;
  if (done >= total) {
    if (s->shown) fprintf(stderr, "\r\033[K");
    *s = (Shown){0};
    return;
  }
  double now = rt_now();
  if (!s->begun) s->begun = true, s->next = now + 0.5;
  if (now < s->next || !isatty(STDERR_FILENO)) return;
  fprintf(stderr, "\r%s: %3lld %%", what, (long long)(100.0 * (double)done / (double)total));
  fflush(stderr);
  s->shown = true;
  s->next = now + 0.1;
}

static RtPhase at_phase(void *user, RtPhase next) {
  Profile *p = ((CommandLine *)user)->measured;
  return p ? profile_phase(p, next) : RT_PHASE_OTHER;
}

static bool asked_to_stop(void *user) {
  const CommandLine *l = user;
  return l->command && l->command->stops && signals_asked();
}

int cli_main(const RtProgram *rt, int argc, char **argv) {
  CommandLine line = {.rt = rt, .argc = argc, .argv = argv, .start = rt_now()};
  RtHost host = {.warning = say_warning, .note = say_note, .progress = say_progress, .stop = asked_to_stop, .phase = at_phase, .user = &line};
  RtError e;
  streams_open();
  signals_open();
  return rt_call(&host, run_line, &line, &e) ? line.status : cmd_fail(NULL, &e);
}
