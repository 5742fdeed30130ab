// Open addressing, at most half full. See map.h.
#include "dsl/base/map.h"

#include <stdint.h>
#include <string.h>

static size_t place(const Map *m, const char *key) {
  uint64_t h = 0xcbf29ce484222325u;                // FNV-1a
  for (const char *p = key; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
  size_t i = (size_t)(h ^ h >> 32) & (m->cap - 1);
  while (m->slot[i].key && strcmp(m->slot[i].key, key)) i = (i + 1) & (m->cap - 1);
  return i;
}

static void grow(Arena *a, Map *m) {
  Map old = *m;
  m->cap = old.cap ? old.cap * 2 : 16;
  m->slot = ARENA_ARRAY(a, MapSlot, m->cap);
  for (size_t i = 0; i < old.cap; i++)
    if (old.slot[i].key) m->slot[place(m, old.slot[i].key)] = old.slot[i];
}

int map_find(const Map *m, const char *key) {
  if (!m->n) return -1;
  const MapSlot *s = &m->slot[place(m, key)];
  return s->key ? s->value : -1;
}

void map_put(Arena *a, Map *m, const char *key, int value) {
  if (m->n * 2 >= m->cap) grow(a, m);
  MapSlot *s = &m->slot[place(m, key)];
  m->n += !s->key;
  *s = (MapSlot){key, value};
}

int map_first(Arena *a, Map *m, const char *key, int value) {
  int there = map_find(m, key);
  if (there < 0) map_put(a, m, key, value);
  return there;
}
