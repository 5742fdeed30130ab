// Classes of characters that components ask for, and the byte-level table.
#ifndef CALM_RUNTIME_TEXT_CHARS_H
#define CALM_RUNTIME_TEXT_CHARS_H
#include <stdbool.h>
#include <stdint.h>

bool tk_is_space(uint32_t cp);                              // Unicode White_Space
bool tk_is_number(uint32_t cp);                             // category N
bool tk_is_word(uint32_t cp);                               // alphabetic, mark, decimal number, connector, joiner

// The byte-level table shows each byte as a character.
uint32_t tk_byte_char(uint8_t byte);
int tk_char_byte(uint32_t cp);                              // -1 when cp stands for none
#endif
