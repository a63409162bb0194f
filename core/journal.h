/* journal.h: the durable record of a transaction; internal to core/.
 *
 * Format, version 1. The file is preallocated; what was never written is zero.
 *   header   32 bytes: "keymend journal 1\n", then zeros
 *   records  u32 length, u32 CRC-32C, payload of `length` bytes; little endian
 * The CRC covers the length, the payload and the record's number (u32, the first is 0), so that a
 * record cannot be taken for another one. A payload is a row of pairs: key NUL value NUL, in UTF-8;
 * the first key is "kind". Length 0 ends the journal, and so does a record that is torn, since each
 * record is flushed before the next is written; a torn record with a sound one behind it is damage
 * and makes the journal unreadable. Every write ends with a zero length, so that nothing of an
 * older, torn record can be read behind it.
 *
 * The state is the fold over the records:
 *   begin                         what the transaction is, and which services ran; open: recover goes back. It names
 *                                 files, or guid-before and guid-after, the machine GUID as it is stored
 *   commit                        open: recover goes forward
 *   end (result, problem)         closed: committed, rolled-back or undone
 *   undo-begin, undo-commit       open again: recover goes to "after", with undo-commit to "before"
 *   purged                        the vault was emptied; no undo any more
 *
 * A journal is hostile input although it stands in a protected folder: names in it are single
 * components, its store is compared with the target's, names in the vault are made from
 * indices, never read from it, and a machine GUID in it is one in the form that file names have.
 */
#ifndef KM_JOURNAL_H
#define KM_JOURNAL_H

#include "backend.h"

#define KM_JOURNAL_HEADER 32       /* bytes */
#define KM_JOURNAL_RESERVE 65536   /* bytes kept free behind the begin record */
#define KM_MAX_JOURNAL (16u << 20) /* bytes; 64 files with the largest descriptors fit */
#define KM_MAX_SHORT_RECORD 2048   /* bytes of any record but begin, with its head */
#define KM_MAX_JOURNAL_RECORDS 4096
#define KM_MAX_JOURNAL_SERVICES 1024 /* names in the stop or the start list */
#define KM_MAX_TEXT 4096             /* bytes of policies, overrides, store, reason, ... with NUL */

typedef enum km_phase {
  KM_PHASE_NONE,         /* no begin record */
  KM_PHASE_APPLYING,     /* begun */
  KM_PHASE_APPLIED,      /* committed, not ended */
  KM_PHASE_UNDOING,      /* undo begun */
  KM_PHASE_UNDO_APPLIED, /* undo committed, not ended */
  KM_PHASE_ENDED
} km_phase;

/* One file of a transaction: what it is called before and after, and all it must be again. */
typedef struct km_entry {
  char *container, *reason;
  char *before; /* name in the store before; never NULL */
  char *after;  /* name after; NULL: in the vault */
  uint64_t size;
  uint64_t identity; /* inode when the transaction began; only decides between equal contents */
  char sha256[KM_SHA256_TEXT];
  km_time seen_created; /* as the plan saw it (perhaps from a times file); for people */
  km_file_meta meta;    /* as it was before */
  uint8_t
      *granted; /* a file that gets entries, and keeps its name: its descriptor after; else NULL */
  size_t granted_size;
} km_entry;

typedef struct km_journal {
  /* from the begin record */
  km_time begun;
  char *made_by, *store, *machine_guid, *policies, *overrides;
  char *guid_before,
      *guid_after; /* the machine GUID, where it is what is changed: then there are no
                                   * entries; else NULL */
  km_entry *entries;
  size_t entry_count;
  char **stop, **start; /* NULL-terminated, never NULL after begin */
  char **ran;           /* what of `stop` ran, in the order to start it; NULL: none, or offline */
  /* the fold */
  km_phase phase;
  km_txn_state result; /* of the last end record: COMMITTED, ROLLED_BACK or UNDONE */
  bool purged;
  km_time ended;
  char *problem; /* of the last end record, or NULL */
  /* where the next record goes */
  size_t tail, capacity;
  uint32_t records;
} km_journal;

void km_journal_clear(km_journal *journal);

/* Whether `name` may stand in a journal or plan as a file of the store: one component, no control
 * characters, no separator, no colon, not "." or "..", shorter than KM_MAX_NAME. */
bool km_store_name_valid(const char *name);

/* The bytes of memory that a journal holds, about. */
size_t km_journal_memory(const km_journal *journal);

/* Equal, ASCII letters' case ignored: as Windows compares unique names. */
bool km_same_name(const char *a, const char *b);

/* A copy that free() releases; NULL for NULL or when out of memory. */
char *km_copy_text(const char *text);

/* The same, "" for NULL, cut between characters so that it has less than `max` bytes. */
char *km_copy_text_within(const char *text, size_t max);

/* A copy of a NULL-terminated list (NULL: an empty one), NULL when memory is short; and its release. */
char **km_copy_texts(const char *const *list);
void km_free_texts(char **texts);

/* Reads a whole journal. KM_OK with phase NONE: sound, but no transaction began. KM_DAMAGED says
 * what is wrong and where. `out` is cleared first and must be released in every case. Pure. */
km_status km_journal_parse(const uint8_t *data, size_t size, km_journal *out, km_error *error);

/* The header and the begin record as bytes (free()), with the terminating zero length. `journal`
 * has its begin fields filled. KM_LIMIT when it would be too large. */
km_status km_journal_encode(const km_journal *journal, uint8_t **data, size_t *size,
                            km_error *error);

/* The file size that a journal whose header and begin record take `begin_size` bytes needs. */
size_t km_journal_capacity(size_t begin_size);

/* Whether `records` more short records fit. */
bool km_journal_has_room(const km_journal *journal, size_t records);

typedef enum km_record {
  KM_RECORD_COMMIT,
  KM_RECORD_END,
  KM_RECORD_UNDO_BEGIN,
  KM_RECORD_UNDO_COMMIT,
  KM_RECORD_PURGED
} km_record;

/* Appends a record and flushes it; folds it into `journal` when that succeeded. `result` and
 * `problem` (may be NULL) belong to KM_RECORD_END. A record whose flush failed is overwritten by
 * the next one. */
km_status km_journal_append(const km_backend *backend, km_file *file, km_journal *journal,
                            km_record record, km_txn_state result, const char *problem,
                            km_error *error);

#endif
