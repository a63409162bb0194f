/* test_time.c: FILETIME, RFC 3339, Unix time. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keymend.h"
#include "unit.h"

#define SECOND INT64_C(10000000)

typedef struct time_case {
  const char *text;
  int64_t ticks;
  const char *again; /* NULL: the same text */
} time_case;

/* The ticks were computed with another language's calendar (proleptic Gregorian, days from 1601). */
static const time_case good[] = {
    {"1601-01-01T00:00:01Z", SECOND, NULL},
    {"1601-01-01T00:00:00.0000001Z", 1, "1601-01-01T00:00:00Z"},
    {"1970-01-01T00:00:00Z", INT64_C(116444736000000000), NULL},
    {"2000-02-29T00:00:00Z", INT64_C(125962560000000000), NULL},
    {"2004-09-14T07:08:00Z", INT64_C(127396192800000000), NULL},
    {"2004-09-14T09:08:00+02:00", INT64_C(127396192800000000), "2004-09-14T07:08:00Z"},
    {"2004-09-13T23:38:00-07:30", INT64_C(127396192800000000), "2004-09-14T07:08:00Z"},
    {"2004-09-14T07:08:00-00:00", INT64_C(127396192800000000), "2004-09-14T07:08:00Z"},
    {"2004-09-14t07:08:00z", INT64_C(127396192800000000), "2004-09-14T07:08:00Z"},
    {"2004-09-14T07:08:00.5Z", INT64_C(127396192805000000), "2004-09-14T07:08:00Z"},
    {"2004-09-14T07:08:00.123456789123456789Z", INT64_C(127396192801234567),
     "2004-09-14T07:08:00Z"},
    {"1900-02-28T23:59:59Z", INT64_C(94405823990000000), NULL},
    {"1900-03-01T00:00:00Z", INT64_C(94405824000000000), NULL},
    {"2100-03-01T00:00:00Z", INT64_C(157520160000000000), NULL},
    {"9999-12-31T23:59:59Z", INT64_C(2650467743990000000), NULL},
    {"9999-12-31T23:59:59.9999999Z", INT64_C(2650467743999999999), "9999-12-31T23:59:59Z"},
};

static void good_times(void **state) {
  (void)state;
  char text[KM_TIME_TEXT];
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    km_time t = -1;
    if (!km_time_parse(good[i].text, &t) || t != good[i].ticks)
      print_error("%s: %lld\n", good[i].text, (long long)t);
    assert_true(t == good[i].ticks);
    assert_string_equal(km_time_text(t, text), good[i].again ? good[i].again : good[i].text);
  }
}

static const char *const bad[] = {
    "",
    "2004-09-14",
    "2004-09-14T07:08:00",
    "2004-09-14 07:08:00Z",
    "2004-09-14T07:08Z",
    "2004-09-14T07:08:00.Z",
    "2004-09-14T07:08:00,5Z",
    "2004-09-14T07:08:00+0200",
    "2004-09-14T07:08:00+02",
    "2004-09-14T07:08:00+2:00",
    "2004-09-14T07:08:00+24:00",
    "2004-09-14T07:08:00+02:60",
    "2004-09-14T07:08:00Z ",
    " 2004-09-14T07:08:00Z",
    "2004-09-14T07:08:00ZZ",
    "2004-09-14T24:00:00Z",
    "2004-09-14T23:60:00Z",
    "2016-12-31T23:59:60Z",
    "2004-00-14T07:08:00Z",
    "2004-13-14T07:08:00Z",
    "2004-09-00T07:08:00Z",
    "2004-09-31T07:08:00Z",
    "2003-02-29T07:08:00Z",
    "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "04-09-14T07:08:00Z",
    "+2004-09-14T07:08:00Z",
    "-2004-09-14T07:08:00Z",
    "10000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
    "1601-01-01T00:00:00Z", /* 0 means "not known" */
    "1601-01-01T00:59:59+01:00",
    "1600-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "2004-9-14T07:08:00Z",
    "2004-09-14T7:08:00Z",
    "now",
    "1095145680",
    "2004-09-14T07:08:00\342\210\22202:00", /* a minus sign that is no hyphen */
};

static void bad_times(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    km_time t = -1;
    if (km_time_parse(bad[i], &t))
      print_error("accepted: %s\n", bad[i]);
    assert_false(km_time_parse(bad[i], &t));
    assert_true(t == 0);
  }
  km_time t = -1;
  assert_false(km_time_parse(NULL, &t));
  assert_true(t == 0);
}

static void no_text(void **state) {
  (void)state;
  static const km_time none[] = {0, -1, INT64_MIN, INT64_MAX, INT64_C(2650467744000000000)};
  char text[KM_TIME_TEXT];
  for (size_t i = 0; i < COUNT_OF(none); i++)
    assert_string_equal(km_time_text(none[i], text), "");
}

/* Each day from 1601 to 9999, counted on one by one, against text and back. */
static void every_day(void **state) {
  (void)state;
  static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  char text[KM_TIME_TEXT];
  char expected[64];
  km_time t = 12 * 3600 * SECOND;
  for (int year = 1601; year <= 9999; year++) {
    bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
    for (int month = 1; month <= 12; month++) {
      int last = days[month - 1] + (leap && month == 2);
      for (int day = 1; day <= last; day++, t += 86400 * SECOND) {
        if (day != 1 && day != last && day != 15)
          continue;
        km_time back = 0;
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT12:00:00Z", year, month, day);
        assert_string_equal(km_time_text(t, text), expected);
        assert_true(km_time_parse(text, &back));
        assert_true(back == t);
      }
    }
  }
}

static void unix_time(void **state) {
  (void)state;
  const km_time epoch = INT64_C(116444736000000000);
  assert_true(km_time_to_unix(0) == 0);
  assert_true(km_time_from_unix(0, 0) == 0);
  assert_true(km_time_to_unix(epoch) == 0);
  assert_true(km_time_to_unix(INT64_C(127396192805000000)) == 1095145680.5);
  assert_true(km_time_from_unix(1095145680, 500000000) == INT64_C(127396192805000000));
  assert_true(km_time_from_unix(0, 100) == epoch + 1);
  assert_true(km_time_from_unix(-1, 999999999) == epoch - 1);
  assert_true(km_time_to_unix(epoch - SECOND / 2) == -0.5);
  assert_true(km_time_to_unix(epoch - 3 * SECOND / 2) == -1.5);
  /* What a FILETIME cannot say. */
  assert_true(km_time_from_unix(INT64_MIN, 0) == 0);
  assert_true(km_time_from_unix(INT64_MAX, UINT32_MAX) == 0);
  assert_true(km_time_from_unix(INT64_C(-11644473601), 0) == 0);
  for (int64_t s = INT64_C(910692730075); s < INT64_C(910692730095); s++) /* around the last one */
    assert_true(km_time_from_unix(s, UINT32_MAX) >= 0);
  assert_true(km_time_from_unix(INT64_C(910692730095), 0) == 0);
  assert_true(km_time_from_unix(INT64_C(-11644473600), 100) == 1);
  for (int64_t s = -1000000000; s < 5000000000; s += 123456789)
    assert_true(fabs(km_time_to_unix(km_time_from_unix(s, 250000000)) - ((double)s + 0.25)) < 1e-6);
}

static void now(void **state) {
  (void)state;
  double before = (double)time(NULL);
  double now_seconds = km_time_to_unix(km_time_now());
  assert_true(now_seconds > before - 2 && now_seconds < before + 60);
}

int test_time(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_times), cmocka_unit_test(bad_times), cmocka_unit_test(no_text),
      cmocka_unit_test(every_day),  cmocka_unit_test(unix_time), cmocka_unit_test(now),
  };
  return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
