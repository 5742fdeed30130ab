// The door of abi: what compiler and runtime share. Its tables (*.def) are included by themselves.
#ifndef CALM_RUNTIME_ABI_ROOM_H
#define CALM_RUNTIME_ABI_ROOM_H
#include "runtime/abi/defaults.h"
#include "runtime/abi/dtype.h"
#include "runtime/abi/encoding.h"
#include "runtime/abi/inert.h"
#include "runtime/abi/int8.h"
#include "runtime/abi/near.h"
#include "runtime/abi/number.h"
#include "runtime/abi/precision.h"
#include "runtime/abi/program.h"
#include "runtime/abi/regular.h"
#include "runtime/abi/rt_abi.h"
#include "runtime/abi/settings.h"
#endif
