/* live.h: the running Windows as a target; internal to core/windows.
 *
 * Rooms: registry.c, service.c, privilege.c; eventlog.c, cryptoapi.c, version.c; live.c the table that joins
 * them with what handle.h and disk.h give.
 */
#ifndef KM_LIVE_H
#define KM_LIVE_H

#include "handle.h"

#define KM_MAX_LIVE_VOLUMES 26 /* one a drive letter */

/* target->state of a live target. */
typedef struct km_live {
  km_win_volume
      *volumes[KM_MAX_LIVE_VOLUMES]; /* by letter, each opened when it is first asked for */
  km_times *times;                   /* NULL without --times */
  void *lock;                        /* of km_win_lock, or NULL */
  char privileges[400];              /* behind the capability "privileges" */
} km_live;

/* The version of a file by its Windows path, as version.dll tells it. KM_DAMAGED: it is no program file, or it has no
 * version resource. */
km_status km_win_version(const char *path, uint16_t part[4], km_error *error);

#endif
