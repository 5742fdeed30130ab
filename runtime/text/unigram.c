// See unigram.h. The best way to each place of a piece is found from the left: among tokens that end there, and for a character that is no token the
// unknown one, the largest sum; of equal sums the one whose last token begins first. Sums are added up in that order, as they round.
#include "runtime/text/unigram.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/unigram_tables.h"

typedef struct Place {           // the best way to it
  double sum;
  int32_t from, id;            // its last token; from: -1, nothing ends here
  int32_t next;                // the place that follows on the best way to the end
} Place;
typedef struct Work {
  Place *place;
  size_t cap;
  const TkUnigram *t;
  const char *s;
  int32_t at, n;               // of the piece: what is to be handed out
  int32_t run, byte;           // within a run of unknown ones that is handed out as bytes: its end, and the byte; run 0: none
} Work;

static void offer(Place *to, double sum, int32_t from, int32_t id) {
  if (to->from >= 0 && sum <= to->sum) return;
  *to = (Place){.sum = sum, .from = from, .id = id};
}

// The best ways to the places of s[0, n). goes_on: how many places from which on s may be the beginning of a longer token; NULL: nobody asks.
static void best_ways(const TkUnigram *t, Place *place, const char *s, size_t n, void (*goes_on)(void *user, size_t at), void *user) {
  for (size_t i = 0; i <= n; i++) place[i].from = -1;
  place[0].sum = 0;
  for (size_t at = 0, k; at < n; at += k) {
    uint32_t cp;
    double before = place[at].sum;
    bool single = false;
    k = rt_utf8_next(s + at, &cp);
    const TkNode *node = t->node;
    size_t i = at;
    while (i < n && (node = tk_child(t, node, (uint8_t)s[i])) != NULL) {
      i++;
      if (node->id < 0) continue;
      offer(&place[i], t->score[node->id] + before, (int32_t)at, node->id);
      single |= i == at + k;
    }
    if (!single) offer(&place[at + k], t->unk_score + before, (int32_t)at, t->unk);
    if (goes_on && node && node->n) goes_on(user, at);
  }
}

static void encode(const void *own, void *work, const char *s, size_t n) {
  Work *w = work;
  if (n >= w->cap) w->place = rt_realloc(w->place, w->cap = n + n / 2 + 64, sizeof *w->place);
  w->t = own, w->s = s, w->n = (int32_t)n, w->at = w->run = 0;
  best_ways(w->t, w->place, s, n, NULL, NULL);
  for (int32_t i = w->n; i > 0; i = w->place[i].from) w->place[w->place[i].from].next = i;
}

static bool all_bytes(const TkUnigram *t, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (t->byte[(uint8_t)s[i]] < 0) return false;
  return true;
}

// Unknown ones in a row are one token, or the bytes of all, each of which has the whole run's span.
static size_t take(void *work, TkToken *to, size_t most) {
  Work *w = work;
  size_t k = 0;
  while (w->at < w->n && k < most) {
    TkToken x = {.begin = (uint32_t)w->at};
    if (w->run) {
      to[k++] = (TkToken){w->t->byte[(uint8_t)w->s[w->byte++]], x.begin, (uint32_t)w->run};
      if (w->byte == w->run) w->at = w->run, w->run = 0;
      continue;
    }
    int32_t end = w->place[w->at].next;
    x.id = w->place[end].id;
    if (x.id == w->t->unk) {
      while (end < w->n && w->place[w->place[end].next].id == w->t->unk) end = w->place[end].next;
      size_t len = (size_t)(end - w->at);
      int32_t known = tk_vocab_find(w->t->vocab, w->s + w->at, len);
      if (known < 0 && w->t->byte_fallback && all_bytes(w->t, w->s + w->at, len)) {
        w->run = end, w->byte = w->at;
        continue;
      }
      x.id = known < 0 ? w->t->unk : known;
    }
    x.end = (uint32_t)end;
    to[k++] = x;
    w->at = end;
  }
  return k;
}

static void work_free(void *work) { rt_free(((Work *)work)->place); }

// --- a piece that grows: every way to a later end leads over its present end, or over a place from which on the present text begins a longer token.
// What the best ways to all of these have in common stays, but for unknown ones at its end, which may be joined by more.
static int32_t common(const Place *place, int32_t a, int32_t b) {
  while (a != b) {
    if (a > b) a = place[a].from;
    else b = place[b].from;
  }
  return a;
}

typedef struct Open { int32_t *at; size_t n, cap; } Open;

static void keep(void *user, size_t at) {
  Open *o = user;
  if (o->n == o->cap) o->at = rt_realloc(o->at, o->cap = o->cap * 2 + 16, sizeof *o->at);
  o->at[o->n++] = (int32_t)at;
}

static size_t last_cut(const void *cuts, const char *s, size_t n) {
  const TkUnigram *t = *(const TkUnigram *const *)cuts;
  if (!n) return 0;
  Place *place = rt_alloc(n + 1, sizeof *place);
  Open o = {0};
  best_ways(t, place, s, n, keep, &o);
  int32_t cut = (int32_t)n;
  for (size_t i = o.n; i-- > 0;) cut = common(place, cut, o.at[i]);
  while (cut > 0 && place[cut].id == t->unk) cut = place[cut].from;
  rt_free(o.at), rt_free(place);
  return (size_t)cut;
}

static void *cuts(const void *own) {
  const TkUnigram **rule = rt_alloc(1, sizeof *rule);
  *rule = own;
  return rule;
}

static void cuts_free(void *rule) { rt_free(rule); }

static int64_t most(const void *own, const char *s, size_t n) {
  const TkUnigram *t = own;
  int32_t id = tk_vocab_find(t->vocab, s, n);
  return t->byte_fallback && (id < 0 || id == t->unk) ? (int64_t)n : 1;
}

const TkModelKind tk_unigram = {
  .type = "Unigram",
  .size = sizeof(TkUnigram), .read = tk_unigram_read, .free = tk_unigram_free, .save = tk_unigram_save, .map = tk_unigram_map,
  .encode = encode, .take = take, .work_size = sizeof(Work), .work_free = work_free,
  .cuts = cuts, .last_cut = last_cut, .cuts_free = cuts_free, .most = most, .whole = true,
};
