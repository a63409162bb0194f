/* handle.h: volumes, folders and files of this Windows as open handles; internal to core/windows.
 *
 * What km_disk_* (disk.h) works on. A volume is any folder that stands for the root of a Windows drive: "C:\" of the
 * running Windows, "D:\" or "D:\mnt" for one that is mounted. Everything beneath it is opened relative to the folder
 * above it, one component at a time, and no reparse point is ever followed.
 *
 * Rooms: wide.c texts and error codes, native.c the calls of ntdll, folder.c opens, lists and reads, meta.c what a
 * file has beside its bytes, write.c writes, volume.c knows file systems and what they keep.
 */
#ifndef KM_HANDLE_H
#define KM_HANDLE_H

#include "disk.h"
#include "wide.h"

#include "offline/times.h"

#define KM_MAX_WIDE_PATH 32760 /* units of a path with its NUL; UNICODE_STRING holds 32767 */

typedef struct km_win_volume km_win_volume;
struct km_win_volume {
  HANDLE handle; /* its root */
  char *root;    /* as a Win32 path in UTF-8 without prefix, "C:\" or "D:\mnt", for messages */
  bool live;     /* the running Windows' own: it has no hibernation image that could be looked at */
  uint32_t serial; /* of the volume */
  char driver[32]; /* "ntfs", "refs", "fat32", "cdfs", ...; "wine" */
  uint32_t flags;  /* FILE_* of GetVolumeInformation: persistent ACLs, read-only, named streams */
  bool wine;       /* owners, the protected flag and creation times are not kept */
  bool remote;     /* on another machine */
  bool read_only;
  bool moves_access_times; /* this Windows notes when a file was last read */
  bool loud;               /* and for some files that could not be prevented */
  char text[10][200];      /* behind km_win_capabilities */
  /* The one with the Windows folder, when it is known and another: its hibernation counts, too. The opener sets it. */
  km_win_volume *windows;
  unsigned hurried; /* folder.c's own: km_patience_age when reading used up the patience */
};

/* An open folder. */
struct km_folder {
  HANDLE handle;         /* list, read attributes, traverse */
  char *path;            /* Windows path of the target, for messages and the times file */
  const km_times *times; /* --times, or NULL; not owned */
  km_win_volume *volume; /* not owned */
};

/* Opens the root of a volume; `root` is an NT path that ends with a backslash, L"\\??\\C:\\" or L"\\??\\D:\\mnt\\". The
 * root itself may be reached over links: it is the user's choice. `live`: it belongs to the running Windows.
 * KM_NOT_FOUND, KM_ACCESS and kin. Release: km_win_volume_close, after everything beneath it. */
km_status km_win_volume_open(const wchar_t *root, bool live, km_win_volume **out, km_error *error);
void km_win_volume_close(km_win_volume *volume);

/* Opens a folder by the target's Windows path, "C:\WINNT\system32" ("C:\" is the root). The caller chose the volume by
 * the letter; it is not looked at here. Case is ignored. `times` (may be NULL) has to live as long as the folder.
 * KM_NOT_FOUND: not there, or a file; KM_OUTSIDE: a reparse point on the way; KM_MISUSE: no absolute path. Release:
 * km_disk_folder_close. */
km_status km_win_folder_open(km_win_volume *volume, const km_times *times, const char *windows_path,
                             km_folder **out, km_error *error);

/* Opens a file by the target's Windows path, for reading in binary, while others may go on using it; *fd is a
 * descriptor of the C run-time and the caller's (_close). Errors as km_win_folder_open. */
km_status km_win_file_open(km_win_volume *volume, const char *windows_path, int *fd,
                           km_error *error);

/* What is kept and possible on the volume, as rows with the ids of km_capability: all but "services", "events" and
 * what the backend itself adds. Returns how many (at most `max`, KM_WIN_CAPABILITIES suffice). Texts live as long as
 * the volume, and until the next call. `times` may be NULL. */
#define KM_WIN_CAPABILITIES 10
size_t km_win_capabilities(km_win_volume *volume, const km_times *times, km_capability *out,
                           size_t max);
const char *km_win_driver(const km_win_volume *volume);

/* Exclusive lock of a key store among all sessions: a named mutex, Global\keymend-<hash>, of the volume's serial number
 * and the number of the store's folder on it, so that it is the same live and with --root. `store_path` is the target's
 * Windows path. KM_BUSY: another keymend holds it, perhaps this very process. A process that dies lets go. */
km_status km_win_lock(km_win_volume *volume, const char *store_path, void **out, km_error *error);
void km_win_unlock(void *lock);

#endif
