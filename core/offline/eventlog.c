/* eventlog.c: the event logs of an offline Windows: where they are, and their records in order
 *
 * A log's file is where the value File of SYSTEM\<control set>\Services\EventLog\<log> says, for a channel that of
 * SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Channels\<channel>; else where Windows keeps it by default. Sources: MS
 * "Eventlog Key", "Event Log File Format", [MS-EVEN6].
 */
#include "eventlog.h"

#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_KEY "SYSTEM\\CurrentControlSet\\Services\\EventLog\\"
#define CHANNEL_KEY "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WINEVT\\Channels\\"
#define KM_MAX_LOG_NAME 256 /* bytes; a registry key's name has 255 characters */
#define MAX_PATH_TEXT (KM_MAX_LOG_NAME * 3 + 64)

/* ---- The file, as libbfio reads it ---- */

/* NOLINTBEGIN(readability-non-const-parameter): the types are those of libbfio. */

static int bfio_free(intptr_t **log, libbfio_error_t **error) {
  (void)error;
  *log = NULL; /* the log owns itself */
  return 1;
}

static int bfio_clone(intptr_t **to, intptr_t *from, libbfio_error_t **error) {
  (void)error;
  *to = from;
  return 1;
}

static int bfio_open(intptr_t *log, int flags, libbfio_error_t **error) {
  (void)log;
  (void)flags;
  (void)error;
  return 1;
}

static int bfio_yes(intptr_t *log, libbfio_error_t **error) {
  (void)log;
  (void)error;
  return 1;
}

static int bfio_close(intptr_t *log, libbfio_error_t **error) {
  (void)log;
  (void)error;
  return 0;
}

static ssize_t bfio_read(intptr_t *handle, uint8_t *buffer, size_t size, libbfio_error_t **error) {
  km_event_log *log = (km_event_log *)(void *)handle;
  (void)error;
  if (log->at >= log->size)
    return 0;
  if (size > log->size - log->at)
    size = (size_t)(log->size - log->at);
  if (km_disk_read_at(log->fd, buffer, size, log->at, NULL) != KM_OK)
    return -1;
  if (log->looked_at != NULL)
    log->looked_at(log, log->at, buffer, size);
  log->at += size;
  return (ssize_t)size;
}

static ssize_t bfio_write(intptr_t *log, const uint8_t *buffer, size_t size,
                          libbfio_error_t **error) {
  (void)log;
  (void)buffer;
  (void)size;
  (void)error;
  return -1;
}

static off64_t bfio_seek(intptr_t *handle, off64_t offset, int whence, libbfio_error_t **error) {
  km_event_log *log = (km_event_log *)(void *)handle;
  (void)error;
  uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? log->at : log->size;
  if (offset < 0 ? (uint64_t)-offset > base : (uint64_t)offset > KM_MAX_LOG_FILE - base)
    return -1;
  log->at = base + (uint64_t)offset;
  return (off64_t)log->at;
}

static int bfio_size(intptr_t *handle, size64_t *size, libbfio_error_t **error) {
  (void)error;
  *size = ((km_event_log *)(void *)handle)->size;
  return 1;
}

/* NOLINTEND(readability-non-const-parameter) */

static bool open_handle(km_event_log *log) {
  return libbfio_handle_initialize(&log->handle, (intptr_t *)(void *)log, bfio_free, bfio_clone,
                                   bfio_open, bfio_close, bfio_read, bfio_write, bfio_seek,
                                   bfio_yes, bfio_yes, bfio_size, 0, NULL) == 1;
}

/* ---- Opening ---- */

static km_status no_memory(const char *name, km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "read the event log \"%s\": out of memory", name);
}

/* By the first bytes: both formats have been seen under both extensions. */
static const km_log_format *format_of(const km_event_log *log) {
  uint8_t head[8] = {0};
  if (log->size < sizeof head || km_disk_read_at(log->fd, head, sizeof head, 0, NULL) != KM_OK)
    return NULL;
  if (memcmp(head, "ElfFile", 8) == 0)
    return &km_log_evtx;
  return memcmp(head + 4, "LfLe", 4) == 0 ? &km_log_evt : NULL;
}

static km_status open_file(km_event_log *log, km_error *error) {
  km_status status = km_disk_size(log->fd, &log->size, error);
  if (status != KM_OK) {
    km_error_prefix(error, "read the event log \"%s\" (%s)", log->name, log->path);
    return status;
  }
  if (log->size > KM_MAX_LOG_FILE)
    return km_fail(error, KM_LIMIT, 0, "read the event log \"%s\": %s has more than 4 GiB",
                   log->name, log->path);
  log->format = format_of(log);
  if (log->format == NULL)
    return km_fail(error, KM_DAMAGED, 0,
                   "read the event log \"%s\": %s does not begin as an event log does; it is "
                   "damaged, or another file",
                   log->name, log->path);
  if (!open_handle(log))
    return no_memory(log->name, error);
  return log->format->open(log, error);
}

km_status km_log_open(int fd, const char *name, const char *path, bool oldest_first,
                      km_event_log **out, km_error *error) {
  km_event_log *log = calloc(1, sizeof *log);
  *out = NULL;
  if (log == NULL) {
    km_disk_close(fd);
    return no_memory(name, error);
  }
  log->fd = fd;
  log->oldest_first = oldest_first;
  log->name = strdup(name);
  log->path = strdup(path);
  km_status status =
      log->name != NULL && log->path != NULL ? open_file(log, error) : no_memory(name, error);
  if (status == KM_OK)
    *out = log;
  else
    km_offline_event_close(log);
  return status;
}

void km_offline_event_close(km_event_log *log) {
  if (log == NULL)
    return;
  if (log->file != NULL)
    log->format->close(log);
  if (log->handle != NULL)
    (void)libbfio_handle_free(&log->handle, NULL);
  km_disk_close(log->fd);
  free(log->rows);
  free(log->texts);
  free(log->chunk);
  free(log->name);
  free(log->path);
  free(log);
}

/* ---- Where a log's file is ---- */

/* The logs that every Windows has, and their files before Windows Vista. */
static const struct {
  const char *log, *file;
} classic[] = {
    {"System", "SysEvent.Evt"},
    {"Application", "AppEvent.Evt"},
    {"Security", "SecEvent.Evt"},
};

static bool same_name(const char *a, const char *b) {
  return km_pattern_match(a, b); /* of plain letters: equal, ignoring case */
}

/* Where the registry says; NULL when it does not. The caller frees it. */
static char *stored_path(km_target *target, const char *key_path, const char *log) {
  char path[sizeof CHANNEL_KEY + KM_MAX_LOG_NAME];
  km_key key = 0;
  (void)snprintf(path, sizeof path, "%s%s", key_path, log);
  if (km_registry_open_path(target, path, &key, NULL) != KM_OK)
    return NULL;
  char *stored = km_registry_text(target, key, "File");
  target->backend->registry_close(target, key);
  char *expanded = km_folders_expand(target, stored);
  free(stored);
  return expanded;
}

/* Where Windows Vista and later keep it: a slash in a channel's name is written %4. */
static char *vista_path(km_target *target, const char *log) {
  char text[MAX_PATH_TEXT] = "\\";
  size_t used = 1;
  for (; *log != '\0' && used + 8 < sizeof text; log++)
    used += (size_t)snprintf(text + used, sizeof text - used, *log == '/' ? "%%4" : "%c", *log);
  (void)snprintf(text + used, sizeof text - used, ".evtx");
  char *folder = km_folders_expand(target, "%SystemRoot%\\System32\\winevt\\Logs");
  size_t size = folder != NULL ? strlen(folder) + sizeof text : 0;
  char *path = folder != NULL ? malloc(size) : NULL;
  if (path != NULL)
    (void)snprintf(path, size, "%s%s", folder, text);
  free(folder);
  return path;
}

static char *classic_path(km_target *target, const char *log) {
  char text[MAX_PATH_TEXT];
  (void)snprintf(text, sizeof text, "%%SystemRoot%%\\System32\\config\\%s.evt", log);
  for (size_t i = 0; i < sizeof classic / sizeof *classic; i++) {
    if (same_name(classic[i].log, log))
      (void)snprintf(text, sizeof text, "%%SystemRoot%%\\System32\\config\\%s", classic[i].file);
  }
  return strchr(log, '/') == NULL ? km_folders_expand(target, text) : NULL;
}

/* A name that can be a key's and a file's; what else people give would name another key or folder. */
static bool is_log_name(const char *log) {
  if (strlen(log) >= KM_MAX_LOG_NAME || log[0] == '.')
    return false;
  for (const char *at = log; *at != '\0'; at++) {
    if ((unsigned char)*at < ' ' || strchr("\\:*?\"<>|%", *at) != NULL)
      return false;
  }
  return true;
}

#define MAX_PLACES 4

/* Opens the first of the places that is there. A place that cannot be looked at, as that of the registry on a volume that
 * was not given, is told when none is. */
static km_status open_first(km_target *target, const char *log, char *const places[MAX_PLACES],
                            size_t *chosen, int *fd, km_error *error) {
  char looked[sizeof((km_error *)0)->message] = "";
  for (size_t i = 0; i < MAX_PLACES; i++) {
    if (places[i] == NULL)
      continue;
    km_status status = km_offline_resolve(target->state, places[i], fd, error);
    *chosen = i;
    if (status == KM_NOT_FOUND && km_offline_volume(target->state, places[i][0]) != NULL) {
      size_t used = strlen(looked);
      (void)snprintf(looked + used, sizeof looked - used, "%s%s", used > 0 ? ", " : "", places[i]);
      continue;
    }
    if (status != KM_OK)
      km_error_prefix(error, "read the event log \"%s\"", log);
    return status;
  }
  return km_fail(error, KM_NOT_FOUND, 0,
                 "read the event log \"%s\": there is no such log; looked for %s", log, looked);
}

km_status km_offline_event_open(km_target *target, const char *log, bool oldest_first,
                                km_event_log **out, km_error *error) {
  char shown[KM_MAX_LOG_NAME * 2];
  *out = NULL;
  if (!is_log_name(log)) {
    km_escape(log, strlen(log), shown, sizeof shown);
    return km_fail(error, KM_NOT_FOUND, 0, "read the event log \"%s\": no log has such a name",
                   shown);
  }
  char *places[MAX_PLACES] = {
      stored_path(target, LOG_KEY, log),
      stored_path(target, CHANNEL_KEY, log),
      vista_path(target, log),
      classic_path(target, log),
  };
  size_t chosen = 0;
  int fd = -1;
  km_status status = open_first(target, log, places, &chosen, &fd, error);
  if (status == KM_OK)
    status = km_log_open(fd, log, places[chosen], oldest_first, out, error);
  for (size_t i = 0; i < MAX_PLACES; i++)
    free(places[i]);
  return status;
}

/* ---- Reading ---- */

void km_offline_event_filter(km_event_log *log, const km_event_filter *filter) {
  log->filter = filter;
}

km_status km_log_add(km_event_log *log, km_log_row row, km_error *error) {
  if (log->row_count == log->row_room) {
    size_t room = log->row_room == 0 ? 1024 : log->row_room * 2;
    if (room > KM_MAX_LOG_ROWS * (size_t)2)
      return km_fail(error, KM_LIMIT, 0,
                     "read the event log \"%s\": more than %d records; ask for a span of time",
                     log->name, KM_MAX_LOG_ROWS);
    km_log_row *larger = realloc(log->rows, room * sizeof *larger);
    if (larger == NULL)
      return no_memory(log->name, error);
    log->rows = larger;
    log->row_room = room;
  }
  row.order = (uint32_t)log->row_count;
  log->rows[log->row_count++] = row;
  return KM_OK;
}

/* Oldest first: by number, an ordinary record before a recovered copy of it. */
static int compare_rows(const void *a, const void *b) {
  const km_log_row *one = a, *other = b;
  if (one->number != other->number)
    return one->number < other->number ? -1 : 1;
  if (one->recovered != other->recovered)
    return one->recovered ? 1 : -1;
  return one->order < other->order ? -1 : one->order > other->order;
}

/* Sorts the rows; a recovered record that is there in another place, too, is told once. */
static void order_rows(km_event_log *log) {
  size_t kept = 0;
  if (log->row_count > 1)
    qsort(log->rows, log->row_count, sizeof *log->rows, compare_rows);
  for (size_t i = 0; i < log->row_count; i++) {
    const km_log_row *row = &log->rows[i], *last = kept > 0 ? &log->rows[kept - 1] : NULL;
    if (row->recovered && last != NULL && last->number == row->number && last->time == row->time)
      continue;
    log->rows[kept++] = *row;
  }
  log->row_count = kept;
}

km_status km_offline_event_next(km_event_log *log, km_event *out, km_error *error) {
  if (!log->indexed) {
    km_status status = log->format->index(log, error);
    if (status != KM_OK)
      return status;
    order_rows(log);
    log->indexed = true;
  }
  while (log->next < log->row_count) {
    size_t at = log->oldest_first ? log->next : log->row_count - 1 - log->next;
    log->next++;
    log->used = 0;
    const km_log_row *row = &log->rows[at];
    km_status status = log->format->read(log, row, out, error);
    if (status == KM_NOT_FOUND || (status == KM_DAMAGED && row->recovered))
      continue; /* the remains of a record are none of the log's records */
    log->recovered += status == KM_OK && row->recovered;
    return status;
  }
  return KM_END;
}

const char *km_offline_event_problem(km_event_log *log) {
  char recovered[100] = "", parts[100] = "";
  if (log->damaged_parts == 0 && log->recovered == 0)
    return log->dirty ? "the log's file was not closed properly, or parts of it are damaged; its "
                        "newest records may be missing"
                      : NULL;
  if (log->recovered > 0)
    (void)snprintf(recovered, sizeof recovered,
                   "%llu record%s recovered from unused space of the log's file",
                   (unsigned long long)log->recovered, log->recovered == 1 ? " was" : "s were");
  if (log->damaged_parts > 0)
    (void)snprintf(parts, sizeof parts, "%llu of the file's parts of 64 KiB %s damaged",
                   (unsigned long long)log->damaged_parts, log->damaged_parts == 1 ? "is" : "are");
  (void)snprintf(log->problem, sizeof log->problem, "%s%s%s", recovered,
                 recovered[0] != '\0' && parts[0] != '\0' ? "; " : "", parts);
  return log->problem;
}

/* ---- For the formats ---- */

km_status km_log_damaged(const km_event_log *log, const km_log_row *row, const char *what,
                         km_error *error) {
  return km_fail(error, KM_DAMAGED, 0, "event log \"%s\", record %llu: its %s cannot be read",
                 log->name, (unsigned long long)row->number, what);
}

char *km_log_room(km_event_log *log, size_t size) {
  enum { FIRST = 4096 };
  if (size > KM_MAX_LOG_TEXT || log->used > KM_MAX_LOG_TEXT * (size_t)KM_MAX_EVENT_STRINGS)
    return NULL;
  if (size > log->room - log->used) {
    size_t room = log->used + size < FIRST ? FIRST : (log->used + size) * 2;
    char *larger = realloc(log->texts, room);
    if (larger == NULL)
      return NULL;
    log->texts = larger;
    log->room = room;
  }
  char *out = log->texts + log->used;
  log->used += size;
  return out;
}
