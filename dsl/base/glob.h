// Names by pattern: '*' is any text, '?' any character. In time that grows with pattern times name, whatever they are (fnmatch may try every way of
// cutting a name).
#ifndef CALM_DSL_BASE_GLOB_H
#define CALM_DSL_BASE_GLOB_H
#include <stdbool.h>

bool glob_matches(const char *pattern, const char *name);
#endif
