/* escape.c: names from a volume made harmless for a terminal. */
#include <stdio.h>
#include <string.h>

#include "keymend.h"
#include "text.h"

typedef struct code_range {
  uint32_t first, last;
} code_range;

/* Characters that steer a terminal, turn the writing direction, or cannot be seen. In order. */
static const code_range hidden[] = {
    {0x0000, 0x001F},   /* C0 */
    {0x007F, 0x009F},   /* DEL and C1 */
    {0x00AD, 0x00AD},   /* soft hyphen */
    {0x034F, 0x034F},   /* combining grapheme joiner */
    {0x061C, 0x061C},   /* Arabic letter mark */
    {0x115F, 0x1160},   /* Hangul fillers */
    {0x17B4, 0x17B5},   /* Khmer inherent vowels */
    {0x180B, 0x180F},   /* Mongolian selectors and vowel separator */
    {0x200B, 0x200F},   /* zero-width space and joiners, direction marks */
    {0x2028, 0x202E},   /* line and paragraph separator, bidi embeddings and overrides */
    {0x2060, 0x206F},   /* word joiner, invisible operators, bidi isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xFE00, 0xFE0F},   /* variation selectors */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFA0, 0xFFA0},   /* half-width Hangul filler */
    {0xFFF0, 0xFFFB},   /* unassigned specials, interlinear annotation */
    {0xFFFE, 0xFFFF},   /* no characters */
    {0x13430, 0x1343F}, /* Egyptian format controls */
    {0x1BCA0, 0x1BCA3}, /* shorthand format controls */
    {0x1D173, 0x1D17A}, /* musical format controls */
    {0xE0000, 0xE0FFF}, /* tags, further variation selectors */
};

static bool is_hidden(uint32_t code) {
  size_t low = 0;
  size_t high = sizeof hidden / sizeof hidden[0];
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (code > hidden[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < sizeof hidden / sizeof hidden[0] && code >= hidden[low].first;
}

#define KM_MAX_ESCAPE 16 /* "\u{10FFFF}" and NUL, with room */

size_t km_escape(const char *text, size_t length, char *out, size_t size) {
  size_t needed = 0;
  size_t written = 0;
  size_t used = 0;
  bool full = false; /* after the first unit that does not fit, nothing more is written */
  for (size_t at = 0; at < length; at += used) {
    uint32_t code = km_utf8_next(text + at, length - at, &used);
    char escape[KM_MAX_ESCAPE];
    const char *unit = escape;
    size_t count;
    if (code >= KM_BROKEN_BYTE) {
      count = (size_t)snprintf(escape, sizeof escape, "\\x%02X", (unsigned)(code & 0xFF));
    } else if (is_hidden(code)) {
      count = (size_t)snprintf(escape, sizeof escape, "\\u{%04X}", (unsigned)code);
    } else {
      unit = text + at;
      count = used;
    }
    needed += count;
    full = full || needed >= size;
    if (full)
      continue;
    memcpy(out + written, unit, count);
    written += count;
  }
  if (size > 0)
    out[written] = '\0';
  return needed;
}
