/* fuzz_dpapi_blob.c: any bytes as a DPAPI blob, and as what one holds: a private key. */
#include <stdlib.h>
#include <string.h>

#include "dpapi.h"
#include "private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void within(km_bytes part, const uint8_t *data, size_t size) {
  require(part.size <= size);
  require(part.size == 0 || (part.data >= data && part.data + part.size <= data + size));
}

static void try_blob(const uint8_t *data, size_t size) {
  static const uint8_t key[KM_MASTER_KEY_SIZE] = "the master key of the corpus";
  static const km_bytes entropies[] = {{NULL, 0}, {key, 16}};
  km_dpapi_blob blob;
  km_error error = {.message = ""};
  km_status status = km_dpapi_blob_parse(data, size, "blob", 0, &blob, &error);
  require(memchr(blob.master_key, '\0', sizeof blob.master_key) != NULL);
  if (status != KM_OK) {
    require(status == KM_DAMAGED && error.message[0] != '\0');
    return;
  }
  within(blob.salt, data, size);
  within(blob.hmac_key, data, size);
  within(blob.data, data, size);
  within(blob.signed_part, data, size);
  within(blob.signature, data, size);
  uint8_t *out = malloc(blob.data.size + 1);
  require(out != NULL);
  for (size_t i = 0; i < 2; i++) {
    size_t out_size;
    status = km_dpapi_blob_open(&blob, key, entropies[i], out, &out_size, &error);
    require(out_size <= blob.data.size && (status == KM_OK || out_size == 0));
  }
  free(out);
}

/* The public key that the bytes would belong to is taken from them. */
static void try_private(const uint8_t *data, size_t size) {
  static km_public_key key;
  km_rsa rsa;
  const char *why;
  memset(&key, 0, sizeof key);
  if (size >= 20 && (data[8] | data[9] << 8) <= KM_MAX_MODULUS * 8) {
    key.present = true;
    key.bits = (uint32_t)(data[8] | data[9] << 8) / 8 * 8;
    key.exponent = 65537;
    size_t room = size - 20;
    memcpy(key.modulus, data + 20, room < key.bits / 8 ? room : key.bits / 8);
  }
  if (key.present) {
    (void)km_private_capi((km_bytes){data, size}, &key, &rsa, &why);
    require(why != NULL);
    km_rsa_clear(&rsa);
  }
  (void)km_private_cng((km_bytes){data, size}, &key, &rsa, &why);
  km_rsa_clear(&rsa);
  key.present = false;
  (void)km_private_cng((km_bytes){data, size}, &key, &rsa, &why);
  km_rsa_clear(&rsa);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > KM_MAX_KEY_FILE)
    return 0;
  try_blob(data, size);
  try_private(data, size);
  return 0;
}
