// Chat templates: rendered as transformers renders them (goldens of tests/parity/make_template_goldens.py), with spans of contents and of generation
// blocks; what is wrong is an error with its line; what runs on without end is stopped; spoilt templates end in an error or a text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>

#include "runtime/core/core.h"
#include "runtime/template/template.h"

#define GOLDENS CALM_SOURCE_DIR "/tests/parity/templates"
static const struct tm when = {.tm_year = 125, .tm_mon = 6, .tm_mday = 4, .tm_hour = 13, .tm_min = 5, .tm_sec = 9, .tm_wday = 5, .tm_yday = 184};

static json_t *json_of(const char *path) {
  json_error_t e;
  json_t *j = json_load_file(path, JSON_ALLOW_NUL, &e);
  if (!j) fail_msg("%s:%d: %s", path, e.line, e.text);
  return j;
}

// What transformers made of a conversation; false where it refused it.
static bool same(const char *what, const Template *t, const json_t *conversation, const json_t *golden) {
  RtError e;
  Rendered r;
  TemplateInput in = {.messages = json_object_get(conversation, "messages"), .tools = json_object_get(conversation, "tools"),
                      .documents = json_object_get(conversation, "documents"), .names = json_object_get(conversation, "names"),
                      .add_generation_prompt = json_is_true(json_object_get(conversation, "add_generation_prompt")), .now = &when};
  in.n_messages = json_array_size(in.messages);
  const json_t *text = json_object_get(golden, "text"), *spans = json_object_get(golden, "generated");
  bool ok = template_render(t, &in, &r, &e);
  if (!ok && text) return print_error("%s: transformers renders it, calm says: %s\n", what, e.text), false;
  if (ok && !text) return print_error("%s: transformers refuses it (%s), calm writes: %s\n", what, json_string_value(json_object_get(golden, "error")), r.text), rendered_free(&r), false;
  if (!ok) return true;
  bool equal = r.n == json_string_length(text) && !memcmp(r.text, json_string_value(text), r.n);
  if (!equal) print_error("%s: expected\n%s|\nfound\n%s|\n", what, json_string_value(text), r.text);
  size_t bad = 0;                                          // bytes that only one of them holds to be generated
  char *marked = calloc(r.n + 1, 1);
  for (size_t i = 0; equal && spans && i < json_array_size(spans); i++) {
    size_t begin = (size_t)json_integer_value(json_array_get(json_array_get(spans, i), 0)), end = (size_t)json_integer_value(json_array_get(json_array_get(spans, i), 1));
    for (; begin < end; begin++) marked[begin] = 1;
  }
  for (size_t i = 0; i < r.n_runs; i++)
    for (size_t k = r.run[i].begin; r.run[i].generated && k < r.run[i].end; k++) bad += !marked[k], marked[k] = 0;
  for (size_t k = 0; k < r.n; k++) bad += (size_t)marked[k];
  free(marked);
  if (spans && bad) print_error("%s: other spans of generation\n", what);
  rendered_free(&r);
  return equal && (!spans || !bad);
}

static Template *of_text(const char *text, RtError *e) { return template_open("t", text, strlen(text), e); }

static void same_as_transformers(const char *dir, int *tried) {
  char path[600];
  int wrong = 0;
  snprintf(path, sizeof path, "%s/conversations.json", dir);
  json_t *conversations = json_of(path);
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d));) {
    if (!strstr(f->d_name, ".golden.json")) continue;
    snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
    json_t *golden = json_of(path), *cases = json_object_get(golden, "cases");
    const char *text = json_string_value(json_object_get(golden, "template"));
    RtError e;
    Template *t = of_text(text, &e);
    if (!t) print_error("%s: %s\n", f->d_name, e.text), wrong++;
    for (size_t i = 0; t && i < json_array_size(cases); i++, ++*tried) {
      char what[300];
      snprintf(what, sizeof what, "%.200s, conversation %zu", f->d_name, i);
      wrong += !same(what, t, json_array_get(conversations, i), json_array_get(cases, i));
    }
    template_free(t);
    json_decref(golden);
  }
  closedir(d);
  json_decref(conversations);
  assert_int_equal(wrong, 0);
}

static void templates(void **state) {
  (void)state;
  int tried = 0;
  same_as_transformers(GOLDENS, &tried);
  assert_true(tried >= 150);
  if (getenv("CALM_TEMPLATE_GOLDENS")) same_as_transformers(getenv("CALM_TEMPLATE_GOLDENS"), &tried);   // of more templates
}

// One construct each.
static void snippets(void **state) {
  (void)state;
  json_t *all = json_of(GOLDENS "/snippets.json");
  const char *key;
  json_t *golden;
  int wrong = 0;
  json_object_foreach(json_object_get(all, "snippets"), key, golden) {
    RtError e;
    Template *t = of_text(key, &e);
    const json_t *text = json_object_get(golden, "text");
    if (!t && text) print_error("%s: %s\n", key, e.text), wrong++;
    if (t) wrong += !same(key, t, json_object_get(all, "input"), golden);
    template_free(t);
  }
  json_decref(all);
  assert_int_equal(wrong, 0);
}

static bool rendered(const char *template, const char *messages, Rendered *r, RtError *e) {
  json_t *m = json_loads(messages, JSON_ALLOW_NUL, NULL);
  assert_non_null(m);
  Template *t = of_text(template, e);
  TemplateInput in = {.messages = m, .n_messages = json_array_size(m), };
  bool ok = t && template_render(t, &in, r, e);
  template_free(t);
  json_decref(m);
  return ok;
}

static void errors(void **state) {
  (void)state;
  static const struct { const char *template, *error; } wrong[] = {
      {"a\n{{ x", "t:2: a '{{' does not end"},
      {"a\n\n{% if %}", "t:3: expected an expression"},
      {"{% if x %}\nb", "t:1: the block that begins here does not end (expected: elif else endif)"},
      {"\n{% endif %}", "t:2: expected if, for,"},
      {"\n{{ 1 | nothing }}", "t:2: there is no filter 'nothing'"},
      {"\n{{ 1 is nothing }}", "t:2: there is no test 'nothing'"},
      {"{% if messages %}\n{{ 1 | nothing }}\n{% endif %}", "t:2: there is no filter 'nothing'"},
      {"{{ 1 if messages\nelse 2 }}{{ 3 if not messages\n else 1 is nothing }}", "t:3: there is no test 'nothing'"},
      {"\n{% include 'x' %}", "t:2: expected if, for,"},
      {"\n{% import 'x' as y %}", "t:2: expected if, for,"},
      {"{# never", "missing end of comment"},
      {"{% raw %} {{", "missing end of raw block"},
      {"\n{{ 'x }}", "t:2: a string does not end"},
      {"{{ 99999999999999999999 }}", "too large"},
      {"{{ 9223372036854775807 + 1 }}", "a number is too large"},
      {"\n\n{{ nothing.x }}", "t:3: 'nothing' is undefined"},
      {"\n{{ messages[0].nothing.x }}", "t:2: 'nothing' is undefined"},
      {"\n{{ raise_exception('no ' ~ 'way') }}", "t:2: no way"},
      {"\n{{ strftime_now('%Y') }}", "t:2: strftime_now: no date was given"},
      {"{{ [1].append(2) }}", "'append' would change a list"},
      {"{{ messages[0].update(a=1) }}", "'update' would change a dict"},
      {"{{ ''.__class__ }}", "'__class__' is not to be reached from a template"},
      {"{{ messages[0].__class__ }}", "'__class__' is not to be reached"},
      {"{{ 'x'.encode() }}", "'encode' of a str is not supported"},
      {"{{ cycler(1) }}", "'cycler' is not supported"},
      {"{% set x.y = 1 %}", "'x' is no namespace"},
      {"{{ namespace(_x=1) }}", "begin with _"},
      {"{% break %}", "'break' outside of a loop"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro m takes 1 argument, 2 were given"},
      {"{{ 'a' + 1 }}", "a str + a int is not defined"},
      {"{{ 1 < 'a' }}", "a int and a str have no order"},
      {"{{ 'x'.upper(1) }}", "method upper: 1 arguments are too many"},
      {"{{ 'x' | trim(no='x') }}", "filter trim: there is no argument no"},
      {"{{ \"\\N{BULLET}\" }}", "by their names"},
      {"a\xff", "not UTF-8"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    RtError e = {0};
    Rendered r;
    if (rendered(wrong[i].template, "[{\"role\": \"user\", \"content\": \"hi\"}]", &r, &e)) fail_msg("%s is rendered: %s", wrong[i].template, r.text);
    if (!strstr(e.text, wrong[i].error)) fail_msg("%s: expected '%s', found '%s'", wrong[i].template, wrong[i].error, e.text);
  }
}

// What would take for ever, or all memory, or all of the stack.
static void limits(void **state) {
  (void)state;
  static const struct { const char *template, *error; } hungry[] = {
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested more than"},
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "too m"},
      {"{% for a in range(100000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 1000 }}{% endfor %}", "too m"},
      {"{{ 'x' * 9999999999 }}", "too m"},
      {"{{ range(9999999999) }}", "more than 100000"},
      {"{{ 'x'.center(9999999999) }}", "too m"},
      {"{% set ns = namespace(x=[1]) %}{% for a in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", "too m"},
      {"{% set ns = namespace(x='a') %}{% for a in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "too m"},
      {"{% set ns = namespace(x=[]) %}{% for a in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nested more than"},
      {"{% set ns = namespace(x=[]) %}{% for a in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}", "nested more than"},
      {"{% set ns = namespace(x=[]) %}{% for a in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] }}{{ ns.x < [ns.x] }}", ""},
      {"{{ 2 ** 99999999999 }}", "too large"},
      {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested more than"},
  };
  for (size_t i = 0; i < sizeof hungry / sizeof *hungry; i++) {
    RtError e = {0};
    Rendered r;
    if (rendered(hungry[i].template, "[]", &r, &e)) {
      rendered_free(&r);
      if (*hungry[i].error) fail_msg("%s is rendered", hungry[i].template);
    } else if (!strstr(e.text, hungry[i].error)) {
      fail_msg("%s: expected '%s', found '%s'", hungry[i].template, hungry[i].error, e.text);
    }
  }
  char *deep = malloc(200001);                             // nesting in the text itself
  memset(deep, '(', 100000), memset(deep + 100000, ')', 100000);
  memcpy(deep, "{{", 2), memcpy(deep + 199998, "}}", 3);
  RtError e;
  assert_null(of_text(deep, &e));
  assert_non_null(strstr(e.text, "nested more than"));
  free(deep);
}

// Contents are found again in the rendering, whatever the template does to them.
static void contents(void **state) {
  (void)state;
  static const struct { const char *template, *runs; } of[] = {      // message[begin of it … end of it)@where, for each run
      {"<u>{{ messages[0].content }}</u>{{ messages[1]['content'] }}", "0[0-6)@3 1[0-3)@13 "},
      {"{% for m in messages %}{{ m.role + ': ' + m.content|trim + '\\n' }}{% endfor %}", "0[1-5)@6 1[0-3)@22 "},
      {"{% macro say(c) %}[{{ c }}]{% endmacro %}{{ say(messages[0].content[2:4]) }}", "0[2-4)@1 "},
      {"{% set x %}a{{ messages[0].content }}b{% endset %}{{ x.strip('ab ').split('y')[0] }}", "0[1-3)@0 "},
      {"{{ messages[0].content | replace('y', '--') }}", "0[0-3)@0 0[4-6)@5 "},
      {"{{ ['x', messages[1].content] | join('+') }}{{ messages[0].content | upper }}", "1[0-3)@2 "},
      {"{{ messages[2].content[1].text }}{% for p in messages[2].content %}{{ p.text }}{% endfor %}", "2[2-5)@0 2[0-5)@3 "},
      {"{% set ns = namespace(t='') %}{% for m in messages[:2] %}{% set ns.t = ns.t + m.content %}{% endfor %}{{ ns.t }}", "0[0-6)@0 1[0-3)@6 "},
      {"{{ '%s' % messages[1].content }}{{ '{}'.format(messages[1].content) }}", "1[0-3)@0 1[0-3)@3 "},
      {"{{ messages[1].content | tojson }}", ""},
  };
  const char *m = "[{\"role\": \"user\", \"content\": \" why? \"}, {\"role\": \"assistant\", \"content\": \"day\"},"
                  " {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"ab\"}, {\"type\": \"text\", \"text\": \"cde\"}]}]";
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    RtError e;
    Rendered r;
    char found[300] = "";
    if (!rendered(of[i].template, m, &r, &e)) fail_msg("%s", e.text);
    for (size_t k = 0; k < r.n_runs; k++) {
      const TemplateRun *u = &r.run[k];
      snprintf(found + strlen(found), sizeof found - strlen(found), "%d[%zu-%zu)@%zu ", u->message, u->offset, u->offset + (u->end - u->begin), u->begin);
    }
    if (strcmp(found, of[i].runs) != 0) fail_msg("%s: expected %s, found %s (%s)", of[i].template, of[i].runs, found, r.text);
    rendered_free(&r);
  }
}

// What a generation block wrote stays marked through macros and captured blocks (where transformers' own tracker counts wrongly).
static void generated(void **state) {
  (void)state;
  RtError e;
  Rendered r;
  assert_true(rendered("{% macro m(x) %}<{% generation %}{{ x }}!{% endgeneration %}>{% endmacro %}ab{% set y %}{{ m(messages[0].content) }}{% endset %}{{ y }}{{ y }}",
                       "[{\"role\": \"user\", \"content\": \"hi\"}]", &r, &e));
  assert_string_equal(r.text, "ab<hi!><hi!>");
  assert_int_equal(r.n_runs, 4);
  for (size_t i = 0; i < 4; i++) assert_true(r.run[i].generated && r.run[i].begin == 3 + i / 2 * 5 + i % 2 * 2 && r.run[i].message == (i % 2 ? -1 : 0));
  rendered_free(&r);
}

// Templates with bytes changed, pieces left out and doubled: an error or a text, within the limits, and nothing lost (sanitizers).
static void spoilt(void **state) {
  (void)state;
  json_t *all = json_of(GOLDENS "/snippets.json");
  const json_t *input = json_object_get(all, "input");
  long rounds = getenv("CALM_FUZZ_ROUNDS") ? atol(getenv("CALM_FUZZ_ROUNDS")) : 1500;
  uint64_t seed = getenv("CALM_FUZZ_SEED") ? strtoull(getenv("CALM_FUZZ_SEED"), NULL, 10) : 1, at = 0;
  json_t *snippets_of = json_object_get(all, "snippets");
  size_t n = json_object_size(snippets_of), done = 0;
  const char **text = malloc(n * sizeof *text), *key;
  json_t *v;
  json_object_foreach(snippets_of, key, v) text[done++] = key;
#define RANDOM(below) ((size_t)(rng_at(seed, at++) % (below)))
  for (long i = 0; i < rounds; i++) {
    char s[4000];
    size_t len = 0;
    for (size_t parts = 1 + RANDOM(3); parts--;) {
      const char *one = text[RANDOM(n)];
      size_t k = strlen(one);
      if (len + k < sizeof s) memcpy(s + len, one, k), len += k;
    }
    for (size_t changes = 1 + RANDOM(4); changes-- && len > 4;) {
      size_t p = RANDOM(len), k = 1 + RANDOM(6);
      if (k > len - p) k = len - p;
      switch (RANDOM(4)) {
        case 0: s[p] = "{}%|()[].,'\"~+-*/ aA0\n"[RANDOM(22)]; break;
        case 1: memmove(s + p, s + p + k, len - p - k), len -= k; break;
        case 2: if (len + k < sizeof s) memmove(s + p + k, s + p, len - p), len += k; break;
        default: s[p] = s[RANDOM(len)];
      }
    }
    RtError e = {0};
    Rendered r;
    Template *t = template_open("t", s, len, &e);
    TemplateInput in = {.messages = json_object_get(input, "messages"), .names = json_object_get(input, "names"), .now = &when};
    in.n_messages = json_array_size(in.messages);
    if (t && template_render(t, &in, &r, &e)) {
      assert_int_equal(rt_utf8_valid(r.text, r.n), r.n);
      size_t end = 0;
      for (size_t k = 0; k < r.n_runs; end = r.run[k++].end) assert_true(r.run[k].begin >= end && r.run[k].end > r.run[k].begin && r.run[k].end <= r.n);
      rendered_free(&r);
    } else {
      assert_memory_equal(e.text, "t:", 2);
    }
    template_free(t);
  }
  free(text);
  json_decref(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(snippets), cmocka_unit_test(templates), cmocka_unit_test(errors),
      cmocka_unit_test(limits),   cmocka_unit_test(contents),  cmocka_unit_test(generated), cmocka_unit_test(spoilt),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
