/* time.c: FILETIME, RFC 3339 and Unix time. */
#include <stdio.h>
#include <time.h>

#include "keymend.h"

#define TICKS_PER_SECOND INT64_C(10000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_1601_TO_1970 INT64_C(134774)
#define SECONDS_1601_TO_1970 (DAYS_1601_TO_1970 * SECONDS_PER_DAY)
#define FIRST_YEAR 1601
#define LAST_YEAR 9999

typedef struct calendar {
  int year, month, day, hour, minute, second;
} calendar;

static bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month) {
  static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1601-01-01 to the first day of `year`; 1601 begins a whole cycle of 400 years. */
static int64_t days_before_year(int year) {
  int64_t years = year - FIRST_YEAR;
  return years * 365 + years / 4 - years / 100 + years / 400;
}

static int64_t seconds_of(const calendar *c) {
  int64_t days = days_before_year(c->year) + c->day - 1;
  for (int month = 1; month < c->month; month++)
    days += days_in_month(c->year, month);
  return days * SECONDS_PER_DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

/* The reverse of seconds_of; `seconds` lies within FIRST_YEAR to LAST_YEAR. */
static calendar calendar_of(int64_t seconds) {
  calendar c;
  int64_t days = seconds / SECONDS_PER_DAY;
  int rest = (int)(seconds % SECONDS_PER_DAY);
  c.hour = rest / 3600;
  c.minute = rest / 60 % 60;
  c.second = rest % 60;
  c.year = FIRST_YEAR + (int)(days / 366); /* never too late, and a few years early at most */
  while (days >= days_before_year(c.year + 1))
    c.year++;
  int left = (int)(days - days_before_year(c.year));
  for (c.month = 1; left >= days_in_month(c.year, c.month); c.month++)
    left -= days_in_month(c.year, c.month);
  c.day = left + 1;
  return c;
}

/* The first second that RFC 3339 cannot say, counted from 1601. */
static int64_t end_of_range(void) {
  return days_before_year(LAST_YEAR + 1) * SECONDS_PER_DAY;
}

const char *km_time_text(km_time t, char text[KM_TIME_TEXT]) {
  text[0] = '\0';
  if (t <= 0 || t / TICKS_PER_SECOND >= end_of_range())
    return text;
  calendar c = calendar_of(t / TICKS_PER_SECOND);
  /* The masks change nothing; they show the compiler that every field fits. */
  snprintf(text, KM_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)c.year & 0x3FFF,
           (unsigned)c.month & 15, (unsigned)c.day & 31, (unsigned)c.hour & 31,
           (unsigned)c.minute & 63, (unsigned)c.second & 63);
  return text;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Takes exactly `count` digits off *text. */
static bool take_number(const char **text, int count, int *out) {
  *out = 0;
  for (; count > 0; count--, (*text)++) {
    if (!is_digit(**text))
      return false;
    *out = *out * 10 + (**text - '0');
  }
  return true;
}

static bool take_char(const char **text, char wanted, char other) {
  if (**text != wanted && **text != other)
    return false;
  (*text)++;
  return true;
}

static bool take_date(const char **text, calendar *c) {
  return take_number(text, 4, &c->year) && take_char(text, '-', '-') &&
         take_number(text, 2, &c->month) && take_char(text, '-', '-') &&
         take_number(text, 2, &c->day) && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
         c->day <= days_in_month(c->year, c->month);
}

static bool take_clock(const char **text, calendar *c) {
  return take_number(text, 2, &c->hour) && take_char(text, ':', ':') &&
         take_number(text, 2, &c->minute) && take_char(text, ':', ':') &&
         take_number(text, 2, &c->second) && c->hour < 24 && c->minute < 60 && c->second < 60;
}

/* An optional fraction of a second, in ticks; digits finer than a tick are dropped. */
static bool take_fraction(const char **text, int64_t *ticks) {
  *ticks = 0;
  if (**text != '.')
    return true;
  (*text)++;
  if (!is_digit(**text))
    return false;
  for (int64_t unit = TICKS_PER_SECOND / 10; is_digit(**text); (*text)++, unit /= 10)
    *ticks += unit * (**text - '0');
  return true;
}

/* "Z" or "+02:00"; `seconds` is what local time is ahead of UTC. */
static bool take_zone(const char **text, int64_t *seconds) {
  *seconds = 0;
  if (take_char(text, 'Z', 'z'))
    return true;
  bool ahead = **text == '+';
  int hours = 0;
  int minutes = 0;
  if (!take_char(text, '+', '-') || !take_number(text, 2, &hours) || !take_char(text, ':', ':') ||
      !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  *seconds = (hours * 60 + minutes) * (ahead ? 60 : -60);
  return true;
}

bool km_time_parse(const char *text, km_time *out) {
  *out = 0;
  if (text == NULL)
    return false;
  calendar c;
  int64_t fraction = 0;
  int64_t ahead = 0;
  if (!take_date(&text, &c) || !take_char(&text, 'T', 't') || !take_clock(&text, &c) ||
      !take_fraction(&text, &fraction) || !take_zone(&text, &ahead) || *text != '\0')
    return false;
  if (c.year < FIRST_YEAR)
    return false;
  int64_t seconds = seconds_of(&c) - ahead;
  if (seconds < 0 || seconds >= end_of_range())
    return false;
  if (seconds == 0 && fraction == 0)
    return false; /* 0 would mean "not known" */
  *out = seconds * TICKS_PER_SECOND + fraction;
  return true;
}

double km_time_to_unix(km_time t) {
  if (t == 0)
    return 0;
  /* Whole seconds and ticks apart: a double holds their sum to less than a microsecond. */
  int64_t seconds = t / TICKS_PER_SECOND - SECONDS_1601_TO_1970;
  return (double)seconds + (double)(t % TICKS_PER_SECOND) / (double)TICKS_PER_SECOND;
}

km_time km_time_from_unix(int64_t seconds, uint32_t nanoseconds) {
  if (seconds == 0 && nanoseconds == 0)
    return 0;
  if (seconds < -SECONDS_1601_TO_1970)
    return 0;
  if (seconds > INT64_MAX / TICKS_PER_SECOND - SECONDS_1601_TO_1970 - 5)
    return 0;
  return (seconds + SECONDS_1601_TO_1970) * TICKS_PER_SECOND + nanoseconds / 100;
}

km_time km_time_now(void) {
#ifdef TIME_UTC
  struct timespec now;
  if (timespec_get(&now, TIME_UTC) == TIME_UTC)
    return km_time_from_unix((int64_t)now.tv_sec, (uint32_t)now.tv_nsec);
#endif
  /* A C library without the clock of C11, such as the one of Windows 2000, knows whole seconds. */
  return km_time_from_unix((int64_t)time(NULL), 0);
}
