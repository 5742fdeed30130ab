// stsplit FROM TO N: the tensors of the directory FROM as N shards and their index in the directory TO, which is there. Of the BF16 tensors every
// second one becomes F32, which changes no value. For tests of sharded files and of mixed dtypes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/files/safetensors.h"

static int stop(const RtError *e) {
  fprintf(stderr, "stsplit: %s\n", e->text);
  return 1;
}

// The values of a BF16 tensor as f32; freed by the system at the end, as all here.
static const void *widened(const StTensor *t) {
  uint32_t *wide = rt_alloc((size_t)t->elems, sizeof *wide);
  for (int64_t i = 0; i < t->elems; i++) wide[i] = (uint32_t)((const uint16_t *)t->data)[i] << 16;
  return wide;
}

int main(int argc, char **argv) {
  RtError e;
  int n = argc == 4 ? atoi(argv[3]) : 0;
  if (n < 1 || n > 99) return fputs("usage: stsplit FROM TO N\n", stderr), 2;
  Safetensors *s = st_open_dir(argv[1], false, &e);
  if (!s) return stop(&e);
  char *index = file_join(argv[2], "model.safetensors.index.json");
  FILE *f = fopen(index, "w");
  if (!f) return perror(index), 1;
  fputs("{\"metadata\": {}, \"weight_map\": {", f);
  for (int k = 0, wide = 0, first = 1; k < n; k++) {
    char name[64];
    snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", k + 1, n);
    StWriter *w = st_writer_new();
    for (int i = k; i < st_count(s); i += n) {
      const StTensor *t = st_at(s, i);
      bool widen = t->dtype == DT_BF16 && wide++ % 2;
      st_writer_add(w, t->name, widen ? DT_F32 : t->dtype, t->rank, t->shape, widen ? widened(t) : t->data);
      fprintf(f, "%s\"%s\": \"%s\"", first ? "" : ", ", t->name, name);
      first = 0;
    }
    if (!st_writer_save(w, file_join(argv[2], name), NULL, &e)) return stop(&e);
  }
  fputs("}}\n", f);
  return fclose(f) ? (perror(index), 1) : 0;
}
