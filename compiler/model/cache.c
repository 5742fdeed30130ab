// Names of the Hugging Face cache: "org/name" means what `hf download org/name` left on this machine. Nothing is ever downloaded.
// Layout (huggingface_hub, "Understand caching"): HUB/models--org--name/refs/main holds a commit, HUB/models--org--name/snapshots/COMMIT/
// the files; HUB is HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub.
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "runtime/files/files.h"

static const char *hub(Arena *a) {
  static const struct { const char *variable, *below; } place[] = {
      {"HF_HUB_CACHE", ""}, {"HF_HOME", "/hub"}, {"XDG_CACHE_HOME", "/huggingface/hub"}, {"HOME", "/.cache/huggingface/hub"}};
  for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
    const char *v = getenv(place[i].variable);
    if (v && *v) return arena_printf(a, "%s%s", v, place[i].below);
  }
  return NULL;
}

// "org/name", of the characters that repositories may have; no path such as "./x", "../x" or "/x".
static bool is_repository(const char *s) {
  const char *slash = strchr(s, '/');
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (!slash || slash == s || !slash[1] || s[0] == '.' || slash[1] == '.') return false;
  return s + strspn(s, allowed) == slash && !slash[1 + strspn(slash + 1, allowed)];
}

static const char *main_commit(Arena *a, const char *repository) {
  char text[128] = "";
  RtError ignored;
  FileIn *in = file_in_open(arena_printf(a, "%s/refs/main", repository), &ignored);
  size_t n = !in ? 0 : in->size < sizeof text ? in->size : sizeof text - 1;
  if (in && !file_in_read(in, text, n, 0)) *text = 0;
  rt_end(in);
  n = strspn(text, "0123456789abcdef");
  return n ? arena_strndup(a, text, n) : NULL;
}

const char *model_place(Arena *a, const char *name, const char *shown, RtError *e) {
  const char *cache = hub(a);
  if (file_is_dir(shown) || !cache || !is_repository(name)) return shown;
  const char *slash = strchr(name, '/');
  const char *repository = arena_printf(a, "%s/models--%.*s--%s", cache, (int)(slash - name), name, slash + 1);
  const char *commit = main_commit(a, repository);
  const char *found = commit ? arena_printf(a, "%s/snapshots/%s", repository, commit) : NULL;
  if (found && file_is_dir(found)) return found;
  rt_fail(e, "%s: no such directory, and no model %s in the Hugging Face cache (calm downloads nothing; `hf download %s` does)", shown, name,
          name);
  return NULL;
}
