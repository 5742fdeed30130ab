// Writing safetensors: the header is built from what was added, then everything goes through one atomic file.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/out.h"
#include "runtime/files/safetensors.h"

typedef struct Item {
  char *name;
  Dtype dtype, from;           // in the file; of data
  int rank;
  int64_t shape[ST_MAX_RANK];
  const void *data;
  StFill *fill;                // NULL, or what makes f32 numbers, of data
  size_t bytes;
} Item;

struct StWriter {
  Item *item;
  int n;
  json_t *meta;
};

StWriter *st_writer_new(void) { return rt_alloc(1, sizeof(StWriter)); }

void st_writer_add(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, const void *data) {
  st_writer_add_as(w, name, dtype, rank, shape, dtype, data);
}

void st_writer_add_as(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, Dtype from, const void *data) {
  if (dtype >= DT_MASK || dtype_size(dtype) == 0 || rank > ST_MAX_RANK) {
    fprintf(stderr, "calm: bug: tensor %s cannot be written: type %d, rank %d\n", name, (int)dtype, rank);
    abort();
  }
  w->item = rt_realloc(w->item, (size_t)w->n + 1, sizeof *w->item);
  Item *it = &w->item[w->n++];
  *it = (Item){.name = rt_strdup(name), .dtype = dtype, .from = from, .rank = rank, .data = data, .bytes = (size_t)dtype_size(dtype)};
  for (int i = 0; i < rank; i++) {
    it->shape[i] = shape[i];
    it->bytes *= (size_t)shape[i];
  }
}

void st_writer_add_filled(StWriter *w, const char *name, Dtype dtype, int rank, const int64_t *shape, StFill *fill, const void *user) {
  st_writer_add_as(w, name, dtype, rank, shape, DT_F32, user);
  w->item[w->n - 1].fill = fill;
}

int st_writer_count(const StWriter *w) { return w->n; }

void st_writer_meta(StWriter *w, const char *key, const char *value) {
  if (!w->meta) w->meta = json_object();
  json_object_set_new(w->meta, key, json_string(value));
}

// The header as text padded with spaces, so that the data part starts at a multiple of 8; rt_free gives it back.
static char *header(const StWriter *w, size_t *len) {
  json_t *root = json_object();
  if (w->meta) json_object_set(root, "__metadata__", w->meta);
  uint64_t at = 0;
  for (int i = 0; i < w->n; i++) {
    const Item *it = &w->item[i];
    json_t *shape = json_array();
    for (int d = 0; d < it->rank; d++) json_array_append_new(shape, json_integer(it->shape[d]));
    json_object_set_new(root, it->name, json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_info[it->dtype].file, "shape", shape, "data_offsets",
                                                  (json_int_t)at, (json_int_t)(at + it->bytes)));
    at += it->bytes;
  }
  char *text = json_dumps(root, JSON_COMPACT);
  if (!text) fputs("calm: bug: the name of a tensor is no UTF-8\n", stderr), abort();      // the caller looked at it
  json_decref(root);
  size_t n = strlen(text);
  *len = (n + 7) / 8 * 8;
  text = rt_realloc(text, *len + 1, 1);
  memset(text + n, ' ', *len - n);
  return text;
}

static bool put(FileOut *f, Sha256 *s, const void *data, size_t n, RtError *e) {
  if (s && n) sha256_add(s, data, n);
  return file_out_write(f, data, n, e);
}

static bool put_rounded(FileOut *f, Sha256 *s, const Item *it, RtError *e) {
  enum { SOME = 4096 };
  uint64_t room[SOME];
  float made[SOME];
  size_t to = (size_t)dtype_size(it->dtype), from = (size_t)dtype_size(it->from), n = it->bytes / to;
  for (size_t i = 0; i < n; i += SOME) {
    size_t k = n - i < SOME ? n - i : SOME;
    if (it->fill) it->fill(it->data, (int64_t)i, (int)k, made);
    for (size_t j = 0; j < k; j++) {
      double x = it->fill ? (double)made[j] : dtype_number(it->from, (const char *)it->data + (i + j) * from);
      if (dtype_round(it->dtype, x, (char *)room + j * to)) continue;
      file_out_abandon(f);
      return rt_fail(e, "tensor %s: %g is more than %s can hold: write it as another type", it->name, x, dtype_info[it->dtype].file);
    }
    if (!put(f, s, room, k * to, e)) return false;
  }
  return true;
}

static bool put_item(FileOut *f, Sha256 *s, const Item *it, RtError *e) {
  return it->from == it->dtype && !it->fill ? put(f, s, it->data, it->bytes, e) : put_rounded(f, s, it, e);
}

bool st_writer_save(StWriter *w, const char *path, FileSum *sum, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  size_t len;
  Sha256 hash, *s = sum ? &hash : NULL;
  char *text = header(w, &len);
  uint8_t len8[8];
  for (int i = 0; i < 8; i++) len8[i] = (uint8_t)((uint64_t)len >> (8 * i));
  FileOut *f = file_out_open(path, e);
  if (s) sha256_init(s);
  bool ok = f && put(f, s, len8, 8, e) && put(f, s, text, len, e);
  for (int i = 0; ok && i < w->n; i++) ok = put_item(f, s, &w->item[i], e);
  ok = ok && file_out_commit(f, e);
  if (ok && sum) {
    sum->size = hash.bytes;
    sha256_hex(&hash, sum->sha256);
  }
  rt_free(text);
  return ok;
}

void st_writer_free(StWriter *w) {
  if (!w) return;
  for (int i = 0; i < w->n; i++) rt_free(w->item[i].name);
  rt_free(w->item);
  json_decref(w->meta);
  rt_free(w);
}
