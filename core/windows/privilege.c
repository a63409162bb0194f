/* privilege.c: privileges of this process, enabled around single calls. */
#include "privilege.h"

#include <stdlib.h>
#include <windows.h>

static unsigned used_so_far;

static const struct row {
  km_privilege privilege;
  const char *name;
  const wchar_t *wide;
} rows[] = {
    {KM_PRIVILEGE_BACKUP, "SeBackupPrivilege", L"SeBackupPrivilege"},
    {KM_PRIVILEGE_RESTORE, "SeRestorePrivilege", L"SeRestorePrivilege"},
    {KM_PRIVILEGE_SECURITY, "SeSecurityPrivilege", L"SeSecurityPrivilege"},
    {KM_PRIVILEGE_TAKE_OWNERSHIP, "SeTakeOwnershipPrivilege", L"SeTakeOwnershipPrivilege"},
};

#define ROWS (sizeof rows / sizeof *rows)

const char *km_privilege_name(km_privilege privilege) {
  for (size_t i = 0; i < ROWS; i++) {
    if (rows[i].privilege == privilege) {
      return rows[i].name;
    }
  }
  return "";
}

/* Enables or disables one; true when it was the other way before. One that the process does not hold cannot be. */
static bool turn(HANDLE token, const wchar_t *name, bool on) {
  TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1}, before = {0};
  DWORD size = 0;
  if (!LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid)) {
    return false;
  }
  wanted.Privileges[0].Attributes = on ? SE_PRIVILEGE_ENABLED : 0;
  return AdjustTokenPrivileges(token, FALSE, &wanted, sizeof before, &before, &size) &&
         GetLastError() == ERROR_SUCCESS && before.PrivilegeCount == 1;
}

static unsigned turn_all(unsigned privileges, bool on) {
  unsigned turned = 0;
  HANDLE token;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token)) {
    return 0;
  }
  for (size_t i = 0; i < ROWS; i++) {
    if ((privileges & rows[i].privilege) && turn(token, rows[i].wide, on)) {
      turned |= rows[i].privilege;
    }
  }
  CloseHandle(token);
  return turned;
}

unsigned km_privilege_begin(unsigned wanted) {
  DWORD last = GetLastError();
  unsigned enabled = turn_all(wanted, true);
  SetLastError(last);
  return enabled;
}

void km_privilege_end(unsigned enabled) {
  DWORD last = GetLastError();
  if (enabled) {
    turn_all(enabled, false);
  }
  SetLastError(last);
}

static unsigned held(HANDLE token, unsigned wanted) {
  DWORD size = 0;
  unsigned found = 0;
  GetTokenInformation(token, TokenPrivileges, NULL, 0, &size);
  TOKEN_PRIVILEGES *list = malloc(size ? size : 1);
  if (list && GetTokenInformation(token, TokenPrivileges, list, size, &size)) {
    for (DWORD i = 0; i < list->PrivilegeCount; i++) {
      for (size_t k = 0; k < ROWS; k++) {
        LUID luid;
        if (LookupPrivilegeValueW(NULL, rows[k].wide, &luid) &&
            luid.LowPart == list->Privileges[i].Luid.LowPart &&
            luid.HighPart == list->Privileges[i].Luid.HighPart) {
          found |= rows[k].privilege;
        }
      }
    }
  }
  free(list);
  return found & wanted;
}

unsigned km_privilege_held(unsigned wanted) {
  HANDLE token;
  unsigned found = 0;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    found = held(token, wanted);
    CloseHandle(token);
  }
  return found;
}

void km_privilege_note(unsigned used) {
  used_so_far |= used;
}

unsigned km_privilege_used(void) {
  return used_so_far;
}
