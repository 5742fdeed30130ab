// Small random graphs with values for their sources, and the reference evaluator run on them: what the tests of passes
// and plans share. Sources are known by name, so a graph and what a pass made of it are evaluated on the same values.
#ifndef CALM_TESTS_GRAPH_KIT_H
#define CALM_TESTS_GRAPH_KIT_H
#include "graph/eval.h"

enum { KIT_MAX_VALUES = 512, KIT_MAX_MASKS = 16, KIT_MAX_SYMS = 8 };

typedef struct KitValue {
  const char *name;
  double *v;
  int64_t n;
} KitValue;

typedef struct Kit {
  Arena *arena;
  Graph *g;
  uint64_t random;                           // state
  int64_t sym[KIT_MAX_SYMS];                 // extents
  KitValue value[KIT_MAX_VALUES];
  int nvalue;
  struct { int64_t key[4]; EvalMask m; } mask[KIT_MAX_MASKS];
  int nmask;
  NodeId var[KIT_MAX_VALUES];                // sources made by kit_var: what the loss is differentiated by
  int nvar;
  int64_t base_rows, code_rows, wanted_rows, cached_rows;    // of kit_pair and kit_step; set by kit_new
} Kit;

Kit *kit_new(uint64_t seed);
void kit_free(Kit *k);

int64_t kit_pick(Kit *k, int64_t n);                         // one of 0 … n - 1
double kit_uniform(Kit *k, double lo, double hi);
int64_t kit_extent(Kit *k);                                  // 1, small primes, odd numbers
int64_t kit_row_count(Kit *k);                               // the same, and 0

// Row symbols; each has its own extent. Models are made by name ("base").
int kit_tokens(Kit *k, const char *model, int64_t rows);
int kit_rows(Kit *k, int64_t rows);
int kit_cached(Kit *k, const char *model, int64_t rows);
Type kit_type(int sym, const int64_t *d, int n);             // f32; sym -1 = static

// Sources with random values that their type holds exactly (16-bit floats: lo and hi within 2). op: OP_input,
// OP_weight, OP_param or OP_cache; kit_var also notes the node as one to differentiate by.
NodeId kit_source(Kit *k, OpId op, const char *name, Type t, double lo, double hi);
NodeId kit_var(Kit *k, OpId op, const char *name, Type t, double lo, double hi);
NodeId kit_ids(Kit *k, const char *name, int sym, int64_t below);
NodeId kit_index(Kit *k, const char *name, int sym, int64_t below);   // distinct, ascending; at most `below` rows
NodeId kit_positions(Kit *k, const char *name, int sym);     // 0, 1, 2 …
// Causal intervals over one sequence (with a window), or random ones, some empty.
NodeId kit_causal(Kit *k, int query, int key, int64_t window);
NodeId kit_intervals(Kit *k, int query, int key);

// Takes a graph that was made elsewhere for the kit's: values for all its sources, by their kinds and the names that
// the runtime gives its inputs. Row counts first: base_rows are all models' tokens.
void kit_adopt(Kit *k, Graph *g, int64_t vocab);

// Verifies and evaluates g, whose sources are the kit's; fails the test when either refuses it. Free with eval_free.
double **kit_eval(Kit *k, const Graph *g);
int64_t kit_elems(const Kit *k, const Type *t);
double *kit_values(const Kit *k, const char *name, int64_t *n);    // NULL when it has none of that name

// ---- language models in small
typedef struct KitModel {
  const char *name;                          // "base"
  int sym;                                   // its tokens
  OpId op;                                   // OP_weight: frozen; OP_param: trained whole
  int64_t D, H, K, Dh, F, V;                 // F: width of the feed-forward layer
  int cache;                                 // rows of cached keys and values, as a step has them; 0 = none
  NodeId pos, mask, slots;                   // made by kit_embed
} KitModel;

NodeId kit_rmsnorm(Kit *k, NodeId x, NodeId w, double eps);  // over the last extent
NodeId kit_rope(Kit *k, NodeId x, NodeId pos);               // x[T, H, Dh]
NodeId kit_silu(Kit *k, NodeId x);
NodeId kit_embed(Kit *k, KitModel *m);
NodeId kit_block(Kit *k, KitModel *m, int layer, NodeId x);
// x plus what attention over rows h of another model gives, with parameters.
NodeId kit_cross(Kit *k, const char *name, NodeId x, NodeId h, int64_t D, int64_t E);
// Two models of which the second feeds the first through a cross attention; the loss of the anchor's rows. Its node; it
// is also the output "nll".
// trained: the anchor's own tensors are parameters, its embedding tied to its head.
NodeId kit_pair(Kit *k, bool trained);
// A step of one model: new tokens behind cached ones. Output "logits".
NodeId kit_step(Kit *k);
#endif
