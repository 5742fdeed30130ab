// a op b, as Python has it.
#ifndef CALM_RUNTIME_TEMPLATE_OPERATORS_H
#define CALM_RUNTIME_TEMPLATE_OPERATORS_H
#include "runtime/template/tree.h"

Value v_math(Tp *t, Op op, Value a, Value b);
bool v_compare(Tp *t, Op op, Value a, Value b);
Value v_slice(Tp *t, Value v, Value from, Value to, Value step);       // NONE where nothing is said
Value v_negative(Tp *t, Value v);
#endif
