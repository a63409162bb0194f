/* privilege.c: elevation, privileges and WOW64 of this process. */
#include "privilege.h"

#include "wide.h"

#include <stdio.h>
#include <stdlib.h>

static const struct privilege_row {
  km_privilege which;
  const wchar_t *name;
  const char *purpose;
} rows[] = {
    {KM_PRIVILEGE_BACKUP, L"SeBackupPrivilege",
     "SeBackupPrivilege was used to read what a DACL closes to administrators"},
    {KM_PRIVILEGE_RESTORE, L"SeRestorePrivilege",
     "SeRestorePrivilege was used to write owners and what a DACL closes to administrators"},
    {KM_PRIVILEGE_TAKE_OWNERSHIP, L"SeTakeOwnershipPrivilege",
     "SeTakeOwnershipPrivilege was used to become the owner of a file"},
};

#define ROWS (sizeof rows / sizeof *rows)

static unsigned used_mask;

static const struct privilege_row *row_of(km_privilege which) {
  size_t i = 0;
  while (i + 1 < ROWS && rows[i].which != which)
    i++;
  return &rows[i];
}

static HANDLE open_token(DWORD access) {
  HANDLE token = NULL;
  return OpenProcessToken(GetCurrentProcess(), access, &token) ? token : NULL;
}

/* Sets the attributes of a privilege; *before gets those it had. false: the token has none such. */
static bool set_privilege(km_privilege which, DWORD attributes, DWORD *before) {
  TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1}, old = {.PrivilegeCount = 0};
  DWORD size = sizeof old;
  HANDLE token = open_token(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY);
  if (token == NULL)
    return false;
  wanted.Privileges[0].Attributes = attributes;
  /* Success with ERROR_NOT_ALL_ASSIGNED means that the token does not have it. `old` names it when it changed. */
  bool good = LookupPrivilegeValueW(NULL, row_of(which)->name, &wanted.Privileges[0].Luid) &&
              AdjustTokenPrivileges(token, FALSE, &wanted, sizeof old, &old, &size) &&
              GetLastError() == ERROR_SUCCESS;
  CloseHandle(token);
  *before = old.PrivilegeCount == 1 ? old.Privileges[0].Attributes : attributes;
  return good;
}

bool km_privilege_begin(km_privilege which) {
  DWORD before = 0;
  return set_privilege(which, SE_PRIVILEGE_ENABLED, &before) &&
         (before & SE_PRIVILEGE_ENABLED) == 0;
}

void km_privilege_end(km_privilege which, bool used) {
  DWORD code = GetLastError(), before;
  (void)set_privilege(which, 0, &before);
  if (used)
    used_mask |= (unsigned)which;
  SetLastError(code);
}

bool km_privileges_used(char *text, size_t size) {
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < ROWS && used < size; i++)
    if (used_mask & (unsigned)rows[i].which)
      used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : "; ",
                               rows[i].purpose);
  return used > 0;
}

bool km_privilege_held(km_privilege which) {
  LUID wanted;
  DWORD size = 0;
  bool held = false;
  HANDLE token = open_token(TOKEN_QUERY);
  if (token == NULL)
    return false;
  (void)GetTokenInformation(token, TokenPrivileges, NULL, 0, &size);
  TOKEN_PRIVILEGES *all = malloc(size + sizeof *all);
  if (all != NULL && LookupPrivilegeValueW(NULL, row_of(which)->name, &wanted) &&
      GetTokenInformation(token, TokenPrivileges, all, size, &size)) {
    for (DWORD i = 0; i < all->PrivilegeCount && !held; i++)
      held = all->Privileges[i].Luid.LowPart == wanted.LowPart &&
             all->Privileges[i].Luid.HighPart == wanted.HighPart;
  }
  free(all);
  CloseHandle(token);
  return held;
}

static bool is_member(BYTE count, DWORD first, DWORD second) {
  SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
  PSID sid = NULL;
  BOOL member = FALSE;
  if (!AllocateAndInitializeSid(&authority, count, first, second, 0, 0, 0, 0, 0, 0, &sid))
    return false;
  /* Counts enabled groups alone: a filtered token has Administrators for denying only. */
  bool good = CheckTokenMembership(NULL, sid, &member) && member;
  FreeSid(sid);
  return good;
}

bool km_is_elevated(void) {
  return is_member(2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS) ||
         is_member(1, SECURITY_LOCAL_SYSTEM_RID, 0);
}

bool km_is_wow64(void) {
  typedef BOOL(WINAPI * is_wow64)(HANDLE, BOOL *);
  is_wow64 ask = (is_wow64)km_windows_function("kernel32.dll", "IsWow64Process");
  BOOL answer = FALSE;
  return ask != NULL && ask(GetCurrentProcess(), &answer) && answer;
}
