// Conversations into rows: who speaks in the data sets' own ways, what is trained on (spans of generation blocks, growing prefixes, an answer a row where a
// template rewrites), what ends an answer, and what a model with another tokenizer and template reads of it: contents as far as the anchor has them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/rows/chat.h"
#include "tokenizer_files.h"

#define IM "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '</s>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
#define DROPS "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</t>')[-1] if m.role == 'assistant' and not loop.last else m.content }}</s>{% endfor %}" \
              "{% if add_generation_prompt %}[assistant]{% endif %}"
#define MARKED "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %};{% endfor %}" \
               "{% if add_generation_prompt %}[assistant]{% endif %}"
#define OTHER "{% for m in messages %}<{{ m.role[0] }}>{{ m.content | trim }}|{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"

typedef struct Kit {
  Tokenizer *tok;
  Streams streams;
  Chat chat[2];
  TextEnds ends;
  int32_t eos;
  ChatRules rules;
} Kit;

static Tokenizer *open_tokenizer(const char *name) {
  char path[1024];
  RtError e;
  snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", name);
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

static void open_chat(Chat *c, const char *template, const Tokenizer *tok) {
  char path[] = "/tmp/calm-chat-XXXXXX";
  RtError e;
  int fd = template ? mkstemp(path) : -1;
  if (template && (fd < 0 || write(fd, template, strlen(template)) < 0 || close(fd))) fail_msg("cannot write %s", path);
  chat_start(c, &(ChatSource){.file = template ? path : NULL}, tok);
  assert_null(c->template);
  if (!chat_ready(c, &e)) fail_msg("%s", e.text);
  if (template) unlink(path);
  json_decref(c->hf.names);
  c->hf.names = json_pack("{s:s, s:s}", "bos_token", "<s>", "eos_token", "</s>");
}

// augment: its template; streams 2: it is there.
static void open_kit(Kit *k, const char *anchor, int streams, const char *augment) {
  *k = (Kit){.tok = open_tokenizer("fallback_metaspace")};
  k->streams = (Streams){.s = rt_alloc(2, sizeof(Stream)), .n = streams};
  for (int i = 0; i < streams; i++) {
    k->streams.s[i] = (Stream){.model = i ? "aug" : "base", .context = 4096, .vocab = 4096, .chat = &k->chat[i]};
    if (i) k->streams.s[i].rule = settler_new(k->streams.s[i].tok = open_tokenizer("byte_words"));
    open_chat(&k->chat[i], i ? augment : anchor, i ? k->streams.s[i].tok : k->tok);
  }
  k->eos = tokenizer_token_id(k->tok, "</s>");
  k->ends = (TextEnds){.bos = -1, .eos = &k->eos, .n_eos = 1, .append = k->eos};
  k->rules = (ChatRules){.tok = k->tok, .ends = &k->ends, .streams = &k->streams, .vocab = 4096, .cut = {.streams = &k->streams, .context = 4096}};
}

// The augment has the anchor's tokenizer, and a template that renders otherwise.
static void share_tokenizer(Kit *k) {
  Stream *s = &k->streams.s[1];
  settler_free(s->rule), tokenizer_free(s->tok);
  s->rule = settler_new(s->tok = tokenizer_share(k->tok));
  s->shares = s->renders = true;
}

static void close_kit(Kit *k) {
  for (int i = 0; i < k->streams.n; i++) chat_close(&k->chat[i]);
  streams_free(&k->streams);
  tokenizer_free(k->tok);
}

static Conversation read_row(const char *json) {
  RtError e;
  Conversation c;
  json_t *row = json_loads(json, 0, NULL);
  assert_non_null(row);
  if (!conversation_read(&c, row, false, &e)) fail_msg("%s: %s", json, e.text);
  json_decref(row);
  return c;
}

// The tokens of a row, those that are trained on in ⟨⟩.
static char *marked(const Kit *k, const ChatRow *r) {
  char *out = rt_alloc((size_t)r->n * 40 + 1, 1);
  for (int64_t i = 0; i < r->n; i++) {
    size_t n;
    const char *s = tokenizer_token(k->tok, r->ids[i], &n);
    bool is = r->labels && r->labels[i] != -100, was = i && r->labels && r->labels[i - 1] != -100;
    if (is) assert_int_equal(r->labels[i], r->ids[i]);
    sprintf(out + strlen(out), "%s%.*s", is == was ? "" : is ? "<<" : ">>", (int)n, s);
  }
  if (r->n && r->labels && r->labels[r->n - 1] != -100) strcat(out, ">>");
  return out;
}

static void check_rows(Kit *k, const char *json, int want, const char *const *texts) {
  RtError e;
  Conversation c = read_row(json);
  ChatRow *rows;
  int n;
  if (!chat_rows(&k->rules, &c, &rows, &n, &e)) fail_msg("%s: %s", json, e.text);
  assert_int_equal(n, want);
  for (int i = 0; i < n; i++) {
    char *found = marked(k, &rows[i]);
    if (texts && strcmp(found, texts[i]) != 0) fail_msg("%s\nexpected %s\nfound    %s", json, texts[i], found);
    rt_free(found);
    chat_row_free(&rows[i]);
  }
  rt_free(rows);
  conversation_free(&c);
}

#define ROW(...) (const char *const[]){__VA_ARGS__}

static void trained(void **state) {
  (void)state;
  Kit k;
  const char *two = "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"c\"},"
                    " {\"role\": \"assistant\", \"content\": \"x</t>d\"}]}";
  open_kit(&k, IM, 1, NULL);
  check_rows(&k, two, 1, NULL);
  RtError e;
  Conversation c = read_row(two);
  ChatRow *rows;
  int n;
  assert_true(chat_rows(&k.rules, &c, &rows, &n, &e));
  char *s = marked(&k, &rows[0]);
  assert_non_null(strstr(s, "b</s>>>"));                    // the answer and its end, not the newline behind
  assert_non_null(strstr(s, "d</s>>>"));
  assert_null(strstr(s, "<<a"));
  int runs = 0;
  for (const char *p = s; (p = strstr(p, "<<")); p += 2) runs++;
  assert_int_equal(runs, 2);
  rt_free(s);
  chat_row_free(&rows[0]), rt_free(rows);
  k.rules.all = true;                                       // everything
  assert_true(chat_rows(&k.rules, &c, &rows, &n, &e));
  for (int64_t i = 0; i < rows[0].n; i++) assert_int_equal(rows[0].labels[i], i ? rows[0].ids[i] : -100);
  chat_row_free(&rows[0]), rt_free(rows);
  close_kit(&k);

  open_kit(&k, DROPS, 1, NULL);                             // rewrites: an answer a row, each as generation renders what is before
  const char *think = "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"x</t>b\"}, {\"role\": \"user\", \"content\": \"c\"},"
                      " {\"role\": \"assistant\", \"content\": \"y</t>d\"}]}";
  conversation_free(&c);
  c = read_row(think);
  assert_true(chat_rows(&k.rules, &c, &rows, &n, &e));
  assert_int_equal(n, 2);
  for (int i = 0; i < 2; i++) {
    Conversation up_to = {.messages = json_array()};
    for (int m = 0; m < 2 * i + 1; m++) json_array_append(up_to.messages, json_array_get(c.messages, (size_t)m));
    ChatRow prompt;
    assert_true(chat_prompt(&k.rules, &up_to, &prompt, &e));
    assert_int_equal(prompt.n, rows[i].prompt_n);
    assert_memory_equal(prompt.ids, rows[i].ids, (size_t)prompt.n * sizeof *prompt.ids);
    for (int64_t t = prompt.n; t < rows[i].n; t++) assert_int_equal(rows[i].labels[t], rows[i].ids[t]);
    assert_int_equal(rows[i].ids[rows[i].n - 1], k.eos);
    chat_row_free(&prompt), chat_row_free(&rows[i]);
    conversation_free(&up_to);
  }
  rt_free(rows);
  close_kit(&k);

  open_kit(&k, MARKED, 1, NULL);                            // as its blocks say
  assert_true(chat_rows(&k.rules, &c, &rows, &n, &e));
  assert_int_equal(n, 1);
  s = marked(&k, &rows[0]);
  assert_non_null(strstr(s, "b>>"));
  assert_null(strstr(s, ";>>"));
  rt_free(s), chat_row_free(&rows[0]), rt_free(rows);
  close_kit(&k);
  conversation_free(&c);
}

// "weight": 0 of an answer: the same tokens, of which those of that answer are not trained on; where each answer is a row of its own, it has none.
static void left(void **state) {
  (void)state;
  static const char *const whole = "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"x</t>b\"%s}, {\"role\": \"user\","
                                   " \"content\": \"c\"}, {\"role\": \"assistant\", \"content\": \"y</t>d\"%s}]}";
  static const struct { const char *template; bool apart; } of[] = {{IM, false}, {MARKED, false}, {DROPS, true}};
  RtError e;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++)
    for (int which = 0; which < 2; which++) {
      Kit k;
      open_kit(&k, of[i].template, 1, NULL);
      ChatRow *all, *some;
      char json[2][400];
      int n, m;
      snprintf(json[0], sizeof json[0], whole, "", ", \"weight\": 1");
      snprintf(json[1], sizeof json[1], whole, which ? "" : ", \"weight\": 0", which ? ", \"weight\": 0" : "");
      Conversation a = read_row(json[0]), b = read_row(json[1]);
      assert_true(chat_rows(&k.rules, &a, &all, &n, &e) && chat_rows(&k.rules, &b, &some, &m, &e));
      assert_int_equal(n - m, of[i].apart);
      if (of[i].apart) {
        assert_int_equal(some->n, all[!which].n);
        assert_memory_equal(some->labels, all[!which].labels, (size_t)some->n * sizeof *some->labels);
      } else {
        assert_int_equal(some->n, all->n);
        assert_memory_equal(some->ids, all->ids, (size_t)all->n * sizeof *all->ids);
        int begun = 0, kept = 0, lost = 0;                  // which answer a token is of, by the labels of all
        for (int64_t t = 0; t < all->n; t++) {
          begun += all->labels[t] != -100 && all->labels[t - 1] == -100;
          if (all->labels[t] == -100) { assert_int_equal(some->labels[t], -100); continue; }
          bool is = begun - 1 == which;
          assert_int_equal(some->labels[t], is ? -100 : all->labels[t]);
          *(is ? &lost : &kept) += 1;
        }
        assert_true(begun == 2 && kept && lost);
      }
      for (int j = 0; j < n; j++) chat_row_free(&all[j]);
      for (int j = 0; j < m; j++) chat_row_free(&some[j]);
      rt_free(all), rt_free(some), conversation_free(&a), conversation_free(&b);
      close_kit(&k);
    }
}

// Templates that write contents in another order, more than once, changed, or not at all.
#define LAST_FIRST "{% for m in messages | reverse %}<{{ m.role[0] }}>{{ m.content }}|{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
#define TWICE "Of: {{ messages[0].content }}\n{% for m in messages %}<{{ m.role[0] }}>{{ m.content[3:] }} {{ m.content }}|{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
#define SYSTEM_BEHIND "{% for m in messages if m.role != 'system' %}<{{ m.role[0] }}>{{ m.content }}|{% if loop.first %}{{ messages[0].content }}{% endif %}{% endfor %}" \
                      "{% if add_generation_prompt %}<a>{% endif %}"
#define UNTHOUGHT "{% for m in messages %}<{{ m.role[0] }}>{{ m.content.split('</t>')[-1] }}</s>{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
#define LENGTHS "{% for m in messages %}<{{ m.role[0] }} {{ m.content | length }}>{{ m.content }}|{{ m.content | upper }}|{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
static const char *const TEMPLATES[] = {IM, DROPS, MARKED, OTHER, UNTHOUGHT, LAST_FIRST, TWICE, SYSTEM_BEHIND, LENGTHS};
enum { N_TEMPLATES = sizeof TEMPLATES / sizeof *TEMPLATES, MOST = 40 };

// Those, and all of tests/parity/templates/own. The count.
static size_t templates(char *text[MOST]) {
  static const char *const dir = CALM_SOURCE_DIR "/tests/parity/templates/own";
  size_t n = 0;
  for (; n < N_TEMPLATES; n++) text[n] = rt_strdup(TEMPLATES[n]);
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d));) {
    if (!strstr(f->d_name, ".jinja")) continue;
    char path[1024], *own = rt_alloc(1 << 16, 1);
    snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
    FILE *in = fopen(path, "r");
    assert_true(in && n < MOST && fread(own, 1, (1 << 16) - 1, in) > 0);
    fclose(in);
    text[n++] = own;
  }
  closedir(d);
  return n;
}

typedef struct Rows { ChatRow *row; int n; } Rows;

static void free_rows(Rows *x) {
  for (int r = 0; r < x->n; r++) chat_row_free(&x->row[r]);
  rt_free(x->row);
  *x = (Rows){0};
}

static const struct { const char *role, *text; } SAID[] = {{"system", "Be brief, é"}, {"user", " one two 日本"}, {"assistant", "hm</t>three 4"}, {"user", "five six "}, {"assistant", "so</t>seven"}};
enum { N_SAID = 5 };

// The conversation without its first `from` messages, whose message `at` goes on with `rest` where its text is cut, and all later ones say something else.
static bool rows_of(const Kit *k, size_t from, size_t at, const char *rest, size_t cut, Rows *out) {
  RtError e;
  json_t *row = json_pack("{s:[]}", "messages");
  for (size_t i = from; i < N_SAID; i++) {
    char text[100];
    if (i == at) snprintf(text, sizeof text, "%.*s%s", (int)cut, SAID[i].text, rest);
    else snprintf(text, sizeof text, "%s%s", SAID[i].text, i > at ? rest : "");
    json_array_append_new(json_object_get(row, "messages"), json_pack("{s:s, s:s}", "role", SAID[i].role, "content", text));
  }
  Conversation c;
  *out = (Rows){0};
  assert_true(conversation_read(&c, row, false, &e));
  bool ok = chat_rows(&k->rules, &c, &out->row, &out->n, &e);
  conversation_free(&c);
  json_decref(row);
  return ok;
}

// What positions see whose anchor has the same text so far is the same. labelled: of those alone that are trained on.
static void same_so_far(const ChatRow *a, const ChatRow *b, bool labelled, const char *what) {
  const FollowTokens *x = &a->follow->s[1], *y = &b->follow->s[1];
  for (int64_t t = 0; t < a->n && t < b->n && a->ids[t] == b->ids[t]; t++) {
    if (labelled && (t + 1 == a->n || a->labels[t + 1] == -100)) continue;
    if (x->seen[t] != y->seen[t] || memcmp(x->ids, y->ids, (size_t)x->seen[t] * sizeof *x->ids) != 0)
      fail_msg("%s: position %d of %d sees %d tokens, or with another text behind it %d", what, (int)t, (int)a->n, (int)x->seen[t], (int)y->seen[t]);
  }
}

// An anchor position sees of the other model's text what its own text so far has of the contents, whatever comes later: over pairs of templates, with and
// without a system message, each message going on otherwise, within a word or a character, or not at all. What is trained on, always; all positions, but where
// a template makes something else of a content by what comes later in it (drops what stands before a mark, writes its length).
static void nothing_leaks(void **state) {
  (void)state;
  static const char *const rest[] = {" later on", "later\n\nelse", "", "朮 </t> 7"};
  char *text[MOST + 1] = {NULL};
  size_t n = templates(text), compared = 0;
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b <= n; b++) {                         // text[n]: none
      const char *other = text[b];
      bool looks_ahead = other && (!strcmp(other, LENGTHS) || !strcmp(other, TWICE));
      Kit k;
      open_kit(&k, text[a], 2, other);
      if ((a + b) % 2) share_tokenizer(&k);
      for (int all = 0; all < 2; all++)
        for (size_t from = (a + b) / 2 % 2, once = 0; !once; once++) {
          Rows first, then;
          k.rules.all = all;
          if (!rows_of(&k, from, N_SAID, "", 0, &first)) continue;      // one of them takes no such conversation
          char *written = marked(&k, &first.row[0]);
          size_t begins = from + (!from && !strstr(written, "Be"));      // what the anchor never writes is not of its later text
          rt_free(written);
          for (size_t at = begins; at < N_SAID; at++)
            for (size_t i = 0; i < 4; i++) {
              char what[2000];
              bool labelled = looks_ahead || i == 3;
              snprintf(what, sizeof what, "%.300s\nwith\n%.300s\n, message %d of %d, '%s'", text[a], other ? other : "no template", (int)at, (int)from, rest[i]);
              if ((all && labelled) || !rows_of(&k, from, at, rest[i], strlen(SAID[at].text) - 3, &then)) continue;
              for (int r = 0; then.n == first.n && r < first.n; r++, compared++) same_so_far(&first.row[r], &then.row[r], labelled, what);
              free_rows(&then);
            }
          free_rows(&first);
        }
      close_kit(&k);
    }
  assert_true(compared > 8 * n * n);
  for (size_t i = 0; i < n; i++) rt_free(text[i]);
}

// What an augment sees along an answer is what it sees while the anchor generates it: over pairs of templates.
static void answers_as_generated(void **state) {
  (void)state;
  char *text[MOST + 1] = {NULL};
  size_t n = templates(text), compared = 0;
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b <= n; b++) {
      if (!strcmp(text[a], LAST_FIRST) || strstr(text[a], "\u2581")) break;      // an answer is not the last; what this tokenizer decodes as a space
      Kit k;
      Rows rows;
      RtError e;
      open_kit(&k, text[a], 2, text[b]);
      if ((a + b) % 2) share_tokenizer(&k);
      Conversation asked = {.messages = json_pack("[{s:s, s:s}]", "role", SAID[1].role, "content", SAID[1].text)};
      ChatRow made;
      if (rows_of(&k, 1, N_SAID, "", 0, &rows) && chat_prompt(&k.rules, &asked, &made, &e)) {
        const ChatRow *row = &rows.row[0];
        assert_true(made.n <= row->n);
        assert_memory_equal(made.ids, row->ids, (size_t)made.n * sizeof *made.ids);
        int64_t t = made.n;
        for (; t < row->n && row->labels[t] != -100; t++)
          if (!follow_id(made.follow, k.tok, row->ids[t], &e)) fail_msg("%s", e.text);
        const FollowTokens *x = &row->follow->s[1], *y = &made.follow->s[1];
        for (int64_t i = 0; i < t; i++)
          if (x->seen[i] != y->seen[i] || memcmp(x->ids, y->ids, (size_t)x->seen[i] * sizeof *x->ids) != 0)
            fail_msg("%.300s\nwith\n%.300s\n: position %d of %d (the answer begins at %d) sees %d tokens, in generation %d", text[a], text[b] ? text[b] : "no template",
                     (int)i, (int)t, (int)made.n, (int)x->seen[i], (int)y->seen[i]);
        compared += t > made.n;
        chat_row_free(&made);
      }
      free_rows(&rows);
      conversation_free(&asked);
      close_kit(&k);
    }
  assert_true(compared > n * n / 2);
  for (size_t i = 0; i < n; i++) rt_free(text[i]);
}

// Training sees before an answer what generation sees: the same tokens of both models.
static void as_generation(void **state) {
  Kit k;
  RtError e;
  open_kit(&k, IM, 2, OTHER);
  if (*state) share_tokenizer(&k);
  Conversation c = read_row("{\"messages\": [{\"role\": \"user\", \"content\": \"why now\"}, {\"role\": \"assistant\", \"content\": \"so\"}]}"), asked = {.messages = json_array()};
  json_array_append(asked.messages, json_array_get(c.messages, 0));
  ChatRow *rows, prompt;
  int n;
  assert_true(chat_rows(&k.rules, &c, &rows, &n, &e) && chat_prompt(&k.rules, &asked, &prompt, &e));
  assert_int_equal(prompt.n, rows[0].prompt_n);
  assert_memory_equal(prompt.ids, rows[0].ids, (size_t)prompt.n * sizeof *prompt.ids);
  for (int64_t t = 0; t < prompt.n; t++) assert_int_equal(prompt.follow->s[1].seen[t], rows[0].follow->s[1].seen[t]);
  assert_memory_equal(prompt.follow->s[1].ids, rows[0].follow->s[1].ids, (size_t)prompt.follow->s[1].seen[prompt.n - 1] * sizeof(int32_t));
  chat_row_free(&prompt), chat_row_free(&rows[0]), rt_free(rows);
  conversation_free(&c), conversation_free(&asked);
  close_kit(&k);
}

static void as_generation_shared(void **state) {
  bool shared = true;
  *state = &shared;
  as_generation(state);
  *state = NULL;
}

// A conversation that is longer than a context: refused, left out, or cut before its answers, in the anchor's text and the other's, which sees what is left alone.
static void cut(void **state) {
  (void)state;
  static const char *const json = "{\"messages\": [{\"role\": \"user\", \"content\": \"one two three four five six seven eight nine ten\"}, {\"role\": \"assistant\", \"content\": \"so\"},"
                                  " {\"role\": \"user\", \"content\": \"and\"}, {\"role\": \"assistant\", \"content\": \"on\"}]}";
  for (int by = 0; by < 2; by++) {
    Kit k;
    RtError e;
    ChatRow *rows, *whole;
    int n;
    open_kit(&k, IM, 2, OTHER);
    Conversation c = read_row(json);
    assert_true(chat_rows(&k.rules, &c, &whole, &n, &e) && n == 1 && !whole->cut);
    int64_t all = whole->n, seen = whole->follow->s[1].seen[all - 1];
    if (by) k.streams.s[1].context = seen - 5;
    else k.rules.cut.context = all - whole->prompt_n / 2;
    assert_false(chat_rows(&k.rules, &c, &rows, &n, &e));
    if (!strstr(e.text, by ? "the row is longer than aug's context of " : "the row of ") || e.about != RT_ABOUT_LONG_ROW) fail_msg("%s", e.text);
    k.rules.cut.too_long = TOO_LONG_skip;
    assert_true(chat_rows(&k.rules, &c, &rows, &n, &e) && n == 1 && rows->out && rows->by == by && !rows->follow);
    chat_row_free(rows), rt_free(rows);
    k.rules.cut.too_long = TOO_LONG_truncate;
    if (!chat_rows(&k.rules, &c, &rows, &n, &e)) fail_msg("%s", e.text);
    int64_t drop = all - rows->n;
    assert_true(rows->cut && rows->by == by && drop > 0 && rows->prompt_n == whole->prompt_n - drop && (by || rows->n == all - whole->prompt_n / 2));
    for (int64_t t = 0; t < rows->n; t++) assert_true(rows->ids[t] == whole->ids[t + drop] && rows->labels[t] == whole->labels[t + drop]);
    const FollowTokens *x = &rows->follow->s[1];
    assert_true(follow_fits(rows->follow) == rows->n && x->seen[0] < x->seen[rows->n - 1] && x->len < whole->follow->s[1].len);
    assert_memory_equal(x->said, whole->follow->s[1].said + whole->follow->s[1].len - x->len, x->len);
    chat_row_free(rows), rt_free(rows);
    if (by) k.streams.s[1].context = 4;                       // the answers alone do not fit
    else k.rules.cut.context = 4;
    assert_false(chat_rows(&k.rules, &c, &rows, &n, &e));
    if (!strstr(e.text, "and so is what is left without its prompt")) fail_msg("%s", e.text);
    chat_row_free(whole), rt_free(whole);
    conversation_free(&c);
    close_kit(&k);
  }
}

static void forms(void **state) {
  (void)state;
  static const struct { const char *row, *messages; } of[] = {
      {"{\"conversations\": [{\"from\": \"system\", \"value\": \"s\"}, {\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]}",
       "[{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]"},
      {"{\"instruction\": \"do\", \"input\": \"it\", \"output\": \"done\"}", "[{\"role\": \"user\", \"content\": \"do\\n\\nit\"}, {\"role\": \"assistant\", \"content\": \"done\"}]"},
      {"{\"instruction\": \"do\", \"input\": \"\", \"output\": \"done\", \"system\": \"s\"}",
       "[{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"do\"}, {\"role\": \"assistant\", \"content\": \"done\"}]"},
      {"{\"instruction\": \"do\", \"output\": \"done\", \"history\": [[\"a\", \"b\"]], \"system\": \"s\"}",
       "[{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"},"
       " {\"role\": \"user\", \"content\": \"do\"}, {\"role\": \"assistant\", \"content\": \"done\"}]"},
      {"{\"messages\": null, \"instruction\": \"do\", \"output\": \"done\", \"text\": \"Below. do. done\"}",
       "[{\"role\": \"user\", \"content\": \"do\"}, {\"role\": \"assistant\", \"content\": \"done\"}]"},
  };
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    Conversation c = read_row(of[i].row);
    json_t *want = json_loads(of[i].messages, 0, NULL);
    if (!json_equal(c.messages, want)) fail_msg("%s", of[i].row);
    json_decref(want);
    conversation_free(&c);
  }
  static const struct { const char *row, *error; } wrong[] = {
      {"{\"messages\": []}", "\"messages\": expected an array of messages, {\"role\", \"content\"}, found none in it"},
      {"{\"messages\": [{\"content\": \"x\"}]}", "message 1: expected a string as \"role\", found nothing"},
      {"{\"messages\": [{\"role\": \"user\", \"content\": 3}]}", "message 1: expected a string, or an array of parts, as \"content\", found an integer"},
      {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"text\": \"x\"}]}]}", "expected parts such as"},
      {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\", \"weight\": 0.5}]}", "message 1: expected 0 or 1 as \"weight\", found 0.5"},
      {"{\"conversations\": [{\"from\": \"gpt\", \"value\": \"x\", \"weight\": \"no\"}]}", "message 1: expected 0 or 1 as \"weight\", found a string"},
      {"{\"conversations\": [{\"from\": \"dog\", \"value\": \"x\"}]}", "found \"dog\""},
      {"{\"conversations\": [{\"from\": \"human\"}]}", "expected a string as \"value\""},
      {"{\"instruction\": \"x\"}", "\"output\": expected a string, found nothing"},
      {"{\"instruction\": \"x\", \"output\": \"y\", \"history\": \"z\"}", "\"history\": expected an array of [\"asked\", \"answered\"], found a string"},
      {"{\"instruction\": \"x\", \"output\": \"y\", \"history\": [[\"a\", \"b\"], [\"a\"]]}", "\"history\": turn 2: expected"},
      {"{\"instruction\": \"x\", \"output\": \"y\", \"history\": [{\"a\": 1, \"b\": 2}]}", "\"history\": turn 1: expected"},
      {"{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": 1}", "\"tools\": expected an array"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    RtError e = {0};
    Conversation c;
    json_t *row = json_loads(wrong[i].row, 0, NULL);
    if (conversation_read(&c, row, false, &e)) fail_msg("%s is read", wrong[i].row);
    if (!strstr(e.text, wrong[i].error)) fail_msg("%s: expected '%s', found '%s'", wrong[i].row, wrong[i].error, e.text);
    json_decref(row);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(trained), cmocka_unit_test(left), cmocka_unit_test(nothing_leaks), cmocka_unit_test(answers_as_generated), cmocka_unit_test(as_generation), cmocka_unit_test(as_generation_shared), cmocka_unit_test(cut), cmocka_unit_test(forms)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
