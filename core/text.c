/* text.c: characters in UTF-8, UTF-16LE and Windows-1252. */
#include "text.h"

/* Bytes 80 to 9F; the rest of Windows-1252 equals Latin-1. Source: Unicode's mapping of the code
 * page. */
static const uint16_t cp1252_high[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

/* How many bytes a sequence has that begins with `first`, and the smallest code point that needs so
 * many. 0: `first` begins none. */
static size_t sequence_length(uint8_t first, uint32_t *smallest) {
  if (first >= 0xC2 && first <= 0xDF)
    return *smallest = 0x80, 2;
  if (first >= 0xE0 && first <= 0xEF)
    return *smallest = 0x800, 3;
  if (first >= 0xF0 && first <= 0xF4)
    return *smallest = 0x10000, 4;
  return 0;
}

static bool is_surrogate(uint32_t code) {
  return code >= 0xD800 && code <= 0xDFFF;
}

uint32_t km_utf8_next(const char *text, size_t length, size_t *used) {
  const uint8_t *bytes = (const uint8_t *)text;
  *used = 1;
  if (bytes[0] < 0x80)
    return bytes[0];
  uint32_t smallest = 0;
  size_t count = sequence_length(bytes[0], &smallest);
  if (count == 0 || count > length)
    return KM_BROKEN_BYTE + bytes[0];
  uint32_t code = bytes[0] & (0x7Fu >> count);
  for (size_t i = 1; i < count; i++) {
    if ((bytes[i] & 0xC0) != 0x80)
      return KM_BROKEN_BYTE + bytes[0];
    code = code << 6 | (bytes[i] & 0x3Fu);
  }
  if (code < smallest || code > KM_MAX_CODE_POINT || is_surrogate(code))
    return KM_BROKEN_BYTE + bytes[0];
  *used = count;
  return code;
}

size_t km_utf8_put(uint32_t code, char out[4]) {
  if (code > KM_MAX_CODE_POINT || is_surrogate(code))
    return 0;
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = count - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (char)((0xF00u >> count & 0xFFu) | code);
  return count;
}

uint32_t km_utf16_next(const uint8_t *data, size_t count, size_t *used) {
  uint32_t high = data[0] | (uint32_t)data[1] << 8;
  *used = 1;
  if (high < 0xD800 || high > 0xDBFF || count < 2)
    return high;
  uint32_t low = data[2] | (uint32_t)data[3] << 8;
  if (low < 0xDC00 || low > 0xDFFF)
    return high;
  *used = 2;
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

int km_cp1252_from_code(uint32_t code) {
  if (code < 0x80 || (code >= 0xA0 && code <= 0xFF))
    return (int)code;
  for (int i = 0; i < 32; i++)
    if (cp1252_high[i] == code)
      return 0x80 + i;
  return -1;
}

uint32_t km_cp1252_to_code(uint8_t byte) {
  return byte >= 0x80 && byte <= 0x9F ? cp1252_high[byte - 0x80] : byte;
}

uint32_t km_fold(uint32_t code) {
  if (code < 0x80)
    return code >= 'A' && code <= 'Z' ? code + 32 : code;
  if (code >= 0xC0 && code <= 0xDE && code != 0xD7)
    return code + 32; /* Latin-1, not the times sign */
  if (code >= 0x391 && code <= 0x3AB && code != 0x3A2)
    return code + 32; /* Greek */
  if (code >= 0x410 && code <= 0x42F)
    return code + 32; /* Cyrillic */
  if (code >= 0x400 && code <= 0x40F)
    return code + 80;
  return code;
}
