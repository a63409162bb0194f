/* fuzz_eventlog.c: any bytes as the file of an event log. The first byte says as what: even, they are an .evt file; odd,
 * they are the records of an .evtx file's only chunk, the second byte of which says where its last record stands. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void); /* NOLINT: the sanitizer gives the name */

/* The libraries leak what they have of a damaged record. */
/* NOLINTNEXTLINE */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void) {
  return "leak:libevtx.so\nleak:libevt.so\n";
}

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

enum { HEADER = 4096, CHUNK = 65536, FIRST = 512 };

static uint8_t file[HEADER + CHUNK];

/* Makes `file` an .evtx file of one chunk with these records. Check sums are wrong, which libevtx bears. */
static void compose(const uint8_t *records, size_t size, size_t last) {
  static const uint8_t head[] = {128, 0, 0, 0, 1, 0, 3, 0, 0, 16, 1, 0}; /* from 32 on */
  uint8_t *chunk = file + HEADER;
  memset(file, 0, sizeof file);
  memcpy(file, "ElfFile", 8);
  memcpy(file + 32, head, sizeof head);
  memcpy(chunk, "ElfChnk", 8);
  chunk[40] = 128;
  chunk[44] = (uint8_t)(FIRST + last);
  chunk[45] = (uint8_t)((FIRST + last) >> 8);
  chunk[48] = (uint8_t)(FIRST + size);
  chunk[49] = (uint8_t)((FIRST + size) >> 8);
  memcpy(chunk + FIRST, records, size);
}

static void check_event(const km_event *event) {
  size_t sum = strlen(event->source) + strlen(event->computer);
  require(event->string_count <= KM_MAX_EVENT_STRINGS && event->id <= 0xFFFF);
  for (size_t i = 0; i < event->string_count; i++)
    sum += strlen(event->strings[i]);
  for (size_t i = 0; i < event->data_size; i++)
    sum += event->data[i];
  volatile size_t read = sum;
  (void)read;
}

/* Walks the log; the number of events, or of those that the filter wants. */
static size_t walk(const void *bytes, size_t size, const km_event_filter *filter) {
  km_event_log *log = NULL;
  km_event event;
  km_error error;
  size_t count = 0;
  int fd = memfd_create("log", MFD_CLOEXEC);
  require(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
  if (km_log_open(fd, "System", "C:\\log", filter->oldest_first, &log, &error) != KM_OK) {
    require(error.message[0] != '\0');
    return 0;
  }
  km_offline_event_filter(log, filter);
  for (;;) {
    km_status status = km_offline_event_next(log, &event, &error);
    if (status == KM_OK) {
      check_event(&event);
      count += km_event_fits(&event, filter);
    } else if (status != KM_DAMAGED || strstr(error.message, "record ") == NULL) {
      require(status == KM_END || error.message[0] != '\0');
      break;
    }
  }
  (void)km_offline_event_problem(log);
  km_offline_event_close(log);
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint32_t ids[] = {7023, 116};
  const km_event_filter all = {.oldest_first = true}, some = {.ids = ids, .id_count = 2};
  if (size < 3 || size > CHUNK - FIRST)
    return 0;
  const void *bytes = data + 1;
  size_t length = size - 1;
  if (data[0] % 2 != 0) {
    compose(data + 2, size - 2, (size_t)data[1] * 8);
    bytes = file;
    length = sizeof file;
  }
  size_t found = walk(bytes, length, &all);
  require(walk(bytes, length, &some) <= found);
  return 0;
}
