// See chars.h.
#include "runtime/text/chars.h"

#include <utf8proc.h>

bool tk_is_space(uint32_t c) {
  if (c < 0x85) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool tk_is_number(uint32_t c) {
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool tk_is_word(uint32_t c) {
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    // Joiners, and the letters in circles and squares, which Unicode calls alphabetic though they are symbols.
    default:
      return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
             (c >= 0x1F170 && c <= 0x1F189);
  }
}

// Bytes that are printable in Latin-1 stand for themselves, the other 68 for U+0100 … U+0143 in order.
static bool shows_itself(uint32_t b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF); }

uint32_t tk_byte_char(uint8_t b) {
  if (shows_itself(b)) return b;
  return 0x100 + (b <= 0x20u ? b : b <= 0xA0u ? 33u + (b - 0x7Fu) : 67u);
}

int tk_char_byte(uint32_t c) {
  if (c < 0x100) return shows_itself(c) ? (int)c : -1;
  if (c < 0x121) return (int)(c - 0x100);
  if (c < 0x143) return (int)(c - 0x121 + 0x7F);
  return c == 0x143 ? 0xAD : -1;
}
