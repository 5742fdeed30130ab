// Safetensors, read as untrusted (https://github.com/huggingface/safetensors, "Format"), mapped; and written atomically.
#ifndef CALM_RUNTIME_SAFETENSORS_H
#define CALM_RUNTIME_SAFETENSORS_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/file.h"
#include "runtime/files/sha256.h"

enum { ST_MAX_RANK = 8 };

typedef struct StTensor {
  const char *name;
  Dtype dtype;
  int rank;
  int64_t shape[ST_MAX_RANK];
  int64_t elems;
  int shard;                   // index of the file that holds it
  uint64_t begin, end;         // byte range in the data part of that file
  const void *data;            // mapped, NULL when opened for headers only
} StTensor;

typedef struct Safetensors Safetensors;

// Opens DIR/model.safetensors, or the shards DIR/model.safetensors.index.json names. headers_only: no payload is mapped.
// Refused by name: truncation, overlapping or holed ranges, overflow, duplicate names, unknown dtype sizes, absurd header lengths,
// pickle files (.bin/.pt) and GGUF when nothing else is there (with a pointer to conversion).
Safetensors *st_open_dir(const char *dir, bool headers_only, RtError *e);
// Whether dir has weights as GGUF alone: then e says so, and the way out.
bool st_only_gguf(const char *dir, RtError *e);
Safetensors *st_open_file(const char *path, bool headers_only, RtError *e);
// A file that is mapped already: what is read are the bytes of this map, which the result takes over (also when it is NULL).
Safetensors *st_open_map(FileMap *m, const char *path, RtError *e);
void st_close(Safetensors *s);
int st_count(const Safetensors *s);
const StTensor *st_at(const Safetensors *s, int i);
const StTensor *st_find(const Safetensors *s, const char *name);
int st_shards(const Safetensors *s);
const char *st_shard_path(const Safetensors *s, int i);
// Tells the kernel that the pages of mapped data will not be needed again soon (after packing); what is read again comes back from the file.
void st_drop(const void *data, size_t bytes);
// The file of a mapped tensor opened once more, to be read beside the map, and where in it the tensor begins; NULL where it is another one by now (file_in_again).
FileIn *st_again(const Safetensors *s, const StTensor *t, size_t *at);
// False, and which file it is, where one was written to since it was mapped: what was read of it since then may be neither the old nor the new.
bool st_unchanged(const Safetensors *s, RtError *e);
// Value of the "__metadata__" entry key, or NULL.
const char *st_metadata(const Safetensors *s, const char *key);

// Writing: header first, then each tensor in the order added; through files/out.h. Nothing is left behind on error.
typedef struct StWriter StWriter;
StWriter *st_writer_new(void);
void st_writer_add(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, const void *data);   // data is borrowed
// Of a STORED type, from data of another: it is rounded as it is written.
void st_writer_add_as(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, Dtype from, const void *data);
// Of a STORED type, from numbers that are made as they are written: fill puts n of them, from number `at` on, into out. user is borrowed.
typedef void StFill(const void *user, int64_t at, int n, float *out);
void st_writer_add_filled(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, StFill *fill, const void *user);
int st_writer_count(const StWriter *w);
void st_writer_meta(StWriter *w, const char *key, const char *value);
// sum: what was written, NULL when nobody asks.
bool st_writer_save(StWriter *w, const char *path, FileSum *sum, RtError *e);
void st_writer_free(StWriter *w);
#endif
