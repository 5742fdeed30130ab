// An architecture's text: its config section (names, requirements), and its parts applied to tensors.
#include <string.h>

#include "build/ctx.h"
#include "runtime/abi/abi.h"

// ---- config section

static void failed_requirement(Ev *ev, Scope *s, const Ast *r) {
  const Ast *e = r->kid[0];
  const char *found = "", *why = r->nkid > 1 && r->kid[1] ? r->kid[1]->str : NULL;
  if (e->kind == AST_BINARY && strcmp(e->str, "and") && strcmp(e->str, "or")) {
    Value left = eval(ev, s, e->kid[0]);
    if (lacks(ev, &left, source_text(ev->b, e->loc))) return;
    found = arena_printf(ev->b->a, "; %s is %s", source_text(ev->b, e->kid[0]->loc), v_text(ev, &left));
  }
  const MInst *m = ev->m;
  if (!tell_model(ev->b, m, "model '%s' (%s) does not meet what arch '%s' requires: %s%s%s%s", m->pub->name,
               m->config_path, m->arch->name, source_text(ev->b, e->loc), found, why ? ": " : "", why ? why : ""))
    return;
  diag_note(ev->b->d, r->loc, "required here");
}

// Binds kid i of the config section, once: in the order of the text, or when a name that stands earlier needs it. A name that is bound to
// something of its own name means the config key there.
static Value bind_item(Ev *ev, MInst *m, int i) {
  Build *b = ev->b;
  const Ast *k = m->config->kid[i];
  const Binding *there = scope_find(m->scope, k->name);
  if (there) return there->v;
  m->binding[i] = true;
  b->mute += m->refused;
  Value v = eval(ev, m->scope, k->kid[1]);
  b->mute -= m->refused;
  m->binding[i] = false;
  scope_bind(b, m->scope, k->name, v, k->name_loc);
  return v;
}

bool arch_bound(Ev *ev, MInst *m, const char *name, Value *v) {
  int i = map_find(&m->bound, name);
  if (i < 0 || m->binding[i]) return false;
  *v = bind_item(ev, m, i);
  return true;
}

bool arch_config(Ev *ev, MInst *m) {
  Build *b = ev->b;
  m->scope = scope_new(b, NULL);
  m->scope->keys = m;
  scope_bind(b, m->scope, ARCH_LONGEST, b->spec->context ? v_int(b->spec->context) : v_none(NULL), m->config->loc);
  m->binding = ARENA_ARRAY(b->a, bool, m->config->nkid + 1);
  m->refused = false;
  bool ok = true;
  for (int i = 0; i < m->config->nkid; i++) {
    const Ast *k = m->config->kid[i];
    if (k->kind == AST_BIND) {
      ok = bind_item(ev, m, i).kind != V_POISON && ok;
    } else if (k->kind == AST_REQUIRE) {
      b->mute += m->refused;
      Value v = eval(ev, m->scope, k->kid[0]);
      b->mute -= m->refused;
      if (v.kind == V_BOOL && v.b) continue;
      ok = false;
      m->refused |= v.kind == V_BOOL;
      if (v.kind == V_BOOL) failed_requirement(ev, m->scope, k);
      else if (v.kind != V_POISON && !m->refused) fail(ev, k->kid[0]->loc, "expected true or false; found %s", v_text(ev, &v));
    }
  }
  return ok;
}

bool arch_sections(Build *b, MInst *m) {
  static const Ast no_config = {.kind = AST_CONFIG};
  m->config = &no_config;
  for (int i = 1; i < m->arch->nkid; i++) {
    const Ast *k = m->arch->kid[i];
    switch (k->kind) {
      case AST_CONFIG: m->config = k; break;
      case AST_PREFIX: m->prefix = k; break;
      case AST_INITS: m->init = k; break;
      case AST_EMBED: m->embed = k; break;
      case AST_BLOCKS: m->blocks = k; break;
      case AST_HEAD: m->head = k; break;
      case AST_FN: map_first(b->a, &m->fns, k->name, i); break;
      default: break;
    }
  }
  return m->embed && m->blocks && m->head;         // the arch was checked when it was read
}

// Which config key a name of the config section stands for, for a message: "num_hidden_layers".
static const char *spelt(Build *b, const MInst *m, const Ast *e) {
  const Ast *bound = e->kind == AST_NAME ? config_binding(m, e->name) : NULL;
  return source_text(b, bound ? bound->kid[1]->loc : e->loc);
}

// The blocks of every model together may not be more: what is built for a block takes its part of time and memory.
static bool count_blocks(Build *b, MInst *m) {
  enum { MOST_BLOCKS = 10000 };
  Ev ev = {.b = b, .m = m};
  const Ast *first = m->blocks->kid[0], *end = m->blocks->kid[1];
  Value lo = eval(&ev, m->scope, first), hi = eval(&ev, m->scope, end);
  if (lo.kind == V_POISON || hi.kind == V_POISON) return false;
  if (!v_whole(&lo, &m->lo) || !v_whole(&hi, &m->hi) || m->lo < 0 || m->hi < m->lo) {
    fail(&ev, end->loc, "the blocks of model '%s' run from %s to %s: expected whole numbers", m->pub->name, v_text(&ev, &lo), v_text(&ev, &hi));
    return false;
  }
  if (m->hi - m->lo > MOST_BLOCKS) {
    tell_model(b, m, "model '%s' has %lld blocks, more than the %d that are possible: %s of %s is %lld", m->pub->name, (long long)(m->hi - m->lo), MOST_BLOCKS,
            spelt(b, m, end), m->config_path, (long long)m->hi);
    return false;
  }
  m->pub->blocks = m->hi - m->lo;
  m->pub->arch = m->arch->name;
  return true;
}

// Tokens that the model can read: `context` of the arch's config section, else the key that most configs have.
static bool read_context(Build *b, MInst *m) {
  static const char key[] = "max_position_embeddings";
  Ev ev = {.b = b, .m = m};
  const Binding *x = scope_find(m->scope, "context");
  json_t *j = json_object_get(m->keys, key);
  Value v = x ? x->v : j ? v_json(b, j, key) : v_none(NULL);
  m->pub->context = 2048;
  if (v.kind == V_POISON) return false;
  bool fits = v.kind == V_NONE || v_size(&v, INT32_MAX, &m->pub->context);
  if (fits && b->spec->context > m->pub->context && m->decl->kind == AST_ANCHOR)
    diag_warn(b->d, m->decl->loc, "model '%s' reads at most %lld tokens, as %s says: --context %lld changes nothing of that", m->pub->name,
              (long long)m->pub->context, m->config_path, (long long)b->spec->context);
  if (fits && b->spec->context && b->spec->context < m->pub->context) m->pub->context = b->spec->context;
  if (fits) return true;
  const Ast *bound = x ? config_binding(m, "context") : NULL;
  tell_model(b, m, "the context of model '%s' is a whole number of tokens from 1 to %d; %s of %s is %s", m->pub->name, INT32_MAX,
          bound ? source_text(b, bound->kid[1]->loc) : key, m->config_path, v_text(&ev, &v));
  return false;
}

// `note` of the arch's config section, a text or none: what is worth knowing of how this model is understood.
static void say_note(Build *b, const MInst *m) {
  const Binding *x = scope_find(m->scope, "note");
  if (x && x->v.kind == V_STRING) diag_warn(b->d, m->decl->loc, "model '%s': %s", m->pub->name, x->v.s);
}

void model_setup(Build *b, MInst *m) {
  if (spec_told_syntax(b->spec, m->arch->loc) || !arch_sections(b, m)) return;
  int before = b->d->errors;
  check_keys(b, m);
  bool known = arch_config(&(Ev){.b = b, .m = m}, m);
  m->counted = count_blocks(b, m);
  if (known && read_context(b, m)) say_note(b, m);
  tell_missing(b, m);
  m->sound = known && m->counted && b->d->errors == before;
}

// ---- parts

// Evaluates a part of the arch with its formal bound to x.
static NodeId apply(Ev *ev, MInst *m, Scope *s, const Ast *formal, const Ast *body, NodeId x, Loc loc) {
  NodeId r = NODE_NONE;
  ev->m = m;
  budget_part(ev->b);
  if (spec_told(ev->b->spec, formal->loc)) silent(ev);
  else if (bind_formal(ev, s, formal, v_tensor(x), formal->loc)) {
    Value v = eval_body(ev, s, body);
    if (v.kind == V_TENSOR) r = v.node;
    else if (v.kind != V_POISON) fail(ev, loc, "expected a tensor; found %s", v_text(ev, &v));
  }
  ev->m = NULL;
  return r;
}

NodeId arch_embed(Ev *ev, MInst *m) {
  Type t = {.dt = DT_I32, .rank = 1, .dim = {sym_dim(graph_add_sym(ev->g, SYM_TOKENS, m->index))}};
  NodeId ids = t_input_of(ev, INPUT_IDS, m->index, &t);
  NodeId x = apply(ev, m, scope_new(ev->b, m->scope), m->embed->kid[0], m->embed->kid[1], ids, m->embed->loc);
  if (x == NODE_NONE) return x;
  const Type *tx = t_type(ev, x);
  if (tx->rank != 2 || type_row_sym(tx) != type_row_sym(&t)) {
    ev->m = m;
    fail(ev, m->embed->loc, "embed gives [T, D]; found %s", show_type(ev->b, ev->g, tx));
    ev->m = NULL;
    return NODE_NONE;
  }
  m->pub->width = tx->dim[1];
  return x;
}

static void remember_under(Ev *ev, MInst *m, const char *under) {
  int n = m->prefix ? m->prefix->nkid : 0;
  for (int i = 0; i < (n ? n : 1); i++) {
    const char *full = arena_printf(ev->b->a, "%s%s", n ? m->prefix->kid[i]->str : "", under);
    ARENA_PUSH(ev->b->a, m->under, m->nunder, m->capunder, full);
  }
}

NodeId arch_block(Ev *ev, MInst *m, int64_t i, NodeId x) {
  if (x == NODE_NONE) return x;
  const Ast *k = m->blocks;
  Scope *s = scope_new(ev->b, m->scope);
  scope_bind(ev->b, s, k->name, v_int(i), k->name_loc);
  Value under = eval_string(ev, s, k->str, k->loc);
  if (under.kind != V_STRING) return NODE_NONE;
  if (ev->entry == ENTRY_SCORE && under.s[0]) remember_under(ev, m, under.s);
  ev->under = under.s;
  NodeId y = apply(ev, m, s, k->kid[2], k->kid[3], x, k->loc);
  ev->under = NULL;
  if (y == NODE_NONE || type_equal(t_type(ev, x), t_type(ev, y))) return y;
  ev->m = m;
  fail(ev, k->loc, "a block gives what it was given: %s; found %s", show_type(ev->b, ev->g, t_type(ev, x)),
       show_type(ev->b, ev->g, t_type(ev, y)));
  ev->m = NULL;
  return NODE_NONE;
}

const Ast *arch_find_tap(Build *b, const MInst *m, const Ast *name) {
  Near near = near_begin(name->name);
  Buf all = {0};
  for (int i = 1; i < m->arch->nkid; i++) {
    const Ast *tap = m->arch->kid[i];
    if (tap->kind != AST_TAP) continue;
    if (!strcmp(tap->name, name->name)) return buf_free(&all), tap;
    near_offer(&near, tap->name);
    buf_printf(&all, "%s%s", all.n ? ", " : "", tap->name);
  }
  bool first = fail_at(b, name->loc, "arch '%s' of model '%s' has no tap '%s'%s%s%s", m->arch->name, m->pub->name,
                       name->name, near.best ? "; did you mean '" : all.n ? "; its taps: " : "",
                       near.best ? near.best : all.n ? all.s : "", near.best ? "'?" : "");
  if (first)
    diag_note(b->d, m->arch->name_loc, "arch '%s' is declared here; 'tap %s(x[T, D], k) = …' in it would be one",
              m->arch->name, name->name);
  buf_free(&all);
  return NULL;
}

NodeId arch_tap(Ev *ev, MInst *m, const Ast *tap, int k, NodeId x) {
  if (x == NODE_NONE) return x;
  const char *name = arena_printf(ev->b->a, "tap %s.%d.%s", m->pub->name, k, tap->name);
  NodeId y = t_memo(ev, name);               // layers are read by several connections
  if (y != NODE_NONE) return y;
  const Ast *state = tap->kid[0]->kid[0], *number = tap->kid[0]->kid[1];
  Scope *s = scope_new(ev->b, m->scope);
  scope_bind(ev->b, s, number->name, v_int(k), number->name_loc);
  y = apply(ev, m, s, state, tap->kid[1], x, tap->loc);
  if (y == NODE_NONE) return y;
  if (type_row_sym(t_type(ev, y)) == type_row_sym(t_type(ev, x))) {
    t_remember(ev, name, y);
    return y;
  }
  ev->m = m;
  fail(ev, tap->loc, "a tap gives rows of the tokens it was given: %s; found %s", show_type(ev->b, ev->g, t_type(ev, x)),
       show_type(ev->b, ev->g, t_type(ev, y)));
  ev->m = NULL;
  return NODE_NONE;
}

NodeId arch_head(Ev *ev, MInst *m, NodeId x) {
  if (x == NODE_NONE) return x;
  return apply(ev, m, scope_new(ev->b, m->scope), m->head->kid[0], m->head->kid[1], x, m->head->loc);
}
