/* watchdog.c: a clock, and a watchdog that ends the process, on POSIX systems */
#include "console.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct km_console_watch {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct timespec until; /* CLOCK_MONOTONIC */
  const char *message;
  int status;
  bool ended;
};

uint32_t km_console_clock(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void *watch_over(void *argument) {
  km_console_watch *watch = argument;
  int result = 0;
  pthread_mutex_lock(&watch->lock);
  while (!watch->ended && result == 0)
    result = pthread_cond_timedwait(&watch->changed, &watch->lock, &watch->until);
  bool late = !watch->ended;
  pthread_mutex_unlock(&watch->lock);
  if (late) { /* nothing else can be relied on: another thread may hold any lock of the C library */
    ssize_t written = write(STDERR_FILENO, watch->message, strlen(watch->message));
    (void)written;
    _exit(watch->status);
  }
  return NULL;
}

static bool prepare(km_console_watch *watch) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0)
    return false;
  bool fine = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&watch->changed, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  if (fine && pthread_mutex_init(&watch->lock, NULL) != 0) {
    pthread_cond_destroy(&watch->changed);
    fine = false;
  }
  return fine;
}

/* Signals stay with the threads that were there. */
static bool start(km_console_watch *watch) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
    return false;
  bool fine = pthread_create(&watch->thread, NULL, watch_over, watch) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return fine;
}

static void release(km_console_watch *watch) {
  pthread_cond_destroy(&watch->changed);
  pthread_mutex_destroy(&watch->lock);
  free(watch);
}

km_console_watch *km_console_watch_begin(uint32_t milliseconds, const char *message, int status) {
  km_console_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL)
    return NULL;
  if (!prepare(watch)) {
    free(watch);
    return NULL;
  }
  clock_gettime(CLOCK_MONOTONIC, &watch->until);
  long nanoseconds = watch->until.tv_nsec + (long)(milliseconds % 1000) * 1000000;
  watch->until.tv_sec += (time_t)(milliseconds / 1000) + nanoseconds / 1000000000;
  watch->until.tv_nsec = nanoseconds % 1000000000;
  watch->message = message;
  watch->status = status;
  if (start(watch))
    return watch;
  release(watch);
  return NULL;
}

void km_console_watch_end(km_console_watch *watch) {
  pthread_mutex_lock(&watch->lock);
  watch->ended = true;
  pthread_cond_signal(&watch->changed);
  pthread_mutex_unlock(&watch->lock);
  pthread_join(watch->thread, NULL);
  release(watch);
}
