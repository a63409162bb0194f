/* posix.c: errno as a km_error, for the rooms of the offline backend. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

typedef struct km_errno_row {
  int number;
  km_status status;
  const char *advice;
} km_errno_row;

static const km_errno_row errno_rows[] = {
    {ENOENT, KM_NOT_FOUND, ""},
    {ENOTDIR, KM_NOT_FOUND, ""},
    {EEXIST, KM_EXISTS, ""},
    {ENOTEMPTY, KM_EXISTS, ""},
    {EACCES, KM_ACCESS, "; run keymend as root or as the owner of the volume"},
    {EPERM, KM_ACCESS, "; run keymend as root, and check that nothing on the way is immutable"},
    {ENOSPC, KM_NO_SPACE, "; free some space on the volume"},
    {EDQUOT, KM_NO_SPACE, "; raise the quota"},
    {EROFS, KM_READ_ONLY, "; mount the volume read-write"},
    {ELOOP, KM_OUTSIDE, "; keymend follows no links and no reparse points"},
    {EXDEV, KM_OUTSIDE, "; keymend stays on the volume's own file system"},
    {ENOMEM, KM_MEMORY, ""},
    {EBUSY, KM_BUSY, "; try again when nothing else uses it"},
    {ETXTBSY, KM_BUSY, "; try again when nothing else uses it"},
    {EWOULDBLOCK, KM_BUSY, "; try again when nothing else uses it"},
    {ENAMETOOLONG, KM_LIMIT, ""},
    {EMFILE, KM_LIMIT, "; raise the limit of open files"},
    {ENFILE, KM_LIMIT, "; raise the limit of open files"},
    {EFBIG, KM_LIMIT, ""},
    {ENOSYS, KM_UNSUPPORTED, ""},
    {EOPNOTSUPP, KM_UNSUPPORTED, ""},
    {EIO, KM_IO, "; check the disk, then try again"},
};

static const km_errno_row *find_row(int number) {
  for (size_t i = 0; i < sizeof errno_rows / sizeof *errno_rows; i++) {
    if (errno_rows[i].number == number) {
      return &errno_rows[i];
    }
  }
  return NULL;
}

km_status km_posix_fail(km_error *error, int number, const char *operation, const char *folder,
                        const char *name) {
  const km_errno_row *row = find_row(number);
  char words[128];
  char shown[KM_MAX_NAME / 2];
  size_t end = folder ? strlen(folder) : 0;
  const char *separator = !name || !end || folder[end - 1] == '\\' ? "" : "\\";
  km_escape(name ? name : "", name ? strlen(name) : 0, shown, sizeof shown);
  return km_fail(error, row ? row->status : KM_IO, number, "%s %s%s%s: %s%s", operation,
                 folder ? folder : "", separator, shown, strerror_r(number, words, sizeof words),
                 row ? row->advice : "");
}

int km_posix_open(km_volume *volume, int fd, const char *name, int flags) {
  int quiet = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  int out = openat(fd, name, quiet | O_NOATIME);
  if (out < 0 && errno == EPERM) {
    out = openat(fd, name, quiet);
    if (out >= 0 && volume) {
      volume->loud = true;
    }
  }
  return out;
}

km_time km_posix_time(int64_t seconds, uint32_t nanoseconds) {
  return seconds == 0 && nanoseconds == 0 ? KM_TIME_1970 : km_time_from_unix(seconds, nanoseconds);
}
