// See own.h.
#include "runtime/rows/own.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static bool unknown(const Streams *ss, const char *name, RtError *e) {
  Bytes known = {0};
  bytes_put(&known, "", 0);
  for (int i = 0; i < ss->models; i++) {
    if (i == ss->anchor) continue;
    if (known.n) bytes_put(&known, ", ", 2);
    bytes_put(&known, ss->name[i], strlen(ss->name[i]));
  }
  rt_fail(e, "\"augment\": no augment is called \"%.80s\"; this program has %s", name, known.n ? known.s : "none");
  rt_free(known.s);
  return false;
}

static bool read_one(const Streams *ss, const char *name, const json_t *text, OwnText *own, RtError *e) {
  int i = 0;
  while (i < ss->models && (i == ss->anchor || strcmp(ss->name[i], name))) i++;
  if (i == ss->models) return unknown(ss, name, e);
  int k = ss->of[i];
  if (json_is_null(text)) return true;
  if (!json_is_string(text)) return rt_fail(e, "\"augment\": \"%.80s\": expected a string, found %s", name, rtj_kind(text));
  if (k && ss->s[k].silent) return true;
  if (!k || !ss->s[k].tok) return rt_fail(e, "\"augment\": %s has no tokenizer to read a text of its own with", name);
  own[k] = (OwnText){json_string_value(text), json_string_length(text)};
  return true;
}

bool own_read(const Streams *ss, const json_t *augment, OwnText **own, RtError *e) {
  const char *name;
  json_t *text;
  *own = NULL;
  if (!augment || json_is_null(augment)) return true;
  if (!json_is_object(augment)) return rt_fail(e, "\"augment\": expected an object, as in {\"NAME\": \"its text\"}, found %s", rtj_kind(augment));
  *own = rt_alloc((size_t)(ss && ss->n ? ss->n : 1), sizeof **own);
  const Streams none = {0};
  bool ok = true, any = false;
  json_object_foreach((json_t *)(uintptr_t)augment, name, text) {
    if (!(ok = read_one(ss ? ss : &none, name, text, *own, e))) break;
    any = any || !json_is_null(text);
  }
  if (ok && any) return true;
  rt_free(*own);
  return *own = NULL, ok;
}

bool own_begin(Follow *f, const OwnText *own, RtError *e) {
  for (int k = 1; f && own && k < f->streams->n; k++)
    if (own[k].text && !follow_own(f, k, own[k].text, own[k].n, e)) return false;
  return true;
}

bool own_holds(const Streams *ss, const OwnText *own, const char *text, size_t n) {
  while (n && isspace((unsigned char)*text)) text++, n--;
  while (n && isspace((unsigned char)text[n - 1])) n--;
  for (int k = 1; n && own && k < ss->n; k++)
    if (own[k].text && memmem(own[k].text, own[k].n, text, n)) return true;
  return false;
}
