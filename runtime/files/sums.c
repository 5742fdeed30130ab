// See sums.h. The format of SHA256SUMS: a line "HEX  NAME" or "HEX *NAME" a file; where NAME has a newline or backslash, it is escaped and the
// line begins with a backslash.
#include "runtime/files/sums.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/out.h"

void sums_add(json_t *list, const char *name, const FileSum *sum) {
  json_object_set_new(list, name, json_pack("{s:s, s:I}", "sha256", sum->sha256, "size", (json_int_t)sum->size));
}

static char *escaped(const char *name) {
  char *out = rt_alloc(2 * strlen(name) + 1, 1), *at = out;
  for (; *name; name++) {
    if (*name == '\\' || *name == '\n') *at++ = '\\';
    *at++ = *name == '\n' ? 'n' : *name;
  }
  return out;
}

bool sums_save(const json_t *list, const char *dir, RtError *e) {
  char *path = file_join(dir, SUMS_FILE);
  FileOut *f = file_out_open(path, e);
  bool ok = f;
  const char *name;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)list, name, v) {
    if (!ok) break;
    char *safe = escaped(name), *line = rt_format("%s%s  %s\n", strcmp(safe, name) ? "\\" : "", json_string_value(json_object_get(v, "sha256")), safe);
    ok = file_out_write(f, line, strlen(line), e);
    rt_free(safe), rt_free(line);
  }
  ok = ok && file_out_commit(f, e);
  rt_free(path);
  return ok;
}

// ---- reading

// A name inside the directory: not absolute, and no way out of it.
static bool is_inside(const char *name) {
  if (!*name || *name == '/') return false;
  for (const char *p = name; p; p = strchr(p, '/')) {
    p += *p == '/';
    if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/')) return false;
  }
  return true;
}

// One line without its newline, changed in place. False when it is not of the format.
static bool read_line(char *line, json_t *list) {
  bool escapes = *line == '\\';
  if (escapes) line++;
  char *name = line + SHA256_HEX - 1;
  if (strspn(line, "0123456789abcdefABCDEF") != SHA256_HEX - 1 || name[0] != ' ' || (name[1] != ' ' && name[1] != '*')) return false;
  *name = 0, name += 2;
  for (char *c = line; *c; c++)
    if (*c >= 'A' && *c <= 'F') *c = (char)(*c - 'A' + 'a');
  char *to = name;
  for (const char *c = name; *c; c++) {
    bool escape = escapes && *c == '\\';
    if (escape && *++c != 'n' && *c != '\\') return false;
    *to++ = escape && *c == 'n' ? '\n' : *c;
  }
  *to = 0;
  return is_inside(name) && json_object_set_new(list, name, json_pack("{s:s}", "sha256", line)) == 0;
}

json_t *sums_read(const FileDir *d, const char *dir, RtError *e) {
  char *path = file_join(dir, SUMS_FILE);
  json_t *list = json_object();
  FileMap m = {0};
  FileIn *in = file_in_open_at(d, SUMS_FILE, path, e);
  bool ok = in && file_in_map(&m, in, path, e);
  rt_end(in);
  size_t n = 0;
  for (const char *at = (const char *)m.data, *end = at + m.size; ok && at < end;) {
    const char *nl = memchr(at, '\n', (size_t)(end - at));
    char *line = rt_strndup(at, (size_t)((nl ? nl : end) - at));
    n++;
    if (*line && !read_line(line, list))
      ok = rt_fail(e, "%s:%zu: expected a SHA-256 of 64 digits, two spaces and the name of a file in this directory", path, n);
    rt_free(line);
    at = nl ? nl + 1 : end;
  }
  if (ok && !json_object_size(list)) ok = rt_fail(e, "%s lists no file", path);
  file_unmap(&m);
  rt_free(path);
  if (ok) return list;
  json_decref(list);
  return NULL;
}

// ---- checking

static bool check_one(const char *name, const json_t *v, const FileDir *d, const char *path, SumsFound *found, RtError *e) {
  const char *hex = json_string_value(json_object_get(v, "sha256"));
  const json_t *size = json_object_get(v, "size");
  FileSum sum;
  if (!hex || strlen(hex) != SHA256_HEX - 1 || (size && !json_is_integer(size)))
    return rt_fail(e, "%s: expected {\"sha256\", \"size\"} where this file is listed", path);
  char *says = NULL;
  if (faccessat(d->fd, name, F_OK, 0) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return rt_fail(e, "cannot read %s: %s", path, strerror(errno));
    says = rt_format("%s: missing", path);
  } else {
    if (!sha256_read(d, name, path, &sum, e)) return false;
    found->files++, found->bytes += (int64_t)sum.size;
    if (size && (uint64_t)json_integer_value(size) != sum.size)
      says = rt_format("%s: changed: %llu byte%s, listed with %lld", path, (unsigned long long)sum.size, plural((int64_t)sum.size),
                       (long long)json_integer_value(size));
    else if (strcmp(sum.sha256, hex) != 0)
      says = rt_format("%s: changed: its SHA-256 is %.12s…, listed with %.12s…", path, sum.sha256, hex);
  }
  if (!says) return true;
  found->bad++;
  json_array_append_new(found->says, json_string(says));
  rt_free(says);
  return true;
}

bool sums_check(const json_t *list, const FileDir *d, const char *dir, SumsFound *found, RtError *e) {
  const char *name;
  json_t *v;
  bool ok = true;
  json_object_foreach((json_t *)(uintptr_t)list, name, v) {
    if (!ok) break;
    char *path = file_join(dir, name);
    ok = check_one(name, v, d, path, found, e);
    rt_free(path);
  }
  return ok;
}
