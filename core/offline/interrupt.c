/* interrupt.c: interruptions while a target is changed, by signals */
#include "console.h"

#include <signal.h>

typedef void (*handler)(int number);

static volatile int *raised;
static unsigned depth; /* of guards */

static void on_interrupt(int number) {
  (void)signal(number, on_interrupt); /* some systems take a handler away once it was called */
  *raised = 1;
}

/* The signals that are caught, and one that is only kept from ending the process in mid-change: a progress
 * function may print into a pipe that nobody reads any more. */
static const struct {
  int number;
  handler handle;
} guarded[] = {
    {SIGINT, on_interrupt},
    {SIGTERM, on_interrupt},
    {SIGHUP, on_interrupt},
    {SIGPIPE, SIG_IGN},
};

#define GUARDED_COUNT (sizeof guarded / sizeof guarded[0])

static handler previous[GUARDED_COUNT];

void km_console_guard_begin(volatile int *flag) {
  if (depth++ > 0)
    return;
  raised = flag;
  *flag = 0;
  for (size_t i = 0; i < GUARDED_COUNT; i++) {
    previous[i] = signal(guarded[i].number, guarded[i].handle);
    if (previous[i] == SIG_IGN) /* nohup and its like decide */
      (void)signal(guarded[i].number, SIG_IGN);
  }
}

void km_console_guard_end(void) {
  if (--depth > 0)
    return;
  for (size_t i = 0; i < GUARDED_COUNT; i++) {
    if (previous[i] != SIG_ERR)
      (void)signal(guarded[i].number, previous[i]);
  }
}

void km_console_on_break(handler call) {
  struct sigaction action = {0}; /* without SA_RESTART */
  action.sa_handler = call;
  sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, NULL);
}
