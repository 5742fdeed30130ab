// Entry functions: the calls of one entry, straight down. Every value a call needs is read from the context the runtime
// fills (rt_abi.h: RtCtx): buffers by id, extents by symbol, kernels of the path in use.
#include <stdio.h>
#include <stdlib.h>

#include "dsl/base/alloc.h"
#include "llvm/object.h"
#include "runtime/abi/abi.h"

typedef struct Entry {
  Cg *g;
  const Plan *p;
  LLVMValueRef ctx, buf, sym, kernel, args;
  LLVMValueRef *ptr;           // room for the arguments of a call
} Entry;

// A pointer of RtCtx.
#define FIELD(e, name) field(e, offsetof(RtCtx, name))
static LLVMValueRef field(Entry *e, size_t offset) {
  return cg_load(e->g, e->g->ptr, cg_at(e->g, e->g->ptr, e->ctx, cg_i64(e->g, (int64_t)(offset / sizeof(void *)))));
}

static LLVMValueRef extent(Entry *e, int sym) {
  return cg_load(e->g, e->g->i64, cg_at(e->g, e->g->i64, e->sym, cg_i64(e->g, sym)));
}

static LLVMValueRef buffer(Entry *e, int id) {
  return cg_load(e->g, e->g->ptr, cg_at(e->g, e->g->ptr, e->buf, cg_i64(e->g, id)));
}

static void set_word(Entry *e, int i, LLVMValueRef v) {
  cg_store(e->g, v, cg_at(e->g, e->g->i64, e->args, cg_i64(e->g, i)));
}

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

static void emit_dw(Entry *e, const Call *c, const Kernel *k, LLVMValueRef rows) {
  Cg *g = e->g;
  LLVMValueRef args[] = {e->ctx, rows, cg_i64(g, k->DW.N), cg_i64(g, k->DW.K), buffer(e, c->buf[KARG(DW, dy)]), buffer(e, c->buf[KARG(DW, x)]),
                         buffer(e, c->buf[KARG(DW, dw)]), cg_i64(g, c->accumulate)};
  call(g, CALL_rt_dw, args);
}

static int max_words(const Plan *p) {
  int most = 0;
  for (int i = 0; i < p->nkernel; i++) most = p->kernel[i].narg > most ? p->kernel[i].narg : most;
  return most + 2;
}

static void emit_call(Entry *e, const Call *c) {
  Cg *g = e->g;
  const Kernel *k = &e->p->kernel[c->kernel];
  LLVMValueRef rows = c->sym >= 0 ? extent(e, c->sym) : cg_i64(g, c->rows), *ptr = e->ptr;
  CallForm form = kernel_class[k->cls].form;
  if (form == FORM_BLAS) {
    emit_dw(e, c, k, rows);
    return;
  }
  set_word(e, 0, rows);
  for (int i = 0; i < k->narg; i++) {
    ptr[i] = buffer(e, c->buf[i]);
    set_word(e, 1 + i, LLVMBuildPtrToInt(g->b, ptr[i], g->i64, ""));
  }
  if (form == FORM_SOURCE_ROWS) set_word(e, 1 + k->narg, extent(e, e->p->buf[c->buf[0]].sym));
  LLVMValueRef fn = cg_load(g, g->ptr, cg_at(g, g->ptr, e->kernel, cg_i64(g, c->kernel)));
  LLVMValueRef args[] = {e->ctx, fn, kernel_emitters[k->cls].tasks(g, k, rows, ptr), e->args};
  call(g, CALL_rt_parallel, args);
}

void emit_entries(Cg *g, const Plan *p, LLVMValueRef *fn) {
  LLVMValueRef *ptr = need_alloc((size_t)max_words(p), sizeof(LLVMValueRef));
  for (int i = 0; i < p->nentry; i++) {
    char name[64];
    snprintf(name, sizeof name, "entry_%s", p->entry[i].name);
    LLVMTypeRef par[1] = {g->ptr};
    fn[i] = cg_function(g, name, LLVMFunctionType(g->void_t, par, 1, false), NULL, false);
    Entry e = {.g = g, .p = p, .ctx = LLVMGetParam(fn[i], 0), .ptr = ptr};
    e.args = LLVMBuildArrayAlloca(g->b, g->i64, cg_i64(g, max_words(p)), "");
    e.buf = FIELD(&e, buf);
    e.sym = FIELD(&e, sym);
    e.kernel = FIELD(&e, kernel);
    for (int c = 0; c < p->entry[i].ncall; c++) emit_call(&e, &p->entry[i].call[c]);
    LLVMBuildRetVoid(g->b);
  }
  free(ptr);
}
