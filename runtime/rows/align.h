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

// Bytes of s that are open once e bytes of the anchor's text are: the longest beginning of it without a byte of content that the anchor has not read. What the
// anchor never writes counts as read with what it writes behind it. upto: room for a number by message.
size_t side_open(const Side *anchor, const Side *s, size_t e, size_t *upto);
#endif
