// Draws the table of an experiment from its rows' results, as Markdown.
//
//   table LAYOUT DIR       LAYOUT: lines of "row NAME LABEL" and "column PATH DECIMALS LABEL"; DIR: NAME-SEED.json, as examples/lib/experiment.sh leaves them
//
// PATH goes through objects by dots; "A/B*C" is the product of A and C over B. A cell is the mean over the seeds, with ± their standard deviation where there
// are several; "not computed yet" and dashes where there is no result, "" where the row has no such figure. Results whose "common" settings differ are refused.
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib/rows.h"

enum { MOST = 64 };
typedef struct Result {
  char file[512];
  json_t *json;
} Result;
typedef struct Found {
  Result *result;
  int n, room;
} Found;

static int by_name(const void *a, const void *b) { return strcmp(((const Result *)a)->file, ((const Result *)b)->file); }

static Found read_results(const char *dir) {
  Found all = {0};
  DIR *d = opendir(dir);
  for (const struct dirent *e; d && (e = readdir(d));) {
    size_t n = strlen(e->d_name);
    if (n < 6 || strcmp(e->d_name + n - 5, ".json")) continue;
    if (all.n == all.room) all.result = grow(all.result, (size_t)(all.room = all.room * 2 + 16), sizeof *all.result);
    Result *r = &all.result[all.n++];
    snprintf(r->file, sizeof r->file, "%s/%s", dir, e->d_name);
    json_error_t error;
    r->json = json_load_file(r->file, 0, &error);
    if (!r->json) die("%s:%d: %s", r->file, error.line, error.text);
  }
  if (d) closedir(d);
  if (all.n) qsort(all.result, (size_t)all.n, sizeof *all.result, by_name);
  for (int i = 1; i < all.n; i++)
    if (!json_equal(json_object_get(all.result[i].json, "common"), json_object_get(all.result[0].json, "common")))
      die("%s and %s: \"common\" differs; rows of one table have the same budget and data", all.result[0].file, all.result[i].file);
  return all;
}

static bool number_at(const json_t *from, const char *path, size_t n, double *v) {
  char *copy = strndup(path, n), *rest = copy;
  if (!copy) die("out of memory");
  for (char *name; from && (name = strsep(&rest, "."));) from = json_object_get(from, name);
  free(copy);
  *v = json_number_value(from);
  return json_is_number(from);
}

static bool figure(const json_t *result, const char *path, double *v) {
  double over, times;
  size_t a = strcspn(path, "/"), b = strcspn(path, "*");
  if (!path[a]) return number_at(result, path, a, v);
  if (b < a || !path[b]) die("%s: expected A/B*C", path);
  if (!number_at(result, path, a, v) || !number_at(result, path + a + 1, b - a - 1, &over) || !number_at(result, path + b + 1, strlen(path + b + 1), &times)) return false;
  *v = *v * times / over;
  return true;
}

static void cell(const Found *all, const char *row, const char *path, int decimals, bool first) {
  double sum = 0, squares = 0, v;
  int n = 0, runs = 0;
  for (int i = 0; i < all->n; i++) {
    const char *name = json_string_value(json_object_get(all->result[i].json, "row"));
    if (!name) die("%s: \"row\": expected a string", all->result[i].file);
    if (strcmp(name, row)) continue;
    runs++;
    if (figure(all->result[i].json, path, &v)) sum += v, squares += v * v, n++;
  }
  if (!runs) printf(" %s |", first ? "not computed yet" : "—");
  else if (!n) printf(" |");
  else if (n == 1) printf(" %.*f |", decimals, sum);
  else printf(" %.*f ± %.*f (%d) |", decimals, sum / n, decimals, sqrt(fmax(0, (squares - sum * sum / n) / (n - 1))), n);
}

// The words of a layout's line: KIND A [B] LABEL; the label is the rest.
typedef struct Layout {
  char *kind, *a, *b, *label;
} Layout;

static Layout layout_line(char *line, const char *file, int at) {
  Layout l = {.kind = strsep(&line, " ")};
  l.a = strsep(&line, " ");
  if (!strcmp(l.kind, "column")) l.b = strsep(&line, " ");
  l.label = line;
  if (!l.label || (strcmp(l.kind, "column") && strcmp(l.kind, "row"))) die("%s:%d: expected row NAME LABEL or column PATH DECIMALS LABEL", file, at);
  return l;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: table LAYOUT DIR\n");
    return 2;
  }
  Lines lines = lines_read(*argv[1] == '/' ? "" : ".", argv[1]);
  Layout row[MOST], column[MOST];
  int rows = 0, columns = 0;
  for (int i = 0; i < lines.n; i++) {
    if (!*lines.line[i] || *lines.line[i] == '#') continue;
    Layout l = layout_line(lines.line[i], argv[1], i + 1);
    if (rows == MOST || columns == MOST) die("%s: more than %d lines", argv[1], MOST);
    if (l.b) column[columns++] = l;
    else row[rows++] = l;
  }
  Found all = read_results(argv[2]);
  printf("| |");
  for (int c = 0; c < columns; c++) printf(" %s |", column[c].label);
  printf("\n|---|");
  for (int c = 0; c < columns; c++) printf("---|");
  for (int r = 0; r < rows; r++) {
    printf("\n| %s |", row[r].label);
    for (int c = 0; c < columns; c++) cell(&all, row[r].a, column[c].a, atoi(column[c].b), !c);
  }
  putchar('\n');
  return 0;
}
