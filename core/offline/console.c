/* console.c: terminal, user and machine on POSIX systems */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define MIN_WIDTH 20
#define MAX_WIDTH 1000

bool km_console_is_terminal(int stream) {
  return stream >= 0 && stream <= 2 && isatty(stream) == 1;
}

static unsigned width_of_environment(void) {
  const char *columns = getenv("COLUMNS");
  if (columns == NULL)
    return DEFAULT_WIDTH;
  char *end = NULL;
  unsigned long width = strtoul(columns, &end, 10);
  return end != columns && *end == '\0' && width <= MAX_WIDTH ? (unsigned)width : DEFAULT_WIDTH;
}

unsigned km_console_width(void) {
  struct winsize size;
  unsigned width = 0;
  if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    width = size.ws_col;
  if (width == 0)
    width = width_of_environment();
  if (width < MIN_WIDTH)
    return MIN_WIDTH;
  return width > MAX_WIDTH ? MAX_WIDTH : width;
}

const char *km_console_host(char name[KM_MAX_HOST]) {
  if (gethostname(name, KM_MAX_HOST) != 0)
    name[0] = '\0';
  name[KM_MAX_HOST - 1] = '\0'; /* POSIX leaves open whether a cut name ends with NUL */
  return name;
}

bool km_console_is_root(void) {
  return geteuid() == 0;
}

/* Makes every folder that leads to `path`; new ones are the user's alone. */
static bool make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made)
      return false;
  }
  return true;
}

bool km_console_history(char path[KM_MAX_CONSOLE_PATH]) {
  const char *base = getenv("XDG_STATE_HOME"), *below = "";
  if (base == NULL || base[0] != '/') {
    base = getenv("HOME");
    below = "/.local/state";
  }
  if (base == NULL || base[0] != '/')
    return false;
  int length = snprintf(path, KM_MAX_CONSOLE_PATH, "%s%s/keymend/history", base, below);
  if (length < 0 || length >= KM_MAX_CONSOLE_PATH || !make_folders(path))
    return false;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (file < 0)
    return false;
  struct stat info;
  bool usable = fstat(file, &info) == 0 && S_ISREG(info.st_mode) && fchmod(file, 0600) == 0;
  close(file);
  return usable;
}
