/* event.c: event logs: records are taken apart, filtered, and told in order. */
#include "event.h"
#include "bytes.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE 0x654C664CU /* "LfLe" */
#define SMALLEST_SID 8        /* revision, count, authority; MS-DTYP 2.4.2 */
#define BYTES_PER_UNIT 3      /* of UTF-8 for one UTF-16 unit, at most */

/* ---- Taking a record apart ---- */

static km_status damaged(km_error *error, const char *field, uint32_t value, const char *problem) {
  return km_fail(error, KM_DAMAGED, 0, "event record: %s (%lu) %s", field, (unsigned long)value,
                 problem);
}

/* Finds the text that begins at *at and ends with a NUL before `end`; moves *at behind the NUL. */
static bool take_text(const uint8_t *bytes, uint32_t *at, uint32_t end, km_event_span *out) {
  *out = (km_event_span){*at, 0};
  for (uint32_t next = *at; next <= end && end - next >= 2; next += 2) {
    if (km_u16(bytes + next) == 0) {
      *at = next + 2;
      return true;
    }
    out->units++;
  }
  return false;
}

/* Whether `size` bytes from `offset` lie between the header and the closing length at `end`. */
static bool lies_inside(uint32_t offset, uint32_t size, uint32_t end) {
  return offset >= KM_EVENT_HEADER && offset <= end && size <= end - offset;
}

static km_status parse_strings(const uint8_t *bytes, uint32_t end, km_event_record *out,
                               km_error *error) {
  uint32_t count = km_u16(bytes + 26), at = km_u32(bytes + 36);
  if (count > KM_MAX_EVENT_STRINGS)
    return damaged(error, "NumStrings", count, "is more than any Windows writes");
  if (count > 0 && !lies_inside(at, 2, end))
    return damaged(error, "StringOffset", at, "points outside the record");
  for (uint32_t i = 0; i < count; i++) {
    if (!take_text(bytes, &at, end, &out->strings[i]))
      return damaged(error, "NumStrings", count, "counts a string that has no end in the record");
  }
  out->string_count = count;
  return KM_OK;
}

/* What lies between header and closing length; `end` is the offset of the latter. */
static km_status parse_parts(const uint8_t *bytes, uint32_t end, km_event_record *out,
                             km_error *error) {
  uint32_t at = KM_EVENT_HEADER;
  uint32_t sid_size = km_u32(bytes + 40), sid = km_u32(bytes + 44);
  out->data_size = km_u32(bytes + 48);
  out->data_offset = km_u32(bytes + 52);
  if (!take_text(bytes, &at, end, &out->source))
    return damaged(error, "SourceName", KM_EVENT_HEADER, "has no end in the record");
  if (!take_text(bytes, &at, end, &out->computer))
    return damaged(error, "Computername", out->computer.offset, "has no end in the record");
  if (sid_size > 0 && (sid_size < SMALLEST_SID || !lies_inside(sid, sid_size, end)))
    return damaged(error, "UserSidOffset", sid, "gives no SID inside the record");
  if (out->data_size > 0 && !lies_inside(out->data_offset, out->data_size, end))
    return damaged(error, "DataOffset", out->data_offset, "gives no data inside the record");
  if (out->data_size == 0)
    out->data_offset = KM_EVENT_HEADER; /* Windows leaves anything there */
  return parse_strings(bytes, end, out, error);
}

/* Checks the record's length at both ends; out->length is set once a next record may be looked for behind it. */
static km_status parse_length(const uint8_t *bytes, size_t size, km_event_record *out,
                              km_error *error) {
  if (size < KM_EVENT_SMALLEST)
    return damaged(error, "size", (uint32_t)size, "is less than the smallest record has");
  uint32_t length = km_u32(bytes);
  if (km_u32(bytes + 4) != SIGNATURE)
    return damaged(error, "Reserved", km_u32(bytes + 4), "is not the mark LfLe");
  if (length < KM_EVENT_SMALLEST || length % 4 != 0)
    return damaged(error, "Length", length, "is no length of a record");
  if (length > size || length > KM_MAX_EVENT_RECORD)
    return damaged(error, "Length", length, "is more than there is");
  out->length = length;
  if (km_u32(bytes + length - 4) != length)
    return damaged(error, "closing length", km_u32(bytes + length - 4), "is not the one in front");
  return KM_OK;
}

km_status km_event_record_parse(const void *data, size_t size, km_event_record *out,
                                km_error *error) {
  const uint8_t *bytes = data;
  *out = (km_event_record){.bytes = bytes};
  km_status status = parse_length(bytes, size, out, error);
  if (status == KM_OK)
    status = parse_parts(bytes, out->length - 4, out, error);
  if (status != KM_OK) {
    *out = (km_event_record){.length = out->length};
    return status;
  }
  out->number = km_u32(bytes + 8);
  out->generated = km_time_from_unix((int64_t)km_u32(bytes + 12), 0);
  out->written = km_time_from_unix((int64_t)km_u32(bytes + 16), 0);
  out->full_id = km_u32(bytes + 20);
  out->type = (uint16_t)km_u16(bytes + 24);
  out->category = (uint16_t)km_u16(bytes + 28);
  return KM_OK;
}

/* ---- Texts ---- */

static uint32_t replaced(uint32_t code) {
  return code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code;
}

/* Writes a text with its NUL and returns where the next one may begin; there is room for it. */
static char *put_text(const km_event_record *record, const km_event_span *span, char *out) {
  size_t used = 0;
  for (uint32_t at = 0; at < span->units; at += (uint32_t)used) {
    uint32_t code =
        km_utf16_next(record->bytes + span->offset + 2 * (size_t)at, span->units - at, &used);
    out += km_utf8_put(replaced(code), out);
  }
  *out = '\0';
  return out + 1;
}

/* Bytes that the texts of a record need at most, each with its NUL. */
static size_t room_for(const km_event_record *record) {
  size_t units = (size_t)record->source.units + record->computer.units;
  for (uint32_t i = 0; i < record->string_count; i++)
    units += record->strings[i].units;
  return units * BYTES_PER_UNIT + record->string_count + 2;
}

km_status km_event_render(const km_event_record *record, const char *log, km_event_room *room,
                          km_event *out, km_error *error) {
  size_t needed = room_for(record);
  if (needed > room->size) {
    char *larger = realloc(room->bytes, needed);
    if (larger == NULL)
      return km_fail(error, KM_MEMORY, 0, "read an event of the log \"%s\": out of memory", log);
    room->bytes = larger;
    room->size = needed;
  }
  char *source = room->bytes;
  char *computer = put_text(record, &record->source, source);
  char *next = put_text(record, &record->computer, computer);
  for (uint32_t i = 0; i < record->string_count; i++) {
    room->strings[i] = next;
    next = put_text(record, &record->strings[i], next);
  }
  *out = (km_event){
      .log = log,
      .record = record->number,
      .generated = record->generated,
      .written = record->written,
      .id = record->full_id & 0xFFFF,
      .full_id = record->full_id,
      .type = record->type,
      .category = record->category,
      .source = source,
      .computer = computer,
      .strings = room->strings,
      .string_count = record->string_count,
      .data = record->bytes + record->data_offset,
      .data_size = record->data_size,
  };
  return KM_OK;
}

void km_event_room_free(km_event_room *room) {
  free(room->bytes);
  *room = (km_event_room){0};
}

/* ---- Filter ---- */

bool km_event_time_fits(const km_event_filter *filter, km_time generated) {
  if (filter == NULL)
    return true;
  if (filter->from != 0 && generated < filter->from)
    return false;
  return filter->to == 0 || (generated != 0 && generated <= filter->to);
}

bool km_event_numbers_fit(const km_event_filter *filter, uint32_t id, km_time generated) {
  if (filter == NULL)
    return true;
  if (!km_event_time_fits(filter, generated))
    return false;
  for (size_t i = 0; i < filter->id_count; i++) {
    if (filter->ids[i] == (id & 0xFFFF))
      return true;
  }
  return filter->id_count == 0;
}

/* Whether a text of a record is `text`, ignoring case. */
static bool span_is(const km_event_record *record, const km_event_span *span, const char *text) {
  size_t left = strlen(text), used = 0, at = 0;
  for (; at < span->units; at += used) {
    uint32_t found =
        replaced(km_utf16_next(record->bytes + span->offset + 2 * at, span->units - at, &used));
    size_t taken = 0;
    if (left == 0 || km_fold(km_utf8_next(text, left, &taken)) != km_fold(found))
      return false;
    text += taken;
    left -= taken;
  }
  return left == 0;
}

bool km_event_record_fits(const km_event_record *record, const km_event_filter *filter) {
  return filter == NULL ||
         (km_event_numbers_fit(filter, record->full_id, record->generated) &&
          (filter->source == NULL || span_is(record, &record->source, filter->source)));
}

static bool same_text(const char *a, const char *b) {
  size_t left_a = strlen(a), left_b = strlen(b);
  while (left_a > 0 && left_b > 0) {
    size_t used_a = 0, used_b = 0;
    if (km_fold(km_utf8_next(a, left_a, &used_a)) != km_fold(km_utf8_next(b, left_b, &used_b)))
      return false;
    a += used_a;
    b += used_b;
    left_a -= used_a;
    left_b -= used_b;
  }
  return left_a == left_b;
}

static uint8_t lower(uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

/* Whether `bytes` begin with the `length` bytes of `text`, each followed by step - 1 zeros; ASCII case ignored. */
static bool begins_with(const uint8_t *bytes, const char *text, size_t length, size_t step) {
  for (size_t i = 0; i < length; i++) {
    if (lower(bytes[i * step]) != lower((uint8_t)text[i]))
      return false;
    if (step == 2 && bytes[i * step + 1] != 0)
      return false;
  }
  return true;
}

/* Whether `text` stands anywhere in the bytes; step 2: as UTF-16 (ASCII texts alone are found so). */
static bool holds(const uint8_t *bytes, size_t size, const char *text, size_t step) {
  size_t length = strlen(text);
  for (size_t at = 0; at <= size && (size - at) / step >= length; at++) {
    if (begins_with(bytes + at, text, length, step))
      return true;
  }
  return false;
}

static bool text_fits(const km_event *event, const char *text) {
  for (size_t i = 0; i < event->string_count; i++) {
    if (holds((const uint8_t *)event->strings[i], strlen(event->strings[i]), text, 1))
      return true;
  }
  return holds(event->data, event->data_size, text, 1) ||
         holds(event->data, event->data_size, text, 2);
}

bool km_event_source_fits(const km_event_filter *filter, const char *source) {
  return filter == NULL || filter->source == NULL || same_text(source, filter->source);
}

bool km_event_fits(const km_event *event, const km_event_filter *filter) {
  if (filter == NULL)
    return true;
  return km_event_numbers_fit(filter, event->id, event->generated) &&
         km_event_source_fits(filter, event->source) &&
         (filter->text == NULL || text_fits(event, filter->text));
}

/* ---- Reading a log ---- */

struct km_events {
  const km_backend *backend;
  km_event_log *log;
  char *name;
  km_event_filter filter; /* a copy: its texts and ids belong to this */
  uint64_t damaged;
  char problem[512];
};

/* Sets *copy to a text of its own, or NULL for NULL. false: out of memory. */
static bool copy_text(const char *text, const char **copy) {
  size_t size = text != NULL ? strlen(text) + 1 : 0;
  char *own = text != NULL ? malloc(size) : NULL;
  if (own != NULL)
    memcpy(own, text, size);
  *copy = own;
  return text == NULL || own != NULL;
}

static bool copy_filter(const km_event_filter *from, km_event_filter *to) {
  *to = *from;
  to->source = to->text = NULL;
  to->ids = NULL;
  if (!copy_text(from->source, &to->source) || !copy_text(from->text, &to->text))
    return false;
  if (from->id_count == 0)
    return true;
  uint32_t *ids = calloc(from->id_count, sizeof *ids);
  if (ids != NULL)
    memcpy(ids, from->ids, from->id_count * sizeof *ids);
  to->ids = ids;
  return ids != NULL;
}

/* Why the target's backend reads no logs, as its capability says. */
static km_status unsupported(const km_target *target, const char *log, km_error *error) {
  const char *why = "this target has none that can be read";
  for (size_t i = 0; i < target->info.capability_count; i++) {
    if (strcmp(target->info.capabilities[i].id, "events") == 0)
      why = target->info.capabilities[i].text;
  }
  return km_fail(error, KM_UNSUPPORTED, 0, "read the event log \"%s\": %s", log, why);
}

km_status km_events_open(km_target *target, const char *log, const km_event_filter *filter,
                         km_events **out, km_error *error) {
  const km_backend *backend = target->backend;
  const char *name = NULL;
  *out = NULL;
  if (log == NULL || *log == '\0')
    return km_fail(error, KM_MISUSE, 0, "read an event log: its name is missing");
  if (backend->event_open == NULL)
    return unsupported(target, log, error);
  km_events *events = calloc(1, sizeof *events);
  if (events == NULL || (filter != NULL && !copy_filter(filter, &events->filter)) ||
      !copy_text(log, &name)) {
    km_events_close(events);
    return km_fail(error, KM_MEMORY, 0, "read the event log \"%s\": out of memory", log);
  }
  events->backend = backend;
  events->name = (char *)name;
  km_status status =
      backend->event_open(target, name, events->filter.oldest_first, &events->log, error);
  if (status != KM_OK) {
    events->log = NULL;
    km_events_close(events);
    return status;
  }
  if (backend->event_filter != NULL)
    backend->event_filter(events->log, &events->filter);
  *out = events;
  return KM_OK;
}

km_status km_events_next(km_events *events, km_event *out, km_error *error) {
  for (unsigned run = 0; run < KM_MAX_DAMAGED_RUN;) {
    km_status status = events->backend->event_next(events->log, out, error);
    if (status == KM_DAMAGED) {
      events->damaged++;
      run++;
      continue;
    }
    if (status != KM_OK || km_event_fits(out, &events->filter))
      return status;
    run = 0;
  }
  return km_fail(error, KM_DAMAGED, 0,
                 "read the event log \"%s\": %d damaged records, one behind the other; the log is "
                 "given up; save and clear it with Event Viewer",
                 events->name, KM_MAX_DAMAGED_RUN);
}

uint64_t km_events_damaged(const km_events *events) {
  return events->damaged;
}

const char *km_events_problem(km_events *events) {
  const km_backend *backend = events->backend;
  const char *whole = backend->event_problem != NULL ? backend->event_problem(events->log) : NULL;
  char count[160] = "";
  if (events->damaged > 0)
    (void)snprintf(count, sizeof count, "%llu record%s damaged and left out",
                   (unsigned long long)events->damaged, events->damaged == 1 ? " is" : "s are");
  if (whole == NULL && count[0] == '\0')
    return NULL;
  (void)snprintf(events->problem, sizeof events->problem, "%s%s%s", count,
                 whole != NULL && count[0] != '\0' ? "; " : "", whole != NULL ? whole : "");
  return events->problem;
}

void km_events_close(km_events *events) {
  if (events == NULL)
    return;
  if (events->log != NULL)
    events->backend->event_close(events->log);
  free((char *)events->filter.source);
  free((char *)events->filter.text);
  free((uint32_t *)events->filter.ids);
  free(events->name);
  free(events);
}
