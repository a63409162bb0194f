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

/* Every `step`th code point from `first` to `last` is an upper-case letter whose lower-case form is `delta`
 * further. Source: Unicode CaseFolding.txt, status C and S, up to U+052F. */
typedef struct fold_range {
  uint32_t first, last, step;
  int32_t delta;
} fold_range;

static const fold_range fold_ranges[] = {
    {0x0041, 0x005A, 1, 32}, {0x00C0, 0x00D6, 1, 32},   {0x00D8, 0x00DE, 1, 32},
    {0x0100, 0x012E, 2, 1},  {0x0132, 0x0136, 2, 1},    {0x0139, 0x0147, 2, 1},
    {0x014A, 0x0176, 2, 1},  {0x0178, 0x0178, 1, -121}, {0x0179, 0x017D, 2, 1},
    {0x0386, 0x0386, 1, 38}, {0x0388, 0x038A, 1, 37},   {0x038C, 0x038C, 1, 64},
    {0x038E, 0x038F, 1, 63}, {0x0391, 0x03A1, 1, 32},   {0x03A3, 0x03AB, 1, 32},
    {0x03C2, 0x03C2, 1, 1},  {0x0400, 0x040F, 1, 80},   {0x0410, 0x042F, 1, 32},
    {0x0460, 0x0480, 2, 1},  {0x048A, 0x04BE, 2, 1},    {0x04D0, 0x052E, 2, 1},
};

uint32_t km_fold(uint32_t code) {
  for (size_t i = 0; i < sizeof fold_ranges / sizeof *fold_ranges; i++) {
    const fold_range *range = &fold_ranges[i];
    if (code >= range->first && code <= range->last && (code - range->first) % range->step == 0)
      return (uint32_t)((int32_t)code + range->delta);
  }
  return code;
}

size_t km_fold_text(const char *text, size_t length, char *out, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < length && used + 2 < size; i++) {
    unsigned char byte = (unsigned char)text[i];
    unsigned char next = i + 1 < length ? (unsigned char)text[i + 1] : 0;
    if (byte >= 'A' && byte <= 'Z') {
      out[used++] = (char)(byte + 32);
    } else if (byte >= 0xC3 && byte <= 0xDF && (next & 0xC0) == 0x80) {
      /* What km_fold changes beyond ASCII has two bytes, and so has the lower-case form. */
      uint32_t point = km_fold((uint32_t)(byte & 0x1F) << 6 | (next & 0x3F));
      out[used++] = (char)(0xC0 | point >> 6);
      out[used++] = (char)(0x80 | (point & 0x3F));
      i++;
    } else {
      out[used++] = (char)byte;
    }
  }
  if (size > 0) {
    out[used] = 0;
  }
  return used;
}

/* ---- GUIDs ---- */

void km_guid_bytes_text(const uint8_t bytes[16], char text[KM_GUID_TEXT]) {
  static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  static const char digits[] = "0123456789abcdef";
  size_t used = 0;
  for (size_t i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      text[used++] = '-';
    text[used++] = digits[bytes[order[i]] >> 4];
    text[used++] = digits[bytes[order[i]] & 15];
  }
  text[used] = '\0';
}
