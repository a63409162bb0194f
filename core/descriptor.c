/* descriptor.c: security descriptors and SIDs as bytes: owners, and the descriptor of keymend's own folders. */
#include "descriptor.h"

#include <stdio.h>
#include <string.h>

#define MAX_SUB_AUTHORITIES 15
#define CONTROL_DACL_PRESENT 0x0004
#define CONTROL_DACL_PROTECTED 0x1000

static uint16_t get16(const uint8_t *at) {
  return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The bytes of a SID at `offset`, or 0 when there is no whole one. */
static size_t sid_size(const uint8_t *data, size_t size, size_t offset) {
  if (offset > size || size - offset < 8 || data[offset] != 1 ||
      data[offset + 1] > MAX_SUB_AUTHORITIES) {
    return 0;
  }
  size_t whole = 8 + 4 * (size_t)data[offset + 1];
  return whole <= size - offset ? whole : 0;
}

static void sid_text(const uint8_t *sid, char text[KM_SID_TEXT]) {
  uint64_t authority = 0;
  for (int i = 2; i < 8; i++) {
    authority = authority << 8 | sid[i];
  }
  /* At most "S-1-" + 15 digits + 15 * 11: 184 with the NUL. */
  size_t used = (size_t)snprintf(text, KM_SID_TEXT, "S-1-%llu", (unsigned long long)authority);
  for (int i = 0; i < sid[1] && used < KM_SID_TEXT; i++) {
    used += (size_t)snprintf(text + used, KM_SID_TEXT - used, "-%lu",
                             (unsigned long)get32(sid + 8 + 4 * i));
  }
}

/* The SID that a header field points to, or NULL. */
static const uint8_t *header_sid(const uint8_t *data, size_t size, size_t field) {
  if (size < KM_DESCRIPTOR_HEADER || data[0] != 1) {
    return NULL;
  }
  size_t offset = get32(data + field);
  return offset >= KM_DESCRIPTOR_HEADER && sid_size(data, size, offset) ? data + offset : NULL;
}

bool km_descriptor_owner(const uint8_t *descriptor, size_t size, char text[KM_SID_TEXT]) {
  const uint8_t *sid = descriptor ? header_sid(descriptor, size, 4) : NULL;
  text[0] = 0;
  if (sid) {
    sid_text(sid, text);
  }
  return sid != NULL;
}

bool km_sid_trusted(const char *sid) {
  static const char *const trusted[] = {"S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-32-544"};
  for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++) {
    if (!strcmp(sid, trusted[i])) {
      return true;
    }
  }
  return !strncmp(sid, "S-1-5-80-", 9);
}

/* SYSTEM twice, then a DACL of SYSTEM and Administrators. `flags` of both entries: 3 is object and
 * container inherit. */
size_t km_descriptor_private(bool folder, uint8_t out[KM_PRIVATE_DESCRIPTOR]) {
  uint8_t flags = folder ? 3 : 0;
  const uint8_t
      bytes[KM_PRIVATE_DESCRIPTOR] =
          {
              1, 0,     0x04, 0x94, 20,   0,    0,     0,  32, 0,    0,    0,    0, 0, 0,
              0, 44,    0,    0,    0,                                        /* header, PAI */
              1, 1,     0,    0,    0,    0,    0,     5,  18, 0,    0,    0, /* owner */
              1, 1,     0,    0,    0,    0,    0,     5,  18, 0,    0,    0, /* group */
              2, 0,     52,   0,    2,    0,    0,     0,                     /* DACL, 2 entries */
              0, flags, 20,   0,    0xFF, 0x01, 0x1F,  0,  1,  1,    0,    0,    0, 0, 0,
              5, 18,    0,    0,    0,    0,    flags, 24, 0,  0xFF, 0x01, 0x1F, 0, 1, 2,
              0, 0,     0,    0,    0,    5,    32,    0,  0,  0,    32,   2,    0, 0,
          };
  memcpy(out, bytes, sizeof bytes);
  return sizeof bytes;
}

bool km_descriptor_is_private(const uint8_t *descriptor, size_t size, const char **problem) {
  uint8_t wanted[KM_PRIVATE_DESCRIPTOR];
  km_descriptor_private(true, wanted);
  const uint8_t *owner = descriptor ? header_sid(descriptor, size, 4) : NULL;
  const uint8_t *group = descriptor ? header_sid(descriptor, size, 8) : NULL;
  const size_t sid = 12, acl_at = 44, acl = KM_PRIVATE_DESCRIPTOR - acl_at;
  *problem = "it has no readable security descriptor";
  if (!owner || !group) {
    return false;
  }
  *problem = "its owner or group is not SYSTEM";
  if (owner[1] != 1 || memcmp(owner, wanted + 20, sid) != 0 || group[1] != 1 ||
      memcmp(group, wanted + 32, sid) != 0) {
    return false;
  }
  *problem = "it inherits access, or has no access list";
  unsigned control = get16(descriptor + 2);
  size_t offset = get32(descriptor + 16);
  if (!(control & CONTROL_DACL_PRESENT) || !(control & CONTROL_DACL_PROTECTED) || offset == 0) {
    return false;
  }
  *problem = "its access list is not the one of SYSTEM and Administrators alone";
  return offset >= KM_DESCRIPTOR_HEADER && offset <= size && size - offset >= acl &&
         memcmp(descriptor + offset, wanted + acl_at, acl) == 0;
}
