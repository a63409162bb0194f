/* wide.h: UTF-8 and UTF-16, Windows' error codes in words, and system DLLs by their full path; internal to core/windows.
 */
#ifndef KM_WIDE_H
#define KM_WIDE_H

#include "backend.h"

#include <windows.h>

/* UTF-8 to UTF-16 and back, malloc'ed; NULL: out of memory. What is no valid UTF-16 (a lone surrogate in a file name)
 * becomes the three bytes that its code would have, and goes back to the same unit: no two names become one. */
wchar_t *km_wide(const char *text);
char *km_narrow(const wchar_t *text);
/* Into a buffer of as many units as the text has bytes, with NUL; returns the units without it. */
size_t km_wide_into(const char *text, wchar_t *out);
/* The same for `length` units that need no NUL; *size (may be NULL) gets the bytes without NUL. */
char *km_narrow_count(const wchar_t *text, size_t length, size_t *size);
/* The same into a buffer of at least 3 * length + 1 bytes; returns the bytes without NUL. */
size_t km_narrow_into(const wchar_t *text, size_t length, char *out);

#define KM_MAX_WORDS 512

/* A Win32 code or HRESULT in words: Windows' own text in one line without a final period, else "error 1008".
 * Returns `words`. */
const char *km_windows_words(uint32_t code, char words[KM_MAX_WORDS]);

/* The status that fits a Win32 code: ERROR_FILE_NOT_FOUND is KM_NOT_FOUND, ERROR_SHARING_VIOLATION KM_BUSY, ... */
km_status km_windows_status(uint32_t code);

/* Fails with "<operation> <object>: <code in words>" and the advice that fits the code. `object` is UTF-8 and is
 * escaped. */
km_status km_windows_fail(km_error *error, uint32_t code, const char *operation,
                          const char *object);

/* The Win32 code of an NTSTATUS. */
uint32_t km_windows_code(LONG nt_status);

/* A function of ntdll, kernel32 or advapi32, which every process has loaded; NULL: this Windows has none. */
void *km_windows_function(const char *dll, const char *name);

/* Loads a DLL of the system folder by its full path, never by a search; NULL with GetLastError. */
HMODULE km_windows_load(const wchar_t *dll);

/* "5.0": major * 256 + minor as the system itself says (RtlGetVersion where it is, else GetVersionExW), and the build. */
unsigned km_windows_version(unsigned *build);

/* Whether this is Wine, which keeps no creation times, owners, services' dependencies or events. */
bool km_is_wine(void);

#endif
