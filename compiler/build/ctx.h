// What the files of this folder share: values of the language, scopes, the state of a build, and the functions between them.
// Not for other folders (build.h is).
#ifndef CALM_BUILD_CTX_H
#define CALM_BUILD_CTX_H
#include "build/build.h"
#include "dsl/base/map.h"
#include "model/model.h"

// ---- values: compile-time ones and tensors (graph nodes) in one type
typedef enum ValKind {
  V_POISON,                    // an error was reported, by this stage or an earlier one; whatever uses it stays silent
  V_NONE,                      // none, or a config key that is not there (s = its name)
  V_BOOL, V_INT, V_FLOAT, V_STRING,
  V_LIST,                      // v, n; i = how deep lists stand in it, 1 where none does
  V_NAMES,                     // alternative names: a list of strings
  V_CONFIG,                    // an object of config.json: json, s = its path
  V_EXTENT,                    // a row symbol as an extent: i = the dim (negative)
  V_DIST,                      // an initial distribution: n = the InitKind, f = its number
  V_WEIGHT,                    // weight("x") before its shape is declared: v, n = the names asked for; b = weight?
  V_TURNED,                    // weight("x")[in…, out…].t: node is the tensor as stored; linear, which knows how many extents are inner, turns it
  V_TENSOR,                    // node
} ValKind;
enum { NONE_SAID = 1 };          // n of a V_NONE: the file has the key, and null behind it
typedef struct Value Value;
struct Value {                 // small: lists hold them by the thousand
  ValKind kind;
  int n;
  union {
    bool b;
    int64_t i;
    double f;
    json_t *json;              // borrowed
    NodeId node;
  };
  union {
    const char *s;
    const Value *v;
  };
};

typedef struct Binding {
  const char *name;
  Value v;
  Loc loc;
} Binding;
typedef struct MInst MInst;
typedef struct Scope Scope;
struct Scope {
  Scope *up;
  MInst *keys;                 // names not found here or above are config keys of this model
  Binding *v;
  int n, cap;
  Map names;                   // places in v by name, once there are many
};

// ---- the build. After an error it goes on with what is still known, so that one run finds every error: a model that is not sound has
// states of the right type and no more, a connection without an op adds nothing, a weight that is not as declared is taken as declared.
typedef struct Lack {          // a config key that is missing though it is needed
  const char *key, *must;      // must: what it has to be, as the arch's text requires it; NULL
} Lack;
typedef struct Layers {        // what a selector stands for, in its order
  int *v;
  int n, cap;
} Layers;
typedef struct Adapt {         // an adapt declaration
  const Ast *decl, *op;        // op NULL: there is none to apply, which was told
  const Ast *sel;              // which layers' blocks it is for; NULL: all
  int npattern;
  bool *found;                 // by pattern, or of all: a product was
  Layers layers;               // with sel, those
  bool *in, *met;              // and by layer: is it one of them; does its block have such a product
} Adapt;
typedef struct Met {           // a weight of a model that is adapted
  const char *tensor, *module; // its name in the file; without the .weight it ends in, by the arch's first prefix: what transformers calls the product
  bool product, inside;        // a linear reads it; one of a block does
} Met;
struct MInst {                 // a model of the spec
  int index;
  BModel *pub;
  const Ast *decl, *arch;
  Model *file;                 // NULL: made from nothing
  json_t *keys;                // the configuration names are looked up in
  const char *config_path;     // as messages name it
  Scope *scope;                // names the arch's config section binds
  bool *binding;               // by kid of the config section: is it being evaluated?
  bool refused;                // a requirement is not met: what that leads to further down is not told
  Map bound, fns;              // names that the config section binds, by its kid; fns of the arch, by kid
  const Ast *config, *prefix, *embed, *blocks, *head, *init, *own_init;
  const Ast *tune;             // its declaration; NULL: its weights are frozen
  bool *tunes;                 // by pattern of it: a weight was found
  Adapt *adapt;                // what is added to its products
  int nadapt, capadapt;
  Met *met;                    // the weights of its file that are read, where any are adapted
  int nmet, capmet;
  Map mets;                    // their numbers, by tensor
  Map known;                   // values of config keys that were asked for
  Value *value;
  int nvalue, capvalue;
  int64_t lo, hi;              // block indices
  int read;                    // the highest layer that a connection reads
  int *into;                   // per layer: the first connection that is added to it, -1
  bool counted;                // its blocks are: layers can be selected
  bool sound;                  // its configuration is what the arch knows: the arch's text can be evaluated
  bool erred;                  // an error was found in that text
  bool lacks_weight;           // a weight is not in its file: later blocks would lack theirs, and are as the one before
  bool own_tokens, same_unknown;     // its tokenizer is not the anchor's; the two could not be compared
  const char **under;          // weight-name prefixes of blocks met so far (unused tensors under them are errors)
  int nunder, capunder;
  Lack *lack;
  int nlack, caplack;
  bool told_lack;
};
typedef struct Conn {          // one line of a layer map
  BConnection pub;
  int next;                    // the next one that is added to the same layer, -1
  const Ast *decl, *op, *tap;  // CONNECT, OP and TAP nodes; op NULL: there is none to apply, which was told; tap NULL: the state itself
} Conn;
typedef struct Applied {       // an op where it is applied: its text declares parameters
  const char *name;            // with which theirs begin: that of the connection, or of the product that is adapted
  const Ast *decl, *call, *op; // CONNECT or ADAPT, the call behind its `with`, the OP
  const char *to;              // "layer 4 of model 'base'", for messages
} Applied;
typedef struct ParamInfo {
  BParam pub;
  Loc loc;
  int inner;                   // extents a linear sums over, 0 when none reads it
  bool table;                  // a lookup reads it
  bool turned;                 // stored [in, out]
  bool stored;                 // its shape is that of a file
} ParamInfo;
typedef struct Spoken {        // a place speaks once; one of the library once for each declaration of the spec that it is read for
  Loc loc;
  const Ast *whom;             // NULL in the spec's own text
  const char *cause;           // or: what whom was told is the cause of an error, wherever that shows
  const char *about;           // Build.about; NULL
} Spoken;
typedef struct Build {
  Arena *a;
  const Spec *spec;
  Diags *d;
  Program *prog;
  MInst *model;
  int nmodel;
  Map models;                  // by name
  Conn *conn;
  int nconn, capconn;
  Map conns;                   // by name
  BAdapter *adapter;
  int nadapter, capadapter;
  Map adapters;                // by model and product
  ParamInfo *param;
  int nparam, capparam;
  Map params;                  // by name
  Spoken *seen;                // places an error was reported at
  int nseen, capseen;
  const char *cause;           // of the error whose message is being made, if it may show at several places; NULL
  const char *about;           // the weight, as the text names it, that the next error is about: one place of the library reads many
  bool lacking;                // the error whose message is being made is that a config key is missing: tell_missing says so
  int64_t units;               // left of what evaluating may take (budget.c)
  int64_t reserve;             // for what stands apart from what took everything
  bool spent;                  // and nothing is: no more is evaluated
  int mute;                    // > 0: errors are not reported (what is evaluated is known to be wrong)
  int anchor;                  // -1: there is none, which was told
} Build;

typedef struct Want {          // a layer whose state is being made (entries.c)
  int model, layer, conn;      // conn: what is added next, -1 at the end
  enum { WANT_BELOW, WANT_OWN, WANT_ADDED } step;
  NodeId own, sum;
} Want;
typedef struct Ev {            // evaluation of text for one entry's graph (g NULL: compile-time values only)
  Build *b;
  Graph *g;
  EntryKind entry;
  MInst *m;                    // whose weights and config keys the text sees; NULL inside an op
  const Applied *applied;      // the op whose text it is; NULL inside an arch
  const char *under;           // weight-name prefix of the block
  int layer;                   // whose state the block makes
  bool unread;                 // the block stands above every layer that is read of the model, and no loss depends on it
  bool constant;               // within stop_gradient(…): a weight that is read there is none to train
  bool survey;                 // only to see which config keys the text needs: tensors and what follows from them are poison
  int depth, levels;           // nested calls, nested expressions
  Loc called;                  // where the text evaluated now was called from another file
  NodeId rows;                 // the rows input, or NODE_NONE
  Map memo;                    // one source node per name
  int ncaches;
  NodeId *delta;               // score: per connection, what it adds; NODE_NONE where nothing
  int *mark, capmark;          // bound.c's
  NodeId **state;              // per model, per layer: its residual stream; NODE_NONE after an error
  bool **made;                 // per model, per layer: is state what it is to be?
  Want *want;
  int nwant, capwant;
} Ev;

// ---- budget.c
void budget_begin(Build *b);
void budget_setting(Build *b);                                // another setting: a little of the reserve, where nothing else is left
void budget_part(Build *b);                                   // a part of an arch or an op is applied once more
bool spend(Ev *ev, Loc loc, int64_t units);                   // false: nothing is left, which was told
enum { VALUE_UNITS = 1, CALL_UNITS = 8, NODE_UNITS = 12 };     // of one value of a list; of a call's scope; of a node of a graph
bool spend_text(Ev *ev, Loc loc, const char *text);           // what a text takes

// ---- value.c
Value v_none(const char *key);
Value v_bool(bool b);
Value v_int(int64_t i);
Value v_float(double f);
Value v_string(const char *s);
Value v_tensor(NodeId n);
Value v_poison(void);
Value v_list(const Value *v, int n);                          // v is kept
Value v_json(Build *b, json_t *j, const char *path);          // JSON null is none
int64_t json_units(const json_t *j);                          // what the value of j takes (budget.c)
bool v_number(const Value *v, double *x);                     // int or float
bool v_whole(const Value *v, int64_t *x);                     // int, or a float without fraction
bool v_size(const Value *v, int64_t most, int64_t *x);        // a whole number from 1 to most: where a number of a file or a spec becomes a size
const char *v_text(Ev *ev, const Value *v);                   // for messages: "3", "\"silu\"", "a tensor [T.base, 64]"
const char *show_type(Build *b, const Graph *g, const Type *t);
const char *show_dims(Build *b, const Graph *g, const int64_t *dim, int n);
const char *source_text(Build *b, Loc loc);                   // the spec's own words at loc

// ---- scope.c
Scope *scope_new(Build *b, Scope *up);
void scope_bind(Build *b, Scope *s, const char *name, Value v, Loc loc);
const Binding *scope_find(const Scope *s, const char *name);
MInst *scope_keys(const Scope *s);

// ---- diagnostics: false when this place has spoken already
bool fail_at(Build *b, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool tell_model(Build *b, const MInst *m, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   // at its declaration, which may have several
Value fail(Ev *ev, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   // reports and returns poison
Value lack(Ev *ev, Loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   // fail, of what may stand in text that did not parse
Value silent(Ev *ev);                                         // poison of what an earlier stage reported
void note_model(Build *b, const MInst *m);                    // "model 'base' is declared here"

// ---- expr.c
// Notes which key the name e of an arch's config section stands for: users know config.json, not the library's short names.
void note_config(Ev *ev, const Ast *e);
Value eval(Ev *ev, Scope *s, const Ast *e);
Value eval_body(Ev *ev, Scope *s, const Ast *body);           // an expression, or a block with return
Value eval_string(Ev *ev, Scope *s, const char *text, Loc loc);   // {name} interpolated
// Evaluates extents. bind: names not bound yet take the extent they meet in `met` (n_met extents), as formals do.
int eval_dims(Ev *ev, Scope *s, const Ast *dims, const int64_t *met, int n_met, int64_t *out);   // count, -1 after an error
bool bind_formal(Ev *ev, Scope *s, const Ast *formal, Value v, Loc at);
Value call_fn(Ev *ev, Scope *up, const Ast *fn, const Value *arg, const Loc *at, int n, Loc loc);

// ---- number.c: arithmetic of compile-time values
Value num_binary(Ev *ev, const Ast *e, Value x, Value y);
Value num_unary(Ev *ev, const Ast *e, Value x);
bool v_same(Ev *ev, Loc loc, const Value *x, const Value *y);

// ---- tensor.c: nodes with places and messages
NodeId t_add(Ev *ev, Loc loc, OpId op, const NodeId *in, int nin, const Attr *attr);   // NODE_NONE after a reported error
NodeId t_un(Ev *ev, Loc loc, OpId op, NodeId x);
NodeId t_bin(Ev *ev, Loc loc, OpId op, NodeId x, NodeId y);
NodeId t_operand(Ev *ev, Loc loc, Value v);                  // number, list of numbers or tensor as an f32 node
NodeId t_reshape(Ev *ev, Loc loc, NodeId x, const int64_t *dim, int n);
Value t_turned(Ev *ev, Loc loc, Value x);                    // x.t
NodeId t_input(Ev *ev, const char *name, const Type *t);     // one node per name
NodeId t_input_of(Ev *ev, InputKind what, int model, const Type *t);   // "ids.base"
NodeId t_mask(Ev *ev, int q, int k, int64_t window);
NodeId t_cache(Ev *ev, NodeId x);                            // step: x appended to its cache
Value t_binary(Ev *ev, const Ast *e, Value x, Value y);
Value t_unary(Ev *ev, const Ast *e, Value x);
const Type *t_type(const Ev *ev, NodeId n);
int t_model(const Ev *ev, NodeId n);                         // model of its rows, -1
NodeId t_memo(const Ev *ev, const char *name);
void t_remember(Ev *ev, const char *name, NodeId n);

// ---- weight.c
Value weight_named(Ev *ev, Scope *s, const Ast *call);       // weight(…), weight?(…)
Value weight_shaped(Ev *ev, const Ast *e, Value w, const int64_t *dim, int n);
NodeId param_node(Ev *ev, const char *name, const int64_t *dim, int n, const Value *init, int model, Loc loc);
void param_used(Ev *ev, NodeId w, int inner);                // a linear (inner > 0) or a lookup (0) reads it
void param_turned(Ev *ev, NodeId w, int inner);              // a linear reads it transposed (w: the transpose)
void check_unused_tensors(Build *b, MInst *m);
void check_tunes(Build *b, MInst *m);          // every pattern of its tune declaration found a weight

// ---- builtins.c
bool builtin_constant(const char *name, Value *v);
Value call_builtin(Ev *ev, Scope *s, const Ast *call);
const char *nearest_name(Build *b, const Scope *s, const char *name);   // for suggestions; NULL

// ---- missing.c
bool lacks(Ev *ev, const Value *v, const char *must);        // is v nothing because a config key is missing? Notes it as needed
void tell_missing(Build *b, MInst *m);                       // the keys noted, and all others that the arch needs, once

// ---- keys.c
#define ARCH_LONGEST "longest"                               // a name of every arch: Spec.context, or none
bool arch_sections(Build *b, MInst *m);                      // finds the sections of m->arch; false: it lacks one, which was told
void check_keys(Build *b, MInst *m);                         // errors for keys that the arch does not know
const Ast *config_binding(const MInst *m, const char *name); // the BIND of the arch's config section; NULL (after check_keys)

// ---- arch.c
bool arch_bound(Ev *ev, MInst *m, const char *name, Value *v);   // a name of the config section that stands further down; false: it has none
bool arch_config(Ev *ev, MInst *m);                          // binds the names of the config section in a new m->scope
void model_setup(Build *b, MInst *m);                        // config section, sections found, blocks counted: sets counted and sound
NodeId arch_embed(Ev *ev, MInst *m);
NodeId arch_block(Ev *ev, MInst *m, int64_t i, NodeId x);
const Ast *arch_find_tap(Build *b, const MInst *m, const Ast *name);   // name: a NAME; NULL after an error
NodeId arch_tap(Ev *ev, MInst *m, const Ast *tap, int k, NodeId x);    // x: the model's layer k
NodeId arch_head(Ev *ev, MInst *m, NodeId x);

// ---- load.c
const char *spec_file(const Build *b);                       // the spec's path
void models_load(Build *b);

// ---- layers.c
bool layers_select(Build *b, const Ast *sel, const MInst *m, Layers *out);        // all selectors but spread; false after an error
bool layers_spread(Build *b, const Ast *sel, const MInst *m, int n, Layers *out); // n layers, evenly: floor(L * (i + 1) / n); likewise

// ---- connect.c, op.c
void connections_make(Build *b);
const Ast *usable_op(const Build *b, const Ast *call);       // the op that is called; NULL where it cannot be applied, which an earlier stage has told
NodeId op_apply(Ev *ev, const Applied *p, NodeId to, NodeId from);   // what is to be added; NODE_NONE after an error

// ---- adapt.c
void adapts_find(Build *b);
void adapt_meets(Ev *ev, const char *tensor, const char *canonical);   // a weight of a file is read; canonical: its name by the arch's first prefix
NodeId adapt_product(Ev *ev, NodeId x, NodeId w, NodeId y, bool exact);   // y = linear(x, w), with what is added where w is adapted
void check_adapts(Build *b, MInst *m);         // every pattern found products, and nothing else

// ---- bound.c: what a checkpoint depends on, of the score graph
void bound_connection(Ev *ev, int conn, NodeId to, NodeId from, NodeId delta);
void bound_model(Ev *ev, const MInst *m, NodeId result);      // one made from nothing, or tuned: what is read of it, logits or a state

// ---- entries.c, optim.c, settings.c
Graph *entry_build(Build *b, EntryKind kind);
Graph *graph_norm(Arena *a);
Graph *graph_update(Arena *a);
json_t *settings_train(Build *b);
json_t *settings_evals(Build *b);
void settings_fit(Build *b, const Graph *g);       // whether the models' weights, as the graph of all of them reads them, bear what the train block says
bool unquoted(Ev *ev, const char *what, const Ast *e);       // of names that stand for nothing: text without quotes, which is told
json_t *value_json(Ev *ev, Loc loc, const Value *v);
#endif
