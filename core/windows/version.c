/* version.c: the version of a file as Windows tells it (version.dll). */
#include "version.h"

#include "live.h"

#include <stdlib.h>

typedef DWORD(WINAPI *size_function)(const wchar_t *path, DWORD *unused);
typedef BOOL(WINAPI *get_function)(const wchar_t *path, DWORD unused, DWORD size, void *data);
typedef BOOL(WINAPI *query_function)(const void *data, const wchar_t *block, void **value,
                                     UINT *size);

/* What version.dll has of use here; all of it is in Windows NT 4.0 and later. */
typedef struct version_dll {
  HMODULE module;
  size_function size;
  get_function get;
  query_function query;
} version_dll;

/* A Win32 code. Release: FreeLibrary, when there is a module. */
static DWORD load(version_dll *dll) {
  *dll = (version_dll){.module = km_windows_load(L"version.dll")};
  if (dll->module == NULL)
    return GetLastError();
  dll->size = (size_function)(void *)GetProcAddress(dll->module, "GetFileVersionInfoSizeW");
  dll->get = (get_function)(void *)GetProcAddress(dll->module, "GetFileVersionInfoW");
  dll->query = (query_function)(void *)GetProcAddress(dll->module, "VerQueryValueW");
  return dll->size != NULL && dll->get != NULL && dll->query != NULL ? ERROR_SUCCESS
                                                                     : ERROR_PROC_NOT_FOUND;
}

static DWORD take_parts(const version_dll *dll, const void *data, uint16_t part[4]) {
  const VS_FIXEDFILEINFO *fixed = NULL;
  UINT size = 0;
  if (!dll->query(data, L"\\", (void **)&fixed, &size) || size < sizeof *fixed ||
      fixed->dwSignature != VS_FFI_SIGNATURE)
    return ERROR_RESOURCE_DATA_NOT_FOUND;
  part[0] = HIWORD(fixed->dwFileVersionMS);
  part[1] = LOWORD(fixed->dwFileVersionMS);
  part[2] = HIWORD(fixed->dwFileVersionLS);
  part[3] = LOWORD(fixed->dwFileVersionLS);
  return ERROR_SUCCESS;
}

static DWORD ask(const version_dll *dll, const wchar_t *path, uint16_t part[4]) {
  DWORD unused = 0;
  SetLastError(ERROR_RESOURCE_DATA_NOT_FOUND); /* Windows does not always say why there is none */
  DWORD size = dll->size(path, &unused);
  if (size == 0)
    return GetLastError();
  void *data = malloc(size);
  if (data == NULL)
    return ERROR_NOT_ENOUGH_MEMORY;
  DWORD code = dll->get(path, 0, size, data) ? ERROR_SUCCESS : GetLastError();
  if (code == ERROR_SUCCESS)
    code = take_parts(dll, data, part);
  free(data);
  return code;
}

/* What Windows answers for a file that is no program, or has no version. */
static bool tells_of_none(DWORD code) {
  static const DWORD codes[] = {
      ERROR_BAD_FORMAT,
      ERROR_INVALID_DATA,
      ERROR_BAD_EXE_FORMAT,
      ERROR_RESOURCE_DATA_NOT_FOUND,
      ERROR_RESOURCE_TYPE_NOT_FOUND,
      ERROR_RESOURCE_NAME_NOT_FOUND,
      ERROR_RESOURCE_LANG_NOT_FOUND,
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (codes[i] == code)
      return true;
  }
  return false;
}

km_status km_win_version(const char *path, uint16_t part[4], km_error *error) {
  static const char operation[] = "read the version of";
  version_dll dll;
  wchar_t *wide = km_wide(path);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "%s %s: out of memory", operation, path);
  DWORD code = load(&dll);
  bool none = false;
  if (code == ERROR_SUCCESS) {
    code = ask(&dll, wide, part);
    none = tells_of_none(code);
  }
  if (dll.module != NULL)
    FreeLibrary(dll.module);
  free(wide);
  if (none)
    return km_fail(error, KM_DAMAGED, (int32_t)code,
                   "%s %s: it is no program file, or it has no version resource", operation, path);
  return code == ERROR_SUCCESS ? KM_OK : km_windows_fail(error, code, operation, path);
}
