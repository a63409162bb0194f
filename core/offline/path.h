/* path.h: Windows paths of a target, and the volumes that they name by letter; for both systems. */
#ifndef KM_PATH_H
#define KM_PATH_H

#include "offline.h"

/* A path taken apart. */
typedef struct km_path {
  km_volume *volume;
  char *copy; /* what the parts stand in */
  char *parts[KM_MAX_PATH_PARTS];
  size_t count; /* 0: the volume's root */
} km_path;

/* Takes "C:\a\b" (or with slashes) apart and checks every component before anything is opened. KM_MISUSE: no absolute
 * path; KM_NOT_FOUND: its volume was not given; KM_OUTSIDE: a component that is empty, "..", a device's name, has a
 * character that no Windows name has, ...; KM_LIMIT; KM_MEMORY. Release: km_path_free, on failure too. */
km_status km_path_take(km_offline *offline, const char *path, km_path *out, km_error *error);
void km_path_free(km_path *path);

/* Fails with "look up <path>: <problem>". */
km_status km_path_fail(km_error *error, km_status status, int native, const char *path,
                       const char *problem);

/* ---- What path.c asks of the system ---- */

/* Opens `folder` of this machine as the root of a volume: fills all but letter and folder. The folder itself may be a
 * link: it is the user's own choice. */
km_status km_volume_open(const char *folder, km_volume *out, km_error *error);
void km_volume_close(km_volume *volume);

/* Whether `folder` in the volume's root is the Windows folder of the system that keymend runs on; false on POSIX. */
bool km_volume_is_running(const km_volume *volume, const char *folder);

#endif
