// Safetensors and the files below it: round trip, shards, every kind of hostile header (by hand and by seeded mutation), full disk,
// SHA-256 and its cache, Hugging Face directories.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/files/file.h"
#include "runtime/files/hfdir.h"
#include "runtime/files/out.h"
#include "runtime/files/safetensors.h"
#include "runtime/files/sha256.h"

static char dir[64];

static int make_dir(void **state) {
  (void)state;
  strcpy(dir, "/tmp/calm-test-st-XXXXXX");
  if (!mkdtemp(dir)) return 1;
  return setenv("XDG_CACHE_HOME", dir, 1);
}

static int remove_dir(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", dir);
  return system(command);
}

static const char *at(const char *name) {
  static char path[8][160];
  static int k;
  k = (k + 1) % 8;
  snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
  return path[k];
}

static void put(const char *name, const void *data, size_t n) {
  RtError e;
  if (!file_save(at(name), data, n, &e)) fail_msg("%s", e.text);
}

static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void count_one(void *n, int fd, const char *name) {
  (void)fd;
  if (strstr(name, "keep.safetensors")) ++*(int *)n;
}

// A file with this header, said to be of `length` bytes, and n bytes of data.
static void put_st_length(const char *name, const char *header, uint64_t length, size_t n) {
  size_t len = strlen(header);
  uint8_t *b = calloc(1, 8 + len + n);
  for (int i = 0; i < 8; i++) b[i] = (uint8_t)(length >> 8 * i);
  memcpy(b + 8, header, len);
  FILE *f = fopen(at(name), "wb");                // not put: nothing has to survive a crash, and there are thousands
  assert_non_null(f);
  assert_int_equal(fwrite(b, 1, 8 + len + n, f), 8 + len + n);
  fclose(f);
  free(b);
}

static void put_st(const char *name, const char *header, size_t n) { put_st_length(name, header, strlen(header), n); }

static void round_trip(void **state) {
  (void)state;
  RtError e;
  float a[6] = {1, -2, 3.5f, 0, 1e30f, -0.0f};
  uint16_t h[2] = {0x3C00, 0xBC00};
  int64_t big[1] = {-5};
  StWriter *w = st_writer_new();
  st_writer_meta(w, "format", "pt");
  st_writer_add(w, "a\"quoted\"", DT_F32, 2, (int64_t[]){2, 3}, a);
  st_writer_add(w, "half", DT_F16, 1, (int64_t[]){2}, h);
  st_writer_add(w, "empty", DT_BF16, 2, (int64_t[]){0, 7}, NULL);
  st_writer_add(w, "scalar", DT_I64, 0, NULL, big);
  if (!st_writer_save(w, at("rt.safetensors"), NULL, &e)) fail_msg("%s", e.text);
  st_writer_free(w);
  for (int headers = 0; headers < 2; headers++) {
    Safetensors *s = st_open_file(at("rt.safetensors"), headers, &e);
    if (!s) fail_msg("%s", e.text);
    assert_int_equal(st_count(s), 4);
    assert_string_equal(st_metadata(s, "format"), "pt");
    assert_null(st_metadata(s, "none"));
    assert_null(st_find(s, "a"));
    const StTensor *t = st_find(s, "a\"quoted\"");
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->elems, 6);
    assert_int_equal(t->dtype, DT_F32);
    assert_ptr_equal(st_at(s, 0), t);
    if (headers) assert_null(t->data);
    else assert_memory_equal(t->data, a, sizeof a);
    if (!headers) st_drop(t->data, t->end - t->begin), assert_memory_equal(t->data, a, sizeof a);
    assert_int_equal(st_find(s, "empty")->elems, 0);
    assert_int_equal(st_find(s, "scalar")->elems, 1);
    st_close(s);
  }
}

static void expect(const char *name, const char *part) {
  for (int headers = 0; headers < 2; headers++) {
    RtError e;
    assert_null(st_open_file(at(name), headers, &e));
    if (!strstr(e.text, part) || !strstr(e.text, name)) fail_msg("expected \"%s\" in: %s", part, e.text);
  }
}

#define T(name, dtype, shape, from, to) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void hostile(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t n;
    const char *part;
  } cases[] = {
    {"{" T("a", "F32", "[2]", 0, 8) "}", 7, "truncated"},
    {"{" T("a", "F32", "[2]", 0, 8) "}", 9, "1 byte at the end"},
    {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[1]", 4, 8) "}", 8, "overlaps"},
    {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[1]", 12, 16) "}", 16, "4 bytes of no tensor before"},
    {"{" T("a", "F32", "[1]", 4, 8) "}", 8, "4 bytes of no tensor before"},
    {"{" T("a", "F32", "[2]", 0, 4) "}", 4, "its shape needs 2"},
    {"{" T("a", "F32", "[2]", 0, 8) "," T("a", "F32", "[2]", 0, 8) "}", 8, "uplicate"},
    {"{" T("a", "F33", "[2]", 0, 8) "}", 8, "unknown dtype \"F33\""},
    {"{" T("a", "F32", "[-2]", 0, 8) "}", 8, "not a whole number"},
    {"{" T("a", "F32", "[2.5]", 0, 8) "}", 8, "not a whole number"},
    {"{" T("a", "F32", "[4294967296,4294967296]", 0, 8) "}", 8, "overflows"},
    {"{" T("a", "F32", "[4611686018427387904]", 0, 0) "}", 0, "its shape needs"},
    {"{" T("a", "F32", "[0,4294967296,4294967296]", 0, 0) "}", 0, "overflows"},
    {"{" T("a", "F32", "[4294967296,4294967296,0]", 0, 0) "}", 0, "overflows"},
    {"{" T("a", "F32", "[99999999999999999999]", 0, 8) "}", 8, "too big"},
    {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "9 dimensions"},
    {"{" T("a", "F32", "2", 0, 8) "}", 8, "\"shape\": expected an array"},
    {"{" T("a", "F32", "[2]", 8, 0) "}", 8, "data_offsets"},
    {"{" T("a", "F32", "[2]", -8, 0) "}", 8, "data_offsets"},
    {"{\"a\":{\"dtype\":5,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "\"dtype\": expected a string"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"},
    {"{\"a\":5}", 8, "expected an object"}, {"[]", 0, "expected an object"}, {"{\"__metadata__\":5}", 0, "__metadata__"},
    {"{", 0, ":1:"}, {"", 0, ":1:"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put_st("bad.safetensors", cases[i].header, cases[i].n);
    expect("bad.safetensors", cases[i].part);
  }
  put("bad.safetensors", "\x10\0\0", 3);
  expect("bad.safetensors", "not a safetensors file");
  put("bad.safetensors", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10);
  expect("bad.safetensors", "absurd");
  put("bad.safetensors", "\x10\0\0\0\0\0\0\0{}", 10);
  expect("bad.safetensors", "truncated");
  put("bad.safetensors", "", 0);
  expect("bad.safetensors", "not a safetensors file");
  RtError e;
  assert_null(st_open_file(at("none.safetensors"), true, &e));
  assert_non_null(strstr(e.text, "none.safetensors"));
  put_st("ok.safetensors", "{}", 0);
  Safetensors *s = st_open_file(at("ok.safetensors"), false, &e);
  assert_non_null(s);
  assert_int_equal(st_count(s), 0);
  assert_null(st_find(s, "x"));
  st_close(s);
}

// Whatever a header says, opening ends with an answer or an error, and every tensor lies inside the file. (Sanitizers watch.)
static void mutated(void **state) {
  (void)state;
  static const char *const bits[] = {"-1", "[]", "{}", "\"F32\"", "9223372036854775807", "18446744073709551616", "null", "1e9", "0", "8", "\"", ",", "]", "}"};
  static const char header[] = "{\"__metadata__\":{\"k\":\"v\"}," T("a", "F32", "[2,3]", 0, 24) "," T("b", "BF16", "[4]", 24, 32) "," T("c", "I64", "[]", 32, 40) "}";
  const char *wanted = getenv("CALM_FUZZ_ROUNDS"), *seed = getenv("CALM_FUZZ_SEED");
  uint32_t x = seed ? (uint32_t)strtoul(seed, NULL, 10) : 12345;
  int opened = 0, rounds = wanted ? atoi(wanted) : 4000;
  for (int round = 0; round < rounds; round++) {
    char h[2 * sizeof header];
    size_t n = sizeof header - 1;
    memcpy(h, header, sizeof header);
    for (int k = 0; k < 1 + round % 3; k++) {
      x = x * 1664525u + 1013904223u;
      size_t where = (x >> 8) % n;
      x = x * 1664525u + 1013904223u;
      if (x >> 31) {
        h[where] = (char)(x >> 16 & 0x7F ? x >> 16 & 0x7F : 'x');
      } else {
        const char *b = bits[(x >> 8) % (sizeof bits / sizeof *bits)];
        size_t len = strlen(b);
        if (n + len >= sizeof h) continue;
        memmove(h + where + len, h + where + 1, n - where);
        memcpy(h + where, b, len);
        n += len - 1;
      }
    }
    x = x * 1664525u + 1013904223u;
    put_st_length("fuzz.safetensors", h, x >> 29 ? strlen(h) : strlen(h) + (x >> 8) % 64 - 32, x >> 28 & 1 ? 40 : (x >> 16) % 48);
    RtError e;
    Safetensors *s = st_open_file(at("fuzz.safetensors"), false, &e);
    if (!s) continue;
    opened++;
    uint64_t sum = 0;
    for (int i = 0; i < st_count(s); i++)
      for (uint64_t b = 0; b < st_at(s, i)->end - st_at(s, i)->begin; b++) sum += ((const uint8_t *)st_at(s, i)->data)[b];
    assert_int_equal(sum, 0);
    st_close(s);
  }
  if (rounds >= 1000) assert_in_range(opened, 1, rounds - 1);
}

static void shards(void **state) {
  (void)state;
  RtError e;
  mkdir(at("m"), 0777);
  assert_null(st_open_dir(at("m"), true, &e));
  assert_non_null(strstr(e.text, "no model.safetensors"));
  put_text("m/pytorch_model.bin", "x");
  assert_null(st_open_dir(at("m"), true, &e));
  assert_non_null(strstr(e.text, "pytorch_model.bin"));
  put_st("m/x1", "{" T("a", "F32", "[1]", 0, 4) "}", 4);
  put_st("m/x2", "{" T("b", "F32", "[2]", 0, 8) "}", 8);
  put_text("m/model.safetensors.index.json", "{\"weight_map\":{\"b\":\"x2\",\"a\":\"x1\"}}");
  Safetensors *s = st_open_dir(at("m"), false, &e);
  if (!s) fail_msg("%s", e.text);
  assert_int_equal(st_shards(s), 2);
  assert_non_null(strstr(st_shard_path(s, st_find(s, "a")->shard), "m/x1"));
  assert_non_null(st_find(s, "b")->data);
  st_close(s);
  static const struct {
    const char *index, *part;
  } cases[] = {
    {"{\"weight_map\":{\"a\":\"x1\",\"c\":\"x2\"}}", "tensor c is not in x2"}, {"{\"weight_map\":{\"a\":\"x2\",\"b\":\"x1\"}}", "is not in"},
    {"{\"weight_map\":{\"a\":\"../x1\"}}", "beside the index"},               {"{\"weight_map\":{\"a\":\"gone\"}}", "gone"},
    {"{\"weight_map\":{\"a\":5}}", "beside the index"},                       {"{}", "weight_map"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put_text("m/model.safetensors.index.json", cases[i].index);
    assert_null(st_open_dir(at("m"), true, &e));
    if (!strstr(e.text, cases[i].part)) fail_msg("expected \"%s\" in: %s", cases[i].part, e.text);
  }
  put_st("m/x2", "{" T("a", "F32", "[2]", 0, 8) "}", 8);
  put_text("m/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"x1\",\"b\":\"x2\"}}");
  assert_null(st_open_dir(at("m"), true, &e));
  assert_non_null(strstr(e.text, "again in"));
}

// A write that fails half way leaves the earlier file as it was and nothing beside it.
static void full_disk(void **state) {
  (void)state;
  RtError e;
  put_text("keep.safetensors", "before");
  struct rlimit old, small = {100, RLIM_INFINITY};
  getrlimit(RLIMIT_FSIZE, &old);
  small.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  float *big = calloc(1000, sizeof *big);
  StWriter *w = st_writer_new();
  st_writer_add(w, "a", DT_F32, 1, (int64_t[]){1000}, big);
  bool ok = st_writer_save(w, at("keep.safetensors"), NULL, &e);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_false(ok);
  assert_non_null(strstr(e.text, "keep.safetensors"));
  FileMap m;
  assert_true(file_map(&m, at("keep.safetensors"), &e));
  assert_int_equal(m.size, 6);
  file_unmap(&m);
  int files = 0;                                   // the one that is kept, and no temporary one
  assert_true(file_each(dir, count_one, &files));
  assert_int_equal(files, 1);
  assert_false(st_writer_save(w, at("nowhere/x.safetensors"), NULL, &e));
  st_writer_free(w);
  free(big);
}

static void hashes(void **state) {
  (void)state;
  char hex[SHA256_HEX];
  RtError e;
  sha256_of("", 0, hex);
  assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
  assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  Sha256 s;                                       // a million times 'a', in uneven parts
  char a[997];
  memset(a, 'a', sizeof a);
  sha256_init(&s);
  for (size_t n = 0; n < 1000000; n += sizeof a) sha256_add(&s, a, 1000000 - n < sizeof a ? 1000000 - n : sizeof a);
  sha256_hex(&s, hex);
  assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  put_text("hash", "abc");
  for (int i = 0; i < 2; i++) {
    assert_true(sha256_file(at("hash"), hex, &e));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
  put_text("hash", "abd");                        // just changed: must not be answered from memory
  assert_true(sha256_file(at("hash"), hex, &e));
  assert_string_equal(hex, "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9");
  assert_false(sha256_file(at("gone"), hex, &e));
  assert_false(sha256_file(dir, hex, &e));
  char *million = malloc(1000001);                // longer than what is read at a time
  memset(million, 'a', 1000000), million[1000000] = 0;
  put_text("hash", million);
  free(million);
  assert_true(sha256_file(at("hash"), hex, &e));
  assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void directories(void **state) {
  (void)state;
  RtError e;
  mkdir(at("d"), 0777);
  assert_null(hfdir_open(at("d"), &e));
  assert_non_null(strstr(e.text, "no config.json (expected a Hugging Face model directory)"));
  put_text("d/config.json", "{\"eos_token_id\": [9, 2], \"text_config\": {\"vocab_size\": 50, \"bos_token_id\": 1, \"eos_token_id\": 2}}");
  put_text("d/generation_config.json", "{\"eos_token_id\": [2, 5]}");
  put_text("d/tokenizer_config.json", "{\"eos_token\": {\"content\": \"<end>\"}, \"model_max_length\": 1000000000000000019884624838656}");
  put_text("d/tokenizer.json", "{\"added_tokens\": [{\"id\": 3, \"content\": \"<x>\"}, {\"id\": 7, \"content\": \"<end>\"}], \"model\": {}}");
  HfDir *h = hfdir_open(at("d"), &e);
  if (!h) fail_msg("%s", e.text);
  assert_int_equal(h->n_eos, 3);
  static const int32_t eos[] = {2, 5, 9};
  assert_memory_equal(h->eos, eos, sizeof eos);
  assert_int_equal(h->first_eos, 2);              // the language model's own
  assert_string_equal(h->first_eos_from, "config.json");
  assert_string_equal(h->eos_token.text, "<end>");
  assert_int_equal(h->eos_token.listed, -1);
  assert_null(h->bos_token.text);
  assert_int_equal(h->bos, 1);
  assert_int_equal(h->vocab_size, 50);
  assert_string_equal(h->tokenizer, at("d/tokenizer.json"));
  hfdir_free(h);
  put_text("d/config.json", "{\"eos_token_id\": []}");
  put_text("d/tokenizer_config.json", "{\"eos_token\": \"<x>\", \"bos_token\": \"\", \"added_tokens_decoder\": {\"12\": {\"content\": \"<x>\"}}}");
  h = hfdir_open(at("d"), &e);
  if (!h) fail_msg("%s", e.text);
  assert_int_equal(h->first_eos, 2);
  assert_string_equal(h->first_eos_from, "generation_config.json");
  assert_string_equal(h->eos_token.text, "<x>");
  assert_int_equal(h->eos_token.listed, 12);
  assert_null(h->bos_token.text);
  hfdir_free(h);
  put_text("d/tokenizer_config.json", "{\"eos_token\": true}");
  assert_null(hfdir_open(at("d"), &e));
  assert_non_null(strstr(e.text, "d/tokenizer_config.json: \"eos_token\": expected a string or an object with \"content\", found a boolean"));
  put_text("d/generation_config.json", "{\"eos_token_id\": \"x\"}");
  assert_null(hfdir_open(at("d"), &e));
  assert_non_null(strstr(e.text, "generation_config.json: \"eos_token_id\": expected a token id, found a string"));
  put_text("d/config.json", "{\"a\": 1,\n \"a\": 2}");
  assert_null(hfdir_open(at("d"), &e));
  assert_non_null(strstr(e.text, "d/config.json:2:"));
  assert_null(hfdir_open(at("nothing"), &e));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(hostile),   cmocka_unit_test(mutated), cmocka_unit_test(shards),
                                     cmocka_unit_test(full_disk),  cmocka_unit_test(hashes),    cmocka_unit_test(directories)};
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
