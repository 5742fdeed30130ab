// What a template computes with: Python's values, as far as Jinja templates meet them. Nothing of a value changes once it is made, but a namespace,
// the place in a generator and the state of a loop's cycle or a joiner.
#ifndef CALM_RUNTIME_TEMPLATE_VALUE_H
#define CALM_RUNTIME_TEMPLATE_VALUE_H
#include <string.h>

#include "runtime/template/state.h"
#include "runtime/template/template.h"

typedef enum Kind {
  UNDEFINED,                   // text: what is not defined, for messages
  NONE,
  BOOL,                        // i
  INT,                         // i
  FLOAT,                       // f
  STR,
  LIST, TUPLE, RANGE, VIEW,    // list; VIEW: of a dict's keys, values or items
  GENERATOR,                   // list, of which the first `i` are used up: i lies in list->used
  DICT,                        // dict
  NAMESPACE,                   // dict, whose members can be set
  LOOP, MACRO, FUNCTION, METHOD, CYCLER, JOINER,         // object
} Kind;

typedef struct Runs {          // which bytes of a string come from where
  size_t n;
  TemplateRun run[];
} Runs;

struct List;
struct Dict;
typedef struct Value {
  Kind kind;
  bool markup;                 // STR: went through |safe or |escape
  union {
    int64_t i;
    double f;
    struct { const char *s; size_t n; const Runs *runs; };       // valid UTF-8, no NUL behind it; runs may be NULL
    struct List *list;
    struct Dict *dict;
    void *object;
  };
} Value;

typedef struct List {
  Value *at;
  size_t n, cap, used;
} List;

typedef struct Dict {
  Value *key, *value;
  size_t n, cap;
} Dict;

typedef struct Buf {           // a text that grows
  Tp *t;
  char *s;
  size_t n, cap;
  TemplateRun *run;
  size_t n_runs, cap_runs;
} Buf;

static inline Value v_undefined(const char *what) { return (Value){.kind = UNDEFINED, .s = what}; }
static inline Value v_none(void) { return (Value){.kind = NONE}; }
static inline Value v_bool(bool b) { return (Value){.kind = BOOL, .i = b}; }
static inline Value v_int(int64_t i) { return (Value){.kind = INT, .i = i}; }
static inline Value v_float(double f) { return (Value){.kind = FLOAT, .f = f}; }
static inline Value v_text(const char *s, size_t n) { return (Value){.kind = STR, .s = s, .n = n}; }
Value v_cstr(const char *s);                             // borrowed
Value v_list(Tp *t, Kind kind, size_t cap);
Value v_dict(Tp *t);
void list_add(Tp *t, List *l, Value v);
const Value *dict_find(Tp *t, const Dict *d, Value key); // NULL: none
const Value *dict_named(const Dict *d, const char *key);
void dict_set(Tp *t, Dict *d, Value key, Value value);
Value v_of_json(Tp *t, const json_t *j);
// The same of messages: content has its runs.
Value v_of_messages(Tp *t, const json_t *messages, size_t n);

static inline bool is_text(Value v, const char *s) { return v.kind == STR && v.n == strlen(s) && !memcmp(v.s, s, v.n); }
static inline bool is_listed(Value v) { return v.kind >= LIST && v.kind <= GENERATOR; }
const char *v_kind(Value v);                             // as Python names it
bool v_true(Value v);
bool v_equal(Tp *t, Value a, Value b);
int v_order(Tp *t, Value a, Value b);                    // < 0, 0, > 0; an error where Python has none
bool v_in(Tp *t, Value x, Value in);
int64_t v_length(Tp *t, Value v);                        // an error where it has none
// All that iterating over v gives, in a list (v's own where it is one); a generator is used up. An error where v cannot be iterated over.
List *v_items(Tp *t, Value v);
_Noreturn void fail_undefined(Tp *t, Value v);

// Strings, which keep where their bytes come from.
Value s_part(Tp *t, Value s, size_t begin, size_t end);  // bytes
Value s_join2(Tp *t, Value a, Value b);
Buf buf_new(Tp *t);
void buf_put(Buf *b, const char *s, size_t n);
void buf_str(Buf *b, const char *s);
void buf_text(Buf *b, Value s);
void buf_generated(Buf *b, size_t from);                 // all from there on was written inside a generation block
Value buf_value(Buf *b);
size_t s_chars(Value s);
size_t s_byte_of(Value s, size_t chars);                 // where that character begins; n beyond the last
bool is_space(uint32_t c);                               // as Python's str.isspace
#endif
