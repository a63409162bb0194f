/* test_driver.c: what a driver tells, and what it fails at: libc's calls are answered here, as ntfs-3g
 * or a troubled system would */
#include "unit.h"

#include "ntfs.h"
#include "posix.h"
#include "tests.h"
#include "tree.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- libc's calls: as ever, unless a test sets something here ---- */

static struct {
  bool ntfs;              /* extended attributes as ntfs-3g gives them */
  const char *unreadable; /* the one that cannot be read */
  const char *short_name; /* system.ntfs_dos_name */
  unsigned failing_fsync; /* counts down; the one that reaches 0 fails */
  bool no_noreplace;      /* renameat2 knows no flags, and folders have no second name */
  bool full;              /* no space is left, and room for no file */
  uid_t user;             /* who runs, when not 0 */
} fake;

/* libc's own names of the parameters are reserved ones.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static const uint8_t fake_times[32] = {0x01, 0xC4, 0x9A, 0x11, 0x22, 0x33, 0x44, 0x55,
                                       0x01, 0xC4, 0x9B, 0x66, 0x77, 0x88, 0x99, 0x00};
#define NTFS_CREATED INT64_C(0x01C49A1122334455)
#define NTFS_WRITTEN INT64_C(0x01C49B6677889900)

static ssize_t give(const void *data, size_t length, void *value, size_t size) {
  if (size < length) {
    errno = ERANGE;
    return -1;
  }
  memcpy(value, data, length);
  return (ssize_t)length;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size) {
  uint8_t descriptor[KM_PRIVATE_DESCRIPTOR];
  if (!fake.ntfs)
    return syscall(SYS_fgetxattr, fd, name, value, size);
  if (fake.unreadable && !strcmp(name, fake.unreadable)) {
    errno = EIO;
    return -1;
  }
  if (!strcmp(name, "system.ntfs_times_be"))
    return give(fake_times, sizeof fake_times, value, size);
  if (!strcmp(name, "system.ntfs_attrib_be"))
    return give("\0\0\0\x26", 4, value, size);
  if (!strcmp(name, "system.ntfs_acl"))
    return give(descriptor, km_descriptor_private(false, descriptor), value, size);
  if (!strcmp(name, "system.ntfs_dos_name") && fake.short_name)
    return give(fake.short_name, strlen(fake.short_name), value, size);
  errno = ENODATA;
  return -1;
}

int fsync(int fd) {
  if (fake.failing_fsync > 0 && --fake.failing_fsync == 0) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, fd);
}

int linkat(int from, const char *name, int to, const char *new_name, int flags) {
  struct stat seen;
  if (fake.no_noreplace && fstatat(from, name, &seen, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(seen.st_mode)) {
    errno = EPERM;
    return -1;
  }
  return (int)syscall(SYS_linkat, from, name, to, new_name, flags);
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags) {
  if (fake.no_noreplace && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
}

int fstatvfs(int fd, struct statvfs *out) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int status = statvfs(path, out);
  if (fake.full)
    out->f_bfree = out->f_bavail = out->f_ffree = out->f_favail = 0;
  return status;
}

uid_t geteuid(void) {
  return fake.user != 0 ? fake.user : (uid_t)syscall(SYS_geteuid);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* ---- The volume ---- */

typedef struct fixture {
  test_tree tree;
  km_folder *store, *data;
} fixture;

#define CRYPTO "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"

static void open_folders(fixture *all) {
  km_error error;
  if (km_offline_folder_open(&all->tree.target, CRYPTO, &all->store, &error) ||
      km_offline_folder_open(&all->tree.target, "C:\\ProgramData", &all->data, &error))
    fail_msg("%s", error.message);
}

static int set_up(void **state) {
  fixture *all = calloc(1, sizeof *all);
  assert_non_null(all);
  memset(&fake, 0, sizeof fake);
  tree_open(&all->tree, NULL);
  tree_file(&all->tree, TREE_STORE "/key", "private", 7);
  open_folders(all);
  *state = all;
  return 0;
}

static int tear_down(void **state) {
  fixture *all = *state;
  memset(&fake, 0, sizeof fake);
  km_disk_folder_close(all->store);
  km_disk_folder_close(all->data);
  tree_close(&all->tree);
  free(all);
  return 0;
}

/* From here on the volume is one of ntfs-3g. */
static void make_ntfs(fixture *all) {
  static const km_driver ntfs_3g = {"ntfs-3g", 0, KM_DRIVER_NTFS_3G, NULL};
  all->store->volume->driver = &ntfs_3g;
  fake.ntfs = true;
}

/* ---- What NTFS tells ---- */

static void test_driver_unreadable(void **state) {
  static const char *const attributes[] = {"system.ntfs_attrib_be", "system.ntfs_times_be"};
  fixture *all = *state;
  make_ntfs(all);
  for (size_t i = 0; i < COUNT_OF(attributes); i++) {
    km_file_meta meta;
    km_file_info info;
    km_error error;
    uint8_t *data;
    size_t size;
    fake.unreadable = attributes[i];
    assert_int_equal(km_disk_meta_read(all->store, "key", &meta, &error), KM_IO);
    assert_int_equal(km_disk_file_info(all->store, "key", &info, &error), KM_IO);
    assert_int_equal(km_disk_file_read(all->store, "key", 99, &data, &size, &info, &error), KM_IO);
    assert_null(data);
  }
  km_file_meta meta;
  fake.unreadable = "system.ntfs_acl";
  assert_int_equal(km_disk_meta_read(all->store, "key", &meta, NULL), KM_IO);
}

/* What --times tells is for judging; a copy gets what NTFS stores. */
static void test_driver_created(void **state) {
  fixture *all = *state;
  km_file_meta meta;
  km_file_info info;
  char times[96];
  snprintf(times, sizeof times, "%s/times", all->tree.root);
  FILE *file = fopen(times, "w");
  assert_non_null(file);
  fprintf(file, "0|/" TREE_STORE "/key|1|0|0|0|7|1|1|1|1000000000\n");
  fclose(file);
  km_disk_folder_close(all->store);
  km_disk_folder_close(all->data);
  tree_reopen(&all->tree, times);
  open_folders(all);
  make_ntfs(all);
  assert_int_equal(km_disk_file_info(all->store, "key", &info, NULL), KM_OK);
  assert_int_equal(info.created_source, KM_TIME_FILE);
  assert_int_equal(km_disk_meta_read(all->store, "key", &meta, NULL), KM_OK);
  assert_true(meta.created == NTFS_CREATED);
  assert_true(meta.written == NTFS_WRITTEN);
  assert_int_equal(meta.attributes, 0x26);
  free(meta.descriptor);
}

/* ntfs-3g counts a short name; a real hard link has the same count but is listed. */
static void test_driver_short_names(void **state) {
  fixture *all = *state;
  km_file_info info;
  make_ntfs(all);
  char store[512];
  snprintf(store, sizeof store, "%s/%s", all->tree.root, TREE_STORE);
  int folder = open(store, O_RDONLY | O_DIRECTORY), root = open(all->tree.root, O_RDONLY);
  assert_int_equal(linkat(folder, "key", root, "hidden", 0), 0);
  fake.short_name = "C2319C~1";
  assert_int_equal(km_disk_file_info(all->store, "key", &info, NULL), KM_OK);
  assert_int_equal(info.links, 1);
  fake.short_name = NULL;
  assert_int_equal(km_disk_file_info(all->store, "key", &info, NULL), KM_OK);
  assert_int_equal(info.links, 2);
  /* the second name is short itself, and listed */
  assert_int_equal(renameat(root, "hidden", folder, "c2319c~1"), 0);
  for (int i = 0; i < 100; i++) {
    char name[64];
    snprintf(name, sizeof name, TREE_STORE "/%c%d", 'a' + i % 26, i);
    tree_file(&all->tree, name, "x", 1);
  }
  km_disk_folder_close(all->store);
  assert_int_equal(km_offline_folder_open(&all->tree.target, CRYPTO, &all->store, NULL), KM_OK);
  fake.short_name = "C2319C~1";
  assert_int_equal(km_disk_file_info(all->store, "key", &info, NULL), KM_OK);
  assert_int_equal(info.links, 2);
  close(folder);
  close(root);
}

/* ---- What fails ---- */

/* No call that may replace, and folders cannot be linked: an intruder must go to the vault all the
 * same. */
static void test_driver_moves_folders(void **state) {
  fixture *all = *state;
  km_error error;
  fake.no_noreplace = true;
  tree_folder(&all->tree, TREE_STORE "/folder");
  tree_file(&all->tree, TREE_STORE "/folder/inside", "x", 1);
  km_status status =
      km_disk_file_rename(all->store, "folder", all->data, "intruder-1", false, &error);
  if (status)
    fail_msg("%s", error.message);
  assert_int_equal(access(tree_path(&all->tree, "ProgramData/intruder-1/inside"), F_OK), 0);
  tree_folder(&all->tree, TREE_STORE "/folder");
  assert_int_equal(
      km_disk_file_rename(all->store, "folder", all->data, "intruder-1", false, &error), KM_EXISTS);
  assert_int_equal(km_disk_file_rename(all->store, "key", all->data, "key", false, &error), KM_OK);
}

/* Whichever flush fails, the folder that was not there is not there again. */
static void test_driver_unflushed_folder(void **state) {
  fixture *all = *state;
  km_error error;
  km_folder *folder;
  unsigned failed = 0;
  for (unsigned nth = 1; nth < 10; nth++) {
    fake.failing_fsync = nth;
    km_status status = km_disk_private_folder(all->data, "keymend", true, &folder, &error);
    if (status == KM_OK) {
      km_disk_folder_close(folder);
      break;
    }
    assert_int_equal(status, KM_IO);
    assert_int_equal(access(tree_path(&all->tree, "ProgramData/keymend"), F_OK), -1);
    assert_int_equal(access(tree_path(&all->tree, "ProgramData/keymend.new"), F_OK), -1);
    failed++;
  }
  assert_int_equal(failed, 2);
}

/* ---- Whether the volume may be written ---- */

static void test_driver_hibernation_unknown(void **state) {
  fixture *all = *state;
  km_error error;
  assert_int_equal(km_disk_volume_check(all->store, 1, &error), KM_OK);
  tree_folder(&all->tree, "hiberfil.sys"); /* cannot be read */
  assert_int_equal(km_disk_volume_check(all->store, 1, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, "hibernated cannot be told"));
  assert_int_equal(rmdir(tree_path(&all->tree, "hiberfil.sys")), 0);
  tree_file(&all->tree, "Hiberfil.sys", "RSTR", 4); /* which one? */
  tree_file(&all->tree, "HIBERFIL.SYS", "hibr", 4);
  assert_int_equal(km_disk_volume_check(all->store, 1, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, "hibernated cannot be told"));
}

/* Recover writes into what is there already, and purge frees. */
static void test_driver_full(void **state) {
  fixture *all = *state;
  km_error error;
  fake.full = true;
  assert_int_equal(km_disk_volume_check(all->store, 1, &error), KM_NO_SPACE);
  if (km_disk_volume_check(all->store, 0, &error))
    fail_msg("%s", error.message);
}

static void test_driver_owners(void **state) {
  fixture *all = *state;
  km_error error;
  km_file_meta meta = {.uid = 4242, .gid = getegid()};
  fake.user = 4242;
  assert_int_equal(km_disk_meta_settable(all->store, "key", &meta, &error), KM_OK);
  meta.gid = 31337;
  assert_int_equal(km_disk_meta_settable(all->store, "key", &meta, &error), KM_ACCESS);
  assert_non_null(strstr(error.message, "run as root"));
  meta = (km_file_meta){.uid = 0, .gid = getegid()};
  assert_int_equal(km_disk_meta_settable(all->store, "key", &meta, &error), KM_ACCESS);
  make_ntfs(all);
  assert_int_equal(km_disk_meta_settable(all->store, "key", &meta, &error), KM_OK);
}

/* ---- Metadata ---- */

/* The first second of 1970 is a time like any other. */
static void test_driver_1970(void **state) {
  fixture *all = *state;
  const struct timespec times[2] = {{1, 0}, {0, 0}};
  char sha256[KM_SHA256_TEXT], text[KM_TIME_TEXT];
  km_file_meta meta;
  km_file_info info;
  km_error error;
  assert_int_equal(utimensat(AT_FDCWD, tree_path(&all->tree, TREE_STORE "/key"), times, 0), 0);
  assert_int_equal(km_disk_file_info(all->store, "key", &info, &error), KM_OK);
  assert_string_equal(km_time_text(info.written, text), "1970-01-01T00:00:00Z");
  assert_int_equal(km_disk_file_copy(all->store, "key", all->data, "copy", sha256, &error), KM_OK);
  assert_int_equal(km_disk_meta_read(all->data, "copy", &meta, &error), KM_OK);
  assert_string_equal(km_time_text(meta.written, text), "1970-01-01T00:00:00Z");
}

/* Set-id bits are nothing a key needs: they are not copied, and not taken away either. */
static void test_driver_mode(void **state) {
  fixture *all = *state;
  char sha256[KM_SHA256_TEXT];
  struct stat seen;
  km_file_meta meta;
  km_error error;
  assert_int_equal(chmod(tree_path(&all->tree, TREE_STORE "/key"), 04640), 0);
  assert_int_equal(km_disk_meta_read(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(meta.mode, 0640);
  assert_int_equal(km_disk_meta_write(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(stat(tree_path(&all->tree, TREE_STORE "/key"), &seen), 0);
  assert_int_equal(seen.st_mode & 07777, 04640);
  assert_int_equal(km_disk_file_copy(all->store, "key", all->data, "copy", sha256, &error), KM_OK);
  assert_int_equal(stat(tree_path(&all->tree, "ProgramData/copy"), &seen), 0);
  assert_int_equal(seen.st_mode & 07777, 0640);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int test_driver(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_driver_unreadable),  TEST(test_driver_created),
      TEST(test_driver_short_names), TEST(test_driver_moves_folders),
      TEST(test_driver_full),        TEST(test_driver_unflushed_folder),
      TEST(test_driver_owners),      TEST(test_driver_hibernation_unknown),
      TEST(test_driver_1970),        TEST(test_driver_mode),
  };
  return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
