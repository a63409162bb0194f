/* volume.c: volumes on Windows: what their file systems keep, and whether one may be written; the lock of a key store.
 */
#include "descriptor.h"
#include "folder.h"
#include "privilege.h"
#include "text.h"

#include <io.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

#define READ_ONLY_VOLUME 0x80000u     /* FILE_READ_ONLY_VOLUME */
#define SUPPORTS_HARD_LINKS 0x400000u /* FILE_SUPPORTS_HARD_LINKS: told since Windows 7 */

/* ---- File systems ---- */

static const char no_private[] =
    "it cannot hold a folder that is private to the system, nor a second name for a file";
static const char elsewhere[] = "it is on another machine; run keymend there";
static const char unknown[] = "keymend does not know this file system; repair a copy on NTFS";

static const struct file_system {
  const char *name;
  const char *refusal; /* why it is not written to; NULL: it is */
} file_systems[] = {
    {"ntfs", NULL},        {"refs", NULL},        {"wine", NULL},       {"fat", no_private},
    {"fat32", no_private}, {"exfat", no_private}, {"cdfs", no_private}, {"udf", no_private},
};

/* Why a volume is not written to, or NULL. */
static const char *refusal_of(const km_win_volume *volume) {
  if (volume->remote) {
    return elsewhere;
  }
  for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++) {
    if (!strcmp(file_systems[i].name, volume->driver)) {
      return file_systems[i].refusal;
    }
  }
  return unknown;
}

static bool is_ntfs(const km_win_volume *volume) {
  return !strcmp(volume->driver, "ntfs");
}

/* ---- Opening ---- */

/* NtfsDisableLastAccessUpdate: 1 and 3 are "no access times"; Windows before Vista noted them when nothing was said. */
static bool moves_access_times(void) {
  DWORD value = km_windows_version(NULL) >= 0x600, type = 0, size = sizeof value;
  HKEY key;
  if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\FileSystem", 0,
                    KEY_QUERY_VALUE, &key) == ERROR_SUCCESS) {
    DWORD told;
    if (RegQueryValueExW(key, L"NtfsDisableLastAccessUpdate", NULL, &type, (BYTE *)&told, &size) ==
            ERROR_SUCCESS &&
        type == REG_DWORD && size == sizeof told) {
      value = told;
    }
    RegCloseKey(key);
  }
  return (value & 1) == 0;
}

/* The root as people write it: without the NT prefix, and without a backslash at its end but for a drive's. */
static char *shown_root(const wchar_t *root) {
  static const wchar_t nt[] = L"\\??\\", unc[] = L"\\??\\UNC\\";
  bool share = !wcsncmp(root, unc, wcslen(unc));
  bool prefixed = !wcsncmp(root, nt, wcslen(nt));
  const wchar_t *rest = root + (share ? wcslen(unc) - 2 : prefixed ? wcslen(nt) : 0);
  char *text = km_narrow(rest);
  size_t length = text ? strlen(text) : 0;
  if (share && text) {
    text[0] = '\\'; /* "C\server\share" */
  }
  if (length > 3 && text[length - 1] == '\\') {
    text[length - 1] = 0;
  }
  return text;
}

static void identify(km_win_volume *volume, const km_native_volume *facts) {
  char name[3 * 32 + 1];
  km_narrow_into(facts->file_system, wcslen(facts->file_system), name);
  volume->serial = facts->serial;
  volume->flags = facts->flags;
  volume->wine = km_is_wine();
  volume->remote = (facts->characteristics & KM_DEVICE_REMOTE) != 0;
  volume->read_only =
      (facts->flags & READ_ONLY_VOLUME) != 0 || (facts->characteristics & KM_DEVICE_READ_ONLY) != 0;
  /* What Wine's volumes say they are does not tell what they keep. */
  snprintf(volume->driver, sizeof volume->driver, "%.31s", volume->wine ? "wine" : _strlwr(name));
  volume->moves_access_times = moves_access_times();
}

km_status km_win_volume_open(const wchar_t *root, bool live, km_win_volume **out, km_error *error) {
  km_native_volume facts;
  km_win_volume *volume = calloc(1, sizeof *volume);
  char *text = shown_root(root);
  *out = NULL;
  if (!volume || !text) {
    free(volume);
    free(text);
    return km_fail(error, KM_MEMORY, 0, "open the volume: out of memory");
  }
  uint32_t code = km_native_open_root(root, &volume->handle);
  if (!code && (code = km_native_volume_get(volume->handle, &facts)) != ERROR_SUCCESS) {
    CloseHandle(volume->handle);
  }
  if (code) {
    km_status status = km_windows_fail(error, code, "open the volume's root", text);
    free(volume);
    free(text);
    return status;
  }
  volume->root = text;
  volume->live = live;
  identify(volume, &facts);
  *out = volume;
  return KM_OK;
}

void km_win_volume_close(km_win_volume *volume) {
  if (volume) {
    CloseHandle(volume->handle);
    free(volume->root);
    free(volume);
  }
}

const char *km_win_driver(const km_win_volume *volume) {
  return volume->driver;
}

/* ---- Whether it may be written ---- */

/* Windows leaves a hibernation image whose first four bytes tell that the volume is still in use. The running Windows has
 * its own open. */
static km_status check_hibernation(km_win_volume *volume, km_error *error) {
  char magic[4] = "";
  int fd;
  km_error why;
  if (volume->live) {
    return KM_OK;
  }
  km_status status = km_win_file_open(volume, "C:\\hiberfil.sys", &fd, &why);
  if (status == KM_NOT_FOUND) {
    return KM_OK;
  }
  if (status) {
    return km_fail(error, KM_REFUSED, why.native,
                   "write to %s: whether its Windows is hibernated cannot be told: %s",
                   volume->root, why.message);
  }
  int got = _read(fd, magic, sizeof magic);
  _close(fd);
  if (got < 0) {
    return km_fail(error, KM_REFUSED, 0,
                   "write to %s: whether its Windows is hibernated cannot be told: its hiberfil.sys"
                   " cannot be read",
                   volume->root);
  }
  if (got == (int)sizeof magic &&
      (!memcmp(magic, "hibr", sizeof magic) || !memcmp(magic, "HIBR", sizeof magic))) {
    return km_fail(error, KM_REFUSED, 0,
                   "write to %s: its Windows is hibernated (hiberfil.sys), perhaps by fast startup;"
                   " start it and shut it down fully (shutdown /s /f /t 0) first",
                   volume->root);
  }
  return KM_OK;
}

/* "\\?\Volume{...}" of the volume that a folder of this machine is on. */
static bool volume_name(const char *root, wchar_t name[64]) {
  wchar_t *wide = km_wide(root), *mount = malloc(KM_MAX_WIDE_PATH * sizeof *mount);
  bool good = wide && mount && GetVolumePathNameW(wide, mount, KM_MAX_WIDE_PATH) &&
              GetVolumeNameForVolumeMountPointW(mount, name, 64);
  size_t length = good ? wcslen(name) : 0;
  if (length > 0 && name[length - 1] == L'\\') {
    name[length - 1] = 0; /* with it, it would be the root folder */
  }
  free(wide);
  free(mount);
  return good;
}

/* Whether the volume waits for chkdsk. false: that could not be asked, *code tells why. */
static bool ask_dirty(const km_win_volume *volume, bool *dirty, uint32_t *code) {
  wchar_t name[64];
  DWORD flags = 0, size = 0;
  *dirty = false;
  *code = ERROR_SUCCESS;
  if (!volume_name(volume->root, name)) {
    *code = GetLastError();
    return false;
  }
  /* With less, the device would be opened, and not what its file system knows; so only administrators may ask. */
  HANDLE handle = CreateFileW(name, GENERIC_READ, KM_SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    *code = GetLastError();
    return false;
  }
  if (!DeviceIoControl(handle, FSCTL_IS_VOLUME_DIRTY, NULL, 0, &flags, sizeof flags, &size, NULL) ||
      size < sizeof flags) {
    *code = GetLastError();
  }
  CloseHandle(handle);
  *dirty = (flags & VOLUME_IS_DIRTY) != 0;
  return *code == ERROR_SUCCESS;
}

static km_status check_unclean(const km_win_volume *volume, km_error *error) {
  bool dirty;
  uint32_t code;
  if (is_ntfs(volume) && ask_dirty(volume, &dirty, &code) && dirty) {
    return km_fail(error, KM_REFUSED, 0,
                   "write to %s: the NTFS volume is marked dirty; let Windows check it (chkdsk /f)"
                   " first",
                   volume->root);
  }
  return KM_OK;
}

static km_status check_space(const km_folder *folder, uint64_t need, km_error *error) {
  uint64_t free_bytes;
  if (need == 0) {
    return KM_OK; /* recover writes into what is there, and purge frees */
  }
  uint32_t code = km_native_space(folder->handle, &free_bytes);
  if (code) {
    return km_folder_fail(error, code, "tell the free space of", folder, NULL);
  }
  if (free_bytes < need) {
    return km_fail(error, KM_NO_SPACE, 0,
                   "write to %s: %llu bytes are needed and %llu are free; free some space first",
                   folder->path, (unsigned long long)need, (unsigned long long)free_bytes);
  }
  return KM_OK;
}

static km_status check_access(const km_folder *folder, km_error *error) {
  static const km_opening how = {.access = FILE_ADD_FILE,
                                 .share = KM_SHARE_ALL,
                                 .disposition = KM_OPEN_EXISTING,
                                 .options = KM_OPEN_FOLDER,
                                 .privileges = KM_PRIVILEGE_RESTORE};
  HANDLE handle;
  uint32_t code = km_native_open(folder->handle, L"", &how, &handle);
  if (!code) {
    CloseHandle(handle);
  }
  return code ? km_folder_fail(error, code, "write to", folder, NULL) : KM_OK;
}

km_status km_disk_volume_check(km_folder *folder, uint64_t need, km_error *error) {
  km_win_volume *volume = folder->volume;
  const char *refusal = refusal_of(volume);
  if (volume->read_only) {
    return km_fail(error, KM_READ_ONLY, ERROR_WRITE_PROTECT,
                   "write to %s: the volume of %s is read-only; make it writable (diskpart,"
                   " \"attributes volume clear readonly\")",
                   folder->path, volume->root);
  }
  if (refusal) {
    return km_fail(error, KM_REFUSED, 0, "write to %s: the file system of %s is %s: %s",
                   folder->path, volume->root, volume->driver, refusal);
  }
  km_status status = check_hibernation(volume, error);
  if (!status && volume->windows && volume->windows != volume) {
    status = check_hibernation(volume->windows, error);
  }
  if (!status) {
    status = check_unclean(volume, error);
  }
  if (!status) {
    status = check_space(folder, need, error);
  }
  return status ? status : check_access(folder, error);
}

/* ---- Capabilities ---- */

typedef struct capability_list {
  km_win_volume *volume;
  km_capability *rows;
  size_t count, max;
} capability_list;

#if defined(__GNUC__)
__attribute__((format(__MINGW_PRINTF_FORMAT, 4, 5)))
#endif
static void
add(capability_list *list, const char *id, bool available, const char *format, ...) {
  if (list->count == list->max || list->count == KM_WIN_CAPABILITIES) {
    return;
  }
  char *text = list->volume->text[list->count];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof list->volume->text[0], format, arguments);
  va_end(arguments);
  list->rows[list->count++] = (km_capability){id, available, text};
}

static void add_times(capability_list *list, const km_times *times) {
  const km_win_volume *volume = list->volume;
  size_t told = km_times_count(times);
  if (!volume->wine) {
    add(list, "creation-times", true, "%s stores them", volume->driver);
  } else if (told > 0) {
    add(list, "creation-times", true, "--times tells those of %zu files under Microsoft\\Crypto",
        told);
  } else if (times) {
    add(list, "creation-times", false, "--times has no row under Microsoft\\Crypto");
  } else {
    add(list, "creation-times", false,
        "Wine gives the time of the last write instead; give a bodyfile with --times");
  }
}

static void add_security(capability_list *list) {
  const km_win_volume *volume = list->volume;
  if (volume->wine) {
    add(list, "owners", false, "under Wine every file is the user's own");
    add(list, "descriptors", false,
        "Wine keeps an access list as mode bits, and neither owner nor inheritance");
  } else if (volume->flags & FILE_PERSISTENT_ACLS) {
    add(list, "owners", true, "%s tells their SIDs", volume->driver);
    add(list, "descriptors", true, "%s keeps owner, group and DACL", volume->driver);
  } else {
    add(list, "owners", false, "%s has none, so every file counts as the system's", volume->driver);
    add(list, "descriptors", false, "%s has none", volume->driver);
  }
  add(list, "attributes", true, "%s keeps them", volume->driver);
}

static void add_unclean(capability_list *list) {
  const km_win_volume *volume = list->volume;
  char words[KM_MAX_WORDS];
  bool dirty;
  uint32_t code;
  if (!is_ntfs(volume)) {
    add(list, "unclean-check", true, "not needed: %s is not NTFS", volume->driver);
  } else if (!ask_dirty(volume, &dirty, &code)) {
    add(list, "unclean-check", false, "the volume's dirty flag cannot be read: %.120s",
        km_windows_words(code, words));
  } else {
    add(list, "unclean-check", true, "the volume's dirty flag is %s",
        dirty ? "set: let Windows check the volume (chkdsk /f)" : "clear");
  }
}

static void add_writing(capability_list *list) {
  const km_win_volume *volume = list->volume;
  const char *refusal = refusal_of(volume);
  bool links = is_ntfs(volume) || volume->wine || (volume->flags & SUPPORTS_HARD_LINKS) != 0;
  add(list, "hard-links", links, "%s %s them", volume->driver, links ? "has" : "may not have");
  add(list, "writing", !refusal && !volume->read_only, "%s",
      volume->read_only ? "the volume is read-only"
      : refusal         ? refusal
                        : "the volume is writable");
  if (!volume->moves_access_times) {
    add(list, "silent-reading", true, "this Windows notes no access times");
  } else {
    add(list, "silent-reading", !volume->loud, "%s",
        volume->loud ? "some files could not be read without moving their access times"
                     : "files are read without moving access times");
  }
}

size_t km_win_capabilities(km_win_volume *volume, const km_times *times, km_capability *out,
                           size_t max) {
  capability_list list = {volume, out, 0, max};
  add_times(&list, times);
  add_security(&list);
  add_writing(&list);
  add_unclean(&list);
  return list.count;
}

/* ---- Lock ---- */

/* Where the store is on this machine, so that the running Windows and the same folder as --root are told to be one:
 * serial number of the volume and number of the folder. */
static km_status lock_name(km_win_volume *volume, const char *store_path, wchar_t name[64],
                           km_error *error) {
  km_folder *store;
  uint64_t identity = 0;
  char text[80], hash[KM_SHA256_TEXT];
  km_status status = km_win_folder_open(volume, NULL, store_path, &store, error);
  if (status) {
    return status;
  }
  uint32_t code = km_native_identity(store->handle, &identity);
  km_disk_folder_close(store);
  if (code) {
    return km_windows_fail(error, code, "lock", store_path);
  }
  snprintf(text, sizeof text, "%08lx %016llx", (unsigned long)volume->serial,
           (unsigned long long)identity);
  km_sha256(text, strlen(text), hash);
  hash[32] = 0;
  km_wide_into(hash, name + wcslen(wcscpy(name, L"Global\\keymend-")));
  return KM_OK;
}

/* Whoever makes the mutex has the lock: it is there as long as a process has it open, and goes with the process. Waiting
 * for it would belong to a thread, and let one thread lock twice. Windows 2000 without Terminal Services may not know
 * "Global\". */
static HANDLE make_mutex(const wchar_t *name, DWORD *code) {
  uint8_t descriptor[KM_PRIVATE_DESCRIPTOR];
  km_descriptor_private(false, descriptor);
  memset(descriptor + 4, 0, 8); /* the owner is who makes it */
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, descriptor, FALSE};
  HANDLE mutex = CreateMutexW(&attributes, FALSE, name);
  *code = GetLastError();
  if (!mutex && *code == ERROR_PATH_NOT_FOUND) {
    mutex = CreateMutexW(&attributes, FALSE, wcschr(name, L'\\') + 1);
    *code = GetLastError();
  }
  return mutex;
}

km_status km_win_lock(km_win_volume *volume, const char *store_path, void **out, km_error *error) {
  wchar_t name[64];
  DWORD code;
  *out = NULL;
  km_status status = lock_name(volume, store_path, name, error);
  if (status) {
    return status;
  }
  HANDLE mutex = make_mutex(name, &code);
  if (mutex && code != ERROR_ALREADY_EXISTS) {
    *out = mutex;
    return KM_OK;
  }
  if (mutex) {
    CloseHandle(mutex);
  }
  /* Every user may make a mutex of this name, so one who only wants to be in the way can: then its name helps to find out
   * who. */
  if (code == ERROR_ALREADY_EXISTS || code == ERROR_ACCESS_DENIED || code == ERROR_INVALID_HANDLE) {
    char shown[3 * 64 + 1];
    km_narrow_into(name, wcslen(name), shown);
    return km_fail(
        error, KM_BUSY, (int32_t)code,
        "lock %s: another keymend is at work there; wait until it has ended (if there is "
        "none, some other program keeps the name %s)",
        store_path, shown);
  }
  return km_windows_fail(error, code, "lock", store_path);
}

void km_win_unlock(void *lock) {
  if (lock) {
    CloseHandle(lock);
  }
}
