// All entries of whole specs, as the driver compiles them: built from the language over tiny model directories, all
// passes, one plan, native code, against the reference evaluator on the graphs as they were built. The optimizer's
// entries are among them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build/build.h"
#include "passes/passes.h"
#include "tests/unit/plan_runner.h"
#include "tiny_model.h"

enum { VOCAB = 32, MOST_ENTRIES = 8 };

static int make_models(void **state) {
  (void)state;
  static const TinyModel models[] = {
      {.dir = "base", .hidden = 16, .layers = 4, .heads = 4, .kv_heads = 2, .ffn = 24, .vocab = VOCAB},
      {.dir = "code", .hidden = 8, .layers = 6, .heads = 2, .kv_heads = 2, .ffn = 17, .vocab = VOCAB},
  };
  return tiny_folder(models, sizeof models / sizeof *models);
}

static int remove_models(void **state) {
  (void)state;
  return tiny_folder_remove();
}

static Program *build(Arena *a, Sources *sources, const char *text) {
  Diags diags;
  FILE *f = fopen("spec.calm", "wb");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
  sources_init(sources, a);
  diags_init(&diags, sources);
  Spec *spec = spec_parse(a, sources, &diags, "spec.calm");
  Program *p = diags.errors ? NULL : program_build(a, spec, &diags);
  if (!p) {
    Buf b = {0};
    diags_print(&diags, &b);
    fail_msg("%s", b.s);
  }
  return p;
}

typedef struct Rows {
  int64_t tokens, wanted, cached;
} Rows;

// The entries with three sets of row counts in one plan.
static void program(const char *text, double tolerance) {
  static const Rows rows[] = {{37, 13, 50}, {0, 0, 0}, {1, 1, 2}};
  enum { N = sizeof rows / sizeof *rows };
  NativeCase c[N * MOST_ENTRIES];
  Sources sources;
  Arena *a = arena_new();
  Program *p = build(a, &sources, text);
  int n = 0;
  assert_true(p->nentry <= MOST_ENTRIES);
  for (int i = 0; i < p->nentry; i++) {
    const Graph *g = passes_run(p->entry[i], a, NULL, NULL);
    for (int r = 0; r < N; r++) {
      Kit *k = kit_new((uint64_t)(i * N + r));
      k->base_rows = rows[r].tokens, k->wanted_rows = rows[r].wanted, k->cached_rows = rows[r].cached;
      kit_adopt(k, p->entry[i], VOCAB);
      c[n++] = (NativeCase){k, p->entry[i], graph_copy(g, a, arena_printf(a, "%s.%d", g->name, r)), false};
    }
  }
  native_check(c, n, tolerance, false);
  while (n) kit_free(c[--n].kit);
  program_close(p);
  arena_free(a);
}

static void composition(void **state) {
  (void)state;
  program("anchor base = \"models/base\"\naugment code = \"models/code\"\n"
          "connect code[every 2] -> base[spread] with cross_attention(heads = 4)\n", 1e-4);
}

static void other_way_round(void **state) {
  (void)state;
  program("anchor code = \"models/code\"\naugment base = \"models/base\"\n"
          "connect base[4, 2, 0] -> code[6, 1, 1] with cross_attention(heads = 2)\n", 1e-4);
}

static void from_nothing(void **state) {
  (void)state;
  char text[512];
  snprintf(text, sizeof text, "model kv = %s { vocab_size = 32 hidden_size = 16 intermediate_size = 24 num_hidden_layers = 2 "
          "num_attention_heads = 4 hidden_act = \"silu\" } tokenizer \"models/base/tokenizer.json\"\n"
          "train { steps = 3 batch = 96 rows optimizer = adamw(lr = 0.125, betas = (0.5, 0.75)) }\n", tiny_arch());
  program(text, 1e-4);
}

static void anchor_alone(void **state) {
  (void)state;
  program("anchor base = \"models/base\"\n", 1e-4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(composition),
      cmocka_unit_test(other_way_round),
      cmocka_unit_test(from_nothing),
      cmocka_unit_test(anchor_alone),
  };
  return cmocka_run_group_tests(tests, make_models, remove_models);
}
