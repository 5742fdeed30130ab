// Writing and reading checkpoints. See checkpoint.h.
#include "runtime/work/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"

// Of theta.json, its "calm". 1 had no hashes of the files.
enum { FORMAT = 2 };
static const char THETA[] = "theta.safetensors", OPTIMIZER[] = "optimizer.safetensors";

// ---- directories

// A checkpoint's files, and what one being written is called (files/out.h). Others in the directory are the user's.
static const char *const OWN[] = {THETA, OPTIMIZER, CHECKPOINT_ABOUT};
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

// ---- fields

#define MANY 0x1p53            // a count that can be gone on from, and that doubles hold
#define TOKEN INT32_MAX
typedef enum FieldKind { COUNT, STEP, SEED, LOSS, TIME, TEXT } FieldKind;
typedef enum FieldNeed { OPTIONAL, SAID, NEEDED } FieldNeed;
#define KIND_COUNT(lo, hi) COUNT, (int64_t)lo, (int64_t)hi
#define KIND_STEP(lo, hi) STEP, (int64_t)lo, (int64_t)hi
#define KIND_SEED SEED, 0, 0
#define KIND_LOSS LOSS, 0, 0
#define KIND_TIME TIME, 0, 0
#define KIND_TEXT TEXT, 0, 0
static const struct Field {
  const char *key;
  FieldKind kind;
  int64_t lo, hi;
  FieldNeed need;
  size_t at;
} FIELD[] = {
#define X(field, kind, need) {#field, KIND_##kind, need, offsetof(TrainState, field)},
#include "runtime/work/checkpoint.def"
#undef X
};
enum { NFIELDS = sizeof FIELD / sizeof FIELD[0] };

static json_t *field_json(const struct Field *f, const TrainState *s) {
  const void *at = (const char *)s + f->at;
  switch (f->kind) {
    case COUNT: return json_integer(*(const int64_t *)at);
    case STEP: return *(const int64_t *)at < 0 ? json_null() : json_integer(*(const int64_t *)at);
    case SEED: return json_integer((json_int_t) * (const uint64_t *)at);
    case LOSS:
    case TIME: return isfinite(*(const double *)at) ? json_real(*(const double *)at) : json_null();
    case TEXT: return *(const char *const *)at ? json_string(*(const char *const *)at) : json_null();
  }
  return NULL;
}

static bool read_field(const struct Field *f, TrainState *s, const json_t *v, const char *path, RtError *e) {
  void *at = (char *)s + f->at;
  char range[96], number[32];
  const char *expected = range, *found = rtj_kind(v);
  bool null = !v || json_is_null(v), whole = json_is_integer(v) && json_integer_value(v) >= f->lo && json_integer_value(v) <= f->hi, ok = false;
  snprintf(range, sizeof range, "a whole number from %lld to %lld", (long long)f->lo, (long long)f->hi);
  if (v ? null && f->need == NEEDED : f->need != OPTIONAL) return rt_fail(e, "%s: \"%s\": expected a value, found %s", path, f->key, rtj_kind(v));
  switch (f->kind) {
    case COUNT: ok = null || whole, *(int64_t *)at = json_integer_value(v); break;       // 0 of null
    case STEP: ok = null || whole, *(int64_t *)at = null ? -1 : json_integer_value(v); break;
    case SEED: ok = null || json_is_integer(v), *(uint64_t *)at = (uint64_t)json_integer_value(v), expected = "a whole number"; break;
    case LOSS: ok = null || (json_is_number(v) && isfinite(json_number_value(v))), *(double *)at = null ? INFINITY : json_number_value(v), expected = "a number"; break;
    case TIME: ok = null || (json_is_number(v) && json_number_value(v) >= 0), *(double *)at = null ? NAN : json_number_value(v), expected = "a number of 0 or more"; break;
    case TEXT: ok = null || json_is_string(v), *(const char **)at = json_string_value(v), expected = "a string"; break;
  }
  if (json_is_number(v)) {
    snprintf(number, sizeof number, "%.15g", json_number_value(v));
    found = number;
  }
  return ok || rt_fail(e, "%s: \"%s\": expected %s, found %s", path, f->key, expected, found);
}

// ---- saving

static json_t *describe(const json_t *identity, const TrainState *s, const json_t *settings) {
  json_t *o = json_object();
  json_object_set_new(o, "calm", json_integer(FORMAT));
  for (int i = 0; i < NFIELDS; i++) json_object_set_new(o, FIELD[i].key, field_json(&FIELD[i], s));
  json_object_set_new(o, "belongs_to", json_deep_copy(identity));
  json_object_set_new(o, "files", json_object());
  if (settings) json_object_set_new(o, "settings", json_deep_copy(settings));
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

static bool save_into(const Prog *p, const char *dir, json_t *about, const TrainVectors *x, RtError *e) {
  const ParamsPart theta = {"", x->theta}, moments[] = {{"m.", x->m}, {"v.", x->v}};
  if (!save_vectors(p, dir, THETA, &theta, 1, about, e) || (x->m && !save_vectors(p, dir, OPTIMIZER, moments, 2, about, e))) return false;
  char *path = file_join(dir, CHECKPOINT_ABOUT), *text = json_dumps(about, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  bool ok = file_save(path, text, strlen(text), e);
  rt_free(path), rt_free(text);
  return ok;
}

// A directory in the making, or the one it took the place of: removed when all is over, or when memory ends.
static void tmp_end(void *object) {
  char *path = *(char **)object;
  if (path) checkpoint_remove(path);
  rt_free(path);
}

bool checkpoint_save(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *settings, RtError *e) {
  const json_t *identity = identity_get(id, e);
  if (!identity) return false;
  char *parent = file_dirname(dir), **tmp = rt_object(sizeof *tmp, tmp_end);
  json_t *about = describe(identity, s, settings);
  bool ok = file_make_dirs(parent, e) && (*tmp = file_tmp_dir(dir, e)) && save_into(id->models->prog, *tmp, about, x, e) && exchange(*tmp, dir, e);
  json_decref(about);
  rt_free(parent), rt_end(tmp);
  return ok;
}

// ---- reading

typedef struct Reading {
  const char *dir;
  const FileDir *at;           // the directory: what takes its place meanwhile does not mix in
  json_t *about;               // theta.json, or NULL
  bool unhashed;               // theta.json does not know a file that was read
} Reading;

// A file of the checkpoint, as errors call it.
static char *called(const Reading *r, const char *name) { return strcmp(r->dir, ".") ? file_join(r->dir, name) : rt_strdup(name); }

static bool map(const Reading *r, FileMap *m, const char *name, const char *path, RtError *e) {
  FileIn *in = file_in_open_at(r->at, name, path, e);
  bool ok = in && file_in_map(m, in, path, e);
  rt_end(in);
  return ok;
}

static bool open_about(Reading *r, RtError *e) {
  char *path = called(r, CHECKPOINT_ABOUT);
  FileMap m;
  if (map(r, &m, CHECKPOINT_ABOUT, path, e)) {
    r->about = rtj_text(path, (const char *)m.data, m.size, e);
    file_unmap(&m);
  }
  const json_t *format = json_object_get(r->about, "calm");
  bool ok = r->about != NULL;
  if (ok && (!json_is_object(json_object_get(r->about, "belongs_to")) || !json_is_integer(format)))
    ok = rt_fail(e, "%s: expected an object with \"calm\" and \"belongs_to\"; this is no theta.json of calm", path);
  if (ok && json_integer_value(format) > FORMAT)
    ok = rt_fail(e, "%s: saved in format %lld, by a newer calm; this program reads formats up to %d", path, (long long)json_integer_value(format), FORMAT);
  if (ok && json_integer_value(format) > 1 && !json_is_object(json_object_get(r->about, "files")))
    ok = rt_fail(e, "%s: \"files\": expected an object, found %s", path, rtj_kind(json_object_get(r->about, "files")));
  rt_free(path);
  return ok;
}

// Of a map, a piece at a time: a map that is read counts as resident.
static void sum_of(const FileMap *m, FileSum *sum) {
  const size_t piece = 1 << 20;
  Sha256 s;
  sha256_init(&s);
  for (size_t at = 0; at < m->size; at += piece) {
    size_t n = m->size - at < piece ? m->size - at : piece;
    sha256_add(&s, m->data + at, n);
    st_drop(m->data + at, n);
  }
  sum->size = m->size;
  sha256_hex(&s, sum->sha256);
}

// The bytes that are going to be used, against what theta.json says of them.
static bool check_bytes(Reading *r, const char *name, const char *path, const FileMap *m, RtError *e) {
  const json_t *listed = json_object_get(json_object_get(r->about, "files"), name), *size = json_object_get(listed, "size");
  const char *hex = json_string_value(json_object_get(listed, "sha256"));
  FileSum sum;
  r->unhashed |= r->about && !listed;
  if (!listed) return true;
  if (!hex || strlen(hex) != SHA256_HEX - 1 || !json_is_integer(size))
    return rt_fail(e, "%s/%s: \"files\": \"%s\": expected {\"size\", \"sha256\"}", r->dir, CHECKPOINT_ABOUT, name);
  if ((uint64_t)json_integer_value(size) != m->size)
    return rt_fail(e, "%s: it has %zu bytes, and had %lld when it was saved (%s): it was cut or changed since", path, m->size,
                   (long long)json_integer_value(size), CHECKPOINT_ABOUT);
  sum_of(m, &sum);
  return !strcmp(sum.sha256, hex) ||
         rt_fail(e, "%s: its bytes are not those that were saved: SHA-256 %.12s…, %.12s… in %s; use another checkpoint or a copy of this one", path,
                 sum.sha256, hex, CHECKPOINT_ABOUT);
}

static bool read_vectors(Reading *r, const Prog *p, const char *name, const ParamsPart *part, int nparts, RtError *e) {
  char *path = called(r, name);
  FileMap m;
  bool ok = map(r, &m, name, path, e);
  if (ok && !check_bytes(r, name, path, &m, e)) {
    file_unmap(&m);
    ok = false;
  }
  ok = ok && params_load(p, part, nparts, &m, path, e);
  rt_free(path);
  return ok;
}

json_t *checkpoint_files(const FileDir *d, const char *dir, RtError *e) {
  Reading r = {.dir = dir, .at = d};
  bool ok = open_about(&r, e);
  json_t *files = ok ? json_incref(json_object_get(r.about, "files")) : NULL;
  if (ok && !files) rt_fail(e, "%s/%s has no hashes: an earlier calm saved it", dir, CHECKPOINT_ABOUT);
  json_decref(r.about);
  return files;
}

// What is to be read: parameters from a file of this name, and moments where x has them.
typedef struct Wanted {
  const char *theta;
  const TrainVectors *x;
  bool force, plain;           // plain: theta.json may be missing
} Wanted;

json_t *checkpoint_settings(const char *dir, RtError *e) {
  Reading r = {.dir = dir};
  json_t *settings = open_about(&r, e) ? json_incref(json_object_get(r.about, "settings")) : NULL;
  json_decref(r.about);
  return settings;
}

static bool read_once(Reading *r, Identity *id, const Wanted *w, RtError *e) {
  const Prog *p = id->models->prog;
  const ParamsPart theta = {"", w->x->theta}, moments[] = {{"m.", w->x->m}, {"v.", w->x->v}};
  if (!w->plain || faccessat(r->at->fd, CHECKPOINT_ABOUT, F_OK, 0) == 0)
    if (!open_about(r, e) || !identity_check(id, json_object_get(r->about, "belongs_to"), r->dir, w->force, e)) return false;
  return read_vectors(r, p, w->theta, &theta, 1, e) && (!w->x->m || read_vectors(r, p, OPTIMIZER, moments, 2, e));
}

// *about: theta.json, owned by the caller; NULL where there is none.
static bool read_checkpoint(const char *dir, Identity *id, const Wanted *w, json_t **about, RtError *e) {
  enum { TIMES = 20 };
  Reading r = {.dir = dir};
  bool ok = false, again = true;
  for (int i = 0; !ok && again && i < TIMES; i++) {
    FileDir *d = file_dir_open(dir, e);
    if (!d) return false;
    r.at = d;
    ok = read_once(&r, id, w, e);
    again = !ok && file_dir_replaced(d, dir);      // a training saved meanwhile, and removed what was being read
    rt_end(d);
    if (!ok) json_decref(r.about), r.about = NULL;
  }
  if (ok && !r.about) rt_warn("%s/%s: no theta.json beside it, so nothing says which models these parameters belong to", dir, w->theta);
  if (ok && r.unhashed) rt_warn("%s/%s has no hash of what was read (an earlier calm saved it, or another file is used): whether its bytes are as they were is not known", dir, CHECKPOINT_ABOUT);
  *about = r.about;
  return ok;
}

bool checkpoint_resume(const char *dir, Identity *id, bool force, const TrainVectors *x, TrainState *s, json_t **about, RtError *e) {
  char *path = file_join(dir, CHECKPOINT_ABOUT);
  bool ok = read_checkpoint(dir, id, &(Wanted){.theta = THETA, .x = x, .force = force}, about, e);
  for (int i = 0; ok && i < NFIELDS; i++) ok = read_field(&FIELD[i], s, json_object_get(*about, FIELD[i].key), path, e);
  rt_free(path);
  return ok;
}

// Refuses the directory of a run, which holds checkpoints and is none.
static bool is_no_run(const char *path, RtError *e) {
  char *last = file_join(path, "last"), *best = file_join(path, "best");
  bool has_last = checkpoint_is(last), has_best = checkpoint_is(best), run = !checkpoint_is(path) && (has_last || has_best);
  if (run)
    rt_fail(e, "%s is the directory of a run, expected a checkpoint: %s%s%s", path, has_last ? last : "", has_last && has_best ? " or " : "",
            has_best ? best : "");
  rt_free(last), rt_free(best);
  return !run;
}

bool checkpoint_params(const char *path, Identity *id, bool force, float *theta, RtError *e) {
  bool is_dir = file_is_dir(path);
  if (is_dir && !is_no_run(path, e)) return false;
  const char *slash = strrchr(path, '/');
  char *dir = is_dir ? rt_strdup(path) : file_dirname(path);
  TrainVectors x = {.theta = theta};
  json_t *about;
  bool ok = read_checkpoint(dir, id, &(Wanted){.theta = is_dir ? THETA : slash ? slash + 1 : path, .x = &x, .force = force, .plain = true}, &about, e);
  json_decref(about);
  rt_free(dir);
  return ok;
}
