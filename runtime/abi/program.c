// The names in program.def.
#include "runtime/abi/program.h"

#include <string.h>

#define ENUM(E, prefix) const ProgName E##_names[] = {
#define NAME(prefix, id, name, part, what) {name, PROG_##part},
#define END_ENUM(E) {0}};
#include "runtime/abi/program.def"

bool prog_name_is(const ProgName *names, int k, const char *name, const char **rest) {
  size_t n = strlen(names[k].name);
  if (strncmp(name, names[k].name, n) || (name[n] && name[n] != '.')) return false;
  *rest = name + n + (name[n] == '.');
  return true;
}

int prog_named(const ProgName *names, const char *name, const char **rest) {
  for (int k = 0; names[k].name; k++)
    if (prog_name_is(names, k, name, rest)) return k;
  return -1;
}

const ProgSplit prog_splits[N_SPLIT] = {
  {ENTRY_TRAIN, ENTRY_FROZEN, ENTRY_LIVE, INPUT_FROZEN, OUTPUT_FROZEN},
  {ENTRY_LEAN, ENTRY_LEAN_FROZEN, ENTRY_LEAN_LIVE, INPUT_LEAN_FROZEN, OUTPUT_LEAN_FROZEN},
  {ENTRY_LOSS, ENTRY_LOSS_FROZEN, ENTRY_LOSS_LIVE, INPUT_LOSS_FROZEN, OUTPUT_LOSS_FROZEN},
};

const ProgSplit *prog_split_of(EntryKind whole) {
  for (int i = 0; i < N_SPLIT; i++)
    if (prog_splits[i].whole == whole) return &prog_splits[i];
  return NULL;
}
