/* descriptor.c: security descriptors and SIDs as bytes: owners, and the descriptor of keymend's own folders. */
#include "descriptor.h"

#include "bytes.h"

#include <stdio.h>
#include <string.h>

#define MAX_SUB_AUTHORITIES 15
#define ACL_HEADER 8
#define ACE_HEADER 4

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
                             (unsigned long)km_u32(sid + 8 + 4 * i));
  }
}

bool km_sid_text(const uint8_t *sid, size_t size, char text[KM_SID_TEXT]) {
  bool whole = sid_size(sid, size, 0) > 0;
  text[0] = 0;
  if (whole) {
    sid_text(sid, text);
  }
  return whole;
}

/* The SID that a header field points to, or NULL. */
static const uint8_t *header_sid(const uint8_t *data, size_t size, size_t field) {
  if (size < KM_DESCRIPTOR_HEADER || data[0] != 1) {
    return NULL;
  }
  size_t offset = km_u32(data + field);
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

/* Takes the SID that a header field points to; none is NULL. false: there is one, and it is not whole. */
static bool take_sid(const uint8_t *data, size_t size, size_t field, const uint8_t **sid,
                     size_t *sid_bytes) {
  *sid = NULL;
  *sid_bytes = 0;
  if (km_u32(data + field) == 0)
    return true;
  *sid = header_sid(data, size, field);
  if (*sid)
    *sid_bytes = sid_size(data, size, km_u32(data + field));
  return *sid != NULL;
}

/* ACL: revision, 0, size (u16), entries (u16), 0 (u16); then entries: type, flags, size (u16), ... */
static bool take_dacl(const uint8_t *data, size_t size, km_descriptor_parts *out) {
  size_t offset = km_u32(data + 16);
  out->dacl = NULL;
  out->dacl_size = 0;
  if (!(out->control & KM_CONTROL_DACL_PRESENT) || offset == 0)
    return true;
  if (offset < KM_DESCRIPTOR_HEADER || offset > size || size - offset < ACL_HEADER)
    return false;
  const uint8_t *acl = data + offset;
  size_t whole = km_u16(acl + 2), end = ACL_HEADER;
  if (whole < ACL_HEADER || whole > size - offset)
    return false;
  for (unsigned i = km_u16(acl + 4); i > 0; i--) {
    size_t entry = whole - end >= ACE_HEADER ? km_u16(acl + end + 2) : 0;
    if (entry < ACE_HEADER || entry > whole - end)
      return false;
    end += entry;
  }
  out->dacl = acl;
  out->dacl_size = end;
  return true;
}

bool km_descriptor_take(const uint8_t *descriptor, size_t size, km_descriptor_parts *out) {
  memset(out, 0, sizeof *out);
  if (!descriptor || size < KM_DESCRIPTOR_HEADER || descriptor[0] != 1)
    return false;
  out->control = km_u16(descriptor + 2);
  return (out->control & KM_CONTROL_SELF_RELATIVE) != 0 &&
         take_sid(descriptor, size, 4, &out->owner, &out->owner_size) &&
         take_sid(descriptor, size, 8, &out->group, &out->group_size) &&
         take_dacl(descriptor, size, out);
}

static bool same_part(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  return (a == NULL) == (b == NULL) && a_size == b_size && (!a || memcmp(a, b, a_size) == 0);
}

/* The size of an ACL may count room behind its last entry. */
static bool same_dacl(const km_descriptor_parts *a, const km_descriptor_parts *b) {
  const unsigned counted = KM_CONTROL_DACL_PRESENT | KM_CONTROL_DACL_PROTECTED;
  if (((a->control ^ b->control) & counted) || !a->dacl || !b->dacl)
    return ((a->control ^ b->control) & counted) == 0 && !a->dacl && !b->dacl;
  return a->dacl[0] == b->dacl[0] && a->dacl_size == b->dacl_size &&
         memcmp(a->dacl + 4, b->dacl + 4, a->dacl_size - 4) == 0;
}

bool km_descriptor_equal(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  km_descriptor_parts first, second;
  if (!km_descriptor_take(a, a_size, &first) || !km_descriptor_take(b, b_size, &second))
    return same_part(a, a_size, b, b_size); /* what cannot be read may still be the same */
  return same_part(first.owner, first.owner_size, second.owner, second.owner_size) &&
         same_part(first.group, first.group_size, second.group, second.group_size) &&
         same_dacl(&first, &second);
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
  unsigned control = km_u16(descriptor + 2);
  size_t offset = km_u32(descriptor + 16);
  if (!(control & KM_CONTROL_DACL_PRESENT) || !(control & KM_CONTROL_DACL_PROTECTED) ||
      offset == 0) {
    return false;
  }
  *problem = "its access list is not the one of SYSTEM and Administrators alone";
  return offset >= KM_DESCRIPTOR_HEADER && offset <= size && size - offset >= acl &&
         memcmp(descriptor + offset, wanted + acl_at, acl) == 0;
}
