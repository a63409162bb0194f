/* fuzz_master_key.c: any bytes as a DPAPI master key file. */
#include <stdlib.h>
#include <string.h>

#include "dpapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

/* More rounds than this are only counted. */
#define FUZZ_ROUNDS 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t secret[KM_SYSTEM_KEY_SIZE] = "the system's secret";
  uint8_t key[KM_MASTER_KEY_SIZE];
  km_master_key master;
  km_error error;
  km_status status = km_master_key_parse(data, size, &master, &error);
  require(memchr(master.guid, '\0', sizeof master.guid) != NULL);
  if (status != KM_OK) {
    require(status == KM_DAMAGED || status == KM_LIMIT || status == KM_UNSUPPORTED);
    require(error.status == status && error.message[0] != '\0');
    return 0;
  }
  require(master.rounds > 0 && master.rounds <= KM_MAX_MASTER_KEY_ROUNDS);
  require(master.data.data >= data && master.data.data + master.data.size <= data + size);
  if (master.rounds <= FUZZ_ROUNDS) {
    status = km_master_key_open(&master, secret, key, &error);
    require(status == KM_OK || status == KM_REFUSED || status == KM_UNSUPPORTED);
  }
  return 0;
}
