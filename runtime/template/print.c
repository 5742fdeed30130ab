// See print.h.
#include "runtime/template/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// The shortest digits that read back as f, with an exponent where Python's repr has one.
void put_float(Buf *b, double f) {
  char d[40], out[400];
  if (isnan(f) || isinf(f)) {
    buf_str(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
    return;
  }
  int digits = 1;
  for (; digits < 18; digits++) {
    snprintf(d, sizeof d, "%.*e", digits - 1, f);
    if (strtod(d, NULL) == f) break;
  }
  int e = atoi(strchr(d, 'e') + 1);
  if (e < -4 || e >= 16) {                               // 1e-05, 1.5e+16
    char *at = strchr(d, 'e');
    snprintf(out, sizeof out, "%.*se%c%02d", (int)(at - d), d, e < 0 ? '-' : '+', abs(e));
  } else {
    int behind = digits - 1 - e;
    snprintf(out, sizeof out, "%.*f", behind > 1 ? behind : 1, f);
  }
  buf_str(b, out);
}

static void put_int(Buf *b, int64_t i) {
  char s[32];
  snprintf(s, sizeof s, "%lld", (long long)i);
  buf_str(b, s);
}

// A string as Python writes it down: in ' unless it holds one and no ".
static void put_quoted(Buf *b, Value s) {
  bool single = memchr(s.s, '\'', s.n) != NULL, twice = memchr(s.s, '"', s.n) != NULL;
  char q = single && !twice ? '"' : '\'', code[16];
  buf_put(b, &q, 1);
  for (size_t at = 0, k; at < s.n; at += k) {
    uint32_t c;
    k = rt_utf8_next(s.s + at, &c);
    if (c == '\\' || c == (uint32_t)q) snprintf(code, sizeof code, "\\%c", (int)c);
    else if (c == '\n' || c == '\r' || c == '\t') snprintf(code, sizeof code, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (c < 0x20 || (c >= 0x7F && c < 0xA1) || c == 0xAD) snprintf(code, sizeof code, "\\x%02x", c);
    else if (c > 0x7F && c <= 0xFFFF && (is_space(c) || (c >= 0xE000 && c <= 0xF8FF) || (c >= 0x200B && c <= 0x200F) || c == 0xFEFF)) snprintf(code, sizeof code, "\\u%04x", c);
    else {
      buf_put(b, s.s + at, k);
      continue;
    }
    buf_str(b, code);
  }
  buf_put(b, &q, 1);
}

static void put_listed(Buf *b, Value v) {
  const char *open = v.kind == LIST ? "[" : "(", *close = v.kind == LIST ? "]" : v.list->n == 1 ? ",)" : ")";
  buf_str(b, open);
  for (size_t i = 0; i < v.list->n; i++) {
    if (i) buf_str(b, ", ");
    put_repr(b, v.list->at[i]);
  }
  buf_str(b, close);
}

void put_repr(Buf *b, Value v) {
  tp_enter(b->t);
  tp_spend(b->t, 1);
  switch (v.kind) {
    case UNDEFINED: buf_str(b, "Undefined"); break;
    case NONE: buf_str(b, "None"); break;
    case BOOL: buf_str(b, v.i ? "True" : "False"); break;
    case INT: put_int(b, v.i); break;
    case FLOAT: put_float(b, v.f); break;
    case STR:
      if (v.markup) tp_fail(b->t, "a string that went through |safe cannot be written inside another value");
      put_quoted(b, v);
      break;
    case LIST: case TUPLE: put_listed(b, v); break;
    case DICT:
      buf_str(b, "{");
      for (size_t i = 0; i < v.dict->n; i++) {
        if (i) buf_str(b, ", ");
        put_repr(b, v.dict->key[i]);
        buf_str(b, ": ");
        put_repr(b, v.dict->value[i]);
      }
      buf_str(b, "}");
      break;
    default: tp_fail(b->t, "a %s cannot be written", v_kind(v));
  }
  b->t->depth--;
}

void put_str(Buf *b, Value v) {
  if (v.kind == STR) buf_text(b, v);
  else if (v.kind != UNDEFINED) put_repr(b, v);
}

Value v_str(Tp *t, Value v) {
  if (v.kind == STR) return v;
  Buf b = buf_new(t);
  put_str(&b, v);
  return buf_value(&b);
}

// --- JSON

static void put_json_string(Buf *b, Value s, bool ascii) {
  char code[16];
  buf_put(b, "\"", 1);
  for (size_t at = 0, k; at < s.n; at += k) {
    uint32_t c;
    k = rt_utf8_next(s.s + at, &c);
    const char *plain = "\"\\\n\r\t\f\b", *name = c && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (name) snprintf(code, sizeof code, "\\%c", "\"\\nrtfb"[name - plain]);
    else if (c < 0x20) snprintf(code, sizeof code, "\\u%04x", c);
    else if (ascii && c > 0xFFFF) snprintf(code, sizeof code, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    else if (ascii && c > 0x7F) snprintf(code, sizeof code, "\\u%04x", c);
    else {
      buf_put(b, s.s + at, k);
      continue;
    }
    buf_str(b, code);
  }
  buf_put(b, "\"", 1);
}

static void new_line(Buf *b, const JsonForm *f, int depth) {
  if (!f->indent) return;
  buf_str(b, "\n");
  for (int i = 0; i < depth; i++) buf_put(b, f->indent, f->n_indent);
}

static void put_json_at(Buf *b, Value v, const JsonForm *f, int depth);

static void put_json_key(Buf *b, Value key, const JsonForm *f) {
  if (key.kind == STR) put_json_string(b, key, f->ascii);
  else if (key.kind < NONE || key.kind > FLOAT) tp_fail(b->t, "tojson: a %s cannot be a key", v_kind(key));
  else {
    buf_str(b, "\"");
    put_json_at(b, key, f, 0);
    buf_str(b, "\"");
  }
}

static void put_json_dict(Buf *b, const Dict *d, const JsonForm *f, int depth) {
  size_t *order = tp_alloc(b->t, d->n + 1, sizeof *order);
  for (size_t i = 0, at; i < d->n; i++) {
    for (at = i; f->sort && at && v_order(b->t, d->key[order[at - 1]], d->key[i]) > 0; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  buf_str(b, "{");
  for (size_t i = 0; i < d->n; i++) {
    if (i) buf_text(b, f->item);
    new_line(b, f, depth + 1);
    put_json_key(b, d->key[order[i]], f);
    buf_text(b, f->key);
    put_json_at(b, d->value[order[i]], f, depth + 1);
  }
  if (d->n) new_line(b, f, depth);
  buf_str(b, "}");
}

static void put_json_at(Buf *b, Value v, const JsonForm *f, int depth) {
  tp_enter(b->t);
  tp_spend(b->t, 1);
  switch (v.kind) {
    case NONE: buf_str(b, "null"); break;
    case BOOL: buf_str(b, v.i ? "true" : "false"); break;
    case INT: put_int(b, v.i); break;
    case FLOAT:
      if (isnan(v.f) || isinf(v.f)) buf_str(b, isnan(v.f) ? "NaN" : v.f < 0 ? "-Infinity" : "Infinity");
      else put_float(b, v.f);
      break;
    case STR: put_json_string(b, v, f->ascii); break;
    case LIST: case TUPLE:
      buf_str(b, "[");
      for (size_t i = 0; i < v.list->n; i++) {
        if (i) buf_text(b, f->item);
        new_line(b, f, depth + 1);
        put_json_at(b, v.list->at[i], f, depth + 1);
      }
      if (v.list->n) new_line(b, f, depth);
      buf_str(b, "]");
      break;
    case DICT: put_json_dict(b, v.dict, f, depth); break;
    case UNDEFINED: fail_undefined(b->t, v);
    default: tp_fail(b->t, "tojson of a %s", v_kind(v));
  }
  b->t->depth--;
}

void put_json(Buf *b, Value v, const JsonForm *f) { put_json_at(b, v, f, 0); }
