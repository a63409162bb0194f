/* native.c: files and folders by handle, through ntdll. */
#include "native.h"

#include "privilege.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#define RETRY_MILLISECONDS 50
#define DEFAULT_PATIENCE 5 /* seconds */
#define MAX_STREAM_BYTES (1u << 20)

/* NTSTATUS values that Win32 codes do not tell apart from others. */
#define DELETE_PENDING ((LONG)0xC0000056)
#define BUFFER_OVERFLOW ((LONG)0x80000005) /* a warning: the front part was filled */
#define NO_EAS ((LONG)0xC0000052)
#define NO_MORE_EAS ((LONG)0x80000012)
#define NO_MORE_FILES ((LONG)0x80000006)
#define NO_SUCH_FILE ((LONG)0xC000000F)
#define OBJECT_NAME_INVALID ((LONG)0xC0000033)
#define OPLOCK_BREAK_IN_PROGRESS ((LONG)0x00000108) /* a success */

/* Options of NtCreateFile. */
#define SYNCHRONOUS 0x20u
#define COMPLETE_IF_OPLOCKED 0x100u
#define BACKUP_INTENT 0x4000u
#define REPARSE_POINT 0x200000u

/* FILE_INFORMATION_CLASS and FS_INFORMATION_CLASS. */
enum {
  DIRECTORY_INFORMATION = 1,
  BASIC_INFORMATION = 4,
  STANDARD_INFORMATION = 5,
  INTERNAL_INFORMATION = 6,
  EA_INFORMATION = 7,
  RENAME_INFORMATION = 10,
  LINK_INFORMATION = 11,
  DISPOSITION_INFORMATION = 13,
  STREAM_INFORMATION = 22,
  RENAME_INFORMATION_EX = 65
};
enum { FS_VOLUME = 1, FS_SIZE = 3, FS_DEVICE = 4, FS_ATTRIBUTE = 5, FS_FULL_SIZE = 7 };

typedef LONG(NTAPI *create_file)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *,
                                 LARGE_INTEGER *, ULONG, ULONG, ULONG, ULONG, void *, ULONG);
typedef LONG(NTAPI *file_information)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, int);
typedef LONG(NTAPI *query_directory)(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *,
                                     ULONG, int, BOOLEAN, UNICODE_STRING *, BOOLEAN);
typedef LONG(NTAPI *query_ea)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, BOOLEAN, void *, ULONG,
                              ULONG *, BOOLEAN);
typedef LONG(NTAPI *flush_buffers)(HANDLE, IO_STATUS_BLOCK *);

static struct functions {
  create_file create;
  file_information query, set, query_volume;
  query_directory list;
  query_ea eas;
  flush_buffers flush;
} nt;

static void *ntdll(const char *name) {
  return km_windows_function("ntdll.dll", name);
}

/* Every Windows NT has them all. Loading them twice, in two threads, does no harm. */
static const struct functions *functions(void) {
  if (!nt.flush) {
    nt.create = (create_file)ntdll("NtCreateFile");
    nt.query = (file_information)ntdll("NtQueryInformationFile");
    nt.set = (file_information)ntdll("NtSetInformationFile");
    nt.query_volume = (file_information)ntdll("NtQueryVolumeInformationFile");
    nt.list = (query_directory)ntdll("NtQueryDirectoryFile");
    nt.eas = (query_ea)ntdll("NtQueryEaFile");
    nt.flush = (flush_buffers)ntdll("NtFlushBuffersFile");
  }
  return &nt;
}

static uint32_t code_of(LONG status) {
  switch (status) {
  case BUFFER_OVERFLOW:
    return ERROR_MORE_DATA;
  case DELETE_PENDING:
    return ERROR_DELETE_PENDING;
  case NO_MORE_FILES:
  case NO_SUCH_FILE:
    return status == NO_MORE_FILES ? ERROR_NO_MORE_FILES : ERROR_FILE_NOT_FOUND;
  case OBJECT_NAME_INVALID: /* a name that this file system cannot have */
    return ERROR_FILE_NOT_FOUND;
  default:
    return status >= 0 ? ERROR_SUCCESS : km_windows_code(status);
  }
}

bool km_native_unknown(uint32_t code) {
  return code == ERROR_INVALID_FUNCTION || code == ERROR_NOT_SUPPORTED ||
         code == ERROR_INVALID_PARAMETER || code == ERROR_CALL_NOT_IMPLEMENTED;
}

/* ---- Patience ---- */

static unsigned patience_seconds = DEFAULT_PATIENCE;

static unsigned patience_age = 1;

void km_disk_patience(unsigned seconds) {
  patience_seconds = seconds;
  patience_age++;
}

unsigned km_patience_age(void) {
  return patience_age;
}

bool km_patience_wait(km_patience *patience) {
  DWORD now = GetTickCount();
  if (!patience->begun) {
    *patience = (km_patience){true, now};
  }
  if (now - patience->since >= 1000 * patience_seconds) {
    return false;
  }
  Sleep(RETRY_MILLISECONDS);
  return true;
}

bool km_patience_fits(uint32_t code) {
  return code == ERROR_SHARING_VIOLATION || code == ERROR_LOCK_VIOLATION ||
         code == ERROR_USER_MAPPED_FILE;
}

/* ---- Opening ---- */

static uint32_t open_once(HANDLE folder, const wchar_t *name, const km_opening *how, ULONG options,
                          HANDLE *out) {
  size_t units = wcslen(name);
  if (units >= KM_MAX_WIDE_PATH) {
    return ERROR_FILENAME_EXCED_RANGE;
  }
  UNICODE_STRING text = {(USHORT)(units * sizeof *name), (USHORT)(units * sizeof *name),
                         (wchar_t *)name};
  OBJECT_ATTRIBUTES object = {.Length = sizeof object,
                              .RootDirectory = folder,
                              .ObjectName = &text,
                              .Attributes = OBJ_CASE_INSENSITIVE,
                              .SecurityDescriptor = (void *)how->descriptor};
  IO_STATUS_BLOCK result;
  ACCESS_MASK access = how->access | FILE_READ_ATTRIBUTES | (how->look ? 0 : SYNCHRONIZE);
  *out = NULL;
  LONG status = functions()->create(out, access, &object, &result, NULL, FILE_ATTRIBUTE_NORMAL,
                                    how->share, how->disposition, options, NULL, 0);
  if (status == OPLOCK_BREAK_IN_PROGRESS) {
    CloseHandle(*out);
    *out = NULL;
    return ERROR_SHARING_VIOLATION;
  }
  return code_of(status);
}

unsigned km_native_begin(unsigned privileges) {
  unsigned enabled = 0;
  for (unsigned bit = 1; bit <= privileges; bit *= 2) {
    if ((privileges & bit) && km_privilege_begin((km_privilege)bit)) {
      enabled |= bit;
    }
  }
  return enabled;
}

void km_native_end(unsigned enabled, bool used) {
  for (unsigned bit = 1; bit <= enabled; bit *= 2) {
    if (enabled & bit) {
      km_privilege_end((km_privilege)bit, used);
    }
  }
}

bool km_native_refused(uint32_t code) {
  return code == ERROR_ACCESS_DENIED || code == ERROR_INVALID_OWNER ||
         code == ERROR_PRIVILEGE_NOT_HELD;
}

static uint32_t open_privileged(HANDLE folder, const wchar_t *name, const km_opening *how,
                                ULONG options, HANDLE *out) {
  uint32_t code = open_once(folder, name, how, options, out);
  if (!km_native_refused(code) || !how->privileges) {
    return code;
  }
  unsigned enabled = km_native_begin(how->privileges);
  code = enabled ? open_once(folder, name, how, options, out) : code;
  km_native_end(enabled, code == ERROR_SUCCESS);
  return code;
}

/* Whoever may open a file may take an oplock of it, and need never give it up when another opens the file: who did not say
 * that he does not wait would wait for ever. Folders have none of that kind. */
uint32_t km_native_try(HANDLE folder, const wchar_t *name, const km_opening *how, HANDLE *out) {
  ULONG waiting =
      (how->look ? 0 : SYNCHRONOUS) | ((how->options & KM_OPEN_FOLDER) ? 0 : COMPLETE_IF_OPLOCKED);
  return open_privileged(folder, name, how, how->options | waiting | BACKUP_INTENT | REPARSE_POINT,
                         out);
}

uint32_t km_native_open(HANDLE folder, const wchar_t *name, const km_opening *how, HANDLE *out) {
  km_patience patience = {0};
  for (;;) {
    uint32_t code = km_native_try(folder, name, how, out);
    bool wait =
        km_patience_fits(code) || (code == ERROR_DELETE_PENDING && how->disposition == KM_OPEN_NEW);
    if (!wait || how->hurried || !km_patience_wait(&patience)) {
      return code;
    }
  }
}

uint32_t km_native_open_root(const wchar_t *path, HANDLE *out) {
  const km_opening how = {.access = FILE_LIST_DIRECTORY | FILE_TRAVERSE,
                          .share = KM_SHARE_ALL,
                          .disposition = KM_OPEN_EXISTING,
                          .options = KM_OPEN_FOLDER,
                          .privileges = KM_PRIVILEGE_BACKUP};
  return open_privileged(NULL, path, &how, KM_OPEN_FOLDER | SYNCHRONOUS | BACKUP_INTENT, out);
}

/* ---- What a file is ---- */

static uint32_t query(HANDLE file, int what, void *out, size_t size) {
  IO_STATUS_BLOCK result;
  return code_of(functions()->query(file, &result, out, (ULONG)size, what));
}

static uint32_t set(HANDLE file, int what, const void *data, size_t size) {
  IO_STATUS_BLOCK result;
  return code_of(functions()->set(file, &result, (void *)data, (ULONG)size, what));
}

uint32_t km_native_basic_get(HANDLE file, km_native_basic *out) {
  return query(file, BASIC_INFORMATION, out, sizeof *out);
}

uint32_t km_native_basic_set(HANDLE file, const km_native_basic *basic) {
  return set(file, BASIC_INFORMATION, basic, sizeof *basic);
}

uint32_t km_native_standard_get(HANDLE file, km_native_standard *out) {
  return query(file, STANDARD_INFORMATION, out, sizeof *out);
}

uint32_t km_native_identity(HANDLE file, uint64_t *out) {
  return query(file, INTERNAL_INFORMATION, out, sizeof *out);
}

typedef struct stream_entry { /* FILE_STREAM_INFORMATION */
  ULONG next;
  ULONG name_bytes;
  LONGLONG size, allocated;
  wchar_t name[];
} stream_entry;

static void walk_streams(const uint8_t *data, size_t size,
                         bool (*each)(void *user, const wchar_t *name, size_t units), void *user) {
  static const wchar_t unnamed[] = L"::$DATA";
  for (size_t at = 0; size - at >= sizeof(stream_entry);) {
    const stream_entry *entry = (const void *)(data + at);
    size_t units = entry->name_bytes / sizeof *entry->name;
    if (entry->name_bytes > size - at - sizeof *entry) {
      return;
    }
    bool own = units == wcslen(unnamed) && !memcmp(entry->name, unnamed, entry->name_bytes);
    if (units > 0 && !own && !each(user, entry->name, units)) {
      return;
    }
    if (entry->next < sizeof *entry || entry->next % 8 || entry->next > size - at) {
      return;
    }
    at += entry->next;
  }
}

uint32_t km_native_streams(HANDLE file, bool (*each)(void *user, const wchar_t *name, size_t units),
                           void *user) {
  uint32_t code = ERROR_MORE_DATA;
  for (size_t size = 4096; code == ERROR_MORE_DATA && size <= MAX_STREAM_BYTES; size *= 4) {
    uint8_t *data = calloc(1, size);
    code = data ? query(file, STREAM_INFORMATION, data, size) : ERROR_NOT_ENOUGH_MEMORY;
    if (code == ERROR_SUCCESS) {
      walk_streams(data, size, each, user);
    }
    free(data);
  }
  return code;
}

typedef struct ea_entry { /* FILE_FULL_EA_INFORMATION */
  ULONG next;
  UCHAR flags, name_bytes;
  USHORT value_bytes;
  char name[];
} ea_entry;

uint32_t km_native_attributes(HANDLE file, bool (*each)(void *user, const char *name, size_t size),
                              void *user) {
  ULONG total = 0;
  /* One entry a call: no name and value have more than this together. */
  union {
    ea_entry entry;
    uint8_t bytes[66000];
  } * one;
  uint32_t code = query(file, EA_INFORMATION, &total, sizeof total);
  if (code || total == 0) {
    return code;
  }
  one = calloc(1, sizeof *one);
  LONG status = one ? 0 : (LONG)0xC0000017; /* STATUS_NO_MEMORY */
  for (bool first = true; status >= 0; first = false) {
    IO_STATUS_BLOCK result;
    status = functions()->eas(file, &result, one, sizeof *one, TRUE, NULL, 0, NULL, first);
    if (status < 0 || !each(user, one->entry.name, one->entry.name_bytes)) {
      break;
    }
  }
  free(one);
  return status == NO_EAS || status == NO_MORE_EAS ? ERROR_SUCCESS : code_of(status);
}

/* ---- Names ---- */

uint32_t km_native_list(HANDLE folder, void *buffer, size_t size, bool restart) {
  IO_STATUS_BLOCK result;
  LONG status = functions()->list(folder, NULL, NULL, NULL, &result, buffer, (ULONG)size,
                                  DIRECTORY_INFORMATION, FALSE, NULL, restart);
  return status == NO_SUCH_FILE ? ERROR_NO_MORE_FILES : code_of(status);
}

typedef struct name_change { /* FILE_RENAME_INFORMATION, FILE_LINK_INFORMATION */
  union {
    BOOLEAN replace;
    ULONG flags;
  } how;
  HANDLE folder;
  ULONG name_bytes;
  wchar_t name[];
} name_change;

#define RENAME_REPLACE 0x1u
#define RENAME_POSIX 0x2u
#define RENAME_IGNORE_READ_ONLY 0x40u

static uint32_t change_name(HANDLE file, int what, ULONG flags, HANDLE folder,
                            const wchar_t *name) {
  size_t bytes = wcslen(name) * sizeof *name;
  size_t size = sizeof(name_change) + bytes + sizeof *name;
  if (bytes >= KM_MAX_WIDE_PATH * sizeof *name) {
    return ERROR_FILENAME_EXCED_RANGE;
  }
  name_change *change = calloc(1, size);
  if (!change) {
    return ERROR_NOT_ENOUGH_MEMORY;
  }
  change->how.flags = flags;
  change->folder = folder;
  change->name_bytes = (ULONG)bytes;
  memcpy(change->name, name, bytes);
  uint32_t code = set(file, what, change, size);
  free(change);
  return code;
}

uint32_t km_native_rename(HANDLE file, HANDLE folder, const wchar_t *name, bool replace) {
  return change_name(file, RENAME_INFORMATION, replace, folder, name);
}

uint32_t km_native_rename_over(HANDLE file, HANDLE folder, const wchar_t *name) {
  uint32_t code =
      change_name(file, RENAME_INFORMATION_EX,
                  RENAME_REPLACE | RENAME_POSIX | RENAME_IGNORE_READ_ONLY, folder, name);
  /* The last flag came a year after the others. */
  return code == ERROR_INVALID_PARAMETER
             ? change_name(file, RENAME_INFORMATION_EX, RENAME_REPLACE | RENAME_POSIX, folder, name)
             : code;
}

uint32_t km_native_link(HANDLE file, HANDLE folder, const wchar_t *name) {
  return change_name(file, LINK_INFORMATION, FALSE, folder, name);
}

uint32_t km_native_delete(HANDLE file) {
  BOOLEAN gone = TRUE;
  return set(file, DISPOSITION_INFORMATION, &gone, sizeof gone);
}

uint32_t km_native_flush(HANDLE file) {
  IO_STATUS_BLOCK result;
  return code_of(functions()->flush(file, &result));
}

/* ---- Volumes ---- */

static uint32_t query_volume(HANDLE root, int what, void *out, size_t size) {
  IO_STATUS_BLOCK result;
  return code_of(functions()->query_volume(root, &result, out, (ULONG)size, what));
}

uint32_t km_native_volume_get(HANDLE root, km_native_volume *out) {
  union {
    struct {
      LONGLONG created;
      ULONG serial, label_bytes;
    } volume;
    struct {
      ULONG type, characteristics;
    } device;
    struct {
      ULONG flags;
      LONG longest;
      ULONG name_bytes;
      wchar_t name[64];
    } attribute;
    uint8_t room[1024];
  } data;
  memset(out, 0, sizeof *out);
  uint32_t code = query_volume(root, FS_VOLUME, &data, sizeof data);
  if (code == ERROR_SUCCESS || code == ERROR_MORE_DATA) {
    out->serial = data.volume.serial;
  }
  if (query_volume(root, FS_DEVICE, &data, sizeof data) == ERROR_SUCCESS) {
    out->characteristics = data.device.characteristics;
  }
  memset(&data, 0, sizeof data);
  code = query_volume(root, FS_ATTRIBUTE, &data, sizeof data);
  if (code) {
    return code;
  }
  size_t units = data.attribute.name_bytes / sizeof *out->file_system;
  size_t room = sizeof out->file_system / sizeof *out->file_system - 1;
  units = units < room ? units : room;
  memcpy(out->file_system, data.attribute.name, units * sizeof *out->file_system);
  out->flags = data.attribute.flags;
  return ERROR_SUCCESS;
}

uint32_t km_native_space(HANDLE root, uint64_t *out) {
  struct {
    uint64_t total, available, real; /* allocation units; Windows 2000 has quotas too */
    ULONG sectors, sector;
  } full;
  uint32_t code = query_volume(root, FS_FULL_SIZE, &full, sizeof full);
  *out = code ? 0 : full.available * full.sectors * full.sector;
  if (!code) {
    return code;
  }
  struct {
    uint64_t total, available;
    ULONG sectors, sector;
  } plain;
  code = query_volume(root, FS_SIZE, &plain, sizeof plain);
  *out = code ? 0 : plain.available * plain.sectors * plain.sector;
  return code;
}
