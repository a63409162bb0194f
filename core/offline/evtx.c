/* evtx.c: event logs of Windows Vista and later (.evtx), by libevtx
 *
 * libevtx makes the whole XML document of a record before it tells its id. So records are dropped before it sees them: the
 * heads of the records (number, time) and, where the record's template says where it stands, the event id are read here;
 * only what is wanted is given to libevtx, from which all that is told comes.
 *
 * A file is a header of 4096 bytes and chunks of 64 KiB, which are used in a ring. Little endian:
 *   file   40 bytes of the header (16 bits)   42 number of chunks (16 bits)   120 flags, 1: not closed
 *   chunk   0 "ElfChnk"   40 bytes of its header, 128   44 offset of the last record   48 offset of the free space
 *           records from 512 on
 *   record  0 "**", 0, 0   4 its size   8 number (64 bits)   16 time written (FILETIME)   24 binary XML, size once more
 * Binary XML of an event: 0F 01 01 00 (fragment), 0C 01, id, offset of the template in the chunk; the template itself
 * where it is first used; then a count, and for each value size (16 bits), type (8 bits), 0; then the values.
 * A template: offset of the next, GUID, at 20 its size, at 24 its own binary XML. Sources: MS [MS-EVEN6] 2.2.12, libyal
 * "Windows XML Event Log (EVTX) format".
 */
#include "eventlog.h"

#include "bytes.h"

#include <libevtx.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 0x10000u
#define CHUNK_HEADER 128u
#define FIRST_RECORD 512u
#define RECORD_HEAD 24u
#define TEMPLATE_HEAD 24u
#define KM_MAX_XML_DEPTH 8 /* templates within templates; Windows writes two */
#define KM_MAX_XML_ELEMENTS                                                                        \
  1024 /* elements of one event; libevtx takes 200 bytes of stack for each */
#define KM_MAX_XML_WORK 0x100000u /* bytes of templates looked through for one event */
#define TEMPLATES 64              /* of one chunk, remembered */
#define UNKNOWN (-1)

/* ---- Chunks ---- */

typedef struct head {
  uint32_t at, size;
  uint64_t number;
  km_time written;
  bool recovered;
} head;

/* Takes the head of the record at `at`; false when none is there. libevtx would read beyond the chunk when a size is no
 * multiple of four, so such a record loses its mark. */
static bool take_head(uint8_t *chunk, uint32_t at, head *out) {
  const uint8_t *bytes = chunk + at;
  if (CHUNK - at < RECORD_HEAD + 4 || memcmp(bytes, "**\0\0", 4) != 0)
    return false;
  uint32_t size = km_u32(bytes + 4);
  if (size < RECORD_HEAD + 4 || size > CHUNK - at - 4 || size % 4 != 0 ||
      km_u32(bytes + size - 4) != size) {
    chunk[at] = 0;
    return false;
  }
  uint64_t written = km_u64(bytes + 16);
  *out = (head){at, size, km_u64(bytes + 8), written <= INT64_MAX ? (km_time)written : 0, false};
  return true;
}

/* Whether binary XML begins in the record, as libevtx asks of what it recovers. */
static bool holds_xml(const uint8_t *chunk, const head *record) {
  const uint8_t *xml = chunk + record->at + RECORD_HEAD;
  uint32_t size = record->size - RECORD_HEAD - 4;
  return (size >= 5 && xml[0] == 0x0A) || (size >= 4 && memcmp(xml, "\x0F\x01\x01\0", 4) == 0);
}

static bool is_empty(const uint8_t *chunk) {
  return chunk[0] == 0 && memcmp(chunk, chunk + 1, CHUNK - 1) == 0;
}

/* Whether the chunk begins as one. Where its header would make libevtx give the whole file up it loses its mark, so that
 * only this chunk counts as damaged. */
static bool begins_well(uint8_t *chunk) {
  if (memcmp(chunk, "ElfChnk", 8) != 0)
    return false;
  uint32_t free_space = km_u32(chunk + 48);
  if (km_u32(chunk + 40) == CHUNK_HEADER && free_space >= FIRST_RECORD && free_space <= CHUNK)
    return true;
  chunk[0] = 0;
  return false;
}

typedef km_status (*head_giver)(km_event_log *log, const uint8_t *chunk, const head *record,
                                km_error *error);

/* Gives the records of a chunk in the order in which libevtx counts them, first the ordinary ones, and takes from the
 * chunk what libevtx cannot bear. *good: it begins as a chunk does. */
static km_status walk(km_event_log *log, uint8_t *chunk, head_giver give, bool *good,
                      km_error *error) {
  head record;
  km_status status = KM_OK;
  uint32_t at = 0;
  *good = begins_well(chunk);
  if (*good) {
    uint32_t last = km_u32(chunk + 44);
    for (at = FIRST_RECORD; at <= last && at < CHUNK && take_head(chunk, at, &record);
         at += record.size) {
      if (give != NULL && (status = give(log, chunk, &record, error)) != KM_OK)
        return status;
    }
  }
  for (; CHUNK - at >= 4 && at < CHUNK; at += 4) {
    if (!take_head(chunk, at, &record) || !holds_xml(chunk, &record))
      continue;
    record.recovered = true;
    if (give != NULL && (status = give(log, chunk, &record, error)) != KM_OK)
      return status;
    at += record.size - 4;
  }
  return status;
}

/* What libevtx gets to see of a chunk. */
static void looked_at(km_event_log *log, uint64_t offset, uint8_t *bytes, size_t size) {
  bool good;
  (void)offset;
  if (size == CHUNK && !is_empty(bytes))
    (void)walk(log, bytes, NULL, &good, NULL);
}

/* ---- Event ids ---- */

typedef struct id_place {
  uint32_t template;
  int slot;
} id_place;

/* The offset behind the name at `name`, which begins there; 0 when it is not "EventID". */
static uint32_t event_id_name(const uint8_t *chunk, uint32_t name) {
  static const uint8_t text[] = "\7\0E\0v\0e\0n\0t\0I\0D"; /* count of characters, UTF-16 */
  if (name > CHUNK - 24 || memcmp(chunk + name + 6, text, sizeof text) != 0)
    return 0;
  return name + 24;
}

/* The number of the value that is the id by this element of a template, whose mark stands at `at`; UNKNOWN when it is no
 * EventID or holds something else than one 16-bit value. */
static int slot_at(const uint8_t *chunk, uint32_t at, uint32_t end) {
  if (end - at < 11)
    return UNKNOWN;
  uint32_t name = km_u32(chunk + at + 7), behind = event_id_name(chunk, name), next = at + 11;
  if (behind == 0)
    return UNKNOWN;
  if (name == next)
    next = behind;
  if (chunk[at] == 0x41) { /* attributes */
    if (next > end || end - next < 4 || km_u32(chunk + next) > end - next - 4)
      return UNKNOWN;
    next += 4 + km_u32(chunk + next);
  }
  if (next > end || end - next < 5 || chunk[next] != 0x02)
    return UNKNOWN;
  const uint8_t *value = chunk + next + 1;
  return (value[0] == 0x0D || value[0] == 0x0E) && value[3] == 0x06 ? (int)km_u16(value + 1)
                                                                    : UNKNOWN;
}

/* The end of a template's binary XML, or 0 when it does not lie in the chunk. */
static uint32_t template_end(const uint8_t *chunk, uint32_t template) {
  if (template <FIRST_RECORD || template > CHUNK - TEMPLATE_HEAD)
    return 0;
  uint32_t begin = template + TEMPLATE_HEAD, size = km_u32(chunk + template + 20);
  return size <= CHUNK - begin ? begin + size : 0;
}

static int slot_of(const uint8_t *chunk, uint32_t template) {
  uint32_t end = template_end(chunk, template);
  for (uint32_t at = template + TEMPLATE_HEAD; at < end; at++) {
    if (chunk[at] != 0x01 && chunk[at] != 0x41)
      continue;
    int slot = slot_at(chunk, at, end);
    if (slot != UNKNOWN)
      return slot;
  }
  return UNKNOWN;
}

/* The same, from the templates of this chunk that were asked for before; `places` has TEMPLATES of them. */
static int known_slot(const uint8_t *chunk, uint32_t template, id_place *places) {
  id_place *place = &places[template / 8 % TEMPLATES];
  if (place->template != template)
    *place = (id_place){template, slot_of(chunk, template)};
  return place->slot;
}

/* The 16 bits of value number `slot`; the values' count stands at `at`. UNKNOWN when it is none of 16 bits. */
static int value_at(const uint8_t *chunk, uint32_t at, uint32_t end, uint32_t slot) {
  if (at > end || end - at < 4)
    return UNKNOWN;
  uint32_t count = km_u32(chunk + at), sizes = at + 4;
  if (slot >= count || count > (end - sizes) / 4)
    return UNKNOWN;
  const uint8_t *mine = chunk + sizes + 4 * slot;
  if (km_u16(mine) != 2 || mine[2] != 0x06)
    return UNKNOWN;
  uint32_t value = sizes + 4 * count;
  for (uint32_t i = 0; i < slot; i++)
    value += km_u16(chunk + sizes + 4 * i);
  return value <= end && end - value >= 2 ? (int)km_u16(chunk + value) : UNKNOWN;
}

/* The event id of a record, or UNKNOWN when only libevtx can tell. */
static int id_of(const uint8_t *chunk, const head *record, id_place *places) {
  uint32_t xml = record->at + RECORD_HEAD, end = record->at + record->size - 4;
  if (end - xml < 14 || memcmp(chunk + xml, "\x0F\x01\x01\0\x0C", 5) != 0)
    return UNKNOWN;
  uint32_t template = km_u32(chunk + xml + 10), values = xml + 14;
  if (template_end(chunk, template) == 0 || template > values)
    return UNKNOWN;
  if (template == values) /* it stands in this record */
    values = template_end(chunk, template);
  int slot = known_slot(chunk, template, places);
  return slot == UNKNOWN ? UNKNOWN : value_at(chunk, values, end, (uint32_t)slot);
}

/* ---- Index ---- */

/* What is remembered while the chunks are walked; behind the chunk in log->chunk. */
typedef struct walk_state {
  id_place places[TEMPLATES];
  int ordinary, recovered; /* records so far, as libevtx counts them */
  bool outside;            /* the chunk is not among those that the file's header counts */
} walk_state;

static walk_state *state_of(km_event_log *log) {
  return (walk_state *)(void *)(log->chunk + CHUNK);
}

static km_status give_row(km_event_log *log, const uint8_t *chunk, const head *record,
                          km_error *error) {
  walk_state *state = state_of(log);
  bool recovered = record->recovered || state->outside;
  km_log_row row = {.number = record->number,
                    .time = record->written,
                    .place = log->chunk_at + record->at,
                    .at = record->at,
                    .recovered = recovered};
  row.index = recovered ? state->recovered++ : state->ordinary++;
  if (!km_event_time_fits(log->filter, row.time))
    return KM_OK;
  if (log->filter != NULL && log->filter->id_count > 0) {
    int id = id_of(chunk, record, state->places);
    if (id != UNKNOWN && !km_event_numbers_fit(log->filter, (uint32_t)id, row.time))
      return KM_OK;
  }
  return km_log_add(log, row, error);
}

static km_status read_chunk(km_event_log *log, uint64_t offset, km_error *error) {
  km_status status = km_disk_read_at(log->fd, log->chunk, CHUNK, offset, error);
  log->chunk_at = offset;
  if (status != KM_OK)
    km_error_prefix(error, "read the event log \"%s\" (%s)", log->name, log->path);
  return status;
}

/* Whether libevtx counts the records as they were counted here; else an index would name another record. */
static km_status check_counts(const km_event_log *log, const walk_state *state, km_error *error) {
  int ordinary = -1, recovered = -1;
  (void)libevtx_file_get_number_of_records(log->file, &ordinary, NULL);
  (void)libevtx_file_get_number_of_recovered_records(log->file, &recovered, NULL);
  if (ordinary == state->ordinary && recovered == state->recovered)
    return KM_OK;
  return km_fail(error, KM_DAMAGED, 0,
                 "read the event log \"%s\": its records are counted in two ways (%d and %d, by "
                 "libevtx %d and %d); please report this, with the file if you can",
                 log->name, state->ordinary, state->recovered, ordinary, recovered);
}

static km_status index_evtx(km_event_log *log, km_error *error) {
  uint8_t header[128];
  walk_state *state = state_of(log);
  km_status status = km_disk_read_at(log->fd, header, sizeof header, 0, error);
  if (status != KM_OK)
    return status;
  uint32_t counted = km_u16(header + 42), number = 0;
  bool open = (km_u32(header + 120) & 1) != 0, good = false;
  *state = (walk_state){.ordinary = 0};
  for (uint64_t at = km_u16(header + 40); at + CHUNK <= log->size; at += CHUNK, number++) {
    status = read_chunk(log, at, error);
    if (status != KM_OK)
      return status;
    memset(state->places, 0, sizeof state->places);
    state->outside = number >= counted && !open;
    if (is_empty(log->chunk))
      continue;
    status = walk(log, log->chunk, give_row, &good, error);
    if (status != KM_OK)
      return status;
    log->damaged_parts += !good && !state->outside;
  }
  log->chunk_at = KM_LOG_NO_CHUNK;
  return check_counts(log, state, error);
}

/* ---- What libevtx must not get to see ---- */

typedef struct work {
  uint32_t bytes, elements;
} work;

/* Whether what stands at `at` may begin an element: a mark, and the offset of a name. Text may look so, too. */
static bool may_be_element(const uint8_t *chunk, uint32_t at, uint32_t end) {
  if ((chunk[at] != 0x01 && chunk[at] != 0x41) || end - at < 11)
    return false;
  uint32_t name = km_u32(chunk + at + 7);
  return name >= FIRST_RECORD && name <= CHUNK - 10 && km_u16(chunk + name + 6) > 0;
}

/* Whether libevtx would take what stands at `at` for the use of a template: it does so behind a fragment's header alone. */
static bool is_use(const uint8_t *chunk, uint32_t at, uint32_t end) {
  return chunk[at] == 0x0C && chunk[at - 4] == 0x0F && end - at >= 10;
}

/* The template that is used at `at`, or 0 when it is none that lies in the chunk before its end. */
static uint32_t used_template(const uint8_t *chunk, uint32_t at) {
  uint32_t template = km_u32(chunk + at + 6);
  return template <= at + 10 && template_end(chunk, template) != 0 ? template : 0;
}

/* Whether the count of values behind the use of a template at `at` can be; libevtx asks for memory for as many. */
static bool counts_well(const uint8_t *chunk, uint32_t at, uint32_t template) {
  uint32_t values = template == at + 10 ? template_end(chunk, template) : at + 10;
  return CHUNK - values >= 4 && km_u32(chunk + values) <= (CHUNK - values - 4) / 4;
}

/* Whether the binary XML from `at` to `end` is within the limits. libevtx follows templates and elements by recursion and
 * without any, so one that uses itself would end the process. */
static bool is_bounded(const uint8_t *chunk, uint32_t at, uint32_t end, unsigned depth,
                       work *done) {
  if (depth > KM_MAX_XML_DEPTH || (done->bytes += end - at) > KM_MAX_XML_WORK)
    return false;
  for (; at < end; at++) {
    if (is_use(chunk, at, end)) {
      uint32_t template = used_template(chunk, at);
      bool certain = memcmp(chunk + at - 4, "\x0F\x01\x01", 4) == 0;
      if (template == 0 && certain)
        return false;
      if (template != 0 && (!counts_well(chunk, at, template) ||
                            !is_bounded(chunk, template + TEMPLATE_HEAD,
                                        template_end(chunk, template), depth + 1, done)))
        return false;
    }
    if (may_be_element(chunk, at, end) && ++done->elements > KM_MAX_XML_ELEMENTS)
      return false;
  }
  return true;
}

/* ---- Reading ---- */

static km_status open_evtx(km_event_log *log, km_error *error) {
  libevtx_file_t *file = NULL;
  log->looked_at = looked_at;
  log->chunk_at = KM_LOG_NO_CHUNK;
  log->chunk = malloc(CHUNK + sizeof(walk_state));
  if (log->chunk == NULL)
    return km_fail(error, KM_MEMORY, 0, "read the event log \"%s\": out of memory", log->name);
  bool good = libevtx_file_initialize(&file, NULL) == 1 &&
              libevtx_file_open_file_io_handle(file, log->handle, LIBEVTX_OPEN_READ, NULL) == 1;
  log->file = file;
  if (!good)
    return km_fail(error, KM_DAMAGED, 0,
                   "read the event log \"%s\": the header of %s is damaged beyond reading",
                   log->name, log->path);
  log->dirty = libevtx_file_is_corrupted(file, NULL) == 1;
  return KM_OK;
}

static void close_evtx(km_event_log *log) {
  libevtx_file_t *file = log->file;
  (void)libevtx_file_close(file, NULL);
  (void)libevtx_file_free(&file, NULL);
  log->file = NULL;
}

typedef int (*size_getter)(libevtx_record_t *record, size_t *size, libevtx_error_t **error);
typedef int (*text_getter)(libevtx_record_t *record, uint8_t *text, size_t size,
                           libevtx_error_t **error);

/* Reads a text into the room; "" when there is none. *offset is where it stands. */
static bool take(km_event_log *log, libevtx_record_t *record, size_getter get_size,
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

/* The strings of EventData or UserData: all values of its elements, in order. */
static bool take_strings(km_event_log *log, libevtx_record_t *record, size_t *offset,
                         size_t *count) {
  int found = 0;
  *count = 0;
  if (libevtx_record_get_number_of_strings(record, &found, NULL) != 1)
    return true; /* it has neither */
  if (found < 0 || found > KM_MAX_EVENT_STRINGS)
    return false;
  for (int i = 0; i < found; i++) {
    size_t size = 0;
    offset[i] = log->used;
    int has = libevtx_record_get_utf8_string_size(record, i, &size, NULL);
    char *text = has >= 0 ? km_log_room(log, size == 0 ? 1 : size) : NULL;
    if (text == NULL)
      return false;
    text[0] = '\0';
    if (size > 0 && libevtx_record_get_utf8_string(record, i, (uint8_t *)text, size, NULL) != 1)
      return false;
  }
  *count = (size_t)found;
  return true;
}

static int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether the element Binary of the event holds this text, hexadecimal digits as libevtx writes them. */
static bool is_binary(km_event_log *log, libevtx_record_t *record, size_t text) {
  static const char mark[] = "<Binary>";
  size_t before = log->used, xml = 0;
  bool found = false;
  if (take(log, record, libevtx_record_get_utf8_xml_string_size, libevtx_record_get_utf8_xml_string,
           &xml)) {
    const char *wanted = log->texts + text;
    size_t length = strlen(wanted);
    const char *at = strstr(log->texts + xml, mark);
    found = at != NULL && strncmp(at + sizeof mark - 1, wanted, length) == 0 &&
            strncmp(at + sizeof mark - 1 + length, "</Binary>", 9) == 0;
  }
  log->used = before;
  return found;
}

/* The element Binary comes last and is the event's data, no string. */
static void take_data(km_event_log *log, libevtx_record_t *record, const size_t *offset,
                      km_event *out, size_t *data) {
  size_t last = out->string_count > 0 ? offset[out->string_count - 1] : 0;
  size_t length = out->string_count > 0 ? strlen(log->texts + last) : 0;
  *data = log->used;
  if (length == 0 || length % 2 != 0)
    return;
  for (size_t i = 0; i < length; i++) {
    if (digit(log->texts[last + i]) < 0)
      return;
  }
  if (!is_binary(log, record, last))
    return;
  uint8_t *bytes = (uint8_t *)log->texts + last;
  for (size_t i = 0; i < length / 2; i++)
    bytes[i] =
        (uint8_t)(digit(log->texts[last + 2 * i]) * 16 + digit(log->texts[last + 2 * i + 1]));
  *data = last;
  out->data_size = length / 2;
  out->string_count--;
}

/* Levels of Windows Vista and later as the types before: 1 critical, 2 error, 3 warning, 4 information; 0 always logged. */
static uint16_t type_of(uint8_t level) {
  return level == 1 || level == 2 ? 1 : level == 3 ? 2 : 4;
}

static bool take_numbers(libevtx_record_t *record, km_event *out) {
  uint64_t number = 0, written = 0;
  uint32_t id = 0, qualifiers = 0;
  uint8_t level = 0;
  if (libevtx_record_get_identifier(record, &number, NULL) != 1 ||
      libevtx_record_get_written_time(record, &written, NULL) != 1 ||
      libevtx_record_get_event_identifier(record, &id, NULL) != 1)
    return false;
  (void)libevtx_record_get_event_level(record, &level, NULL);
  if (libevtx_record_get_event_identifier_qualifiers(record, &qualifiers, NULL) != 1)
    qualifiers = 0;
  out->record = (uint32_t)number;
  out->generated = out->written = written <= INT64_MAX ? (km_time)written : 0;
  out->id = id & 0xFFFF;
  out->full_id = (qualifiers & 0xFFFF) << 16 | out->id;
  out->type = type_of(level);
  return true;
}

/* As in evt.c. *wanted is set when the filter does not drop it by id or source. */
static const char *take_record(km_event_log *log, libevtx_record_t *record, km_event *out,
                               bool *wanted) {
  size_t data = 0, *at = log->offsets;
  if (!take_numbers(record, out))
    return "head";
  if (!km_event_numbers_fit(log->filter, out->id, out->generated))
    return NULL;
  if (!take(log, record, libevtx_record_get_utf8_source_name_size,
            libevtx_record_get_utf8_source_name, at++))
    return "source";
  if (!km_event_source_fits(log->filter, log->texts + log->offsets[0]))
    return NULL;
  if (!take(log, record, libevtx_record_get_utf8_computer_name_size,
            libevtx_record_get_utf8_computer_name, at++))
    return "computer's name";
  if (!take_strings(log, record, at, &out->string_count))
    return "strings";
  take_data(log, record, at, out, &data);
  out->data = (const uint8_t *)log->texts + data;
  *wanted = true;
  return NULL;
}

/* Whether libevtx may read the record: its chunk is read again and looked through first. */
static bool may_read(km_event_log *log, const km_log_row *row) {
  work done = {0, 0};
  head record;
  bool good;
  uint64_t offset = row->place - row->at;
  if (log->chunk_at != offset) {
    log->chunk_at = KM_LOG_NO_CHUNK;
    if (km_disk_read_at(log->fd, log->chunk, CHUNK, offset, NULL) != KM_OK)
      return false;
    (void)walk(log, log->chunk, NULL, &good, NULL);
    log->chunk_at = offset;
  }
  return take_head(log->chunk, row->at, &record) &&
         is_bounded(log->chunk, row->at + RECORD_HEAD, row->at + record.size - 4, 0, &done);
}

static libevtx_record_t *record_of(km_event_log *log, const km_log_row *row) {
  libevtx_record_t *record = NULL;
  if (!may_read(log, row))
    return NULL;
  int found = row->recovered
                  ? libevtx_file_get_recovered_record_by_index(log->file, row->index, &record, NULL)
                  : libevtx_file_get_record_by_index(log->file, row->index, &record, NULL);
  return found == 1 ? record : NULL;
}

static km_status read_evtx(km_event_log *log, const km_log_row *row, km_event *out,
                           km_error *error) {
  bool wanted = false;
  *out = (km_event){.log = log->name, .recovered = row->recovered};
  libevtx_record_t *record = record_of(log, row);
  if (record == NULL)
    return km_log_damaged(log, row, "bytes", error);
  const char *problem = take_record(log, record, out, &wanted);
  (void)libevtx_record_free(&record, NULL);
  if (problem == NULL && wanted && out->generated != row->time)
    problem = "place";
  if (problem != NULL)
    return km_log_damaged(log, row, problem, error);
  if (!wanted)
    return KM_NOT_FOUND;
  out->source = log->texts + log->offsets[0];
  out->computer = log->texts + log->offsets[1];
  for (size_t i = 0; i < out->string_count; i++)
    log->strings[i] = log->texts + log->offsets[i + 2];
  out->strings = log->strings;
  return KM_OK;
}

const km_log_format km_log_evtx = {open_evtx, index_evtx, read_evtx, close_evtx};
