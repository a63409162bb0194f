/* eventlog.c: reads the event logs of the running Windows, and reports keymend's own acts to one. */
#include "eventlog.h"

#include "event.h"
#include "wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS "SYSTEM\\CurrentControlSet\\Services\\EventLog\\"
#define KM_MAX_LOG_NAME 256    /* bytes; a registry key's name has 255 characters */
#define FIRST_BUFFER 0x10000u  /* bytes asked for at once; ReadEventLog takes up to 0x7FFFF */
#define KM_MAX_LOG_RESTARTS 16 /* of one reading, when the log was cleared meanwhile */
#define KM_MAX_REPORT                                                                              \
  30000 /* bytes of a reported text; an event's string may have 31,839 characters */

struct km_event_log {
  HANDLE handle;
  char *name;    /* UTF-8 */
  wchar_t *wide; /* the same */
  bool oldest_first;
  const km_event_filter *filter; /* or NULL */
  uint8_t *buffer;               /* whole records */
  DWORD room, filled, at;
  km_event_record record; /* the one at work */
  km_event_room texts;
  unsigned restarts;
  bool skipping;                /* after a restart: until the first record that was not told yet */
  uint32_t last;                /* number of the last record that was looked at; 0: none yet */
  km_time last_written, newest; /* when it was written; and the newest of all */
};

/* ---- Opening ---- */

/* OpenEventLog opens the Application log for a name that it does not know, so the name is looked up first. */
static km_status check_name(km_target *target, const char *log, km_error *error) {
  char path[sizeof LOGS + KM_MAX_LOG_NAME], shown[KM_MAX_LOG_NAME * 2];
  km_key key = 0;
  km_escape(log, strlen(log), shown, sizeof shown);
  bool good = strlen(log) < KM_MAX_LOG_NAME && strchr(log, '\\') == NULL;
  km_status status = KM_NOT_FOUND;
  if (good) {
    (void)snprintf(path, sizeof path, LOGS "%s", log);
    status = km_registry_open_path(target, path, &key, error);
  }
  if (status == KM_OK)
    target->backend->registry_close(target, key);
  if (status != KM_NOT_FOUND)
    return status;
  return km_fail(error, KM_NOT_FOUND, 0,
                 "read the event log \"%s\": this Windows has no log of that name; System and "
                 "Application are always there",
                 shown);
}

static km_status fail(const km_event_log *log, DWORD code, const char *operation, km_error *error) {
  if (code == ERROR_EVENTLOG_FILE_CORRUPT) {
    return km_fail(error, KM_IO, (int32_t)code,
                   "%s \"%s\": the log's file is damaged; clear the log with Event Viewer",
                   operation, log->name);
  }
  return km_windows_fail(error, code, operation, log->name);
}

static km_status open_handle(km_event_log *log, km_error *error) {
  log->handle = OpenEventLogW(NULL, log->wide);
  if (log->handle == NULL)
    return fail(log, GetLastError(), "open the event log", error);
  return KM_OK;
}

km_status km_win_event_open(km_target *target, const char *log, bool oldest_first,
                            km_event_log **out, km_error *error) {
  *out = NULL;
  km_status status = check_name(target, log, error);
  if (status != KM_OK)
    return status;
  km_event_log *self = calloc(1, sizeof *self);
  if (self != NULL) {
    self->oldest_first = oldest_first;
    self->name = strdup(log);
    self->wide = km_wide(log);
    self->buffer = malloc(FIRST_BUFFER);
    self->room = FIRST_BUFFER;
  }
  if (self == NULL || self->name == NULL || self->wide == NULL || self->buffer == NULL) {
    km_win_event_close(self);
    return km_fail(error, KM_MEMORY, 0, "open the event log %s: out of memory", log);
  }
  status = open_handle(self, error);
  if (status != KM_OK) {
    km_win_event_close(self);
    return status;
  }
  *out = self;
  return KM_OK;
}

void km_win_event_filter(km_event_log *log, const km_event_filter *filter) {
  log->filter = filter;
}

void km_win_event_close(km_event_log *log) {
  if (log == NULL)
    return;
  if (log->handle != NULL)
    (void)CloseEventLog(log->handle);
  km_event_room_free(&log->texts);
  free(log->buffer);
  free(log->wide);
  free(log->name);
  free(log);
}

/* ---- Reading ---- */

static bool grow(km_event_log *log, DWORD needed) {
  if (needed <= log->room || needed > KM_MAX_EVENT_RECORD)
    return false;
  uint8_t *larger = realloc(log->buffer, needed);
  if (larger == NULL)
    return false;
  log->buffer = larger;
  log->room = needed;
  return true;
}

/* The log was cleared or its file changed under the handle: begins anew, and skips what was told already. */
static km_status restart(km_event_log *log, km_error *error) {
  if (log->restarts++ == KM_MAX_LOG_RESTARTS) {
    return km_fail(error, KM_BUSY, ERROR_EVENTLOG_FILE_CHANGED,
                   "read the event log %s: it is cleared again and again; try again later",
                   log->name);
  }
  (void)CloseEventLog(log->handle);
  log->handle = NULL;
  log->skipping = log->last != 0;
  return open_handle(log, error);
}

/* Fills the buffer with the next records; KM_END behind the last. */
static km_status fill(km_event_log *log, km_error *error) {
  const DWORD flags = EVENTLOG_SEQUENTIAL_READ |
                      (log->oldest_first ? EVENTLOG_FORWARDS_READ : EVENTLOG_BACKWARDS_READ);
  log->at = log->filled = 0;
  for (;;) {
    DWORD got = 0, needed = 0;
    if (log->handle != NULL &&
        ReadEventLogW(log->handle, flags, 0, log->buffer, log->room, &got, &needed)) {
      log->filled = got <= log->room ? got : log->room;
      return log->filled > 0 ? KM_OK : KM_END;
    }
    DWORD code = log->handle != NULL ? GetLastError() : ERROR_INVALID_HANDLE;
    if (code == ERROR_HANDLE_EOF)
      return KM_END;
    if (code == ERROR_INSUFFICIENT_BUFFER && grow(log, needed))
      continue;
    if (code != ERROR_EVENTLOG_FILE_CHANGED)
      return fail(log, code, "read the event log", error);
    km_status status = restart(log, error);
    if (status != KM_OK)
      return status;
  }
}

/* After a restart: whether the record at work was told before, or would be told out of order. Numbers begin anew in a
 * log that was cleared. */
static bool was_told(const km_event_log *log) {
  const km_event_record *record = &log->record;
  if (log->oldest_first)
    return record->number <= log->last && record->written <= log->last_written;
  return record->number >= log->last || record->written > log->newest;
}

/* Whether the record at work is wanted; remembers how far the reading got. */
static bool take(km_event_log *log) {
  const km_event_record *record = &log->record;
  if (log->skipping && was_told(log))
    return false;
  log->skipping = false;
  log->last = record->number;
  log->last_written = record->written;
  if (record->written > log->newest)
    log->newest = record->written;
  return km_event_record_fits(record, log->filter);
}

km_status km_win_event_next(km_event_log *log, km_event *out, km_error *error) {
  for (;;) {
    km_status status = log->at < log->filled ? KM_OK : fill(log, error);
    if (status != KM_OK)
      return status;
    status =
        km_event_record_parse(log->buffer + log->at, log->filled - log->at, &log->record, error);
    /* Where even the length is wrong, nothing more of this buffer can be found. */
    log->at = log->record.length > 0 ? log->at + log->record.length : log->filled;
    if (status != KM_OK)
      return status;
    if (take(log))
      return km_event_render(&log->record, log->name, &log->texts, out, error);
  }
}

/* ---- Reporting ---- */

typedef struct act_row {
  WORD type;
  DWORD id; /* severity in the top two bits, as messages.mc has it */
} act_row;

static const act_row acts[] = {
    [KM_ACT_APPLIED] = {EVENTLOG_INFORMATION_TYPE, 0x40000001},
    [KM_ACT_UNDONE] = {EVENTLOG_INFORMATION_TYPE, 0x40000002},
    [KM_ACT_RECOVERED] = {EVENTLOG_INFORMATION_TYPE, 0x40000003},
    [KM_ACT_ROLLED_BACK] = {EVENTLOG_WARNING_TYPE, 0x80000004},
    [KM_ACT_ATTENTION] = {EVENTLOG_ERROR_TYPE, 0xC0000005},
};

void km_win_report(km_target *target, km_act act, const char *text) {
  (void)target;
  if ((size_t)act >= sizeof acts / sizeof *acts || acts[act].id == 0)
    return;
  char cut[KM_MAX_REPORT];
  (void)snprintf(cut, sizeof cut, "%s", text);
  wchar_t *wide = km_wide(cut);
  HANDLE source = wide != NULL ? RegisterEventSourceW(NULL, L"keymend") : NULL;
  if (source != NULL) {
    const wchar_t *strings[] = {wide};
    (void)ReportEventW(source, acts[act].type, 0, acts[act].id, NULL, 1, 0, strings, NULL);
    (void)DeregisterEventSource(source);
  }
  free(wide);
}
