// Writes a small tokenizer.json for models that are made from nothing: byte-level BPE with the merges that are named.
//
//   tokenizer FILE [PIECE+PIECE …]     token 0 begins a text (<s>), 1 ends it (</s>), then 256 bytes, then one a merge
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { SPECIALS = 2, BYTES = 256 };

// Byte-level BPE's letter for a byte: itself where it is printable, else one from 256 on.
static int letter(int byte) {
  int hidden = 0;
  for (int b = 0; b <= byte; b++) {
    int printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    if (b == byte) return printable ? b : 256 + hidden;
    hidden += !printable;
  }
  return 0;
}

static void utf8(int c, char out[3]) {
  int n = 0;
  if (c < 0x80) out[n++] = (char)c;
  else out[n++] = (char)(0xc0 | c >> 6), out[n++] = (char)(0x80 | (c & 0x3f));
  out[n] = 0;
}

int main(int argc, char **argv) {
  static const char *const special[SPECIALS] = {"<s>", "</s>"};
  if (argc < 2) {
    fprintf(stderr, "usage: tokenizer FILE [PIECE+PIECE …]\n");
    return 2;
  }
  json_t *vocab = json_object(), *merges = json_array(), *added = json_array();
  int id = 0;
  for (; id < SPECIALS; id++) {
    json_object_set_new(vocab, special[id], json_integer(id));
    json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", special[id], "single_word", 0, "lstrip", 0, "rstrip", 0,
                                           "normalized", 0, "special", 1));
  }
  for (int b = 0; b < BYTES; b++) {
    char s[3];
    utf8(letter(b), s);
    json_object_set_new(vocab, s, json_integer(id++));
  }
  for (int i = 2; i < argc; i++) {
    const char *plus = strchr(argv[i], '+');
    char joined[64];
    if (!plus || strlen(argv[i]) >= sizeof joined) return fprintf(stderr, "%s: expected PIECE+PIECE\n", argv[i]), 2;
    int n = (int)(plus - argv[i]);
    snprintf(joined, sizeof joined, "%.*s%s", n, argv[i], plus + 1);
    json_array_append_new(merges, json_sprintf("%.*s %s", n, argv[i], plus + 1));
    json_object_set_new(vocab, joined, json_integer(id++));
  }
  json_t *all = json_pack("{s:s, s:n, s:n, s:o, s:n, s:{s:s, s:b, s:b, s:b}, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, s:b, s:b, s:b, s:o, s:o}}", "version", "1.0",
                          "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0,
                          "trim_offsets", 1, "use_regex", 1, "post_processor", "decoder", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1,
                          "use_regex", 1, "model", "type", "BPE", "dropout", "unk_token",
                          "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges", merges);
  if (!all || json_dump_file(all, argv[1], JSON_COMPACT)) return fprintf(stderr, "error: %s: %s\n", argv[1], strerror(errno)), 1;
  json_decref(all);
  return 0;
}
