/* tests.h: the list of the unit-test groups, one row each.
 *
 * How to add a group: write tests/unit/test_NAME.c with a function
 *
 *   int test_NAME(void) { ... return cmocka_run_group_tests_name("NAME", tests, NULL, NULL); }
 *
 * (it returns the number of failed tests, as cmocka does), include this header there and add one row
 * below, in alphabetical order. main.c runs every row, or only those named on its command line.
 */
#ifndef KM_UNIT_TESTS_H
#define KM_UNIT_TESTS_H

#define TEST_GROUPS(TEST_GROUP)                                                                    \
  TEST_GROUP(certificate)                                                                          \
  TEST_GROUP(cipher)                                                                               \
  TEST_GROUP(config)                                                                               \
  TEST_GROUP(dpapi)                                                                                \
  TEST_GROUP(driver)                                                                               \
  TEST_GROUP(escape)                                                                               \
  TEST_GROUP(event)                                                                                \
  TEST_GROUP(folder)                                                                               \
  TEST_GROUP(grant)                                                                                \
  TEST_GROUP(guid)                                                                                 \
  TEST_GROUP(hash)                                                                                 \
  TEST_GROUP(hive)                                                                                 \
  TEST_GROUP(hivelog)                                                                              \
  TEST_GROUP(identity)                                                                             \
  TEST_GROUP(journal)                                                                              \
  TEST_GROUP(keyfile)                                                                              \
  TEST_GROUP(lookup)                                                                               \
  TEST_GROUP(meanwhile)                                                                            \
  TEST_GROUP(name)                                                                                 \
  TEST_GROUP(pattern)                                                                              \
  TEST_GROUP(running)                                                                              \
  TEST_GROUP(scan)                                                                                 \
  TEST_GROUP(services)                                                                             \
  TEST_GROUP(target)                                                                               \
  TEST_GROUP(time)                                                                                 \
  TEST_GROUP(times)                                                                                \
  TEST_GROUP(transaction)                                                                          \
  TEST_GROUP(trust)                                                                                \
  TEST_GROUP(version)                                                                              \
  TEST_GROUP(writers)

#define TEST_GROUP_PROTOTYPE(name) int test_##name(void);
TEST_GROUPS(TEST_GROUP_PROTOTYPE)
#undef TEST_GROUP_PROTOTYPE

#endif
