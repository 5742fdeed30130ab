// See image.h.
#include "runtime/text/image.h"

#include <string.h>

static const char MAGIC[8] = "calmtok";
typedef struct Head {
  char magic[8];
  uint32_t version, tables;
  struct Place { uint64_t at, bytes; } place[N_TK_TABLES];
} Head;
enum { ALIGN = 16 };

TkImageOut tk_image_begin(void) {
  TkImageOut o = {.n = sizeof(Head), .cap = sizeof(Head)};
  Head *h = rt_alloc(1, sizeof *h);
  memcpy(h->magic, MAGIC, sizeof h->magic);
  h->version = TK_IMAGE, h->tables = N_TK_TABLES;
  o.s = (char *)h;
  return o;
}

void tk_image_put(TkImageOut *o, TkTable which, const void *data, size_t n, size_t size) {
  size_t bytes = (size_t)size_product((int64_t)n, (int64_t)size), at = (o->n + ALIGN - 1) / ALIGN * ALIGN;
  if (at + bytes > o->cap) {
    o->cap = at + bytes + o->cap / 2;
    o->s = rt_realloc(o->s, o->cap, 1);
  }
  memset(o->s + o->n, 0, at - o->n);
  if (bytes) memcpy(o->s + at, data, bytes);
  o->n = at + bytes;
  ((Head *)(void *)o->s)->place[which] = (struct Place){at, bytes};
}

bool tk_image_bad(const TkImage *m, const char *table, RtError *e) {
  return rt_fail(e, "%s: a tokenizer in it is not what can have been written: %s", m->what, table);
}

const void *tk_image_get(const TkImage *m, TkTable which, size_t size, size_t *n, RtError *e) {
  struct Place p = ((const Head *)(const void *)m->data)->place[which];
  if (p.at > m->n || p.bytes > m->n - p.at || p.at % ALIGN || p.bytes % size) return tk_image_bad(m, "a table that does not lie in it", e), NULL;
  *n = (size_t)(p.bytes / size);
  return m->data + p.at;
}

bool tk_image_run(const TkImage *m, bool taken, size_t *run, const char *table, RtError *e) {
  *run = taken ? *run + 1 : 0;
  return *run <= TK_IMAGE_RUN || tk_image_bad(m, table, e);
}

bool tk_image_open(const TkImage *m, RtError *e) {
  const Head *h = (const Head *)(const void *)m->data;
  if (m->n < sizeof *h || memcmp(h->magic, MAGIC, sizeof h->magic)) return tk_image_bad(m, "no head", e);
  return (h->version == TK_IMAGE && h->tables == N_TK_TABLES) ||
         rt_fail(e, "%s: a tokenizer in it is of version %u, and this program reads %d", m->what, h->version, TK_IMAGE);
}
