/* test_version.c: the version resource of program files: sound ones, every cut and every damaged field. */
#include "unit.h"

#include "version.h"

#include <stdlib.h>
#include <string.h>

/* ---- A file in memory ---- */

enum {
  PE = 64, /* the PE header */
  OPTIONAL = PE + 24,
  FILE_SIZE = 2048,
  SECTION_AT = 1024, /* the only section, at address ADDRESS */
  ADDRESS = 0x4000,
  ROOT = 0, /* offsets in the section */
  NAMES = 64,
  LANGUAGES = 96,
  DATA_ENTRY = 128,
  INFO = 160,
};

typedef struct program_file {
  uint8_t bytes[FILE_SIZE];
  size_t size;
  unsigned reads;
  bool broken; /* reading fails */
} program_file;

static void put16(program_file *file, size_t at, unsigned value) {
  file->bytes[at] = (uint8_t)value;
  file->bytes[at + 1] = (uint8_t)(value >> 8);
}

static void put32(program_file *file, size_t at, uint32_t value) {
  put16(file, at, value & 0xFFFF);
  put16(file, at + 2, value >> 16);
}

static size_t in_section(size_t offset) {
  return SECTION_AT + offset;
}

static void put_directory(program_file *file, size_t at, unsigned names, unsigned ids) {
  put16(file, in_section(at) + 12, names);
  put16(file, in_section(at) + 14, ids);
}

static void put_entry(program_file *file, size_t directory, size_t index, uint32_t id,
                      uint32_t value) {
  put32(file, in_section(directory) + 16 + 8 * index, id);
  put32(file, in_section(directory) + 20 + 8 * index, value);
}

static void put_info(program_file *file) {
  static const char key[] = "VS_VERSION_INFO";
  put16(file, in_section(INFO), 92);
  put16(file, in_section(INFO) + 2, 52);
  for (size_t i = 0; i < sizeof key; i++)
    put16(file, in_section(INFO) + 6 + 2 * i, (uint8_t)key[i]);
  put32(file, in_section(INFO) + 40, 0xFEEF04BD);
  put32(file, in_section(INFO) + 48, 5U << 16 | 131);
  put32(file, in_section(INFO) + 52, 2195U << 16 | 6926);
  put32(file, in_section(INFO) + 56, 9U << 16 | 9); /* the product's, which nobody asks for */
}

static size_t directories(bool plus) {
  return OPTIONAL + (plus ? 112U : 96U);
}

static size_t section_row(bool plus) {
  return OPTIONAL + (plus ? 240U : 224U);
}

/* A DLL of version 5.131.2195.6926; released by the caller. */
static program_file *make(bool plus) {
  program_file *file = calloc(1, sizeof *file);
  assert_non_null(file);
  file->size = FILE_SIZE;
  memcpy(file->bytes, "MZ", 2);
  put32(file, 60, PE);
  memcpy(file->bytes + PE, "PE\0\0", 4);
  put16(file, PE + 6, 1);
  put16(file, PE + 20, plus ? 240 : 224);
  put16(file, OPTIONAL, plus ? 0x20B : 0x10B);
  put32(file, directories(plus) - 4, 16);
  put32(file, directories(plus) + 16, ADDRESS);
  put32(file, section_row(plus) + 8, FILE_SIZE - SECTION_AT);
  put32(file, section_row(plus) + 12, ADDRESS);
  put32(file, section_row(plus) + 16, FILE_SIZE - SECTION_AT);
  put32(file, section_row(plus) + 20, SECTION_AT);
  put_directory(file, ROOT, 0, 2);
  put_entry(file, ROOT, 0, 3, 0x80000000U);
  put_entry(file, ROOT, 1, 16, 0x80000000U + NAMES);
  put_directory(file, NAMES, 0, 1);
  put_entry(file, NAMES, 0, 1, 0x80000000U + LANGUAGES);
  put_directory(file, LANGUAGES, 0, 1);
  put_entry(file, LANGUAGES, 0, 0x409, DATA_ENTRY);
  put32(file, in_section(DATA_ENTRY), ADDRESS + INFO);
  put32(file, in_section(DATA_ENTRY) + 4, 92);
  put_info(file);
  return file;
}

/* Fails the test when a read leaves the file: the reader has to have checked that. */
static km_status give(void *user, void *data, size_t size, uint64_t offset, km_error *error) {
  program_file *file = user;
  file->reads++;
  if (file->broken)
    return km_fail(error, KM_IO, 5, "the disk is broken");
  assert_true(offset <= file->size && size <= file->size - offset);
  memcpy(data, file->bytes + offset, size);
  return KM_OK;
}

static km_status parse(program_file *file, uint16_t part[4], km_error *error) {
  const km_version_source source = {give, file, file->size};
  file->reads = 0;
  error->message[0] = '\0';
  km_status status = km_version_parse(&source, part, error);
  assert_int_equal(status == KM_OK, error->message[0] == '\0');
  return status;
}

static void check_sound(program_file *file) {
  uint16_t part[4];
  km_error error;
  assert_int_equal(parse(file, part, &error), KM_OK);
  assert_int_equal(part[0], 5);
  assert_int_equal(part[1], 131);
  assert_int_equal(part[2], 2195);
  assert_int_equal(part[3], 6926);
}

static void check_fails(program_file *file, km_status expected, const char *words) {
  uint16_t part[4];
  km_error error;
  assert_int_equal(parse(file, part, &error), expected);
  if (strstr(error.message, words) == NULL)
    fail_msg("\"%s\" lacks \"%s\"", error.message, words);
}

/* ---- Tests ---- */

static void test_both_formats(void **state) {
  (void)state;
  for (int plus = 0; plus < 2; plus++) {
    program_file *file = make(plus != 0);
    check_sound(file);
    free(file);
  }
}

/* Whatever is cut off or flipped, the answer is a version or a clean refusal, and no read leaves the file. */
static void test_every_cut(void **state) {
  (void)state;
  program_file *file = make(false);
  uint16_t part[4];
  km_error error;
  const size_t needed = SECTION_AT + INFO + 92;
  for (file->size = 0; file->size < FILE_SIZE; file->size++) {
    km_status status = parse(file, part, &error);
    assert_int_equal(status, file->size < needed ? KM_DAMAGED : KM_OK);
  }
  free(file);
}

static void test_every_bit(void **state) {
  (void)state;
  for (int plus = 0; plus < 2; plus++) {
    program_file *file = make(plus != 0);
    for (size_t bit = 0; bit < FILE_SIZE * 8; bit++) {
      uint16_t part[4];
      km_error error;
      file->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
      km_status status = parse(file, part, &error);
      assert_true(status == KM_OK || status == KM_DAMAGED || status == KM_LIMIT);
      file->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(file);
  }
}

typedef struct damage_row {
  size_t at;
  uint32_t value;
  unsigned bits;
  km_status status;
  const char *words;
} damage_row;

static const damage_row damages[] = {
    {0, 0x5A4E, 16, KM_DAMAGED, "does not begin as a program file"},
    {60, 0xFFFFFFF0, 32, KM_DAMAGED, "its PE header"},
    {60, 0, 32, KM_DAMAGED, "no PE header"},
    {PE, 0x454E, 16, KM_DAMAGED, "no PE header"},
    {PE + 6, 0, 16, KM_DAMAGED, "its number of sections (0)"},
    {PE + 6, 97, 16, KM_DAMAGED, "its number of sections (97)"},
    {PE + 6, 60, 16, KM_DAMAGED, "its section table"},
    {PE + 20, 0, 16, KM_DAMAGED, "neither that of PE32 nor of PE32+"},
    {PE + 20, 119, 16, KM_DAMAGED, "no resources"},
    {PE + 20, 0xFFFF, 16, KM_DAMAGED, "its section table"},
    {OPTIONAL, 0x107, 16, KM_DAMAGED, "neither that of PE32 nor of PE32+"},
    {OPTIONAL + 92, 2, 32, KM_DAMAGED, "no resources"},
    {OPTIONAL + 112, 0, 32, KM_DAMAGED, "no resources"},
    {OPTIONAL + 112, ADDRESS - 1, 32, KM_DAMAGED, "lies in no section"},
    {OPTIONAL + 112, 0xFFFFFFFF, 32, KM_DAMAGED, "lies in no section"},
    {OPTIONAL + 224 + 16, 0, 32, KM_DAMAGED, "lies in no section"},
    {OPTIONAL + 224 + 16, 15, 32, KM_DAMAGED, "lies in no section"},
    {OPTIONAL + 224 + 20, 0xFFFFFFFF, 32, KM_DAMAGED, "lies outside the file"},
    {SECTION_AT + 12, 0xFFFF, 16, KM_LIMIT, "has 65537 entries"},
    {SECTION_AT + 14, 1, 16, KM_DAMAGED, "no version resource"},
    {SECTION_AT + 14, 200, 16, KM_OK, ""},
    {SECTION_AT + 16 + 8, 17, 32, KM_DAMAGED, "no version resource"},
    {SECTION_AT + 16 + 12, NAMES, 32, KM_DAMAGED, "fewer than three levels"},
    {SECTION_AT + 16 + 12, 0xFFFFFFFF, 32, KM_DAMAGED, "lies in no section"},
    {SECTION_AT + NAMES + 12, 1, 16, KM_DAMAGED, "no version resource"},
    {SECTION_AT + NAMES + 16, 2, 32, KM_DAMAGED, "no version resource"},
    {SECTION_AT + NAMES + 20, LANGUAGES, 32, KM_DAMAGED, "fewer than three levels"},
    {SECTION_AT + LANGUAGES + 14, 0, 16, KM_DAMAGED, "no version resource"},
    {SECTION_AT + LANGUAGES + 20, 0x80000000U, 32, KM_DAMAGED, "more than three levels"},
    {SECTION_AT + LANGUAGES + 20, 0x7FFFFFFF, 32, KM_DAMAGED, "lies in no section"},
    {SECTION_AT + DATA_ENTRY, 0, 32, KM_DAMAGED, "lies in no section"},
    {SECTION_AT + DATA_ENTRY, ADDRESS + FILE_SIZE - SECTION_AT - 91, 32, KM_DAMAGED,
     "lies in no section"},
    {SECTION_AT + DATA_ENTRY + 4, 91, 32, KM_DAMAGED, "too short"},
    {SECTION_AT + INFO, 91, 16, KM_DAMAGED, "resource is damaged"},
    {SECTION_AT + INFO + 2, 51, 16, KM_DAMAGED, "resource is damaged"},
    {SECTION_AT + INFO + 6, 'v', 16, KM_DAMAGED, "resource is damaged"},
    {SECTION_AT + INFO + 36, 'X', 16, KM_DAMAGED, "resource is damaged"},
    {SECTION_AT + INFO + 40, 0xFEEF04BC, 32, KM_DAMAGED, "resource is damaged"},
};

static void test_damaged_fields(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(damages); i++) {
    program_file *file = make(false);
    const damage_row *row = &damages[i];
    if (row->bits == 16)
      put16(file, row->at, row->value);
    else
      put32(file, row->at, row->value);
    if (row->status == KM_OK)
      check_sound(file);
    else
      check_fails(file, row->status, row->words);
    free(file);
  }
}

/* Entries behind many others, and names where ids are looked for. */
static void test_many_entries(void **state) {
  (void)state;
  enum { COUNT = 70, AT = 320, NAMED = 35 };
  program_file *file = make(false);
  put32(file, OPTIONAL + 112, ADDRESS + AT);
  put_directory(file, AT, NAMED, COUNT - NAMED);
  for (size_t i = 0; i < COUNT; i++)
    put_entry(file, AT, i, i < NAMED ? 16 : 100 + (uint32_t)i, 0x7FFFFFFF);
  put_entry(file, AT, COUNT - 1, 16, 0x80000000U + 896 - AT);
  put_directory(file, 896, 1, 1);
  put_entry(file, 896, 0, 1, 0x7FFFFFFF);
  put_entry(file, 896, 1, 1, 0x80000000U + 928 - AT);
  put_directory(file, 928, 1, 0);
  put_entry(file, 928, 0, 0x80000000U, 960 - AT);
  put32(file, in_section(960), ADDRESS + INFO);
  put32(file, in_section(960) + 4, 400);
  check_sound(file);
  assert_true(file->reads < 20);
  free(file);
}

/* Directories that lead to themselves end after three levels. */
static void test_circles(void **state) {
  (void)state;
  program_file *file = make(false);
  put_entry(file, ROOT, 0, 1, 0x80000000U);
  put_entry(file, ROOT, 1, 16, 0x80000000U);
  check_fails(file, KM_DAMAGED, "more than three levels");
  assert_true(file->reads < 16);
  free(file);
}

static void test_later_section(void **state) {
  (void)state;
  program_file *file = make(true);
  size_t row = section_row(true);
  memcpy(file->bytes + row + 40, file->bytes + row, 40);
  put16(file, PE + 6, 2);
  put32(file, row + 12, 0x1000);
  put32(file, row + 16, 0x2FF0);
  put32(file, row + 20, 0xFFFF0000U);
  check_sound(file);
  free(file);
}

static void test_limits(void **state) {
  (void)state;
  program_file *file = make(false);
  uint16_t part[4] = {1, 2, 3, 4};
  km_error error;
  const km_version_source large = {give, file, (uint64_t)KM_MAX_PROGRAM_FILE + 1};
  file->reads = 0;
  assert_int_equal(km_version_parse(&large, part, &error), KM_LIMIT);
  assert_int_equal(file->reads, 0);
  assert_int_equal(part[3], 0);
  file->broken = true;
  check_fails(file, KM_IO, "the disk is broken");
  free(file);
}

static void test_misuse(void **state) {
  (void)state;
  const km_backend none = {.name = "none"};
  km_target target = {.backend = &none};
  km_version_info info = {.size = 1};
  km_error error;
  assert_int_equal(km_file_version(&target, "", &info, &error), KM_MISUSE);
  assert_int_equal(info.size, 0);
  assert_int_equal(km_file_version(&target, NULL, &info, NULL), KM_MISUSE);
  assert_int_equal(km_file_version(&target, "C:\\x.dll", &info, &error), KM_UNSUPPORTED);
  assert_non_null(strstr(error.message, "C:\\x.dll"));
}

int test_version(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_formats),  cmocka_unit_test(test_every_cut),
      cmocka_unit_test(test_every_bit),     cmocka_unit_test(test_damaged_fields),
      cmocka_unit_test(test_many_entries),  cmocka_unit_test(test_circles),
      cmocka_unit_test(test_later_section), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
