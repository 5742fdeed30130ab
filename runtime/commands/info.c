// info: what this program is made of: models, shapes, connections, parameters frozen and trained, hashes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/adapters.h"
#include "runtime/commands/budget.h"
#include "runtime/commands/command.h"
#include "runtime/commands/course.h"
#include "runtime/commands/frozen.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/precision.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Info {
  const App *a;
  const Options *o;
  SettingFiles data;           // of --data
  TrainSettings set;           // the train block's
} Info;

static bool info_start(Info *in, const App *a, const Options *o, RtError *e) {
  TrainSettings given = {0};
  *in = (Info){.a = a, .o = o};
  for (int k = 0; k < o->info_data.n; k++)
    if (!settings_set(&given, SET_train_data, o->info_data.v[k], e)) return false;
  in->data = given.data;
  settings_default(&in->set);
  if (!settings_json(&in->set, a->prog->train, "train", e)) settings_default(&in->set);
  return true;
}

// Parameters of a model's files that are not trained (headers only); -1 when they cannot be read here.
static int64_t frozen_params(const Models *ms, int m) {
  RtError e;
  Safetensors *s = ms->dir[m] ? st_open_dir(ms->dir[m], true, &e) : NULL;
  if (!s) return ms->dir[m] ? -1 : 0;
  int64_t n = 0;
  for (int i = 0; i < st_count(s); i++) n += st_at(s, i)->elems;
  st_close(s);
  return n - prog_trained_of(ms->prog, m);
}

static json_t *model_json(const Models *ms, int m, const json_t *hashes) {
  const ProgModel *pm = &ms->prog->model[m];
  json_t *o = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?, s:s?, s:I, s:I, s:I, s:I}", "name", pm->name, "role", Role_names[pm->role].name,
                        "keep", KeepAs_names[pm->keep].name, "dir", ms->dir[m], "arch", pm->arch,
                        "architecture", pm->architecture, "tokenizer", ms->tokfile[m], "blocks", (json_int_t)pm->blocks,
                            "width", (json_int_t)pm->width,
                        "vocab", (json_int_t)pm->vocab, "context", (json_int_t)pm->context);
  const Tokenizer *own = ms->streams.s[ms->streams.of[m]].tok, *tok = own ? own : ms->tok;
  if (tok) json_object_set_new(o, "ids", json_integer(tokenizer_vocab(tok)));
  int64_t frozen = frozen_params(ms, m);
  json_object_set_new(o, "frozen", frozen < 0 ? json_null() : json_integer(frozen));
  json_object_set_new(o, "trained", json_integer(prog_trained_of(ms->prog, m)));
  if (adapters_of(ms->prog, m)) json_object_set_new(o, "adapted", json_integer(adapters_of(ms->prog, m)));
  const json_t *mine = json_object_get(json_object_get(hashes, "models"), pm->name);
  json_t *files = json_object_get(mine, "files"), *dtypes = json_object_get(mine, "dtypes");
  json_object_set(o, "sha256", files ? files : json_null());
  json_object_set(o, "dtypes", dtypes ? dtypes : json_null());
  return o;
}

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "-";
}
static long long number(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

// ---- memory

// Steps of at most *cap tokens of data files where there are some, of any text otherwise; *data: what their rows take. set: of a training, whose steps may be smaller
// (*cap then), else NULL.
static bool shape_of(const App *a, const SettingFiles *files, const TrainSettings *set, int64_t *cap, Shape *s, int64_t *data, RtError *e) {
  *data = 0;
  if (!files->n && set) *cap = settings_step_tokens(set, 0);
  if (!files->n) return *s = shape_of_text(a->models, *cap), true;
  int64_t before = rt_resident();
  DataFile *f = data_open_all(files->of, files->n, e);
  Data *d = f ? feed_look(a->models, f, e) : NULL;
  if (!d) return data_close(f), false;
  if (!data_whole(d)) rt_note("%s: looked at %lld of its %lld rows, spread evenly", data_path(f), (long long)d->looked, (long long)d->of);
  if (rt_resident() > before) *data = rt_resident() - before;
  if (set) *cap = settings_step_tokens(set, feed_longest_of_all(d));
  *s = shape_of_data(a->models, d, *cap, set && set->shuffle);
  feed_looked(f, d), data_close(f);
  return true;
}

static json_t *command_json(const App *a, const Load *l, int64_t tokens, int64_t data) {
  Footprint f = engine_footprint(a->en, l);
  json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "tokens", (json_int_t)tokens, "activations", (json_int_t)f.activations, "caches", (json_int_t)f.caches,
                        "peak", (json_int_t)(memory_need(a, &f).peak + data));
  if (l->training) json_object_set_new(o, "parameters", json_integer(f.params));
  return o;
}

static bool are_there(const SettingFiles *f) {
  int k = 0;
  while (k < f->n && file_is_there(f->of[k].path)) k++;
  return f->n && k == f->n;
}

// --data, or what the spec names, where it is there and it matters which text it is: with several streams of tokens.
static const SettingFiles *text_of(const Info *in, const SettingFiles *spec) {
  static const SettingFiles NONE = {0};
  if (in->data.n) return &in->data;
  return in->a->models->streams.n > 1 && are_there(spec) ? spec : &NONE;
}

// The held-out files of the spec, under the same condition: their rows may be longer than those of training.
static const SettingFiles *held_of(const Info *in) {
  static const SettingFiles NONE = {0};
  return (in->data.n || in->a->models->streams.n > 1) && are_there(&in->set.validate) ? &in->set.validate : &NONE;
}

static bool part_for(const App *a, const SettingFiles *files, RtError *e) {
  DataFile *f = files->n ? data_open_all(files->of, files->n, e) : NULL;
  bool ok = !files->n || (f && app_part_for(a, f, e));
  data_close(f);
  return ok;
}

// Streams as the data sets that are looked at ask for them.
static bool part(const Info *in, RtError *e) {
  size_t i;
  json_t *block;
  json_array_foreach(in->a->prog->evals, i, block) {
    const char *path = json_string_value(json_object_get(block, "data"));
    const SettingFiles spec = {.n = path != NULL, .of = {{.path = path}}};
    if (!part_for(in->a, text_of(in, &spec), e)) return false;
  }
  return part_for(in->a, text_of(in, &in->set.data), e) && part_for(in->a, held_of(in), e);
}

static bool add_eval(const Info *in, json_t *m, RtError *e) {
  const App *a = in->a;
  Shape s;
  Options eval;                                    // as it is without a flag
  options_parse(&eval, C_EVAL, 0, NULL);
  int64_t data, cap = opt_int(in->o->info_cap, eval.tokens_cap);
  options_free(&eval);
  const char *path = json_string_value(json_object_get(json_array_get(a->prog->evals, 0), "data"));
  const SettingFiles spec = {.n = path != NULL, .of = {{.path = path}}};
  if (!shape_of(a, text_of(in, &spec), NULL, &cap, &s, &data, e)) return false;
  json_object_set_new(m, "eval", command_json(a, &(Load){.tables = s.tables, .nstep = 1, .step = {{a->en->entry[ENTRY_LOSS], s.tokens, s.rows}}}, cap, data));
  shape_free(&s);
  return true;
}

static bool add_train(const Info *in, json_t *m, RtError *e) {
  const App *a = in->a;
  TrainSettings set = in->set;
  Shape s, look;
  int64_t data, held;
  if (a->en->entry[ENTRY_TRAIN] < 0 || !a->prog->nparam) return true;
  set.tokens_cap = opt_int(in->o->info_cap, set.tokens_cap);
  int64_t cap = set.tokens_cap, cap_held = cap;
  if (!shape_of(a, text_of(in, &set.data), &set, &cap, &s, &data, e)) return false;
  if (!shape_of(a, held_of(in), NULL, &cap_held, &look, &held, e)) return shape_free(&s), false;
  Load l = {.training = true, .tables = s.tables, .nstep = 1, .step = {{a->en->entry[ENTRY_TRAIN], s.tokens, s.rows}}};
  if (set.validate.n) l.step[l.nstep++] = (StepLoad){a->en->entry[ENTRY_LOSS], look.tokens, look.rows};
  json_object_set_new(m, "train", command_json(a, &l, cap, size_sum(data, held)));
  shape_free(&s), shape_free(&look);
  return true;
}

// What --memory would come to for a training.
static bool add_budget(const Info *in, json_t *m, RtError *e) {
  const TrainSettings *set = &in->set;
  TrainBudget b;
  RtError why;
  App allowed = *in->a;
  const SettingFiles *files = in->data.n ? &in->data : are_there(&set->data) ? &set->data : NULL;
  if (!allowed.limits.asked && set->memory > 0) allowed.limits.asked = set->memory;
  if (!allowed.limits.asked || allowed.en->entry[ENTRY_TRAIN] < 0 || !allowed.prog->nparam) return true;
  DataFile *f = files ? data_open_all(files->of, files->n, e) : NULL;
  Data *d = f ? feed_look(allowed.models, f, e) : NULL;
  DataFile *held = held_of(in)->n ? data_open_all(held_of(in)->of, held_of(in)->n, e) : NULL;
  Data *look = held ? feed_look(allowed.models, held, e) : NULL;
  bool ok = (d || !in->data.n) && (look || !held_of(in)->n), fits = budget_train(&allowed, set, d, look, 0, &b, &why);
  char *words = fits ? budget_words(set, &b) : rt_strdup(why.text);
  json_object_set_new(m, "budget", json_pack("{s:I, s:b, s:s}", "bytes", (json_int_t)allowed.limits.asked, "fits", fits, "words", words));
  if (fits) json_object_set_new(json_object_get(m, "budget"), "tokens", json_integer(b.cap)), json_object_set_new(json_object_get(m, "budget"), "again", json_boolean(b.lean));
  rt_free(words), feed_looked(f, d), data_close(f), feed_looked(held, look), data_close(held);
  return ok;
}

// What is kept of the rows of files for an entry, and what that spares of it; NULL where they are no data, and an error.
static json_t *frozen_of(const App *a, EntryKind whole, const TrainSettings *set, const SettingFiles *files, RtError *e) {
  DataFile *f = data_open_all(files->of, files->n, e);
  Data *d = f ? feed_look(a->models, f, e) : NULL;
  json_t *o = NULL;
  if (d) {
    FrozenWorth w = frozen_worth(a, whole, set, d);
    o = json_pack("{s:s, s:I, s:f}", "data", data_path(f), "bytes", (json_int_t)w.bytes, "spares", w.share);
  }
  feed_looked(f, d), data_close(f);
  return o;
}

// What the frozen cache would hold of the train block's data, or --data, and of its held-out data, and spare.
static bool add_frozen(const Info *in, json_t *m, RtError *e) {
  const App *a = in->a;
  const TrainSettings *set = &in->set;
  const SettingFiles *files = in->data.n ? &in->data : &set->data;
  EntryKind whole = json_is_true(json_object_get(json_object_get(m, "budget"), "again")) ? ENTRY_LEAN : ENTRY_TRAIN;
  if (!frozen_can(a->en, whole) || (!in->data.n && !are_there(files))) return true;
  json_t *all = frozen_of(a, whole, set, files, e);
  if (!all) return !in->data.n;                    // what the spec names may be no data yet
  json_object_set_new(all, "limit", json_integer(set->cache_limit));
  json_t *held = are_there(&set->validate) ? frozen_of(a, ENTRY_LOSS, set, &set->validate, e) : NULL;
  if (held) json_object_set_new(all, "held", held);
  json_object_set_new(m, "frozen", all);
  return true;
}

// What each file of --data has, in words.
static json_t *data_json_of(const Info *in, RtError *e) {
  if (!in->data.n) return json_array();
  DataFile *f = data_open_all(in->data.of, in->data.n, e);
  Data *d = f ? feed_look(in->a->models, f, e) : NULL;
  json_t *all = d ? json_array() : NULL;
  for (int k = 0; d && k < f->nparts; k++) {
    const DataPart *p = &f->part[k];
    DataPartCount of = data_count_part(f, d, k);
    char *words = course_file(f, d, k);
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "path", p->lines.path, "rows", (json_int_t)p->lines.n, "looked", (json_int_t)of.looked, "tokens",
                          (json_int_t)of.tokens, "labelled", (json_int_t)of.labelled, "words", words);
    if (p->share > 0) json_object_set_new(o, "share", json_real(p->share)), json_object_set_new(o, "an_epoch", json_integer(p->taken));
    json_array_append_new(all, o);
    rt_free(words);
  }
  feed_looked(f, d), data_close(f);
  return all;
}

// A text that fills the context, and a token of it.
static void add_generate(const App *a, json_t *m) {
  enum { MANY = 1 << 16 };
  int64_t context = a->models->context;
  Shape step = shape_of_tokens(a->models, context < GENERATE_CHUNK ? context : GENERATE_CHUNK), all = shape_of_tokens(a->models, context);
  Shape many = shape_of_tokens(a->models, MANY);
  json_object_set_new(m, "cache_token", json_integer(engine_footprint(a->en, &(Load){.cached = many.tokens}).caches / MANY));
  Load l = {.tables = all.tables, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, 1}}, .cached = all.tokens};
  if (context < INT32_MAX) json_object_set_new(m, "generate", command_json(a, &l, context, 0));       // one is known
  shape_free(&step), shape_free(&all), shape_free(&many);
}

// What each command takes, beside what it may have.
static json_t *memory_json(const Info *in, RtError *e) {
  const App *a = in->a;
  Footprint f = engine_footprint(a->en, &(Load){.tables = -1});
  const MemLimits *l = &a->limits;
  json_t *m = json_pack("{s:I, s:I, s:I, s:I, s:I}", "mapped", (json_int_t)f.mapped, "packed", (json_int_t)f.packed, "tables", (json_int_t)f.tables,
                        "base", (json_int_t)a->resident, "free", (json_int_t)l->available);
  json_object_set_new(m, "shared", json_integer(f.shared));
  if (l->limit) json_object_set_new(m, "limit", json_pack("{s:I, s:s}", "bytes", (json_int_t)l->limit, "of", l->limit_of));
  if (l->address_space) json_object_set_new(m, "address_space", json_integer(l->address_space));
  if (add_eval(in, m, e) && add_train(in, m, e) && add_budget(in, m, e) && add_frozen(in, m, e)) return add_generate(a, m), m;
  json_decref(m);
  return NULL;
}

static json_t *describe(const App *a) {
  const Prog *p = a->prog;
  RtError e;
  Identity id = {.models = a->models};
  const json_t *hashes = identity_get(&id, &e);
  if (!hashes) fprintf(stderr, "warning: %s\n", e.text);
  json_t *o = json_pack("{s:s, s:s, s:s, s:i}", "spec", p->spec, "spec_sha256", p->spec_sha256, "isa", a->en->isa->name,
                        "threads", pool_threads(a->en->pool));
  json_object_set_new(o, "threads_why", json_string(a->threads_why));
  json_object_set(o, "precision", a->precision);
  json_object_set_new(o, "precision_why", json_string(a->precision_why));
  json_t *models = json_array(), *params = json_array(), *connections = json_array();
  for (int i = 0; i < p->nmodel; i++) json_array_append_new(models, model_json(a->models, i, hashes));
  for (int i = 0; i < p->nparam; i++) {
    json_t *shape = json_array();
    for (int k = 0; k < p->param[i].shape.n; k++) json_array_append_new(shape, json_integer(p->param[i].shape.v[k]));
    json_array_append_new(params, json_pack("{s:s, s:o, s:s}", "name", p->param[i].name, "shape", shape, "init",
                                            init_name(p->param[i].init)));
  }
  json_object_set_new(o, "models", models);
  for (int i = 0; i < p->nconnection; i++) {
    const ProgConnection *c = &p->connection[i];
    json_array_append_new(connections, json_pack("{s:s, s:i, s:i, s:s?, s:i, s:i, s:s, s:s}", "name", c->name, "from", c->from, "from_layer", c->from_layer,
                                                 "tap", c->tap, "to", c->to, "to_layer", c->to_layer, "op", c->op, "computes", c->computes));
  }
  json_object_set_new(o, "connections", connections);
  json_t *adapters = json_array();
  for (int i = 0; i < p->nadapter; i++) {
    const ProgAdapter *x = &p->adapter[i];
    json_t *one = json_pack("{s:i, s:s, s:s, s:s}", "model", x->model, "module", x->module, "tensor", x->tensor, "op", x->op);
    if (x->up >= 0) json_object_set_new(one, "rank", json_integer((json_int_t)p->param[x->down].shape.v[0])), json_object_set_new(one, "scale", json_real(x->scale));
    json_array_append_new(adapters, one);
  }
  json_object_set_new(o, "adapters", adapters);
  json_object_set_new(o, "params", params);
  json_object_set_new(o, "trained", json_integer(prog_trained(p)));
  json_object_set(o, "train", p->train ? p->train : json_null());
  json_object_set(o, "evals", p->evals ? p->evals : json_null());
  json_object_set_new(o, "kernels", json_integer(p->nkernel));
  identity_drop(&id);
  return o;
}

// Rows of a vocabulary that no token of the tokenizer has, or tokens that have no row.
static void print_padding(long long vocab, const json_t *ids) {
  long long spare = ids ? vocab - (long long)json_integer_value(ids) : 0;
  if (spare > 0) printf(" (%lld padding: the tokenizer gives ids up to %lld)", spare, vocab - spare - 1);
  if (spare < 0) printf(" (the tokenizer gives ids up to %lld)", vocab - spare - 1);
}

static void print_models(const json_t *o) {
  size_t i;
  json_t *m, *hash;
  const char *file;
  json_array_foreach(json_object_get(o, "models"), i, m) {
    printf("\n%s %s (%s): %lld block%s, %lld wide, vocabulary %lld", text(m, "role"), text(m, "name"), text(m, "architecture"),
           number(m, "blocks"), plural(number(m, "blocks")), number(m, "width"), number(m, "vocab"));
    print_padding(number(m, "vocab"), json_object_get(m, "ids"));
    printf(", context %lld", number(m, "context"));
    if (number(m, "frozen")) printf(", %lld parameter%s, frozen", number(m, "frozen"), plural(number(m, "frozen")));
    if (number(m, "trained")) printf(", %lld trained", number(m, "trained"));
    if (number(m, "adapted")) printf(", %lld product%s adapted", number(m, "adapted"), plural(number(m, "adapted")));
    if (strcmp(text(m, "keep"), KeepAs_names[KEEP_STORED].name)) printf(", matrices as %s", text(m, "keep"));
    printf("\n  directory  %s\n  tokenizer  %s\n", text(m, "dir"), text(m, "tokenizer"));
    json_object_foreach(json_object_get(m, "sha256"), file, hash) printf("  sha256     %s  %s\n",
        json_string_value(hash), file);
  }
}

static void print_params(const Prog *p) {
  int64_t n = prog_trained(p);
  printf("\ntrained: %lld parameter%s in %d tensor%s\n", (long long)n, plural(n), p->nparam, plural(p->nparam));
  for (int i = 0; i < p->nparam; i++) {
    printf("  %-40s [", p->param[i].name);
    for (int k = 0; k < p->param[i].shape.n; k++) printf("%s%lld", k ? ", " : "", (long long)p->param[i].shape.v[k]);
    printf("]\n");
  }
}

static void print_text(const Engine *en, const json_t *o) {
  char *precision = precisions_words(json_object_get(o, "precision"));
  printf("%s  sha256 %s\n%s, %lld thread%s (%s), %lld kernel%s\n%s: %s\n", text(o, "spec"), text(o, "spec_sha256"), text(o, "isa"), number(o, "threads"),
         plural(number(o, "threads")), text(o, "threads_why"), number(o, "kernels"), plural(number(o, "kernels")), precision, text(o, "precision_why"));
  rt_free(precision);
  print_models(o);
  const Prog *p = en->prog;
  if (p->nconnection) puts("\nconnections");
  for (int i = 0; i < p->nconnection; i++) {
    const ProgConnection *c = &p->connection[i];
    printf("  %-24s %s after block %d%s%s -> %s after block %d, %s\n", c->name, p->model[c->from].name, c->from_layer, c->tap ? ", " : "",
           c->tap ? c->tap : "", p->model[c->to].name, c->to_layer, c->op);
  }
  print_params(p);
}

static double mb(const json_t *o, const char *key) { return (double)number(o, key) / 1e6; }

static void print_command(const json_t *m, const char *name) {
  const json_t *o = json_object_get(m, name);
  if (!o) return;
  printf("  %-8s about %.1f resident: ", name, mb(o, "peak"));
  if (json_object_get(o, "parameters")) printf("%.1f parameters, gradients and moments, ", mb(o, "parameters"));
  if (number(o, "caches")) printf("%.1f caches of a full context, %.3f a token\n", mb(o, "caches"), mb(m, "cache_token"));
  else printf("%.1f activations at %lld token%s a step\n", mb(o, "activations"), number(o, "tokens"), plural(number(o, "tokens")));
}

static void print_memory(const json_t *m) {
  const json_t *limit = json_object_get(m, "limit");
  printf("\nmemory, MB\n  weights  mapped %.1f, packed %.1f", mb(m, "mapped"), mb(m, "packed"));
  if (number(m, "shared")) printf(", read in the pack file %.1f", mb(m, "shared"));
  printf("; of tables that ids read in the files at most %.1f\n", mb(m, "tables"));
  print_command(m, "eval");
  print_command(m, "train");
  print_command(m, "generate");
  const json_t *budget = json_object_get(m, "budget");
  if (budget) printf("  memory   within %.0f MB: %s\n", mb(budget, "bytes"), text(budget, "words"));
  const json_t *frozen = json_object_get(m, "frozen");
  if (frozen)
    printf("  frozen   about %.1f kept of all rows of %s (cache_limit %.1f); a row that is kept spares %.0f %% of a training's operations\n", mb(frozen, "bytes"), text(frozen, "data"),
           mb(frozen, "limit"), 100 * json_real_value(json_object_get(frozen, "spares")));
  const json_t *held = json_object_get(frozen, "held");
  if (held)
    printf("           within that about %.1f of held-out rows of %s, each of which spares %.0f %% of a look's\n", mb(held, "bytes"), text(held, "data"),
           100 * json_real_value(json_object_get(held, "spares")));
  printf("  here     %.1f free", mb(m, "free"));
  if (limit) printf(", limit %.1f (%s)", mb(limit, "bytes"), text(limit, "of"));
  if (json_object_get(m, "address_space")) printf(", address space %.1f (ulimit -v)", mb(m, "address_space"));
  putchar('\n');
}

static void print_share(const json_t *v, bool first) {
  char of[96] = "";
  if (number(v, "looked") < number(v, "rows")) snprintf(of, sizeof of, " (a sample of %lld of %lld rows)", number(v, "looked"), number(v, "rows"));
  printf("%s  %s%s: %s sees %.1f %% of the tokens that end in the text so far\n", first ? "\nvisible under the stable prefix\n" : "", text(v, "data"), of,
         text(v, "model"), 100 * json_real_value(json_object_get(v, "share")));
}

static void print_visible(const json_t *all) {
  size_t i;
  json_t *v;
  json_array_foreach(all, i, v)
    print_share(v, i == 0);
}

static void print_data(const json_t *all) {
  size_t i;
  json_t *v;
  if (json_array_size(all)) puts("\ndata");
  json_array_foreach(all, i, v) printf("  %s\n", text(v, "words"));
}

static void print_pack(const json_t *p) {
  const char *params = json_string_value(json_object_get(p, "parameters"));
  if (!json_is_object(p)) return;
  char *precision = precisions_words(json_object_get(p, "precision"));
  printf("\npack file %s, %.1f MB, for %s in %s: weights, tokenizers%s%s\n", text(p, "path"), mb(p, "bytes"), text(p, "isa"), precision,
         params ? ", parameters of " : "", params ? params : "");
  rt_free(precision);
}

int cmd_info(const Options *o) {
  RtError e;
  App a;
  Info in;
  json_t *visible = json_array(), *memory = NULL, *data = NULL;
  if (!app_open(&a, o, &e) || !info_start(&in, &a, o, &e) || !part(&in, &e) || !(memory = memory_json(&in, &e)) || !visible_shares(a.models, in.data.of, in.data.n, visible, &e) ||
      !(data = data_json_of(&in, &e))) {
    json_decref(visible), json_decref(memory);
    app_close(&a);
    return cmd_fail(o, &e);
  }
  json_t *d = describe(&a);
  json_object_set_new(d, "pack", a.pack ? pack_describe(a.pack) : json_null());
  json_object_set_new(d, "memory", memory);
  json_object_set_new(d, "visible", visible);
  json_object_set_new(d, "data", data);
  if (o->json) {
    json_dumpf(d, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    putchar('\n');
  } else {
    print_text(a.en, d);
    print_pack(json_object_get(d, "pack"));
    print_memory(json_object_get(d, "memory"));
    print_visible(visible);
    print_data(data);
  }
  json_decref(d);
  app_close(&a);
  return 0;
}
