// Classes of characters as Hugging Face's tables have them, which are of older Unicode versions than libraries know: a mark of today may be none
// to a tokenizer that was trained with them.
#ifndef CALM_RUNTIME_TEXT_CLASSES_H
#define CALM_RUNTIME_TEXT_CLASSES_H
#include <stdbool.h>
#include <stdint.h>

bool tk_is_mark(uint32_t cp);                               // combining marks, which StripAccents takes away
bool tk_is_punctuation(uint32_t cp);                        // ASCII's, and Unicode's categories P
// A number for the script of a character, kana being Han's as SentencePiece has it; 0: any.
int tk_script(uint32_t cp);
#endif
