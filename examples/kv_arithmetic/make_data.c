// Makes the data of the key-value arithmetic experiment (CALM paper, section 4.1, at a small size): 500 keys of two or three letters with
// values 0..9, expressions of two or three operands with + and -, in fixed fields of three characters.
//
//   make_data DIR SEED     writes DIR/tokenizer.json, the training files kv.jsonl (m_A), math.jsonl (m_B), compose.jsonl (D_C), and the
//                          test files eval-{subs,num,kv}-{2,3}.jsonl
//
// Everything follows from SEED. Rows are {"prompt", "completion"} (loss on the completion and the final '.'), or {"input_ids", "labels"} where
// the text does not end there or the loss lies elsewhere.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib/make.h"

enum { KEYS = 500, SHOWN = 100, MAX_OPERANDS = 3, FIELD = 3, TEST_ROWS = 512, LINE = 64 };
enum { KV_ROWS = 700 * 96, MATH_ROWS = 1000 * 96, COMPOSE_ROWS = 300 * 64 };
static const char alphabet[] = "^._+-=>abcdefghijklmnopqrstuvwxyz0123456789";

typedef struct Key {
  char name[FIELD + 1];
  int value;
} Key;

typedef struct World {
  uint64_t state;
  Key key[KEYS];               // the first SHOWN appear in D_C, the others are held out
} World;

static int below(World *w, int n) { return make_below(&w->state, n); }
static bool chance(World *w, int percent) { return below(w, 100) < percent; }

static void letters(World *w, char *s, int n) {
  for (int i = 0; i < n; i++) s[i] = (char)('a' + below(w, 26));
  s[n] = 0;
}

static void make_keys(World *w) {
  for (int i = 0; i < KEYS; i++) {
    bool again;
    do {
      letters(w, w->key[i].name, 2 + below(w, 2));
      again = false;
      for (int k = 0; k < i; k++) again |= !strcmp(w->key[k].name, w->key[i].name);
    } while (again);
    w->key[i].value = below(w, 10);
  }
}

// One expression: operand fields, signs between them, and what they stand for.
typedef struct Expr {
  int n, value[MAX_OPERANDS];
  char field[MAX_OPERANDS][FIELD + 1];
  const char *sign[MAX_OPERANDS];   // before each operand; none before the first
} Expr;

static void set_field(char *field, const char *text) { sprintf(field, "%*.*s", FIELD, FIELD, text); }
static void pad(char *s) {
  for (; *s; s++) {
    if (*s == ' ') *s = '_';
  }
}

static Expr expr_new(World *w, int operands) {
  Expr e = {.n = operands ? operands : 2 + below(w, 2)};
  for (int i = 0; i < e.n; i++) e.sign[i] = !i ? "" : chance(w, 50) ? "+" : "-";
  return e;
}

static Expr expr_keys(World *w, int from, int to, int operands) {
  Expr e = expr_new(w, operands);
  for (int i = 0; i < e.n; i++) {
    const Key *k = &w->key[from + below(w, to - from)];
    set_field(e.field[i], k->name);
    pad(e.field[i]);
    e.value[i] = k->value;
  }
  return e;
}

static Expr expr_numbers(World *w, int operands, bool noisy) {
  Expr e = expr_new(w, operands);
  for (int i = 0; i < e.n; i++) {
    char digit[2] = {0};
    e.value[i] = below(w, 10);
    digit[0] = (char)('0' + e.value[i]);
    set_field(e.field[i], digit);
    pad(e.field[i]);
    if (noisy) letters(w, e.field[i], FIELD - 1), e.field[i][FIELD - 1] = digit[0];
  }
  return e;
}

static void expr_prompt(const Expr *e, char marker, char *out) {
  for (int i = 0; i < e->n; i++) out += sprintf(out, "%s%s", e->sign[i], e->field[i]);
  sprintf(out, "%c", marker);
}

static void expr_substituted(const Expr *e, char *out) {
  for (int i = 0; i < e->n; i++) out += sprintf(out, "%s%d", e->sign[i], e->value[i]);
}

static void expr_result(const Expr *e, char *out) {
  int r = e->value[0];
  for (int i = 1; i < e->n; i++) r += *e->sign[i] == '+' ? e->value[i] : -e->value[i];
  sprintf(out, "%c%03d", r < 0 ? '-' : '+', abs(r));
}

static void row_text(FILE *f, const char *prompt, const char *completion) {
  fprintf(f, "{\"prompt\": \"%s\", \"completion\": \"%s\"}\n", prompt, completion);
}

static int id_of(char c) { return (int)(strchr(alphabet, c) - alphabet); }

// Ids with the loss on the characters that `trained` marks with '1'.
static void row_ids(FILE *f, const char *text, const char *trained) {
  fprintf(f, "{\"input_ids\": [0");
  for (const char *s = text; *s; s++) fprintf(f, ", %d", id_of(*s));
  fprintf(f, "], \"labels\": [-100");
  for (int i = 0; text[i]; i++) fprintf(f, ", %d", trained[i] == '1' ? id_of(text[i]) : -100);
  fprintf(f, "]}\n");
}

static void row_substitute(FILE *f, const Expr *e, char marker) {
  char prompt[LINE], answer[LINE];
  expr_prompt(e, marker, prompt);
  expr_substituted(e, answer);
  row_text(f, prompt, answer);
}

static void row_compute(FILE *f, const Expr *e) {
  char prompt[LINE], answer[LINE];
  expr_prompt(e, '=', prompt);
  expr_substituted(e, answer);
  strcat(answer, "=");
  expr_result(e, answer + strlen(answer));
  row_text(f, prompt, answer);
}

// Letters that stand for nothing, then an unrelated expression: only its result is trained on. It teaches m_B to read the expression
// just before the last '='.
static void row_junk(FILE *f, World *w) {
  Expr e = expr_numbers(w, 0, false), junk = e;
  char prompt[LINE], answer[LINE];
  for (int i = 0; i < junk.n; i++) {
    char name[FIELD + 1];
    letters(w, name, 2 + below(w, 2));
    set_field(junk.field[i], name);
    pad(junk.field[i]);
    junk.sign[i] = !i ? "" : chance(w, 50) ? "+" : "-";
  }
  expr_prompt(&junk, '=', prompt);
  expr_substituted(&e, prompt + strlen(prompt));
  strcat(prompt, "=");
  expr_result(&e, answer);
  row_text(f, prompt, answer);
}

// "_ab5+xyz2" with half the digits blanked; the loss is on the digits shown.
static void row_dictionary(FILE *f, World *w) {
  Expr e = expr_keys(w, 0, KEYS, 0);
  char text[LINE] = "", trained[LINE] = "";
  for (int i = 0; i < e.n; i++) {
    bool shown = chance(w, 50);
    char *t = text + strlen(text);
    sprintf(t, "%s%s%c", e.sign[i], e.field[i], shown ? '0' + e.value[i] : '_');
    size_t from = strlen(trained), n = strlen(text);
    for (size_t k = from; k < n; k++) trained[k] = '0';
    trained[n] = 0;
    if (shown) trained[n - 1] = '1';
  }
  row_ids(f, text, trained);
}

static void row_math(FILE *f, World *w) {
  Expr e = expr_numbers(w, 0, chance(w, 20));
  row_compute(f, &e);
}

// D_C under '=': the target is the substitution up to and including the second '=', and stops there. No result of a key is ever shown.
static void row_open(FILE *f, const Expr *e) {
  char text[LINE], trained[LINE];
  expr_prompt(e, '=', text);
  size_t prompt = strlen(text);
  expr_substituted(e, text + prompt);
  strcat(text, "=");
  memset(trained, '1', strlen(text));
  memset(trained, '0', prompt);
  trained[strlen(text)] = 0;
  row_ids(f, text, trained);
}

static void write_kv(World *w, const char *dir) {
  FILE *f = make_open(dir, "kv.jsonl", "w");
  for (int i = 0; i < KV_ROWS; i++) {
    if (chance(w, 60)) {
      Expr e = expr_keys(w, 0, KEYS, 0);
      row_substitute(f, &e, chance(w, 50) ? '>' : '=');
    } else {
      row_dictionary(f, w);
    }
  }
  make_close(f, "kv.jsonl");
}

static void write_math(World *w, const char *dir) {
  FILE *f = make_open(dir, "math.jsonl", "w");
  for (int i = 0; i < MATH_ROWS; i++) {
    int kind = below(w, 100);
    if (kind < 12) {
      Expr e = expr_numbers(w, 0, chance(w, 20));
      row_substitute(f, &e, '>');
    } else if (kind < 56) {
      row_math(f, w);
    } else {
      row_junk(f, w);
    }
  }
  make_close(f, "math.jsonl");
}

static void write_compose(World *w, const char *dir) {
  FILE *f = make_open(dir, "compose.jsonl", "w");
  for (int i = 0; i < COMPOSE_ROWS; i++) {
    if (chance(w, 70)) {
      Expr e = expr_keys(w, 0, SHOWN, 0);
      if (chance(w, 50)) row_substitute(f, &e, '>');
      else row_open(f, &e);
    } else if (chance(w, 50)) {
      row_math(f, w);
    } else {
      row_junk(f, w);
    }
  }
  make_close(f, "compose.jsonl");
}

static void write_tests(World *w, const char *dir) {
  static const char *const task[] = {"subs", "num", "kv"};
  for (int t = 0; t < 3; t++) {
    for (int n = 2; n <= MAX_OPERANDS; n++) {
      char name[LINE];
      sprintf(name, "eval-%s-%d.jsonl", task[t], n);
      FILE *f = make_open(dir, name, "w");
      for (int i = 0; i < TEST_ROWS; i++) {
        Expr e = t == 1 ? expr_numbers(w, n, false) : expr_keys(w, SHOWN, KEYS, n);
        if (t == 0) row_substitute(f, &e, '>');
        else row_compute(f, &e);
      }
      make_close(f, name);
    }
  }
}

// One token a character: a BPE without merges. '^' begins a text, '.' ends it.
static void write_tokenizer(const char *dir) {
  FILE *f = make_open(dir, "tokenizer.json", "w");
  fprintf(f, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [");
  for (int i = 0; i < 2; i++)
    fprintf(f, "%s{\"id\": %d, \"content\": \"%c\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}",
            i ? ", " : "", i, alphabet[i]);
  fprintf(f, "], \"normalizer\": null, \"pre_tokenizer\": null, \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
             "[{\"SpecialToken\": {\"id\": \"^\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": "
             "[{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], "
             "\"special_tokens\": {\"^\": {\"id\": \"^\", \"ids\": [0], \"tokens\": [\"^\"]}}}, \"decoder\": {\"type\": \"Fuse\"}, "
             "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
             "\"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false, \"vocab\": {");
  for (int i = 0; alphabet[i]; i++) fprintf(f, "%s\"%c\": %d", i ? ", " : "", alphabet[i], i);
  fprintf(f, "}, \"merges\": []}}\n");
  make_close(f, "tokenizer.json");
}

int main(int argc, char **argv) {
  char *end = NULL;
  World w = {.state = argc == 3 ? strtoull(argv[2], &end, 10) : 0};
  if (argc != 3 || !*argv[2] || *end) {
    fprintf(stderr, "usage: make_data DIR SEED\n");
    return 2;
  }
  make_keys(&w);
  write_tokenizer(argv[1]);
  write_kv(&w, argv[1]);
  write_math(&w, argv[1]);
  write_compose(&w, argv[1]);
  write_tests(&w, argv[1]);
  return 0;
}
