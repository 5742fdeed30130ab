// What eval is asked for and what comes of it, for the files that do it.
#ifndef CALM_RUNTIME_EVALJOB_H
#define CALM_RUNTIME_EVALJOB_H
#include "runtime/commands/command.h"
#include "runtime/commands/contributions.h"
#include "runtime/commands/evalrows.h"
#include "runtime/commands/pace.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct EvalJob {
  const char *title, *data, *path;         // data: what errors call what lies at path
  DataFile *file;              // opened and looked at before the weights were (--memory); NULL
  bool want_loss, want_exact;
  int64_t max_tokens;          // OPT_UNSET: the row's completion and a few more
  int64_t slots, cap;
  FileOut **out;               // what is there of it is NULL without --out, and when it could not be written
  const json_t *said;          // its eval block; NULL
  const char *block, *of;      // what --out calls the job, and who it is of; NULL: nothing
  const char *only_text;       // of --compare, before anything is computed: a model that cannot read ids of the anchor's tokenizer; NULL
  bool *generated;             // whether any row was
  int64_t *wrote;              // lines of --out
  const Options *o;
} EvalJob;

typedef struct EvalResult {
  Contributions without;       // --contributions
  int64_t rows;                // windows of a text are one each
  int64_t exact_rows, exact, generated, finished;        // rows to generate; tokens, and rows that are through
  int64_t bytes;               // that the labelled tokens say; -1: not known
  TextScore text;
  FeedLoss loss;
  double seconds;
} EvalResult;

// evaluate.c. A number that a result has; NaN: it has none.
typedef enum EvalFigure { EVAL_LOSS, EVAL_PERPLEXITY, EVAL_BITS, EVAL_EXACT, EVAL_BLEU, EVAL_CHRF, EVAL_SIMILARITY, EVAL_NUMBER, N_EVAL_FIGURES } EvalFigure;
double eval_figure(const EvalResult *r, EvalFigure f);
// A result as JSON, begun and ended.
json_t *eval_json(const EvalJob *job, const EvalResult *r);
void eval_json_end(const EvalResult *r, json_t *o);
// Loads the weights, where memory allows the largest step, of *cap tokens, or of as many as --memory has room for.
bool eval_load(App *a, const Options *o, int64_t *cap, RtError *e);
// r->without is to be freed either way.
bool eval_take(App *a, const EvalJob *job, EvalResult *r, RtError *e);

// What all rows of the data ask of generation.
typedef struct Tally {
  const Models *m;
  const EvalJob *job;
  EvalRows *each;              // of --out, or NULL
  Pace pace;
  int64_t rows, tokens;
  int64_t pairs, lost;         // rows: those to generate, and those that cannot be
  int64_t longest;             // tokens of the longest when it is through
  int64_t *known;              // by stream, as decoder_new wants it
  bool says;                   // whether to count the bytes that are said
  int64_t bytes;               // as EvalResult's
  int64_t no_bos;              // line of a row whose empty prompt begins with an id that the models do not know; 0
} Tally;

// evaltexts.c. Counts what generation asks of a row.
void evaltexts_tally(Tally *t, const DataRow *r);
// Whether it is one of those that are generated.
bool evaltexts_counts(const Tally *t, const DataRow *r);
// Generates greedily what every row has a completion of, many at a time, and compares.
bool evaltexts_take(App *a, const EvalJob *job, const DataFile *file, const DataOptions *o, const Tally *t, EvalResult *out, RtError *e);
#endif
