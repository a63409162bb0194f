/* name.c: machine GUIDs and unique names. */
#include <string.h>

#include "keymend.h"

#define HASH_LENGTH 32
#define GUID_LENGTH 36
#define GUID_START (HASH_LENGTH + 1)
#define UNIQUE_LENGTH (GUID_START + GUID_LENGTH)

/* Makes an upper-case hex digit a lower-case one and leaves the other bytes of a GUID as they are. */
#define LOWER_BIT 0x20

/* Whether all of `count` bytes are hex digits. A scan classifies a million names, and without a
 * branch the compiler makes a few vector instructions of this loop. */
static inline bool is_hex(const char *text, size_t count) {
  uint8_t bad = 0;
  for (size_t i = 0; i < count; i++) {
    uint8_t digit = (uint8_t)(text[i] - '0');
    uint8_t letter = (uint8_t)((text[i] | LOWER_BIT) - 'a');
    bad |= (uint8_t)((digit > 9) & (letter > 5));
  }
  return bad == 0;
}

/* Whether the 36 bytes at `text` are a bare GUID, case ignored. Its digits are gathered first, so
 * that one loop of a fixed length tests them. */
static inline bool is_guid(const char *text) {
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
    return false;
  char digits[HASH_LENGTH];
  memcpy(digits, text, 8);
  memcpy(digits + 8, text + 9, 4);
  memcpy(digits + 12, text + 14, 4);
  memcpy(digits + 16, text + 19, 4);
  memcpy(digits + 20, text + 24, 12);
  return is_hex(digits, sizeof digits);
}

/* Whether the 69 bytes at `name` are a unique name. */
static inline bool is_unique(const char *name) {
  return name[HASH_LENGTH] == '_' && is_hex(name, HASH_LENGTH) && is_guid(name + GUID_START);
}

static bool has_upper(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (text[i] >= 'A' && text[i] <= 'F')
      return true;
  return false;
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
  const char *text = braces ? raw + 1 : raw;
  if (!is_guid(text))
    return KM_GUID_MALFORMED;
  copy_lower(guid, text, GUID_LENGTH);
  if (braces)
    return KM_GUID_BRACES;
  return has_upper(text, GUID_LENGTH) ? KM_GUID_CASE : KM_GUID_PLAIN;
}

bool km_unique_name_parse(const char *name, km_unique_name *out) {
  memset(out, 0, sizeof *out);
  if (name == NULL || strlen(name) != UNIQUE_LENGTH || !is_unique(name))
    return false;
  copy_lower(out->hash, name, HASH_LENGTH);
  copy_lower(out->guid, name + GUID_START, GUID_LENGTH);
  out->upper = has_upper(name, UNIQUE_LENGTH);
  return true;
}

km_name_class km_name_classify(const char *name, size_t length, const char *guid) {
  if (length != UNIQUE_LENGTH || !is_unique(name))
    return KM_NAME_STRAY;
  if (guid == NULL || guid[0] == '\0')
    return KM_NAME_FOREIGN;
  const char *suffix = name + GUID_START;
  if (memcmp(suffix, guid, GUID_LENGTH) == 0)
    return KM_NAME_CURRENT;
  for (size_t i = 0; i < GUID_LENGTH; i++)
    if ((suffix[i] | LOWER_BIT) != guid[i])
      return KM_NAME_FOREIGN;
  return KM_NAME_CURRENT;
}
