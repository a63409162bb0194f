/* log.c: an event log that a test program plays instead of Windows (log.h) */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_HEADER 48
#define END_RECORD 0x28 /* bytes of the record that marks the end */
#define MAX_FILE (64L << 20)

log_state log_played;
DWORD log_reported_id;
WORD log_reported_type;
char log_reported[LOG_MAX_REPORT];

static _Noreturn void die(const char *path, const char *what) {
  printf("the log that is played, %s: %s\n", path, what);
  exit(2);
}

/* ---- The file ---- */

static uint32_t u32_at(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0)
    die(path, "it cannot be opened");
  long end = ftell(file);
  if (end <= FILE_HEADER || end > MAX_FILE)
    die(path, "it is no .evt file");
  uint8_t *bytes = malloc((size_t)end);
  rewind(file);
  if (bytes == NULL || fread(bytes, 1, (size_t)end, file) != (size_t)end)
    die(path, "it cannot be read");
  fclose(file);
  *size = (size_t)end;
  return bytes;
}

/* The file is a ring behind its header, whose 16th byte says where the oldest record begins. */
static uint8_t *unroll(const char *path, size_t *size) {
  uint8_t *bytes = read_file(path, size), *ring = malloc(*size);
  size_t start = u32_at(bytes + 16);
  if (ring == NULL || start < FILE_HEADER || start > *size)
    die(path, "its header is damaged");
  memcpy(ring, bytes + start, *size - start);
  memcpy(ring + *size - start, bytes + FILE_HEADER, start - FILE_HEADER);
  free(bytes);
  *size -= FILE_HEADER;
  return ring;
}

size_t log_load(const char *path, log_piece records[LOG_MAX_RECORDS]) {
  static km_event_record record;
  size_t size = 0, count = 0;
  const uint8_t *ring = unroll(path, &size);
  for (size_t at = 0; size - at >= KM_EVENT_SMALLEST && count < LOG_MAX_RECORDS;) {
    if (km_event_record_parse(ring + at, size - at, &record, NULL) == KM_OK)
      records[count++] = (log_piece){ring + at, record.length};
    else if (u32_at(ring + at) == END_RECORD)
      break;
    at += record.length > 0 ? record.length : 4;
  }
  return count;
}

/* ---- Reports ---- */

/* "type id text", a line a report, in the file that is named. */
static void write_report(void) {
  const char *path = getenv("KEYMEND_TEST_REPORTS");
  FILE *file = path != NULL ? fopen(path, "ab") : NULL;
  if (file == NULL)
    return;
  fprintf(file, "%u 0x%08lX %s\n", (unsigned)log_reported_type, (unsigned long)log_reported_id,
          log_reported);
  fclose(file);
}

/* ---- The functions ---- */

static HANDLE WINAPI open_log(LPCWSTR server, LPCWSTR name) {
  (void)server;
  (void)name;
  const char *path = getenv("KEYMEND_TEST_LOG");
  if (log_played.count == 0 && path != NULL)
    log_played.count = log_load(path, log_played.records);
  log_played.opened++;
  log_played.told = 0;
  return &log_played;
}

static BOOL WINAPI close_log(HANDLE log) {
  if (log == (HANDLE)&log_played)
    log_played.closed++;
  return TRUE;
}

static const log_piece *record_at(size_t number, bool forwards) {
  return &log_played.records[forwards ? number : log_played.count - 1 - number];
}

static void clear_old(void) {
  memmove(log_played.records, log_played.records + log_played.count - log_played.kept,
          log_played.kept * sizeof *log_played.records);
  log_played.count = log_played.kept;
}

static BOOL fail(DWORD code) {
  SetLastError(code);
  return FALSE;
}

static BOOL WINAPI read_log(HANDLE log, DWORD flags, DWORD offset, LPVOID buffer, DWORD size,
                            DWORD *got, DWORD *needed) {
  const bool forwards = (flags & EVENTLOG_FORWARDS_READ) != 0;
  (void)offset;
  *got = *needed = 0;
  if (log != (HANDLE)&log_played)
    return fail(ERROR_INVALID_HANDLE);
  if (log_played.failure != 0)
    return fail(log_played.failure);
  if (++log_played.calls == log_played.change_at) {
    if (log_played.clear)
      clear_old();
    return fail(ERROR_EVENTLOG_FILE_CHANGED);
  }
  while (log_played.told < log_played.count &&
         record_at(log_played.told, forwards)->size <= size - *got) {
    const log_piece *next = record_at(log_played.told++, forwards);
    memcpy((uint8_t *)buffer + *got, next->bytes, next->size);
    *got += next->size;
  }
  if (*got > 0)
    return TRUE;
  if (log_played.told == log_played.count)
    return fail(ERROR_HANDLE_EOF);
  *needed = record_at(log_played.told, forwards)->size;
  return fail(ERROR_INSUFFICIENT_BUFFER);
}

static HANDLE WINAPI register_source(LPCWSTR server, LPCWSTR name) {
  return server == NULL && wcscmp(name, L"keymend") == 0 ? &log_played : NULL;
}

static BOOL WINAPI report_event(HANDLE log, WORD type, WORD category, DWORD id, PSID user,
                                WORD count, DWORD size, LPCWSTR *strings, LPVOID data) {
  if (log != (HANDLE)&log_played || category != 0 || user != NULL || size != 0 || data != NULL)
    return fail(ERROR_INVALID_PARAMETER);
  log_reported_type = type;
  log_reported_id = id;
  log_reported[0] = '\0';
  if (count == 1)
    (void)WideCharToMultiByte(CP_UTF8, 0, strings[0], -1, log_reported, sizeof log_reported, NULL,
                              NULL);
  write_report();
  return TRUE;
}

static BOOL WINAPI deregister_source(HANDLE log) {
  return log == (HANDLE)&log_played;
}

/* The linker takes these for advapi32's, which core/windows/eventlog.c asks for by their import names. */
#ifdef _WIN64
#define IMPORT(name, bytes) __asm__("__imp_" name)
#else
#define IMPORT(name, bytes) __asm__("__imp__" name "@" bytes)
#endif

extern void *const import_open IMPORT("OpenEventLogW", "8");
extern void *const import_close IMPORT("CloseEventLog", "4");
extern void *const import_read IMPORT("ReadEventLogW", "28");
extern void *const import_register IMPORT("RegisterEventSourceW", "8");
extern void *const import_report IMPORT("ReportEventW", "36");
extern void *const import_deregister IMPORT("DeregisterEventSource", "4");
void *const import_open = (void *)open_log;
void *const import_close = (void *)close_log;
void *const import_read = (void *)read_log;
void *const import_register = (void *)register_source;
void *const import_report = (void *)report_event;
void *const import_deregister = (void *)deregister_source;
