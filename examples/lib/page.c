// The page of an experiment, HTML that needs nothing else, or the samples of its README: what the models wrote, side by side, under what they were asked and what
// was wanted. The data's text is read from DATA, where it is; results hold none of it.
//
//   page LAYOUT RESULTS DATA TITLE [FILE …]             the page: table, pictures (FILEs .svg), SAMPLES of each task, settings and hashes of each row, specs (other FILEs)
//   page LAYOUT RESULTS DATA --samples TASK …           Markdown: FEW of each task
//
// Samples are not chosen by hand: the test's rows are ordered by how near (edit similarity) the composition's answers are, the layout's first computed row's where that
// is not computed, and those at equal distances are taken, from the best to the worst.
#include <stdlib.h>
#include <string.h>

#include "examples/lib/results.h"
#include "runtime/work/textscore.h"

enum { SAMPLES = 25, FEW = 5 };
typedef struct Page {
  Layout layout;
  Results all;
  const char *data;
} Page;
typedef struct Sample {
  json_t *row;                 // of the data
  int at;
  double near;
} Sample;

static const json_t *task_of(const Result *r, const char *task) { return json_object_get(json_object_get(r->json, "tasks"), task); }
static const char *output(const Result *r, const char *task, int at) {
  const char *s = json_string_value(json_array_get(json_object_get(task_of(r, task), "outputs"), (size_t)at));
  return s ? s : "";
}
static const char *text(const json_t *row, const char *key) {
  const char *s = json_string_value(json_object_get(row, key));
  return s ? s : "";
}

// Whose answers order the samples.
static const Result *leading(const Page *p) {
  const Result *r = results_of(&p->all, "composition");
  for (int i = 0; i < p->layout.rows && !r; i++) r = results_of(&p->all, p->layout.row[i].name);
  if (!r) die("no row was computed yet");
  return r;
}

static int by_near(const void *a, const void *b) {
  const Sample *x = a, *y = b;
  return x->near != y->near ? (x->near < y->near) - (x->near > y->near) : (x->at > y->at) - (x->at < y->at);
}

// The test of a task, its best row first. Ends the program where the data is not what the results are of.
static int ordered(const Page *p, const char *task, Sample **sample) {
  char name[256];
  snprintf(name, sizeof name, "%s.jsonl", task);
  Lines lines = lines_read(p->data, name);
  const Result *lead = leading(p);
  const json_t *numbers = json_object_get(task_of(lead, task), "rows");
  if (json_array_size(numbers) != (size_t)lines.n) die("%s: %s/%s has %d rows, its result %zu", lead->file, p->data, name, lines.n, json_array_size(numbers));
  *sample = grow(NULL, (size_t)lines.n, sizeof **sample);
  for (int i = 0; i < lines.n; i++) {
    json_error_t e;
    json_t *row = json_loads(lines.line[i], 0, &e);
    if (!row) die("%s/%s:%d: %s", p->data, name, i + 1, e.text);
    if (!json_equal(json_object_get(row, "row"), json_array_get(numbers, (size_t)i))) die("%s/%s:%d: is not the row that %s answers", p->data, name, i + 1, lead->file);
    const char *made = output(lead, task, i), *wanted = text(row, "completion");
    wanted += *wanted == ' ';
    TextScore score = {0};
    textscore_add(&score, made, strlen(made), wanted, strlen(wanted));
    (*sample)[i] = (Sample){.row = row, .at = i, .near = score.similarity};
  }
  qsort(*sample, (size_t)lines.n, sizeof **sample, by_near);
  return lines.n;
}

// --- Markdown

static void of_row(const char *row, const char *s) { answer_line(6, 14, row, s); }

static void markdown(const Page *p, const char *task) {
  Sample *sample;
  int n = ordered(p, task, &sample), most = n < FEW ? n : FEW;
  printf("%s, of %d:\n", task, n);
  for (int k = 0; k < most; k++) {
    const Sample *s = &sample[taken(k, most, n)];
    putchar('\n');
    for (const char *line = text(s->row, "prompt"); *line;) {
      int length = (int)strcspn(line, "\n");
      printf("    %.*s\n", length, line);
      line += length + (line[length] == '\n');
    }
    of_row("wanted", text(s->row, "completion") + (*text(s->row, "completion") == ' '));
    for (int r = 0; r < p->layout.rows; r++) {
      const Result *of = results_of(&p->all, p->layout.row[r].name);
      if (of && task_of(of, task)) of_row(p->layout.row[r].name, output(of, task, s->at));
    }
  }
  putchar('\n');
}

// --- HTML

static void escaped(const char *s) {
  for (; *s; s++) {
    if (*s == '<') fputs("&lt;", stdout);
    else if (*s == '&') fputs("&amp;", stdout);
    else putchar(*s);
  }
}

static void element(const char *tag, const char *of) {
  printf("<%s>", tag);
  escaped(of);
  printf("</%s>", tag);
}

static void table(const Page *p) {
  printf("<table><tr><th></th>");
  for (int c = 0; c < p->layout.columns; c++) element("th", p->layout.column[c].label);
  for (int r = 0; r < p->layout.rows; r++) {
    printf("</tr>\n<tr>");
    element("th", p->layout.row[r].label);
    for (int c = 0; c < p->layout.columns; c++) {
      Figure f = results_figure(&p->all, p->layout.row[r].name, p->layout.column[c].path);
      printf("<td>%s", f.runs || c ? "" : "not computed yet");
      figure_print(f, p->layout.column[c].decimals);
      printf("</td>");
    }
  }
  printf("</tr></table>\n");
}

static void samples(const Page *p, const char *task) {
  Sample *sample;
  int n = ordered(p, task, &sample), most = n < SAMPLES ? n : SAMPLES;
  printf("<h2>%s: %d of %d, from the best to the worst</h2>\n", task, most, n);
  for (int k = 0; k < most; k++) {
    const Sample *s = &sample[taken(k, most, n)];
    element("pre", text(s->row, "prompt"));
    printf("<table><tr><th>wanted</th>");
    element("td", text(s->row, "completion"));
    for (int r = 0; r < p->layout.rows; r++) {
      const Result *of = results_of(&p->all, p->layout.row[r].name);
      if (!of || !task_of(of, task)) continue;
      printf("</tr><tr>");
      element("th", p->layout.row[r].label);
      element("td", output(of, task, s->at));
    }
    printf("</tr></table>\n");
  }
}

static bool is_picture(const char *file) {
  size_t n = strlen(file);
  return n > 4 && !strcmp(file + n - 4, ".svg");
}
static char *whole(const char *file) { return file_read(*file == '/' ? "" : ".", file, NULL); }

// Settings and hashes of every result, as it has them; the specs' text.
static void settings(const Page *p, char **file, int files) {
  printf("<h2>Settings</h2>\n");
  for (int i = 0; i < p->all.n; i++) {
    const Result *r = &p->all.result[i];
    printf("<p><b>%s, seed %lld</b> ", r->row, (long long)json_integer_value(json_object_get(r->json, "seed")));
    const char *part[] = {"common", "made", "hashes", "training"};
    for (int k = 0; k < 4; k++) {
      char *told = json_dumps(json_object_get(r->json, part[k]), JSON_REAL_PRECISION(6));
      if (told) element("code", told);
      free(told);
    }
    printf("</p>\n");
  }
  for (int i = 0; i < files; i++) {
    if (is_picture(file[i])) continue;
    element("h3", file[i]);
    element("pre", whole(file[i]));
    putchar('\n');
  }
}

static void page(const Page *p, const char *title, char **file, int files) {
  printf("<!doctype html><meta charset=\"utf-8\"><title>");
  escaped(title);
  printf("</title>\n<style>body{font:14px sans-serif;max-width:75em;margin:2em auto}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .5em;"
         "text-align:left;vertical-align:top;white-space:pre-wrap}pre{background:#f4f4f4;padding:.5em;white-space:pre-wrap;margin:1.5em 0 0}code{font-size:12px}</style>\n");
  element("h1", title);
  table(p);
  for (int i = 0; i < files; i++)
    if (is_picture(file[i])) printf("<div>%s</div>\n", whole(file[i]));
  const char *task;
  json_t *of;
  json_object_foreach(json_object_get(leading(p)->json, "tasks"), task, of) samples(p, task);
  settings(p, file, files);
}

int main(int argc, char **argv) {
  bool few = argc > 4 && !strcmp(argv[4], "--samples");
  if (argc < 5 || (few && argc < 6)) {
    fprintf(stderr, "usage: page LAYOUT RESULTS DATA TITLE [FILE ...], or page LAYOUT RESULTS DATA --samples TASK ...\n");
    return 2;
  }
  Page p = {.layout = layout_read(argv[1]), .all = results_read(argv[2]), .data = argv[3]};
  if (!few) page(&p, argv[4], argv + 5, argc - 5);
  for (int i = 5; few && i < argc; i++) markdown(&p, argv[i]);
  if (fflush(stdout)) die("standard output could not be written");
  return 0;
}
