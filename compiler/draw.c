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

void draw_program(Arena *a, const Program *p, const char *title, Buf *out) {
  DrawModel *m = ARENA_ARRAY(a, DrawModel, p->nmodel + 1);
  DrawConnection *c = ARENA_ARRAY(a, DrawConnection, p->nconn + 1);
  for (int i = 0; i < p->nmodel; i++) {
    const BModel *x = &p->model[i];
    m[i] = (DrawModel){.name = x->name, .blocks = x->blocks};
    m[i].what = arena_printf(a, "%s, %lld layers, %lld wide%s%s", x->arch, (long long)x->blocks, (long long)x->width, x->keep == KEEP_INT8 ? ", as int8" : "",
                             x->prompt_only ? ", reads prompt" : "");
    for (int k = 0; k < p->nparam; k++)
      if (p->param[k].model == i) m[i].trained += elems(&p->param[k]), m[i].embedding |= p->param[k].rank == 2 && p->param[k].dim[0] == x->vocab;
  }
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
