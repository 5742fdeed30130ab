// See results.h.
#include "examples/lib/results.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) { return strcmp(((const Result *)a)->file, ((const Result *)b)->file); }

// "common" is every row's; "made", of models that are made for some rows, those rows'.
static void same_settings(const Results *all) {
  const Result *made = NULL;
  for (int i = 0; i < all->n; i++) {
    const Result *r = &all->result[i], *first = &all->result[0];
    if (!json_equal(json_object_get(r->json, "common"), json_object_get(first->json, "common")))
      die("%s and %s: \"common\" differs; rows of one table have the same budget and data", first->file, r->file);
    if (!json_object_get(r->json, "made")) continue;
    if (!made) made = r;
    if (!json_equal(json_object_get(r->json, "made"), json_object_get(made->json, "made")))
      die("%s and %s: \"made\" differs; rows of one table have one m_A", made->file, r->file);
  }
}

Results results_read(const char *dir) {
  Results all = {0};
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
    r->row = json_string_value(json_object_get(r->json, "row"));
    if (!r->row) die("%s: \"row\": expected a string", r->file);
  }
  if (d) closedir(d);
  if (all.n) qsort(all.result, (size_t)all.n, sizeof *all.result, by_name);
  same_settings(&all);
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

const Result *results_of(const Results *all, const char *row) {
  for (int i = 0; i < all->n; i++)
    if (!strcmp(all->result[i].row, row)) return &all->result[i];
  return NULL;
}

Figure results_figure(const Results *all, const char *row, const char *path) {
  Figure f = {0};
  double sum = 0, squares = 0, v;
  for (int i = 0; i < all->n; i++) {
    if (strcmp(all->result[i].row, row)) continue;
    f.runs++;
    if (figure(all->result[i].json, path, &v)) sum += v, squares += v * v, f.n++;
  }
  if (f.n) f.mean = sum / f.n;
  if (f.n > 1) f.spread = sqrt(fmax(0, (squares - sum * f.mean) / (f.n - 1)));
  return f;
}

void figure_print(Figure f, int decimals) {
  if (f.n) printf("%.*f", decimals, f.mean);
  if (f.n > 1 && f.spread > 1e-9 * fabs(f.mean)) printf(" ± %.*f (%d)", decimals, f.spread, f.n);
}

Layout layout_read(const char *file) {
  Layout l = {0};
  Lines lines = lines_read(*file == '/' ? "" : ".", file);
  for (int i = 0; i < lines.n; i++) {
    char *rest = lines.line[i];
    if (!*rest || *rest == '#') continue;
    const char *kind = strsep(&rest, " ");
    char *what = strsep(&rest, " ");
    bool column = !strcmp(kind, "column");
    const char *decimals = column ? strsep(&rest, " ") : NULL;
    if (!rest || (!column && strcmp(kind, "row"))) die("%s:%d: expected row NAME LABEL or column PATH DECIMALS LABEL", file, i + 1);
    if (l.rows == LAYOUT_MOST || l.columns == LAYOUT_MOST) die("%s: more than %d lines", file, LAYOUT_MOST);
    if (column) l.column[l.columns++] = (LayoutColumn){.path = what, .label = rest, .decimals = atoi(decimals)};
    else l.row[l.rows++] = (LayoutRow){.name = what, .label = rest};
  }
  return l;                    // its texts are the file's, kept to the end
}
