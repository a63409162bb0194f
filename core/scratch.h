/* scratch.h: a folder of this machine for what is made, looked at and thrown away; internal, not in keymend.h
 *
 * `keymend policies test` makes its volumes there; `policies volume` makes one where it is told to. Nothing here touches a target. Paths are UTF-8.
 * core/offline/scratch.c and core/windows/scratch.c.
 */
#ifndef KM_SCRATCH_H
#define KM_SCRATCH_H

#include "console.h"

/* Makes a new folder, private to the user, where this machine keeps temporary files ($TMPDIR or /tmp; on Windows what
 * GetTempPath says), and writes its path to `path`, without a separator at its end. */
km_status km_scratch_begin(char path[KM_MAX_CONSOLE_PATH], km_error *error);

/* What stands at a path: nothing, an empty folder (a link to one too), or something else. */
typedef enum km_scratch_state {
  KM_SCRATCH_FREE,
  KM_SCRATCH_EMPTY,
  KM_SCRATCH_TAKEN
} km_scratch_state;

/* Says what stands at `path`. */
km_status km_scratch_look(const char *path, km_scratch_state *state, km_error *error);

/* Makes a folder. KM_EXISTS: there is something of that name. */
km_status km_scratch_folder(const char *path, km_error *error);

/* Makes a file of `size` bytes, which must not be there yet; `written` (0: now) becomes its last write. */
km_status km_scratch_file(const char *path, const char *data, size_t size, km_time written,
                          km_error *error);

/* Removes a file or an empty folder; never what a link leads to. */
km_status km_scratch_remove(const char *path, km_error *error);

#endif
