/* place.h: where an open file or folder is, whatever links led to it; internal to core/windows. */
#ifndef KM_PLACE_H
#define KM_PLACE_H

#include "native.h"

/* Its path on its volume, "\WINNT\system32", without links; short names stay where it was opened by them. malloc'ed; NULL
 * when the system does not tell. Source: FILE_NAME_INFORMATION, MS-FSCC 2.1.7. */
wchar_t *km_place_name(HANDLE file);

/* Whether two paths are the same, or `inner` is `outer` or below it, as file systems compare names. */
bool km_place_same(const wchar_t *a, const wchar_t *b);
bool km_place_within(const wchar_t *outer, const wchar_t *inner);

#endif
