// See packed.h.
#include "runtime/rows/packed.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"

bool packed_put_tokenizer(PackOut *o, const Tokenizer *t, int k, RtError *e) {
  char name[32];
  size_t n;
  snprintf(name, sizeof name, "tokenizer.%d", k);
  void *image = tokenizer_image(t, &n);
  bool ok = packfile_add(o, name, e) && packfile_write(o, image, n, e);
  rt_free(image);
  return ok;
}

json_t *packed_ends_json(const TextEnds *x) {
  json_t *eos = json_array();
  for (int i = 0; i < x->n_eos; i++) json_array_append_new(eos, json_integer(x->eos[i]));
  return json_pack("{s:i, s:o, s:i, s:s?}", "bos", (int)x->bos, "eos", eos, "append", (int)x->append, "append_from", x->append_from);
}

bool packed_check(const PackFile *p, int nmodel, RtError *e) {
  const char *path = packfile_path(p);
  const json_t *of = json_object_get(packfile_about(p), "tokenizers");
  if (!json_is_array(of) || json_array_size(of) != (size_t)nmodel)
    return rt_fail(e, "%s: \"tokenizers\": expected a number for each of %d model%s", path, nmodel, plural(nmodel));
  for (int i = 0; i < nmodel; i++) {
    int64_t k;
    if (!rtj_int_in(path, "tokenizers", json_array_get(of, (size_t)i), -1, nmodel - 1, &k, e)) return false;
  }
  return true;
}

int packed_tokenizer(const PackFile *p, int model) {
  return (int)json_integer_value(json_array_get(json_object_get(packfile_about(p), "tokenizers"), (size_t)model));
}

Tokenizer *packed_open(const PackFile *p, int model, const char *tokfile, RtError *e) {
  const char *path = packfile_path(p);
  char name[32];
  size_t n = 0;
  snprintf(name, sizeof name, "tokenizer.%d", packed_tokenizer(p, model));
  const void *image = packfile_section(p, name, &n);
  if (!image) return rt_fail(e, "%s: there is no section %s", path, name), NULL;
  return tokenizer_mapped(image, n, tokfile ? tokfile : path, path, e);
}

json_t *packed_chat_json(const HfChat *c) {
  json_t *v = json_object();
  if (c->text) json_object_set_new(v, "text", json_stringn(c->text, c->n)), json_object_set_new(v, "from", json_string(c->from));
  json_object_set(v, "names", c->names);
  if (c->tools_apart) json_object_set_new(v, "tools_apart", json_true());
  return v;
}

bool packed_chat(const PackFile *p, int model, HfChat *out, RtError *e) {
  const char *path = packfile_path(p), *from = path;
  const json_t *v = json_array_get(json_object_get(packfile_about(p), "chat"), (size_t)model), *text = json_object_get(v, "text"), *names = json_object_get(v, "names");
  *out = (HfChat){0};
  if (!json_is_object(names) || (text && !json_is_string(text))) return rt_fail(e, "%s: \"chat\": expected a chat template, found %s", path, rtj_kind(v));
  if (!rtj_get_string(path, v, "from", &from, e)) return false;
  out->names = json_incref((json_t *)(uintptr_t)names);
  if (!text) return true;
  out->tools_apart = json_is_true(json_object_get(v, "tools_apart"));
  out->n = json_string_length(text), out->from = rt_strdup(from);
  out->text = memcpy(rt_alloc(out->n + 1, 1), json_string_value(text), out->n);
  return true;
}

bool packed_generation(const PackFile *p, json_t **said, HfGeneration *how, RtError *e) {
  json_t *v = json_object_get(packfile_about(p), "generation");
  *said = NULL;
  if (v && !json_is_object(v)) return rt_fail(e, "%s: \"generation\": expected an object, found %s", packfile_path(p), rtj_kind(v));
  *said = json_incref(v);
  return hfgeneration_read(how, packfile_path(p), v, e);
}

bool packed_ends(const PackFile *p, TextEnds *x, RtError *e) {
  const char *path = packfile_path(p);
  const json_t *v = json_object_get(packfile_about(p), "ends"), *eos = json_object_get(v, "eos");
  int64_t bos = -1, append = -1, last = -1;
  if (!json_is_object(v) || !json_is_array(eos)) return rt_fail(e, "%s: \"ends\": expected what begins and ends a text, found %s", path, rtj_kind(v));
  if (!rtj_get_int_in(path, v, "bos", -1, RTJ_MAX_ID, &bos, e) || !rtj_get_int_in(path, v, "append", -1, RTJ_MAX_ID, &append, e) ||
      !rtj_get_string(path, v, "append_from", &x->append_from, e))
    return false;
  if (append >= 0 && !x->append_from) return rt_fail(e, "%s: \"ends\": nothing says where \"append\" is from", path);
  x->bos = (int32_t)bos, x->append = (int32_t)append;
  x->eos = rt_alloc(json_array_size(eos) + 1, sizeof *x->eos);
  for (size_t i = 0; i < json_array_size(eos); i++) {
    int64_t id;
    if (!rtj_int_in(path, "eos", json_array_get(eos, i), last + 1, RTJ_MAX_ID, &id, e)) return false;      // ascending
    x->eos[x->n_eos++] = (int32_t)(last = id);
  }
  return true;
}
