// Inside of the room: what its files do for one another, each standing on those before it.
//   region   memory of the system
//   arena    activations and caches placed
//   run      an entry over a step
//   tables   weights that steps read by their tokens' ids
//   packed   weights of a pack file
//   weights  mapped and packed
//   open     all of it opened, loaded and closed
#ifndef CALM_RUNTIME_ENGINE_PARTS_H
#define CALM_RUNTIME_ENGINE_PARTS_H
#include "runtime/engine/engine.h"

static inline int64_t engine_buf_bytes(const Engine *en, const ProgBuf *b) { return prog_buf_bytes(b, engine_precision(en, prog_buf_of(b))); }

// Whether the model of a weight may ever have a token (EngineStreams).
static inline bool engine_reads(const Engine *en, const ProgBuf *weight) { return en->stream_context[en->stream_of[weight->stored.model]] > 0; }
// Whether a packed buffer is filled: a matrix of a model without tokens is not even read, and its panels' pages are never touched.
static inline bool engine_packs(const Engine *en, const ProgBuf *b) {
  const ProgBuf *from = &en->prog->buf[b->packed.source];
  return from->kind != BUF_WEIGHT || engine_reads(en, from);
}

// arena.c
// Sizes (and, with base, places) the buffers of the given kinds (bits 1 << ProgBufKind) one behind the other.
int64_t buffers_lay_out(Engine *en, unsigned kinds, char *base);
// Lays an entry's activations out for the extents en->sym. A step's own, not the caps: what a smaller step leaves unused then lies in one
// piece at the end, and is never touched.
void arena_arrange(Engine *en, int entry);
void arena_open(Engine *en);
void arena_close(Engine *en);

enum { SCALAR_ROOM = 16 };                          // floats between the scalars that engine_scalar sets

// Whether the parameters are a pack file's own, prepared, and not to be written to.
static inline bool engine_params_mapped(const Engine *en) { return en->packed_params && !en->params.room.data; }

// tables.c: in place of the maps that buffers of tables are bound to, room that has what steps ask for; where a file cannot be opened once more the map stays.
void tables_open(Engine *en);
const void *tables_mapped(const Engine *en, int buf);       // the whole of a weight that is bound
void tables_fetch(Engine *en, const Step *s);               // before a step
void tables_close(Engine *en);

// packed.c: what en->pack has, bound to its buffers: weights and tables; theta as it lies there; panels of live matrices.
bool packed_map(Engine *en, RtError *e);
const float *packed_theta(Engine *en, RtError *e);
bool packed_live(Engine *en, RtError *e);

// run.c
MaskKey engine_mask(const Engine *en, const ProgMask *m);
int64_t engine_extent(const Engine *en, const ProgSym *sym, const Step *s);

// weights.c: maps the files of dir[model], makes room for panels and constants, and packs: entry `init`, whose calls each run on all threads.
// With en->pack nothing is read of the files, and nothing is packed.
bool weights_map(Engine *en, const char *const *dir, RtError *e);
void weights_pack(Engine *en);
void weights_close(Engine *en);
#endif
