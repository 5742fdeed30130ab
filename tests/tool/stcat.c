// stcat FILE KEY: prints a tensor of a safetensors file (i64 or f32), one row (of the leading extent) a line.
// stcat --text: JSON strings on standard input, one a line, to the bytes they stand for.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/safetensors.h"

static int text(void) {
  char line[1 << 16];
  while (fgets(line, sizeof line, stdin)) {
    json_t *s = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!json_is_string(s)) return fprintf(stderr, "stcat: not a JSON string: %s", line), 1;
    fwrite(json_string_value(s), 1, json_string_length(s), stdout);
    json_decref(s);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--text")) return text();
  if (argc != 3) return fprintf(stderr, "usage: stcat FILE KEY | stcat --text\n"), 2;
  RtError e;
  Safetensors *s = st_open_file(argv[1], false, &e);
  const StTensor *t = s ? st_find(s, argv[2]) : NULL;
  if (!t || (t->dtype != DT_I64 && t->dtype != DT_F32)) return fprintf(stderr, "stcat: %s\n", s ? "no such tensor of i64 or f32" : e.text), 1;
  int64_t width = t->rank > 1 && t->shape[0] ? t->elems / t->shape[0] : 1;
  for (int64_t i = 0; i < t->elems; i++) {
    char end = (i + 1) % width ? ' ' : '\n';
    if (t->dtype == DT_I64) printf("%lld%c", (long long)((const int64_t *)t->data)[i], end);
    else printf("%.9g%c", (double)((const float *)t->data)[i], end);
  }
  st_close(s);
  return 0;
}
