// Entry functions. An entry is a table of its calls, which one loop walks: the code does not grow with the depth of a model, nor the time that LLVM takes
// over it. A call's words: how many tasks a kernel cuts them into is its launch function. Everything else a call needs is read
// from the context the runtime fills (rt_abi.h: RtCtx): buffers by id, extents by symbol, kernels of the path in use
// and of the precision of the model that the call is of.
#include <stdio.h>
#include <stdlib.h>

#include "dsl/base/alloc.h"
#include "llvm/object.h"
#include "runtime/abi/abi.h"

// A call in the table, in 64-bit words; the buffers' ids follow.
enum { W_KERNEL, W_OF, W_SYM, W_ROWS, W_SOURCE_SYM, W_ADDS, W_NBUF, W_BUFS };

// Calls one of the functions of rt_abi.def.
typedef enum RtCall {
#define X(ret, name, args, kinds) CALL_##name,
#include "runtime/abi/rt_abi.def"
#undef X
} RtCall;
#define KINDS(...) {__VA_ARGS__}
#define PTR g->ptr
#define I64 g->i64
static void call(Cg *g, RtCall which, LLVMValueRef *args) {
  LLVMTypeRef t = NULL;
  const char *called = NULL;
  int n = 0;
  switch (which) {
#define X(ret, name, arguments, kinds)                                 \
  case CALL_##name: {                                                  \
    LLVMTypeRef par[] = KINDS kinds;                                   \
    called = #name, n = sizeof par / sizeof *par;                      \
    t = LLVMFunctionType(g->ret##_t, par, (unsigned)n, false);         \
    break;                                                             \
  }
#include "runtime/abi/rt_abi.def"
#undef X
  }
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, called);
  cg_call(g, t, f ? f : LLVMAddFunction(g->mod, called, t), args, n);
}
#undef PTR
#undef I64

// A pointer of RtCtx.
#define FIELD(g, ctx, name) field(g, ctx, offsetof(RtCtx, name))
static LLVMValueRef field(Cg *g, LLVMValueRef ctx, size_t offset) {
  return cg_load(g, g->ptr, cg_at(g, g->ptr, ctx, cg_i64(g, (int64_t)(offset / sizeof(void *)))));
}
static LLVMValueRef word(Cg *g, LLVMValueRef words, LLVMValueRef i) { return cg_load(g, g->i64, cg_at(g, g->i64, words, i)); }

// ---- launch functions: (context, words, the model that it is of)

static LLVMTypeRef launch_type(Cg *g) {
  LLVMTypeRef par[3] = {g->ptr, g->ptr, g->i64};
  return LLVMFunctionType(g->void_t, par, 3, false);
}

static LLVMValueRef launch_function(Cg *g, const Kernel *k) {
  char name[64];
  snprintf(name, sizeof name, "launch_%d", k->id);
  LLVMValueRef fn = cg_function(g, name, launch_type(g), NULL, false);
  LLVMValueRef ctx = LLVMGetParam(fn, 0), args = LLVMGetParam(fn, 1), rows = word(g, args, cg_i64(g, 0));
  LLVMValueRef *ptr = need_alloc((size_t)k->narg + 1, sizeof *ptr);
  for (int i = 0; i < k->narg; i++) ptr[i] = LLVMBuildIntToPtr(g->b, word(g, args, cg_i64(g, 1 + i)), g->ptr, "");
  g->phase = NULL;
  LLVMValueRef tasks = kernel_emitters[k->cls].tasks(g, k, rows, ptr), phase = cg_max(g, g->phase ? g->phase : tasks, cg_i64(g, 1));
  LLVMValueRef run[] = {ctx, LLVMGetParam(fn, 2), cg_i64(g, k->id), tasks, phase, args};
  call(g, CALL_rt_parallel, run);
  LLVMBuildRetVoid(g->b);
  free(ptr);
  return fn;
}

static LLVMValueRef launch_table(Cg *g, const Plan *p) {
  LLVMValueRef *fn = need_alloc((size_t)p->nkernel + 1, sizeof *fn);
  for (int i = 0; i < p->nkernel; i++) fn[i] = launch_function(g, &p->kernel[i]);
  LLVMValueRef table = cg_constant(g, "launch", LLVMConstArray2(g->ptr, fn, (uint64_t)p->nkernel), false);
  free(fn);
  return table;
}

// ---- the loop: (context, table, its end)

static int max_words(const Plan *p) {
  int most = 0;
  for (int i = 0; i < p->nkernel; i++) most = p->kernel[i].narg > most ? p->kernel[i].narg : most;
  return most + 3;
}

static LLVMTypeRef run_type(Cg *g) {
  LLVMTypeRef par[3] = {g->ptr, g->ptr, g->i64};
  return LLVMFunctionType(g->void_t, par, 3, false);
}

static LLVMValueRef extent(Cg *g, LLVMValueRef ctx, LLVMValueRef sym) { return word(g, FIELD(g, ctx, sym), sym); }

static LLVMValueRef run_function(Cg *g, const Plan *p, LLVMValueRef launch) {
  LLVMValueRef fn = cg_function(g, "run_calls", run_type(g), NULL, false), zero = cg_i64(g, 0);
  LLVMValueRef ctx = LLVMGetParam(fn, 0), table = LLVMGetParam(fn, 1), at_var = cg_var(g, g->i64, zero);
  LLVMValueRef args = LLVMBuildArrayAlloca(g->b, g->i64, cg_i64(g, max_words(p)), "");
  CgLoop calls = cg_loop(g, zero, LLVMGetParam(fn, 2), 1);
  LLVMValueRef at = cg_get(g, g->i64, at_var), w[W_BUFS];
  for (int i = 0; i < W_BUFS; i++) w[i] = word(g, table, cg_add(g, at, cg_i64(g, i)));
  LLVMValueRef rows = cg_var(g, g->i64, w[W_ROWS]);
  CgIf of_step = cg_if(g, cg_lt(g, cg_i64(g, -1), w[W_SYM]));
  cg_set(g, rows, extent(g, ctx, w[W_SYM]));
  cg_endif(g, &of_step);
  cg_store(g, cg_get(g, g->i64, rows), args);
  CgLoop l = cg_loop(g, zero, w[W_NBUF], 1);
  LLVMValueRef id = word(g, table, cg_add(g, cg_add(g, at, cg_i64(g, W_BUFS)), l.i));
  cg_store(g, word(g, FIELD(g, ctx, buf), id), cg_at(g, g->i64, args, cg_add(g, l.i, cg_i64(g, 1))));
  cg_loop_end(g, &l);
  LLVMValueRef further = cg_at(g, g->i64, args, cg_add(g, w[W_NBUF], cg_i64(g, 1)));
  cg_store(g, w[W_ADDS], further);
  CgIf source = cg_if(g, cg_lt(g, cg_i64(g, -1), w[W_SOURCE_SYM]));
  cg_store(g, extent(g, ctx, w[W_SOURCE_SYM]), further);
  cg_endif(g, &source);
  LLVMValueRef threads = word(g, ctx, cg_i64(g, offsetof(RtCtx, threads) / sizeof(int64_t)));
  cg_store(g, threads, cg_at(g, g->i64, args, cg_add(g, w[W_NBUF], cg_i64(g, 2))));
  LLVMValueRef one[3] = {ctx, args, w[W_OF]};
  cg_call(g, launch_type(g), cg_load(g, g->ptr, cg_at(g, g->ptr, launch, w[W_KERNEL])), one, 3);
  cg_set(g, at_var, cg_add(g, at, cg_add(g, w[W_NBUF], cg_i64(g, W_BUFS))));
  cg_loop_end(g, &calls);
  LLVMBuildRetVoid(g->b);
  return fn;
}

// ---- the tables

static LLVMValueRef call_table(Cg *g, const Plan *p, const PlanEntry *e) {
  size_t n = 0;
  for (int c = 0; c < e->ncall; c++) n += W_BUFS + (size_t)p->kernel[e->call[c].kernel].narg;
  LLVMValueRef *v = need_alloc(n + 1, sizeof *v);
  n = 0;
  for (int c = 0; c < e->ncall; c++) {
    const Call *x = &e->call[c];
    const Kernel *k = &p->kernel[x->kernel];
    int64_t source = kernel_class[k->cls].form == FORM_SOURCE_ROWS ? p->buf[x->buf[0]].sym : -1;
    const int64_t head[W_BUFS] = {[W_KERNEL] = x->kernel, [W_OF] = x->of + 1, [W_SYM] = x->sym, [W_ROWS] = x->rows, [W_SOURCE_SYM] = source,
                                  [W_ADDS] = x->accumulate, [W_NBUF] = k->narg};
    for (int i = 0; i < W_BUFS; i++) v[n++] = cg_i64(g, head[i]);
    for (int i = 0; i < k->narg; i++) v[n++] = cg_i64(g, x->buf[i]);
  }
  char name[64];
  snprintf(name, sizeof name, "calls_%s", e->name);
  LLVMValueRef table = cg_constant(g, name, LLVMConstArray2(g->i64, v, n), false);
  free(v);
  return table;
}

void emit_entries(Cg *g, const Plan *p, LLVMValueRef *fn) {
  LLVMValueRef run = run_function(g, p, launch_table(g, p));
  for (int i = 0; i < p->nentry; i++) {
    const PlanEntry *e = &p->entry[i];
    char name[64];
    snprintf(name, sizeof name, "entry_%s", e->name);
    LLVMTypeRef par[1] = {g->ptr};
    fn[i] = cg_function(g, name, LLVMFunctionType(g->void_t, par, 1, false), NULL, false);
    LLVMValueRef arg[3] = {LLVMGetParam(fn[i], 0), call_table(g, p, e), cg_i64(g, e->ncall)};
    cg_call(g, run_type(g), run, arg, 3);
    LLVMBuildRetVoid(g->b);
  }
}
