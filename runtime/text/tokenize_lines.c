// See tokenize_lines.h.
#include "runtime/text/tokenize_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

static bool encode_line(const Tokenizer *t, const json_t *v, FILE *out, const char *where, RtError *e) {
  if (!json_is_string(v)) return rt_fail(e, "%s: expected a JSON string, found %s", where, rtj_kind(v));
  int32_t *ids = NULL;
  TokSpan *spans = NULL;
  RtError why;
  int64_t n = tokenizer_encode(t, json_string_value(v), json_string_length(v), false, &ids, &spans, &why);
  if (n < 0) return rt_fail(e, "%s: %.800s", where, why.text);
  fprintf(out, "{\"ids\": [");
  for (int64_t i = 0; i < n; i++) fprintf(out, "%s%d", i ? ", " : "", (int)ids[i]);
  fprintf(out, "], \"offsets\": [");
  for (int64_t i = 0; i < n; i++) fprintf(out, "%s[%lld, %lld]", i ? ", " : "", (long long)spans[i].begin, (long long)spans[i].end);
  fprintf(out, "]}\n");
  rt_free(ids), rt_free(spans);
  return true;
}

static bool decode_line(const Tokenizer *t, const json_t *v, FILE *out, const char *where, RtError *e) {
  const json_t *list = json_is_object(v) ? json_object_get(v, "ids") : v;
  if (!json_is_array(list)) return rt_fail(e, "%s: expected {\"ids\": […]} or a list of ids, found %s", where,
                                           rtj_kind(list));
  size_t n = json_array_size(list), len;
  int32_t *ids = rt_alloc(n + 1, sizeof *ids);
  bool ok = true;
  for (size_t i = 0; ok && i < n; i++) {
    const json_t *x = json_array_get(list, i);
    json_int_t id = json_integer_value(x);
    if (!json_is_integer(x) || id < 0 || id >= tokenizer_vocab(t))
      ok = rt_fail(e, "%s: id %zu: expected a number from 0 to %d", where, i, tokenizer_vocab(t) - 1);
    ids[i] = (int32_t)id;
  }
  RtError why;
  char *text = ok ? tokenizer_decode(t, ids, (int64_t)n, &len, &why) : NULL;
  rt_free(ids);
  if (ok && !text) return rt_fail(e, "%s: %.800s", where, why.text);
  if (!ok) return false;
  json_t *s = json_stringn(text, len);
  json_dumpf(s, out, JSON_ENCODE_ANY);
  fputc('\n', out);
  json_decref(s);
  rt_free(text);
  return true;
}

typedef struct Line {          // getline's own memory
  char *s;
  size_t cap;
} Line;

static void line_end(void *object) { free(((Line *)object)->s); }

bool tokenize_lines(const Tokenizer *t, bool decode, const TokLines *io, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  Line *l = rt_object(sizeof *l, line_end);
  ssize_t n;
  bool ok = true;
  for (int64_t number = 1; ok && !ferror(io->out) && (n = getline(&l->s, &l->cap, io->in)) >= 0; number++) {
    const char *line = l->s;
    char where[512];
    snprintf(where, sizeof where, "%.480s:%lld", io->in_name, (long long)number);
    const char *other = number == 1 ? text_instead(line, (size_t)n) : NULL;
    if (other) {
      ok = rt_fail(e, "%s: %s", where, other);
      break;
    }
    size_t bom = number == 1 ? rt_utf8_bom(line, (size_t)n) : 0;
    if (strspn(line + bom, " \t\r\n") == (size_t)n - bom) continue;
    size_t valid = rt_utf8_valid(line, (size_t)n);
    if (valid < (size_t)n) {
      ok = rt_fail(e, "%s: not UTF-8: byte %zu of the line is 0x%02X", where, valid + 1, (unsigned)(uint8_t)line[valid]);
      break;
    }
    json_error_t je;
    json_t *v = json_loadb(line + bom, (size_t)n - bom, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    ok = v ? (decode ? decode_line : encode_line)(t, v, io->out, where, e) : rt_fail(e, "%s: %s", where, je.text);
    json_decref(v);
  }
  int why = errno;
  rt_end(l);
  if (!ok) return false;
  if (!file_flush(io->out, io->out_name, e)) return false;
  if (!feof(io->in)) return rt_fail(e, "cannot read %s: %s", io->in_name, strerror(why));
  return true;
}
