// Makes the rows of the real pair: Swahili to English, from line-aligned text.
//
//   make_data SOURCE DIR SEED ROWS BATCH HELD TEST
//
// reads SOURCE/{train,dev,test}.{swa,en} and writes DIR/train.jsonl (ROWS rows), dev.jsonl (HELD), test.jsonl (TEST),
// and the first five test rows as prompts.txt and references.txt; prints, for each part, its rows and the characters of
// its completions. Pairs with 10 to 220 characters on each side, shuffled from SEED; the first ones are taken. Training
// rows stand in the order they are to be trained in: cut into batches of rows of like length, the batches shuffled.
// calm does not care (it has no padding); PyTorch, which pads, can then train on the very same batches at its best.
#include <stdbool.h>
#include <string.h>

#include "examples/lib/make.h"

enum { SHORTEST = 10, LONGEST = 220, PROMPTS = 5 };

typedef struct Pair {
  char *from, *to;
  int length;                  // characters of both
} Pair;

typedef struct Text {
  char *data;
  char **line;
  int n;
} Text;

// All lines of a file, without the white space around them. A byte order mark goes too.
static Text read_text(const char *dir, const char *part, const char *language) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", part, language);
  FILE *f = make_open(dir, name, "rb");
  Text t = {0};
  size_t n = 0, cap = 0;
  for (size_t got = 1; got; n += got) {
    if (cap - n < 1 << 16) t.data = realloc(t.data, (cap = cap * 2 + (1 << 17)) + 1);
    if (!t.data) abort();
    got = fread(t.data + n, 1, 1 << 16, f);
  }
  make_close(f, name);
  t.data[n] = 0;
  char *at = !strncmp(t.data, "\xef\xbb\xbf", 3) ? t.data + 3 : t.data, *end = t.data + n;
  for (int room = 0; at < end;) {
    char *eol = memchr(at, '\n', (size_t)(end - at)), *stop = eol ? eol : end;
    if (t.n == room && !(t.line = realloc(t.line, (size_t)(room = room * 2 + 1024) * sizeof *t.line))) abort();
    char *last = stop;
    while (at < last && strchr(" \t\r", *at)) at++;
    while (last > at && strchr(" \t\r", last[-1])) last--;
    *last = 0;
    t.line[t.n++] = at;
    at = stop + 1;
  }
  return t;
}

static int characters(const char *s) {
  int n = 0;
  for (; *s; s++) n += (*s & 0xc0) != 0x80;
  return n;
}
static bool fits(int n) { return n >= SHORTEST && n <= LONGEST; }

// The first `want` pairs of a part that fit, of a shuffled order; *text owns the characters.
static Pair *take(const char *dir, const char *part, uint64_t *seed, int want) {
  Text from = read_text(dir, part, "swa"), to = read_text(dir, part, "en");
  if (from.n != to.n) {
    fprintf(stderr, "%s: %s.swa has %d lines, %s.en has %d: expected as many\n", dir, part, from.n, part, to.n);
    exit(1);
  }
  Pair *pair = malloc(((size_t)from.n + 1) * sizeof *pair);
  int n = 0;
  if (!pair) abort();
  for (int i = 0; i < from.n; i++) {
    int a = characters(from.line[i]), b = characters(to.line[i]);
    if (fits(a) && fits(b)) pair[n++] = (Pair){from.line[i], to.line[i], a + b};
  }
  if (n < want) {
    fprintf(stderr, "%s: %s has %d pair%s of %d to %d characters, %d are wanted\n", dir, part, n, n == 1 ? "" : "s", SHORTEST, LONGEST,
            want);
    exit(1);
  }
  for (int i = n - 1; i > 0; i--) {                // Fisher-Yates
    int k = make_below(seed, i + 1);
    Pair p = pair[i];
    pair[i] = pair[k], pair[k] = p;
  }
  free(from.line), free(to.line);                  // the text itself stays: the pairs point into it
  return pair;
}

static int by_length(const void *a, const void *b) {
  const Pair *p = a, *q = b;
  if (p->length != q->length) return p->length - q->length;
  int c = strcmp(p->from, q->from);                // so that the order follows from the rows alone
  return c ? c : strcmp(p->to, q->to);
}

static void write_string(FILE *f, const char *s) {
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') fprintf(f, "\\%c", *s);
    else if ((unsigned char)*s < 0x20) fprintf(f, "\\u%04x", *s);
    else fputc(*s, f);
  }
}

static void write_row(FILE *f, const Pair *p) {
  fputs("{\"prompt\": \"Swahili: ", f);
  write_string(f, p->from);
  fputs("\\nEnglish:\", \"completion\": \" ", f);
  write_string(f, p->to);
  fputs("\"}\n", f);
}

static void write_train(const char *dir, Pair *pair, int rows, int batch, uint64_t *seed) {
  qsort(pair, (size_t)rows, sizeof *pair, by_length);
  int n = (rows + batch - 1) / batch, *order = malloc((size_t)n * sizeof *order);
  if (!order) abort();
  for (int i = 0; i < n; i++) order[i] = i;
  // a last batch with fewer rows stays the last, so that every step but that one has `batch` rows
  for (int i = (rows % batch ? n - 1 : n) - 1; i > 0; i--) {
    int k = make_below(seed, i + 1), o = order[i];
    order[i] = order[k], order[k] = o;
  }
  FILE *f = make_open(dir, "train.jsonl", "wb");
  for (int i = 0; i < n; i++)
    for (int k = order[i] * batch; k < rows && k < (order[i] + 1) * batch; k++) write_row(f, &pair[k]);
  make_close(f, "train.jsonl");
  free(order);
}

static void write_rows(const char *dir, const char *name, const Pair *pair, int rows) {
  FILE *f = make_open(dir, name, "wb");
  for (int i = 0; i < rows; i++) write_row(f, &pair[i]);
  make_close(f, name);
}

static void write_prompts(const char *dir, const Pair *pair, int rows) {
  FILE *from = make_open(dir, "prompts.txt", "wb"), *to = make_open(dir, "references.txt", "wb");
  for (int i = 0; i < PROMPTS && i < rows; i++) {
    fprintf(from, "%s\n", pair[i].from);
    fprintf(to, "%s\n", pair[i].to);
  }
  make_close(from, "prompts.txt"), make_close(to, "references.txt");
}

// The completion begins with a space.
static void print_size(const char *part, const Pair *pair, int rows) {
  long long n = 0;
  for (int i = 0; i < rows; i++) n += characters(pair[i].to) + 1;
  printf("%s %d %lld\n", part, rows, n);
}

int main(int argc, char **argv) {
  long long seed = argc == 8 ? make_number(argv[3], 0) : -1, size[4] = {-1, -1, -1, -1};
  for (int i = 0; i < 4 && argc == 8; i++) size[i] = make_number(argv[4 + i], 1);
  if (seed < 0 || size[0] < 0 || size[1] < 0 || size[2] < 0 || size[3] < 0) {
    fprintf(stderr, "usage: make_data SOURCE DIR SEED ROWS BATCH HELD TEST\n");
    return 2;
  }
  for (int i = 0; i < 4; i++) {
    if (size[i] > 1 << 24) size[i] = 1 << 24;      // more than any file has; take() says how many there are
  }
  uint64_t state = (uint64_t)seed;
  const char *source = argv[1], *dir = argv[2];
  Pair *train = take(source, "train", &state, (int)size[0]), *dev = take(source, "dev", &state, (int)size[2]);
  Pair *test = take(source, "test", &state, (int)size[3]);
  write_train(dir, train, (int)size[0], (int)size[1], &state);
  write_rows(dir, "dev.jsonl", dev, (int)size[2]);
  write_rows(dir, "test.jsonl", test, (int)size[3]);
  write_prompts(dir, test, (int)size[3]);
  print_size("train", train, (int)size[0]);
  print_size("dev", dev, (int)size[2]);
  print_size("test", test, (int)size[3]);
  return 0;
}
