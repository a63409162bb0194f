/* test_hive.c: registry hives, sound, odd and damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data.h"
#include "hive_builder.h"
#include "offline/hive.h"
#include "unit.h"

#define NK_NAME_LENGTH 0x4c /* in a cell */
#define MAX_WALK 20000      /* keys visited by walk_all */

static int file_of(const uint8_t *bytes, size_t size) {
  int fd = memfd_create("test", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, size), size);
  return fd;
}

static km_hive *open_bytes(const uint8_t *bytes, size_t size, km_status expected) {
  km_hive *hive = NULL;
  km_error error = {KM_OK, 0, ""};
  int fd = file_of(bytes, size);
  km_status status = km_hive_open(fd, "C:\\x", &hive, &error);
  close(fd);
  if (status != expected)
    print_message("%s\n", error.message);
  assert_int_equal(status, expected);
  assert_true((hive != NULL) == (status == KM_OK));
  if (status != KM_OK)
    assert_true(error.message[0] != '\0' && error.status == status);
  return hive;
}

static km_hive *open_builder(hive_builder *builder) {
  size_t size;
  uint8_t *bytes = hive_bytes(builder, 7, 7, HIVE_TIME, &size);
  km_hive *hive = open_bytes(bytes, size, KM_OK);
  free(bytes);
  return hive;
}

/* ---- Base block ---- */

static void reads_the_base_block(void **state) {
  (void)state;
  size_t size;
  uint8_t *bytes = hive_bytes(hive_new(), 1622, 1621, 0x01D5000012345678, &size);
  km_hive_header header;
  int fd = file_of(bytes, size);
  assert_int_equal(km_hive_header_read(fd, "C:\\x", &header, NULL), KM_OK);
  assert_int_equal(header.sequence1, 1622);
  assert_int_equal(header.sequence2, 1621);
  assert_true(header.written == 0x01D5000012345678);
  assert_int_equal(lseek(fd, 0, SEEK_CUR), size); /* read in place */
  close(fd);
  free(bytes);
}

typedef struct base_damage {
  const char *what;
  size_t offset;
  uint32_t number;
  bool sum; /* the checksum is set anew */
  const char *message;
} base_damage;

static const base_damage base_damages[] = {
    {"magic", 0, 0x66676573, true, "regf"},
    {"checksum", 508, 0x12345678, false, "checksum"},
    {"a changed word", 48, 1, false, "checksum"},
    {"length beyond the file", 40, 0x100000, true, "ends before"},
    {"length near 2^32", 40, 0xfffff000, true, "ends before"},
    {"root outside", 36, 0x7ffffff0, true, "damaged"},
    {"root in the middle of a cell", 36, 0x24, true, "damaged"},
    {"major version", 20, 9, true, "damaged"},
    {"bin without its magic", 4096, 0x6e696261, true, "damaged"},
    {"bin of length 0", 4096 + 8, 0, true, "damaged"},
    {"cell of length 0", 4096 + 32, 0, true, "damaged"},
    {"cell of length -2^31", 4096 + 32, 0x80000000, true, "damaged"},
    {"cell longer than its bin", 4096 + 32, 0xffff0000, true, "damaged"},
};

static void put_number(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> 8 * i);
}

static void refuses_a_damaged_base_block(void **state) {
  (void)state;
  size_t size;
  uint8_t *sound = hive_bytes(hive_new(), 1, 1, HIVE_TIME, &size);
  for (size_t i = 0; i < COUNT_OF(base_damages); i++) {
    const base_damage *row = &base_damages[i];
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, sound, size);
    put_number(bytes + row->offset, row->number);
    if (row->sum)
      hive_checksum(bytes);
    km_hive *hive = NULL;
    km_error error = {KM_OK, 0, ""};
    int fd = file_of(bytes, size);
    if (km_hive_open(fd, "C:\\x", &hive, &error) != KM_DAMAGED ||
        strstr(error.message, row->message) == NULL)
      fail_msg("%s: %s", row->what, error.message);
    close(fd);
    free(bytes);
  }
  free(sound);
}

static void refuses_a_short_file(void **state) {
  (void)state;
  size_t size;
  uint8_t *bytes = hive_bytes(hive_new(), 1, 1, HIVE_TIME, &size);
  const size_t sizes[] = {0, 1, 4, 511, 4095, 4096, 8191};
  for (size_t i = 0; i < COUNT_OF(sizes); i++)
    (void)open_bytes(bytes, sizes[i], KM_DAMAGED);
  free(bytes);
}

/* ---- Keys and names ---- */

static void finds_keys_ignoring_case(void **state) {
  (void)state;
  hive_builder *builder = hive_new();
  hive_time(builder, hive_key(builder, "Microsoft\\Cryptography"), 0x01C50000AABBCCDD);
  (void)hive_key(builder, "T\xe4st"); /* Latin-1 */
  km_hive *hive = open_builder(builder);
  uint64_t root = km_hive_root(hive), key, other;
  assert_int_equal(km_hive_child(hive, root, "MICROSOFT", &key, NULL), KM_OK);
  assert_int_equal(km_hive_child(hive, key, "cryptography", &key, NULL), KM_OK);
  assert_true(km_hive_time(hive, key) == 0x01C50000AABBCCDD);
  assert_int_equal(km_hive_child(hive, root, "t\xc3\x84ST", &other, NULL), KM_OK);
  const char *const absent[] = {"",     "Micro", "Microsoft2", "Microsoft\\Cryptography",
                                "\xff", "\xc3"};
  for (size_t i = 0; i < COUNT_OF(absent); i++) {
    assert_int_equal(km_hive_child(hive, root, absent[i], &key, NULL), KM_NOT_FOUND);
    assert_true(key == 0);
  }
  km_hive_close(hive);
}

typedef struct names {
  char text[8][64];
  size_t count;
} names;

static bool keep_name(void *user, const char *name, uint64_t child) {
  names *kept = user;
  (void)child;
  (void)snprintf(kept->text[kept->count++], sizeof kept->text[0], "%s", name);
  return kept->count < 8;
}

static void odd_names_cannot_pass_for_others(void **state) {
  (void)state;
  hive_builder *builder = hive_new();
  const uint16_t with_nul[] = {'a', 0, 'b'}, lone[] = {'a', 0xd800}, low[] = {0xdc01},
                 pair[] = {0xd83d, 0xde00}, cyrillic[] = {0x0416, 0x043a};
  (void)hive_wide_key(builder, 0, with_nul, 3);
  (void)hive_wide_key(builder, 0, lone, 2);
  (void)hive_wide_key(builder, 0, low, 1);
  (void)hive_wide_key(builder, 0, pair, 2);
  (void)hive_wide_key(builder, 0, cyrillic, 2);
  km_hive *hive = open_builder(builder);
  names kept = {.count = 0};
  assert_int_equal(km_hive_children(hive, km_hive_root(hive), keep_name, &kept, NULL), KM_OK);
  assert_int_equal(kept.count, 5);
  assert_string_equal(kept.text[0], "a\xef\xbf\xbd"
                                    "b");
  assert_string_equal(kept.text[1], "a\xef\xbf\xbd");
  assert_string_equal(kept.text[2], "\xef\xbf\xbd");
  assert_string_equal(kept.text[3], "\xf0\x9f\x98\x80");
  uint64_t key;
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "a", &key, NULL), KM_NOT_FOUND);
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "\xd0\xb6\xd0\x9a", &key, NULL), KM_OK);
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), kept.text[3], &key, NULL), KM_OK);
  km_hive_close(hive);
}

static void a_callback_ends_the_walk(void **state) {
  (void)state;
  hive_builder *builder = hive_new();
  for (int i = 0; i < 20; i++) {
    const char name[] = {(char)('a' + i), '\0'};
    (void)hive_key(builder, name);
  }
  km_hive *hive = open_builder(builder);
  names kept = {.count = 0};
  assert_int_equal(km_hive_children(hive, km_hive_root(hive), keep_name, &kept, NULL), KM_OK);
  assert_int_equal(kept.count, 8);
  km_hive_close(hive);
}

/* ---- Values ---- */

typedef struct text_case {
  uint32_t type;
  const char *data;
  size_t size;
  const char *text; /* NULL: no text */
} text_case;

static const text_case text_cases[] = {
    {SZ, "a\0b\0\0\0", 6, "ab"},
    {SZ, "a\0b\0", 4, "ab"},        /* no NUL */
    {SZ, "a\0b\0\0", 5, "ab"},      /* half a NUL */
    {SZ, "a\0b\0x", 5, "ab"},       /* odd length */
    {SZ, "a\0\0\0b\0\0\0", 8, "a"}, /* NUL inside */
    {SZ, "", 0, ""},
    {SZ, "a", 1, ""},
    {SZ,
     "\0\xd8"
     "a\0",
     4,
     "\xef\xbf\xbd"
     "a"}, /* lone surrogate */
    {SZ, "=\xd8\0\xde", 4, "\xf0\x9f\x98\x80"},
    {EXPAND_SZ, "%\0a\0%\0\0\0", 8, "%a%"},
    {MULTI_SZ, "a\0\0\0b\0\0\0\0\0", 10, "a\nb"},
    {MULTI_SZ, "a\0\0\0b\0", 6, "a\nb"},
    {MULTI_SZ, "a\0\0\0\0\0b\0\0\0", 10, "a"},
    {MULTI_SZ, "\0\0\0\0", 4, ""},
    {MULTI_SZ, "\0\0b\0\0\0", 6, ""},
    {BINARY, "abcdef", 6, NULL},
    {DWORD, "\1\2\3\4", 4, NULL},
    {0, "", 0, NULL},
    {0x12345678, "abcd", 4, NULL},
};

static void reads_values_as_stored(void **state) {
  (void)state;
  hive_builder *builder = hive_new();
  for (size_t i = 0; i < COUNT_OF(text_cases); i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "v%zu", i);
    hive_data(builder, 0, name, text_cases[i].type, text_cases[i].data, text_cases[i].size);
  }
  hive_text(builder, 0, "", SZ, "default");
  km_hive *hive = open_builder(builder);
  for (size_t i = 0; i < COUNT_OF(text_cases); i++) {
    const text_case *row = &text_cases[i];
    km_registry_value value;
    char name[16];
    (void)snprintf(name, sizeof name, "V%zu", i);
    assert_int_equal(km_hive_value(hive, km_hive_root(hive), name, &value, NULL), KM_OK);
    assert_int_equal(value.type, row->type);
    assert_int_equal(value.size, row->size);
    assert_memory_equal(value.data, row->data, row->size);
    if (row->text == NULL)
      assert_null(value.text);
    else
      assert_string_equal(value.text, row->text);
    km_registry_value_free(&value);
    assert_null(value.data);
  }
  km_registry_value value;
  assert_int_equal(km_hive_value(hive, km_hive_root(hive), NULL, &value, NULL), KM_OK);
  assert_string_equal(value.text, "default");
  km_registry_value_free(&value);
  assert_int_equal(km_hive_value(hive, km_hive_root(hive), "absent", &value, NULL), KM_NOT_FOUND);
  km_hive_close(hive);
}

static void reads_big_data(void **state) {
  (void)state;
  enum { BIG = 40000, HUGE = 1 << 21 };
  uint8_t *data = malloc(HUGE);
  assert_non_null(data);
  for (size_t i = 0; i < HUGE; i++)
    data[i] = (uint8_t)(i * 31 >> 3);
  hive_builder *builder = hive_new();
  hive_data(builder, 0, "big", BINARY, data, BIG);
  hive_data(builder, 0, "edge", BINARY, data, 16344);
  hive_data(builder, 0, "over", BINARY, data, 16345);
  hive_data(builder, 0, "huge", BINARY, data, HUGE);
  km_hive *hive = open_builder(builder);
  const char *const good[] = {"big", "edge", "over"};
  const size_t sizes[] = {BIG, 16344, 16345};
  km_registry_value value;
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    assert_int_equal(km_hive_value(hive, km_hive_root(hive), good[i], &value, NULL), KM_OK);
    assert_int_equal(value.size, sizes[i]);
    assert_memory_equal(value.data, data, sizes[i]);
    km_registry_value_free(&value);
  }
  assert_int_equal(km_hive_value(hive, km_hive_root(hive), "huge", &value, NULL), KM_LIMIT);
  assert_null(value.data);
  km_hive_close(hive);
  free(data);
}

/* ---- Damage ---- */

/* Reads all that there is below the root, as far as MAX_WALK. */
typedef struct everything {
  uint64_t keys[MAX_WALK];
  size_t count;
} everything;

static bool keep_key(void *user, const char *name, uint64_t child) {
  everything *all = user;
  assert_true(strlen(name) <= 3 * KM_MAX_REGISTRY_NAME);
  all->keys[all->count++] = child;
  return all->count < MAX_WALK;
}

static void walk_all(km_hive *hive, size_t limit) {
  everything *all = malloc(sizeof *all);
  assert_non_null(all);
  all->count = 0;
  all->keys[all->count++] = km_hive_root(hive);
  for (size_t i = 0; i < all->count && i < limit && all->count < MAX_WALK; i++) {
    const char *const values[] = {"", "text", "number", "big", "MachineGuid", "Start"};
    km_registry_value value;
    (void)km_hive_children(hive, all->keys[i], keep_key, all, NULL);
    for (size_t k = 0; k < COUNT_OF(values); k++) {
      if (km_hive_value(hive, all->keys[i], values[k], &value, NULL) == KM_OK)
        km_registry_value_free(&value);
    }
    assert_true(km_hive_time(hive, all->keys[i]) >= 0);
  }
  free(all);
}

static uint8_t *small_hive(size_t *size) {
  hive_builder *builder = hive_new();
  uint8_t big[17000];
  memset(big, 'x', sizeof big);
  size_t key = hive_key(builder, "a\\b");
  hive_text(builder, key, "text", SZ, "some text");
  hive_number(builder, key, "number", 4711);
  hive_data(builder, hive_key(builder, "c"), "big", BINARY, big, sizeof big);
  hive_text(builder, 0, "", MULTI_SZ, "x\ny");
  return hive_bytes(builder, 1, 1, HIVE_TIME, size);
}

/* Every byte that is not the filling, set to other values: a clean answer, whatever it is. */
static void bears_every_changed_byte(void **state) {
  (void)state;
  static const uint8_t changes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  size_t size, opened = 0;
  uint8_t *bytes = small_hive(&size);
  for (size_t at = 0; at < size; at++) {
    uint8_t before = bytes[at];
    if (before == 'x' || (at > 48 && at < 4096))
      continue;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
      bool near = at < 4096 || bytes[at] != 0 || i == COUNT_OF(changes) - 1;
      if (changes[i] == before || !near)
        continue;
      bytes[at] = changes[i];
      hive_checksum(bytes);
      km_hive *hive = NULL;
      int fd = file_of(bytes, size);
      km_status status = km_hive_open(fd, "C:\\x", &hive, NULL);
      close(fd);
      assert_true(status == KM_OK || status == KM_DAMAGED);
      if (status == KM_OK) {
        walk_all(hive, 100);
        opened++;
      }
      km_hive_close(hive);
    }
    bytes[at] = before;
  }
  assert_true(opened > 500); /* the changes reach behind the opening */
  free(bytes);
}

/* A key's record that is longer than its cell, at the very end of the file, where libhivex reads beyond. */
static void bears_a_short_cell_at_the_end(void **state) {
  (void)state;
  static const char *const ids[] = {"nk", "vk", "lh", "lf", "li", "ri", "db"};
  size_t size;
  for (size_t i = 0; i < COUNT_OF(ids); i++) {
    hive_builder *builder = hive_new();
    (void)hive_key(builder, "child");
    uint8_t *bytes = hive_bytes(builder, 1, 1, HIVE_TIME, &size);
    uint8_t *free_cell = bytes + 4096 + 32;
    while (free_cell[3] == 0xff) /* in use */
      free_cell +=
          0u - (uint32_t)(free_cell[0] | free_cell[1] << 8 | free_cell[2] << 16 | 0xff000000u);
    put_number(free_cell, (uint32_t)(bytes + size - free_cell - 8));
    uint8_t *last = bytes + size - 8;
    put_number(last, (uint32_t)-8);
    memcpy(last + 4, ids[i], 2);
    last[6] = last[7] = 0xff;
    uint32_t reference = (uint32_t)(size - 8 - 4096);
    uint8_t *root = bytes + 4096 + 32;
    km_hive *hive = NULL;
    put_number(root + 4 + 28, reference); /* as the list of subkeys */
    put_number(root + 4 + 36, 3);
    put_number(root + 4 + 40, reference); /* as the list of values */
    hive = open_bytes(bytes, size, KM_OK);
    walk_all(hive, 100);
    km_hive_close(hive);
    put_number(bytes + 36, reference); /* as the root */
    hive_checksum(bytes);
    int fd = file_of(bytes, size);
    if (km_hive_open(fd, "C:\\x", &hive, NULL) == KM_OK) {
      names kept = {.count = 0};
      km_status status = km_hive_children(hive, km_hive_root(hive), keep_name, &kept, NULL);
      assert_int_equal(status, KM_DAMAGED);
      assert_true(km_hive_time(hive, km_hive_root(hive)) == 0);
    }
    close(fd);
    km_hive_close(hive);
    free(bytes);
  }
}

/* A key that is its own child: each call ends, and so does one operation that follows it for ever. */
static void bears_a_loop(void **state) {
  (void)state;
  size_t size;
  hive_builder *builder = hive_new();
  (void)hive_key(builder, "loop");
  uint8_t *bytes = hive_bytes(builder, 1, 1, HIVE_TIME, &size);
  uint8_t *root = bytes + 4096 + 32;
  uint8_t *list = bytes + 4096 + (root[32] | root[33] << 8 | root[34] << 16);
  list[8] = 32;
  list[9] = list[10] = list[11] = 0;
  km_hive *hive = open_bytes(bytes, size, KM_OK);
  uint64_t key = km_hive_root(hive);
  assert_int_equal(km_hive_child(hive, key, "root", &key, NULL), KM_OK);
  assert_true(key == km_hive_root(hive));
  uint64_t steps = 0;
  km_status status = KM_OK;
  for (; status == KM_OK && steps < KM_MAX_HIVE_WORK; steps++)
    status = km_hive_child(hive, key, "root", &key, NULL);
  assert_int_equal(status, KM_LIMIT);
  assert_true(km_hive_root(hive) != 0); /* a new operation begins */
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "root", &key, NULL), KM_OK);
  km_hive_close(hive);
  free(bytes);
}

/* ---- Real hives ---- */

typedef struct real_hive {
  const char *path;
  uint32_t sequence1, sequence2;
  bool whole; /* all of it can be read */
} real_hive;

static const real_hive real_hives[] = {
    {"hives/regipy_SYSTEM_B/SYSTEM", 1622, 1621, true},
    {"hives/other/libyal_SYSTEM", 2321, 2321, true},
    {"hives/museum_win11/SECURITY", 116, 115, true},
    {"hives/frnsc/SECURITY", 140, 139, true},
    {"hives/other/regipy_SECURITY", 107, 106, true},
    {"hives/regipy_transactions/NTUSER.DAT", 567, 566, true},
    {"hives/other/cfreds_base.hive", 2, 2, true},
};

static void reads_real_hives(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(real_hives); i++) {
    size_t size;
    uint8_t *bytes = test_data_read(real_hives[i].path, &size);
    if (bytes == NULL)
      skip();
    km_hive *hive = open_bytes(bytes, size, KM_OK);
    assert_int_equal(km_hive_header_of(hive)->sequence1, real_hives[i].sequence1);
    assert_int_equal(km_hive_header_of(hive)->sequence2, real_hives[i].sequence2);
    walk_all(hive, 500);
    km_hive_close(hive);
    free(bytes);
  }
}

/* ---- Class names ---- */

static void reads_class_names(void **state) {
  (void)state;
  hive_builder *builder = hive_new();
  hive_class(builder, hive_key(builder, "JD"), "1d3f5a7c");
  (void)hive_key(builder, "Plain");
  km_hive *hive = open_builder(builder);
  uint64_t key = 0;
  char *text = NULL;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "JD", &key, NULL), KM_OK);
  assert_int_equal(km_hive_class(hive, key, &text, &error), KM_OK);
  assert_string_equal(text, "1d3f5a7c");
  km_secret_free(text, strlen(text) + 1);
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "Plain", &key, NULL), KM_OK);
  assert_int_equal(km_hive_class(hive, key, &text, &error), KM_NOT_FOUND);
  assert_null(text);
  km_hive_close(hive);
}

/* The class name's reference at 0x34 of the nk cell, its length at 0x4e. */
static void refuses_damaged_class_names(void **state) {
  (void)state;
  static const struct {
    size_t at;
    uint8_t value;
  } damages[] = {{0x34, 0xff}, {0x37, 0x7f}, {0x4e, 0xf0}, {0x4f, 0xff}};
  for (size_t i = 0; i < COUNT_OF(damages); i++) {
    hive_builder *builder = hive_new();
    size_t size;
    uint64_t key = 0;
    char *text = NULL;
    hive_class(builder, hive_key(builder, "JD"), "1d3f5a7c");
    uint8_t *bytes = hive_bytes(builder, 7, 7, HIVE_TIME, &size);
    km_hive *hive = open_bytes(bytes, size, KM_OK);
    assert_int_equal(km_hive_child(hive, km_hive_root(hive), "JD", &key, NULL), KM_OK);
    km_hive_close(hive);
    bytes[key + damages[i].at] = damages[i].value;
    hive = open_bytes(bytes, size, KM_OK);
    assert_int_equal(km_hive_class(hive, key, &text, NULL), KM_DAMAGED);
    assert_null(text);
    km_hive_close(hive);
    free(bytes);
  }
}

static void reads_a_real_class_name(void **state) {
  (void)state;
  size_t size;
  uint8_t *bytes = test_data_read("chain/Windows/System32/config/SYSTEM", &size);
  if (bytes == NULL)
    skip();
  km_hive *hive = open_bytes(bytes, size, KM_OK);
  static const char *const path[] = {"ControlSet001", "Control", "Lsa", "JD"};
  uint64_t key = km_hive_root(hive);
  char *text = NULL;
  for (size_t i = 0; i < COUNT_OF(path); i++)
    assert_int_equal(km_hive_child(hive, key, path[i], &key, NULL), KM_OK);
  assert_int_equal(km_hive_class(hive, key, &text, NULL), KM_OK);
  assert_string_equal(text, "ea08e1ce"); /* as its README tells */
  km_secret_free(text, strlen(text) + 1);
  km_hive_close(hive);
  free(bytes);
}

/* ---- Secrets ---- */

#ifdef __SANITIZE_ADDRESS__ /* its mlock does nothing */
#define LOCKS 0
#else
#define LOCKS 1
#endif

typedef struct mappings {
  size_t all, undumped, locked;
} mappings;

/* The mappings of hives' copies, libhivex's own too, as the kernel tells them. */
static mappings count_mappings(void) {
  char line[512];
  bool ours = false;
  mappings found = {0, 0, 0};
  FILE *file = fopen("/proc/self/smaps", "re");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL) {
    if (strstr(line, "-") != NULL && strchr(line, ':') != NULL && strstr(line, " r") != NULL)
      ours = strstr(line, "/memfd:hive") != NULL;
    if (!ours || strncmp(line, "VmFlags:", 8) != 0)
      continue;
    found.all++;
    found.undumped += strstr(line, " dd") != NULL;
    found.locked += strstr(line, " lo") != NULL;
  }
  (void)fclose(file);
  return found;
}

static void keeps_secrets_out_of_core_dumps(void **state) {
  (void)state;
  size_t size;
  km_hive *hive = NULL;
  uint8_t *bytes = hive_bytes(hive_new(), 7, 7, HIVE_TIME, &size);
  for (int secret = 0; secret < 2; secret++) {
    int fd = file_of(bytes, size);
    const km_hive_source source = {.path = "C:\\x", .fd = fd, .secret = secret == 1};
    assert_int_equal(km_hive_open_source(&source, &hive, NULL), KM_OK);
    close(fd);
    mappings found = count_mappings();
    assert_true(found.all > 0);
    assert_int_equal(found.undumped, secret == 1 ? found.all : 0);
    assert_int_equal(found.locked, secret == 1 && LOCKS ? 1 : 0);
    km_hive_close(hive);
    assert_int_equal(count_mappings().all, 0);
  }
  free(bytes);
}

static void reads_odd_real_hives(void **state) {
  (void)state;
  size_t size;
  uint8_t *bytes = test_data_read("hives/other/plaso_100_sub_keys.hiv", &size);
  if (bytes == NULL)
    skip();
  km_hive *hive = open_bytes(bytes, size, KM_OK);
  walk_all(hive, 500);
  km_hive_close(hive);
  free(bytes);
  bytes = test_data_read("hives/other/plaso_corrupt_sub_key_list.hiv", &size);
  assert_non_null(bytes);
  hive = open_bytes(bytes, size, KM_OK);
  names kept = {.count = 0};
  km_error error = {KM_OK, 0, ""};
  km_status status = km_hive_children(hive, km_hive_root(hive), keep_name, &kept, &error);
  assert_int_equal(status, KM_DAMAGED);
  assert_non_null(strstr(error.message, "subkeys"));
  km_hive_close(hive);
  free(bytes);
}

int test_hive(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_the_base_block),
      cmocka_unit_test(refuses_a_damaged_base_block),
      cmocka_unit_test(refuses_a_short_file),
      cmocka_unit_test(finds_keys_ignoring_case),
      cmocka_unit_test(odd_names_cannot_pass_for_others),
      cmocka_unit_test(a_callback_ends_the_walk),
      cmocka_unit_test(reads_values_as_stored),
      cmocka_unit_test(reads_big_data),
      cmocka_unit_test(bears_every_changed_byte),
      cmocka_unit_test(bears_a_short_cell_at_the_end),
      cmocka_unit_test(bears_a_loop),
      cmocka_unit_test(reads_real_hives),
      cmocka_unit_test(reads_class_names),
      cmocka_unit_test(refuses_damaged_class_names),
      cmocka_unit_test(reads_a_real_class_name),
      cmocka_unit_test(keeps_secrets_out_of_core_dumps),
      cmocka_unit_test(reads_odd_real_hives),
  };
  return cmocka_run_group_tests_name("hive", tests, NULL, NULL);
}
