/* eventlog.h: an event log's file while it is read; internal to core/offline.
 *
 * eventlog.c finds and opens the file and tells its records in order; evt.c (libevt) and evtx.c (libevtx) know the two
 * formats. The libraries read through a libbfio handle on the descriptor that km_offline_resolve gave, so that nothing
 * is opened a second time, by another path or with an access time.
 */
#ifndef KM_OFFLINE_EVENTLOG_H
#define KM_OFFLINE_EVENTLOG_H

#include "event.h"
#include "offline.h"

#include <libbfio.h>

#define KM_MAX_LOG_FILE 0x100000000u /* bytes; an .evtx file counts 65,536 chunks of 64 KiB */
#define KM_LOG_NO_CHUNK UINT64_MAX
#define KM_MAX_LOG_ROWS 16000000 /* records told of one log */
#define KM_MAX_LOG_TEXT                                                                            \
  0x40000 /* bytes of one text of an event as UTF-8; records of .evtx are smaller */

/* A record that may be wanted: what its head tells. */
typedef struct km_log_row {
  uint64_t number;
  km_time time;
  uint64_t place; /* evtx.c: of the record in the file */
  uint32_t at;    /* evtx.c: in its chunk */
  uint32_t order; /* within the file */
  int index;      /* libevt's or libevtx's, among the ordinary or among the recovered ones */
  bool recovered;
} km_log_row;

/* One of the two formats. index adds a row for each record that the filter does not drop by its numbers; read makes the
 * event of one (texts in the log's room) and gives KM_DAMAGED when it cannot. */
typedef struct km_log_format {
  km_status (*open)(km_event_log *log, km_error *error);
  km_status (*index)(km_event_log *log, km_error *error);
  km_status (*read)(km_event_log *log, const km_log_row *row, km_event *out, km_error *error);
  void (*close)(km_event_log *log);
} km_log_format;

struct km_event_log {
  const km_log_format *format;
  const km_event_filter *filter; /* or NULL */
  bool oldest_first, indexed;
  char *name, *path; /* as asked for; of the file */
  int fd;
  uint64_t size, at; /* of the file; where libbfio reads next */
  /* Called with what was read from a place of the file, before the library sees it; may change it. NULL: nothing to do. */
  void (*looked_at)(km_event_log *log, uint64_t offset, uint8_t *bytes, size_t size);
  libbfio_handle_t *handle;
  void *file;     /* libevt_file_t or libevtx_file_t */
  uint8_t *chunk; /* evtx.c's own, with the chunk that begins at chunk_at */
  uint64_t chunk_at;
  km_log_row *rows;
  size_t row_count, row_room, next;
  char *texts; /* of the event at work: texts with their NUL, then its data */
  size_t used, room;
  size_t offsets[KM_MAX_EVENT_STRINGS + 2];
  const char *strings[KM_MAX_EVENT_STRINGS];
  uint64_t recovered, damaged_parts; /* recovered records told so far; chunks that are damaged */
  bool dirty;                        /* the file was not closed, or the library calls it damaged */
  char problem[300];
};

extern const km_log_format km_log_evt, km_log_evtx;

/* Operations: contracts in backend.h. */
km_status km_offline_event_open(km_target *target, const char *log, bool oldest_first,
                                km_event_log **out, km_error *error);
km_status km_offline_event_next(km_event_log *log, km_event *out, km_error *error);
void km_offline_event_filter(km_event_log *log, const km_event_filter *filter);
const char *km_offline_event_problem(km_event_log *log);
void km_offline_event_close(km_event_log *log);

/* Opens the file of a log by descriptor (owned by the log from then on, on failure closed); for the operation and tests. */
km_status km_log_open(int fd, const char *name, const char *path, bool oldest_first,
                      km_event_log **out, km_error *error);

/* ---- For evt.c and evtx.c ---- */

/* KM_LIMIT, KM_MEMORY. */
km_status km_log_add(km_event_log *log, km_log_row row, km_error *error);

/* What is damaged in an event, with the log's name. */
km_status km_log_damaged(const km_event_log *log, const km_log_row *row, const char *what,
                         km_error *error);

/* `size` bytes more of the room, NULL when there is no memory or they are too many. It moves: remember log->used. */
char *km_log_room(km_event_log *log, size_t size);

#endif
