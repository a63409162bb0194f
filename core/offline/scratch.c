/* scratch.c: temporary folders on POSIX systems */
#include "scratch.h"
#include "posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICKS_A_SECOND INT64_C(10000000)

km_status km_scratch_begin(char path[KM_MAX_CONSOLE_PATH], km_error *error) {
  const char *base = getenv("TMPDIR");
  if (base == NULL || base[0] != '/')
    base = "/tmp";
  int length = snprintf(path, KM_MAX_CONSOLE_PATH, "%s/keymend-XXXXXX", base);
  if (length < 0 || length >= KM_MAX_CONSOLE_PATH)
    return km_fail(error, KM_LIMIT, 0, "make %s: the path is too long; set TMPDIR to another",
                   base);
  return mkdtemp(path) != NULL ? KM_OK
                               : km_posix_fail(error, errno, "make a folder in", base, NULL);
}

km_status km_scratch_look(const char *path, km_scratch_state *state, km_error *error) {
  *state = KM_SCRATCH_TAKEN;
  DIR *folder = opendir(path);
  if (folder == NULL) {
    int number = errno;
    if (number == ENOENT)
      *state = KM_SCRATCH_FREE;
    return number == ENOENT || number == ENOTDIR
               ? KM_OK
               : km_posix_fail(error, number, "look at", path, NULL);
  }
  const struct dirent *entry;
  bool found = false;
  errno = 0;
  while (!found && (entry = readdir(folder)) != NULL)
    found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  int number = found ? 0 : errno;
  (void)closedir(folder);
  if (number != 0)
    return km_posix_fail(error, number, "list", path, NULL);
  *state = found ? KM_SCRATCH_TAKEN : KM_SCRATCH_EMPTY;
  return KM_OK;
}

km_status km_scratch_folder(const char *path, km_error *error) {
  return mkdir(path, 0700) == 0 ? KM_OK : km_posix_fail(error, errno, "make", path, NULL);
}

static int write_all(int file, const char *data, size_t size, km_time written) {
  while (size > 0) {
    ssize_t done = write(file, data, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return done < 0 ? errno : EIO;
    data += done;
    size -= (size_t)done;
  }
  if (written == 0)
    return 0;
  struct timespec time;
  memset(&time, 0, sizeof time);
  time.tv_sec = (time_t)((written - KM_TIME_1970) / TICKS_A_SECOND);
  time.tv_nsec = (long)((written - KM_TIME_1970) % TICKS_A_SECOND) * 100;
  struct timespec times[2] = {time, time};
  return futimens(file, times) == 0 ? 0 : errno;
}

km_status km_scratch_file(const char *path, const char *data, size_t size, km_time written,
                          km_error *error) {
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0)
    return km_posix_fail(error, errno, "make", path, NULL);
  int number = write_all(file, data, size, written);
  if (close(file) != 0 && number == 0)
    number = errno;
  return number == 0 ? KM_OK : km_posix_fail(error, number, "write", path, NULL);
}

km_status km_scratch_remove(const char *path, km_error *error) {
  return remove(path) == 0 ? KM_OK : km_posix_fail(error, errno, "remove", path, NULL);
}
