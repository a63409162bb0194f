/* interrupt.c: interruptions while a target is changed, by console control events
 *
 * Windows calls the handler in a thread of its own. For Ctrl-C and Ctrl-Break the process then goes on. When the console
 * closes or the session ends, the process is ended as soon as the handler has returned, or after 5 s (logoff and
 * shutdown: up to 20 s), so the handler waits for the change to be finished or rolled back. A process that has loaded
 * user32.dll, which DLLs of the system may do, is not told of the session's end (SetConsoleCtrlHandler, Remarks): then
 * the journal is what protects, as against a kill.
 */
#include "console.h"

#include <signal.h>
#include <windows.h>

#define TIME_TO_TELL 2000 /* ms in which the main thread prints what became of the change */

static volatile int *raised;
static HANDLE
    ended; /* set while no change is under way; never closed, since a handler may wait for it */
static unsigned depth; /* of guards */

/* Whether somebody logged on for this process: a task or service is told of every user's logoff, which is none of its
 * business. */
static bool is_interactive(void) {
  SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
  PSID sid = NULL;
  BOOL member = TRUE;
  if (!AllocateAndInitializeSid(&authority, 1, SECURITY_INTERACTIVE_RID, 0, 0, 0, 0, 0, 0, 0, &sid))
    return true;
  bool known = CheckTokenMembership(NULL, sid, &member) != 0;
  FreeSid(sid);
  return !known || member;
}

static BOOL WINAPI on_event(DWORD kind) {
  if (kind == CTRL_LOGOFF_EVENT && !is_interactive())
    return TRUE;
  *raised = 1;
  if (kind == CTRL_C_EVENT || kind == CTRL_BREAK_EVENT)
    return TRUE;
  if (ended != NULL && WaitForSingleObject(ended, INFINITE) == WAIT_OBJECT_0)
    Sleep(TIME_TO_TELL);
  return TRUE;
}

void km_console_guard_begin(volatile int *flag) {
  if (depth++ > 0)
    return;
  raised = flag;
  *flag = 0;
  if (ended == NULL)
    ended = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (ended != NULL)
    (void)ResetEvent(ended);
  (void)SetConsoleCtrlHandler(on_event,
                              TRUE); /* without a console there is nothing to be told of */
}

void km_console_guard_end(void) {
  if (--depth > 0)
    return;
  (void)SetConsoleCtrlHandler(on_event, FALSE);
  if (ended != NULL)
    (void)SetEvent(ended);
}

/* The C run-time calls it in a thread of its own, and sets SIGINT back before. */
void km_console_on_break(void (*call)(int number)) {
  (void)signal(SIGINT, call);
}
