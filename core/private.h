/* private.h: decrypted private keys against their public ones; internal to core/ */
#ifndef KM_PRIVATE_H
#define KM_PRIVATE_H

#include "cipher.h"
#include "keymend.h"

typedef enum km_private {
  KM_PRIVATE_FITS,
  KM_PRIVATE_SYMMETRIC, /* a CNG key without a public part */
  KM_PRIVATE_MISMATCH,
  KM_PRIVATE_UNKNOWN, /* a kind of key that keymend does not read */
  KM_PRIVATE_NO_MEMORY
} km_private;

/* Reads what was decrypted from a CAPI key file: "RSA2", u32 length of the modulus with its padding, u32 bits, u32 bits / 8 - 1,
 * u32 exponent, then little endian n[length], p, q, dp, dq, qinv [length / 2 each], d[length]; the last 8 and 4 bytes of
 * each are padding. Checks it against the public key (km_rsa_load). *why gets words for everything but FITS; static. The key
 * is to be cleared whatever comes out. */
km_private km_private_capi(km_bytes clear, const km_public_key *public_key, km_rsa *key,
                           const char **why);

/* The same for CNG: a BCRYPT_RSAKEY_BLOB "RSA2" (u32 bits, then u32 sizes of exponent, modulus, p and q, then these, big
 * endian) or "RSA3" (dp, dq, qinv and d behind them). A file that does not tell its public key is checked against the
 * private key's own n and e. "KDBM" is a secret key. */
km_private km_private_cng(km_bytes clear, const km_public_key *public_key, km_rsa *key,
                          const char **why);

#endif
