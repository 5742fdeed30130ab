// See frozen.h.
#include "runtime/commands/frozen.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/rows.h"

// ---- what it is worth

typedef struct Taken {         // of one row by a training
  int64_t *tokens;             // by stream
  int64_t rows;
} Taken;

static void take(Taken *t, const Step *s) {
  for (int k = 0; k < s->nstream; k++) t->tokens[k] = s->stream[k].ntok;
  t->rows = s->nrow;
}

FrozenWorth frozen_worth(const App *a, EntryKind kind, const TrainSettings *s, const Data *look) {
  RT_IN_PHASE(RT_PHASE_READ);
  enum { COUNTED = 256 };      // rows whose operations are counted
  const Engine *en = a->en;
  FrozenWorth w = {0};
  Step *one = step_new(en->nstream);
  Taken t = {.tokens = rt_alloc((size_t)en->nstream, sizeof *t.tokens)};
  double whole = 0, live = 0, rows = 0, tokens = 0;
  for (int64_t i = 0; frozen_can(en, kind) && i < look->n; i++) {
    step_reset(one);
    if (!row_add(one, &look->row[i], 0)) continue;
    take(&t, one);
    w.bytes += (double)frozen_bytes(en, kind, t.tokens, t.rows);
    if (rows < COUNTED) whole += engine_flops(en, en->entry[kind], one), live += engine_flops(en, en->entry[prog_split_of(kind)->live], one);
    rows++, tokens += (double)look->row[i].n;
  }
  double times = look->looked ? (double)look->of / (double)look->looked : 0;
  if (whole > 0) w.share = 1 - live / whole;
  if (rows > 0) w.passes = (double)s->steps * (double)s->batch.n * (double)s->accumulate / (times * (s->batch.rows ? rows : tokens));
  if (rows > 0 && s->batch.unsaid && tokens * times < (double)s->batch.n * (double)s->accumulate) w.passes = (double)s->steps;      // a step is a pass
  w.bytes *= times;
  step_free(one);
  rt_free(t.tokens);
  return w;
}

// ---- opening it

enum { WORTH = 20 };           // it has to spare one part in so many of the whole training, with the rows for which there is room

static int choose_place(const TrainSettings *s, const FrozenWorth *w, double bytes, int64_t most) {
  if (s->cache != CACHE_auto) return s->cache;
  double kept = bytes > (double)most ? (double)most / bytes : 1;
  double again = w->passes > 1 ? 1 - 1 / w->passes : 0;        // of the rows of all steps, those that were computed before
  return w->share * kept * again * WORTH >= 1 ? CACHE_memory : CACHE_off;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Of the limit: what held-out rows take, which come again most often, and some for what stands beside them; no more than half.
static int64_t share_of_held(const FrozenRun *z) {
  double want = z->worth_held.bytes * 1.125 + (1 << 16);
  return z->worth_held.bytes <= 0 ? 0 : want < (double)z->limit / 2 ? (int64_t)want : z->limit / 2;
}

void frozen_choose(FrozenRun *z, const App *a, const Options *o, const TrainSettings *s, const Data *look, const Data *held, bool lean,
                   int64_t left) {
  *z = (FrozenRun){.whole = lean ? ENTRY_LEAN : ENTRY_TRAIN, .place = CACHE_off, .limit = s->cache_limit};
  if (!frozen_can(a->en, z->whole)) {
    if (s->cache != CACHE_off) options_idle_setting(o, SET_train_cache, "nothing of what this program trains through is frozen");
    return;
  }
  if (!frozen_wanted(s, lean)) return;
  int64_t room = limits_memory_room();
  z->worth = frozen_worth(a, z->whole, s, look);
  if (held) z->worth_held = frozen_worth(a, ENTRY_LOSS, s, held);
  int64_t most = least(z->limit, least(left, s->cache == CACHE_auto ? room / 2 : room / 4 * 3));
  z->place = choose_place(s, &z->worth, z->worth.bytes + z->worth_held.bytes, most);
  if (z->place == CACHE_memory) z->limit = most;
  z->limit_held = share_of_held(z);
  z->limit -= z->limit_held;
}

static int64_t at_most(const FrozenWorth *w, int64_t limit) { return w->bytes < (double)limit ? (int64_t)w->bytes : limit; }

int64_t frozen_resident(const FrozenRun *z) {
  if (z->place != CACHE_memory) return 0;
  return at_most(&z->worth, z->limit) + at_most(&z->worth_held, z->limit_held);
}

// What a file of it belongs to, of all that the engine does not know: this program's code, and the models' weights and tokenizers.
static bool belongs_to(Identity *id, char of[SHA256_HEX], RtError *e) {
  char self[SHA256_HEX];
  const json_t *is = identity_get(id, e);
  if (!is || !sha256_file("/proc/self/exe", self, e)) return false;
  char *models = json_dumps(json_object_get(is, "models"), JSON_COMPACT | JSON_SORT_KEYS);
  Sha256 h;
  sha256_init(&h);
  sha256_add(&h, self, sizeof self);
  if (models) sha256_add(&h, models, strlen(models));
  rt_free(models);
  sha256_hex(&h, of);
  return true;
}

bool frozen_begin(FrozenRun *z, const App *a, Identity *id, const char *path, const char *path_held, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  char of[SHA256_HEX] = "";
  if (z->place == CACHE_off) return true;
  if (z->place == CACHE_disk && !belongs_to(id, of, e)) return false;
  z->path = z->place == CACHE_disk ? path : NULL;
  if (!(z->cache = frozen_open(a->en, z->whole, z->limit, z->path, of, e))) return false;
  return !z->limit_held || (z->held = frozen_open(a->en, ENTRY_LOSS, z->limit_held, z->path ? path_held : NULL, of, e)) != NULL;
}

void frozen_tell(const FrozenRun *z) {
  if (!z->cache) return;
  fprintf(stderr, "frozen cache %s: about %.3g MB of all rows", z->path ? z->path : "in memory", z->worth.bytes / 1e6);
  if (z->worth.bytes > (double)z->limit) fprintf(stderr, ", of which %.3g are kept", (double)z->limit / 1e6);
  fprintf(stderr, "; a row that is in it spares %.0f %% of its operations", 100 * z->worth.share);
  if (z->held) fprintf(stderr, "; %.3g MB of held-out rows, each of which spares %.0f %% of a look's", z->worth_held.bytes / 1e6, 100 * z->worth_held.share);
  fputc('\n', stderr);
}

void frozen_tell_use(const FrozenRun *z) {
  if (!z->cache) return;
  FrozenCount n = frozen_count(z->cache), h = z->held ? frozen_count(z->held) : (FrozenCount){0};
  fprintf(stderr, "frozen cache: %lld row%s in %.3g MB; %lld of %lld rows of steps were in it", (long long)n.rows, plural(n.rows), (double)n.bytes / 1e6, (long long)n.found,
          (long long)(n.found + n.computed));
  if (z->held) fprintf(stderr, "; held-out: %lld in %.3g MB; %lld of %lld", (long long)h.rows, (double)h.bytes / 1e6, (long long)h.found, (long long)(h.found + h.computed));
  fputc('\n', stderr);
}

void frozen_end(FrozenRun *z) { frozen_close(z->cache), frozen_close(z->held); }
