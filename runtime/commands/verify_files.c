// verify-files: whether the files of a directory are those that were saved: an export by its SHA256SUMS, a checkpoint by its theta.json, a run by the
// checkpoints in it; a pack file by the hashes of its sections, and the files that it was made from. Every byte is read anew.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

// What is in the directory of a list, and not on it.
typedef struct Extra {
  const char *dir;
  const json_t *list;
} Extra;

static void say_extra(void *user, int fd, const char *name) {
  const Extra *x = user;
  struct stat st;
  bool file = fstatat(fd, name, &st, 0) != 0 || !S_ISDIR(st.st_mode);
  if (file && strcmp(name, SUMS_FILE) && strcmp(name, CHECKPOINT_ABOUT) && !json_object_get(x->list, name)) printf("%s/%s: not listed\n", x->dir, name);
}

static bool has(const FileDir *d, const char *name) { return faccessat(d->fd, name, F_OK, 0) == 0; }

// The lists of a directory, one after the other: fills found, and list with the names of all.
static bool check_lists(const FileDir *d, const char *dir, json_t *list, SumsFound *found, RtError *e) {
  bool ok = true;
  for (int k = 0; ok && k < 2; k++) {
    if (!has(d, k ? CHECKPOINT_ABOUT : SUMS_FILE)) continue;
    json_t *one = k ? checkpoint_files(d, dir, e) : sums_read(d, dir, e);
    ok = one && sums_check(one, d, dir, found, e) && json_object_update(list, one) == 0;
    json_decref(one);
  }
  return ok;
}

// A directory with a list; *any: it has one.
static bool check_dir(const char *dir, SumsFound *total, bool *any, RtError *e) {
  enum { TIMES = 20 };
  bool ok = false, again = true;
  for (int i = 0; !ok && again && i < TIMES; i++) {
    FileDir *d = file_dir_open(dir, e);
    if (!d) return false;
    SumsFound found = {.says = json_array()};
    json_t *list = json_object();
    ok = check_lists(d, dir, list, &found, e);
    again = (!ok || found.bad) && file_dir_replaced(d, dir);      // a training saved meanwhile
    ok = ok && !again;
    if (ok && json_object_size(list)) {
      size_t k;
      json_t *line;
      json_array_foreach(found.says, k, line) puts(json_string_value(line));
      file_each(dir, say_extra, &(Extra){dir, list});
      total->files += found.files, total->bytes += found.bytes, total->bad += found.bad, *any = true;
    }
    json_decref(found.says), json_decref(list);
    rt_end(d);
  }
  return ok;
}

// A pack file, and the files it was made from.
static bool check_pack(const char *path, SumsFound *total, RtError *e) {
  SumsFound found = {.says = json_array()};
  bool ok = pack_check(path, &found, e);
  size_t k;
  json_t *line;
  if (ok) json_array_foreach(found.says, k, line) puts(json_string_value(line));
  json_decref(found.says);
  *total = found;
  return ok;
}

int cmd_verify_files(const Options *o) {
  RT_IN_PHASE(RT_PHASE_READ);
  RtError e;
  SumsFound total = {0};
  bool pack = packfile_is(o->word[0]), any = pack, ok = pack ? check_pack(o->word[0], &total, &e) : check_dir(o->word[0], &total, &any, &e);
  static const char *const PART[] = {"last", "best"};
  for (int i = 0; ok && !pack && i < 2; i++) {
    char *part = file_join(o->word[0], PART[i]);
    if (checkpoint_is(part)) ok = check_dir(part, &total, &any, &e);
    rt_free(part);
  }
  if (ok && !any) ok = rt_fail(&e, "%s: nothing says what its files were: no " SUMS_FILE ", no " CHECKPOINT_ABOUT ", and no last/ or best/ with one", o->word[0]);
  if (!ok) return cmd_fail(o, &e);
  printf("%s: %lld file%s, %lld byte%s read, %lld bad\n", o->word[0], (long long)total.files, plural(total.files), (long long)total.bytes, plural(total.bytes),
         (long long)total.bad);
  if (!total.bad) return 0;
  rt_fail(&e, "%s: %lld file%s missing or changed", o->word[0], (long long)total.bad, total.bad == 1 ? " is" : "s are");
  return cmd_fail(o, &e);
}
