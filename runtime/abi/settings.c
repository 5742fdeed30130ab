// See settings.h. Stands on nothing of calm.
#include "runtime/abi/settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ANY INFINITY
#define BELOW_1 0x1.fffffffffffffp-1
#define W(word) #word,
static const char *const OPTIMIZERS[] = {SETTING_OPTIMIZERS(W) NULL}, *const SCHEDULES[] = {SETTING_SCHEDULES(W) NULL},
                  *const TRAINED[] = {SETTING_TRAINED(W) NULL}, *const TOO_LONGS[] = {SETTING_TOO_LONGS(W) NULL}, *const METRICS[] = {SETTING_METRICS(W) NULL}, *const CACHES[] = {SETTING_CACHES(W) NULL};
#undef W
static const char *const PRECISIONS[] = {
    "auto",
#define X(id, name, what) name,
#include "runtime/abi/precision.def"
#undef X
    NULL,
};

// What a kind says of itself: enum, bounds, words.
#define KIND_PATH SETTING_PATH, 0, 0, NULL
#define KIND_FILES SETTING_FILES, 0, 0, NULL
#define KIND_MIX SETTING_FILES, 0, ANY, NULL
#define KIND_WHOLE(lo, hi) SETTING_WHOLE, lo, hi, NULL
#define KIND_TOKENS(lo, hi) SETTING_TOKENS, lo, hi, NULL
#define KIND_BATCH(lo, hi) SETTING_BATCH, lo, hi, NULL
#define KIND_BYTES(lo, hi) SETTING_BYTES, lo, hi, NULL
#define KIND_REAL(lo, hi) SETTING_REAL, lo, hi, NULL
#define KIND_PAIR(lo, hi) SETTING_PAIR, lo, hi, NULL
#define KIND_SWITCH SETTING_SWITCH, 0, 1, NULL
#define KIND_WORD(list) SETTING_WORD, 0, 0, list
#define KIND_CALL(list) SETTING_CALL, 0, 0, list
#define DEFAULT_IS(text) text, NULL
#define DEFAULT_UNSAID(text) NULL, text
#define SETTING(block, name, kind, arg, value, help) {#block, #name, KIND_##kind, arg, DEFAULT_##value, help},
const Setting setting_row[N_SETTINGS] = {
#include "runtime/abi/settings.def"
};
#undef SETTING

int setting_find(const char *block, const char *name) {
  for (int i = 0; i < N_SETTINGS; i++)
    if (!strcmp(setting_row[i].block, block) && !strcmp(setting_row[i].name, name)) return i;
  return -1;
}

int setting_word(const Setting *s, const char *word) {
  for (int i = 0; s->words && s->words[i]; i++)
    if (!strcmp(s->words[i], word)) return i;
  return -1;
}

// one_end: how a range without an upper end is worded.
static void bounds(double lo, double hi, const char *one_end, char *out, size_t n) {
  if (hi == BELOW_1) snprintf(out, n, " from %.12g to below 1", lo);
  else if (isfinite(hi)) snprintf(out, n, " from %.12g to %.12g", lo, hi);
  else snprintf(out, n, "%s %.12g or more", one_end, lo);
}

void setting_range(bool whole, double lo, double hi, char *out, size_t n) {
  char of[64];
  bounds(lo, hi, " of", of, sizeof of);
  snprintf(out, n, "a %snumber%s", whole ? "whole " : "", of);
}

static void words(const Setting *s, char *out, size_t n) {
  size_t at = 0;
  for (int i = 0; s->words[i] && at < n; i++)
    at += (size_t)snprintf(out + at, n - at, "%s%s", !i ? "" : s->words[i + 1] ? ", " : " or ", s->words[i]);
}

void setting_expected(const Setting *s, char *out, size_t n) {
  char of[64];
  bounds(s->lo, s->hi, ",", of, sizeof of);
  switch (s->kind) {
    case SETTING_PATH: snprintf(out, n, "a path in quotes"); break;
    case SETTING_FILES: snprintf(out, n, "a path in quotes, or several%s", s->hi > 0 ? ", all or none of them with a share above 0, as in [(\"a.jsonl\", 0.7), (\"b.jsonl\", 0.3)]" : ", as in [\"a.jsonl\", \"b.jsonl\"]"); break;
    case SETTING_WHOLE:
    case SETTING_REAL: setting_range(s->kind == SETTING_WHOLE, s->lo, s->hi, out, n); break;
    case SETTING_TOKENS: snprintf(out, n, "a whole number of tokens%s", of); break;
    case SETTING_BATCH: snprintf(out, n, "a whole number of tokens or rows%s, as in 4096tokens or 96rows (in a spec: 96 rows)", of); break;
    case SETTING_BYTES: snprintf(out, n, "a size, as in \"%s\" or \"500MB\"", s->value ? s->value : "4GB"); break;
    case SETTING_PAIR: snprintf(out, n, "two numbers%s, as in (%s)", of, s->value ? s->value : ""); break;
    case SETTING_SWITCH: snprintf(out, n, "true or false"); break;
    case SETTING_WORD:
    case SETTING_CALL: words(s, out, n); break;
  }
}
