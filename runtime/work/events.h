// What a training's log says as TensorBoard's events: a file of records (TFRecord), each an Event of protobuf with scalars of one step.
#ifndef CALM_RUNTIME_EVENTS_H
#define CALM_RUNTIME_EVENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

// A file's name is EVENTS_BEGIN, the second in which it was begun, and EVENTS_END: TensorBoard, while it watches, takes one that is begun anew for what it is.
#define EVENTS_BEGIN "events.out.tfevents."
#define EVENTS_END ".calm"
bool events_is_name(const char *name);           // a name of calm's, its last part alone
bool events_is(const char *path);                // begins as events_begin has it

typedef struct EventScalar {
  const char *tag;             // bytes that are no UTF-8 become '?'
  double value;
} EventScalar;

// Records, ready to be written, behind what is there. What a file begins with: its version, and that what was known of later steps than 0 counts no more.
void events_begin(Bytes *out, double wall_time);
void events_step(Bytes *out, double wall_time, int64_t step, const EventScalar *scalar, int n);
#endif
