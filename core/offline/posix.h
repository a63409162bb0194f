/* posix.h: errno as a km_error, for the rooms of the offline backend. */
#ifndef KM_POSIX_H
#define KM_POSIX_H

#include "offline.h"

#include <sys/types.h>

/* An open folder. */
struct km_folder {
  km_offline *offline;
  km_volume *volume;
  int fd;
  char *path;                         /* Windows path, for messages and the times file */
  struct km_short_names *short_names; /* folder.c's own; NULL: not read yet */
};

#define KM_TIME_1970 INT64_C(116444736000000000)

/* Fails with "<operation> <folder>\<name>: <errno in words>" and the advice that fits the errno.
 * `folder` is a Windows or host path; `name` may be NULL. */
km_status km_posix_fail(km_error *error, int number, const char *operation, const char *folder,
                        const char *name);

/* Opens quietly: with O_NOATIME, and without it where that is refused (volume->loud tells). Adds
 * O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK and O_NOCTTY. The file descriptor, or -1 with errno. `volume`
 * may be NULL. */
int km_posix_open(km_volume *volume, int fd, const char *name, int flags);

/* A time of stat: unlike with km_time_from_unix, 0 is the first second of 1970. */
km_time km_posix_time(int64_t seconds, uint32_t nanoseconds);

#endif
