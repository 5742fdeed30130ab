// The kinds of pre-tokenizers, each one constant, and the walk over a tokenizer's list of them.
#include "runtime/text/pretokenize.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/chars.h"

// --- kinds that are a TkSplit and nothing else: Split, Digits, WhitespaceSplit, Punctuation
static bool read_behavior(TkSplit *sp, const char *what, const json_t *v, RtError *e) {
  static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
  const char *s = json_string_value(json_object_get(v, "behavior"));
  for (size_t i = 0; s && i < sizeof names / sizeof *names; i++)
    if (strcmp(s, names[i]) == 0) return sp->behavior = (TkBehavior)i, true;
  return rt_fail(e, "%s: pre-tokenizer %s: behavior \"%.80s\" is not supported", what,
                 json_string_value(json_object_get(v, "type")), s ? s : "(none)");
}

static bool read_split(void *own, const char *what, const json_t *v, RtError *e) {
  TkSplit *sp = own;
  return read_behavior(sp, what, v, e) && rtj_get_bool(what, v, "invert", &sp->invert, e) &&
         tk_pattern_read(&sp->pattern, what, json_object_get(v, "pattern"), e);
}

static void free_split(void *own) { tk_pattern_free(&((TkSplit *)own)->pattern); }

static void run_split(const void *own, TkSplitting *w, TkCall *call) { tk_split_run(own, w, call); }

static bool resumes_split(const void *own, bool first) { return (void)first, tk_split_resumes(own); }

static bool read_digits(void *own, const char *what, const json_t *v, RtError *e) {
  bool individual = false;
  if (!rtj_get_bool(what, v, "individual_digits", &individual, e)) return false;
  ((TkSplit *)own)->behavior = individual ? TK_ISOLATED : TK_CONTIGUOUS;
  return true;
}

// Hugging Face's punctuation: ASCII's, and Unicode's as it was in version 8, which its tables are of: libraries know more by now.
static bool is_punctuation(uint32_t cp) {
  static const uint32_t range[][2] = {
    {0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}, {0xA1, 0xA1}, {0xA7, 0xA7}, {0xAB, 0xAB}, {0xB6, 0xB7}, {0xBB, 0xBB},
    {0xBF, 0xBF}, {0x37E, 0x37E}, {0x387, 0x387}, {0x55A, 0x55F}, {0x589, 0x58A}, {0x5BE, 0x5BE}, {0x5C0, 0x5C0}, {0x5C3, 0x5C3},
    {0x5C6, 0x5C6}, {0x5F3, 0x5F4}, {0x609, 0x60A}, {0x60C, 0x60D}, {0x61B, 0x61B}, {0x61E, 0x61F}, {0x66A, 0x66D}, {0x6D4, 0x6D4},
    {0x700, 0x70D}, {0x7F7, 0x7F9}, {0x830, 0x83E}, {0x85E, 0x85E}, {0x964, 0x965}, {0x970, 0x970}, {0xAF0, 0xAF0}, {0xDF4, 0xDF4},
    {0xE4F, 0xE4F}, {0xE5A, 0xE5B}, {0xF04, 0xF12}, {0xF14, 0xF14}, {0xF3A, 0xF3D}, {0xF85, 0xF85}, {0xFD0, 0xFD4}, {0xFD9, 0xFDA},
    {0x104A, 0x104F}, {0x10FB, 0x10FB}, {0x1360, 0x1368}, {0x1400, 0x1400}, {0x166D, 0x166E}, {0x169B, 0x169C}, {0x16EB, 0x16ED},
    {0x1735, 0x1736}, {0x17D4, 0x17D6}, {0x17D8, 0x17DA}, {0x1800, 0x180A}, {0x1944, 0x1945}, {0x1A1E, 0x1A1F}, {0x1AA0, 0x1AA6},
    {0x1AA8, 0x1AAD}, {0x1B5A, 0x1B60}, {0x1BFC, 0x1BFF}, {0x1C3B, 0x1C3F}, {0x1C7E, 0x1C7F}, {0x1CC0, 0x1CC7}, {0x1CD3, 0x1CD3},
    {0x2010, 0x2027}, {0x2030, 0x2043}, {0x2045, 0x2051}, {0x2053, 0x205E}, {0x207D, 0x207E}, {0x208D, 0x208E}, {0x2308, 0x230B},
    {0x2329, 0x232A}, {0x2768, 0x2775}, {0x27C5, 0x27C6}, {0x27E6, 0x27EF}, {0x2983, 0x2998}, {0x29D8, 0x29DB}, {0x29FC, 0x29FD},
    {0x2CF9, 0x2CFC}, {0x2CFE, 0x2CFF}, {0x2D70, 0x2D70}, {0x2E00, 0x2E2E}, {0x2E30, 0x2E42}, {0x3001, 0x3003}, {0x3008, 0x3011},
    {0x3014, 0x301F}, {0x3030, 0x3030}, {0x303D, 0x303D}, {0x30A0, 0x30A0}, {0x30FB, 0x30FB}, {0xA4FE, 0xA4FF}, {0xA60D, 0xA60F},
    {0xA673, 0xA673}, {0xA67E, 0xA67E}, {0xA6F2, 0xA6F7}, {0xA874, 0xA877}, {0xA8CE, 0xA8CF}, {0xA8F8, 0xA8FA}, {0xA8FC, 0xA8FC},
    {0xA92E, 0xA92F}, {0xA95F, 0xA95F}, {0xA9C1, 0xA9CD}, {0xA9DE, 0xA9DF}, {0xAA5C, 0xAA5F}, {0xAADE, 0xAADF}, {0xAAF0, 0xAAF1},
    {0xABEB, 0xABEB}, {0xFD3E, 0xFD3F}, {0xFE10, 0xFE19}, {0xFE30, 0xFE52}, {0xFE54, 0xFE61}, {0xFE63, 0xFE63}, {0xFE68, 0xFE68},
    {0xFE6A, 0xFE6B}, {0xFF01, 0xFF03}, {0xFF05, 0xFF0A}, {0xFF0C, 0xFF0F}, {0xFF1A, 0xFF1B}, {0xFF1F, 0xFF20}, {0xFF3B, 0xFF3D},
    {0xFF3F, 0xFF3F}, {0xFF5B, 0xFF5B}, {0xFF5D, 0xFF5D}, {0xFF5F, 0xFF65}, {0x10100, 0x10102}, {0x1039F, 0x1039F}, {0x103D0, 0x103D0},
    {0x1056F, 0x1056F}, {0x10857, 0x10857}, {0x1091F, 0x1091F}, {0x1093F, 0x1093F}, {0x10A50, 0x10A58}, {0x10A7F, 0x10A7F},
    {0x10AF0, 0x10AF6}, {0x10B39, 0x10B3F}, {0x10B99, 0x10B9C}, {0x11047, 0x1104D}, {0x110BB, 0x110BC}, {0x110BE, 0x110C1},
    {0x11140, 0x11143}, {0x11174, 0x11175}, {0x111C5, 0x111C9}, {0x111CD, 0x111CD}, {0x111DB, 0x111DB}, {0x111DD, 0x111DF},
    {0x11238, 0x1123D}, {0x112A9, 0x112A9}, {0x114C6, 0x114C6}, {0x115C1, 0x115D7}, {0x11641, 0x11643}, {0x1173C, 0x1173E},
    {0x12470, 0x12474}, {0x16A6E, 0x16A6F}, {0x16AF5, 0x16AF5}, {0x16B37, 0x16B3B}, {0x16B44, 0x16B44}, {0x1BC9F, 0x1BC9F},
    {0x1DA87, 0x1DA8B},
  };
  size_t low = 0, high = sizeof range / sizeof *range;      // the first that ends at cp or behind it
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (range[mid][1] < cp) low = mid + 1;
    else high = mid;
  }
  return low < sizeof range / sizeof *range && range[low][0] <= cp;
}

static bool read_punctuation(void *own, const char *what, const json_t *v, RtError *e) {
  return !json_object_get(v, "behavior") || read_behavior(own, what, v, e);     // Isolated otherwise
}

static const TkSplit numbers = {.is = tk_is_number}, spaces = {.is = tk_is_space, .behavior = TK_REMOVED}, signs = {.is = is_punctuation};
static const TkPretokenizerKind split = {
  .kind = {.type = "Split", .size = sizeof(TkSplit), .read = read_split, .free = free_split},
  .run = run_split, .grows = true, .resumes = resumes_split,
};
static const TkPretokenizerKind digits = {
  .kind = {.type = "Digits", .size = sizeof(TkSplit), .preset = &numbers, .read = read_digits},
  .run = run_split, .grows = true, .resumes = resumes_split,
};
static const TkPretokenizerKind whitespace = {
  .kind = {.type = "WhitespaceSplit", .size = sizeof(TkSplit), .preset = &spaces},
  .run = run_split, .grows = true, .resumes = resumes_split,
};
static const TkPretokenizerKind punctuation = {
  .kind = {.type = "Punctuation", .size = sizeof(TkSplit), .preset = &signs, .read = read_punctuation},
  .run = run_split, .grows = true, .resumes = resumes_split,
};

// --- Metaspace: a sign for each space, and splits before it
typedef enum Prepend { NEVER, FIRST, ALWAYS } Prepend;
typedef struct Metaspace {
  Prepend prepend;             // puts one before which piece
  bool splits;
  TkSplit split;               // at the sign
} Metaspace;

static bool read_metaspace(void *own, const char *what, const json_t *v, RtError *e) {
  Metaspace *m = own;
  const char *replacement = "\xE2\x96\x81", *scheme = "always";
  bool prefix = true;
  if (!rtj_get_string(what, v, "replacement", &replacement, e) || !rtj_get_string(what, v, "prepend_scheme", &scheme, e) ||
      !rtj_get_bool(what, v, "split", &m->splits, e) || !rtj_get_bool(what, v, "add_prefix_space", &prefix, e))
    return false;
  m->prepend = strcmp(scheme, "always") == 0 ? ALWAYS : strcmp(scheme, "first") == 0 ? FIRST : NEVER;
  if (m->prepend == NEVER && strcmp(scheme, "never") != 0)
    return rt_fail(e, "%s: pre-tokenizer Metaspace: prepend_scheme \"%.80s\" is not supported", what, scheme);
  if (!prefix) m->prepend = NEVER;                          // the older way to say it
  tk_pattern_literal(&m->split.pattern, replacement);
  return tk_pattern_one_char(&m->split.pattern) ||
         rt_fail(e, "%s: pre-tokenizer Metaspace: \"replacement\": expected one character, found \"%.80s\"", what, replacement);
}

static void free_metaspace(void *own) { tk_pattern_free(&((Metaspace *)own)->split.pattern); }

static void run_metaspace(const void *own, TkSplitting *w, TkCall *call) {
  const Metaspace *m = own;
  TkText *to = tk_splitting_buffer(w);
  const TkText *t = w->t;
  const char *sign = m->split.pattern.literal;
  size_t n = m->split.pattern.n;
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    uint32_t from = p.begin < p.end ? tk_from(t, p.begin) : 0;
    bool has = p.begin < p.end && (t->s[p.begin] == ' ' || (p.end - p.begin >= n && memcmp(t->s + p.begin, sign, n) == 0));
    bool wants = (m->prepend == ALWAYS || (m->prepend == FIRST && from == 0)) && !(call->within && i == 0);
    if (p.begin < p.end && wants && !has && from != call->joined) tk_text_put(to, sign, n, from, tk_to(t, p.begin));
    for (size_t k = p.begin; k < p.end; k++) {
      bool space = t->s[k] == ' ';
      tk_text_put(to, space ? sign : t->s + k, space ? n : 1, tk_from(t, k), tk_to(t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
  if (m->splits) tk_split_run(&m->split, w, call);
  else tk_splitting_swap(w);
}

static bool resumes_metaspace(const void *own, bool first) {
  const Metaspace *m = own;
  return (first || m->prepend == NEVER) && tk_split_resumes(&m->split);
}

static const Metaspace before_sign = {.splits = true, .split.behavior = TK_WITH_NEXT};
static const TkPretokenizerKind metaspace = {
  .kind = {.type = "Metaspace", .size = sizeof(Metaspace), .preset = &before_sign, .read = read_metaspace, .free = free_metaspace},
  .run = run_metaspace, .grows = true, .resumes = resumes_metaspace,
};

// --- ByteLevel: splits into words, and shows each byte as a character
typedef struct ByteLevel {
  TkSplit split;               // no pattern: does not split
  bool prefix_space;
  bool raw;                    // pieces stay bytes
} ByteLevel;

// The pattern that use_regex means (Radford et al. 2019).
static const char byte_level_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool read_byte_level(void *own, const char *what, const json_t *v, RtError *e) {
  ByteLevel *b = own;
  bool regex = true;
  if (!rtj_get_bool(what, v, "add_prefix_space", &b->prefix_space, e) || !rtj_get_bool(what, v, "use_regex", &regex, e)) return false;
  return !regex || tk_pattern_regex(&b->split.pattern, what, byte_level_pattern, e);
}

static void free_byte_level(void *own) { tk_pattern_free(&((ByteLevel *)own)->split.pattern); }

// Puts the space that add_prefix_space asks for before each piece.
static void put_spaces(TkSplitting *w, const TkCall *call) {
  TkText *to = tk_splitting_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t begin = to->n;
    if (p.begin < p.end && w->t->s[p.begin] != ' ' && tk_from(w->t, p.begin) != call->joined && !(call->within && i == 0))
      tk_text_put(to, " ", 1, tk_from(w->t, p.begin), tk_to(w->t, p.begin));
    tk_text_copy(to, w->t, p.begin, p.end);
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
}

// Bytes to the characters that stand for them.
static void show_bytes(TkSplitting *w) {
  TkText *to = tk_splitting_buffer(w);
  for (size_t i = 0; i < w->in.n; i++) {
    size_t begin = to->n;
    for (size_t k = w->in.p[i].begin; k < w->in.p[i].end; k++) {
      char s[4];
      tk_text_put(to, s, rt_utf8_put(s, tk_byte_char((uint8_t)w->t->s[k])), tk_from(w->t, k), tk_to(w->t, k));
    }
    tk_piece_put(&w->out, begin, to->n);
  }
  tk_splitting_take(w, to);
}

static void run_byte_level(const void *own, TkSplitting *w, TkCall *call) {
  const ByteLevel *b = own;
  if (b->prefix_space) put_spaces(w, call);
  if (b->split.pattern.re) {
    tk_split_run(&b->split, w, call);
    tk_splitting_take(w, w->t);
  }
  if (!b->raw) show_bytes(w);
  tk_splitting_swap(w);
}

static bool resumes_byte_level(const void *own, bool first) {
  const ByteLevel *b = own;
  return (first || !b->prefix_space) && tk_split_resumes(&b->split);
}

static void leave_bytes(void *own) { ((ByteLevel *)own)->raw = true; }

static const ByteLevel words = {.prefix_space = true};
static const TkPretokenizerKind byte_level = {
  .kind = {.type = "ByteLevel", .size = sizeof(ByteLevel), .preset = &words, .read = read_byte_level, .free = free_byte_level},
  .run = run_byte_level, .grows = true, .resumes = resumes_byte_level, .leave_bytes = leave_bytes,
};

// --- all of them
static const TkKind *const kinds[] = {&split.kind, &digits.kind, &whitespace.kind, &punctuation.kind, &metaspace.kind, &byte_level.kind, NULL};
const TkFamily tk_pretokenizers = {"pre-tokenizer", "pretokenizers", kinds};

static const TkPretokenizerKind *kind_of(const TkComponent *c) { return (const TkPretokenizerKind *)c->kind; }

void tk_pretokenize(const TkComponents *l, TkSplitting *w, const TkText *text, size_t begin, size_t end, bool open, TkCall *call) {
  w->t = text;
  w->in.n = w->out.n = 0;
  w->open = open;
  w->room = call->left.room;
  tk_piece_put(&w->in, begin, end);
  for (int i = 0; i < l->n && !call->failed; i++) {
    const TkPretokenizerKind *k = kind_of(&l->c[i]);
    if (open && !k->grows) {     // one growing piece that nothing is known of
      w->in.n = 1;
      w->in.p[0].end = w->in.p[0].begin;
      return;
    }
    k->run(l->c[i].own, w, call);
    tk_splitting_take(w, w->t);
    if (w->t->full) tk_call_out(call, "too much memory");
  }
}

bool tk_pretokenizers_resume(const TkComponents *l) {
  for (int i = 0; i < l->n; i++) {
    const TkPretokenizerKind *k = kind_of(&l->c[i]);
    if (!k->resumes || !k->resumes(l->c[i].own, i == 0)) return false;
  }
  return true;
}

bool tk_pretokenizers_show_bytes(const TkComponents *l) { return l->n && kind_of(&l->c[l->n - 1])->leave_bytes; }

void tk_pretokenizers_leave_bytes(TkComponents *l) { kind_of(&l->c[l->n - 1])->leave_bytes(l->c[l->n - 1].own); }
