/* fuzz_keyfile.c: any bytes as a CAPI and as a CNG key file. */
#include <stdlib.h>
#include <string.h>

#include "keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void check_text(const char *text, size_t room) {
  require(memchr(text, '\0', room) != NULL);
}

/* A key that was accepted holds together; a key that was not is empty. */
static void check_key(const km_public_key *key) {
  km_guid_form form;
  char guid[KM_GUID_TEXT];
  check_text(key->master_key, sizeof key->master_key);
  check_text(key->export_master_key, sizeof key->export_master_key);
  if (!key->present) {
    require(key->bits == 0 && key->master_key[0] == '\0');
    return;
  }
  require(key->bits >= 384 && key->bits <= KM_MAX_MODULUS * 8 && key->bits % 8 == 0);
  require(key->modulus[0] % 2 == 1 && key->modulus[key->bits / 8 - 1] >= 0x80);
  form = km_guid_parse(key->master_key, guid);
  require(form == KM_GUID_PLAIN || key->master_key[0] == '\0');
}

static void check_failure(km_status status, const km_error *error) {
  require(status == KM_DAMAGED || status == KM_LIMIT);
  require(error->status == status);
  check_text(error->message, sizeof error->message);
  require(error->message[0] != '\0');
}

static void within(km_bytes part, const uint8_t *data, size_t size) {
  require(part.size == 0 || (part.data >= data && part.data + part.size <= data + size));
}

/* Where the encrypted parts are, in a file that is whole. */
static void try_parts(const uint8_t *data, size_t size) {
  static km_key_file key;
  static km_cng_file cng;
  km_key_parts signature, exchange;
  if (km_key_file_read(data, size, &key, &signature, &exchange, NULL) == KM_OK) {
    require(key.signature.present == (signature.private_part.size > 0));
    require(key.exchange.present == (exchange.private_part.size > 0));
    within(signature.private_part, data, size);
    within(signature.export_flag, data, size);
    within(exchange.private_part, data, size);
    within(exchange.export_flag, data, size);
  }
  if (km_cng_file_read(data, size, &cng, NULL) == KM_OK) {
    within(cng.parts.private_part, data, size);
    within(cng.parts.export_flag, data, size);
    require(cng.key.bits / 8 <= sizeof cng.key.modulus);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static km_key_file key;
  char container[KM_MAX_CONTAINER];
  km_error error;
  km_status status = km_key_file_parse(data, size, &key, &error);
  check_text(key.container, sizeof key.container);
  check_key(&key.signature);
  check_key(&key.exchange);
  if (status == KM_OK) {
    require(key.container[0] != '\0' && strlen(key.container_hash) == 32);
    require(key.keyless == !(key.signature.present || key.exchange.present));
  } else {
    check_failure(status, &error);
    require(!key.keyless);
  }
  status = km_cng_file_parse(data, size, container, &error);
  check_text(container, sizeof container);
  if (status == KM_OK) {
    char hash[KM_HASH_TEXT];
    require(km_cng_container_hash(container, hash, NULL) == KM_OK);
  } else {
    check_failure(status, &error);
    require(container[0] == '\0');
  }
  try_parts(data, size);
  return 0;
}
