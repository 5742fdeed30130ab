// See draw.h. Every column is as high as the one that needs most; a box grows with the arrows that meet it, so that their labels stand one above another.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/draw/draw.h"

enum { WIDTH = 150, LAYER = 20, ARROW = 13, TOP = 96, BOTTOM = 64, MARGIN = 28, SHOWN = 40, BEND = 60 };
#define GLYPH 6.3              // a character of a label, about
#define BOLD 9.8               // and of a name

typedef struct Cell {          // a layer, or a run of those that nothing connects
  int64_t lo, hi;
  int arrows[2], placed[2];    // that begin or end here, on its left and right; of these, placed so far
  double y, h;                 // from above
} Cell;
typedef struct Column {
  const DrawModel *m;
  Cell *cell;                  // from below
  int64_t n;
  int64_t used;                // the last layer that anything reads
  double x, need;
  int place;                   // from the left
} Column;
typedef struct Svg {
  const Drawing *d;
  Column *column;              // by model
  int *at;                     // by place, its model
  double width, height, body;  // body: of the columns
  Bytes out;
} Svg;

// ---- text

static void put_text(Svg *s, double x, double y, const char *class, const char *more, const char *text) {
  markup_say(&s->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s%s\">", x, y, class, more);
  markup_words(&s->out, text);
  markup_say(&s->out, "</text>");
}
static void text_at(Svg *s, double x, double y, const char *class, const char *text) { put_text(s, x, y, class, "", text), markup_say(&s->out, "\n"); }

// ---- layout

// The side of the anchor on which a model belongs that others of its kind decide: where one stands that it is connected with; -1: none does.
static int side_of(const Svg *s, int model, const int *place) {
  for (int i = 0; i < s->d->nconnection; i++) {
    const DrawConnection *x = &s->d->connection[i];
    int other = x->from == model ? x->to : x->to == model ? x->from : model;
    if (place[other] != 0 && other != model) return place[other] > 0;
  }
  return -1;
}

static bool meets(const Drawing *d, int a, int b) {
  for (int i = 0; i < d->nconnection; i++) {
    const DrawConnection *x = &d->connection[i];
    if ((x->from == a && x->to == b) || (x->from == b && x->to == a)) return true;
  }
  return false;
}

// Augments left and right of the anchor in turn, the first nearest to it on its left; those that only other augments are connected with behind these, so that few
// arrows pass a column.
static void place_columns(Svg *s) {
  const Drawing *d = s->d;
  int *place = rt_alloc((size_t)d->nmodel, sizeof *place), left = 0, right = 0, k = 0;        // of the anchor 0, to its left below
  for (int i = 0; i < d->nmodel; i++)
    if (i != d->anchor && meets(d, i, d->anchor)) place[i] = k++ % 2 ? ++right : --left;
  for (bool more = true; more;) {
    more = false;
    for (int i = 0; i < d->nmodel; i++) {
      int to = i != d->anchor && !place[i] ? side_of(s, i, place) : -1;
      if (to >= 0) place[i] = to ? ++right : --left, more = true;
    }
  }
  for (int i = 0; i < d->nmodel; i++)
    if (i != d->anchor && !place[i]) place[i] = k++ % 2 ? ++right : --left;
  for (int i = 0; i < d->nmodel; i++) s->column[i].place = place[i] - left, s->at[place[i] - left] = i;
  rt_free(place);
}

static int side(const Svg *s, int of, int other) { return s->column[other].place > s->column[of].place; }

static Cell *cell_of(Column *c, int64_t layer) {
  int64_t i = 0;
  while (i + 1 < c->n && c->cell[i].hi < layer) i++;
  return &c->cell[i];
}

// Layers of a model that stand alone: all where they are few, else the first, the last, and those that are connected.
static void make_cells(Svg *s, int model) {
  Column *c = &s->column[model];
  const Drawing *d = s->d;
  int64_t n = c->m->blocks + 1;
  bool *alone = rt_alloc((size_t)n, sizeof *alone);
  alone[0] = alone[n - 1] = true;
  for (int64_t k = 0; k < n && n <= SHOWN + 1; k++) alone[k] = true;
  for (int i = 0; i < d->nconnection; i++) {
    const DrawConnection *x = &d->connection[i];
    if (x->from == model) alone[x->from_layer] = true;
    if (x->to == model) alone[x->to_layer] = true;
  }
  c->cell = rt_alloc((size_t)n, sizeof *c->cell);
  for (int64_t k = 0; k < n; k++) {
    if (!alone[k] && k && !alone[k - 1]) c->cell[c->n - 1].hi = k;
    else c->cell[c->n++] = (Cell){.lo = k, .hi = k};
  }
  rt_free(alone);
}

static double need(const Cell *c) {
  int most = 1;
  for (int k = 0; k < 2; k++)
    if (c->arrows[k] > most) most = c->arrows[k];
  return most * ARROW > LAYER ? most * ARROW : LAYER;
}

static void count_arrows(Svg *s) {
  const Drawing *d = s->d;
  for (int i = 0; i < d->nconnection; i++) {
    const DrawConnection *x = &d->connection[i];
    Column *from = &s->column[x->from];
    cell_of(from, x->from_layer)->arrows[side(s, x->from, x->to)]++;
    cell_of(&s->column[x->to], x->to_layer)->arrows[side(s, x->to, x->from)]++;
    if (x->from_layer > from->used) from->used = x->from_layer;
  }
  s->column[d->anchor].used = d->model[d->anchor].blocks;
}

enum { STATE = 96 };
static int64_t adapted(const DrawModel *m, int64_t lo, int64_t hi) {
  int64_t n = 0;
  for (int64_t k = lo; m->adapted && k <= hi; k++) n += m->adapted[k];
  return n;
}

// What becomes of a model's weights.
static size_t state_words(const Svg *s, int model, char out[STATE]) {
  const char *role = model == s->d->anchor ? "anchor" : "augment";
  const DrawModel *m = s->column[model].m;
  long long n = (long long)m->trained, more = (long long)adapted(m, 0, m->blocks);
  int len = n ? snprintf(out, STATE, "%s: %lld numbers are trained", role, n) : snprintf(out, STATE, "%s, frozen", role);
  if (more) len += snprintf(out + len, STATE - (size_t)len, "%s %lld in adapters", n ? "," : ";", more);
  return (size_t)len;
}

static bool any_adapted(const Drawing *d) {
  bool any = false;
  for (int i = 0; i < d->nmodel; i++) any |= d->model[i].adapted != NULL;
  return any;
}

// Room that labels need between the columns of places p and p + 1: the longest at its left and at its right, where a model that reads itself has its own.
static double labels(const Svg *s, int p) {
  double most[2] = {0};
  for (int i = 0; i < s->d->nconnection; i++) {
    const DrawConnection *x = &s->d->connection[i];
    int from = s->column[x->from].place, to = s->column[x->to].place;
    if (!((from == p && to > p) || (from == p + 1 && to <= p + 1))) continue;
    double w = GLYPH * (double)(strlen(x->op) + (x->tap ? strlen(x->tap) + 1 : 0)) + 8;
    if (from == to && w < BEND) w = BEND;
    if (w > most[from > p]) most[from > p] = w;
  }
  return most[0] + most[1];
}

static void lay_out(Svg *s) {
  const Drawing *d = s->d;
  for (int i = 0; i < d->nmodel; i++) {
    Column *c = &s->column[i];
    c->m = &d->model[i];
    make_cells(s, i);
  }
  count_arrows(s);
  for (int i = 0; i < d->nmodel; i++) {
    Column *c = &s->column[i];
    for (int64_t k = 0; k < c->n; k++) c->need += need(&c->cell[k]);
    if (c->need > s->body) s->body = c->need;
  }
  double x = MARGIN + labels(s, -1);
  for (int p = 0; p < d->nmodel; p++) {
    Column *c = &s->column[s->at[p]];
    char state[STATE];
    size_t longest = state_words(s, s->at[p], state);
    if (strlen(c->m->what) > longest) longest = strlen(c->m->what);
    double wide = GLYPH * (double)longest, name = BOLD * (double)strlen(c->m->name), y = TOP + s->body;
    if (name > wide) wide = name;
    double over = wide > WIDTH ? (wide - WIDTH) / 2 : 0;
    c->x = x + over;
    x = c->x + WIDTH + over + (p + 1 < d->nmodel ? fmax(labels(s, p) + 36, 60) : MARGIN);
    for (int64_t k = 0; k < c->n; k++) {
      Cell *cell = &c->cell[k];
      cell->h = need(cell) * s->body / c->need;
      cell->y = y -= cell->h;
    }
  }
  s->width = x, s->height = TOP + s->body + BOTTOM;
  double key = any_adapted(d) ? 550 : 460;
  double title = BOLD * (double)strlen(d->title) + 2 * MARGIN;
  if (s->width < key) s->width = key;
  if (s->width < title) s->width = title;
}

// ---- what is written

static void begin(Svg *s) {
  markup_say(&s->out, DRAW_BEGIN " viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\">\n<title>", s->width, s->height,
      s->width, s->height);
  markup_words(&s->out, s->d->title);
  static const char STYLE[] =
      "</title>\n<style>\n"
      ".box{stroke:#4a6a8a;fill:#dbe7f3}.trained{stroke:#b35900;fill:#ffd9a8}.adapter{stroke:#b35900;fill:#ffd9a8}.unread{stroke:#9aa7b4;fill:#fff;stroke-dasharray:3 2}\n"
      ".arrow{fill:none;stroke:#555;stroke-width:1.3}.learns{stroke:#c25e00}.passes{stroke-dasharray:4 4;opacity:.6}\n"
      "text{font-size:11px;fill:#222;text-anchor:middle}.name{font-size:14px;font-weight:bold}.small{fill:#555}.start{text-anchor:start}.end{text-anchor:end}.halo{stroke:#fff;stroke-width:3px}\n"
      "</style>\n<defs>\n";
  bytes_put(&s->out, STYLE, sizeof STYLE - 1);
  for (int k = 0; k < 2; k++)
    markup_say(&s->out, "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"%s\"/></marker>\n",
        k ? "learns" : "fixed", k ? "#c25e00" : "#555");
  markup_say(&s->out, "</defs>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
  text_at(s, s->width / 2, 24, "name", s->d->title);
}

// What stands beside the products of these layers: a mark at the right of their box.
static void adapters(Svg *s, const Column *c, const Cell *x) {
  int64_t n = adapted(c->m, x->lo, x->hi);
  if (!n) return;
  markup_say(&s->out, "<g><title>");
  markup_words(&s->out, c->m->adapter);
  markup_say(&s->out, ": %lld parameters</title><rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"%.1f\" rx=\"2\" class=\"adapter\"/></g>\n", (long long)n, c->x + WIDTH - 16, x->y + 4,
      x->h - 8);
}

static void boxes(Svg *s, int model) {
  const Column *c = &s->column[model];
  for (int64_t k = 0; k < c->n; k++) {
    const Cell *x = &c->cell[k];
    bool unread = x->lo > c->used;
    markup_say(&s->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" rx=\"3\" class=\"box%s\"/>\n", c->x, x->y + 1, WIDTH, x->h - 2,
        unread ? " unread" : c->m->trained && (k || c->m->embedding) ? " trained" : "");
    adapters(s, c, x);
  }
}

static void column_words(Svg *s, int model) {
  const Column *c = &s->column[model];
  char line[STATE];
  double mid = c->x + WIDTH / 2.0;
  text_at(s, mid, TOP - 42, "name", c->m->name);
  text_at(s, mid, TOP - 27, "small", c->m->what);
  state_words(s, model, line);
  text_at(s, mid, TOP - 12, "small", line);
  for (int64_t k = 0; k < c->n; k++) {
    const Cell *x = &c->cell[k];
    if (x->hi > x->lo) snprintf(line, sizeof line, "layers %lld to %lld", (long long)x->lo, (long long)x->hi);
    else if (x->lo) snprintf(line, sizeof line, "layer %lld", (long long)x->lo);
    else snprintf(line, sizeof line, "embedding");
    text_at(s, mid, x->y + x->h / 2 + 4, "small", line);
  }
}

// Where the next arrow meets a box, on that side of it.
static double place(Cell *c, int at) { return c->y + c->h * (c->placed[at]++ + 0.5) / c->arrows[at]; }

// The way of an arrow, of whose kind one more is placed at both of its ends; where its label stands, and on which side of its model.
typedef struct Way {
  char path[160];
  double x, y;
  int out;
} Way;
static Way way(Svg *s, const DrawConnection *x) {
  Column *from = &s->column[x->from], *to = &s->column[x->to];
  Cell *a = cell_of(from, x->from_layer), *b = cell_of(to, x->to_layer);
  int out = side(s, x->from, x->to), in = side(s, x->to, x->from);
  bool inside = x->from == x->to;              // a model that reads itself: round on its left
  if (inside) out = in = 0;
  double y1 = place(a, out), y2 = place(b, in), x1 = from->x + (out ? WIDTH : 0), x2 = to->x + (in ? WIDTH : 0);
  double bend = inside ? -BEND : (x2 - x1) * 0.45;
  Way w = {.x = x1 + (out ? 8 : -8), .y = y1 - 3, .out = out};
  snprintf(w.path, sizeof w.path, "M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1 + bend, y1, inside ? x2 - BEND : x2 - bend, y2, x2, y2);
  return w;
}

static void arrow(Svg *s, const DrawConnection *x, const Way *w) {
  markup_say(&s->out, "<g><title>");
  markup_words(&s->out, x->name);
  markup_say(&s->out, ": ");
  markup_words(&s->out, x->op);
  if (x->tap) markup_say(&s->out, ", reads "), markup_words(&s->out, x->tap);
  markup_say(&s->out, ", %lld parameters</title>\n<path d=\"%s\" class=\"arrow%s\" marker-end=\"url(#%s)\"/></g>\n", (long long)x->trained, w->path,
      x->trained ? " learns" : "", x->trained ? "learns" : "fixed");
}

static void label(Svg *s, const DrawConnection *x, const Way *w) {
  char *words = x->tap ? rt_format("%s.%s", x->op, x->tap) : rt_strdup(x->op);
  const char *class = w->out ? "small start" : "small end";
  put_text(s, w->x, w->y, class, " halo", words);                      // behind it, as not all that show an SVG know paint-order
  text_at(s, w->x, w->y, class, words);
  rt_free(words);
}

// Arrows go behind the boxes, and where one passes a column it shows through, so that none seems to begin or end there. Labels stand before all arrows.
static void connections_and_columns(Svg *s) {
  const Drawing *d = s->d;
  Way *w = rt_alloc((size_t)d->nconnection + 1, sizeof *w);
  for (int i = 0; i < d->nconnection; i++) w[i] = way(s, &d->connection[i]), arrow(s, &d->connection[i], &w[i]);
  for (int i = 0; i < d->nconnection; i++) label(s, &d->connection[i], &w[i]);
  for (int i = 0; i < d->nmodel; i++) boxes(s, i);
  for (int i = 0; i < d->nconnection; i++) {
    const DrawConnection *x = &d->connection[i];
    int far = s->column[x->from].place - s->column[x->to].place;
    if (far > 1 || far < -1) markup_say(&s->out, "<path d=\"%s\" class=\"arrow%s passes\"/>\n", w[i].path, x->trained ? " learns" : "");
  }
  for (int i = 0; i < d->nmodel; i++) column_words(s, i);
  rt_free(w);
}

static void legend(Svg *s) {
  static const struct { const char *class, *text; double wide; } KEY[] = {
      {"box", "frozen", 90}, {"box trained", "trained", 100}, {"adapter", "adapters", 90}, {"box unread", "read by nothing, not computed", 0}};
  double x = MARGIN, y = s->height - 30;
  for (size_t k = 0; k < sizeof KEY / sizeof *KEY; k++) {
    bool mark = !strcmp(KEY[k].class, "adapter");
    if (mark && !any_adapted(s->d)) continue;
    markup_say(&s->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"12\" rx=\"2\" class=\"%s\"/>\n", mark ? x + 2 : x, y, mark ? 12 : 16, KEY[k].class);
    text_at(s, x + 22, y + 10, "small start", KEY[k].text);
    x += KEY[k].wide;
  }
}

char *draw_svg(const Drawing *d) {
  Svg s = {.d = d};
  s.column = rt_alloc((size_t)d->nmodel, sizeof *s.column), s.at = rt_alloc((size_t)d->nmodel, sizeof *s.at);
  place_columns(&s);
  lay_out(&s);
  begin(&s);
  connections_and_columns(&s);
  legend(&s);
  markup_say(&s.out, "</svg>\n");
  for (int i = 0; i < d->nmodel; i++) rt_free(s.column[i].cell);
  rt_free(s.column), rt_free(s.at);
  return s.out.s;
}
