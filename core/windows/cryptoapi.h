/* cryptoapi.h: key containers and DPAPI blobs as this Windows' own CryptoAPI opens them; internal to core/windows. */
#ifndef KM_CRYPTOAPI_H
#define KM_CRYPTOAPI_H

#include "backend.h"

/* The operation container_test of km_backend; contract: km_container_test. KM_REFUSED when there is no plain machine GUID,
 * since CryptoAPI would then write a new one. */
km_status km_win_container_test(km_target *target, const char *container, km_container_trial *out,
                                km_error *error);

/* The operation unprotect of km_backend (dpapi.c). */
km_status km_win_unprotect(km_target *target, const uint8_t *blob, size_t size,
                           const uint8_t *entropy, size_t entropy_size, uint8_t *out,
                           size_t *out_size, km_decryptable *verdict, km_error *error);

/* What a code of CryptUnprotectData means for the key that the blob holds. Where the folder of master keys cannot be seen,
 * nothing is said. */
km_decryptable km_win_unprotect_verdict(km_target *target, const uint8_t *blob, size_t size,
                                        uint32_t code);

#endif
