/* event.h: one record of an event log, EVENTLOGRECORD; internal to core/.
 *
 * The same record comes from ReadEventLogW and stands in .evt files. Little endian, source: MS "EVENTLOGRECORD
 * structure", "Event Log File Format". Texts are UTF-16LE with a NUL; offsets count from the record's begin.
 *
 *    0 Length          of the whole record        26 NumStrings       (16 bits)
 *    4 "LfLe"                                     28 EventCategory    (16 bits)
 *    8 RecordNumber                               30 ReservedFlags    (16 bits)
 *   12 TimeGenerated   seconds since 1970, UTC    32 ClosingRecordNumber
 *   16 TimeWritten                                36 StringOffset
 *   20 EventID                                    40 UserSidLength    44 UserSidOffset
 *   24 EventType       (16 bits)                  48 DataLength       52 DataOffset
 *   56 SourceName, Computername, UserSid, strings, data, padding, and Length once more
 */
#ifndef KM_EVENT_H
#define KM_EVENT_H

#include "backend.h"

#define KM_EVENT_HEADER 56 /* bytes before SourceName */
#define KM_EVENT_SMALLEST                                                                          \
  (KM_EVENT_HEADER + 4)          /* what a record has at least: its Length stands at its end too */
#define KM_MAX_DAMAGED_RUN 10000 /* damaged records one behind the other before a log is given up */

/* A text inside a record: `units` UTF-16 units from byte `offset`, without its NUL. */
typedef struct km_event_span {
  uint32_t offset, units;
} km_event_span;

/* A record whose every length was checked. It points into the bytes it was made from. */
typedef struct km_event_record {
  const uint8_t *bytes;
  uint32_t length;
  uint32_t number;
  km_time generated, written;
  uint32_t full_id;
  uint16_t type, category;
  km_event_span source, computer;
  km_event_span strings[KM_MAX_EVENT_STRINGS];
  uint32_t string_count;
  uint32_t data_offset, data_size;
} km_event_record;

/* Takes the record at the begin of `data` (`size` bytes, of which more records may follow) apart. KM_DAMAGED with field
 * and offset: it is none, or one of its parts does not lie inside it. `out` is then empty, but for `length` when
 * that could be read: within `size`, never 0, so the next record can be looked for there. */
km_status km_event_record_parse(const void *data, size_t size, km_event_record *out,
                                km_error *error);

/* Whether id, time and source fit the filter (may be NULL). Costs no allocation, so that what does not fit is dropped
 * before anything of it is converted. */
bool km_event_record_fits(const km_event_record *record, const km_event_filter *filter);

/* Whether an event of that id (its low 16 bits count) and time fits the filter (may be NULL), whatever else it says. */
bool km_event_numbers_fit(const km_event_filter *filter, uint32_t id, km_time generated);

/* Whether the time alone does. */
bool km_event_time_fits(const km_event_filter *filter, km_time generated);

/* Whether a source fits: the filter names none, or this one, ignoring case. */
bool km_event_source_fits(const km_event_filter *filter, const char *source);

/* Whether an event fits the filter (may be NULL), its `text` included. */
bool km_event_fits(const km_event *event, const km_event_filter *filter);

/* Room for the texts of one event. Begin with {0}; the next rendering uses it again. */
typedef struct km_event_room {
  char *bytes;
  size_t size;
  const char *strings[KM_MAX_EVENT_STRINGS];
} km_event_room;

/* Makes the event of a record: texts in `room`, `data` still in the record's bytes. `log` is the name to give it. What is
 * no valid UTF-16 becomes U+FFFD. KM_MEMORY. */
km_status km_event_render(const km_event_record *record, const char *log, km_event_room *room,
                          km_event *out, km_error *error);
void km_event_room_free(km_event_room *room);

#endif
