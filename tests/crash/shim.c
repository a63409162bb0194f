/* shim.c: preloaded into keymend: records each mutation below a folder, and kills or fails at one
 *
 * Environment:
 *   KM_CRASH_ROOT   the folder, absolute and without links; calls elsewhere pass untouched
 *   KM_CRASH_TRACE  file that every call is written to (append), outside the folder
 *   KM_CRASH_AT     number of the call to act at, from 1; absent: only record
 *   KM_CRASH_HOW    "before", "after" (SIGKILL), "half" (SIGKILL after half of a write), or an
 *                   errno number
 *   KM_CRASH_NO_LINKS  when set, there are no hard links: link fails with EPERM and is not counted
 *
 * A trace record is a line of fields separated by tabs, then `size` bytes of data:
 *   op  ino  dir  name  dir2  name2  value  size  result  errno
 * ino: the file's; dir, name: the entry that is made or goes; dir2, name2: a rename's or link's new
 * entry; value: offset, mode or flags. Only the functions by which libc offers these system calls
 * are intercepted; that nothing else is used is shown by comparing the trace with strace's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

/* libc's own names for open with flags that may create. */
int __open_2(const char *path, int flags);             /* NOLINT */
int __open64_2(const char *path, int flags);           /* NOLINT */
int __openat_2(int at, const char *path, int flags);   /* NOLINT */
int __openat64_2(int at, const char *path, int flags); /* NOLINT */

static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static unsigned calls, act_at;
static char how[16];
static bool no_links;

/* ---- set-up ---- */

__attribute__((constructor)) static void set_up(void) {
  const char *value = getenv("KM_CRASH_ROOT");
  if (value == NULL)
    return;
  snprintf(root, sizeof root, "%s", value);
  root_length = strlen(root);
  no_links = getenv("KM_CRASH_NO_LINKS") != NULL;
  value = getenv("KM_CRASH_AT");
  if (value != NULL)
    act_at = (unsigned)strtoul(value, NULL, 10);
  value = getenv("KM_CRASH_HOW");
  snprintf(how, sizeof how, "%s", value != NULL ? value : "before");
  value = getenv("KM_CRASH_TRACE");
  if (value != NULL)
    trace =
        (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void *real(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function == NULL)
    abort();
  return function;
}

/* A function of libc by name. */
#define REAL(name)                                                                                 \
  static __typeof__(&(name)) real_##name;                                                          \
  if (real_##name == NULL) {                                                                       \
    void *found = real(#name);                                                                     \
    memcpy(&real_##name, &found, sizeof found);                                                    \
  }

/* ---- paths ---- */

static bool below(const char *path) {
  return root_length > 0 && strncmp(path, root, root_length) == 0 &&
         (path[root_length] == '\0' || path[root_length] == '/');
}

static bool path_of(int fd, char path[PATH_MAX]) {
  char link[64];
  if (fd == AT_FDCWD)
    return getcwd(path, PATH_MAX) != NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0)
    return false;
  path[length] = '\0';
  return true;
}

/* A file by descriptor. */
typedef struct target {
  unsigned long ino;
  bool inside;
} target;

static target target_of(int fd) {
  int saved = errno;
  char path[PATH_MAX];
  struct stat st;
  target t = {0, false};
  if (root_length > 0 && path_of(fd, path) && below(path) && fstat(fd, &st) == 0)
    t = (target){(unsigned long)st.st_ino, true};
  errno = saved;
  return t;
}

/* An entry of a folder: where it stands, and what it is now. */
typedef struct entry {
  unsigned long dir, ino; /* ino 0: there is nothing */
  char name[NAME_MAX + 1];
  bool inside;
} entry;

static entry entry_of(int at, const char *path) {
  int saved = errno;
  char folder[PATH_MAX * 2], whole[PATH_MAX];
  struct stat st;
  entry e;
  memset(&e, 0, sizeof e);
  if (root_length == 0 || path == NULL)
    return e;
  if (path[0] == '/')
    folder[0] = '\0';
  else if (path_of(at, whole))
    snprintf(folder, sizeof folder, "%s/", whole);
  else
    return e;
  snprintf(folder + strlen(folder), sizeof folder - strlen(folder), "%.4000s", path);
  char *slash = strrchr(folder, '/');
  snprintf(e.name, sizeof e.name, "%.255s", slash + 1);
  *slash = '\0';
  char *resolved = realpath(folder[0] != '\0' ? folder : "/", whole);
  if (resolved != NULL && below(whole) && stat(whole, &st) == 0) {
    e.inside = true;
    e.dir = (unsigned long)st.st_ino;
    if (fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
      e.ino = (unsigned long)st.st_ino;
  }
  errno = saved;
  return e;
}

/* ---- recording and acting ---- */

typedef struct call {
  const char *op;
  unsigned long ino, dir, dir2;
  const char *name, *name2;
  long long value;
  const void *data;
  size_t size;
} call;

static void put(const void *data, size_t size) {
  while (trace >= 0 && size > 0) {
    ssize_t done = syscall(SYS_write, trace, data, size);
    if (done <= 0)
      return;
    data = (const char *)data + done;
    size -= (size_t)done;
  }
}

static void record(const call *c, long result, int number) {
  char line[1024];
  int length = snprintf(line, sizeof line, "%s\t%lu\t%lu\t%s\t%lu\t%s\t%lld\t%zu\t%ld\t%d\n", c->op,
                        c->ino, c->dir, c->name != NULL ? c->name : "", c->dir2,
                        c->name2 != NULL ? c->name2 : "", c->value, c->size, result, number);
  put(line, (size_t)length);
  put(c->data, c->size);
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;)
    pause();
}

/* Before a call: 0, or the errno it has to fail with. */
static int before(const call *c) {
  calls++;
  if (calls != act_at)
    return 0;
  if (strcmp(how, "before") == 0)
    die();
  int number = atoi(how);
  if (number == 0)
    return 0;
  record(c, -1, number);
  return number;
}

static bool half_now(void) {
  return calls == act_at && strcmp(how, "half") == 0;
}

static void after(const call *c, long result, int number) {
  record(c, result, number);
  if (calls == act_at && (strcmp(how, "after") == 0 || strcmp(how, "half") == 0))
    die();
  errno = number;
}

/* The common course of a call: `expression` is run between before and after. */
#define RUN(type, c, expression)                                                                   \
  do {                                                                                             \
    int ordered = before(&(c));                                                                    \
    if (ordered != 0) {                                                                            \
      errno = ordered;                                                                             \
      return (type)-1;                                                                             \
    }                                                                                              \
    type result = (expression);                                                                    \
    after(&(c), (long)result, errno);                                                              \
    return result;                                                                                 \
  } while (0)

/* ---- opening ---- */

static int opened(const entry *e, const char *op, int flags, int fd) {
  struct stat st;
  int number = errno;
  call c = {.op = op, .ino = e->ino, .dir = e->dir, .name = e->name, .value = flags};
  if (fd >= 0 && fstat(fd, &st) == 0)
    c.ino = (unsigned long)st.st_ino;
  after(&c, fd, number);
  return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
  REAL(openat)
  if ((flags & (O_CREAT | O_TRUNC)) == 0 && (flags & O_TMPFILE) != O_TMPFILE)
    return real_openat(at, path, flags, mode);
  entry e = entry_of(at, path);
  if (!e.inside)
    return real_openat(at, path, flags, mode);
  /* An existing file that is only opened is no mutation. */
  if (e.ino != 0 && (flags & O_TRUNC) == 0 && (flags & O_EXCL) == 0)
    return real_openat(at, path, flags, mode);
  const char *op = e.ino != 0 && (flags & O_EXCL) == 0 ? "trunc" : "create";
  call c = {.op = op, .ino = e.ino, .dir = e.dir, .name = e.name, .value = flags};
  int ordered = before(&c);
  if (ordered != 0) {
    errno = ordered;
    return -1;
  }
  return opened(&e, op, flags, real_openat(at, path, flags, mode));
}

#define MODE_ARGUMENT(flags)                                                                       \
  mode_t mode = 0;                                                                                 \
  if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                                \
    va_list arguments;                                                                             \
    va_start(arguments, flags);                                                                    \
    mode = va_arg(arguments, mode_t);                                                              \
    va_end(arguments);                                                                             \
  }

int open(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_at(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_at(at, path, flags, mode);
}

int creat(const char *path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int __open_2(const char *path, int flags) {
  return open_at(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags) {
  return open_at(AT_FDCWD, path, flags, 0);
}
int __openat_2(int at, const char *path, int flags) {
  return open_at(at, path, flags, 0);
}
int __openat64_2(int at, const char *path, int flags) {
  return open_at(at, path, flags, 0);
}

/* ---- writing ---- */

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  REAL(pwrite)
  target t = target_of(fd);
  if (!t.inside)
    return real_pwrite(fd, data, size, offset);
  call c = {.op = "write", .ino = t.ino, .value = offset, .data = data, .size = size};
  RUN(ssize_t, c, real_pwrite(fd, data, half_now() ? size / 2 : size, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  return pwrite(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write)
  target t = target_of(fd);
  if (!t.inside)
    return real_write(fd, data, size);
  call c = {
      .op = "write", .ino = t.ino, .value = lseek(fd, 0, SEEK_CUR), .data = data, .size = size};
  RUN(ssize_t, c, real_write(fd, data, half_now() ? size / 2 : size));
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate)
  target t = target_of(fd);
  if (!t.inside)
    return real_ftruncate(fd, size);
  call c = {.op = "truncate", .ino = t.ino, .value = size};
  RUN(int, c, real_ftruncate(fd, size));
}

int ftruncate64(int fd, off64_t size) {
  return ftruncate(fd, size);
}

int fsync(int fd) {
  REAL(fsync)
  target t = target_of(fd);
  if (!t.inside)
    return real_fsync(fd);
  call c = {.op = "fsync", .ino = t.ino};
  RUN(int, c, real_fsync(fd));
}

int fdatasync(int fd) {
  REAL(fdatasync)
  target t = target_of(fd);
  if (!t.inside)
    return real_fdatasync(fd);
  call c = {.op = "fdatasync", .ino = t.ino};
  RUN(int, c, real_fdatasync(fd));
}

/* ---- names ---- */

static int rename_at(int from, const char *name, int to, const char *new_name, unsigned flags) {
  REAL(renameat2)
  REAL(renameat)
  entry a = entry_of(from, name), b = entry_of(to, new_name);
  if (!a.inside && !b.inside)
    return flags != 0 ? real_renameat2(from, name, to, new_name, flags)
                      : real_renameat(from, name, to, new_name);
  call c = {"rename", a.ino, a.dir, b.dir, a.name, b.name, (long long)flags, NULL, 0};
  RUN(int, c,
      flags != 0 ? real_renameat2(from, name, to, new_name, flags)
                 : real_renameat(from, name, to, new_name));
}

int rename(const char *name, const char *new_name) {
  return rename_at(AT_FDCWD, name, AT_FDCWD, new_name, 0);
}

int renameat(int from, const char *name, int to, const char *new_name) {
  return rename_at(from, name, to, new_name, 0);
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags) {
  return rename_at(from, name, to, new_name, flags);
}

int linkat(int from, const char *name, int to, const char *new_name, int flags) {
  REAL(linkat)
  entry a = entry_of(from, name), b = entry_of(to, new_name);
  if (!b.inside)
    return real_linkat(from, name, to, new_name, flags);
  if (no_links) {
    errno = EPERM;
    return -1;
  }
  call c = {"link", a.ino, a.dir, b.dir, a.name, b.name, flags, NULL, 0};
  RUN(int, c, real_linkat(from, name, to, new_name, flags));
}

int link(const char *name, const char *new_name) {
  return linkat(AT_FDCWD, name, AT_FDCWD, new_name, 0);
}

int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat)
  entry e = entry_of(at, path);
  if (!e.inside)
    return real_unlinkat(at, path, flags);
  const char *op = (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink";
  call c = {.op = op, .ino = e.ino, .dir = e.dir, .name = e.name};
  RUN(int, c, real_unlinkat(at, path, flags));
}

int unlink(const char *path) {
  return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char *path) {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int at, const char *path, mode_t mode) {
  REAL(mkdirat)
  entry e = entry_of(at, path);
  if (!e.inside)
    return real_mkdirat(at, path, mode);
  call c = {.op = "mkdir", .dir = e.dir, .name = e.name, .value = mode};
  int ordered = before(&c);
  if (ordered != 0) {
    errno = ordered;
    return -1;
  }
  int result = real_mkdirat(at, path, mode), number = errno;
  c.ino = entry_of(at, path).ino;
  after(&c, result, number);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  return mkdirat(AT_FDCWD, path, mode);
}

/* ---- metadata ---- */

int fchmod(int fd, mode_t mode) {
  REAL(fchmod)
  target t = target_of(fd);
  if (!t.inside)
    return real_fchmod(fd, mode);
  call c = {.op = "chmod", .ino = t.ino, .value = mode};
  RUN(int, c, real_fchmod(fd, mode));
}

int fchown(int fd, uid_t uid, gid_t gid) {
  REAL(fchown)
  target t = target_of(fd);
  if (!t.inside)
    return real_fchown(fd, uid, gid);
  uint32_t both[2] = {uid, gid};
  call c = {.op = "chown", .ino = t.ino, .data = both, .size = sizeof both};
  RUN(int, c, real_fchown(fd, uid, gid));
}

int futimens(int fd, const struct timespec times[2]) {
  REAL(futimens)
  target t = target_of(fd);
  if (!t.inside || times == NULL)
    return real_futimens(fd, times);
  call c = {.op = "times", .ino = t.ino, .data = &times[1], .size = sizeof times[1]};
  RUN(int, c, real_futimens(fd, times));
}

int utimensat(int at, const char *path, const struct timespec times[2], int flags) {
  REAL(utimensat)
  entry e = entry_of(at, path);
  if (!e.inside || times == NULL)
    return real_utimensat(at, path, times, flags);
  call c = {.op = "times", .ino = e.ino, .data = &times[1], .size = sizeof times[1]};
  RUN(int, c, real_utimensat(at, path, times, flags));
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
  REAL(fsetxattr)
  target t = target_of(fd);
  if (!t.inside)
    return real_fsetxattr(fd, name, value, size, flags);
  call c = {.op = "setxattr", .ino = t.ino, .name = name, .data = value, .size = size};
  RUN(int, c, real_fsetxattr(fd, name, value, size, flags));
}

int fremovexattr(int fd, const char *name) {
  REAL(fremovexattr)
  target t = target_of(fd);
  if (!t.inside)
    return real_fremovexattr(fd, name);
  call c = {.op = "removexattr", .ino = t.ino, .name = name};
  RUN(int, c, real_fremovexattr(fd, name));
}

/* ---- what keymend must not use: recorded as "forbidden", so that the test fails ---- */

static void forbid(const char *what) {
  call c = {.op = "forbidden", .name = what};
  calls++;
  record(&c, 0, 0);
}

static bool inside_path(const char *path) {
  return entry_of(AT_FDCWD, path).inside;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  REAL(mmap)
  bool writes = (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 && fd >= 0;
  if (writes && root_length > 0 && target_of(fd).inside)
    forbid("mmap");
  return real_mmap(address, length, protection, flags, fd, offset);
}

int truncate(const char *path, off_t size) {
  REAL(truncate)
  if (inside_path(path))
    forbid("truncate");
  return real_truncate(path, size);
}

int symlinkat(const char *to, int at, const char *path) {
  REAL(symlinkat)
  if (entry_of(at, path).inside)
    forbid("symlinkat");
  return real_symlinkat(to, at, path);
}

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
  REAL(setxattr)
  if (inside_path(path))
    forbid("setxattr");
  return real_setxattr(path, name, value, size, flags);
}

int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
  REAL(lsetxattr)
  if (inside_path(path))
    forbid("lsetxattr");
  return real_lsetxattr(path, name, value, size, flags);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size,
                        unsigned flags) {
  REAL(copy_file_range)
  if (target_of(to).inside)
    forbid("copy_file_range");
  return real_copy_file_range(from, from_at, to, to_at, size, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  REAL(sendfile)
  if (target_of(to).inside)
    forbid("sendfile");
  return real_sendfile(to, from, offset, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  REAL(fallocate)
  if (target_of(fd).inside)
    forbid("fallocate");
  return real_fallocate(fd, mode, offset, size);
}
