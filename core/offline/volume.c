/* volume.c: the volumes of a target, what their drivers keep, and whether one may be written. */
#include "volume.h"

#include "lookup.h"
#include "ntfs.h"
#include "path.h"
#include "posix.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_MOUNT_LINE 8192
#define FUSE_MAGIC 0x65735546u
#define MIN_FREE_INODES 64

/* ---- Drivers ---- */

static const char no_private[] =
    "it cannot hold a folder that is private to the system, nor a second name for a file";
static const char other_ntfs[] =
    "keymend does not know this NTFS driver; mount the volume with ntfs-3g";

/* Which row fits is told by mountinfo's type and, without /proc, by the magic. */
static const km_driver drivers[] = {
    {"ntfs-3g", 0, KM_DRIVER_NTFS_3G, NULL},
    {"ntfs3", 0x7366746e, KM_DRIVER_NTFS3,
     "the kernel's ntfs3 driver cannot set creation times; mount the volume with ntfs-3g"},
    {"ntfs", 0x5346544e, KM_DRIVER_FOREIGN, other_ntfs},
    {"tntfs", 0, KM_DRIVER_FOREIGN, other_ntfs},
    {"ufsd", 0, KM_DRIVER_FOREIGN, other_ntfs},
    {"ext4", 0xEF53, KM_DRIVER_PLAIN, NULL},
    {"ext3", 0, KM_DRIVER_PLAIN, NULL},
    {"ext2", 0, KM_DRIVER_PLAIN, NULL},
    {"xfs", 0x58465342, KM_DRIVER_PLAIN, NULL},
    {"btrfs", 0x9123683E, KM_DRIVER_PLAIN, NULL},
    {"f2fs", 0xF2F52010, KM_DRIVER_PLAIN, NULL},
    {"jfs", 0x3153464A, KM_DRIVER_PLAIN, NULL},
    {"reiserfs", 0x52654973, KM_DRIVER_PLAIN, NULL},
    {"zfs", 0x2FC12FC1, KM_DRIVER_PLAIN, NULL},
    {"bcachefs", 0xCA451A4E, KM_DRIVER_PLAIN, NULL},
    {"tmpfs", 0x01021994, KM_DRIVER_PLAIN, NULL},
    {"ramfs", 0x858458F6, KM_DRIVER_PLAIN, NULL},
    {"overlay", 0x794C7630, KM_DRIVER_PLAIN, NULL},
    {"virtiofs", 0, KM_DRIVER_PLAIN, NULL},
    {"9p", 0x01021997, KM_DRIVER_PLAIN, NULL},
    {"vfat", 0x4D44, KM_DRIVER_FOREIGN, no_private},
    {"msdos", 0, KM_DRIVER_FOREIGN, no_private},
    {"exfat", 0x2011BAB0, KM_DRIVER_FOREIGN, no_private},
};

static const km_driver unknown_fuse = {
    "fuse", 0, KM_DRIVER_FOREIGN,
    "it is a FUSE file system other than ntfs-3g, and keymend cannot tell what it keeps"};
static const km_driver unknown_driver = {
    "unknown", 0, KM_DRIVER_FOREIGN,
    "keymend does not know this file system; repair a copy on another"};

static const km_driver *driver_by_name(const char *name) {
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
    if (!strcmp(drivers[i].name, name)) {
      return &drivers[i];
    }
  }
  return !strncmp(name, "fuse", 4) ? &unknown_fuse : &unknown_driver;
}

static const km_driver *driver_by_magic(uint32_t magic) {
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
    if (drivers[i].magic && drivers[i].magic == magic) {
      return &drivers[i];
    }
  }
  return magic == FUSE_MAGIC ? &unknown_fuse : &unknown_driver;
}

const char *km_driver_descriptor(const km_driver *driver) {
  return driver->kind == KM_DRIVER_NTFS_3G ? "system.ntfs_acl"
         : driver->kind == KM_DRIVER_NTFS3 ? "system.ntfs_security"
                                           : NULL;
}

/* ---- mountinfo ---- */

/* Copies a mountinfo field; octal escapes (\040) are undone. */
static void copy_field(const char *field, char *out, size_t size) {
  size_t used = 0;
  for (; *field && *field != ' ' && *field != '\n' && used + 1 < size; field++) {
    if (field[0] == '\\' && field[1] >= '0' && field[1] <= '3' && field[2] >= '0' &&
        field[2] <= '7' && field[3] >= '0' && field[3] <= '7') {
      out[used++] = (char)((field[1] - '0') << 6 | (field[2] - '0') << 3 | (field[3] - '0'));
      field += 3;
    } else {
      out[used++] = *field;
    }
  }
  out[used] = 0;
}

/* Takes type and source of a line "id parent major:minor root point options [tags] - type source
 * options". */
static void take_mount(km_volume *volume, const char *line) {
  const char *rest = strstr(line, " - ");
  if (!rest) {
    return;
  }
  copy_field(rest + 3, volume->driver_name, sizeof volume->driver_name);
  const char *source = strchr(rest + 3, ' ');
  copy_field(source ? source + 1 : "", volume->source, sizeof volume->source);
}

/* The mount's line is found by its id, or by the device number on kernels whose statx tells
 * none. */
static void read_mountinfo(km_volume *volume, bool by_id, uint64_t id) {
  char line[MAX_MOUNT_LINE];
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  while (mounts && fgets(line, sizeof line, mounts)) {
    char *at = line;
    uint64_t number = strtoull(at, &at, 10);
    (void)strtoull(at, &at, 10); /* the parent's id */
    unsigned major_number = (unsigned)strtoul(at, &at, 10);
    unsigned minor_number = *at == ':' ? (unsigned)strtoul(at + 1, NULL, 10) : 0;
    if (by_id ? number == id : makedev(major_number, minor_number) == volume->device) {
      take_mount(volume, line);
    }
  }
  if (mounts) {
    fclose(mounts);
  }
}

void km_volume_identify(km_volume *volume) {
  struct statx root;
  struct statfs fs;
  struct statvfs flags;
  km_time created, written;
  memset(&root, 0, sizeof root);
  statx(volume->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &root);
  volume->device = makedev(root.stx_dev_major, root.stx_dev_minor);
  volume->owner = root.stx_uid;
  read_mountinfo(volume, (root.stx_mask & STATX_MNT_ID) != 0, root.stx_mnt_id);
  uint32_t magic = fstatfs(volume->fd, &fs) == 0 ? (uint32_t)fs.f_type : 0;
  volume->driver =
      volume->driver_name[0] ? driver_by_name(volume->driver_name) : driver_by_magic(magic);
  if (magic == FUSE_MAGIC && km_ntfs_get_times(volume->fd, &created, &written)) {
    volume->driver = &drivers[0];
    snprintf(volume->driver_name, sizeof volume->driver_name, "%s", volume->driver->name);
  } else if (!volume->driver_name[0]) {
    snprintf(volume->driver_name, sizeof volume->driver_name, "%s", volume->driver->name);
  }
  volume->noatime =
      fstatvfs(volume->fd, &flags) == 0 && (flags.f_flag & (ST_RDONLY | ST_NOATIME)) != 0;
}

/* ---- Opening ---- */

km_status km_volume_open(const char *folder, km_volume *out, km_error *error) {
  out->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (out->fd < 0) {
    return km_posix_fail(error, errno, "open the volume's root", folder, NULL);
  }
  km_volume_identify(out);
  return KM_OK;
}

void km_volume_close(km_volume *volume) {
  close(volume->fd);
}

bool km_volume_is_running(const km_volume *volume, const char *folder) {
  (void)volume;
  (void)folder;
  return false;
}

/* ---- Whether it may be written ---- */

/* Windows leaves a hibernation image whose first four bytes tell that the volume is still in use. Where it
 * cannot be read, nothing speaks for a Windows that was shut down. */
static km_status check_hibernation(km_offline *offline, const km_volume *volume, km_error *error) {
  char path[] = "?:\\hiberfil.sys";
  char magic[4] = "", words[128];
  int fd;
  km_error why;
  path[0] = volume->letter;
  km_status status = km_offline_resolve(offline, path, &fd, &why);
  if (status == KM_NOT_FOUND) {
    return KM_OK;
  }
  if (status) {
    return km_fail(error, KM_REFUSED, why.native,
                   "write to %s: whether its Windows is hibernated cannot be told: %s",
                   volume->folder, why.message);
  }
  ssize_t size = pread(fd, magic, sizeof magic, 0);
  int number = errno;
  close(fd);
  if (size < 0) {
    return km_fail(error, KM_REFUSED, number,
                   "write to %s: whether its Windows is hibernated cannot be told: read %s: %s",
                   volume->folder, path, strerror_r(number, words, sizeof words));
  }
  if (size == (ssize_t)sizeof magic &&
      (!memcmp(magic, "hibr", sizeof magic) || !memcmp(magic, "HIBR", sizeof magic))) {
    return km_fail(error, KM_REFUSED, 0,
                   "write to %s: its Windows is hibernated (%s), perhaps by fast startup; start it "
                   "and shut it down fully (shutdown /s /f /t 0) first",
                   volume->folder, path);
  }
  return KM_OK;
}

static km_status check_unclean(const km_volume *volume, km_error *error) {
  if (volume->driver->kind == KM_DRIVER_NTFS_3G && volume->source[0] == '/' &&
      km_ntfs_volume_state(volume->source) == KM_NTFS_DIRTY) {
    return km_fail(error, KM_REFUSED, 0,
                   "write to %s: the NTFS volume in %s is marked dirty; let Windows check it "
                   "(chkdsk /f) first",
                   volume->folder, volume->source);
  }
  return KM_OK;
}

static km_status check_space(const km_folder *folder, const struct statvfs *fs, uint64_t need,
                             km_error *error) {
  if (need == 0) {
    return KM_OK; /* recover writes into what is there, and purge frees */
  }
  uint64_t unit = fs->f_frsize ? fs->f_frsize : 1;
  uint64_t blocks = geteuid() == 0 ? fs->f_bfree : fs->f_bavail;
  uint64_t inodes = geteuid() == 0 ? fs->f_ffree : fs->f_favail;
  uint64_t available = blocks * unit;
  if (blocks < need / unit + 1) {
    return km_fail(error, KM_NO_SPACE, 0,
                   "write to %s: %llu bytes are needed and %llu are free; free some space first",
                   folder->path, (unsigned long long)need, (unsigned long long)available);
  }
  if (fs->f_files > 0 && inodes < MIN_FREE_INODES) {
    return km_fail(error, KM_NO_SPACE, 0,
                   "write to %s: the file system has room for %llu more files, and %d are needed",
                   folder->path, (unsigned long long)inodes, MIN_FREE_INODES);
  }
  return KM_OK;
}

km_status km_disk_volume_check(km_folder *folder, uint64_t need, km_error *error) {
  km_volume *volume = folder->volume;
  struct statvfs fs;
  if (fstatvfs(folder->fd, &fs) != 0) {
    return km_posix_fail(error, errno, "tell the state of", folder->path, NULL);
  }
  if (fs.f_flag & ST_RDONLY) {
    return km_fail(error, KM_READ_ONLY, EROFS,
                   "write to %s: %s is mounted read-only; a hibernated or unclean Windows is a "
                   "common cause. Mount it read-write",
                   folder->path, volume->folder);
  }
  if (volume->driver->refusal) {
    return km_fail(error, KM_REFUSED, 0, "write to %s: %s is mounted through %s: %s", folder->path,
                   volume->folder, volume->driver_name, volume->driver->refusal);
  }
  km_status status = check_hibernation(folder->offline, volume, error);
  if (!status && volume != &folder->offline->volumes[0]) {
    status = check_hibernation(folder->offline, &folder->offline->volumes[0], error);
  }
  if (!status) {
    status = check_unclean(volume, error);
  }
  if (!status) {
    status = check_space(folder, &fs, need, error);
  }
  if (!status && faccessat(folder->fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    status = km_posix_fail(error, errno, "write to", folder->path, NULL);
  }
  return status;
}

/* ---- Capabilities ---- */

typedef struct capability_list {
  km_offline *offline;
  km_capability *rows;
  size_t count, max;
} capability_list;

__attribute__((format(printf, 4, 5))) static void add(capability_list *list, const char *id,
                                                      bool available, const char *format, ...) {
  if (list->count == list->max || list->count == KM_OFFLINE_CAPABILITIES) {
    return;
  }
  char *text = list->offline->capability_text[list->count];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof list->offline->capability_text[0], format, arguments);
  va_end(arguments);
  list->rows[list->count++] = (km_capability){id, available, text};
}

static void add_times(capability_list *list, const km_volume *volume) {
  size_t told = km_times_count(list->offline->times);
  if (volume->driver->kind == KM_DRIVER_NTFS_3G || volume->driver->kind == KM_DRIVER_NTFS3) {
    add(list, "creation-times", true, "NTFS stores them and %s tells them", volume->driver_name);
  } else if (told > 0) {
    add(list, "creation-times", true, "--times tells those of %zu files under Microsoft\\Crypto",
        told);
  } else if (list->offline->times) {
    add(list, "creation-times", false, "--times has no row under Microsoft\\Crypto");
  } else {
    add(list, "creation-times", false,
        "%s keeps the copy's own times, not those of Windows; give a bodyfile with --times",
        volume->driver_name);
  }
}

static void add_security(capability_list *list, const km_volume *volume) {
  bool ntfs = km_driver_descriptor(volume->driver) != NULL;
  const char *name = volume->driver_name;
  if (ntfs) {
    add(list, "owners", true, "%s tells their SIDs", name);
    add(list, "descriptors", true, "%s tells them in %s", name,
        km_driver_descriptor(volume->driver));
    add(list, "attributes", true, "%s tells them", name);
  } else {
    add(list, "owners", false, "%s has no SIDs; user ids stand for them", name);
    add(list, "descriptors", false, "%s has none; modes and user ids are kept instead", name);
    add(list, "attributes", false, "%s has none", name);
  }
}

static void add_unclean(capability_list *list, const km_volume *volume) {
  if (!km_driver_descriptor(volume->driver)) {
    add(list, "unclean-check", true, "not needed: %s is not NTFS", volume->driver_name);
    return;
  }
  km_ntfs_state state =
      volume->source[0] == '/' ? km_ntfs_volume_state(volume->source) : KM_NTFS_UNKNOWN;
  char words[64];
  int number = errno;
  if (state == KM_NTFS_UNKNOWN) {
    add(list, "unclean-check", false, "the NTFS volume's dirty flag cannot be read from %.64s: %s",
        volume->source, number ? strerror_r(number, words, sizeof words) : "no NTFS volume there");
  } else {
    add(list, "unclean-check", true, "the NTFS volume's dirty flag is %s",
        state == KM_NTFS_DIRTY ? "set: let Windows check the volume" : "clear");
  }
}

static void add_writing(capability_list *list, const km_volume *volume) {
  struct statvfs fs;
  const char *refusal = volume->driver->refusal;
  bool read_only = fstatvfs(volume->fd, &fs) == 0 && (fs.f_flag & ST_RDONLY);
  bool links = volume->driver->kind != KM_DRIVER_FOREIGN;
  add(list, "hard-links", links, "%s %s them", volume->driver_name, links ? "has" : "may not have");
  add(list, "writing", !refusal && !read_only, "%s",
      read_only ? "the volume is mounted read-only"
      : refusal ? refusal
                : "the volume is mounted read-write");
  if (volume->noatime) {
    add(list, "silent-reading", true, "access times do not move on this mount");
  } else if (volume->driver->kind == KM_DRIVER_NTFS_3G) {
    add(list, "silent-reading", false,
        "ntfs-3g may move access times; mount with -o ro or -o noatime to prevent it");
  } else {
    add(list, "silent-reading", !volume->loud,
        volume->loud ? "only the files' owner or root may read without moving access times"
                     : "files are read without moving access times");
  }
}

size_t km_offline_capabilities(km_offline *offline, km_folder *store, km_capability *out,
                               size_t max) {
  const km_volume *volume = store ? store->volume : &offline->volumes[0];
  capability_list list = {offline, out, 0, max};
  add_times(&list, volume);
  add_security(&list, volume);
  add_writing(&list, volume);
  add_unclean(&list, volume);
  add(&list, "services", false, "an offline Windows runs none; they start at its next boot");
  add(&list, "events", true, "from the files of the event logs");
  return list.count;
}

const char *km_offline_driver(km_offline *offline, km_folder *store) {
  return (store ? store->volume : &offline->volumes[0])->driver_name;
}
