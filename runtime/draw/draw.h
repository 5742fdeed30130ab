// A composition drawn: models as columns, layers as boxes, connections as arrows, what is trained in another colour; as a standalone SVG.
#ifndef CALM_RUNTIME_DRAW_H
#define CALM_RUNTIME_DRAW_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/draw/markup.h"

typedef struct DrawModel {
  const char *name, *what;     // "base", "24 layers, 576 wide, as int8": any text
  int64_t blocks;              // layers are 0, the embedding's output, to blocks
  int64_t trained;             // numbers of its own that are trained
  bool embedding;              // layer 0 is among them
  const int64_t *adapted;      // by layer, 0 to blocks: numbers in the adapters of its block; NULL: it has none
  const char *adapter;         // what they are called: "lora"
} DrawModel;
typedef struct DrawConnection {
  int from, to;                // models
  int64_t from_layer, to_layer;
  const char *name, *op, *tap; // tap: NULL, a layer's state
  int64_t trained;             // numbers in its parameters
} DrawConnection;
typedef struct Drawing {
  const char *title;
  const DrawModel *model;
  int nmodel, anchor;
  const DrawConnection *connection;
  int nconnection;
} Drawing;

#define DRAW_BEGIN "<svg xmlns=\"http://www.w3.org/2000/svg\" data-made-by=\"calm\""      // what a picture is known by
// To be freed. Lengths are in pixels; whoever shows it may scale it.
char *draw_svg(const Drawing *d);
#endif
