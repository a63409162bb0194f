/* console.h: what keymend asks of the terminal, the user and the machine it runs on; internal, not in keymend.h
 *
 * The host and the Lua module use it, so that no platform code stands in lua/. core/offline/{console,trust,
 * interrupt}.c are the POSIX ones, core/windows has files of the same names. Nothing here touches a target. Texts and
 * paths are UTF-8.
 */
#ifndef KM_CONSOLE_H
#define KM_CONSOLE_H

#include "keymend.h"

#include <stdbool.h>
#include <stddef.h>

#define KM_MAX_HOST 256          /* bytes of a host name with its NUL */
#define KM_MAX_CONSOLE_PATH 4096 /* bytes of a path on this machine with its NUL */

/* ---- The process ---- */

/* The first thing that main does. Windows: the words of the command line in UTF-8 take the place of main's (they live as
 * long as the process), output is binary (lines end with LF, the same bytes as on Linux), no error ever opens a dialog
 * box, a damaged heap ends the process, and DLLs come from the system's folder alone. POSIX: nothing. */
void km_console_start(int *count, char ***texts);

/* While a target is changed, an interruption (Ctrl-C, SIGTERM, SIGHUP; on Windows also Ctrl-Break, the console's closing,
 * logoff, shutdown) sets *flag to 1 instead of ending the process, and a reader of the output that went away is no
 * reason to end either. On Windows the console's closing and its kin are held up until the guard ends, as long as the
 * system waits (5 to 20 seconds). Guards may be nested with the same flag; the outer one sets it to 0 first. `flag` has
 * to live on after the end. Not for several threads at once. */
void km_console_guard_begin(volatile int *flag);
void km_console_guard_end(void);

/* Sets what Ctrl-C calls, until the first time on some systems: a handler of signals, with all that forbids it. Unlike with
 * signal(), a read that waits for input is given up then. */
void km_console_on_break(void (*call)(int number));

/* ---- Time ---- */

/* Milliseconds since some moment. It goes round after 49 days, so only differences count. */
uint32_t km_console_clock(void);

/* A watchdog: unless it is ended within `milliseconds`, it writes `message` (which has to live as long) to stderr and ends
 * the process there and then with `status`: nothing is flushed, no exit handler runs. It has a thread of its own; begin and
 * end belong to the same thread. NULL: the system has no thread for it. */
typedef struct km_console_watch km_console_watch;
km_console_watch *km_console_watch_begin(uint32_t milliseconds, const char *message, int status);
void km_console_watch_end(km_console_watch *watch);

/* ---- The terminal ---- */

/* Whether the standard stream 0, 1 or 2 is a terminal. */
bool km_console_is_terminal(int stream);

/* Columns of the terminal that stdout is, else of COLUMNS, else 80; between 20 and 1000. */
unsigned km_console_width(void);

/* Whether stdout is a terminal that understands the usual escape sequences for colours. */
bool km_console_colour(void);

/* ---- The user and the machine ---- */

/* This machine's own name, "" when the system does not tell it; returns `name`. */
const char *km_console_host(char name[KM_MAX_HOST]);

/* Whether the process may do everything: effective user root; on Windows elevated. */
bool km_console_is_root(void);

/* Writes the path of the prompt's history to `path` and makes the file, private to the user, with the folders
 * that lead to it: $XDG_STATE_HOME/keymend/history, else $HOME/.local/state/keymend/history. false: neither is
 * set to an absolute path, or the file cannot be made. Windows: false, since the console keeps the history itself. */
bool km_console_history(char path[KM_MAX_CONSOLE_PATH]);

/* The folder of this machine's own policies with a separator at its end: "/etc/keymend/policies/", on Windows
 * "<Program Files>\keymend\policies\". It need not be there. Returns `path`; "" when the system does not tell. */
const char *km_console_policies_folder(char path[KM_MAX_CONSOLE_PATH]);

/* Calls each(name) for the ordinary files of a folder whose names end with `suffix`, in no order, until it returns false.
 * A folder that is not there has none. */
km_status km_console_list(const char *folder, const char *suffix,
                          bool (*each)(void *user, const char *name), void *user, km_error *error);

/* ---- Files ---- */

/* Writes a file of this machine as a whole: into a new file beside it, which then takes its name, so that a
 * failure leaves what was there. KM_REFUSED: `path` lies in one of the `count` `folders` or below (a folder that
 * is not there counts for nothing), or it is there and no ordinary file. Else what the system says. */
km_status km_console_save(const char *path, const char *data, size_t size,
                          const char *const *folders, size_t count, km_error *error);

/* Reads a file that holds code or other text that keymend acts on: at most `max` bytes (KM_LIMIT when there are more)
 * into *data (malloc'ed, with a NUL behind them). `data` NULL: only looks whether it may be used, for what the system's
 * loader reads itself.
 *
 * A process that may do everything (km_console_is_root) must not do what ordinary users tell it, so for it the file must
 * be one that they cannot change, or put another in place of: it and every folder above it (with the links on the way)
 * belong to root or the caller, and nobody else may write to them; what lies in a folder like /tmp, where everybody may
 * create files but only their owners remove them, is judged by itself. Windows: owners are SYSTEM, Administrators,
 * a service or the caller, and no entry of the DACLs lets others write, delete, or change the descriptor; a volume without
 * descriptors and another machine's files cannot be judged. What is judged is the open file that is then read.
 *
 * KM_REFUSED otherwise: the message names the file or folder, who may change it, and --trust-file. `trusted`: `count`
 * paths of files that the user vouches for. *needed (may be NULL) gets the index of the one without which it had been
 * refused, else -1. */
km_status km_console_read_trusted(const char *path, size_t max, const char *const *trusted,
                                  size_t count, char **data, size_t *size, int *needed,
                                  km_error *error);

#endif
