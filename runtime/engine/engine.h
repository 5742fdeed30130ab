// A running program: what was compiled, threads, memory, and the parameters. Opened in two steps: `info` needs no weights.
#ifndef CALM_RUNTIME_ENGINE_H
#define CALM_RUNTIME_ENGINE_H
#include <stddef.h>

#include "runtime/engine/params.h"
#include "runtime/engine/program.h"
#include "runtime/engine/region.h"
#include "runtime/engine/step.h"
#include "runtime/files/files.h"
#include "runtime/machine/machine.h"

// The token streams of a program: the models that read the same tokens read one stream; stream 0 is the anchor's.
typedef struct EngineStreams {
  int n;
  const int *of;               // per model
  const int64_t *context;      // per stream: most tokens of a sequence; 0: none ever, and weights of its models are not read
} EngineStreams;

// What the entries of the program run on, each kept by a file of this room.
typedef struct Table Table;    // tables.c
typedef struct Weights {       // weights.c
  Safetensors **file;          // per model, NULL when made from nothing
  Region packed, live, consts;
  Table *table;                // that steps read by their tokens' ids
  int ntable;
  int64_t table_bytes;         // of theirs that are resident, at most
} Weights;
typedef struct Params {        // flat vectors of prog->theta numbers each, as many as params_vectors says
  float *theta;
  float *grad, *m, *v;         // gradient and moments; NULL unless training
  Region room;                 // they lie in it
} Params;
static inline int params_vectors(bool training) { return training ? 4 : 1; }
typedef struct Arena {         // arena.c: activations, of one entry at a time
  Region room;
  int64_t most;                // bytes that a step may take of it; 0: any
  int64_t *tokens, *rows;      // per entry: most tokens (of each stream) and wanted rows of a step
  int64_t *lie;                // per entry: the extents its activations lie for, then 1 when they lie at all
  size_t *start;               // per symbol: where its region begins
} Arena;
typedef struct Caches {        // arena.c
  Region room;
  int64_t slots, *slot_rows;   // sequences, and rows each, by stream
} Caches;

typedef struct Engine {
  const RtProgram *rt;         // borrowed, as is prog
  const Prog *prog;
  const RtIsa *isa;            // the path
  RtKernel *const *kernel[N_PRECISION];            // its kernels of each precision; NULL: the program has none
  int64_t *precision;          // RtCtx: [1 + model] of products with rows of that model's tokens, [0] of others, which is the anchor's
  RtPool *pool;
  Meter *meter;                // NULL: nobody measures
  int nstream, *stream_of;     // EngineStreams, copied
  int64_t *stream_context;

  void **buf;                  // by buffer id
  int64_t *sym;                // extents of this step
  float *scalars;              // of engine_scalar, by buffer id
  float **gain;                // of engine_gain, in them, by connection; NULL: nothing of it reaches what those entries give
  const PackFile *pack;        // engine_use_pack: weights that are ready; NULL
  bool packed_params;          // and the parameters
  Weights weights;
  Arena arena;
  Caches caches;
  Params params;
  int entry[N_EntryKind];      // in the program, -1 when absent
} Engine;

// isa: index into rt->isas, in whose precision all models are. threads: 1 or more. rt and p must outlive the engine.
Engine *engine_open(const RtProgram *rt, const Prog *p, const EngineStreams *streams, int isa, int threads);
// Other streams, before any step is made.
void engine_streams(Engine *en, const EngineStreams *streams);
// Another path, and a precision for every model, before engine_load.
void engine_use(Engine *en, int isa, const Precision *of);
static inline Precision engine_precision(const Engine *en, int model) { return (Precision)en->precision[1 + model]; }
void engine_close(Engine *en);

// Before engine_load: weights come from a pack file of this program, for this path and precision (work/pack.h), not from the models' files; with
// `params` parameters too, which are then not to be written to. p outlives the engine.
void engine_use_pack(Engine *en, const PackFile *p, bool params);
// Of an engine that is loaded and (with params) prepared: its sections of a pack file.
#define ENGINE_WEIGHTS "weights"
#define ENGINE_TABLES "tables"
#define ENGINE_THETA "parameters"
#define ENGINE_LIVE "live"
bool engine_pack(Engine *en, bool params, PackOut *o, RtError *e);
bool engine_pack_params(const PackFile *p);     // whether a pack file (NULL: none) has parameters
// Maps the weights of every model from dir[model] (NULL: made from nothing) and packs them; makes room for parameters (zeros) and, with
// `training`, gradients and moments, and opens the BLAS.
bool engine_load(Engine *en, const char *const *dir, bool training, RtError *e);

// What a run asks for: the largest step of each entry that it runs, and how much of the caches it fills.
typedef struct StepLoad {
  int entry;                   // -1: none
  const int64_t *tokens;       // per stream
  int64_t rows;                // wanted
} StepLoad;
typedef struct Load {
  StepLoad step[2];
  int nstep;
  const int64_t *cached;       // per stream: tokens in all caches together; NULL: no caches
  int64_t tables;              // bytes that all its tokens read of weights that stay in their files; -1: not known
  int64_t outputs;             // bytes it keeps of what it computes
  int64_t frozen;              // of the frozen cache
  bool training;               // gradients and moments
} Load;
// What that takes, in bytes, before anything is loaded, without what the process has anyway (the program, libraries, tokenizers, data).
typedef struct Footprint {
  int64_t mapped;              // weights in the files
  int64_t packed;              // weights packed, and constants
  int64_t shared;              // of a pack file: weights and parameters, in memory once for all processes that use it
  int64_t params;              // with gradients and two moments
  int64_t tables;              // weights that stay as they are in the files, as far as they are resident at a time
  int64_t room;                // address space of those that are read by ids
  int64_t activations, caches, outputs, frozen;
  int64_t certain;             // what no run goes without: packed, params, a step of one token
  int64_t peak;                // the most that is resident at a time
} Footprint;
Footprint engine_footprint(const Engine *en, const Load *l);
int64_t engine_step_bytes(const Engine *en, const StepLoad *s);
// What n tokens of a table's stream have resident of it, at most; of one that is read as a whole, all. any: of however many tokens, n at a time.
int64_t engine_table_bytes(const ProgBuf *b, int64_t n, bool any);
// Operations over a step of an entry that comes in two, or of a part; 0 of other entries.
double engine_flops(const Engine *en, int entry, Step *s);
// To be called after the parameters changed: packs what depends on them.
void engine_prepare(Engine *en);
// Gradients to 0: the beginning of a training step, and measured as part of one.
void engine_zero_grads(Engine *en);
// False, and which, where a file of weights was written to since it was mapped (st_unchanged): what was computed since is not to be kept.
bool engine_unchanged(const Engine *en, RtError *e);
// Caps: most tokens (of each stream) and wanted rows of a step of an entry; and the caches: sequences, and anchor tokens of each (a stream
// that follows gets the tokens it is known to have, known[stream], and a multiple). engine_place makes the room; pointers of outputs change.
void engine_cap(Engine *en, int entry, int64_t tokens, int64_t rows);
void engine_caches(Engine *en, int64_t slots, int64_t slot_rows, const int64_t *known);
bool engine_place(Engine *en, RtError *e);

// What entries take is measured from now on. The meter is the caller's, who frees it when the engine is closed.
Meter *engine_measure(Engine *en, bool spans);
// Runs an entry over a step (NULL for entries without tokens).
void engine_run(Engine *en, int entry, Step *s);
// Binds the state that entry `probe` starts from; the caller keeps it, with room for RT_ROW_ROUND rows more.
void engine_bind(Engine *en, int model, int layer, void *state);
// Where an output of an entry lies, and a state or its gradient; NULL when it has no such output.
float *engine_output(Engine *en, int entry, OutputKind what);
float *engine_state(Engine *en, int entry, OutputKind what, int model, int layer);
// How much what a connection adds counts in entries loss, step and score: 1 from the start; 0 leaves it out, whatever it is. Others know of no measure.
void engine_gain(Engine *en, int connection, float gain);
float engine_gain_of(const Engine *en, int connection);
// Binds a scalar input (one f32 owned by the engine) of update to a value.
void engine_scalar(Engine *en, InputKind what, float value);

// The frozen cache of an entry that comes in two as well (prog_splits): what of it depends on no parameter is kept row by row, in memory or in a file, so that it
// is computed once, and every further time only the live part runs. A row's is found by its ids in every stream and by which of its tokens are wanted; since no row's bits
// depend on what stands beside it, a step gives the same bits as the whole entry, whichever of its rows were kept.
typedef struct Frozen Frozen;

// Whether the program has anything to keep of an entry.
bool frozen_can(const Engine *en, EntryKind whole);
// Bytes kept for so many tokens of each stream and wanted rows.
int64_t frozen_bytes(const Engine *en, EntryKind whole, const int64_t *tokens, int64_t rows);
// What `of` them is: the program's kernels, its weights and tokenizers (a SHA-256 of all that the engine does not know).
// path NULL: in memory. limit: most bytes that are kept; what does not fit is computed whenever it is asked for. NULL and an error.
Frozen *frozen_open(Engine *en, EntryKind whole, int64_t limit, const char *path, const char of[SHA256_HEX], RtError *e);
void frozen_close(Frozen *z);
int frozen_entry(const Frozen *z);       // the live part
// Caps of both parts, before engine_place.
void frozen_cap(const Frozen *z, int64_t tokens, int64_t rows);
// Runs it over a step; the outputs are the live part's.
void frozen_run(Frozen *z, Step *s);

typedef struct FrozenCount {
  int64_t rows, bytes;         // kept
  int64_t found, computed;     // rows of steps so far
} FrozenCount;
FrozenCount frozen_count(const Frozen *z);
#endif
