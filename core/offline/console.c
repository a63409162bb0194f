/* console.c: terminal, user and machine on POSIX systems */
#include "console.h"
#include "posix.h"

#include <dirent.h>
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

#define POLICIES_FOLDER "/etc/keymend/policies/"

/* NOLINTNEXTLINE(readability-non-const-parameter): Windows changes them. */
void km_console_start(int *count, char ***texts) {
  (void)count;
  (void)texts;
}

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

bool km_console_colour(void) {
  return isatty(STDOUT_FILENO) == 1;
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

const char *km_console_policies_folder(char path[KM_MAX_CONSOLE_PATH]) {
  memcpy(path, POLICIES_FOLDER, sizeof POLICIES_FOLDER);
  return path;
}

static bool ends_with(const char *name, const char *suffix) {
  size_t length = strlen(name), wanted = strlen(suffix);
  return length > wanted && strcmp(name + length - wanted, suffix) == 0;
}

km_status km_console_list(const char *folder, const char *suffix,
                          bool (*each)(void *user, const char *name), void *user, km_error *error) {
  DIR *listing = opendir(folder);
  if (listing == NULL)
    return errno == ENOENT ? KM_OK : km_posix_fail(error, errno, "list", folder, NULL);
  struct dirent *entry;
  struct stat info;
  bool more = true;
  while (more && (entry = readdir(listing)) != NULL) {
    if (ends_with(entry->d_name, suffix) && fstatat(dirfd(listing), entry->d_name, &info, 0) == 0 &&
        S_ISREG(info.st_mode))
      more = each(user, entry->d_name);
  }
  closedir(listing);
  return KM_OK;
}

/* ---- Saving a file ---- */

/* Whether the folder of `path` is one of `folders` or lies below; also where it is mounted twice. */
static bool is_below(const char *path, const char *const *folders, size_t count) {
  char at[KM_MAX_CONSOLE_PATH + sizeof "/.."];
  struct stat here, before = {0}, folder;
  const char *slash = strrchr(path, '/');
  int length = slash == NULL ? snprintf(at, sizeof at, ".")
                             : snprintf(at, sizeof at, "%.*s/", (int)(slash - path), path);
  /* ".." of the root is the root itself, which ends the walk. */
  while (length > 0 && (size_t)length < sizeof at - sizeof "/.." && stat(at, &here) == 0 &&
         (here.st_dev != before.st_dev || here.st_ino != before.st_ino)) {
    for (size_t i = 0; i < count; i++) {
      if (stat(folders[i], &folder) == 0 && folder.st_dev == here.st_dev &&
          folder.st_ino == here.st_ino)
        return true;
    }
    before = here;
    length += snprintf(at + length, sizeof at - (size_t)length, "/..");
  }
  return false;
}

static bool write_whole(int file, const char *data, size_t size) {
  while (size > 0) {
    ssize_t done = write(file, data, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    data += done;
    size -= (size_t)done;
  }
  return fsync(file) == 0;
}

km_status km_console_save(const char *path, const char *data, size_t size,
                          const char *const *folders, size_t count, km_error *error) {
  char beside[KM_MAX_CONSOLE_PATH];
  struct stat info;
  if (is_below(path, folders, count))
    return km_fail(
        error, KM_REFUSED, 0,
        "save %s: it lies on the target's own volume, which is only read; save it elsewhere", path);
  if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode))
    return km_fail(error, KM_REFUSED, 0,
                   "save %s: it is there and no ordinary file; give another name", path);
  int length = snprintf(beside, sizeof beside, "%s.new-%ld", path, (long)getpid());
  if (length < 0 || (size_t)length >= sizeof beside)
    return km_fail(error, KM_LIMIT, 0, "save %s: the path is too long", path);
  int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0)
    return km_posix_fail(error, errno, "save", path, NULL);
  int number = write_whole(file, data, size) ? 0 : errno;
  if (close(file) != 0 && number == 0)
    number = errno;
  if (number == 0 && rename(beside, path) != 0)
    number = errno;
  if (number == 0)
    return KM_OK;
  unlink(beside);
  return km_posix_fail(error, number, "save", path, NULL);
}
