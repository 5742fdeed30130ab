// The door of files: what lies on disk.
#ifndef CALM_RUNTIME_FILES_ROOM_H
#define CALM_RUNTIME_FILES_ROOM_H
#include "runtime/files/cache.h"
#include "runtime/files/file.h"
#include "runtime/files/hfchat.h"
#include "runtime/files/hfdir.h"
#include "runtime/files/hfgeneration.h"
#include "runtime/files/json.h"
#include "runtime/files/json_scan.h"
#include "runtime/files/lines.h"
#include "runtime/files/lock.h"
#include "runtime/files/out.h"
#include "runtime/files/packfile.h"
#include "runtime/files/piped.h"
#include "runtime/files/records.h"
#include "runtime/files/safetensors.h"
#include "runtime/files/sha256.h"
#include "runtime/files/sums.h"
#endif
