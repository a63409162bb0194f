/* test_dpapi.c: DPAPI blobs, master keys and the LSA's secrets, sealed by others than keymend; damage to each. */
#include "dpapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsa.h"
#include "proof_vectors.h"
#include "unit.h"

#define VECTOR(name) name, sizeof name

/* ---- Master keys ---- */

enum { ROUNDS_AT = 128 + 20, HASH_AT = 128 + 24, CIPHER_AT = 128 + 28, LENGTH_AT = 96 };

static void put_u32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (8 * i));
}

typedef struct master_vector {
  const uint8_t *file;
  size_t size;
  km_status closed; /* what a wrong secret comes to */
} master_vector;

static const master_vector master_vectors[] = {
    {VECTOR(master_rc4), KM_UNSUPPORTED},
    {VECTOR(master_rc4_40), KM_UNSUPPORTED},
    {VECTOR(master_3des), KM_REFUSED},
    {VECTOR(master_aes), KM_REFUSED},
};

static void master_keys(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(master_vectors); i++) {
    km_master_key master;
    uint8_t key[KM_MASTER_KEY_SIZE] = {0}, wrong[KM_SYSTEM_KEY_SIZE];
    km_error error = {.message = ""};
    assert_int_equal(
        km_master_key_parse(master_vectors[i].file, master_vectors[i].size, &master, &error),
        KM_OK);
    assert_string_equal(master.guid, VECTOR_GUID);
    assert_int_equal(km_master_key_open(&master, system_key, key, &error), KM_OK);
    assert_memory_equal(key, master_key, sizeof key);
    memset(key, 0, sizeof key);
    for (size_t at = 0; at < sizeof wrong; at++) {
      memcpy(wrong, system_key, sizeof wrong);
      wrong[at] ^= 1;
      assert_int_equal(km_master_key_open(&master, wrong, key, &error), master_vectors[i].closed);
    }
    for (size_t at = 0; at < sizeof key; at++)
      assert_int_equal(key[at], 0);
  }
}

/* Every byte of the encrypted part and of the salt counts, but for what fills the last block. */
static void damaged_master_keys(void **state) {
  (void)state;
  uint8_t file[sizeof master_3des], key[KM_MASTER_KEY_SIZE];
  km_master_key master;
  km_error error = {.message = ""};
  for (size_t at = 132; at < sizeof file; at++) {
    memcpy(file, master_3des, sizeof file);
    file[at] ^= 0x80;
    km_status status = km_master_key_parse(file, sizeof file, &master, &error);
    if (status == KM_OK)
      status = km_master_key_open(&master, system_key, key, &error);
    assert_int_not_equal(status, KM_OK);
  }
  for (size_t size = 0; size < sizeof file; size++) {
    uint8_t *part = malloc(size + 1); /* so that reading beyond it is seen */
    assert_non_null(part);
    memcpy(part, master_3des, size);
    assert_int_equal(km_master_key_parse(part, size, &master, &error), KM_DAMAGED);
    free(part);
  }
}

typedef struct field_change {
  size_t at;
  uint32_t value;
  km_status status;
  const char *words;
} field_change;

static const field_change field_changes[] = {
    {ROUNDS_AT, 0x80000000, KM_LIMIT, "it asks for 2147483648 rounds"},
    {ROUNDS_AT, KM_MAX_MASTER_KEY_ROUNDS + 1, KM_LIMIT, "it asks for 1000001 rounds"},
    {ROUNDS_AT, 0, KM_DAMAGED, "rounds"},
    {HASH_AT, 0x8001, KM_UNSUPPORTED, "hash, number 8001"},
    {CIPHER_AT, 0x6602, KM_UNSUPPORTED, "cipher, number 6602"},
    {LENGTH_AT, 31, KM_DAMAGED, "length of the master key at offset 96"},
    {LENGTH_AT, 32, KM_DAMAGED, "encrypted key"},
    {LENGTH_AT, 0xFFFFFFFF, KM_DAMAGED, "found 4294967295"},
    {LENGTH_AT + 4, 1, KM_DAMAGED, "length of the master key at offset 96"},
};

static void master_key_fields(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(field_changes); i++) {
    uint8_t file[sizeof master_aes];
    km_master_key master;
    km_error error = {.message = ""};
    memcpy(file, master_aes, sizeof file);
    put_u32(file + field_changes[i].at, field_changes[i].value);
    assert_int_equal(km_master_key_parse(file, sizeof file, &master, &error),
                     field_changes[i].status);
    if (strstr(error.message, field_changes[i].words) == NULL)
      fail_msg("\"%s\" does not say \"%s\"", error.message, field_changes[i].words);
  }
}

/* ---- Blobs ---- */

typedef struct blob_vector {
  const uint8_t *blob;
  size_t size;
  bool entropy;
} blob_vector;

static const blob_vector blob_vectors[] = {
    {VECTOR(blob_rc4), false},  {VECTOR(blob_rc4_entropy), true},
    {VECTOR(blob_3des), false}, {VECTOR(blob_3des_entropy), true},
    {VECTOR(blob_aes), false},  {VECTOR(blob_aes_entropy), true},
};

static const km_bytes no_entropy = {NULL, 0};
static const km_bytes with_entropy = {blob_entropy, sizeof blob_entropy};

static km_status open_blob(const uint8_t *data, size_t size, const uint8_t *key, km_bytes entropy,
                           uint8_t *out, size_t *out_size) {
  km_dpapi_blob blob;
  km_error error = {.message = ""};
  *out_size = 0;
  km_status status = km_dpapi_blob_parse(data, size, "blob", 0, &blob, &error);
  return status == KM_OK ? km_dpapi_blob_open(&blob, key, entropy, out, out_size, &error) : status;
}

static void blobs(void **state) {
  (void)state;
  uint8_t out[512], other[KM_MASTER_KEY_SIZE];
  size_t size;
  memcpy(other, master_key, sizeof other);
  other[63] ^= 1;
  for (size_t i = 0; i < COUNT_OF(blob_vectors); i++) {
    const blob_vector *v = &blob_vectors[i];
    km_bytes right = v->entropy ? with_entropy : no_entropy;
    km_bytes wrong = v->entropy ? no_entropy : with_entropy;
    assert_int_equal(open_blob(v->blob, v->size, master_key, right, out, &size), KM_OK);
    assert_int_equal(size, sizeof blob_clear);
    assert_memory_equal(out, blob_clear, sizeof blob_clear);
    assert_int_equal(open_blob(v->blob, v->size, master_key, wrong, out, &size), KM_DAMAGED);
    assert_int_equal(size, 0);
    assert_int_equal(open_blob(v->blob, v->size, other, right, out, &size), KM_DAMAGED);
  }
}

/* The signature tells which form the blob has. */
static void the_signature_chooses_the_form(void **state) {
  (void)state;
  uint8_t out[512];
  size_t size;
  assert_int_equal(open_blob(VECTOR(blob_both_forms), master_key, with_entropy, out, &size), KM_OK);
  assert_int_equal(size, sizeof blob_clear);
  assert_memory_equal(out, blob_clear, sizeof blob_clear);
}

/* Nobody forged or damaged it: keymend does not know it. */
static void signed_but_closed(void **state) {
  (void)state;
  uint8_t out[512];
  size_t size;
  km_dpapi_blob blob;
  km_error error = {.message = ""};
  assert_int_equal(km_dpapi_blob_parse(VECTOR(blob_odd_end), "blob", 0, &blob, &error), KM_OK);
  assert_int_equal(km_dpapi_blob_open(&blob, master_key, no_entropy, out, &size, &error),
                   KM_UNSUPPORTED);
  assert_int_equal(size, 0);
  assert_non_null(strstr(error.message, "its signature is right"));
}

/* Each byte behind the provider is signed, or is the signature, or a length of it. */
static void damaged_blobs(void **state) {
  (void)state;
  uint8_t out[512];
  size_t size;
  for (size_t i = 0; i < COUNT_OF(blob_vectors); i++) {
    const blob_vector *v = &blob_vectors[i];
    km_bytes entropy = v->entropy ? with_entropy : no_entropy;
    for (size_t at = 0; at < v->size; at++) {
      uint8_t *copy = malloc(v->size);
      assert_non_null(copy);
      memcpy(copy, v->blob, v->size);
      copy[at] ^= 4;
      assert_int_not_equal(open_blob(copy, v->size, master_key, entropy, out, &size), KM_OK);
      free(copy);
    }
    for (size_t cut = 0; cut < v->size; cut++) {
      uint8_t *part = malloc(cut + 1);
      assert_non_null(part);
      memcpy(part, v->blob, cut);
      assert_int_equal(open_blob(part, cut, master_key, entropy, out, &size), KM_DAMAGED);
      free(part);
    }
  }
}

static void blob_fields(void **state) {
  (void)state;
  uint8_t copy[sizeof blob_aes + 1], out[512];
  size_t size;
  km_dpapi_blob blob;
  km_error error = {.message = ""};
  assert_int_equal(km_dpapi_blob_parse(blob_aes, sizeof blob_aes, "part", 1000, &blob, &error),
                   KM_OK);
  assert_string_equal(blob.master_key, VECTOR_GUID);
  assert_int_equal(blob.flags, KM_DPAPI_LOCAL_MACHINE);
  memcpy(copy, blob_aes, sizeof blob_aes);
  put_u32(copy + 44, 0xFFFFFFF0); /* length of the description */
  assert_int_equal(km_dpapi_blob_parse(copy, sizeof blob_aes, "part", 1000, &blob, &error),
                   KM_DAMAGED);
  assert_non_null(strstr(error.message, "part, its description at offset 1044"));
  assert_string_equal(blob.master_key, VECTOR_GUID); /* known before */
  memcpy(copy, blob_aes, sizeof blob_aes);
  assert_int_equal(km_dpapi_blob_parse(copy, sizeof copy, "part", 0, &blob, &error), KM_DAMAGED);
  assert_non_null(strstr(error.message, "found 1 more bytes"));
  size_t cipher_at = 48 + blob_aes[44];
  put_u32(copy + cipher_at, 0x6602);
  assert_int_equal(km_dpapi_blob_parse(copy, sizeof blob_aes, "part", 0, &blob, &error), KM_OK);
  assert_int_equal(km_dpapi_blob_open(&blob, master_key, no_entropy, out, &size, &error),
                   KM_UNSUPPORTED);
  assert_non_null(strstr(error.message, "number 6602"));
}

/* ---- The LSA's secrets ---- */

static void boot_keys(void **state) {
  (void)state;
  static const char *const odd[] = {"", "0123456", "012345678", "0123456g", "01 34567"};
  uint8_t key[KM_BOOT_KEY_SIZE];
  km_error error = {.message = ""};
  assert_int_equal(km_lsa_boot_key(boot_classes, key, &error), KM_OK);
  assert_memory_equal(key, boot_key, sizeof key);
  for (size_t i = 0; i < COUNT_OF(odd); i++) {
    const char *const classes[4] = {boot_classes[0], boot_classes[1], odd[i], boot_classes[3]};
    assert_int_equal(km_lsa_boot_key(classes, key, &error), KM_DAMAGED);
    assert_non_null(strstr(error.message, "GBG"));
    assert_true(odd[i][0] == '\0' || strstr(error.message, odd[i]) == NULL);
  }
}

typedef struct lsa_vector {
  km_lsa_form form;
  km_bytes key, value, secret;
} lsa_vector;

static const lsa_vector lsa_vectors[] = {
    {KM_LSA_NT6, {VECTOR(nt6_lsa_key)}, {VECTOR(nt6_list)}, {VECTOR(nt6_secret)}},
    {KM_LSA_NT5, {VECTOR(nt5_lsa_key)}, {VECTOR(nt5_key)}, {VECTOR(nt5_secret)}},
};

static void lsa_secrets(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(lsa_vectors); i++) {
    const lsa_vector *v = &lsa_vectors[i];
    uint8_t secret[KM_DPAPI_SYSTEM_SIZE], other[KM_BOOT_KEY_SIZE];
    km_lsa_key key;
    km_error error = {.message = ""};
    assert_int_equal(km_lsa_key_open(v->form, boot_key, v->value, &key, &error), KM_OK);
    assert_int_equal(key.size, v->key.size);
    assert_memory_equal(key.key, v->key.data, v->key.size);
    assert_int_equal(km_lsa_dpapi_system(&key, v->secret, secret, &error), KM_OK);
    assert_memory_equal(secret, dpapi_system, sizeof secret);
    /* Another system's boot key is found out, NT 5's at the secret. */
    memcpy(other, boot_key, sizeof other);
    other[7] ^= 1;
    km_status status = km_lsa_key_open(v->form, other, v->value, &key, &error);
    if (status == KM_OK)
      status = km_lsa_dpapi_system(&key, v->secret, secret, &error);
    assert_int_equal(status, KM_DAMAGED);
  }
}

static void cut_secrets(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(lsa_vectors); i++) {
    const lsa_vector *v = &lsa_vectors[i];
    uint8_t secret[KM_DPAPI_SYSTEM_SIZE];
    km_lsa_key key, found;
    km_error error = {.message = ""};
    assert_int_equal(km_lsa_key_open(v->form, boot_key, v->value, &key, &error), KM_OK);
    for (size_t size = 0; size < v->value.size; size++) {
      uint8_t *part = malloc(size + 1);
      assert_non_null(part);
      memcpy(part, v->value.data, size);
      assert_int_equal(km_lsa_key_open(v->form, boot_key, (km_bytes){part, size}, &found, &error),
                       KM_DAMAGED);
      free(part);
    }
    for (size_t size = 0; size < v->secret.size; size++) {
      uint8_t *part = malloc(size + 1);
      assert_non_null(part);
      memcpy(part, v->secret.data, size);
      assert_int_not_equal(km_lsa_dpapi_system(&key, (km_bytes){part, size}, secret, &error),
                           KM_OK);
      free(part);
    }
  }
}

int test_dpapi(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(master_keys),
      cmocka_unit_test(damaged_master_keys),
      cmocka_unit_test(master_key_fields),
      cmocka_unit_test(blobs),
      cmocka_unit_test(the_signature_chooses_the_form),
      cmocka_unit_test(signed_but_closed),
      cmocka_unit_test(damaged_blobs),
      cmocka_unit_test(blob_fields),
      cmocka_unit_test(boot_keys),
      cmocka_unit_test(lsa_secrets),
      cmocka_unit_test(cut_secrets),
  };
  return cmocka_run_group_tests_name("dpapi", tests, NULL, NULL);
}
