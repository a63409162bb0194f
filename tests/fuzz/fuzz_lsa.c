/* fuzz_lsa.c: any bytes as class names, as the LSA key's value and as a secret, in both forms. */
#include <stdlib.h>
#include <string.h>

#include "lsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void try_classes(const uint8_t *data, size_t size) {
  char texts[4][12] = {{0}};
  uint8_t key[KM_BOOT_KEY_SIZE];
  km_error error;
  for (size_t i = 0; i < 4 && size >= 11 * (i + 1); i++)
    memcpy(texts[i], data + 11 * i, 11);
  const char *const classes[4] = {texts[0], texts[1], texts[2], texts[3]};
  km_status status = km_lsa_boot_key(classes, key, &error);
  require(status == KM_OK || status == KM_DAMAGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t boot_key[KM_BOOT_KEY_SIZE] = "a boot key";
  static const km_lsa_form forms[] = {KM_LSA_NT5, KM_LSA_NT6};
  uint8_t secret[KM_DPAPI_SYSTEM_SIZE];
  try_classes(data, size);
  for (size_t i = 0; i < 2; i++) {
    km_lsa_key key;
    km_error error;
    km_status status = km_lsa_key_open(forms[i], boot_key, (km_bytes){data, size}, &key, &error);
    require(key.size <= KM_MAX_LSA_KEY);
    require(status == KM_OK || (status == KM_DAMAGED && error.message[0] != '\0'));
    key = (km_lsa_key){forms[i], forms[i] == KM_LSA_NT5 ? 16 : KM_MAX_LSA_KEY, "a key of the LSA"};
    status = km_lsa_dpapi_system(&key, (km_bytes){data, size}, secret, &error);
    require(status == KM_OK || (status == KM_DAMAGED && error.message[0] != '\0'));
  }
  return 0;
}
