// Rows in the order of a training: what an epoch is, that a reading goes on from every place as if it had never stopped, that a thread beside gives the same
// rows as reading when they are asked for, and that a row at fault is found, by the reader before anything of it is handed out and by a check of all rows, which
// names the first. Two token streams, so that threads share every table that a training's do.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/core.h"
#include "runtime/rows/rows.h"

#define ANCHOR CALM_SOURCE_DIR "/tests/parity/tokenizer/synthetic/fallback_prepend.json"   // <s> before every text
#define OTHER CALM_SOURCE_DIR "/tests/parity/tokenizer/synthetic/byte_words.json"
enum { CONTEXT = 12, ROWS = 300 };

typedef struct Kit {
  Tokenizer *tok;
  TextEnds ends;
  Streams streams;
  DataOptions o;
  char path[64];
  DataFile *file;
} Kit;

static Tokenizer *open_tokenizer(const char *path) {
  RtError e;
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

static void open_kit(Kit *k) {
  *k = (Kit){.tok = open_tokenizer(ANCHOR), .ends = {.bos = 1, .append = -1}, .path = "/tmp/calm-test-feed-XXXXXX"};
  k->streams = (Streams){.s = rt_alloc(2, sizeof(Stream)), .n = 2};
  for (int i = 0; i < 2; i++) k->streams.s[i] = (Stream){.model = i ? "aug" : "base", .context = i ? 1000 : CONTEXT, .vocab = INT32_MAX};
  k->streams.s[1].tok = open_tokenizer(OTHER);
  k->streams.s[1].rule = settler_new(k->streams.s[1].tok);
  k->o = (DataOptions){.tok = k->tok, .ends = &k->ends, .streams = &k->streams, .vocab = INT32_MAX, .context = CONTEXT};
  close(mkstemp(k->path));
}

static void close_kit(Kit *k) {
  data_close(k->file);
  unlink(k->path);
  streams_free(&k->streams);
  tokenizer_free(k->tok);
}

// Rows of all kinds: texts of one window and of several, pairs, ids without a label. bad[]: rows that are none, ended by -1.
static void write_rows(Kit *k, int n, const int *bad) {
  FILE *f = fopen(k->path, "w");
  RtError e;
  for (int i = 0; i < n; i++) {
    if (*bad == i) bad++, fprintf(f, "{\"text\": %d}\n", i);
    else if (i % 7 == 3) fprintf(f, "{\"input_ids\": [5, 6, 7], \"labels\": [-100, -100, -100]}\n\n");
    else if (i % 3 == 1) fprintf(f, "{\"prompt\": \"a%d\", \"completion\": \"b%d\"}\r\n", i, i % 10);
    else fprintf(f, "{\"text\": \"row %d%.*s\"}\n", i, i * 11 % 40, " and so on, word after word after word after");
  }
  fclose(f);
  data_close(k->file);
  k->file = data_open(k->path, &e);
  if (!k->file) fail_msg("%s", e.text);
}

static const int NONE[] = {-1};
static const FeedRule RULE = {.want = 40, .most = INT64_MAX, .words = "a step"};

static bool same_row(const DataRow *a, const DataRow *b) {
  if (a->row != b->row || a->window != b->window || a->line != b->line || a->n != b->n || a->prompt_n != b->prompt_n) return false;
  const FollowTokens *x = &a->follow->s[1], *y = &b->follow->s[1];
  int64_t n = a->n ? x->seen[a->n - 1] : 0;
  return !memcmp(a->ids, b->ids, (size_t)a->n * sizeof *a->ids) && !memcmp(a->labels, b->labels, (size_t)a->n * sizeof *a->labels) &&
         !memcmp(x->seen, y->seen, (size_t)a->n * sizeof *x->seen) && (!n || !memcmp(x->ids, y->ids, (size_t)n * sizeof *x->ids));
}

// Every window that has something to train on once an epoch, those of a row in their place one after another, rows in an order of its own each epoch.
static void epochs(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  write_rows(&k, ROWS, NONE);
  Data *all = data_read(k.path, false, &k.o, &e);
  assert_non_null(all);
  assert_true(all->windows > all->of && all->trained < all->windows);
  int64_t *order[2] = {calloc(ROWS, sizeof **order), calloc(ROWS, sizeof **order)};
  Feeder f;
  feeder_start(&f, k.file, &k.o, &(FeedPlan){.seed = 5, .shuffle = true});
  for (int epoch = 0; epoch < 2; epoch++) {
    const DataRow *next;
    int64_t windows = 0, row = -1, window = 0, n = 0;
    for (; windows < all->trained; windows++) {
      assert_true(feeder_peek(&f, &next, &e));
      assert_int_equal(f.at.epoch, epoch);
      if (next->row != row) assert_int_equal(next->window, 0), order[epoch][n++] = row = next->row, window = 0;
      assert_int_equal(next->window, window++);
      int64_t i = 0;
      while (all->row[i].row != next->row || all->row[i].window != next->window) i++;
      assert_true(same_row(&all->row[i], next));
      DataRow r = feeder_take(&f);
      data_row_free(&r);
    }
    char seen[ROWS] = {0};
    for (int64_t i = 0; i < n; i++) assert_false(seen[order[epoch][i]]++);
  }
  assert_true(memcmp(order[0], order[1], ROWS * sizeof **order) != 0);
  feeder_end(&f);
  free(order[0]), free(order[1]);
  data_free(all);
  close_kit(&k);
}

// ---- several files

// Files of so many rows, the texts of each beginning with a letter of its own, read with these shares.
typedef struct Mix {
  char path[3][64];
  DataFile *file;
} Mix;

static void open_mix(Mix *m, const int *rows, const double *share, int n) {
  DataSource from[3];
  RtError e;
  for (int k = 0; k < n; k++) {
    strcpy(m->path[k], "/tmp/calm-test-feed-XXXXXX");
    FILE *f = fdopen(mkstemp(m->path[k]), "w");
    for (int i = 0; i < rows[k]; i++) fprintf(f, "{\"text\": \"%c%d\"}\n", 'a' + k, i);
    fclose(f);
    from[k] = (DataSource){m->path[k], share ? share[k] : 0};
  }
  m->file = data_open_all(from, n, &e);
  if (!m->file) fail_msg("%s", e.text);
}

static void close_mix(Mix *m) {
  for (int k = 0; k < m->file->nparts; k++) unlink(m->path[k]);
  data_close(m->file);
}

// Shares are of rows, exact within one in every epoch; no row of a file comes again before all of it have come, across epochs too; another epoch, another order.
static void shares(void **state) {
  (void)state;
  const int rows[] = {100, 37, 11};
  const double share[][3] = {{0.5, 0.3, 0.2}, {7, 2, 1}, {1, 1, 1}, {0.01, 0.1, 0.9}};
  for (size_t c = 0; c < sizeof share / sizeof *share; c++)
    for (int shuffle = 0; shuffle < 2; shuffle++) {
      Mix m;
      open_mix(&m, rows, share[c], 3);
      int64_t n = data_count(m.file), times[148] = {0}, before[148];
      double sum = share[c][0] + share[c][1] + share[c][2];
      assert_int_equal(n, 148);
      Order o;
      order_start(&o, m.file, 4, shuffle);
      for (int epoch = 0; epoch < 5; epoch++) {
        int64_t of[3] = {0};
        order_draw(&o, epoch);
        for (int64_t i = 0; i < n; i++) {
          int64_t row = order_row(&o, i), k = data_part(m.file, row) - m.file->part;
          of[k]++, times[row]++;
          if (!shuffle) assert_true(fabs((double)of[k] - share[c][k] / sum * (double)(i + 1)) < 2);      // also on the way
        }
        for (int k = 0, at = 0; k < 3; at += rows[k++]) {
          int64_t least = INT64_MAX, most = 0;
          assert_true(fabs((double)of[k] - share[c][k] / sum * (double)n) < 1);
          assert_int_equal(of[k], m.file->part[k].taken);
          for (int i = at; i < at + rows[k]; i++) least = times[i] < least ? times[i] : least, most = times[i] > most ? times[i] : most;
          assert_true(most - least <= 1);
        }
        if (epoch) assert_true(memcmp(before, o.row, sizeof before) != 0);
        memcpy(before, o.row, sizeof before);
      }
      // the order of an epoch follows from its number alone
      Order again;
      order_start(&again, m.file, 4, shuffle);
      order_draw(&again, 4);
      assert_memory_equal(again.row, o.row, (size_t)n * sizeof *o.row);
      order_end(&again), order_end(&o);
      close_mix(&m);
    }
}

// Without shares, several files are one: the rows, their order and their batches are those of all of them in one file. A place in it is gone on with.
static void joined(void **state) {
  (void)state;
  Kit k;
  Mix m;
  RtError e;
  open_kit(&k);
  open_mix(&m, (int[]){20, 5, 30}, NULL, 3);
  FILE *f = fopen(k.path, "w");
  for (int i = 0; i < 55; i++) fprintf(f, "{\"text\": \"%c%d\"}\n", i < 20 ? 'a' : i < 25 ? 'b' : 'c', i < 20 ? i : i < 25 ? i - 20 : i - 25);
  fclose(f);
  k.file = data_open(k.path, &e);
  Feeder one, all, later;
  FeedPlan plan = {.seed = 3, .shuffle = true};
  feeder_start(&one, k.file, &k.o, &plan), feeder_start(&all, m.file, &k.o, &plan);
  for (int i = 0; i < 12; i++) {
    FeedBatch a = {0}, b = {0};
    assert_true(feeder_batch(&one, &RULE, &a, &e) && feeder_batch(&all, &RULE, &b, &e));
    assert_int_equal(a.n, b.n);
    for (int64_t r = 0; r < a.n; r++) {
      assert_int_equal(a.row[r].row, b.row[r].row);
      assert_true(a.row[r].n == b.row[r].n && !memcmp(a.row[r].ids, b.row[r].ids, (size_t)a.row[r].n * sizeof(int32_t)));
      assert_int_equal(data_line_of(m.file, b.row[r].row), b.row[r].line);
    }
    plan.from = b.after;
    batch_free(&a), batch_free(&b);
    feeder_start(&later, m.file, &k.o, &plan);
    const DataRow *x, *y;
    assert_true(feeder_peek(&later, &x, &e) && feeder_peek(&all, &y, &e));
    assert_int_equal(x->row, y->row);
    feeder_end(&later);
  }
  feeder_end(&one), feeder_end(&all);
  close_mix(&m);
  close_kit(&k);
}

// A row at fault is named by its own file and line; what shares cannot be is said.
static void mixed_up(void **state) {
  (void)state;
  RtError e;
  Mix m;
  Kit k;
  open_kit(&k);
  open_mix(&m, (int[]){4, 4, 4}, NULL, 3);
  FILE *f = fopen(m.path[1], "w");
  fprintf(f, "\n{\"text\": \"good\"}\n{\"text\": 1}\n");
  fclose(f);
  data_close(m.file);
  DataSource from[] = {{m.path[0], 0}, {m.path[1], 0}, {m.path[2], 0}};
  m.file = data_open_all(from, 3, &e);
  assert_null(data_sample(m.file, &k.o, INT64_MAX, 0, &e));
  char *where = rt_format("%s:3: ", m.path[1]);
  assert_ptr_equal(strstr(e.text, where), e.text);
  rt_free(where);
  const struct { double share[3]; const char *says; } BAD[] = {{{0.5, 0, 0.5}, "has no share"}, {{1, 1e-6, 1}, "is not one row"}};
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    for (int j = 0; j < 3; j++) from[j].share = BAD[i].share[j];
    assert_null(data_open_all(from, 3, &e));
    assert_non_null(strstr(e.text, BAD[i].says));
    assert_non_null(strstr(e.text, m.path[1]));
  }
  from[2] = from[0];
  assert_null(data_open_all(from, 3, &e));
  assert_non_null(strstr(e.text, "given twice"));
  fclose(fopen(m.path[1], "w"));
  from[2] = (DataSource){m.path[2], 0};
  assert_null(data_open_all(from, 3, &e));
  assert_non_null(strstr(e.text, "no rows"));
  close_mix(&m);
  close_kit(&k);
}

static void same_batch(const FeedBatch *a, const FeedBatch *b) {
  assert_int_equal(a->n, b->n);
  assert_int_equal(a->tokens, b->tokens);
  assert_memory_equal(&a->after, &b->after, sizeof a->after);
  for (int64_t i = 0; i < a->n; i++) assert_true(same_row(a->each[i], b->each[i]));
}

static void beside(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  write_rows(&k, ROWS, NONE);
  FeedPlan plan = {.seed = 9, .shuffle = true};
  DataFile *held = data_open(k.path, &e);
  data_hold(held, data_sample(held, &k.o, INT64_MAX, 0, &e));
  for (int way = 0; way < 4; way++) {
    int once = way % 2;
    plan.once = once;
    Ahead *here = ahead_start(k.file, &k.o, &plan, &RULE, false), *there = ahead_start(way < 2 ? k.file : held, &k.o, &plan, &RULE, true);
    int64_t windows = 0;
    for (int i = 0; i < 400; i++) {
      const FeedBatch *a = ahead_next(here, &e), *b = ahead_next(there, &e);
      assert_true(a && b);
      same_batch(a, b);
      windows += a->n;
      if (!a->n) break;
    }
    assert_true(once ? windows >= ROWS : windows > ROWS);
    ahead_end(here), ahead_end(there);
  }
  data_close(held);
  // one that is given up at any moment
  for (int i = 0; i < 20; i++) {
    Ahead *a = ahead_start(k.file, &k.o, &plan, &RULE, true);
    for (int n = 0; n < i % 5; n++) assert_non_null(ahead_next(a, &e));
    ahead_end(a);
  }
  close_kit(&k);
}

// From every place that a batch leaves behind, in the middle of a text too, and over the end of an epoch.
static void places(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  write_rows(&k, 40, NONE);
  FeedRule small = RULE;
  small.want = 13;             // a window and a bit
  FeedPlan plan = {.seed = 3, .shuffle = true};
  Ahead *whole = ahead_start(k.file, &k.o, &plan, &small, true);
  int within = 0;
  for (int i = 0; i < 150; i++) {
    const FeedBatch *b = ahead_next(whole, &e);
    assert_non_null(b);
    FeedPlan from = plan;
    from.from = b->after;
    within += from.from.window > 0;
    Ahead *again = ahead_start(k.file, &k.o, &plan, &small, false), *rest = ahead_start(k.file, &k.o, &from, &small, i % 2);
    for (int j = 0; j <= i; j++) assert_non_null(ahead_next(again, &e));
    for (int j = 0; j < 5; j++) {
      const FeedBatch *x = ahead_next(again, &e), *y = ahead_next(rest, &e);
      assert_true(x && y);
      same_batch(x, y);
    }
    ahead_end(again), ahead_end(rest);
  }
  assert_true(within > 10);
  ahead_end(whole);
  // a window that the row does not have
  plan.from = (FeedPlace){.position = 7, .window = 1000};
  Ahead *a = ahead_start(k.file, &k.o, &plan, &small, true);
  assert_null(ahead_next(a, &e));
  if (!strstr(e.text, k.path) || !strstr(e.text, "expected window 1001 of this row")) fail_msg("%s", e.text);
  ahead_end(a);
  close_kit(&k);
}

static int64_t line_of(const char *text, const char *path) {
  const char *at = strstr(text, path);
  return at ? atoll(at + strlen(path) + 1) : -1;
}

static void faults(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  for (int where = 0; where < 3; where++) {
    int n = where == 2 ? 3000 : ROWS;
    const int bad[] = {where == 0 ? 0 : n - 20, n - 19, n - 1, -1};
    write_rows(&k, n, bad);
    int64_t first = data_line_of(k.file, bad[0]);
    for (int threads = 0; threads < 4; threads++) {
      Check *c = check_start(k.file, &k.o, threads, false);
      assert_false(check_help(c, &e));
      assert_int_equal(line_of(e.text, k.path), first);
      assert_non_null(strstr(e.text, "\"text\": expected a string, found an integer"));
      check_end(c);
    }
    Check *c = check_start(k.file, &k.o, 1, true);             // beside
    while (check_state(c, &e) == CHECK_RUNS) usleep(1000);
    assert_int_equal(check_state(c, &e), CHECK_BAD);
    assert_int_equal(line_of(e.text, k.path), first);
    check_end(c);
    check_end(check_start(k.file, &k.o, 3, true));
    // nothing of the row is handed out, and all before it is
    for (int thread = 0; thread < 2; thread++) {
      Ahead *a = ahead_start(k.file, &k.o, &(FeedPlan){0}, &RULE, thread);
      int64_t last = -1;
      for (const FeedBatch *b; (b = ahead_next(a, &e));) last = b->row[b->n - 1].row;
      assert_int_equal(line_of(e.text, k.path), first);
      assert_true(last < bad[0] && bad[0] - last < 20);
      ahead_end(a);
    }
  }
  close_kit(&k);
}

// Beside a training the form of all rows is looked at before any text is tokenized; beforehand the first mistake counts.
static void form(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  k.o.vocab = 1;                                   // no text has such ids
  FILE *f = fopen(k.path, "w");
  for (int i = 0; i < 1000; i++) fprintf(f, "{\"text\": \"a\"}\n");
  fprintf(f, "{\"text\": 5}\n");
  fclose(f);
  assert_non_null(k.file = data_open(k.path, &e));
  for (int idle = 0; idle < 2; idle++) {
    Check *c = check_start(k.file, &k.o, 1, idle);
    while (check_state(c, &e) == CHECK_RUNS) usleep(1000);
    assert_int_equal(check_state(c, &e), CHECK_BAD);
    assert_int_equal(line_of(e.text, k.path), idle ? 1001 : 1);
    assert_non_null(strstr(e.text, idle ? "found an integer" : "is not below the model's vocabulary size 1"));
    check_end(c);
  }
  k.o.form = true;
  Data *d = data_read(k.path, false, &k.o, &e);
  assert_null(d);
  assert_int_equal(line_of(e.text, k.path), 1001);
  close_kit(&k);
}

// Rows that bytes decide are those of which nothing is cut: what contexts do is what reading all of them gives, beside and beforehand, for rows of all kinds and for
// texts alone (whose lines' lengths decide); where ids may be unknown to a model nothing is decided but of texts that cannot have them.
static void bytes(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  k.o.vocab = tokenizer_vocab(k.tok), k.streams.s[1].vocab = tokenizer_vocab(k.streams.s[1].tok);
  for (int round = 0; round < 8; round++) {
    k.streams.s[1].context = round % 4 < 2 ? 1000 : 20;
    if (round < 4) write_rows(&k, 700, NONE);
    else {
      FILE *f = fopen(k.path, "w");
      for (int i = 0; i < 600; i++) fprintf(f, i % 2 ? "{\"text\": \"\xE6\xBC\xA2%.*s\"}\n" : "{\"prompt\": \"%.*s\", \"completion\": \"\\u00e9\"}\n", i % 13 + (i % 11 == 0) * 70, "a b word after word after word after word, and so on, word after word after word");
      fclose(f);
      data_close(k.file);
      assert_non_null(k.file = data_open(k.path, &e));
    }
    k.o.context = round % 2 ? 60 : CONTEXT;
    k.o.bytes = NULL, k.o.too_long = TOO_LONG_skip;
    Data *all = data_read(k.path, false, &k.o, &e);
    if (!all) fail_msg("%s", e.text);
    ByteRule *rule = data_byte_rule(&k.o);
    assert_non_null(k.o.bytes = rule);
    for (int idle = 0; idle < 2; idle++) {
      Check *c = check_start(k.file, &k.o, idle, idle);
      if (idle) while (check_state(c, &e) == CHECK_RUNS) usleep(1000);
      else if (!check_help(c, &e)) fail_msg("%s", e.text);
      const Data *d = check_counts(c);
      assert_true(d->looked == all->of && d->of == all->of && d->decided > 0 && d->decided < all->of && d->tokens < all->tokens);
      for (int s = 0; s < 2; s++) assert_memory_equal(&d->limit[s], &all->limit[s], sizeof *d->limit);
      check_end(c);
    }
    byte_rule_free(rule);
    data_free(all);
  }
  k.o.bytes = NULL, k.o.context = 60, k.streams.s[1].context = 1000;
  ByteRule *rule = data_byte_rule(&k.o);
  json_t *plain = json_string("ab"), *many = json_string("abababababababababababababababababababababababababababababababababab");
  assert_true(byte_rule_fits(rule, (const json_t *[]){plain, plain}, 2) && byte_rule_line(rule, 30));
  assert_false(byte_rule_fits(rule, (const json_t *[]){plain, many}, 2) || byte_rule_line(rule, 80));
  byte_rule_free(rule);
  k.streams.s[1].vocab = 330;                      // below the ids of its added tokens, some of which are looked for in other words than a text's
  assert_null(data_byte_rule(&k.o));
  k.streams.s[1].vocab = 335, k.o.vocab = 2;
  assert_null(data_byte_rule(&k.o));
  k.o.vocab = tokenizer_vocab(k.tok), k.streams.s[1].context = 0;
  assert_null(data_byte_rule(&k.o));
  json_decref(plain), json_decref(many);
  close_kit(&k);
}

static void counts(void **state) {
  (void)state;
  Kit k;
  RtError e;
  open_kit(&k);
  write_rows(&k, 2000, NONE);
  Data *all = data_read(k.path, false, &k.o, &e);
  for (int threads = 0; threads < 4; threads++) {
    Check *c = check_start(k.file, &k.o, threads, threads == 2);
    if (threads == 2) while (check_state(c, &e) == CHECK_RUNS) usleep(1000);
    else assert_true(check_help(c, &e));
    const Data *d = check_counts(c);
    assert_true(d->looked == all->of && d->of == all->of && d->tokens == all->tokens && d->labelled == all->labelled && d->windows == all->n);
    assert_memory_equal(d->limit, all->limit, sizeof *d->limit * 2);
    check_end(c);
  }
  // a sample names what it is of; a small file is all there
  Data *some = data_sample(k.file, &k.o, 0, 10000, &e), *small = data_sample(k.file, &k.o, INT64_MAX, 10000, &e);
  assert_true(some->looked < some->of && some->of == 2000 && some->looked > 64 && !data_whole(some) && data_whole(small));
  assert_int_equal(small->n, all->n);
  int64_t last = -1;
  for (int64_t i = 0; i < some->n; last = some->row[i++].row) assert_true(some->row[i].row >= last);
  assert_true(some->row[0].row == 0 && last > 1900);
  data_free(some), data_free(small), data_free(all);
  // an epoch of nothing to train on ends
  FILE *f = fopen(k.path, "w");
  for (int i = 0; i < 5; i++) fprintf(f, "{\"input_ids\": [5], \"labels\": [5]}\n");
  fclose(f);
  data_close(k.file);
  assert_non_null(k.file = data_open(k.path, &e));
  for (int thread = 0; thread < 2; thread++) {
    Ahead *a = ahead_start(k.file, &k.o, &(FeedPlan){.shuffle = true}, &RULE, thread);
    assert_null(ahead_next(a, &e));
    assert_non_null(strstr(e.text, "no row has a labelled token"));
    ahead_end(a);
  }
  close_kit(&k);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(epochs), cmocka_unit_test(shares), cmocka_unit_test(joined), cmocka_unit_test(mixed_up),
                                     cmocka_unit_test(beside), cmocka_unit_test(places), cmocka_unit_test(faults),
                                     cmocka_unit_test(form), cmocka_unit_test(bytes), cmocka_unit_test(counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
