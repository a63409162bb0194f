/* trust.c: files whose text is acted on, by POSIX owners and modes */
#include "console.h"
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40        /* on one path; what Linux itself follows */
#define MAX_COMPONENTS 1000 /* of one path, links resolved */
#define OTHERS_WRITE 0022u
#define FIRST_READ 4096u

/* ---- Who may change it ---- */

static bool is_owner_trusted(const struct stat *info) {
  return info->st_uid == 0 || info->st_uid == geteuid();
}

/* KM_REFUSED with what has to be done. `what`: "the file", "the folder", "the link". */
static km_status refuse(km_error *error, const char *asked, const char *what, const char *at,
                        const char *who) {
  char shown[KM_MAX_MESSAGE / 4], named[KM_MAX_MESSAGE / 4];
  km_escape(asked, strlen(asked), named, sizeof named);
  km_escape(at, strlen(at), shown, sizeof shown);
  return km_fail(error, KM_REFUSED, 0,
                 "%s is not used with root's rights: %s %s %s. Give it to root and take the write "
                 "permission of others away, or vouch for the file: --trust-file %s",
                 named, what, shown, who, named);
}

/* KM_REFUSED for a device, a FIFO or a folder. */
static km_status no_file(km_error *error, const char *asked) {
  char named[KM_MAX_MESSAGE / 4];
  km_escape(asked, strlen(asked), named, sizeof named);
  return km_fail(error, KM_REFUSED, 0,
                 "%s is not used with root's rights: it is no ordinary file. Put the text into one",
                 named);
}

/* Refuses what others own or may write to. A folder with the sticky bit lets everybody create files, but only their
 * owners rename and remove them: *shared. */
static km_status judge(const struct stat *info, const char *asked, const char *at, bool *shared,
                       km_error *error) {
  char who[80];
  bool folder = S_ISDIR(info->st_mode);
  const char *what = folder ? "the folder" : S_ISLNK(info->st_mode) ? "the link" : "the file";
  unsigned mode = (unsigned)info->st_mode;
  if (!is_owner_trusted(info)) {
    snprintf(who, sizeof who, "belongs to the user %lu", (unsigned long)info->st_uid);
    return refuse(error, asked, what, at, who);
  }
  *shared = folder && (mode & OTHERS_WRITE) != 0 && (mode & S_ISVTX) != 0;
  if (S_ISLNK(info->st_mode) || *shared || (mode & OTHERS_WRITE) == 0)
    return KM_OK;
  if ((mode & S_IWOTH) != 0)
    snprintf(who, sizeof who, "may be written by everybody (mode %04o)", mode & 07777u);
  else
    snprintf(who, sizeof who, "may be written by the group %lu (mode %04o)",
             (unsigned long)info->st_gid, mode & 07777u);
  return refuse(error, asked, what, at, who);
}

/* ---- The walk ---- */

/* A path taken component by component, each relative to the open folder above it, so that nobody can put another folder
 * in place of one that was judged. */
typedef struct walk {
  const char *asked;
  int folder;                         /* what was reached */
  char at[KM_MAX_CONSOLE_PATH];       /* its path, without links */
  char rest[2 * KM_MAX_CONSOLE_PATH]; /* what is still to go */
  bool shared;                        /* everybody may create files in the folder */
  unsigned links, components;
} walk;

static km_status too_long(const walk *way, km_error *error) {
  return km_posix_fail(error, ENAMETOOLONG, "read", way->asked, NULL);
}

static km_status enter(walk *way, int folder, km_error *error) {
  struct stat info;
  if (way->folder >= 0)
    close(way->folder);
  way->folder = folder;
  if (folder < 0 || fstat(folder, &info) != 0)
    return km_posix_fail(error, errno, "open the folder", way->at, NULL);
  return judge(&info, way->asked, way->at, &way->shared, error);
}

static km_status enter_root(walk *way, km_error *error) {
  memcpy(way->at, "/", 2);
  return enter(way, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), error);
}

/* Puts `text` before what is still to go. */
static bool put_before(walk *way, const char *text) {
  size_t length = strlen(text), rest = strlen(way->rest);
  if (length + 1 + rest >= sizeof way->rest)
    return false;
  memmove(way->rest + length + 1, way->rest, rest + 1);
  memcpy(way->rest, text, length);
  way->rest[length] = '/';
  return true;
}

static km_status follow(walk *way, const char *name, km_error *error) {
  char target[KM_MAX_CONSOLE_PATH];
  ssize_t length = readlinkat(way->folder, name, target, sizeof target);
  if (length < 0)
    return km_posix_fail(error, errno, "read", way->asked, NULL);
  if ((size_t)length == sizeof target)
    return too_long(way, error);
  target[length] = '\0';
  if (++way->links > MAX_LINKS)
    return km_posix_fail(error, ELOOP, "read", way->asked, NULL);
  if (!put_before(way, target))
    return too_long(way, error);
  return target[0] == '/' ? enter_root(way, error) : KM_OK;
}

/* Takes the next component; false at the end. "" and "." are passed over. */
static bool take(walk *way, char name[NAME_MAX + 1]) {
  for (;;) {
    char *rest = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(rest, "/");
    if (length == 0 || length > NAME_MAX)
      return false;
    memcpy(name, rest, length);
    name[length] = '\0';
    memmove(way->rest, rest + length, strlen(rest + length) + 1);
    if (strcmp(name, ".") != 0)
      return true;
  }
}

/* Changes way->at as the component does. */
static bool append(walk *way, const char *name) {
  size_t length = strlen(way->at);
  if (strcmp(name, "..") == 0) {
    char *slash = strrchr(way->at, '/');
    slash[slash == way->at] = '\0';
    return true;
  }
  const char *separator = length == 1 ? "" : "/";
  int added = snprintf(way->at + length, sizeof way->at - length, "%s%s", separator, name);
  return added > 0 && (size_t)added < sizeof way->at - length;
}

/* Opens the file that was reached; *fd is the caller's. */
static km_status open_file(walk *way, const char *name, int *fd, km_error *error) {
  struct stat info;
  bool shared;
  *fd = openat(way->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (*fd < 0 || fstat(*fd, &info) != 0)
    return km_posix_fail(error, errno, "read", way->asked, NULL);
  if (!S_ISREG(info.st_mode))
    return no_file(error, way->asked);
  return judge(&info, way->asked, way->at, &shared, error);
}

/* One component: a folder is entered, a link followed, a file opened. */
static km_status step(walk *way, const char *name, int *fd, km_error *error) {
  struct stat info;
  bool ignored;
  if (fstatat(way->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    return km_posix_fail(error, errno, "read", way->asked, NULL);
  if (S_ISLNK(info.st_mode)) {
    km_status status = way->shared ? judge(&info, way->asked, name, &ignored, error) : KM_OK;
    return status == KM_OK ? follow(way, name, error) : status;
  }
  if (!append(way, name))
    return too_long(way, error);
  if (!S_ISDIR(info.st_mode) && way->rest[strspn(way->rest, "/")] == '\0')
    return open_file(way, name, fd, error);
  return enter(way, openat(way->folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
               error);
}

/* Opens a file that only root and the caller can change; *fd, which may be set on failure too, is the caller's. */
static km_status open_trusted(const char *path, int *fd, km_error *error) {
  char name[NAME_MAX + 1];
  walk way = {.asked = path, .folder = -1};
  if (path[0] != '/' && getcwd(way.rest, KM_MAX_CONSOLE_PATH) == NULL)
    return km_posix_fail(error, errno, "read", path, NULL);
  size_t length = strlen(way.rest);
  if (length + 1 + strlen(path) >= sizeof way.rest)
    return too_long(&way, error);
  snprintf(way.rest + length, sizeof way.rest - length, "/%s", path);
  km_status status = enter_root(&way, error);
  while (status == KM_OK && *fd < 0) {
    if (++way.components > MAX_COMPONENTS || !take(&way, name)) {
      bool folder = way.rest[strspn(way.rest, "/")] == '\0';
      status = km_posix_fail(error, folder ? EISDIR : ENAMETOOLONG, "read", path, NULL);
    } else {
      status = step(&way, name, fd, error);
    }
  }
  if (way.folder >= 0)
    close(way.folder);
  return status;
}

/* ---- Reading ---- */

/* The index of the trusted path that names the open file, or -1. */
static int vouched(int fd, const char *const *trusted, size_t count) {
  struct stat file, other;
  if (fstat(fd, &file) != 0)
    return -1;
  for (size_t i = 0; i < count; i++) {
    if (stat(trusted[i], &other) == 0 && other.st_dev == file.st_dev && other.st_ino == file.st_ino)
      return (int)i;
  }
  return -1;
}

static ssize_t read_some(int fd, char *text, size_t size) {
  ssize_t got;
  do
    got = read(fd, text, size);
  while (got < 0 && errno == EINTR);
  return got;
}

/* One byte more than fits is asked for, so that it shows whether there is more. */
static km_status read_whole(int fd, const char *path, size_t max, char **data, size_t *size,
                            km_error *error) {
  size_t room = FIRST_READ < max ? FIRST_READ : max, length = 0;
  char *text = malloc(room + 2);
  ssize_t got = text != NULL ? 1 : -1;
  while (got > 0 && length <= max) {
    if (length > room) {
      room = room > max / 2 ? max : 2 * room;
      char *larger = realloc(text, room + 2);
      if (larger == NULL) {
        got = -1;
        break;
      }
      text = larger;
    }
    got = read_some(fd, text + length, room + 1 - length);
    length += got > 0 ? (size_t)got : 0;
  }
  km_status status = KM_OK;
  if (got < 0)
    status = km_posix_fail(error, errno, "read", path, NULL);
  else if (length > max)
    status = km_fail(error, KM_LIMIT, 0, "read %s: it has more than %lu bytes", path,
                     (unsigned long)max);
  if (status != KM_OK || text == NULL) {
    free(text);
    return status;
  }
  text[length] = '\0';
  *data = text;
  *size = length;
  return KM_OK;
}

km_status km_console_read_trusted(const char *path, size_t max, const char *const *trusted,
                                  size_t count, char **data, size_t *size, int *needed,
                                  km_error *error) {
  int fd = -1, index = -1;
  km_status status = KM_OK;
  if (km_console_is_root())
    status = open_trusted(path, &fd, error);
  else if ((fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC)) < 0)
    status = km_posix_fail(error, errno, "read", path, NULL);
  if (status == KM_REFUSED && count > 0) {
    int asked = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    index = asked >= 0 ? vouched(asked, trusted, count) : -1;
    if (index >= 0) {
      if (fd >= 0)
        close(fd);
      fd = asked;
      status = KM_OK;
    } else if (asked >= 0) {
      close(asked);
    }
  }
  if (status == KM_OK && data != NULL)
    status = read_whole(fd, path, max, data, size, error);
  if (fd >= 0)
    close(fd);
  if (needed != NULL)
    *needed = status == KM_OK ? index : -1;
  return status;
}
