// Entry functions: the calls of one entry, straight down. Every value a call needs is read from the context the runtime
// fills (rt_abi.h: RtCtx): buffers by id, extents by symbol, kernels of the path in use.
#include <stdio.h>
#include <stdlib.h>

#include "dsl/base/alloc.h"
#include "llvm/object.h"

typedef struct Entry {
  Cg *g;
  const Plan *p;
  LLVMValueRef ctx, buf, sym, kernel, args;
  LLVMValueRef *ptr;           // room for the arguments of a call
} Entry;

enum { CTX_BUF, CTX_SYM, CTX_KERNEL };   // fields of RtCtx, 8 bytes each

static LLVMValueRef field(Entry *e, int i) {
  return cg_load(e->g, e->g->ptr, cg_at(e->g, e->g->ptr, e->ctx, cg_i64(e->g, i)));
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

static LLVMValueRef function(Cg *g, const char *name, LLVMTypeRef t) {
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, name);
  return f ? f : LLVMAddFunction(g->mod, name, t);
}

// void rt_dw(ctx, T, N, K, dy, x, dst, accumulate)
static void emit_dw(Entry *e, const Call *c, const Kernel *k, LLVMValueRef rows) {
  Cg *g = e->g;
  LLVMTypeRef par[8] = {g->ptr, g->i64, g->i64, g->i64, g->ptr, g->ptr, g->ptr, g->i64};
  LLVMTypeRef t = LLVMFunctionType(g->void_t, par, 8, false);
  LLVMValueRef n = cg_i64(g, k->DW.N), width = cg_i64(g, k->DW.K), add = cg_i64(g, c->accumulate);
  LLVMValueRef args[8] = {e->ctx, rows, n, width,
                          buffer(e, c->buf[KARG(DW, dy)]), buffer(e, c->buf[KARG(DW, x)]), buffer(e, c->buf[KARG(DW, dw)]), add};
  cg_call(g, t, function(g, "rt_dw", t), args, 8);
}

static int max_words(const Plan *p) {
  int most = 0;
  for (int i = 0; i < p->nkernel; i++) most = p->kernel[i].narg > most ? p->kernel[i].narg : most;
  return most + 2;
}

// void rt_parallel(ctx, kernel, tasks, args)
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
  LLVMTypeRef par[4] = {g->ptr, g->ptr, g->i64, g->ptr};
  LLVMTypeRef t = LLVMFunctionType(g->void_t, par, 4, false);
  LLVMValueRef fn = cg_load(g, g->ptr, cg_at(g, g->ptr, e->kernel, cg_i64(g, c->kernel)));
  LLVMValueRef args[4] = {e->ctx, fn, kernel_emitters[k->cls].tasks(g, k, rows, ptr), e->args};
  cg_call(g, t, function(g, "rt_parallel", t), args, 4);
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
    e.buf = field(&e, CTX_BUF);
    e.sym = field(&e, CTX_SYM);
    e.kernel = field(&e, CTX_KERNEL);
    for (int c = 0; c < p->entry[i].ncall; c++) emit_call(&e, &p->entry[i].call[c]);
    LLVMBuildRetVoid(g->b);
  }
  free(ptr);
}
