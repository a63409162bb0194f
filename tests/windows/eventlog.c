/* eventlog.c: core/windows/eventlog.c on real records, with the event-log functions of Windows played by log/log.c
 *
 * eventlog.exe FILE.evt: the records of the file are given out as ReadEventLogW gives them: as many whole ones as fit into the
 * buffer, in the order asked for, with the errors that the function is documented to give. Wine's own log is always
 * empty, so this is the only way to see them read there. Ends with "N passed, N failed, N skipped".
 */
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- The real records ---- */

static log_piece originals[LOG_MAX_RECORDS];
static size_t original_count;

static uint32_t u32_at(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void play(void) {
  memset(&log_played, 0, sizeof log_played);
  memcpy(log_played.records, originals, sizeof originals);
  log_played.count = original_count;
}

/* ---- Reading ---- */

typedef struct seen {
  size_t count;
  uint32_t numbers[LOG_MAX_RECORDS];
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
  while ((out->end = km_events_next(events, &event, error)) == KM_OK &&
         out->count < LOG_MAX_RECORDS) {
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
  check_number(log_played.closed, log_played.opened, "handles that were closed");
}

static void check_whole(km_target *target) {
  play();
  check_all(target, true, "oldest first");
  check(log_played.calls > 5, "in several reads");
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
    log_played.change_at = at;
    check_all(target, true, "the file changes meanwhile, oldest first");
    check_number(log_played.opened, 2, "times that the log was opened");
    play();
    log_played.change_at = at;
    check_all(target, false, "the file changes meanwhile, newest first");
  }
}

static void check_clearing(km_target *target) {
  const km_event_filter filter = {.oldest_first = true};
  puts("the log is cleared meanwhile");
  play();
  log_played.change_at = 4;
  log_played.clear = true;
  log_played.kept = 3;
  read_all(target, &filter, &found, NULL);
  check(found.end == KM_END && found.ordered && found.same, "what was there was read in order");
  check(found.count > 3 && found.numbers[found.count - 1] == found.numbers[found.count - 2] + 1,
        "the newest records came after the ones before the clearing");
}

static void check_failures(km_target *target) {
  km_error error;
  puts("failures");
  play();
  log_played.failure = ERROR_EVENTLOG_FILE_CHANGED;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_BUSY && strstr(error.message, "System") != NULL,
        "a log that never rests is given up");
  play();
  log_played.failure = ERROR_EVENTLOG_FILE_CORRUPT;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_IO && strstr(error.message, "damaged") != NULL, "a damaged file is told");
  play();
  log_played.failure = ERROR_ACCESS_DENIED;
  read_all(target, NULL, &found, &error);
  check(found.end == KM_ACCESS && error.native == ERROR_ACCESS_DENIED, "missing rights are told");
  check_number(log_played.closed, log_played.opened, "handles that were closed");
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
  const log_piece *model = &originals[10];
  memcpy(large, model->bytes, model->size);
  for (size_t at = 0; at < 4; at++)
    large[at] = large[LARGE_RECORD - 4 + at] = (uint8_t)(LARGE_RECORD >> (8 * at));
  log_played.records[10] = (log_piece){large, LARGE_RECORD};
  memcpy(broken, originals[20].bytes,
         sizeof broken < originals[20].size ? sizeof broken : originals[20].size);
  broken[36] = broken[37] = broken[38] = 0xFF; /* StringOffset */
  broken[26] = 1;
  log_played.records[20] = (log_piece){broken, originals[20].size};
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
    log_reported_id = 0;
    target->backend->report(target, rows[i].act, "transaction X: b\xC3\xA4h");
    check_number(log_reported_id, rows[i].id, "id");
    check_number(log_reported_type, rows[i].type, "type");
    check(strcmp(log_reported, "transaction X: b\xC3\xA4h") == 0, "text");
  }
  char *endless = malloc(100001);
  if (endless == NULL)
    die("out of memory");
  memset(endless, 'x', 100000);
  endless[100000] = '\0';
  log_reported_id = 0;
  target->backend->report(target, KM_ACT_APPLIED, endless);
  check_number(log_reported_id, 0x40000001, "a text without end is cut");
  free(endless);
}

int main(int count, char **words) {
  const km_target_options options = {.root = NULL};
  km_target *target = NULL;
  km_error error;
  if (count != 2)
    die("usage: eventlog FILE.evt");
  original_count = log_load(words[1], originals);
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
  printf("%lu passed, %lu failed, 0 skipped\n", (unsigned long)passed, (unsigned long)failed);
  return failed == 0 ? 0 : 1;
}
