/* memory.h: a hive's bytes in memory, on which both libhivex and hive.c work; internal to core/offline and core/windows.
 *
 * memory.c here is the POSIX one, core/windows/memory.c that of Windows.
 */
#ifndef KM_MEMORY_H
#define KM_MEMORY_H

#include "disk.h"

#include <hivex.h>

/* Readable zeros behind the bytes: libhivex may read so far beyond a damaged hive's end (65535 * 8 bytes of list, and
 * HIVEX_MAX_VALUE_LEN). */
#define KM_MEMORY_HOLE ((size_t)16 << 20)

typedef struct km_memory {
  uint8_t *data; /* NULL: nothing is there */
  size_t size;   /* without the hole */
  int fd;        /* the system's own; -1: none */
  bool secret;   /* locked as far as the system lets, no part of core dumps, wiped when freed */
} km_memory;

/* `size` zero bytes that may be written until they are sealed. On failure nothing is to free, and the message is the
 * system's words: KM_MEMORY, KM_IO. */
km_status km_memory_new(size_t size, bool secret, km_memory *out, km_error *error);
/* From now on it can only be read. */
km_status km_memory_seal(km_memory *memory, km_error *error);
void km_memory_free(km_memory *memory);

/* Opens the copy through libhivex, which reads these very bytes; NULL with errno. The copy must outlive the handle. */
hive_h *km_memory_open(const km_memory *memory);

/* What to do when it fails with ENOENT or EACCES: "; ..." or "". */
extern const char km_memory_advice[];

#endif
