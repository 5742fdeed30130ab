// An operator applied at one place, a layer that a connection adds to or a product that is adapted: its parameters become that place's.
#include <string.h>

#include "build/ctx.h"

static bool right_type(const char *want, Value *v) {
  int64_t whole;
  double x;
  if (!want) return true;
  if (!strcmp(want, "int")) {
    if (!v_whole(v, &whole)) return false;
    *v = v_int(whole);
    return true;
  }
  if (!strcmp(want, "float")) return v_number(v, &x);
  if (!strcmp(want, "bool")) return v->kind == V_BOOL;
  if (!strcmp(want, "string")) return v->kind == V_STRING;
  return false;
}

// The arguments written after `with`, by position or name, and defaults.
static bool bind_arguments(Ev *ev, Scope *s, const Applied *p) {
  const Ast *formals = p->op->kid[0], *call = p->call;
  for (int i = 2; i < formals->nkid; i++) {
    const Ast *f = formals->kid[i], *given = NULL;
    for (int k = 0, place = 2; k < call->nkid; k++) {
      const Ast *arg = call->kid[k];
      bool named = arg->kind == AST_NAMED;
      if (named ? !strcmp(arg->name, f->name) : place == i) given = named ? arg->kid[0] : arg;
      place += !named;
    }
    const Ast *e = given ? given : f->nkid > 1 ? f->kid[1] : NULL;
    if (!e) {
      lack(ev, call->loc, "op '%s' needs '%s'", p->op->name, f->name);
      return false;
    }
    Value v = eval(ev, given ? NULL : s, e);
    if (v.kind == V_POISON) return false;
    if (!right_type(f->str, &v)) {
      fail(ev, e->loc, "'%s' of op '%s' is %s %s; found %s", f->name, p->op->name,
           strchr("aeiou", f->str[0]) ? "an" : "a", f->str, v_text(ev, &v));
      return false;
    }
    scope_bind(ev->b, s, f->name, v, e->loc);
  }
  return true;
}

static NodeId apply(Ev *ev, const Applied *p, NodeId to, NodeId from) {
  const Ast *formals = p->op->kid[0], *result = p->op->kid[1];
  Loc loc = p->call->loc;
  if (formals->nkid < 2) {
    fail(ev, p->op->loc, "an op takes at least two tensors: the state it adds to, and the state it reads");
    return NODE_NONE;
  }
  Scope *s = scope_new(ev->b, NULL);
  if (!bind_formal(ev, s, formals->kid[0], v_tensor(to), loc) ||
      !bind_formal(ev, s, formals->kid[1], v_tensor(from), loc))
    return NODE_NONE;
  if (!bind_arguments(ev, s, p)) return NODE_NONE;
  Value v = eval_body(ev, s, p->op->kid[2]);
  if (v.kind == V_POISON) return NODE_NONE;
  if (v.kind != V_TENSOR) {
    fail(ev, p->op->kid[2]->loc, "op '%s' returns a tensor; found %s", p->op->name, v_text(ev, &v));
    return NODE_NONE;
  }
  NodeId n = v.node;
  const Ast *dims = result->nkid ? result->kid[0] : NULL;
  int64_t dim[MAX_RANK];
  int rank = dims ? eval_dims(ev, s, dims, NULL, 0, dim) : 0;
  if (rank < 0) return NODE_NONE;
  if (dims) n = t_reshape(ev, dims->loc, n, dim, rank);
  if (n == NODE_NONE || type_equal(t_type(ev, n), t_type(ev, to))) return n;
  fail(ev, result->loc, "op '%s' returns %s; what is added to %s must be %s", p->op->name,
       show_type(ev->b, ev->g, t_type(ev, n)), p->to, show_type(ev->b, ev->g, t_type(ev, to)));
  return NODE_NONE;
}

NodeId op_apply(Ev *ev, const Applied *p, NodeId to, NodeId from) {
  if (to == NODE_NONE || from == NODE_NONE) return NODE_NONE;
  MInst *m = ev->m;                                // an op sees no model
  const char *under = ev->under;
  ev->applied = p, ev->m = NULL, ev->under = NULL;
  budget_part(ev->b);
  NodeId n = apply(ev, p, to, from);
  ev->applied = NULL, ev->m = m, ev->under = under;
  return n;
}
