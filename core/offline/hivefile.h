/* hivefile.h: a hive as a file of a target, with the logs beside it; internal to core/offline. */
#ifndef KM_HIVEFILE_H
#define KM_HIVEFILE_H

#include "hive.h"

/* How a target opens a file by its Windows path, for reading; *fd is the caller's: km_disk_close. Contract:
 * km_offline_resolve. */
typedef struct km_resolver {
  km_status (*resolve)(void *user, const char *path, int *fd, km_error *error);
  void *user;
} km_resolver;

/* What is read of a hive's file. */
typedef enum km_hive_reading {
  KM_HIVE_AS_IT_STANDS, /* the file alone, whatever its logs hold */
  KM_HIVE_REPLAYED /* when it is dirty, with its logs replayed in memory as far as they are complete */
} km_hive_reading;

/* Opens the hive at a Windows path. `secret`: the hive and its logs hold secrets. Errors as km_offline_resolve and
 * km_hive_open; logs that are absent, damaged or cannot be read are no error: km_hive_replayed tells. Release:
 * km_hive_close. */
km_status km_hive_file_open(const km_resolver *resolver, const char *path, km_hive_reading reading,
                            bool secret, km_hive **out, km_error *error);

#endif
