// calm-mkgen FILE: writes the object with the matrix micro-kernels of every instruction set. Run once, when calm itself is built.
#include <stdio.h>

#include "llvm/llvm.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: calm-mkgen FILE\n");
    return 2;
  }
  Buf out = {0};
  llvm_emit_mm(EMIT_OBJ, &out);
  FILE *f = fopen(argv[1], "wb");
  if (!f || fwrite(out.s, 1, out.n, f) != out.n || fclose(f)) {
    perror(argv[1]);
    return 1;
  }
  buf_free(&out);
  return 0;
}
