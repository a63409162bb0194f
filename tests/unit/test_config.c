/* test_config.c: applicationHost.config, its session keys and encrypted values; the SessionKey of a metabase. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "data.h"
#include "metabase.h"
#include "unit.h"

/* ---- Configuration ---- */

static km_status parse(const char *text, km_configuration *out, km_error *error) {
  size_t size = strlen(text);
  uint8_t *copy = malloc(size + 1);
  assert_non_null(copy);
  memcpy(copy, text, size);
  km_status status = km_configuration_parse(copy, size, out, error);
  free(copy);
  return status;
}

#define PROVIDERS(rows)                                                                            \
  "<?xml version=\"1.0\" "                                                                         \
  "encoding=\"UTF-8\"?>\n<configuration><configProtectedData><providers>" rows                     \
  "</providers></configProtectedData></configuration>"

static void providers_are_read(void **state) {
  (void)state;
  km_configuration found;
  assert_int_equal(
      parse(PROVIDERS("<add name=\"AesProvider\" type=\"Microsoft.X.AesY\" "
                      "keyContainerName=\"iisConfigurationKey\" useOAEP=\"False\" "
                      "useMachineContainer=\"true\" sessionKey=\"AQID\nBA==\" />"
                      "<add name=\"Cng\" keyContainerName=\"iisCngWasKey\" />"
                      "<add name=\"User\" keyContainerName=\"b&#252;ro\" useOAEP=\"TRUE\" "
                      "useMachineContainer=\"FALSE\" sessionKey=\"?\" />"
                      "<add/><remove name=\"AesProvider\" keyContainerName=\"no\" />"
                      "<add name=\"x\"><add keyContainerName=\"deeper\" /></add>"),
            &found, NULL),
      KM_OK);
  assert_int_equal(found.provider_count, 5);
  const km_provider *p = found.providers;
  assert_string_equal(p[0].name, "AesProvider");
  assert_string_equal(p[0].container, "iisConfigurationKey");
  assert_string_equal(p[0].type, "Microsoft.X.AesY");
  assert_true(p[0].machine && !p[0].oaep && p[0].has_session_key);
  assert_int_equal(p[0].session_key_size, 4);
  assert_memory_equal(p[0].session_key, "\1\2\3\4", 4);
  assert_string_equal(p[1].container, "iisCngWasKey");
  assert_true(p[1].machine && !p[1].oaep && !p[1].has_session_key);
  assert_string_equal(p[2].container, "b\xC3\xBCro");
  assert_true(!p[2].machine && p[2].oaep && p[2].has_session_key);
  assert_null(p[2].session_key);
  assert_string_equal(p[3].container, "");
  km_configuration_free(&found);
}

/* Only in its own place is an element what it looks like. */
static void other_places_are_no_providers(void **state) {
  (void)state;
  static const char *const texts[] = {
      "<configuration><configProtectedData><add name=\"a\"/></configProtectedData></configuration>",
      "<configuration><providers><add name=\"a\"/></providers></configuration>",
      "<x><configProtectedData><providers><add name=\"a\"/></providers></configProtectedData></x>",
      "<configuration><configProtectedData><providers/></configProtectedData><add name=\"a\"/>"
      "<location><configProtectedData><providers><add name=\"a\"/></providers>"
      "</configProtectedData></location></configuration>",
      PROVIDERS("<!-- <add name=\"a\"/> -->"),
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    km_configuration found;
    assert_int_equal(parse(texts[i], &found, NULL), KM_OK);
    assert_int_equal(found.provider_count, 0);
    km_configuration_free(&found);
  }
}

static void encrypted_values_are_read(void **state) {
  (void)state;
  km_configuration found;
  assert_int_equal(parse("<configuration><a password=\"[enc:AesProvider:AQIDBA==:enc]\" "
                         "b=\"[enc:Other:AQ==:enc]\"/><a password=\"[enc:AesProvider::enc]\" "
                         "c=\"[enc:AesProvider:?:enc]\" d=\"[enc:enc]\" e=\"[enc:x:enc]\" "
                         "f=\" [enc:P:AQ==:enc]\"/></configuration>",
                         &found, NULL),
                   KM_OK);
  assert_int_equal(found.value_count, 2);
  assert_string_equal(found.values[0].provider, "AesProvider");
  assert_int_equal(found.values[0].size, 4);
  assert_memory_equal(found.values[0].data, "\1\2\3\4", 4);
  assert_string_equal(found.values[1].provider, "Other");
  km_configuration_free(&found);
}

static void history_and_redirection_are_read(void **state) {
  (void)state;
  km_configuration found;
  assert_int_equal(
      parse("<configuration><configurationRedirection enabled=\"TRUE\" path=\"\\\\s\" />"
            "<system.applicationHost><configHistory path=\"%SystemDrive%\\h\" />"
            "<x><configHistory path=\"no\"/></x></system.applicationHost>"
            "</configuration>",
            &found, NULL),
      KM_OK);
  assert_true(found.redirected);
  assert_string_equal(found.history, "%SystemDrive%\\h");
  km_configuration_free(&found);
  assert_int_equal(
      parse("<configuration><configurationRedirection /></configuration>", &found, NULL), KM_OK);
  assert_false(found.redirected);
  assert_null(found.history);
  km_configuration_free(&found);
}

static void expect_damage(const char *text, const char *words, size_t providers) {
  km_configuration found;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(parse(text, &found, &error), KM_DAMAGED);
  if (strstr(error.message, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, error.message);
  assert_int_equal(found.provider_count, providers);
  km_configuration_free(&found);
}

static void damage_is_told_with_its_line(void **state) {
  (void)state;
  expect_damage("", "line 1: ", 0);
  expect_damage("<configuration>\n<configProtectedData><providers><add name=\"a\"/>\n</wrong>",
                "line 3: ", 1);
  expect_damage(PROVIDERS("<add name=\"a\"/>") "<more/>", "line 2: ", 1);
  expect_damage("<configuration a=\"\xFF\"/>", "line 1: ", 0);
}

/* What would make the text grow without bounds, or name other files. */
static void a_document_type_is_refused(void **state) {
  (void)state;
  expect_damage("<!DOCTYPE configuration [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>"
                "<configuration>&b;</configuration>",
                "document type", 0);
  expect_damage("<!DOCTYPE configuration SYSTEM \"file:///etc/passwd\"><configuration/>",
                "document type", 0);
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  size_t count = 100000;
  char *text = calloc(count + 1, 3);
  assert_non_null(text);
  for (size_t i = 0; i < count; i++)
    memcpy(text + 3 * i, "<a>", 3);
  expect_damage(text, "nest", 0);
  free(text);
}

static void counts_are_bounded(void **state) {
  (void)state;
  static const char row[] = "<add name=\"[enc:p:AQID:enc]\" keyContainerName=\"k\"/>";
  static const char head[] = "<configuration><configProtectedData><providers>";
  static const char tail[] = "</providers></configProtectedData></configuration>";
  size_t rows = KM_MAX_ENCRYPTED + 10;
  char *text = calloc(rows * sizeof row + 200, 1);
  km_configuration found;
  assert_non_null(text);
  size_t at = sizeof head - 1;
  memcpy(text, head, at);
  for (size_t i = 0; i < rows; i++, at += sizeof row - 1)
    memcpy(text + at, row, sizeof row - 1);
  memcpy(text + at, tail, sizeof tail);
  assert_int_equal(parse(text, &found, NULL), KM_OK);
  assert_int_equal(found.provider_count, KM_MAX_PROVIDERS);
  assert_int_equal(found.value_count, KM_MAX_ENCRYPTED);
  km_configuration_free(&found);
  free(text);
  assert_int_equal(
      km_configuration_parse((const uint8_t *)"", KM_MAX_CONFIGURATION + 1, &found, NULL),
      KM_LIMIT);
}

static void base64_is_decoded(void **state) {
  (void)state;
  static const struct row {
    const char *text, *bytes;
    size_t size;
    bool good;
  } rows[] = {
      {"", "", 0, true},
      {"AAEC", "\0\1\2", 3, true},
      {"AAE=", "\0\1", 2, true},
      {"AA==", "\0", 1, true},
      {"+/+/", "\xFB\xFF\xBF", 3, true},
      {" A\tA\r\nEC", "\0\1\2", 3, true},
      {"AAECAw==", "\0\1\2\3", 4, true},
      {"A", "", 0, false},
      {"AAE", "", 0, false},
      {"A===", "", 0, false},
      {"====", "", 0, false},
      {"AA=A", "", 0, false},
      {"AA==AAEC", "", 0, false},
      {"AAE-", "", 0, false},
      {"AAE\xC3", "", 0, false},
      {"AAEC=", "", 0, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    size_t length = strlen(rows[i].text), size = 0;
    uint8_t *out = malloc(length / 4 * 3 + 1);
    assert_non_null(out);
    assert_int_equal(km_base64_decode(rows[i].text, length, out, &size), rows[i].good);
    if (rows[i].good) {
      assert_int_equal(size, rows[i].size);
      assert_memory_equal(out, rows[i].bytes, size);
    }
    free(out);
  }
}

/* Published files: the sessionKey of a provider in a comment does not count. */
static void real_configurations_are_read(void **state) {
  (void)state;
  static const struct row {
    const char *name;
    size_t providers, values;
    bool good;
  } rows[] = {
      {"iis/jexus_Tests_original2.config", 3, 2, true},
      {"iis/jexus_Tests.JexusManager_original.config", 3, 1, true},
      {"iis/jexus_Microsoft.Web.Administration_Resources_original.config", 3, 1, true},
      {"iis/jexus_Tests_original2_missing_closing.config", 3, 2, false},
      {"iis/mattgillard_applicationHost.config", 5, 0, true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    size_t size = 0;
    km_configuration found;
    km_session_key session;
    uint8_t *data = test_data_read(rows[i].name, &size);
    if (data == NULL) {
      skip();
      return;
    }
    assert_int_equal(km_configuration_parse(data, size, &found, NULL),
                     rows[i].good ? KM_OK : KM_DAMAGED);
    assert_int_equal(found.provider_count, rows[i].providers);
    assert_int_equal(found.value_count, rows[i].values);
    size_t last = found.provider_count - 1;
    assert_string_equal(found.providers[last].container, "iisWasKey");
    assert_int_equal(found.providers[last].session_key_size, 268);
    assert_int_equal(km_session_key_parse(found.providers[last].session_key, 268, &session, NULL),
                     KM_OK);
    assert_string_equal(km_session_key_name(&session), "AES-128");
    assert_int_equal(session.size, 256);
    km_configuration_free(&found);
    free(data);
  }
}

/* ---- Session keys ---- */

enum { RSA_BYTES = 64 };

/* What the private operation gives: a stand-in for a key. */
typedef struct fake_rsa {
  uint8_t block[RSA_BYTES];
  km_status status;
  size_t asked;
} fake_rsa;

static km_status fake_private(void *user, const uint8_t *in_le, size_t size, uint8_t *out_be,
                              km_error *error) {
  fake_rsa *fake = user;
  fake->asked++;
  assert_int_equal(size, RSA_BYTES);
  assert_int_equal(in_le[0], 0x11);
  if (fake->status != KM_OK)
    return km_fail(error, fake->status, 0, "the fake key is not to be had");
  memcpy(out_be, fake->block, size);
  return KM_OK;
}

static void make_blob(uint8_t blob[KM_SIMPLEBLOB_HEADER + RSA_BYTES], uint32_t algorithm) {
  const uint8_t head[KM_SIMPLEBLOB_HEADER] = {
      1, 2, 0, 0, (uint8_t)algorithm, (uint8_t)(algorithm >> 8), 0, 0, 0, 0xA4, 0, 0};
  memcpy(blob, head, sizeof head);
  memset(blob + KM_SIMPLEBLOB_HEADER, 0x11, RSA_BYTES);
}

/* 00 02, padding, 00, `length` bytes 1, 2, 3 ... */
static void make_block(uint8_t block[RSA_BYTES], size_t length) {
  memset(block, 0xA5, RSA_BYTES);
  block[0] = 0;
  block[1] = 2;
  block[RSA_BYTES - length - 1] = 0;
  for (size_t i = 0; i < length; i++)
    block[RSA_BYTES - length + i] = (uint8_t)(i + 1);
}

static void a_session_key_is_taken_apart(void **state) {
  (void)state;
  static const struct change {
    size_t at;
    uint8_t value;
    km_status status;
  } changes[] = {
      {0, 2, KM_DAMAGED},    {1, 3, KM_DAMAGED},        {2, 1, KM_DAMAGED},     {3, 1, KM_DAMAGED},
      {9, 0x24, KM_DAMAGED}, {4, 0x99, KM_UNSUPPORTED}, {6, 1, KM_UNSUPPORTED},
  };
  uint8_t blob[KM_SIMPLEBLOB_HEADER + RSA_BYTES];
  km_session_key key;
  make_blob(blob, 0x660E);
  assert_int_equal(km_session_key_parse(blob, sizeof blob, &key, NULL), KM_OK);
  assert_int_equal(key.algorithm, 0x660E);
  assert_int_equal(key.size, RSA_BYTES);
  assert_ptr_equal(key.ciphertext, blob + KM_SIMPLEBLOB_HEADER);
  for (size_t size = 0; size <= KM_SIMPLEBLOB_HEADER; size++)
    assert_int_equal(km_session_key_parse(blob, size, &key, NULL), KM_DAMAGED);
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    make_blob(blob, 0x660E);
    blob[changes[i].at] = changes[i].value;
    assert_int_equal(km_session_key_parse(blob, sizeof blob, &key, NULL), changes[i].status);
  }
}

static void a_session_key_fits_a_modulus_above_it(void **state) {
  (void)state;
  uint8_t blob[KM_SIMPLEBLOB_HEADER + RSA_BYTES];
  km_session_key key;
  km_public_key *rsa = calloc(1, sizeof *rsa);
  assert_non_null(rsa);
  make_blob(blob, 0x660E);
  assert_int_equal(km_session_key_parse(blob, sizeof blob, &key, NULL), KM_OK);
  rsa->bits = RSA_BYTES * 8;
  memset(rsa->modulus, 0x11, RSA_BYTES);
  assert_false(km_session_key_fits(&key, rsa)); /* not present */
  rsa->present = true;
  assert_false(km_session_key_fits(&key, rsa)); /* equal */
  rsa->modulus[0] = 0x12;
  assert_true(km_session_key_fits(&key, rsa));
  rsa->modulus[RSA_BYTES - 1] = 0x10;
  assert_false(km_session_key_fits(&key, rsa));
  rsa->modulus[RSA_BYTES - 1] = 0x12;
  assert_true(km_session_key_fits(&key, rsa));
  rsa->bits = RSA_BYTES * 8 + 8;
  assert_false(km_session_key_fits(&key, rsa));
  free(rsa);
}

/* KM_DAMAGED: the padding is wrong. */
static void check_open(fake_rsa *fake, uint32_t algorithm, km_status expected) {
  uint8_t blob[KM_SIMPLEBLOB_HEADER + RSA_BYTES], plain[KM_MAX_SESSION_KEY];
  km_session_key key;
  size_t length = 99;
  make_blob(blob, algorithm);
  assert_int_equal(km_session_key_parse(blob, sizeof blob, &key, NULL), KM_OK);
  fake->asked = 0;
  assert_int_equal(km_session_key_open(&key, fake_private, fake, plain, &length, NULL),
                   fake->status);
  assert_int_equal(fake->asked, 1);
  assert_int_equal(length > 0, expected == KM_OK);
  for (size_t i = 0; i < length; i++)
    assert_int_equal(plain[i], i + 1);
}

static void a_session_key_opens_with_right_padding_alone(void **state) {
  (void)state;
  fake_rsa fake = {.status = KM_OK};
  make_block(fake.block, 16);
  check_open(&fake, 0x660E, KM_OK);
  fake.block[0] = 1;
  check_open(&fake, 0x660E, KM_DAMAGED);
  make_block(fake.block, 16);
  fake.block[1] = 1;
  check_open(&fake, 0x660E, KM_DAMAGED);
  make_block(fake.block, 16);
  fake.block[20] = 0; /* the key would be longer */
  check_open(&fake, 0x660E, KM_DAMAGED);
  make_block(fake.block, 16);
  fake.block[RSA_BYTES - 17] = 1; /* there is no end */
  memset(fake.block + RSA_BYTES - 16, 1, 16);
  check_open(&fake, 0x660E, KM_DAMAGED);
  for (size_t length = 1; length <= RSA_BYTES - 3 - 8; length++) {
    make_block(fake.block, length);
    check_open(&fake, 0x660E, length == 16 ? KM_OK : KM_DAMAGED);
    check_open(&fake, 0x6610, length == 32 ? KM_OK : KM_DAMAGED);
    check_open(&fake, 0x6801, length >= 5 && length <= 16 ? KM_OK : KM_DAMAGED);
  }
  make_block(fake.block, RSA_BYTES - 3 - 7); /* seven bytes of padding are too few */
  check_open(&fake, 0x6610, KM_DAMAGED);
  fake.status = KM_REFUSED;
  check_open(&fake, 0x660E, KM_REFUSED);
}

static void the_odds_are_those_of_the_padding(void **state) {
  (void)state;
  km_session_key key = {0x660E, NULL, 128};
  assert_true(km_session_key_odds(&key) > 24.61 && km_session_key_odds(&key) < 24.62);
  key.size = 256;
  assert_true(km_session_key_odds(&key) > 25.33 && km_session_key_odds(&key) < 25.35);
  key = (km_session_key){0x6801, NULL, 128}; /* twelve lengths */
  assert_true(km_session_key_odds(&key) > 21.02 && km_session_key_odds(&key) < 21.04);
}

/* Ciphertexts made by `openssl enc -aes-128-cbc -iv 0`, key 00 01 .. 0F, of 11 22 33 44 and a text. */
static const uint8_t padded[] = {0x75, 0xb2, 0x6c, 0x48, 0x75, 0x51, 0xb1, 0x58, 0xb2, 0x1c, 0xff,
                                 0x40, 0x5c, 0xda, 0xba, 0xd4, 0x59, 0x82, 0x64, 0x24, 0x1c, 0xa5,
                                 0xc8, 0x4d, 0xe3, 0x34, 0xeb, 0x2b, 0x8e, 0x0c, 0xe5, 0x0d};
static const uint8_t with_zeros[] = {
    0x75, 0xb2, 0x6c, 0x48, 0x75, 0x51, 0xb1, 0x58, 0xb2, 0x1c, 0xff, 0x40, 0x5c, 0xda, 0xba, 0xd4,
    0x56, 0xca, 0x73, 0xdb, 0x1c, 0x7d, 0x6d, 0x22, 0xe1, 0x09, 0x68, 0xe6, 0xff, 0xbf, 0x1d, 0xa2};
static const uint8_t without_end[] = {0xba, 0xc3, 0x69, 0x61, 0xe2, 0x6c, 0x41, 0xd1,
                                      0xdb, 0x43, 0xa1, 0xdf, 0xc2, 0x61, 0x58, 0x43};
static const uint8_t half_character[] = {0xfe, 0xc0, 0xc7, 0x51, 0x01, 0x7e, 0x48, 0x7c,
                                         0xdb, 0x60, 0x53, 0xaf, 0x4f, 0x1e, 0xd5, 0x92};
static const uint8_t too_short[] = {0xfb, 0xcf, 0x0b, 0xa5, 0x38, 0x27, 0xf6, 0x8f,
                                    0xe9, 0x02, 0xba, 0xc5, 0xa2, 0xb9, 0x93, 0xba};

static void encrypted_values_open_with_their_key(void **state) {
  (void)state;
  uint8_t key[16];
  for (size_t i = 0; i < sizeof key; i++)
    key[i] = (uint8_t)i;
  assert_true(km_encrypted_opens(0x660E, key, sizeof key, padded, sizeof padded));
  assert_true(km_encrypted_opens(0x660E, key, sizeof key, with_zeros, sizeof with_zeros));
  assert_false(km_encrypted_opens(0x660E, key, sizeof key, without_end, sizeof without_end));
  assert_false(km_encrypted_opens(0x660E, key, sizeof key, half_character, sizeof half_character));
  assert_false(km_encrypted_opens(0x660E, key, sizeof key, too_short, sizeof too_short));
  assert_false(km_encrypted_opens(0x660E, key, sizeof key, padded, 0));
  assert_false(km_encrypted_opens(0x660E, key, sizeof key, padded, 31));
  assert_false(km_encrypted_opens(0x660E, key, 15, padded, sizeof padded));
  assert_false(km_encrypted_opens(0x6801, key, sizeof key, padded, sizeof padded));
  assert_false(km_encrypted_opens(0x1234, key, sizeof key, padded, sizeof padded));
  size_t opened = 0;
  for (unsigned i = 0; i < 1000; i++) { /* wrong keys */
    key[3] = (uint8_t)(i + 4);
    key[7] = (uint8_t)(i >> 8);
    opened += km_encrypted_opens(0x660E, key, sizeof key, padded, sizeof padded);
  }
  assert_int_equal(opened, 0);
}

/* ---- The metabase ---- */

enum { BLOB_SIZE = KM_SIMPLEBLOB_HEADER + RSA_BYTES, ICKB_SIZE = 160 };

/* As the published listing has it: 160 bytes, 98 and 4C and 40. */
static void make_ickb(uint8_t data[ICKB_SIZE]) {
  memset(data, 0, ICKB_SIZE);
  memcpy(data, "IcKb\x98\0\0\0\x4C\0\0\0\x40\0\0\0", 16);
  make_blob(data + 16, 0x6801);
  memset(data + 96, 0x22, 64);
}

static void a_metabase_key_is_taken_apart(void **state) {
  (void)state;
  static const struct change {
    size_t at;
    uint8_t value;
  } changes[] = {{0, 'i'},  {4, 0x99}, {4, 0x97}, {4, 0x00},  {7, 0x80}, {8, 0x00}, {8, 0x4A},
                 {8, 0x54}, {8, 0x44}, {9, 0xFF}, {12, 0x48}, {12, 0},   {15, 0x80}};
  uint8_t data[ICKB_SIZE];
  km_metabase_key key;
  make_ickb(data);
  assert_int_equal(km_metabase_key_parse(data, sizeof data, &key, NULL), KM_OK);
  assert_ptr_equal(key.blob, data + 16);
  assert_int_equal(key.blob_size, BLOB_SIZE);
  assert_ptr_equal(key.signature, data + 96);
  assert_int_equal(key.signature_size, 64);
  assert_int_equal(key.size, ICKB_SIZE);
  for (size_t size = 0; size < sizeof data; size++)
    assert_int_equal(km_metabase_key_parse(data, size, &key, NULL), KM_DAMAGED);
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    make_ickb(data);
    data[changes[i].at] = changes[i].value;
    bool padding = changes[i].at == 8 && changes[i].value == 0x4A; /* which 8 bytes end there */
    assert_int_equal(km_metabase_key_parse(data, sizeof data, &key, NULL),
                     padding ? KM_OK : KM_DAMAGED);
  }
}

static km_status find(const char *xml, uint8_t **key, size_t *size) {
  return km_metabase_xml_find((const uint8_t *)xml, strlen(xml), key, size, NULL);
}

static void a_metabase_is_searched_for_its_key(void **state) {
  (void)state;
  uint8_t *key = NULL;
  size_t size = 0;
  assert_int_equal(find("<?xml version =\"1.0\"?>\n<configuration xmlns=\"urn:x\"><MBProperty>\n"
                        "<IIS_Global Location =\".\" SessionKey=\"49634B62ff00\" />",
                        &key, &size),
                   KM_OK); /* what stands behind it is not read */
  assert_int_equal(size, 6);
  assert_memory_equal(key, "IcKb\xFF\0", 6);
  free(key);
  assert_int_equal(find("<a><IIS_Global/><IIS_ROOT SessionKey=\"00\"/></a>", &key, &size),
                   KM_NOT_FOUND);
  assert_null(key);
  assert_int_equal(find("<a><IIS_Global SessionKey=\"0\"/></a>", &key, &size), KM_DAMAGED);
  assert_int_equal(find("<a><IIS_Global SessionKey=\"0g\"/></a>", &key, &size), KM_DAMAGED);
  assert_int_equal(find("<a><IIS_Global SessionKey=\"\"/></a>", &key, &size), KM_DAMAGED);
  assert_int_equal(find("<a><b></a>", &key, &size), KM_DAMAGED);
  assert_int_equal(find("<!DOCTYPE a><a><IIS_Global SessionKey=\"00\"/></a>", &key, &size),
                   KM_DAMAGED);
  assert_null(key);
}

static void a_binary_metabase_is_searched(void **state) {
  (void)state;
  uint8_t data[3 * ICKB_SIZE];
  km_metabase_key key;
  size_t at = 0;
  memset(data, 'I', sizeof data);
  assert_false(km_metabase_search(data, sizeof data, &at, &key));
  assert_false(km_metabase_search(data, 3, &at, &key));
  make_ickb(data + 77);
  memcpy(data + 5, "IcKb", 4); /* no whole one */
  assert_true(km_metabase_search(data, sizeof data, &at, &key));
  assert_int_equal(at, 77);
  assert_ptr_equal(key.blob, data + 77 + 16);
  at = 78;
  assert_false(km_metabase_search(data, sizeof data, &at, &key));
  at = 0;
  assert_true(km_metabase_search(data, 77 + ICKB_SIZE, &at, &key));
  at = 0;
  assert_false(km_metabase_search(data, 77 + ICKB_SIZE - 1, &at, &key));
}

static void make_signature(uint8_t block[RSA_BYTES], const char *head, size_t size, size_t digest) {
  memset(block, 0xFF, RSA_BYTES);
  block[0] = 0;
  block[1] = 1;
  block[RSA_BYTES - digest - size - 1] = 0;
  memcpy(block + RSA_BYTES - digest - size, head, size);
}

static void a_signature_is_known_by_its_block(void **state) {
  (void)state;
  static const char md5[] =
      "\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10";
  static const char sha1[] = "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
  uint8_t block[RSA_BYTES];
  make_signature(block, md5, 18, 16);
  assert_true(km_signature_block(block, sizeof block));
  assert_false(km_signature_block(block, sizeof block - 1));
  assert_false(km_signature_block(block, 0));
  for (size_t at = 0; at < RSA_BYTES - 16; at++) { /* all but the digest */
    block[at] ^= 1;
    assert_false(km_signature_block(block, sizeof block));
    block[at] ^= 1;
  }
  make_signature(block, sha1, 15, 20);
  assert_true(km_signature_block(block, sizeof block));
  make_signature(block, sha1, 15, 16);
  assert_false(km_signature_block(block, sizeof block));
}

/* n is 3 * 2^510 + 1: odd, which is all that the operation asks of it. */
static void the_public_operation_is_right(void **state) {
  (void)state;
  km_public_key *key = calloc(1, sizeof *key);
  uint8_t in[RSA_BYTES] = {2}, out[RSA_BYTES];
  assert_non_null(key);
  *key = (km_public_key){.present = true, .bits = RSA_BYTES * 8, .exponent = 3};
  key->modulus[0] = 1;
  key->modulus[RSA_BYTES - 1] = 0xC0;
  assert_int_equal(km_rsa_public(key, in, out, NULL), KM_OK);
  for (size_t i = 0; i + 1 < RSA_BYTES; i++)
    assert_int_equal(out[i], 0);
  assert_int_equal(out[RSA_BYTES - 1], 8);
  key->exponent = 511;
  assert_int_equal(km_rsa_public(key, in, out, NULL), KM_OK);
  assert_int_equal(out[0], 0x80); /* 2^511 is below n */
  assert_int_equal(out[RSA_BYTES - 1], 0);
  key->exponent = 512; /* 2^512 - n = 2^510 - 1 */
  assert_int_equal(km_rsa_public(key, in, out, NULL), KM_OK);
  assert_int_equal(out[0], 0x3F);
  assert_int_equal(out[RSA_BYTES - 1], 0xFF);
  key->modulus[0] = 2;
  assert_int_equal(km_rsa_public(key, in, out, NULL), KM_DAMAGED);
  key->bits = 0;
  assert_int_equal(km_rsa_public(key, in, out, NULL), KM_DAMAGED);
  free(key);
}

int test_config(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(providers_are_read),
      cmocka_unit_test(other_places_are_no_providers),
      cmocka_unit_test(encrypted_values_are_read),
      cmocka_unit_test(history_and_redirection_are_read),
      cmocka_unit_test(damage_is_told_with_its_line),
      cmocka_unit_test(a_document_type_is_refused),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(counts_are_bounded),
      cmocka_unit_test(base64_is_decoded),
      cmocka_unit_test(real_configurations_are_read),
      cmocka_unit_test(a_session_key_is_taken_apart),
      cmocka_unit_test(a_session_key_fits_a_modulus_above_it),
      cmocka_unit_test(a_session_key_opens_with_right_padding_alone),
      cmocka_unit_test(the_odds_are_those_of_the_padding),
      cmocka_unit_test(encrypted_values_open_with_their_key),
      cmocka_unit_test(a_metabase_key_is_taken_apart),
      cmocka_unit_test(a_metabase_is_searched_for_its_key),
      cmocka_unit_test(a_binary_metabase_is_searched),
      cmocka_unit_test(a_signature_is_known_by_its_block),
      cmocka_unit_test(the_public_operation_is_right),
  };
  return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
