/* windows.h: the Windows folder of an offline volume, and the backup hives in it. */
#ifndef KM_WINDOWS_H
#define KM_WINDOWS_H

#include "hivefile.h"
#include "offline.h"

#define KM_MAX_ROOT_NAMES 100000  /* names of a volume's root that are looked at */
#define KM_MAX_WINDOWS_FOLDERS 16 /* Windows folders named in a refusal */

/* Finds the folder in the root of --root's volume that holds System32\config\SOFTWARE and SYSTEM. `wanted`:
 * its name when there are several, or NULL. *name is the caller's, as on disk. KM_NOT_FOUND with what was
 * tried, KM_REFUSED when there are several, KM_MISUSE for a `wanted` that is no name. target->state is set. */
km_status km_windows_find(km_target *target, const char *wanted, char **name, km_error *error);

/* Reads the machine GUIDs of the well-known backup hives beneath `windows` ("C:\WINNT") into *out (the
 * caller's, paths too), unsorted. `replayed`: the path of the SOFTWARE hive when its logs were replayed, whose GUID
 * before them is taken too, or NULL. A hive that is absent, empty, damaged or without a GUID is no evidence and
 * no error; only KM_MEMORY is. */
km_status km_windows_old_guids(const km_resolver *resolver, const char *windows,
                               const char *replayed, km_old_guid **out, size_t *count,
                               km_error *error);

#endif
