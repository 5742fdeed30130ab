// The printer of the plan.
#include "plan/plan.h"

static void extents(const int64_t *d, int n, Buf *out) {
  buf_putc(out, '[');
  for (int i = 0; i < n; i++) buf_printf(out, "%s%lld", i ? " " : "", (long long)d[i]);
  buf_putc(out, ']');
}

static void value_print(const RowVal *v, int id, Buf *out) {
  buf_printf(out, "    v%d = ", id);
  switch (v->src) {
    case RV_LOAD: buf_printf(out, "load a%d", v->arg); break;
    case RV_ACC: buf_printf(out, "product %d", v->arg); break;
    case RV_IMM: buf_printf(out, "%.17g", v->imm); break;
    case RV_OP:
      buf_puts(out, op_name(v->op));
      for (int k = 0; k < 2 && v->in[k] >= 0; k++) buf_printf(out, " v%d", v->in[k]);
      break;
  }
  buf_puts(out, " : ");
  extents(v->dim, v->rank, out);
  if (v->shared) buf_puts(out, " shared");
  if (v->store >= 0) buf_printf(out, " -> a%d", v->store);
  buf_putc(out, '\n');
}

static void rowprog_print(const RowProg *p, Buf *out) {
  for (int i = 0; i < p->n; i++) value_print(&p->v[i], i, out);
}

static void kernel_print(const Kernel *k, Buf *out) {
  buf_puts(out, kernel_class[k->cls].name);
  for (int i = 0; k->cls != K_ROW && i < kernel_class[k->cls].nextent; i++) buf_printf(out, " %lld", (long long)k->dim[i]);
  if (k->f[0] != 0 || k->f[1] != 0) buf_printf(out, " f %.17g %.17g", k->f[0], k->f[1]);
  for (int i = 0; i < k->nmat; i++) buf_printf(out, "%s%lld", i ? "," : " N ", (long long)k->N[i]);
  if (k->paired) buf_puts(out, " paired");
  if (k->exact) buf_puts(out, " exact");
  buf_putc(out, '\n');
  for (int i = 0; i < k->narg; i++) {
    const KArg *a = &k->arg[i];
    buf_printf(out, "    a%d: %s %s%lld%s%s\n", i, dtype_name(a->dt), a->per_row ? "rows x " : "", (long long)a->elems, a->cached ? " cached" : "",
               a->written ? " out" : "");
  }
  for (int m = 0; m < MAX_MATS; m++) {
    if (!k->prog[m].n) continue;
    if (k->cls != K_ROW) buf_printf(out, "  epilogue %d\n", m);
    rowprog_print(&k->prog[m], out);
  }
}

static void buffer_print(const Plan *p, int id, Buf *out) {
  const PBuf *b = &p->buf[id];
  buf_printf(out, "  b%d %s", id, buf_kind_name(b->kind));
  if (b->kind == BUF_MASK) {
    buf_printf(out, " query %s key %s", p->sym[b->mask.query].name, p->sym[b->mask.key].name);
    if (b->mask.window) buf_printf(out, " window %lld", (long long)b->mask.window);
    buf_putc(out, '\n');
    return;
  }
  buf_printf(out, " %s ", dtype_name(b->dt));
  if (b->sym >= 0) buf_printf(out, "%s x ", p->sym[b->sym].name);
  buf_printf(out, "%lld", (long long)b->elems);
  if (b->name[0]) buf_printf(out, " \"%s\"", b->name);
  if (b->kind == BUF_PACKED || b->kind == BUF_LIVE) buf_printf(out, " from b%d", b->packed.source);
  if (b->kind == BUF_ACT) buf_printf(out, " in %s at %lld", p->entry[b->act.entry].name, (long long)b->act.offset);
  if (b->kind == BUF_PARAM || b->kind == BUF_GRAD) buf_printf(out, " at %lld", (long long)b->slice.offset);
  buf_putc(out, '\n');
}

static void entry_print(const Plan *p, const PlanEntry *e, Buf *out) {
  buf_printf(out, "entry %s: %d calls, %lld bytes", e->name, e->ncall, (long long)e->static_bytes);
  for (int s = 0; s < p->nsym; s++) {
    if (e->row_bytes && e->row_bytes[s]) buf_printf(out, " + %lld %s", (long long)e->row_bytes[s], p->sym[s].name);
  }
  buf_putc(out, '\n');
  for (int i = 0; i < e->ncall; i++) {
    const Call *c = &e->call[i];
    buf_printf(out, "  k%d %s rows ", c->kernel, kernel_class[p->kernel[c->kernel].cls].name);
    if (c->sym >= 0) buf_puts(out, p->sym[c->sym].name);
    else buf_printf(out, "%lld", (long long)c->rows);
    for (int k = 0; k < p->kernel[c->kernel].narg; k++) buf_printf(out, "%sb%d", k ? " " : ": ", c->buf[k]);
    if (c->accumulate) buf_puts(out, " accumulate");
    buf_putc(out, '\n');
  }
  for (int i = 0; i < e->nout; i++) buf_printf(out, "  output \"%s\" b%d\n", e->out[i].name, e->out[i].buf);
}

void plan_print(const Plan *p, Buf *out) {
  buf_printf(out, "%d kernels\n", p->nkernel);
  for (int i = 0; i < p->nkernel; i++) {
    buf_printf(out, "k%d ", i);
    kernel_print(&p->kernel[i], out);
  }
  for (int i = 0; i < p->nentry; i++) entry_print(p, &p->entry[i], out);
  buf_printf(out, "buffers\n");
  for (int i = 0; i < p->nbuf; i++) buffer_print(p, i, out);
  buf_printf(out, "parameters %lld\n", (long long)p->theta);
}
