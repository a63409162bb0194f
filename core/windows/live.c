/* live.c: the backend of the running Windows: opening, what it can do, and the table that joins the rooms. */
#include "live.h"

#include "cryptoapi.h"
#include "eventlog.h"
#include "privilege.h"
#include "registry.h"
#include "service.h"
#include "version.h"

#include "offline/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMON_APP_DATA 0x23 /* CSIDL_COMMON_APPDATA of shlobj.h */

static km_status no_memory(km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "opening this Windows: out of memory");
}

/* ---- Volumes ---- */

static km_status volume_of(km_live *live, const char *path, km_win_volume **out, km_error *error) {
  char letter = (char)(path[0] & ~0x20);
  *out = NULL;
  if (letter < 'A' || letter > 'Z' || path[1] != ':')
    return km_fail(error, KM_MISUSE, 0, "%s: a Windows path begins with a drive letter", path);
  km_win_volume **kept = &live->volumes[letter - 'A'];
  wchar_t root[] = L"\\??\\C:\\";
  root[4] = (wchar_t)letter;
  km_status status = *kept != NULL ? KM_OK : km_win_volume_open(root, true, kept, error);
  *out = status == KM_OK ? *kept : NULL;
  return status;
}

static km_status folder_open(km_target *target, const char *path, km_folder **out,
                             km_error *error) {
  km_live *live = target->state;
  km_win_volume *volume;
  km_status status = volume_of(live, path, &volume, error);
  return status == KM_OK ? km_win_folder_open(volume, live->times, path, out, error) : status;
}

static km_status resolve(void *user, const char *path, int *fd, km_error *error) {
  km_win_volume *volume;
  km_status status = volume_of(user, path, &volume, error);
  return status == KM_OK ? km_win_file_open(volume, path, fd, error) : status;
}

/* The volume of an open folder, or the one with the Windows folder; NULL: it cannot be opened. */
static km_win_volume *volume_or_own(km_target *target, const km_folder *store) {
  km_win_volume *volume = NULL;
  if (store != NULL)
    return store->volume;
  (void)volume_of(target->state, target->info.windows, &volume, NULL);
  return volume;
}

/* ---- Opening ---- */

/* What a running Windows cannot be asked with, or by this program. */
static km_status check_options(const km_target_options *options, km_error *error) {
  if (options->windows != NULL)
    return km_fail(
        error, KM_MISUSE, 0,
        "--windows chooses among the Windows folders of an offline volume; give --root too, "
        "or leave it out");
  if (options->volume_count > 0)
    return km_fail(error, KM_MISUSE, 0,
                   "--volume belongs to an offline volume; give --root too, or leave it out");
  if (km_is_wow64())
    return km_fail(
        error, KM_UNSUPPORTED, 0,
        "this is the 32-bit keymend on a 64-bit Windows, which shows it another System32 "
        "and another registry: run the 64-bit keymend.exe (win64) here; with --root this "
        "one works too");
  return KM_OK;
}

/* Not GetWindowsDirectory: with Terminal Services that is a user's own folder. */
static km_status take_windows(km_target *target, km_error *error) {
  wchar_t path[MAX_PATH];
  UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);
  if (length == 0 || length >= MAX_PATH)
    return km_windows_fail(error, length == 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE, "find",
                           "the Windows folder");
  target->info.windows = km_narrow(path);
  return target->info.windows != NULL ? KM_OK : no_memory(error);
}

static km_status open_all(km_target *target, const km_target_options *options, km_error *error) {
  km_live *live = target->state;
  const km_resolver resolver = {resolve, live};
  km_win_volume *own;
  km_old_guid *guids = NULL;
  km_status status = take_windows(target, error);
  if (status == KM_OK)
    status = volume_of(live, target->info.windows, &own, error);
  if (status == KM_OK && options->times_file != NULL)
    status = km_times_load(options->times_file, &live->times, error);
  if (status == KM_OK)
    status = km_windows_old_guids(&resolver, target->info.windows, NULL, &guids,
                                  &target->info.old_guid_count, error);
  target->info.old_guids = guids;
  return status;
}

static void backend_close(km_target *target) {
  km_live *live = target->state;
  if (live == NULL)
    return;
  if (live->lock != NULL)
    km_win_unlock(live->lock);
  for (size_t i = 0; i < KM_MAX_LIVE_VOLUMES; i++)
    if (live->volumes[i] != NULL)
      km_win_volume_close(live->volumes[i]);
  km_times_free(live->times);
  free(live);
  target->state = NULL;
}

static km_status backend_open(km_target *target, const km_target_options *options,
                              km_error *error) {
  km_status status = check_options(options, error);
  if (status != KM_OK)
    return status;
  target->state = calloc(1, sizeof(km_live));
  if (target->state == NULL)
    return no_memory(error);
  status = open_all(target, options, error);
  if (status != KM_OK)
    backend_close(target);
  return status;
}

/* By the shell, which every Windows since 2000 asks for it; NULL where it gives no path with a drive letter. The DLL
 * stays loaded: what it started is nobody's to end. */
static char *app_data(km_target *target) {
  typedef HRESULT(WINAPI * get_folder_path)(HWND, int, HANDLE, DWORD, wchar_t *);
  wchar_t path[MAX_PATH];
  HMODULE shell = km_windows_load(L"shell32.dll");
  (void)target;
  if (shell == NULL)
    return NULL;
  get_folder_path ask = (get_folder_path)(void *)GetProcAddress(shell, "SHGetFolderPathW");
  bool good = ask != NULL && ask(NULL, COMMON_APP_DATA, NULL, 0, path) == S_OK &&
              path[0] != L'\0' && path[1] == L':' && path[2] == L'\\' && path[3] != L'\0';
  return good ? km_narrow(path) : NULL;
}

/* ---- What can be done ---- */

static km_status may_write(km_target *target, km_error *error) {
  (void)target;
  if (!km_is_elevated())
    return km_fail(
        error, KM_ACCESS, ERROR_ACCESS_DENIED,
        "keymend does not run as an administrator: start it from a prompt that was opened "
        "with \"Run as administrator\" (Windows 2000 to 2003: log on as an administrator, "
        "or use runas)");
  if (!km_privilege_held(KM_PRIVILEGE_BACKUP) || !km_privilege_held(KM_PRIVILEGE_RESTORE))
    return km_fail(
        error, KM_ACCESS, ERROR_PRIVILEGE_NOT_HELD,
        "this account has no right to back up and restore files (SeBackupPrivilege, "
        "SeRestorePrivilege), so owners and descriptors could not be kept: use an account "
        "that has it");
  return KM_OK;
}

static const char not_elevated[] =
    "keymend does not run as an administrator: it changes nothing, and key files and backup "
    "hives may be closed to it. Open its prompt with \"Run as administrator\" (Windows 2000 to "
    "2003: log on as an administrator, or use runas)";

static size_t capabilities(km_target *target, km_folder *store, km_capability *out, size_t max) {
  km_live *live = target->state;
  km_win_volume *volume = volume_or_own(target, store);
  size_t count = volume != NULL ? km_win_capabilities(volume, live->times, out, max) : 0;
  for (size_t i = 0; i < count; i++)
    if (strcmp(out[i].id, "writing") == 0 && out[i].available && !km_is_elevated())
      out[i] = (km_capability){"writing", false, not_elevated};
  if (!km_privileges_used(live->privileges, sizeof live->privileges))
    (void)snprintf(live->privileges, sizeof live->privileges,
                   "none was used beyond an administrator's plain rights");
  const km_capability own[] = {
      {"services", true, "through the service control manager"},
      {"events", true, "through the event log"},
      {"cryptoapi", true, "a container can be opened as its service opens it"},
      {"privileges",
       km_privilege_held(KM_PRIVILEGE_BACKUP) && km_privilege_held(KM_PRIVILEGE_RESTORE),
       live->privileges},
  };
  for (size_t i = 0; i < sizeof own / sizeof *own && count < max; i++)
    out[count++] = own[i];
  return count;
}

static const char *driver(km_target *target, km_folder *store) {
  const km_win_volume *volume = volume_or_own(target, store);
  return volume != NULL ? km_win_driver(volume) : "unknown";
}

static km_status file_version(km_target *target, const char *path, km_version_info *out,
                              km_error *error) {
  int fd;
  km_status status = resolve(target->state, path, &fd, error);
  if (status != KM_OK)
    return status;
  status = km_version_stat(fd, out, error);
  km_disk_close(fd);
  if (status != KM_OK) {
    km_error_prefix(error, "read the version of %s", path);
    return status;
  }
  return km_win_version(path, out->part, error);
}

static km_status lock_store(km_target *target, km_folder *store, km_error *error) {
  km_live *live = target->state;
  return km_win_lock(store->volume, store->path, &live->lock, error);
}

static void unlock_store(km_target *target) {
  km_live *live = target->state;
  if (live->lock != NULL)
    km_win_unlock(live->lock);
  live->lock = NULL;
}

static const km_backend live_backend = {
    .name = "live",
    .running = true,
    .open = backend_open,
    .close = backend_close,
    .app_data = app_data,
    .registry_root = km_win_registry_root,
    .registry_child = km_win_registry_child,
    .registry_children = km_win_registry_children,
    .registry_value = km_win_registry_value,
    .registry_time = km_win_registry_time,
    .registry_close = km_win_registry_close,
    .folder_open = folder_open,
    .folder_close = km_disk_folder_close,
    .folder_list = km_disk_folder_list,
    .listing_next = km_disk_listing_next,
    .listing_close = km_disk_listing_close,
    .file_info = km_disk_file_info,
    .file_read = km_disk_file_read,
    .meta_read = km_disk_meta_read,
    .meta_settable = km_disk_meta_settable,
    .volume_check = km_disk_volume_check,
    .lock = lock_store,
    .unlock = unlock_store,
    .private_folder = km_disk_private_folder,
    .file_copy = km_disk_file_copy,
    .file_link = km_disk_file_link,
    .file_rename = km_disk_file_rename,
    .file_rename_known = km_disk_file_rename_known,
    .file_remove = km_disk_file_remove,
    .folder_remove = km_disk_folder_remove,
    .meta_write = km_disk_meta_write,
    .folder_flush = km_disk_folder_flush,
    .machine_guid_read = km_win_guid_read,
    .machine_guid_check = km_win_guid_check,
    .machine_guid_write = km_win_guid_write,
    .machine_guid_settle = km_win_guid_settle,
    .journal_create = km_disk_journal_create,
    .journal_open = km_disk_journal_open,
    .journal_write = km_disk_journal_write,
    .journal_close = km_disk_journal_close,
    .may_write = may_write,
    .service_query = km_win_service_query,
    .service_stop = km_win_service_stop,
    .service_start = km_win_service_start,
    .report = km_win_report,
    .event_open = km_win_event_open,
    .event_next = km_win_event_next,
    .event_filter = km_win_event_filter,
    .event_close = km_win_event_close,
    .file_version = file_version,
    .container_test = km_win_container_test,
    .unprotect = km_win_unprotect,
    .capabilities = capabilities,
    .driver = driver,
};

const km_backend *km_live_backend(void) {
  return &live_backend;
}
