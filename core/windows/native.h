/* native.h: files and folders by handle, through ntdll; internal to core/windows.
 *
 * Only ntdll opens, renames and links relative to an open folder, which is what keeps a path from being changed under
 * the feet of this process. All of it is in Windows 2000's ntdll (its driver kit documents it as Zw*); the functions are
 * looked up in the loaded DLL, so that no import library has to have them. Structures: "File System Control Codes and
 * Information Classes" of the Windows driver kit, MS-FSCC 2.4 and 2.5.
 *
 * Results are Win32 codes, 0 for success.
 */
#ifndef KM_NATIVE_H
#define KM_NATIVE_H

#include "handle.h"

/* ---- Opening ---- */

#define KM_OPEN_EXISTING 1u /* FILE_OPEN */
#define KM_OPEN_NEW 2u      /* FILE_CREATE */

#define KM_OPEN_FOLDER 0x1u /* FILE_DIRECTORY_FILE: anything else is ERROR_DIRECTORY */
#define KM_OPEN_WRITE_THROUGH                                                                      \
  0x2u /* FILE_WRITE_THROUGH: a change of names is on the disk when the call returns */
#define KM_OPEN_FILE 0x40u /* FILE_NON_DIRECTORY_FILE */

#define KM_SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

typedef struct km_opening {
  ACCESS_MASK access; /* SYNCHRONIZE and FILE_READ_ATTRIBUTES are added */
  ULONG share;
  ULONG disposition;
  ULONG options;          /* KM_OPEN_* flags */
  const void *descriptor; /* of a new file or folder, or NULL */
  unsigned privileges;    /* km_privilege bits that may be enabled when it is refused */
  bool hurried;           /* without patience */
  bool look; /* only attributes: granted to who may list the folder, SYNCHRONIZE is not asked for */
} km_opening;

/* Opens `name` in the open folder `folder`; "" is the folder itself. A NULL folder: `name` is a whole NT path. Reparse
 * points are opened themselves. Case is ignored. What another process has open in a way that excludes this is tried
 * again until the patience is over (km_disk_patience). */
uint32_t km_native_open(HANDLE folder, const wchar_t *name, const km_opening *how, HANDLE *out);

/* The same without patience. */
uint32_t km_native_try(HANDLE folder, const wchar_t *name, const km_opening *how, HANDLE *out);

/* Opens a volume's root by its NT path; links on the way are followed. */
uint32_t km_native_open_root(const wchar_t *path, HANDLE *out);

/* Whether a privilege may cure what a code says: a file that is given to another owner is refused as an invalid
 * owner. */
bool km_native_refused(uint32_t code);
/* Enables several privileges, and disables those that were not enabled before. */
unsigned km_native_begin(unsigned privileges);
void km_native_end(unsigned enabled, bool used);

/* ---- Patience ---- */

/* Begins a wait, and sleeps for one turn of it: false when the patience is over. */
typedef struct km_patience {
  bool begun;
  DWORD since;
} km_patience;

bool km_patience_wait(km_patience *patience);
/* How often the patience was set, 1 at first. */
unsigned km_patience_age(void);
/* Whether a code tells of another process that may let go soon. */
bool km_patience_fits(uint32_t code);

/* ---- What a file is ---- */

typedef struct km_native_basic { /* FILE_BASIC_INFORMATION */
  LONGLONG created, accessed, written, changed;
  ULONG attributes;
} km_native_basic;

typedef struct km_native_standard { /* FILE_STANDARD_INFORMATION */
  LONGLONG allocated, size;
  ULONG links;
  BOOLEAN delete_pending, folder;
} km_native_standard;

uint32_t km_native_basic_get(HANDLE file, km_native_basic *out);
/* Zeros are left as they are. */
uint32_t km_native_basic_set(HANDLE file, const km_native_basic *basic);
uint32_t km_native_standard_get(HANDLE file, km_native_standard *out);
/* The number that the file has on its volume. */
uint32_t km_native_identity(HANDLE file, uint64_t *out);

/* Calls `each` for the names of the file's data streams, ":Zone.Identifier:$DATA" and so on, its unnamed one left out.
 * ERROR_NOT_SUPPORTED and kin: there are none here. */
uint32_t km_native_streams(HANDLE file, bool (*each)(void *user, const wchar_t *name, size_t units),
                           void *user);
/* The same for the names of its extended attributes (ASCII). */
uint32_t km_native_attributes(HANDLE file, bool (*each)(void *user, const char *name, size_t size),
                              void *user);

/* ---- Names ---- */

/* Fills the buffer with entries of FILE_DIRECTORY_INFORMATION; ERROR_NO_MORE_FILES at the end. */
uint32_t km_native_list(HANDLE folder, void *buffer, size_t size, bool restart);

uint32_t km_native_rename(HANDLE file, HANDLE folder, const wchar_t *name, bool replace);
/* The rename of newer Windows (10 1709), which replaces a file that others have open for deletion, or that is
 * read-only; km_native_unknown of the result tells that this one has none. */
uint32_t km_native_rename_over(HANDLE file, HANDLE folder, const wchar_t *name);
uint32_t km_native_link(HANDLE file, HANDLE folder, const wchar_t *name);
/* The name is gone when the handle is closed. */
uint32_t km_native_delete(HANDLE file);
uint32_t km_native_flush(HANDLE file);

/* Whether a code says that the system, or the file system, does not know the call. */
bool km_native_unknown(uint32_t code);

/* ---- Volumes ---- */

typedef struct km_native_volume {
  uint32_t serial;
  uint32_t flags;           /* FILE_PERSISTENT_ACLS, FILE_READ_ONLY_VOLUME, ... */
  uint32_t characteristics; /* FILE_REMOTE_DEVICE, ... */
  wchar_t file_system[32];
} km_native_volume;

#define KM_DEVICE_READ_ONLY 0x2u
#define KM_DEVICE_REMOTE 0x10u

uint32_t km_native_volume_get(HANDLE root, km_native_volume *out);
/* Bytes that the caller may still write. */
uint32_t km_native_space(HANDLE root, uint64_t *out);

#endif
