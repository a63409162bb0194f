/* hivefile.c: opens a hive of a target with the logs beside it. */
#include "hivefile.h"

#include "memory.h"
#include "path.h"

#include <stdio.h>
#include <string.h>

static const char *const extensions[KM_HIVE_LOGS] = {".LOG", ".LOG1", ".LOG2"};

/* The logs of a hive, copied into memory. */
typedef struct logs {
  km_hive_log log[KM_HIVE_LOGS];
  km_memory copy[KM_HIVE_LOGS];
} logs;

static void free_logs(logs *all) {
  for (size_t i = 0; i < KM_HIVE_LOGS; i++)
    km_memory_free(&all->copy[i]);
}

static km_status copy_log(int fd, bool secret, km_memory *copy, size_t *size, km_error *error) {
  uint64_t bytes = 0;
  km_status status = km_disk_size(fd, &bytes, error);
  if (status == KM_OK && bytes > KM_MAX_HIVE_LOG)
    status = km_fail(error, KM_LIMIT, 0, "it is larger than %zu MiB", KM_MAX_HIVE_LOG >> 20);
  *size = (size_t)bytes;
  if (status == KM_OK && bytes > 0)
    status = km_memory_new(*size, secret, copy, error);
  if (status == KM_OK && bytes > 0)
    status = km_disk_read_at(fd, copy->data, *size, 0, error);
  return status;
}

/* A log that is there and cannot be read stands as one that is damaged: it is not empty and begins with nothing. */
static void read_log(const km_resolver *resolver, const char *path, bool secret, km_hive_log *log,
                     km_memory *copy) {
  static const uint8_t unreadable[] = {0xff};
  km_error why = {KM_OK, 0, ""};
  int fd;
  km_status status = resolver->resolve(resolver->user, path, &fd, &why);
  if (status == KM_NOT_FOUND)
    return;
  if (status == KM_OK) {
    status = copy_log(fd, secret, copy, &log->size, &why);
    km_disk_close(fd);
  }
  log->data = copy->data != NULL ? copy->data : unreadable;
  if (status != KM_OK) {
    log->data = unreadable;
    log->size = sizeof unreadable;
  }
}

static void read_logs(const km_resolver *resolver, const char *path, bool secret, logs *out) {
  const char *name = strrchr(path, '\\');
  name = name == NULL ? path : name + 1;
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < KM_HIVE_LOGS; i++) {
    char log_path[KM_MAX_WINDOWS_PATH];
    out->copy[i].fd = -1;
    (void)snprintf(out->log[i].name, sizeof out->log[i].name, "%s%s", name, extensions[i]);
    int length = snprintf(log_path, sizeof log_path, "%s%s", path, extensions[i]);
    if (length > 0 && (size_t)length < sizeof log_path)
      read_log(resolver, log_path, secret, &out->log[i], &out->copy[i]);
  }
}

km_status km_hive_file_open(const km_resolver *resolver, const char *path, km_hive_reading reading,
                            bool secret, km_hive **out, km_error *error) {
  int fd;
  km_hive_header header;
  logs all;
  *out = NULL;
  km_status status = resolver->resolve(resolver->user, path, &fd, error);
  if (status != KM_OK)
    return status;
  km_hive_source source = {.path = path, .fd = fd, .secret = secret};
  bool dirty = reading == KM_HIVE_REPLAYED &&
               km_hive_header_read(fd, path, &header, NULL) == KM_OK &&
               header.sequence1 != header.sequence2;
  if (dirty) {
    read_logs(resolver, path, secret, &all);
    source.logs = all.log;
  }
  status = km_hive_open_source(&source, out, error);
  if (dirty)
    free_logs(&all);
  km_disk_close(fd);
  return status;
}
