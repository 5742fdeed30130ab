// Weights from a pack file and into one. What init would fill, and what is read of checkpoints beside that, lies in sections as the program's
// description says it: sizes and places follow from that alone, and a section of another size is not this program's.
#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

enum { K_PACKED = 1u << BUF_PACKED, K_LIVE = 1u << BUF_LIVE };

// Tensors that are read where they lie (tables, vectors), one behind the other. With data they lie there, with o they are written from where they are.
static bool lay_tables(Engine *en, const char *data, PackOut *o, int64_t *bytes, RtError *e) {
  static const char zeros[RT_BUF_ALIGN];
  *bytes = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != BUF_WEIGHT) continue;
    if (data) en->buf[i] = b->stored.tables ? (void *)(uintptr_t)(data + *bytes) : NULL;      // else init alone would read it
    if (!b->stored.tables) continue;
    int64_t n = engine_buf_bytes(en, b), room = size_round(n, RT_BUF_ALIGN);
    if (o && (!packfile_write(o, tables_mapped(en, i), (size_t)n, e) || !packfile_write(o, zeros, (size_t)(room - n), e))) return false;
    *bytes = size_sum(*bytes, room);
  }
  return true;
}

static bool write_section(PackOut *o, const char *name, const void *data, size_t n, RtError *e) {
  return packfile_add(o, name, e) && packfile_write(o, data, n, e);
}

bool engine_pack(Engine *en, bool params, PackOut *o, RtError *e) {
  const Weights *w = &en->weights;
  int64_t n;
  if (!write_section(o, ENGINE_WEIGHTS, w->packed.data, w->packed.bytes, e) || !packfile_add(o, ENGINE_TABLES, e) || !lay_tables(en, NULL, o, &n, e)) return false;
  return !params || (write_section(o, ENGINE_THETA, en->params.theta, (size_t)en->prog->theta * sizeof(float), e) &&
                     write_section(o, ENGINE_LIVE, w->live.data, w->live.bytes, e));
}

bool engine_pack_params(const PackFile *p) {
  size_t n;
  return p && packfile_section(p, ENGINE_THETA, &n);
}

// A section of the size that the program asks for; NULL and an error.
static const void *section(const Engine *en, const char *name, int64_t want, RtError *e) {
  size_t n = 0;
  const void *at = packfile_section(en->pack, name, &n);
  if (at && n == (uint64_t)want) return at;
  if (at) rt_fail(e, "%s: section %s has %zu bytes; this program asks for %lld", packfile_path(en->pack), name, n, (long long)want);
  else rt_fail(e, "%s: there is no section %s", packfile_path(en->pack), name);
  return NULL;
}

bool packed_map(Engine *en, RtError *e) {
  int64_t tables, n = buffers_lay_out(en, K_PACKED, NULL);
  const char *weights = section(en, ENGINE_WEIGHTS, n, e);
  if (!weights) return false;
  lay_tables(en, NULL, NULL, &tables, e);
  const char *at = section(en, ENGINE_TABLES, tables, e);
  if (!at) return false;
  buffers_lay_out(en, K_PACKED, (char *)(uintptr_t)weights);
  return lay_tables(en, at, NULL, &tables, e);
}

const float *packed_theta(Engine *en, RtError *e) { return section(en, ENGINE_THETA, en->prog->theta * (int64_t)sizeof(float), e); }

bool packed_live(Engine *en, RtError *e) {
  const char *live = section(en, ENGINE_LIVE, buffers_lay_out(en, K_LIVE, NULL), e);
  if (live) buffers_lay_out(en, K_LIVE, (char *)(uintptr_t)live);
  return live;
}
