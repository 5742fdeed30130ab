// Keys of config.json against an architecture's text: each must be mentioned there, or be known to change nothing. Both may be long: names are
// looked up, and whatever was found to lead nowhere is not gone into again.
#include <string.h>

#include "build/ctx.h"
#include "runtime/abi/abi.h"

// A member or a call, the fn whose body it stands in (NULL: none), and the one before it of the same name (-1).
typedef struct Mention {
  const Ast *at, *fn;
  int before;
} Mention;
// What an arch's text mentions, with the fns outside it that it calls: of those only what they do with their arguments.
typedef struct Mentions {
  Build *b;
  const MInst *m;
  Map name, ignored;           // NAMEs of the arch's text, of what stands under `ignore`
  Map member, call, seen;      // the last member or call of a name, in `v`; fns outside, in `fn`
  Mention *v;
  const Ast **fn;
  int n, cap, nfn, capfn;
} Mentions;

static void keep(Mentions *t, Map *by_name, const Ast *a, const Ast *fn) {
  Mention x = {a, fn, map_find(by_name, a->name)};
  map_put(t->b->a, by_name, a->name, t->n);
  ARENA_PUSH(t->b->a, t->v, t->n, t->cap, x);
}

// fn: the one whose body a stands in; inside: a is the arch's own text, where any name may be a config key.
static void note(Mentions *t, const Ast *a, const Ast *fn, bool ignored, bool inside) {
  Arena *arena = t->b->a;
  if (!a) return;
  if (a->kind == AST_FN) fn = a;
  if (a->kind == AST_NAME && inside) map_first(arena, ignored ? &t->ignored : &t->name, a->name, 0);
  if (a->kind == AST_MEMBER) keep(t, &t->member, a, fn);
  if (a->kind == AST_CALL) {
    bool own = inside && map_find(&t->m->fns, a->name) >= 0;
    const Ast *outside = own ? NULL : spec_find_seen(t->b->spec, AST_FN, a->name, a->loc);
    if (own || outside) keep(t, &t->call, a, fn);
    if (outside && map_first(arena, &t->seen, a->name, t->nfn) < 0) ARENA_PUSH(arena, t->fn, t->nfn, t->capfn, outside);
  }
  for (int i = 0; i < a->nkid; i++) note(t, a->kid[i], fn, ignored || a->kind == AST_IGNORE, inside);
}

const Ast *config_binding(const MInst *m, const char *name) {
  int i = map_find(&m->bound, name);
  return i < 0 ? NULL : m->config->kid[i];
}

// So much of a path, "a.b.c". tried: the names that were followed for so much of it, whose answer is no.
typedef struct Part {
  Map *tried;
  const char *path;
  size_t n;
} Part;
static bool leads_to(const Mentions *t, Part p, const Ast *e, const Ast *fn, int depth);

// What a call gives for formal number i: NULL where nothing.
static const Ast *given(const Ast *call, const Ast *formals, int i) {
  for (int k = 0, next = 0; k < call->nkid; k++) {
    const Ast *a = call->kid[k];
    if (a->kind == AST_NAMED ? !strcmp(a->name, formals->kid[i]->name) : next++ == i) return a->kind == AST_NAMED ? a->kid[0] : a;
  }
  return NULL;
}

// Formal number i of fn stands for what any call gives.
static bool any_call_leads(const Mentions *t, Part p, const Ast *fn, int i, int depth) {
  for (int k = map_find(&t->call, fn->name); k >= 0; k = t->v[k].before) {
    const Ast *e = given(t->v[k].at, fn->kid[0], i);
    if (e && leads_to(t, p, e, t->v[k].fn, depth)) return true;
  }
  return false;
}

// May e, in the body of fn (NULL: of none), be what stands at p? Names of the config section stand for what they are bound to, formals for what is
// given, 'x ?? y' and 'c ? x : y' for either. depth: names followed one from another.
static bool leads_to(const Mentions *t, Part p, const Ast *e, const Ast *fn, int depth) {
  enum { FOLLOWED = 64 };
  if (e->kind == AST_BINARY && !strcmp(e->str, "??")) return leads_to(t, p, e->kid[0], fn, depth) || leads_to(t, p, e->kid[1], fn, depth);
  if (e->kind == AST_COND) return leads_to(t, p, e->kid[1], fn, depth) || leads_to(t, p, e->kid[2], fn, depth);
  if (e->kind != AST_NAME && e->kind != AST_MEMBER) return false;
  size_t len = strlen(e->name);
  if (e->kind == AST_MEMBER)
    return p.n > len + 1 && p.path[p.n - len - 1] == '.' && !memcmp(p.path + p.n - len, e->name, len) &&
           leads_to(t, (Part){p.tried, p.path, p.n - len - 1}, e->kid[0], fn, depth);
  int formal = 0;
  while (fn && formal < fn->kid[0]->nkid && strcmp(fn->kid[0]->kid[formal]->name, e->name)) formal++;
  bool is_formal = fn && formal < fn->kid[0]->nkid;
  if (!is_formal && len == p.n && !memcmp(p.path, e->name, p.n)) return true;
  const Ast *bound = is_formal ? NULL : config_binding(t->m, e->name);
  if (depth >= FOLLOWED || (!bound && !is_formal)) return false;
  if (map_first(t->b->a, p.tried, arena_printf(t->b->a, "%s %s %zu", is_formal ? fn->name : "", e->name, p.n), 0) >= 0) return false;
  return bound ? leads_to(t, p, bound->kid[1], NULL, depth + 1) : any_call_leads(t, p, fn, formal, depth + 1);
}

// Does the text read the key `key` at path inside an object?
static bool reads(const Mentions *t, const char *key, const char *path) {
  Map tried = {0};
  for (int i = map_find(&t->member, key); i >= 0; i = t->v[i].before)
    if (leads_to(t, (Part){&tried, path, strlen(path)}, t->v[i].at, t->v[i].fn, 0)) return true;
  return false;
}

static Loc key_place(const MInst *m, const char *key) {
  const Ast *settings = m->decl->kind == AST_MODEL ? m->decl->kid[0] : NULL;
  for (int i = 0; settings && i < settings->nkid; i++)
    if (!strcmp(settings->kid[i]->name, key)) return settings->kid[i]->name_loc;
  return m->decl->loc;
}

// What from_pretrained of transformers takes, so that it gives the weights of a method whose model has no dequantize() of its own.
static const char *widening(const char *how) {
  static const struct { const char *method, *config; } by[] = {{"mxfp4", "Mxfp4Config"}, {"fp8", "FineGrainedFP8Config"}, {"mxfp8", "FineGrainedFP8Config"}};
  for (size_t i = 0; how && i < sizeof by / sizeof *by; i++)
    if (!strcmp(how, by[i].method)) return by[i].config;
  return NULL;
}

// Weights that are stored in fewer bits than they are meant to have: what they are cannot be read off their tensors.
static void quantised(Build *b, const MInst *m, const char *key, json_t *v) {
  const char *how = json_string_value(json_object_get(v, "quant_method"));
  const char *config = widening(how);
  diag_error(b->d, key_place(m, key), "model '%s' is quantised (%s of %s%s%s): weights are read in F32, F16 and BF16. Name the checkpoint that it was made from, or write one with "
             "transformers: AutoModelForCausalLM.from_pretrained(DIR%s%s%s).save_pretrained(OUT)", m->pub->name, key, m->config_path, how ? ": " : "", how ? how : "",
             config ? ", quantization_config=" : "", config ? config : "", config ? "(dequantize=True)" : ").dequantize(");
}

static void unknown_key(Build *b, const MInst *m, const char *top, const char *path) {
  Near near = near_begin(path);
  for (int i = 0; i < m->config->nkid; i++)
    if (m->config->kid[i]->kind == AST_BIND) {
      const Ast *e = m->config->kid[i]->kid[1];
      while (e->kind == AST_BINARY || e->kind == AST_MEMBER) e = e->kid[0];
      if (e->kind == AST_NAME && !json_object_get(m->keys, e->name)) near_offer(&near, e->name);
    }
  diag_error(b->d, key_place(m, top), "config key '%s' of model '%s' (%s) is not known to arch '%s' and may change what the model computes%s%s%s", path,
             m->pub->name, m->config_path, m->arch->name, near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
  diag_note(b->d, m->arch->name_loc, "arch '%s' is declared here; a key that changes nothing is listed in its config under 'ignore'", m->arch->name);
}

// The keys inside object v, at any depth, are such that the text reads them there. top: the outermost key, path: v's own; as it was, afterwards.
static void check_inner_keys(const Mentions *t, const char *top, Buf *path, json_t *v) {
  const char *inner;
  json_t *w;
  size_t own = path->n;
  json_object_foreach(v, inner, w) {
    if (json_is_null(w) || inert_key(inner)) continue;
    if (diags_full(t->b->d)) return;
    path->n = own;
    buf_printf(path, ".%s", inner);
    if (reads(t, inner, path->s)) check_inner_keys(t, top, path, w);
    else unknown_key(t->b, t->m, top, path->s);
  }
  path->n = own;
}

static void mention(Mentions *t, MInst *m) {
  for (int i = 0; i < m->config->nkid; i++)
    if (m->config->kid[i]->kind == AST_BIND) map_first(t->b->a, &m->bound, m->config->kid[i]->name, i);
  note(t, m->arch, NULL, false, true);
  for (int i = 0; i < t->nfn; i++) note(t, t->fn[i], NULL, false, false);
}

void check_keys(Build *b, MInst *m) {
  Mentions t = {.b = b, .m = m};
  Buf path = {0};
  const char *key;
  json_t *v;
  mention(&t, m);
  json_object_foreach(m->keys, key, v) {
    if (json_is_null(v) || inert_key(key) || map_find(&t.ignored, key) >= 0) continue;
    if (diags_full(b->d)) break;
    path.n = 0;
    buf_puts(&path, key);
    if (!strcmp(key, "quantization_config") || !strcmp(key, "compression_config")) quantised(b, m, key, v);
    else if (map_find(&t.name, key) >= 0) check_inner_keys(&t, key, &path, v);
    else unknown_key(b, m, key, key);
  }
  buf_free(&path);
}

// ---- what an arch knows, for those who ask (calmc families)

// Names that the text binds: of the config section, of formals and the extents they meet, of statements, of variables.
static void note_bound(Arena *a, Map *bound, const Ast *x) {
  if (!x) return;
  if (x->kind == AST_BIND || x->kind == AST_FORMAL || x->kind == AST_BLOCKS || x->kind == AST_COMPREHEND) map_first(a, bound, x->name, 0);
  const Ast *dims = x->kind == AST_FORMAL && x->nkid ? x->kid[0] : NULL;
  for (int i = 0; dims && i < dims->nkid; i++)
    if (dims->kid[i]->kind == AST_NAME) map_first(a, bound, dims->kid[i]->name, 0);
  for (int i = 0; i < x->nkid; i++) note_bound(a, bound, x->kid[i]);
}

typedef struct Known {
  const Mentions *t;
  Map bound, seen;
  ArchKey *each;
  void *user;
} Known;

// The members of the key at path that the text reads, and theirs.
static void known_inside(Known *k, const char *path, int depth) {
  enum { DEEPEST = 3 };
  Map seen = {0};
  for (int i = 0; depth < DEEPEST && i < k->t->n; i++) {
    const Ast *a = k->t->v[i].at;
    if (a->kind != AST_MEMBER || map_first(k->t->b->a, &seen, a->name, 0) >= 0) continue;
    const char *inner = arena_printf(k->t->b->a, "%s.%s", path, a->name);
    if (!reads(k->t, a->name, inner)) continue;
    k->each(k->user, inner);
    known_inside(k, inner, depth + 1);
  }
}

// binding: the name of the config section whose value x is part of, which means the key there.
static void known_in(Known *k, const Ast *x, const char *binding) {
  Value v;
  if (!x || x->kind == AST_IGNORE) return;
  bool own = x->kind == AST_NAME && binding && !strcmp(x->name, binding);
  if (x->kind == AST_NAME && (own || map_find(&k->bound, x->name) < 0) && strcmp(x->name, ARCH_LONGEST) && !builtin_constant(x->name, &v) &&
      map_first(k->t->b->a, &k->seen, x->name, 0) < 0) {
    k->each(k->user, x->name);
    known_inside(k, x->name, 0);
  }
  for (int i = 0; i < x->nkid; i++) known_in(k, x->kid[i], x->kind == AST_CONFIG && x->kid[i]->kind == AST_BIND ? x->kid[i]->name : binding);
}

void arch_keys(Arena *a, const Spec *spec, const Ast *arch, ArchKey *each, void *user) {
  Build b = {.a = a, .spec = spec};
  MInst m = {.arch = arch};
  Mentions t = {.b = &b, .m = &m};
  arch_sections(&b, &m);
  mention(&t, &m);
  Known k = {.t = &t, .each = each, .user = user};
  note_bound(a, &k.bound, arch);
  known_in(&k, m.config, NULL);
  known_in(&k, arch, NULL);
}
