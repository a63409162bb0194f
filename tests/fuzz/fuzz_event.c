/* fuzz_event.c: any bytes as records of an event log, one behind the other. */
#include <stdlib.h>
#include <string.h>

#include "event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static const uint32_t ids[] = {116, 7023, 7024};
static const km_event_filter filter = {
    .source = "w3svc", .ids = ids, .id_count = 3, .from = 1, .text = "/lm/"};

static void check_text(const km_event_room *room, const char *text) {
  require(text >= room->bytes && text < room->bytes + room->size);
  require(memchr(text, '\0', room->size - (size_t)(text - room->bytes)) != NULL);
}

/* What was accepted lies inside the record, and all of it can be read. */
static void check_record(const km_event_record *record, size_t left, km_event_room *room) {
  km_event event;
  uint8_t sum = 0;
  require(record->length >= KM_EVENT_SMALLEST && record->length <= left);
  require(km_event_render(record, "System", room, &event, NULL) == KM_OK);
  check_text(room, event.source);
  check_text(room, event.computer);
  require(event.string_count <= KM_MAX_EVENT_STRINGS);
  for (size_t i = 0; i < event.string_count; i++)
    check_text(room, event.strings[i]);
  require(event.data >= record->bytes &&
          event.data + event.data_size <= record->bytes + record->length);
  for (size_t i = 0; i < event.data_size; i++)
    sum = (uint8_t)(sum + event.data[i]);
  volatile uint8_t read = sum;
  (void)read;
  require(km_event_fits(&event, NULL) && km_event_record_fits(record, NULL));
  require(km_event_record_fits(record, &filter) || !km_event_fits(&event, &filter));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  km_event_room room = {0};
  size_t at = 0;
  while (at < size) {
    km_event_record record;
    km_error error;
    km_status status = km_event_record_parse(data + at, size - at, &record, &error);
    if (status == KM_OK)
      check_record(&record, size - at, &room);
    else
      require(status == KM_DAMAGED && error.message[0] != '\0' && record.bytes == NULL);
    if (record.length == 0)
      break;
    at += record.length;
  }
  require(at <= size);
  km_event_room_free(&room);
  return 0;
}
