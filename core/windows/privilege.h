/* privilege.h: what this process may do: elevation, privileges, 32 bit on 64; internal to core/windows.
 *
 * A privilege is enabled around the one call that needs it, and only after that call was refused without it. Which
 * ones were used is remembered and told as the capability "privileges".
 */
#ifndef KM_PRIVILEGE_H
#define KM_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum km_privilege {
  KM_PRIVILEGE_BACKUP = 1,        /* SeBackupPrivilege: reading past a DACL */
  KM_PRIVILEGE_RESTORE = 2,       /* SeRestorePrivilege: writing past it, and any owner */
  KM_PRIVILEGE_TAKE_OWNERSHIP = 4 /* SeTakeOwnershipPrivilege */
} km_privilege;

/* Enables a privilege for this process; true when the caller has to end it after the call, false when the token has
 * none such or it is enabled already. Not for several threads at once. */
bool km_privilege_begin(km_privilege which);

/* Disables it again. `used`: the call went through, thanks to it. GetLastError is kept. */
void km_privilege_end(km_privilege which, bool used);

/* The privileges used so far, as one sentence in `text`; false when there were none. */
bool km_privileges_used(char *text, size_t size);

/* Whether the token has the privilege, enabled or not. */
bool km_privilege_held(km_privilege which);

/* Whether this process runs with the rights of Administrators or as SYSTEM: with User Account Control, elevated. */
bool km_is_elevated(void);

/* Whether this is a 32-bit process on a 64-bit Windows, which sees another System32 and another SOFTWARE. */
bool km_is_wow64(void);

#endif
