/* keymend.h: the public C interface of keymend, a library that repairs Windows machine-key stores.
 *
 * What it does. A target is one Windows installation. Its key store holds key files named
 * <container hash>_<GUID suffix>; Windows looks a key up by the hash of the container's name and the
 * machine GUID, so a changed machine GUID orphans every key file. This library reads a target, tells the
 * facts, and applies a plan as one transaction that can be undone. It judges nothing: that is done by the
 * policies (Lua).
 *
 * Conventions, for every function unless its comment says otherwise:
 * - Strings are UTF-8, NUL-terminated. Windows paths are absolute with a drive letter, "C:\\WINNT\\x",
 *   and are looked up ignoring case. A name inside a folder has no separator.
 * - Times are km_time: FILETIME ticks (100 ns since 1601-01-01 UTC), 0 for "not known".
 * - Result: KM_OK, or another km_status with `error` (may be NULL) filled: status, native code (errno on
 *   POSIX, Win32 code on Windows, 0 when there is none) and a message that names the object, the operation
 *   and what to do next.
 * - Ownership: what a function hands out through `T **out` is released with the function named in its
 *   comment; `const` pointers inside a struct belong to the object they came from and live as long as it.
 * - Threads: an object may be used by one thread at a time; different targets are independent. The pure
 *   functions (names, hashes, times, key files) may be called from any thread.
 * - Only km_apply, km_undo, km_recover and km_purge write to a target. Reading leaves no trace on it, access
 *   times included, where the system allows that (capability "silent-reading").
 * - A released pointer may be NULL.
 */
#ifndef KEYMEND_H
#define KEYMEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KM_VERSION "0.1.0"

#if defined(KM_API) /* the build says how functions are exported */
#elif defined(KM_STATIC)
#define KM_API
#elif defined(__GNUC__)
#define KM_API __attribute__((visibility("default")))
#else
#define KM_API __declspec(dllexport)
#endif

/* ---- Status and errors ------------------------------------------------------------------------- */

/* One row a status: symbol, stable id (what Lua gets as code), meaning. */
#define KM_STATUS_LIST(X)                                                                          \
  X(KM_OK, "ok", "success")                                                                        \
  X(KM_END, "end", "no more entries")                                                              \
  X(KM_NOT_FOUND, "not-found", "does not exist")                                                   \
  X(KM_EXISTS, "exists", "exists already")                                                         \
  X(KM_ACCESS, "access", "access denied")                                                          \
  X(KM_NO_SPACE, "no-space", "no space left")                                                      \
  X(KM_READ_ONLY, "read-only", "the volume cannot be written")                                     \
  X(KM_IO, "io", "input or output failed")                                                         \
  X(KM_DAMAGED, "damaged", "the data is damaged or not of this format")                            \
  X(KM_OUTSIDE, "outside", "the path leaves the volume or passes a reparse point")                 \
  X(KM_LIMIT, "limit", "a limit of keymend is exceeded")                                           \
  X(KM_STALE, "stale", "the store has changed since the plan was made")                            \
  X(KM_REFUSED, "refused", "refused")                                                              \
  X(KM_OPEN, "open", "an interrupted transaction has to be recovered first")                       \
  X(KM_FORGED, "forged", "the keymend folder is not one that keymend made")                        \
  X(KM_BUSY, "busy", "in use by another process")                                                  \
  X(KM_UNSUPPORTED, "unsupported", "not supported here")                                           \
  X(KM_INTERRUPTED, "interrupted", "interrupted by the user or the system")                        \
  X(KM_MISUSE, "misuse", "the function was called wrongly")                                        \
  X(KM_MEMORY, "memory", "out of memory")

typedef enum km_status {
#define KM_STATUS_SYMBOL(symbol, id, text) symbol,
  KM_STATUS_LIST(KM_STATUS_SYMBOL)
#undef KM_STATUS_SYMBOL
      KM_STATUS_COUNT
} km_status;

#define KM_MAX_MESSAGE 1024

typedef struct km_error {
  km_status status;
  int32_t native;               /* errno or Win32 code; 0 when the system said nothing */
  char message[KM_MAX_MESSAGE]; /* one sentence or two, no trailing newline */
} km_error;

/* The stable id ("not-found") and the meaning ("does not exist") of a status; never NULL, static. */
KM_API const char *km_status_id(km_status status);
KM_API const char *km_status_text(km_status status);

/* The library's version, "0.1.0"; static. */
KM_API const char *km_version(void);

/* ---- Time -------------------------------------------------------------------------------------- */

typedef int64_t km_time;

/* The longest text of km_time_text with its NUL. */
#define KM_TIME_TEXT 32

/* Writes `t` as RFC 3339 in UTC with seconds, "2004-09-14T07:08:00Z"; returns `text`. "" for 0 and for
 * what RFC 3339 cannot say (before 1601, after 9999). */
KM_API const char *km_time_text(km_time t, char text[KM_TIME_TEXT]);

/* Reads RFC 3339 with a zone ("2004-09-14T07:08:00Z", "...+02:00", fractions allowed). false: not such a
 * text; a time without a zone is refused, since nobody knows what it means on another machine. So are leap
 * seconds, 24:00, years outside 1601 to 9999 and the very first tick, which would mean "not known". */
KM_API bool km_time_parse(const char *text, km_time *out);

/* Seconds since 1970 (fractions kept) and back; 0 stays 0, and what a FILETIME cannot say becomes 0. */
KM_API double km_time_to_unix(km_time t);
KM_API km_time km_time_from_unix(int64_t seconds, uint32_t nanoseconds);

/* Now, UTC. */
KM_API km_time km_time_now(void);

/* ---- Names and hashes -------------------------------------------------------------------------- */

#define KM_HASH_TEXT 33       /* 32 hex digits and NUL */
#define KM_GUID_TEXT 37       /* 36 characters and NUL */
#define KM_SHA256_TEXT 65     /* 64 hex digits and NUL */
#define KM_MAX_NAME 1024      /* bytes of a file name in UTF-8 with its NUL */
#define KM_MAX_CONTAINER 1024 /* bytes of a container name in UTF-8 with its NUL */

/* The container hash of a CAPI container: MD5 of the lower-cased name with its NUL, printed as four
 * little-endian 32-bit words. The name is taken as UTF-8 and hashed in the ANSI form CryptoAPI uses: ASCII
 * letters are lowered, the other characters of Windows-1252 become its one byte. KM_MISUSE for a name that
 * has no such form or is too long. Source: vectors of real machines (event 5058) and published key files. */
KM_API km_status km_container_hash(const char *container, char hash[KM_HASH_TEXT], km_error *error);

/* The same for a CNG container: MD5 of the lower-cased UTF-16LE name with its NUL. Only ASCII letters are
 * lowered; no vector of a CNG name with other letters is known. */
KM_API km_status km_cng_container_hash(const char *container, char hash[KM_HASH_TEXT],
                                       km_error *error);

/* The best-known container of a hash ("Microsoft Internet Information Server"), or NULL; static. */
KM_API const char *km_known_container(const char *hash);

typedef enum km_guid_form {
  KM_GUID_ABSENT,   /* there is no value */
  KM_GUID_PLAIN,    /* 8-4-4-4-12 lower-case hex */
  KM_GUID_CASE,     /* the same with upper-case digits: Windows ignores case */
  KM_GUID_BRACES,   /* {...}: Windows would use the braces in file names */
  KM_GUID_MALFORMED /* anything else */
} km_guid_form;

/* Tells the form of a machine GUID as stored; for PLAIN, CASE and BRACES writes the lower-case 36
 * characters to `guid`, else "". `raw` may be NULL. */
KM_API km_guid_form km_guid_parse(const char *raw, char guid[KM_GUID_TEXT]);

typedef enum km_name_class {
  KM_NAME_CURRENT, /* the GUID suffix is the machine GUID */
  KM_NAME_FOREIGN, /* another GUID suffix */
  KM_NAME_STRAY    /* not a unique name: renamed by hand, temporary, anything */
} km_name_class;

typedef struct km_unique_name {
  char hash[KM_HASH_TEXT]; /* lower case */
  char guid[KM_GUID_TEXT]; /* lower case */
  bool upper;              /* the name as it stands has upper-case digits */
} km_unique_name;

/* Takes a unique name (container hash, '_', GUID suffix; any case) apart. false: not a unique name. */
KM_API bool km_unique_name_parse(const char *name, km_unique_name *out);

/* Classifies a name of `length` bytes against a machine GUID (lower case, 36 characters, or NULL or ""
 * when there is none: every unique name is then foreign). Comparison ignores case. Does not allocate. */
KM_API km_name_class km_name_classify(const char *name, size_t length, const char *guid);

/* SHA-256 of a buffer, in lower-case hex. */
KM_API void km_sha256(const void *data, size_t size, char text[KM_SHA256_TEXT]);

/* Escapes control, bidi and other invisible characters and broken UTF-8 as \u{XXXX} or \xXX, so that a
 * name from a volume cannot harm a terminal. Returns the length the whole result needs without NUL (like
 * snprintf); always ends `out` with NUL when size > 0. */
KM_API size_t km_escape(const char *text, size_t length, char *out, size_t size);

/* ---- Key files --------------------------------------------------------------------------------- */

#define KM_MAX_KEY_FILE 65536 /* bytes; the largest real ones (RSA-16384, both keys) stay below */
#define KM_MAX_MODULUS 2048   /* bytes: RSA-16384 */

typedef struct km_public_key {
  bool present;
  uint32_t bits;
  uint32_t exponent;
  uint8_t modulus[KM_MAX_MODULUS]; /* little endian, bits / 8 bytes */
  char master_key[KM_GUID_TEXT];   /* DPAPI master key of the private part, "" when there is none */
  char export_master_key[KM_GUID_TEXT]; /* the same of the export flag */
} km_public_key;

typedef struct km_key_file {
  uint32_t version;
  char container[KM_MAX_CONTAINER];  /* the name inside the file, as UTF-8 (Windows-1252 on disk) */
  char container_hash[KM_HASH_TEXT]; /* the hash that this name has; "" when it has none */
  bool keyless;                      /* a container without any key */
  km_public_key signature, exchange;
} km_key_file;

/* Reads the clear parts of a CAPI key file (FACTS: ten u32 and the parts they measure). KM_DAMAGED with the
 * field and offset in the message when the lengths do not add up to `size` or a part is not what it must be
 * (RSA1 header, an odd modulus with its top bit set, a DPAPI blob's header); KM_LIMIT above KM_MAX_KEY_FILE.
 * `out` then holds what was read before: the name mostly. Private parts are skipped, never copied. */
KM_API km_status km_key_file_parse(const void *data, size_t size, km_key_file *out,
                                   km_error *error);

/* Reads the name of a CNG key file (Crypto\Keys, SystemKeys; sources: DSInternals' and Nemesis' samples).
 * container is UTF-8. KM_DAMAGED when it is not such a file, KM_LIMIT above KM_MAX_KEY_FILE. */
KM_API km_status km_cng_file_parse(const void *data, size_t size, char container[KM_MAX_CONTAINER],
                                   km_error *error);

/* ---- Target ------------------------------------------------------------------------------------ */

typedef struct km_target km_target;

typedef struct km_volume_option {
  char letter;        /* 'D' */
  const char *folder; /* host path of its root */
} km_volume_option;

typedef struct km_target_options {
  const char *root; /* host path of the volume that holds the Windows folder; NULL: live */
  const km_volume_option *volumes; /* further volumes */
  size_t volume_count;
  const char *times_file; /* host path of a bodyfile or CSV with creation times, or NULL */
  const char *windows;    /* name of the Windows folder when the volume has several, or NULL */
} km_target_options;

/* Opens a target for reading. Errors: KM_NOT_FOUND (no Windows folder with hives; the message lists what was
 * tried), KM_REFUSED (several Windows folders: name one), KM_DAMAGED (a hive that cannot be read at all),
 * KM_UNSUPPORTED (live, on a system that is not Windows). Release: km_target_close. */
KM_API km_status km_target_open(const km_target_options *options, km_target **out, km_error *error);
KM_API void km_target_close(km_target *target);

typedef struct km_hive_info {
  const char *name; /* "SOFTWARE", "SYSTEM" */
  const char *path; /* Windows path */
  uint32_t sequence1, sequence2;
  bool dirty;         /* the two differ: the file is older than its logs */
  bool replayed;      /* a dirty one that is read as its logs, replayed in memory, restore it */
  const char *replay; /* from what ("1 entry (115) of SYSTEM.LOG1"), or why not; NULL: not dirty */
} km_hive_info;

typedef struct km_old_guid {
  char guid[KM_GUID_TEXT]; /* lower case */
  const char *path;        /* the backup hive it stands in, or SOFTWARE itself */
  km_time written;         /* last write of the Cryptography key in that hive */
  km_time saved;           /* the GUID held then: last-written time in that hive's header, or ... */
  bool before_logs;        /* ... `written`, when the hive held it before its logs were replayed */
} km_old_guid;

typedef struct km_capability {
  const char
      *id; /* "creation-times", "owners", "descriptors", "attributes", "hard-links", "writing",
                     "silent-reading", "unclean-check", "services", "events"; live "cryptoapi" and
                     "privileges" too */
  bool available;
  const char *text; /* one sentence why, or how */
} km_capability;

typedef struct km_target_info {
  const char *backend;      /* "offline" or "live" */
  const char *root;         /* host path as given; NULL when live */
  const char *driver;       /* of the volume with the key store: "ntfs-3g", "ntfs3", "ext4", ... */
  const char *windows;      /* "C:\\WINNT" */
  const char *product;      /* "Microsoft Windows 2000", or "" */
  const char *version;      /* "5.0" */
  const char *build;        /* "2195" */
  const char *service_pack; /* "Service Pack 4", or "" */
  const char *computer;     /* or "" */
  km_time installed;
  const char *
      machine_guid; /* exactly as stored; NULL when absent. What km_apply, km_undo or km_recover of this
                               target made of it is told by the next km_target_describe; take the text from there then */
  km_guid_form guid_form;
  char guid[KM_GUID_TEXT];       /* lower case, or "" */
  km_time guid_written;          /* last write of the Cryptography key: no later reset */
  const char *app_data;          /* Common AppData, "C:\\ProgramData" */
  const char *key_store;         /* Windows path of MachineKeys */
  bool key_store_found;          /* it is there, and a folder */
  const char *key_store_problem; /* why not found, else NULL */
  const km_hive_info *hives;
  size_t hive_count;
  const km_old_guid *old_guids; /* newest `saved` first; the present GUID is not among them */
  size_t old_guid_count;
  const km_capability *capabilities;
  size_t capability_count;
} km_target_info;

/* What is known of the target. Belongs to it; never NULL; does not fail. */
KM_API const km_target_info *km_target_describe(km_target *target);

/* Whether the system's DPAPI master key `guid` is there: System32\Microsoft\Protect\S-1-5-18 and its User
 * folder. KM_NOT_FOUND: there is no such folder, so nothing can be said. */
KM_API km_status km_master_key_present(km_target *target, const char *guid, bool *present,
                                       km_error *error);

/* ---- Registry (read only) ---------------------------------------------------------------------- */

typedef struct km_registry_value {
  uint32_t type; /* REG_SZ 1, REG_EXPAND_SZ 2, REG_BINARY 3, REG_DWORD 4, REG_MULTI_SZ 7, ... */
  uint8_t *data; /* as stored */
  size_t size;
  char *text; /* UTF-8 for the string types (REG_MULTI_SZ: lines), else NULL */
} km_registry_value;

/* Reads one value, e.g. ("SOFTWARE\\Microsoft\\Cryptography", "MachineGuid"); the first part names the hive
 * (SOFTWARE or SYSTEM; CurrentControlSet is resolved; offline SECURITY too, live that is KM_UNSUPPORTED). KM_NOT_FOUND:
 * no such key or value. Values of SECURITY are secrets: print and keep none. Release: km_registry_value_free, which
 * wipes. */
KM_API km_status km_registry_read(km_target *target, const char *key, const char *value,
                                  km_registry_value *out, km_error *error);
KM_API void km_registry_value_free(km_registry_value *value);

/* Calls `each` for every subkey's name and last write; a false from it ends the walk. */
KM_API km_status km_registry_keys(km_target *target, const char *key,
                                  bool (*each)(void *user, const char *name, km_time written),
                                  void *user, km_error *error);

/* ---- Versions of files ------------------------------------------------------------------------- */

typedef struct km_version_info {
  uint16_t part[4]; /* 5, 0, 2195, 6968: the file's version, not its product's */
  km_time written;
  uint64_t size;
} km_version_info;

/* Reads the version of a file of the target by its Windows path: from its version resource (offline), or as Windows
 * tells it (live). KM_NOT_FOUND: no such file; KM_DAMAGED: it is no program file, or it has no version resource; KM_LIMIT,
 * KM_ACCESS, KM_OUTSIDE. Time and size are filled in as soon as they are known. */
KM_API km_status km_file_version(km_target *target, const char *path, km_version_info *out,
                                 km_error *error);

/* ---- Key store --------------------------------------------------------------------------------- */

typedef enum km_store_kind {
  KM_STORE_RSA,       /* Crypto\RSA\MachineKeys */
  KM_STORE_CNG,       /* Crypto\Keys */
  KM_STORE_CNG_SYSTEM /* Crypto\SystemKeys */
} km_store_kind;

typedef struct km_scan km_scan;

typedef struct km_scan_entry {
  const char *name;   /* as on disk; lives until the next call */
  size_t length;      /* in bytes */
  km_name_class kind; /* a unique name's hash is its first 32 bytes, its suffix its last 36 */
} km_scan_entry;

/* Walks a store's names in one pass and constant memory, without stat and without order; folders are left
 * out where the file system tells the type for nothing. KM_NOT_FOUND: no such store. Release:
 * km_scan_close. */
KM_API km_status km_scan_open(km_target *target, km_store_kind kind, km_scan **out,
                              km_error *error);
KM_API km_status km_scan_next(km_scan *scan, km_scan_entry *entry, km_error *error); /* KM_END */
KM_API void km_scan_close(km_scan *scan);

#define KM_MAX_GUIDS 256    /* distinct foreign GUIDs counted apart; the rest is counted together */
#define KM_MAX_MATCHES 1000 /* names kept of one container and class */

typedef struct km_guid_count {
  char guid[KM_GUID_TEXT];
  uint64_t files;
} km_guid_count;

typedef struct km_match {
  char *name;
  km_name_class kind;
  size_t hash; /* index of the asked hash that the name begins with */
} km_match;

typedef struct km_survey {
  uint64_t files, current, foreign, stray;
  km_guid_count *guids; /* foreign suffixes, most files first */
  size_t guid_count;
  uint64_t other_guids; /* foreign files whose GUID did not fit into `guids` */
  km_match
      *matches; /* every name that begins with an asked hash, strays and folders with unique names
                   included; sorted by name */
  size_t match_count;
  bool truncated; /* a container had more than KM_MAX_MATCHES current or foreign names */
} km_survey;

/* One pass over the key store: counts, and the names of the containers asked for (32 hex digits each, any
 * case). Bounded memory. Release: km_survey_free. */
KM_API km_status km_survey_store(km_target *target, const char *const *hashes, size_t hash_count,
                                 km_survey **out, km_error *error);
KM_API void km_survey_free(km_survey *survey);

typedef enum km_time_source {
  KM_TIME_NONE, /* not known */
  KM_TIME_NTFS, /* stored by NTFS itself, read through the driver or the API */
  KM_TIME_FILE, /* told by --times FILE, which overrules what the file system stores */
  KM_TIME_BIRTH /* birth time of another file system: when the copy was made; never evidence */
} km_time_source;

/* The stable id of a source: "none", "ntfs", "times-file", "birth"; static. */
KM_API const char *km_time_source_id(km_time_source source);

typedef struct km_file_info {
  uint64_t size;
  uint64_t identity; /* inode or file index; with `device` unique on this machine */
  uint64_t device;
  km_time created;
  km_time_source created_source;
  km_time written;
  uint32_t attributes; /* FILE_ATTRIBUTE_*; 0 where not stored */
  uint32_t links;
  bool regular;    /* an ordinary file: no folder, device, reparse point */
  bool reparse;    /* a reparse point or symbolic link */
  char owner[184]; /* SID "S-1-5-18", or "uid:1000" where the file system has no SIDs */
  bool
      owner_trusted; /* SYSTEM, Administrators, a service (or TrustedInstaller); without SIDs: root or the
                           owner of the volume's root */
} km_file_info;

typedef struct km_key_info {
  km_file_info file;
  char sha256[KM_SHA256_TEXT]; /* "" when the content was not read */
  km_status parse_status;      /* KM_OK, KM_DAMAGED, or why the content was not read */
  char damage[256];            /* what is damaged, else "" */
  bool cng;
  km_key_file key; /* of CNG files: container, container_hash, and as `exchange` an RSA key */
} km_key_info;

/* Stats, reads and takes one file of a store apart. A damaged, unreadable or odd file is an answer
 * (parse_status), not an error; KM_NOT_FOUND when the name is not there. The struct is large: allocate it. */
KM_API km_status km_key_inspect(km_target *target, km_store_kind kind, const char *name,
                                km_key_info *out, km_error *error);

#define KM_MAX_ACCESS 64  /* entries of a DACL that are told */
#define KM_ACCESS_ALLOW 0 /* types of entries; what is more tells nothing of mask and sid */
#define KM_ACCESS_DENY 1

/* An entry of a DACL (MS-DTYP 2.4.4). */
typedef struct km_access_entry {
  uint8_t type, flags; /* KM_ACCESS_*; ACE flags */
  uint32_t mask;
  char sid[184]; /* "S-1-5-18"; "" when it cannot be told */
} km_access_entry;

/* Who may use a file. */
typedef struct km_access {
  char owner[184];             /* "" when it has none */
  bool is_protected;           /* its DACL inherits nothing */
  bool open;                   /* it has no DACL: everyone may do everything */
  bool truncated;              /* there are more entries than told */
  char sha256[KM_SHA256_TEXT]; /* of owner, group and DACL, as a step that grants carries it */
  size_t count;
  km_access_entry entries[KM_MAX_ACCESS];
} km_access;

/* The security descriptor of one file of a store. Nothing is changed. The struct is large: allocate it. KM_UNSUPPORTED:
 * the file system keeps none, KM_NOT_FOUND, KM_DAMAGED, KM_ACCESS. */
KM_API km_status km_key_access(km_target *target, km_store_kind kind, const char *name,
                               km_access *out, km_error *error);

#define KM_MAX_GRANTS 8           /* entries that one step adds */
#define KM_GRANT_READ 0x00120089u /* the masks that can be granted: generic read of files, */
#define KM_GRANT_FULL 0x001F01FFu /* and full control */

/* An allow entry to add to a security descriptor. */
typedef struct km_grant {
  const char
      *sid; /* SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators, or a service's own: S-1-5-18,
                      -19, -20, -32-544, -80-... */
  uint32_t mask; /* KM_GRANT_READ or KM_GRANT_FULL */
} km_grant;

/* Whether a step could add these entries to the security descriptor of a file of the key store. KM_REFUSED says why
 * not: nothing is missing, everyone may do everything, an entry denies, the entries are not in Windows' order.
 * KM_MISUSE: something that is never granted; else as km_key_access. Nothing is changed. */
KM_API km_status km_key_grantable(km_target *target, const char *name, const km_grant *grants,
                                  size_t count, km_error *error);

/* What the file of the system's DPAPI master key `guid` is: its times tell the era of what it protects. The one in
 * S-1-5-18 when its folder User has it too. KM_NOT_FOUND: it is in neither, or there is no such folder. */
KM_API km_status km_master_key_info(km_target *target, const char *guid, km_file_info *out,
                                    km_error *error);

/* ---- Services ---------------------------------------------------------------------------------- */

/* An entry of the service list: every subkey of Services. One with neither type nor start is left over from a
 * removed program or holds settings only: it is no service, and no order takes it up. */
typedef struct km_service {
  const char *name, *display, *group, *account; /* "" when not told */
  int32_t start;              /* 0 boot, 1 system, 2 automatic, 3 manual, 4 disabled, -1 not told */
  int32_t type;               /* SERVICE_* bits, -1 not told */
  const char *const *depends; /* names, NULL-terminated */
  const char *const *depends_groups;
} km_service;

typedef struct km_services km_services;

/* Reads the service graph of the current control set. KM_LIMIT and KM_DAMAGED for a registry that no Windows
 * writes; limits are named in core/services.h. Release: km_services_free. */
KM_API km_status km_services_load(km_target *target, km_services **out, km_error *error);
KM_API void km_services_free(km_services *services);
KM_API size_t km_services_count(const km_services *services);
KM_API const km_service *km_services_at(const km_services *services,
                                        size_t index); /* by name order */
KM_API const km_service *km_services_find(const km_services *services,
                                          const char *name); /* or NULL */

/* Whether `name` fits `pattern`: '*' any run, '?' one character, case ignored. Linear time a star. */
KM_API bool km_pattern_match(const char *pattern, const char *name);

typedef struct km_service_order {
  const km_service **stop; /* dependents first */
  size_t stop_count;
  const km_service *
      *start; /* what others need first, without disabled services and those that need one */
  size_t start_count;
  char **cycles; /* "A -> B -> A" */
  size_t cycle_count;
  char **
      missing; /* "X* fits no service", "A is no service: ...", "A needs B, which does not exist" */
  size_t missing_count;
} km_service_order;

/* The order for the services that fit `patterns`; with `dependents` all that need them are added (through
 * groups too). Drivers are never stopped. Release: km_service_order_free. */
KM_API km_status km_services_order(const km_services *services, const char *const *patterns,
                                   size_t pattern_count, bool dependents, km_service_order **out,
                                   km_error *error);
KM_API void km_service_order_free(km_service_order *order);

/* What a live system tells of a service. */
typedef struct km_service_status {
  uint32_t
      state; /* SERVICE_STOPPED 1, START_PENDING 2, STOP_PENDING 3, RUNNING 4, CONTINUE_PENDING 5,
                             PAUSE_PENDING 6, PAUSED 7; 0 not known */
  uint32_t
      exit_code; /* Win32, of its last end; 1066: see specific_code; 1077: never started since boot */
  uint32_t specific_code; /* the service's own, often an HRESULT */
  int32_t start;          /* as km_service.start, -1 not told */
  bool stoppable;         /* it runs and takes a stop */
  km_time started; /* it was started at this time or later: when the process it runs in was made;
                             0 not known, or it does not run */
} km_service_status;

/* Asks the system for a service's state. KM_UNSUPPORTED offline, KM_NOT_FOUND, KM_ACCESS. */
KM_API km_status km_service_query(km_target *target, const char *name, km_service_status *out,
                                  km_error *error);

/* ---- Event logs -------------------------------------------------------------------------------- */

#define KM_MAX_EVENT_RECORD                                                                        \
  0x40000 /* bytes of one EVENTLOGRECORD; Windows' own stay below 64 KiB */
#define KM_MAX_EVENT_STRINGS 256

/* One record. Texts are UTF-8 and, like strings and data, live until the next call for the same log. */
typedef struct km_event {
  const char *log; /* "System" */
  uint32_t record; /* its number in the log */
  km_time generated, written;
  uint32_t id;      /* the low 16 bits, what people call the event id */
  uint32_t full_id; /* with severity, facility and customer bit */
  uint16_t
      type; /* 1 error, 2 warning, 4 information, 8 and 16 audit success and failure, 0 success */
  uint16_t category;
  const char *source, *computer;
  const char *const *strings; /* insertion strings */
  size_t string_count;
  const uint8_t *data;
  size_t data_size;
  bool
      recovered; /* found in a part of the log's file that the log itself no longer counts as its own */
} km_event;

typedef struct km_event_filter {
  const char *source;  /* ignoring case; NULL: any */
  const uint32_t *ids; /* low 16 bits */
  size_t id_count;     /* 0: any */
  km_time from, to;    /* of generated, both included; 0: open */
  const char *text;    /* a string or the data holds it, ignoring case in ASCII; NULL: any */
  bool oldest_first;
} km_event_filter;

typedef struct km_events km_events;

/* Reads an event log ("System", "Application", or a channel of Windows Vista and later such as
 * "Microsoft-Windows-CAPI2/Operational"). `filter` may be NULL. What it drops is dropped by its numbers, before anything of
 * it is converted. KM_UNSUPPORTED where the target's backend cannot, KM_NOT_FOUND: no such log, KM_ACCESS, KM_DAMAGED:
 * the file is no event log. A record that is damaged is skipped and counted. Release: km_events_close. */
KM_API km_status km_events_open(km_target *target, const char *log, const km_event_filter *filter,
                                km_events **out, km_error *error);
KM_API km_status km_events_next(km_events *events, km_event *out, km_error *error); /* KM_END */
KM_API uint64_t km_events_damaged(const km_events *events);
/* What of the log could not be read or had to be recovered, as far as it was read, in words; NULL: nothing. The text
 * lives until the next call for the same log. */
KM_API const char *km_events_problem(km_events *events);
KM_API void km_events_close(km_events *events);

/* ---- CryptoAPI --------------------------------------------------------------------------------- */

/* What the system's CryptoAPI made of a container. Codes are HRESULT or Win32, 0: success. */
typedef struct km_container_trial {
  uint32_t open_code;      /* CryptAcquireContext, machine keyset, silent */
  uint32_t signature_code; /* CryptGetUserKey AT_SIGNATURE; NTE_NO_KEY 0x8009000D: it has none */
  uint32_t exchange_code;  /* the same, AT_KEYEXCHANGE */
  uint32_t sign_code;      /* a hash signed and verified; when there is a signature key */
  uint32_t encrypt_code;   /* bytes encrypted and decrypted; when there is an exchange key */
  bool signed_, encrypted; /* the round trips were made and gave the same back */
  char unique_name[KM_MAX_NAME]; /* PP_UNIQUE_CONTAINER, "" when not told */
  char provider[128];
} km_container_trial;

/* Tries a container. KM_OK whenever the trial was made, whatever it showed; KM_UNSUPPORTED offline. Nothing is
 * created or changed. */
KM_API km_status km_container_test(km_target *target, const char *container,
                                   km_container_trial *out, km_error *error);

/* ---- Proof ------------------------------------------------------------------------------------- */

/* Whether the private key in a key file can be used on this target. This only excludes: after a plain reset of the
 * machine GUID every old key still decrypts, so "yes" does not tell which key is the right one. */
typedef enum km_decryptable {
  KM_DECRYPT_UNKNOWN,           /* could not be checked: the text says why */
  KM_DECRYPT_YES,               /* decrypted, and it fits the public key in the file */
  KM_DECRYPT_NO_MASTER_KEY,     /* the master key it names is not here (sysprep, a copied file) */
  KM_DECRYPT_MASTER_KEY_CLOSED, /* that is here, but this system's secret does not open it */
  KM_DECRYPT_BAD_SIGNATURE,     /* the master key opens; the blob's signature is wrong */
  KM_DECRYPT_MISMATCH           /* decrypted, but it is not the public key's private part */
} km_decryptable;

/* "unknown", "yes", "no-master-key", "master-key-closed", "bad-signature", "mismatch"; static. */
KM_API const char *km_decryptable_id(km_decryptable decryptable);

typedef struct km_proof_part {
  bool present;
  km_decryptable decryptable;
  char master_key[KM_GUID_TEXT]; /* the DPAPI master key that the private key names, or "" */
  bool export_known, exportable; /* the export flag was read, and what it says */
  char text[256];                /* one sentence why; "" when not present */
} km_proof_part;

/* `decryptable` is that of the file: yes when every present part is; else the gravest of its parts (mismatch, bad
 * signature, closed, missing, unknown); unknown without any. A CNG file's one key stands in `exchange`. */
typedef struct km_key_proof {
  km_decryptable decryptable;
  km_proof_part signature, exchange;
  bool cng;
  char text[512]; /* one or two sentences: the gravest part's, or why the file was not tried */
} km_key_proof;

/* What a target's keys are tried with: its secrets, held in locked memory that is in no core dump and wiped when it
 * is released. Secrets are read when the first key asks for them, each master key is opened once and kept. */
typedef struct km_proof km_proof;

/* Prepares to try keys. It does not fail because secrets are missing: see km_proof_problem. Errors: KM_MEMORY.
 * The target must outlive it. Release: km_proof_close. */
KM_API km_status km_proof_open(km_target *target, km_proof **out, km_error *error);

/* Why nothing can be decrypted, in words ("the SECURITY hive is not there: ..."); NULL: all that is needed is there.
 * The text lives as long as the proof. Reads the secrets when that was not done yet. */
KM_API const char *km_proof_problem(km_proof *proof);

/* Tries the keys of one file. KM_OK whenever that was done, whatever it showed: also for a file that cannot be read or
 * is damaged (unknown, with the reason). KM_NOT_FOUND: no such file; KM_MEMORY. Reads only. */
KM_API km_status km_proof_key(km_proof *proof, km_store_kind kind, const char *name,
                              km_key_proof *out, km_error *error);
KM_API void km_proof_close(km_proof *proof);

/* ---- Identity ---------------------------------------------------------------------------------- */

typedef enum km_identity_kind {
  KM_IDENTITY_CERTIFICATE,   /* a certificate of the machine's stores that names the container */
  KM_IDENTITY_CONFIGURATION, /* a provider in IIS 7's applicationHost.config, with its sessionKey */
  KM_IDENTITY_METABASE       /* the SessionKey of the IIS 5 or 6 metabase */
} km_identity_kind;

typedef enum km_identity_verdict {
  KM_IDENTITY_UNKNOWN,    /* nothing could be told: the text says why */
  KM_IDENTITY_PROVED,     /* the key is the one that this source was made with */
  KM_IDENTITY_CONSISTENT, /* all that was checked fits, but that is no proof */
  KM_IDENTITY_DISPROVED   /* what is in use was made with another key */
} km_identity_verdict;

/* "certificate", "configuration", "metabase"; "unknown", "proved", "consistent", "disproved"; static. */
KM_API const char *km_identity_kind_id(km_identity_kind kind);
KM_API const char *km_identity_verdict_id(km_identity_verdict verdict);

/* Something in the target that names a container and was made with its key. */
typedef struct km_identity_source {
  km_identity_kind kind;
  const char *container; /* as it stands there */
  const char *where;     /* Windows path of a file, or a registry key */
  const char *what;      /* which one there: "provider AesProvider", "certificate of CN=..." */
  const char *use; /* what uses it now: unless it is history, it then disproves every other key;
                            NULL: nothing that is known, it can only prove */
  bool cng;        /* it names a CNG container */
  bool history;    /* a backup, or a certificate that has expired */
  km_time
      dated; /* when it was made: a file's last write, the first day of a certificate; 0: not known */
} km_identity_source;

/* What one source says of one key. Texts but `text` belong to the set. */
typedef struct km_identity {
  km_identity_kind kind;
  km_identity_verdict verdict;
  const char *container, *where, *what, *use;
  char text[256]; /* one sentence why */
  km_time dated;
  bool history;
  const char *
      part; /* "signature", "exchange": the key of the file that this source was made with; NULL: it needs both, or
                       that is not told; static */
} km_identity;

typedef struct km_identity_set km_identity_set;

/* Reads once what in the target names containers: SystemCertificates\<store>\Certificates (property 2 of the Blob),
 * inetsrv\config\applicationHost.config and its backups, MetaBase.xml with its history, MetaBase.bin. What is not there
 * or cannot be read is no failure (km_identity_problem). KM_MEMORY. The target must outlive it. Release:
 * km_identity_free. */
KM_API km_status km_identity_find(km_target *target, km_identity_set **out, km_error *error);
KM_API void km_identity_free(km_identity_set *set);

/* What was found: certificates, configuration, metabase; of each what is in use first, then the newest. */
KM_API size_t km_identity_count(const km_identity_set *set);
KM_API const km_identity_source *km_identity_at(const km_identity_set *set, size_t index);

/* What could not be read, a line each; NULL: nothing. Belongs to the set. */
KM_API const char *km_identity_problem(const km_identity_set *set);

/* Asks every source of `container` (case ignored) whether it was made with the key in the file `name`: one row a
 * source, in the order of the set. Fills at most `max` rows; *count gets how many there are. `proof` (may be NULL) gives
 * the private key where a source can be asked with it alone: configuration. Errors: KM_NOT_FOUND, KM_DAMAGED and kin: the
 * file is not there, cannot be read or is no key file; KM_MEMORY. Reads only. */
KM_API km_status km_identity_try(const km_identity_set *set, km_proof *proof, const char *container,
                                 km_store_kind kind, const char *name, km_identity *out, size_t max,
                                 size_t *count, km_error *error);

/* A certificate of a user or a service that names a machine key container, or what could not be looked at. */
typedef struct km_reference {
  const char *container; /* UTF-8; NULL: `problem` tells why this place could not be read */
  const char *where;     /* Windows path of the file, or the registry key */
  const char *problem;   /* NULL: none */
} km_reference;

/* Looks through the certificate stores of all profiles and services for names of machine key containers (CryptoAPI's) and
 * gives each to `each` (borrowed texts), until it returns false. The machine's own stores are km_identity_find's. What is
 * not there is no problem. KM_MEMORY, KM_MISUSE alone fail. */
KM_API km_status km_references_find(km_target *target,
                                    bool (*each)(void *user, const km_reference *reference),
                                    void *user, km_error *error);

/* ---- Plan and transaction ---------------------------------------------------------------------- */

typedef enum km_step_kind {
  KM_STEP_RETIRE, /* take `name` out of the store into the vault */
  KM_STEP_ADOPT,  /* give the file `name` the name `to` */
  KM_STEP_PRUNE,  /* as retire, of any machine GUID: nothing needs the file any more */
  KM_STEP_GRANT, /* add entries to the security descriptor of the current key file `name`; a plan that has such
                          steps has no others */
  KM_STEP_RESTORE_GUID /* make `to` the machine GUID again; the plan has no other step */
} km_step_kind;

/* The stable id of a kind: "retire", "adopt", "prune", "grant", "restore-guid"; static. */
KM_API const char *km_step_kind_id(km_step_kind kind);

/* One step with what was seen when the plan was made; apply checks it again. KM_STEP_RESTORE_GUID has the machine GUID
 * as stored then in `name`, the one to put back in `to` (36 lower-case characters; a key file of the store must end in
 * it), a reason and nothing else. */
typedef struct km_step {
  km_step_kind kind;
  const char *container;
  const char *name;
  const char *to; /* adopt: a unique name; it is free or retired by another step of the plan */
  const char *reason;
  uint64_t size;
  uint64_t identity; /* 0: not checked (a plan from another machine) */
  km_time created;
  km_time_source created_source;
  km_time written;
  const km_grant *grants; /* grant: what is added where it is missing; no SID twice */
  size_t grant_count;     /* at most KM_MAX_GRANTS */
  char sha256[KM_SHA256_TEXT];
  char descriptor_sha256[KM_SHA256_TEXT]; /* grant: as km_access told it */
} km_step;

#define KM_MAX_STEPS 64

typedef struct km_plan {
  const char *machine_guid; /* as stored when the plan was made */
  const char *key_store;    /* Windows path */
  const char *policies;     /* names, comma-separated, for the journal */
  const char *overrides;    /* options that overruled, for the journal; "" */
  bool accept_dirty_hive;
  const km_step *steps;
  size_t step_count;
  const char *const *stop; /* service names in order; NULL-terminated */
  const char *const *start;
} km_plan;

/* What became of a service that a transaction stopped or started. `message` is "" for KM_OK. */
typedef struct km_service_result {
  const char *name;
  bool start; /* else stop */
  km_status
      status; /* KM_OK; KM_UNSUPPORTED: it takes no stop, a restart of Windows is due; or why it failed */
  km_service_status now;
  const char *message;
} km_service_result;

typedef struct km_txn_options {
  /* Told of each finished stage: "lock", "check", "vault", "stop", "swap", "verify", "commit", "start",
   * "rollback", ...; `text` is one line. May be NULL. Must not call back into the target. */
  void (*progress)(void *user, const char *stage, const char *text);
  /* Told of each service that was stopped or started, or could not be; not of deferred ones. May be NULL; the same
   * rules. */
  void (*service)(void *user, const km_service_result *result);
  void *user;
  const volatile int *interrupted; /* polled between steps: non-zero rolls back; may be NULL */
} km_txn_options;

typedef enum km_outcome {
  KM_UNTOUCHED,   /* nothing was changed */
  KM_DONE,        /* done and durable */
  KM_ROLLED_BACK, /* it failed and everything is as before */
  KM_ATTENTION    /* it failed and could not be rolled back: the vault holds what is missing */
} km_outcome;

typedef enum km_txn_state {
  KM_TXN_EMPTY, /* made but never begun: nothing was touched */
  KM_TXN_OPEN,  /* interrupted: recover */
  KM_TXN_COMMITTED,
  KM_TXN_ROLLED_BACK,
  KM_TXN_UNDONE,
  KM_TXN_PURGED,    /* its vault was emptied; cannot be undone */
  KM_TXN_UNREADABLE /* the journal is damaged or not keymend's */
} km_txn_state;

/* "empty", "open", "committed", "rolled-back", "undone", "purged", "unreadable"; static. */
KM_API const char *km_txn_state_id(km_txn_state state);

#define KM_TXN_ID 32 /* "20261123T121959Z-3f9a2c" and NUL */

typedef struct km_txn_file {
  char *container;
  char *before; /* name in the store before, NULL when it was not there */
  char *after;  /* name in the store after, NULL when it is in the vault */
  char *reason;
  char sha256[KM_SHA256_TEXT];
  uint64_t size;
  km_time created, written;
  km_access_entry
      *added; /* entries that its security descriptor has more after; NULL: the file was moved */
  size_t added_count;
} km_txn_file;

typedef struct km_txn {
  char id[KM_TXN_ID];
  km_txn_state state;
  km_txn_state result;  /* of the last end record, purged since or not; empty before there is one */
  km_time begun, ended; /* ended: of the last end record, 0 while open */
  char *vault;          /* Windows path of the transaction's folder */
  char *key_store;
  char *policies, *overrides, *machine_guid;
  char *guid_before,
      *guid_after; /* the machine GUID, when this transaction changed it; else NULL */
  char *made_by;   /* "keymend 0.1.0, offline" */
  km_txn_file *files;
  size_t file_count;
  char **stop, **start; /* NULL-terminated; offline: deferred */
  char *problem;        /* why it is unreadable, or why it was rolled back; NULL */
  km_status
      problem_status; /* of an unreadable one: KM_BUSY (another program has it open, which may end),
                             * KM_DAMAGED ...; else KM_OK */
} km_txn;

KM_API void km_txn_free(km_txn *txn);

/* Applies a plan as one transaction, in the order DESIGN gives. `outcome` is always set. `txn` (may be NULL)
 * gets the transaction when one was begun. KM_OK: committed and durable. Else by outcome: KM_UNTOUCHED
 * (KM_STALE, KM_REFUSED, KM_OPEN, KM_FORGED, KM_BUSY, KM_READ_ONLY, KM_NO_SPACE, KM_ACCESS, KM_MISUSE ...),
 * KM_ROLLED_BACK, or KM_ATTENTION (message gives the vault's path). */
KM_API km_status km_apply(km_target *target, const km_plan *plan, const km_txn_options *options,
                          km_outcome *outcome, km_txn **txn, km_error *error);

/* Reverses a committed transaction. KM_REFUSED with KM_UNTOUCHED: it is not committed, its files are not as
 * it left them, or a newer transaction touched the same names. */
KM_API km_status km_undo(km_target *target, const char *id, const km_txn_options *options,
                         km_outcome *outcome, km_txn **txn, km_error *error);

/* Finishes or rolls back every interrupted transaction, oldest first, judging by the files it sees. `count`
 * gets how many there were; with 0 nothing is written at all. KM_ATTENTION when one could not be mended.
 * On a running Windows services that run are stopped where files have to be moved, and run again before the end. */
KM_API km_status km_recover(km_target *target, const km_txn_options *options, size_t *count,
                            km_outcome *outcome, km_error *error);

/* Lists the target's transactions, oldest first; read only. KM_FORGED when the keymend folder is not
 * keymend's own. No folder: none. Release: km_history_free. */
typedef struct km_history {
  km_txn **txns;
  size_t count;
} km_history;
KM_API km_status km_history_read(km_target *target, km_history **out, km_error *error);
KM_API void km_history_free(km_history *history);

/* Empties the vault of an ended transaction (its journal stays as a record). KM_REFUSED for an open one. */
KM_API km_status km_purge(km_target *target, const char *id, km_error *error);

#ifdef __cplusplus
}
#endif
#endif
