/* write.c: the offline backend's writing operations. Only plain libc calls change anything, so that
 * the crash tests can intercept every one of them by name. */
#include "lookup.h"
#include "ntfs.h"
#include "posix.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536
#define KM_MAX_COPY (64u << 20) /* bytes of a file that is copied into the vault */
#define PRIVATE_MODE 0700

/* Nobody keeps a file from being opened or renamed here. */
void km_disk_patience(unsigned seconds) {
  (void)seconds;
}

/* ---- Lock ---- */

km_status km_offline_lock(km_target *target, km_folder *store, km_error *error) {
  km_offline *offline = target->state;
  if (offline->lock >= 0) {
    return km_fail(error, KM_MISUSE, 0, "lock %s: it is locked already", store->path);
  }
  /* A descriptor of its own: the lock lives as long as this open folder. */
  int fd = km_posix_open(store->volume, store->fd, ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) {
    return km_posix_fail(error, errno, "lock", store->path, NULL);
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    int number = errno;
    close(fd);
    return number == EWOULDBLOCK
               ? km_fail(error, KM_BUSY, number,
                         "lock %s: another keymend is at work there; wait until it has ended",
                         store->path)
               : km_posix_fail(error, number, "lock", store->path, NULL);
  }
  offline->lock = fd;
  return KM_OK;
}

void km_offline_unlock(km_target *target) {
  km_offline *offline = target->state;
  if (offline->lock >= 0) {
    close(offline->lock);
    offline->lock = -1;
  }
}

/* ---- Meta ---- */

typedef struct open_meta {
  int fd;
  const km_driver *driver;
  const char *folder, *name; /* for messages */
  bool changed;              /* something was set */
} open_meta;

static km_status fail_meta(const open_meta *file, const char *operation, km_error *error) {
  return km_posix_fail(error, errno, operation, file->folder, file->name);
}

static km_status write_ntfs_meta(open_meta *file, const km_file_meta *meta, km_error *error) {
  const char *name = km_driver_descriptor(file->driver);
  uint8_t *descriptor = NULL;
  size_t size = 0;
  uint32_t attributes;
  km_time created, written;
  if (meta->descriptor) {
    bool same = km_ntfs_get_descriptor(file->fd, name, &descriptor, &size) &&
                size == meta->descriptor_size && !memcmp(descriptor, meta->descriptor, size);
    free(descriptor);
    if (!same && !km_ntfs_set_descriptor(file->fd, name, meta->descriptor, meta->descriptor_size)) {
      return fail_meta(file, "set the security descriptor of", error);
    }
    file->changed |= !same;
  }
  if (!km_ntfs_get_attributes(file->fd, &attributes)) {
    return fail_meta(file, "read the attributes of", error);
  }
  uint32_t wanted =
      (attributes & ~KM_ATTRIBUTES_SETTABLE) | (meta->attributes & KM_ATTRIBUTES_SETTABLE);
  bool equal = ((wanted ^ attributes) & KM_ATTRIBUTES_KEPT) == 0;
  if (!equal && !km_ntfs_set_attributes(file->fd, wanted)) {
    return fail_meta(file, "set the attributes of", error);
  }
  file->changed |= !equal;
  if (!km_ntfs_get_times(file->fd, &created, &written)) {
    return fail_meta(file, "read the times of", error);
  }
  km_time wanted_created = meta->created ? meta->created : created;
  if (wanted_created == created && meta->written == written) {
    return KM_OK;
  }
  file->changed = true;
  return km_ntfs_set_times(file->fd, wanted_created, meta->written)
             ? KM_OK
             : fail_meta(file, "set the times of", error);
}

static struct timespec to_timespec(km_time time) {
  km_time ticks = time - KM_TIME_1970;
  km_time seconds = ticks / 10000000 - (ticks % 10000000 < 0);
  return (struct timespec){(time_t)seconds, (long)(ticks - seconds * 10000000) * 100};
}

/* A descriptor tells that a Windows (or NTFS) saw the file: it knew no mode and no user of this system, so the file's
 * own stay. */
static km_status write_mode(open_meta *file, const km_file_meta *meta, km_error *error) {
  struct stat now;
  if (meta->descriptor) {
    return KM_OK;
  }
  if (fstat(file->fd, &now) != 0) {
    return fail_meta(file, "look at", error);
  }
  if (now.st_uid != meta->uid || now.st_gid != meta->gid) {
    file->changed = true;
    if (fchown(file->fd, meta->uid, meta->gid) != 0) {
      return fail_meta(file, "set the owner of", error);
    }
  }
  /* A change of owner may have cleared mode bits. */
  if (fstat(file->fd, &now) != 0) {
    return fail_meta(file, "look at", error);
  }
  if ((now.st_mode & KM_MODE_KEPT) != meta->mode) {
    file->changed = true;
    if (fchmod(file->fd, (now.st_mode & 07777 & ~KM_MODE_KEPT) | meta->mode) != 0) {
      return fail_meta(file, "set the mode of", error);
    }
  }
  return KM_OK;
}

static km_status write_plain_meta(open_meta *file, const km_file_meta *meta, km_error *error) {
  struct stat now;
  km_status status = write_mode(file, meta, error);
  if (status) {
    return status;
  }
  if (fstat(file->fd, &now) != 0) {
    return fail_meta(file, "look at", error);
  }
  if (km_posix_time(now.st_mtim.tv_sec, (uint32_t)now.st_mtim.tv_nsec) != meta->written) {
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, to_timespec(meta->written)};
    file->changed = true;
    if (futimens(file->fd, times) != 0) {
      return fail_meta(file, "set the last-write time of", error);
    }
  }
  return KM_OK;
}

static km_status write_meta(open_meta *file, const km_file_meta *meta, km_error *error) {
  return km_driver_descriptor(file->driver) ? write_ntfs_meta(file, meta, error)
                                            : write_plain_meta(file, meta, error);
}

/* Opens a regular file of a folder; links and odd files are refused. */
static km_status open_regular(km_folder *folder, const char *name, int flags, const char *operation,
                              int *fd, km_error *error) {
  struct stat seen;
  km_status status = km_disk_check_name(name, error);
  if (status) {
    return status;
  }
  int number = km_lookup_open(folder->offline, folder->volume, folder->fd, name, flags, fd, NULL);
  if (!number && (fstat(*fd, &seen) != 0 || !S_ISREG(seen.st_mode))) {
    close(*fd);
    number = EISDIR;
  }
  return number ? km_posix_fail(error, number, operation, folder->path, name) : KM_OK;
}

km_status km_disk_meta_write(km_folder *folder, const char *name, const km_file_meta *meta,
                             km_error *error) {
  int fd;
  km_status status = open_regular(folder, name, O_RDONLY, "set the times of", &fd, error);
  if (status) {
    return status;
  }
  open_meta file = {fd, folder->volume->driver, folder->path, name, false};
  status = write_meta(&file, meta, error);
  if (!status && file.changed && fsync(fd) != 0) {
    status = fail_meta(&file, "flush", error);
  }
  close(fd);
  return status;
}

/* Whether the caller may give files this group. */
static bool in_group(gid_t group) {
  if (group == getegid()) {
    return true;
  }
  int count = getgroups(0, NULL);
  gid_t *groups = count > 0 ? malloc((size_t)count * sizeof *groups) : NULL;
  count = groups ? getgroups(count, groups) : 0;
  bool found = false;
  for (int i = 0; i < count; i++) {
    found |= groups[i] == group;
  }
  free(groups);
  return found;
}

km_status km_disk_meta_settable(km_folder *folder, const char *name, const km_file_meta *meta,
                                km_error *error) {
  if (km_driver_descriptor(folder->volume->driver) || meta->descriptor || geteuid() == 0 ||
      (meta->uid == geteuid() && in_group(meta->gid))) {
    return KM_OK;
  }
  char shown[KM_MAX_NAME / 2];
  km_escape(name, strlen(name), shown, sizeof shown);
  return km_fail(error, KM_ACCESS, EPERM,
                 "write to %s: %s belongs to user id %lu and group id %lu, and you may not give a "
                 "copy of it to them; run as root",
                 folder->path, shown, (unsigned long)meta->uid, (unsigned long)meta->gid);
}

km_status km_disk_folder_flush(km_folder *folder, km_error *error) {
  return fsync(folder->fd) == 0 ? KM_OK : km_posix_fail(error, errno, "flush", folder->path, NULL);
}

/* ---- Private folders ---- */

/* Gives a new folder or file its final protection, before anything is in it. */
static km_status make_private(const open_meta *file, bool folder, km_error *error) {
  uint8_t descriptor[KM_PRIVATE_DESCRIPTOR];
  const char *name = km_driver_descriptor(file->driver);
  if (name) {
    size_t size = km_descriptor_private(folder, descriptor);
    return km_ntfs_set_descriptor(file->fd, name, descriptor, size)
               ? KM_OK
               : fail_meta(file, "set the security descriptor of", error);
  }
  /* mkdir's and open's mode may have met a umask, a setgid parent or a default access list. */
  return fchmod(file->fd, folder ? PRIVATE_MODE : 0600) == 0
             ? KM_OK
             : fail_meta(file, "set the mode of", error);
}

static km_status fail_forged(const open_meta *file, const char *problem, km_error *error) {
  return km_fail(
      error, KM_FORGED, 0,
      "%s\\%s cannot be trusted: %s, so anyone may have made it; look into it, then move it away",
      file->folder, file->name, problem);
}

static km_status check_private(const open_meta *file, km_error *error) {
  const char *name = km_driver_descriptor(file->driver);
  uint8_t *descriptor = NULL;
  size_t size = 0;
  const char *problem;
  char words[96];
  struct stat seen;
  if (name) {
    (void)km_ntfs_get_descriptor(file->fd, name, &descriptor, &size);
    bool is_private = km_descriptor_is_private(descriptor, size, &problem);
    free(descriptor);
    return is_private ? KM_OK : fail_forged(file, problem, error);
  }
  if (fstat(file->fd, &seen) != 0) {
    return fail_meta(file, "look at", error);
  }
  if (seen.st_uid != geteuid()) {
    snprintf(words, sizeof words, "its owner is user id %lu, not %lu who runs keymend",
             (unsigned long)seen.st_uid, (unsigned long)geteuid());
    return fail_forged(file, words, error);
  }
  if ((seen.st_mode & 07777) != PRIVATE_MODE) {
    snprintf(words, sizeof words, "its mode is %04o, not %04o", (unsigned)seen.st_mode & 07777,
             PRIVATE_MODE);
    return fail_forged(file, words, error);
  }
  return KM_OK;
}

/* Makes the folder under a temporary name and opens it. A leftover of an interrupted run that is
 * empty is taken away; where one is in the way that cannot be, another name is taken. */
static km_status make_temporary(km_folder *parent, const char *name, char temporary[KM_MAX_NAME],
                                int *fd, km_error *error) {
  snprintf(temporary, KM_MAX_NAME, "%.960s.new", name);
  (void)unlinkat(parent->fd, temporary, AT_REMOVEDIR);
  int made = mkdirat(parent->fd, temporary, PRIVATE_MODE);
  if (made != 0 && errno == EEXIST) {
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
      return km_posix_fail(error, errno, "make the folder", parent->path, temporary);
    }
    snprintf(temporary, KM_MAX_NAME, "%.960s.new-%08lx", name, (unsigned long)number);
    made = mkdirat(parent->fd, temporary, PRIVATE_MODE);
  }
  if (made != 0) {
    return km_posix_fail(error, errno, "make the folder", parent->path, temporary);
  }
  int number = km_lookup_open(parent->offline, parent->volume, parent->fd, temporary,
                              O_RDONLY | O_DIRECTORY, fd, NULL);
  return number ? km_posix_fail(error, number, "open the folder", parent->path, temporary) : KM_OK;
}

static km_status rename_folder(km_folder *parent, const char *from, const char *to,
                               km_error *error) {
  if (renameat2(parent->fd, from, parent->fd, to, RENAME_NOREPLACE) == 0) {
    return KM_OK;
  }
  /* Drivers without that flag: the name was free just now, and only an empty folder could be
   * replaced. */
  if ((errno == EINVAL || errno == ENOSYS) && renameat(parent->fd, from, parent->fd, to) == 0) {
    return KM_OK;
  }
  return km_posix_fail(error, errno, "make the folder", parent->path, to);
}

static km_status create_private(km_folder *parent, const char *name, km_error *error) {
  char temporary[KM_MAX_NAME];
  int fd = -1;
  km_status status = make_temporary(parent, name, temporary, &fd, error);
  open_meta file = {fd, parent->volume->driver, parent->path, temporary, false};
  if (!status) {
    status = make_private(&file, true, error);
  }
  if (!status) {
    status = check_private(&file, error);
  }
  if (!status && fsync(fd) != 0) {
    status = fail_meta(&file, "flush", error);
  }
  if (fd >= 0) {
    close(fd);
  }
  if (!status) {
    status = rename_folder(parent, temporary, name, error);
  }
  if (status) {
    (void)unlinkat(parent->fd, temporary, AT_REMOVEDIR);
    return status;
  }
  status = km_disk_folder_flush(parent, error);
  if (status) {
    (void)unlinkat(parent->fd, name, AT_REMOVEDIR);
  }
  return status;
}

/* Finds the folder ignoring case, since Windows would. KM_NOT_FOUND when there is none. */
static km_status find_private(km_folder *parent, const char *name, char found[KM_MAX_NAME],
                              km_error *error) {
  char second[KM_MAX_NAME];
  int number = km_lookup_name(parent->offline, parent->volume, parent->fd, name, found, second);
  if (number == EEXIST) {
    return km_fail(
        error, KM_FORGED, 0,
        "%s\\%s cannot be trusted: there are several such names that differ in case alone",
        parent->path, name);
  }
  return number ? km_posix_fail(error, number, "open the folder", parent->path, name) : KM_OK;
}

static km_status open_private(km_folder *parent, const char *name, int *fd, km_error *error) {
  open_meta file = {-1, parent->volume->driver, parent->path, name, false};
  int number = km_lookup_open(parent->offline, parent->volume, parent->fd, name,
                              O_RDONLY | O_DIRECTORY, fd, NULL);
  if (number == ELOOP || number == ENOTDIR || number == ENXIO || number == EXDEV) {
    return fail_forged(&file, "it is no real folder", error);
  }
  if (number) {
    return km_posix_fail(error, number, "open the folder", parent->path, name);
  }
  file.fd = *fd;
  km_status status = check_private(&file, error);
  if (status) {
    close(*fd);
  }
  return status;
}

km_status km_disk_private_folder(km_folder *parent, const char *name, bool create, km_folder **out,
                                 km_error *error) {
  char found[KM_MAX_NAME];
  int fd;
  *out = NULL;
  km_status status = km_disk_check_name(name, error);
  if (!status) {
    status = find_private(parent, name, found, error);
  }
  if (status == KM_NOT_FOUND && create) {
    snprintf(found, sizeof found, "%s", name);
    status = create_private(parent, name, error);
  }
  if (!status) {
    status = open_private(parent, found, &fd, error);
  }
  if (status) {
    return status;
  }
  size_t size = strlen(parent->path) + strlen(found) + 2;
  km_folder *folder = malloc(sizeof *folder);
  char *path = malloc(size);
  if (!folder || !path) {
    free(folder);
    free(path);
    close(fd);
    return km_fail(error, KM_MEMORY, 0, "open the folder %s\\%s: out of memory", parent->path,
                   found);
  }
  size_t end = strlen(parent->path);
  snprintf(path, size, "%s%s%s", parent->path, parent->path[end - 1] == '\\' ? "" : "\\", found);
  *folder = (km_folder){parent->offline, parent->volume, fd, path, NULL};
  *out = folder;
  return KM_OK;
}

/* ---- Files ---- */

static bool write_all(int fd, const uint8_t *data, size_t size, off_t offset) {
  while (size > 0) {
    ssize_t done = pwrite(fd, data, size, offset);
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      errno = done == 0 ? ENOSPC : errno;
      return false;
    }
    data += done;
    offset += done;
    size -= (size_t)done;
  }
  return true;
}

/* Copies bytes; `name` is the source's. */
static km_status copy_bytes(int from, int to, const open_meta *source, const open_meta *copy,
                            km_sha256_state *hash, km_error *error) {
  uint8_t buffer[COPY_BYTES];
  off_t at = 0;
  km_status status = KM_OK;
  for (;;) {
    ssize_t got = pread(from, buffer, sizeof buffer, at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      status = got == 0 ? KM_OK : fail_meta(source, "read", error);
      break;
    }
    if (at + got > (off_t)KM_MAX_COPY) {
      status = km_fail(error, KM_LIMIT, 0, "copy %s\\%s: it has more than %u bytes", source->folder,
                       source->name, KM_MAX_COPY);
      break;
    }
    km_sha256_add(hash, buffer, (size_t)got);
    if (!write_all(to, buffer, (size_t)got, at)) {
      status = fail_meta(copy, "write", error);
      break;
    }
    at += got;
  }
  km_wipe(buffer, sizeof buffer);
  return status;
}

static km_status copy_open(km_folder *from, const char *name, int source_fd, km_folder *to,
                           const char *new_name, int copy_fd, char sha256[KM_SHA256_TEXT],
                           km_error *error) {
  open_meta source = {source_fd, from->volume->driver, from->path, name, false};
  open_meta copy = {copy_fd, to->volume->driver, to->path, new_name, false};
  km_file_meta meta = {0};
  km_sha256_state *hash = km_sha256_begin();
  if (!hash) {
    return km_fail(error, KM_MEMORY, 0, "copy %s\\%s: out of memory", from->path, name);
  }
  km_status status = copy_bytes(source_fd, copy_fd, &source, &copy, hash, error);
  km_sha256_finish(hash, sha256);
  if (!status) {
    status = km_disk_meta_read(from, name, &meta, error);
  }
  if (!status) {
    status = write_meta(&copy, &meta, error);
  }
  free(meta.descriptor);
  if (!status && fsync(copy_fd) != 0) {
    status = fail_meta(&copy, "flush", error);
  }
  return status;
}

km_status km_disk_file_copy(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            char sha256[KM_SHA256_TEXT], km_error *error) {
  int source;
  km_status status = km_disk_check_name(new_name, error);
  if (!status) {
    status = open_regular(from, name, O_RDONLY, "copy", &source, error);
  }
  if (status) {
    return status;
  }
  int copy = openat(to->fd, new_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (copy < 0) {
    int number = errno;
    close(source);
    return km_posix_fail(error, number, "make the copy", to->path, new_name);
  }
  status = copy_open(from, name, source, to, new_name, copy, sha256, error);
  close(source);
  if (close(copy) != 0 && !status) {
    status = km_posix_fail(error, errno, "write", to->path, new_name);
  }
  if (status) {
    (void)unlinkat(to->fd, new_name, 0);
  }
  return status;
}

static km_status check_names(const char *name, const char *new_name, km_error *error) {
  km_status status = km_disk_check_name(name, error);
  return status ? status : km_disk_check_name(new_name, error);
}

/* Whether an errno of link says that there are no hard links here, or none for this user. */
static bool no_links(int number) {
  return number == EPERM || number == EOPNOTSUPP || number == ENOSYS || number == EMLINK ||
         number == EXDEV;
}

km_status km_disk_file_link(km_folder *from, const char *name, km_folder *to, const char *new_name,
                            km_error *error) {
  km_status status = check_names(name, new_name, error);
  if (status || linkat(from->fd, name, to->fd, new_name, 0) == 0) {
    return status;
  }
  int number = errno;
  if (no_links(number)) {
    return km_fail(error, KM_UNSUPPORTED, number, "give %s\\%s a second name: not possible here",
                   from->path, name);
  }
  return km_posix_fail(error, number, "make a second name", to->path, new_name);
}

/* Whether folder/name is there and something else than a file: what has no second name everywhere. */
static bool is_odd(const km_folder *folder, const char *name) {
  struct stat seen;
  return fstatat(folder->fd, name, &seen, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(seen.st_mode);
}

/* A rename that never replaces, for drivers without RENAME_NOREPLACE: both names are there for a
 * moment. What cannot be linked is renamed when the new name is free; it goes to keymend's own
 * folder, where nobody else makes names. */
static int rename_by_link(const km_folder *from, const char *name, const km_folder *to,
                          const char *new_name) {
  struct stat seen;
  if (linkat(from->fd, name, to->fd, new_name, 0) != 0) {
    int number = errno;
    if (!no_links(number) || !is_odd(from, name)) {
      return number;
    }
    if (fstatat(to->fd, new_name, &seen, AT_SYMLINK_NOFOLLOW) == 0) {
      return EEXIST;
    }
    return errno == ENOENT && renameat(from->fd, name, to->fd, new_name) == 0 ? 0 : errno;
  }
  if (unlinkat(from->fd, name, 0) != 0) {
    int number = errno;
    (void)unlinkat(to->fd, new_name, 0);
    return number;
  }
  return 0;
}

km_status km_disk_file_rename(km_folder *from, const char *name, km_folder *to,
                              const char *new_name, bool replace, km_error *error) {
  km_status status = check_names(name, new_name, error);
  int number = 0;
  if (status) {
    return status;
  }
  if (replace) {
    number = renameat(from->fd, name, to->fd, new_name) == 0 ? 0 : errno;
  } else if (renameat2(from->fd, name, to->fd, new_name, RENAME_NOREPLACE) != 0) {
    number = errno;
    if (number == EINVAL || number == ENOSYS) {
      number = rename_by_link(from, name, to, new_name);
    }
  }
  if (number == EEXIST) {
    return km_posix_fail(error, number, "rename to", to->path, new_name);
  }
  return number ? km_posix_fail(error, number, "rename", from->path, name) : KM_OK;
}

/* Renaming goes by name here, so the moment between reading and renaming stays; the lock keeps other keymends out. */
km_status km_disk_file_rename_known(km_folder *from, const char *name, km_folder *to,
                                    const char *new_name, bool replace,
                                    const char sha256[KM_SHA256_TEXT], km_error *error) {
  uint8_t *data;
  size_t size;
  char found[KM_SHA256_TEXT];
  km_status status = km_disk_file_read(from, name, KM_MAX_COPY, &data, &size, NULL, error);
  if (status) {
    return status;
  }
  km_sha256(data, size, found);
  km_secret_free(data, size);
  if (strcmp(found, sha256) != 0) {
    return km_fail(error, KM_STALE, 0, "rename %s\\%s: it has changed meanwhile", from->path, name);
  }
  return km_disk_file_rename(from, name, to, new_name, replace, error);
}

km_status km_disk_file_remove(km_folder *folder, const char *name, km_error *error) {
  km_status status = km_disk_check_name(name, error);
  if (status || unlinkat(folder->fd, name, 0) == 0) {
    return status;
  }
  return km_posix_fail(error, errno, "remove", folder->path, name);
}

km_status km_disk_folder_remove(km_folder *parent, const char *name, km_error *error) {
  km_status status = km_disk_check_name(name, error);
  if (status || unlinkat(parent->fd, name, AT_REMOVEDIR) == 0) {
    return status;
  }
  return km_posix_fail(error, errno, "remove the folder", parent->path, name);
}

/* ---- The journal's file ---- */

struct km_file {
  int fd;
  uint64_t size;
  char *folder, *name; /* for messages */
};

/* Takes over `fd`, also on failure. */
static km_status make_file(const km_folder *folder, const char *name, int fd, uint64_t size,
                           km_file **out, km_error *error) {
  km_file *file = malloc(sizeof *file);
  char *folder_path = strdup(folder->path), *copy = strdup(name);
  if (!file || !folder_path || !copy) {
    free(file);
    free(folder_path);
    free(copy);
    close(fd);
    return km_fail(error, KM_MEMORY, 0, "open %s\\%s: out of memory", folder->path, name);
  }
  *file = (km_file){fd, size, folder_path, copy};
  *out = file;
  return KM_OK;
}

static km_status fill_with_zeros(const open_meta *file, size_t size, km_error *error) {
  static const uint8_t zeros[COPY_BYTES];
  for (size_t at = 0; at < size;) {
    size_t part = size - at < sizeof zeros ? size - at : sizeof zeros;
    if (!write_all(file->fd, zeros, part, (off_t)at)) {
      return fail_meta(file, "write", error);
    }
    at += part;
  }
  return fsync(file->fd) == 0 ? KM_OK : fail_meta(file, "flush", error);
}

km_status km_disk_journal_create(km_folder *folder, const char *name, size_t size, km_file **out,
                                 km_error *error) {
  *out = NULL;
  km_status status = km_disk_check_name(name, error);
  if (status) {
    return status;
  }
  int fd = openat(folder->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return km_posix_fail(error, errno, "make", folder->path, name);
  }
  open_meta file = {fd, folder->volume->driver, folder->path, name, false};
  status = make_private(&file, false, error);
  if (!status) {
    status = fill_with_zeros(&file, size, error);
  }
  if (!status) {
    status = km_disk_folder_flush(folder, error);
  }
  if (status) {
    close(fd);
  } else {
    status = make_file(folder, name, fd, size, out, error);
  }
  if (status) {
    (void)unlinkat(folder->fd, name, 0);
  }
  return status;
}

km_status km_disk_journal_open(km_folder *folder, const char *name, km_file **out,
                               km_error *error) {
  struct stat seen;
  int fd;
  *out = NULL;
  km_status status = open_regular(folder, name, O_RDWR, "open", &fd, error);
  if (status) {
    return status;
  }
  if (fstat(fd, &seen) != 0 || seen.st_nlink != 1) {
    close(fd);
    return km_fail(error, KM_FORGED, 0, "open %s\\%s: it has a second name somewhere", folder->path,
                   name);
  }
  return make_file(folder, name, fd, (uint64_t)seen.st_size, out, error);
}

km_status km_disk_journal_write(km_file *file, uint64_t offset, const void *data, size_t size,
                                km_error *error) {
  if (offset > file->size || size > file->size - offset) {
    return km_fail(error, KM_LIMIT, 0, "write %s\\%s: %zu bytes at %llu are beyond its %llu bytes",
                   file->folder, file->name, size, (unsigned long long)offset,
                   (unsigned long long)file->size);
  }
  if (!write_all(file->fd, data, size, (off_t)offset)) {
    return km_posix_fail(error, errno, "write", file->folder, file->name);
  }
  return fdatasync(file->fd) == 0 ? KM_OK
                                  : km_posix_fail(error, errno, "flush", file->folder, file->name);
}

void km_disk_journal_close(km_file *file) {
  if (file) {
    close(file->fd);
    free(file->folder);
    free(file->name);
    free(file);
  }
}
