/* memory.c: files that are read by descriptor, and a hive's copy in a memory file */
#include "memory.h"

#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files by descriptor ---- */

static km_status fail(km_error *error, int native) {
  char words[128];
  return km_fail(error, native == ENOMEM ? KM_MEMORY : KM_IO, native, "%s",
                 strerror_r(native, words, sizeof words));
}

km_status km_disk_size(int fd, uint64_t *size, km_error *error) {
  struct stat st;
  *size = 0;
  if (fstat(fd, &st) != 0)
    return fail(error, errno);
  if (!S_ISREG(st.st_mode))
    return km_fail(error, KM_UNSUPPORTED, 0, "it is not an ordinary file");
  *size = (uint64_t)st.st_size;
  return KM_OK;
}

km_status km_disk_written(int fd, km_time *written, km_error *error) {
  struct stat st;
  *written = 0;
  if (fstat(fd, &st) != 0)
    return fail(error, errno);
  *written = km_posix_time(st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec);
  return KM_OK;
}

/* 0 or errno; EIO when the file has become shorter. */
static int read_exactly(int fd, uint8_t *data, size_t size, off_t offset) {
  while (size > 0) {
    ssize_t n = pread(fd, data, size, offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    if (n == 0)
      return EIO;
    data += n;
    size -= (size_t)n;
    offset += n;
  }
  return 0;
}

km_status km_disk_read_at(int fd, void *data, size_t size, uint64_t offset, km_error *error) {
  int native = read_exactly(fd, data, size, (off_t)offset);
  return native == 0 ? KM_OK : fail(error, native);
}

void km_disk_close(int fd) {
  (void)close(fd);
}

km_status km_disk_fopen(const char *path, const char *operation, FILE **out, km_error *error) {
  *out = fopen(path, "re");
  return *out != NULL ? KM_OK : km_posix_fail(error, errno, operation, path, NULL);
}

/* ---- A hive's copy: libhivex opens by name, and a memory file has one below /proc ---- */

const char km_memory_advice[] = "; /proc has to be mounted";

/* Takes memory and address space for the bytes. 0 or errno. fallocate, since a page that cannot be had later, at the
 * first write to it, would be a signal. */
static int reserve(km_memory *memory) {
  if (fallocate(memory->fd, 0, 0, (off_t)memory->size) != 0)
    return errno == ENOSPC ? ENOMEM : errno;
  if (ftruncate(memory->fd, (off_t)(memory->size + KM_MEMORY_HOLE)) != 0)
    return errno;
  void *data = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
  if (data == MAP_FAILED)
    return errno;
  memory->data = data;
  if (memory->secret) { /* as far as the limits of the process let */
    (void)mlock(data, memory->size);
    (void)madvise(data, memory->size, MADV_DONTDUMP);
  }
  return 0;
}

km_status km_memory_new(size_t size, bool secret, km_memory *out, km_error *error) {
  *out = (km_memory){NULL, size, memfd_create("hive", MFD_CLOEXEC), secret};
  int native = out->fd < 0 ? errno : reserve(out);
  if (native == 0)
    return KM_OK;
  km_memory_free(out);
  return fail(error, native);
}

km_status km_memory_seal(km_memory *memory, km_error *error) {
  return mprotect(memory->data, memory->size, PROT_READ) == 0 ? KM_OK : fail(error, errno);
}

void km_memory_free(km_memory *memory) {
  if (memory->data != NULL) {
    if (memory->secret && mprotect(memory->data, memory->size, PROT_READ | PROT_WRITE) == 0)
      km_wipe(memory->data, memory->size);
    (void)munmap(memory->data, memory->size);
  }
  if (memory->fd >= 0)
    (void)close(memory->fd);
  *memory = (km_memory){NULL, 0, -1, false};
}

/* libhivex maps the file anew, and core dumps leave out mappings, not files: so every one of it is found by the file's
 * number. A line: begin-end rwxp offset device inode path. */
static void hide_mappings(const km_memory *memory) {
  struct stat st;
  char line[512];
  FILE *maps = fstat(memory->fd, &st) == 0 ? fopen("/proc/self/maps", "re") : NULL;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    char *at;
    uintptr_t begin = strtoul(line, &at, 16);
    uintptr_t end = *at == '-' ? strtoul(at + 1, &at, 16) : begin;
    for (int field = 0; field < 3; field++) {
      at += strspn(at, " ");
      at += strcspn(at, " ");
    }
    if (end > begin && strtoul(at, NULL, 10) == st.st_ino && strstr(at, "/memfd:") != NULL)
      (void)madvise((void *)begin, end - begin, MADV_DONTDUMP);
  }
  if (maps != NULL)
    (void)fclose(maps);
}

hive_h *km_memory_open(const km_memory *memory) {
  char name[32];
  (void)snprintf(name, sizeof name, "/proc/self/fd/%d", memory->fd);
  hive_h *handle = hivex_open(name, 0);
  int native = errno;
  if (handle != NULL && memory->secret)
    hide_mappings(memory);
  errno = native;
  return handle;
}
