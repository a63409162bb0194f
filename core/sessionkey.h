/* sessionkey.h: a session key that CryptoAPI encrypted for an RSA key; internal to core/.
 *
 * SIMPLEBLOB: 01 (type), 02 (version), two zeros, u32 ALG_ID of the session key, u32 ALG_ID of the RSA key (0000A400: an
 * exchange key), then the ciphertext, little endian, as long as the modulus. Decrypted and read big endian it is a
 * block of PKCS #1 v1.5: 00 02, padding without zeros, 00, the key in its own order. Sources: the Windows SDK's reference
 * of SIMPLEBLOB; the order was checked with the vector of Wine's rsaenh tests, which real Windows passes.
 */
#ifndef KM_SESSIONKEY_H
#define KM_SESSIONKEY_H

#include "backend.h"

#define KM_MAX_SESSION_KEY 32 /* bytes of a plain session key: AES-256 */
#define KM_SIMPLEBLOB_HEADER 12

typedef struct km_session_key {
  uint32_t algorithm;        /* ALG_ID */
  const uint8_t *ciphertext; /* little endian; belongs to the blob */
  size_t size;
} km_session_key;

/* The private operation of a key, raw: `in_le` and `out_be` are `size` bytes, the length of the modulus. */
typedef km_status (*km_private_operation)(void *user, const uint8_t *in_le, size_t size,
                                          uint8_t *out_be, km_error *error);

/* Takes a SIMPLEBLOB apart. KM_DAMAGED: it is none, or not for an exchange key; KM_UNSUPPORTED: a session key of an
 * algorithm that is not known here. */
km_status km_session_key_parse(const uint8_t *blob, size_t size, km_session_key *out,
                               km_error *error);

/* "AES-128"; static. */
const char *km_session_key_name(const km_session_key *key);

/* Whether it can have been made for this key: the ciphertext is as long as the modulus, and smaller. */
bool km_session_key_fits(const km_session_key *key, const km_public_key *rsa);

/* Decrypts it and checks the padding and the length of what is in it: `plain` then holds *length bytes, which the caller
 * wipes; 0: they are wrong, so that it was made for another key. Fails as `rsa` does, and with KM_MEMORY. */
km_status km_session_key_open(const km_session_key *key, km_private_operation rsa, void *user,
                              uint8_t plain[KM_MAX_SESSION_KEY], size_t *length, km_error *error);

/* The power of two to which a wrong key passes km_session_key_open by chance: 24.6 means once in 2^24.6. */
double km_session_key_odds(const km_session_key *key);

#endif
