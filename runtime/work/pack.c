// See pack.h.
#include "runtime/work/pack.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/checkpoint.h"
#include "runtime/work/madefrom.h"
#include "runtime/work/precisions.h"
#include "runtime/work/restore.h"

static const char SELF[] = "/proc/self/exe";
#define PRECISION_TOLD "precision_told"

// ---- writing

// The file that --params names.
static char *theta_file(const char *params) { return file_is_dir(params) ? file_join(params, CHECKPOINT_THETA) : rt_strdup(params); }

// Each model's word for what its matrices are kept as.
static json_t *kept_as(const Prog *p) {
  json_t *keep = json_object();
  for (int i = 0; i < p->nmodel; i++) json_object_set_new(keep, p->model[i].name, json_string(KeepAs_names[p->model[i].keep].name));
  return keep;
}

static json_t *describe_all(const Models *m, const Engine *en, const char *params, bool told, RtError *e) {
  char self[SHA256_HEX];
  char *theta = params ? theta_file(params) : NULL, *whole = params ? file_absolute(params) : NULL;
  json_t *from = sha256_file(SELF, self, e) ? made_from(m, theta, e) : NULL;
  json_t *about = !from ? NULL : json_pack("{s:s, s:{s:s, s:s, s:s, s:o}, s:s, s:o, s:s?, s:o}", "calm", CALM_VERSION, "program", "spec", m->prog->spec, "spec_sha256", m->prog->spec_sha256,
                   "sha256", self, "keep", kept_as(m->prog), "isa", en->isa->name, "precision", precisions_used(en), "parameters", whole,
                   "made_from", from);
  if (about && told) json_object_set_new(about, PRECISION_TOLD, json_true());
  if (about && params) json_object_set_new(about, "date", json_integer((json_int_t)checkpoint_date(params)));
  rt_free(theta), rt_free(whole);
  return about;
}

bool pack_save(const char *path, const Models *m, Engine *en, const char *params, bool told, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  if (file_is_there(path) && !packfile_is(path))
    return rt_fail_about(e, RT_ABOUT_PACK_OUT, "cannot write the pack file %s: what is there is no pack file, and is left as it is", path);
  json_t *about = describe_all(m, en, params, told, e);
  PackOut *o = about ? packfile_begin(path, e) : NULL;
  bool ok = o && engine_pack(en, params != NULL, o, e) && models_pack(m, o, about, e) && engine_unchanged(en, e) && packfile_commit(o, about, e);
  if (o && !ok) packfile_abandon(o);
  json_decref(about);
  return ok;
}

// ---- opening

const char *pack_params(const PackFile *f) { return json_string_value(json_object_get(packfile_about(f), "parameters")); }

const json_t *pack_precision_told(const PackFile *f) {
  const json_t *about = packfile_about(f);
  return json_is_true(json_object_get(about, PRECISION_TOLD)) ? json_object_get(about, "precision") : NULL;
}

int64_t pack_date(const PackFile *f) { return json_integer_value(json_object_get(packfile_about(f), "date")); }

// Where the program that packed kept a model's matrices as something else: that, in words; else "".
static void other_keep(const json_t *by, const Prog *p, char words[160]) {
  words[0] = 0;
  for (int i = 0; i < p->nmodel && !words[0]; i++) {
    const char *was = rtj_said(json_object_get(by, "keep"), p->model[i].name), *is = KeepAs_names[p->model[i].keep].name;
    if (strcmp(was, "?") && strcmp(was, is)) snprintf(words, 160, ", in which model %.60s was kept as %.20s, and here it is as %s", p->model[i].name, was, is);
  }
}

bool pack_is_of(const PackFile *f, const Prog *p, RtError *e) {
  const json_t *about = packfile_about(f), *by = json_object_get(about, "program");
  const char *path = packfile_path(f);
  char self[SHA256_HEX];
  if (!sha256_file(SELF, self, e)) return false;
  if (strcmp(rtj_said(by, "sha256"), self)) {
    bool same = !strcmp(rtj_said(by, "spec_sha256"), p->spec_sha256);
    char keep[160];
    other_keep(by, p, keep);
    return rt_fail_about(e, RT_ABOUT_PACK, "%s was packed by another program (%s %.80s, calm %.20s%s)", path, same ? "another build of" : "another text of",
                         rtj_said(by, "spec"), rtj_said(about, "calm"), keep);
  }
  return json_is_array(json_object_get(about, "made_from")) || rt_fail_about(e, RT_ABOUT_PACK, "%s does not say what it was made from", path);
}

bool pack_fits(const PackFile *f, const Engine *en, RtError *e) {
  const char *path = rtj_said(packfile_about(f), "isa");
  json_t *precision = precisions_used(en), *packed = json_object_get(packfile_about(f), "precision");
  char *here = precisions_words(precision), *there = precisions_words(packed);
  bool ok = !strcmp(path, en->isa->name) && json_equal(packed, precision);
  if (!ok) rt_fail_about(e, RT_ABOUT_PACK, "%s was packed for %.20s in %.200s, and this runs on %s in %.200s", packfile_path(f), path, there, en->isa->name, here);
  rt_free(here), rt_free(there), json_decref(precision);
  return ok;
}

json_t *pack_describe(const PackFile *f) {
  const json_t *about = packfile_about(f);
  return json_pack("{s:s, s:I, s:s, s:O?, s:s?}", "path", packfile_path(f), "bytes", (json_int_t)packfile_bytes(f), "isa", rtj_said(about, "isa"), "precision",
                   json_object_get(about, "precision"), "parameters", pack_params(f));
}

// ---- every byte

bool pack_check(const char *path, SumsFound *found, RtError *e) {
  if (!packfile_check(path, found, e)) return false;
  PackFile *f = packfile_open(path, e);
  bool ok = f && made_check(f, found, e);
  packfile_close(f);
  return ok;
}
