// JSONL rows to token ids: one JSON object a line; a byte order mark may stand before the first.
//   {"text"}                     every token is trained on (after BOS)
//   {"prompt", "completion"}     encoded separately and joined; loss on the completion and a final end-of-text token
//   {"messages"}, {"conversations"}, {"instruction", "input", "output"}    conversations, rendered with chat templates; loss on the answers (chat.h)
//   {"input_ids", "labels"}      as they are; -100 = not trained; needs no tokenizer
#ifndef CALM_RUNTIME_DATA_H
#define CALM_RUNTIME_DATA_H
#include <time.h>

#include "runtime/files/files.h"
#include "runtime/rows/bytes.h"
#include "runtime/rows/follow.h"
#include "runtime/text/text.h"

typedef struct DataRow {
  int32_t *ids, *labels;        // n each; labels[i] is ids[i] where that token is trained on, otherwise -100
  int64_t n;
  int64_t prompt_n;             // tokens before the completion (0 for text rows)
  const char *prompt;           // raw text, which may hold any character, prompt_len bytes of it; NULL for rows of other kinds
  size_t prompt_len;
  bool numbers;                 // {"input_ids", "labels"}
  bool asked;                   // a conversation that begins with another's words than the assistant's, whose answers alone are to be trained on
  int64_t line;                 // 1-based line in the file
  int64_t row, window;          // which row of the file, and which window of it (0 but for a text longer than a context, or an answer of a conversation)
  Follow *follow;               // the streams that follow the anchor's; NULL where there is one stream
  bool held;                    // what it points to is the file's (data_hold)
} DataRow;
// Labelled tokens that something predicts: the first has nothing before it.
int64_t row_labelled(const DataRow *r);

// What a context did to the rows that are longer.
typedef struct DataLimit {
  int64_t out, cut;             // rows that were left out, and those whose prompts were cut
  int64_t split, windows;       // rows of text that became several windows, and how many they became
  int64_t widest;               // tokens of the longest window
} DataLimit;

typedef struct DataOptions {
  const Tokenizer *tok;         // NULL: only input_ids rows are possible
  const TextEnds *ends;         // what ends a text: appended (labelled) to a completion that does not bring an end
  int64_t vocab;                // ids must be below this
  const Streams *streams;       // the program's; NULL: the anchor's alone
  int64_t context;              // of the anchor's stream: longer texts are split into windows
  bool alone;                   // one model of a composition by itself: what augments would read of their own is nobody's
  const char *only_text;        // a model's name: rows of ids are refused, for they are not its; NULL: they are read
  int too_long;                 // TOO_LONG_*: what becomes of longer rows of other kinds (cut.h)
  bool train_all;               // of conversations, not the answers alone
  struct tm date;               // today's, for chat templates that ask
  const ByteRule *bytes;        // rows that it decides are not tokenized, and no row comes of them (bytes.h); NULL: none
  bool form;                    // texts are not tokenized: only what bytes decide is looked at, UTF-8, JSON, keys and their kinds, and no row comes of it
} DataOptions;

// What bytes decide of rows that are read so; NULL: nothing.
static inline ByteRule *data_byte_rule(const DataOptions *o) { return byte_rule(o->tok, o->ends, o->streams, o->vocab, o->context); }

// The same for a thread of its own: tokenizers change while they are used, so it has shares of them, which end with it.
typedef struct DataShare {
  DataOptions o;
  Streams streams;
  struct Chat *chat;           // by stream
  Tokenizer *tok;
} DataShare;
void data_share(DataShare *own, const DataOptions *theirs);      // own stays where it is
void data_share_end(DataShare *own);

// A file that rows are read from, and its share: of the rows of an epoch, by what the shares of all of its files come to. 0 of all of them: every row comes once.
typedef struct DataSource {
  const char *path;
  double share;
} DataSource;

typedef struct DataPart {
  Lines lines;                 // read-only once open, for any number of threads
  int64_t first;               // its first row, of those of all parts
  double share;                // of 1; 0: it has none
  int64_t taken;               // rows of an epoch that are its own
} DataPart;

// Files of rows, which holds none of them, or all (data_hold). Rows are counted from 0, one file behind the other, each in its own order.
typedef struct DataFile {
  DataPart *part;
  int nparts;
  int64_t rows;                // of all parts, and of an epoch
  char *name;                  // for messages about all of it
  struct Data *held;           // every row, where it is small; NULL
  int64_t *first;              // by row, and one more: where its windows begin in it
} DataFile;
// NULL and an error, also where it holds no row. data_close is due.
DataFile *data_open(const char *path, RtError *e);
DataFile *data_open_piped(const char *path, RtError *e);        // it may be standard input ("-") or a pipe
// Several (n > 0). An error also where only some have a share, where one is so small that no row comes of it, and where a file is given twice.
DataFile *data_open_all(const DataSource *from, int n, RtError *e);
void data_close(DataFile *f);
static inline int64_t data_count(const DataFile *f) { return f->rows; }
static inline const char *data_path(const DataFile *f) { return f->name; }
static inline bool data_mixed(const DataFile *f) { return f->part[0].share > 0; }
// Where a row stands: its part, the file, the number of its line in that.
const DataPart *data_part(const DataFile *f, int64_t row);
const char *data_path_of(const DataFile *f, int64_t row);
int64_t data_line_of(const DataFile *f, int64_t row);
int64_t data_bytes_of(const DataFile *f, int64_t row);          // of its line
bool data_text(const DataFile *f, int64_t row, LineText *t, RtError *e);        // that line: lines_text
int64_t data_bytes(const DataFile *f);                          // of all files
// How many rows of an epoch of `rows` are whose, by n shares that are above 0: each within one of what its share asks for, and `rows` together.
void data_apportion(const double *share, int n, int64_t rows, int64_t *taken);
// Whether texts of augments' own, or conversations, may stand in one of the files (files/lines).
bool data_augments(const DataFile *f);
bool data_talks(const DataFile *f);

// Rows that were read, each window of a text as one. One thread's.
typedef struct Data {
  DataRow *row;
  int64_t n, cap;
  int64_t tokens, labelled;     // sums
  int64_t windows, trained;     // and of these, how many there were, and how many had something to train on
  int64_t rewritten, turns;     // conversations whose answers became rows of their own, and how many
  int64_t looked, of;           // so many rows of a file were read, of those that it has
  int64_t decided;              // of them by their bytes alone, and counted in nothing else
  int64_t texts;                // of them so many are a text, or two
  int64_t own, given;           // rows where augments have texts of their own; of these, those where one holds what is to be completed
  int64_t nlimit;
  DataLimit *limit;             // by stream (the anchor's alone is one): what its context did
  LineText text;
} Data;
Data *data_new(const DataOptions *o);
void data_clear(Data *d);       // forgets the rows, not what was counted
void data_row_free(DataRow *r); // what it points to, unless that is a file's
void data_free(Data *d);
static inline bool data_whole(const Data *d) { return d->looked == d->of; }
void data_uncount(Data *d);     // forgets what was counted
// Adds what was counted of `from`.
void data_count_in(Data *d, const Data *from);

// Keeps all rows of the file, as data_sample read them, for those who read it later: once for many epochs. d is the file's now.
void data_hold(DataFile *f, Data *d);

// What a look at a file tells of one of its parts.
typedef struct DataPartCount {
  int64_t looked;              // rows of it that were read, and are there
  int64_t tokens, labelled;    // in these
  int64_t trained, trained_tokens;       // windows that have something to train on, and their tokens
} DataPartCount;
DataPartCount data_count_part(const DataFile *f, const Data *look, int part);

#endif
