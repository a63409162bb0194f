/* console.h: what keymend asks of the terminal, the user and the machine it runs on; internal, not in keymend.h
 *
 * The host and the Lua module use it, so that no platform code stands in lua/. core/offline/console.c is the
 * POSIX one. Nothing here touches a target.
 */
#ifndef KM_CONSOLE_H
#define KM_CONSOLE_H

#include "keymend.h"

#include <stdbool.h>
#include <stddef.h>

#define KM_MAX_HOST 256          /* bytes of a host name with its NUL */
#define KM_MAX_CONSOLE_PATH 4096 /* bytes of a path on this machine with its NUL */

/* Whether the standard stream 0, 1 or 2 is a terminal. */
bool km_console_is_terminal(int stream);

/* Columns of the terminal that stdout is, else of COLUMNS, else 80; between 20 and 1000. */
unsigned km_console_width(void);

/* This machine's own name, "" when the system does not tell it; returns `name`. */
const char *km_console_host(char name[KM_MAX_HOST]);

/* Whether the process may do everything: effective user root. */
bool km_console_is_root(void);

/* Writes the path of the prompt's history to `path` and makes the file, private to the user, with the folders
 * that lead to it: $XDG_STATE_HOME/keymend/history, else $HOME/.local/state/keymend/history. false: neither is
 * set to an absolute path, or the file cannot be made. */
bool km_console_history(char path[KM_MAX_CONSOLE_PATH]);

/* Writes a file of this machine as a whole: into a new file beside it, which then takes its name, so that a
 * failure leaves what was there. KM_REFUSED: `path` lies in one of the `count` `folders` or below (a folder that
 * is not there counts for nothing), or it is there and no ordinary file. Else what the system says. */
km_status km_console_save(const char *path, const char *data, size_t size,
                          const char *const *folders, size_t count, km_error *error);

#endif
