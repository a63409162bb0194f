/* test_certificate.c: certificates as the registry keeps them: made ones, a real one, damaged ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "certificate_builder.h"
#include "unit.h"

/* The parser gets a copy of exactly the blob, so that the sanitizer sees a read past the end. */
static km_status parse(const bytes *b, size_t size, km_certificate *out, km_error *error) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  assert_non_null(copy);
  if (size > 0)
    memcpy(copy, b->data, size);
  km_status status = km_certificate_parse(copy, size, out, error);
  free(copy);
  return status;
}

static void expect_damage(bytes *b, const char *words) {
  km_certificate out;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(parse(b, b->size, &out, &error), KM_DAMAGED);
  if (strstr(error.message, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, error.message);
  free(b);
}

/* ---- Tests ---- */

static void a_certificate_is_read(void **state) {
  (void)state;
  km_certificate out;
  char text[KM_TIME_TEXT];
  bytes *b = certificate_blob(&usual_certificate);
  assert_int_equal(parse(b, b->size, &out, NULL), KM_OK);
  assert_true(out.names_container);
  assert_string_equal(out.container, "TSSecKeySet1");
  assert_int_equal(out.provider_type, 1);
  assert_int_equal(out.flags, KM_MACHINE_KEYSET);
  assert_int_equal(out.key_spec, 1);
  assert_string_equal(out.subject, "WEB01");
  assert_string_equal(km_time_text(out.from, text), "2019-01-02T03:04:05Z");
  assert_string_equal(km_time_text(out.until, text), "2049-12-31T23:59:59Z");
  assert_true(out.rsa);
  assert_int_equal(out.modulus_size, 128);
  assert_int_equal(out.modulus[0], 0x85);
  assert_int_equal(out.modulus[1], 0x83);
  assert_int_equal(out.modulus[127], 0x81);
  assert_int_equal(out.exponent, 65537);
  free(b);
}

/* Made by OpenSSL 3.0: `openssl req -x509 -newkey rsa:1024 -subj /O=Example/CN=WEB01 -set_serial 4660`. */
static const char real_hex[] =
    "3082021030820179a00302010202021234300d06092a864886f70d01010b050030223110300e060355040a0c0745"
    "78616d706c65310e300c06035504030c0557454230313020170d3236313132333139313635365a180f3230353130"
    "3731353139313635365a30223110300e060355040a0c074578616d706c65310e300c06035504030c055745423031"
    "30819f300d06092a864886f70d010101050003818d0030818902818100ae6e00754c401111fd22ae2177e7ee3244"
    "387e5ce93ed0ad89dbf2116a11d3c36f01326c1c2db245c55131e056204570f076dee8a7e119e41aa61cfd35674c"
    "59b065e7b8b433be63e8727c9af859581a27958e67f40094629d75f73cb753a4ec30d56fd13ddb9e8cfdd3fab761"
    "3a3dbc407839831faa9c655ecde72149d564290203010001a3533051301d0603551d0e04160414cafce4684976b3"
    "8f59d344775035e68d455ac740301f0603551d23041830168014cafce4684976b38f59d344775035e68d455ac740"
    "300f0603551d130101ff040530030101ff300d06092a864886f70d01010b0500038181007ffe2de82b10045c4e9f"
    "4776e8051c16ba0a1095ab966a78b77854df7c3be79438d65316ef22fcaec5485a8b22c62feb8b19de284ef03023"
    "ca748efd2b71eaa313601c0dc2bf93d58b19a54d07909a53a7e27c5db2718c02abdd99a1845bc3d3d7f57fdd09e0"
    "920b20754537ebbd101ee8d6a1df9e0e25712e1ec6e76c97883e";

static void a_real_certificate_is_read(void **state) {
  (void)state;
  static const uint8_t lowest[] = {0x29, 0x64, 0xD5, 0x49};
  km_certificate out;
  char text[KM_TIME_TEXT];
  bytes der = {.size = 0}, blob = {.size = 0};
  for (const char *p = real_hex; *p != '\0'; p += 2) {
    char digits[3] = {p[0], p[1], '\0'};
    uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
    bytes_put(&der, &byte, 1);
  }
  certificate_put_key_info(&blob, "SMS", 0, 0);
  certificate_put_property(&blob, 32, der.data, der.size);
  assert_int_equal(parse(&blob, blob.size, &out, NULL), KM_OK);
  assert_string_equal(out.thumbprint, "1db47511236d7dce06b50abe793b8f7c72596efe");
  assert_string_equal(out.subject, "WEB01");
  assert_string_equal(km_time_text(out.from, text), "2026-11-23T19:16:56Z");
  assert_string_equal(km_time_text(out.until, text), "2051-07-15T19:16:56Z");
  assert_int_equal(out.modulus_size, 128);
  assert_memory_equal(out.modulus, lowest, sizeof lowest);
  assert_int_equal(out.modulus[127], 0xAE);
  assert_int_equal(out.exponent, 65537);
  assert_int_equal(out.provider_type, 0);
}

/* Most certificates name none; they are not read further, so that damage in them is nobody's concern. */
static void one_without_a_container_is_passed_over(void **state) {
  (void)state;
  km_certificate out;
  bytes b = {.size = 0};
  certificate_put_property(&b, 3, "01234567890123456789", 20);
  certificate_put_property(&b, 32, "no DER", 6);
  assert_int_equal(parse(&b, b.size, &out, NULL), KM_OK);
  assert_false(out.names_container);
  assert_int_equal(parse(&b, 0, &out, NULL), KM_OK);
  assert_false(out.names_container);
  b.size = 0;
  certificate_put_key_info(&b, "", 1, 0);
  assert_int_equal(parse(&b, b.size, &out, NULL), KM_OK);
  assert_false(out.names_container);
}

static void subjects_in_every_form(void **state) {
  (void)state;
  static const struct form {
    uint8_t tag, attribute;
    const char *stored, *read;
  } forms[] = {
      {0x13, 3, "WEB01", "WEB01"},
      {0x0C, 3, "B\xC3\xBCro", "B\xC3\xBCro"},
      {0x0C, 3, "B\xFCro", "B\xEF\xBF\xBDro"},
      {0x14, 3, "B\xFCro", "B\xC3\xBCro"},
      {0x0C, 10, "Example", "Example"},
      {0x1B, 3, "odd", ""},
  };
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    made_certificate m = usual_certificate;
    km_certificate out;
    m.subject_tag = forms[i].tag;
    m.attribute = forms[i].attribute;
    m.subject = forms[i].stored;
    bytes *b = certificate_blob(&m);
    assert_int_equal(parse(b, b->size, &out, NULL), KM_OK);
    assert_string_equal(out.subject, forms[i].read);
    free(b);
  }
}

static void times_in_every_form(void **state) {
  (void)state;
  static const struct form {
    uint8_t tag;
    const char *stored, *read;
  } forms[] = {
      {0x17, "491231235959Z", "2049-12-31T23:59:59Z"},
      {0x17, "500101000000Z", "1950-01-01T00:00:00Z"},
      {0x18, "20510715191656Z", "2051-07-15T19:16:56Z"},
      {0x18, "99991231235959Z", "9999-12-31T23:59:59Z"},
      {0x17, "191302030405Z", ""},
      {0x17, "190102030405+0100", ""},
      {0x17, "19010203040Z", ""},
      {0x0C, "190102030405Z", ""},
  };
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    made_certificate m = usual_certificate;
    km_certificate out;
    char text[KM_TIME_TEXT];
    m.time_tag = forms[i].tag;
    m.until = forms[i].stored;
    bytes *b = certificate_blob(&m);
    assert_int_equal(parse(b, b->size, &out, NULL), KM_OK);
    assert_string_equal(km_time_text(out.until, text), forms[i].read);
    free(b);
  }
}

static void keys_of_every_kind(void **state) {
  (void)state;
  static const uint8_t other[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x01, 0x01};
  km_certificate out;
  made_certificate m = usual_certificate;
  m.modulus = KM_MAX_MODULUS;
  m.version = false;
  bytes *b = certificate_blob(&m);
  assert_int_equal(parse(b, b->size, &out, NULL), KM_OK);
  assert_int_equal(out.modulus_size, KM_MAX_MODULUS);
  free(b);
  m.modulus = KM_MAX_MODULUS + 1;
  expect_damage(certificate_blob(&m), "DER");
  m = usual_certificate;
  m.algorithm = other;
  b = certificate_blob(&m);
  assert_int_equal(parse(b, b->size, &out, NULL), KM_OK);
  assert_false(out.rsa);
  assert_int_equal(out.modulus_size, 0);
  free(b);
}

static void damaged_properties_are_told(void **state) {
  (void)state;
  bytes *b = certificate_blob(&usual_certificate);
  b->data[8] = 0xFF; /* the first property's length */
  b->data[9] = 0xFF;
  expect_damage(b, "says 65535 bytes");
  b = certificate_blob(&usual_certificate);
  b->size = 20 + 12 + 12 + 27; /* a name's property that is too short */
  b->data[20 + 12 + 8] = 27;
  b->data[20 + 12 + 9] = 0;
  expect_damage(b, "too short");
  b = certificate_blob(&usual_certificate);
  b->data[20 + 12 + 12] = 27; /* the name's offset */
  expect_damage(b, "outside");
  b = certificate_blob(&usual_certificate);
  b->data[20 + 12 + 12 + 1] = 0x80;
  expect_damage(b, "outside");
  b = calloc(1, sizeof *b);
  certificate_put_key_info(b, "SMS", 1, 0);
  expect_damage(b, "property 32");
  b = calloc(1, sizeof *b);
  certificate_put_key_info(b, "SMS", 1, 0);
  b->data[8] = 28 + 6; /* without its NUL */
  b->size = 12 + 28 + 6;
  expect_damage(b, "no end");
  b = calloc(1, sizeof *b);
  for (int i = 0; i <= KM_MAX_PROPERTIES; i++)
    certificate_put_property(b, 9, "", 0);
  expect_damage(b, "longer");
}

static void every_truncation_is_damage(void **state) {
  (void)state;
  bytes *b = certificate_blob(&usual_certificate);
  for (size_t size = 1; size < b->size; size++) {
    km_certificate out;
    km_error error = {KM_OK, 0, ""};
    km_status status = parse(b, size, &out, &error);
    /* A list that ends between two properties is whole: the first and the third end there. */
    bool whole = size == 32;
    assert_int_equal(status, whole ? KM_OK : KM_DAMAGED);
    assert_true(whole || error.message[0] != '\0');
  }
  free(b);
}

/* No byte of the DER, changed, leads anywhere but to a certificate or to damage. */
static void every_changed_byte_is_borne(void **state) {
  (void)state;
  static const uint8_t values[] = {0x00, 0x7F, 0x80, 0x84, 0xFF};
  bytes *b = certificate_blob(&usual_certificate);
  for (size_t at = 32; at < b->size; at++) {
    uint8_t kept = b->data[at];
    for (size_t i = 0; i < COUNT_OF(values); i++) {
      km_certificate out;
      b->data[at] = values[i];
      km_status status = parse(b, b->size, &out, NULL);
      assert_true(status == KM_OK || status == KM_DAMAGED);
      assert_true(out.modulus_size <= KM_MAX_MODULUS && out.rsa == (out.modulus_size > 0));
    }
    b->data[at] = kept;
  }
  free(b);
}

static void a_large_one_is_refused(void **state) {
  (void)state;
  km_certificate out;
  uint8_t *data = calloc(1, KM_MAX_CERTIFICATE + 1);
  assert_non_null(data);
  assert_int_equal(km_certificate_parse(data, KM_MAX_CERTIFICATE + 1, &out, NULL), KM_LIMIT);
  free(data);
}

int test_certificate(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_certificate_is_read),
      cmocka_unit_test(a_real_certificate_is_read),
      cmocka_unit_test(one_without_a_container_is_passed_over),
      cmocka_unit_test(subjects_in_every_form),
      cmocka_unit_test(times_in_every_form),
      cmocka_unit_test(keys_of_every_kind),
      cmocka_unit_test(damaged_properties_are_told),
      cmocka_unit_test(every_truncation_is_damage),
      cmocka_unit_test(every_changed_byte_is_borne),
      cmocka_unit_test(a_large_one_is_refused),
  };
  return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
