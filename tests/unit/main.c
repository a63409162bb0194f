/* main.c: runs the unit tests: all groups of tests.h, or those named on the command line. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests.h"

typedef struct test_group {
  const char *name;
  int (*run)(void);
} test_group;

static const test_group groups[] = {
#define TEST_GROUP_ROW(name) {#name, test_##name},
    TEST_GROUPS(TEST_GROUP_ROW)
#undef TEST_GROUP_ROW
};

#define GROUP_COUNT (sizeof groups / sizeof groups[0])

static bool known(const char *name) {
  for (size_t i = 0; i < GROUP_COUNT; i++)
    if (strcmp(groups[i].name, name) == 0)
      return true;
  return false;
}

static bool wanted(const char *name, int count, char **names) {
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], name) == 0)
      return true;
  return count == 0;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (known(argv[i]))
      continue;
    fprintf(stderr, "unit: there is no test group \"%s\"; the groups are:", argv[i]);
    for (size_t k = 0; k < GROUP_COUNT; k++)
      fprintf(stderr, " %s", groups[k].name);
    fputc('\n', stderr);
    return 16;
  }
  int failed = 0;
  for (size_t i = 0; i < GROUP_COUNT; i++) {
    if (!wanted(groups[i].name, argc - 1, argv + 1))
      continue;
    int result = groups[i].run();
    if (result != 0) {
      fprintf(stderr, "unit: group %s: %d failed\n", groups[i].name, result);
      failed++;
    }
  }
  printf("unit: %s\n", failed == 0 ? "all groups passed" : "some groups failed");
  return failed == 0 ? 0 : 1;
}
