/* times.h: creation times told by --times FILE: a bodyfile or CSV.
 *
 * Bodyfile (The Sleuth Kit, "fls -m", format 3), one row a line:
 *   MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime
 * Times are Unix seconds, fractions allowed, 0 for unknown; only crtime counts here. The name may
 * begin with "C:/" or "/"; rows of deleted files (" (deleted)", "(deleted-realloc)") and of the
 * second time set (" ($FILE_NAME)") are ignored.
 * CSV: a header names the columns "path", "created" and perhaps "written" (others are ignored);
 * fields may be quoted; times are RFC 3339 with a zone or Unix seconds; an empty one is unknown.
 * Only rows under ...\Microsoft\Crypto\ and ...\Microsoft\Protect\ are kept, so the file may describe a
 * whole volume.
 */
#ifndef KM_TIMES_H
#define KM_TIMES_H

#include "backend.h"

#include <stdio.h>

#define KM_MAX_TIMES_LINE 16384   /* bytes of a line */
#define KM_MAX_TIMES_ROWS 4000000 /* rows kept: 24 bytes each */
#define KM_MAX_TIMES_COLUMNS 64

typedef struct km_times km_times;

/* Reads a times file in one pass. Errors: KM_NOT_FOUND and kin (cannot be opened), KM_DAMAGED (a
 * row that is not of the format; the message names file and line), KM_LIMIT, KM_MEMORY. Release:
 * km_times_free. */
km_status km_times_load(const char *path, km_times **out, km_error *error);

/* The same from an open stream; `name` is for messages. */
km_status km_times_read(FILE *stream, const char *name, km_times **out, km_error *error);
void km_times_free(km_times *times);

/* The creation time of folder\name (a Windows path with drive letter; case is ignored), 0 when the
 * file does not tell it, or tells two different ones. A row without a drive letter fits every
 * volume. */
km_time km_times_created(const km_times *times, const char *folder, const char *name);

/* Rows kept of files under Microsoft\Crypto. */
size_t km_times_count(const km_times *times);

#endif
