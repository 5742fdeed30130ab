// The results of an experiment's rows, as experiment.sh leaves them, and the layout of their table. What cannot be read ends the program with a line.
#ifndef CALM_EXAMPLES_RESULTS_H
#define CALM_EXAMPLES_RESULTS_H
#include "examples/lib/rows.h"

typedef struct Result {
  char file[512];
  json_t *json;
  const char *row;             // its name, in json
} Result;
typedef struct Results {
  Result *result;              // by their files' names
  int n, room;
} Results;
// Those of DIR, files ROW-SEED.json. Results of which no table can be drawn are refused: of other budgets, data or models.
Results results_read(const char *dir);
// The first of a row; NULL: it was not computed.
const Result *results_of(const Results *all, const char *row);

// The mean over a row's results of what PATH names (through objects by dots; "A/B*C": the product of A and C over B) and its standard deviation.
typedef struct Figure {
  int runs, n;                 // results of the row; those that have the figure
  double mean, spread;         // spread: 0 for fewer than two
} Figure;
Figure results_figure(const Results *all, const char *row, const char *path);
// "MEAN", or "MEAN ± SPREAD (N)" where results differ; nothing where there is none.
void figure_print(Figure f, int decimals);

// Lines of "row NAME LABEL" and "column PATH DECIMALS LABEL".
enum { LAYOUT_MOST = 64 };
typedef struct LayoutRow { char *name, *label; } LayoutRow;
typedef struct LayoutColumn { char *path, *label; int decimals; } LayoutColumn;
typedef struct Layout {
  LayoutRow row[LAYOUT_MOST];
  LayoutColumn column[LAYOUT_MOST];
  int rows, columns;
} Layout;
Layout layout_read(const char *file);
#endif
