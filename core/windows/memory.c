/* memory.c: files that are read by descriptor, and a hive's copy in memory, on Windows */
#include "offline/memory.h"

#define KM_STDIO_PLAIN
#include "hivex/memory.h"
#include "wide.h"
#include "windows/stdio.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>

_Static_assert(KM_MEMORY_HOLE >= KM_HIVEX_HOLE, "hivex reads so far beyond a hive");

/* ---- Files by descriptor ---- */

/* Memory is short of Windows' commit limit, too, not only of address space. */
static km_status fail(km_error *error, DWORD code) {
  char words[KM_MAX_WORDS];
  km_status status = km_windows_status(code) == KM_MEMORY ? KM_MEMORY : KM_IO;
  return km_fail(error, status, (int32_t)code, "%s", km_windows_words(code, words));
}

km_status km_disk_size(int fd, uint64_t *size, km_error *error) {
  BY_HANDLE_FILE_INFORMATION info;
  HANDLE file = (HANDLE)_get_osfhandle(fd);
  *size = 0;
  if (GetFileType(file) != FILE_TYPE_DISK)
    return km_fail(error, KM_UNSUPPORTED, 0, "it is not an ordinary file");
  if (!GetFileInformationByHandle(file, &info))
    return fail(error, GetLastError());
  if (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
    return km_fail(error, KM_UNSUPPORTED, 0, "it is not an ordinary file");
  *size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
  return KM_OK;
}

km_status km_disk_written(int fd, km_time *written, km_error *error) {
  BY_HANDLE_FILE_INFORMATION info;
  *written = 0;
  if (!GetFileInformationByHandle((HANDLE)_get_osfhandle(fd), &info))
    return fail(error, GetLastError());
  *written = (km_time)((uint64_t)info.ftLastWriteTime.dwHighDateTime << 32 |
                       info.ftLastWriteTime.dwLowDateTime);
  return KM_OK;
}

km_status km_disk_read_at(int fd, void *data, size_t size, uint64_t offset, km_error *error) {
  enum { CHUNK = 1 << 20 };
  HANDLE file = (HANDLE)_get_osfhandle(fd);
  uint8_t *out = data;
  while (size > 0) {
    DWORD wanted = size < CHUNK ? (DWORD)size : CHUNK, got = 0;
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    if (!ReadFile(file, out, wanted, &got, &at))
      return fail(error, GetLastError());
    if (got == 0)
      return fail(error, ERROR_HANDLE_EOF);
    out += got;
    size -= got;
    offset += got;
  }
  return KM_OK;
}

void km_disk_close(int fd) {
  (void)_close(fd);
}

/* Through CreateFileW, whose codes say more than errno. */
km_status km_disk_fopen(const char *path, const char *operation, FILE **out, km_error *error) {
  wchar_t *wide = km_stdio_path(path);
  *out = NULL;
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "%s %s: out of memory", operation, path);
  HANDLE file =
      CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                  OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
  DWORD code = GetLastError();
  free(wide);
  if (file == INVALID_HANDLE_VALUE)
    return km_windows_fail(error, code, operation, path);
  int fd = _open_osfhandle((intptr_t)file, _O_RDONLY | _O_BINARY);
  *out = fd >= 0 ? _fdopen(fd, "rb") : NULL;
  if (*out != NULL)
    return KM_OK;
  if (fd >= 0)
    (void)_close(fd);
  else
    (void)CloseHandle(file);
  return km_windows_fail(error, ERROR_TOO_MANY_OPEN_FILES, operation, path);
}

/* ---- A hive's copy ---- */

const char km_memory_advice[] = "";

km_status km_memory_new(size_t size, bool secret, km_memory *out, km_error *error) {
  *out = (km_memory){NULL, size, -1, secret};
  if (size > SIZE_MAX - KM_MEMORY_HOLE)
    return fail(error, ERROR_NOT_ENOUGH_MEMORY);
  out->data = VirtualAlloc(NULL, size + KM_MEMORY_HOLE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (out->data == NULL)
    return fail(error, GetLastError());
  if (secret) /* as far as the working set lets */
    (void)VirtualLock(out->data, size);
  return KM_OK;
}

km_status km_memory_seal(km_memory *memory, km_error *error) {
  DWORD before;
  if (VirtualProtect(memory->data, memory->size + KM_MEMORY_HOLE, PAGE_READONLY, &before))
    return KM_OK;
  return fail(error, GetLastError());
}

void km_memory_free(km_memory *memory) {
  DWORD before;
  if (memory->data != NULL) {
    if (memory->secret && VirtualProtect(memory->data, memory->size, PAGE_READWRITE, &before))
      km_wipe(memory->data, memory->size);
    (void)VirtualFree(memory->data, 0, MEM_RELEASE);
  }
  *memory = (km_memory){NULL, 0, -1, false};
}

hive_h *km_memory_open(const km_memory *memory) {
  char name[KM_HIVEX_NAME];
  return hivex_open(km_hivex_name(memory->data, memory->size, name), 0);
}
