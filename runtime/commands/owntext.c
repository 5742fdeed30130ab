// See owntext.h.
#include "runtime/commands/owntext.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static json_t *file_text(const char *path, RtError *e) {
  FileMap m = {0};
  FileIn *in = file_in_open(path, e);
  bool ok = in && file_in_map(&m, in, path, e);
  rt_end(in);
  if (!ok) return NULL;
  const char *all = m.data ? (const char *)m.data : "", *other = text_instead(all, m.size);
  size_t bom = rt_utf8_bom(all, m.size);
  json_t *text = other ? NULL : json_stringn(all + bom, m.size - bom);
  if (!text) rt_fail(e, "%s: %s", path, other ? other : "not UTF-8");
  file_unmap(&m);
  return text;
}

bool owntext_asked(const Options *o, json_t **asked, RtError *e) {
  *asked = o->augment.n ? json_object() : NULL;
  bool ok = true;
  for (int i = 0; ok && i < o->augment.n; i++) {
    const char *word = o->augment.v[i], *eq = strchr(word, '=');
    if (!eq || eq == word) return rt_fail_about(e, RT_ABOUT_USAGE, "--augment %.80s: expected NAME=TEXT, or NAME=@FILE", word);
    char *name = rt_strndup(word, (size_t)(eq - word));
    if (json_object_get(*asked, name)) ok = rt_fail_about(e, RT_ABOUT_USAGE, "--augment %s=… is given twice; an augment reads one text", name);
    json_t *text = !ok ? NULL : eq[1] == '@' ? file_text(eq + 2, e) : json_string(eq + 1);
    if (ok && !text && eq[1] != '@') rt_fail(e, "--augment %s: the text is not UTF-8", name);
    ok = text && !json_object_set_new(*asked, name, text);
    rt_free(name);
  }
  return ok;
}

bool owntext_begin(const App *a, const json_t *asked, const json_t *row, RtError *e) {
  OwnText *texts, *more;
  if (!own_read(&a->models->streams, asked, &texts, e)) return false;
  if (!own_read(&a->models->streams, json_object_get(row, "augment"), &more, e)) return rt_free(texts), false;
  for (int k = 0; texts && more && k < a->models->streams.n; k++)
    if (!more[k].text) more[k] = texts[k];
  a->models->own = more ? more : texts;
  if (more) rt_free(texts);
  return true;
}

void owntext_end(const App *a) {
  rt_free((OwnText *)(uintptr_t)a->models->own);
  a->models->own = NULL;
}
