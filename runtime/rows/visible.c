// What the stable prefix (follow.h) costs on a program's data sets: how many of the augment tokens that end in the text so far an anchor
// position sees, summed over all positions.
#include <string.h>

#include "runtime/rows/visible.h"
#include "runtime/files/files.h"
#include "runtime/rows/feed.h"

static bool add_shares(const Models *m, const char *path, json_t *all, RtError *e) {
  DataFile *f = data_open(path, e);
  Data *d = f ? feed_look(m, f, e) : NULL;
  if (!d) return data_close(f), false;
  bool ok = true;
  for (int k = 1; k < m->streams.n && ok; k++) {
    FollowShare sum = {0};
    for (int64_t i = 0; i < d->n && ok; i++) ok = follow_share(d->row[i].follow, d->row[i].n, k, &sum, e);
    if (!ok) break;
    json_array_append_new(all, json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:f}", "data", path, "rows", (json_int_t)d->of, "looked", (json_int_t)d->looked, "model",
                                         m->streams.s[k].model, "visible",
                                         (json_int_t)sum.visible, "ended", (json_int_t)sum.ended, "share",
                                         sum.ended ? (double)sum.visible / (double)sum.ended : 1.0));
  }
  feed_looked(f, d), data_close(f);
  return ok;
}

static bool listed(const json_t *all, const char *path) {
  size_t i;
  json_t *o;
  json_array_foreach(all, i, o) if (!strcmp(json_string_value(json_object_get(o, "data")), path)) return true;
  return false;
}

// A data set the spec names, where it is there: a path, or [path, share].
static bool add_named(const Models *m, const json_t *file, json_t *all, RtError *e) {
  const char *path = json_string_value(json_is_array(file) ? json_array_get(file, 0) : file);
  return !path || !file_is_there(path) || listed(all, path) || add_shares(m, path, all, e);
}

// One, or a list of them.
static bool add_files(const Models *m, const json_t *files, json_t *all, RtError *e) {
  size_t i;
  json_t *file;
  if (!json_is_array(files)) return add_named(m, files, all, e);
  json_array_foreach(files, i, file)
    if (!add_named(m, file, all, e)) return false;
  return true;
}

bool visible_shares(const Models *m, const DataSource *data, int n, json_t *all, RtError *e) {
  if (m->streams.n < 2) return true;
  for (int k = 0; k < n; k++)
    if (!add_shares(m, data[k].path, all, e)) return false;
  if (n) return true;
  const char *const key[] = {"data", "validate"};
  for (int i = 0; i < 2; i++)
    if (!add_files(m, json_object_get(m->prog->train, key[i]), all, e)) return false;
  size_t i;
  json_t *o;
  json_array_foreach(m->prog->evals, i, o)
    if (!add_files(m, json_object_get(o, "data"), all, e)) return false;
  return true;
}
