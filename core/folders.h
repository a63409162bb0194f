/* folders.h: where a target's well-known folders are; internal to core/. */
#ifndef KM_FOLDERS_H
#define KM_FOLDERS_H

#include "backend.h"

#define KM_MAX_FOLDER_TEXT                                                                         \
  4096 /* bytes of a folder's path with its NUL, while variables are expanded */

/* The Windows path of Common AppData, by the registry, else the conventional one of this version of Windows.
 * target->info.windows and .version are filled. The caller frees it; NULL: out of memory. */
char *km_folders_app_data(km_target *target);

/* What a stored path ("%SystemRoot%\\System32\\...") is on this target, without a backslash at its end; NULL: `text` is NULL,
 * or no absolute path comes out, or out of memory. The caller frees it. */
char *km_folders_expand(km_target *target, const char *text);

#endif
