// info: what this program is made of: models, shapes, connections, parameters frozen and trained, hashes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

// Parameters of a model's files (headers only); -1 when they cannot be read here.
static int64_t frozen_params(const Models *ms, int m) {
  RtError e;
  Safetensors *s = ms->dir[m] ? st_open_dir(ms->dir[m], true, &e) : NULL;
  if (!s) return ms->dir[m] ? -1 : 0;
  int64_t n = 0;
  for (int i = 0; i < st_count(s); i++) n += st_at(s, i)->elems;
  st_close(s);
  return n;
}

static json_t *model_json(const Models *ms, int m, const json_t *hashes) {
  const ProgModel *pm = &ms->prog->model[m];
  json_t *o = json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s?, s:I, s:I, s:I, s:I}", "name", pm->name, "role", pm->role,
                        "dir", ms->dir[m], "arch", pm->arch,
                        "architecture", pm->architecture, "tokenizer", ms->tokfile[m], "blocks", (json_int_t)pm->blocks,
                            "width", (json_int_t)pm->width,
                        "vocab", (json_int_t)pm->vocab, "context", (json_int_t)pm->context);
  int64_t frozen = frozen_params(ms, m);
  json_object_set_new(o, "frozen", frozen < 0 ? json_null() : json_integer(frozen));
  json_t *mine = json_object_get(json_object_get(hashes, "models"), pm->name);
  json_object_set(o, "sha256", mine ? mine : json_null());
  return o;
}

// Memory of the two commands that take most, at a cap of tokens a step; `base` is what this very process has: program, libraries, tokenizers.
static json_t *memory_json(Engine *en, const Options *o) {
  TrainSettings set;
  Options eval;                                    // as it is without a flag
  RtError e;
  settings_default(&set);
  options_parse(&eval, C_EVAL, 0, NULL);
  if (!settings_json(&set, en->prog->train, "train", &e)) settings_default(&set);
  int64_t cap = opt_int(o->info_cap, eval.tokens_cap), base = rt_peak_resident(), step = opt_int(o->info_cap, set.tokens_cap);
  options_free(&eval);
  if (!set.batch.rows && set.batch.n * set.accumulate < step) step = set.batch.n * set.accumulate;
  Footprint f = engine_footprint(en, en->e_loss, cap, false, false);
  Footprint t = engine_footprint(en, en->e_train, step, true, set.validate != NULL);
  json_t *m = json_pack("{s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "mapped", (json_int_t)f.mapped, "packed", (json_int_t)f.packed, "cache_token",
                        (json_int_t)f.cache_row, "base", (json_int_t)base, "eval", "tokens", (json_int_t)cap, "activations",
                        (json_int_t)f.activations, "peak", (json_int_t)(base + f.peak));
  if (en->e_train >= 0 && en->prog->nparam)
    json_object_set_new(m, "train", json_pack("{s:I, s:I, s:I, s:I}", "tokens", (json_int_t)step, "parameters", (json_int_t)t.params, "activations",
                                              (json_int_t)t.activations, "peak", (json_int_t)(base + t.peak)));
  return m;
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
  json_t *models = json_array(), *params = json_array();
  for (int i = 0; i < p->nmodel; i++) json_array_append_new(models, model_json(a->models, i, hashes));
  for (int i = 0; i < p->nparam; i++) {
    json_t *shape = json_array();
    for (int k = 0; k < p->param[i].rank; k++) json_array_append_new(shape, json_integer(p->param[i].shape[k]));
    json_array_append_new(params, json_pack("{s:s, s:o, s:s}", "name", p->param[i].name, "shape", shape, "init",
                                            p->param[i].init));
  }
  json_object_set_new(o, "models", models);
  json_object_set(o, "connections", p->connections);
  json_object_set_new(o, "params", params);
  json_object_set_new(o, "trained", json_integer(prog_trained(p)));
  json_object_set(o, "train", p->train ? p->train : json_null());
  json_object_set(o, "evals", p->evals ? p->evals : json_null());
  json_object_set(o, "kernels", json_object_get(p->root, "kernels"));
  identity_drop(&id);
  return o;
}

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "-";
}
static long long number(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static void print_models(const json_t *o) {
  size_t i;
  json_t *m, *hash;
  const char *file;
  json_array_foreach(json_object_get(o, "models"), i, m) {
    printf("\n%s %s (%s): %lld block%s, %lld wide, vocabulary %lld, context %lld", text(m, "role"), text(m, "name"),
           text(m, "architecture"),
           number(m, "blocks"), plural(number(m, "blocks")), number(m, "width"), number(m, "vocab"), number(m, "context"));
    if (number(m, "frozen")) printf(", %lld parameter%s, frozen", number(m, "frozen"), plural(number(m, "frozen")));
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
    for (int k = 0; k < p->param[i].rank; k++) printf("%s%lld", k ? ", " : "", (long long)p->param[i].shape[k]);
    printf("]\n");
  }
}

static void print_text(const Engine *en, const json_t *o) {
  size_t i;
  json_t *c;
  printf("%s  sha256 %s\n%s, %lld thread%s (%s), %lld kernel%s\n", text(o, "spec"), text(o, "spec_sha256"), text(o, "isa"), number(o, "threads"),
         plural(number(o, "threads")), text(o, "threads_why"), number(o, "kernels"), plural(number(o, "kernels")));
  print_models(o);
  if (json_array_size(en->prog->connections)) puts("\nconnections");
  json_array_foreach(en->prog->connections, i, c) {
    const ProgModel *from = &en->prog->model[number(c, "from")], *to = &en->prog->model[number(c, "to")];
    const char *tap = json_string_value(json_object_get(c, "tap"));
    printf("  %-24s %s after block %lld%s%s -> %s after block %lld, %s\n", text(c, "name"), from->name,
           number(c, "from_layer"), tap ? ", " : "", tap ? tap : "", to->name, number(c, "to_layer"), text(c, "op"));
  }
  print_params(en->prog);
}

static double mb(const json_t *o, const char *key) { return (double)number(o, key) / 1e6; }

static void print_memory(const json_t *m) {
  const json_t *e = json_object_get(m, "eval"), *t = json_object_get(m, "train");
  printf("\nmemory, MB\n  weights mapped %.1f, packed %.1f; caches %.3f a token of context\n", mb(m, "mapped"), mb(m, "packed"), mb(m, "cache_token"));
  printf("  eval   about %.1f resident: %.1f activations at %lld token%s a step (--tokens-cap)\n", mb(e, "peak"), mb(e, "activations"), number(e, "tokens"),
         plural(number(e, "tokens")));
  if (t) printf("  train  about %.1f resident: %.1f parameters, gradients and moments, %.1f activations at %lld token%s a step\n", mb(t, "peak"),
                mb(t, "parameters"), mb(t, "activations"), number(t, "tokens"), plural(number(t, "tokens")));
}

static void print_visible(const json_t *all) {
  size_t i;
  json_t *v;
  json_array_foreach(all, i, v)
    printf("%s  %s: %s sees %.1f %% of the tokens that end in the text so far\n", i ? "" : "\nvisible under the stable prefix\n", text(v, "data"),
           text(v, "model"), 100 * json_real_value(json_object_get(v, "share")));
}

int cmd_info(const Options *o) {
  RtError e;
  App a;
  json_t *visible = json_array();
  if (!app_open(&a, o, &e) || !visible_shares(a.models, o->info_data, visible, &e)) {
    json_decref(visible);
    app_close(&a);
    return cmd_fail(o, &e);
  }
  json_t *memory = memory_json(a.en, o), *d = describe(&a);      // the hashes of the files are not part of what other commands take
  json_object_set_new(d, "memory", memory);
  json_object_set_new(d, "visible", visible);
  if (o->json) {
    json_dumpf(d, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    putchar('\n');
  } else {
    print_text(a.en, d);
    print_memory(json_object_get(d, "memory"));
    print_visible(visible);
  }
  json_decref(d);
  app_close(&a);
  return 0;
}
