/* log.h: an event log that a test program plays instead of Windows: the records of an .evt file
 *
 * log.c takes the place of advapi32's event-log functions in the program that it is linked to, since Wine's log is always
 * empty. Records are given out as ReadEventLogW is documented to: as many whole ones as fit into the buffer, in the order
 * asked for. Without log_load the file that KEYMEND_TEST_LOG names is played. What is reported goes to the file that
 * KEYMEND_TEST_REPORTS names.
 */
#ifndef KM_TEST_LOG_H
#define KM_TEST_LOG_H

#include "event.h"

#include <windows.h>

#define LOG_MAX_RECORDS 20000
#define LOG_MAX_REPORT 4096

typedef struct log_piece {
  const uint8_t *bytes;
  DWORD size;
} log_piece;

typedef struct log_state {
  log_piece records[LOG_MAX_RECORDS]; /* oldest first */
  size_t count;
  size_t told; /* by the handle that is open */
  unsigned calls, opened, closed;
  unsigned change_at; /* number of the call that says that the file has changed; 0: none */
  bool clear;         /* the log is then cleared of all but its newest `kept` records */
  size_t kept;
  DWORD failure; /* what every read says instead; 0: nothing */
} log_state;

extern log_state log_played;

/* The last event that was reported. */
extern DWORD log_reported_id;
extern WORD log_reported_type;
extern char log_reported[LOG_MAX_REPORT];

/* The records of the .evt file, whole and in order; damaged ones are left out. They live as long as the program. Ends the
 * program when that is no such file. Returns how many. */
size_t log_load(const char *path, log_piece records[LOG_MAX_RECORDS]);

#endif
