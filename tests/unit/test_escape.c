/* test_escape.c: harmless names; UTF-8, UTF-16LE and Windows-1252 beneath them. */
#include <stdlib.h>
#include <string.h>

#include "keymend.h"
#include "text.h"
#include "unit.h"

typedef struct escape_case {
  const char *text;
  const char *escaped; /* NULL: as it is */
} escape_case;

static const escape_case cases[] = {
    {"", NULL},
    {"c2319c42_plain name.OLD", NULL},
    {"C:\\Dokumente und Einstellungen\\\xC3\x9C", NULL},
    {"\xD0\x9A\xD0\xBB\xD1\x8E\xD1\x87 \xF0\x9F\x94\x91", NULL},
    {"a\nb", "a\\u{000A}b"},
    {"\x1b[31m", "\\u{001B}[31m"},
    {"\x7f", "\\u{007F}"},
    {"\xC2\x9B", "\\u{009B}"}, /* CSI as one C1 character */
    {"\xC2\xA0", NULL},
    {"\xC2\xAD", "\\u{00AD}"},
    {"\xD8\x9C", "\\u{061C}"},
    {"\xE1\xA0\x8E", "\\u{180E}"},
    {"\xE2\x80\x8A", NULL}, /* a hair space */
    {"\xE2\x80\x8B", "\\u{200B}"},
    {"\xE2\x80\x8C", "\\u{200C}"},
    {"\xE2\x80\x8D", "\\u{200D}"},
    {"\xE2\x80\x8E\xE2\x80\x8F", "\\u{200E}\\u{200F}"},
    {"\xE2\x80\x90", NULL}, /* a hyphen */
    {"\xE2\x80\xA8\xE2\x80\xA9", "\\u{2028}\\u{2029}"},
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): escaping these is what is tested */
    {"\xE2\x80\xAA\xE2\x80\xAE", "\\u{202A}\\u{202E}"},
    {"\xE2\x80\xAF", NULL}, /* a narrow space */
    {"\xE2\x81\xA0\xE2\x81\xA6\xE2\x81\xA9", "\\u{2060}\\u{2066}\\u{2069}"},
    {"\xEF\xBB\xBFx", "\\u{FEFF}x"},
    {"\xEF\xB8\x8F", "\\u{FE0F}"},
    {"\xEF\xBF\xBD", NULL}, /* the replacement character can be seen */
    {"\xEF\xBF\xBF", "\\u{FFFF}"},
    {"\xF3\xA0\x81\x81", "\\u{E0041}"}, /* a tag */
    {"\xF3\xA0\x84\x80", "\\u{E0100}"},
    {"\x80", "\\x80"},
    {"\xFF\xFE", "\\xFF\\xFE"},
    {"a\xC3", "a\\xC3"},
    {"\xC3\x28", "\\xC3("},
    {"\xE2\x82", "\\xE2\\x82"},
    {"\xC0\x80", "\\xC0\\x80"},                   /* overlong */
    {"\xE0\x80\xAF", "\\xE0\\x80\\xAF"},          /* overlong */
    {"\xF0\x80\x80\x80", "\\xF0\\x80\\x80\\x80"}, /* overlong */
    {"\xED\xA0\x80", "\\xED\\xA0\\x80"},          /* a surrogate */
    {"\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"}, /* beyond Unicode */
    {"\xF5\x80\x80\x80", "\\xF5\\x80\\x80\\x80"},
};

static void escapes(void **state) {
  (void)state;
  char out[256];
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *expected = cases[i].escaped ? cases[i].escaped : cases[i].text;
    size_t needed = km_escape(cases[i].text, strlen(cases[i].text), out, sizeof out);
    assert_string_equal(out, expected);
    assert_int_equal(needed, strlen(expected));
  }
  assert_int_equal(km_escape("a\0b", 3, out, sizeof out), 10);
  assert_string_equal(out, "a\\u{0000}b");
  assert_int_equal(km_escape(NULL, 0, out, sizeof out), 0);
  assert_string_equal(out, "");
}

/* Whatever the room: ended with NUL, never past the end, never half a character or escape. */
static void small_room(void **state) {
  (void)state;
  static const char text[] = "a\xE2\x82\xAC\x1b\xFFz";
  static const char whole[] = "a\xE2\x82\xAC\\u{001B}\\xFFz";
  static const size_t ends[] = {0, 1, 4, 12, 16, 17};
  for (size_t room = 0; room <= sizeof whole + 3; room++) {
    char *out = malloc(room + 1);
    out[room] = '!';
    assert_int_equal(km_escape(text, strlen(text), out, room), strlen(whole));
    assert_int_equal(out[room], '!');
    size_t fits = 0;
    for (size_t i = 0; i < COUNT_OF(ends); i++)
      if (ends[i] < room)
        fits = ends[i];
    if (room > 0) {
      assert_int_equal(strlen(out), fits);
      assert_memory_equal(out, whole, fits);
    }
    free(out);
  }
  assert_int_equal(km_escape(text, strlen(text), NULL, 0), strlen(whole));
}

/* Every code point to UTF-8 and back; each prefix of it is broken bytes. */
static void utf8_round_trip(void **state) {
  (void)state;
  char bytes[4];
  size_t used = 0;
  for (uint32_t code = 0; code <= KM_MAX_CODE_POINT + 1; code++) {
    size_t count = km_utf8_put(code, bytes);
    bool character = code <= KM_MAX_CODE_POINT && !(code >= 0xD800 && code <= 0xDFFF);
    assert_int_equal(count != 0, character);
    if (!character)
      continue;
    assert_int_equal(km_utf8_next(bytes, count, &used), code);
    assert_int_equal(used, count);
    for (size_t cut = 1; cut < count; cut++) {
      assert_true(km_utf8_next(bytes, cut, &used) >= KM_BROKEN_BYTE);
      assert_int_equal(used, 1);
    }
  }
}

static void utf16(void **state) {
  (void)state;
  size_t used = 0;
  assert_int_equal(km_utf16_next((const uint8_t *)"\x3D\xD8\x11\xDD", 2, &used), 0x1F511);
  assert_int_equal(used, 2);
  assert_int_equal(km_utf16_next((const uint8_t *)"\x3D\xD8", 1, &used), 0xD83D);
  assert_int_equal(used, 1);
  assert_int_equal(km_utf16_next((const uint8_t *)"\x3D\xD8\x41\x00", 2, &used), 0xD83D);
  assert_int_equal(used, 1);
  assert_int_equal(km_utf16_next((const uint8_t *)"\x11\xDD", 1, &used), 0xDD11);
  assert_int_equal(km_utf16_next((const uint8_t *)"\xFF\xFF", 1, &used), 0xFFFF);
}

static void windows_1252(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++)
    assert_int_equal(km_cp1252_from_code(km_cp1252_to_code((uint8_t)byte)), byte);
  assert_int_equal(km_cp1252_to_code(0x80), 0x20AC);
  assert_int_equal(km_cp1252_from_code(0x80), -1);
  assert_int_equal(km_cp1252_from_code(0x100), -1);
  assert_int_equal(km_cp1252_from_code(KM_BROKEN_BYTE + 0x80), -1);
}

int test_escape(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(escapes), cmocka_unit_test(small_room),   cmocka_unit_test(utf8_round_trip),
      cmocka_unit_test(utf16),   cmocka_unit_test(windows_1252),
  };
  return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
