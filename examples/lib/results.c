// See results.h.
#include "examples/lib/results.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) { return strcmp(((const Result *)a)->file, ((const Result *)b)->file); }

// What results of one table have in common: VALUE of OBJECT (NULL: the object itself), in any two that have it.
static const struct { const char *object, *value; bool of_made, of_row; const char *why; } shared[] = {   // of_made: only of rows with m_A; of_row: only within a row
  {"common", NULL, false, false, "rows of one table have the same budget and data"},
  {"made", NULL, true, false, "rows of one table have one m_A"},
  {"hashes", "augment", true, false, "rows of one table have one m_A"},
  {"hashes", "anchor", false, false, "rows of one table have one m_B"},
  {"hashes", "spec", false, true, "seeds of one row have one spec"},
};

static void same_settings(const Result *one, const Result *other) {
  const bool made = json_object_get(one->json, "made") && json_object_get(other->json, "made");
  for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
    if ((shared[i].of_made && !made) || (shared[i].of_row && strcmp(one->row, other->row))) continue;
    const json_t *a = json_object_get(one->json, shared[i].object), *b = json_object_get(other->json, shared[i].object);
    if (shared[i].value) a = json_object_get(a, shared[i].value), b = json_object_get(b, shared[i].value);
    if (a && b && !json_equal(a, b)) die("%s and %s: \"%s\" differs; %s", one->file, other->file, shared[i].value ? shared[i].value : shared[i].object, shared[i].why);
  }
}

// A result under another's name would be counted as another seed.
static void named_as_it_is(const Result *r, const char *name) {
  char expected[512];
  snprintf(expected, sizeof expected, "%s-%" JSON_INTEGER_FORMAT ".json", r->row, json_integer_value(json_object_get(r->json, "seed")));
  if (strcmp(name, expected)) die("%s: by its \"row\" and \"seed\" it should be called %s", r->file, expected);
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
    named_as_it_is(r, e->d_name);
  }
  if (d) closedir(d);
  if (all.n) qsort(all.result, (size_t)all.n, sizeof *all.result, by_name);
  for (int i = 1; i < all.n; i++)
    for (int j = 0; j < i; j++) same_settings(&all.result[j], &all.result[i]);
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
