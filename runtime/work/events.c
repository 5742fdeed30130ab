// See events.h. Of protobuf only what an Event needs: fields with a length, varints, and numbers of 4 and 8 bytes.
#include "runtime/work/events.h"

#include <string.h>

#include "runtime/files/files.h"

// Fields of the messages Event, SessionLog, Summary and Summary.Value (tensorflow/core: event.proto, summary.proto).
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };
#define VERSION "brain.Event:2"
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2 };
enum { WIRE_VARINT = 0, WIRE_8 = 1, WIRE_LENGTH = 2, WIRE_4 = 5 };

bool events_is_name(const char *name) {
  size_t n = sizeof EVENTS_BEGIN - 1;
  if (strncmp(name, EVENTS_BEGIN, n)) return false;
  size_t digits = strspn(name + n, "0123456789");
  return digits && !strcmp(name + n + digits, EVENTS_END);
}

// Behind the record's length and its checksum, the time and step 0 of the event, and the key and length of this text.
bool events_is(const char *path) { return file_is_of(path, &(FileMark){8 + 4 + (1 + 8) + 2 + 2, VERSION, NULL}, 1); }

// ---- records

// CRC-32C, four bits at a time.
static uint32_t crc32c(const uint8_t *s, size_t n) {
  static const uint32_t OF[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                  0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  uint32_t c = ~0u;
  for (; n; s++, n--) {
    c = OF[(c ^ *s) & 15] ^ (c >> 4);
    c = OF[(c ^ (*s >> 4)) & 15] ^ (c >> 4);
  }
  return ~c;
}

// As TFRecord has it: turned and moved, since a CRC of what holds CRCs says little.
static void put_crc(Bytes *b, const uint8_t *s, size_t n) {
  uint32_t c = crc32c(s, n), masked = ((c >> 15) | (c << 17)) + 0xa282ead8u;
  bytes_put(b, &masked, sizeof masked);
}

// ---- protobuf

static void put_varint(Bytes *b, uint64_t x) {
  for (; x > 127; x >>= 7) bytes_put(b, &(uint8_t){(uint8_t)(x | 128)}, 1);
  bytes_put(b, &(uint8_t){(uint8_t)x}, 1);
}

static void put_key(Bytes *b, int field, int wire) { put_varint(b, (uint64_t)(field << 3 | wire)); }

static void put_bytes(Bytes *b, int field, const void *data, size_t n) {
  put_key(b, field, WIRE_LENGTH), put_varint(b, n), bytes_put(b, data, n);
}

// Whoever reads a string that is none refuses the whole file.
static void put_text(Bytes *b, int field, const char *text) {
  char *s = rt_strdup(text);
  size_t n = strlen(s);
  for (size_t at = 0; (at += rt_utf8_valid(s + at, n - at)) < n; at++) s[at] = '?';
  put_bytes(b, field, s, n);
  rt_free(s);
}

static void put_value(Bytes *b, const EventScalar *x) {
  Bytes v = {0};
  float f = (float)x->value;
  put_text(&v, VALUE_TAG, x->tag);
  put_key(&v, VALUE_SIMPLE, WIRE_4), bytes_put(&v, &f, sizeof f);
  put_bytes(b, SUMMARY_VALUE, v.s, v.n);
  rt_free(v.s);
}

// ---- events

static Bytes event(double wall_time, int64_t step) {
  Bytes b = {0};
  put_key(&b, EVENT_WALL_TIME, WIRE_8), bytes_put(&b, &wall_time, sizeof wall_time);
  put_key(&b, EVENT_STEP, WIRE_VARINT), put_varint(&b, (uint64_t)step);
  return b;
}

static void put_record(Bytes *out, Bytes *event) {
  uint64_t n = event->n;
  uint8_t length[sizeof n];
  memcpy(length, &n, sizeof n);
  bytes_put(out, length, sizeof length), put_crc(out, length, sizeof length);
  bytes_put(out, event->s, event->n), put_crc(out, (const uint8_t *)event->s, event->n);
  rt_free(event->s);
}

void events_begin(Bytes *out, double wall_time) {
  Bytes version = event(wall_time, 0), start = event(wall_time, 0);
  put_text(&version, EVENT_VERSION, VERSION);
  put_record(out, &version);
  put_bytes(&start, EVENT_SESSION, (const uint8_t[]){SESSION_STATUS << 3 | WIRE_VARINT, SESSION_START}, 2);
  put_record(out, &start);
}

void events_step(Bytes *out, double wall_time, int64_t step, const EventScalar *scalar, int n) {
  Bytes e = event(wall_time, step), summary = {0};
  for (int k = 0; k < n; k++) put_value(&summary, &scalar[k]);
  put_bytes(&e, EVENT_SUMMARY, summary.s, summary.n);
  put_record(out, &e);
  rt_free(summary.s);
}
