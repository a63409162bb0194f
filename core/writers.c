/* writers.c: who may change a file or folder, read from its security descriptor */
#include "writers.h"

#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#define ACL_HEADER 8
#define ACE_MASK 4 /* where the rights stand in an entry of the plain kinds; the SID follows */
#define ACE_SID 8

#define INHERIT_ONLY 0x08u /* says nothing about the folder itself */
#define GENERIC_ALL_RIGHT 0x10000000u
#define GENERIC_WRITE_RIGHT 0x40000000u
#define WRITE_DATA_RIGHTS 0x00000006u /* what GENERIC_WRITE is of the rights that count here */

/* Types of entries (MS-DTYP 2.4.4.1). */
enum {
  ALLOWED = 0,
  DENIED = 1,
  DENIED_OBJECT = 6,
  ALLOWED_CALLBACK = 9,
  DENIED_CALLBACK = 10,
  DENIED_CALLBACK_OBJECT = 12
};

/* The built-in Administrator, Domain Admins, Enterprise Admins. */
static bool is_administrator(const char *sid) {
  static const char *const ends[] = {"-500", "-512", "-519"};
  size_t length = strlen(sid);
  for (size_t i = 0; strncmp(sid, "S-1-5-21-", 9) == 0 && i < sizeof ends / sizeof *ends; i++) {
    if (strcmp(sid + length - 4, ends[i]) == 0)
      return true;
  }
  return false;
}

static bool is_trusted(const char *sid, const char *own) {
  return km_sid_trusted(sid) || is_administrator(sid) || (own != NULL && strcmp(sid, own) == 0);
}

/* CREATOR OWNER, CREATOR GROUP, OWNER RIGHTS: nobody has them, or the owner, who is judged by himself. */
static bool is_placeholder(const char *sid) {
  return strcmp(sid, "S-1-3-0") == 0 || strcmp(sid, "S-1-3-1") == 0 || strcmp(sid, "S-1-3-4") == 0;
}

static bool denies(uint8_t type) {
  return type == DENIED || type == DENIED_OBJECT || type == DENIED_CALLBACK ||
         type == DENIED_CALLBACK_OBJECT;
}

static bool grants(uint32_t mask, uint32_t rights) {
  if ((mask & GENERIC_ALL_RIGHT) != 0)
    return true;
  if ((mask & GENERIC_WRITE_RIGHT) != 0)
    mask |= WRITE_DATA_RIGHTS;
  return (mask & rights) != 0;
}

static km_writers judge_entry(const uint8_t *entry, size_t size, uint32_t rights, const char *own,
                              char sid[KM_SID_TEXT]) {
  if (denies(entry[0]) || (entry[1] & INHERIT_ONLY) != 0)
    return KM_WRITERS_TRUSTED;
  if ((entry[0] != ALLOWED && entry[0] != ALLOWED_CALLBACK) || size < ACE_SID ||
      !km_sid_text(entry + ACE_SID, size - ACE_SID, sid))
    return KM_WRITERS_UNKNOWN;
  bool fine =
      !grants(km_u32(entry + ACE_MASK), rights) || is_trusted(sid, own) || is_placeholder(sid);
  return fine ? KM_WRITERS_TRUSTED : KM_WRITERS_OTHER;
}

km_writers km_writers_judge(const uint8_t *descriptor, size_t size, uint32_t rights,
                            const char *own, char sid[KM_SID_TEXT]) {
  km_descriptor_parts parts;
  km_writers found = KM_WRITERS_TRUSTED;
  sid[0] = '\0';
  if (!km_descriptor_take(descriptor, size, &parts) || parts.owner == NULL ||
      !km_sid_text(parts.owner, parts.owner_size, sid))
    return KM_WRITERS_UNKNOWN;
  if (!is_trusted(sid, own))
    return KM_WRITERS_OWNER;
  sid[0] = '\0';
  if (parts.dacl == NULL)
    return KM_WRITERS_EVERYONE;
  for (size_t at = ACL_HEADER; found == KM_WRITERS_TRUSTED && at < parts.dacl_size;) {
    const uint8_t *entry = parts.dacl + at;
    size_t length = (size_t)(entry[2] | entry[3] << 8); /* checked by km_descriptor_take */
    found = judge_entry(entry, length, rights, own, sid);
    at += length;
  }
  if (found != KM_WRITERS_OTHER)
    sid[0] = '\0';
  return found;
}
