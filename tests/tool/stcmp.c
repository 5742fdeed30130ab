// stcmp A B [--key GLOB] [--tol X | --exact | --differ X] [--rows N]: compares the tensors that both safetensors files hold (of the same name,
// or A's KEY with B's KEY2 by --as KEY KEY2), f32 or i64. The error of a tensor is its largest difference over the largest magnitude in B; of whole
// numbers, which are equal or not, infinite.
//   --tol X      fails when a tensor's error is above X          --exact    fails when any bit differs
//   --differ X   fails unless some tensor's error is above X     --rows N   looks at the first N rows (leading extent) only
//   --after      the rows from N on instead                      --last     looks at the last row only
// Prints the worst tensor. Exit status 0 fine, 1 not, 2 usage.
#include <fnmatch.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/safetensors.h"

typedef struct Job {
  const char *key, *as;
  double tol, differ;
  bool exact, after, last;
  long rows;
  double worst;
  const char *worst_name;
  int compared;
  bool same_bits;
} Job;

static int64_t elems(const StTensor *t) { return t->elems; }

// Whole numbers are equal or infinitely far apart.
static void compare_whole(Job *j, const StTensor *a, const StTensor *b, int64_t lo, int64_t hi) {
  const int64_t *x = a->data, *y = b->data;
  j->compared++;
  if (hi <= lo || !memcmp(x + lo, y + lo, (size_t)(hi - lo) * sizeof *x)) return;
  j->same_bits = false;
  j->worst = INFINITY;
  j->worst_name = a->name;
}

static bool compare(Job *j, const StTensor *a, const StTensor *b) {
  bool whole = a->dtype == DT_I64;
  if (a->dtype != b->dtype || (!whole && a->dtype != DT_F32)) return true;
  if (elems(a) != elems(b)) {
    printf("%s: %lld elements, %lld expected\n", a->name, (long long)elems(a), (long long)elems(b));
    return false;
  }
  int64_t width = a->rank && a->shape[0] ? elems(a) / a->shape[0] : 1, lo = 0, hi = elems(a);
  if (j->rows >= 0) {
    if (j->after) lo = j->rows * width < hi ? j->rows * width : hi;
    else hi = j->rows * width < hi ? j->rows * width : hi;
  }
  if (j->last && hi > width) lo = hi - width;
  if (whole) {
    compare_whole(j, a, b, lo, hi);
    return true;
  }
  const float *x = a->data, *y = b->data;
  double top = 0, diff = 0;
  for (int64_t i = lo; i < hi; i++) {
    top = fmax(top, fabs((double)y[i]));
    double d = fabs((double)x[i] - (double)y[i]);
    diff = d > diff || isnan(d) ? d : diff;
  }
  if (hi > lo && memcmp(x + lo, y + lo, (size_t)(hi - lo) * sizeof *x)) j->same_bits = false;
  double error = top > 0 ? diff / top : diff;
  j->compared++;
  if (!(error <= j->worst)) {
    j->worst = error;
    j->worst_name = a->name;
  }
  return true;
}

static bool parse(int argc, char **argv, Job *j) {
  for (int i = 3; i < argc; i++) {
    bool more = i + 1 < argc;
    if (!strcmp(argv[i], "--exact")) j->exact = true;
    else if (!strcmp(argv[i], "--after")) j->after = true;
    else if (!strcmp(argv[i], "--last")) j->last = true;
    else if (!strcmp(argv[i], "--key") && more) j->key = argv[++i];
    else if (!strcmp(argv[i], "--as") && more) j->as = argv[++i];
    else if (!strcmp(argv[i], "--tol") && more) j->tol = atof(argv[++i]);
    else if (!strcmp(argv[i], "--differ") && more) j->differ = atof(argv[++i]);
    else if (!strcmp(argv[i], "--rows") && more) j->rows = atol(argv[++i]);
    else return false;
  }
  return argc >= 3 && (j->exact || j->tol >= 0 || j->differ >= 0);
}

int main(int argc, char **argv) {
  Job j = {.key = "*", .tol = -1, .differ = -1, .rows = -1, .worst_name = "", .same_bits = true};
  if (!parse(argc, argv, &j)) {
    fprintf(stderr, "usage: stcmp A B [--key GLOB] [--as NAME] [--tol X | --exact | --differ X] [--rows N [--after] | --last]\n");
    return 2;
  }
  RtError e;
  Safetensors *a = st_open_file(argv[1], false, &e), *b = a ? st_open_file(argv[2], false, &e) : NULL;
  if (!b) {
    fprintf(stderr, "%s\n", e.text);
    return 1;
  }
  bool ok = true;
  for (int i = 0; i < st_count(a); i++) {
    const StTensor *t = st_at(a, i), *o = st_find(b, j.as ? j.as : t->name);
    if (fnmatch(j.key, t->name, 0) || !o) continue;
    ok = compare(&j, t, o) && ok;
  }
  printf("%d tensors, worst %.3g (%s)%s\n", j.compared, j.worst, j.worst_name, j.same_bits ? ", equal bits" : "");
  if (!j.compared) ok = false;
  if (j.exact && !j.same_bits) ok = false;
  if (j.tol >= 0 && !(j.worst <= j.tol)) ok = false;
  if (j.differ >= 0 && !(j.worst > j.differ)) ok = false;
  return ok ? 0 : 1;
}
