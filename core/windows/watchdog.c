/* watchdog.c: a clock, and a watchdog that ends the process, on Windows */
#include "console.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define STACK_SIZE 65536

struct km_console_watch {
  HANDLE thread, ended; /* ended: an event */
  DWORD milliseconds;
  const char *message;
  int status;
};

uint32_t km_console_clock(void) {
  return GetTickCount();
}

/* On time-out nothing else can be relied on: another thread may hold the loader's lock or one of the C library's, for
 * which ExitProcess would wait. */
static DWORD WINAPI watch_over(void *argument) {
  const km_console_watch *watch = argument;
  DWORD written = 0;
  if (WaitForSingleObject(watch->ended, watch->milliseconds) != WAIT_TIMEOUT)
    return 0;
  (void)WriteFile(GetStdHandle(STD_ERROR_HANDLE), watch->message, (DWORD)strlen(watch->message),
                  &written, NULL);
  (void)TerminateProcess(GetCurrentProcess(), (UINT)watch->status);
  return 0;
}

static void release(km_console_watch *watch) {
  if (watch->thread != NULL)
    (void)CloseHandle(watch->thread);
  if (watch->ended != NULL)
    (void)CloseHandle(watch->ended);
  free(watch);
}

km_console_watch *km_console_watch_begin(uint32_t milliseconds, const char *message, int status) {
  km_console_watch *watch = calloc(1, sizeof *watch);
  DWORD id = 0;
  if (watch == NULL)
    return NULL;
  watch->milliseconds = milliseconds;
  watch->message = message;
  watch->status = status;
  watch->ended = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (watch->ended != NULL)
    watch->thread = CreateThread(NULL, STACK_SIZE, watch_over, watch, 0, &id);
  if (watch->thread != NULL)
    return watch;
  release(watch);
  return NULL;
}

void km_console_watch_end(km_console_watch *watch) {
  (void)SetEvent(watch->ended);
  (void)WaitForSingleObject(watch->thread, INFINITE);
  release(watch);
}
