/* evtdump.c: prints the records of an .evt file through core/event.c, in the words of evtexport (libevt-utils)
 *
 * Usage: evtdump FILE. For tests: what the library reads is compared with what another program reads. The file is a
 * ring of records behind a header of 48 bytes: from StartOffset (16) round to the record that marks the end (EndOffset in the
 * header is stale in a file that was not closed); 0x27 fills what is left before the file's end. Source: MS "Event Log
 * File Format".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event.h"

#define FILE_HEADER 48
#define MAX_FILE (64L << 20)
#define END_RECORD 0x28 /* bytes of the record that marks the end */
#define FILLER 0x27

static _Noreturn void fail(const char *path, const char *what) {
  fprintf(stderr, "evtdump: %s: %s\n", path, what);
  exit(1);
}

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0)
    fail(path, "cannot be opened");
  long end = ftell(file);
  if (end < FILE_HEADER || end > MAX_FILE)
    fail(path, "is no .evt file");
  rewind(file);
  uint8_t *bytes = malloc((size_t)end);
  if (bytes == NULL || fread(bytes, 1, (size_t)end, file) != (size_t)end)
    fail(path, "cannot be read");
  fclose(file);
  *size = (size_t)end;
  return bytes;
}

static size_t offset_at(const uint8_t *bytes, size_t at) {
  return bytes[at] | (size_t)bytes[at + 1] << 8 | (size_t)bytes[at + 2] << 16 |
         (size_t)bytes[at + 3] << 24;
}

/* The ring in one piece, oldest record first. */
static uint8_t *unroll(const char *path, const uint8_t *file, size_t size) {
  size_t start = offset_at(file, 16);
  uint8_t *bytes = malloc(size);
  if (start < FILE_HEADER || start > size)
    fail(path, "its header points outside it");
  if (bytes == NULL)
    fail(path, "out of memory");
  memcpy(bytes, file + start, size - start);
  memcpy(bytes + size - start, file + FILE_HEADER, start - FILE_HEADER);
  return bytes;
}

static bool is_end_record(const uint8_t *bytes, size_t left) {
  return left >= END_RECORD && offset_at(bytes, 0) == END_RECORD &&
         offset_at(bytes, 4) == 0x11111111 && offset_at(bytes, 8) == 0x22222222;
}

static void print_time(const char *label, km_time time) {
  char text[32] = "";
  time_t seconds = (time_t)km_time_to_unix(time);
  struct tm utc;
  if (gmtime_r(&seconds, &utc) != NULL)
    (void)strftime(text, sizeof text, "%b %d, %Y %H:%M:%S UTC", &utc);
  printf("%s\t\t\t: %s\n", label, text);
}

static const char *type_text(uint16_t type) {
  switch (type) {
  case 1:
    return "Error event (1)";
  case 2:
    return "Warning event (2)";
  case 4:
    return "Information event (4)";
  default:
    return "Other event";
  }
}

static void print_event(const km_event *event) {
  printf("Event number\t\t\t: %u\n", (unsigned)event->record);
  print_time("Creation time", event->generated);
  print_time("Written time", event->written);
  printf("Event type\t\t\t: %s\n", type_text(event->type));
  printf("Computer name\t\t\t: %s\n", event->computer);
  printf("Source name\t\t\t: %s\n", event->source);
  printf("Event category\t\t\t: %u\n", (unsigned)event->category);
  printf("Event identifier\t\t: 0x%08x (%u)\n", (unsigned)event->full_id, (unsigned)event->full_id);
  printf("Number of strings\t\t: %zu\n", event->string_count);
  for (size_t i = 0; i < event->string_count; i++)
    printf("String: %zu\t\t\t: %s\n", i + 1, event->strings[i]);
  putchar('\n');
}

int main(int count, char **words) {
  size_t size = 0, damaged = 0;
  if (count != 2)
    fail("FILE", "one file is needed");
  uint8_t *file = read_file(words[1], &size);
  uint8_t *bytes = unroll(words[1], file, size);
  size -= FILE_HEADER;
  km_event_room room = {0};
  for (size_t at = 0; size - at >= 4 && !is_end_record(bytes + at, size - at);) {
    km_event_record record;
    km_event event;
    km_error error;
    if (bytes[at] == FILLER && offset_at(bytes, at) == FILLER) {
      at += 4;
      continue;
    }
    km_status status = km_event_record_parse(bytes + at, size - at, &record, &error);
    if (status == KM_OK)
      status = km_event_render(&record, "System", &room, &event, &error);
    if (status == KM_OK) {
      print_event(&event);
    } else {
      fprintf(stderr, "evtdump: offset %zu: %s\n", at, error.message);
      damaged++;
    }
    at += record.length > 0 ? record.length : 4;
  }
  km_event_room_free(&room);
  free(bytes);
  free(file);
  return damaged == 0 ? 0 : 2;
}
