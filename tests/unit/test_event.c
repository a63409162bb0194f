/* test_event.c: event records, forged and cut, their filter, and a log that is read through a backend. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "unit.h"

#define GENERATED 1095055960u /* 2004-09-13T06:12:40Z */
#define W3SVC_116 0xC0000074u /* error, id 116 */

typedef struct forged {
  uint8_t bytes[8192];
  uint32_t length;
} forged;

static void put16(forged *f, uint32_t at, uint32_t value) {
  f->bytes[at] = (uint8_t)value;
  f->bytes[at + 1] = (uint8_t)(value >> 8);
}

static void put32(forged *f, uint32_t at, uint32_t value) {
  put16(f, at, value);
  put16(f, at + 2, value >> 16);
}

static void add_unit(forged *f, uint32_t unit) {
  put16(f, f->length, unit);
  f->length += 2;
}

/* An ASCII text as UTF-16 with its NUL. */
static void add_text(forged *f, const char *text) {
  for (; *text != '\0'; text++)
    add_unit(f, (uint8_t)*text);
  add_unit(f, 0);
}

static void finish(forged *f) {
  f->length = (f->length + 3) / 4 * 4;
  put32(f, f->length, f->length + 4);
  f->length += 4;
  put32(f, 0, f->length);
}

/* Header, source and computer; strings and data follow. */
static void begin(forged *f, uint32_t number, uint32_t id, const char *source) {
  memset(f, 0, sizeof *f);
  f->length = KM_EVENT_HEADER;
  put32(f, 4, 0x654C664C);
  put32(f, 8, number);
  put32(f, 12, GENERATED + number);
  put32(f, 16, GENERATED + number + 1);
  put32(f, 20, id);
  put16(f, 24, 1);
  put16(f, 28, 7);
  add_text(f, source);
  add_text(f, "WEB01");
}

static void add_strings(forged *f, uint32_t count, const char *const *texts) {
  put16(f, 26, count);
  put32(f, 36, f->length);
  for (uint32_t i = 0; i < count; i++)
    add_text(f, texts[i]);
}

static void add_data(forged *f, const void *data, uint32_t size) {
  put32(f, 48, size);
  put32(f, 52, f->length);
  memcpy(f->bytes + f->length, data, size);
  f->length += size;
}

/* The KB's event. */
static void forge_kb(forged *f, uint32_t number) {
  static const char *const texts[] = {"/LM/W3SVC/", ""};
  static const uint8_t sid[12] = {1, 1, 0, 0, 0, 0, 0, 5, 18};
  begin(f, number, W3SVC_116, "W3SVC");
  put32(f, 40, sizeof sid);
  put32(f, 44, f->length);
  memcpy(f->bytes + f->length, sid, sizeof sid);
  f->length += sizeof sid;
  add_strings(f, 2, texts);
  add_data(f, "\3\0\0\0", 4);
  finish(f);
}

static km_status parse(const forged *f, km_event_record *record, km_error *error) {
  /* A copy of exactly that size, so that the sanitizer sees a read past its end. */
  uint8_t *copy = malloc(f->length);
  assert_non_null(copy);
  memcpy(copy, f->bytes, f->length);
  km_status status = km_event_record_parse(copy, f->length, record, error);
  free(copy);
  return status;
}

/* ---- Parsing ---- */

static void a_record_is_read(void **state) {
  (void)state;
  forged f;
  km_event_record record;
  km_event_room room = {0};
  km_event event;
  char text[KM_TIME_TEXT];
  forge_kb(&f, 41);
  assert_int_equal(km_event_record_parse(f.bytes, sizeof f.bytes, &record, NULL), KM_OK);
  assert_int_equal(record.length, f.length);
  assert_int_equal(km_event_render(&record, "System", &room, &event, NULL), KM_OK);
  assert_string_equal(event.log, "System");
  assert_int_equal(event.record, 41);
  assert_string_equal(km_time_text(event.generated, text), "2004-09-13T06:13:21Z");
  assert_string_equal(km_time_text(event.written, text), "2004-09-13T06:13:22Z");
  assert_int_equal(event.id, 116);
  assert_int_equal(event.full_id, W3SVC_116);
  assert_int_equal(event.type, 1);
  assert_int_equal(event.category, 7);
  assert_string_equal(event.source, "W3SVC");
  assert_string_equal(event.computer, "WEB01");
  assert_int_equal(event.string_count, 2);
  assert_string_equal(event.strings[0], "/LM/W3SVC/");
  assert_string_equal(event.strings[1], "");
  assert_int_equal(event.data_size, 4);
  assert_memory_equal(event.data, "\3\0\0\0", 4);
  km_event_room_free(&room);
}

static void texts_become_utf8(void **state) {
  (void)state;
  static const uint16_t units[] = {0xE4, 0x20AC, 0xD83D, 0xDE00, 0xD800, 'x', 0xDC00, 0};
  forged f;
  km_event_record record;
  km_event_room room = {0};
  km_event event;
  begin(&f, 1, 1, "Dienst");
  put16(&f, 26, 1);
  put32(&f, 36, f.length);
  for (size_t i = 0; i < COUNT_OF(units); i++)
    add_unit(&f, units[i]);
  finish(&f);
  assert_int_equal(km_event_record_parse(f.bytes, f.length, &record, NULL), KM_OK);
  assert_int_equal(km_event_render(&record, "System", &room, &event, NULL), KM_OK);
  assert_string_equal(event.strings[0],
                      "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBDx\xEF\xBF\xBD");
  km_event_room_free(&room);
}

static void every_truncation_is_damage(void **state) {
  (void)state;
  forged f, cut;
  km_event_record record;
  forge_kb(&f, 1);
  uint32_t whole = f.length;
  for (uint32_t length = 0; length < whole; length++) {
    cut = f;
    cut.length = length;
    if (length == 0) {
      assert_int_equal(km_event_record_parse(f.bytes, 0, &record, NULL), KM_DAMAGED);
      continue;
    }
    assert_int_equal(parse(&cut, &record, NULL), KM_DAMAGED);
    assert_int_equal(record.length, 0);
    /* The same with lengths that pretend it is whole. */
    if (length < KM_EVENT_SMALLEST || length % 4 != 0)
      continue;
    put32(&cut, 0, length);
    put32(&cut, length - 4, length);
    assert_int_equal(parse(&cut, &record, NULL), KM_DAMAGED);
    assert_int_equal(record.length, length);
  }
}

typedef struct harm {
  uint32_t at, size, value;
  const char *field;
} harm;

/* Offsets of forge_kb: SourceName 56..67, Computername 68..79, SID 80..91, strings 92..115, data 116..119. */
static const harm harms[] = {
    {0, 4, 0, "Length"},
    {0, 4, 56, "Length"},
    {0, 4, 0xFFFFFFFC, "Length"},
    {0, 4, 128, "Length"},
    {0, 4, 121, "Length"},
    {4, 4, 0x654C664D, "LfLe"},
    {120, 4, 120, "closing length"},
    {26, 2, 0xFFFF, "NumStrings"},
    {26, 2, 257, "NumStrings"},
    {26, 2, 200, "NumStrings"},
    {36, 4, 0, "StringOffset"},
    {36, 4, 55, "StringOffset"},
    {36, 4, 119, "StringOffset"},
    {36, 4, 0xFFFFFFFE, "StringOffset"},
    {40, 4, 7, "SID"},
    {40, 4, 0xFFFFFFFF, "SID"},
    {40, 4, 41, "SID"},
    {44, 4, 4, "SID"},
    {44, 4, 0xFFFFFFF0, "SID"},
    {48, 4, 5, "DataOffset"},
    {48, 4, 0xFFFFFFFF, "DataOffset"},
    {52, 4, 55, "DataOffset"},
    {52, 4, 117, "DataOffset"},
    {52, 4, 0x80000000, "DataOffset"},
};

static void every_wrong_length_is_damage(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(harms); i++) {
    forged f;
    km_event_record record;
    km_error error;
    forge_kb(&f, 1);
    assert_int_equal(f.length, 124);
    if (harms[i].size == 2)
      put16(&f, harms[i].at, harms[i].value);
    else
      put32(&f, harms[i].at, harms[i].value);
    km_status status = parse(&f, &record, &error);
    if (status != KM_DAMAGED || strstr(error.message, harms[i].field) == NULL)
      print_error("%lu = %lu: %s\n", (unsigned long)harms[i].at, (unsigned long)harms[i].value,
                  error.message);
    assert_int_equal(status, KM_DAMAGED);
    assert_non_null(strstr(error.message, harms[i].field));
    assert_null(record.bytes);
  }
}

/* Windows leaves any number in the offset of what is not there. */
static void absent_parts_need_no_offset(void **state) {
  (void)state;
  forged f;
  km_event_record record;
  begin(&f, 1, 1, "Eventlog");
  put32(&f, 36, 0xFFFFFFFF);
  put32(&f, 44, 0xFFFFFFFF);
  put32(&f, 52, 0xFFFFFFFF);
  finish(&f);
  assert_int_equal(parse(&f, &record, NULL), KM_OK);
  assert_int_equal(record.string_count, 0);
  assert_int_equal(record.data_size, 0);
}

static void odd_bytes_behind_texts_are_no_end(void **state) {
  (void)state;
  forged f;
  km_event_record record;
  begin(&f, 1, 1, "A");
  f.length = KM_EVENT_HEADER;
  for (int i = 0; i < 9; i++)
    add_unit(&f, 'x'); /* neither text ends */
  finish(&f);
  assert_int_equal(parse(&f, &record, NULL), KM_DAMAGED);
}

/* ---- Filter ---- */

static bool fits(const forged *f, const km_event_filter *filter) {
  km_event_record record;
  km_event_room room = {0};
  km_event event;
  assert_int_equal(km_event_record_parse(f->bytes, f->length, &record, NULL), KM_OK);
  assert_int_equal(km_event_render(&record, "System", &room, &event, NULL), KM_OK);
  bool good = km_event_fits(&event, filter);
  /* What the record alone refuses, the event refuses too. */
  assert_true(km_event_record_fits(&record, filter) || !good);
  if (filter != NULL && filter->text == NULL)
    assert_int_equal(km_event_record_fits(&record, filter), good);
  km_event_room_free(&room);
  return good;
}

static void the_filter_chooses(void **state) {
  (void)state;
  static const uint32_t ids[] = {7023, 116}, others[] = {7023};
  km_time time = km_time_from_unix(GENERATED + 5, 0);
  forged f;
  forge_kb(&f, 5);
  assert_true(fits(&f, NULL));
  assert_true(fits(&f, &(km_event_filter){.source = "w3svc"}));
  assert_false(fits(&f, &(km_event_filter){.source = "W3SV"}));
  assert_false(fits(&f, &(km_event_filter){.source = "W3SVCS"}));
  assert_true(fits(&f, &(km_event_filter){.ids = ids, .id_count = 2}));
  assert_false(fits(&f, &(km_event_filter){.ids = others, .id_count = 1}));
  assert_true(fits(&f, &(km_event_filter){.from = time, .to = time}));
  assert_false(fits(&f, &(km_event_filter){.from = time + 1}));
  assert_false(fits(&f, &(km_event_filter){.to = time - 1}));
  assert_true(fits(&f, &(km_event_filter){.text = "/lm/W3svc"}));
  assert_false(fits(&f, &(km_event_filter){.text = "/LM/W3SVC/1"}));
  assert_true(
      fits(&f, &(km_event_filter){.source = "W3SVC", .ids = ids, .id_count = 2, .text = "LM"}));
}

static void the_filter_looks_into_data(void **state) {
  (void)state;
  forged f;
  begin(&f, 1, 1, "A");
  add_data(&f, "W\0e\0b\0 ascii", 12);
  finish(&f);
  assert_true(fits(&f, &(km_event_filter){.text = "wEb"}));
  assert_true(fits(&f, &(km_event_filter){.text = "ASCII"}));
  assert_false(fits(&f, &(km_event_filter){.text = "ascii!"}));
}

static void the_filter_ignores_case_of_letters(void **state) {
  (void)state;
  forged f;
  begin(&f, 1, 1, "X");
  put16(&f, KM_EVENT_HEADER, 0xC4);
  finish(&f);
  assert_true(fits(&f, &(km_event_filter){.source = "\xC3\xA4"}));
  assert_false(fits(&f, &(km_event_filter){.source = "\xC3\xB6"}));
}

/* A record without a time cannot be said to lie in a span. */
static void a_record_without_a_time_fits_no_span(void **state) {
  (void)state;
  forged f;
  forge_kb(&f, 1);
  put32(&f, 12, 0);
  assert_true(fits(&f, NULL));
  assert_false(fits(&f, &(km_event_filter){.from = 1}));
  assert_false(fits(&f, &(km_event_filter){.to = INT64_MAX}));
}

/* ---- Reading through a backend ---- */

typedef struct fake_log {
  int at, count;
  bool filtered, closed, oldest_first, all_damaged;
  char name[32];
} fake_log;

static fake_log the_log;

static km_status fake_open(km_target *target, const char *log, bool oldest_first,
                           km_event_log **out, km_error *error) {
  (void)target;
  if (strcmp(log, "System") != 0)
    return km_fail(error, KM_NOT_FOUND, 0, "no such log");
  snprintf(the_log.name, sizeof the_log.name, "%s", log);
  the_log.oldest_first = oldest_first;
  *out = (km_event_log *)&the_log;
  return KM_OK;
}

/* Events 1 to count; every third record is damaged. */
static km_status fake_next(km_event_log *log, km_event *out, km_error *error) {
  fake_log *self = (fake_log *)log;
  if (self->at == self->count)
    return KM_END;
  self->at++;
  if (self->all_damaged || self->at % 3 == 0)
    return km_fail(error, KM_DAMAGED, 0, "damaged");
  *out = (km_event){.log = self->name, .record = (uint32_t)self->at, .id = (uint32_t)self->at};
  out->source = out->computer = "x";
  return KM_OK;
}

static void fake_close(km_event_log *log) {
  ((fake_log *)log)->closed = true;
}

static void fake_filter(km_event_log *log, const km_event_filter *filter) {
  ((fake_log *)log)->filtered = filter->source != NULL;
}

static const km_backend reading = {.event_open = fake_open,
                                   .event_next = fake_next,
                                   .event_close = fake_close,
                                   .event_filter = fake_filter};

static void a_log_is_read(void **state) {
  (void)state;
  km_target target = {.backend = &reading};
  uint32_t ids[] = {4, 3, 8};
  char source[] = "x";
  km_event_filter filter = {.source = source, .ids = ids, .id_count = 3, .oldest_first = true};
  km_events *events = NULL;
  km_event event;
  the_log = (fake_log){.count = 10};
  assert_int_equal(km_events_open(&target, "System", &filter, &events, NULL), KM_OK);
  ids[0] = 7; /* the filter was copied */
  source[0] = 'y';
  assert_true(the_log.oldest_first && the_log.filtered);
  assert_int_equal(km_events_next(events, &event, NULL), KM_OK);
  assert_int_equal(event.record, 4);
  assert_int_equal(km_events_next(events, &event, NULL), KM_OK);
  assert_int_equal(event.record, 8);
  assert_int_equal(km_events_next(events, &event, NULL), KM_END);
  assert_int_equal(km_events_damaged(events), 3);
  km_events_close(events);
  assert_true(the_log.closed);
}

static void a_log_of_damage_is_given_up(void **state) {
  (void)state;
  km_target target = {.backend = &reading};
  km_events *events = NULL;
  km_event event;
  km_error error;
  the_log = (fake_log){.count = KM_MAX_DAMAGED_RUN + 5, .all_damaged = true};
  assert_int_equal(km_events_open(&target, "System", NULL, &events, NULL), KM_OK);
  assert_int_equal(km_events_next(events, &event, &error), KM_DAMAGED);
  assert_non_null(strstr(error.message, "System"));
  km_events_close(events);
}

static void a_log_that_cannot_be_read_says_why(void **state) {
  (void)state;
  static const km_backend none = {.name = "none"};
  static const km_capability row = {"events", false, "nobody reads them here"};
  km_target target = {.backend = &none};
  km_events *events = NULL;
  km_error error;
  assert_int_equal(km_events_open(&target, "System", NULL, &events, &error), KM_UNSUPPORTED);
  target.info.capabilities = &row;
  target.info.capability_count = 1;
  assert_int_equal(km_events_open(&target, "System", NULL, &events, &error), KM_UNSUPPORTED);
  assert_non_null(strstr(error.message, "nobody reads them here"));
  target.backend = &reading;
  assert_int_equal(km_events_open(&target, "Nowhere", NULL, &events, &error), KM_NOT_FOUND);
  assert_int_equal(km_events_open(&target, "", NULL, &events, &error), KM_MISUSE);
  assert_null(events);
}

/* ---- Containers ---- */

static km_status fake_trial(km_target *target, const char *container, km_container_trial *out,
                            km_error *error) {
  (void)target;
  (void)error;
  out->open_code = strcmp(container, "iisWasKey") == 0 ? 0 : 0x80090016;
  return KM_OK;
}

static void a_container_is_tried_where_that_is_possible(void **state) {
  (void)state;
  static const km_backend none = {.name = "none"}, live = {.container_test = fake_trial};
  km_target target = {.backend = &none};
  km_container_trial trial;
  km_error error;
  assert_int_equal(km_container_test(&target, "SMS", &trial, &error), KM_UNSUPPORTED);
  target.backend = &live;
  assert_int_equal(km_container_test(&target, "SMS", &trial, &error), KM_OK);
  assert_int_equal(trial.open_code, 0x80090016);
  assert_int_equal(km_container_test(&target, "iisWasKey", &trial, &error), KM_OK);
  assert_int_equal(trial.open_code, 0);
  assert_int_equal(km_container_test(&target, "", &trial, &error), KM_MISUSE);
  assert_int_equal(km_container_test(&target, "\xE6\x97\xA5", &trial, &error), KM_MISUSE);
}

int test_event(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_read),
      cmocka_unit_test(texts_become_utf8),
      cmocka_unit_test(every_truncation_is_damage),
      cmocka_unit_test(every_wrong_length_is_damage),
      cmocka_unit_test(absent_parts_need_no_offset),
      cmocka_unit_test(odd_bytes_behind_texts_are_no_end),
      cmocka_unit_test(the_filter_chooses),
      cmocka_unit_test(the_filter_looks_into_data),
      cmocka_unit_test(the_filter_ignores_case_of_letters),
      cmocka_unit_test(a_record_without_a_time_fits_no_span),
      cmocka_unit_test(a_log_is_read),
      cmocka_unit_test(a_log_of_damage_is_given_up),
      cmocka_unit_test(a_log_that_cannot_be_read_says_why),
      cmocka_unit_test(a_container_is_tried_where_that_is_possible),
  };
  return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
