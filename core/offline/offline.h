/* offline.h: the offline backend's state and operations; internal to core/offline.
 *
 * Rooms for every system: path.c takes Windows paths apart and knows the volumes, windows.c finds the Windows folder,
 * hive.c reads the registry, guid.c writes the machine GUID in it, hivelog.c replays a hive's logs, hivefile.c finds them, times.c the --times file, version.c
 * versions of files, offline.c the table that joins them. For POSIX: lookup.c finds paths beneath a volume's root,
 * folder.c opens, lists and reads, write.c writes, volume.c knows drivers and what they can do, ntfs.c owners and
 * descriptors, memory.c a hive's copy. For Windows: core/windows/mounted.c and memory.c.
 */
#ifndef KM_OFFLINE_H
#define KM_OFFLINE_H

#include "disk.h"

#define KM_MAX_VOLUMES 26           /* one a drive letter */
#define KM_MAX_PATH_PARTS 64        /* components of a Windows path */
#define KM_MAX_WINDOWS_PATH 4096    /* bytes of a Windows path with its NUL */
#define KM_MAX_FOLDER_NAMES 4000000 /* names read while one component is looked up */

typedef struct km_driver km_driver; /* volume.h */
typedef struct km_times km_times;   /* times.h */
typedef struct km_hives km_hives;   /* hive.h */

/* A volume: a folder of this system that is the root of a Windows drive. */
typedef struct km_volume {
  char letter;               /* upper case */
  char *folder;              /* as given */
  int fd;                    /* POSIX: its root, O_RDONLY | O_DIRECTORY */
  struct km_win_volume *win; /* Windows: its root */
  uint64_t device;
  uint32_t owner;          /* POSIX: of the root */
  const km_driver *driver; /* never NULL */
  char driver_name[32];    /* "ntfs-3g", "ext4", "fuse.other" */
  char source[256];        /* block device or image it is mounted from, "" when not told */
  bool noatime;            /* mounted read-only or noatime: reading cannot leave a trace */
  bool loud;               /* O_NOATIME was refused: reading may move access times */
} km_volume;

typedef struct km_offline {
  km_volume volumes[KM_MAX_VOLUMES]; /* the first one is --root's */
  size_t volume_count;
  km_times *times;               /* NULL without --times */
  bool plain_walk;               /* use the walk for kernels without openat2; for tests */
  int lock;                      /* POSIX: the locked store folder, or -1 */
  void *lock_handle;             /* Windows: the file that holds the lock, or NULL */
  km_hives *hives;               /* hive.c's own */
  char capability_text[10][200]; /* behind km_offline_capabilities */
} km_offline;

/* ---- State (path.c) ---- */

/* Opens --root (as letter C until km_offline_set_letter), the further volumes and the times file
 * into a zeroed state. On failure nothing is left open. Errors: KM_NOT_FOUND (no such folder),
 * KM_MISUSE (bad or double letter), those of the times file. */
km_status km_offline_volumes_open(km_offline *offline, const km_target_options *options,
                                  km_error *error);
void km_offline_volumes_close(km_offline *offline);

/* Gives --root its real letter. KM_MISUSE when --volume gave that letter to another folder. */
km_status km_offline_set_letter(km_offline *offline, char letter, km_error *error);

/* The volume of a letter (any case), or NULL when none was given. */
km_volume *km_offline_volume(km_offline *offline, char letter);

/* Opens a file or folder by Windows path, ignoring case, for reading (O_RDONLY | O_NOATIME |
 * O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK; only regular files and folders are opened). *fd is the
 * caller's. KM_NOT_FOUND: not there, or its volume was not given (the message says --volume);
 * KM_OUTSIDE: link, reparse point, other file system or odd file on the way; KM_REFUSED: two names
 * differ in case alone; KM_MISUSE: no absolute path. */
km_status km_offline_resolve(km_offline *offline, const char *windows_path, int *fd,
                             km_error *error);

/* Fills at most `max` rows (KM_OFFLINE_CAPABILITIES suffice) for the volume of `store`, or of
 * --root when it is NULL; returns how many. Texts live as long as the state. */
#define KM_OFFLINE_CAPABILITIES 10
size_t km_offline_capabilities(km_offline *offline, km_folder *store, km_capability *out,
                               size_t max);

/* The driver's name of the volume of `store`, or of --root. Lives as long as the state. */
const char *km_offline_driver(km_offline *offline, km_folder *store);

/* ---- Operations: contracts in backend.h; target->state is the km_offline ---- */

km_status km_offline_folder_open(km_target *target, const char *path, km_folder **out,
                                 km_error *error);
km_status km_offline_lock(km_target *target, km_folder *store, km_error *error);
void km_offline_unlock(km_target *target);
/* guid.c */
km_status km_offline_guid_read(km_target *target, char text[KM_GUID_VALUE], km_error *error);
km_status km_offline_guid_check(km_target *target, const char *before, km_error *error);
km_status km_offline_guid_write(km_target *target, const char *before, const char *after,
                                km_error *error);
km_status km_offline_guid_settle(km_target *target, const char *now, km_error *error);
/* offline.c: the hive is read again when it is next asked for. */
void km_offline_forget_software(km_target *target);
km_status km_offline_file_version(km_target *target, const char *path, km_version_info *out,
                                  km_error *error);

#endif
