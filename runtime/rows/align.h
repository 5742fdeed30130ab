// One conversation as several models' texts, and how much of each an anchor token sees. What models have in common is what messages say: before an answer
// contents, byte by byte as the anchor writes them, and all of what generation would have rendered once the answer begins; within an answer what the anchor
// writes of it, as generation hands it on, whatever a model's own template would make of it. Markup is of zero width: it is seen with what stands behind it.
#ifndef CALM_RUNTIME_ALIGN_H
#define CALM_RUNTIME_ALIGN_H
#include "runtime/template/template.h"

// A model's text of it.
typedef struct Side {
  Rendered r;
  size_t messages;
  bool *answer;                // by message: it is an answer, which begins and stops there in the text
  size_t *start, *stop;
  bool grows;                  // it is one text, and these are places in it
} Side;
Side side_new(size_t messages);
void side_free(Side *s);

// What the anchor says in its answers, without special tokens: stretches of its text, ascending, with the message and where in the answer they stand.
typedef struct Spoken { TemplateRun *run; size_t n; } Spoken;

// Where the content of an answer ends in its own model's text: where it starts, if it has none.
size_t side_content_end(const Side *s, size_t answer);
// Whether a model's own text says each answer but the last as the anchor does, but for white space around it: so that what stands behind it may go on.
bool side_agrees(const Side *s, const Side *anchor, const Spoken *spoken);
// Puts what the anchor says in place of a model's own answers; the anchor's own text stays, and its answers are aligned by it.
void side_answer(Side *s, const Side *anchor, const Spoken *spoken);
void side_answer_own(Side *anchor, const Spoken *spoken);

// How far the anchor has read what each message says, as its text is gone through. What it never writes counts as read with what it writes behind it.
typedef struct Reading {
  const Side *anchor;
  size_t *upto;                // by message: bytes of its content, SIZE_MAX once all that is written of it is, and something behind
  size_t *left;                // by message: runs that have not ended
  bool *written, *ended;       // by message: it has runs; by run: all of it is read, and something behind
  size_t e, run, latest, before;       // bytes of text; the first run that has not ended; the latest message that has begun; those before which nothing is left to say
} Reading;
Reading reading_new(const Side *anchor);
void reading_free(Reading *r);
// On to byte e of the anchor's text, no less than before.
void reading_on(Reading *r, size_t e);

// What of a side is open for good; zeros to begin with.
typedef struct Opened { size_t run, open; } Opened;
// Bytes of s that are open: the longest beginning of it without a byte of content that the anchor has not read.
size_t side_open(const Reading *r, const Side *s, Opened *o);
#endif
