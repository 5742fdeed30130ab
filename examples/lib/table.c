// Draws the table of an experiment from its rows' results, as Markdown.
//
//   table LAYOUT DIR       see results.h
//
// A cell is the mean over the seeds, with ± their standard deviation where there are several; "not computed yet" and dashes where there is no result, "" where
// the row has no such figure.
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
  if (argc != 3) {
    fprintf(stderr, "usage: table LAYOUT DIR\n");
    return 2;
  }
  Layout l = layout_read(argv[1]);
  Results all = results_read(argv[2]);
  printf("| |");
  for (int c = 0; c < l.columns; c++) printf(" %s |", l.column[c].label);
  printf("\n|---|");
  for (int c = 0; c < l.columns; c++) printf("---|");
  for (int r = 0; r < l.rows; r++) {
    printf("\n| %s |", l.row[r].label);
    for (int c = 0; c < l.columns; c++) cell(results_figure(&all, l.row[r].name, l.column[c].path), l.column[c].decimals, !c);
  }
  putchar('\n');
  return 0;
}
