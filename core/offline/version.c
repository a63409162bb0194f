/* version.c: the version of a file on an offline volume; for both systems. */
#include "version.h"

#include "offline.h"

km_status km_offline_file_version(km_target *target, const char *path, km_version_info *out,
                                  km_error *error) {
  int fd;
  km_status status = km_offline_resolve(target->state, path, &fd, error);
  if (status != KM_OK)
    return status;
  status = km_version_of_file(fd, out, error);
  km_disk_close(fd);
  if (status != KM_OK)
    km_error_prefix(error, "read the version of %s", path);
  return status;
}
