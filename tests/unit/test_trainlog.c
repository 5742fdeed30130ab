// A training's log and the same as TensorBoard's events: the framing of the records, their checksums against a CRC-32C bit by bit, that each number is the one of
// log.csv, and that a log which is opened again has no step twice.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

static char dir[] = "/tmp/calm-test-trainlog-XXXXXX", log_path[64], events_path[64];

static uint32_t crc_bits(const uint8_t *s, size_t n) {
  uint32_t c = ~0u;
  for (size_t i = 0; i < n; i++) {
    c ^= s[i];
    for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
  }
  return ~c;
}

static void check_crc(const uint8_t *s, size_t n, const uint8_t *stored) {
  uint32_t masked, c = crc_bits(s, n);
  memcpy(&masked, stored, 4);
  assert_int_equal(masked, (uint32_t)((c >> 15 | c << 17) + 0xa282ead8u));
}

// A field of a message: its number and wire type; the number, or the place of its bytes.
typedef struct Field {
  int number, wire;
  uint64_t x;
  const uint8_t *bytes;
} Field;

static uint64_t varint(const uint8_t **s) {
  uint64_t x = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t b = *(*s)++;
    x |= (uint64_t)(b & 127) << shift;
    if (b < 128) return x;
  }
}

static bool next(const uint8_t **s, const uint8_t *end, Field *f) {
  if (*s >= end) return false;
  uint64_t key = varint(s);
  *f = (Field){.number = (int)(key >> 3), .wire = (int)(key & 7)};
  int fixed = f->wire == 1 ? 8 : f->wire == 5 ? 4 : 0;
  if (fixed) memcpy(&f->x, *s, (size_t)fixed), *s += fixed;
  else f->x = varint(s);
  if (f->wire == 2) f->bytes = *s, *s += f->x;
  assert_true(*s <= end && (fixed || f->wire == 0 || f->wire == 2));
  return true;
}

typedef struct Seen {
  double when[8];
  int64_t step[8];
  int steps, n;                // n: scalars
  struct { int64_t step; char tag[64]; float value; } scalar[64];
} Seen;

static void see_value(Seen *seen, int64_t step, const uint8_t *s, const uint8_t *end) {
  Field f;
  int k = seen->n++;
  seen->scalar[k].step = step;
  while (next(&s, end, &f))
    if (f.number == 1) snprintf(seen->scalar[k].tag, 64, "%.*s", (int)f.x, (const char *)f.bytes);
    else memcpy(&seen->scalar[k].value, &f.x, 4);
}

static void see_event(Seen *seen, int record, const uint8_t *s, const uint8_t *end) {
  Field f, value;
  int64_t step = -1;
  double when = 0;
  while (next(&s, end, &f)) {
    if (f.number == 1) memcpy(&when, &f.x, 8);
    else if (f.number == 2) step = (int64_t)f.x;
    else if (record == 0) assert_true(f.number == 3 && f.x == 13 && !memcmp(f.bytes, "brain.Event:2", 13));
    else if (record == 1) assert_true(f.number == 7 && f.x == 2 && f.bytes[0] == 8 && f.bytes[1] == 1);
    else {
      assert_int_equal(f.number, 5);
      for (const uint8_t *v = f.bytes, *last = v + f.x; next(&v, last, &value);) see_value(seen, step, value.bytes, value.bytes + value.x);
    }
  }
  assert_true(fabs(when - (double)time(NULL)) < 1000);
  if (record > 1) seen->when[seen->steps] = when, seen->step[seen->steps++] = step;
}

static Seen read_events(void) {
  RtError e;
  FileMap m;
  Seen seen = {0};
  if (!file_map(&m, events_path, &e)) fail_msg("%s", e.text);
  int record = 0;
  for (const uint8_t *s = m.data, *end = s + m.size; s < end; record++) {
    uint64_t n;
    memcpy(&n, s, 8);
    check_crc(s, 8, s + 8);
    assert_true(n <= (uint64_t)(end - s) - 16);
    check_crc(s + 12, n, s + 12 + n);
    see_event(&seen, record, s + 12, s + 12 + n);
    s += 16 + n;
  }
  file_unmap(&m);
  return seen;
}

static float value_of(const Seen *s, int64_t step, const char *tag) {
  float v = NAN;
  for (int k = 0; k < s->n; k++)
    if (s->scalar[k].step == step && !strcmp(s->scalar[k].tag, tag)) v = s->scalar[k].value;
  return v;
}

static TrainLog *open_log(int64_t keep) {
  RtError e;
  TrainLog *l = trainlog_open(log_path, events_path, keep, (const char *const[]){"a \"b\", c", "\xff<é>"}, 2, &e);
  if (!l) fail_msg("%s", e.text);
  return l;
}

static void add(TrainLog *l, int64_t step, double loss, bool looked) {
  RtError e;
  TrainLine x = {.step = step, .steps = 9, .tokens = 100 * step, .loss = loss, .lr = 1e-3 / (double)step, .norm = 1.0 / 3, .tokens_per_s = 50,
                 .held = looked ? loss + 1 : NAN, .each = (const double[]){loss + 2, loss + 3}};
  if (!trainlog_add(l, &x, &e)) fail_msg("%s", e.text);
}

static void known_answer(void **state) {
  (void)state;
  assert_int_equal(crc_bits((const uint8_t *)"123456789", 9), 0xe3069283);      // Castagnoli's, as RFC 3720 has it
  assert_true(events_is_name("events.out.tfevents.1790000000.calm"));
  static const char *const OTHERS[] = {"events.out.tfevents.calm", "events.out.tfevents.1.host", "events.out.tfevents.1.calm.tmp", "log.csv", ""};
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) assert_false(events_is_name(OTHERS[i]));
}

static void same_numbers(void **state) {
  (void)state;
  TrainLog *l = open_log(0);
  add(l, 1, 5.0 / 3, false), add(l, 2, 4.0 / 3, true), add(l, 3, 3.0 / 7, false);
  trainlog_close(l);
  Seen s = read_events();
  assert_true(s.steps == 3 && s.n == 3 * 5 + 3 && s.step[2] == 3);
  assert_true(value_of(&s, 1, "loss") == (float)(5.0 / 3) && value_of(&s, 2, "lr") == (float)5e-4 && value_of(&s, 3, "grad_norm") == (float)(1.0 / 3));
  assert_true(value_of(&s, 3, "tokens_per_s") == 50 && value_of(&s, 2, "tokens") == 200 && value_of(&s, 2, "held_out_loss") == (float)(4.0 / 3 + 1) && isnan(value_of(&s, 1, "held_out_loss")));
  assert_true(value_of(&s, 2, "held_out_loss a \"b\", c") == (float)(4.0 / 3 + 2) && value_of(&s, 2, "held_out_loss ?<é>") == (float)(4.0 / 3 + 3));

  // gone on with after step 2: step 3 is another one now, and none is there twice; what was before is as far apart as it took
  l = open_log(2);
  Seen kept = read_events();
  assert_true(kept.steps == 2 && kept.n == 2 * 5 + 3 && fabs(kept.when[1] - kept.when[0] - 2) < 1e-3);
  add(l, 3, 0.125, false);
  trainlog_close(l);
  s = read_events();
  assert_true(s.steps == 3 && s.step[0] == 1 && s.step[1] == 2 && s.step[2] == 3 && s.when[2] >= s.when[1]);
  assert_true(value_of(&s, 3, "loss") == 0.125f && value_of(&s, 1, "loss") == (float)(5.0 / 3) && value_of(&s, 2, "held_out_loss a \"b\", c") == (float)(4.0 / 3 + 2));
}

static void unwritable(void **state) {
  (void)state;
  RtError e;
  char path[80];
  snprintf(path, sizeof path, "%s/none/" EVENTS_BEGIN "1" EVENTS_END, dir);
  assert_null(trainlog_open(log_path, path, 0, NULL, 0, &e));
  assert_non_null(strstr(e.text, path));
}

// ---- read as a table

// Lines of steps from..to, the loss a hundredth of the step, held-out data looked at every 10th; a part of a line behind them. at: where to write.
static long put_lines(const char *mode, long at, int from, int to, double loss, const char *part) {
  FILE *f = fopen(log_path, mode);
  assert_non_null(f);
  fseek(f, at, SEEK_SET);
  if (from == 1) fputs("step,tokens,loss,lr,grad_norm,tokens_per_s,held_out_loss\n", f);
  for (int k = from; k <= to; k++) {
    fprintf(f, "%06d,%06d,%09.2f,1,1,1,", k, k, loss ? loss : k / 100.0);
    fputs(k % 10 ? "\n" : "7\n", f);
  }
  fputs(part, f);
  long end = ftell(f);
  fclose(f);
  return end;
}

static void same_table(const TrainTable *a, const TrainTable *b) {
  assert_true(a->rows == b->rows && a->n == b->n && a->lines == b->lines && a->looks == b->looks);
  for (int64_t i = 0; i < a->rows * a->n; i++) assert_true(a->value[i] == b->value[i] || (isnan(a->value[i]) && isnan(b->value[i])));
}

// What a table has of a log that grows is what it has of the whole, and what was read once is not read again: a run's reports cost what its log does, once.
static void read_on(void **state) {
  (void)state;
  enum { MOST = 100 };
  TrainTable grown = {0}, whole = {0};
  RtError e;
  const int to[] = {1, 2, 57, 99, 1234, 1235, 5000, 5009};
  long end = 0;
  for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
    int from = i ? to[i - 1] + 1 : 1;
    end = put_lines(i ? "r+" : "w", end, from, to[i], 0, "");
    put_lines("r+", end, 2, 1, 0, "009999,1");     // no line yet
    assert_true(trainlog_read_on(&grown, log_path, MOST, &e));
    assert_true(grown.lines == to[i] && grown.looks == to[i] / 10 && grown.value[(grown.rows - 1) * grown.n] == to[i] && grown.rows <= 2 * MOST + 2);
    for (int64_t k = 0; k < grown.rows; k++) assert_true(grown.value[k * grown.n + 2] == grown.value[k * grown.n] / 100);
    put_lines("r+", 0, 1, to[i], 5, "");           // what was read is another now
  }
  put_lines("w", 0, 1, 5009, 0, "");
  assert_true(trainlog_read_on(&whole, log_path, MOST, &e));
  same_table(&grown, &whole);
  int64_t steps = 0;
  for (int64_t k = 0; k < whole.rows; k++) steps += (int64_t)whole.value[k * whole.n] % whole.each == 0;
  assert_true(steps >= MOST / 2 && steps <= MOST);
  // another log in its place
  put_lines("w", 0, 1, 3, 0, "");
  assert_true(trainlog_read_on(&whole, log_path, MOST, &e) && whole.lines == 3 && whole.rows == 3);
  trainlog_free(&grown), trainlog_free(&whole);
}

static int start(void **state) {
  (void)state;
  if (!mkdtemp(dir)) return -1;
  snprintf(log_path, sizeof log_path, "%s/log.csv", dir), snprintf(events_path, sizeof events_path, "%s/" EVENTS_BEGIN "1" EVENTS_END, dir);
  return 0;
}
static int end(void **state) {
  (void)state;
  unlink(log_path), unlink(events_path);
  return rmdir(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_answer), cmocka_unit_test(same_numbers), cmocka_unit_test(unwritable), cmocka_unit_test(read_on)};
  return cmocka_run_group_tests(tests, start, end);
}
