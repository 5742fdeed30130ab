// What kernels have to do and what they are called: the classes whose work is their own formula, and every class against its arguments.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plan/plan.h"

#define ROWS(dtype, n) {.dt = dtype, .per_row = true, .elems = n}
#define ONCE(dtype, n) {.dt = dtype, .elems = n}

static KernelCost cost_of(Kernel *k, KArg *arg, int narg) {
  KernelCost c;
  k->arg = arg, k->narg = narg;
  kernel_cost(k, &c);
  return c;
}
static void title_is(const Kernel *k, const char *want) {
  Buf b = {0};
  kernel_title(k, &b);
  assert_string_equal(b.s, want);
  buf_free(&b);
}

static void products(void **state) {
  (void)state;
  Kernel gemm = {.cls = K_GEMM, .GEMM = {.K = 96}, .nmat = 2, .N = {32, 48}};
  KArg of_gemm[] = {ROWS(DT_F32, 96), ONCE(DT_F32, 96 * 32), ONCE(DT_BF16, 96 * 48), ONCE(DT_F32, 32), ROWS(DT_F32, 80)};
  KernelCost c = cost_of(&gemm, of_gemm, 5);
  assert_true(c.product && c.mask < 0 && c.source < 0);
  assert_int_equal(c.flops[PER_ROW], 2 * 96 * (32 + 48));
  assert_int_equal(c.bytes[PER_ROW][PRECISION_F32], 4 * (96 + 80));
  assert_int_equal(c.bytes[PER_CALL][PRECISION_F32], 4 * 96 * 32 + 2 * 96 * 48 + 4 * 32);
  assert_int_equal(c.bytes[PER_CALL][PRECISION_BF16], 2 * 96 * 32 + 2 * 96 * 48 + 4 * 32);       // panels of f32 are pairs then, a bias is not
  title_is(&gemm, "gemm 96 -> 32+48");
  of_gemm[1].dt = DT_BF16;
  title_is(&gemm, "gemm 96 -> 32+48 bf16");
  Kernel dw = {.cls = K_DW, .DW = {.N = 32, .K = 96}};
  KArg of_dw[] = {ROWS(DT_F32, 32), ROWS(DT_F32, 96), {.dt = DT_F32, .elems = 32 * 96, .written = true}};
  c = cost_of(&dw, of_dw, 3);
  assert_int_equal(c.flops[PER_ROW], 2 * 32 * 96);
  assert_int_equal(c.bytes[PER_CALL][PRECISION_BF16], 4 * 32 * 96);
  Kernel loss = {.cls = K_XENT_GRAD, .XENT_GRAD = {.D = 64, .V = 1000}};
  KArg of_loss[] = {ROWS(DT_F32, 64), ONCE(DT_BF16, 64 * 1008), ROWS(DT_I32, 1), ROWS(DT_F32, 1), ROWS(DT_F32, 64), ROWS(DT_F32, 1)};
  c = cost_of(&loss, of_loss, 6);
  assert_int_equal(c.flops[PER_ROW], 4 * 64 * 1000);
  assert_int_equal(c.bytes[PER_CALL][PRECISION_F32], 2 * 64 * 1008);
  title_is(&loss, "cross_entropy_grad 64 -> 1000 bf16");
}

// Work follows the mask, and keys are read once.
static void attention(void **state) {
  (void)state;
  enum { H = 6, K = 2, D = 16, E = 8 };
  Kernel k = {.cls = K_ATTN, .ATTN = {H, K, D, E}};
  KArg arg[] = {ROWS(DT_F32, H * D), ROWS(DT_F32, K * D), ROWS(DT_F32, K * E), {.dt = DT_MASK}, ROWS(DT_F32, H * E), ROWS(DT_F32, H)};
  KernelCost c = cost_of(&k, arg, 6);
  assert_int_equal(c.mask, 1 + KARG(ATTN, mask));
  assert_int_equal(c.flops[PER_PAIR], 2 * H * (D + E));
  assert_true(c.flops[PER_ROW] == 0 && c.bytes[PER_PAIR][0] == 0 && c.bytes[PER_CALL][0] == 0);
  assert_int_equal(c.bytes[PER_KEY][PRECISION_F32], 4 * K * (D + E));
  assert_int_equal(c.bytes[PER_ROW][PRECISION_F32], 4 * H * (D + E + 1));
  title_is(&k, "attention 6/2 x 16/8");
  Kernel g = {.cls = K_ATTN_GRAD, .ATTN_GRAD = {H, K, D, D, 0}};
  KArg of_grad[10] = {ROWS(DT_F32, H * D), ROWS(DT_F32, H * D), ROWS(DT_F32, K * D), ROWS(DT_F32, K * D), {.dt = DT_MASK}, ROWS(DT_F32, H * D),
                      ROWS(DT_F32, H), ROWS(DT_F32, H * D), ROWS(DT_F32, K * D), ROWS(DT_F32, K * D)};
  c = cost_of(&g, of_grad, 10);
  assert_int_equal(c.flops[PER_PAIR], 2 * H * 5 * D);
  assert_int_equal(c.bytes[PER_KEY][PRECISION_F32], 4 * 4 * K * D);
}

// A row of a table, not the table; rows of two kinds; row work as ops.def counts it.
static void moves(void **state) {
  (void)state;
  Kernel lookup = {.cls = K_LOOKUP, .LOOKUP = {.V = 5000, .W = 24}};
  KArg of_lookup[] = {ROWS(DT_I32, 1), ONCE(DT_BF16, 5000 * 24), ROWS(DT_F32, 24)};
  KernelCost c = cost_of(&lookup, of_lookup, 3);
  assert_true(c.bytes[PER_ROW][0] == 4 + 2 * 24 + 4 * 24 && c.bytes[PER_CALL][0] == 0 && !c.product);
  Kernel untake = {.cls = K_UNTAKE, .UNTAKE = {.W = 24}};
  KArg of_untake[] = {ROWS(DT_F32, 24), ROWS(DT_I32, 1), ROWS(DT_F32, 24)};
  c = cost_of(&untake, of_untake, 3);
  assert_int_equal(c.source, 1 + 3);
  assert_true(c.bytes[PER_SOURCE][0] == 4 * 25 && c.bytes[PER_ROW][0] == 4 * 24);
  RowVal v[] = {{.src = RV_LOAD, .rank = 1, .dim = {24}, .store = -1}, {.src = RV_OP, .op = OP_exp, .in = {0, -1}, .rank = 1, .dim = {24}, .store = -1},
                {.src = RV_OP, .op = OP_sum, .in = {1, -1}, .rank = 1, .dim = {1}, .store = 1}};
  Kernel row = {.cls = K_ROW, .prog = {{v, 3}}};
  KArg of_row[] = {ROWS(DT_F32, 24), ROWS(DT_F32, 1)};
  c = cost_of(&row, of_row, 2);
  assert_int_equal(c.flops[PER_ROW], 24 * op_cost(OP_exp) + 24);
  assert_int_equal(c.bytes[PER_ROW][PRECISION_F32], 4 * 25);
  title_is(&row, "row 24 exp sum");
}

static void every_class(void **state) {
  (void)state;
  for (int i = 0; i < K_COUNT; i++) {
    KArg arg[16] = {{.dt = DT_NONE}};
    int narg = kernel_class[i].narg < 16 ? kernel_class[i].narg : 16;
    Kernel k = {.cls = (KernelClass)i, .nmat = 1, .N = {16}};
    for (int a = 0; a < narg; a++) arg[a] = (KArg)ROWS(DT_F32, 16);
    for (int d = 0; d < kernel_class[i].nextent; d++) k.dim[d] = 16;
    KernelCost c = cost_of(&k, arg, narg);
    Buf b = {0};
    kernel_title(&k, &b);
    assert_true(strncmp(b.s, kernel_class[i].name, strlen(kernel_class[i].name)) == 0);
    int64_t bytes = 0;
    for (int per = 0; per < N_Per; per++) bytes += c.bytes[per][PRECISION_F32];
    assert_true(bytes > 0 || narg == 0);
    buf_free(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(attention), cmocka_unit_test(moves), cmocka_unit_test(every_class)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
