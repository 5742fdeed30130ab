// Safetensors read as untrusted: the header is checked in full before a byte of payload is believed. See safetensors.h; the format is
// https://github.com/huggingface/safetensors ("Format"): 8 bytes little-endian header length, JSON header, data.
#include "runtime/files/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"

// As in the reference implementation: a longer header is not believed.
static const uint64_t MAX_HEADER = 100000000;

typedef struct Shard {
  char *path;
  FileMap map;                 // empty when opened for headers only
  uint64_t data_at;            // where the data part begins
  uint64_t data_size;
  json_t *header;
  FileStamp stamp;
} Shard;

struct Safetensors {
  Shard *shard;
  int nshard;
  StTensor *t;                 // by shard, then by place in the file
  int n;
  const StTensor **by_name;
};

static bool read_dtype(const char *path, const char *name, const json_t *v, StTensor *t, int *bits, RtError *e) {
  const char *s = json_string_value(v);
  if (!s) return rt_fail(e, "%s: tensor %.200s: \"dtype\": expected a string, found %s", path, name, rtj_kind(v));
  t->dtype = dtype_of_file(s);
  if (t->dtype == DT_NONE) return rt_fail(e, "%s: tensor %.200s: unknown dtype \"%.40s\"", path, name, s);
  *bits = dtype_info[t->dtype].bits;
  return true;
}

static bool read_shape(const char *path, const char *name, const json_t *v, StTensor *t, RtError *e) {
  if (!json_is_array(v)) return rt_fail(e, "%s: tensor %.200s: \"shape\": expected an array, found %s", path, name, rtj_kind(v));
  if (json_array_size(v) > ST_MAX_RANK)
    return rt_fail(e, "%s: tensor %.200s has %zu dimensions, more than %d", path, name, json_array_size(v), ST_MAX_RANK);
  t->rank = (int)json_array_size(v);
  for (int i = 0; i < t->rank; i++) {
    const json_t *d = json_array_get(v, (size_t)i);
    if (!json_is_integer(d) || json_integer_value(d) < 0)
      return rt_fail(e, "%s: tensor %.200s: dimension %d is not a whole number", path, name, i);
    t->shape[i] = json_integer_value(d);
  }
  return size_of_shape(t->shape, t->rank, &t->elems) ||
         rt_fail(e, "%s: tensor %.200s: the number of its elements overflows", path, name);
}

static bool read_range(const Shard *sh, const char *name, const json_t *v, int bits, StTensor *t, RtError *e) {
  const json_t *b = json_array_get(v, 0), *n = json_array_get(v, 1);
  if (json_array_size(v) != 2 || !json_is_integer(b) || !json_is_integer(n) || json_integer_value(b) < 0 ||
      json_integer_value(n) < json_integer_value(b))
    return rt_fail(e, "%s: tensor %.200s: \"data_offsets\": expected [begin, end]", sh->path, name);
  t->begin = (uint64_t)json_integer_value(b);
  t->end = (uint64_t)json_integer_value(n);
  if (t->end > sh->data_size)
    return rt_fail(e, "%s: tensor %.200s ends at byte %llu of %llu of data (is the file truncated?)", sh->path, name,
                   (unsigned long long)t->end, (unsigned long long)sh->data_size);
  uint64_t need_bits, have_bits;
  if (__builtin_mul_overflow((uint64_t)t->elems, (uint64_t)bits, &need_bits) ||
      __builtin_mul_overflow(t->end - t->begin, (uint64_t)8, &have_bits) || need_bits != have_bits)
    return rt_fail(e, "%s: tensor %.200s: its shape needs %lld element%s of %s, its byte range holds %llu byte%s", sh->path, name,
                   (long long)t->elems, plural(t->elems), dtype_info[t->dtype].file, (unsigned long long)(t->end - t->begin), plural((int64_t)(t->end - t->begin)));
  return true;
}

static int by_place(const void *a, const void *b) {
  const StTensor *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->name, y->name);
}

// The ranges must tile the data part: no overlap, no hole, nothing after the last.
static bool check_tiling(const Shard *sh, const StTensor *t, int n, RtError *e) {
  uint64_t at = 0;
  for (int i = 0; i < n; at = t[i++].end) {
    if (t[i].begin < at) return rt_fail(e, "%s: tensor %.200s overlaps tensor %.200s", sh->path, t[i].name, t[i - 1].name);
    if (t[i].begin > at)
      return rt_fail(e, "%s: %llu byte%s of no tensor before tensor %.200s", sh->path, (unsigned long long)(t[i].begin - at),
                     plural((int64_t)(t[i].begin - at)),
                     t[i].name);
  }
  if (at != sh->data_size)
    return rt_fail(e, "%s: %llu byte%s at the end of no tensor", sh->path, (unsigned long long)(sh->data_size - at),
                   plural((int64_t)(sh->data_size - at)));
  return true;
}

static bool read_tensors(Safetensors *s, int shard, RtError *e) {
  Shard *sh = &s->shard[shard];
  size_t room = json_object_size(sh->header);
  s->t = rt_realloc(s->t, (size_t)s->n + room, sizeof *s->t);
  StTensor *mine = s->t + s->n;
  int n = 0;
  const char *name;
  json_t *v;
  json_object_foreach(sh->header, name, v) {
    if (strcmp(name, "__metadata__") == 0) {
      if (!json_is_object(v)) return rt_fail(e, "%s: \"__metadata__\": expected an object, found %s", sh->path, rtj_kind(v));
      continue;
    }
    if (!json_is_object(v)) return rt_fail(e, "%s: tensor %.200s: expected an object, found %s", sh->path, name, rtj_kind(v));
    StTensor *t = &mine[n++];
    *t = (StTensor){.name = name, .shard = shard};
    int bits = 0;
    if (!read_dtype(sh->path, name, json_object_get(v, "dtype"), t, &bits, e) ||
        !read_shape(sh->path, name, json_object_get(v, "shape"), t, e) ||
        !read_range(sh, name, json_object_get(v, "data_offsets"), bits, t, e))
      return false;
    if (sh->map.data) t->data = sh->map.data + sh->data_at + t->begin;
  }
  if (n) qsort(mine, (size_t)n, sizeof *mine, by_place);
  s->n += n;
  return check_tiling(sh, mine, n, e);
}

static bool cannot_read(const Shard *sh, RtError *e) {
  if (!errno) return rt_fail(e, "%s: it became shorter while it was read", sh->path);
  return rt_fail(e, "cannot read %s: %s", sh->path, strerror(errno));
}

static bool read_at(const Shard *sh, const FileIn *in, void *out, size_t n, size_t at) {
  return in ? file_in_read(in, out, n, at) : memcpy(out, sh->map.data + at, n) != NULL;
}

// Reads and parses the header, or takes it from the map (in is NULL) where the file is mapped already; the payload is not touched.
static bool read_header(Shard *sh, const FileIn *in, RtError *e) {
  uint8_t len8[8];
  uint64_t size = in ? in->size : sh->map.size, len = 0;
  if (size < 8) return rt_fail(e, "%s: not a safetensors file: it has %llu byte%s, less than a header's length field", sh->path, (unsigned long long)size, plural((int64_t)size));
  if (!read_at(sh, in, len8, 8, 0)) return cannot_read(sh, e);
  for (int i = 7; i >= 0; i--) len = len << 8 | len8[i];
  if (len > MAX_HEADER)
    return rt_fail(e, "%s: not a safetensors file: a header of %llu bytes is absurd", sh->path, (unsigned long long)len);
  if (len > size - 8)
    return rt_fail(e, "%s: truncated: a header of %llu bytes in a file of %llu", sh->path, (unsigned long long)len, (unsigned long long)size);
  char *text = rt_alloc(len + 1, 1);
  bool ok = read_at(sh, in, text, len, 8) || cannot_read(sh, e);
  if (ok) {
    sh->header = rtj_text(sh->path, text, len, e);
    ok = sh->header != NULL;
  }
  rt_free(text);
  if (!ok) return false;
  if (!json_is_object(sh->header)) return rt_fail(e, "%s: header: expected an object, found %s", sh->path, rtj_kind(sh->header));
  sh->data_at = 8 + len;
  sh->data_size = size - 8 - len;
  return true;
}

static Shard *new_shard(Safetensors *s, const char *path) {
  s->shard = rt_realloc(s->shard, (size_t)s->nshard + 1, sizeof *s->shard);
  Shard *sh = &s->shard[s->nshard++];
  *sh = (Shard){.path = rt_strdup(path)};
  return sh;
}

static bool add_shard(Safetensors *s, const char *path, bool headers_only, RtError *e) {
  Shard *sh = new_shard(s, path);
  FileIn *in = file_in_open(path, e);
  bool ok = in && read_header(sh, in, e) && (headers_only || file_in_map(&sh->map, in, path, e));
  if (in) sh->stamp = in->stamp;
  rt_end(in);
  if (!ok) return false;
  return read_tensors(s, s->nshard - 1, e);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const StTensor *const *)a)->name, (*(const StTensor *const *)b)->name);
}

static bool index_names(Safetensors *s, RtError *e) {
  s->by_name = rt_alloc((size_t)s->n, sizeof *s->by_name);
  for (int i = 0; i < s->n; i++) s->by_name[i] = &s->t[i];
  if (s->n) qsort(s->by_name, (size_t)s->n, sizeof *s->by_name, by_name);
  for (int i = 1; i < s->n; i++) {
    const StTensor *a = s->by_name[i - 1], *b = s->by_name[i];
    if (strcmp(a->name, b->name) == 0)
      return rt_fail(e, "tensor %.200s is in %s and again in %s", a->name, s->shard[a->shard].path, s->shard[b->shard].path);
  }
  return true;
}

// Opens each file the index names, in the order they first appear, then checks that every tensor is where the index says.
static bool open_index(Safetensors *s, const char *dir, const char *index, bool headers_only, RtError *e) {
  json_t *root = rtj_object_file(index, 0, e), *map = json_object_get(root, "weight_map"), *v, *seen = json_object();
  bool ok = root && (json_is_object(map) || rt_fail(e, "%s: \"weight_map\": expected an object, found %s", index, rtj_kind(map)));
  const char *name;
  if (ok) json_object_foreach(map, name, v) {
    const char *file = json_string_value(v);
    if (!file || !*file || strchr(file, '/')) {
      ok = rt_fail(e, "%s: tensor %.200s: expected the name of a file beside the index", index, name);
      break;
    }
    if (json_object_get(seen, file)) continue;
    json_object_set_new(seen, file, json_integer(s->nshard));
    char *path = file_join(dir, file);
    ok = add_shard(s, path, headers_only, e);
    rt_free(path);
    if (!ok) break;
  }
  ok = ok && index_names(s, e);
  if (ok) json_object_foreach(map, name, v) {
    const StTensor *t = st_find(s, name);
    if (t && t->shard == json_integer_value(json_object_get(seen, json_string_value(v)))) continue;
    ok = rt_fail(e, "%s: tensor %.200s is not in %s", index, name, json_string_value(v));
    break;
  }
  json_decref(seen);
  json_decref(root);
  return ok;
}

// What lies in a directory in place of safetensors: of each form the name that comes first.
typedef struct Instead { char pickle[256], gguf[256]; } Instead;

static void note_instead(void *user, int fd, const char *name) {
  static const struct { const char *ends; bool gguf; } form[] = {{".bin", false}, {".pt", false}, {".pth", false}, {".gguf", true}};
  const char *dot = strrchr(name, '.');
  Instead *x = user;
  (void)fd;
  for (size_t i = 0; dot && i < sizeof form / sizeof *form; i++) {
    char *to = form[i].gguf ? x->gguf : x->pickle;
    if (!strcmp(dot, form[i].ends) && (!*to || strcmp(name, to) < 0)) snprintf(to, sizeof x->gguf, "%s", name);
  }
}

bool st_only_gguf(const char *dir, RtError *e) {
  Instead x = {"", ""};
  if (!file_each(dir, note_instead, &x) || *x.pickle || !*x.gguf) return false;
  rt_fail(e, "%s: no safetensors, only %s: GGUF files are quantised as a rule, and are not read. Take the repository that it was made from, with its safetensors, or have "
          "transformers (with gguf installed) write what the file holds: python3 -c \"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
          "[X.from_pretrained('%s', gguf_file='%s').save_pretrained('%s') for X in (M, T)]\"", dir, x.gguf, dir, x.gguf, dir);
  return true;
}

// No safetensors in dir: says so, and what to do when there are other forms of weights instead.
static bool no_weights(const char *dir, RtError *e) {
  Instead x = {"", ""};
  if (!file_each(dir, note_instead, &x)) return rt_fail(e, "cannot read %s: %s", dir, strerror(errno));
  if (!*x.pickle) return !st_only_gguf(dir, e) && rt_fail(e, "%s: no model.safetensors and no model.safetensors.index.json", dir);
  return rt_fail(e, "%s: no model.safetensors, only %s: pickle files can run code and are not read; convert them once: a model of "
                 "transformers by from_pretrained(DIR).save_pretrained(DIR, safe_serialization=True), a state_dict of torch by "
                 "safetensors.torch.save_file(torch.load(\"%s\", weights_only=True), \"model.safetensors\")", dir, x.pickle, x.pickle);
}

Safetensors *st_open_dir(const char *dir, bool headers_only, RtError *e) {
  char *single = file_join(dir, "model.safetensors"), *index = file_join(dir, "model.safetensors.index.json");
  Safetensors *s = NULL;
  if (file_is_there(single)) {
    s = st_open_file(single, headers_only, e);
  } else if (file_is_there(index)) {
    s = rt_alloc(1, sizeof *s);
    if (!open_index(s, dir, index, headers_only, e)) {
      st_close(s);
      s = NULL;
    }
  } else {
    no_weights(dir, e);
  }
  rt_free(single);
  rt_free(index);
  return s;
}

Safetensors *st_open_file(const char *path, bool headers_only, RtError *e) {
  Safetensors *s = rt_alloc(1, sizeof *s);
  if (add_shard(s, path, headers_only, e) && index_names(s, e)) return s;
  st_close(s);
  return NULL;
}

Safetensors *st_open_map(FileMap *m, const char *path, RtError *e) {
  Safetensors *s = rt_alloc(1, sizeof *s);
  Shard *sh = new_shard(s, path);
  sh->map = *m;
  *m = (FileMap){0};
  if (read_header(sh, NULL, e) && read_tensors(s, 0, e) && index_names(s, e)) return s;
  st_close(s);
  return NULL;
}

void st_close(Safetensors *s) {
  if (!s) return;
  for (int i = 0; i < s->nshard; i++) {
    file_unmap(&s->shard[i].map);
    json_decref(s->shard[i].header);
    rt_free(s->shard[i].path);
  }
  rt_free(s->shard);
  rt_free(s->t);
  rt_free(s->by_name);
  rt_free(s);
}

int st_count(const Safetensors *s) { return s->n; }
const StTensor *st_at(const Safetensors *s, int i) { return &s->t[i]; }
int st_shards(const Safetensors *s) { return s->nshard; }
const char *st_shard_path(const Safetensors *s, int i) { return s->shard[i].path; }

const StTensor *st_find(const Safetensors *s, const char *name) {
  StTensor key = {.name = name};
  const StTensor *k = &key, **hit = s->n ? bsearch(&k, s->by_name, (size_t)s->n, sizeof *s->by_name, by_name) : NULL;
  return hit ? *hit : NULL;
}

void st_drop(const void *data, size_t bytes) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)data, to = from + bytes;
  from = (from + page - 1) / page * page;
  to = to / page * page;
  if (data && to > from) madvise((void *)from, to - from, MADV_DONTNEED);
}

FileIn *st_again(const Safetensors *s, const StTensor *t, size_t *at) {
  const Shard *sh = &s->shard[t->shard];
  *at = (size_t)(sh->data_at + t->begin);
  return sh->map.data ? file_in_again(sh->path, &sh->stamp) : NULL;
}

bool st_unchanged(const Safetensors *s, RtError *e) {
  for (int i = 0; i < s->nshard; i++)
    if (s->shard[i].map.data && !file_unchanged(s->shard[i].path, &s->shard[i].stamp, e)) return false;
  return true;
}

const char *st_metadata(const Safetensors *s, const char *key) {
  for (int i = 0; i < s->nshard; i++) {
    const char *v = json_string_value(json_object_get(json_object_get(s->shard[i].header, "__metadata__"), key));
    if (v) return v;
  }
  return NULL;
}
