// stint8 FROM TO [PATTERN]: the tensors of the directory FROM in f32 as TO/model.safetensors, those of two extents or more as int8 holds them
// (runtime/abi/int8.h): what a program of FROM `as int8` must compute as. Groups lie along the last extent, of names that match PATTERN (fnmatch),
// which are stored [in, out], along the first.
#include <fnmatch.h>
#include <stdio.h>

#include "runtime/abi/abi.h"
#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/files/safetensors.h"

static const float *as_int8(const StTensor *t, bool turned) {
  int64_t in = t->rank ? t->shape[turned ? 0 : t->rank - 1] : 1, out = t->elems / (in ? in : 1);
  float *w = rt_alloc((size_t)t->elems + 1, sizeof *w), *row = rt_alloc((size_t)in + 1, sizeof *row);
  for (int64_t i = 0; i < t->elems; i++) w[i] = (float)dtype_number(t->dtype, (const char *)t->data + i * dtype_size(t->dtype));
  for (int64_t n = 0; t->rank > 1 && n < out; n++) {
    for (int64_t k = 0; k < in; k++) row[k] = w[turned ? k * out + n : n * in + k];
    int8_round(row, in);
    for (int64_t k = 0; k < in; k++) w[turned ? k * out + n : n * in + k] = row[k];
  }
  rt_free(row);
  return w;                                        // freed by the system at the end
}

int main(int argc, char **argv) {
  RtError e;
  if (argc < 3 || argc > 4) return fputs("usage: stint8 FROM TO [PATTERN]\n", stderr), 2;
  Safetensors *s = st_open_dir(argv[1], false, &e);
  StWriter *w = st_writer_new();
  for (int i = 0; s && i < st_count(s); i++) {
    const StTensor *t = st_at(s, i);
    st_writer_add(w, t->name, DT_F32, t->rank, t->shape, as_int8(t, argc > 3 && !fnmatch(argv[3], t->name, 0)));
  }
  if (s && st_writer_save(w, file_join(argv[2], "model.safetensors"), NULL, &e)) return 0;
  return fprintf(stderr, "stint8: %s\n", e.text), 1;
}
