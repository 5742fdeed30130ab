// Hashes of the files of a directory, and SHA256SUMS, which holds them as sha256sum writes and checks them.
#ifndef CALM_RUNTIME_SUMS_H
#define CALM_RUNTIME_SUMS_H
#include <jansson.h>

#include "runtime/files/sha256.h"

#define SUMS_FILE "SHA256SUMS"

// Lists are {NAME: {"sha256": HEX, "size": BYTES}, …}, in the order of adding, where "size" may be missing; theta.json has them too.
void sums_add(json_t *list, const char *name, const FileSum *sum);
bool sums_save(const json_t *list, const char *dir, RtError *e);
// From SHA256SUMS in a directory held open; owned by the caller. NULL and an error that names the line.
json_t *sums_read(const FileDir *d, const char *dir, RtError *e);

// What a check found, counted over several lists: files and bytes read; bad: of these and of the listed, those that are missing or not as they were.
typedef struct SumsFound {
  int64_t files, bytes, bad;
  json_t *says;                // an array of lines, one for each that is bad
} SumsFound;
// Reads every listed file anew. Only what cannot be read at all (a broken list, a disk that fails) is an error.
bool sums_check(const json_t *list, const FileDir *d, const char *dir, SumsFound *found, RtError *e);
#endif
