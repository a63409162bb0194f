/* windows.h: the Windows folder of an offline volume, and the backup hives in it. */
#ifndef KM_WINDOWS_H
#define KM_WINDOWS_H

#include "offline.h"

#define KM_MAX_ROOT_NAMES 100000  /* names of a volume's root that are looked at */
#define KM_MAX_WINDOWS_FOLDERS 16 /* Windows folders named in a refusal */

/* Finds the folder in the root of --root's volume that holds System32\config\SOFTWARE and SYSTEM. `wanted`:
 * its name when there are several, or NULL. *name is the caller's, as on disk. KM_NOT_FOUND with what was
 * tried, KM_REFUSED when there are several, KM_MISUSE for a `wanted` that is no name. target->state is set. */
km_status km_windows_find(km_target *target, const char *wanted, char **name, km_error *error);

/* How a target opens a file by its Windows path, for reading; *fd is the caller's: km_disk_close. Contract:
 * km_offline_resolve. */
typedef struct km_resolver {
  km_status (*resolve)(void *user, const char *path, int *fd, km_error *error);
  void *user;
} km_resolver;

/* Reads the machine GUIDs of the well-known backup hives beneath `windows` ("C:\WINNT") into *out (the
 * caller's, paths too), unsorted. A backup that is absent, empty, damaged or without a GUID is no evidence and
 * no error; only KM_MEMORY is. */
km_status km_windows_old_guids(const km_resolver *resolver, const char *windows, km_old_guid **out,
                               size_t *count, km_error *error);

#endif
