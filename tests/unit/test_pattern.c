/* test_pattern.c: service-name patterns. */
#include <string.h>
#include <time.h>

#include "keymend.h"
#include "unit.h"

typedef struct pattern_case {
  const char *pattern, *name;
  bool fits;
} pattern_case;

static const pattern_case cases[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"*", "", true},
    {"**", "", true},
    {"?", "", false},
    {"*?", "", false},
    {"W3SVC", "W3SVC", true},
    {"w3svc", "W3SVC", true},
    {"W3SVC", "W3SVCX", false},
    {"W3SVCX", "W3SVC", false},
    {"SMS_*", "SMS_EXECUTIVE", true},
    {"SMS_*", "sms_", true},
    {"SMS_*", "SMS", false},
    {"*EXEC", "CcmExec", true},
    {"*a*", "bcd", false},
    {"*a*b*c*", "xxaxxbxxcxx", true},
    {"*a*b*c*", "xxaxxcxxbxx", false},
    {"a*a", "a", false},
    {"a*a", "aa", true},
    {"a*ab", "aaab", true},
    {"*ab", "aab", true},
    {"*aab*", "aaaab", true},
    {"?3?VC", "W3SVC", true},
    {"?????", "W3SVC", true},
    {"????", "W3SVC", false},
    {"*???", "ab", false},
    {"*?*?*", "ab", true},
    {"[a]", "a", false},
    {"[a]", "[A]", true},
    {"a.c", "abc", false},
    {"\\*", "*", false},
    {"?", "\xC3\x9C", true}, /* one character, two bytes */
    {"??", "\xC3\x9C", false},
    {"\xC3\xBC*",
     "\xC3\x9C"
     "berwachung",
     true},
    {"\xD0\xBA?", "\xD0\x9A\xFF", true}, /* a broken byte is one character */
    {"\xFF", "\xFE", false},
    {"*\xFF", "a\xFF", true},
};

static void patterns(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    if (km_pattern_match(cases[i].pattern, cases[i].name) != cases[i].fits)
      print_error("\"%s\" and \"%s\"\n", cases[i].pattern, cases[i].name);
    assert_int_equal(km_pattern_match(cases[i].pattern, cases[i].name), cases[i].fits);
  }
}

/* A plain definition of the same thing. */
static bool slow_match(const char *pattern, const char *name) {
  if (*pattern == '\0')
    return *name == '\0';
  if (*pattern == '*')
    return slow_match(pattern + 1, name) || (*name != '\0' && slow_match(pattern, name + 1));
  return *name != '\0' && (*pattern == '?' || *pattern == *name) &&
         slow_match(pattern + 1, name + 1);
}

/* Writes word number `index` over the alphabet; the lengths 0, 1, 2, ... in turn. */
static void word(size_t index, const char *alphabet, char *out) {
  size_t letters = strlen(alphabet);
  size_t length = 0;
  for (size_t count = 1; index >= count; count *= letters, length++)
    index -= count;
  for (size_t i = 0; i < length; i++, index /= letters)
    out[i] = alphabet[index % letters];
  out[length] = '\0';
}

static void every_short_pattern(void **state) {
  (void)state;
  char pattern[16];
  char name[16];
  for (size_t p = 0; p < 1365 + 4096; p++) { /* up to 6 of 4 letters */
    word(p, "ab*?", pattern);
    for (size_t n = 0; n < 127; n++) { /* up to 6 of 2 letters */
      word(n, "ab", name);
      assert_int_equal(km_pattern_match(pattern, name), slow_match(pattern, name));
    }
  }
}

/* Many stars over a long name end soon; a matcher that tries them all would not end at all. */
static void many_stars(void **state) {
  (void)state;
  char pattern[401];
  char name[5001];
  for (size_t i = 0; i < sizeof pattern - 1; i++)
    pattern[i] = "*a"[i % 2];
  pattern[399] = 'b';
  pattern[400] = '\0';
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  clock_t begun = clock();
  assert_false(km_pattern_match(pattern, name));
  assert_true(clock() - begun < 5 * CLOCKS_PER_SEC);
}

int test_pattern(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(patterns),
      cmocka_unit_test(every_short_pattern),
      cmocka_unit_test(many_stars),
  };
  return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
