/* test_grant.c: entries added to a security descriptor: where they go, and what is refused */
#include "descriptor.h"
#include "descriptor_builder.h"
#include "grant.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL KM_GRANT_FULL
#define READ KM_GRANT_READ

static const km_grant system_full = {"S-1-5-18", FULL};

static const built_entry usual[] = {
    {1, 0, 0x2, "5 32 546", 0},    /* denies guests */
    {0, 0, FULL, "5 32 544", 0},   /* explicit */
    {0, 0x10, READ, "5 18", 0},    /* inherited, and too little */
    {1, 0x10, 0x1, "5 32 546", 0}, /* inherited entries have an order of their own */
    {0, 0x18, FULL, "5 18", 0},    /* for others */
};

/* Adds and checks all that must hold of any result. */
static uint8_t *grant(const built_descriptor *d, const km_grant *grants, size_t count,
                      size_t *size) {
  uint8_t *out = NULL;
  km_error error = {0};
  size_t added = 0;
  if (km_descriptor_grant(d->data, d->size, grants, count, &out, size, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_true(km_descriptor_added(d->data, d->size, out, *size, NULL, &added));
  assert_true(added > 0 && added <= count);
  km_descriptor_parts old, new;
  assert_true(km_descriptor_take(d->data, d->size, &old));
  assert_true(km_descriptor_take(out, *size, &new));
  assert_int_equal(new.control, old.control);
  assert_int_equal(new.owner_size, old.owner_size);
  assert_memory_equal(new.owner, old.owner, old.owner_size);
  assert_memory_equal(new.group, old.group, old.group_size);
  const uint8_t *sacl = out + out[12] + 256 * out[13];
  assert_memory_equal(sacl, d->data + 20, d->dacl - 20);
  return out;
}

/* The DACL of a result is the one that `entries` make. */
static void same_dacl(const uint8_t *data, size_t size, const built_entry *entries, size_t count) {
  built_descriptor wanted;
  km_descriptor_parts found, want;
  build_descriptor(&wanted, entries, count, 0);
  assert_true(km_descriptor_take(data, size, &found));
  assert_true(km_descriptor_take(wanted.data, wanted.size, &want));
  assert_int_equal(found.dacl_size, want.dacl_size);
  assert_memory_equal(found.dacl, want.dacl, want.dacl_size);
}

static void test_order(void **state) {
  (void)state;
  static const built_entry wanted[] = {
      {1, 0, 0x2, "5 32 546", 0}, {0, 0, FULL, "5 32 544", 0}, {0, 0, FULL, "5 18", 0},
      {0, 0, READ, "5 20", 0},    {0, 0x10, READ, "5 18", 0},  {1, 0x10, 0x1, "5 32 546", 0},
      {0, 0x18, FULL, "5 18", 0},
  };
  const km_grant grants[] = {system_full, {"S-1-5-20", READ}};
  built_descriptor d;
  for (size_t slack = 0; slack <= 8; slack += 4) {
    size_t size;
    build_descriptor(&d, usual, COUNT_OF(usual), slack);
    uint8_t *out = grant(&d, grants, 2, &size);
    same_dacl(out, size, wanted, COUNT_OF(wanted));
    free(out);
  }
}

static void test_places(void **state) {
  (void)state;
  /* no entry at all; only explicit ones; only inherited ones; behind object entries; a second one for the SID */
  static const built_entry explicit[] = {{0, 0, READ, "5 18", 0}};
  static const built_entry inherited[] = {{0, 0x10, READ, "5 18", 0}};
  static const built_entry objects[] = {
      {6, 0, 0x10, "5 32 546", 3}, {5, 0, 0x20, "5 32 545", 1}, {5, 0x10, 0x20, "5 32 545", 2}};
  static const struct {
    const built_entry *entries;
    size_t count, at;
  } rows[] = {{NULL, 0, 0}, {explicit, 1, 1}, {inherited, 1, 0}, {objects, 3, 2}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    built_entry wanted[5];
    built_descriptor d;
    size_t size, n = 0;
    for (size_t k = 0; k <= rows[i].count; k++) {
      if (k == rows[i].at)
        wanted[n++] = (built_entry){0, 0, FULL, "5 18", 0};
      if (k < rows[i].count)
        wanted[n++] = rows[i].entries[k];
    }
    build_descriptor(&d, rows[i].entries, rows[i].count, 0);
    uint8_t *out = grant(&d, &system_full, 1, &size);
    same_dacl(out, size, wanted, n);
    free(out);
  }
}

static void refused(const built_descriptor *d, const km_grant *grants, size_t count,
                    km_status status, const char *word) {
  uint8_t *out = (uint8_t *)"";
  size_t size = 9;
  km_error error = {0};
  assert_int_equal(km_descriptor_grant(d->data, d->size, grants, count, &out, &size, &error),
                   status);
  assert_null(out);
  if (strstr(error.message, word) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", error.message, word);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    built_entry entries[2];
    const char *word;
  } rows[] = {
      {{{0, 0, FULL, "5 18", 0}, {0, 0, READ, "5 32 544", 0}}, "nothing is missing"},
      {{{0, 0x10, 0x10000000, "5 18", 0}, {0, 0x10, READ, "5 32 544", 0}}, "nothing is missing"},
      {{{0, 0, FULL & 0xFFFF, "5 18", 0}, {0, 0, FULL & ~0xFFFFu, "5 18", 0}},
       "nothing is missing"},
      {{{1, 0, 1, "5 18", 0}, {0, 0, READ, "5 32 544", 0}}, "denies S-1-5-18"},
      {{{10, 0, 1, "5 18", 0}, {0, 0, READ, "5 32 544", 0}}, "denies S-1-5-18"},
      {{{6, 0, 1, "5 18", 3}, {0, 0, READ, "5 32 544", 0}}, "denies S-1-5-18"},
      {{{1, 0x10, 1, "1 0", 0}, {1, 0x10, 1, "5 32 546", 0}}, "denies S-1-1-0"},
      {{{0, 0, READ, "5 32 544", 0}, {1, 0, 1, "5 32 546", 0}}, "order"},
      {{{0, 0x10, READ, "5 32 544", 0}, {0, 0, READ, "5 32 545", 0}}, "order"},
      {{{2, 0, READ, "5 32 544", 0}, {0, 0, READ, "5 32 545", 0}}, "type 2"},
      {{{4, 0, READ, "5 32 544", 0}, {0, 0, READ, "5 32 545", 0}}, "type 4"},
  };
  built_descriptor d;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    build_descriptor(&d, rows[i].entries, 2, 0);
    refused(&d, &system_full, 1, KM_REFUSED, rows[i].word);
  }
  build_descriptor(&d, usual, COUNT_OF(usual), 0);
  d.data[16] = d.data[17] = 0;
  refused(&d, &system_full, 1, KM_REFUSED, "everyone may do everything");
  d.data[2] = 0x10; /* no DACL at all is the same */
  refused(&d, &system_full, 1, KM_REFUSED, "everyone may do everything");
  d.data[0] = 2;
  refused(&d, &system_full, 1, KM_REFUSED, "damaged");
  build_descriptor(&d, usual, COUNT_OF(usual), 0);
  d.data[22] = 1; /* the SACL's size */
  refused(&d, &system_full, 1, KM_REFUSED, "damaged");
  /* one that only others inherit denies nothing here */
  static const built_entry others[] = {{1, 0x0B, 1, "5 18", 0}};
  size_t size;
  build_descriptor(&d, others, 1, 0);
  free(grant(&d, &system_full, 1, &size));
}

static void test_who_and_what(void **state) {
  (void)state;
  static const char *const good[] = {
      "S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-32-544",
      "S-1-5-80-956008885-3418522649-1831038044-1853292631-4294967295"};
  static const char *const bad[] = {"S-1-1-0",
                                    "S-1-5-11",
                                    "S-1-5-32-545",
                                    "S-1-5-21-1-2-3-500",
                                    "S-1-5-018",
                                    "S-1-5-80-",
                                    "S-1-5-80--1",
                                    "S-1-5-80-4294967296",
                                    "s-1-5-18",
                                    "S-1-5-18 ",
                                    "",
                                    "S-1-5-80-1-",
                                    "S-1-5-80-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15",
                                    "S-1-5-80-1x"};
  built_descriptor d;
  size_t size;
  build_descriptor(&d, usual, 2, 0);
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    assert_true(km_grant_allowed(good[i], READ) && km_grant_allowed(good[i], FULL));
    assert_false(km_grant_allowed(good[i], FULL | 0x01000000));
    assert_false(km_grant_allowed(good[i], 0));
    if (strcmp(good[i], "S-1-5-32-544") != 0)
      free(grant(&d, &(km_grant){good[i], READ}, 1, &size));
  }
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    assert_false(km_grant_allowed(bad[i], READ));
    refused(&d, &(km_grant){bad[i], READ}, 1, KM_MISUSE, "never adds");
  }
  assert_false(km_grant_allowed(NULL, READ));
  refused(&d, &system_full, 0, KM_MISUSE, "1 to 8");
  refused(&d, &system_full, KM_MAX_GRANTS + 1, KM_MISUSE, "1 to 8");
}

/* A DACL and a descriptor end at 64 KiB. */
static void test_room(void **state) {
  (void)state;
  static uint8_t big[KM_MAX_DESCRIPTOR];
  built_descriptor d;
  uint8_t *out;
  size_t size;
  km_error error = {0};
  for (unsigned left = 0; left < 64; left += 4) {
    size_t entries = 65532 - left - 8, at = 20;
    memset(big, 0, sizeof big);
    big[0] = 1, big[2] = 4, big[3] = 0x80, big[16] = 20;
    big[at] = 2;
    big[at + 2] = (uint8_t)(entries + 8), big[at + 3] = (uint8_t)((entries + 8) >> 8);
    big[at + 4] = 1;
    /* a callback's entry may be as long as it likes */
    const built_entry wide = {9, 0, READ, "5 32 544", 0};
    build_descriptor(&d, &wide, 1, 0);
    memcpy(big + at + 8, d.data + d.dacl + 8, 24);
    big[at + 10] = (uint8_t)entries, big[at + 11] = (uint8_t)(entries >> 8);
    km_status status = sizeof big - 20 < entries + 8 ? KM_REFUSED : KM_OK;
    size_t whole = status == KM_OK ? 20 + entries + 8 : sizeof big;
    if (status == KM_OK && whole + 20 + 6 > KM_MAX_DESCRIPTOR)
      status = KM_LIMIT;
    assert_int_equal(km_descriptor_grant(big, whole, &system_full, 1, &out, &size, &error), status);
    assert_true((status == KM_OK) == (out != NULL) && (out == NULL || size <= KM_MAX_DESCRIPTOR));
    free(out);
  }
}

/* What a forged journal might say is no addition. */
static void test_added(void **state) {
  (void)state;
  built_descriptor d, other;
  km_access_entry rows[KM_MAX_GRANTS];
  const km_grant grants[] = {{"S-1-5-19", READ}, system_full};
  size_t size, count;
  build_descriptor(&d, usual, COUNT_OF(usual), 4);
  uint8_t *out = grant(&d, grants, 2, &size);
  assert_true(km_descriptor_added(d.data, d.size, out, size, rows, &count));
  assert_int_equal(count, 2);
  assert_string_equal(rows[0].sid, "S-1-5-19");
  assert_int_equal(rows[1].mask, FULL);
  assert_false(km_descriptor_added(d.data, d.size, d.data, d.size, NULL, &count)); /* nothing */
  assert_false(km_descriptor_added(out, size, d.data, d.size, NULL, &count));      /* taken away */
  for (size_t i = 0; i < size; i++) { /* every byte counts, but for two that say nothing */
    km_descriptor_parts parts;
    assert_true(km_descriptor_take(out, size, &parts));
    size_t dacl = (size_t)(parts.dacl - out);
    for (int bit = 0; bit < 8; bit++) {
      out[i] ^= (uint8_t)(1 << bit);
      bool good = km_descriptor_added(d.data, d.size, out, size, NULL, &count);
      /* the ACL's reserved byte and field, and padding; its size may count room behind the entries */
      bool says_nothing =
          i == dacl + 1 || i == dacl + 6 || i == dacl + 7 || i >= dacl + parts.dacl_size;
      if (good && !says_nothing) {
        km_descriptor_parts changed;
        assert_true(km_descriptor_take(out, size, &changed));
        bool still_given = count == 2; /* SYSTEM became LOCAL SERVICE, full became ... */
        assert_true(still_given && i > dacl + 8);
      }
      out[i] ^= (uint8_t)(1 << bit);
    }
  }
  free(out);
  /* anybody else, another mask, another place */
  static const built_entry forged[][3] = {
      {{0, 0, FULL, "5 32 544", 0}, {0, 0, FULL, "5 21 7", 0}, {0, 0x10, READ, "5 18", 0}},
      {{0, 0, FULL, "5 32 544", 0}, {0, 0, FULL, "1 0", 0}, {0, 0x10, READ, "5 18", 0}},
      {{0, 0, FULL, "5 32 544", 0}, {0, 0, 0x10000000, "5 18", 0}, {0, 0x10, READ, "5 18", 0}},
      {{0, 0, FULL, "5 32 544", 0}, {0, 3, FULL, "5 18", 0}, {0, 0x10, READ, "5 18", 0}},
      {{0, 0, FULL, "5 32 544", 0}, {1, 0, FULL, "5 18", 0}, {0, 0x10, READ, "5 18", 0}},
      {{0, 0, FULL, "5 18", 0}, {0, 0, FULL, "5 32 544", 0}, {0, 0x10, READ, "5 18", 0}},
  };
  static const built_entry before[] = {{0, 0, FULL, "5 32 544", 0}, {0, 0x10, READ, "5 18", 0}};
  build_descriptor(&d, before, 2, 0);
  for (size_t i = 0; i < COUNT_OF(forged); i++) {
    build_descriptor(&other, forged[i], 3, 0);
    assert_false(km_descriptor_added(d.data, d.size, other.data, other.size, NULL, &count));
  }
}

static void test_sha256(void **state) {
  (void)state;
  built_descriptor d, other;
  char one[KM_SHA256_TEXT], two[KM_SHA256_TEXT];
  size_t size;
  build_descriptor(&d, usual, COUNT_OF(usual), 0);
  build_descriptor(&other, usual, COUNT_OF(usual), 8);
  km_descriptor_sha256(d.data, d.size, one);
  km_descriptor_sha256(other.data, other.size, two);
  assert_int_equal(strlen(one), 64);
  assert_string_equal(one, two); /* room behind the entries does not count */
  uint8_t *out = grant(&d, &system_full, 1, &size);
  km_descriptor_sha256(out, size, two);
  assert_string_not_equal(one, two);
  free(out);
  d.data[16] = 0; /* a NULL one is not the same as any */
  d.data[17] = 0;
  km_descriptor_sha256(d.data, d.size, two);
  assert_string_not_equal(one, two);
  d.data[0] = 3;
  km_descriptor_sha256(d.data, d.size, two);
  assert_string_equal(two, "");
}

/* Every length of a descriptor, and every byte set to 0 and 255: no crash, and what is made is an addition. */
static void test_damage(void **state) {
  (void)state;
  static const uint8_t values[] = {0, 1, 0x7F, 0xFF};
  built_descriptor d;
  uint8_t *out;
  size_t size, count;
  build_descriptor(&d, usual, COUNT_OF(usual), 0);
  for (size_t i = 0; i < d.size; i++) {
    uint8_t *copy = malloc(d.size);
    memcpy(copy, d.data, d.size);
    (void)km_descriptor_grant(copy, i, &system_full, 1, &out, &size, NULL);
    free(out);
    for (size_t k = 0; k < COUNT_OF(values); k++) {
      copy[i] = values[k];
      if (km_descriptor_grant(copy, d.size, &system_full, 1, &out, &size, NULL) == KM_OK)
        assert_true(km_descriptor_added(copy, d.size, out, size, NULL, &count));
      free(out);
    }
    free(copy);
  }
}

int test_grant(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),    cmocka_unit_test(test_places),
      cmocka_unit_test(test_refusals), cmocka_unit_test(test_who_and_what),
      cmocka_unit_test(test_room),     cmocka_unit_test(test_added),
      cmocka_unit_test(test_sha256),   cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
