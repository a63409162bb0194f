/* folder.c: the offline backend's folders, listings and reading of files. */
#include "lookup.h"
#include "ntfs.h"
#include "posix.h"
#include "times.h"
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LISTING_BYTES 65536

/* ---- Folders ---- */

km_status km_offline_folder_open(km_target *target, const char *path, km_folder **out,
                                 km_error *error) {
  km_volume *volume;
  int fd;
  *out = NULL;
  km_status status = km_lookup_folder(target->state, path, &volume, &fd, error);
  if (status) {
    return status;
  }
  km_folder *folder = malloc(sizeof *folder);
  char *copy = strdup(path);
  if (!folder || !copy) {
    free(folder);
    free(copy);
    close(fd);
    return km_fail(error, KM_MEMORY, 0, "open the folder %s: out of memory", path);
  }
  size_t length = strlen(copy);
  if (length > 3 && strchr("\\/", copy[length - 1])) {
    copy[length - 1] = 0;
  }
  *folder = (km_folder){target->state, volume, fd, copy, NULL};
  *out = folder;
  return KM_OK;
}

void km_disk_folder_close(km_folder *folder) {
  if (folder) {
    close(folder->fd);
    free(folder->path);
    free(folder->short_names);
    free(folder);
  }
}

/* ---- Listings ---- */

/* Names are handed out of the buffer that the kernel filled: no copy, no sorting, no stat. */
struct km_listing {
  km_folder *folder;
  int fd;
  size_t at, filled;
  char buffer[LISTING_BYTES] __attribute__((aligned(16)));
};

km_status km_disk_folder_list(km_folder *folder, km_listing **out, km_error *error) {
  km_listing *listing = malloc(sizeof *listing);
  *out = NULL;
  if (!listing) {
    return km_fail(error, KM_MEMORY, 0, "list %s: out of memory", folder->path);
  }
  listing->folder = folder;
  listing->at = listing->filled = 0;
  listing->fd = km_posix_open(folder->volume, folder->fd, ".", O_RDONLY | O_DIRECTORY);
  if (listing->fd < 0) {
    int number = errno;
    free(listing);
    return km_posix_fail(error, number, "list", folder->path, NULL);
  }
  *out = listing;
  return KM_OK;
}

static bool is_dots(const char *name) {
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

km_status km_disk_listing_next(km_listing *listing, const char **name, size_t *length,
                               bool *is_folder, km_error *error) {
  for (;;) {
    if (listing->at >= listing->filled) {
      ssize_t size = getdents64(listing->fd, listing->buffer, sizeof listing->buffer);
      if (size <= 0) {
        return size == 0 ? KM_END
                         : km_posix_fail(error, errno, "list", listing->folder->path, NULL);
      }
      listing->at = 0;
      listing->filled = (size_t)size;
    }
    const struct dirent64 *entry = (const void *)(listing->buffer + listing->at);
    listing->at += entry->d_reclen;
    if (is_dots(entry->d_name)) {
      continue;
    }
    *name = entry->d_name;
    *length = strlen(entry->d_name);
    *is_folder = entry->d_type == DT_DIR;
    return KM_OK;
  }
}

void km_disk_listing_close(km_listing *listing) {
  if (listing) {
    close(listing->fd);
    free(listing);
  }
}

/* ---- What a file is ---- */

/* A birth time of 0 is what drivers tell that have none. */
static km_time birth_time(const struct statx *stat) {
  struct statx_timestamp stamp = stat->stx_btime;
  bool told = (stat->stx_mask & STATX_BTIME) && (stamp.tv_sec != 0 || stamp.tv_nsec != 0);
  return told ? km_time_from_unix(stamp.tv_sec, stamp.tv_nsec) : 0;
}

static km_time write_time(const struct statx *stat) {
  return km_posix_time(stat->stx_mtime.tv_sec, stat->stx_mtime.tv_nsec);
}

/* Stats without following: by name, or an open file with name "". */
static int stat_file(int fd, const char *name, struct statx *out) {
  int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
  return statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, out) == 0 ? 0 : errno;
}

static void fill_basics(const km_folder *folder, const struct statx *stat, km_file_info *info) {
  memset(info, 0, sizeof *info);
  info->size = stat->stx_size;
  info->identity = stat->stx_ino;
  info->device = makedev(stat->stx_dev_major, stat->stx_dev_minor);
  info->links = stat->stx_nlink;
  info->written = write_time(stat);
  info->regular = S_ISREG(stat->stx_mode);
  info->reparse = S_ISLNK(stat->stx_mode);
  if (!km_driver_descriptor(folder->volume->driver)) {
    snprintf(info->owner, sizeof info->owner, "uid:%lu", (unsigned long)stat->stx_uid);
    info->owner_trusted = stat->stx_uid == 0 || stat->stx_uid == folder->volume->owner;
  }
}

/* ---- Short names ---- */

#define KM_MAX_SHORT_NAMES                                                                         \
  65536 /* in one folder; with more of them none is told from a hard link */

/* The names of a folder that are short enough to be a short name, sorted. */
struct km_short_names {
  bool all;
  size_t count;
  char names[][KM_SHORT_NAME];
};

static bool is_short(const char *name, size_t length) {
  size_t characters = 0;
  for (size_t i = 0; i < length; i++) {
    characters += ((unsigned char)name[i] & 0xC0) != 0x80;
  }
  return characters <= 12 && length < KM_SHORT_NAME;
}

static int compare_short(const void *a, const void *b) {
  return strcasecmp(a, b);
}

static struct km_short_names *grow_short(struct km_short_names *list) {
  size_t count = list ? list->count : 0;
  if (count & (count - 1)) {
    return list; /* room for twice a power of two */
  }
  struct km_short_names *grown =
      realloc(list, sizeof *grown + (count ? 2 * count : 1) * sizeof grown->names[0]);
  if (grown && !list) {
    grown->all = false;
    grown->count = 0;
  }
  if (!grown) {
    free(list);
  }
  return grown;
}

static struct km_short_names *read_short_names(km_folder *folder) {
  km_listing *listing;
  km_error ignored;
  const char *name;
  size_t length;
  bool is_folder;
  km_status status = KM_OK;
  struct km_short_names *list = grow_short(NULL);
  if (!list || km_disk_folder_list(folder, &listing, &ignored)) {
    return list;
  }
  while (list && !(status = km_disk_listing_next(listing, &name, &length, &is_folder, &ignored))) {
    if (!is_short(name, length)) {
      continue;
    }
    if (list->count == KM_MAX_SHORT_NAMES) {
      break;
    }
    list = grow_short(list);
    if (list) {
      memcpy(list->names[list->count++], name, length + 1);
    }
  }
  km_disk_listing_close(listing);
  if (list) {
    list->all = status == KM_END;
    qsort(list->names, list->count, sizeof list->names[0], compare_short);
  }
  return list;
}

/* Whether one of the file's links is no more than its short name. That one is not listed: a short name that
 * is listed is a name of its own, perhaps of another's hard link. Read once a folder. */
static bool has_hidden_name(km_folder *folder, int fd) {
  char name[KM_SHORT_NAME];
  if (!km_ntfs_get_dos_name(fd, name)) {
    return false;
  }
  if (!folder->short_names) {
    folder->short_names = read_short_names(folder);
  }
  const struct km_short_names *list = folder->short_names;
  return list && list->all &&
         !bsearch(name, list->names, list->count, sizeof list->names[0], compare_short);
}

/* ---- What NTFS stores ---- */

/* Of the open file `fd`. 0 or an errno: a file of which this cannot be read is not told to be an
 * ordinary one. */
static int fill_ntfs(km_folder *folder, int fd, km_file_info *info) {
  uint8_t *descriptor;
  size_t size;
  const km_driver *driver = folder->volume->driver;
  if (!km_ntfs_get_attributes(fd, &info->attributes)) {
    return errno;
  }
  if (info->attributes & KM_ATTRIBUTE_REPARSE) {
    info->reparse = true;
    info->regular = false;
  }
  if (driver->kind == KM_DRIVER_NTFS_3G) {
    if (!km_ntfs_get_times(fd, &info->created, &info->written)) {
      return errno;
    }
    info->created_source = info->created ? KM_TIME_NTFS : KM_TIME_NONE;
    if (info->links > 1 && has_hidden_name(folder, fd)) {
      info->links--;
    }
  }
  if (km_ntfs_get_descriptor(fd, km_driver_descriptor(driver), &descriptor, &size)) {
    km_descriptor_owner(descriptor, size, info->owner);
    info->owner_trusted = km_sid_trusted(info->owner);
    free(descriptor);
  }
  return 0;
}

/* The creation time: what --times tells overrules, since NTFS itself keeps no more than the time of the copy
 * when files were copied; then NTFS's own (fill_ntfs took it, ntfs3 gives it as birth time); then the birth
 * time of another file system. */
static void fill_created(const km_folder *folder, const char *name, const struct statx *stat,
                         km_file_info *info) {
  km_time birth = birth_time(stat);
  bool ntfs3 = folder->volume->driver->kind == KM_DRIVER_NTFS3;
  km_time told = km_times_created(folder->offline->times, folder->path, name);
  if (told) {
    info->created = told;
    info->created_source = KM_TIME_FILE;
  } else if (!info->created && birth) {
    info->created = birth;
    info->created_source = ntfs3 ? KM_TIME_NTFS : KM_TIME_BIRTH;
  }
}

/* Opens folder\name for reading when it is a regular file, and tells what it is. *fd is -1 for
 * links, odd files and files that may not be read: `number` then tells why. */
static km_status open_file(km_folder *folder, const char *name, int *fd, struct statx *stat,
                           int *number, km_error *error) {
  *fd = -1;
  *number = 0;
  km_status status = km_disk_check_name(name, error);
  if (status) {
    return status;
  }
  int failed = stat_file(folder->fd, name, stat);
  if (failed) {
    return km_posix_fail(error, failed, "look at", folder->path, name);
  }
  if (!S_ISREG(stat->stx_mode)) {
    *number = S_ISLNK(stat->stx_mode) ? ELOOP : S_ISDIR(stat->stx_mode) ? EISDIR : ENXIO;
    return KM_OK;
  }
  *number = km_lookup_open(folder->offline, folder->volume, folder->fd, name, O_RDONLY, fd, NULL);
  if (*number == ENOENT || *number == ESTALE || *number == ELOOP) {
    return km_posix_fail(error, *number, "open", folder->path, name);
  }
  if (*fd >= 0 && (failed = stat_file(*fd, "", stat)) != 0) {
    close(*fd);
    *fd = -1;
    return km_posix_fail(error, failed, "look at", folder->path, name);
  }
  return KM_OK;
}

static km_status fill_info(km_folder *folder, const char *name, int fd, int number,
                           const struct statx *stat, km_file_info *out, km_error *error) {
  fill_basics(folder, stat, out);
  if (fd >= 0 && km_driver_descriptor(folder->volume->driver)) {
    int failed = fill_ntfs(folder, fd, out);
    if (failed) {
      return km_posix_fail(error, failed, "read attributes and times of", folder->path, name);
    }
  }
  fill_created(folder, name, stat, out);
  if (number == EXDEV) {
    out->regular = false; /* another file system is mounted on it */
  }
  return KM_OK;
}

km_status km_disk_file_info(km_folder *folder, const char *name, km_file_info *out,
                            km_error *error) {
  struct statx stat;
  int fd, number;
  km_status status = open_file(folder, name, &fd, &stat, &number, error);
  if (status) {
    return status;
  }
  status = fill_info(folder, name, fd, number, &stat, out, error);
  if (fd >= 0) {
    close(fd);
  }
  return status;
}

/* ---- Content ---- */

static km_status fail_unreadable(const km_folder *folder, const char *name, int number,
                                 km_error *error) {
  char shown[KM_MAX_NAME / 2];
  km_escape(name, strlen(name), shown, sizeof shown);
  switch (number) {
  case EISDIR:
    return km_fail(error, KM_REFUSED, number, "read %s\\%s: it is a folder", folder->path, shown);
  case ENXIO:
    return km_fail(error, KM_REFUSED, number, "read %s\\%s: it is a device, socket or pipe",
                   folder->path, shown);
  default:
    return km_posix_fail(error, number, "read", folder->path, name);
  }
}

/* Reads to the end of the file; *size is what came. KM_LIMIT when more than `max` bytes come. */
static km_status read_whole(const km_folder *folder, const char *name, int fd, size_t max,
                            uint8_t *data, size_t *size, km_error *error) {
  size_t used = 0;
  uint8_t extra;
  for (;;) {
    ssize_t got = used < max ? pread(fd, data + used, max - used, (off_t)used)
                             : pread(fd, &extra, 1, (off_t)used);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return km_posix_fail(error, errno, "read", folder->path, name);
    }
    if (got == 0) {
      *size = used;
      return KM_OK;
    }
    if (used == max) {
      return km_fail(error, KM_LIMIT, 0, "read %s\\%s: it grew while it was read", folder->path,
                     name);
    }
    used += (size_t)got;
  }
}

static km_status read_open(km_folder *folder, const char *name, int fd, const km_file_info *info,
                           size_t max, uint8_t **data, size_t *size, km_error *error) {
  if (info->reparse) {
    return km_fail(error, KM_OUTSIDE, 0, "read %s\\%s: it is a reparse point", folder->path, name);
  }
  if (info->size > max) {
    return km_fail(error, KM_LIMIT, 0, "read %s\\%s: it has %llu bytes, more than %zu",
                   folder->path, name, (unsigned long long)info->size, max);
  }
  size_t room = (size_t)info->size;
  uint8_t *buffer = malloc(room ? room : 1);
  if (!buffer) {
    return km_fail(error, KM_MEMORY, 0, "read %s\\%s: out of memory", folder->path, name);
  }
  km_status status = read_whole(folder, name, fd, room, buffer, size, error);
  if (status) {
    km_secret_free(buffer, room);
    return status;
  }
  *data = buffer;
  return KM_OK;
}

km_status km_disk_file_read(km_folder *folder, const char *name, size_t max, uint8_t **data,
                            size_t *size, km_file_info *info, km_error *error) {
  struct statx stat;
  km_file_info own;
  int fd, number;
  *data = NULL;
  *size = 0;
  km_status status = open_file(folder, name, &fd, &stat, &number, error);
  if (status) {
    return status;
  }
  km_file_info *told = info ? info : &own;
  status = fill_info(folder, name, fd, number, &stat, told, error);
  if (fd < 0) {
    return fail_unreadable(folder, name, number, error);
  }
  if (!status) {
    status = read_open(folder, name, fd, told, max, data, size, error);
  }
  close(fd);
  return status;
}

/* What NTFS stores, of the open file `fd`; NULL, or what could not be read (errno tells why). The
 * creation time is NTFS's own, whatever --times tells: it is what a copy must get. */
static const char *read_ntfs_meta(const km_driver *driver, int fd, km_file_meta *out) {
  if (driver->kind == KM_DRIVER_NTFS_3G && !km_ntfs_get_times(fd, &out->created, &out->written)) {
    return "read the times of";
  }
  if (!km_ntfs_get_attributes(fd, &out->attributes)) {
    return "read the attributes of";
  }
  return km_ntfs_get_descriptor(fd, km_driver_descriptor(driver), &out->descriptor,
                                &out->descriptor_size)
             ? NULL
             : "read the security descriptor of";
}

km_status km_disk_meta_read(km_folder *folder, const char *name, km_file_meta *out,
                            km_error *error) {
  struct statx stat;
  int fd, number;
  memset(out, 0, sizeof *out);
  km_status status = open_file(folder, name, &fd, &stat, &number, error);
  if (status) {
    return status;
  }
  if (fd < 0) {
    return fail_unreadable(folder, name, number, error);
  }
  out->written = write_time(&stat);
  out->mode = stat.stx_mode & KM_MODE_KEPT;
  out->uid = stat.stx_uid;
  out->gid = stat.stx_gid;
  const km_driver *driver = folder->volume->driver;
  const char *failed = km_driver_descriptor(driver) ? read_ntfs_meta(driver, fd, out) : NULL;
  if (failed) {
    status = km_posix_fail(error, errno, failed, folder->path, name);
  }
  close(fd);
  return status;
}
