// The door of machine: instruction sets, what this process may use, threads and what they take, rates.
#ifndef CALM_RUNTIME_MACHINE_ROOM_H
#define CALM_RUNTIME_MACHINE_ROOM_H
#include "runtime/machine/isa.h"
#include "runtime/machine/limits.h"
#include "runtime/machine/meter.h"
#include "runtime/machine/pool.h"
#include "runtime/machine/rates.h"
#endif
