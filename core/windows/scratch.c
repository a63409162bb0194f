/* scratch.c: temporary folders on Windows */
#include "scratch.h"

#include "stdio.h"
#include "wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 100

km_status km_scratch_begin(char path[KM_MAX_CONSOLE_PATH], km_error *error) {
  wchar_t base[MAX_PATH + 1];
  DWORD length = GetTempPathW(MAX_PATH, base);
  if (length == 0 || length > MAX_PATH)
    return km_windows_fail(error, length == 0 ? GetLastError() : ERROR_BAD_PATHNAME, "find",
                           "the folder for temporary files");
  char *folder = km_narrow(base);
  if (folder == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  /* GetTempPath's own folder need not be private, but nobody else's folder is ever taken for this one. */
  km_status status = KM_EXISTS;
  for (unsigned i = 0; status == KM_EXISTS && i < MAX_TRIES; i++) {
    int size = snprintf(path, KM_MAX_CONSOLE_PATH, "%skeymend-%lx-%x", folder,
                        (unsigned long)GetCurrentProcessId(), (unsigned)km_console_clock() + i);
    status = size < 0 || size >= KM_MAX_CONSOLE_PATH
                 ? km_fail(error, KM_LIMIT, 0, "make %s: the path is too long", folder)
                 : km_scratch_folder(path, error);
  }
  free(folder);
  return status;
}

/* What a call on a path made of it. */
static km_status told(bool done, wchar_t *wide, const char *operation, const char *path,
                      km_error *error) {
  DWORD code = done ? ERROR_SUCCESS : GetLastError();
  free(wide);
  return done ? KM_OK : km_windows_fail(error, code, operation, path);
}

/* Whether a folder that can be listed holds more than itself and the one above. */
static DWORD list_folder(const wchar_t *pattern, bool *found) {
  WIN32_FIND_DATAW entry;
  HANDLE search = FindFirstFileW(pattern, &entry);
  if (search == INVALID_HANDLE_VALUE)
    return GetLastError();
  bool more = true;
  while (more && !*found) {
    *found = wcscmp(entry.cFileName, L".") != 0 && wcscmp(entry.cFileName, L"..") != 0;
    more = *found || FindNextFileW(search, &entry);
  }
  DWORD code = more ? ERROR_SUCCESS : GetLastError();
  (void)FindClose(search);
  return code == ERROR_NO_MORE_FILES ? ERROR_SUCCESS : code;
}

km_status km_scratch_look(const char *path, km_scratch_state *state, km_error *error) {
  char pattern[KM_MAX_CONSOLE_PATH + 2];
  *state = KM_SCRATCH_TAKEN;
  int length = snprintf(pattern, sizeof pattern, "%s/*", path);
  if (length < 0 || (size_t)length >= sizeof pattern)
    return km_fail(error, KM_LIMIT, 0, "look at %s: the path is too long", path);
  wchar_t *wide = km_stdio_path(path), *inside = km_stdio_path(pattern);
  DWORD code = wide == NULL || inside == NULL ? ERROR_NOT_ENOUGH_MEMORY : ERROR_SUCCESS;
  DWORD attributes = code == ERROR_SUCCESS ? GetFileAttributesW(wide) : 0;
  bool found = true;
  if (attributes == INVALID_FILE_ATTRIBUTES) {
    code = GetLastError();
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) {
      *state = KM_SCRATCH_FREE;
      code = ERROR_SUCCESS;
    }
  } else if (code == ERROR_SUCCESS && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    found = false;
    code = list_folder(inside, &found);
  }
  free(wide);
  free(inside);
  if (code != ERROR_SUCCESS)
    return km_windows_fail(error, code, "look at", path);
  if (!found)
    *state = KM_SCRATCH_EMPTY;
  return KM_OK;
}

km_status km_scratch_folder(const char *path, km_error *error) {
  wchar_t *wide = km_stdio_path(path);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  return told(CreateDirectoryW(wide, NULL) != 0, wide, "make", path, error);
}

static DWORD write_all(HANDLE file, const char *data, size_t size, km_time written) {
  while (size > 0) {
    DWORD done = 0, part = size < 0x10000 ? (DWORD)size : 0x10000;
    if (!WriteFile(file, data, part, &done, NULL))
      return GetLastError();
    if (done == 0)
      return ERROR_WRITE_FAULT;
    data += done;
    size -= done;
  }
  FILETIME time = {(DWORD)((uint64_t)written & 0xffffffffu), (DWORD)((uint64_t)written >> 32)};
  return written == 0 || SetFileTime(file, NULL, NULL, &time) ? ERROR_SUCCESS : GetLastError();
}

km_status km_scratch_file(const char *path, const char *data, size_t size, km_time written,
                          km_error *error) {
  wchar_t *wide = km_stdio_path(path);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  HANDLE file = CreateFileW(wide, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
  DWORD code = file == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
  free(wide);
  if (code != ERROR_SUCCESS)
    return km_windows_fail(error, code, "make", path);
  code = write_all(file, data, size, written);
  CloseHandle(file);
  return code == ERROR_SUCCESS ? KM_OK : km_windows_fail(error, code, "write", path);
}

km_status km_scratch_remove(const char *path, km_error *error) {
  wchar_t *wide = km_stdio_path(path);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  DWORD attributes = GetFileAttributesW(wide);
  bool folder =
      attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  bool done = (folder ? RemoveDirectoryW(wide) : DeleteFileW(wide)) != 0;
  return told(done, wide, "remove", path, error);
}
