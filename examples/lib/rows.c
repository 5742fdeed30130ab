// See rows.h.
#include "examples/lib/rows.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib/make.h"

void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("error: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

void *grow(void *p, size_t n, size_t size) {
  if (size && n > SIZE_MAX / size) die("too large");
  void *q = realloc(p, n && size ? n * size : 1);
  if (!q) die("out of memory");
  return q;
}

char *file_read(const char *dir, const char *name, size_t *n) {
  FILE *f = make_open(dir, name, "rb");
  char *data = NULL;
  size_t used = 0, room = 0;
  for (size_t got = 1; got; used += got) {
    if (room - used < 1 << 16) data = grow(data, (room = room * 2 + (1 << 17)) + 1, 1);
    got = fread(data + used, 1, 1 << 16, f);
  }
  make_close(f, name);
  if (memchr(data, 0, used)) die("%s/%s: holds a NUL byte, expected text", dir, name);
  data[used] = 0;
  if (!strncmp(data, "\xef\xbb\xbf", 3)) {
    used -= 3;
    memmove(data, data + 3, used + 1);
  }
  if (n) *n = used;
  return data;
}

char *trimmed(char *s) {
  while (*s && strchr(" \t\r\n", *s)) s++;
  char *end = s + strlen(s);
  while (end > s && strchr(" \t\r\n", end[-1])) *--end = 0;
  return s;
}

Lines lines_read(const char *dir, const char *name) {
  Lines t = {.text = file_read(dir, name, NULL)};
  int room = 0;
  for (char *at = t.text; *at;) {
    char *eol = strchr(at, '\n'), *next = eol ? eol + 1 : at + strlen(at);
    if (eol) *eol = 0;
    if (t.n == room) t.line = grow(t.line, (size_t)(room = room * 2 + 1024), sizeof *t.line);
    t.line[t.n++] = trimmed(at);
    at = next;
  }
  return t;
}

json_t *row_read(const Lines *rows, int i, const char *file, size_t flags) {
  json_error_t e;
  json_t *row = json_loads(rows->line[i], flags, &e);
  if (!row) die("%s:%d:%d: %s", file, i + 1, e.column, e.text);
  return row;
}

const char *row_string(const json_t *row, const char *key, const char *file, int line) {
  const char *s = json_string_value(json_object_get(row, key));
  if (!s) die("%s:%d: \"%s\": expected a string", file, line, key);
  return s;
}

char *first_line(char *s) {
  s = trimmed(s);
  s[strcspn(s, "\n")] = 0;
  return trimmed(s);
}

int characters(const char *s) {
  int n = 0;
  for (; *s; s++) n += (*s & 0xc0) != 0x80;
  return n;
}

int taken(int k, int most, int n) { return most < 2 ? 0 : (int)((long long)k * (n - 1) / (most - 1)); }

void answer_line(int indent, int width, const char *label, const char *s) {
  printf("%*s%-*s", indent, "", width, label);
  for (; *s; s++) fputs(*s == '\n' ? " | " : (char[]){*s, 0}, stdout);
  putchar('\n');
}

// --- sets: open addressing over the normalised text

static char *normalised(const char *text, int *n) {
  char *key = grow(NULL, strlen(text) + 1, 1);
  *n = 0;
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c >= 0x80 || isalnum(c)) key[(*n)++] = (char)(c < 0x80 ? tolower(c) : c);
  }
  key[*n] = 0;
  return key;
}

static size_t slot(const TextSet *s, const char *key) {
  uint64_t h = 1469598103934665603u;               // FNV-1a
  for (const char *c = key; *c; c++) h = (h ^ (unsigned char)*c) * 1099511628211u;
  size_t i = (size_t)(h % s->room);
  while (s->key[i] && strcmp(s->key[i], key)) i = i + 1 == s->room ? 0 : i + 1;
  return i;
}

static void set_grow(TextSet *s) {
  TextSet wider = {.room = s->room * 2 + 1021, .n = s->n};
  wider.key = grow(NULL, wider.room, sizeof *wider.key);
  memset(wider.key, 0, wider.room * sizeof *wider.key);
  for (size_t i = 0; i < s->room; i++)
    if (s->key[i]) wider.key[slot(&wider, s->key[i])] = s->key[i];
  free(s->key);
  *s = wider;
}

bool set_add(TextSet *s, const char *text, int least) {
  if (s->n * 2 >= s->room) set_grow(s);
  int n;
  char *key = normalised(text, &n);
  size_t i = slot(s, key);
  if (n < least || s->key[i]) return free(key), false;
  s->key[i] = key;
  s->n++;
  return true;
}

bool set_has(const TextSet *s, const char *text) {
  if (!s->room) return false;
  int n;
  char *key = normalised(text, &n);
  bool has = s->key[slot(s, key)];
  free(key);
  return has;
}

bool text_same(const char *a, const char *b) {
  int n;
  char *p = normalised(a, &n), *q = normalised(b, &n);
  bool same = !strcmp(p, q);
  free(p), free(q);
  return same;
}

// --- rows

void rows_add(Rows *r, json_t *row) {
  if (!row) die("a row is no valid UTF-8, or memory ran out");
  if (r->n == r->room) r->row = grow(r->row, (size_t)(r->room = r->room * 2 + 256), sizeof *r->row);
  r->row[r->n++] = row;
}

void rows_shuffle(Rows *r, uint64_t *seed) {
  for (int i = r->n - 1; i > 0; i--) {               // Fisher-Yates
    int k = make_below(seed, i + 1);
    json_t *row = r->row[i];
    r->row[i] = r->row[k], r->row[k] = row;
  }
}

void rows_cut(Rows *r, int n) {
  while (r->n > n) json_decref(r->row[--r->n]);
}

void rows_skip(Rows *r, int n) {
  if (n > r->n) n = r->n;
  for (int i = 0; i < n; i++) json_decref(r->row[i]);
  for (int i = n; i < r->n; i++) r->row[i - n] = r->row[i];
  r->n -= n;
}

void rows_write(Rows *r, const char *dir, const char *name) {
  if (!r->n) die("%s: there is no row for it", name);
  FILE *f = make_open(dir, name, "wb");
  for (int i = 0; i < r->n; i++) {
    if (json_dumpf(r->row[i], f, JSON_COMPACT)) die("%s/%s: %s", dir, name, strerror(errno));
    fputc('\n', f);
  }
  make_close(f, name);
  printf("%s %d\n", name, r->n);
  rows_cut(r, 0);
  free(r->row);
  *r = (Rows){0};
}

json_t *row_pair(const char *prompt, const char *completion, int row, const char *task) {
  return json_pack("{s:s, s:s, s:i, s:s}", "prompt", prompt, "completion", completion, "row", row, "task", task);
}

json_t *row_asked(const char *label, const char *from, const char *asked, const char *to, int row, const char *task) {
  size_t n = strlen(label) + strlen(from) + strlen(asked) + 2, m = strlen(to) + 2;
  char *prompt = grow(NULL, n, 1), *completion = grow(NULL, m, 1);
  snprintf(prompt, n, "%s%s\n%s", label, from, asked);
  snprintf(completion, m, " %s", to);
  json_t *made = row_pair(prompt, completion, row, task);
  free(prompt), free(completion);
  return made;
}

json_t *row_text(const char *text, const char *task) { return json_pack("{s:s, s:s}", "text", text, "task", task); }

static void take_sizes(Size *size, int n, char **argv, int argc, int from) {
  for (int i = from; i < argc; i++) {
    const char *eq = strchr(argv[i], '=');
    long long v = eq ? make_number(eq + 1, 0) : -1;
    int k = 0;
    while (k < n && !(eq && strlen(size[k].name) == (size_t)(eq - argv[i]) && !strncmp(size[k].name, argv[i], (size_t)(eq - argv[i])))) k++;
    if (k == n || v < 0 || v > 1 << 24) {
      fprintf(stderr, "%s: expected a number for one of", argv[i]);
      for (k = 0; k < n; k++) fprintf(stderr, " %s=%d", size[k].name, size[k].value);
      fputc('\n', stderr);
      exit(2);
    }
    size[k].value = (int)v;
  }
}

MakerArgs maker_args(int argc, char **argv, Size *size, int n) {
  long long seed = argc > 3 ? make_number(argv[3], 0) : -1;
  if (seed < 0) {
    fprintf(stderr, "usage: make_data SOURCE DIR SEED [NAME=N …]\n");
    exit(2);
  }
  take_sizes(size, n, argv, argc, 4);
  return (MakerArgs){argv[1], argv[2], (uint64_t)seed};
}
