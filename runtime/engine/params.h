// The flat parameter vector: initial values, and the safetensors file of one tensor per parameter.
#ifndef CALM_RUNTIME_PARAMS_H
#define CALM_RUNTIME_PARAMS_H
#include "runtime/engine/program.h"
#include "runtime/files/files.h"

// Initial values. Element i of a parameter depends on the seed, the parameter's name and i alone: adding a parameter to
// a spec changes no other, and neither does the number of threads. "normal" and "fan_in" are Box-Muller. A weight that is tuned begins as file[model]
// has it, of whatever type: false and an error where that is not open (from a pack file: file NULL), or the tensor not there.
bool params_init(const Prog *p, Safetensors *const *file, uint64_t seed, float *theta, RtError *e);
// Writes vector `flat` as one tensor per parameter, names prefixed (""; "m." and "v." for the moments).
typedef struct ParamsPart { const char *prefix; float *flat; } ParamsPart;
bool params_save(const Prog *p, const ParamsPart *part, int nparts, const char *path, FileSum *sum, RtError *e);
// Whether a file has these tensors, all of them and no other: a missing, misshapen or unknown one is an error that names whose it is.
bool params_fit(const Prog *p, const ParamsPart *part, int nparts, const Safetensors *s, const char *path, RtError *e);
// Reads them back from a mapped file that fits.
void params_take(const Prog *p, const ParamsPart *part, int nparts, const Safetensors *s);
#endif
