// See report.h. No script, and nothing that a reader would have to fetch; every text of the user's is escaped. Light or dark is the reader's choice.
#include "runtime/commands/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/draw/draw.h"
#include "runtime/files/files.h"

enum { POINTS = 1000, LAST = 10 };     // of a curve; rows of the table
static const char BEGIN[] = "<!DOCTYPE html>\n<!-- calm: report of a training -->\n";
static const char HEAD[] =
    "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    ":root{color-scheme:light dark;--fg:#222;--bg:#fff;--line:#ddd;--c0:#1b6ca8;--c1:#c8553d;--c2:#2a9d4a;--c3:#7b4fa3;--c4:#b08900;--c5:#777}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#ddd;--bg:#16181b;--line:#3a3f45;--c0:#6cb4ee;--c1:#f08b74;--c2:#6fd08c;--c3:#c09ae6;--c4:#e0bb45;--c5:#aaa}"
    ".drawn svg{filter:invert(.91) hue-rotate(180deg)}}\n"
    "body{font:15px/1.5 sans-serif;color:var(--fg);background:var(--bg);max-width:1000px;margin:2em auto;padding:0 1em}svg{max-width:100%;height:auto}\n"
    "table{border-collapse:collapse}td,th{border:1px solid var(--line);padding:2px 8px;text-align:left;overflow-wrap:anywhere}.n td{text-align:right}.wide{overflow-x:auto}\n"
    ".plot text{fill:var(--fg);font-size:12px;text-anchor:middle}.plot .right{text-anchor:end}.plot path{stroke:var(--line)}.plot polyline{fill:none;stroke-width:1.4;stroke-linecap:round}\n"
    "</style>\n";

bool report_is(const char *path) { return file_is_of(path, &(FileMark){0, BEGIN, NULL}, 1); }

// ---- the composition

static int64_t trained_under(const Prog *p, const char *name) {
  size_t n = strlen(name);
  int64_t sum = 0;
  for (int i = 0; i < p->nparam; i++)
    if (p->param[i].model < 0 && !strncmp(p->param[i].name, name, n) && p->param[i].name[n] == '.') sum += p->param[i].elems;
  return sum;
}

static DrawModel draw_model(const Prog *p, int i) {
  const ProgModel *x = &p->model[i];
  DrawModel m = {.name = x->name, .blocks = x->blocks};
  m.what = rt_format("%s, %lld layers, %lld wide%s%s%s", x->arch, (long long)x->blocks, (long long)x->width, x->keep == KEEP_INT8 ? ", as int8" : "",
                     x->reads ? ", reads " : "", x->reads ? Reads_names[x->reads].name : "");
  for (int k = 0; k < p->nparam; k++)
    if (p->param[k].model == i) m.trained += p->param[k].elems, m.embedding |= p->param[k].shape.n == 2 && p->param[k].shape.v[0] == x->vocab;
  int64_t *adapted = NULL;
  for (int k = 0; k < p->nadapter; k++) {
    const ProgAdapter *a = &p->adapter[k];
    if (a->model != i) continue;
    if (!adapted) adapted = rt_alloc((size_t)x->blocks + 1, sizeof *adapted), m.adapter = a->op;
    char *name = rt_format("%s.%s", x->name, a->module);
    adapted[a->layer] += trained_under(p, name);
    rt_free(name);
  }
  m.adapted = adapted;
  return m;
}

static void composition(Bytes *b, const Prog *p) {
  DrawModel *m = rt_alloc((size_t)p->nmodel, sizeof *m);
  DrawConnection *c = rt_alloc((size_t)p->nconnection, sizeof *c);
  for (int i = 0; i < p->nmodel; i++) m[i] = draw_model(p, i);
  for (int i = 0; i < p->nconnection; i++) {
    const ProgConnection *x = &p->connection[i];
    c[i] = (DrawConnection){.from = x->from, .to = x->to, .from_layer = x->from_layer, .to_layer = x->to_layer, .name = x->name, .op = x->op, .tap = x->tap,
                            .trained = trained_under(p, x->name)};
  }
  char *svg = draw_svg(&(Drawing){.title = p->spec, .model = m, .nmodel = p->nmodel, .anchor = p->anchor, .connection = c, .nconnection = p->nconnection});
  markup_say(b, "<div class=\"drawn\">"), bytes_put(b, svg, strlen(svg)), markup_say(b, "</div>\n");
  for (int i = 0; i < p->nmodel; i++) rt_free((char *)(uintptr_t)m[i].what), rt_free((int64_t *)(uintptr_t)m[i].adapted);
  rt_free(svg), rt_free(m), rt_free(c);
}

// ---- curves

typedef struct Plot {
  const TrainTable *t;
  double last, low, high;
} Plot;
enum { LEFT = 70, WIDE = 860, UP = 12, HIGH = 240 };

static double at(const TrainTable *t, int64_t row, int column) { return t->value[row * t->n + column]; }
static double px(const Plot *p, double step) { return LEFT + WIDE * step / p->last; }
static double py(const Plot *p, double y) { return UP + HIGH * (p->high - y) / (p->high - p->low); }

// 1, 2 or 5 times a power of ten: a step of about a fifth of the range.
static double nice(double range) {
  double p = pow(10, floor(log10(range / 5)));
  return range / 5 > 5 * p ? 10 * p : range / 5 > 2 * p ? 5 * p : range / 5 > p ? 2 * p : p;
}

static void axes(Bytes *b, const Plot *p) {
  double y = nice(p->high - p->low), x = nice(p->last), first = ceil(p->low / y);
  for (int k = 0; k < 20 && (first + k) * y <= p->high; k++)
    markup_say(b, "<path d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" class=\"right\">%.9g</text>\n", LEFT, py(p, (first + k) * y), LEFT + WIDE, LEFT - 6, py(p, (first + k) * y) + 4,
               fabs((first + k) * y) < y / 2 ? 0 : (first + k) * y);
  for (int k = 0; k < 20 && k * x <= p->last; k++) markup_say(b, "<text x=\"%.1f\" y=\"%d\">%.9g</text>\n", px(p, k * x), UP + HIGH + 18, k * x);
}

static void curve(Bytes *b, const Plot *p, int column, int color) {
  markup_say(b, "<polyline style=\"stroke:var(--c%d)\" points=\"", color % 6);
  for (int64_t i = 0, points = 0; i < p->t->rows; i++) {
    if (!isfinite(at(p->t, i, column))) continue;
    for (int twice = points++ ? 1 : 2; twice; twice--) markup_say(b, "%.1f,%.1f ", px(p, at(p->t, i, 0)), py(p, at(p->t, i, column)));      // a point alone is a dot
  }
  markup_say(b, "\"/>\n");
}

static bool is_of(const char *name, const char *of) { return !strcmp(name, of) || (!strcmp(of, "loss") && !strncmp(name, "held_out_loss", strlen("held_out_loss"))); }

// The columns of a name, and with the loss those of held-out data, against the step.
static void plot(Bytes *b, const TrainTable *t, const char *of, const char *title) {
  Plot p = {.t = t, .low = INFINITY, .high = -INFINITY};
  for (int k = 1; k < t->n; k++)
    for (int64_t i = 0; i < t->rows && is_of(t->name[k], of); i++)
      if (isfinite(at(t, i, k))) p.low = fmin(p.low, at(t, i, k)), p.high = fmax(p.high, at(t, i, k)), p.last = fmax(p.last, at(t, i, 0));
  if (!(p.low <= p.high) || !(p.last > 0)) return;
  if (p.high - p.low <= 1e-9 * fabs(p.high)) p.high += p.high ? fabs(p.high) / 2 : 1, p.low -= p.low ? fabs(p.low) / 2 : 1;
  markup_say(b, "<h3>%s</h3>\n<p>", title);
  for (int k = 1, color = 0; k < t->n; k++)
    if (is_of(t->name[k], of)) markup_say(b, "<span style=\"color:var(--c%d)\">&#9632; ", color++ % 6), markup_words(b, t->name[k]), markup_say(b, "</span> ");
  markup_say(b, "</p>\n<svg class=\"plot\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", LEFT + WIDE + 40, UP + HIGH + 26, LEFT + WIDE + 40, UP + HIGH + 26);
  axes(b, &p);
  for (int k = 1, color = 0; k < t->n; k++)
    if (is_of(t->name[k], of)) curve(b, &p, k, color++);
  markup_say(b, "</svg>\n");
}

// The last looks at held-out data, or, where there are none, the last steps.
static void last_figures(Bytes *b, const TrainTable *t) {
  int held = 0;
  while (held < t->n && strcmp(t->name[held], "held_out_loss")) held++;
  int64_t of[LAST] = {0}, n = 0, looks = 0;
  for (int64_t i = 0; held < t->n && i < t->rows; i++) looks += isfinite(at(t, i, held));
  for (int64_t i = t->rows - 1; i >= 0 && n < LAST; i--)
    if (!looks || i == t->rows - 1 || isfinite(at(t, i, held))) of[n++] = i;
  markup_say(b, "<h2>%s</h2>\n<div class=\"wide\"><table class=\"n\"><tr>", looks ? "Last looks" : "Last steps");
  for (int k = 0; k < t->n; k++) markup_say(b, "<th>"), markup_words(b, t->name[k]), markup_say(b, "</th>");
  for (int64_t i = n - 1; i >= 0; i--) {
    markup_say(b, "</tr>\n<tr>");
    for (int k = 0; k < t->n; k++)
      if (isfinite(at(t, of[i], k))) markup_say(b, at(t, of[i], k) == floor(at(t, of[i], k)) ? "<td>%.0f</td>" : "<td>%.5g</td>", at(t, of[i], k));
      else markup_say(b, "<td></td>");
  }
  markup_say(b, "</tr></table></div>\n");
}

// ---- settings and hashes

static void row(Bytes *b, const char *key, const char *text) {
  markup_say(b, "<tr><td>"), markup_words(b, key), markup_say(b, "</td><td>"), markup_words(b, text), markup_say(b, "</td></tr>\n");
}

static void settings(Bytes *b, const TrainSettings *set) {
  enum { ROOM = 1 << 16 };
  char *text = rt_alloc(ROOM, 1);
  markup_say(b, "<h2>Settings</h2>\n<table>\n");
  for (int i = 0; i < N_SETTINGS; i++)
    if (settings_is_train(i)) settings_text(set, i, text, ROOM), row(b, setting_row[i].name, text);
  markup_say(b, "</table>\n");
  rt_free(text);
}

// Every value of theta.json but what the settings are, under the keys that lead to it.
static void values(Bytes *b, const char *under, const json_t *v) {
  const char *key;
  json_t *x;
  size_t k;
  char number[64];
  if (json_is_object(v)) {
    json_object_foreach((json_t *)(uintptr_t)v, key, x) {
      char *name = *under ? rt_format("%s / %s", under, key) : rt_strdup(key);
      if (*under || (strcmp(key, "settings") && strcmp(key, "spec_train"))) values(b, name, x);
      rt_free(name);
    }
  } else if (json_is_array(v)) {
    json_array_foreach(v, k, x) values(b, under, x);
  } else if (json_is_string(v)) row(b, under, json_string_value(v));
  else if (json_is_number(v)) snprintf(number, sizeof number, "%.15g", json_number_value(v)), row(b, under, number);
  else if (json_is_boolean(v)) row(b, under, json_is_true(v) ? "true" : "false");
}

// ---- the page

static void summary(Bytes *b, const Prog *p, const json_t *about) {
  double best = json_number_value(json_object_get(about, "best"));
  long long step = json_integer_value(json_object_get(about, "step")), best_step = json_integer_value(json_object_get(about, "best_step"));
  markup_say(b, "<p>%lld trained numbers; after step %lld, %lld tokens, %.0f seconds.", (long long)prog_trained(p), step, (long long)json_integer_value(json_object_get(about, "tokens")),
             json_number_value(json_object_get(about, "seconds")));
  if (json_is_number(json_object_get(about, "best")) && best_step >= 0) markup_say(b, " The held-out loss was lowest after step %lld: %.4f.", best_step, best);
  markup_say(b, "</p>\n");
}

bool report_write(const char *path, const Prog *p, const TrainSettings *set, const char *about_path, const char *log, TrainTable *t, RtError *e) {
  Bytes b = {0};
  json_t *about = rtj_object_file(about_path, 0, e);
  bool ok = about && trainlog_read_on(t, log, POINTS, e);
  if (ok) {
    bytes_put(&b, BEGIN, sizeof BEGIN - 1);
    markup_say(&b, "<html lang=\"en\"><head><title>"), markup_words(&b, p->spec), markup_say(&b, "</title>");
    bytes_put(&b, HEAD, sizeof HEAD - 1);
    markup_say(&b, "</head><body>\n<h1>"), markup_words(&b, p->spec), markup_say(&b, "</h1>\n");
    summary(&b, p, about);
    composition(&b, p);
    plot(&b, t, "loss", "Loss, nats per labelled token");
    plot(&b, t, "lr", "Learning rate");
    plot(&b, t, "tokens_per_s", "Tokens per second");
    last_figures(&b, t);
    settings(&b, set);
    markup_say(&b, "<h2>Run and hashes</h2>\n<details><summary>theta.json</summary>\n<table>\n");
    values(&b, "", about);
    markup_say(&b, "</table></details>\n</body></html>\n");
    ok = file_save(path, b.s, b.n, e);
  }
  rt_free(b.s), json_decref(about);
  return ok;
}
