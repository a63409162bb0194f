/* tree.c: a temporary folder that stands for a volume, and an offline target on it, for unit
 * tests. */
#include "unit.h"

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *tree_path(test_tree *tree, const char *path) {
  static char buffer[4096];
  assert_true(snprintf(buffer, sizeof buffer, "%s/%s", tree->root, path) < (int)sizeof buffer);
  return buffer;
}

/* Makes the folders of `path` up to its last '/', or all of it. */
static void make_folders(test_tree *tree, const char *path, bool all) {
  char whole[4096];
  assert_true(snprintf(whole, sizeof whole, "%s/%s", tree->root, path) < (int)sizeof whole);
  for (char *at = whole + strlen(tree->root) + 1; *at; at++) {
    if (*at == '/') {
      *at = 0;
      assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
      *at = '/';
    }
  }
  if (all) {
    assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
  }
}

void tree_folder(test_tree *tree, const char *path) {
  make_folders(tree, path, true);
}

void tree_file(test_tree *tree, const char *path, const void *data, size_t size) {
  make_folders(tree, path, false);
  int fd = open(tree_path(tree, path), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, data, size), size);
  close(fd);
}

void tree_reopen(test_tree *tree, const char *times) {
  km_error error = {.message = ""};
  km_target_options options = {.root = tree->root, .times_file = times};
  km_offline_volumes_close(&tree->offline);
  memset(&tree->offline, 0, sizeof tree->offline);
  km_status status = km_offline_volumes_open(&tree->offline, &options, &error);
  if (status) {
    fail_msg("open the volume: %s", error.message);
  }
}

void tree_open(test_tree *tree, const char *times) {
  memset(tree, 0, sizeof *tree);
  strcpy(tree->root, "/tmp/keymend-unit-XXXXXX");
  assert_non_null(mkdtemp(tree->root));
  tree_folder(tree, TREE_STORE);
  tree_reopen(tree, times);
  tree->target.backend = &km_offline_backend;
  tree->target.state = &tree->offline;
  tree->target.info.app_data = "C:\\ProgramData";
  tree->target.info.windows = "C:\\WINDOWS";
  tree->target.info.key_store = "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys";
  tree->target.info.key_store_found = true;
  strcpy(tree->target.info.guid, TREE_GUID);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw) {
  (void)stat;
  (void)type;
  (void)ftw;
  return remove(path);
}

void tree_close(test_tree *tree) {
  km_offline_volumes_close(&tree->offline);
  nftw(tree->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
