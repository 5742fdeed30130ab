// Keys of config.json that change no arithmetic: the compiler lets them be, and a program takes a model whose others are as they were compiled.
#ifndef CALM_RUNTIME_ABI_INERT_H
#define CALM_RUNTIME_ABI_INERT_H
#include <stdbool.h>

bool inert_key(const char *key);
#endif
