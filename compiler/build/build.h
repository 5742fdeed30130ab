// From the checked syntax tree to graphs: reads each model's config.json and safetensors headers (never a payload), evaluates
// the architecture's and the ops' text with compile-time values, and makes one graph per entry. Shapes, layer maps, weights and
// cycles are checked here and answered at the spec's (or the library's) own places.
//
// Entries (graph name: inputs -> outputs). M = a model's name; names are rows of runtime/abi/program.def:
//   all      ids.M [T.M] i32, pos.M [T.M] i32 (place in the sequence), masks
//   train    + rows [R] i32 (rows of the anchor whose next token is labelled), labels [R] i32, gscale [R] f32
//            -> "nll" [R] (result 1 of cross_entropy_grad), "grad.P" per parameter of sum_r gscale[r] * nll[r]
//   probe    as train, in a spec without parameters: + hidden.M.0 [T.M, D] f32 of the anchor M (what score gave)
//            -> "nll" [R], "state_grad.M.0" [T.M, D]: gradient of sum_r gscale[r] * nll[r] by that state
//   (the plan makes frozen and live of train: frozen -> "frozen.M.k", what depends on no parameter; live is given them; of lean and loss likewise: compiler/plan/split.c)
//   loss     + rows, labels -> "nll" [R]
//   step     + rows (wanted rows), slots.M [T.M] i32 (row of the cache each token goes to), caches "cache.N" [C.M, …]: whatever feeds
//            a key or a value is appended to its cache, masks have key symbol C.M -> "logits" [R, V]
//   score    + rows -> "logits" [R, V], "hidden.M.k" [T.M, D] for every block k (0 = embedding output) of every model, after additions
//   norm     grad [P, FLAT_WIDTH] -> "norm2" [1]: sum of squares
//   update   theta, grad, m, v [P, FLAT_WIDTH] and scalars adamw.clip .decay .beta1 .rest1 .beta2 .rest2 .bias2 .eps .step
//            -> "theta", "m", "v" (written in place):  g = clip*grad; m = beta1*m + rest1*g; v = beta2*v + rest2*g*g;
//               theta = decay*theta - step * m / (sqrt(v)*bias2 + eps)       (Loshchilov & Hutter; bit-for-bit order of torch.optim.AdamW)
// The label rows are taken (op take) just before the head; pass `rows` moves the take down to the last attention.
#ifndef CALM_BUILD_BUILD_H
#define CALM_BUILD_BUILD_H
#include <jansson.h>

#include "dsl/ast.h"
#include "graph/graph.h"

typedef struct BModel {
  const char *name, *dir;            // dir: absolute; NULL for a model made from nothing
  Role role;                         // runtime/abi/program.def
  KeepAs keep;                       // likewise
  Reads reads;                       // likewise
  const char *arch;                  // arch name
  json_t *config;                    // config.json as it is; for a model made from nothing: what export writes
  const char *tokenizer;             // absolute path of tokenizer.json, NULL when there is none
  int64_t blocks, width, vocab, context;
  const char *computes;              // of a model that is trained: see runtime/abi/program.def
  Loc loc;
} BModel;
typedef struct BParam {
  const char *name;                  // "code.8->base.4.wq"; of a model that is trained: "kv.model.embed_tokens.weight"
  int model;                         // whose weight it is, of one that is made from nothing or tuned; else -1
  int rank;
  int64_t dim[MAX_RANK];             // of a model: as files hold it ([out, in] of a product), whatever the arch's text declares
  int64_t fan_in;                    // product of the extents a linear sums over: see README
  InitKind init;
  double a;                          // standard deviation, bound, gain or value
} BParam;
typedef ProgConnection BConnection;  // runtime/abi/program.def
typedef struct BAdapter {
  int model, layer;                  // layer: that whose block has the product
  const char *name;                  // with which its parameters' names begin, a dot behind it
  const char *tensor, *module, *op;  // runtime/abi/program.def
  const char *down, *up;             // the parameters of a low-rank one, scale * up (down x); NULL of another
  double scale;
  bool turned;
} BAdapter;

typedef struct Program {
  BModel *model;
  int nmodel, anchor;
  BParam *param;
  int nparam;
  BConnection *conn;
  int nconn;
  BAdapter *adapter;
  int nadapter;
  Graph **entry;                     // in the order train or probe, loss, step, score, norm, update (train, norm, update only with parameters)
  int nentry;
  json_t *train;                     // the train block's settings: {"steps": 100, "batch": {"n": 4096, "unit": "tokens"}, "optimizer": {"name": "adamw", "lr": …}, …}
  json_t *evals;                     // [{"title": …, "data": …, "metric": …}]
} Program;

// NULL after errors (in d, those of spec_parse included: what they leave is looked at all the same). Relative model paths are taken from the spec's own folder.
// The keys of config.json that an arch's text reads, those inside objects by their path ("rope_parameters.factor") behind the object's. Key lives in a.
typedef void ArchKey(void *user, const char *key);
void arch_keys(Arena *a, const Spec *spec, const Ast *arch, ArchKey *each, void *user);

Program *program_build(Arena *a, const Spec *spec, Diags *d);
// Releases the JSON a program holds; the rest is the arena's.
void program_close(Program *p);
#endif
