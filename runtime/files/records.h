// A file of records that may be lost: what was computed and can be computed again. Each has a key and is checked whenever it is read; none is believed for
// being there. The file belongs to what it was made of (`of`, a SHA-256): made of something else it begins anew. Appended to by one process (the lock is the
// directory's); what is left half written by one that was killed is cut off when it is opened.
#ifndef CALM_RUNTIME_RECORDS_H
#define CALM_RUNTIME_RECORDS_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"
#include "runtime/files/sha256.h"

enum { RECORD_KEY = 32 };      // bytes

typedef struct Records Records;      // an object of the call
typedef void RecordSeen(void *user, const uint8_t key[RECORD_KEY], int64_t place, int64_t bytes);

// Opened, or made. each: told of every record there is, in the order in which they were written. *anew: it held records of something else, which are gone. NULL and
// an error where it cannot be had, or where what is there is no such file, which is left as it is.
Records *records_open(const char *path, const char of[SHA256_HEX], RecordSeen *each, void *user, bool *anew, RtError *e);
void records_close(Records *r);
int64_t records_bytes(const Records *r);                    // of the whole file
// A record of n bytes; false where what stands there is not what was written.
bool records_read(Records *r, int64_t place, void *out, int64_t n);
// Its place; -1 and errno, and the file is as it was.
int64_t records_add(Records *r, const uint8_t key[RECORD_KEY], const void *data, int64_t n);
#endif
