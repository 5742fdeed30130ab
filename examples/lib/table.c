// Draws the table of an experiment from its rows' results, as Markdown.
//
//   table LAYOUT DIR [--there]       see results.h; --there: without the rows that have no result
//
// A cell is the mean over the seeds, with ± their standard deviation where there are several; "not computed yet" and dashes where there is no result, "" where
// the row has no such figure.
#include <string.h>

#include "examples/lib/results.h"

static void cell(Figure f, int decimals, bool first) {
  if (!f.runs) printf(" %s |", first ? "not computed yet" : "—");
  else if (!f.n) printf(" |");
  else {
    putchar(' ');
    figure_print(f, decimals);
    printf(" |");
  }
}

int main(int argc, char **argv) {
  const bool there = argc == 4 && !strcmp(argv[3], "--there");
  if (argc != 3 + there) {
    fprintf(stderr, "usage: table LAYOUT DIR [--there]\n");
    return 2;
  }
  Layout l = layout_read(argv[1]);
  Results all = results_read(argv[2]);
  printf("| |");
  for (int c = 0; c < l.columns; c++) printf(" %s |", l.column[c].label);
  printf("\n|---|");
  for (int c = 0; c < l.columns; c++) printf("---|");
  for (int r = 0; r < l.rows; r++) {
    if (there && !results_of(&all, l.row[r].name)) continue;
    printf("\n| %s |", l.row[r].label);
    for (int c = 0; c < l.columns; c++) cell(results_figure(&all, l.row[r].name, l.column[c].path), l.column[c].decimals, !c);
  }
  putchar('\n');
  return 0;
}
