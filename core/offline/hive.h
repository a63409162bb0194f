/* hive.h: one registry hive, read from a file of an offline volume; internal to core/offline.
 *
 * Keys are libhivex's node offsets. Names and texts are UTF-8: what is no valid UTF-16 becomes U+FFFD, and so
 * does a NUL inside a name (the kernel allows it), so that no name can pass for another one.
 */
#ifndef KM_HIVE_H
#define KM_HIVE_H

#include "hivelog.h"

#define KM_MAX_HIVE ((size_t)512 << 20) /* bytes of a hive; Windows' own are below 200 MiB */
#define KM_MAX_VALUE ((size_t)1 << 20)  /* bytes of one value that is read */
#define KM_MAX_REGISTRY_NAME 255        /* UTF-16 units of a key's or a looked-up value's name */
#define KM_MAX_HIVE_WORK                                                                           \
  ((uint64_t)1 << 26) /* names compared, and 64-byte pieces copied, an operation */

/* The base block's fields that are evidence. Its format: "regf", sequence numbers at 4 and 8, last-written
 * FILETIME at 12, length of the bins at 40, checksum (XOR of the words before it) at 508. */
typedef struct km_hive_header {
  uint32_t sequence1, sequence2; /* they differ: the hive is dirty, its log holds newer data */
  km_time written;
} km_hive_header;

typedef struct km_hive km_hive;

/* Reads and checks the base block of the open file `fd` alone. `path` is for messages. KM_DAMAGED when it is
 * not a hive's (too short, magic, checksum, length beyond the file). */
km_status km_hive_header_read(int fd, const char *path, km_hive_header *out, km_error *error);

/* What a hive is read from. */
typedef struct km_hive_source {
  const char *path; /* for messages */
  int fd;           /* the hive's open file */
  bool secret;      /* it holds secrets: its copy is km_memory's secret kind */
  const km_hive_log *
      logs; /* KM_HIVE_LOGS of them, replayed when the hive is dirty; NULL: they are not asked for */
} km_hive_source;

/* Opens a hive by copying its open file (left to the caller) into memory, so that the volume is read
 * once, without access times, and cannot change meanwhile. KM_DAMAGED: not a hive, or libhivex finds its bins
 * damaged; KM_LIMIT: larger than KM_MAX_HIVE; KM_MEMORY; KM_IO. Release: km_hive_close. */
km_status km_hive_open_source(const km_hive_source *source, km_hive **out, km_error *error);
/* The same for an open file alone that holds no secrets. */
km_status km_hive_open(int fd, const char *path, km_hive **out, km_error *error);
void km_hive_close(km_hive *hive);

/* Names the hive anew for messages, when its drive's letter has become known. KM_MEMORY. */
km_status km_hive_rename(km_hive *hive, const char *path, km_error *error);

/* As the file tells it; `written` by the logs where they were replayed. */
const km_hive_header *km_hive_header_of(const km_hive *hive);

/* Whether the hive is dirty and its logs were replayed, so that it reads as Windows itself would restore it; *text (may
 * be NULL) tells from what, or why not, "" when they were not asked for. It lives as long as the hive. */
bool km_hive_replayed(const km_hive *hive, const char **text);

/* The root key; starts a new operation, for which KM_MAX_HIVE_WORK counts anew. */
uint64_t km_hive_root(km_hive *hive);

/* As backend.h's registry operations. Beside their errors: KM_DAMAGED where a list, name or value does not
 * fit its cell, KM_LIMIT where the operation becomes too large. */
km_status km_hive_child(km_hive *hive, uint64_t key, const char *name, uint64_t *out,
                        km_error *error);
km_status km_hive_children(km_hive *hive, uint64_t key,
                           bool (*each)(void *user, const char *name, uint64_t child), void *user,
                           km_error *error);
km_status km_hive_value(km_hive *hive, uint64_t key, const char *name, km_registry_value *out,
                        km_error *error);
km_time km_hive_time(km_hive *hive, uint64_t key);
/* Where in the file the data of a value stand, and its type. KM_UNSUPPORTED: not as one piece in a cell of their own. Not
 * for a hive whose logs were replayed. */
typedef struct km_hive_place {
  uint64_t offset;
  size_t size;
  uint32_t type;
} km_hive_place;
km_status km_hive_value_place(km_hive *hive, uint64_t key, const char *name, km_hive_place *out,
                              km_error *error);
km_status km_hive_class(km_hive *hive, uint64_t key, char **text, km_error *error);

#endif
