/* test_folder.c: files of an offline volume: reading, and every writing operation. */
#include "unit.h"

#include "descriptor.h"
#include "ntfs.h"
#include "posix.h"
#include "tests.h"
#include "tree.h"
#include "volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"

typedef struct fixture {
  test_tree tree;
  km_folder *store, *data; /* the key store; ProgramData */
} fixture;

static int set_up(void **state) {
  fixture *all = calloc(1, sizeof *all);
  assert_non_null(all);
  tree_open(&all->tree, NULL);
  tree_file(&all->tree, TREE_STORE "/key", "private", 7);
  const struct timespec times[2] = {{1, 0}, {1095145680, 123456700}};
  assert_int_equal(utimensat(AT_FDCWD, tree_path(&all->tree, TREE_STORE "/key"), times, 0), 0);
  km_error error;
  assert_int_equal(km_offline_folder_open(&all->tree.target, STORE, &all->store, &error), KM_OK);
  assert_int_equal(
      km_offline_folder_open(&all->tree.target, "C:\\programdata\\", &all->data, &error), KM_OK);
  *state = all;
  return 0;
}

static int tear_down(void **state) {
  fixture *all = *state;
  km_disk_folder_close(all->store);
  km_disk_folder_close(all->data);
  tree_close(&all->tree);
  free(all);
  return 0;
}

static struct stat stat_of(fixture *all, const char *name) {
  struct stat seen;
  char path[512];
  snprintf(path, sizeof path, TREE_STORE "/%s", name);
  assert_int_equal(lstat(tree_path(&all->tree, path), &seen), 0);
  return seen;
}

static bool there(fixture *all, const char *name) {
  char path[512];
  snprintf(path, sizeof path, TREE_STORE "/%s", name);
  return faccessat(AT_FDCWD, tree_path(&all->tree, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void check_content(fixture *all, const char *name, const char *wanted) {
  uint8_t *data;
  size_t size;
  km_error error;
  km_status status = km_disk_file_read(all->store, name, 4096, &data, &size, NULL, &error);
  if (status) {
    fail_msg("%s", error.message);
  }
  assert_int_equal(size, strlen(wanted));
  assert_memory_equal(data, wanted, size);
  km_secret_free(data, size);
}

/* ---- Reading ---- */

static void test_folder_list(void **state) {
  fixture *all = *state;
  km_listing *first, *second;
  km_error error;
  const char *name;
  size_t length, folders = 0, files = 0, again = 0;
  bool is_folder;
  km_status status;
  tree_folder(&all->tree, TREE_STORE "/folder");
  tree_file(&all->tree, TREE_STORE "/.hidden", "x", 1);
  assert_int_equal(km_disk_folder_list(all->store, &first, &error), KM_OK);
  assert_int_equal(km_disk_folder_list(all->store, &second, &error), KM_OK);
  while ((status = km_disk_listing_next(first, &name, &length, &is_folder, &error)) == KM_OK) {
    assert_int_equal(strlen(name), length);
    folders += is_folder;
    files += !is_folder;
  }
  assert_int_equal(status, KM_END);
  assert_int_equal(folders, 1);
  assert_int_equal(files, 2);
  while (km_disk_listing_next(second, &name, &length, &is_folder, &error) == KM_OK) {
    again++;
  }
  assert_int_equal(again, 3);
  km_disk_listing_close(first);
  km_disk_listing_close(second);
}

static void test_folder_info(void **state) {
  fixture *all = *state;
  km_file_info info;
  km_error error;
  char text[KM_TIME_TEXT];
  struct stat seen = stat_of(all, "key");
  assert_int_equal(km_disk_file_info(all->store, "key", &info, &error), KM_OK);
  assert_true(info.regular);
  assert_false(info.reparse);
  assert_int_equal(info.size, 7);
  assert_int_equal(info.identity, seen.st_ino);
  assert_int_equal(info.device, seen.st_dev);
  assert_int_equal(info.links, 1);
  assert_int_equal(info.attributes, 0);
  assert_string_equal(km_time_text(info.written, text), "2004-09-14T07:08:00Z");
  snprintf(text, sizeof text, "uid:%lu", (unsigned long)seen.st_uid);
  assert_string_equal(info.owner, text);
  assert_true(info.owner_trusted);
  /* The copy's birth time is told as such, or nothing is. */
  assert_true(info.created_source == KM_TIME_BIRTH || info.created_source == KM_TIME_NONE);
  assert_int_equal(km_disk_file_info(all->store, "none", &info, &error), KM_NOT_FOUND);
  assert_int_equal(km_disk_file_info(all->store, "KEY", &info, &error), KM_NOT_FOUND);
}

static void test_foreign_owner(void **state) {
  fixture *all = *state;
  km_file_info info;
  km_error error;
  if (geteuid() != 0) {
    print_message("skipped: only root can give a file to another user\n");
    skip();
  }
  assert_int_equal(chown(tree_path(&all->tree, TREE_STORE "/key"), 12345, 0), 0);
  assert_int_equal(km_disk_file_info(all->store, "key", &info, &error), KM_OK);
  assert_string_equal(info.owner, "uid:12345");
  assert_false(info.owner_trusted);
}

static void test_times_file(void **state) {
  fixture *all = *state;
  km_file_info info;
  km_error error;
  char times[512], text[KM_TIME_TEXT];
  const char row[] = "0|C:/" TREE_STORE "/KEY|1|r/r|0|0|7|1|2|3|1000000000\n";
  tree_file(&all->tree, "times.body", row, sizeof row - 1);
  snprintf(times, sizeof times, "%s", tree_path(&all->tree, "times.body"));
  km_disk_folder_close(all->store);
  tree_reopen(&all->tree, times);
  assert_int_equal(km_offline_folder_open(&all->tree.target, STORE, &all->store, &error), KM_OK);
  assert_int_equal(km_disk_file_info(all->store, "key", &info, &error), KM_OK);
  assert_int_equal(info.created_source, KM_TIME_FILE);
  assert_string_equal(km_time_text(info.created, text), "2001-09-09T01:46:40Z");
  km_capability rows[KM_OFFLINE_CAPABILITIES];
  assert_int_equal(
      km_offline_capabilities(&all->tree.offline, all->store, rows, KM_OFFLINE_CAPABILITIES),
      KM_OFFLINE_CAPABILITIES);
  assert_string_equal(rows[0].id, "creation-times");
  assert_true(rows[0].available);
}

static void test_odd_files(void **state) {
  fixture *all = *state;
  km_file_info info;
  km_error error;
  uint8_t *data;
  size_t size;
  tree_folder(&all->tree, TREE_STORE "/folder");
  assert_int_equal(symlink("key", tree_path(&all->tree, TREE_STORE "/link")), 0);
  assert_int_equal(mkfifo(tree_path(&all->tree, TREE_STORE "/pipe"), 0644), 0);
  static const struct {
    const char *name;
    bool reparse;
    km_status reading;
  } odd[] = {
      {"folder", false, KM_REFUSED}, {"link", true, KM_OUTSIDE}, {"pipe", false, KM_REFUSED}};
  for (size_t i = 0; i < COUNT_OF(odd); i++) {
    assert_int_equal(km_disk_file_info(all->store, odd[i].name, &info, &error), KM_OK);
    assert_false(info.regular);
    assert_int_equal(info.reparse, odd[i].reparse);
    km_status status = km_disk_file_read(all->store, odd[i].name, 100, &data, &size, &info, &error);
    assert_int_equal(status, odd[i].reading);
    assert_null(data);
  }
  static const char *const names[] = {"", ".", "..", "a/b", "a\\b", "../key"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    assert_int_equal(km_disk_file_info(all->store, names[i], &info, &error), KM_MISUSE);
    assert_int_equal(km_disk_file_remove(all->store, names[i], &error), KM_MISUSE);
    assert_int_equal(km_disk_file_rename(all->store, "key", all->data, names[i], true, &error),
                     KM_MISUSE);
  }
}

static void test_folder_read(void **state) {
  fixture *all = *state;
  km_error error;
  uint8_t *data;
  size_t size;
  km_file_info info;
  tree_file(&all->tree, TREE_STORE "/empty", "", 0);
  check_content(all, "key", "private");
  check_content(all, "empty", "");
  assert_int_equal(km_disk_file_read(all->store, "key", 7, &data, &size, &info, &error), KM_OK);
  assert_int_equal(info.size, 7);
  km_secret_free(data, size);
  assert_int_equal(km_disk_file_read(all->store, "key", 6, &data, &size, &info, &error), KM_LIMIT);
  assert_null(data);
}

/* Reading leaves no trace: neither listing nor reading moves access times. */
static void test_silence(void **state) {
  fixture *all = *state;
  km_listing *listing;
  km_error error;
  const char *name;
  size_t length;
  bool is_folder;
  /* An access time older than the last write is what even relatime would move. */
  const struct timespec times[2] = {{1000, 0}, {2000, 0}};
  assert_int_equal(utimensat(AT_FDCWD, tree_path(&all->tree, TREE_STORE "/key"), times, 0), 0);
  assert_int_equal(utimensat(AT_FDCWD, tree_path(&all->tree, TREE_STORE), times, 0), 0);
  check_content(all, "key", "private");
  assert_int_equal(km_disk_folder_list(all->store, &listing, &error), KM_OK);
  while (km_disk_listing_next(listing, &name, &length, &is_folder, &error) == KM_OK) {
  }
  km_disk_listing_close(listing);
  assert_int_equal(stat_of(all, "key").st_atim.tv_sec, 1000);
  assert_int_equal(stat_of(all, ".").st_atim.tv_sec, 1000);
}

/* ---- Writing ---- */

static void test_folder_copy(void **state) {
  fixture *all = *state;
  km_error error;
  char hash[KM_SHA256_TEXT], wanted[KM_SHA256_TEXT];
  assert_int_equal(chmod(tree_path(&all->tree, TREE_STORE "/key"), 0440), 0);
  assert_int_equal(km_disk_file_copy(all->store, "key", all->store, "1.copy", hash, &error), KM_OK);
  km_sha256("private", 7, wanted);
  assert_string_equal(hash, wanted);
  check_content(all, "1.copy", "private");
  struct stat copy = stat_of(all, "1.copy"), original = stat_of(all, "key");
  assert_int_equal(copy.st_mode, original.st_mode);
  assert_int_equal(copy.st_mtim.tv_sec, original.st_mtim.tv_sec);
  assert_int_equal(copy.st_mtim.tv_nsec, original.st_mtim.tv_nsec);
  assert_int_equal(km_disk_file_copy(all->store, "key", all->store, "1.copy", hash, &error),
                   KM_EXISTS);
  check_content(all, "1.copy", "private");
  assert_int_equal(km_disk_file_copy(all->store, "none", all->store, "2.copy", hash, &error),
                   KM_NOT_FOUND);
  assert_false(there(all, "2.copy"));
  assert_int_equal(symlink("key", tree_path(&all->tree, TREE_STORE "/link")), 0);
  assert_int_equal(km_disk_file_copy(all->store, "link", all->store, "2.copy", hash, &error),
                   KM_OUTSIDE);
  assert_int_equal(km_disk_file_copy(all->store, "key", all->store, "link", hash, &error),
                   KM_EXISTS);
}

static void test_link_and_rename(void **state) {
  fixture *all = *state;
  km_error error;
  ino_t inode = stat_of(all, "key").st_ino;
  tree_file(&all->tree, TREE_STORE "/other", "other", 5);
  assert_int_equal(km_disk_file_link(all->store, "key", all->store, "link", &error), KM_OK);
  assert_int_equal(stat_of(all, "link").st_ino, inode);
  assert_int_equal(stat_of(all, "link").st_nlink, 2);
  assert_int_equal(km_disk_file_link(all->store, "key", all->store, "other", &error), KM_EXISTS);
  assert_int_equal(km_disk_file_link(all->store, "none", all->store, "x", &error), KM_NOT_FOUND);
  assert_int_equal(km_disk_file_remove(all->store, "link", &error), KM_OK);
  assert_int_equal(km_disk_file_rename(all->store, "key", all->store, "other", false, &error),
                   KM_EXISTS);
  check_content(all, "other", "other");
  check_content(all, "key", "private");
  assert_int_equal(km_disk_file_rename(all->store, "key", all->store, "free", false, &error),
                   KM_OK);
  assert_false(there(all, "key"));
  assert_int_equal(km_disk_file_rename(all->store, "free", all->store, "other", true, &error),
                   KM_OK);
  check_content(all, "other", "private");
  assert_int_equal(stat_of(all, "other").st_ino, inode);
  assert_int_equal(km_disk_file_rename(all->store, "free", all->store, "x", true, &error),
                   KM_NOT_FOUND);
  assert_int_equal(km_disk_file_remove(all->store, "free", &error), KM_NOT_FOUND);
  assert_int_equal(km_disk_folder_flush(all->store, &error), KM_OK);
}

static void test_rename_known(void **state) {
  fixture *all = *state;
  km_error error;
  char right[KM_SHA256_TEXT], wrong[KM_SHA256_TEXT];
  km_sha256("private", 7, right);
  km_sha256("other", 5, wrong);
  tree_file(&all->tree, TREE_STORE "/other", "other", 5);
  assert_int_equal(
      km_disk_file_rename_known(all->store, "key", all->store, "other", true, wrong, &error),
      KM_STALE);
  assert_int_equal(
      km_disk_file_rename_known(all->store, "key", all->store, "other", false, right, &error),
      KM_EXISTS);
  check_content(all, "other", "other");
  check_content(all, "key", "private");
  assert_int_equal(
      km_disk_file_rename_known(all->store, "key", all->store, "other", true, right, &error),
      KM_OK);
  assert_false(there(all, "key"));
  check_content(all, "other", "private");
  assert_int_equal(
      km_disk_file_rename_known(all->store, "key", all->store, "other", true, right, &error),
      KM_NOT_FOUND);
}

static void test_folder_meta(void **state) {
  fixture *all = *state;
  km_error error;
  km_file_meta meta, again;
  assert_int_equal(km_disk_meta_read(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(meta.created, 0);
  assert_int_equal(meta.mode, 0644);
  assert_null(meta.descriptor);
  struct timespec changed = stat_of(all, "key").st_ctim;
  assert_int_equal(km_disk_meta_write(all->store, "key", &meta, &error), KM_OK);
  /* Equal meta are not written: the change time stays. */
  struct timespec now = stat_of(all, "key").st_ctim;
  assert_memory_equal(&now, &changed, sizeof changed);
  meta.mode = 0400;
  meta.written = km_time_from_unix(-5, 900);
  assert_int_equal(km_disk_meta_write(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(km_disk_meta_read(all->store, "key", &again, &error), KM_OK);
  assert_int_equal(again.mode, 0400);
  assert_true(again.written == meta.written);
  assert_int_equal(km_disk_meta_write(all->store, "none", &meta, &error), KM_NOT_FOUND);
}

/* What a Windows told of a file has no mode and no user of this system: the file's own stay. */
static void test_folder_meta_of_windows(void **state) {
  fixture *all = *state;
  km_error error;
  uint8_t descriptor[KM_DESCRIPTOR_HEADER] = {1};
  km_file_meta again, meta = {.written = km_time_from_unix(77, 0),
                              .attributes = 0x20,
                              .descriptor = descriptor,
                              .descriptor_size = sizeof descriptor};
  assert_int_equal(km_disk_meta_settable(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(km_disk_meta_write(all->store, "key", &meta, &error), KM_OK);
  assert_int_equal(km_disk_meta_read(all->store, "key", &again, &error), KM_OK);
  assert_int_equal(again.mode, 0644);
  assert_int_equal(again.uid, geteuid());
  assert_true(again.written == meta.written);
}

static void test_private_folder(void **state) {
  fixture *all = *state;
  km_error error;
  km_folder *folder, *again;
  struct stat seen;
  assert_int_equal(km_disk_private_folder(all->data, "keymend", false, &folder, &error),
                   KM_NOT_FOUND);
  mode_t mask = umask(0);
  assert_int_equal(km_disk_private_folder(all->data, "keymend", true, &folder, &error), KM_OK);
  umask(mask);
  assert_string_equal(folder->path, "C:\\programdata\\keymend");
  assert_int_equal(stat(tree_path(&all->tree, "ProgramData/keymend"), &seen), 0);
  assert_int_equal(seen.st_mode & 07777, 0700);
  assert_int_not_equal(access(tree_path(&all->tree, "ProgramData/keymend.new"), F_OK), 0);
  assert_int_equal(km_disk_private_folder(all->data, "KEYMEND", true, &again, &error), KM_OK);
  assert_string_equal(again->path, "C:\\programdata\\keymend");
  km_disk_folder_close(again);
  km_disk_folder_close(folder);
  assert_int_equal(km_disk_folder_remove(all->data, "keymend", &error), KM_OK);
  assert_int_equal(km_disk_folder_remove(all->data, "keymend", &error), KM_NOT_FOUND);
}

static void check_forged(fixture *all, const char *words) {
  km_folder *folder;
  km_error error;
  for (int create = 0; create < 2; create++) {
    assert_int_equal(km_disk_private_folder(all->data, "keymend", create, &folder, &error),
                     KM_FORGED);
    assert_null(folder);
    if (!strstr(error.message, words)) {
      fail_msg("the message lacks \"%s\": %s", words, error.message);
    }
  }
}

static void test_forged_folder(void **state) {
  fixture *all = *state;
  char path[512];
  snprintf(path, sizeof path, "%s", tree_path(&all->tree, "ProgramData/keymend"));
  tree_folder(&all->tree, "ProgramData/keymend");
  check_forged(all, "mode is 0755");
  if (geteuid() == 0) {
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chown(path, 12345, 0), 0);
    check_forged(all, "user id 12345");
  }
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(symlink("/tmp", path), 0);
  check_forged(all, "no real folder");
  assert_int_equal(unlink(path), 0);
  tree_file(&all->tree, "ProgramData/keymend", "x", 1);
  check_forged(all, "no real folder");
  assert_int_equal(unlink(path), 0);
  tree_folder(&all->tree, "ProgramData/Keymend");
  tree_folder(&all->tree, "ProgramData/KEYMEND");
  check_forged(all, "several");
}

/* What an interrupted run or a squatter left under the temporary name is no obstacle. */
static void test_temporary_folder(void **state) {
  fixture *all = *state;
  km_error error;
  km_folder *folder;
  tree_folder(&all->tree, "ProgramData/keymend.new");
  assert_int_equal(km_disk_private_folder(all->data, "keymend", true, &folder, &error), KM_OK);
  km_disk_folder_close(folder);
  assert_int_not_equal(access(tree_path(&all->tree, "ProgramData/keymend.new"), F_OK), 0);
  assert_int_equal(km_disk_folder_remove(all->data, "keymend", &error), KM_OK);
  tree_file(&all->tree, "ProgramData/keymend.new/squatter", "x", 1);
  assert_int_equal(km_disk_private_folder(all->data, "keymend", true, &folder, &error), KM_OK);
  km_disk_folder_close(folder);
  assert_int_equal(access(tree_path(&all->tree, "ProgramData/keymend.new/squatter"), F_OK), 0);
}

static void test_journal_file(void **state) {
  fixture *all = *state;
  km_error error;
  km_file *file;
  uint8_t *data;
  size_t size;
  const size_t whole = 100000;
  assert_int_equal(km_disk_journal_create(all->store, "journal", whole, &file, &error), KM_OK);
  assert_int_equal(stat_of(all, "journal").st_size, whole);
  assert_int_equal(stat_of(all, "journal").st_mode & 07777, 0600);
  assert_int_equal(km_disk_journal_write(file, whole - 3, "end", 3, &error), KM_OK);
  assert_int_equal(km_disk_journal_write(file, whole - 2, "end", 3, &error), KM_LIMIT);
  assert_int_equal(km_disk_journal_write(file, UINT64_MAX, "end", 3, &error), KM_LIMIT);
  km_disk_journal_close(file);
  assert_int_equal(km_disk_journal_create(all->store, "journal", 10, &file, &error), KM_EXISTS);
  assert_int_equal(km_disk_journal_open(all->store, "journal", &file, &error), KM_OK);
  assert_int_equal(km_disk_journal_write(file, 0, "begin", 5, &error), KM_OK);
  km_disk_journal_close(file);
  assert_int_equal(km_disk_file_read(all->store, "journal", whole, &data, &size, NULL, &error),
                   KM_OK);
  assert_int_equal(size, whole);
  assert_memory_equal(data, "begin\0", 6);
  assert_memory_equal(data + whole - 4, "\0end", 4);
  km_secret_free(data, size);
  assert_int_equal(km_disk_file_link(all->store, "journal", all->store, "second", &error), KM_OK);
  assert_int_equal(km_disk_journal_open(all->store, "journal", &file, &error), KM_FORGED);
}

static void test_folder_lock(void **state) {
  fixture *all = *state;
  km_error error;
  test_tree other = {.offline = {.lock = -1}};
  km_target_options options = {.root = all->tree.root};
  km_folder *store;
  other.target = all->tree.target;
  other.target.state = &other.offline;
  assert_int_equal(km_offline_volumes_open(&other.offline, &options, &error), KM_OK);
  assert_int_equal(km_offline_folder_open(&other.target, STORE, &store, &error), KM_OK);
  assert_int_equal(km_offline_lock(&all->tree.target, all->store, &error), KM_OK);
  assert_int_equal(km_offline_lock(&other.target, store, &error), KM_BUSY);
  assert_int_equal(km_offline_lock(&all->tree.target, all->store, &error), KM_MISUSE);
  km_offline_unlock(&all->tree.target);
  assert_int_equal(km_offline_lock(&other.target, store, &error), KM_OK);
  km_offline_unlock(&other.target);
  km_disk_folder_close(store);
  km_offline_volumes_close(&other.offline);
}

static void test_volume_check(void **state) {
  fixture *all = *state;
  km_error error;
  assert_int_equal(km_disk_volume_check(all->store, 4096, &error), KM_OK);
  assert_int_equal(km_disk_volume_check(all->store, UINT64_C(1) << 60, &error), KM_NO_SPACE);
  assert_non_null(strstr(error.message, "1152921504606846976 bytes"));
  tree_file(&all->tree, "HIBERFIL.SYS", "wake", 4);
  assert_int_equal(km_disk_volume_check(all->store, 0, &error), KM_OK);
  tree_file(&all->tree, "HIBERFIL.SYS", "HIBR....", 8);
  assert_int_equal(km_disk_volume_check(all->store, 0, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, "fast startup"));
  tree_file(&all->tree, "HIBERFIL.SYS", "hibr", 4);
  assert_int_equal(km_disk_volume_check(all->store, 0, &error), KM_REFUSED);
  tree_file(&all->tree, "HIBERFIL.SYS", "", 0);
  assert_int_equal(km_disk_volume_check(all->store, 0, &error), KM_OK);
  static const km_driver unknown = {"ntfs", 0, KM_DRIVER_FOREIGN, "not known"};
  all->tree.offline.volumes[0].driver = &unknown;
  assert_int_equal(km_disk_volume_check(all->store, 0, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, "not known"));
}

/* ---- Descriptors ---- */

static void test_descriptor(void **state) {
  (void)state;
  uint8_t data[KM_PRIVATE_DESCRIPTOR + 8];
  char sid[KM_SID_TEXT];
  const char *problem;
  size_t size = km_descriptor_private(true, data);
  assert_true(km_descriptor_owner(data, size, sid));
  assert_string_equal(sid, "S-1-5-18");
  assert_true(km_descriptor_is_private(data, size, &problem));
  /* Every change of a byte that says something is seen. */
  static const uint8_t fill[] = {1, 12, 13, 14, 15}; /* sbz and the absent SACL's offset */
  for (size_t i = 0; i < size; i++) {
    uint8_t old = data[i];
    bool ignored = i == 2 || i == 3 || memchr(fill, (int)i, sizeof fill);
    data[i] ^= 0x10;
    assert_true(ignored || !km_descriptor_is_private(data, size, &problem));
    data[i] = old;
    assert_false(km_descriptor_is_private(data, i, &problem));
  }
  data[3] &= (uint8_t)~0x10; /* not protected */
  assert_false(km_descriptor_is_private(data, size, &problem));
  assert_false(km_descriptor_is_private(NULL, 0, &problem));
  size = km_descriptor_private(false, data);
  assert_false(km_descriptor_is_private(data, size, &problem));
}

/* Windows puts the parts in another order than ntfs-3g: owner and group last. */
static void test_descriptor_layout(void **state) {
  (void)state;
  uint8_t ours[KM_PRIVATE_DESCRIPTOR], other[KM_PRIVATE_DESCRIPTOR];
  const char *problem;
  km_descriptor_private(true, ours);
  memcpy(other, ours, 20);
  memcpy(other + 20, ours + 44, 52);
  memcpy(other + 72, ours + 20, 24);
  other[4] = 72;
  other[8] = 84;
  other[16] = 20;
  assert_true(km_descriptor_is_private(other, sizeof other, &problem));
}

/* What Windows tells of a file is compared with what ntfs-3g told of it. */
static void test_descriptor_equal(void **state) {
  (void)state;
  uint8_t ours[KM_PRIVATE_DESCRIPTOR], other[KM_PRIVATE_DESCRIPTOR + 4] = {0};
  km_descriptor_private(true, ours);
  memcpy(other, ours, 20);
  memcpy(other + 20, ours + 44, 52);
  memcpy(other + 76, ours + 20,
         24); /* four bytes of room behind the entries, which its size counts */
  other[22] += 4;
  other[4] = 76;
  other[8] = 88;
  other[16] = 20;
  const size_t size = sizeof other;
  assert_true(km_descriptor_equal(ours, sizeof ours, other, size));
  other[3] ^= 0x04; /* auto-inherited */
  assert_true(km_descriptor_equal(ours, sizeof ours, other, size));
  /* The protected mark, revision, number of entries, an entry's flags, mask and SID, owner, group. */
  static const uint8_t counted[] = {3, 20, 24, 29, 32, 36, 47, 84, 96};
  for (size_t i = 0; i < sizeof counted; i++) {
    other[counted[i]] ^= 0x10;
    assert_false(km_descriptor_equal(ours, sizeof ours, other, size));
    assert_false(km_descriptor_equal(other, size, ours, sizeof ours));
    other[counted[i]] ^= 0x10;
  }
  assert_false(km_descriptor_equal(ours, sizeof ours, other, size - 1));
  assert_false(km_descriptor_equal(ours, sizeof ours, NULL, 0));
  assert_true(km_descriptor_equal(NULL, 0, NULL, 0));
  assert_true(km_descriptor_equal(other, 30, other, 30)); /* damaged, and the same */
  other[16] = 0; /* a DACL that is present and NULL lets everyone in */
  assert_false(km_descriptor_equal(ours, sizeof ours, other, size));
  memset(other + 4, 0, 8);
  km_descriptor_parts parts;
  assert_true(km_descriptor_take(other, 20, &parts));
  assert_true(!parts.owner && !parts.group && !parts.dacl &&
              (parts.control & KM_CONTROL_DACL_PRESENT));
}

static void test_hostile_descriptor(void **state) {
  (void)state;
  uint8_t data[96], *tight;
  char sid[KM_SID_TEXT];
  const char *problem;
  km_descriptor_private(true, data);
  static const uint32_t offsets[] = {0, 1, 19, 84, 88, 92, 95, 96, 97, 0x7fffffff, 0xffffffff};
  for (size_t i = 0; i < COUNT_OF(offsets); i++) {
    memcpy(data + 4, &offsets[i], 4);
    tight = malloc(sizeof data);
    assert_non_null(tight);
    memcpy(tight, data, sizeof data);
    tight[93] = 255; /* the sub-authority count where 92 points to */
    (void)km_descriptor_owner(tight, sizeof data, sid);
    assert_true(strlen(sid) < KM_SID_TEXT);
    assert_false(km_descriptor_is_private(tight, sizeof data, &problem));
    km_descriptor_parts parts;
    (void)km_descriptor_take(tight, sizeof data, &parts);
    km_descriptor_private(true, tight);
    memcpy(tight + 16, &offsets[i], 4); /* the DACL's */
    assert_true(offsets[i] == 0 || !km_descriptor_take(tight, sizeof data, &parts));
    km_descriptor_private(true, tight);
    memcpy(tight + 46, &offsets[i], 4); /* the DACL's size and count of entries */
    (void)km_descriptor_take(tight, sizeof data, &parts);
    km_descriptor_private(true, tight);
    memcpy(tight + 54, &offsets[i], 2); /* an entry's size */
    assert_false(km_descriptor_take(tight, sizeof data, &parts));
    free(tight);
  }
  uint8_t longest[20 + 8 + 60];
  memset(longest, 0xFF, sizeof longest);
  memset(longest, 0, 20);
  longest[0] = 1;
  longest[4] = 20;
  longest[20] = 1;
  longest[21] = 15;
  assert_true(km_descriptor_owner(longest, sizeof longest, sid));
  assert_true(strlen(sid) < KM_SID_TEXT);
  longest[21] = 16;
  assert_false(km_descriptor_owner(longest, sizeof longest, sid));
}

static void test_trusted(void **state) {
  (void)state;
  static const char *const yes[] = {
      "S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-32-544",
      "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"};
  static const char *const no[] = {"",         "S-1-1-0",        "S-1-5-32-545", "S-1-5-180",
                                   "S-1-5-11", "S-1-5-21-1-500", "S-1-5-8",      "uid:0"};
  for (size_t i = 0; i < COUNT_OF(yes); i++) {
    assert_true(km_sid_trusted(yes[i]));
  }
  for (size_t i = 0; i < COUNT_OF(no); i++) {
    assert_false(km_sid_trusted(no[i]));
  }
}

/* ---- $Volume ---- */

#define RECORD 1024
#define MFT (4 * 4096)

/* A boot sector and a $Volume record as mkntfs writes them; the record begins at MFT + 3 *
 * RECORD. */
static void make_volume(uint8_t image[MFT + 4 * RECORD], uint16_t flags) {
  memset(image, 0, MFT + 4 * RECORD);
  memcpy(image + 3, "NTFS    ", 8);
  image[12] = 2;    /* 512 bytes a sector */
  image[13] = 8;    /* sectors a cluster */
  image[48] = 4;    /* MFT cluster */
  image[64] = 0xF6; /* 1024 bytes a record */
  uint8_t *record = image + MFT + 3 * RECORD;
  memcpy(record, "FILE", 4);
  record[4] = 48; /* update sequence */
  record[6] = 3;
  record[48] = record[510] = record[1022] = 7;
  record[20] = 56; /* first attribute */
  uint8_t *attribute = record + 56;
  attribute[0] = 0x70;
  attribute[4] = 40;
  attribute[16] = 12;
  attribute[20] = 24;
  memcpy(attribute + 24 + 10, &flags, 2);
  memset(attribute + 40, 0xFF, 4);
}

static km_ntfs_state state_of(test_tree *tree, const uint8_t *image, size_t size) {
  tree_file(tree, "image", image, size);
  return km_ntfs_volume_state(tree_path(tree, "image"));
}

static void test_dirty_flag(void **state) {
  fixture *all = *state;
  static uint8_t image[MFT + 4 * RECORD];
  make_volume(image, 0);
  assert_int_equal(state_of(&all->tree, image, sizeof image), KM_NTFS_CLEAN);
  make_volume(image, 1);
  assert_int_equal(state_of(&all->tree, image, sizeof image), KM_NTFS_DIRTY);
  assert_int_equal(state_of(&all->tree, image, sizeof image - 1), KM_NTFS_UNKNOWN);
  assert_int_equal(state_of(&all->tree, image, 100), KM_NTFS_UNKNOWN);
  assert_int_equal(km_ntfs_volume_state("/nonexistent/image"), KM_NTFS_UNKNOWN);
  image[MFT + 3 * RECORD + 510] ^= 1; /* a torn record */
  assert_int_equal(state_of(&all->tree, image, sizeof image), KM_NTFS_UNKNOWN);
  /* Any damage gives an answer, never a fault. */
  static const size_t places[] = {11,
                                  12,
                                  13,
                                  48,
                                  52,
                                  55,
                                  64,
                                  MFT + 3 * RECORD + 4,
                                  MFT + 3 * RECORD + 6,
                                  MFT + 3 * RECORD + 20,
                                  MFT + 3 * RECORD + 21,
                                  MFT + 3 * RECORD + 60,
                                  MFT + 3 * RECORD + 61,
                                  MFT + 3 * RECORD + 63,
                                  MFT + 3 * RECORD + 72,
                                  MFT + 3 * RECORD + 76};
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    for (int value = 0; value < 256; value += 5) {
      make_volume(image, 1);
      image[places[i]] = (uint8_t)value;
      (void)state_of(&all->tree, image, sizeof image);
    }
  }
}

#define WITH_VOLUME(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int test_folder(void) {
  const struct CMUnitTest tests[] = {
      WITH_VOLUME(test_folder_list),
      WITH_VOLUME(test_folder_info),
      WITH_VOLUME(test_foreign_owner),
      WITH_VOLUME(test_times_file),
      WITH_VOLUME(test_odd_files),
      WITH_VOLUME(test_folder_read),
      WITH_VOLUME(test_silence),
      WITH_VOLUME(test_folder_copy),
      WITH_VOLUME(test_link_and_rename),
      WITH_VOLUME(test_rename_known),
      WITH_VOLUME(test_folder_meta),
      WITH_VOLUME(test_folder_meta_of_windows),
      WITH_VOLUME(test_private_folder),
      WITH_VOLUME(test_forged_folder),
      WITH_VOLUME(test_temporary_folder),
      WITH_VOLUME(test_journal_file),
      WITH_VOLUME(test_folder_lock),
      WITH_VOLUME(test_volume_check),
      WITH_VOLUME(test_dirty_flag),
      cmocka_unit_test(test_descriptor),
      cmocka_unit_test(test_descriptor_layout),
      cmocka_unit_test(test_descriptor_equal),
      cmocka_unit_test(test_hostile_descriptor),
      cmocka_unit_test(test_trusted),
  };
  return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
