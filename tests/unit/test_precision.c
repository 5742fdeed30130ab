// Which precision a run computes in: what was asked for, else what its frozen weights are stored in; never one that its weights do not bear.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "runtime/commands/precision.h"

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
    f->buf[at + 1] = (ProgBuf){.kind = BUF_PACKED, .dt = panel_dtype(stored[m]), .packed = {.source = at, .N = 16, .K = 4}};
    f->prog.nbuf += 2;
  }
  f->buf[f->prog.nbuf++] = (ProgBuf){.kind = BUF_LIVE, .dt = DT_F32, .packed = {.source = 0, .N = 16, .K = 4}};      // says nothing
}

static RtIsa both[] = {{"avx512", NULL, PRECISION_F32}, {"avx512", NULL, PRECISION_BF16}, {"avx2", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_BF16}};
static RtIsa narrow[] = {{"avx512", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_F32}};
static const RtProgram BOTH = {.isas = both, .isa_count = 4}, F32_ALONE = {.isas = narrow, .isa_count = 2};
static bool native(void) { return isa_multiplies("avx512", PRECISION_BF16); }

// Which of f32 and bf16 it is, or -1; what is said of it holds `says`.
static void chosen(const RtProgram *rt, const Fixture *f, const char *path, int word, int expected, const char *says) {
  char why[PRECISION_WHY] = "";
  RtError e = {.text = ""};
  PrecisionAsk ask = {.word = word, .by = "somebody says so"};
  int i = precision_choose(rt, &f->prog, path, &ask, why, &e), is = i < 0 ? -1 : (int)rt->isas[i].precision;
  if (is != expected || !strstr(i < 0 ? e.text : why, says)) fail_msg("word %d: precision %d, expected %d (%s): %s%s", word, is, expected, says, why, e.text);
}
enum { F32 = PRECISION_SAID + PRECISION_F32, BF16 = PRECISION_SAID + PRECISION_BF16 };

static void by_weights(void **state) {
  (void)state;
  Fixture f;
  if (!isa_supported("avx2")) skip();
  int here = native() ? PRECISION_BF16 : PRECISION_F32;
  const char *and = native() ? "base's weights are stored in BF16 and this processor multiplies it" : "BF16, but no instruction multiplies it here";
  make(&f, DT_BF16, DT_NONE);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, here, and);
  chosen(&BOTH, &f, "", PRECISION_AUTO, here, and);
  chosen(&BOTH, &f, "avx2", PRECISION_AUTO, PRECISION_F32, "no instruction multiplies it here");
  chosen(&F32_ALONE, &f, NULL, PRECISION_AUTO, PRECISION_F32, "no kernels of it");
  make(&f, DT_BF16, DT_F32);
  f.buf[3].packed.exact = true;                    // a router: it is of f32 whatever the others are
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, here, and);
  make(&f, DT_BF16, DT_F16);
  f.buf[3].packed.exact = true;
  chosen(&BOTH, &f, NULL, BF16, PRECISION_BF16, "somebody says so");
  make(&f, DT_BF16, DT_BF16);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, here, and);
  make(&f, DT_BF16, DT_F8_E5M2);                   // whose numbers bf16 holds
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, here, and);
  make(&f, DT_BF16, DT_F32);                       // no stored number is rounded unasked
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "base's weights are stored in BF16, but code's in F32, which bf16 would round");
  make(&f, DT_F16, DT_BF16);
  chosen(&BOTH, &f, NULL, PRECISION_AUTO, PRECISION_F32, "code's weights are stored in BF16, but base's in F16");
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
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(by_weights), cmocka_unit_test(asked_for)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
