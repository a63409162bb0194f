/* wide.c: UTF-8 and UTF-16, Windows' error codes in words, system DLLs by their full path. */
#include "wide.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xFFFDu

/* Codes that not every winerror.h has. */
#define STOPPED_ON_SYMLINK 681
#define ELEVATION_REQUIRED 740
#define QUOTA_EXCEEDED 1295

/* ---- UTF-8 and UTF-16 ---- */

static bool is_surrogate(uint32_t code) {
  return code >= 0xD800 && code <= 0xDFFF;
}

/* One character off UTF-8, the three bytes of a lone surrogate included. What is broken in another way comes from no
 * file name, and becomes U+FFFD. */
static uint32_t next_code(const char *text, size_t length, size_t *used) {
  const uint8_t *bytes = (const uint8_t *)text;
  if (length >= 3 && bytes[0] == 0xED && bytes[1] >= 0xA0 && bytes[1] <= 0xBF &&
      (bytes[2] & 0xC0) == 0x80) {
    *used = 3;
    return 0xD000u | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
  }
  uint32_t code = km_utf8_next(text, length, used);
  return code >= KM_BROKEN_BYTE ? REPLACEMENT : code;
}

size_t km_wide_into(const char *text, wchar_t *out) {
  size_t length = strlen(text), used = 0, count = 0;
  for (size_t at = 0; at < length; at += used) {
    uint32_t code = next_code(text + at, length - at, &used);
    if (code >= 0x10000) {
      out[count++] = (wchar_t)(0xD7C0 + (code >> 10));
      out[count++] = (wchar_t)(0xDC00 | (code & 0x3FF));
    } else {
      out[count++] = (wchar_t)code;
    }
  }
  out[count] = 0;
  return count;
}

wchar_t *km_wide(const char *text) {
  wchar_t *out = malloc((strlen(text) + 1) * sizeof *out);
  if (out) {
    km_wide_into(text, out);
  }
  return out;
}

static size_t put_code(uint32_t code, char out[4]) {
  if (!is_surrogate(code)) {
    return km_utf8_put(code, out);
  }
  out[0] = (char)0xED;
  out[1] = (char)(0x80 | (code >> 6 & 0x3F));
  out[2] = (char)(0x80 | (code & 0x3F));
  return 3;
}

size_t km_narrow_into(const wchar_t *text, size_t length, char *out) {
  size_t used = 0;
  for (size_t at = 0; at < length; at++) {
    uint32_t code = text[at];
    if (code >= 0xD800 && code <= 0xDBFF && at + 1 < length && text[at + 1] >= 0xDC00 &&
        text[at + 1] <= 0xDFFF) {
      code = 0x10000 + ((code - 0xD800) << 10) + (text[++at] - 0xDC00u);
    }
    used += put_code(code, out + used);
  }
  out[used] = 0;
  return used;
}

char *km_narrow_count(const wchar_t *text, size_t length, size_t *size) {
  if (length > (SIZE_MAX - 1) / 3) {
    return NULL;
  }
  char *out = malloc(3 * length + 1);
  if (!out) {
    return NULL;
  }
  size_t used = km_narrow_into(text, length, out);
  char *exact = realloc(out, used + 1);
  if (size) {
    *size = used;
  }
  return exact ? exact : out;
}

char *km_narrow(const wchar_t *text) {
  return km_narrow_count(text, wcslen(text), NULL);
}

/* ---- Functions and DLLs ---- */

void *km_windows_function(const char *dll, const char *name) {
  HMODULE module = GetModuleHandleA(dll);
  return module ? (void *)GetProcAddress(module, name) : NULL;
}

HMODULE km_windows_load(const wchar_t *dll) {
  wchar_t path[MAX_PATH];
  UINT length = GetSystemDirectoryW(path, MAX_PATH);
  if (length == 0 || length + 1 + wcslen(dll) + 1 > MAX_PATH || wcschr(dll, L'\\') ||
      wcschr(dll, L'/')) {
    SetLastError(ERROR_FILENAME_EXCED_RANGE);
    return NULL;
  }
  path[length] = L'\\';
  memcpy(path + length + 1, dll, (wcslen(dll) + 1) * sizeof *dll);
  /* So that the DLLs it needs itself are looked for beside it, not beside the program. */
  return LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
}

unsigned km_windows_version(unsigned *build) {
  typedef LONG(WINAPI * get_version)(OSVERSIONINFOW *);
  OSVERSIONINFOW info = {.dwOSVersionInfoSize = sizeof info};
  get_version ask = (get_version)km_windows_function("ntdll.dll", "RtlGetVersion");
  if (!ask || ask(&info) != 0) {
    GetVersionExW(&info);
  }
  if (build) {
    *build = (unsigned)info.dwBuildNumber;
  }
  return (unsigned)(info.dwMajorVersion << 8 | (info.dwMinorVersion & 0xFF));
}

bool km_is_wine(void) {
  return km_windows_function("ntdll.dll", "wine_get_version") != NULL;
}

/* ---- Error codes ---- */

uint32_t km_windows_code(LONG nt_status) {
  typedef ULONG(WINAPI * to_dos_error)(LONG);
  to_dos_error translate = (to_dos_error)km_windows_function("ntdll.dll", "RtlNtStatusToDosError");
  return translate ? translate(nt_status) : ERROR_MR_MID_NOT_FOUND;
}

const char *km_windows_words(uint32_t code, char words[KM_MAX_WORDS]) {
  wchar_t text[KM_MAX_WORDS / 4];
  DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
                                    FORMAT_MESSAGE_MAX_WIDTH_MASK,
                                NULL, code, 0, text, sizeof text / sizeof *text, NULL);
  while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.')) {
    length--;
  }
  if (length > 0) {
    km_narrow_into(text, length, words);
  } else {
    snprintf(words, KM_MAX_WORDS, code > 0xFFFF ? "error 0x%08lX" : "error %lu",
             (unsigned long)code);
  }
  return words;
}

typedef struct code_row {
  uint32_t code;
  km_status status;
  const char *advice;
} code_row;

static const char elevate[] = "; run keymend as an administrator, elevated";
static const char busy[] = "; try again when nothing else uses it";
static const char space[] = "; free some space on the volume";
static const char disk[] = "; check the disk, then try again";
static const char handles[] = "; end what else is running, then try again";

static const code_row code_rows[] = {
    {ERROR_FILE_NOT_FOUND, KM_NOT_FOUND, ""},
    {ERROR_PATH_NOT_FOUND, KM_NOT_FOUND, ""},
    {ERROR_INVALID_DRIVE, KM_NOT_FOUND, ""},
    {ERROR_BAD_NETPATH, KM_NOT_FOUND, ""},
    {ERROR_BAD_PATHNAME, KM_NOT_FOUND, ""},
    {ERROR_DIRECTORY, KM_NOT_FOUND, ""},
    {ERROR_NOT_READY, KM_NOT_FOUND, ""},
    {ERROR_DELETE_PENDING, KM_NOT_FOUND, ""},
    {ERROR_SERVICE_DOES_NOT_EXIST, KM_NOT_FOUND, ""},
    {ERROR_FILE_EXISTS, KM_EXISTS, ""},
    {ERROR_ALREADY_EXISTS, KM_EXISTS, ""},
    {ERROR_DIR_NOT_EMPTY, KM_EXISTS, ""},
    {ERROR_ACCESS_DENIED, KM_ACCESS, elevate},
    {ERROR_PRIVILEGE_NOT_HELD, KM_ACCESS, elevate},
    {ERROR_INVALID_OWNER, KM_ACCESS, elevate},
    {ELEVATION_REQUIRED, KM_ACCESS, elevate},
    {ERROR_NETWORK_ACCESS_DENIED, KM_ACCESS, elevate},
    {ERROR_DISK_FULL, KM_NO_SPACE, space},
    {ERROR_HANDLE_DISK_FULL, KM_NO_SPACE, space},
    {QUOTA_EXCEEDED, KM_NO_SPACE, "; raise the quota"},
    {ERROR_WRITE_PROTECT, KM_READ_ONLY, "; make the volume writable"},
    {STOPPED_ON_SYMLINK, KM_OUTSIDE, "; keymend follows no links and no reparse points"},
    {ERROR_CANT_ACCESS_FILE, KM_OUTSIDE, "; keymend follows no links and no reparse points"},
    {ERROR_NOT_SAME_DEVICE, KM_OUTSIDE, "; keymend stays on one volume"},
    {ERROR_NOT_ENOUGH_MEMORY, KM_MEMORY, ""},
    {ERROR_OUTOFMEMORY, KM_MEMORY, ""},
    {ERROR_NO_SYSTEM_RESOURCES, KM_MEMORY, ""},
    {ERROR_COMMITMENT_LIMIT, KM_MEMORY, ""},
    {ERROR_SHARING_VIOLATION, KM_BUSY, busy},
    {ERROR_LOCK_VIOLATION, KM_BUSY, busy},
    {ERROR_USER_MAPPED_FILE, KM_BUSY, busy},
    {ERROR_BUSY, KM_BUSY, busy},
    {ERROR_FILENAME_EXCED_RANGE, KM_LIMIT, ""},
    {ERROR_BUFFER_OVERFLOW, KM_LIMIT, ""},
    {ERROR_TOO_MANY_OPEN_FILES, KM_LIMIT, handles},
    {ERROR_NO_MORE_FILES, KM_END, ""},
    {ERROR_NO_MORE_ITEMS, KM_END, ""},
    {ERROR_INVALID_NAME, KM_MISUSE, ""},
    {ERROR_NOT_SUPPORTED, KM_UNSUPPORTED, ""},
    {ERROR_INVALID_FUNCTION, KM_UNSUPPORTED, ""},
    {ERROR_CALL_NOT_IMPLEMENTED, KM_UNSUPPORTED, ""},
    {ERROR_TOO_MANY_LINKS, KM_UNSUPPORTED, ""},
    {ERROR_FILE_CORRUPT, KM_DAMAGED, "; let Windows check the volume (chkdsk /f)"},
    {ERROR_DISK_CORRUPT, KM_DAMAGED, "; let Windows check the volume (chkdsk /f)"},
    {ERROR_CRC, KM_IO, disk},
    {ERROR_IO_DEVICE, KM_IO, disk},
    {ERROR_SECTOR_NOT_FOUND, KM_IO, disk},
    {ERROR_READ_FAULT, KM_IO, disk},
    {ERROR_WRITE_FAULT, KM_IO, disk},
};

static const code_row *find_row(uint32_t code) {
  for (size_t i = 0; i < sizeof code_rows / sizeof *code_rows; i++) {
    if (code_rows[i].code == code) {
      return &code_rows[i];
    }
  }
  return NULL;
}

km_status km_windows_status(uint32_t code) {
  const code_row *row = find_row(code);
  return code == ERROR_SUCCESS ? KM_OK : row ? row->status : KM_IO;
}

km_status km_windows_fail(km_error *error, uint32_t code, const char *operation,
                          const char *object) {
  const code_row *row = find_row(code);
  char words[KM_MAX_WORDS], shown[KM_MAX_MESSAGE / 2];
  km_escape(object, strlen(object), shown, sizeof shown);
  return km_fail(error, row ? row->status : KM_IO, (int32_t)code, "%s %s: %s%s", operation, shown,
                 km_windows_words(code, words), row ? row->advice : "");
}
