/* as-user.c: runs a command without the rights of an administrator
 *
 *   as-user PROGRAM [ARGUMENT]...     its exit status; 250 when that cannot be done here, with the reason
 * The token of this process is restricted: Administrators only denies, and every privilege that can be is taken away. Like
 * that the processes of an administrator run who did not elevate.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#define CANNOT 250

static int cannot(const char *what) {
  fprintf(stderr, "as-user: %s: error %lu\n", what, (unsigned long)GetLastError());
  return CANNOT;
}

/* Whether a token is that of an enabled administrator; the token must be one of impersonation. */
static bool is_administrator(HANDLE token, PSID administrators) {
  HANDLE copy = NULL;
  BOOL member = TRUE;
  if (!DuplicateToken(token, SecurityIdentification, &copy))
    return true;
  if (!CheckTokenMembership(copy, administrators, &member))
    member = TRUE;
  CloseHandle(copy);
  return member;
}

/* The command line behind the first word of this program's own. */
static wchar_t *rest_of_line(void) {
  wchar_t *line = GetCommandLineW();
  if (*line == L'"') {
    line = wcschr(line + 1, L'"');
    line = line == NULL ? NULL : line + 1;
  } else {
    line = wcschr(line, L' ');
  }
  while (line != NULL && *line == L' ')
    line++;
  return line;
}

static int run(HANDLE token, wchar_t *line) {
  STARTUPINFOW start = {.cb = sizeof start};
  PROCESS_INFORMATION process = {0};
  DWORD status = CANNOT;
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (!CreateProcessAsUserW(token, NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
    return cannot("CreateProcessAsUser");
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &status);
  CloseHandle(process.hThread);
  CloseHandle(process.hProcess);
  return (int)status;
}

int main(void) {
  SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
  PSID administrators = NULL;
  HANDLE own = NULL, token = NULL;
  wchar_t *line = rest_of_line();
  if (line == NULL || *line == 0)
    return cannot("no command");
  if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS,
                                0, 0, 0, 0, 0, 0, &administrators))
    return cannot("AllocateAndInitializeSid");
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own))
    return cannot("OpenProcessToken");
  SID_AND_ATTRIBUTES denied = {administrators, 0};
  if (!CreateRestrictedToken(own, DISABLE_MAX_PRIVILEGE, 1, &denied, 0, NULL, 0, NULL, &token))
    return cannot("CreateRestrictedToken");
  if (is_administrator(token, administrators))
    return cannot("the restricted token is still an administrator's");
  return run(token, line);
}
