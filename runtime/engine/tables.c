// Tables of which the id of a token picks a vector, where ids alone read them (ProgStored): what steps ask for is read from the file into room of the table's size, of which only
// pages that hold something are resident. Of a map whole stretches would be: the kernel maps what it has around a page that is touched, 64 KB, and since Linux 6.18 as much as
// lies in one piece, which nobody can say beforehand.
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

enum { PAGE = 4096, HELD = 16 << 20 };  // bytes that are kept from step to step

struct Table {
  int buf, model;
  const char *mapped;
  FileIn *in;
  size_t at;                   // where in the file it begins
  Region room;
  uint8_t *have;               // a bit a vector
  int64_t n, width;            // vectors, bytes of one
};

static int64_t pages_of(int64_t from, int64_t bytes) { return (from + bytes - 1) / PAGE - from / PAGE + 1; }

int64_t engine_table_bytes(const ProgBuf *b, int64_t n, bool any) {
  int64_t bytes = prog_buf_bytes(b, PRECISION_F32), vectors = b->stored.tables;
  if (vectors <= 1) return bytes;
  int64_t width = bytes / vectors, one = PAGE % width && width % PAGE ? (width + 2 * PAGE - 2) / PAGE * PAGE : (width + PAGE - 1) / PAGE * PAGE;
  int64_t most = size_sum(any ? HELD : 0, size_product(n, one));
  return most < bytes ? most : bytes;
}

static FileIn *again(const Engine *en, int buf, size_t *at) {
  const ProgBuf *b = &en->prog->buf[buf];
  if (en->pack) return packfile_again(en->pack, en->buf[buf], at);
  const Safetensors *file = en->weights.file[b->stored.model];
  FileIn *in = st_again(file, st_find(file, b->stored.tensor), at);
  *at += (size_t)(b->stored.part * engine_buf_bytes(en, b));
  return in;
}

static bool open_table(Engine *en, int buf, Table *t) {
  const ProgBuf *b = &en->prog->buf[buf];
  int64_t bytes = engine_buf_bytes(en, b);
  RtError ignored;
  *t = (Table){.buf = buf, .model = b->stored.model, .mapped = en->buf[buf], .n = b->stored.tables, .width = bytes / b->stored.tables};
  t->in = again(en, buf, &t->at);
  if (!t->in) return false;
  if (!region_new(&t->room, (size_t)bytes, "a table", RT_ABOUT_NOTHING, &ignored)) return rt_end(t->in), false;
  region_sparse(&t->room);
  t->have = rt_alloc((size_t)(t->n + 7) / 8, 1);
  en->buf[buf] = t->room.data;
  return true;
}

void tables_open(Engine *en) {
  Weights *w = &en->weights;
  w->table = rt_alloc((size_t)en->prog->nbuf, sizeof *w->table);
  for (int i = 0; i < en->prog->nbuf; i++)
    if (en->prog->buf[i].kind == BUF_WEIGHT && en->prog->buf[i].stored.tables > 1 && open_table(en, i, &w->table[w->ntable])) w->ntable++;
}

const void *tables_mapped(const Engine *en, int buf) {
  for (int i = 0; i < en->weights.ntable; i++)
    if (en->weights.table[i].buf == buf) return en->weights.table[i].mapped;
  return en->buf[buf];
}

static void drop_all(Weights *w) {
  for (int i = 0; i < w->ntable; i++) {
    Table *t = &w->table[i];
    region_drop(&t->room);
    memset(t->have, 0, (size_t)(t->n + 7) / 8);
  }
  w->table_bytes = 0;
}

static void fetch(Weights *w, Table *t, int64_t id) {
  uint8_t bit = (uint8_t)(1 << id % 8);
  if (id < 0 || id >= t->n || t->have[id / 8] & bit) return;
  char *to = (char *)t->room.data + id * t->width;
  // where the file became shorter the map is what tells it (commands/signals.c)
  if (!file_in_read(t->in, to, (size_t)t->width, t->at + (size_t)(id * t->width))) memcpy(to, t->mapped + id * t->width, (size_t)t->width);
  t->have[id / 8] |= bit;
  w->table_bytes += pages_of(id * t->width, t->width) * PAGE;
}

void tables_fetch(Engine *en, const Step *s) {
  Weights *w = &en->weights;
  if (!w->ntable) return;
  RT_IN_PHASE(RT_PHASE_READ);
  if (w->table_bytes > HELD) drop_all(w);
  for (int i = 0; i < w->ntable; i++) {
    const StepStream *t = &s->stream[en->stream_of[w->table[i].model]];
    for (int64_t k = 0; k < t->ntok; k++) fetch(w, &w->table[i], t->ids[k]);
  }
}

void tables_close(Engine *en) {
  Weights *w = &en->weights;
  for (int i = 0; i < w->ntable; i++) rt_end(w->table[i].in), region_free(&w->table[i].room), rt_free(w->table[i].have);
  rt_free(w->table);
}
