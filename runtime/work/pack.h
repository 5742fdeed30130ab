// Pack files (files/packfile.h): weights as the kernels of a path and precision want them, tokenizers as tables, and parameters, mapped at start. A pack
// belongs to what it was made from: this very program by hash, its path and precision, the files of its models and tokenizers and of the parameters
// by hash. What differs is refused by name. What of these files is not here any more is not missed: program and pack are enough.
// About: {"calm", "program": {"spec", "spec_sha256", "sha256"}, "isa", "precision", "precision_told": true or absent, "parameters": path or null}, and what
// work/madefrom.h and rows/packed.h say.
#ifndef CALM_RUNTIME_PACK_H
#define CALM_RUNTIME_PACK_H
#include "runtime/rows/rows.h"
#include "runtime/work/madefrom.h"

// Writes what an engine has loaded (and, with params, prepared) to path. params: the file the parameters are of, NULL: none are packed. told:
// the precision is what --precision asked for. In place of nothing but a pack file.
bool pack_save(const char *path, const Models *m, Engine *en, const char *params, bool told, RtError *e);
// Whether a pack file is of this program. What is wrong with it, here and below, is RT_ABOUT_PACK: made anew it would do.
bool pack_is_of(const PackFile *f, const Prog *p, RtError *e);
// Whether it is for the kernels that the engine runs.
bool pack_fits(const PackFile *f, const Engine *en, RtError *e);
// Where its parameters are from; NULL: it has none.
const char *pack_params(const PackFile *f);
const json_t *pack_precision_told(const PackFile *f);       // the precision it was asked for, borrowed; NULL: nobody said
int64_t pack_date(const PackFile *f);      // likewise checkpoint_date of these
// {"path", "bytes", "parameters": path or null, "isa", "precision"}, for people; a new reference.
json_t *pack_describe(const PackFile *f);
// Reads every byte of it, and of what is here of the files that it was made from. What it says of files that are not here goes to standard output.
bool pack_check(const char *path, SumsFound *found, RtError *e);
#endif
