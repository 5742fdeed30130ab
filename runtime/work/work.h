// The door of work: decoding, sampling, settings, checkpoints, logs.
#ifndef CALM_RUNTIME_WORK_ROOM_H
#define CALM_RUNTIME_WORK_ROOM_H
#include "runtime/work/checkpoint.h"
#include "runtime/work/decode.h"
#include "runtime/work/events.h"
#include "runtime/work/fields.h"
#include "runtime/work/identity.h"
#include "runtime/work/pack.h"
#include "runtime/work/precisions.h"
#include "runtime/work/restore.h"
#include "runtime/work/sample.h"
#include "runtime/work/settings.h"
#include "runtime/work/textscore.h"
#include "runtime/work/trainlog.h"
#endif
