// See cgroup.h. /proc/self/cgroup says which cgroup of a hierarchy we are in; /proc/self/mountinfo where a part of the hierarchy is mounted, and
// which part: in a container often not all of it. Both are seen from the cgroup namespace's root: "/.." is what lies above it.
#include "runtime/machine/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool small_file(const char *dir, const char *name, char *out, size_t cap) {
  char path[PATH_MAX + 64];
  if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) return false;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t n = 0;
  ssize_t got;
  while (n < cap && (got = read(fd, out + n, cap - n)) > 0) n += (size_t)got;
  close(fd);
  if (n == 0 || n == cap || memchr(out, 0, n)) return false;
  while (n && (out[n - 1] == '\n' || out[n - 1] == ' ')) n--;
  out[n] = 0;
  return true;
}

// ---- where we are in a hierarchy

// Is `word` one of a list with commas?
static bool listed(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *at = list; *at;) {
    size_t k = strcspn(at, ",");
    if (k == n && !memcmp(at, word, n)) return true;
    at += k + (at[k] == ',');
  }
  return false;
}

enum { LINE = 4 * PATH_MAX };  // room for the longest of both files

// The next line of a file, without its newline; those that are longer than any can be are passed over.
static bool next_line(FILE *f, char line[LINE]) {
  for (bool whole = true; fgets(line, LINE, f);) {
    size_t n = strlen(line);
    bool ends = n && line[n - 1] == '\n';
    if (ends) line[n - 1] = 0;
    if (whole && (ends || feof(f))) return true;
    whole = ends;
  }
  return false;
}

static FILE *open_below(const char *root, const char *path) {
  char full[PATH_MAX];
  return (size_t)snprintf(full, sizeof full, "%s%s", root, path) < sizeof full ? fopen(full, "re") : NULL;
}

// Lines "ID:CONTROLLERS:PATH"; v2's is "0::PATH".
static bool own_path(const char *root, const char *controller, bool v2, char out[PATH_MAX]) {
  FILE *f = open_below(root, "/proc/self/cgroup");
  char line[LINE];
  bool found = false;
  while (f && !found && next_line(f, line)) {
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path || path[1] != '/' || strlen(path + 1) >= PATH_MAX) continue;
    *list++ = *path++ = 0;
    found = v2 ? !strcmp(line, "0") && !*list : listed(list, controller);
    if (found) strcpy(out, path);
  }
  if (f) fclose(f);
  return found;
}

// ---- where that is mounted

// A field of mountinfo, in place: \040 and such are characters.
static void unescape(char *s) {
  char *to = s;
  for (; *s; s++, to++) {
    bool octal = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7';
    *to = octal ? (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')) : *s;
    if (octal) s += 3;
  }
  *to = 0;
}

// Steps over leading "/.."; a lone "/" is nothing.
static int steps_up(const char **path) {
  int n = 0;
  while (!strncmp(*path, "/..", 3) && (!(*path)[3] || (*path)[3] == '/')) *path += 3, n++;
  if (!strcmp(*path, "/")) ++*path;
  return n;
}

// How well a mount of the part of a hierarchy that begins at `top` shows the cgroup `own`: 0 not at all, 1 perhaps (a container that has its
// cgroups mounted under other names), 2 something above it, 3 itself, at *below in the mount.
static int shows(const char *top, const char *own, const char **below) {
  int up = steps_up(&top), own_up = steps_up(&own);
  size_t n = strlen(top);
  *below = "";
  if (up == own_up && !strncmp(top, own, n) && (!own[n] || own[n] == '/')) return *below = own + n, 3;
  if (up > own_up && !n) return 2;
  return up == 0 && own_up == 0 ? 1 : 0;
}

typedef struct Mount {
  char at[PATH_MAX], below[PATH_MAX];
  int shows;
} Mount;

// "ID PARENT MAJOR:MINOR TOP AT OPTIONS [tags] - TYPE SOURCE SUPER": keeps the mount when it shows more of the way up than the one before.
static void consider(char *line, const char *controller, bool v2, const char *own, Mount *best) {
  char *rest = strstr(line, " - "), *field[5], *save = NULL, *kind[3];
  if (!rest) return;
  *rest = 0, rest += 3;
  for (int i = 0; i < 5; i++)
    if (!(field[i] = strtok_r(i ? NULL : line, " ", &save))) return;
  for (int i = 0; i < 3; i++)
    if (!(kind[i] = strtok_r(i ? NULL : rest, " ", &save))) return;
  if (v2 ? strcmp(kind[0], "cgroup2") != 0 : strcmp(kind[0], "cgroup") || !listed(kind[2], controller)) return;
  unescape(field[3]), unescape(field[4]);
  const char *below;
  int how = shows(field[3], own, &below);
  if (how == 0 || how < best->shows || (how == best->shows && strlen(below) < strlen(best->below))) return;
  if (strlen(field[4]) >= sizeof best->at || strstr(below, "/..")) return;
  strcpy(best->at, field[4]), strcpy(best->below, below);
  best->shows = how;
}

static bool find_mount(const char *root, const char *controller, bool v2, const char *own, Mount *m) {
  FILE *f = open_below(root, "/proc/self/mountinfo");
  char line[LINE];
  *m = (Mount){0};
  while (f && next_line(f, line)) consider(line, controller, v2, own, m);
  if (f) fclose(f);
  return m->shows > 0;
}

static void walk_up(const char *root, bool v2, Mount *m, void (*visit)(void *user, const Cgroup *c), void *user) {
  char dir[3 * PATH_MAX];
  for (;;) {
    if ((size_t)snprintf(dir, sizeof dir, "%s%s%s", root, m->at, m->below) < sizeof dir)
      visit(user, &(Cgroup){.v2 = v2, .dir = dir, .shown = dir + strlen(root)});
    char *last = strrchr(m->below, '/');
    if (!last) return;
    *last = 0;
  }
}

void cgroup_walk(const char *root, const char *controller, void (*visit)(void *user, const Cgroup *c), void *user) {
  for (int v2 = 0; v2 < 2; v2++) {
    char own[PATH_MAX];
    Mount m;
    if (own_path(root, controller, v2, own) && find_mount(root, controller, v2, own, &m)) walk_up(root, v2, &m, visit, user);
  }
}
