// Building graphs from specs over tiny model directories: layer maps, names, what is built and what is not, own architectures, and the
// error texts of tests/errors/build (CALM_BLESS=1 writes them anew).
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/core/alloc.h"
#include "build/build.h"
#include "mutate.h"
#include "tiny_model.h"

#define ERRORS CALM_SOURCE_DIR "/tests/errors/build/*.calm"

typedef struct World {
  Arena *arena;
  Sources sources;
  Diags diags;
  Spec *spec;
  Program *p;
} World;

static void open_path(World *w, const char *path) {
  w->arena = arena_new();
  w->p = NULL;
  sources_init(&w->sources, w->arena);
  diags_init(&w->diags, &w->sources);
  w->spec = spec_parse(w->arena, &w->sources, &w->diags, path);
  w->p = program_build(w->arena, w->spec, &w->diags);
}

static void write_text(const char *path, const char *text) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void open_text(World *w, const char *text) {
  write_text("spec.calm", text);
  open_path(w, "spec.calm");
}

static void expect_built(World *w) {
  Buf b = {0};
  if (w->p) return;
  diags_print(&w->diags, &b);
  fail_msg("%s", b.s);
}

static void close_world(World *w) {
  program_close(w->p);
  arena_free(w->arena);
}

static char *read_all(const char *path) {
  FILE *f = fopen(path, "rb");
  Buf b = {0};
  if (!f) return NULL;
  buf_puts(&b, "");
  for (int c; (c = fgetc(f)) != EOF;) buf_putc(&b, (char)c);
  fclose(f);
  return b.s;
}

// ---- the models, in a folder of their own that is the current one from here on

static int make_models(void **state) {
  (void)state;
  static const TinyModel models[] = {
      {.dir = "base", .hidden = 16, .layers = 4, .heads = 4, .kv_heads = 2, .ffn = 24, .vocab = 32},
      {.dir = "code", .hidden = 8, .layers = 6, .heads = 2, .kv_heads = 2, .ffn = 16, .vocab = 32},
      {.dir = "few", .hidden = 8, .layers = 2, .heads = 2, .kv_heads = 2, .ffn = 16, .vocab = 31},
      {.dir = "other",
       .hidden = 8,
       .layers = 2,
       .heads = 2,
       .kv_heads = 2,
       .ffn = 16,
       .vocab = 32,
       .tokenizer = "{\"added_tokens\": []}\n"},
      {.dir = "wrong", .hidden = 16, .layers = 4, .heads = 4, .kv_heads = 2, .ffn = 24, .vocab = 32, .query_rows = 12},
      {.dir = "lacks",
       .hidden = 16,
       .layers = 4,
       .heads = 4,
       .kv_heads = 2,
       .ffn = 24,
       .vocab = 32,
       .without = "num_attention_heads"},
      {.dir = "bare", .hidden = 16, .layers = 4, .heads = 4, .kv_heads = 2, .ffn = 24, .vocab = 32,
       .without = "hidden_size intermediate_size num_hidden_layers num_key_value_heads vocab_size"},
      {.dir = "gelu",
       .hidden = 16,
       .layers = 4,
       .heads = 4,
       .kv_heads = 2,
       .ffn = 24,
       .vocab = 32,
       .config = "  \"hidden_act\": \"geglu\",\n"},
      {.dir = "window",
       .hidden = 16,
       .layers = 4,
       .heads = 4,
       .kv_heads = 2,
       .ffn = 24,
       .vocab = 32,
       .config = "  \"sliding_window\": 4096,\n"},
      {.dir = "biased",
       .hidden = 16,
       .layers = 4,
       .heads = 4,
       .kv_heads = 2,
       .ffn = 24,
       .vocab = 32,
       .extra_tensor = "model.layers.0.self_attn.q_proj.bias"},
      {.dir = "invented",
       .hidden = 16,
       .layers = 4,
       .heads = 4,
       .kv_heads = 2,
       .ffn = 24,
       .vocab = 32,
       .architecture = "InventedForCausalLM"},
  };
  return tiny_folder(models, sizeof models / sizeof *models);
}

static int remove_models(void **state) {
  (void)state;
  return tiny_folder_remove();
}

// ---- tests

static void layer_maps(void **state) {
  (void)state;
  static const struct { const char *from, *to, *map;
  } cases[] = {
      {"every 2", "2, 3, 4", "2:2 4:3 6:4 "},
      {"every 2", "spread", "2:1 4:2 6:4 "},
      {"spread", "all", "1:1 3:2 4:3 6:4 "},
      {"2..6 step 2", "0..2", "2:0 4:1 6:2 "},
      {"last", "last", "6:4 "},
      {"4, 4, 0", "1, 2, 3", "4:1 4:2 0:3 "},
      {"spread", "last", "6:4 "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    World w;
    char text[512];
    Buf map = {0};
    snprintf(text, sizeof text,
             "anchor base = \"models/base\"\naugment code = \"models/code\"\nconnect code[%s] -> base[%s] with "
             "cross_attention(heads = 4)\n",
             cases[i].from, cases[i].to);
    open_text(&w, text);
    expect_built(&w);
    for (int k = 0; k < w.p->nconn; k++) buf_printf(&map, "%d:%d ", w.p->conn[k].from_layer, w.p->conn[k].to_layer);
    assert_string_equal(map.s, cases[i].map);
    buf_free(&map);
    close_world(&w);
  }
}

static const Graph *entry(const World *w, const char *name) {
  for (int i = 0; i < w->p->nentry; i++)
    if (!strcmp(w->p->entry[i]->name, name)) return w->p->entry[i];
  return NULL;
}

static int sources_like(const Graph *g, OpId op, const char *part) {
  int n = 0;
  for (int i = 0; i < g->n; i++) n += g->node[i].op == op && strstr(g->node[i].attr.name, part) != NULL;
  return n;
}

static void names_and_extent(void **state) {
  (void)state;
  World w;
  open_text(&w,
            "anchor base = \"models/base\"\naugment code = \"models/code\"\nconnect code[2, 4] -> base[2, 4] with "
            "cross_attention(heads = 4)\n");
  expect_built(&w);
  static const char *const order[] = {"train", "loss", "step", "score", "norm", "update"};
  assert_int_equal(w.p->nentry, 6);
  for (int i = 0; i < 6; i++) assert_string_equal(w.p->entry[i]->name, order[i]);
  assert_int_equal(w.p->nparam, 10);
  assert_string_equal(w.p->param[1].name, "code.2->base.2.wq");
  assert_int_equal(w.p->param[0].fan_in, 8);
  assert_int_equal(w.p->param[1].fan_in, 16);
  assert_int_equal(w.p->param[0].init, INIT_FAN_IN);
  assert_int_equal(w.p->param[4].init, INIT_ZEROS);
  const Graph *loss = entry(&w, "loss"), *score = entry(&w, "score");
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.3.mlp.up"), 1);
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.4."), 0);      // nothing above the last tap
  assert_int_equal(sources_like(score, OP_weight, "code.model.layers.5.mlp.up"), 1);
  // 4 blocks of base and 4 of code with a key and a value each, and two connections
  assert_int_equal(sources_like(entry(&w, "step"), OP_cache, "cache."), 2 * (4 + 4 + 2));
  assert_int_equal(w.p->model[0].width, 16);
  assert_int_equal(w.p->model[1].vocab, 32);
  close_world(&w);
}

static int count_ops(const Graph *g, OpId op) {
  int n = 0;
  for (int i = 0; i < g->n; i++) n += g->node[i].op == op;
  return n;
}

static const char tapped[] =
    "anchor base = \"models/base\"\naugment code = \"models/code\"\n"
    "connect code[2, 4].normed -> base[2, 4] with cross_attention_scaled(heads = 4)\n"
    "connect code[4].normed -> base[1] with cross_attention_normed(heads = 2)\n";

// A tap reads the norm of the block above its layer, nothing else of it; the last layer's reads the head's. Names do not tell it.
static void taps(void **state) {
  (void)state;
  World w;
  open_text(&w, tapped);
  expect_built(&w);
  assert_int_equal(w.p->nparam, 15);
  assert_string_equal(w.p->conn[0].name, "code.2->base.2");
  assert_string_equal(w.p->conn[0].tap, "normed");
  assert_string_equal(w.p->param[0].name, "code.4->base.1.proj");
  const Graph *loss = entry(&w, "loss");
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.3.mlp.up"), 1);
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.4."), 1);
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.4.input_layernorm"), 1);
  // each of the three connections keeps a key and a value; a tap keeps nothing
  assert_int_equal(sources_like(entry(&w, "step"), OP_cache, "cache."), 2 * (4 + 4 + 3));
  close_world(&w);
  open_text(&w,
            "anchor base = \"models/base\"\naugment code = \"models/code\"\n"
            "connect code[0, 6].normed -> base[2, 4] with cross_attention(heads = 4)\n");
  expect_built(&w);
  loss = entry(&w, "loss");
  assert_int_equal(sources_like(loss, OP_weight, "code.model.norm.weight"), 1);
  assert_int_equal(sources_like(loss, OP_weight, "code.model.layers.0.input_layernorm"), 1);
  close_world(&w);
}

// Several connections that read one tap compute it once: one more costs its op's work alone, no further norm of the augment.
static void tap_once(void **state) {
  (void)state;
  static const char *const more[] = {"1", "1, 3", "1, 3, 4"};
  int rows[3];
  for (int i = 0; i < 3; i++) {
    World w;
    char text[512];
    snprintf(text, sizeof text,
             "anchor base = \"models/base\"\naugment code = \"models/code\"\n"
             "connect code[%s].normed -> base[%s] with cross_attention(heads = 4)\n",
             i == 0 ? "3" : i == 1 ? "3, 3" : "3, 3, 3", more[i]);
    open_text(&w, text);
    expect_built(&w);
    rows[i] = count_ops(entry(&w, "train"), OP_rsqrt);
    close_world(&w);
  }
  assert_int_equal(rows[0], rows[1]);
  assert_int_equal(rows[0], rows[2]);
}

// A spec's own fn of a name the library uses is the spec's alone; the library's text means its own.
static void own_names(void **state) {
  (void)state;
  World w;
  Buf one = {0}, two = {0};
  open_text(&w, tapped);
  expect_built(&w);
  for (int i = 0; i < w.p->nentry; i++) graph_print(w.p->entry[i], &one);
  close_world(&w);
  buf_puts(&two, tapped);
  buf_puts(&two, "fn unit(x, y) = x + y\nfn usual(x, y) = x\nfn even(x, y) = y\nfn rmsnorm(w) = w * 2\n");
  open_text(&w, two.s);
  expect_built(&w);
  two.n = 0;
  for (int i = 0; i < w.p->nentry; i++) graph_print(w.p->entry[i], &two);
  assert_string_equal(one.s, two.s);
  close_world(&w);
  open_text(&w,                                              // its own op sees its own fn
            "anchor base = \"models/base\"\naugment code = \"models/code\"\nfn unit(x, y) = x * y\n"
            "op own(b[N, D], a[M, E]) -> delta[N, D] {\n"
            "  param p[1, D, E], q[1, D, D]\n  x = linear(unit(a, 3), p)\n"
            "  o[N, D] = attention(linear(b, q), x, x)\n  return o\n}\n"
            "connect code[2] -> base[2] with own()\n");
  expect_built(&w);
  close_world(&w);
  buf_free(&one);
  buf_free(&two);
}

static void anchor_alone(void **state) {
  (void)state;
  World w;
  open_text(&w, "anchor base = \"models/base\"\n");
  expect_built(&w);
  assert_int_equal(w.p->nentry, 4);
  assert_int_equal(w.p->nparam, 0);
  const Graph *probe = entry(&w, "probe");                   // the gradient by the embedding output, given as an input
  assert_int_equal(sources_like(probe, OP_input, "hidden.base.0"), 1);
  assert_int_equal(sources_like(probe, OP_weight, "base.model.embed_tokens"), 1);     // the tied head, no lookup
  assert_string_equal(probe->out[1].name, "state_grad.base.0");
  close_world(&w);
}

// Weights that are read transposed keep the files' order, and count their inner extents as fan-in; the head's softcap is taken into the loss.
static void transposed_and_capped(void **state) {
  (void)state;
  World w;
  open_text(&w,
            "model m = turned { } tokenizer \"models/base/tokenizer.json\"\n"
            "arch turned for \"TurnedForCausalLM\" {\n"
            "  embed(ids[T]) = lookup(ids, weight(\"e\")[32, 6]) + lookup(positions(ids), weight(\"p\")[10, 6])\n"
            "  layers i in 0..1 under \"l.{i}.\" (x[T, 6]) {\n"
            "    qkv[T, 3, 2, 4] = linear(x, weight(\"qkv\")[6, 3, 2, 4].t)\n"
            "    a[T, 2, 4] = attention(slice(qkv, 1, 0), slice(qkv, 1, 1), slice(qkv, 1, 2))\n"
            "    return x + linear(a, weight(\"o\")[2, 4, 6].t)\n  }\n"
            "  head(x[T, 6]) = softcap(linear(x, weight(\"h\")[32, 6]), 5)\n}\n");
  expect_built(&w);
  assert_int_equal(w.p->model[0].vocab, 32);
  for (int i = 0; i < w.p->nparam; i++) {
    const BParam *p = &w.p->param[i];
    if (strcmp(p->name, "m.l.0.qkv") && strcmp(p->name, "m.l.0.o")) continue;
    bool o = p->name[6] == 'o';
    assert_true(p->rank == 2 && p->dim[0] == (o ? 8 : 6) && p->dim[1] == (o ? 6 : 24) && p->fan_in == p->dim[0]);
  }
  const Graph *loss = entry(&w, "loss");
  const Node *nll = &loss->node[loss->out[0].node];
  assert_true(nll->op == OP_xent && nll->attr.softcap == 5);
  close_world(&w);
}

static void made_from_nothing(void **state) {
  (void)state;
  World w;
  char text[512], wanted[256];
  snprintf(
      text, sizeof text,
      "model kv = %s { vocab_size = 32 hidden_size = 16 intermediate_size = 24 num_hidden_layers = 2 "
      "num_attention_heads = 4 "
      "hidden_act = \"silu\" } tokenizer \"models/base/tokenizer.json\" init { \"*o_proj.weight\" = fan_in(0.5) }\n"
      "train { steps = 3 batch = 96 rows optimizer = adamw(lr = 0.125, betas = (0.5, 0.75)) }\n", tiny_arch());
  open_text(&w, text);
  expect_built(&w);
  assert_int_equal(w.p->nparam, 3 + 2 * 9);
  assert_string_equal(w.p->param[0].name, "kv.model.embed_tokens.weight");
  assert_int_equal(w.p->param[0].model, 0);
  for (int i = 0; i < w.p->nparam; i++) {
    const BParam *p = &w.p->param[i];
    bool o = strstr(p->name, "o_proj") != NULL, norm = strstr(p->name, "norm") != NULL;
    assert_int_equal(p->init, o ? INIT_FAN_IN : norm ? INIT_ONES : INIT_NORMAL);
    if (o) assert_true(p->a == 0.5 && p->fan_in == 16);
    assert_int_equal(p->rank, norm ? 1 : 2);                 // as files hold them: [out, in]
  }
  char *config = json_dumps(w.p->model[0].config, JSON_COMPACT), *train = json_dumps(w.p->train, JSON_COMPACT);
  snprintf(
      wanted, sizeof wanted,
      "{\"architectures\":[\"%s\"],\"model_type\":\"%s\",\"vocab_size\":32,\"hidden_size\":16,"
      "\"intermediate_size\":24,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"hidden_act\":\"silu\"}",
      tiny_architecture(), tiny_arch());
  assert_string_equal(config, wanted);
  assert_string_equal(train,
                      "{\"steps\":3,\"batch\":{\"n\":96,\"unit\":\"rows\"},\"optimizer\":{\"name\":\"adamw\",\"lr\":0."
                      "125,\"betas\":[0.5,0.75]}}");
  rt_free(config);
  rt_free(train);
  close_world(&w);
}

// A copy of the library's file under another name, for an invented architecture string, gives the very same graphs.
static void own_architecture(void **state) {
  (void)state;
  const char *head = NULL;
  char opening[160];
  snprintf(opening, sizeof opening, "arch %s for \"%s\"", tiny_arch(), tiny_architecture());
  for (const StdFile *f = std_files; f->name; f++)
    if (strstr(f->text, opening)) head = strstr(f->text, opening);
  assert_non_null(head);
  Buf text = {0}, one = {0}, two = {0};
  buf_puts(&text, "anchor base = \"models/invented\"\narch invented for \"InventedForCausalLM\"");
  buf_puts(&text, strchr(head, '{'));
  // what follows the arch in the library file would stand twice
  char *end = strstr(text.s, "\n}\n");
  assert_non_null(end);
  end[3] = 0;
  World w, v;
  open_text(&w, text.s);
  expect_built(&w);
  assert_string_equal(w.p->model[0].arch, "invented");
  open_text(&v, "anchor base = \"models/base\"\n");
  expect_built(&v);
  for (int i = 0; i < w.p->nentry; i++) {
    graph_print(w.p->entry[i], &one);
    graph_print(v.p->entry[i], &two);
  }
  assert_string_equal(one.s, two.s);
  buf_free(&text);
  buf_free(&one);
  buf_free(&two);
  close_world(&w);
  close_world(&v);
}

// A gated variant of the paper's op, and connections that run from the anchor to an augment and back.
static void own_op(void **state) {
  (void)state;
  World w;
  open_text(&w,
            "anchor base = \"models/base\"\naugment code = \"models/code\"\n"
            "op gated(b[N, D], a[M, E], heads: int = 2) -> delta[N, D] {\n"
            "  param p[D, E], wq[heads, D / heads, D], wk[heads, D / heads, D], wv[heads, D / heads, D], wo[D, D] = "
            "zeros, g[1, D] = normal(0.1)\n"
            "  x = linear(a, p)\n"
            "  o[N, D] = attention(linear(b, wq), linear(x, wk), linear(x, wv))\n"
            "  return linear(o, wo) * sigmoid(linear(b, g))\n}\n"
            "connect base[1] -> code[2] with gated()\nconnect code[3] -> base[2] with gated(heads = 4)\n");
  expect_built(&w);
  assert_int_equal(w.p->nparam, 12);
  const Graph *train = entry(&w, "train");
  assert_int_equal(sources_like(train, OP_param, "base.1->code.2."), 6);
  close_world(&w);
}

// Every op on rows is said in the language: by a function of builtins.def, by a sign, or by what is named here.
static void every_op_is_said(void **state) {
  (void)state;
#define OP_none OP_COUNT
  static const OpId ELSEWHERE[] = {OP_add, OP_sub, OP_mul, OP_div, OP_neg,      // signs
                                   OP_gain,                                      // what connections add
                                   OP_float};                                   // positions, and what is stored
  bool said[OP_COUNT + 1] = {false};
  for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++) said[ELSEWHERE[i]] = true;
#define E(name, number, result, op, what) said[OP_##op] = true;
#define F(name, params, takes, what) \
  for (int i = 0; i < OP_COUNT; i++) said[i] |= !strcmp(op_name((OpId)i), #name);
#include "dsl/builtins.def"
#undef F
#undef E
#undef OP_none
  for (int i = 0; i < OP_COUNT; i++)
    if (op_class((OpId)i) == OPC_ROW && !said[i]) fail_msg("%s has no function in dsl/builtins.def", op_name((OpId)i));
}

// A function of numbers that builtins.def gives an op makes a node of it of a tensor, and takes numbers; one without is refused a tensor.
static void functions(void **state) {
  (void)state;
#define OP_none OP_COUNT
  static const struct { const char *name; OpId op; } row[] = {
#define F(name, params, takes, what)
#define E(name, number, result, op, what) {#name, OP_##op},
#include "dsl/builtins.def"
#undef F
#undef E
  };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    World w;
    char text[512];
    snprintf(text, sizeof text,
             "anchor base = \"models/base\"\naugment code = \"models/code\"\n"
             "op f(b[N, D], a[M, E]) -> delta[N, D] {\n  param w[D, D]\n  return linear(%s(b) * %s(0.5), w)\n}\nconnect code[2] -> base[1] with f()\n",
             row[i].name, row[i].name);
    open_text(&w, text);
    if (row[i].op == OP_none) {
      assert_int_equal(w.diags.errors, 1);
      assert_non_null(strstr(w.diags.v[0].text, "known at compile time"));
    } else {
      expect_built(&w);
      const Graph *g = entry(&w, "score");
      bool there = false;
      for (NodeId k = 0; k < g->n; k++) there |= g->node[k].op == row[i].op && type_row_sym(&g->node[k].type) >= 0;
      if (!there) fail_msg("%s of a tensor makes no node of its op", row[i].name);
    }
    close_world(&w);
  }
#undef OP_none
}

static void errors(void **state) {
  (void)state;
  glob_t g;
  int bad = 0;
  assert_int_equal(glob(ERRORS, 0, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    World w;
    char other[512];
    const char *path = g.gl_pathv[i], *name = strrchr(path, '/') + 1;
    char *text = read_all(path);
    write_text(name, text);
    open_path(&w, name);
    Buf b = {0};
    diags_print(&w.diags, &b);
    if (w.p) buf_puts(&b, "no error\n");
    mutate_paths(b.s);
    snprintf(other, sizeof other, "%.*s.err", (int)(strlen(path) - 5), path);
    if (getenv("CALM_BLESS")) write_text(other, b.s);
    char *want = read_all(other);
    if (!want || strcmp(want, b.s)) {
      print_error("%s differs (CALM_BLESS=1 writes it); the text is now:\n%s", other, b.s);
      bad++;
    }
    free(want);
    free(text);
    buf_free(&b);
    close_world(&w);
  }
  globfree(&g);
  assert_int_equal(bad, 0);
}

// What is left of a spoilt spec is built as far as it goes: no crash, a program only without errors, and every diagnostic lies in its file.
static void survive(const char *text) {
  mutate_limits();
  World w;
  open_text(&w, text);
  assert_true((w.p != NULL) == (w.diags.errors == 0));
  for (int i = 0; i < w.diags.n; i++) {
    Loc l = w.diags.v[i].loc;
    assert_true(!l.file || ((int)l.file < w.sources.n && l.begin <= l.end && l.end <= w.sources.v[l.file].len));
  }
  close_world(&w);
}

static void mutations(void **state) {
  (void)state;
  glob_t g;
  const char *rounds = getenv("CALM_FUZZ_ROUNDS");
  int n_rounds = rounds ? atoi(rounds) : 20;
  uint32_t random = MUTATE_SEED;
  assert_int_equal(glob(ERRORS, 0, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    char *text = read_all(g.gl_pathv[i]);
    for (int r = 0; r < n_rounds; r++) {
      size_t m;
      char *now = mutate(&random, text, strlen(text), &m);
      survive(now ? now : "");
      free(now);
    }
    free(text);
  }
  globfree(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_op_is_said), cmocka_unit_test(layer_maps),        cmocka_unit_test(names_and_extent), cmocka_unit_test(anchor_alone),
      cmocka_unit_test(taps), cmocka_unit_test(tap_once), cmocka_unit_test(own_names),
      cmocka_unit_test(made_from_nothing), cmocka_unit_test(own_architecture), cmocka_unit_test(own_op), cmocka_unit_test(transposed_and_capped),
      cmocka_unit_test(functions), cmocka_unit_test(errors), cmocka_unit_test(mutations),
  };
  return cmocka_run_group_tests(tests, make_models, remove_models);
}
