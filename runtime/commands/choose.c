// See choose.h.
#include "runtime/commands/choose.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

// What a train block says, over the defaults; of a run also what its flags said.
static bool read_block(TrainSettings *s, const json_t *block, const char *what, RtError *e) {
  settings_default(s);
  return settings_json(s, block, what, e);
}

// What the run gone on with used, and what of that the spec has changed since.
static bool go_on(Chosen *c, const json_t *now, const json_t *theirs, const char *path, RtError *e) {
  const json_t *settings = json_object_get(theirs, "settings"), *block = json_object_get(theirs, "spec_train");
  TrainSettings spec = c->set, then;
  if (!json_is_object(settings)) return rt_fail(e, "%s: \"settings\": expected an object, found %s", path, rtj_kind(settings));
  if (block && !json_is_object(block) && !json_is_null(block)) return rt_fail(e, "%s: \"spec_train\": expected an object, found %s", path, rtj_kind(block));
  if (!settings_json(&c->set, settings, path, e) || !read_block(&then, block, path, e)) return false;
  c->before = c->set;
  for (int i = 0; block && i < N_SETTINGS; i++) {
    if (!settings_is_train(i) || !settings_says(now, i) || (settings_says(block, i) && settings_same(&spec, &then, i))) continue;
    settings_copy(&c->set, &spec, i);
    c->by[i] = CHOSEN_BY_SPEC;
  }
  return true;
}

bool choose(Chosen *c, const Prog *p, const Options *o, const json_t *theirs, const char *path, RtError *e) {
  *c = (Chosen){0};
  if (!read_block(&c->set, p->train, "train", e) || (theirs && !go_on(c, p->train, theirs, path, e))) return false;
  for (int i = 0; i < N_SETTINGS; i++) {
    if (!o->setting[i]) continue;
    settings_clear(&c->set, i);                    // files of a flag are all there are
    if (!settings_set(&c->set, i, o->setting[i], e)) return false;
    for (int k = 0; k < o->more[i].n; k++)
      if (!settings_set(&c->set, i, o->more[i].v[k], e)) return false;
    c->by[i] = CHOSEN_BY_FLAG;
  }
  for (int i = 0; theirs && i < N_SETTINGS; i++)
    if (settings_is_train(i) && settings_same(&c->set, &c->before, i)) c->by[i] = CHOSEN_ALREADY;
  return settings_check(&c->set, e);
}

void choose_tell(const Chosen *c) {
  for (int i = 0; i < N_SETTINGS; i++) {
    char was[512], is[512], flag[64];
    if (c->by[i] == CHOSEN_ALREADY) continue;
    settings_text(&c->before, i, was, sizeof was), settings_text(&c->set, i, is, sizeof is);
    snprintf(flag, sizeof flag, "--%s", setting_row[i].name);
    for (char *s = flag; *s; s++)
      if (*s == '_') *s = '-';
    fprintf(stderr, "%s %s -> %s, from %s\n", setting_row[i].name, was, is, c->by[i] == CHOSEN_BY_SPEC ? "the spec" : flag);
  }
}

void choose_keep(const Chosen *c, const Prog *p, json_t *run) {
  json_object_set(run, "spec_train", p->train);
  json_object_set_new(run, "settings", settings_to_json(&c->set));
}
