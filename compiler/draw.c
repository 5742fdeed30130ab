// calmc draw: a spec's composition as a picture (runtime/draw).
#include "driver.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/draw/draw.h"

static int64_t elems(const BParam *p) {
  int64_t n = 1;
  for (int i = 0; i < p->rank; i++) n *= p->dim[i];
  return n;
}

// Numbers in the parameters of a connection, whose names begin with its own.
static int64_t trained_of(const Program *p, const char *connection) {
  size_t n = strlen(connection);
  int64_t sum = 0;
  for (int i = 0; i < p->nparam; i++)
    if (p->param[i].model < 0 && !strncmp(p->param[i].name, connection, n) && p->param[i].name[n] == '.') sum += elems(&p->param[i]);
  return sum;
}

static bool lists(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *w = words; (w = strstr(w, word)); w += n)
    if ((w == words || w[-1] == ' ') && (!w[n] || w[n] == ',')) return true;
  return false;
}

// Adapters: by model and layer, the numbers in them; and the names of their operators, each once. A parameter's name is its adapter's, a dot and its own.
static void find_adapters(Arena *a, const Program *p, DrawModel *m) {
  Map by = {0};
  int64_t **numbers = ARENA_ARRAY(a, int64_t *, p->nmodel + 1);
  for (int i = 0; i < p->nadapter; i++) {
    const BAdapter *x = &p->adapter[i];
    DrawModel *of = &m[x->model];
    map_first(a, &by, x->name, i);
    if (!of->adapted) of->adapted = numbers[x->model] = ARENA_ARRAY(a, int64_t, of->blocks + 1), of->adapter = x->op;
    else if (!lists(of->adapter, x->op)) of->adapter = arena_printf(a, "%s, %s", of->adapter, x->op);
  }
  for (int i = 0; i < p->nparam && p->nadapter; i++) {
    const char *name = p->param[i].name, *dot = strrchr(name, '.');
    int k = p->param[i].model < 0 && dot ? map_find(&by, arena_printf(a, "%.*s", (int)(dot - name), name)) : -1;
    if (k >= 0) numbers[p->adapter[k].model][p->adapter[k].layer] += elems(&p->param[i]);
  }
}

void draw_program(Arena *a, const Program *p, const char *title, Buf *out) {
  DrawModel *m = ARENA_ARRAY(a, DrawModel, p->nmodel + 1);
  DrawConnection *c = ARENA_ARRAY(a, DrawConnection, p->nconn + 1);
  for (int i = 0; i < p->nmodel; i++) {
    const BModel *x = &p->model[i];
    m[i] = (DrawModel){.name = x->name, .blocks = x->blocks};
    m[i].what = arena_printf(a, "%s, %lld layers, %lld wide%s%s%s", x->arch, (long long)x->blocks, (long long)x->width, x->keep == KEEP_INT8 ? ", as int8" : "",
                             x->reads ? ", reads " : "", x->reads ? Reads_names[x->reads].name : "");
    for (int k = 0; k < p->nparam; k++)
      if (p->param[k].model == i) m[i].trained += elems(&p->param[k]), m[i].embedding |= p->param[k].rank == 2 && p->param[k].dim[0] == x->vocab;
  }
  find_adapters(a, p, m);
  for (int i = 0; i < p->nconn; i++) {
    const BConnection *x = &p->conn[i];
    c[i] = (DrawConnection){.from = x->from, .to = x->to, .from_layer = x->from_layer, .to_layer = x->to_layer, .name = x->name, .op = x->op, .tap = x->tap,
                            .trained = trained_of(p, x->name)};
  }
  char *svg = draw_svg(&(Drawing){.title = title, .model = m, .nmodel = p->nmodel, .anchor = p->anchor, .connection = c, .nconnection = p->nconn});
  buf_puts(out, svg);
  rt_free(svg);
}

int driver_draw(const Options *o) {
  Options drawn = *o;
  drawn.emit = EMIT_DRAWING;
  return driver_build(&drawn);
}
