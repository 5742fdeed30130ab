// Errors of the readers: a message naming the file, key or line, what was found and what was expected. A function that can
// fail takes an RtError* and returns false (or NULL) after filling it; the message is ready to print after "error: ".
#ifndef CALM_RUNTIME_RT_ERROR_H
#define CALM_RUNTIME_RT_ERROR_H
#include <stdbool.h>

// What an error is about, where a user can do something that only the caller has a name for (a program's command: its flags).
typedef enum RtAbout {
  RT_ABOUT_NOTHING,
  RT_ABOUT_USAGE,              // the command line cannot be understood
  RT_ABOUT_MODEL_DIR,          // where a model's files lie
  RT_ABOUT_PRECISION,          // what products multiply
  RT_ABOUT_STEP,               // tokens computed at a time
  RT_ABOUT_MEMORY,             // what any run of the program takes
  RT_ABOUT_BUDGET,             // the memory that the user allows is too little for a row
  RT_ABOUT_CACHES,             // sequences decoded at a time, and their length
  RT_ABOUT_DATA,               // rows to train on
  RT_ABOUT_LONG_ROW,           // a row is longer than a context
  RT_ABOUT_SPEC,               // parameters of other models or tokenizers
  RT_ABOUT_OTHER_DATA,         // a run goes on with other data
  RT_ABOUT_RUN,                // a run is where one is to start
  RT_ABOUT_NO_RUN,             // none is where one is to go on
  RT_ABOUT_CUT_RUN,            // one is, and has nothing to go on from
  RT_ABOUT_RUN_DIR,            // where a run is to be kept
  RT_ABOUT_ANSWERS,            // answers that are there already
  RT_ABOUT_EXPORT,             // a model is where one is to be exported to
  RT_ABOUT_PACK,               // a pack file that is not of now
  RT_ABOUT_PACK_OUT,           // something is where one is to be written
  RT_ABOUT_TEMPLATE,           // a conversation, and no chat template
  RT_ABOUT_STOP,               // the user asked to stop (call.h)
  RT_ABOUT_READER,             // who read what is written went away
} RtAbout;

typedef struct RtError {
  RtAbout about;
  char text[1024];
} RtError;

// Always return false, so that `return rt_fail(e, …)` reads well.
bool rt_fail(RtError *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool rt_fail_about(RtError *e, RtAbout about, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#endif
