// Numbers by name: what a long text has many of is found without going through all of it.
#ifndef CALM_DSL_BASE_MAP_H
#define CALM_DSL_BASE_MAP_H
#include "dsl/base/arena.h"

typedef struct MapSlot {
  const char *key;       // NULL: free
  int value;
} MapSlot;
typedef struct Map {     // {0} is an empty one
  MapSlot *slot;
  size_t cap;            // a power of two, 0 before the first name
  size_t n;
} Map;

// The value of key, or -1.
int map_find(const Map *m, const char *key);
// Keeps value (0 or more) under key, which must outlive the map, in place of another one.
void map_put(Arena *a, Map *m, const char *key, int value);
// What key has, where it has one; else value is put and -1 returned.
int map_first(Arena *a, Map *m, const char *key, int value);
#endif
