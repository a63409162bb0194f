/* hivelog.h: the transaction logs of a registry hive, replayed on a copy of it; internal to core/offline.
 *
 * Before Windows writes changed pages to a hive it writes them to a log beside it: NAME.LOG, since Vista NAME.LOG1
 * and NAME.LOG2 in turn. A log begins with a copy of the hive's base block, cut to 512 bytes, that tells its kind at 28:
 *   1, 2 (up to Windows 8): at 512 "DIRT" and a bitmap, one bit for 512 bytes of the bins; from the next multiple of 512 the
 *     pages whose bits are set. It belongs to the hive whose base block has the same last-written time.
 *   6 (Windows 8.1 and later): at 512 entries "HvLE" with a length, sequence number, size of the bins, number of
 *     pages and two Marvin32 hashes, then references (offset, length), then the pages. The base block's sequence
 *     number is the first entry's; each next entry counts one more. What follows is left from earlier rounds.
 * Source: M. Suhanov, "Windows registry file format specification", and real dirty hives.
 */
#ifndef KM_HIVELOG_H
#define KM_HIVELOG_H

#include "backend.h"

#define KM_HIVE_LOGS 3                      /* NAME.LOG, NAME.LOG1, NAME.LOG2, in this order */
#define KM_MAX_HIVE_LOG ((size_t)256 << 20) /* bytes of one; Windows' own stay far below */
#define KM_MAX_REPLAY_TEXT 256
#define KM_LOG_BASE_BLOCK 512

typedef struct km_hive_log {
  char name[32];       /* "SOFTWARE.LOG1" */
  const uint8_t *data; /* NULL: there is no such file */
  size_t size;
} km_hive_log;

/* What the logs of a hive can do for it. */
typedef struct km_replay {
  bool complete; /* they lead to the state that Windows itself would restore */
  char text
      [KM_MAX_REPLAY_TEXT]; /* complete: from what ("2 entries (115 to 116) of SYSTEM.LOG1"), else why not */
  size_t pages;             /* written by km_replay_apply */
  uint32_t bins;            /* bytes of the bins when they are largest */
  const km_hive_log *logs[2]; /* in the order they are applied */
  size_t log_count;
  uint32_t first, last; /* sequence numbers of the entries; of the old kind's base block */
} km_replay;

/* Judges the logs of a dirty hive with this base block (its first 512 bytes). Nothing newer than the hive, an entry that
 * is damaged or missing, one log of a pair that is absent: not complete. `logs` must live as long as *out. Does not
 * fail and does not allocate. The entries may begin later than the hive's sequence number tells, since Windows 10 writes
 * pages to the hive without telling it there: so the caller checks what comes out. */
void km_replay_plan(const uint8_t base[KM_LOG_BASE_BLOCK], const km_hive_log logs[KM_HIVE_LOGS],
                    km_replay *out);

/* Writes the pages of a complete replay to a copy of the hive, `size` bytes: 4096 and at least out->bins, and makes its base
 * block that of a clean hive. */
void km_replay_apply(const km_replay *replay, uint8_t *hive, size_t size);

/* The checksum of a base block, to be stored at 508: XOR of the words before it; 0 and ffffffff are stored as 1 and
 * fffffffe. */
uint32_t km_base_block_checksum(const uint8_t base[KM_LOG_BASE_BLOCK]);

/* The hash of log entries. */
uint64_t km_marvin32(const uint8_t *data, size_t size);

#endif
