// The language: the library parses, trees and error texts equal their goldens (CALM_BLESS=1 writes them anew), layout
// does not matter, and no mutation of any of these files crashes the parser or the checks.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/abi/abi.h"
#include "dsl/ast.h"
#include "dsl/resolve.h"
#include "mutate.h"

#define TREES CALM_SOURCE_DIR "/tests/golden/tree/*.calm"
#define ERRORS CALM_SOURCE_DIR "/tests/errors/*.calm"

typedef struct World {
  Arena *arena;
  Sources sources;
  Diags diags;
} World;

static void world_begin(World *w) {
  w->arena = arena_new();
  sources_init(&w->sources, w->arena);
  diags_init(&w->diags, &w->sources);
}
static void world_end(World *w) { arena_free(w->arena); }

static Ast *parse(World *w, const char *text, size_t n) {
  return ast_parse(w->arena, &w->sources, &w->diags, sources_add(&w->sources, "test.calm", text, n));
}

static char *read_all(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  Buf b = {0};
  if (!f) return NULL;
  for (int c; (c = fgetc(f)) != EOF;) buf_putc(&b, (char)c);
  fclose(f);
  buf_putc(&b, 0);
  *n = b.n - 1;
  return b.s;
}

static void write_all(const char *path, const char *text) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

// Compares text with the file `path` but for its ending, which becomes `ending`.
static void golden(const char *path, const char *ending, const char *text) {
  char other[512];
  snprintf(other, sizeof other, "%.*s%s", (int)(strrchr(path, '.') - path), path, ending);
  if (getenv("CALM_BLESS")) {
    write_all(other, text);
    return;
  }
  size_t n;
  char *want = read_all(other, &n);
  if (!want) fail_msg("%s is missing (CALM_BLESS=1 writes it)", other);
  if (strcmp(want, text)) fail_msg("%s differs; the text is now:\n%s", other, text);
  free(want);
}

static void library_parses(void **state) {
  (void)state;
  World w;
  world_begin(&w);
  for (const StdFile *f = std_files; f->name; f++) {
    Ast *a = parse(&w, f->text, strlen(f->text));
    assert_true(a->nkid > 0);
  }
  Buf b = {0};
  diags_print(&w.diags, &b);
  if (b.n) fail_msg("%s", b.s);
  world_end(&w);
}

static void trees(void **state) {
  (void)state;
  glob_t g;
  assert_int_equal(glob(TREES, 0, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    World w;
    world_begin(&w);
    size_t n;
    char *text = read_all(g.gl_pathv[i], &n);
    Ast *a = parse(&w, text, n);
    Buf b = {0};
    diags_print(&w.diags, &b);
    ast_print(a, &b);
    golden(g.gl_pathv[i], ".tree", b.s);
    buf_free(&b);
    free(text);
    world_end(&w);
  }
  globfree(&g);
}

// No newline matters: comments gone and all on one line, a file has the same tree.
static void layout_is_free(void **state) {
  (void)state;
  glob_t g;
  assert_int_equal(glob(TREES, 0, NULL, &g), 0);
  assert_int_equal(glob(CALM_SOURCE_DIR "/dsl/std/*.calm", GLOB_APPEND, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    World w;
    world_begin(&w);
    size_t n;
    char *text = read_all(g.gl_pathv[i], &n);
    Buf one = {0}, two = {0};
    ast_print(parse(&w, text, n), &one);
    char *flat = malloc(n + 1);
    size_t m = 0;
    bool in_string = false, in_comment = false;
    for (size_t k = 0; k < n; k++) {
      if (text[k] == '"' && !in_comment && (k == 0 || text[k - 1] != '\\')) in_string = !in_string;
      if (text[k] == '#' && !in_string) in_comment = true;
      if (text[k] == '\n') in_comment = false;
      if (!in_comment) flat[m++] = text[k] == '\n' ? ' ' : text[k];
    }
    ast_print(parse(&w, flat, m), &two);
    assert_int_equal(w.diags.errors, 0);
    assert_string_equal(one.s, two.s);
    buf_free(&one);
    buf_free(&two);
    free(flat);
    free(text);
    world_end(&w);
  }
  globfree(&g);
}

static void errors(void **state) {
  (void)state;
  glob_t g;
  assert_int_equal(chdir(CALM_SOURCE_DIR "/tests/errors"), 0);   // paths in the texts are as given
  assert_int_equal(glob("*.calm", 0, NULL, &g), 0);
  assert_true(g.gl_pathc >= 30);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    World w;
    world_begin(&w);
    spec_parse(w.arena, &w.sources, &w.diags, g.gl_pathv[i]);
    assert_true(w.diags.n > 0);
    Buf b = {0};
    diags_print(&w.diags, &b);
    mutate_paths(b.s);
    golden(g.gl_pathv[i], ".err", b.s);
    buf_free(&b);
    world_end(&w);
  }
  globfree(&g);
}

static void lookups(void **state) {
  (void)state;
  World w;
  world_begin(&w);
  char path[] = "/tmp/calm_test_dsl_XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  char arch[64] = "", served[64] = "", text[512];          // of the library's first
  for (const StdFile *f = std_files; f->name && !*arch; f++) {
    const char *at = strstr(f->text, "\narch ");
    if (at) assert_int_equal(sscanf(at, " arch %63s for \"%63[^\"]\"", arch, served), 2);
  }
  int n = snprintf(text, sizeof text,
                   "anchor base = \"x\"\nfn silu(x) = x\n"
                   "arch mine for \"Mine\", \"%s\" {\n"
                   "  embed(i) = i  layers i in 0..1 under \"\" (x) { return x }  head(x) = x\n}\n", served);
  assert_int_equal(write(fd, text, (size_t)n), n);
  close(fd);
  Spec *s = spec_parse(w.arena, &w.sources, &w.diags, path);
  unlink(path);
  assert_int_equal(w.diags.n, 0);
  assert_ptr_equal(spec_find(s, AST_FN, "silu"), s->file->kid[1]);            // the user's goes before the library's
  assert_ptr_equal(spec_find_arch(s, served), s->file->kid[2]);
  assert_string_equal(spec_find(s, AST_ARCH, arch)->name, arch);
  assert_non_null(spec_find(s, AST_OP, "cross_attention"));
  assert_null(spec_find(s, AST_OP, "silu"));
  assert_null(spec_find_arch(s, "Nobody"));
  world_end(&w);
}

// Deep nesting is refused, by the parser's stack or by the tree's height, and costs no stack here.
static void deep_nesting(void **state) {
  (void)state;
  static const char *const repeated[] = {"(", "x + ", "-", "not ", "[", "f(", "x ? ", "x ^ "};
  for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
    World w;
    world_begin(&w);
    Buf b = {0}, out = {0};
    buf_puts(&b, "fn f(x) = ");
    for (int k = 0; k < 50000; k++) buf_puts(&b, repeated[i]);
    buf_puts(&b, "x");
    Ast *a = parse(&w, b.s, b.n);
    assert_true(w.diags.errors > 0 && a->height <= 256);
    ast_print(a, &out);
    buf_free(&b);
    buf_free(&out);
    world_end(&w);
  }
}

static void near_words(void **state) {
  (void)state;
  assert_int_equal(near_distance("heads", "heads", 9), 0);
  assert_int_equal(near_distance("haeds", "heads", 9), 1);
  assert_int_equal(near_distance("head", "heads", 9), 1);
  assert_int_equal(near_distance("", "abc", 9), 3);
  assert_int_equal(near_distance("kitten", "sitting", 9), 3);
  assert_int_equal(near_distance("kitten", "sitting", 2), 2);
  Near n = near_begin("bacth");
  near_offer(&n, "data");
  near_offer(&n, "batch");
  assert_string_equal(n.best, "batch");
  n = near_begin("completely");
  near_offer(&n, "different");
  assert_null(n.best);
  n = near_begin("hidden_layers");                           // what lacks its beginning, or its end
  near_offer(&n, "hidden_size_of_all");
  near_offer(&n, "num_hidden_layers");
  assert_string_equal(n.best, "num_hidden_layers");
}

// A byte order mark before a spec and before the files it uses is stepped over, and moves no column.
static void byte_order_marks(void **state) {
  (void)state;
  static const char *const lib[2] = {"fn twice(x) = x + x\n", "\xEF\xBB\xBF" "fn twice(x) = x + x\n"};
  static const char *const spec[2] = {"anchor base = 3\nuse \"lib.calm\"\nfn f(x) = twice(x) + thrice(x)\n",
                                      "\xEF\xBB\xBF" "anchor base = 3\nuse \"lib.calm\"\nfn f(x) = twice(x) + thrice(x)\n"};
  char dir[] = "/tmp/calm_test_dsl_XXXXXX", here[4096], *text[2];
  assert_non_null(getcwd(here, sizeof here));
  assert_non_null(mkdtemp(dir));
  assert_int_equal(chdir(dir), 0);
  for (int i = 0; i < 2; i++) {
    World w;
    Buf b = {0};
    world_begin(&w);
    write_all("lib.calm", lib[i]);
    write_all("spec.calm", spec[i]);
    spec_parse(w.arena, &w.sources, &w.diags, "spec.calm");
    diags_print(&w.diags, &b);
    text[i] = b.s;
    world_end(&w);
  }
  assert_string_equal(text[0], text[1]);
  assert_non_null(strstr(text[0], "spec.calm:1:15: error: found the number 3"));
  assert_null(strstr(text[0], "lib.calm"));
  for (int i = 0; i < 2; i++) free(text[i]);
  assert_int_equal(unlink("lib.calm") | unlink("spec.calm") | chdir(here) | rmdir(dir), 0);
}

// ---- mutations

// The library, parsed once for many texts: a world is left when it has had its share of them.
typedef struct Crowd {
  World w;
  Spec lib;
  int texts;
} Crowd;

static void crowd_begin(Crowd *c) {
  world_begin(&c->w);
  c->texts = 0;
  c->lib = (Spec){.sources = &c->w.sources};
  for (const StdFile *f = std_files; f->name; f++)
    ARENA_PUSH(c->w.arena, c->lib.lib, c->lib.nlib, c->lib.caplib, parse(&c->w, f->text, strlen(f->text)));
  assert_int_equal(c->w.diags.n, 0);
}

// Parses, checks, and prints; every diagnostic lies in its file.
static void survive(Crowd *c, const char *text, size_t n) {
  enum { MANY = 50 };
  mutate_limits();
  if (c->texts++ == MANY) world_end(&c->w), crowd_begin(c);
  World *w = &c->w;
  diags_init(&w->diags, &w->sources);
  Spec spec = c->lib;
  spec.file = parse(w, text, n);
  assert_int_equal(spec.file->kind, AST_FILE);
  spec_index(w->arena, &spec);
  resolve(&spec, &w->diags, w->diags.errors > 0);
  Buf b = {0};
  ast_print(spec.file, &b);
  diags_print(&w->diags, &b);
  for (int i = 0; i < w->diags.n; i++) {
    Loc l = w->diags.v[i].loc;
    assert_true(l.file && (int)l.file < w->sources.n && l.begin <= l.end && l.end <= w->sources.v[l.file].len);
  }
  buf_free(&b);
}

static void mutations(void **state) {
  (void)state;
  glob_t g;
  assert_int_equal(glob(TREES, 0, NULL, &g), 0);
  assert_int_equal(glob(ERRORS, GLOB_APPEND, NULL, &g), 0);
  assert_int_equal(glob(CALM_SOURCE_DIR "/dsl/std/*.calm", GLOB_APPEND, NULL, &g), 0);
  const char *rounds = getenv("CALM_FUZZ_ROUNDS");
  int n_rounds = rounds ? atoi(rounds) : 24;
  uint32_t random = MUTATE_SEED;
  Crowd crowd;
  crowd_begin(&crowd);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    size_t n;
    char *text = read_all(g.gl_pathv[i], &n);
    survive(&crowd, text, n);
    for (int r = 0; n && r < n_rounds; r++) {
      size_t m;
      char *now = mutate(&random, text, n, &m);
      survive(&crowd, now, m);
      free(now);
    }
    for (size_t cut = 0; cut < n; cut += 1 + mutate_below(&random, 97)) survive(&crowd, text, cut);
    free(text);
  }
  world_end(&crowd.w);
  globfree(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(library_parses), cmocka_unit_test(trees),      cmocka_unit_test(layout_is_free),
    cmocka_unit_test(errors),         cmocka_unit_test(lookups),    cmocka_unit_test(deep_nesting),
    cmocka_unit_test(near_words),     cmocka_unit_test(byte_order_marks), cmocka_unit_test(mutations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
