/* fuzz_metabase.c: any bytes as MetaBase.xml, as MetaBase.bin and as a SessionKey. */
#include <stdlib.h>
#include <string.h>

#include "metabase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void check_key(const uint8_t *data, size_t size, const km_metabase_key *key) {
  require(key->size <= size && key->size <= KM_MAX_METABASE_KEY + 8);
  require(key->blob > data && key->blob + key->blob_size <= data + key->size);
  require(key->signature >= key->blob + key->blob_size);
  require(key->signature + key->signature_size == data + key->size);
  (void)km_signature_block(key->signature, key->signature_size);
}

static void parse_key(const uint8_t *data, size_t size) {
  km_metabase_key key;
  km_session_key session;
  km_error error = {KM_OK, 0, ""};
  km_status status = km_metabase_key_parse(data, size, &key, &error);
  require(status == KM_OK || (status == KM_DAMAGED && error.message[0] != '\0'));
  if (status != KM_OK)
    return;
  check_key(data, size, &key);
  if (km_session_key_parse(key.blob, key.blob_size, &session, NULL) == KM_OK)
    require(session.size <= KM_MAX_MODULUS);
}

static void search(const uint8_t *data, size_t size) {
  km_metabase_key key;
  for (size_t at = 0; km_metabase_search(data, size, &at, &key); at += key.size) {
    require(at < size && key.size > 0);
    check_key(data + at, size - at, &key);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t empty[1];
  uint8_t *key = NULL;
  size_t key_size = 0;
  km_error error = {KM_OK, 0, ""};
  if (size == 0)
    data = empty;
  km_status status = km_metabase_xml_find(data, size, &key, &key_size, &error);
  require((status == KM_OK) == (key != NULL));
  require(status == KM_OK || error.message[0] != '\0');
  require(key_size <= KM_MAX_METABASE_KEY);
  if (key != NULL)
    parse_key(key, key_size);
  free(key);
  parse_key(data, size);
  search(data, size);
  return 0;
}
