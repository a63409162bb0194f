/* lookup.c: Windows paths beneath a volume's root, ignoring case and never leaving it. */
#include "lookup.h"

#include "path.h"
#include "posix.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KM_OVERLAY_MAGIC 0x794c7630

/* ---- One component ---- */

static bool is_odd(uint32_t type) {
  return type != S_IFREG && type != S_IFDIR && type != S_IFLNK;
}

/* Whether `inner`, found in the folder `fd`, lies on another file system. Overlay file systems give
 * files another device number than folders. */
static bool crosses(int fd, const struct stat *inner) {
  struct stat outer;
  struct statfs fs;
  if (fstat(fd, &outer) != 0) {
    return true;
  }
  if (outer.st_dev == inner->st_dev) {
    return false;
  }
  return S_ISDIR(inner->st_mode) || fstatfs(fd, &fs) != 0 || fs.f_type != KM_OVERLAY_MAGIC;
}

/* Looks at a component: an O_PATH descriptor and its stat. openat2 makes the kernel refuse mount
 * points; an equal check stands in for it on kernels and in sandboxes without it. */
static int look(km_offline *offline, int fd, const char *name, int *out, struct stat *stat_out) {
  const uint64_t flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  struct open_how how = {.flags = flags,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                                    RESOLVE_NO_XDEV};
  int found = -1;
  if (!offline->plain_walk) {
    found = (int)syscall(SYS_openat2, fd, name, &how, sizeof how);
    if (found < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG)) {
      offline->plain_walk = true;
    } else if (found < 0) {
      return errno;
    }
  }
  if (found < 0) {
    found = openat(fd, name, (int)flags);
    if (found < 0) {
      return errno;
    }
  }
  int number = fstat(found, stat_out) != 0 ? errno : 0;
  if (!number && offline->plain_walk && crosses(fd, stat_out)) {
    number = EXDEV;
  }
  if (number) {
    close(found);
    return number;
  }
  *out = found;
  return 0;
}

int km_lookup_open(km_offline *offline, km_volume *volume, int fd, const char *name, int flags,
                   int *out, km_lookup_what *what) {
  struct stat seen, opened;
  int path_fd;
  if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")) {
    return EXDEV;
  }
  int number = look(offline, fd, name, &path_fd, &seen);
  if (number) {
    return number;
  }
  if (what) {
    *what = (km_lookup_what){seen.st_mode & S_IFMT, seen.st_dev, seen.st_ino};
  }
  if (S_ISLNK(seen.st_mode)) {
    number = ELOOP;
  } else if (is_odd(seen.st_mode & S_IFMT)) {
    number = ENXIO;
  } else if ((flags & O_DIRECTORY) && !S_ISDIR(seen.st_mode)) {
    number = ENOTDIR;
  }
  if (number || (flags & O_PATH)) {
    if (number) {
      close(path_fd);
    } else {
      *out = path_fd;
    }
    return number;
  }
  /* The second open is by name again (a sandbox may lack /proc), so check that it is the same file;
   * while path_fd is open its inode number cannot be given away. */
  *out = km_posix_open(volume, fd, name, flags);
  number = *out < 0 ? errno : 0;
  if (!number &&
      (fstat(*out, &opened) != 0 || opened.st_dev != seen.st_dev || opened.st_ino != seen.st_ino)) {
    close(*out);
    number = ESTALE;
  }
  close(path_fd);
  return number;
}

/* Reads the folder for names that fold to `folded`. */
static int search_folder(DIR *folder, const char *folded, char *found, char *second) {
  char buffer[KM_MAX_NAME];
  size_t budget = KM_MAX_FOLDER_NAMES;
  bool any = false;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) {
      return errno ? errno : any ? 0 : ENOENT;
    }
    if (budget-- == 0) {
      return E2BIG;
    }
    size_t length = strlen(entry->d_name);
    if (length >= KM_MAX_NAME) {
      continue;
    }
    km_fold_text(entry->d_name, length, buffer, sizeof buffer);
    if (strcmp(buffer, folded) != 0) {
      continue;
    }
    memcpy(any ? second : found, entry->d_name, length + 1);
    if (any) {
      return EEXIST;
    }
    any = true;
  }
}

int km_lookup_name(km_offline *offline, km_volume *volume, int fd, const char *name, char *found,
                   char *second) {
  char folded[KM_MAX_NAME];
  struct stat seen;
  int path_fd;
  size_t length = strlen(name);
  if (length >= KM_MAX_NAME) {
    return ENAMETOOLONG;
  }
  int number = look(offline, fd, name, &path_fd, &seen);
  if (number == 0) {
    close(path_fd);
  }
  if (number != ENOENT) {
    memcpy(found, name, length + 1);
    return number;
  }
  km_fold_text(name, length, folded, sizeof folded);
  int list_fd = km_posix_open(volume, fd, ".", O_RDONLY | O_DIRECTORY);
  if (list_fd < 0) {
    return errno;
  }
  DIR *folder = fdopendir(list_fd);
  if (!folder) {
    number = errno;
    close(list_fd);
    return number;
  }
  number = search_folder(folder, folded, found, second);
  closedir(folder);
  return number;
}

/* ---- Paths ---- */

km_status km_disk_check_name(const char *name, km_error *error) {
  char shown[128];
  size_t length = name ? strnlen(name, KM_MAX_NAME) : 0;
  if (length > 0 && length < KM_MAX_NAME && !strpbrk(name, "/\\") && strcmp(name, ".") != 0 &&
      strcmp(name, "..") != 0) {
    return KM_OK;
  }
  km_escape(name ? name : "", length, shown, sizeof shown);
  return km_fail(error, KM_MISUSE, 0, "\"%s\" is not the name of a file in a folder", shown);
}

static const char *outside_reason(int number, const km_lookup_what *what) {
  switch (number) {
  case ELOOP:
    return what->type == S_IFLNK ? "is a symbolic link or reparse point, and keymend follows none"
                                 : "cannot be reached without following a link";
  case EXDEV:
    return "is a mount point, and keymend stays on the volume's own file system";
  case ENXIO:
    return "is a device, socket or pipe";
  default:
    return NULL;
  }
}

/* Fails for the component `name` of `path`. */
static km_status fail_component(km_error *error, int number, const char *path, const char *name,
                                const char *second, const km_lookup_what *what) {
  char problem[512], shown[160], other[160];
  km_escape(name, strlen(name), shown, sizeof shown);
  const char *reason = outside_reason(number, what);
  if (reason) {
    snprintf(problem, sizeof problem, "\"%s\" %s", shown, reason);
    return km_path_fail(error, KM_OUTSIDE, number, path, problem);
  }
  if (number == EEXIST) {
    km_escape(second, strlen(second), other, sizeof other);
    snprintf(problem, sizeof problem,
             "the names \"%s\" and \"%s\" differ in case alone; remove or rename the wrong one",
             shown, other);
    return km_path_fail(error, KM_REFUSED, 0, path, problem);
  }
  if (number == E2BIG) {
    snprintf(problem, sizeof problem, "the folder in which \"%s\" is looked for has too many names",
             shown);
    return km_path_fail(error, KM_LIMIT, 0, path, problem);
  }
  if (number == ESTALE) {
    snprintf(problem, sizeof problem, "\"%s\" was replaced meanwhile; try again", shown);
    return km_path_fail(error, KM_BUSY, number, path, problem);
  }
  return km_posix_fail(error, number, "look up", path, NULL);
}

/* Opens component by component; *fd is the caller's. */
static km_status walk(km_offline *offline, km_volume *volume, const char *path, char **parts,
                      size_t count, int *fd, km_error *error) {
  char found[KM_MAX_NAME], second[KM_MAX_NAME];
  int here = km_posix_open(volume, volume->fd, ".", O_RDONLY | O_DIRECTORY);
  if (here < 0) {
    return km_posix_fail(error, errno, "look up", path, NULL);
  }
  for (size_t i = 0; i < count; i++) {
    km_lookup_what what = {0};
    int next = -1;
    found[0] = second[0] = 0;
    int number = km_lookup_name(offline, volume, here, parts[i], found, second);
    if (!number) {
      int flags = i + 1 < count ? O_PATH | O_DIRECTORY : O_RDONLY;
      number = km_lookup_open(offline, volume, here, found, flags, &next, &what);
    }
    close(here);
    if (number) {
      return fail_component(error, number, path, *found ? found : parts[i], second, &what);
    }
    here = next;
  }
  *fd = here;
  return KM_OK;
}

static km_status resolve(km_offline *offline, const char *path, km_volume **volume, int *fd,
                         km_error *error) {
  km_path taken;
  *fd = -1;
  km_status status = km_path_take(offline, path, &taken, error);
  if (!status) {
    *volume = taken.volume;
    status = walk(offline, taken.volume, path, taken.parts, taken.count, fd, error);
  }
  km_path_free(&taken);
  return status;
}

km_status km_offline_resolve(km_offline *offline, const char *windows_path, int *fd,
                             km_error *error) {
  km_volume *volume;
  return resolve(offline, windows_path, &volume, fd, error);
}

km_status km_lookup_folder(km_offline *offline, const char *path, km_volume **volume, int *fd,
                           km_error *error) {
  struct stat seen;
  km_status status = resolve(offline, path, volume, fd, error);
  if (status) {
    return status;
  }
  if (fstat(*fd, &seen) == 0 && S_ISDIR(seen.st_mode)) {
    return KM_OK;
  }
  close(*fd);
  *fd = -1;
  return km_path_fail(error, KM_NOT_FOUND, ENOTDIR, path, "it is not a folder");
}
