// The flat parameter vector: initial values, and the safetensors file of one tensor per parameter.
#ifndef CALM_RUNTIME_PARAMS_H
#define CALM_RUNTIME_PARAMS_H
#include "runtime/engine/program.h"
#include "runtime/files/files.h"

// Initial values. Element i of a parameter depends on the seed, the parameter's name and i alone: adding a parameter to
// a spec changes no other, and neither does the number of threads. "normal" and "fan_in" are Box-Muller.
void params_init(const Prog *p, uint64_t seed, float *theta);
// Writes vector `flat` as one tensor per parameter, names prefixed (""; "m." and "v." for the moments).
typedef struct ParamsPart { const char *prefix; float *flat; } ParamsPart;
bool params_save(const Prog *p, const ParamsPart *part, int nparts, const char *path, FileSum *sum, RtError *e);
// Reads it back from a mapped file (which it takes over); a missing, misshapen or unknown tensor is an error naming it.
bool params_load(const Prog *p, const ParamsPart *part, int nparts, FileMap *m, const char *path, RtError *e);
#endif
