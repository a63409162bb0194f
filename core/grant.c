/* grant.c: adds allow entries to a security descriptor, and tells what was added to one
 *
 * Layout: MS-DTYP 2.4.4 (entries), 2.4.5 (ACL), 2.4.6 (descriptor). Windows expects the entries of a
 * DACL in this order: explicit ones that deny, explicit ones that allow, inherited ones. What is
 * added goes behind the last explicit entry, so that it takes nothing away from one that denies.
 */
#include "grant.h"

#include "bytes.h"
#include "descriptor.h"

#include <stdlib.h>
#include <string.h>

#define ACL_HEADER 8
#define ACE_HEADER 4
#define MAX_ACL 65535 /* bytes; the field has 16 bits */
#define SID_BYTES 68  /* of the longest one */
#define CONTROL_SACL_PRESENT 0x0010u

#define INHERIT_ONLY 0x08
#define INHERITED 0x10

typedef struct ace {
  const uint8_t *data;
  size_t size;
} ace;

/* What an entry's type says; others (auditing ones) have no place in a DACL. */
static const struct kind {
  uint8_t type;
  bool denies, object; /* object: GUIDs stand before the SID, as its flags tell */
} kinds[] = {
    {0, false, false}, {1, true, false},  {5, false, true},  {6, true, true},
    {9, false, false}, {10, true, false}, {11, false, true}, {12, true, true},
};

static const struct kind *kind_of(const ace *entry) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].type == entry->data[0])
      return &kinds[i];
  return NULL;
}

/* ---- SIDs ---- */

/* A decimal number without leading zeros, and what follows it; NULL: none, or above `max`. */
static const char *read_number(const char *text, uint64_t max, uint64_t *out) {
  uint64_t value = 0;
  if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
    return NULL;
  for (; *text >= '0' && *text <= '9'; text++) {
    value = value * 10 + (uint64_t)(*text - '0');
    if (value > max)
      return NULL;
  }
  *out = value;
  return text;
}

/* A SID of the NT authority ("S-1-5-...") as bytes; 0: it is none. */
static size_t sid_bytes(const char *text, uint8_t out[SID_BYTES]) {
  static const uint8_t head[8] = {1, 0, 0, 0, 0, 0, 0, 5};
  size_t size = sizeof head;
  if (strncmp(text, "S-1-5-", 6) != 0)
    return 0;
  memcpy(out, head, sizeof head);
  for (text += 5; *text == '-'; size += 4) {
    uint64_t value = 0;
    text = size < SID_BYTES ? read_number(text + 1, UINT32_MAX, &value) : NULL;
    if (text == NULL)
      return 0;
    for (unsigned i = 0; i < 4; i++)
      out[size + i] = (uint8_t)(value >> (8 * i));
    out[1]++;
  }
  return *text == '\0' ? size : 0;
}

bool km_grant_allowed(const char *sid, uint32_t mask) {
  uint8_t bytes[SID_BYTES];
  return sid != NULL && km_sid_trusted(sid) && sid_bytes(sid, bytes) > 0 &&
         (mask == KM_GRANT_READ || mask == KM_GRANT_FULL);
}

/* ---- Entries ---- */

/* The entry at *at of a DACL that km_descriptor_take found whole; false at its end. */
static bool next_ace(const km_descriptor_parts *parts, size_t *at, ace *out) {
  if (parts->dacl == NULL || *at >= parts->dacl_size)
    return false;
  out->data = parts->dacl + *at;
  out->size = km_u16(out->data + 2);
  *at += out->size;
  return true;
}

/* Where the SID of an entry stands, 0: its bytes do not hold one. */
static size_t sid_at(const ace *entry, const struct kind *kind) {
  size_t at = 8;
  if (kind->object && entry->size >= 12) {
    uint32_t flags = km_u32(entry->data + 8);
    at = 12 + (flags & 1 ? 16 : 0) + (flags & 2 ? 16 : 0);
  }
  char text[KM_SID_TEXT];
  return at < entry->size && km_sid_text(entry->data + at, entry->size - at, text) ? at : 0;
}

/* Explicit and denying, explicit and allowing, inherited. */
static int rank_of(const ace *entry, const struct kind *kind) {
  return entry->data[1] & INHERITED ? 2 : kind->denies ? 0 : 1;
}

/* Everyone and Authenticated Users have every service among them. */
static bool denies_it(const char *sid, const km_grant *grants, size_t count) {
  bool denies = strcmp(sid, "S-1-1-0") == 0 || strcmp(sid, "S-1-5-11") == 0;
  for (size_t i = 0; i < count; i++)
    denies |= strcmp(sid, grants[i].sid) == 0;
  return denies;
}

static km_status check_ace(const ace *entry, const km_grant *grants, size_t count, int *rank,
                           km_error *error) {
  const struct kind *kind = kind_of(entry);
  size_t at = kind != NULL ? sid_at(entry, kind) : 0;
  char sid[KM_SID_TEXT];
  if (at == 0)
    return km_fail(error, KM_REFUSED, 0,
                   "its security descriptor has an entry of a kind that keymend does not know (type"
                   " %u): add what is missing by hand",
                   (unsigned)entry->data[0]);
  if (rank_of(entry, kind) < *rank)
    return km_fail(error, KM_REFUSED, 0,
                   "the entries of its security descriptor do not stand in the order that Windows"
                   " expects, so it cannot be told what an added one would do: let Windows put"
                   " them in order (Properties, Security), then make a new plan");
  *rank = rank_of(entry, kind);
  km_sid_text(entry->data + at, entry->size - at, sid);
  if (kind->denies && !(entry->data[1] & INHERIT_ONLY) && denies_it(sid, grants, count))
    return km_fail(error, KM_REFUSED, 0,
                   "an entry of its security descriptor denies %s, and would go before what is"
                   " added: take it away by hand if it should not be there, then make a new plan",
                   sid);
  return KM_OK;
}

static km_status check_grants(const km_grant *grants, size_t count, km_error *error) {
  for (size_t i = 0; i < count; i++)
    if (!km_grant_allowed(grants[i].sid, grants[i].mask))
      return km_fail(error, KM_MISUSE, 0,
                     "an entry is to be added that keymend never adds: only read or full rights,"
                     " and only for SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators or a"
                     " service");
  return KM_OK;
}

/* Checks all entries; *end gets where the first inherited one begins, or where the last one ends. */
static km_status check_dacl(const km_descriptor_parts *parts, const km_grant *grants, size_t count,
                            size_t *end, km_error *error) {
  size_t at = ACL_HEADER;
  int rank = 0;
  ace entry;
  *end = ACL_HEADER;
  while (next_ace(parts, &at, &entry)) {
    km_status status = check_ace(&entry, grants, count, &rank, error);
    if (status != KM_OK)
      return status;
    if (rank < 2)
      *end = at;
  }
  return KM_OK;
}

/* What the generic rights of a mask are for files. */
static uint32_t mapped(uint32_t mask) {
  return mask | (mask & 0x80000000u ? KM_GRANT_READ : 0) | (mask & 0x10000000u ? KM_GRANT_FULL : 0);
}

/* Whether entries for that very SID give all of it. */
static bool is_given(const km_descriptor_parts *parts, const km_grant *grant) {
  size_t at = ACL_HEADER;
  uint32_t given = 0;
  ace entry;
  while (next_ace(parts, &at, &entry)) {
    char sid[KM_SID_TEXT];
    if (entry.data[0] == KM_ACCESS_ALLOW && !(entry.data[1] & INHERIT_ONLY) && entry.size > 8 &&
        km_sid_text(entry.data + 8, entry.size - 8, sid) && strcmp(sid, grant->sid) == 0)
      given |= mapped(km_u32(entry.data + 4));
  }
  return (given & grant->mask) == grant->mask;
}

/* ---- Building ---- */

static void put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, size_t value) {
  put16(at, value & 0xFFFF);
  put16(at + 2, value >> 16);
}

/* The new entries in a row: type, flags, size, mask, SID. */
typedef struct additions {
  uint8_t data[KM_MAX_GRANTS * (8 + SID_BYTES)];
  size_t size, count;
} additions;

static km_status collect(const km_descriptor_parts *parts, const km_grant *grants, size_t count,
                         additions *out, km_error *error) {
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < count; i++) {
    uint8_t *entry = out->data + out->size;
    if (is_given(parts, &grants[i]))
      continue;
    size_t sid = sid_bytes(grants[i].sid, entry + 8);
    put16(entry + 2, 8 + sid);
    put32(entry + 4, grants[i].mask);
    out->size += 8 + sid;
    out->count++;
  }
  if (out->count == 0)
    return km_fail(error, KM_REFUSED, 0, "nothing is missing in its security descriptor");
  return KM_OK;
}

/* The SACL of a descriptor, NULL: it has none. false: it is not whole. */
static bool take_sacl(const uint8_t *data, size_t size, const uint8_t **sacl, size_t *bytes) {
  size_t offset = km_u32(data + 12);
  *sacl = NULL;
  *bytes = 0;
  if (!(km_u16(data + 2) & CONTROL_SACL_PRESENT) || offset == 0)
    return true;
  if (offset < KM_DESCRIPTOR_HEADER || offset > size || size - offset < ACL_HEADER)
    return false;
  *sacl = data + offset;
  *bytes = km_u16(*sacl + 2);
  return *bytes >= ACL_HEADER && *bytes <= size - offset;
}

/* Puts a part behind the others, on a multiple of four, and tells the header where. */
static void put_part(uint8_t *out, size_t *used, size_t field, const uint8_t *data, size_t size) {
  put32(out + field, data != NULL ? *used : 0);
  if (data == NULL)
    return;
  memcpy(out + *used, data, size);
  *used += (size + 3) & ~(size_t)3;
}

/* Behind the other parts: the DACL with `new` at `at`. */
static void put_dacl(uint8_t *out, size_t *used, const km_descriptor_parts *parts, size_t at,
                     const additions *new) {
  uint8_t *dacl = out + *used;
  size_t size = parts->dacl_size + new->size;
  put32(out + 16, *used);
  memcpy(dacl, parts->dacl, at);
  memcpy(dacl + at, new->data, new->size);
  memcpy(dacl + at + new->size, parts->dacl + at, parts->dacl_size - at);
  put16(dacl + 2, size);
  put16(dacl + 4, km_u16(parts->dacl + 4) + new->count);
  *used += (size + 3) & ~(size_t)3;
}

static km_status unreadable(km_error *error) {
  return km_fail(error, KM_REFUSED, 0,
                 "its security descriptor is damaged: let Windows write a new one (icacls /reset)");
}

km_status km_descriptor_grant(const uint8_t *descriptor, size_t size, const km_grant *grants,
                              size_t count, uint8_t **out, size_t *out_size, km_error *error) {
  km_descriptor_parts parts;
  const uint8_t *sacl;
  size_t sacl_size, at = 0;
  additions new;
  *out = NULL;
  *out_size = 0;
  if (!km_descriptor_take(descriptor, size, &parts) ||
      !take_sacl(descriptor, size, &sacl, &sacl_size))
    return unreadable(error);
  if (count == 0 || count > KM_MAX_GRANTS)
    return km_fail(error, KM_MISUSE, 0, "1 to %d entries can be added", KM_MAX_GRANTS);
  if (parts.dacl == NULL)
    return km_fail(error, KM_REFUSED, 0,
                   "it has no access list, so everyone may do everything with it: there is nothing"
                   " to add");
  km_status status = check_grants(grants, count, error);
  if (status == KM_OK)
    status = check_dacl(&parts, grants, count, &at, error);
  if (status == KM_OK)
    status = collect(&parts, grants, count, &new, error);
  if (status != KM_OK)
    return status;
  size_t room = KM_DESCRIPTOR_HEADER + parts.owner_size + parts.group_size + sacl_size + 3 +
                parts.dacl_size + new.size + 3;
  if (parts.dacl_size + new.size > MAX_ACL || room > KM_MAX_DESCRIPTOR)
    return km_fail(error, KM_LIMIT, 0, "its security descriptor has no room for more entries");
  uint8_t *made = calloc(1, room);
  if (made == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  size_t used = KM_DESCRIPTOR_HEADER;
  memcpy(made, descriptor, 4); /* revision, resource manager's byte, control */
  put_part(made, &used, 4, parts.owner, parts.owner_size);
  put_part(made, &used, 8, parts.group, parts.group_size);
  put_part(made, &used, 12, sacl, sacl_size);
  put_dacl(made, &used, &parts, at, &new);
  *out = made;
  *out_size = used;
  return KM_OK;
}

/* ---- Comparing ---- */

static bool same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  return (a == NULL) == (b == NULL) && a_size == b_size && (a == NULL || !memcmp(a, b, a_size));
}

/* All but the DACL. */
static bool same_rest(const uint8_t *a, size_t a_size, const km_descriptor_parts *x,
                      const uint8_t *b, size_t b_size, const km_descriptor_parts *y) {
  const uint8_t *sacl, *other;
  size_t sacl_size, other_size;
  return memcmp(a, b, 4) == 0 && take_sacl(a, a_size, &sacl, &sacl_size) &&
         take_sacl(b, b_size, &other, &other_size) &&
         same_bytes(sacl, sacl_size, other, other_size) &&
         same_bytes(x->owner, x->owner_size, y->owner, y->owner_size) &&
         same_bytes(x->group, x->group_size, y->group, y->group_size);
}

/* Whether an entry is one that km_descriptor_grant makes. */
static bool take_added(const ace *entry, km_access_entry *out) {
  size_t sid = entry->size > 8 ? entry->size - 8 : 0;
  memset(out, 0, sizeof *out);
  if (entry->data[0] != KM_ACCESS_ALLOW || entry->data[1] != 0 || sid < 8 ||
      sid != 8 + 4 * (size_t)entry->data[9] || !km_sid_text(entry->data + 8, sid, out->sid))
    return false;
  out->mask = km_u32(entry->data + 4);
  return km_grant_allowed(out->sid, out->mask);
}

bool km_descriptor_added(const uint8_t *before, size_t before_size, const uint8_t *after,
                         size_t after_size, km_access_entry added[KM_MAX_GRANTS], size_t *count) {
  km_descriptor_parts old, new;
  size_t old_at = ACL_HEADER, at = ACL_HEADER;
  ace entry, kept;
  *count = 0;
  if (!km_descriptor_take(before, before_size, &old) ||
      !km_descriptor_take(after, after_size, &new) || old.dacl == NULL || new.dacl == NULL ||
      !same_rest(before, before_size, &old, after, after_size, &new) || old.dacl[0] != new.dacl[0])
    return false;
  bool more = next_ace(&old, &old_at, &kept);
  while (next_ace(&new, &at, &entry)) {
    km_access_entry one;
    if (more && same_bytes(entry.data, entry.size, kept.data, kept.size)) {
      more = next_ace(&old, &old_at, &kept);
      continue;
    }
    bool explicit_behind = more && !(kept.data[1] & INHERITED);
    if (explicit_behind || *count == KM_MAX_GRANTS || !take_added(&entry, &one))
      return false;
    if (added != NULL)
      added[*count] = one;
    ++*count;
  }
  return !more && *count > 0;
}

/* ---- Its hash ---- */

static void hash_part(km_sha256_state *state, const uint8_t *data, size_t size) {
  uint8_t head[5] = {data != NULL};
  put32(head + 1, size);
  km_sha256_add(state, head, sizeof head);
  if (data != NULL)
    km_sha256_add(state, data, size);
}

void km_descriptor_sha256(const uint8_t *descriptor, size_t size, char text[KM_SHA256_TEXT]) {
  km_descriptor_parts parts;
  text[0] = '\0';
  if (!km_descriptor_take(descriptor, size, &parts))
    return;
  km_sha256_state *state = km_sha256_begin();
  if (state == NULL)
    return;
  uint8_t control[2];
  put16(control, parts.control & (KM_CONTROL_DACL_PRESENT | KM_CONTROL_DACL_PROTECTED));
  km_sha256_add(state, control, sizeof control);
  hash_part(state, parts.owner, parts.owner_size);
  hash_part(state, parts.group, parts.group_size);
  if (parts.dacl != NULL) { /* its size may count room behind the last entry */
    hash_part(state, parts.dacl, 2);
    hash_part(state, parts.dacl + 4, parts.dacl_size - 4);
  }
  km_sha256_finish(state, text);
}
