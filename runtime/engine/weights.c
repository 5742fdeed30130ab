// Weights: mapped from the models' files, matrices packed into panels once. While a matrix is packed the pages of the file that it came from are
// given back, so that none of a model stands in memory twice; how far it is is told as progress.
#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

enum { K_PACKED = 1u << BUF_PACKED, K_LIVE = 1u << BUF_LIVE, K_CONSTS = 1u << BUF_CONST };

static int64_t parts_of(const ProgBuf *b) { return b->stored.parts ? b->stored.parts : 1; }

static const StTensor *find_weight(const Engine *en, const char *const *dir, const ProgBuf *b, RtError *e) {
  int i = b->stored.model;
  const char *model = en->prog->model[i].name;
  const StTensor *t = st_find(en->weights.file[i], b->stored.tensor);
  if (!t) {
    rt_fail(e, "model %s: %s has no tensor %s", model, dir[i], b->stored.tensor);
    return NULL;
  }
  int64_t elems = b->elems * parts_of(b);
  if (t->dtype == b->dt && t->elems == elems) return t;
  rt_fail(e, "model %s: %s: tensor %s has %lld element%s of %s; the program was compiled for %lld of %s", model, dir[i], t->name, (long long)t->elems,
          plural(t->elems), dtype_info[t->dtype].file, (long long)elems, dtype_name(b->dt));
  return NULL;
}

static bool map_files(Engine *en, const char *const *dir, RtError *e) {
  for (int i = 0; i < en->prog->nmodel; i++) {
    if (!dir[i]) continue;
    RtError why;
    en->weights.file[i] = st_open_dir(dir[i], false, &why);
    if (!en->weights.file[i]) return rt_fail_about(e, RT_ABOUT_MODEL_DIR, "model %s: %.800s", en->prog->model[i].name, why.text);
  }
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_WEIGHT) continue;
    const StTensor *t = find_weight(en, dir, b, e);
    if (!t) return false;
    en->buf[i] = (char *)(uintptr_t)t->data + b->stored.part * engine_buf_bytes(en, b);
  }
  return true;
}

static void fill_consts(Engine *en) {
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_CONST) continue;
    for (int k = 0; k < b->literals.data.n; k++) ((float *)en->buf[i])[k] = (float)b->literals.data.v[k];
  }
}

bool weights_map(Engine *en, const char *const *dir, RtError *e) {
  Weights *w = &en->weights;
  w->file = rt_alloc((size_t)en->prog->nmodel, sizeof *w->file);
  if (en->pack ? !packed_map(en, e) : !map_files(en, dir, e)) return false;
  if (!en->pack) {
    if (!region_new(&w->packed, (size_t)buffers_lay_out(en, K_PACKED, NULL), "packing the weights", RT_ABOUT_NOTHING, e)) return false;
    buffers_lay_out(en, K_PACKED, w->packed.data);
  }
  if (engine_params_mapped(en)) {
    if (!packed_live(en, e)) return false;
  } else {
    if (!region_new(&w->live, (size_t)buffers_lay_out(en, K_LIVE, NULL), "packing the parameters", RT_ABOUT_NOTHING, e)) return false;
    buffers_lay_out(en, K_LIVE, w->live.data);
  }
  if (!region_new(&w->consts, (size_t)buffers_lay_out(en, K_CONSTS, NULL), "constants", RT_ABOUT_NOTHING, e)) return false;
  buffers_lay_out(en, K_CONSTS, w->consts.data);
  fill_consts(en);
  return true;
}

bool engine_unchanged(const Engine *en, RtError *e) {
  if (en->pack && !packfile_unchanged(en->pack, e)) return false;
  for (int i = 0; i < en->prog->nmodel; i++)
    if (en->weights.file[i] && !st_unchanged(en->weights.file[i], e)) return false;
  return true;
}

void weights_close(Engine *en) {
  Weights *w = &en->weights;
  tables_close(en);
  for (int i = 0; w->file && i < en->prog->nmodel; i++)
    if (w->file[i]) st_close(w->file[i]);
  region_free(&w->packed), region_free(&w->live), region_free(&w->consts);
  rt_free(w->file);
}

// ---- packing

enum { SLICE = 256, PAGE = 4096 };   // panels that are packed between two looks
typedef struct Packing {
  Engine *en;
  int *packed, npacked;        // buffers of panels, in the order in which they lie
  const ProgBuf *now;          // that the call at hand fills; NULL: none
  int64_t done, total;         // bytes of packed matrices
  int64_t given;               // bytes of the source of the matrix at hand
} Packing;

// Gives back what has been read of a matrix stored row by row; of another when it is whole.
static void give_back(Packing *p, const ProgBuf *b, int64_t done, int64_t ntasks) {
  const ProgBuf *from = &p->en->prog->buf[b->packed.source];
  if (from->kind != BUF_WEIGHT || (b->packed.turned && done < ntasks)) return;
  int64_t bytes = engine_buf_bytes(p->en, from), read = done == ntasks ? bytes : (int64_t)((double)bytes / (double)ntasks * (double)done);
  int64_t at = p->given > PAGE ? p->given - PAGE : 0;           // the page that the last look left, as it was read in part
  if (read > at) st_drop((const char *)p->en->buf[b->packed.source] + at, (size_t)(read - at));
  p->given = done == ntasks ? 0 : read;
}

// What a call packs; NULL: nothing. Other calls than packing write nothing that is packed. Halved, not walked: the largest are packed first, in any order of places,
// and a model of many layers has many.
static const ProgBuf *packs(const Packing *p, const int64_t *args) {
  int from = 0, to = p->npacked;
  while (from < to) {
    int mid = from + (to - from) / 2;
    int64_t at = (int64_t)(intptr_t)p->en->buf[p->packed[mid]];
    if (at == args[RT_PACK_TO]) return &p->en->prog->buf[p->packed[mid]];
    if (at < args[RT_PACK_TO]) from = mid + 1;
    else to = mid;
  }
  return NULL;
}

static bool wanted(void *user, const int64_t *args) {
  Packing *p = user;
  p->now = packs(p, args);
  return !p->now || engine_packs(p->en, p->now);
}

// After a slice of a call.
static void packed_some(void *user, const int64_t *args, int64_t done, int64_t ntasks) {
  (void)args;
  Packing *p = user;
  if (!p->now) return;
  give_back(p, p->now, done, ntasks);
  if (done == ntasks) p->done += engine_buf_bytes(p->en, p->now);
  if (p->done < p->total) rt_progress("packing the weights", p->done, p->total);
}

void weights_pack(Engine *en) {
  if (en->pack) return;
  RT_IN_PHASE(RT_PHASE_PACK);
  Packing p = {.en = en, .packed = rt_alloc((size_t)en->prog->nbuf, sizeof *p.packed)};
  for (int i = 0; i < en->prog->nbuf; i++) {
    if (en->prog->buf[i].kind != BUF_PACKED) continue;
    p.packed[p.npacked++] = i;
    if (engine_packs(en, &en->prog->buf[i])) p.total += engine_buf_bytes(en, &en->prog->buf[i]);
  }
  pool_watch(en->pool, &(PoolWatch){wanted, packed_some, SLICE, &p});
  engine_run(en, en->entry[ENTRY_INIT], NULL);
  pool_watch(en->pool, NULL);
  rt_progress("packing the weights", p.total, p.total);
  rt_free(p.packed);
}
