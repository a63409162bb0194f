/* access.c: who may use a key file: the entries of its security descriptor */
#include "descriptor.h"

#include "bytes.h"
#include "grant.h"

#include <stdlib.h>
#include <string.h>

/* MS-DTYP 2.4.5, 2.4.4: an ACL of 8 bytes, then entries: type, flags, size; plain ones mask, SID. */
#define ACL_HEADER 8
#define ACE_HEADER 4
#define ACE_SID 8

/* An entry of another kind (an object's, an auditing one) has its type and flags alone. */
static void take_entry(const uint8_t *entry, size_t size, km_access_entry *out) {
  out->type = entry[0];
  out->flags = entry[1];
  if (out->type > KM_ACCESS_DENY || size < ACE_SID) {
    return;
  }
  out->mask = km_u32(entry + ACE_HEADER);
  (void)km_sid_text(entry + ACE_SID, size - ACE_SID, out->sid);
}

static void take_entries(const uint8_t *dacl, size_t size, km_access *out) {
  size_t at = ACL_HEADER;
  unsigned count = size >= ACL_HEADER ? km_u16(dacl + 4) : 0;
  for (unsigned i = 0; i < count && at + ACE_HEADER <= size; i++) {
    size_t length = km_u16(dacl + at + 2);
    if (length < ACE_HEADER || length > size - at) {
      return;
    }
    if (out->count == KM_MAX_ACCESS) {
      out->truncated = true;
      return;
    }
    take_entry(dacl + at, length, &out->entries[out->count++]);
    at += length;
  }
}

static km_status take(const km_file_meta *meta, const char *name, km_access *out, km_error *error) {
  km_descriptor_parts parts;
  if (!meta->descriptor) {
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "\"%s\": this file system keeps no security descriptors", name);
  }
  if (!km_descriptor_take(meta->descriptor, meta->descriptor_size, &parts)) {
    return km_fail(error, KM_DAMAGED, 0, "\"%s\": its security descriptor is damaged", name);
  }
  (void)km_descriptor_owner(meta->descriptor, meta->descriptor_size, out->owner);
  out->is_protected = (parts.control & KM_CONTROL_DACL_PROTECTED) != 0;
  out->open = !parts.dacl;
  km_descriptor_sha256(meta->descriptor, meta->descriptor_size, out->sha256);
  if (!*out->sha256) {
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  }
  if (parts.dacl) {
    take_entries(parts.dacl, parts.dacl_size, out);
  }
  return KM_OK;
}

/* What stands beside the bytes of a file of the store; its descriptor is the caller's. */
static km_status read_meta(km_target *target, km_store_kind kind, const char *name,
                           km_file_meta *meta, km_error *error) {
  km_folder *folder;
  km_status status = km_store_folder(target, kind, &folder, error);
  if (status) {
    return status;
  }
  status = target->backend->meta_read(folder, name, meta, error);
  target->backend->folder_close(folder);
  return status;
}

km_status km_key_access(km_target *target, km_store_kind kind, const char *name, km_access *out,
                        km_error *error) {
  km_file_meta meta;
  memset(out, 0, sizeof *out);
  km_status status = read_meta(target, kind, name, &meta, error);
  if (!status) {
    status = take(&meta, name, out, error);
    free(meta.descriptor);
  }
  return status;
}

km_status km_key_grantable(km_target *target, const char *name, const km_grant *grants,
                           size_t count, km_error *error) {
  km_file_meta meta;
  uint8_t *made = NULL;
  size_t size;
  km_status status = read_meta(target, KM_STORE_RSA, name, &meta, error);
  if (status) {
    return status;
  }
  if (!meta.descriptor) {
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "\"%s\": this file system keeps no security descriptors", name);
  }
  status = km_descriptor_grant(meta.descriptor, meta.descriptor_size, grants, count, &made, &size,
                               error);
  free(made);
  free(meta.descriptor);
  return status;
}
