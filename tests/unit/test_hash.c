/* test_hash.c: container hashes, SHA-256, CRC-32C; errors and wiping beside them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "data.h"
#include "unit.h"

typedef struct container_vector {
  const char *container, *hash;
} container_vector;

/* Published and measured hashes of containers that Windows makes. */
static const container_vector capi_vectors[] = {
    {"Microsoft Internet Information Server", "c2319c42033a5ca7f44e731bfd3fa2b5"},
    {"MS IIS DCOM Server", "7a436fe806e483969f48a894af2fe9a1"},
    {"iisConfigurationKey", "6de9cb26d2b98c01ec4e9e8b34824aa2"},
    {"iisWasKey", "76944fb33636aeddb9590521c2e8815a"},
    {"NetFrameworkConfigurationKey", "d6d986f09a1ee04e24c949879fdb506c"},
    {"WMSvc Certificate Key Container", "bedbf0b4da5f8061b6444baedf4c00b1"},
    {"TSSecKeySet1", "f686aace6942fb7f7ceb231212eef4a4"},
    {"SMS", "19c5cf9c7b5dc9de3e548adb70398402"},
};

static void capi_containers(void **state) {
  (void)state;
  char hash[KM_HASH_TEXT];
  for (size_t i = 0; i < COUNT_OF(capi_vectors); i++) {
    assert_int_equal(km_container_hash(capi_vectors[i].container, hash, NULL), KM_OK);
    assert_string_equal(hash, capi_vectors[i].hash);
    assert_string_equal(km_known_container(hash), capi_vectors[i].container);
  }
}

static void capi_ignores_ascii_case(void **state) {
  (void)state;
  char hash[KM_HASH_TEXT];
  assert_int_equal(km_container_hash("MICROSOFT internet INFORMATION server", hash, NULL), KM_OK);
  assert_string_equal(hash, "c2319c42033a5ca7f44e731bfd3fa2b5");
}

/* Expected values: MD5 of the bytes 6B E4 73 65 00, 80 00 and 7A 81 9F 00. */
static void capi_windows_1252(void **state) {
  (void)state;
  char hash[KM_HASH_TEXT];
  assert_int_equal(km_container_hash("K\xC3\xA4se", hash, NULL), KM_OK);
  assert_string_equal(hash, "b7f076d0e7a2cd8cc59b77c1d73441f0");
  assert_int_equal(km_container_hash("\xE2\x82\xAC", hash, NULL), KM_OK);
  assert_string_equal(hash, "439b60fca99585cbc2cb32a83ad81e59");
  assert_int_equal(km_container_hash("Z\xC2\x81\xC5\xB8", hash, NULL), KM_OK);
  assert_string_equal(hash, "7f10d88dfc9dbfb57004963f00063cec");
}

static void capi_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "\xD0\x94",         /* Cyrillic */
      "\xC2\x80",         /* U+0080 is not byte 80 */
      "\xF0\x9F\x94\x91", /* beyond the basic plane */
      "a\xFF",            /* no UTF-8 */
      "\xC3",             /* torn */
      "\xED\xA0\x80",     /* surrogate */
  };
  char hash[KM_HASH_TEXT];
  km_error error;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    memset(hash, 'x', sizeof hash);
    assert_int_equal(km_container_hash(bad[i], hash, &error), KM_MISUSE);
    assert_int_equal(error.status, KM_MISUSE);
    assert_non_null(strstr(error.message, "container"));
    assert_string_equal(hash, "");
  }
  assert_int_equal(km_container_hash(NULL, hash, &error), KM_MISUSE);
  assert_int_equal(km_cng_container_hash(NULL, hash, &error), KM_MISUSE);
  assert_int_equal(km_cng_container_hash("", hash, &error), KM_MISUSE);
  assert_int_equal(km_cng_container_hash("a\xFF", hash, NULL), KM_MISUSE);
}

static void length_limit(void **state) {
  (void)state;
  char name[KM_MAX_CONTAINER + 1];
  char hash[KM_HASH_TEXT];
  memset(name, 'n', sizeof name);
  name[KM_MAX_CONTAINER] = '\0';
  assert_int_equal(km_container_hash(name, hash, NULL), KM_MISUSE);
  assert_int_equal(km_cng_container_hash(name, hash, NULL), KM_MISUSE);
  name[KM_MAX_CONTAINER - 1] = '\0';
  assert_int_equal(km_container_hash(name, hash, NULL), KM_OK);
  assert_int_equal(strlen(hash), 32);
  assert_int_equal(km_cng_container_hash(name, hash, NULL), KM_OK);
  assert_int_equal(strlen(hash), 32);
}

static void cng_containers(void **state) {
  (void)state;
  char hash[KM_HASH_TEXT];
  assert_int_equal(
      km_cng_container_hash("Microsoft Connected Devices Platform device certificate", hash, NULL),
      KM_OK);
  assert_string_equal(hash, "de7cf8a7901d2ad13e5c67c29e5d1662");
  assert_int_equal(km_cng_container_hash("iisCngConfigurationKey", hash, NULL), KM_OK);
  assert_string_equal(km_known_container(hash), "iisCngConfigurationKey");
  assert_int_equal(km_cng_container_hash("iisCngWasKey", hash, NULL), KM_OK);
  assert_string_equal(km_known_container(hash), "iisCngWasKey");
  /* MD5 of 3D D8 11 DD 00 00: a pair of surrogates. */
  assert_int_equal(km_cng_container_hash("\xF0\x9F\x94\x91", hash, NULL), KM_OK);
  assert_string_equal(hash, "02defdc78bbb6846a0937de20e58e839");
  /* MD5 of 61 00 00 D8 00 DC FF FF 00 00: the first pair there is, the last single unit. */
  assert_int_equal(km_cng_container_hash("A\xF0\x90\x80\x80\xEF\xBF\xBF", hash, NULL), KM_OK);
  assert_string_equal(hash, "cffe4f77ad6a66ce12fe53a0756e6b47");
}

static void known_containers(void **state) {
  (void)state;
  assert_string_equal(km_known_container("C2319C42033A5CA7F44E731BFD3FA2B5"),
                      "Microsoft Internet Information Server");
  assert_null(km_known_container("4f692a7dc1b824e1f679f93fadd08a3b"));
  assert_null(km_known_container("c2319c42033a5ca7f44e731bfd3fa2b5_"));
  assert_null(km_known_container("c2319c42"));
  assert_null(km_known_container(""));
  assert_null(km_known_container(NULL));
}

/* One row of the vectors: tab-separated; column 4 the name, 6 the hash, 8 the kind. */
static bool check_row(char *row, size_t *capi, size_t *cng) {
  char *fields[8] = {0};
  size_t count = 0;
  for (char *field = row; field != NULL && count < COUNT_OF(fields); count++) {
    fields[count] = field;
    field = strchr(field, '\t');
    if (field != NULL)
      *field++ = '\0';
  }
  if (count != COUNT_OF(fields))
    return false;
  char hash[KM_HASH_TEXT];
  bool is_capi = strcmp(fields[7], "ascii") == 0;
  km_status status = is_capi ? km_container_hash(fields[3], hash, NULL)
                             : km_cng_container_hash(fields[3], hash, NULL);
  ++*(is_capi ? capi : cng);
  if (status != KM_OK || strcmp(hash, fields[5]) != 0) {
    print_error("%s: computed %s, seen %s\n", fields[3], hash, fields[5]);
    return false;
  }
  return true;
}

static void real_vectors(void **state) {
  (void)state;
  size_t size = 0;
  size_t capi = 0;
  size_t cng = 0;
  char *text = (char *)test_data_read("KEYNAME_VECTORS.tsv", &size);
  if (text == NULL) {
    skip();
    return;
  }
  text[size] = '\0';
  char *line = strchr(text, '\n'); /* the first line names the columns */
  while (line != NULL && line[1] != '\0') {
    char *row = line + 1;
    line = strchr(row, '\n');
    if (line != NULL)
      *line = '\0';
    row[strcspn(row, "\r")] = '\0';
    assert_true(check_row(row, &capi, &cng));
  }
  free(text);
  assert_true(capi >= 6);
  assert_true(cng >= 39);
}

static void sha256(void **state) {
  (void)state;
  static const char million[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  char text[KM_SHA256_TEXT];
  km_sha256("", 0, text);
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  km_sha256(NULL, 0, text);
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  km_sha256("abc", 3, text);
  assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  km_sha256_state *pieces = km_sha256_begin();
  assert_non_null(pieces);
  char block[1000];
  memset(block, 'a', sizeof block);
  for (int i = 0; i < 1000; i++) {
    km_sha256_add(pieces, block, 64 + (size_t)i % 3);
    km_sha256_add(pieces, block, sizeof block - 64 - (size_t)i % 3);
    km_sha256_add(pieces, NULL, 0);
  }
  km_sha256_finish(pieces, text);
  assert_string_equal(text, million);
}

/* RFC 3720, B.4, and the usual check value. */
static void crc32c(void **state) {
  (void)state;
  uint8_t data[32];
  assert_int_equal(km_crc32c(0, NULL, 0), 0);
  assert_int_equal(km_crc32c(0, "123456789", 9), 0xE3069283);
  memset(data, 0, sizeof data);
  assert_int_equal(km_crc32c(0, data, sizeof data), 0x8A9136AA);
  memset(data, 0xFF, sizeof data);
  assert_int_equal(km_crc32c(0, data, sizeof data), 0x62A8AB43);
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (uint8_t)i;
  assert_int_equal(km_crc32c(0, data, sizeof data), 0x46DD794E);
  assert_int_equal(km_crc32c(km_crc32c(0, data, 11), data + 11, 21), 0x46DD794E);
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (uint8_t)(31 - i);
  assert_int_equal(km_crc32c(0, data, sizeof data), 0x113FDB5C);
}

static void statuses(void **state) {
  (void)state;
  assert_string_equal(km_status_id(KM_OK), "ok");
  assert_string_equal(km_status_id(KM_NOT_FOUND), "not-found");
  assert_string_equal(km_status_text(KM_STALE), "the store has changed since the plan was made");
  for (int a = 0; a < KM_STATUS_COUNT; a++)
    for (int b = 0; b < a; b++)
      assert_string_not_equal(km_status_id((km_status)a), km_status_id((km_status)b));
  assert_string_equal(km_status_id(KM_STATUS_COUNT), "unknown");
  assert_non_null(km_status_text((km_status)12345));
  assert_string_equal(km_version(), KM_VERSION);
}

static void error_messages(void **state) {
  (void)state;
  km_error error;
  assert_int_equal(km_fail(NULL, KM_IO, 5, "x"), KM_IO);
  km_error_prefix(NULL, "x");
  assert_int_equal(km_fail(&error, KM_IO, 5, "%s: read", "file"), KM_IO);
  assert_int_equal(error.status, KM_IO);
  assert_int_equal(error.native, 5);
  assert_string_equal(error.message, "file: read");
  km_error_prefix(&error, "step %d", 3);
  assert_string_equal(error.message, "step 3: file: read");
  km_fail(&error, KM_IO, 5, "again: %s", error.message); /* its own message as an argument */
  assert_string_equal(error.message, "again: step 3: file: read");
}

/* A message that is too long ends at a whole character, whatever its length. */
static void error_cut(void **state) {
  (void)state;
  static const char *const characters[] = {"x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x94\x91"};
  km_error error;
  char text[2 * KM_MAX_MESSAGE];
  for (size_t lead = 0; lead < 8; lead++) {
    const char *character = characters[lead % 4];
    size_t width = strlen(character);
    memset(text, 'a', lead);
    size_t length = lead;
    for (; length + width < sizeof text; length += width)
      memcpy(text + length, character, width);
    text[length] = '\0';
    km_fail(&error, KM_IO, 0, "%s", text);
    size_t whole = lead + (KM_MAX_MESSAGE - 1 - lead) / width * width;
    assert_int_equal(strlen(error.message), whole);
    km_error_prefix(&error, "p");
    whole = 3 + lead + (KM_MAX_MESSAGE - 1 - 3 - lead) / width * width;
    assert_int_equal(strlen(error.message), whole);
    km_error_prefix(&error, "%s", text);
    assert_true(strlen(error.message) < KM_MAX_MESSAGE);
  }
}

static void wiping(void **state) {
  (void)state;
  uint8_t data[16];
  memset(data, 0xA5, sizeof data);
  km_wipe(data + 1, sizeof data - 2);
  assert_int_equal(data[0], 0xA5);
  assert_int_equal(data[15], 0xA5);
  for (size_t i = 1; i < 15; i++)
    assert_int_equal(data[i], 0);
  km_wipe(NULL, 0);
  km_secret_free(NULL, 0);
  km_secret_free(malloc(10), 10);
}

int test_hash(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(capi_containers),
      cmocka_unit_test(capi_ignores_ascii_case),
      cmocka_unit_test(capi_windows_1252),
      cmocka_unit_test(capi_refuses),
      cmocka_unit_test(length_limit),
      cmocka_unit_test(cng_containers),
      cmocka_unit_test(known_containers),
      cmocka_unit_test(real_vectors),
      cmocka_unit_test(sha256),
      cmocka_unit_test(crc32c),
      cmocka_unit_test(statuses),
      cmocka_unit_test(error_messages),
      cmocka_unit_test(error_cut),
      cmocka_unit_test(wiping),
  };
  return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
