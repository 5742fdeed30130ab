// Rows of a data file for the engine: reading them with a program's tokenizers and limits, and packing them into steps.
#ifndef CALM_RUNTIME_FEED_H
#define CALM_RUNTIME_FEED_H
#include "runtime/engine/engine.h"
#include "runtime/rows/ahead.h"
#include "runtime/rows/data.h"
#include "runtime/rows/models.h"

DataOptions feed_options(const Models *m);
// Files up to FEED_WHOLE bytes are looked at whole before anything is computed; of larger ones rows of about FEED_SAMPLE bytes are (data_sample).
enum { FEED_WHOLE = 4 << 20, FEED_SAMPLE = 1 << 20 };
// That look, of a file that is looked at once. What is whole the file holds from now on. Says what contexts do to the rows (feed_tell). NULL on error.
Data *feed_look(const Models *m, DataFile *f, RtError *e);
void feed_looked(const DataFile *f, Data *look);               // done with it; NULL: nothing
// Every row of a file, in memory, likewise.
Data *feed_whole(const Models *m, const DataFile *f, RtError *e);
// Warns where rows were cut, notes where texts became windows: of all rows of the file, or of a sample, which is said.
void feed_tell(const Models *m, const char *path, const Data *d);
int64_t feed_longest(const Data *d);                            // most tokens a row's training takes of a stream
int64_t feed_longest_of_all(const Data *d);                     // 0: some rows were not looked at

// Rows through an entry, in steps that they share as long as they fit; a row that is longer than `cap` goes alone.
typedef struct FeedSteps {
  Engine *en;
  Step *step;
  int entry;
  bool whole;                  // every token of a row, every position wanted; otherwise what training takes of it (row_add)
  Frozen *frozen;              // the live part of an entry: what gives it the rest; else NULL
  int64_t cap;                 // most tokens of a stream in a step
  bool lean;                   // `entry` trains: a row for which it would take more memory than may be goes through entry lean
  const DataFile *file;        // of the rows, for errors; NULL: of `path`
  const char *path;
  int ran;                     // the entry that the step at hand went through
  int64_t room;                // for so many there is room in the engine
} FeedSteps;
// Makes room in the engine for steps of the cap, and for a row of `longest` tokens. Longer rows get it when they come, as far as a step may take it
// (Arena.most); else they are an error, RT_ABOUT_BUDGET.
bool feed_room(FeedSteps *f, int64_t longest, RtError *e);
// Runs n rows. each (may be NULL) is told after every step which of them it held, while the entry's outputs lie in the engine: sequence i of
// the step is row first + i with `whole`; rows without a labelled token take part in no step otherwise. gscale: see row_add.
// False and an error where there is no room for a row, and where the host asks to stop (rt_stopped).
bool feed_steps(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, void (*each)(void *user, int64_t first, int64_t rows), void *user,
                RtError *e);
// Told of a row once its loss is known, summed over its labelled tokens, in the order of the rows; one without such a token too.
typedef struct FeedEach {
  void (*tell)(void *user, const DataRow *r, double nll);
  void *user;
} FeedEach;
// Adds the summed loss of their labelled tokens to *nll, in double, in row order, by an entry that gives "nll"; and how many they are to *labelled (may be NULL).
// each may be NULL.
bool feed_nll(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, double *nll, int64_t *labelled, const FeedEach *each, RtError *e);
const DataRow **data_rows(const Data *d);                      // all of them in the file's order; to be freed

// Loss of every row by entry `loss`, in steps of at most `cap` tokens. Rows are read beside the steps where the program has more than one thread.
typedef struct FeedLoss {
  double nll;
  int64_t labelled, tokens, rows;          // rows: windows of a text are one each
} FeedLoss;
// frozen: of entry loss, or NULL. each may be NULL.
bool feed_loss(Engine *en, Step *s, const DataFile *f, const DataOptions *o, int64_t cap, Frozen *frozen, const FeedEach *each, FeedLoss *out, RtError *e);
// The same of one of its files.
bool feed_loss_of(Engine *en, Step *s, const DataFile *f, int part, const DataOptions *o, int64_t cap, Frozen *frozen, const FeedEach *each, FeedLoss *out, RtError *e);
#endif
