// Writes one JSON file from its parts.
//
//   record FILE PART…      PART: a.b=TEXT, a.b:=JSON, a.b@=FILE OF JSON, a.b@=FILE#c.d (what stands there in it)
//
// Dots go into objects. FILE appears whole or not at all.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void die(const char *what, const char *why) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  exit(1);
}

static json_t *read_part(const char *part, const char *text, json_error_t *e) {
  char *file = strdup(text), *path = file;
  if (!file) die(part, "out of memory");
  strsep(&path, "#");
  json_t *all = json_load_file(file, JSON_DECODE_ANY, e), *v = all;
  for (char *name; v && path && (name = strsep(&path, "."));)
    if (!(v = json_object_get(v, name))) die(part, "is not there in the file");
  if (v != all) json_incref(v), json_decref(all);
  free(file);
  return v;
}

static json_t *value_of(const char *part, char kind, const char *text) {
  json_error_t e;
  json_t *v = kind == '@' ? read_part(part, text, &e) : kind == ':' ? json_loads(text, JSON_DECODE_ANY, &e) : json_string(text);
  if (!v) die(part, kind == '=' ? "no valid UTF-8" : e.text);
  return v;
}

static void put(json_t *into, const char *part) {
  const char *eq = strchr(part, '=');
  if (!eq || eq == part) die(part, "expected KEY=TEXT, KEY:=JSON or KEY@=FILE");
  char kind = strchr(":@", eq[-1]) ? eq[-1] : '=';
  char *key = strndup(part, (size_t)(eq - part) - (kind != '='));
  if (!key) die(part, "out of memory");
  char *rest = key, *name = strsep(&rest, ".");
  for (; rest; name = strsep(&rest, ".")) {
    json_t *next = json_object_get(into, name);
    if (!next) json_object_set_new(into, name, next = json_object());
    if (!json_is_object(next)) die(part, "stands in what is no object");
    into = next;
  }
  if (json_object_get(into, name)) die(part, "is there twice");
  if (json_object_set_new(into, name, value_of(part, kind, eq + 1))) die(part, "out of memory");
  free(key);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: record FILE PART…\n");
    return 2;
  }
  json_t *all = json_object();
  char part[4096];
  if (!all) die(argv[1], "out of memory");
  for (int i = 2; i < argc; i++) put(all, argv[i]);
  if ((size_t)snprintf(part, sizeof part, "%s.part", argv[1]) >= sizeof part) die(argv[1], "a name too long");
  FILE *f = fopen(part, "wb");
  if (!f) die(part, strerror(errno));
  int bad = json_dumpf(all, f, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) || fputc('\n', f) == EOF;
  if (fclose(f) || bad || rename(part, argv[1])) die(part, strerror(errno));
  json_decref(all);
  return 0;
}
