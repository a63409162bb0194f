/* test_times.c: the --times file: bodyfile and CSV, good and bad. */
#include "unit.h"

#include "tests.h"
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"
#define BODY_PATH "/ProgramData/Microsoft/Crypto/RSA/MachineKeys/"

static km_status parse(const char *text, size_t size, km_times **out, km_error *error) {
  FILE *stream = size ? fmemopen((void *)text, size, "r") : fopen("/dev/null", "r");
  assert_non_null(stream);
  error->message[0] = 0;
  km_status status = km_times_read(stream, "times.body", out, error);
  fclose(stream);
  return status;
}

static km_times *good(const char *text) {
  km_times *times;
  km_error error;
  km_status status = parse(text, strlen(text), &times, &error);
  if (status) {
    fail_msg("%s", error.message);
  }
  return times;
}

static void bad(const char *text, const char *line, const char *words) {
  km_times *times;
  km_error error;
  assert_int_equal(parse(text, strlen(text), &times, &error), KM_DAMAGED);
  assert_null(times);
  if (!strstr(error.message, "times.body") || !strstr(error.message, line) ||
      !strstr(error.message, words)) {
    fail_msg("the message lacks %s or \"%s\": %s", line, words, error.message);
  }
}

static void check(const km_times *times, const char *name, const char *wanted) {
  char text[KM_TIME_TEXT];
  assert_string_equal(km_time_text(km_times_created(times, FOLDER, name), text), wanted);
}

static void test_bodyfile(void **state) {
  (void)state;
  km_times *times =
      good("0|C:" BODY_PATH "a_1|65-128-1|r/rrwxrwxrwx|0|0|2081|1|2|3|1095145680\n"
           "0|" BODY_PATH "b_2|66|r/r|0|0|1|1|2|3|1095145680.25\r\n"
           "0|ProgramData/Microsoft/Crypto/Keys/c_3|66|r/r|0|0|1|1|2|3|1095145681\n"
           "\n"
           "# a comment\n"
           "0|" BODY_PATH "pipe|name|67|r/r|0|0|1|1|2|3|1095145682\n"
           "0|" BODY_PATH "zero|67|r/r|0|0|1|1|2|3|0\n"
           "0|" BODY_PATH "old|67|r/r|0|0|1|1|2|3|-11644473600\n"
           "0|" BODY_PATH "early|67|r/r|0|0|1|1|2|3|-1.5\n"
           "0|C:/WINNT/system32/Microsoft/Protect/S-1-5-18/9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9"
           "|69|r/r|0|0|388|1|2|3|1095145684\n"
           "0|/Windows/notepad.exe|68|r/r|0|0|1|1|2|3|1095145683\n");
  assert_int_equal(km_times_count(times), 5); /* the master key's row is no key file's */
  assert_true(km_times_created(times, "C:\\WINNT\\System32\\Microsoft\\Protect\\S-1-5-18",
                               "9F6A3C52-0c3e-4b51-8d27-5a41e0c6b7d9") != 0);
  check(times, "a_1", "2004-09-14T07:08:00Z");
  check(times, "A_1", "2004-09-14T07:08:00Z");
  check(times, "b_2", "2004-09-14T07:08:00Z");
  assert_int_equal(km_times_created(times, FOLDER, "b_2") - km_times_created(times, FOLDER, "a_1"),
                   2500000);
  check(times, "pipe|name", "2004-09-14T07:08:02Z");
  check(times, "zero", "");
  check(times, "old", "");
  check(times, "early", "1969-12-31T23:59:58Z");
  check(times, "c_3", "");
  assert_true(km_times_created(times, "C:\\ProgramData\\Microsoft\\Crypto\\Keys", "c_3") != 0);
  /* A row with a letter belongs to that volume alone, one without to any. */
  assert_true(
      km_times_created(times, "D:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys", "a_1") == 0);
  assert_true(
      km_times_created(times, "D:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys", "b_2") != 0);
  km_times_free(times);
}

/* Deleted files and the second set of times say nothing of the file that has the name now. */
static void test_ignored_rows(void **state) {
  (void)state;
  km_times *times = good("MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime\n"
                         "0|" BODY_PATH "a (deleted)|1|r/r|0|0|1|1|2|3|1000000000\n"
                         "0|" BODY_PATH "a (deleted-realloc)|1|r/r|0|0|1|1|2|3|1000000001\n"
                         "0|" BODY_PATH "a ($FILE_NAME)|1|r/r|0|0|1|1|2|3|1000000002\n"
                         "0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|1000000003\n");
  assert_int_equal(km_times_count(times), 1);
  check(times, "a", "2001-09-09T01:46:43Z");
  km_times_free(times);
}

/* Two different times for one path are no evidence; the same one twice is. */
static void test_double_rows(void **state) {
  (void)state;
  km_times *times = good("0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|1000000000\n"
                         "0|" BODY_PATH "b|1|r/r|0|0|1|1|2|3|1000000000\n"
                         "0|" BODY_PATH "A|1|r/r|0|0|1|1|2|3|1000000001\n"
                         "0|" BODY_PATH "b|1|r/r|0|0|1|1|2|3|1000000000\n");
  check(times, "a", "");
  check(times, "b", "2001-09-09T01:46:40Z");
  km_times_free(times);
}

static void test_csv(void **state) {
  (void)state;
  km_times *times =
      good("\xEF\xBB\xBFsize,\"Path\",Created,written\r\n"
           "1,C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys\\a,2004-09-14T07:08:00Z,\r\n"
           "1,\"C:/ProgramData/Microsoft/Crypto/RSA/MachineKeys/b,\"\"c\"\"\",1095145680,1\r\n"
           "1,\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys\\d,2004-09-14T09:08:00+02:00,\r\n"
           "1,\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys\\e,,\r\n");
  assert_int_equal(km_times_count(times), 3);
  check(times, "a", "2004-09-14T07:08:00Z");
  check(times, "b,\"c\"", "2004-09-14T07:08:00Z");
  check(times, "d", "2004-09-14T07:08:00Z");
  check(times, "e", "");
  km_times_free(times);
}

static void test_malformed(void **state) {
  (void)state;
  bad("0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|1000000000\nx\n", "line 2", "'|'");
  bad("0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|1000000000\n0|a|1|2\n", "line 2", "11 fields");
  bad("\n0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|2004-09-14\n", "line 2", "Unix seconds");
  bad("0|" BODY_PATH "a|1|r/r|0|0|1|1|2||\n", "line 1", "Unix seconds");
  bad("0|" BODY_PATH "a|1|r/r|0|0|1|1|2|3|99x\n", "line 1", "Unix seconds");
  bad("name,created\n", "line 1", "\"path\" and \"created\"");
  bad("path,created\nx\n", "line 2", "as many fields");
  bad("path,created\nx,2004-09-14T07:08:00\n", "line 2", "RFC 3339");
  bad("path,created\nx,14.09.2004\n", "line 2", "RFC 3339");
  bad("path,created,written\nx,,yesterday\n", "line 2", "RFC 3339");
  bad("path,created\n\"x,1\n", "line 2", "fields");
  bad("path,created\n\"x\"y,1\n", "line 2", "fields");
  bad("\xFF\xFEp", "line 1", "UTF-16");
}

static void test_long_lines(void **state) {
  (void)state;
  size_t size = KM_MAX_TIMES_LINE * 2;
  char *text = malloc(size + 1);
  assert_non_null(text);
  memset(text, '|', size);
  text[size] = 0;
  bad(text, "line 1", "too long");
  memset(text, ',', size);
  bad(text, "line 1", "too long");
  free(text);
  km_times *times;
  km_error error;
  assert_int_equal(parse("path,created\nx\0,1\n", 18, &times, &error), KM_DAMAGED);
}

static void test_empty(void **state) {
  (void)state;
  km_times *times;
  km_error error;
  assert_int_equal(parse("", 0, &times, &error), KM_OK);
  assert_int_equal(km_times_count(times), 0);
  check(times, "a", "");
  km_times_free(times);
  assert_int_equal(km_times_load("/nonexistent/times.body", &times, &error), KM_NOT_FOUND);
  assert_non_null(strstr(error.message, "/nonexistent/times.body"));
  assert_int_equal(km_times_created(NULL, FOLDER, "a"), 0);
}

/* A bodyfile of a whole volume: most rows are passed over. */
static void test_many_rows(void **state) {
  (void)state;
  FILE *stream = tmpfile();
  assert_non_null(stream);
  for (int i = 0; i < 100000; i++) {
    fprintf(stream, "0|C:%s%d|%d|r/r|0|0|1|1|2|3|%d\n", i % 10 ? "/Windows/WinSxS/" : BODY_PATH, i,
            i, 1000000000 + i);
  }
  rewind(stream);
  km_times *times;
  km_error error;
  assert_int_equal(km_times_read(stream, "big", &times, &error), KM_OK);
  fclose(stream);
  assert_int_equal(km_times_count(times), 10000);
  for (int i = 0; i < 100000; i += 10) {
    char name[16];
    snprintf(name, sizeof name, "%d", i);
    assert_true(km_times_created(times, FOLDER, name) == km_time_from_unix(1000000000 + i, 0));
  }
  km_times_free(times);
}

int test_times(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bodyfile),    cmocka_unit_test(test_ignored_rows),
      cmocka_unit_test(test_double_rows), cmocka_unit_test(test_csv),
      cmocka_unit_test(test_malformed),   cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_empty),       cmocka_unit_test(test_many_rows),
  };
  return cmocka_run_group_tests_name("times", tests, NULL, NULL);
}
