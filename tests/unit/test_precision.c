// Which precision each model of a run computes in: what was asked for, else what its frozen weights are stored in; never one that its weights do not bear.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "runtime/commands/precision.h"
#include "runtime/work/work.h"

// A program of two models, a matrix of each, stored so and so; DT_NONE: it has none.
typedef struct Fixture {
  ProgModel model[2];
  ProgBuf buf[5];
  Prog prog;
} Fixture;

static void make(Fixture *f, Dtype base, Dtype code) {
  const Dtype stored[2] = {base, code};
  memset(f, 0, sizeof *f);
  f->model[0].name = "base", f->model[1].name = "code";
  f->prog.model = f->model, f->prog.nmodel = 2;
  f->prog.buf = f->buf;
  for (int m = 0; m < 2; m++) {
    if (stored[m] == DT_NONE) continue;
    int at = f->prog.nbuf;
    f->buf[at] = (ProgBuf){.kind = BUF_WEIGHT, .dt = stored[m], .stored = {.model = m, .tensor = "w"}};
    f->buf[at + 1] = (ProgBuf){.kind = BUF_PACKED, .dt = panel_dtype(stored[m]), .packed = {.source = at, .N = 16, .K = 4, .of = m}};
    f->prog.nbuf += 2;
  }
  f->buf[f->prog.nbuf++] = (ProgBuf){.kind = BUF_LIVE, .dt = DT_F32, .packed = {.source = 0, .N = 16, .K = 4}};      // says nothing
}

static RtIsa both[] = {{"avx512", NULL, PRECISION_F32}, {"avx512", NULL, PRECISION_BF16}, {"avx2", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_BF16}};
static RtIsa narrow[] = {{"avx512", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_F32}};
static const RtProgram BOTH = {.isas = both, .isa_count = 4}, F32_ALONE = {.isas = narrow, .isa_count = 2};
static bool native(void) { return isa_multiplies("avx512", PRECISION_BF16); }

// Which of f32 and bf16 each model is in, or -1; what is said of it holds `says`. The path has kernels of what any of them is in.
static void each(const RtProgram *rt, const Fixture *f, const char *path, const PrecisionAsk *ask, int base, int code, const char *says) {
  RtError e = {.text = ""};
  PrecisionChoice c;
  bool ok = precision_choose(rt, &f->prog, path, ask, &c, &e);
  int is[2] = {ok ? (int)c.of[0] : -1, ok ? (int)c.of[1] : -1}, most = base > code ? base : code;
  const char *said = ok ? c.why : e.text;
  if (is[0] != base || is[1] != code || !strstr(said, says) || (ok && rt->isas[c.isa].precision != most))
    fail_msg("precisions %d and %d, expected %d and %d (%s): %s", is[0], is[1], base, code, says, said);
  precision_drop(&c);
}

static void chosen(const RtProgram *rt, const Fixture *f, const char *path, int word, int expected, const char *says) {
  each(rt, f, path, &(PrecisionAsk){.word = word, .by = "somebody says so"}, expected, expected, says);
}

static void apart(const Fixture *f, int base, int code, const char *says) {
  each(&BOTH, f, NULL, &(PrecisionAsk){.word = PRECISION_AUTO}, base, code, says);
}
enum { F32 = PRECISION_SAID + PRECISION_F32, BF16 = PRECISION_SAID + PRECISION_BF16 };

static void by_weights(void **state) {
  (void)state;
  Fixture f;
  if (!isa_supported("avx2")) skip();
  int here = native() ? PRECISION_BF16 : PRECISION_F32;
  const char *and = native() ? "base's weights are stored in BF16 and this processor multiplies it" : "BF16, but no instruction multiplies it here";
  make(&f, DT_BF16, DT_BF16);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, here, and);
  chosen(&BOTH, &f, "", PRECISION_AUTO, here, and);
  chosen(&BOTH, &f, "avx2", PRECISION_AUTO, PRECISION_F32, "no instruction multiplies it here");
  chosen(&F32_ALONE, &f, NULL, PRECISION_AUTO, PRECISION_F32, "no kernels of it");
  make(&f, DT_BF16, DT_NONE);                      // the other's weights are live
  apart(&f, here, PRECISION_F32, native() ? "this processor multiplies it; code's weights are not frozen in BF16" : "base's weights are stored in BF16, but no");
  make(&f, DT_BF16, DT_F32);
  f.buf[3].packed.of = 0, f.buf[3].packed.exact = true;        // a router: it is of f32 whatever the others are
  apart(&f, here, PRECISION_F32, native() ? "base's weights are stored in BF16 and" : "no instruction");
  f.buf[3].packed.exact = false;
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "base's weights are stored in BF16, but also in F32, which bf16 would round");
  make(&f, DT_BF16, DT_F16);
  f.buf[3].packed.exact = true;
  chosen(&BOTH, &f, NULL, BF16, PRECISION_BF16, "somebody says so");
  make(&f, DT_BF16, DT_F8_E5M2);                   // whose numbers bf16 holds
  f.buf[3].packed.of = 0;
  apart(&f, here, PRECISION_F32, native() ? "base's weights are stored in BF16 and" : "no instruction");
  make(&f, DT_BF16, DT_F32);                       // no stored number is rounded unasked, and none that need not be
  apart(&f, here, PRECISION_F32, native() ? "base's weights are stored in BF16 and this processor multiplies it; code's weights are stored in F32" : "no instruction");
  each(&BOTH, &f, "avx2", &(PrecisionAsk){.word = PRECISION_AUTO}, PRECISION_F32, PRECISION_F32, "base's weights are stored in BF16, but no instruction multiplies it here");
  make(&f, DT_F16, DT_BF16);
  apart(&f, PRECISION_F32, here, native() ? "base's weights are stored in F16; code's weights are stored in BF16 and" : "code's weights are stored in BF16, but no");
  f.model[0].keep = KEEP_INT8, f.prog.nbuf = 5, f.buf[1].kind = BUF_LIVE;
  apart(&f, PRECISION_F32, here, native() ? "base's matrices are kept as int8; code's weights" : "no instruction");
  make(&f, DT_F32, DT_NONE);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "base's weights are stored in F32");
  make(&f, DT_F16, DT_NONE);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "base's weights are stored in F16");
  make(&f, DT_NONE, DT_NONE);                      // live weights alone
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "no frozen weights are stored in BF16");
}

static void asked_for(void **state) {
  (void)state;
  Fixture f;
  if (!isa_supported("avx2")) skip();
  make(&f, DT_F32, DT_BF16);
  chosen(&BOTH, &f, NULL, F32, PRECISION_F32, "somebody says so");
  chosen(&BOTH, &f, NULL, BF16, PRECISION_BF16, native() ? "somebody says so" : "somebody says so; emulated");
  chosen(&BOTH, &f, "avx2", BF16, PRECISION_BF16, "somebody says so; emulated");
  chosen(&F32_ALONE, &f, NULL, BF16, -1, "no kernels of precision bf16");
  chosen(&BOTH, &f, "sse9", BF16, -1, "CALM_ISA=sse9");
  make(&f, DT_BF16, DT_F16);
  chosen(&BOTH, &f, NULL, F32, PRECISION_F32, "somebody says so");
  chosen(&BOTH, &f, NULL, BF16, -1, "model code's weights are stored in F16");
  // what trained the parameters, of each model: where only the other is in bf16, F16 stands
  Precision of[2] = {PRECISION_BF16, PRECISION_F32};
  PrecisionAsk trained = {.of = of, .by = "somebody says so"};
  each(&BOTH, &f, NULL, &trained, PRECISION_BF16, PRECISION_F32, native() ? "somebody says so" : "somebody says so; emulated");
  of[0] = PRECISION_F32, of[1] = PRECISION_BF16;
  each(&BOTH, &f, NULL, &trained, -1, -1, "model code's weights are stored in F16");
  // of one model, in place of that
  const char *said[2] = {"code=f32", "base=auto"};
  trained.each = &(OptList){.v = said, .n = 2};
  each(&BOTH, &f, NULL, &trained, native() ? PRECISION_BF16 : PRECISION_F32, PRECISION_F32, "somebody says so; --precision says so of code, base");
  said[1] = "code=bf16";
  each(&BOTH, &f, NULL, &trained, -1, -1, "another is given for this model before");
  said[0] = "core=f32";
  each(&BOTH, &f, NULL, &trained, -1, -1, "no model of that name");
  said[0] = "base=";
  each(&BOTH, &f, NULL, &trained, -1, -1, "expected auto, f32 or bf16 behind base=");
}

// What is written is read again, and said; a word is of all models.
static void as_json(void **state) {
  (void)state;
  Fixture f;
  Precision of[2], again[2];
  const char *none = NULL;
  static const char *const WORDS[4] = {"f32", "bf16 (base) and f32 (code)", "f32 (base) and bf16 (code)", "bf16"};
  make(&f, DT_BF16, DT_F32);
  for (int i = 0; i < 4; i++) {
    of[0] = i & 1 ? PRECISION_BF16 : PRECISION_F32, of[1] = i & 2 ? PRECISION_BF16 : PRECISION_F32;
    json_t *said = precisions_json(&f.prog, of);
    char *words = precisions_words(said);
    assert_true(precisions_is(said));
    assert_int_equal(json_is_string(said), of[0] == of[1]);
    assert_string_equal(words, WORDS[i]);
    assert_true(precisions_read(&f.prog, said, again, &none));
    assert_memory_equal(of, again, sizeof of);
    rt_free(words), json_decref(said);
  }
  json_t *one = json_pack("{s:s}", "base", "bf16");
  assert_true(precisions_is(one));
  assert_false(precisions_read(&f.prog, one, again, &none));
  assert_string_equal(none, "code");
  assert_true(precisions_read(&f.prog, NULL, again, &none));
  assert_int_equal(again[1], PRECISION_F32);
  json_decref(one);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(by_weights), cmocka_unit_test(asked_for), cmocka_unit_test(as_json)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
