/* name.c: machine GUIDs and unique names. */
#include <string.h>

#include "keymend.h"

#define HASH_LENGTH 32
#define GUID_LENGTH 36
#define GUID_START (HASH_LENGTH + 1)
#define UNIQUE_LENGTH (GUID_START + GUID_LENGTH)

enum { DIGIT = 1, LOWER = 2, UPPER = 4, HEX = DIGIT | LOWER | UPPER };

/* What a byte is; one load a byte, since a scan classifies a million names. */
static const uint8_t byte_class[256] = {
    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT, ['5'] = DIGIT,
    ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT, ['a'] = LOWER, ['b'] = LOWER,
    ['c'] = LOWER, ['d'] = LOWER, ['e'] = LOWER, ['f'] = LOWER, ['A'] = UPPER, ['B'] = UPPER,
    ['C'] = UPPER, ['D'] = UPPER, ['E'] = UPPER, ['F'] = UPPER};

/* Makes an upper-case hex digit a lower-case one and leaves the other bytes of a GUID as they are. */
#define LOWER_BIT 0x20

/* Whether `count` bytes are all hex digits; *seen collects the classes. */
static bool is_hex(const char *text, size_t count, unsigned *seen) {
  unsigned all = HEX;
  for (size_t i = 0; i < count; i++) {
    unsigned kind = byte_class[(uint8_t)text[i]];
    if ((kind & HEX) == 0)
      all = 0;
    *seen |= kind;
  }
  return all != 0;
}

/* Whether the 36 bytes at `text` are a bare GUID, case ignored. */
static bool is_guid(const char *text, unsigned *seen) {
  return is_hex(text, 8, seen) && text[8] == '-' && is_hex(text + 9, 4, seen) && text[13] == '-' &&
         is_hex(text + 14, 4, seen) && text[18] == '-' && is_hex(text + 19, 4, seen) &&
         text[23] == '-' && is_hex(text + 24, 12, seen);
}

static void copy_lower(char *out, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    out[i] = (char)(text[i] | LOWER_BIT);
  out[length] = '\0';
}

km_guid_form km_guid_parse(const char *raw, char guid[KM_GUID_TEXT]) {
  guid[0] = '\0';
  if (raw == NULL)
    return KM_GUID_ABSENT;
  size_t length = strlen(raw);
  bool braces = length == GUID_LENGTH + 2 && raw[0] == '{' && raw[length - 1] == '}';
  if (!braces && length != GUID_LENGTH)
    return KM_GUID_MALFORMED;
  unsigned seen = 0;
  const char *text = braces ? raw + 1 : raw;
  if (!is_guid(text, &seen))
    return KM_GUID_MALFORMED;
  copy_lower(guid, text, GUID_LENGTH);
  if (braces)
    return KM_GUID_BRACES;
  return (seen & UPPER) != 0 ? KM_GUID_CASE : KM_GUID_PLAIN;
}

bool km_unique_name_parse(const char *name, km_unique_name *out) {
  unsigned seen = 0;
  memset(out, 0, sizeof *out);
  if (name == NULL || strlen(name) != UNIQUE_LENGTH)
    return false;
  if (!is_hex(name, HASH_LENGTH, &seen) || name[HASH_LENGTH] != '_' ||
      !is_guid(name + GUID_START, &seen))
    return false;
  copy_lower(out->hash, name, HASH_LENGTH);
  copy_lower(out->guid, name + GUID_START, GUID_LENGTH);
  out->upper = (seen & UPPER) != 0;
  return true;
}

km_name_class km_name_classify(const char *name, size_t length, const char *guid) {
  unsigned seen = 0;
  if (length != UNIQUE_LENGTH || name[HASH_LENGTH] != '_' || !is_hex(name, HASH_LENGTH, &seen) ||
      !is_guid(name + GUID_START, &seen))
    return KM_NAME_STRAY;
  if (guid == NULL || guid[0] == '\0')
    return KM_NAME_FOREIGN;
  for (size_t i = 0; i < GUID_LENGTH; i++)
    if ((name[GUID_START + i] | LOWER_BIT) != guid[i])
      return KM_NAME_FOREIGN;
  return KM_NAME_CURRENT;
}
