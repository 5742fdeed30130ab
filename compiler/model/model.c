// Opening a model directory and looking tensors up. See model.h.
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/base/glob.h"
#include "runtime/abi/abi.h"

Model *model_open(Arena *a, const char *dir, const char *shown, RtError *e) {
  HfDir *hf = hfdir_open(shown, e);
  if (!hf) return NULL;
  Safetensors *st = st_open_dir(shown, true, e);
  if (!st) {
    hfdir_free(hf);
    return NULL;
  }
  Model *m = ARENA_NEW(a, Model);
  m->dir = arena_strdup(a, dir);
  m->shown = arena_strdup(a, shown);
  m->config_path = arena_printf(a, "%s/config.json", shown);
  m->hf = hf;
  m->st = st;
  m->config = hf->text;
  m->used = ARENA_ARRAY(a, bool, st_count(st) + 1);
  return m;
}

void model_close(Model *m) {
  if (!m) return;
  st_close(m->st);
  hfdir_free(m->hf);
  m->st = NULL;
  m->hf = NULL;
}

const char *model_architecture(const Model *m) {
  return json_string_value(json_array_get(json_object_get(m->hf->config, "architectures"), 0));
}

const StTensor *model_tensor(Model *m, const char *name) {
  const StTensor *t = st_find(m->st, name);
  if (t) m->used[t - st_at(m->st, 0)] = true;
  return t;
}

const char *model_file_of(const Model *m, Arena *a, const StTensor *t) {
  const char *path = st_shard_path(m->st, t->shard);
  const char *slash = strrchr(path, '/');
  return arena_printf(a, "%s/%s", m->shown, slash ? slash + 1 : path);
}

// The same weight of another block: it is read by its own name, and no misspelling.
static bool of_another_block(const char *a, const char *b) {
  for (;;) {
    while (*a >= '0' && *a <= '9') a++;
    while (*b >= '0' && *b <= '9') b++;
    if (*a != *b || !*a) return *a == *b;
    a++, b++;
  }
}

const char *model_nearest_tensor(const Model *m, const char *name) {
  Near near = near_begin(name), other = near;
  for (int i = 0; i < st_count(m->st); i++) {
    const char *t = st_at(m->st, i)->name;
    near_offer(of_another_block(t, name) ? &other : &near, t);
  }
  return near.best ? near.best : other.best;
}

const char *model_prefix_of(const Model *m, const char *name, size_t *n) {
  size_t len = strlen(name);
  for (int i = 0; i < st_count(m->st); i++) {
    const char *t = st_at(m->st, i)->name;
    *n = strlen(t) > len ? strlen(t) - len : 0;
    if (*n && t[*n - 1] == '.' && !strcmp(t + *n, name)) return t;
  }
  return NULL;
}

static bool listed(const char *const *pattern, const char *name) {
  for (; *pattern; pattern++)
    if (glob_matches(*pattern, name)) return true;
  return false;
}

bool inert_tensor(const char *name) {
  static const char *const names[] = {
#define TENSOR(p) p,
#include "model/inert.def"
#undef TENSOR
      NULL};
  return listed(names, name);
}
