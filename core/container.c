/* container.c: asks a target's own CryptoAPI about a key container. */
#include "backend.h"

#include <string.h>

km_status km_container_test(km_target *target, const char *container, km_container_trial *out,
                            km_error *error) {
  char hash[KM_HASH_TEXT];
  memset(out, 0, sizeof *out);
  if (container == NULL || *container == '\0')
    return km_fail(error, KM_MISUSE, 0, "try a key container: its name is missing");
  km_status status = km_container_hash(container, hash, error);
  if (status != KM_OK)
    return status;
  if (target->backend->container_test == NULL) {
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "try the key container \"%s\": only a running Windows opens its own key "
                   "containers; run keymend verify on it",
                   container);
  }
  return target->backend->container_test(target, container, out, error);
}
