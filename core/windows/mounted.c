/* mounted.c: another Windows' volumes on a Windows: D:\, an attached disk, or any folder that holds a copy. */
#include "offline/path.h"

#include "handle.h"

#include <stdlib.h>
#include <string.h>

/* ---- The root ---- */

static const wchar_t win32_prefix[] = L"\\\\?\\";
static const wchar_t nt_prefix[] = L"\\??\\";
static const wchar_t unc_prefix[] = L"\\??\\UNC\\";

static bool begins(const wchar_t *text, const wchar_t *with) {
  return wcsncmp(text, with, wcslen(with)) == 0;
}

static bool is_separator(wchar_t c) {
  return c == L'\\' || c == L'/';
}

/* The full path of a folder of this machine, malloc'ed; "D:" is the drive's root, not its current folder. NULL with
 * GetLastError. */
static wchar_t *full_path(const wchar_t *folder) {
  wchar_t drive[] = {folder[0], L':', L'\\', L'\0'};
  const wchar_t *asked = folder[1] == L':' && folder[2] == L'\0' ? drive : folder;
  wchar_t *out = malloc(KM_MAX_WIDE_PATH * sizeof *out);
  if (out == NULL) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
  }
  DWORD length = GetFullPathNameW(asked, KM_MAX_WIDE_PATH, out, NULL);
  if (length > 0 && length < KM_MAX_WIDE_PATH)
    return out;
  DWORD code = length == 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE;
  free(out);
  SetLastError(code);
  return NULL;
}

/* The NT path of a full Win32 path, with a backslash at its end: "\\?\D:\x" and "\\.\D:\x" lose their prefix, a share
 * gets its own. NULL: no memory. */
static wchar_t *nt_path(const wchar_t *full) {
  const wchar_t *prefix = nt_prefix;
  if (begins(full, win32_prefix) || begins(full, L"\\\\.\\")) {
    full += wcslen(win32_prefix);
  } else if (is_separator(full[0]) && is_separator(full[1])) {
    prefix = unc_prefix;
    full += 2;
  }
  size_t before = wcslen(prefix), length = wcslen(full);
  wchar_t *out = malloc((before + length + 2) * sizeof *out);
  if (out == NULL)
    return NULL;
  memcpy(out, prefix, before * sizeof *out);
  memcpy(out + before, full, length * sizeof *out);
  for (size_t i = before; i < before + length; i++) {
    if (out[i] == L'/')
      out[i] = L'\\';
  }
  if (out[before + length - 1] != L'\\')
    out[before + length++] = L'\\';
  out[before + length] = L'\0';
  return out;
}

km_status km_volume_open(const char *folder, km_volume *out, km_error *error) {
  wchar_t *wide = km_wide(folder);
  wchar_t *full = wide != NULL ? full_path(wide) : NULL;
  DWORD code = wide == NULL ? ERROR_NOT_ENOUGH_MEMORY : full == NULL ? GetLastError() : 0;
  wchar_t *root = full != NULL ? nt_path(full) : NULL;
  if (full != NULL && root == NULL)
    code = ERROR_NOT_ENOUGH_MEMORY;
  km_status status = root != NULL ? km_win_volume_open(root, false, &out->win, error)
                                  : km_windows_fail(error, code, "open the volume's root", folder);
  free(root);
  free(full);
  free(wide);
  return status;
}

void km_volume_close(km_volume *volume) {
  km_win_volume_close(volume->win);
}

/* Whether two open folders are one. */
static bool same_folder(HANDLE one, HANDLE other) {
  BY_HANDLE_FILE_INFORMATION a, b;
  return GetFileInformationByHandle(one, &a) && GetFileInformationByHandle(other, &b) &&
         a.dwVolumeSerialNumber == b.dwVolumeSerialNumber && a.nFileIndexHigh == b.nFileIndexHigh &&
         a.nFileIndexLow == b.nFileIndexLow;
}

bool km_volume_is_running(const km_volume *volume, const char *folder) {
  wchar_t path[MAX_PATH];
  UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);
  wchar_t *last = length > 0 && length < MAX_PATH ? wcsrchr(path, L'\\') : NULL;
  wchar_t *wide = km_wide(folder);
  bool named = last != NULL && wide != NULL && lstrcmpiW(last + 1, wide) == 0;
  free(wide);
  if (!named)
    return false;
  last[1] = L'\0';
  HANDLE above = CreateFileW(path, FILE_READ_ATTRIBUTES,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                             OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (above == INVALID_HANDLE_VALUE)
    return false;
  bool same = same_folder(above, volume->win->handle);
  (void)CloseHandle(above);
  return same;
}

/* ---- Operations ---- */

km_status km_offline_resolve(km_offline *offline, const char *windows_path, int *fd,
                             km_error *error) {
  km_path taken;
  *fd = -1;
  km_status status = km_path_take(offline, windows_path, &taken, error);
  if (status == KM_OK)
    status = km_win_file_open(taken.volume->win, windows_path, fd, error);
  km_path_free(&taken);
  return status;
}

km_status km_offline_folder_open(km_target *target, const char *path, km_folder **out,
                                 km_error *error) {
  km_offline *offline = target->state;
  km_path taken;
  *out = NULL;
  km_status status = km_path_take(offline, path, &taken, error);
  if (status == KM_OK) {
    taken.volume->win->windows = offline->volumes[0].win;
    status = km_win_folder_open(taken.volume->win, offline->times, path, out, error);
  }
  km_path_free(&taken);
  return status;
}

km_status km_offline_lock(km_target *target, km_folder *store, km_error *error) {
  km_offline *offline = target->state;
  if (offline->lock_handle != NULL)
    return km_fail(error, KM_MISUSE, 0, "lock %s: it is locked already", store->path);
  return km_win_lock(store->volume, store->path, &offline->lock_handle, error);
}

void km_offline_unlock(km_target *target) {
  km_offline *offline = target->state;
  if (offline->lock_handle != NULL)
    km_win_unlock(offline->lock_handle);
  offline->lock_handle = NULL;
}

/* ---- Capabilities ---- */

static km_win_volume *volume_of(km_offline *offline, const km_folder *store) {
  return store != NULL ? store->volume : offline->volumes[0].win;
}

size_t km_offline_capabilities(km_offline *offline, km_folder *store, km_capability *out,
                               size_t max) {
  static const km_capability rows[] = {
      {"services", false, "an offline Windows runs none; they start at its next boot"},
      {"events", true, "from the files of the event logs"},
  };
  size_t count = km_win_capabilities(volume_of(offline, store), offline->times, out, max);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0] && count < max; i++)
    out[count++] = rows[i];
  return count;
}

const char *km_offline_driver(km_offline *offline, km_folder *store) {
  return km_win_driver(volume_of(offline, store));
}
