// The door of rows: models, data, and rows into steps.
#ifndef CALM_RUNTIME_ROWS_ROOM_H
#define CALM_RUNTIME_ROWS_ROOM_H
#include "runtime/rows/ahead.h"
#include "runtime/rows/bytes.h"
#include "runtime/rows/chat.h"
#include "runtime/rows/check.h"
#include "runtime/rows/cut.h"
#include "runtime/rows/data.h"
#include "runtime/rows/feed.h"
#include "runtime/rows/feeder.h"
#include "runtime/rows/follow.h"
#include "runtime/rows/models.h"
#include "runtime/rows/own.h"
#include "runtime/rows/read.h"
#include "runtime/rows/rowstep.h"
#include "runtime/rows/said.h"
#include "runtime/rows/shape.h"
#include "runtime/rows/visible.h"
#endif
