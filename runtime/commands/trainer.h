// A training, as its files see it: train.c runs it, trainopen.c opens what it starts with and works on, trainkeep.c keeps what it comes to.
#ifndef CALM_RUNTIME_COMMANDS_TRAINER_H
#define CALM_RUNTIME_COMMANDS_TRAINER_H
#include "runtime/commands/budget.h"
#include "runtime/commands/choose.h"
#include "runtime/commands/command.h"
#include "runtime/commands/frozen.h"
#include "runtime/commands/rundata.h"
#include "runtime/commands/rundir.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Trainer {
  App app;
  Engine *en;                  // the app's
  TrainSettings set;
  TrainState st;
  DataFile *data, *held;
  Data *look, *look_held;      // at them, until training begins
  DataOptions rows;            // how they are read
  Ahead *ahead;                // of data
  ByteRule *bytes;             // what it goes by
  Check *check;                // of all of it, beside; NULL: it is known to be good, or cannot be known
  const FeedBatch *batch;      // of this optimizer step
  FeedPlace at;                // behind the last step's
  char *step_words;
  FeedSteps steps;
  FrozenRun frozen;
  TrainBudget budget;          // how much is computed at a time
  Identity id;
  Chosen chosen;               // set, and why
  json_t *kept;                // what theta.json has of the run
  Checkpoint *from;            // what it starts with: of the run gone on with (texts of `set` and `st` are borrowed from it), or --params; NULL
  RunDir dir;
  RunData run_data;
  CheckpointDraft *best;       // of the best parameters so far, to be put in best/ with the next last/; NULL: best/ has them
  TrainLog *log;
  TrainTable curves;           // what the report has read of it
  double *each;                // the last look's loss of each held-out file
  double told;                 // when the last line of progress was shown
  int64_t dead_since;          // the first of the last steps whose gradient was 0, or 0
  bool diverged;               // that the loss is far above the first was said
  double first_loss, last_loss;             // of this call: of the first step; the mean of its last steps, a tenth of all
  int64_t until;               // the step to stop after
  bool nothing;                // left to do
  bool tty, half_line;         // is standard error a terminal; is its last line one that the next takes the place of
  int64_t done_at_start, saved_step;
  double started, saved, seconds_before;    // before: in the run that is gone on with
} Trainer;
#endif
