/* fuzz_config.c: any bytes as applicationHost.config, and what is in it as session keys and encrypted values. */
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

/* Any block comes of it: the input decides, as a wrong key would. */
static km_status fake_private(void *user, const uint8_t *in_le, size_t size, uint8_t *out_be,
                              km_error *error) {
  (void)user;
  (void)error;
  for (size_t i = 0; i < size; i++)
    out_be[i] = in_le[size - 1 - i];
  return KM_OK;
}

static void try_values(const km_configuration *found, const km_session_key *key) {
  uint8_t plain[KM_MAX_SESSION_KEY];
  size_t length = 0;
  km_status status = km_session_key_open(key, fake_private, NULL, plain, &length, NULL);
  require(status == KM_OK && length <= sizeof plain);
  for (size_t i = 0; length > 0 && i < found->value_count; i++)
    (void)km_encrypted_opens(key->algorithm, plain, length, found->values[i].data,
                             found->values[i].size);
}

static void check_provider(const km_configuration *found, const km_provider *provider) {
  km_session_key key;
  require(provider->name != NULL && provider->container != NULL && provider->type != NULL);
  require((provider->session_key != NULL) == (provider->session_key_size > 0));
  if (provider->session_key == NULL)
    return;
  require(provider->has_session_key);
  if (km_session_key_parse(provider->session_key, provider->session_key_size, &key, NULL) != KM_OK)
    return;
  require(key.size <= KM_MAX_MODULUS &&
          key.size == provider->session_key_size - KM_SIMPLEBLOB_HEADER);
  require(km_session_key_odds(&key) >= 20);
  try_values(found, &key);
}

static void check(const km_configuration *found) {
  require(found->provider_count <= KM_MAX_PROVIDERS && found->value_count <= KM_MAX_ENCRYPTED);
  for (size_t i = 0; i < found->provider_count; i++)
    check_provider(found, &found->providers[i]);
  for (size_t i = 0; i < found->value_count; i++) {
    require(found->values[i].provider != NULL && found->values[i].data != NULL);
    require(found->values[i].size > 0 && found->values[i].size <= KM_MAX_ENCRYPTED_SIZE);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  km_configuration found;
  km_error error = {KM_OK, 0, ""};
  km_status status = km_configuration_parse(data, size, &found, &error);
  require(status == KM_OK || (status == KM_DAMAGED && error.message[0] != '\0'));
  check(&found);
  km_configuration_free(&found);
  return 0;
}
