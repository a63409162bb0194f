/* lsa.h: the LSA's secrets as the hives SYSTEM and SECURITY hold them; internal to core/
 *
 * The boot key opens the LSA key, which opens the secret DPAPI_SYSTEM. Sources: MS-LSAD 5.1.2, impacket's and dissect's tools.
 * Pure functions of bytes; every output is a secret. Messages tell sizes and numbers, nothing else.
 */
#ifndef KM_LSA_H
#define KM_LSA_H

#include "cipher.h"
#include "keymend.h"

#define KM_BOOT_KEY_SIZE 16
#define KM_MAX_LSA_KEY 32
#define KM_DPAPI_SYSTEM_SIZE 44 /* u32 version 1, machine[20], user[20] */

/* How the policy is kept: Windows 2000 to 2003 (MD5, RC4, DES), Windows Vista and later (SHA-256, AES-256). */
typedef enum km_lsa_form { KM_LSA_NT5, KM_LSA_NT6 } km_lsa_form;

typedef struct km_lsa_key {
  km_lsa_form form;
  size_t size;
  uint8_t key[KM_MAX_LSA_KEY];
} km_lsa_key;

/* From the class names of JD, Skew1, GBG and Data below Control\Lsa, eight hex digits each, in this order. KM_DAMAGED. */
km_status km_lsa_boot_key(const char *const classes[4], uint8_t boot_key[KM_BOOT_KEY_SIZE],
                          km_error *error);

/* The LSA key: from the default value of Policy\PolEKList (NT 6) or Policy\PolSecretEncryptionKey (NT 5). An NT 5 value has no
 * check: a wrong boot key shows when the secret is opened. KM_DAMAGED, KM_MEMORY. */
km_status km_lsa_key_open(km_lsa_form form, const uint8_t boot_key[KM_BOOT_KEY_SIZE],
                          km_bytes value, km_lsa_key *out, km_error *error);

/* The secret DPAPI_SYSTEM: from the default value of Policy\Secrets\DPAPI_SYSTEM\CurrVal. KM_DAMAGED: it does not open to such a
 * secret with this key; KM_MEMORY. */
km_status km_lsa_dpapi_system(const km_lsa_key *key, km_bytes value,
                              uint8_t secret[KM_DPAPI_SYSTEM_SIZE], km_error *error);

#endif
