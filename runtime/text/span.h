// A byte range of the raw text.
#ifndef CALM_RUNTIME_TEXT_SPAN_H
#define CALM_RUNTIME_TEXT_SPAN_H
#include <stdint.h>

typedef struct TokSpan { int64_t begin, end; } TokSpan;
#endif
