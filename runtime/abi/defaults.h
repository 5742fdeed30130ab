// Defaults that calmc and the programs it makes both tell, as a user would write them.
#ifndef CALM_RUNTIME_ABI_DEFAULTS_H
#define CALM_RUNTIME_ABI_DEFAULTS_H
#define DEFAULT_VERIFY_TOL "1e-3"
#endif
