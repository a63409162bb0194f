/* folder.h: what the rooms of km_disk_* on Windows share; internal to core/windows. */
#ifndef KM_FOLDER_H
#define KM_FOLDER_H

#include "native.h"

/* Fails with "<operation> <folder>\<name>: <code in words>" and the advice that fits. `name` may be NULL. */
km_status km_folder_fail(km_error *error, uint32_t code, const char *operation,
                         const km_folder *folder, const char *name);

/* "<folder>\<name>" with the name escaped, for messages. Returns `text`. */
const char *km_folder_shown(const km_folder *folder, const char *name, char text[KM_MAX_MESSAGE]);

/* Checks a name and makes it wide. */
km_status km_folder_name(const char *name, wchar_t wide[KM_MAX_NAME], km_error *error);

/* A new km_folder of an open handle, which it takes over, also on failure. `name` NULL: `path` is its own. */
km_status km_folder_make(km_win_volume *volume, const km_times *times, const char *path,
                         const char *name, HANDLE handle, km_folder **out, km_error *error);

/* A file or folder that is open, and what it was then. */
typedef struct km_opened {
  HANDLE handle;
  km_native_basic basic;
  km_native_standard standard;
} km_opened;

/* Opens folder\name, whatever it is, and tells what. `operation` is for the message. Release: CloseHandle. */
km_status km_folder_open_file(const km_folder *folder, const char *name, const km_opening *how,
                              const char *operation, km_opened *out, km_error *error);

/* The same for ordinary files: KM_REFUSED for a folder, KM_OUTSIDE for a reparse point. */
km_status km_folder_open_regular(const km_folder *folder, const char *name, const km_opening *how,
                                 const char *operation, km_opened *out, km_error *error);

/* ---- meta.c ---- */

/* Parts of an open file's descriptor (SECURITY_INFORMATION), malloc'ed. A Win32 code. */
uint32_t km_meta_descriptor(HANDLE file, SECURITY_INFORMATION parts, uint8_t **out, size_t *size);

/* Gives an open file a descriptor's owner, group and DACL. The handle needs WRITE_OWNER and WRITE_DAC. */
uint32_t km_meta_set_descriptor(HANDLE file, const uint8_t *descriptor, size_t size);

/* All of an open file, whose handle has READ_CONTROL; `name` is for messages. */
km_status km_meta_of(const km_folder *folder, const char *name, const km_opened *file,
                     km_file_meta *out, km_error *error);

/* Sets what differs on an open file, whose handle has WRITE_OWNER, WRITE_DAC and FILE_WRITE_ATTRIBUTES. */
km_status km_meta_set(const km_folder *folder, const char *name, HANDLE file,
                      const km_file_meta *meta, km_error *error);

/* Whether the owner of a descriptor is who runs this process. */
bool km_meta_is_mine(const char *sid);

/* Whether an open folder is private to the system and administrators; `problem` gets what is not so. */
bool km_meta_is_private(const km_win_volume *volume, HANDLE folder, const char **problem);

#endif
