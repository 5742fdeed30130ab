// The door of core: errors, memory, calls, random numbers, clock, sizes, UTF-8, threads, words of messages.
#ifndef CALM_RUNTIME_CORE_ROOM_H
#define CALM_RUNTIME_CORE_ROOM_H
#include "runtime/core/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/core/call.h"
#include "runtime/core/clock.h"
#include "runtime/core/rng.h"
#include "runtime/core/rt_error.h"
#include "runtime/core/size.h"
#include "runtime/core/thread.h"
#include "runtime/core/utf8.h"
#include "runtime/core/words.h"
#endif
