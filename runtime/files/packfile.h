// A pack file: sections of bytes that a program maps and uses where they lie, and a JSON object that says what they are and what they were made from.
//   head       one page: a magic number, the format's version, the byte order
//   sections   each from a page on, the rest of its last page zeros
//   about      the object: what the maker says, and under "sections" {NAME: {"at", "bytes", "sha256"}}, the hash of all pages of a section
//   tail       where about lies, and its SHA-256; a file that was cut has none
// Untrusted: opening looks at head, tail, about and where sections lie, not at what is in them (packfile_check reads every byte); whoever uses a
// section looks at that.
#ifndef CALM_RUNTIME_PACKFILE_H
#define CALM_RUNTIME_PACKFILE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/files/file.h"
#include "runtime/files/sums.h"

enum { PACKFILE_FORMAT = 1, PACKFILE_PAGE = 4096 };
#define PACKFILE_SECTIONS "sections"          // the member of about that is the file's own

typedef struct PackFile PackFile;
// Mapped, shared with every process that has it open. NULL and an error that names the file.
PackFile *packfile_open(const char *path, RtError *e);
void packfile_close(PackFile *p);
const char *packfile_path(const PackFile *p);
size_t packfile_bytes(const PackFile *p);
const json_t *packfile_about(const PackFile *p);
// A section, page-aligned, *n bytes; NULL when there is none of that name.
const void *packfile_section(const PackFile *p, const char *name, size_t *n);
// The file opened once more, to be read beside the map, and where in it that byte of a section is; NULL where it is another one by now (file_in_again).
FileIn *packfile_again(const PackFile *p, const void *mapped, size_t *at);
// False, and an error, where the file was written to since it was mapped.
bool packfile_unchanged(const PackFile *p, RtError *e);
// Whether a file begins as a pack file does.
bool packfile_is(const char *path);
// Reads every byte anew; what is not as it was written is told in found->says. An error where it cannot be opened as a pack file at all.
bool packfile_check(const char *path, SumsFound *found, RtError *e);

// Writing, through files/out.h: section by section, then what they are. After an error the PackOut is still to be abandoned.
typedef struct PackOut PackOut;
PackOut *packfile_begin(const char *path, RtError *e);
bool packfile_add(PackOut *o, const char *name, RtError *e);                    // a section: what is written from now on
bool packfile_write(PackOut *o, const void *data, size_t n, RtError *e);
bool packfile_commit(PackOut *o, json_t *about, RtError *e);                    // adds "sections" to about; o is gone where this is true
void packfile_abandon(PackOut *o);
#endif
