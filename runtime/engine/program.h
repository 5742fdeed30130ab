// The description of what was compiled: JSON in the program (calm_program_json), written by compiler/describe.c, read
// at start-up.
//
// {"calm": 1, "version": "…", "spec": "spec.calm", "spec_sha256": "…",
//  "models": [{"name", "role": "anchor|augment|model", "dir": "/abs" or null, "arch", "architecture",
//              "tokenizer": "/abs/tokenizer.json" or null, "blocks", "width", "vocab", "context", "prompt_only",
//              "config": {…config.json…}}],
//  "anchor": index, "connections": [{"name", "from", "from_layer", "tap": "normed" or null, "to", "to_layer", "op"}],
//  "params": [{"name", "shape": […], "offset": elements into the flat vector, "init": "fan_in", "a": 1.0,
//              "fan_in": 64, "model": index or -1}],
//  "theta": elements of the flat vector (a multiple of 1024),
//  "syms": [{"name": "T.base", "kind": "tokens|rows|cache|flat", "model": index}],
//  "bufs": [{"kind": "input|mask|weight|packed|param|grad|live|cache|const|act", "name", "dtype",
//            "sym": index or -1, "elems", "source", "entry": index, "offset",
//            "rows": of a weight that is still read when all is packed: vectors of which a token's id picks one, 1 as a whole; else 0,
//            "mask": [query sym, key sym, window, query model], "data": [const values]}],             by buffer id
//  "kernels": number,
//  "entries": [{"name", "static": bytes, "per_row": [bytes per sym], "outputs": {"nll": buffer id, …}}],
//                                                                                       in calm_entries order
//  "train": {…settings…}, "evals": [{…}]}
//
// Placement of activations, caps and alignment: compiler/plan/plan.h. Names of inputs, entries and outputs:
// compiler/build/build.h.
#ifndef CALM_RUNTIME_PROGRAM_H
#define CALM_RUNTIME_PROGRAM_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

typedef struct ProgModel {
  const char *name, *role, *dir, *arch, *architecture, *tokenizer;
  int64_t blocks, width, vocab, context;
  bool prompt_only;            // reads the prompt of a row, not its completion
  json_t *config;
} ProgModel;
typedef struct ProgParam {
  const char *name, *init;
  int rank, model;
  int64_t shape[8], elems, offset, fan_in;
  double a;
} ProgParam;
typedef enum ProgBufKind { PB_INPUT, PB_MASK, PB_WEIGHT, PB_PACKED, PB_PARAM, PB_GRAD, PB_LIVE, PB_CACHE, PB_CONST,
                          PB_ACT } ProgBufKind;
typedef struct ProgBuf {
  ProgBufKind kind;
  const char *name;
  Dtype dtype;
  int sym, entry, source;
  int64_t elems, offset, rows, mask[4];
  json_t *data;
} ProgBuf;
typedef struct ProgSym {
  const char *name, *kind;
  int model;
} ProgSym;
typedef struct ProgEntry {
  const char *name;
  int64_t static_bytes, *per_row;
  json_t *outputs;
} ProgEntry;
typedef struct Prog {
  json_t *root;
  const char *spec, *spec_sha256;
  ProgModel *model;   int nmodel, anchor;
  ProgParam *param;   int nparam;
  ProgSym *sym;       int nsym;
  ProgBuf *buf;       int nbuf;
  ProgEntry *entry;   int nentry;
  json_t *connections, *train, *evals;
  int64_t theta;
} Prog;

// Reads a description. It is trusted: a wrong one is a compiler bug and aborts.
Prog *prog_parse(const char *text, size_t len);
int prog_entry(const Prog *p, const char *name);          // -1 when there is none
int prog_output(const Prog *p, int entry, const char *name);   // buffer id, -1
int64_t prog_trained(const Prog *p);                       // numbers in all parameters
int prog_model(const Prog *p, const char *name);          // -1 when there is none
static inline int64_t prog_buf_bytes(const ProgBuf *b) { return b->elems * dtype_size(b->dtype); }   // of a static buffer, or a row of it
void prog_close(Prog *p);
#endif
