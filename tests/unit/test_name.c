/* test_name.c: machine GUIDs, unique names, their classes. */
#include <string.h>

#include "keymend.h"
#include "unit.h"

#define HASH "c2319c42033a5ca7f44e731bfd3fa2b5"
#define GUID "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define OTHER "2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"

typedef struct guid_case {
  const char *raw;
  km_guid_form form;
  const char *guid;
} guid_case;

static const guid_case guid_cases[] = {
    {GUID, KM_GUID_PLAIN, GUID},
    {"00000000-0000-0000-0000-000000000000", KM_GUID_PLAIN, "00000000-0000-0000-0000-000000000000"},
    {"767E77B0-C6AD-4D27-8F44-B62351B7069A", KM_GUID_CASE, GUID},
    {"767e77b0-c6ad-4d27-8f44-b62351b7069A", KM_GUID_CASE, GUID},
    {"{" GUID "}", KM_GUID_BRACES, GUID},
    {"{767E77B0-C6AD-4D27-8F44-B62351B7069A}", KM_GUID_BRACES, GUID},
    {"", KM_GUID_MALFORMED, ""},
    {" ", KM_GUID_MALFORMED, ""},
    {"{}", KM_GUID_MALFORMED, ""},
    {GUID " ", KM_GUID_MALFORMED, ""},
    {" " GUID, KM_GUID_MALFORMED, ""},
    {GUID "\n", KM_GUID_MALFORMED, ""},
    {"{" GUID, KM_GUID_MALFORMED, ""},
    {GUID "}", KM_GUID_MALFORMED, ""},
    {"(" GUID ")", KM_GUID_MALFORMED, ""},
    {"{" GUID "]", KM_GUID_MALFORMED, ""},
    {"{{" GUID "}}", KM_GUID_MALFORMED, ""},
    {"767e77b0-c6ad-4d27-8f44-b62351b7069", KM_GUID_MALFORMED, ""},
    {"767e77b0c6ad4d278f44b62351b7069a", KM_GUID_MALFORMED, ""},
    {"767e77b0-c6ad-4d27-8f44b-62351b7069a", KM_GUID_MALFORMED, ""},
    {"767e77b0-c6ad-4d27-8f44-b62351b7069g", KM_GUID_MALFORMED, ""},
    {"767e77b0-c6ad-4d27-8f44-b62351b7069\x01", KM_GUID_MALFORMED, ""},
    {"767e77b0-c6ad-4d\x1b"
     "7-8f44-b62351b7069a",
     KM_GUID_MALFORMED, ""},
    {"------------------------------------", KM_GUID_MALFORMED, ""},
    {"\xFF\xFE\xFD", KM_GUID_MALFORMED, ""},
};

static void guid_forms(void **state) {
  (void)state;
  char guid[KM_GUID_TEXT];
  for (size_t i = 0; i < COUNT_OF(guid_cases); i++) {
    memset(guid, 'x', sizeof guid);
    km_guid_form form = km_guid_parse(guid_cases[i].raw, guid);
    if (form != guid_cases[i].form)
      print_error("\"%s\"\n", guid_cases[i].raw);
    assert_int_equal(form, guid_cases[i].form);
    assert_string_equal(guid, guid_cases[i].guid);
  }
  assert_int_equal(km_guid_parse(NULL, guid), KM_GUID_ABSENT);
  assert_string_equal(guid, "");
}

static void guid_too_long(void **state) {
  (void)state;
  static char raw[100000];
  char guid[KM_GUID_TEXT];
  memset(raw, 'a', sizeof raw - 1);
  for (size_t i = 0; i < strlen(GUID); i++)
    raw[i] = GUID[i];
  assert_int_equal(km_guid_parse(raw, guid), KM_GUID_MALFORMED);
  assert_string_equal(guid, "");
}

static void unique_names(void **state) {
  (void)state;
  km_unique_name name;
  assert_true(km_unique_name_parse(HASH "_" GUID, &name));
  assert_string_equal(name.hash, HASH);
  assert_string_equal(name.guid, GUID);
  assert_false(name.upper);
  assert_true(km_unique_name_parse("C2319C42033A5CA7F44E731BFD3FA2B5_" GUID, &name));
  assert_string_equal(name.hash, HASH);
  assert_true(name.upper);
  assert_true(km_unique_name_parse(HASH "_767e77b0-c6ad-4d27-8f44-b62351b7069A", &name));
  assert_string_equal(name.guid, GUID);
  assert_true(name.upper);
}

static const char *const strays[] = {
    "",
    "_",
    HASH,
    HASH "_",
    GUID,
    HASH "-" GUID,
    HASH "_" GUID ".OLD",
    HASH "_" GUID " ",
    HASH "_{" GUID "}",
    "x" HASH "_" GUID,
    "c2319c42033a5ca7f44e731bfd3fa2bg_" GUID,
    "c2319c42033a5ca7f44e731bfd3fa2b5_767e77b0-c6ad-4d27-8f44-b62351b7069/",
    "c2319c42033a5ca7f44e731bfd3fa2b5_767e77b0_c6ad-4d27-8f44-b62351b7069a",
    "c2319c42033a5ca7f44e731bfd3fa2b5_767e77b-0c6ad-4d27-8f44-b62351b7069a",
    "c2319c42033a5ca7f44e731bfd3fa2b_5767e77b0-c6ad-4d27-8f44-b62351b7069a",
};

static void stray_names(void **state) {
  (void)state;
  km_unique_name name;
  for (size_t i = 0; i < COUNT_OF(strays); i++) {
    assert_false(km_unique_name_parse(strays[i], &name));
    assert_string_equal(name.hash, "");
    assert_int_equal(km_name_classify(strays[i], strlen(strays[i]), GUID), KM_NAME_STRAY);
    assert_int_equal(km_name_classify(strays[i], strlen(strays[i]), NULL), KM_NAME_STRAY);
  }
  assert_false(km_unique_name_parse(NULL, &name));
}

static km_name_class classify(const char *name, const char *guid) {
  return km_name_classify(name, strlen(name), guid);
}

static void classes(void **state) {
  (void)state;
  assert_int_equal(classify(HASH "_" GUID, GUID), KM_NAME_CURRENT);
  assert_int_equal(classify(HASH "_" OTHER, GUID), KM_NAME_FOREIGN);
  assert_int_equal(classify(HASH "_767E77B0-C6AD-4D27-8F44-B62351B7069A", GUID), KM_NAME_CURRENT);
  assert_int_equal(classify("C2319C42033A5CA7F44E731BFD3FA2B5_" GUID, GUID), KM_NAME_CURRENT);
  assert_int_equal(classify(HASH "_" GUID, NULL), KM_NAME_FOREIGN);
  assert_int_equal(classify(HASH "_" GUID, ""), KM_NAME_FOREIGN);
  /* The length counts, not a NUL: a name out of a folder's block need not end with one. */
  assert_int_equal(km_name_classify(HASH "_" GUID "zzz", 69, GUID), KM_NAME_CURRENT);
  assert_int_equal(km_name_classify(HASH "_" GUID, 70, GUID), KM_NAME_STRAY);
}

/* Every byte value at every place of a unique name: only hex digits, '_' and '-' at their places
 * pass. */
static void every_byte(void **state) {
  (void)state;
  const char good[] = HASH "_" GUID;
  char name[sizeof good];
  for (size_t at = 0; at < sizeof good - 1; at++) {
    for (int byte = 0; byte < 256; byte++) {
      memcpy(name, good, sizeof good);
      name[at] = (char)byte;
      bool digit = good[at] != '_' && good[at] != '-';
      bool fits = digit ? byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL
                        : byte == (unsigned char)good[at];
      int folded = byte >= 'A' && byte <= 'F' ? byte + 32 : byte;
      bool same = at < 33 || folded == (unsigned char)good[at];
      km_name_class expected = !fits ? KM_NAME_STRAY : same ? KM_NAME_CURRENT : KM_NAME_FOREIGN;
      assert_int_equal(km_name_classify(name, sizeof good - 1, GUID), expected);
      km_unique_name parsed;
      assert_int_equal(km_unique_name_parse(name, &parsed), fits);
    }
  }
}

/* The suffix differs in exactly one place, at each place. */
static void every_difference(void **state) {
  (void)state;
  char name[] = HASH "_" GUID;
  for (size_t at = 33; at < sizeof name - 1; at++) {
    char kept = name[at];
    if (kept == '-')
      continue;
    name[at] = kept == '0' ? '1' : '0';
    assert_int_equal(km_name_classify(name, 69, GUID), KM_NAME_FOREIGN);
    name[at] = kept;
  }
}

int test_name(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(guid_forms),       cmocka_unit_test(guid_too_long),
      cmocka_unit_test(unique_names),     cmocka_unit_test(stray_names),
      cmocka_unit_test(classes),          cmocka_unit_test(every_byte),
      cmocka_unit_test(every_difference),
  };
  return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
