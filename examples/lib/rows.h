// What the data makers of low_resource and code share: files of lines, sets of texts, rows of JSON. What fails ends the program with a line.
#ifndef CALM_EXAMPLES_ROWS_H
#define CALM_EXAMPLES_ROWS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Ends the program with status 1 and "error: …".
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *grow(void *p, size_t n, size_t size);          // realloc of n things, or die

// The whole of DIR/NAME with a 0 behind it, without a byte order mark; the caller frees it. *n: its bytes, or NULL.
char *file_read(const char *dir, const char *name, size_t *n);

typedef struct Lines {
  char *text;                  // owns the characters
  char **line;                 // without the white space around them, empty ones too
  int n;
} Lines;
Lines lines_read(const char *dir, const char *name);
char *trimmed(char *s);        // in place
char *first_line(char *s);     // the first with text, trimmed, in place
int characters(const char *utf8);
int taken(int k, int most, int n);                   // the k-th of `most` of n that are taken at equal distances, from the first to the last
void answer_line(int indent, int width, const char *label, const char *s);   // prints what a model answered in one line, whatever lines it has

// Texts shorter than this, in letters and digits, are not looked for in other parts: "return self", "Habari za leo" stand everywhere.
enum { HELD_LEAST = 24 };

// A set of texts, equal where their letters and digits are (ASCII letters of either case; bytes beyond ASCII count as letters).
typedef struct TextSet {
  char **key;
  size_t n, room;
} TextSet;
// Adds what is at least `least` letters and digits long; 0: it was there, or is too short.
bool set_add(TextSet *s, const char *text, int least);
bool text_same(const char *a, const char *b);
bool set_has(const TextSet *s, const char *text);

// Rows that are to be written to one file.
typedef struct Rows {
  json_t **row;
  int n, room;
} Rows;
// Owns `row` from then on; NULL: no memory, which ends the program.
void rows_add(Rows *r, json_t *row);
void rows_shuffle(Rows *r, uint64_t *seed);
// Keeps the first n.
void rows_cut(Rows *r, int n);
// Leaves out the first n, or all.
void rows_skip(Rows *r, int n);
// Writes DIR/NAME, prints its name and rows, and empties r.
void rows_write(Rows *r, const char *dir, const char *name);

// The JSON of line i of a file of rows; flags: jansson's, of decoding. The string at a key of one, borrowed. What is none is named by file and line.
json_t *row_read(const Lines *rows, int i, const char *file, size_t flags);
const char *row_string(const json_t *row, const char *key, const char *file, int line);

// {"prompt": prompt, "completion": completion, "row": row, "task": task}
json_t *row_pair(const char *prompt, const char *completion, int row, const char *task);
// The same with the prompt LABEL FROM \n ASKED and the completion " " TO.
json_t *row_asked(const char *label, const char *from, const char *asked, const char *to, int row, const char *task);
json_t *row_text(const char *text, const char *task);

// A maker's sizes, each with its default, settable as NAME=N on the command line.
typedef struct Size {
  const char *name;
  int value;
} Size;
typedef struct MakerArgs {
  const char *source, *dir;
  uint64_t seed;
} MakerArgs;
// SOURCE DIR SEED [NAME=N …], as every maker takes them; anything else ends the program with status 2. The n sizes get what is given.
MakerArgs maker_args(int argc, char **argv, Size *size, int n);
#endif
