/* test_trust.c: files that are acted on, by owners and modes; the listing of a folder. Needs root. */
#include "unit.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRANGER 12345

static char top[64]; /* a folder of root's alone */

static const char *at(const char *name) {
  static char buffers[4][256];
  static unsigned next;
  char *path = buffers[next++ % 4];
  snprintf(path, sizeof buffers[0], "%s/%s", top, name);
  return path;
}

static void make_file(const char *name, mode_t mode) {
  FILE *file = fopen(at(name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite("text", 1, 4, file), 4);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(at(name), mode), 0);
}

static void make_folder(const char *name, mode_t mode) {
  assert_int_equal(mkdir(at(name), 0700), 0);
  assert_int_equal(chmod(at(name), mode), 0);
}

static int begin(void **state) {
  (void)state;
  memcpy(top, "/tmp/keymend-trust.XXXXXX", sizeof "/tmp/keymend-trust.XXXXXX");
  return mkdtemp(top) == NULL;
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)info;
  (void)kind;
  (void)where;
  return remove(path);
}

static int finish(void **state) {
  (void)state;
  return nftw(top, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static bool without_root(void) {
  if (geteuid() == 0)
    return false;
  print_message("skip: who is not root acts on any file that he can read\n");
  return true;
}

/* The status of reading a file; a refusal names `who`, and --trust-file unless it is no file that could be trusted. */
static km_status read_it(const char *path, const char *who) {
  char *text = NULL;
  size_t size = 0;
  km_error error = {KM_OK, 0, ""};
  km_status status = km_console_read_trusted(path, 100, NULL, 0, &text, &size, NULL, &error);
  if (status == KM_OK) {
    assert_int_equal(size, 4);
    assert_string_equal(text, "text");
  }
  if (who != NULL && strstr(error.message, who) == NULL)
    print_error("%s\n", error.message);
  if (who != NULL) {
    assert_non_null(strstr(error.message, who));
    assert_true((strstr(error.message, "--trust-file ") != NULL) !=
                (strcmp(who, "is no ordinary file") == 0));
  }
  free(text);
  return status;
}

static void modes(void **state) {
  (void)state;
  if (without_root())
    skip();
  make_file("good", 0644);
  assert_int_equal(read_it(at("good"), NULL), KM_OK);
  make_file("group", 0664);
  assert_int_equal(read_it(at("group"), "by the group 0 (mode 0664)"), KM_REFUSED);
  make_file("everybody", 0606);
  assert_int_equal(read_it(at("everybody"), "by everybody (mode 0606)"), KM_REFUSED);
  make_file("stranger", 0600);
  assert_int_equal(chown(at("stranger"), STRANGER, 0), 0);
  assert_int_equal(read_it(at("stranger"), "belongs to the user 12345"), KM_REFUSED);
}

static void folders(void **state) {
  (void)state;
  if (without_root())
    skip();
  make_folder("open", 0777);
  make_folder("open/closed", 0755);
  make_file("open/closed/file", 0644);
  assert_int_equal(read_it(at("open/closed/file"), "/open may be written by everybody"),
                   KM_REFUSED);
  assert_int_equal(chmod(at("open"), 01777), 0); /* as /tmp */
  assert_int_equal(read_it(at("open/closed/file"), NULL), KM_OK);
  assert_int_equal(chown(at("open/closed"), STRANGER, 0), 0);
  assert_int_equal(read_it(at("open/closed/file"), "/open/closed belongs to the user 12345"),
                   KM_REFUSED);
  assert_int_equal(read_it(at("open/closed/../../open/closed/file"), "belongs to"), KM_REFUSED);
  assert_int_equal(read_it(at("open"), NULL), KM_IO);
}

static void links(void **state) {
  (void)state;
  if (without_root())
    skip();
  make_folder("shared", 01777);
  make_folder("theirs", 0777);
  make_file("target", 0644);
  make_file("theirs/target", 0644);
  assert_int_equal(symlink("../target", at("shared/link")), 0);
  assert_int_equal(read_it(at("shared/link"), NULL), KM_OK);
  assert_int_equal(lchown(at("shared/link"), STRANGER, 0), 0);
  assert_int_equal(read_it(at("shared/link"), "the link link belongs to the user 12345"),
                   KM_REFUSED);
  assert_int_equal(symlink("theirs", at("way")), 0);
  assert_int_equal(read_it(at("way/target"), "/theirs may be written"), KM_REFUSED);
  assert_int_equal(symlink(at("target"), at("whole")), 0);
  assert_int_equal(read_it(at("whole"), NULL), KM_OK);
  assert_int_equal(symlink("circle", at("circle")), 0);
  assert_int_equal(read_it(at("circle"), NULL), KM_OUTSIDE);
  assert_int_equal(symlink("nowhere", at("dangling")), 0);
  assert_int_equal(read_it(at("dangling"), NULL), KM_NOT_FOUND);
}

static void relative(void **state) {
  char before[1024];
  (void)state;
  if (without_root())
    skip();
  assert_non_null(getcwd(before, sizeof before));
  make_folder("here", 0755);
  make_file("here/file", 0644);
  assert_int_equal(chdir(at("here")), 0);
  km_status plain = read_it("file", NULL), dotted = read_it("./../here//./file", NULL);
  assert_int_equal(chmod(at("here"), 0777), 0);
  km_status open = read_it("file", NULL);
  assert_int_equal(chdir(before), 0);
  assert_int_equal(plain, KM_OK);
  assert_int_equal(dotted, KM_OK);
  assert_int_equal(open, KM_REFUSED);
}

static void odd_files(void **state) {
  (void)state;
  if (without_root())
    skip();
  assert_int_equal(mkfifo(at("fifo"), 0600), 0);
  assert_int_equal(read_it(at("fifo"), "is no ordinary file"), KM_REFUSED);
  assert_int_equal(read_it("/dev/null", "is no ordinary file"), KM_REFUSED);
  assert_int_equal(read_it(at("absent"), NULL), KM_NOT_FOUND);
  assert_int_equal(read_it(at("absent/file"), NULL), KM_NOT_FOUND);
}

static void vouched_for(void **state) {
  char *text = NULL;
  size_t size = 0;
  int needed = -1;
  km_error error;
  (void)state;
  if (without_root())
    skip();
  make_file("theirs1", 0666);
  make_file("mine1", 0600);
  assert_int_equal(link(at("theirs1"), at("same")), 0);
  const char *trusted[] = {at("mine1"), at("same")};
  assert_int_equal(
      km_console_read_trusted(at("theirs1"), 9, trusted, 2, &text, &size, &needed, &error), KM_OK);
  assert_int_equal(needed, 1);
  free(text);
  assert_int_equal(
      km_console_read_trusted(at("theirs1"), 9, trusted, 1, &text, &size, &needed, &error),
      KM_REFUSED);
  assert_int_equal(km_console_read_trusted(at("mine1"), 9, trusted, 2, NULL, NULL, &needed, &error),
                   KM_OK);
  assert_int_equal(needed, -1); /* it would have been read without that */
}

static void sizes(void **state) {
  char *text = NULL;
  size_t size = 0;
  km_error error;
  (void)state;
  FILE *file = fopen(at("large"), "wb");
  assert_non_null(file);
  for (int i = 0; i < 10000; i++)
    assert_int_equal(fwrite("0123456789", 1, 10, file), 10);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(at("large"), 0600), 0);
  assert_int_equal(km_console_read_trusted(at("large"), 99999, NULL, 0, &text, &size, NULL, &error),
                   KM_LIMIT);
  assert_int_equal(
      km_console_read_trusted(at("large"), 100000, NULL, 0, &text, &size, NULL, &error), KM_OK);
  assert_int_equal(size, 100000);
  assert_int_equal(strlen(text), 100000);
  free(text);
  make_file("empty", 0600);
  assert_int_equal(truncate(at("empty"), 0), 0);
  assert_int_equal(km_console_read_trusted(at("empty"), 0, NULL, 0, &text, &size, NULL, &error),
                   KM_OK);
  assert_int_equal(size, 0);
  free(text);
}

static bool count_name(void *user, const char *name) {
  unsigned *count = user;
  assert_true(strcmp(name, "a.lua") == 0 || strcmp(name, "b.lua") == 0);
  return ++*count < 2;
}

static void listing(void **state) {
  unsigned count = 0;
  km_error error;
  (void)state;
  make_folder("list", 0755);
  make_folder("list/folder.lua", 0755);
  make_file("list/a.lua", 0644);
  make_file("list/b.lua", 0644);
  make_file("list/.lua", 0644);
  make_file("list/c.txt", 0644);
  assert_int_equal(km_console_list(at("list"), ".lua", count_name, &count, &error), KM_OK);
  assert_int_equal(count, 2);
  assert_int_equal(km_console_list(at("nolist"), ".lua", count_name, &count, &error), KM_OK);
  assert_int_equal(km_console_list(at("list/c.txt"), ".lua", count_name, &count, &error),
                   KM_NOT_FOUND);
}

int test_trust(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modes),    cmocka_unit_test(folders),   cmocka_unit_test(links),
      cmocka_unit_test(relative), cmocka_unit_test(odd_files), cmocka_unit_test(vouched_for),
      cmocka_unit_test(sizes),    cmocka_unit_test(listing),
  };
  return cmocka_run_group_tests_name("trust", tests, begin, finish);
}
