// See packfile.h.
#include "runtime/files/packfile.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"
#include "runtime/files/out.h"

static const char HEAD_MAGIC[8] = "calmpack", TAIL_MAGIC[8] = "packends";
enum { ORDER = 0x01020304 };
typedef struct Head {
  char magic[8];
  uint32_t version, order;
} Head;
typedef struct Tail {
  uint64_t about_at, about_bytes;
  char sha256[SHA256_HEX - 1];
  char magic[8];
} Tail;

static size_t paged(size_t n) { return (n + PACKFILE_PAGE - 1) / PACKFILE_PAGE * PACKFILE_PAGE; }

// ---- reading

struct PackFile {
  char *path;
  FileMap map;
  FileStamp stamp;
  json_t *about;
};

static bool check_head(const PackFile *p, Tail *t, RtError *e) {
  Head h;
  if (p->map.size < sizeof h || memcmp(p->map.data, HEAD_MAGIC, sizeof HEAD_MAGIC)) return rt_fail(e, "%s is no pack file", p->path);
  memcpy(&h, p->map.data, sizeof h);
  if (h.order != ORDER) return rt_fail(e, "%s: a pack file of a machine with another byte order", p->path);
  if (h.version != PACKFILE_FORMAT)
    return rt_fail(e, "%s: a pack file of format %u; this program reads format %d: pack it again", p->path, h.version, PACKFILE_FORMAT);
  bool whole = p->map.size >= PACKFILE_PAGE + sizeof *t;
  if (whole) memcpy(t, p->map.data + p->map.size - sizeof *t, sizeof *t);
  if (!whole || memcmp(t->magic, TAIL_MAGIC, sizeof TAIL_MAGIC)) return rt_fail(e, "%s: the pack file was cut off or never finished: its end is not there", p->path);
  return true;
}

static bool read_about(PackFile *p, const Tail *t, RtError *e) {
  size_t end = p->map.size - sizeof *t;
  char hex[SHA256_HEX];
  if (t->about_at < PACKFILE_PAGE || t->about_at > end || t->about_bytes != end - t->about_at || t->about_at % PACKFILE_PAGE)
    return rt_fail(e, "%s: the pack file was changed: its description does not lie where its end says", p->path);
  sha256_of(p->map.data + t->about_at, (size_t)t->about_bytes, hex);
  if (memcmp(hex, t->sha256, sizeof t->sha256)) return rt_fail(e, "%s: the pack file was changed: its description is not the one that was written (SHA-256)", p->path);
  p->about = rtj_text(p->path, (const char *)p->map.data + t->about_at, (size_t)t->about_bytes, e);
  return p->about && (json_is_object(p->about) || rt_fail(e, "%s: expected an object in the pack file, found %s", p->path, rtj_kind(p->about)));
}

// Whether sections lie in the file, one behind the other.
static bool check_sections(const PackFile *p, const Tail *t, RtError *e) {
  const json_t *list = json_object_get(p->about, PACKFILE_SECTIONS);
  if (!json_is_object(list)) return rt_fail(e, "%s: \"sections\": expected an object, found %s", p->path, rtj_kind(list));
  const char *name;
  json_t *v;
  size_t from = PACKFILE_PAGE;
  json_object_foreach((json_t *)(uintptr_t)list, name, v) {
    const char *hex = json_string_value(json_object_get(v, "sha256"));
    int64_t at = -1, bytes = -1;
    if (!rtj_get_int_in(p->path, v, "at", 0, INT64_MAX, &at, e) || !rtj_get_int_in(p->path, v, "bytes", 0, INT64_MAX, &bytes, e)) return false;
    if (!hex || strlen(hex) != SHA256_HEX - 1 || (size_t)at != from || (uint64_t)bytes > t->about_at - from || bytes < 0)
      return rt_fail(e, "%s: section \"%.80s\" does not lie in the pack file", p->path, name);
    from += paged((size_t)bytes);
  }
  return from == t->about_at || rt_fail(e, "%s: the pack file has bytes that are in no section", p->path);
}

PackFile *packfile_open(const char *path, RtError *e) {
  PackFile *p = rt_alloc(1, sizeof *p);
  Tail t;
  p->path = rt_strdup(path);
  FileIn *in = file_in_open(path, e);
  bool ok = in && file_in_share(&p->map, in, path, e);
  if (in) p->stamp = in->stamp;
  rt_end(in);
  if (ok && check_head(p, &t, e) && read_about(p, &t, e) && check_sections(p, &t, e)) return p;
  packfile_close(p);
  return NULL;
}

void packfile_close(PackFile *p) {
  if (!p) return;
  file_unmap(&p->map);
  json_decref(p->about);
  rt_free(p->path), rt_free(p);
}

const char *packfile_path(const PackFile *p) { return p->path; }
size_t packfile_bytes(const PackFile *p) { return p->map.size; }
const json_t *packfile_about(const PackFile *p) { return p->about; }

const void *packfile_section(const PackFile *p, const char *name, size_t *n) {
  const json_t *s = json_object_get(json_object_get(p->about, PACKFILE_SECTIONS), name);
  if (!s) return NULL;
  *n = (size_t)json_integer_value(json_object_get(s, "bytes"));
  return p->map.data + json_integer_value(json_object_get(s, "at"));
}

FileIn *packfile_again(const PackFile *p, const void *mapped, size_t *at) {
  *at = (size_t)((const uint8_t *)mapped - p->map.data);
  return file_in_again(p->path, &p->stamp);
}

bool packfile_unchanged(const PackFile *p, RtError *e) { return file_unchanged(p->path, &p->stamp, e); }

bool packfile_is(const char *path) {
  RtError ignored;
  char magic[sizeof HEAD_MAGIC];
  FileIn *in = file_is_regular(path) ? file_in_open(path, &ignored) : NULL;
  bool is = in && file_in_read(in, magic, sizeof magic, 0) && !memcmp(magic, HEAD_MAGIC, sizeof magic);
  rt_end(in);
  return is;
}

// ---- every byte, read piece by piece: a map that is read counts as resident

static bool sum_range(const FileIn *in, const char *path, size_t at, size_t n, char hex[SHA256_HEX], RtError *e) {
  enum { PIECE = 1 << 18 };
  uint8_t *piece = rt_alloc(PIECE, 1);
  Sha256 s;
  bool ok = true;
  sha256_init(&s);
  for (size_t done = 0, k; ok && done < n; done += k) {
    k = n - done < PIECE ? n - done : PIECE;
    ok = file_in_read(in, piece, k, at + done) || rt_fail(e, "cannot read %s: %s", path, "it ends before it should, or the disk fails");
    if (ok) sha256_add(&s, piece, k);
  }
  sha256_hex(&s, hex);
  rt_free(piece);
  return ok;
}

static void says(SumsFound *found, char *line) {
  found->bad++;
  json_array_append_new(found->says, json_string(line));
  rt_free(line);
}

static void page_of_head(uint8_t page[PACKFILE_PAGE]) {
  Head h = {.version = PACKFILE_FORMAT, .order = ORDER};
  memcpy(h.magic, HEAD_MAGIC, sizeof h.magic);
  memset(page, 0, PACKFILE_PAGE);
  memcpy(page, &h, sizeof h);
}

bool packfile_check(const char *path, SumsFound *found, RtError *e) {
  PackFile *p = packfile_open(path, e);
  FileIn *in = p ? file_in_open(path, e) : NULL;
  bool ok = in;
  char hex[SHA256_HEX];
  const char *name;
  json_t *v;
  if (ok) {
    uint8_t page[PACKFILE_PAGE];
    page_of_head(page);
    if (memcmp(page, p->map.data, sizeof page)) says(found, rt_format("%s: changed: its first page", path));
    found->files++, found->bytes += (int64_t)p->map.size;
  }
  if (ok) json_object_foreach(json_object_get(p->about, PACKFILE_SECTIONS), name, v) {
    const char *listed = json_string_value(json_object_get(v, "sha256"));
    size_t at = (size_t)json_integer_value(json_object_get(v, "at")), n = (size_t)json_integer_value(json_object_get(v, "bytes"));
    ok = sum_range(in, path, at, paged(n), hex, e);
    if (!ok) break;
    if (strcmp(hex, listed)) says(found, rt_format("%s: changed: the SHA-256 of its section %s is %.12s…, listed with %.12s…", path, name, hex, listed));
  }
  rt_end(in);
  packfile_close(p);
  return ok;
}

// ---- writing

struct PackOut {
  FileOut *f;                  // NULL after an error, or when it is done
  json_t *sections;
  size_t at, from;             // bytes written; where the section began
  char *name;                  // of the section; NULL before the first
  Sha256 sum;
};

static bool put(PackOut *o, const void *data, size_t n, RtError *e) {
  if (!o->f) return false;
  sha256_add(&o->sum, data, n);
  o->at += n;
  if (file_out_write(o->f, data, n, e)) return true;
  o->f = NULL;
  return false;
}

PackOut *packfile_begin(const char *path, RtError *e) {
  FileOut *f = file_out_open(path, e);
  if (!f) return NULL;
  PackOut *o = rt_alloc(1, sizeof *o);
  uint8_t page[PACKFILE_PAGE];
  *o = (PackOut){.f = f, .sections = json_object()};
  sha256_init(&o->sum);
  page_of_head(page);
  if (put(o, page, sizeof page, e)) return o;
  packfile_abandon(o);
  return NULL;
}

// The section so far is whole.
static bool end_section(PackOut *o, RtError *e) {
  static const uint8_t zeros[PACKFILE_PAGE];
  char hex[SHA256_HEX];
  if (!o->name) return o->f != NULL;
  size_t bytes = o->at - o->from;
  if (!put(o, zeros, paged(bytes) - bytes, e)) return false;
  sha256_hex(&o->sum, hex);
  json_object_set_new(o->sections, o->name, json_pack("{s:I, s:I, s:s}", "at", (json_int_t)o->from, "bytes", (json_int_t)bytes, "sha256", hex));
  rt_free(o->name);
  o->name = NULL;
  return true;
}

bool packfile_add(PackOut *o, const char *name, RtError *e) {
  if (!end_section(o, e)) return false;
  sha256_init(&o->sum);
  o->from = o->at;
  o->name = rt_strdup(name);
  return true;
}

bool packfile_write(PackOut *o, const void *data, size_t n, RtError *e) {
  for (size_t done = 0, k; done < n; done += k) {
    k = n - done < 1 << 22 ? n - done : 1 << 22;
    if (!put(o, (const uint8_t *)data + done, k, e)) return false;
  }
  return o->f != NULL;
}

bool packfile_commit(PackOut *o, json_t *about, RtError *e) {
  if (!end_section(o, e)) return false;
  json_object_set(about, PACKFILE_SECTIONS, o->sections);
  char *text = json_dumps(about, JSON_COMPACT | JSON_REAL_PRECISION(17));
  if (!text) rt_no_memory(0);
  Tail t = {.about_at = o->at, .about_bytes = strlen(text)};
  char hex[SHA256_HEX];
  sha256_of(text, strlen(text), hex);
  memcpy(t.sha256, hex, sizeof t.sha256);
  memcpy(t.magic, TAIL_MAGIC, sizeof t.magic);
  bool ok = put(o, text, strlen(text), e) && put(o, &t, sizeof t, e);
  rt_free(text);
  if (!ok) return false;
  FileOut *f = o->f;
  o->f = NULL;
  if (!file_out_commit(f, e)) return false;
  packfile_abandon(o);
  return true;
}

void packfile_abandon(PackOut *o) {
  if (!o) return;
  if (o->f) file_out_abandon(o->f);
  json_decref(o->sections);
  rt_free(o->name), rt_free(o);
}
