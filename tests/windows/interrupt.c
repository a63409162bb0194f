/* interrupt.c: presses Ctrl-C: every process on this console gets it but this one
 *
 *   interrupt     0 when the console took it
 */
#include <windows.h>

int main(void) {
  if (!SetConsoleCtrlHandler(NULL, TRUE) || !GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0))
    return 1;
  Sleep(500); /* the handlers of the others run in threads of their own */
  return 0;
}
