/* ntfs.c: what an NTFS driver keeps of a file beside its bytes: times, attributes, descriptor. */
#include "ntfs.h"

#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t get64_be(const uint8_t *at) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) {
    value = value << 8 | at[i];
  }
  return value;
}

static void put64_be(uint8_t *at, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) {
    at[i] = (uint8_t)value;
  }
}

/* ---- Through a driver ---- */

bool km_ntfs_get_times(int fd, km_time *created, km_time *written) {
  uint8_t times[32];
  ssize_t size = fgetxattr(fd, "system.ntfs_times_be", times, sizeof times);
  if (size < 16) {
    errno = size < 0 ? errno : EIO;
    return false;
  }
  uint64_t first = get64_be(times), second = get64_be(times + 8);
  *created = first <= INT64_MAX ? (km_time)first : 0;
  *written = second <= INT64_MAX ? (km_time)second : 0;
  return true;
}

bool km_ntfs_set_times(int fd, km_time created, km_time written) {
  uint8_t times[16];
  put64_be(times, (uint64_t)created);
  put64_be(times + 8, (uint64_t)written);
  return fsetxattr(fd, "system.ntfs_times_be", times, sizeof times, 0) == 0;
}

bool km_ntfs_get_dos_name(int fd, char name[KM_SHORT_NAME]) {
  ssize_t size = fgetxattr(fd, "system.ntfs_dos_name", name, KM_SHORT_NAME - 1);
  if (size <= 0) {
    return false;
  }
  name[size] = 0;
  return true;
}

bool km_ntfs_get_attributes(int fd, uint32_t *attributes) {
  uint8_t value[4];
  ssize_t size = fgetxattr(fd, "system.ntfs_attrib_be", value, sizeof value);
  if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) {
    /* Older kernels' ntfs3 has it in this system's byte order alone. */
    size = fgetxattr(fd, "system.ntfs_attrib", attributes, sizeof *attributes);
    if (size == (ssize_t)sizeof *attributes) {
      return true;
    }
  }
  if (size != 4) {
    errno = size < 0 ? errno : EIO;
    return false;
  }
  *attributes =
      (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 | value[3];
  return true;
}

bool km_ntfs_set_attributes(int fd, uint32_t attributes) {
  uint8_t value[4] = {(uint8_t)(attributes >> 24), (uint8_t)(attributes >> 16),
                      (uint8_t)(attributes >> 8), (uint8_t)attributes};
  return fsetxattr(fd, "system.ntfs_attrib_be", value, sizeof value, 0) == 0;
}

bool km_ntfs_get_descriptor(int fd, const char *name, uint8_t **out, size_t *size) {
  uint8_t *data = malloc(KM_MAX_DESCRIPTOR);
  if (!data) {
    errno = ENOMEM;
    return false;
  }
  ssize_t got = fgetxattr(fd, name, data, KM_MAX_DESCRIPTOR);
  if (got < KM_DESCRIPTOR_HEADER) {
    int number = got < 0 ? errno : ENODATA;
    free(data);
    errno = number;
    return false;
  }
  uint8_t *exact = realloc(data, (size_t)got);
  *out = exact ? exact : data;
  *size = (size_t)got;
  return true;
}

bool km_ntfs_set_descriptor(int fd, const char *name, const uint8_t *descriptor, size_t size) {
  return fsetxattr(fd, name, descriptor, size, 0) == 0;
}

/* ---- The volume's own state ---- */

#define BOOT_BYTES 512
#define MIN_RECORD 512
#define MAX_RECORD 65536
#define VOLUME_RECORD 3
#define VOLUME_INFORMATION 0x70

typedef struct ntfs_layout {
  uint64_t volume_record; /* byte offset */
  size_t record;          /* bytes */
  size_t sector;          /* bytes */
} ntfs_layout;

/* Boot sector: bytes a sector at 11, sectors a cluster at 13 (above 0x80: 2 to the power of minus
 * it), MFT cluster at 48, size of a record at 64 (clusters, or 2 to the power of minus it). */
static bool read_layout(const uint8_t boot[BOOT_BYTES], ntfs_layout *out) {
  size_t sector = km_u16(boot + 11);
  size_t cluster = boot[13];
  int8_t record = (int8_t)boot[64];
  uint64_t mft = km_u64(boot + 48);
  if (memcmp(boot + 3, "NTFS    ", 8) != 0 || sector < 512 || sector > 4096 ||
      (sector & (sector - 1))) {
    return false;
  }
  if (cluster > 0x80) {
    cluster = cluster > 0xE0 ? (size_t)1 << (256 - cluster) : 0;
  }
  if (cluster == 0 || (cluster & (cluster - 1))) {
    return false;
  }
  if (cluster > ((size_t)2 << 20) / sector) {
    return false;
  }
  cluster *= sector;
  size_t bytes = record > 0 ? (size_t)record * cluster : record >= -16 ? (size_t)1 << -record : 0;
  if (bytes < MIN_RECORD || bytes > MAX_RECORD || bytes % sector || mft == 0 ||
      mft > (UINT64_C(1) << 60) / cluster) {
    return false;
  }
  *out = (ntfs_layout){mft * cluster + VOLUME_RECORD * bytes, bytes, sector};
  return true;
}

/* Checks and undoes the update sequence: the last two bytes of every 512-byte stride of a record
 * are a check value on disk; the true ones stand in an array in its header. */
static bool fix_record(uint8_t *record, const ntfs_layout *layout) {
  size_t at = km_u16(record + 4), count = km_u16(record + 6);
  if (memcmp(record, "FILE", 4) != 0 || count < 2 || at < 8 || at + 2 * count > layout->record) {
    return false;
  }
  size_t stride = layout->record / (count - 1);
  if (stride < MIN_RECORD || stride * (count - 1) != layout->record || at + 2 * count > stride) {
    return false;
  }
  for (size_t i = 1; i < count; i++) {
    uint8_t *tail = record + i * stride - 2;
    if (memcmp(tail, record + at, 2) != 0) {
      return false;
    }
    memcpy(tail, record + at + 2 * i, 2);
  }
  return true;
}

/* Finds $VOLUME_INFORMATION (resident: flags at 10 of its value; 1 is dirty). */
static km_ntfs_state find_state(const uint8_t *record, size_t size) {
  size_t at = km_u16(record + 20);
  while (at <= size && size - at >= 24) {
    uint32_t type = km_u32(record + at);
    size_t length = km_u32(record + at + 4);
    if (type == 0xFFFFFFFF || length < 24 || length > size - at) {
      break;
    }
    if (type == VOLUME_INFORMATION && record[at + 8] == 0) {
      size_t value = km_u32(record + at + 16), offset = km_u16(record + at + 20);
      if (value < 12 || offset > length || length - offset < 12) {
        break;
      }
      return km_u16(record + at + offset + 10) & 1 ? KM_NTFS_DIRTY : KM_NTFS_CLEAN;
    }
    at += length;
  }
  return KM_NTFS_UNKNOWN;
}

static km_ntfs_state read_state(int fd) {
  uint8_t boot[BOOT_BYTES];
  struct stat seen;
  ntfs_layout layout;
  errno = 0;
  if (fstat(fd, &seen) != 0 || !(S_ISBLK(seen.st_mode) || S_ISREG(seen.st_mode)) ||
      pread(fd, boot, sizeof boot, 0) != (ssize_t)sizeof boot || !read_layout(boot, &layout)) {
    return KM_NTFS_UNKNOWN;
  }
  uint8_t *record = malloc(layout.record);
  if (!record) {
    return KM_NTFS_UNKNOWN;
  }
  km_ntfs_state state = KM_NTFS_UNKNOWN;
  if (pread(fd, record, layout.record, (off_t)layout.volume_record) == (ssize_t)layout.record &&
      fix_record(record, &layout)) {
    state = find_state(record, layout.record);
  }
  free(record);
  return state;
}

km_ntfs_state km_ntfs_volume_state(const char *source) {
  struct stat seen;
  errno = 0;
  /* Opening a device of another kind may do something: a tape rewinds, a watchdog starts. */
  if (stat(source, &seen) != 0 || !(S_ISBLK(seen.st_mode) || S_ISREG(seen.st_mode))) {
    return KM_NTFS_UNKNOWN;
  }
  int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME);
  if (fd < 0 && errno == EPERM) {
    fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  }
  if (fd < 0) {
    return KM_NTFS_UNKNOWN;
  }
  km_ntfs_state state = read_state(fd);
  int number = errno;
  close(fd);
  errno = number;
  return state;
}
