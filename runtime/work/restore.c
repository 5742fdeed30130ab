// See restore.h.
#include "runtime/work/restore.h"
#include "runtime/work/precisions.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"

struct Checkpoint {
  const Prog *prog;
  char *path;                  // of theta.json
  json_t *about;               // theta.json, or NULL
  Safetensors *theta, *moments;
};

static const ParamsPart MOMENTS[] = {{"m.", NULL}, {"v.", NULL}};

// ---- files

typedef struct Reading {
  const char *dir;
  const FileDir *at;           // the directory: what takes its place meanwhile does not mix in
  json_t *about;               // theta.json, or NULL
  bool unhashed;               // theta.json does not know a file that was read
  bool warned;                 // that an earlier calm saved it
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
  if (ok && json_integer_value(format) > CHECKPOINT_FORMAT)
    ok = rt_fail(e, "%s: saved in format %lld, by a newer calm; this program reads formats up to %d", path, (long long)json_integer_value(format), CHECKPOINT_FORMAT);
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

// Mapped, its bytes as they should be; NULL and an error.
static Safetensors *open_vectors(Reading *r, const char *name, RtError *e) {
  char *path = called(r, name);
  FileMap m;
  Safetensors *s = NULL;
  bool ok = map(r, &m, name, path, e);
  if (ok && !check_bytes(r, name, path, &m, e)) file_unmap(&m), ok = false;
  if (ok) s = st_open_map(&m, path, e);
  rt_free(path);
  return s;
}

// Its tensors against the program's parameters, by name and shape.
static bool fits(const Reading *r, const Prog *p, const char *name, const ParamsPart *part, int nparts, const Safetensors *s, RtError *e) {
  char *path = called(r, name);
  bool ok = params_fit(p, part, nparts, s, path, e);
  rt_free(path);
  return ok;
}

// Whether theta.json says what it said when it was saved. What it says that cannot be is told before, by its key.
static bool check_about(const json_t *about, const char *path, RtError *e) {
  const json_t *said = json_object_get(about, "sha256");
  char hex[SHA256_HEX];
  if (!said) return true;
  if (!json_is_string(said)) return rt_fail(e, "%s: \"sha256\": expected a string, found %s", path, rtj_kind(said));
  checkpoint_sum(about, hex);
  return !strcmp(hex, json_string_value(said)) ||
         rt_fail(e, "%s: it does not say what was saved: SHA-256 %.12s…, and %.12s… stands in it; use another checkpoint or a copy of this one (what was changed on "
                    "purpose is taken where the line \"sha256\" is left out)", path, hex, json_string_value(said));
}

json_t *checkpoint_files(const FileDir *d, const char *dir, RtError *e) {
  Reading r = {.dir = dir, .at = d};
  bool ok = open_about(&r, e);
  json_t *files = ok ? json_incref(json_object_get(r.about, "files")) : NULL;
  if (ok && !files) rt_fail(e, "%s/%s has no hashes: an earlier calm saved it", dir, CHECKPOINT_ABOUT);
  char *path = called(&r, CHECKPOINT_ABOUT);
  if (files && !check_about(r.about, path, e)) json_decref(files), files = NULL;
  rt_free(path);
  json_decref(r.about);
  return files;
}

// ---- a checkpoint

// What is to be read: parameters from a file of this name, and moments.
typedef struct Wanted {
  const char *theta;
  bool moments, force, plain;  // plain: theta.json may be missing
} Wanted;

void checkpoint_close(Checkpoint *c) {
  if (!c) return;
  st_close(c->theta), st_close(c->moments);
  json_decref(c->about);
  rt_free(c->path), rt_free(c);
}

static bool belongs(const Reading *r, Identity *id, Theirs *t, const RtError *misfit, bool force, RtError *e) {
  *t = (Theirs){.belongs_to = json_object_get(r->about, "belongs_to"), .spec = json_string_value(json_object_get(r->about, "spec_file")), .path = r->dir,
                .earlier = json_integer_value(json_object_get(r->about, "calm")) < 3};
  return identity_check(id, t, misfit, force, e);
}

static Checkpoint *open_once(Reading *r, Identity *id, const Wanted *w, RtError *e) {
  const Prog *p = id->models->prog;
  Theirs t = {0};
  Checkpoint *c = rt_alloc(1, sizeof *c);
  *c = (Checkpoint){.prog = p, .path = called(r, CHECKPOINT_ABOUT)};
  bool there = !w->plain || faccessat(r->at->fd, CHECKPOINT_ABOUT, F_OK, 0) == 0, ok = !there || open_about(r, e);
  c->about = r->about;
  ok = ok && (c->theta = open_vectors(r, w->theta, e)) && (!w->moments || (c->moments = open_vectors(r, CHECKPOINT_MOMENTS, e)));
  if (ok) {
    RtError misfit;
    bool fit = fits(r, p, w->theta, &(ParamsPart){"", NULL}, 1, c->theta, &misfit) && (!c->moments || fits(r, p, CHECKPOINT_MOMENTS, MOMENTS, 2, c->moments, &misfit));
    if (there) ok = belongs(r, id, &t, fit ? NULL : &misfit, w->force, e);
    else if (!fit) *e = misfit, ok = false;
  }
  if (ok && !w->moments && c->about) ok = check_about(c->about, c->path, e);       // else checkpoint_state does
  r->warned = ok && t.belongs_to && identity_unsaid(id, &t);
  if (r->warned)
    rt_warn("%s was saved by an earlier calm, from another text of %s: names and shapes of all tensors fit; whether its operators compute the same is not known",
            r->dir, p->spec);
  if (ok) return c;
  checkpoint_close(c);
  r->about = NULL;
  return NULL;
}

static Checkpoint *open_checkpoint(const char *dir, Identity *id, const Wanted *w, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  enum { TIMES = 20 };
  Reading r = {.dir = dir};
  Checkpoint *c = NULL;
  bool again = true;
  for (int i = 0; !c && again && i < TIMES; i++) {
    FileDir *d = file_dir_open(dir, e);
    if (!d) return NULL;
    r.at = d;
    c = open_once(&r, id, w, e);
    again = !c && file_dir_replaced(d, dir);       // a training saved meanwhile, and removed what was being read
    rt_end(d);
  }
  if (c && !c->about) rt_warn("%s/%s: no theta.json beside it, so nothing says which models these parameters belong to", dir, w->theta);
  if (c && r.unhashed) rt_warn("%s/%s has no hash of what was read (an earlier calm saved it, or another file is used): whether its bytes are as they were is not known", dir, CHECKPOINT_ABOUT);
  else if (c && c->about && !json_object_get(c->about, "sha256") && !r.warned)
    rt_warn("%s/%s has no hash of itself (an earlier calm saved it, or it was changed on purpose): whether it says what was saved is not known", dir, CHECKPOINT_ABOUT);
  return c;
}

Checkpoint *checkpoint_open_run(const char *dir, Identity *id, bool force, RtError *e) {
  return open_checkpoint(dir, id, &(Wanted){.theta = CHECKPOINT_THETA, .moments = true, .force = force}, e);
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

Checkpoint *checkpoint_open_params(const char *path, Identity *id, bool force, RtError *e) {
  bool is_dir = file_is_dir(path);
  if (is_dir && !is_no_run(path, e)) return NULL;
  const char *slash = strrchr(path, '/');
  char *dir = is_dir ? rt_strdup(path) : file_dirname(path);
  Checkpoint *c = open_checkpoint(dir, id, &(Wanted){.theta = is_dir ? CHECKPOINT_THETA : slash ? slash + 1 : path, .force = force, .plain = true}, e);
  rt_free(dir);
  return c;
}

// What theta.json beside parameters says of one field, before anything of them is opened or checked; NULL where it says nothing. To be let go when s was looked at.
static json_t *peek(const char *path, const char *field, TrainState *s) {
  RtError ignored;
  char *dir = file_is_dir(path) ? rt_strdup(path) : file_dirname(path), *file = file_join(dir, CHECKPOINT_ABOUT);
  json_t *about = file_is_there(file) ? rtj_object_file(file, 0, &ignored) : NULL;
  if (about && !fields_read_one(s, field, about, file, &ignored)) json_decref(about), about = NULL;
  rt_free(dir), rt_free(file);
  return about;
}

int64_t checkpoint_date(const char *path) {
  TrainState s = {0};
  json_t *about = peek(path, "date", &s);
  int64_t date = about ? s.date : 0;
  json_decref(about);
  return date;
}

bool checkpoint_expects(const char *path, const Prog *p, Precision *of) {
  TrainState s = {0};
  const char *none;
  json_t *about = peek(path, "precision", &s);
  bool ok = about && precisions_read(p, s.precision, of, &none);
  json_decref(about);
  return ok;
}

const json_t *checkpoint_about(const Checkpoint *c) { return c->about; }
const char *checkpoint_path(const Checkpoint *c) { return c->path; }

bool checkpoint_state(const Checkpoint *c, TrainState *s, RtError *e) { return fields_read(s, c->about, c->path, e) && check_about(c->about, c->path, e); }

bool checkpoint_precision(const Checkpoint *c, const Prog *p, Precision *of, RtError *e) {
  TrainState s = {0};
  const char *none;
  if (!fields_read_one(&s, "precision", c->about, c->path, e)) return false;
  return precisions_read(p, s.precision, of, &none) || rt_fail(e, "%s: \"precision\" says nothing of model %s", c->path, none);
}

void checkpoint_take(Checkpoint *c, const TrainVectors *x) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  const ParamsPart theta = {"", x->theta}, moments[] = {{MOMENTS[0].prefix, x->m}, {MOMENTS[1].prefix, x->v}};
  params_take(c->prog, &theta, 1, c->theta);
  if (c->moments && x->m) params_take(c->prog, moments, 2, c->moments);
  st_close(c->theta), st_close(c->moments);
  c->theta = c->moments = NULL;
}
