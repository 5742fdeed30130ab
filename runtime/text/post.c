// The kinds of post-processors, each one constant, and what they come to.
#include "runtime/text/post.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

// --- kinds that put special tokens around a text: TemplateProcessing, and BERT's and RoBERTa's, whose "cls" and "sep" are [text, id]
enum { MOST = TK_AROUND };
typedef struct Specials {
  int32_t before[MOST], after[MOST];
  int nbefore, nafter;
} Specials;

static bool add_ids(int32_t *list, int *n, const int32_t *ids, int count, bool front) {
  if (count > MOST - *n) return false;
  if (front) memmove(list + count, list, (size_t)*n * sizeof *list);
  memcpy(list + (front ? 0 : *n), ids, (size_t)count * sizeof *list);
  *n += count;
  return true;
}

static bool id_of(const char *what, const json_t *v, int32_t *id, RtError *e) { return rtj_id(what, "post_processor", v, id, e); }

static bool read_template(void *own, const char *what, const json_t *v, RtError *e) {
  Specials *s = own;
  const json_t *single = json_object_get(v, "single"), *specials = json_object_get(v, "special_tokens");
  int texts = 0;
  size_t i, j;
  json_t *part, *item;
  json_array_foreach(single, i, part) {
    const char *name = json_string_value(json_object_get(json_object_get(part, "SpecialToken"), "id"));
    const json_t *text = json_object_get(part, "Sequence");
    if (text) {
      const char *id = json_string_value(json_object_get(text, "id"));
      if (!id || strcmp(id, "A") != 0)
        return rt_fail(e, "%s: TemplateProcessing: \"single\" takes the text \"A\", found \"%.80s\"", what, id ? id : "?");
      texts++;
      continue;
    }
    const json_t *ids = name ? json_object_get(json_object_get(specials, name), "ids") : NULL;
    if (!json_is_array(ids)) return rt_fail(e, "%s: TemplateProcessing: the ids of \"%.80s\" are not given", what, name ? name : "?");
    json_array_foreach(ids, j, item) {
      if (s->nbefore == MOST || s->nafter == MOST) return rt_fail(e, "%s: TemplateProcessing: more than %d special tokens", what, MOST);
      if (!id_of(what, item, texts ? &s->after[s->nafter++] : &s->before[s->nbefore++], e)) return false;
    }
  }
  return texts == 1 || rt_fail(e, "%s: TemplateProcessing: expected the text once in \"single\", found it %d times", what, texts);
}

static bool read_cls_sep(void *own, const char *what, const json_t *v, RtError *e) {
  Specials *s = own;
  s->nbefore = s->nafter = 1;
  return id_of(what, json_array_get(json_object_get(v, "cls"), 1), s->before, e) &&
         id_of(what, json_array_get(json_object_get(v, "sep"), 1), s->after, e);
}

static bool run_specials(const void *own, TkAround *a) {
  const Specials *s = own;
  return add_ids(a->before, &a->nbefore, s->before, s->nbefore, true) && add_ids(a->after, &a->nafter, s->after, s->nafter, false);
}

static const TkPostKind template = {
  .kind = {.type = "TemplateProcessing", .size = sizeof(Specials), .read = read_template},
  .run = run_specials,
};
static const TkPostKind roberta = {
  .kind = {.type = "RobertaProcessing", .size = sizeof(Specials), .read = read_cls_sep},
  .run = run_specials,
};
static const TkPostKind bert = {
  .kind = {.type = "BertProcessing", .size = sizeof(Specials), .read = read_cls_sep},
  .run = run_specials,
};

// --- ByteLevel: trims offsets only
static bool run_byte_level(const void *own, TkAround *a) { return (void)own, (void)a, true; }

static const TkPostKind byte_level = {.kind = {.type = "ByteLevel"}, .run = run_byte_level};

// --- all of them
static const TkKind *const kinds[] = {&template.kind, &roberta.kind, &bert.kind, &byte_level.kind, NULL};
static const TkFamily posts = {"post-processor", "processors", kinds};

bool tk_post_read(TkAround *a, const char *what, const json_t *v, RtError *e) {
  TkComponents l = {0};
  bool ok = tk_components_read(&l, &posts, what, v, e);
  for (int i = 0; ok && i < l.n; i++)
    ok = ((const TkPostKind *)l.c[i].kind)->run(l.c[i].own, a) ||
         rt_fail(e, "%s: post-processors: more than %d special tokens before or behind a text", what, TK_AROUND);
  tk_components_free(&l);
  return ok;
}
