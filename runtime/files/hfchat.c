// See hfchat.h.
#include "runtime/files/hfchat.h"

#include <string.h>

#include "runtime/files/file.h"
#include "runtime/files/json.h"

static void read_names(HfChat *c, const json_t *config) {
  static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    json_t *v = json_object_get(config, keys[i]);
    if (json_is_object(v)) v = json_object_get(v, "content");
    if (json_is_string(v)) json_object_set(c->names, keys[i], v);
  }
}

static void take(HfChat *c, const char *text, size_t n, char *from) {
  c->text = memcpy(rt_alloc(n + 1, 1), text, n);
  c->n = n, c->from = from;
}

static bool read_file(HfChat *c, const char *path, RtError *e) {
  FileMap m;
  if (!file_map(&m, path, e)) return false;
  const char *text = m.data ? (const char *)m.data : "";
  size_t bom = rt_utf8_bom(text, m.size);
  take(c, text + bom, m.size - bom, rt_strdup(path));
  file_unmap(&m);
  return true;
}

static bool read_config(HfChat *c, const char *path, const json_t *config, RtError *e) {
  const json_t *v = json_object_get(config, "chat_template"), *first = v;
  for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
    const json_t *one = json_array_get(v, i);
    c->tools_apart |= !strcmp(rtj_said(one, "name"), "tool_use");
    if (i == 0 || !strcmp(rtj_said(one, "name"), "default")) first = json_object_get(one, "template");
  }
  if (!first || json_is_null(first)) return true;
  if (!json_is_string(first)) return rt_fail(e, "%s: \"chat_template\": expected a string, or a list of {\"name\", \"template\"}, found %s", path,
                                              json_is_real(first) ? "a number" : rtj_kind(first));      // whole ones are read as real, too
  take(c, json_string_value(first), json_string_length(first), rt_format("%s: chat_template", path));
  return true;
}

bool hfchat_read(HfChat *c, const char *dir, const char *template, RtError *e) {
  *c = (HfChat){.names = json_object()};
  char *path = dir ? file_join(dir, "tokenizer_config.json") : NULL, *jinja = dir ? file_join(dir, "chat_template.jinja") : NULL;
  json_t *config = NULL;
  bool ok = !path || !file_is_there(path) || (config = rtj_object_file(path, JSON_DECODE_INT_AS_REAL, e));
  if (config) read_names(c, config);
  if (ok && template) ok = read_file(c, template, e);
  else if (ok && jinja && file_is_there(jinja)) ok = read_file(c, jinja, e);
  else if (ok && config) ok = read_config(c, path, config, e);
  json_decref(config), rt_free(path), rt_free(jinja);
  return ok;
}

void hfchat_free(HfChat *c) {
  rt_free(c->text), rt_free(c->from);
  json_decref(c->names);
  *c = (HfChat){0};
}
