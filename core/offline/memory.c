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

static int write_all(int fd, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    data += n;
    size -= (size_t)n;
  }
  return 0;
}

/* Fills the memory file out->fd and maps the bytes. 0 or errno. */
static int fill(km_memory *out, int fd) {
  enum { CHUNK = 1 << 18 };
  uint8_t *chunk = malloc(CHUNK);
  int native = chunk == NULL ? ENOMEM : 0;
  for (size_t done = 0; native == 0 && done < out->size;) {
    size_t n = out->size - done < CHUNK ? out->size - done : CHUNK;
    native = read_exactly(fd, chunk, n, (off_t)done);
    if (native == 0)
      native = write_all(out->fd, chunk, n);
    done += n;
  }
  free(chunk);
  if (native == 0 && ftruncate(out->fd, (off_t)(out->size + KM_MEMORY_HOLE)) != 0)
    native = errno;
  if (native != 0)
    return native;
  void *data = mmap(NULL, out->size, PROT_READ, MAP_SHARED, out->fd, 0);
  if (data == MAP_FAILED)
    return errno;
  out->data = data;
  return 0;
}

km_status km_memory_copy(int fd, size_t size, km_memory *out, km_error *error) {
  *out = (km_memory){NULL, size, memfd_create("hive", MFD_CLOEXEC)};
  int native = out->fd < 0 ? errno : fill(out, fd);
  if (native == 0)
    return KM_OK;
  km_memory_free(out);
  return fail(error, native);
}

void km_memory_free(km_memory *memory) {
  if (memory->data != NULL)
    (void)munmap((void *)(uintptr_t)memory->data, memory->size);
  if (memory->fd >= 0)
    (void)close(memory->fd);
  *memory = (km_memory){NULL, 0, -1};
}

hive_h *km_memory_open(const km_memory *memory) {
  char name[32];
  (void)snprintf(name, sizeof name, "/proc/self/fd/%d", memory->fd);
  return hivex_open(name, 0);
}
