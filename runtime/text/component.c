// See component.h.
#include "runtime/text/component.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

void *tk_components_add(TkComponents *l, const TkKind *k) {
  l->c = rt_realloc(l->c, (size_t)l->n + 1, sizeof *l->c);
  void *own = k->size ? rt_alloc(1, k->size) : NULL;
  if (k->preset) memcpy(own, k->preset, k->size);
  l->c[l->n++] = (TkComponent){k, own};
  return own;
}

static bool read_any(TkComponents *l, const TkFamily *f, const char *what, const json_t *v, int depth, RtError *e) {
  if (!v || json_is_null(v)) return true;
  const char *type = json_string_value(json_object_get(v, "type"));
  if (!type) type = "(no type)";
  if (strcmp(type, "Sequence") == 0) {
    const json_t *list = json_object_get(v, f->members);
    size_t i;
    json_t *part;
    if (!json_is_array(list)) return rt_fail(e, "%s: %s Sequence: \"%s\": expected an array, found %s", what, f->name, f->members, rtj_kind(list));
    if (depth == TK_SEQUENCES) return rt_fail(e, "%s: %s: more than %d Sequences in each other", what, f->name, TK_SEQUENCES);
    json_array_foreach(list, i, part) if (!read_any(l, f, what, part, depth + 1, e)) return false;
    return true;
  }
  if (l->n == TK_COMPONENTS) return rt_fail(e, "%s: more than %d %ss", what, TK_COMPONENTS, f->name);
  for (const TkKind *const *k = f->kinds; *k; k++) {
    if (strcmp(type, (*k)->type) != 0) continue;
    void *own = tk_components_add(l, *k);
    return !(*k)->read || (*k)->read(own, what, v, e);
  }
  return rt_fail(e, "%s: %s \"%.80s\" is not supported", what, f->name, type);
}

bool tk_components_read(TkComponents *l, const TkFamily *f, const char *what, const json_t *v, RtError *e) {
  return read_any(l, f, what, v, 0, e);
}

void tk_components_free(TkComponents *l) {
  for (int i = 0; i < l->n; i++) {
    if (l->c[i].kind->free) l->c[i].kind->free(l->c[i].own);
    rt_free(l->c[i].own);
  }
  rt_free(l->c);
}
