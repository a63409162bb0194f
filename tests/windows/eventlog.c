/* eventlog.c: core/windows/eventlog.c on real records, with the event-log functions of Windows played by this program
 *
 * eventlog.exe FILE.evt: the records of the file are given out as ReadEventLogW gives them: as many whole ones as fit into the
 * buffer, in the order asked for, with the errors that the function is documented to give. Wine's own log is always
 * empty, so this is the only way to see them read there. Ends with "N passed, N failed, N skipped".
 */
#include "event.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_HEADER 48
#define MAX_FILE (64L << 20)
#define MAX_RECORDS 20000
#define LARGE_RECORD 0x20000u /* bytes: more than is asked for at once */

static size_t passed, failed;

static void check(bool good, const char *what) {
  if (good) {
    passed++;
    return;
  }
  failed++;
  printf("FAIL %s\n", what);
}

static void check_number(unsigned long found, unsigned long expected, const char *what) {
  if (found != expected)
    printf("     %s: %lu, not %lu\n", what, found, expected);
  check(found == expected, what);
}

static _Noreturn void die(const char *what) {
  printf("eventlog: %s\n", what);
  exit(2);
}

/* ---- The log that is played ---- */

typedef struct piece {
  const uint8_t *bytes;
  DWORD size;
} piece;

static struct {
  piece records[MAX_RECORDS]; /* oldest first */
  size_t count;
  size_t told; /* by this handle */
  unsigned calls, opened, closed;
  unsigned change_at; /* number of the call that says that the file has changed; 0: none */
  bool clear;         /* the log is then cleared of all but its newest `kept` records */
  size_t kept;
  DWORD failure; /* what every read says instead; 0: nothing */
} played;

static DWORD reported_id;
static WORD reported_type;
static char reported[256];

static HANDLE WINAPI open_log(LPCWSTR server, LPCWSTR name) {
  (void)server;
  (void)name;
  played.opened++;
  played.told = 0;
  return &played;
}

static BOOL WINAPI close_log(HANDLE log) {
  check(log == (HANDLE)&played, "the handle is the one that was given");
  played.closed++;
  return TRUE;
}

static const piece *record_at(size_t number, bool forwards) {
  return &played.records[forwards ? number : played.count - 1 - number];
}

static BOOL WINAPI read_log(HANDLE log, DWORD flags, DWORD offset, LPVOID buffer, DWORD size,
                            DWORD *got, DWORD *needed) {
  const bool forwards = (flags & EVENTLOG_FORWARDS_READ) != 0;
  (void)log;
  (void)offset;
  *got = *needed = 0;
  if (played.failure != 0) {
    SetLastError(played.failure);
    return FALSE;
  }
  if (++played.calls == played.change_at) {
    if (played.clear) {
      memmove(played.records, played.records + played.count - played.kept,
              played.kept * sizeof *played.records);
      played.count = played.kept;
    }
    SetLastError(ERROR_EVENTLOG_FILE_CHANGED);
    return FALSE;
  }
  while (played.told < played.count && record_at(played.told, forwards)->size <= size - *got) {
    const piece *next = record_at(played.told++, forwards);
    memcpy((uint8_t *)buffer + *got, next->bytes, next->size);
    *got += next->size;
  }
  if (*got > 0)
    return TRUE;
  *needed = played.told < played.count ? record_at(played.told, forwards)->size : 0;
  SetLastError(played.told < played.count ? ERROR_INSUFFICIENT_BUFFER : ERROR_HANDLE_EOF);
  return FALSE;
}

static HANDLE WINAPI register_source(LPCWSTR server, LPCWSTR name) {
  return server == NULL && wcscmp(name, L"keymend") == 0 ? &played : NULL;
}

static BOOL WINAPI report_event(HANDLE log, WORD type, WORD category, DWORD id, PSID user,
                                WORD count, DWORD size, LPCWSTR *strings, LPVOID data) {
  check(log == (HANDLE)&played && category == 0 && user == NULL && size == 0 && data == NULL,
        "an event is reported plainly");
  reported_type = type;
  reported_id = id;
  reported[0] = '\0';
  if (count == 1)
    (void)WideCharToMultiByte(CP_UTF8, 0, strings[0], -1, reported, sizeof reported, NULL, NULL);
  return TRUE;
}

static BOOL WINAPI deregister_source(HANDLE log) {
  return log == (HANDLE)&played;
}

/* The linker takes these instead of advapi32's, which core/windows/eventlog.c asks for by their import names. */
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

/* ---- The real records ---- */

static uint8_t *ring;
static piece originals[MAX_RECORDS];
static size_t original_count;

static uint32_t u32_at(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The .evt file is a ring behind its header, whose 16th byte says where the oldest record begins. */
static void load(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0)
    die("the file cannot be opened");
  long end = ftell(file);
  if (end <= FILE_HEADER || end > MAX_FILE)
    die("the file is no .evt file");
  size_t size = (size_t)end;
  uint8_t *bytes = malloc(size);
  ring = malloc(size);
  rewind(file);
  if (bytes == NULL || ring == NULL || fread(bytes, 1, size, file) != size)
    die("the file cannot be read");
  fclose(file);
  size_t start = u32_at(bytes + 16);
  if (start < FILE_HEADER || start > size)
    die("the file's header is damaged");
  memcpy(ring, bytes + start, size - start);
  memcpy(ring + size - start, bytes + FILE_HEADER, start - FILE_HEADER);
  free(bytes);
  size -= FILE_HEADER;
  for (size_t at = 0; size - at >= KM_EVENT_SMALLEST && original_count < MAX_RECORDS;) {
    km_event_record record;
    if (km_event_record_parse(ring + at, size - at, &record, NULL) == KM_OK)
      originals[original_count++] = (piece){ring + at, record.length};
    else if (u32_at(ring + at) == 0x28) /* the record that marks the end */
      break;
    at += record.length > 0 ? record.length : 4;
  }
}

static void play(void) {
  memset(&played, 0, sizeof played);
  memcpy(played.records, originals, sizeof originals);
  played.count = original_count;
}

/* ---- Reading ---- */

typedef struct seen {
  size_t count;
  uint32_t numbers[MAX_RECORDS];
  bool ordered,
      same; /* numbers run one way; every event is the one that its record gives by itself */
  uint64_t damaged;
  km_status end;
} seen;

static bool same_event(const km_event *a, const km_event *b) {
  if (a->record != b->record || a->id != b->id || a->type != b->type ||
      a->generated != b->generated || a->string_count != b->string_count ||
      a->data_size != b->data_size || strcmp(a->source, b->source) != 0 ||
      strcmp(a->computer, b->computer) != 0 || memcmp(a->data, b->data, a->data_size) != 0)
    return false;
  for (size_t i = 0; i < a->string_count; i++) {
    if (strcmp(a->strings[i], b->strings[i]) != 0)
      return false;
  }
  return true;
}

/* Whether `event` is what its own record gives; records of one file are found by number. */
static bool is_original(const km_event *event, km_event_room *room) {
  size_t first = u32_at(originals[0].bytes + 8);
  size_t index = event->record - first;
  km_event_record record;
  km_event own;
  return index < original_count &&
         km_event_record_parse(originals[index].bytes, originals[index].size, &record, NULL) ==
             KM_OK &&
         km_event_render(&record, "System", room, &own, NULL) == KM_OK && same_event(event, &own);
}

static void read_all(km_target *target, const km_event_filter *filter, seen *out, km_error *error) {
  km_events *events = NULL;
  km_event_room room = {0};
  memset(out, 0, sizeof *out);
  out->ordered = out->same = true;
  out->end = km_events_open(target, "System", filter, &events, error);
  if (out->end != KM_OK)
    return;
  km_event event;
  while ((out->end = km_events_next(events, &event, error)) == KM_OK && out->count < MAX_RECORDS) {
    const bool up = filter != NULL && filter->oldest_first;
    uint32_t before = out->count > 0 ? out->numbers[out->count - 1] : event.record;
    if (out->count > 0 && (up ? event.record <= before : event.record >= before))
      out->ordered = false;
    out->same = out->same && is_original(&event, &room);
    out->numbers[out->count++] = event.record;
  }
  out->damaged = km_events_damaged(events);
  km_events_close(events);
  km_event_room_free(&room);
}

static seen found; /* too large for a stack */

static void check_all(km_target *target, bool oldest_first, const char *what) {
  const km_event_filter filter = {.oldest_first = oldest_first};
  km_error error;
  printf("%s\n", what);
  read_all(target, &filter, &found, &error);
  check(found.end == KM_END, "the log is read to its end");
  check_number((unsigned long)found.count, (unsigned long)original_count, "events");
  check(found.ordered, "each comes once, in order");
  check(found.same, "each is what its record says");
  check_number((unsigned long)found.damaged, 0, "damaged records");
  check_number(played.closed, played.opened, "handles that were closed");
}

static void check_whole(km_target *target) {
  play();
  check_all(target, true, "oldest first");
  check(played.calls > 5, "in several reads");
  play();
  check_all(target, false, "newest first");
}

static void check_filter(km_target *target) {
  static const uint32_t ids[] = {7000};
  const km_event_filter filter = {.source = "service control manager", .ids = ids, .id_count = 1};
  puts("filtered");
  play();
  read_all(target, &filter, &found, NULL);
  check_number((unsigned long)found.count, 109, "Service Control Manager 7000");
  check(found.same, "each is what its record says");
}

static void check_change(km_target *target) {
  for (unsigned at = 1; at <= 9; at += 4) {
    play();
    played.change_at = at;
    check_all(target, true, "the file changes meanwhile, oldest first");
    check_number(played.opened, 2, "times that the log was opened");
    play();
    played.change_at = at;
    check_all(target, false, "the file changes meanwhile, newest first");
  }
}

static void check_clearing(km_target *target) {
  const km_event_filter filter = {.oldest_first = true};
  puts("the log is cleared meanwhile");
  play();
  played.change_at = 4;
  played.clear = true;
  played.kept = 3;
  read_all(target, &filter, &found, NULL);
  check(found.end == KM_END && found.ordered && found.same, "what was there was read in order");
  check(found.count > 3 && found.numbers[found.count - 1] == found.numbers[found.count - 2] + 1,
        "the newest records came after the ones before the clearing");
}

static void check_failures(km_target *target) {
  km_error error;
  puts("failures");
  play();
  played.failure = ERROR_EVENTLOG_FILE_CHANGED;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_BUSY && strstr(error.message, "System") != NULL,
        "a log that never rests is given up");
  play();
  played.failure = ERROR_EVENTLOG_FILE_CORRUPT;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_IO && strstr(error.message, "damaged") != NULL, "a damaged file is told");
  play();
  played.failure = ERROR_ACCESS_DENIED;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_ACCESS && error.native == ERROR_ACCESS_DENIED, "missing rights are told");
  check_number(played.closed, played.opened, "handles that were closed");
  km_events *events = NULL;
  check(km_events_open(target, "No such log", NULL, &events, &error) == KM_NOT_FOUND,
        "a name that is no log's does not open another log");
  check(km_events_open(target, "System\\..\\x", NULL, &events, &error) == KM_NOT_FOUND,
        "nor does a path");
}

/* A record that is larger than what is asked for at once, and one that is damaged. */
static void check_odd_records(km_target *target) {
  static uint8_t large[LARGE_RECORD], broken[4096];
  const km_event_filter filter = {.oldest_first = true};
  puts("a large and a damaged record");
  play();
  const piece *model = &originals[10];
  memcpy(large, model->bytes, model->size);
  for (size_t at = 0; at < 4; at++)
    large[at] = large[LARGE_RECORD - 4 + at] = (uint8_t)(LARGE_RECORD >> (8 * at));
  played.records[10] = (piece){large, LARGE_RECORD};
  memcpy(broken, originals[20].bytes,
         sizeof broken < originals[20].size ? sizeof broken : originals[20].size);
  broken[36] = broken[37] = broken[38] = 0xFF; /* StringOffset */
  broken[26] = 1;
  played.records[20] = (piece){broken, originals[20].size};
  read_all(target, &filter, &found, NULL);
  check(originals[20].size <= sizeof broken, "the model is small enough");
  check(found.end == KM_END, "the log is read to its end");
  check_number((unsigned long)found.count, (unsigned long)original_count - 1, "events");
  check_number((unsigned long)found.damaged, 1, "damaged records");
}

/* ---- Reporting ---- */

static void check_report(km_target *target) {
  static const struct {
    km_act act;
    WORD type;
    DWORD id;
  } rows[] = {{KM_ACT_APPLIED, EVENTLOG_INFORMATION_TYPE, 0x40000001},
              {KM_ACT_UNDONE, EVENTLOG_INFORMATION_TYPE, 0x40000002},
              {KM_ACT_RECOVERED, EVENTLOG_INFORMATION_TYPE, 0x40000003},
              {KM_ACT_ROLLED_BACK, EVENTLOG_WARNING_TYPE, 0x80000004},
              {KM_ACT_ATTENTION, EVENTLOG_ERROR_TYPE, 0xC0000005}};
  puts("keymend's own events");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    reported_id = 0;
    target->backend->report(target, rows[i].act, "transaction X: b\xC3\xA4h");
    check_number(reported_id, rows[i].id, "id");
    check_number(reported_type, rows[i].type, "type");
    check(strcmp(reported, "transaction X: b\xC3\xA4h") == 0, "text");
  }
  char *endless = malloc(100001);
  if (endless == NULL)
    die("out of memory");
  memset(endless, 'x', 100000);
  endless[100000] = '\0';
  reported_id = 0;
  target->backend->report(target, KM_ACT_APPLIED, endless);
  check_number(reported_id, 0x40000001, "a text without end is cut");
  free(endless);
}

int main(int count, char **words) {
  const km_target_options options = {.root = NULL};
  km_target *target = NULL;
  km_error error;
  if (count != 2)
    die("usage: eventlog FILE.evt");
  load(words[1]);
  check_number((unsigned long)original_count, 6063, "records of the file");
  if (km_target_open(&options, &target, &error) != KM_OK)
    die(error.message);
  check_whole(target);
  check_filter(target);
  check_change(target);
  check_clearing(target);
  check_odd_records(target);
  check_failures(target);
  check_report(target);
  km_target_close(target);
  free(ring);
  printf("%lu passed, %lu failed, 0 skipped\n", (unsigned long)passed, (unsigned long)failed);
  return failed == 0 ? 0 : 1;
}
