/* lookup.h: Windows paths beneath a volume's root. */
#ifndef KM_LOOKUP_H
#define KM_LOOKUP_H

#include "offline.h"

#include <sys/types.h>

/* What a component is, told without opening it. */
typedef struct km_lookup_what {
  uint32_t type; /* S_IFMT bits */
  dev_t device;
  ino_t inode;
} km_lookup_what;

/* Finds one component in the folder `fd`, exactly as named, and opens it with `flags` (O_PATH: only
 * looks). Links are never followed, other file systems never entered, and a FIFO, socket or device
 * is never opened. 0, or an errno: ENOENT, ELOOP (a link), EXDEV (another file system), ENXIO (an
 * odd file), ESTALE (it was replaced meanwhile), ... `what` may be NULL; it is filled when the
 * component exists, so also with ELOOP and ENXIO. */
int km_lookup_open(km_offline *offline, km_volume *volume, int fd, const char *name, int flags,
                   int *out, km_lookup_what *what);

/* Finds in the folder `fd` the one name that equals `name` ignoring case: exactly, or by reading
 * the folder. 0 with the name as it stands on disk; ENOENT; EEXIST when there are several (`found`
 * and `second` then hold two of them); another errno. Buffers of KM_MAX_NAME bytes. */
int km_lookup_name(km_offline *offline, km_volume *volume, int fd, const char *name, char *found,
                   char *second);

/* Opens a folder by Windows path; *volume and *fd are filled, *fd is the caller's. Errors as
 * km_offline_resolve, and KM_NOT_FOUND when it is a file. */
km_status km_lookup_folder(km_offline *offline, const char *path, km_volume **volume, int *fd,
                           km_error *error);

#endif
