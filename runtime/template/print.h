// Values as text: Python's str() and repr(), and JSON as json.dumps writes it.
#ifndef CALM_RUNTIME_TEMPLATE_PRINT_H
#define CALM_RUNTIME_TEMPLATE_PRINT_H
#include "runtime/template/value.h"

Value v_str(Tp *t, Value v);                             // a STR
void put_str(Buf *b, Value v);
void put_repr(Buf *b, Value v);
void put_float(Buf *b, double f);

typedef struct JsonForm {
  bool ascii, sort;
  const char *indent;          // NULL: on one line
  size_t n_indent;
  Value item, key;             // between items, behind a key
} JsonForm;
void put_json(Buf *b, Value v, const JsonForm *f);
#endif
