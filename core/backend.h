/* backend.h: the seam between the portable core and a platform; internal to core/.
 *
 * A backend is one constant table of operations. Nothing outside core/offline and core/windows calls the
 * system for files, registry or services. Errors: the operation fills `error` with object, operation, native
 * code in words and advice. Names inside a folder are single components as they stand on disk: a backend
 * refuses separators, "." and ".." with KM_MISUSE and never follows a link or reparse point.
 */
#ifndef KM_BACKEND_H
#define KM_BACKEND_H

#include "keymend.h"

#define KM_MAX_DESCRIPTOR 65536 /* bytes of a self-relative security descriptor */
#define KM_GUID_VALUE 128 /* bytes of a machine GUID as it is stored, or words for it, with NUL */

typedef struct km_folder km_folder;   /* an open folder beneath a volume's root */
typedef struct km_listing km_listing; /* a walk over a folder's names */
typedef struct km_file km_file;       /* an open file: the journal */

/* A key of the registry while its hive is open. 0 is "no key". */
typedef uint64_t km_key;

/* SECURITY holds secrets: offline alone, opened when it is first asked for, in memory that is locked and wiped. Where
 * it is absent or damaged, asking for its root says so and nothing else fails. Live: KM_UNSUPPORTED. */
typedef enum km_hive_id { KM_HIVE_SOFTWARE, KM_HIVE_SYSTEM, KM_HIVE_SECURITY } km_hive_id;

/* What of mode and attributes is kept: permissions, no set-id bits; read-only, hidden, system,
 * archive, temporary, offline, not content indexed. Other FILE_ATTRIBUTE_* (compressed, ...) tell
 * how the volume stores the file, or, as normal does, nothing. */
#define KM_MODE_KEPT 0777u
#define KM_ATTRIBUTES_KEPT 0x3127u

/* What a backend tells while it waits for a service, and asks. */
typedef struct km_wait {
  void (*tell)(void *user, const char *text); /* one line; never NULL */
  void *user;
  const volatile int *interrupted; /* non-zero: give up with KM_INTERRUPTED; may be NULL */
} km_wait;

typedef struct km_event_log km_event_log; /* an event log being read */

/* What keymend reports to the system's event log; values are the ids in core/windows/messages.mc. */
typedef enum km_act {
  KM_ACT_APPLIED = 1,
  KM_ACT_UNDONE = 2,
  KM_ACT_RECOVERED = 3,
  KM_ACT_ROLLED_BACK = 4,
  KM_ACT_ATTENTION = 5
} km_act;

/* All that a file must have again after vault, rename and undo, beside its bytes. */
typedef struct km_file_meta {
  km_time created,
      written; /* created 0: the file system does not store it or does not let it be set */
  uint32_t attributes;
  uint32_t mode, uid, gid; /* POSIX side, mode within KM_MODE_KEPT; 0 live */
  uint8_t *descriptor; /* self-relative security descriptor, NULL when the file system has none */
  size_t descriptor_size;
} km_file_meta;

typedef struct km_backend {
  const char *name; /* "offline", "live" */
  bool running;     /* this Windows runs: its registry has the key CurrentControlSet itself */

  /* Fills target->info and target->state; the registry operations work afterwards. */
  km_status (*open)(km_target *target, const km_target_options *options, km_error *error);
  void (*close)(km_target *target);

  /* Common AppData as the system itself tells it, the caller's; NULL: the registry tells it. The operation may be NULL. */
  char *(*app_data)(km_target *target);

  /* Registry, read only. Strings are UTF-8; `value` NULL or "" is the default value. A child is found
   * ignoring case. registry_close frees a key where the platform needs it; a child that registry_children
   * gives is closed by it when `each` returns. */
  km_status (*registry_root)(km_target *target, km_hive_id hive, km_key *out, km_error *error);
  km_status (*registry_child)(km_target *target, km_key key, const char *name, km_key *out,
                              km_error *error);
  km_status (*registry_children)(km_target *target, km_key key,
                                 bool (*each)(void *user, const char *name, km_key child),
                                 void *user, km_error *error);
  km_status (*registry_value)(km_target *target, km_key key, const char *value,
                              km_registry_value *out, km_error *error);
  km_time (*registry_time)(km_target *target, km_key key);
  /* The class name of a key, UTF-8; the caller's: km_secret_free(text, strlen(text) + 1), since those of the key Lsa are
   * parts of the boot key. KM_NOT_FOUND: it has none. NULL: not possible. */
  km_status (*registry_class)(km_target *target, km_key key, char **text, km_error *error);
  void (*registry_close)(km_target *target, km_key key);

  /* Folders. folder_open takes a Windows path. folder_list gives names in the file system's order, "." and ".."
   * left out; `maybe_folder` is set when the system says for nothing that it is a folder. `length` of the name. */
  km_status (*folder_open)(km_target *target, const char *path, km_folder **out, km_error *error);
  void (*folder_close)(km_folder *folder);
  km_status (*folder_list)(km_folder *folder, km_listing **out, km_error *error);
  km_status (*listing_next)(km_listing *listing, const char **name, size_t *length, bool *is_folder,
                            km_error *error); /* KM_END */
  void (*listing_close)(km_listing *listing);

  /* Files, reading. file_read reads at most `max` bytes whole (KM_LIMIT when larger), through one handle, and
   * fills `info` from the same handle; the caller frees *data with km_secret_free. */
  km_status (*file_info)(km_folder *folder, const char *name, km_file_info *out, km_error *error);
  km_status (*file_read)(km_folder *folder, const char *name, size_t max, uint8_t **data,
                         size_t *size, km_file_info *info, km_error *error);
  /* KM_IO when something of it cannot be read: what is not told is lost when the file is restored. */
  km_status (*meta_read)(km_folder *folder, const char *name, km_file_meta *out, km_error *error);
  /* Whether the caller may give a copy of that file this owner and group; KM_ACCESS with what to do. NULL: always. */
  km_status (*meta_settable)(km_folder *folder, const char *name, const km_file_meta *meta,
                             km_error *error);

  /* Writing. None of these is called by a read-only verb. */

  /* Why this volume must not be written: read-only, hibernated, unclean, unknown driver, less than `need` bytes
   * free; KM_OK when it may. Called before anything is touched. */
  km_status (*volume_check)(km_folder *folder, uint64_t need, km_error *error);
  /* Exclusive lock of the target's store; held until unlock or the end of the process. KM_BUSY. */
  km_status (*lock)(km_target *target, km_folder *store, km_error *error);
  void (*unlock)(km_target *target);
  /* Opens folder/name; makes it first, with its final private descriptor, when `create` is set and it is absent
   * (built under a temporary name and renamed, so no half-made one is ever seen); KM_FORGED unless it is a real
   * folder with exactly that descriptor (elsewhere than NTFS: mode 0700, owned by the caller). */
  km_status (*private_folder)(km_folder *parent, const char *name, bool create, km_folder **out,
                              km_error *error);
  /* Copies bytes and meta to a new file (KM_EXISTS when there is one), flushes it, and tells the hash of the
   * bytes that were written. */
  km_status (*file_copy)(km_folder *from, const char *name, km_folder *to, const char *new_name,
                         char sha256[KM_SHA256_TEXT], km_error *error);
  /* A second name for a file; KM_EXISTS, KM_UNSUPPORTED (no hard links here: the caller moves instead). */
  km_status (*file_link)(km_folder *from, const char *name, km_folder *to, const char *new_name,
                         km_error *error);
  /* Renames; with `replace` an existing new_name is replaced in one step, else KM_EXISTS. */
  km_status (*file_rename)(km_folder *from, const char *name, km_folder *to, const char *new_name,
                           bool replace, km_error *error);
  /* The same for a file of known bytes: KM_STALE when it has others. On Windows it is read and renamed through one
   * handle, which nobody can write to in between. NULL: file_rename serves. */
  km_status (*file_rename_known)(km_folder *from, const char *name, km_folder *to,
                                 const char *new_name, bool replace,
                                 const char sha256[KM_SHA256_TEXT], km_error *error);
  km_status (*file_remove)(km_folder *folder, const char *name, km_error *error);
  km_status (*folder_remove)(km_folder *parent, const char *name, km_error *error); /* empty ones */
  /* Sets what differs and flushes the file; nothing is written when all is equal. */
  km_status (*meta_write)(km_folder *folder, const char *name, const km_file_meta *meta,
                          km_error *error);
  km_status (*folder_flush)(km_folder *folder, km_error *error);

  /* The machine GUID: the text value MachineGuid of SOFTWARE\Microsoft\Cryptography and nothing else. NULL, all four:
   * it cannot be written here. What Wow6432Node\Microsoft\Cryptography may hold is left alone: the value is in the
   * 64-bit view only (FACTS), where CryptoAPI of either width looks.
   * machine_guid_read reads it anew, whatever the target saw when it was opened; a value that is no text, or too long to
   * be a GUID, becomes words that are none. KM_NOT_FOUND: there is none.
   * machine_guid_check tells before anything is touched why it could not be written: KM_REFUSED (a dirty hive, replayed or
   * not: its logs would bring the old value back), KM_UNSUPPORTED (no text of 36 characters in a place of its own),
   * KM_STALE (it is not `before`), what volume_check and meta_settable say of the hive's folder. Writes nothing.
   * machine_guid_write makes `before` `after`, both of 36 characters, after the same checks, durable and read back. It
   * touches no other byte of the hive, and its times stay. A running registry holds the old value or the new one at every
   * instant; of an offline one a power cut may leave characters of both.
   * machine_guid_settle makes durable what stands there, which is `now`. */
  km_status (*machine_guid_read)(km_target *target, char text[KM_GUID_VALUE], km_error *error);
  km_status (*machine_guid_check)(km_target *target, const char *before, km_error *error);
  km_status (*machine_guid_write)(km_target *target, const char *before, const char *after,
                                  km_error *error);
  km_status (*machine_guid_settle)(km_target *target, const char *now, km_error *error);

  /* The journal's file. journal_create makes a private file of exactly `size` zero bytes, all of them written and
   * flushed, and flushes the folder. journal_write writes at an offset inside it and flushes. */
  km_status (*journal_create)(km_folder *folder, const char *name, size_t size, km_file **out,
                              km_error *error);
  km_status (*journal_open)(km_folder *folder, const char *name, km_file **out, km_error *error);
  km_status (*journal_write)(km_file *file, uint64_t offset, const void *data, size_t size,
                             km_error *error);
  void (*journal_close)(km_file *file);

  /* Whether this process may change the target at all (elevated, backup and restore privileges to be had);
   * KM_ACCESS with the reason. Called before anything is touched. NULL: the volume alone decides. */
  km_status (*may_write)(km_target *target, km_error *error);

  /* Services; NULL where services cannot be reached (offline): steps are then recorded as deferred. Stop and
   * start wait as long as the service's own wait hint says, and tell `wait` what they wait for.
   * service_stop: KM_OK also for one that does not run; KM_UNSUPPORTED: it takes no stop (a restart of Windows is
   * due); KM_BUSY: it did not stop in time. service_start: KM_OK when it runs, or ran already; it does not start
   * others; a failure has its exit codes in *out. KM_NOT_FOUND: no such service. *out is filled as far as it is
   * known; NULL is allowed. */
  km_status (*service_query)(km_target *target, const char *name, km_service_status *out,
                             km_error *error);
  km_status (*service_stop)(km_target *target, const char *name, const km_wait *wait,
                            km_service_status *out, km_error *error);
  km_status (*service_start)(km_target *target, const char *name, const km_wait *wait,
                             km_service_status *out, km_error *error);

  /* Writes one event of keymend itself to the system's log; failing is no error. NULL: there is no log to write to. */
  void (*report)(km_target *target, km_act act, const char *text);

  /* Event logs; NULL: they cannot be read (capability "events"). Contracts: km_events_open and kin. event_next gives
   * the next record of `log` in the order asked for, unfiltered; its texts live until the next call. */
  km_status (*event_open)(km_target *target, const char *log, bool oldest_first, km_event_log **out,
                          km_error *error);
  km_status (*event_next)(km_event_log *log, km_event *out, km_error *error); /* KM_END */
  void (*event_close)(km_event_log *log);
  /* Tells a log what is wanted of it, so that event_next may leave out the rest before it converts anything; the filter
   * lives as long as the log is open. event_next gives KM_DAMAGED for a record that it skipped; the next call goes on. NULL:
   * event_next gives everything. */
  void (*event_filter)(km_event_log *log, const km_event_filter *filter);
  /* What of the log's file as a whole is damaged or was recovered, in words, or NULL. The operation may be NULL. */
  const char *(*event_problem)(km_event_log *log);

  /* The version of a file by its Windows path; contract: km_file_version, `out` is zeroed. NULL: not possible. */
  km_status (*file_version)(km_target *target, const char *path, km_version_info *out,
                            km_error *error);

  /* Opens a container through the system's own CryptoAPI; contract: km_container_test. NULL: not possible. */
  km_status (*container_test)(km_target *target, const char *container, km_container_trial *out,
                              km_error *error);

  /* Opens a DPAPI blob through the system itself; `out` has room for `size` bytes. KM_OK, or *verdict tells what it means
   * for the key. NULL: keymend opens it itself, by the hives and master keys of the target. */
  km_status (*unprotect)(km_target *target, const uint8_t *blob, size_t size,
                         const uint8_t *entropy, size_t entropy_size, uint8_t *out,
                         size_t *out_size, km_decryptable *verdict, km_error *error);

  /* What can be done on the volume of `store` (NULL: the one with the Windows folder), and its driver's name.
   * Fills at most KM_MAX_CAPABILITIES rows, returns how many; texts live as long as the target. */
  size_t (*capabilities)(km_target *target, km_folder *store, km_capability *out, size_t max);
  const char *(*driver)(km_target *target, km_folder *store);
} km_backend;

#define KM_MAX_CAPABILITIES 32

/* A target: the backend, what it found, and the backend's own state. */
struct km_target {
  const km_backend *backend;
  km_target_info info;
  void *state;
  const char
      *opened_guid; /* info.machine_guid as it was opened, when it stands in guid_text since */
  char guid_text[KM_GUID_TEXT];
};

/* target.c: has info tell the machine GUID that was just written; `text` is of 36 characters. */
void km_target_guid_changed(km_target *target, const char *text);

extern const km_backend km_offline_backend;

/* The live backend, or NULL on a system that is not Windows. Defined once a platform. */
const km_backend *km_live_backend(void);

/* ---- error.c ---- */

/* Has the compiler check a printf-like function: which parameter is the format, which the first argument. Formats are
 * C11's on every system; gcc for Windows would else expect those of the C run-time there. */
#if defined(__clang__)
#define KM_FORMAT(format_at, first) __attribute__((format(printf, format_at, first)))
#elif defined(__GNUC__)
#define KM_FORMAT(format_at, first) __attribute__((format(gnu_printf, format_at, first)))
#else
#define KM_FORMAT(format_at, first)
#endif

/* Fills *error (may be NULL) and returns status. Format is printf's. `native` as in km_error. */
KM_FORMAT(4, 5)
km_status km_fail(km_error *error, km_status status, int32_t native, const char *format, ...);

/* Puts words before an error's message: "check the plan: <message>". */
KM_FORMAT(2, 3)
void km_error_prefix(km_error *error, const char *format, ...);

/* ---- secret.c: memory that held key-file content is wiped before it is freed ---- */
void km_wipe(void *data, size_t size);
void km_secret_free(void *data, size_t size);

/* ---- hash.c ---- */
typedef struct km_sha256_state
    km_sha256_state;                    /* for hashing in pieces; km_sha256_finish frees it */
km_sha256_state *km_sha256_begin(void); /* NULL: out of memory */
void km_sha256_add(km_sha256_state *state, const void *data, size_t size);
void km_sha256_finish(km_sha256_state *state, char text[KM_SHA256_TEXT]);
uint32_t km_crc32c(uint32_t crc, const void *data, size_t size); /* Castagnoli; start with 0 */

/* ---- registry.c: convenience over the backend's operations ---- */
km_status km_registry_open_path(km_target *target, const char *path, km_key *out, km_error *error);
/* The class name of a key by its path; contract: registry_class above. KM_UNSUPPORTED where the backend cannot. */
km_status km_registry_class(km_target *target, const char *key, char **text, km_error *error);
char *km_registry_text(km_target *target, km_key key,
                       const char *value); /* NULL when absent; free() */
bool km_registry_number(km_target *target, km_key key, const char *value, uint32_t *out);
/* Fills value->text from type, data and size; for backends. Strings end at their first NUL; a missing NUL and
 * an odd last byte are borne; what is no valid UTF-16 becomes U+FFFD. KM_MEMORY. */
km_status km_registry_decode(km_registry_value *value, km_error *error);

/* ---- inspect.c ---- */

/* Calls `each` for every file of the master key `guid` (36 characters, lower case), of which there may be one in S-1-5-18 and one
 * in its folder User (`user_folder`); `name` is as it stands in `folder`. A false from it ends the search. KM_NOT_FOUND:
 * there is no folder S-1-5-18, so that nothing can be said. */
typedef struct km_master_key_file {
  km_folder *folder;
  const char *name;
  bool user_folder;
  km_file_info info;
} km_master_key_file;
km_status km_master_key_each(km_target *target, const char *guid,
                             bool (*each)(void *user, const km_master_key_file *file), void *user,
                             km_error *error);

/* ---- scan.c ---- */

/* Opens the folder of a store. KM_NOT_FOUND with the target's own reason when it is not there. */
km_status km_store_folder(km_target *target, km_store_kind kind, km_folder **out, km_error *error);

#endif
