/* place.c: where an open file or folder is, whatever links led to it */
#include "place.h"

#include <stdlib.h>
#include <winternl.h>

#define FILE_NAME_CLASS 9 /* FileNameInformation */

wchar_t *km_place_name(HANDLE file) {
  typedef LONG(WINAPI * query)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, int);
  struct name {
    ULONG bytes;
    wchar_t text[KM_MAX_WIDE_PATH];
  } *name = malloc(sizeof *name);
  IO_STATUS_BLOCK block;
  wchar_t *copy = NULL;
  query ask = (query)km_windows_function("ntdll.dll", "NtQueryInformationFile");
  if (ask != NULL && name != NULL && ask(file, &block, name, sizeof *name, FILE_NAME_CLASS) == 0 &&
      name->bytes < sizeof name->text) {
    name->text[name->bytes / sizeof *name->text] = 0;
    copy = _wcsdup(name->text);
  }
  free(name);
  return copy;
}

static UNICODE_STRING text_of(const wchar_t *text, size_t units) {
  UNICODE_STRING out = {.Length = (USHORT)(units * sizeof *text),
                        .MaximumLength = (USHORT)(units * sizeof *text),
                        .Buffer = (wchar_t *)(uintptr_t)text};
  return out;
}

/* Whether `text` begins with the first `units` of `begin`. Longer texts than a UNICODE_STRING holds are no paths. */
static bool begins_with(const wchar_t *text, const wchar_t *begin, size_t units) {
  typedef BOOLEAN(WINAPI * prefix)(const UNICODE_STRING *, const UNICODE_STRING *, BOOLEAN);
  prefix ask = (prefix)km_windows_function("ntdll.dll", "RtlPrefixUnicodeString");
  size_t length = wcslen(text);
  if (ask == NULL || units > length || length >= KM_MAX_WIDE_PATH)
    return false;
  UNICODE_STRING first = text_of(begin, units), whole = text_of(text, length);
  return ask(&first, &whole, TRUE);
}

bool km_place_same(const wchar_t *a, const wchar_t *b) {
  return wcslen(a) == wcslen(b) && begins_with(a, b, wcslen(b));
}

bool km_place_within(const wchar_t *outer, const wchar_t *inner) {
  size_t units = wcslen(outer);
  while (units > 0 && outer[units - 1] == L'\\')
    units--;
  return begins_with(inner, outer, units) && (inner[units] == 0 || inner[units] == L'\\');
}
