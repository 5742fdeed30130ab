// Rows of data sets into conversations: see chat.h.
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/rows/chat.h"

bool conversation_is(const json_t *row) {
  return rtj_has(row, "messages") || rtj_has(row, "conversations") || rtj_has(row, "instruction");
}

static bool holds(const json_t *text, const json_t *part) {
  return json_is_string(text) && json_is_string(part) &&
         memmem(json_string_value(text), json_string_length(text), json_string_value(part), json_string_length(part));
}

bool conversation_written_out(const json_t *row) {
  const json_t *text = json_object_get(row, "text");
  return holds(text, json_object_get(row, "instruction")) && holds(text, json_object_get(row, "output"));
}

void conversation_free(Conversation *c) {
  json_decref(c->messages);
  *c = (Conversation){0};
}

static bool wrong(RtError *e, const char *key, size_t i, const char *expected, const json_t *found) {
  return rt_fail(e, "\"%s\": message %zu: expected %s, found %s", key, i + 1, expected, rtj_kind(found));
}

static bool check_part(const json_t *part) {
  return json_is_object(part) && json_is_string(json_object_get(part, "type")) &&
         (strcmp(json_string_value(json_object_get(part, "type")), "text") != 0 || json_is_string(json_object_get(part, "text")));
}

// OpenAI's "weight" of an answer.
static bool check_weight(const json_t *m, const char *key, size_t i, RtError *e) {
  const json_t *weight = json_object_get(m, "weight");
  double w = json_number_value(weight);
  if (!weight || json_is_null(weight) || (json_is_number(weight) && (w == 0 || w == 1))) return true;
  return json_is_number(weight) ? rt_fail(e, "\"%s\": message %zu: expected 0 or 1 as \"weight\", found %g", key, i + 1, w) : wrong(e, key, i, "0 or 1 as \"weight\"", weight);
}

static bool check_message(const json_t *m, const char *key, size_t i, RtError *e) {
  if (!json_is_object(m)) return wrong(e, key, i, "an object with \"role\" and \"content\"", m);
  const json_t *role = json_object_get(m, "role"), *content = json_object_get(m, "content");
  if (!json_is_string(role)) return wrong(e, key, i, "a string as \"role\"", role);
  if (!check_weight(m, key, i, e)) return false;
  if (json_is_string(content) || json_is_null(content)) return true;
  if (!content && (json_object_get(m, "tool_calls") || json_object_get(m, "reasoning_content") || json_object_get(m, "tool_responses"))) return true;
  if (!json_is_array(content)) return wrong(e, key, i, "a string, or an array of parts, as \"content\"", content);
  for (size_t k = 0; k < json_array_size(content); k++)
    if (!check_part(json_array_get(content, k)))
      return wrong(e, key, i, "parts such as {\"type\": \"text\", \"text\": \"…\"} as \"content\"", json_array_get(content, k));
  return true;
}

static bool take_messages(Conversation *c, const json_t *messages, const char *key, RtError *e) {
  if (!json_is_array(messages) || !json_array_size(messages))
    return rt_fail(e, "\"%s\": expected an array of messages, {\"role\", \"content\"}, found %s", key, json_is_array(messages) ? "none in it" : rtj_kind(messages));
  for (size_t i = 0; i < json_array_size(messages); i++)
    if (!check_message(json_array_get(messages, i), key, i, e)) return false;
  c->messages = json_incref((json_t *)(uintptr_t)messages);
  return true;
}

// ShareGPT's names of who speaks.
static const char *role_of(const char *from) {
  static const char *const of[][2] = {{"human", "user"}, {"user", "user"}, {"gpt", "assistant"}, {"chatgpt", "assistant"}, {"bing", "assistant"}, {"bard", "assistant"},
                                      {"model", "assistant"}, {"assistant", "assistant"}, {"system", "system"}, {"tool", "tool"}, {"observation", "tool"},
                                      {"function_response", "tool"}};
  for (size_t i = 0; i < sizeof of / sizeof *of; i++)
    if (!strcmp(of[i][0], from)) return of[i][1];
  return NULL;
}

static json_t *said_by(const char *role, const json_t *content) {
  json_t *m = json_object();
  json_object_set_new(m, "role", json_string(role));
  json_object_set(m, "content", (json_t *)(uintptr_t)content);
  return m;
}

static void take_system(Conversation *c, const json_t *row) {
  const json_t *system = json_object_get(row, "system");
  if (json_is_string(system) && json_string_length(system)) json_array_append_new(c->messages, said_by("system", system));
}

static bool take_sharegpt(Conversation *c, const json_t *row, RtError *e) {
  const char *key = "conversations";
  const json_t *all = json_object_get(row, key);
  if (json_is_array(all) && json_object_get(json_array_get(all, 0), "role")) return take_messages(c, all, key, e);
  if (!json_is_array(all) || !json_array_size(all))
    return rt_fail(e, "\"conversations\": expected an array of {\"from\", \"value\"}, found %s", json_is_array(all) ? "none in it" : rtj_kind(all));
  c->messages = json_array();
  take_system(c, row);
  for (size_t i = 0; i < json_array_size(all); i++) {
    const json_t *one = json_array_get(all, i), *from = json_object_get(one, "from"), *value = json_object_get(one, "value");
    if (!json_is_string(from)) return wrong(e, key, i, "a string as \"from\"", from);
    if (!json_is_string(value)) return wrong(e, key, i, "a string as \"value\"", value);
    const char *role = role_of(json_string_value(from));
    if (!role) return rt_fail(e, "\"conversations\": message %zu: expected human, gpt, system or tool as \"from\", found \"%.40s\"", i + 1, json_string_value(from));
    json_t *said = said_by(role, value);
    if (json_object_get(one, "weight")) json_object_set(said, "weight", json_object_get(one, "weight"));
    json_array_append_new(c->messages, said);
    if (!check_weight(one, key, i, e)) return false;
  }
  return true;
}

// Earlier turns beside Alpaca's keys: [["asked", "answered"], …].
static bool take_history(Conversation *c, const json_t *row, RtError *e) {
  static const char *const roles[] = {"user", "assistant"};
  const json_t *all = rtj_has(row, "history");
  if (all && !json_is_array(all)) return rt_fail(e, "\"history\": expected an array of [\"asked\", \"answered\"], found %s", rtj_kind(all));
  for (size_t i = 0; i < json_array_size(all); i++)
    for (size_t k = 0; k < 2; k++) {
      const json_t *turn = json_array_get(all, i), *said = json_array_get(turn, k);
      if (json_array_size(turn) != 2 || !json_is_string(said)) return rt_fail(e, "\"history\": turn %zu: expected [\"asked\", \"answered\"]", i + 1);
      json_array_append_new(c->messages, said_by(roles[k], said));
    }
  return true;
}

static bool take_alpaca(Conversation *c, const json_t *row, bool asks, RtError *e) {
  static const char *const keys[] = {"instruction", "input", "output"};
  const bool optional[] = {false, true, asks};
  const json_t *v[3];
  for (int i = 0; i < 3; i++) {
    v[i] = json_object_get(row, keys[i]);
    if (!json_is_string(v[i]) && !(optional[i] && !rtj_has(row, keys[i]))) return rt_fail(e, "\"%s\": expected a string, found %s", keys[i], rtj_kind(v[i]));
  }
  json_t *asked = json_incref((json_t *)(uintptr_t)v[0]);
  if (v[1] && json_string_length(v[1])) {
    size_t a = json_string_length(v[0]), b = json_string_length(v[1]);
    char *s = rt_alloc(a + b + 2, 1);
    memcpy(s, json_string_value(v[0]), a), memcpy(s + a, "\n\n", 2), memcpy(s + a + 2, json_string_value(v[1]), b);
    json_decref(asked);
    asked = json_stringn(s, a + b + 2);
    rt_free(s);
  }
  c->messages = json_array();
  take_system(c, row);
  bool ok = take_history(c, row, e);
  json_array_append_new(c->messages, said_by("user", asked));
  if (json_is_string(v[2])) json_array_append_new(c->messages, said_by("assistant", v[2]));
  json_decref(asked);
  return ok;
}

bool conversation_read(Conversation *c, const json_t *row, bool asks, RtError *e) {
  *c = (Conversation){0};
  const json_t *messages = rtj_has(row, "messages");
  bool ok = messages ? take_messages(c, messages, "messages", e) : rtj_has(row, "conversations") ? take_sharegpt(c, row, e) : take_alpaca(c, row, asks, e);
  const struct { const char *key; const json_t **to; } lists[] = {{"tools", &c->tools}, {"documents", &c->documents}};
  for (int i = 0; ok && i < 2; i++) {
    const json_t *v = json_object_get(row, lists[i].key);
    if (v && !json_is_null(v) && !json_is_array(v)) ok = rt_fail(e, "\"%s\": expected an array, found %s", lists[i].key, rtj_kind(v));
    else if (json_array_size(v)) *lists[i].to = v;
  }
  if (!ok) conversation_free(c);
  return ok;
}
