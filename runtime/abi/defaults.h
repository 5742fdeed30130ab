// What calmc and the programs it makes both tell: defaults, as a user would write them, and the version.
#ifndef CALM_RUNTIME_ABI_DEFAULTS_H
#define CALM_RUNTIME_ABI_DEFAULTS_H
#define CALM_VERSION "0.1.0"
#define DEFAULT_VERIFY_TOL "1e-3"
#endif
