/* cipher.h: the hashes, ciphers and RSA numbers that keys are opened with, over LibTomCrypt and LibTomMath; internal to core/
 *
 * Own code is what those libraries do not fit: HMAC keeps its keyed state for the thousands of rounds of a derivation, and
 * neither it nor chaining goes through LibTomCrypt's global tables, which threads would share. Inputs may come from
 * anywhere: sizes are checked here, every result is told.
 */
#ifndef KM_CIPHER_H
#define KM_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tomcrypt.h>
#include <tommath.h>

typedef struct km_bytes {
  const uint8_t *data;
  size_t size;
} km_bytes;

/* ---- Hashes ---- */

#define KM_MAX_DIGEST 64
#define KM_SHA1_SIZE 20

typedef struct km_hash_kind {
  const char *name;
  uint32_t id; /* CryptoAPI's ALG_ID */
  size_t size, block;
  int (*init)(hash_state *);
  int (*add)(hash_state *, const unsigned char *, unsigned long);
  int (*done)(hash_state *, unsigned char *);
} km_hash_kind;

extern const km_hash_kind km_hash_md5, km_hash_sha1, km_hash_sha256, km_hash_sha512;

/* By ALG_ID; CALG_HMAC is SHA-1, as DPAPI means it. NULL: none that keymend knows. */
const km_hash_kind *km_hash_find(uint32_t id);

/* Hashes the parts one after another. `out` gets kind->size bytes. */
void km_digest(const km_hash_kind *kind, const km_bytes *parts, size_t count, uint8_t *out);

/* HMAC with a key that is used many times. Both states are secrets: wipe it. */
typedef struct km_hmac {
  const km_hash_kind *kind;
  hash_state inner, outer;
} km_hmac;

void km_hmac_key(km_hmac *hmac, const km_hash_kind *kind, km_bytes key);
void km_hmac_make(const km_hmac *hmac, const km_bytes *parts, size_t count, uint8_t *out);

/* ---- Ciphers ---- */

typedef struct km_cipher_kind {
  const char *name;
  uint32_t id;     /* CryptoAPI's ALG_ID */
  size_t key_size; /* bytes; RC4: the most */
  size_t block;    /* bytes; 0: a stream */
} km_cipher_kind;

extern const km_cipher_kind km_cipher_des, km_cipher_aes256, km_cipher_rc4;

const km_cipher_kind *km_cipher_find(uint32_t id); /* NULL: none that keymend knows */

/* Decrypts `in` to `out`, as many bytes; they may be the same. `iv` has a block, CBC; NULL: each block on its own. A
 * stream cipher has none. false: the key or the size does not fit the cipher. */
bool km_cipher_decrypt(const km_cipher_kind *kind, km_bytes key, const uint8_t *iv, km_bytes in,
                       uint8_t *out);

/* ---- RSA ---- */

/* A private key; its digits live in locked memory. */
typedef struct km_rsa {
  size_t bytes; /* of the modulus */
  mp_int n, e, d, p, q, dp, dq, qinv;
} km_rsa;

/* The numbers of a private key, all of one byte order. dp, dq, qinv and d may be left out together. */
typedef struct km_rsa_numbers {
  bool little_endian;
  km_bytes n, e, p, q, dp, dq, qinv, d;
} km_rsa_numbers;

typedef enum km_rsa_fault {
  KM_RSA_FITS,
  KM_RSA_NO_MEMORY,
  KM_RSA_OTHER_MODULUS,  /* not that of the public key */
  KM_RSA_OTHER_EXPONENT, /* the same of the exponent */
  KM_RSA_NOT_PRODUCT,    /* n is not p q */
  KM_RSA_NOT_INVERSE     /* d, dp, dq or qinv is not what it must be */
} km_rsa_fault;

/* Loads a private key and checks that it is the private part of modulus and exponent: the same n and e, n = p q,
 * e d = 1 modulo p - 1 and q - 1, and what was computed beforehand (dp, dq, qinv). `modulus` is little endian. The key
 * is to be cleared whatever comes out. */
km_rsa_fault km_rsa_load(km_rsa *key, const km_rsa_numbers *numbers, km_bytes modulus,
                         uint32_t exponent);
void km_rsa_clear(km_rsa *key);

/* in^d mod n. `in_le` is little endian; `out_be` gets key->bytes bytes, big endian. false: `in_le` is not below n, or
 * memory ran out (*memory is set then). */
bool km_rsa_private(const km_rsa *key, km_bytes in_le, uint8_t *out_be, bool *memory);

#endif
