/* test_lookup.c: path look-up ignores case and never leaves the volume, with openat2 and
 * without. */
#include "unit.h"

#include "lookup.h"
#include "tests.h"
#include "text.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every test runs with openat2 and with the walk for kernels without it. */
static int set_up(void **state) {
  test_tree *tree = malloc(sizeof *tree);
  bool plain = *state != NULL;
  tree_open(tree, NULL);
  tree->offline.plain_walk = plain;
  tree_file(tree, "WINNT/System32/config/SOFTWARE", "regf", 4);
  tree_file(tree, "Dokumente und Einstellungen/All Users/Anwendungsdaten/x", "1", 1);
  tree_file(tree,
            "Archivos de programa/\xC3\x91"
            "and\xC3\xBA/y",
            "2", 1);
  *state = tree;
  return 0;
}

static int tear_down(void **state) {
  tree_close(*state);
  free(*state);
  return 0;
}

/* The status of a look-up; on success also checks that the first byte of a file is `first`. */
static km_status look_up(test_tree *tree, const char *path, char first, km_error *error) {
  int fd = -1;
  char byte = 0;
  error->message[0] = 0;
  km_status status = km_offline_resolve(&tree->offline, path, &fd, error);
  if (status == KM_OK) {
    if (first) {
      assert_int_equal(pread(fd, &byte, 1, 0), 1);
      assert_int_equal(byte, first);
    }
    close(fd);
  } else {
    assert_int_equal(fd, -1);
    assert_int_equal(error->status, status);
    assert_true(error->message[0] != 0);
  }
  return status;
}

static void check(test_tree *tree, const char *path, km_status wanted, const char *words) {
  km_error error;
  km_status status = look_up(tree, path, 0, &error);
  if (status != wanted) {
    fail_msg("%s: %s (%s), wanted %s", path, km_status_id(status), error.message,
             km_status_id(wanted));
  }
  if (words && !strstr(error.message, words)) {
    fail_msg("%s: the message lacks \"%s\": %s", path, words, error.message);
  }
}

static void test_finds(void **state) {
  km_error error;
  assert_int_equal(look_up(*state, "C:\\WINNT\\System32\\config\\SOFTWARE", 'r', &error), KM_OK);
  assert_int_equal(look_up(*state, "c:\\winnt\\SYSTEM32\\Config\\software", 'r', &error), KM_OK);
  assert_int_equal(look_up(*state, "C:/WINNT/system32", 0, &error), KM_OK);
  assert_int_equal(look_up(*state, "C:\\", 0, &error), KM_OK);
  assert_int_equal(look_up(*state, "C:\\WINNT\\", 0, &error), KM_OK);
  assert_int_equal(look_up(*state, "C:\\dokumente UND einstellungen\\all users\\anwendungsdaten\\X",
                           '1', &error),
                   KM_OK);
  /* Spanish: N with tilde and u with acute, in the other case each */
  assert_int_equal(look_up(*state,
                           "C:\\archivos de programa\\\xC3\xB1"
                           "AND\xC3\x9A\\Y",
                           '2', &error),
                   KM_OK);
}

static void test_misses(void **state) {
  check(*state, "C:\\WINNT\\nothing", KM_NOT_FOUND, "nothing");
  check(*state, "C:\\WINNT\\System32\\config\\SOFTWARE\\x", KM_NOT_FOUND, NULL);
  check(*state, "D:\\Data", KM_NOT_FOUND, "--volume D:=DIR");
  check(*state, "WINNT\\System32", KM_MISUSE, "absolute");
  check(*state, "C:WINNT", KM_MISUSE, "absolute");
  check(*state, "", KM_MISUSE, "absolute");
}

static void test_outside(void **state) {
  static const char *const paths[] = {
      "C:\\..\\etc\\passwd",
      "C:\\WINNT\\..\\..\\etc",
      "C:\\.\\WINNT",
      "C:\\\\WINNT",
      "C:\\WINNT\\\\x",
      "\\\\?\\C:\\WINNT",
      "\\\\server\\share",
      "C:\\WINNT\\nul",
      "C:\\WINNT\\COM1.txt",
      "C:\\WINNT\\aux \\x",
      "C:\\WINNT\\x:s",
      "C:\\WINNT\\a\nb",
      "C:\\WINNT. \\x",
      "C:\\WINNT\\CONIN$",
      "C:\\WINNT\\a*",
      "C:\\WINNT \\System32",
      "C:\\lPt9",
      "C:\\WINNT\\System32\\...",
  };
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    check(*state, paths[i], KM_OUTSIDE, NULL);
  }
}

static void test_too_long(void **state) {
  char path[KM_MAX_WINDOWS_PATH * 2];
  memset(path, 'a', sizeof path);
  memcpy(path, "C:\\", 3);
  path[3 + KM_MAX_NAME] = 0;
  check(*state, path, KM_OUTSIDE, "too long");
  path[3 + KM_MAX_NAME] = 'a';
  path[sizeof path - 1] = 0;
  check(*state, path, KM_LIMIT, NULL);
  for (size_t i = 3; i < sizeof path - 1; i++) {
    path[i] = i % 2 ? 'a' : '\\';
  }
  path[3 + 2 * (KM_MAX_PATH_PARTS + 1)] = 0;
  check(*state, path, KM_LIMIT, "too many");
}

static void link_to(test_tree *tree, const char *to, const char *path) {
  char target[4096];
  snprintf(target, sizeof target, "%s", tree_path(tree, path));
  assert_int_equal(symlink(to, target), 0);
}

static void test_links(void **state) {
  test_tree *tree = *state;
  link_to(tree, "/etc", "outside");
  link_to(tree, "WINNT", "inside");
  link_to(tree, "SOFTWARE", "WINNT/System32/config/file-link");
  link_to(tree, "/nowhere", "dangling");
  check(tree, "C:\\outside\\passwd", KM_OUTSIDE, "reparse point");
  check(tree, "C:\\OUTSIDE", KM_OUTSIDE, "reparse point");
  check(tree, "C:\\inside\\System32", KM_OUTSIDE, "reparse point");
  check(tree, "C:\\winnt\\system32\\config\\FILE-LINK", KM_OUTSIDE, "reparse point");
  check(tree, "C:\\Dangling", KM_OUTSIDE, "reparse point");
}

/* A FIFO must neither block nor be opened. */
static void test_odd_files(void **state) {
  test_tree *tree = *state;
  assert_int_equal(mkfifo(tree_path(tree, "WINNT/pipe"), 0644), 0);
  check(tree, "C:\\WINNT\\pipe", KM_OUTSIDE, "pipe");
  check(tree, "C:\\WINNT\\PIPE\\x", KM_OUTSIDE, "pipe");
}

static void test_case_twins(void **state) {
  test_tree *tree = *state;
  tree_file(tree, "Twin/a", "1", 1);
  tree_file(tree, "TWIN/a", "2", 1);
  km_error error;
  assert_int_equal(look_up(tree, "C:\\Twin\\a", '1', &error), KM_OK);
  assert_int_equal(look_up(tree, "C:\\TWIN\\a", '2', &error), KM_OK);
  check(tree, "C:\\twin\\a", KM_REFUSED, "Twin");
  check(tree, "C:\\twin\\a", KM_REFUSED, "TWIN");
}

static void test_mount_points(void **state) {
  test_tree *tree = *state;
  km_error error;
  int fd;
  if (access("/proc/self", F_OK) != 0) {
    print_message("skip: /proc is not mounted here\n");
    skip();
  }
  km_target_options options = {.root = "/"};
  km_offline system = {.plain_walk = tree->offline.plain_walk};
  assert_int_equal(km_offline_volumes_open(&system, &options, &error), KM_OK);
  assert_int_equal(km_offline_resolve(&system, "C:\\proc\\version", &fd, &error), KM_OUTSIDE);
  assert_non_null(strstr(error.message, "mount point"));
  assert_int_equal(km_offline_resolve(&system, "C:\\proc", &fd, &error), KM_OUTSIDE);
  km_offline_volumes_close(&system);
}

static void test_root_through_link(void **state) {
  test_tree *tree = *state;
  char link[80];
  km_error error;
  snprintf(link, sizeof link, "%s-link", tree->root);
  assert_int_equal(symlink(tree->root, link), 0);
  km_target_options options = {.root = link};
  km_offline other = {.plain_walk = tree->offline.plain_walk};
  km_status status = km_offline_volumes_open(&other, &options, &error);
  unlink(link);
  assert_int_equal(status, KM_OK);
  int fd;
  assert_int_equal(km_offline_resolve(&other, "C:\\winnt\\system32", &fd, &error), KM_OK);
  close(fd);
  km_offline_volumes_close(&other);
}

static void test_letters(void **state) {
  test_tree *tree = *state;
  km_error error;
  int fd;
  char data[96];
  tree_folder(tree, "volume D");
  snprintf(data, sizeof data, "%s/volume D", tree->root);
  km_volume_option volumes[] = {{'c', data}, {'E', data}};
  km_target_options options = {.root = tree->root, .volumes = volumes, .volume_count = 2};
  km_offline state_of = {.plain_walk = false};
  assert_int_equal(km_offline_volumes_open(&state_of, &options, &error), KM_OK);
  /* C: is the other volume; the root's letter is not known yet. */
  assert_int_equal(km_offline_resolve(&state_of, "C:\\WINNT", &fd, &error), KM_NOT_FOUND);
  assert_int_equal(km_offline_resolve(&state_of, "?:\\WINNT", &fd, &error), KM_OK);
  close(fd);
  assert_int_equal(km_offline_set_letter(&state_of, 'e', &error), KM_MISUSE);
  assert_non_null(strstr(error.message, "E:"));
  assert_int_equal(km_offline_set_letter(&state_of, 'd', &error), KM_OK);
  assert_int_equal(km_offline_resolve(&state_of, "D:\\winnt", &fd, &error), KM_OK);
  close(fd);
  km_offline_volumes_close(&state_of);
  volumes[1].letter = 'C';
  assert_int_equal(km_offline_volumes_open(&state_of, &options, &error), KM_MISUSE);
  volumes[1].letter = '1';
  assert_int_equal(km_offline_volumes_open(&state_of, &options, &error), KM_MISUSE);
  options.volume_count = 0;
  options.root = "/nonexistent/keymend";
  assert_int_equal(km_offline_volumes_open(&state_of, &options, &error), KM_NOT_FOUND);
}

static void check_fold(const char *text, const char *wanted) {
  char out[64];
  assert_int_equal(km_fold_text(text, strlen(text), out, sizeof out), strlen(wanted));
  assert_string_equal(out, wanted);
}

static void test_fold(void **state) {
  (void)state;
  check_fold("Anwendungsdaten", "anwendungsdaten");
  check_fold("\xC3\x84\xC3\x96\xC3\x9C\xC3\x9F", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F");
  check_fold("\xC3\x97", "\xC3\x97");                                 /* multiplication sign */
  check_fold("\xCE\x94\xCE\xAD\xCE\x86", "\xCE\xB4\xCE\xAD\xCE\xAC"); /* Greek */
  check_fold("\xD0\x94\xD0\xAF\xD0\x81", "\xD0\xB4\xD1\x8F\xD1\x91"); /* Cyrillic */
  check_fold("\xC4\x8C\xC5\xB8", "\xC4\x8D\xC3\xBF");                 /* C caron, Y diaeresis */
  check_fold("\xC3", "\xC3");                                         /* broken UTF-8 stays */
  check_fold("\xFF"
             "A\x80",
             "\xFF"
             "a\x80");
  char tight[4];
  assert_true(km_fold_text("ABCDEFGH", 8, tight, sizeof tight) < (size_t)sizeof tight);
}

#define BOTH(name)                                                                                 \
  {#name, name, set_up, tear_down, NULL}, {                                                        \
#name " without openat2", name, set_up, tear_down, "plain"                                     \
  }

int test_lookup(void) {
  const struct CMUnitTest tests[] = {
      BOTH(test_finds),
      BOTH(test_misses),
      BOTH(test_outside),
      BOTH(test_too_long),
      BOTH(test_links),
      BOTH(test_odd_files),
      BOTH(test_case_twins),
      BOTH(test_mount_points),
      BOTH(test_root_through_link),
      BOTH(test_letters),
      cmocka_unit_test(test_fold),
  };
  return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
