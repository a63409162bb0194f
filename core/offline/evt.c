/* evt.c: event logs of Windows NT to 2003 (.evt), by libevt */
#include "eventlog.h"

#include <libevt.h>
#include <string.h>

static km_status open_evt(km_event_log *log, km_error *error) {
  libevt_file_t *file = NULL;
  bool good = libevt_file_initialize(&file, NULL) == 1 &&
              libevt_file_open_file_io_handle(file, log->handle, LIBEVT_OPEN_READ, NULL) == 1;
  log->file = file;
  if (!good)
    return km_fail(error, KM_DAMAGED, 0,
                   "read the event log \"%s\": the header of %s is damaged beyond reading",
                   log->name, log->path);
  log->dirty = libevt_file_is_corrupted(file, NULL) == 1;
  return KM_OK;
}

static void close_evt(km_event_log *log) {
  libevt_file_t *file = log->file;
  (void)libevt_file_close(file, NULL);
  (void)libevt_file_free(&file, NULL);
  log->file = NULL;
}

static libevt_record_t *record_of(const km_event_log *log, int index, bool recovered) {
  libevt_record_t *record = NULL;
  int found = recovered ? libevt_file_get_recovered_record_by_index(log->file, index, &record, NULL)
                        : libevt_file_get_record_by_index(log->file, index, &record, NULL);
  return found == 1 ? record : NULL;
}

/* Adds the record when id and time are wanted. One whose head cannot be read is kept: read tells of it. */
static km_status add(km_event_log *log, int index, bool recovered, km_error *error) {
  km_log_row row = {.index = index, .recovered = recovered};
  uint32_t number = 0, time = 0, id = 0;
  libevt_record_t *record = record_of(log, index, recovered);
  bool good = record != NULL && libevt_record_get_identifier(record, &number, NULL) == 1 &&
              libevt_record_get_creation_time(record, &time, NULL) == 1 &&
              libevt_record_get_event_identifier(record, &id, NULL) == 1;
  if (record != NULL)
    (void)libevt_record_free(&record, NULL);
  row.number = number;
  row.time = km_time_from_unix((int64_t)time, 0);
  if (good && !km_event_numbers_fit(log->filter, id, row.time))
    return KM_OK;
  if (!good && recovered)
    return KM_OK; /* what looked like a record was none */
  return km_log_add(log, row, error);
}

static km_status index_evt(km_event_log *log, km_error *error) {
  int count = 0, recovered = 0;
  km_status status = KM_OK;
  (void)libevt_file_get_number_of_records(log->file, &count, NULL);
  (void)libevt_file_get_number_of_recovered_records(log->file, &recovered, NULL);
  for (int i = 0; i < count && status == KM_OK; i++)
    status = add(log, i, false, error);
  for (int i = 0; i < recovered && status == KM_OK; i++)
    status = add(log, i, true, error);
  return status;
}

typedef int (*size_getter)(libevt_record_t *record, size_t *size, libevt_error_t **error);
typedef int (*text_getter)(libevt_record_t *record, uint8_t *text, size_t size,
                           libevt_error_t **error);

/* Reads a text into the room; "" when there is none. *offset is where it stands. */
static bool take(km_event_log *log, libevt_record_t *record, size_getter get_size,
                 text_getter get_text, size_t *offset) {
  size_t size = 0;
  *offset = log->used;
  int found = get_size(record, &size, NULL);
  if (found < 0)
    return false;
  char *text = km_log_room(log, found == 0 || size == 0 ? 1 : size);
  if (text == NULL)
    return false;
  text[0] = '\0';
  return found == 0 || size == 0 || get_text(record, (uint8_t *)text, size, NULL) == 1;
}

static bool take_string(km_event_log *log, libevt_record_t *record, int index, size_t *offset) {
  size_t size = 0;
  *offset = log->used;
  if (libevt_record_get_utf8_string_size(record, index, &size, NULL) != 1)
    return false;
  char *text = km_log_room(log, size == 0 ? 1 : size);
  if (text == NULL)
    return false;
  text[0] = '\0';
  return size == 0 ||
         libevt_record_get_utf8_string(record, index, (uint8_t *)text, size, NULL) == 1;
}

static bool take_data(km_event_log *log, libevt_record_t *record, km_event *out, size_t *offset) {
  size_t size = 0;
  *offset = log->used;
  /* libevt 20200926 says -1 for a record without data. */
  if (libevt_record_get_data_size(record, &size, NULL) != 1 || size == 0)
    return true;
  char *data = km_log_room(log, size);
  out->data_size = size;
  return data != NULL && libevt_record_get_data(record, (uint8_t *)data, size, NULL) == 1;
}

static bool take_numbers(libevt_record_t *record, km_event *out) {
  uint32_t number = 0, generated = 0, written = 0;
  if (libevt_record_get_identifier(record, &number, NULL) != 1 ||
      libevt_record_get_creation_time(record, &generated, NULL) != 1 ||
      libevt_record_get_written_time(record, &written, NULL) != 1 ||
      libevt_record_get_event_identifier(record, &out->full_id, NULL) != 1 ||
      libevt_record_get_event_type(record, &out->type, NULL) != 1 ||
      libevt_record_get_event_category(record, &out->category, NULL) != 1)
    return false;
  out->record = number;
  out->generated = km_time_from_unix((int64_t)generated, 0);
  out->written = km_time_from_unix((int64_t)written, 0);
  out->id = out->full_id & 0xFFFF;
  return true;
}

/* All of the record into *out; the name of the part that cannot be read, or NULL. */
static const char *take_record(km_event_log *log, libevt_record_t *record, km_event *out) {
  int count = 0;
  size_t data = 0, *at = log->offsets;
  if (!take_numbers(record, out))
    return "head";
  if (!take(log, record, libevt_record_get_utf8_source_name_size,
            libevt_record_get_utf8_source_name, at++))
    return "source";
  if (log->filter != NULL && log->filter->source != NULL &&
      !km_event_source_fits(log->filter, log->texts + log->offsets[0]))
    return NULL;
  if (!take(log, record, libevt_record_get_utf8_computer_name_size,
            libevt_record_get_utf8_computer_name, at++))
    return "computer's name";
  if (libevt_record_get_number_of_strings(record, &count, NULL) != 1 || count < 0 ||
      count > KM_MAX_EVENT_STRINGS)
    return "number of strings";
  for (int i = 0; i < count; i++) {
    if (!take_string(log, record, i, at++))
      return "strings";
  }
  if (!take_data(log, record, out, &data))
    return "data";
  out->string_count = (size_t)count;
  out->data = (const uint8_t *)log->texts + data;
  return NULL;
}

static km_status read_evt(km_event_log *log, const km_log_row *row, km_event *out,
                          km_error *error) {
  *out = (km_event){.log = log->name, .recovered = row->recovered};
  libevt_record_t *record = record_of(log, row->index, row->recovered);
  if (record == NULL)
    return km_log_damaged(log, row, "bytes", error);
  const char *problem = take_record(log, record, out);
  (void)libevt_record_free(&record, NULL);
  if (problem != NULL)
    return km_log_damaged(log, row, problem, error);
  if (out->data == NULL)
    return KM_NOT_FOUND; /* of another source */
  out->source = log->texts + log->offsets[0];
  out->computer = log->texts + log->offsets[1];
  for (size_t i = 0; i < out->string_count; i++)
    log->strings[i] = log->texts + log->offsets[i + 2];
  out->strings = log->strings;
  return KM_OK;
}

const km_log_format km_log_evt = {open_evt, index_evt, read_evt, close_evt};
