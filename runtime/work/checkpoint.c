// See checkpoint.h.
#include "runtime/work/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"

// ---- directories

// A checkpoint's files, and what one being written is called (files/out.h). Others in the directory are the user's.
static const char *const OWN[] = {CHECKPOINT_THETA, CHECKPOINT_MOMENTS, CHECKPOINT_ABOUT};
static bool is_own(const char *name) {
  for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
    if (!strcmp(name, OWN[i]) || file_is_tmp(name, OWN[i])) return true;
  return false;
}

bool checkpoint_is(const char *dir) {
  char *json = file_join(dir, CHECKPOINT_ABOUT);
  bool is = file_is_regular(json);
  rt_free(json);
  return is;
}

static void remove_own(void *user, int fd, const char *name) {
  (void)user;
  if (is_own(name)) unlinkat(fd, name, 0);
}

// Also where no descriptor is left to list the directory with. A link is none of calm's, and nothing behind it either.
void checkpoint_remove(const char *dir) {
  char path[PATH_MAX];
  struct stat st;
  if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) return;
  for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, OWN[i]) < sizeof path) unlink(path);
  if (rmdir(dir) == 0 || errno == ENOENT) return;
  file_each(dir, remove_own, NULL);
  rmdir(dir);
}

typedef struct Kept {
  int to;                      // the new directory
  bool lost;                   // something could not be taken along
} Kept;

static void keep_other(void *user, int fd, const char *name) {
  Kept *k = user;
  if (is_own(name) || renameat2(fd, name, k->to, name, RENAME_NOREPLACE) == 0) return;
  bool cannot = errno == EINVAL && faccessat(k->to, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;      // the file system, not to replace
  if (!cannot || renameat(fd, name, k->to, name) != 0) k->lost = true;
}

void checkpoint_keep_others(const char *from, const char *to) {
  Kept k = {.to = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (k.to < 0 || !file_each(from, keep_other, &k) || k.lost)
    rt_warn("%s: what was in it besides the checkpoint could not be taken along, and is in %s now", to, from);
  if (k.to >= 0) close(k.to);
}

// Puts directory tmp in the place of dir; what was there has the name tmp afterwards, or is gone.
static bool exchange(const char *tmp, const char *dir, RtError *e) {
  if (rename(tmp, dir) == 0) return true;                      // nothing there, or an empty directory
  if (errno != ENOTEMPTY && errno != EEXIST) return rt_fail(e, "cannot write %s: %s", dir, strerror(errno));
  if (renameat2(AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) {
    if (!file_sync_dir_of(dir)) return rt_fail(e, "cannot write %s: %s", dir, strerror(errno));
    checkpoint_keep_others(tmp, dir);
    return true;
  }
  // A file system that cannot exchange two names: for a moment only the old one's second name exists (rundir.c finds it).
  char *aside = rt_format("%s" CHECKPOINT_ASIDE, dir), *old = file_tmp_dir(aside, e);      // empty: what was there is renamed over it
  bool moved = old && rename(dir, old) == 0, ok = moved && rename(tmp, dir) == 0;
  if (old && !ok) rt_fail(e, "cannot write %s: %s", dir, strerror(errno));
  if (ok) checkpoint_keep_others(old, dir), checkpoint_remove(old);
  else if (moved) rename(old, dir);
  else if (old) rmdir(old);
  rt_free(old), rt_free(aside);
  return ok;
}

// ---- saving

static json_t *describe(const json_t *identity, const TrainState *s, const json_t *run) {
  json_t *o = json_object();
  json_object_set_new(o, "calm", json_integer(CHECKPOINT_FORMAT));
  json_object_set_new(o, "sha256", json_null());               // its place; save_into says it
  fields_write(o, s);
  json_object_set_new(o, "belongs_to", json_deep_copy(identity));
  json_object_set_new(o, "files", json_object());
  json_object_update(o, (json_t *)(uintptr_t)run);
  return o;
}

static bool save_vectors(const Prog *p, const char *dir, const char *name, const ParamsPart *part, int nparts, json_t *about, RtError *e) {
  FileSum sum;
  char *path = file_join(dir, name);
  bool ok = params_save(p, part, nparts, path, &sum, e);
  rt_free(path);
  if (ok) sums_add(json_object_get(about, "files"), name, &sum);
  return ok;
}

void checkpoint_sum(const json_t *about, char hex[SHA256_HEX]) {
  json_t *rest = json_copy((json_t *)(uintptr_t)about);
  json_object_del(rest, "sha256");
  char *text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
  sha256_of(text, strlen(text), hex);
  rt_free(text);
  json_decref(rest);
}

static bool save_into(const Prog *p, const char *dir, json_t *about, const TrainVectors *x, RtError *e) {
  const ParamsPart theta = {"", x->theta}, moments[] = {{"m.", x->m}, {"v.", x->v}};
  if (!save_vectors(p, dir, CHECKPOINT_THETA, &theta, 1, about, e) || (x->m && !save_vectors(p, dir, CHECKPOINT_MOMENTS, moments, 2, about, e))) return false;
  char hex[SHA256_HEX];
  checkpoint_sum(about, hex);
  json_object_set_new(about, "sha256", json_string(hex));
  char *path = file_join(dir, CHECKPOINT_ABOUT), *text = json_dumps(about, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  bool ok = file_save(path, text, strlen(text), e);
  rt_free(path), rt_free(text);
  return ok;
}

struct CheckpointDraft {
  char *dir, *tmp;             // its place; the directory in the making, or the one whose place it took
};

// Also when memory ends.
static void draft_end(void *object) {
  CheckpointDraft *d = object;
  if (d->tmp) checkpoint_remove(d->tmp);
  rt_free(d->tmp), rt_free(d->dir);
}

CheckpointDraft *checkpoint_draft(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *run, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  const json_t *identity = identity_get(id, e);
  if (!identity) return NULL;
  CheckpointDraft *d = rt_object(sizeof *d, draft_end);
  d->dir = rt_strdup(dir);
  char *parent = file_dirname(dir);
  json_t *about = describe(identity, s, run);
  bool ok = file_make_dirs(parent, e) && (d->tmp = file_tmp_dir(dir, e)) && save_into(id->models->prog, d->tmp, about, x, e);
  json_decref(about);
  rt_free(parent);
  if (ok) return d;
  rt_end(d);
  return NULL;
}

bool checkpoint_put(CheckpointDraft *d, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  bool ok = exchange(d->tmp, d->dir, e);
  rt_end(d);
  return ok;
}

void checkpoint_drop(CheckpointDraft *d) { rt_end(d); }

bool checkpoint_save(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *run, RtError *e) {
  CheckpointDraft *d = checkpoint_draft(dir, id, x, s, run, e);
  return d && checkpoint_put(d, e);
}
