/* memory.h: hands a hive that stands in memory to hivex; for core/windows */
#ifndef KM_HIVEX_MEMORY_H
#define KM_HIVEX_MEMORY_H

#include <stddef.h>

/* hivex reads beyond the end of a damaged hive (core/offline/hive.c): so many readable zeros must stand behind it. */
#define KM_HIVEX_HOLE ((size_t)16 << 20)

#define KM_HIVEX_NAME 64      /* bytes of such a name with its NUL */
#define KM_HIVEX_MAX_OPEN 256 /* hives open at the same time, of all threads */

/* Writes the name under which hivex_open finds the `size` bytes at `data`, and returns it. hivex copies nothing: the
 * memory, with the hole behind it, must stay as it is until hivex_close, and is the caller's to release. hivex_open
 * opens no other name and only for reading: else it fails with EACCES; with EMFILE when too many are open. */
const char *km_hivex_name(const void *data, size_t size, char name[KM_HIVEX_NAME]);

#endif
