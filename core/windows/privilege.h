/* privilege.h: privileges of this process, enabled around single calls; internal to core/windows. */
#ifndef KM_PRIVILEGE_H
#define KM_PRIVILEGE_H

#include <stdbool.h>

typedef enum km_privilege {
  KM_PRIVILEGE_BACKUP = 1,   /* SeBackupPrivilege: reads whatever the DACL says */
  KM_PRIVILEGE_RESTORE = 2,  /* SeRestorePrivilege: writes so, and gives files any owner */
  KM_PRIVILEGE_SECURITY = 4, /* SeSecurityPrivilege: reads and sets SACLs */
  KM_PRIVILEGE_TAKE_OWNERSHIP = 8
} km_privilege;

#define KM_PRIVILEGES_ALL 15u

/* Enables those of `wanted` (km_privilege, or'ed) that the process holds and that are not enabled yet; returns which
 * those were: what km_privilege_end must get. A call that then succeeds and would not have before is told with
 * km_privilege_note. Not for several threads at a time. */
unsigned km_privilege_begin(unsigned wanted);
void km_privilege_end(unsigned enabled);

/* Which of `wanted` the process holds, enabled or not. */
unsigned km_privilege_held(unsigned wanted);

/* Remembers that privileges were needed, and tells which were since the start of the process. */
void km_privilege_note(unsigned used);
unsigned km_privilege_used(void);

/* "SeBackupPrivilege"; static. */
const char *km_privilege_name(km_privilege privilege);

#endif
