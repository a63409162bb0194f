/* write.c: the writing operations on Windows.
 *
 * Every change of a name goes through a handle that was opened with write-through, so that NTFS has its log on the disk
 * before the call returns, as MoveFileEx does with MOVEFILE_WRITE_THROUGH.
 */
#include "descriptor.h"
#include "folder.h"
#include "privilege.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES 65536
#define KM_MAX_COPY (64u << 20) /* bytes of a file that is copied into the vault */
#define TO_WRITE (KM_PRIVILEGE_BACKUP | KM_PRIVILEGE_RESTORE)

/* ---- Read-only files ---- */

/* A file that is read-only cannot be deleted, nor replaced. Lifts that, and puts it back; both leave times alone. */
static bool lift_read_only(const km_opened *file) {
  km_native_basic basic = {0};
  if (!(file->basic.attributes & FILE_ATTRIBUTE_READONLY)) {
    return false;
  }
  uint32_t left = file->basic.attributes & KM_ATTRIBUTES_KEPT & ~(uint32_t)FILE_ATTRIBUTE_READONLY;
  basic.attributes = left ? left : FILE_ATTRIBUTE_NORMAL;
  return km_native_basic_set(file->handle, &basic) == ERROR_SUCCESS;
}

static void put_read_only_back(const km_opened *file) {
  km_native_basic basic = {.attributes = file->basic.attributes & KM_ATTRIBUTES_KEPT};
  (void)km_native_basic_set(file->handle, &basic);
}

/* ---- Flushing ---- */

static km_status flush_file(const km_folder *folder, const char *name, HANDLE file,
                            km_error *error) {
  return FlushFileBuffers(file) ? KM_OK
                                : km_folder_fail(error, GetLastError(), "flush", folder, name);
}

/* Flushing a folder needs the right to write to it. File systems that refuse it keep their folders in a log, and the
 * names in this one were changed with write-through; a disk that fails is told. */
km_status km_disk_folder_flush(km_folder *folder, km_error *error) {
  static const km_opening how = {.access = FILE_ADD_FILE,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_FOLDER,
                                 .privileges = TO_WRITE};
  HANDLE handle;
  uint32_t code = km_native_open(folder->handle, L"", &how, &handle);
  if (!code) {
    code = km_native_flush(handle);
    CloseHandle(handle);
  }
  km_status status = km_windows_status(code);
  return code && status == KM_IO && code != ERROR_INVALID_HANDLE && !km_native_unknown(code)
             ? km_folder_fail(error, code, "flush", folder, NULL)
             : KM_OK;
}

/* ---- New names ---- */

/* Windows asks for the right to add a name to the folder when the file is renamed or linked, not before. */
typedef uint32_t (*name_change)(HANDLE file, HANDLE folder, const wchar_t *name);

static uint32_t rename_to_free(HANDLE file, HANDLE folder, const wchar_t *name) {
  return km_native_rename(file, folder, name, false);
}

static uint32_t add_name(name_change change, HANDLE file, const km_folder *to,
                         const wchar_t *name) {
  uint32_t code = change(file, to->handle, name);
  unsigned enabled = km_native_refused(code) ? km_native_begin(TO_WRITE) : 0;
  if (enabled) {
    code = change(file, to->handle, name);
    km_native_end(enabled, code == ERROR_SUCCESS);
  }
  return code;
}

/* ---- Private folders ---- */

static km_status fail_forged(const km_folder *parent, const char *name, const char *problem,
                             km_error *error) {
  char shown[KM_MAX_MESSAGE];
  return km_fail(
      error, KM_FORGED, 0,
      "%s cannot be trusted: %s, so anyone may have made it; look into it, then move it away",
      km_folder_shown(parent, name, shown), problem);
}

/* Makes a file or folder with its final descriptor in the one call; only with SeRestorePrivilege may its owner be
 * another. Where descriptors are not kept, Wine, the plain user is the owner. */
static uint32_t create_private(const km_folder *parent, const wchar_t *name, bool folder,
                               km_opening *how, HANDLE *out) {
  uint8_t descriptor[KM_PRIVATE_DESCRIPTOR];
  km_descriptor_private(folder, descriptor);
  how->disposition = KM_OPEN_NEW;
  how->privileges = TO_WRITE;
  how->descriptor = (parent->volume->flags & FILE_PERSISTENT_ACLS) ? descriptor : NULL;
  uint32_t code = km_native_open(parent->handle, name, how, out);
  if (code == ERROR_INVALID_OWNER && parent->volume->wine) {
    memset(descriptor + 4, 0, 8); /* no owner and no group: the user's own */
    code = km_native_open(parent->handle, name, how, out);
  }
  how->descriptor = NULL;
  return code;
}

static const km_opening to_own = {.access = FILE_LIST_DIRECTORY | FILE_TRAVERSE | READ_CONTROL |
                                            WRITE_DAC | WRITE_OWNER | DELETE |
                                            FILE_WRITE_ATTRIBUTES,
                                  .share = KM_SHARE_ALL,
                                  .disposition = KM_OPEN_EXISTING,
                                  .options = KM_OPEN_FOLDER | KM_OPEN_WRITE_THROUGH,
                                  .privileges = TO_WRITE};

static bool remove_if_empty(const km_folder *parent, const wchar_t *name) {
  km_opening how = {.access = DELETE,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .options = KM_OPEN_FOLDER | KM_OPEN_WRITE_THROUGH,
                    .privileges = TO_WRITE};
  km_native_basic basic;
  HANDLE handle;
  if (km_native_open(parent->handle, name, &how, &handle)) {
    return false;
  }
  bool gone = !km_native_basic_get(handle, &basic) &&
              !(basic.attributes & FILE_ATTRIBUTE_REPARSE_POINT) && !km_native_delete(handle);
  CloseHandle(handle);
  return gone;
}

/* Makes the folder under a temporary name. A leftover of an interrupted run that is empty is taken away; where one is in
 * the way that cannot be, another name is taken. */
static uint32_t make_temporary(const km_folder *parent, const char *name,
                               char temporary[KM_MAX_NAME], HANDLE *out) {
  wchar_t wide[KM_MAX_NAME];
  km_opening how = to_own;
  LARGE_INTEGER counter;
  snprintf(temporary, KM_MAX_NAME, "%.960s.new", name);
  km_wide_into(temporary, wide);
  (void)remove_if_empty(parent, wide);
  uint32_t code = create_private(parent, wide, true, &how, out);
  if (code == ERROR_ALREADY_EXISTS || code == ERROR_FILE_EXISTS) {
    QueryPerformanceCounter(&counter);
    snprintf(temporary, KM_MAX_NAME, "%.960s.new-%08lx", name, (unsigned long)counter.LowPart);
    km_wide_into(temporary, wide);
    code = create_private(parent, wide, true, &how, out);
  }
  return code;
}

/* Creation may drop marks of the descriptor that was asked for, the protected one among them: then it is set again, while
 * the folder has its temporary name. */
static km_status settle_private(const km_folder *parent, const char *name, HANDLE handle,
                                km_error *error) {
  uint8_t descriptor[KM_PRIVATE_DESCRIPTOR];
  const char *problem;
  if (!(parent->volume->flags & FILE_PERSISTENT_ACLS) ||
      km_meta_is_private(parent->volume, handle, &problem)) {
    return KM_OK;
  }
  uint32_t code =
      km_meta_set_descriptor(handle, descriptor, km_descriptor_private(true, descriptor));
  if (code) {
    return km_folder_fail(error, code, "set the security descriptor of", parent, name);
  }
  return km_meta_is_private(parent->volume, handle, &problem)
             ? KM_OK
             : fail_forged(parent, name, problem, error);
}

static km_status make_private(km_folder *parent, const char *name, const wchar_t *wide,
                              km_error *error) {
  char temporary[KM_MAX_NAME];
  HANDLE handle;
  uint32_t code = make_temporary(parent, name, temporary, &handle);
  if (code) {
    return km_folder_fail(error, code, "make the folder", parent, temporary);
  }
  km_status status = settle_private(parent, temporary, handle, error);
  if (!status) {
    km_patience patience = {0};
    do {
      code = add_name(rename_to_free, handle, parent, wide);
    } while (km_patience_fits(code) && km_patience_wait(&patience));
    status = code ? km_folder_fail(error, code, "make the folder", parent, name) : KM_OK;
  }
  if (status) {
    (void)km_native_delete(handle);
  }
  CloseHandle(handle);
  return status ? status : km_disk_folder_flush(parent, error);
}

/* Opens the folder when it is one that keymend made. */
static km_status open_private(const km_folder *parent, const char *name, HANDLE *out,
                              km_error *error) {
  static const km_opening how = {.access = FILE_LIST_DIRECTORY | FILE_TRAVERSE | READ_CONTROL,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .privileges = KM_PRIVILEGE_BACKUP};
  const char *problem = "it is no real folder";
  km_opened file;
  *out = NULL;
  km_status status = km_folder_open_file(parent, name, &how, "open the folder", &file, error);
  if (status) {
    return status;
  }
  bool real = (file.basic.attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) ==
              FILE_ATTRIBUTE_DIRECTORY;
  bool kept = (parent->volume->flags & FILE_PERSISTENT_ACLS) != 0;
  if (real && kept && km_meta_is_private(parent->volume, file.handle, &problem)) {
    *out = file.handle;
    return KM_OK;
  }
  CloseHandle(file.handle);
  return fail_forged(parent, name, !real || kept ? problem : "this file system has no access lists",
                     error);
}

km_status km_disk_private_folder(km_folder *parent, const char *name, bool create, km_folder **out,
                                 km_error *error) {
  wchar_t wide[KM_MAX_NAME];
  HANDLE handle = NULL;
  *out = NULL;
  km_status status = km_folder_name(name, wide, error);
  if (!status) {
    status = open_private(parent, name, &handle, error);
  }
  if (status == KM_NOT_FOUND && create) {
    status = make_private(parent, name, wide, error);
    if (!status) {
      status = open_private(parent, name, &handle, error);
    }
  }
  return status ? status
                : km_folder_make(parent->volume, parent->times, parent->path, name, handle, out,
                                 error);
}

km_status km_disk_folder_remove(km_folder *parent, const char *name, km_error *error) {
  km_opening how = {.access = DELETE,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .options = KM_OPEN_WRITE_THROUGH,
                    .privileges = TO_WRITE};
  char shown[KM_MAX_MESSAGE];
  km_opened file;
  static const char operation[] = "remove the folder";
  km_status status = km_folder_open_file(parent, name, &how, operation, &file, error);
  if (status) {
    return status;
  }
  bool folder =
      (file.basic.attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) ==
      FILE_ATTRIBUTE_DIRECTORY;
  uint32_t code = folder ? km_native_delete(file.handle) : ERROR_SUCCESS;
  CloseHandle(file.handle);
  if (!folder) {
    return km_fail(error, KM_REFUSED, 0, "%s %s: it is no real folder", operation,
                   km_folder_shown(parent, name, shown));
  }
  return code ? km_folder_fail(error, code, operation, parent, name) : KM_OK;
}

/* ---- Copies ---- */

static uint32_t write_all(HANDLE file, const uint8_t *data, size_t size) {
  while (size > 0) {
    DWORD part = size < COPY_BYTES ? (DWORD)size : COPY_BYTES, done = 0;
    if (!WriteFile(file, data, part, &done, NULL)) {
      return GetLastError();
    }
    if (done == 0) {
      return ERROR_DISK_FULL;
    }
    data += done;
    size -= done;
  }
  return ERROR_SUCCESS;
}

typedef struct copying {
  const km_folder *from, *to;
  const char *name, *new_name;
  km_opened source;
  HANDLE copy;
} copying;

static km_status copy_bytes(const copying *c, km_sha256_state *hash, km_error *error) {
  uint8_t buffer[COPY_BYTES];
  char shown[KM_MAX_MESSAGE];
  uint64_t copied = 0;
  km_status status = KM_OK;
  for (;;) {
    DWORD got = 0;
    if (!ReadFile(c->source.handle, buffer, sizeof buffer, &got, NULL)) {
      status = km_folder_fail(error, GetLastError(), "read", c->from, c->name);
    }
    if (status || got == 0) {
      break;
    }
    copied += got;
    if (copied > KM_MAX_COPY) {
      status = km_fail(error, KM_LIMIT, 0, "copy %s: it has more than %u bytes",
                       km_folder_shown(c->from, c->name, shown), KM_MAX_COPY);
      break;
    }
    km_sha256_add(hash, buffer, got);
    uint32_t code = write_all(c->copy, buffer, got);
    if (code) {
      status = km_folder_fail(error, code, "write", c->to, c->new_name);
      break;
    }
  }
  km_wipe(buffer, sizeof buffer);
  return status;
}

/* The bytes are on the disk before their times are set, which no later write may move. */
static km_status copy_all(const copying *c, char sha256[KM_SHA256_TEXT], km_error *error) {
  km_file_meta meta;
  km_status status = km_meta_of(c->from, c->name, &c->source, &meta, error);
  km_sha256_state *hash = status ? NULL : km_sha256_begin();
  if (!status && !hash) {
    status = km_fail(error, KM_MEMORY, 0, "copy %s: out of memory", c->name);
  }
  if (!status) {
    status = copy_bytes(c, hash, error);
  }
  if (hash) {
    km_sha256_finish(hash, sha256);
  }
  if (!status) {
    status = flush_file(c->to, c->new_name, c->copy, error);
  }
  if (!status) {
    status = km_meta_set(c->to, c->new_name, c->copy, &meta, error);
  }
  free(meta.descriptor);
  return status ? status : flush_file(c->to, c->new_name, c->copy, error);
}

/* Nobody may write to the source while it is copied. */
km_status km_disk_file_copy(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            char sha256[KM_SHA256_TEXT], km_error *error) {
  static const km_opening source = {.access = FILE_READ_DATA | FILE_READ_EA | READ_CONTROL,
                                    .share = FILE_SHARE_READ | FILE_SHARE_DELETE,
                                    .disposition = KM_OPEN_EXISTING,
                                    .privileges = KM_PRIVILEGE_BACKUP};
  km_opening fresh = {.access = FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES |
                                READ_CONTROL | WRITE_DAC | WRITE_OWNER | DELETE,
                      .share = FILE_SHARE_READ,
                      .options = KM_OPEN_FILE | KM_OPEN_WRITE_THROUGH};
  copying c = {.from = from, .to = to, .name = name, .new_name = new_name};
  wchar_t wide[KM_MAX_NAME];
  km_status status = km_folder_name(new_name, wide, error);
  if (!status) {
    status = km_folder_open_regular(from, name, &source, "copy", &c.source, error);
  }
  if (status) {
    return status;
  }
  uint32_t code = create_private(to, wide, false, &fresh, &c.copy);
  if (code) {
    CloseHandle(c.source.handle);
    return km_folder_fail(error, code, "make the copy", to, new_name);
  }
  status = copy_all(&c, sha256, error);
  if (status) {
    (void)km_native_delete(c.copy);
  }
  CloseHandle(c.copy);
  CloseHandle(c.source.handle);
  return status;
}

/* ---- Names ---- */

static km_status check_names(const char *name, const char *new_name, km_error *error) {
  km_status status = km_disk_check_name(name, error);
  return status ? status : km_disk_check_name(new_name, error);
}

static bool no_links(uint32_t code) {
  return km_native_unknown(code) || code == ERROR_TOO_MANY_LINKS || code == ERROR_NOT_SAME_DEVICE;
}

km_status km_disk_file_link(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            km_error *error) {
  static const km_opening how = {.access = FILE_WRITE_ATTRIBUTES,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_WRITE_THROUGH,
                                 .privileges = TO_WRITE};
  wchar_t wide[KM_MAX_NAME];
  char shown[KM_MAX_MESSAGE];
  km_opened file;
  km_patience patience = {0};
  uint32_t code;
  km_status status = check_names(name, new_name, error);
  if (!status) {
    status = km_folder_open_file(from, name, &how, "make a second name for", &file, error);
  }
  if (status) {
    return status;
  }
  km_wide_into(new_name, wide);
  bool odd =
      (file.basic.attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) != 0;
  do {
    code = odd ? ERROR_NOT_SUPPORTED : add_name(km_native_link, file.handle, to, wide);
  } while (code == ERROR_DELETE_PENDING && km_patience_wait(&patience));
  CloseHandle(file.handle);
  if (no_links(code)) {
    return km_fail(error, KM_UNSUPPORTED, (int32_t)code, "give %s a second name: not possible here",
                   km_folder_shown(from, name, shown));
  }
  return code ? km_folder_fail(error, code, "make a second name", to, new_name) : KM_OK;
}

/* Opens the file that a rename would replace. A Win32 code. */
static uint32_t open_replaced(const km_folder *to, const wchar_t *name, ULONG access,
                              km_opened *out) {
  km_opening how = {.access = access,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .options = KM_OPEN_FILE | KM_OPEN_WRITE_THROUGH,
                    .privileges = TO_WRITE};
  uint32_t code = km_native_try(to->handle, name, &how, &out->handle);
  if (!code && (code = km_native_basic_get(out->handle, &out->basic)) != ERROR_SUCCESS) {
    CloseHandle(out->handle);
  }
  return code;
}

/* The rename that replaces: the name is there at every moment. What is replaced may be read-only, which is lifted for it
 * and put back when it is not replaced in the end: its other names, in the vault, show it then without that attribute,
 * and the journal has it. */
static uint32_t replace_once(const km_opened *file, const km_folder *to, const wchar_t *name) {
  uint32_t code = km_native_rename(file->handle, to->handle, name, true);
  if (code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION) {
    return code;
  }
  uint32_t over = km_native_rename_over(file->handle, to->handle, name);
  if (!over) {
    return over;
  }
  km_opened old;
  if (open_replaced(to, name, FILE_WRITE_ATTRIBUTES, &old)) {
    return code;
  }
  bool lifted = lift_read_only(&old);
  CloseHandle(old.handle);
  if (!lifted) {
    return code;
  }
  code = km_native_rename(file->handle, to->handle, name, true);
  if (code && !open_replaced(to, name, FILE_WRITE_ATTRIBUTES, &old)) {
    old.basic.attributes |= FILE_ATTRIBUTE_READONLY;
    put_read_only_back(&old);
    CloseHandle(old.handle);
  }
  return code;
}

/* Replacing a file that some process has open is refused as access denied, too: but such a one may be opened for
 * deletion when the access lists allow that. */
static uint32_t tell_in_use(uint32_t code, const km_folder *to, const wchar_t *name) {
  km_opened old;
  if (code != ERROR_ACCESS_DENIED) {
    return code;
  }
  uint32_t opened = open_replaced(to, name, DELETE, &old);
  if (!opened) {
    CloseHandle(old.handle);
  }
  return !opened || km_patience_fits(opened) ? ERROR_SHARING_VIOLATION : code;
}

/* The privileges come first: whose folder is closed may yet open the file in it. */
static uint32_t replace_privileged(const km_opened *file, const km_folder *to,
                                   const wchar_t *name) {
  uint32_t code = replace_once(file, to, name);
  unsigned enabled = code == ERROR_ACCESS_DENIED ? km_native_begin(TO_WRITE) : 0;
  if (enabled) {
    code = replace_once(file, to, name);
    km_native_end(enabled, code == ERROR_SUCCESS);
  }
  return tell_in_use(code, to, name);
}

static uint32_t rename_open(const km_opened *file, const km_folder *to, const wchar_t *name,
                            bool replace) {
  km_patience patience = {0};
  uint32_t code;
  do {
    code = replace ? replace_privileged(file, to, name)
                   : add_name(rename_to_free, file->handle, to, name);
  } while ((km_patience_fits(code) || code == ERROR_DELETE_PENDING) && km_patience_wait(&patience));
  /* The file to rename is open: it is the new name that somebody keeps from going away. */
  return code == ERROR_DELETE_PENDING ? ERROR_SHARING_VIOLATION : code;
}

/* Within 15 seconds a file that gets a name that was freed gets the creation time of the one that had it, too (tunnelling),
 * and some file systems set the archive attribute: both are put back. */
static void put_back(const km_opened *before) {
  km_native_basic now, wanted = {0};
  if (km_native_basic_get(before->handle, &now) != ERROR_SUCCESS) {
    return;
  }
  wanted.created = now.created == before->basic.created ? 0 : before->basic.created;
  wanted.written = now.written == before->basic.written ? 0 : before->basic.written;
  if ((now.attributes ^ before->basic.attributes) & KM_ATTRIBUTES_KEPT) {
    uint32_t kept = before->basic.attributes & KM_ATTRIBUTES_KEPT;
    wanted.attributes = kept ? kept : FILE_ATTRIBUTE_NORMAL;
  }
  if (wanted.created || wanted.written || wanted.attributes) {
    (void)km_native_basic_set(before->handle, &wanted);
  }
}

/* Whether an open file has these bytes. */
static km_status check_bytes(const km_folder *folder, const char *name, HANDLE file,
                             const char *sha256, km_error *error) {
  uint8_t buffer[COPY_BYTES];
  char shown[KM_MAX_MESSAGE], found[KM_SHA256_TEXT];
  DWORD got = 0;
  km_status status = KM_OK;
  km_sha256_state *hash = km_sha256_begin();
  if (!hash) {
    return km_fail(error, KM_MEMORY, 0, "read %s: out of memory",
                   km_folder_shown(folder, name, shown));
  }
  do {
    if (!ReadFile(file, buffer, sizeof buffer, &got, NULL)) {
      status = km_folder_fail(error, GetLastError(), "read", folder, name);
    } else {
      km_sha256_add(hash, buffer, got);
    }
  } while (!status && got > 0);
  km_sha256_finish(hash, found);
  km_wipe(buffer, sizeof buffer);
  return status || !strcmp(found, sha256)
             ? status
             : km_fail(error, KM_STALE, 0, "rename %s: it has changed meanwhile",
                       km_folder_shown(folder, name, shown));
}

/* Renames an open file, and closes it. */
static km_status rename_and_close(km_folder *from, const char *name, const km_opened *file,
                                  km_folder *to, const char *new_name, bool replace,
                                  km_error *error) {
  wchar_t wide[KM_MAX_NAME];
  km_wide_into(new_name, wide);
  uint32_t code = rename_open(file, to, wide, replace);
  if (!code) {
    put_back(file);
  }
  CloseHandle(file->handle);
  if (!code) {
    return KM_OK;
  }
  return km_windows_status(code) == KM_EXISTS
             ? km_folder_fail(error, code, "rename to", to, new_name)
             : km_folder_fail(error, code, "rename", from, name);
}

km_status km_disk_file_rename(km_folder *from, const char *name, km_folder *to,
                              const char *new_name, bool replace, km_error *error) {
  static const km_opening how = {.access = DELETE | FILE_WRITE_ATTRIBUTES,
                                 .share = FILE_SHARE_READ | FILE_SHARE_DELETE,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_WRITE_THROUGH,
                                 .privileges = TO_WRITE};
  km_opened file;
  km_status status = check_names(name, new_name, error);
  if (!status) {
    status = km_folder_open_file(from, name, &how, "rename", &file, error);
  }
  return status ? status : rename_and_close(from, name, &file, to, new_name, replace, error);
}

km_status km_disk_file_rename_known(km_folder *from, const char *name, km_folder *to,
                                    const char *new_name, bool replace,
                                    const char sha256[KM_SHA256_TEXT], km_error *error) {
  static const km_opening how = {.access = DELETE | FILE_READ_DATA | FILE_WRITE_ATTRIBUTES,
                                 .share = FILE_SHARE_READ | FILE_SHARE_DELETE,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_WRITE_THROUGH,
                                 .privileges = TO_WRITE};
  km_opened file;
  km_status status = check_names(name, new_name, error);
  if (!status) {
    status = km_folder_open_regular(from, name, &how, "rename", &file, error);
  }
  if (status) {
    return status;
  }
  status = check_bytes(from, name, file.handle, sha256, error);
  if (status) {
    CloseHandle(file.handle);
    return status;
  }
  return rename_and_close(from, name, &file, to, new_name, replace, error);
}

km_status km_disk_file_remove(km_folder *folder, const char *name, km_error *error) {
  static const km_opening how = {.access = DELETE | FILE_WRITE_ATTRIBUTES,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_WRITE_THROUGH,
                                 .privileges = TO_WRITE};
  char shown[KM_MAX_MESSAGE];
  km_opened file;
  km_status status = km_folder_open_file(folder, name, &how, "remove", &file, error);
  if (status) {
    return status;
  }
  if (file.basic.attributes & FILE_ATTRIBUTE_DIRECTORY) {
    CloseHandle(file.handle);
    return km_fail(error, KM_REFUSED, 0, "remove %s: it is a folder",
                   km_folder_shown(folder, name, shown));
  }
  bool lifted = lift_read_only(&file);
  uint32_t code = km_native_delete(file.handle);
  if (lifted) { /* another name of it may be left */
    put_read_only_back(&file);
  }
  CloseHandle(file.handle);
  return code ? km_folder_fail(error, code, "remove", folder, name) : KM_OK;
}

/* ---- The journal's file ---- */

struct km_file {
  HANDLE handle;
  uint64_t size;
  char *path; /* for messages */
};

/* Takes over the handle, also on failure. */
static km_status make_file(const km_folder *folder, const char *name, HANDLE handle, uint64_t size,
                           km_file **out, km_error *error) {
  char shown[KM_MAX_MESSAGE];
  km_folder_shown(folder, name, shown);
  km_file *file = malloc(sizeof *file);
  char *path = _strdup(shown);
  if (!file || !path) {
    free(file);
    free(path);
    CloseHandle(handle);
    return km_fail(error, KM_MEMORY, 0, "open %s: out of memory", shown);
  }
  *file = (km_file){handle, size, path};
  *out = file;
  return KM_OK;
}

static km_status fill_with_zeros(const km_folder *folder, const char *name, HANDLE file,
                                 size_t size, km_error *error) {
  static const uint8_t zeros[COPY_BYTES];
  for (size_t at = 0; at < size;) {
    size_t part = size - at < sizeof zeros ? size - at : sizeof zeros;
    uint32_t code = write_all(file, zeros, part);
    if (code) {
      return km_folder_fail(error, code, "write", folder, name);
    }
    at += part;
  }
  return flush_file(folder, name, file, error);
}

km_status km_disk_journal_create(km_folder *folder, const char *name, size_t size, km_file **out,
                                 km_error *error) {
  km_opening how = {.access = FILE_READ_DATA | FILE_WRITE_DATA | DELETE,
                    .share = FILE_SHARE_READ,
                    .options = KM_OPEN_FILE | KM_OPEN_WRITE_THROUGH};
  wchar_t wide[KM_MAX_NAME];
  HANDLE handle;
  *out = NULL;
  km_status status = km_folder_name(name, wide, error);
  if (status) {
    return status;
  }
  uint32_t code = create_private(folder, wide, false, &how, &handle);
  if (code) {
    return km_folder_fail(error, code, "make", folder, name);
  }
  status = fill_with_zeros(folder, name, handle, size, error);
  if (!status) {
    status = km_disk_folder_flush(folder, error);
  }
  if (status) {
    (void)km_native_delete(handle);
    CloseHandle(handle);
    return status;
  }
  return make_file(folder, name, handle, size, out, error);
}

km_status km_disk_journal_open(km_folder *folder, const char *name, km_file **out,
                               km_error *error) {
  static const km_opening how = {.access = FILE_READ_DATA | FILE_WRITE_DATA,
                                 .share = FILE_SHARE_READ,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_WRITE_THROUGH,
                                 .privileges = TO_WRITE};
  char shown[KM_MAX_MESSAGE];
  km_opened file;
  *out = NULL;
  km_status status = km_folder_open_regular(folder, name, &how, "open", &file, error);
  if (status) {
    return status;
  }
  if (file.standard.links != 1) {
    CloseHandle(file.handle);
    return km_fail(error, KM_FORGED, 0, "open %s: it has a second name somewhere",
                   km_folder_shown(folder, name, shown));
  }
  return make_file(folder, name, file.handle, (uint64_t)file.standard.size, out, error);
}

km_status km_disk_journal_write(km_file *file, uint64_t offset, const void *data, size_t size,
                                km_error *error) {
  if (offset > file->size || size > file->size - offset) {
    return km_fail(error, KM_LIMIT, 0, "write %s: %zu bytes at %llu are beyond its %llu bytes",
                   file->path, size, (unsigned long long)offset, (unsigned long long)file->size);
  }
  LONG high = (LONG)(offset >> 32);
  DWORD low = SetFilePointer(file->handle, (LONG)(offset & 0xFFFFFFFF), &high, FILE_BEGIN);
  uint32_t code = low == INVALID_SET_FILE_POINTER ? GetLastError() : ERROR_SUCCESS;
  if (!code) {
    code = write_all(file->handle, data, size);
  }
  if (code) {
    return km_windows_fail(error, code, "write", file->path);
  }
  return FlushFileBuffers(file->handle)
             ? KM_OK
             : km_windows_fail(error, GetLastError(), "flush", file->path);
}

void km_disk_journal_close(km_file *file) {
  if (file) {
    CloseHandle(file->handle);
    free(file->path);
    free(file);
  }
}
