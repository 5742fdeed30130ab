// Paths that a text names. See path.h.
#include "dsl/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *path_from(Arena *a, const char *from, const char *path) {
  const char *slash = strrchr(from, '/');
  if (path[0] == '/' || !slash) return path;
  return arena_printf(a, "%.*s/%s", (int)(slash - from), from, path);
}

const char *path_absolute(Arena *a, const char *from, const char *path) {
  if (path[0] == '/') return path;
  char *folder = realpath(path_from(a, from, "."), NULL);
  const char *full = folder ? arena_printf(a, "%s/%s", strcmp(folder, "/") ? folder : "", path) : path;
  free(folder);
  return full;
}

// "~", "$NAME" or "${NAME}" at the beginning of path, which a shell would replace: how long it is, 0; *value: by what, NULL.
static int shell_word(Arena *a, const char *path, const char **value) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  if (path[0] == '~') {
    int n = (int)strcspn(path, "/");
    *value = n == 1 ? getenv("HOME") : NULL;
    return n;
  }
  bool braced = path[0] == '$' && path[1] == '{';
  size_t n = path[0] == '$' ? strspn(path + 1 + braced, letters) : 0;
  if (!n || (braced && path[2 + n] != '}')) return 0;
  *value = getenv(arena_strndup(a, path + 1 + braced, n));
  return (int)n + 1 + 2 * braced;
}

const char *path_shell(Arena *a, const char *path) {
  const char *value = NULL, *at = path[0] == '~' ? path : strchr(path, '$');
  int n = at ? shell_word(a, at, &value) : 0;
  if (!n) return NULL;
  const char *instead = value && *value ? arena_printf(a, "%.*s%s%s", (int)(at - path), path, value, at + n) : "the path out";
  return arena_printf(a, "'%.*s' is not expanded in a spec: write %s", n, at, instead);
}

const char *path_remark(Arena *a, const char *from, const char *path) {
  const char *shell = path_shell(a, path);
  if (shell) return arena_printf(a, "; %s", shell);
  if (path[0] == '/' || !*from) return "";
  char *folder = realpath(path_from(a, from, "."), NULL);
  const char *remark = folder ? arena_printf(a, "; paths in a spec are taken from its own folder, %s", folder) : "";
  free(folder);
  return remark;
}
