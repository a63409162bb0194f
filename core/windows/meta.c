/* meta.c: what a file on Windows has beside its bytes, read, set and compared.
 *
 * Kept through vault, rename and undo: creation and last-write time, the attributes of KM_ATTRIBUTES_KEPT, owner, group
 * and DACL with its protected and auto-inherited marks. A rename or a second name keeps everything else too. A copy in
 * the vault does not: so a file with further data streams, extended attributes or encryption (EFS) is refused before
 * anything is touched. Not kept by a copy, and no reason to refuse: the SACL (auditing, for which nobody but auditors has
 * a right), compression and sparseness (how a volume stores the bytes), object ids and short names.
 */
#include "descriptor.h"
#include "folder.h"
#include "privilege.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_PARTS                                                                                 \
  (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

/* ---- Descriptors ---- */

uint32_t km_meta_descriptor(HANDLE file, SECURITY_INFORMATION parts, uint8_t **out, size_t *size) {
  DWORD needed = 256;
  *out = NULL;
  *size = 0;
  for (int i = 0; i < 4 && needed <= KM_MAX_DESCRIPTOR; i++) { /* it may grow meanwhile */
    DWORD room = needed;
    uint8_t *data = malloc(room);
    if (!data) {
      return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (GetKernelObjectSecurity(file, parts, data, room, &needed)) {
      *out = data;
      *size = GetSecurityDescriptorLength(data);
      return ERROR_SUCCESS;
    }
    DWORD code = GetLastError();
    free(data);
    if (code != ERROR_INSUFFICIENT_BUFFER) {
      return code;
    }
  }
  return ERROR_INSUFFICIENT_BUFFER;
}

/* A descriptor of this process's own making, from parts that were checked. NULL: out of memory. */
static uint8_t *build(const km_descriptor_parts *parts) {
  size_t at = KM_DESCRIPTOR_HEADER;
  uint8_t *out = calloc(1, at + parts->owner_size + parts->group_size + parts->dacl_size + 16);
  SECURITY_DESCRIPTOR_RELATIVE *header = (void *)out;
  if (!out) {
    return NULL;
  }
  header->Revision = 1;
  header->Control = (WORD)(KM_CONTROL_SELF_RELATIVE |
                           (parts->control & (KM_CONTROL_DACL_PRESENT | KM_CONTROL_DACL_PROTECTED |
                                              KM_CONTROL_DACL_AUTO_INHERITED)));
  if (parts->control & KM_CONTROL_DACL_AUTO_INHERITED) {
    header->Control |= KM_CONTROL_DACL_AUTO_INHERIT_REQUEST; /* else the mark is dropped */
  }
  const struct {
    const uint8_t *data;
    size_t size;
    DWORD *offset;
  } rows[] = {{parts->owner, parts->owner_size, &header->Owner},
              {parts->group, parts->group_size, &header->Group},
              {parts->dacl, parts->dacl_size, &header->Dacl}};
  for (size_t i = 0; i < 3; i++) {
    if (rows[i].data) {
      memcpy(out + at, rows[i].data, rows[i].size);
      *rows[i].offset = (DWORD)at;
      at += (rows[i].size + 3) & ~(size_t)3;
    }
  }
  if (parts->dacl) { /* it ends with its last entry now */
    out[header->Dacl + 2] = (uint8_t)parts->dacl_size;
    out[header->Dacl + 3] = (uint8_t)(parts->dacl_size >> 8);
  }
  return out;
}

static uint32_t set_once(HANDLE file, SECURITY_INFORMATION parts, void *descriptor) {
  return SetKernelObjectSecurity(file, parts, descriptor) ? ERROR_SUCCESS : GetLastError();
}

/* Giving a file away needs SeRestorePrivilege while it is given. */
static uint32_t set_parts(HANDLE file, SECURITY_INFORMATION parts, void *descriptor) {
  uint32_t code = set_once(file, parts, descriptor);
  if (!km_native_refused(code)) {
    return code;
  }
  unsigned enabled = km_native_begin(KM_PRIVILEGE_RESTORE);
  code = enabled ? set_once(file, parts, descriptor) : code;
  km_native_end(enabled, code == ERROR_SUCCESS);
  return code;
}

static bool same_sid(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

uint32_t km_meta_set_descriptor(HANDLE file, const uint8_t *descriptor, size_t size) {
  uint8_t *now = NULL;
  size_t now_size = 0;
  km_descriptor_parts wanted, has = {0};
  SECURITY_INFORMATION parts = 0;
  if (!km_descriptor_take(descriptor, size, &wanted)) {
    return ERROR_INVALID_SECURITY_DESCR;
  }
  if (km_meta_descriptor(file, KEPT_PARTS, &now, &now_size) == ERROR_SUCCESS) {
    km_descriptor_take(now, now_size, &has);
  }
  if (wanted.owner && !same_sid(wanted.owner, wanted.owner_size, has.owner, has.owner_size)) {
    parts |= OWNER_SECURITY_INFORMATION;
  }
  if (wanted.group && !same_sid(wanted.group, wanted.group_size, has.group, has.group_size)) {
    parts |= GROUP_SECURITY_INFORMATION;
  }
  if (wanted.control & KM_CONTROL_DACL_PRESENT) {
    parts |= DACL_SECURITY_INFORMATION;
  }
  free(now);
  uint8_t *own = build(&wanted);
  uint32_t code = own ? set_parts(file, parts, own) : ERROR_NOT_ENOUGH_MEMORY;
  free(own);
  return code;
}

bool km_meta_is_mine(const char *sid) {
  union {
    TOKEN_USER user;
    uint8_t room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  } data;
  uint8_t descriptor[KM_DESCRIPTOR_HEADER + SECURITY_MAX_SID_SIZE] = {1, 0, 0, 0x80, 20};
  char own[KM_SID_TEXT] = "";
  DWORD size = 0;
  HANDLE token;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return false;
  }
  if (GetTokenInformation(token, TokenUser, &data, sizeof data, &size)) {
    memcpy(descriptor + KM_DESCRIPTOR_HEADER, data.user.User.Sid, GetLengthSid(data.user.User.Sid));
    km_descriptor_owner(descriptor, sizeof descriptor, own);
  }
  CloseHandle(token);
  return *own && !strcmp(own, sid);
}

/* ---- Reading ---- */

typedef struct excess {
  char text[256]; /* the first name, "" when there is none */
} excess;

static bool note_stream(void *user, const wchar_t *name, size_t units) {
  excess *found = user;
  char *text = km_narrow_count(name, units, NULL);
  snprintf(found->text, sizeof found->text, "the data stream \"%s\"", text ? text : "?");
  free(text);
  return false;
}

/* What the kernel notes there for itself, it drops as well when a file is written. */
static bool note_attribute(void *user, const char *name, size_t size) {
  excess *found = user;
  if (size >= 8 && !_strnicmp(name, "$KERNEL.", 8)) {
    return true;
  }
  snprintf(found->text, sizeof found->text, "the extended attribute \"%.*s\"", (int)size, name);
  return false;
}

/* What a copy would lose. A file system without streams or extended attributes says so in its own ways. */
static km_status check_excess(const km_folder *folder, const char *name, const km_opened *file,
                              km_error *error) {
  excess found = {""};
  char shown[KM_MAX_MESSAGE], escaped[KM_MAX_MESSAGE / 2];
  km_folder_shown(folder, name, shown);
  uint32_t code = ERROR_SUCCESS;
  if (folder->volume->flags & FILE_NAMED_STREAMS) {
    code = km_native_streams(file->handle, note_stream, &found);
  }
  if ((!code || km_native_unknown(code)) && !*found.text) {
    code = km_native_attributes(file->handle, note_attribute, &found);
  }
  if (code && !km_native_unknown(code)) {
    return km_folder_fail(error, code, "list what stands beside the bytes of", folder, name);
  }
  if (file->basic.attributes & FILE_ATTRIBUTE_ENCRYPTED) {
    return km_fail(
        error, KM_IO, 0,
        "read the attributes of %s: it is encrypted (EFS), which a copy in the vault would"
        " not be; decrypt it first (cipher /d)",
        shown);
  }
  if (!*found.text) {
    return KM_OK;
  }
  km_escape(found.text, strlen(found.text), escaped, sizeof escaped);
  return km_fail(
      error, KM_IO, 0,
      "read the attributes of %s: it has %s, which a copy in the vault would not have; look"
      " into it, and remove it if nothing needs it",
      shown, escaped);
}

km_status km_meta_of(const km_folder *folder, const char *name, const km_opened *file,
                     km_file_meta *out, km_error *error) {
  memset(out, 0, sizeof *out);
  out->created = folder->volume->wine ? 0 : file->basic.created;
  out->written = file->basic.written;
  out->attributes = file->basic.attributes & ~(uint32_t)FILE_ATTRIBUTE_NORMAL;
  km_status status = check_excess(folder, name, file, error);
  if (status || !(folder->volume->flags & FILE_PERSISTENT_ACLS)) {
    return status;
  }
  uint32_t code =
      km_meta_descriptor(file->handle, KEPT_PARTS, &out->descriptor, &out->descriptor_size);
  return code ? km_folder_fail(error, code, "read the security descriptor of", folder, name)
              : KM_OK;
}

km_status km_disk_meta_read(km_folder *folder, const char *name, km_file_meta *out,
                            km_error *error) {
  static const km_opening how = {.access = READ_CONTROL | FILE_READ_EA,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .privileges = KM_PRIVILEGE_BACKUP};
  km_opened file;
  memset(out, 0, sizeof *out);
  km_status status = km_folder_open_regular(folder, name, &how, "read", &file, error);
  if (status) {
    return status;
  }
  status = km_meta_of(folder, name, &file, out, error);
  CloseHandle(file.handle);
  if (status) {
    free(out->descriptor);
    memset(out, 0, sizeof *out);
  }
  return status;
}

/* ---- Setting ---- */

/* What of times and attributes has to be set: zeros stay. false: nothing. */
static bool basic_difference(const km_native_basic *now, const km_file_meta *meta,
                             km_native_basic *out) {
  memset(out, 0, sizeof *out);
  if (meta->created && meta->created != now->created) {
    out->created = meta->created;
  }
  if (meta->written && meta->written != now->written) {
    out->written = meta->written;
  }
  if ((meta->attributes ^ now->attributes) & KM_ATTRIBUTES_KEPT) {
    uint32_t wanted = meta->attributes & KM_ATTRIBUTES_KEPT;
    out->attributes = wanted ? wanted : FILE_ATTRIBUTE_NORMAL;
  }
  return out->created || out->written || out->attributes;
}

static bool descriptor_differs(const km_folder *folder, HANDLE file, const km_file_meta *meta) {
  uint8_t *now;
  size_t size;
  if (!meta->descriptor || !(folder->volume->flags & FILE_PERSISTENT_ACLS)) {
    return false;
  }
  if (km_meta_descriptor(file, KEPT_PARTS, &now, &size)) {
    return true;
  }
  bool same = km_descriptor_equal(now, size, meta->descriptor, meta->descriptor_size);
  free(now);
  return !same;
}

km_status km_meta_set(const km_folder *folder, const char *name, HANDLE file,
                      const km_file_meta *meta, km_error *error) {
  km_native_basic now, wanted;
  if (descriptor_differs(folder, file, meta)) {
    uint32_t code = km_meta_set_descriptor(file, meta->descriptor, meta->descriptor_size);
    if (code) {
      return km_folder_fail(error, code, "set the security descriptor of", folder, name);
    }
  }
  uint32_t code = km_native_basic_get(file, &now);
  if (!code && basic_difference(&now, meta, &wanted)) {
    code = km_native_basic_set(file, &wanted);
  }
  return code ? km_folder_fail(error, code, "set the times and attributes of", folder, name)
              : KM_OK;
}

/* Changes of names and times need no right to write bytes, and read-only files have none: so what is changed goes to
 * the disk by the handle's write-through, and a flush that is refused is no error. */
km_status km_disk_meta_write(km_folder *folder, const char *name, const km_file_meta *meta,
                             km_error *error) {
  km_opening how = {.access = READ_CONTROL,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .options = KM_OPEN_WRITE_THROUGH,
                    .privileges = KM_PRIVILEGE_BACKUP | KM_PRIVILEGE_RESTORE};
  km_native_basic wanted;
  km_opened file;
  static const char operation[] = "set the times of";
  km_status status = km_folder_open_regular(folder, name, &how, operation, &file, error);
  if (status) {
    return status;
  }
  bool descriptor = descriptor_differs(folder, file.handle, meta);
  bool basic = basic_difference(&file.basic, meta, &wanted);
  CloseHandle(file.handle);
  if (!descriptor && !basic) {
    return KM_OK;
  }
  how.access |= (descriptor ? WRITE_DAC | WRITE_OWNER : 0) | (basic ? FILE_WRITE_ATTRIBUTES : 0);
  status = km_folder_open_regular(folder, name, &how, operation, &file, error);
  if (status) {
    return status;
  }
  status = km_meta_set(folder, name, file.handle, meta, error);
  (void)km_native_flush(file.handle);
  CloseHandle(file.handle);
  return status;
}

km_status km_disk_meta_settable(km_folder *folder, const char *name, const km_file_meta *meta,
                                km_error *error) {
  char owner[KM_SID_TEXT], shown[KM_MAX_NAME / 2];
  if (!(folder->volume->flags & FILE_PERSISTENT_ACLS) ||
      !km_descriptor_owner(meta->descriptor, meta->descriptor_size, owner) ||
      km_meta_is_mine(owner) || km_privilege_held(KM_PRIVILEGE_RESTORE)) {
    return KM_OK;
  }
  km_escape(name, strlen(name), shown, sizeof shown);
  return km_fail(error, KM_ACCESS, ERROR_PRIVILEGE_NOT_HELD,
                 "write to %s: %s belongs to %s, and you may not give a copy of it to them; run"
                 " keymend as an administrator, elevated",
                 folder->path, shown, owner);
}

/* ---- Private folders ---- */

/* Wine keeps neither owner nor protected mark, and makes up a DACL from the mode bits: there it is enough that nobody but
 * the user, SYSTEM and Administrators gets anything. */
static bool only_own_entries(const uint8_t *descriptor, size_t size, const char **problem) {
  km_descriptor_parts parts;
  uint8_t holder[KM_DESCRIPTOR_HEADER + SECURITY_MAX_SID_SIZE] = {1, 0, 0, 0x80, 20};
  char sid[KM_SID_TEXT];
  *problem = "it has no access list";
  if (!km_descriptor_take(descriptor, size, &parts) || !parts.dacl) {
    return false;
  }
  *problem = "its access list lets in others than SYSTEM, Administrators and you";
  for (size_t at = 8; at + 8 < parts.dacl_size;) {
    const uint8_t *entry = parts.dacl + at;
    size_t bytes = (size_t)entry[2] | (size_t)entry[3] << 8;
    if (bytes < 8 + 8 || bytes - 8 > SECURITY_MAX_SID_SIZE) {
      return false;
    }
    memcpy(holder + KM_DESCRIPTOR_HEADER, entry + 8, bytes - 8);
    km_descriptor_owner(holder, KM_DESCRIPTOR_HEADER + bytes - 8, sid);
    bool allows = entry[0] != ACCESS_DENIED_ACE_TYPE && (entry[4] | entry[5] | entry[6] | entry[7]);
    if (allows && strcmp(sid, "S-1-5-18") != 0 && strcmp(sid, "S-1-5-32-544") != 0 &&
        !km_meta_is_mine(sid)) {
      return false;
    }
    at += bytes;
  }
  return true;
}

bool km_meta_is_private(const km_win_volume *volume, HANDLE folder, const char **problem) {
  uint8_t *descriptor = NULL;
  size_t size = 0;
  (void)km_meta_descriptor(folder, KEPT_PARTS, &descriptor, &size);
  bool good = volume->wine ? only_own_entries(descriptor, size, problem)
                           : km_descriptor_is_private(descriptor, size, problem);
  free(descriptor);
  return good;
}
