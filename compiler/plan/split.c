// What of training depends on no parameter: entry `train` in two, of the same calls. `frozen` computes it, and gives the activations that the rest reads;
// `live` is the rest, to which they are given; `lean` and `loss` likewise (prog_splits). So a run may keep what frozen gave of a row and leave that work out when the row comes again, and both
// ways give the same bits: no kernel is another. Kernels are shared, so that the two cost calls and the places of their activations.
//
// What is given is bytes to be kept of every token: a cheap call (row work, a lookup, rows taken) is repeated in `live` where that needs fewer of them. What
// such calls make of ids and places alone (embeddings, angles) is never given.
#include "plan/lower.h"

typedef enum Kind { LIVE, FROZEN, ANEW } Kind;              // anew: in each part that needs it, being from weights alone, or cheap and from ids and places
typedef struct Split {
  Plan *p;
  const ProgSplit *of;
  const PlanEntry *train;      // the entry that is split
  Kind *kind;                  // by call
  bool *in[2];                 // by call: is it one of FROZEN_PART, LIVE_PART?
  bool *frozen, *given;        // by buffer: an activation that a frozen call writes; one that is given
} Split;
enum { FROZEN_PART, LIVE_PART };

static const Kernel *kernel_of(const Split *s, int c) { return &s->p->kernel[s->train->call[c].kernel]; }

// Calls f for the buffers that a call writes, or reads.
typedef void OnBuf(Split *s, int b, void *user);
static void each(Split *s, int c, bool written, OnBuf *f, void *user) {
  const Kernel *k = kernel_of(s, c);
  for (int a = 0; a < k->narg; a++)
    if (k->arg[a].written == written) f(s, s->train->call[c].buf[a], user);
}

// ---- kinds of calls

static bool is_cheap(const Kernel *k) { return k->cls == K_ROW || k->cls == K_LOOKUP || k->cls == K_TAKE || k->cls == K_SLICE; }

static void no_frozen(Split *s, int b, void *all) {
  if (s->frozen[b]) *(bool *)all = false;
}
static void not_constant(Split *s, int b, void *all) {
  const PBuf *x = &s->p->buf[b];
  bool source = x->kind == BUF_WEIGHT || x->kind == BUF_PACKED || x->kind == BUF_CONST;
  if (x->sym >= 0 || !(source || (x->kind == BUF_ACT && !s->frozen[b]))) *(bool *)all = false;
}
static void mark_frozen(Split *s, int b, void *user) { (void)user, s->frozen[b] = s->p->buf[b].kind == BUF_ACT; }

static void find_kinds(Split *s) {
  for (int c = 0; c < s->train->ncall; c++) {
    bool constant = true, anew = is_cheap(kernel_of(s, c));
    each(s, c, true, not_constant, &constant);
    each(s, c, false, not_constant, &constant);
    each(s, c, false, no_frozen, &anew);
    s->kind[c] = s->train->call[c].live ? LIVE : constant || anew ? ANEW : FROZEN;
    s->in[LIVE_PART][c] = s->kind[c] == LIVE;
    if (s->kind[c] == FROZEN) each(s, c, true, mark_frozen, NULL);
  }
}

// ---- what is given

static void give(Split *s, int b, void *user) { (void)user, s->given[b] |= s->frozen[b]; }
static void take_back(Split *s, int b, void *user) { (void)user, s->given[b] = false; }
static void add_given(Split *s, int b, void *bytes) { *(int64_t *)bytes += s->given[b] ? prog_buf_bytes(&s->p->buf[b], PRECISION_F32) : 0; }
static void add_new(Split *s, int b, void *bytes) { *(int64_t *)bytes += s->frozen[b] && !s->given[b] ? prog_buf_bytes(&s->p->buf[b], PRECISION_F32) : 0; }

static bool repeat_one(Split *s, int c) {
  int64_t saved = 0, more = 0;
  if (s->kind[c] != FROZEN || s->in[LIVE_PART][c] || !is_cheap(kernel_of(s, c))) return false;
  each(s, c, true, add_given, &saved);
  each(s, c, false, add_new, &more);
  if (more >= saved) return false;
  s->in[LIVE_PART][c] = true;
  each(s, c, false, give, NULL);
  each(s, c, true, take_back, NULL);
  return true;
}

static void find_given(Split *s) {
  for (int c = 0; c < s->train->ncall; c++)
    if (s->in[LIVE_PART][c]) each(s, c, false, give, NULL);
  for (bool again = true; again;) {
    again = false;
    for (int c = s->train->ncall - 1; c >= 0; c--) again |= repeat_one(s, c);
  }
}

// ---- the parts

static void want(Split *s, int b, void *needed) { (void)s, ((bool *)needed)[b] = true; }
typedef struct Writes { const bool *needed; bool any; } Writes;
static void is_wanted(Split *s, int b, void *writes) { (void)s, ((Writes *)writes)->any |= ((Writes *)writes)->needed[b]; }

// Calls of the other kinds that a part needs: everything for what is given; of what is made anew what its own calls read.
static void complete(Split *s, int part) {
  bool *needed = ARENA_ARRAY(s->p->arena, bool, s->p->nbuf + 1);
  for (int b = 0; part == FROZEN_PART && b < s->p->nbuf; b++) needed[b] = s->given[b];
  for (int c = s->train->ncall - 1; c >= 0; c--) {
    Writes w = {needed, false};
    each(s, c, true, is_wanted, &w);
    if (w.any && s->kind[c] != LIVE && (part == FROZEN_PART || s->kind[c] == ANEW)) s->in[part][c] = true;
    if (s->in[part][c]) each(s, c, false, want, needed);
  }
}

// Is there work that `live` is spared, and is what it is given each row's own?
static bool spares(const Split *s) {
  for (int b = 0; b < s->p->nbuf; b++)
    if (s->given[b] && s->p->buf[b].sym < 0) return false;
  for (int c = 0; c < s->train->ncall; c++)
    if (s->in[FROZEN_PART][c] && !s->in[LIVE_PART][c] && s->kind[c] == FROZEN && !is_cheap(kernel_of(s, c))) return true;
  return false;
}

// Activation b as a part has it: its own, or what is given.
static int buffer_in(Split *s, int part, int entry, int b, int *map, int *ngiven) {
  if (s->p->buf[b].kind != BUF_ACT) return b;
  if (map[b] >= 0) return map[b];
  PBuf x = s->p->buf[b];
  if (part == LIVE_PART && s->given[b]) {
    const Sym *rows = &s->p->sym[x.sym];
    x.kind = BUF_INPUT;
    x.name = arena_printf(s->p->arena, "%s.%s.%d", input_name(s->of->given), s->p->model[rows->model].name, (*ngiven)++);
  } else {
    x.act = (ProgPlace){.entry = entry};
  }
  return map[b] = plan_buf(s->p, &x);
}

// In the order of the buffers.
static void number_given(Split *s, int entry, int *map) {
  int n = 0;
  for (int b = 0, all = s->p->nbuf; b < all; b++)
    if (s->given[b]) buffer_in(s, LIVE_PART, entry, b, map, &n);
}

static PlanEntry *add_part(Split *s, int part, EntryKind kind, int *map) {
  Plan *p = s->p;
  PlanEntry e = {.name = entry_name(kind)};
  int entry = p->nentry, none = 0;
  for (int c = 0; c < s->train->ncall; c++) {
    if (!s->in[part][c]) continue;
    Call x = s->train->call[c];
    int narg = kernel_of(s, c)->narg, *buf = ARENA_ARRAY(p->arena, int, narg + 1);
    for (int a = 0; a < narg; a++) buf[a] = buffer_in(s, part, entry, x.buf[a], map, &none);
    x.buf = buf;
    ARENA_PUSH(p->arena, e.call, e.ncall, e.capcall, x);
  }
  ARENA_PUSH(p->arena, p->entry, p->nentry, p->capentry, e);
  return &p->entry[entry];
}

static int *no_buffers(const Plan *p) {
  int *map = ARENA_ARRAY(p->arena, int, p->nbuf + 1);
  for (int i = 0; i < p->nbuf; i++) map[i] = -1;
  return map;
}

// Outputs of the frozen part are called as the inputs of the other that they are given to.
static void add_parts(Split *s) {
  Plan *p = s->p;
  int *inside = no_buffers(p), *outside = no_buffers(p), all = p->nbuf, given = 0;
  PlanEntry train = *s->train;                             // entries move when more are added
  s->train = &train;
  number_given(s, p->nentry + 1, outside);
  for (int b = 0; b < all; b++) given += s->given[b];
  PlanEntry *e = add_part(s, FROZEN_PART, s->of->frozen, inside);
  e->out = ARENA_ARRAY(p->arena, ProgOutput, given + 1);
  for (int b = 0; b < all; b++)
    if (s->given[b]) e->out[e->nout++] = (ProgOutput){.name = p->buf[outside[b]].name, .buf = inside[b]};
  e = add_part(s, LIVE_PART, s->of->live, outside);
  e->out = ARENA_ARRAY(p->arena, ProgOutput, train.nout + 1);
  for (int i = 0; i < train.nout; i++) {
    int b = train.out[i].buf;
    e->out[e->nout++] = (ProgOutput){.name = train.out[i].name, .buf = p->buf[b].kind == BUF_ACT ? outside[b] : b};
  }
}

void plan_split(Plan *p, int entry, const ProgSplit *of) {
  const PlanEntry *train = &p->entry[entry];
  size_t calls = (size_t)train->ncall + 1, bufs = (size_t)p->nbuf + 1;
  Split s = {.p = p, .of = of, .train = train, .kind = ARENA_ARRAY(p->arena, Kind, calls), .frozen = ARENA_ARRAY(p->arena, bool, bufs), .given = ARENA_ARRAY(p->arena, bool, bufs)};
  for (int i = 0; i < 2; i++) s.in[i] = ARENA_ARRAY(p->arena, bool, calls);
  find_kinds(&s);
  find_given(&s);
  for (int i = 0; i < 2; i++) complete(&s, i);
  if (spares(&s)) add_parts(&s);
}
