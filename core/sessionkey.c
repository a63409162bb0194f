/* sessionkey.c: session keys that CryptoAPI encrypted for an RSA key: SIMPLEBLOB, PKCS #1 v1.5. */
#include "sessionkey.h"

#include <string.h>

#include "bytes.h"
#include "secret.h"

enum { TYPE_SIMPLEBLOB = 1, BLOB_VERSION = 2, ALG_RSA_EXCHANGE = 0xA400 };
enum { PADDING_HEAD = 2, SHORTEST_PADDING = 8 };

/* The session keys that are known, by their ALG_ID, with the lengths a plain one may have, and the power of two of how many
 * lengths those are: each is one more chance for a wrong key. */
typedef struct algorithm {
  uint32_t id;
  const char *name;
  size_t shortest, longest;
  double lengths;
} algorithm;

static const algorithm algorithms[] = {
    {0x660E, "AES-128", 16, 16, 0},     {0x660F, "AES-192", 24, 24, 0},
    {0x6610, "AES-256", 32, 32, 0},     {0x6801, "RC4", 5, 16, 3.58496250},
    {0x6602, "RC2", 5, 16, 3.58496250}, {0x6601, "DES", 8, 8, 0},
    {0x6603, "3DES", 24, 24, 0},
};

static const algorithm *find_algorithm(uint32_t id) {
  for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
    if (algorithms[i].id == id)
      return &algorithms[i];
  return NULL;
}

km_status km_session_key_parse(const uint8_t *blob, size_t size, km_session_key *out,
                               km_error *error) {
  memset(out, 0, sizeof *out);
  if (size <= KM_SIMPLEBLOB_HEADER || size > KM_SIMPLEBLOB_HEADER + KM_MAX_MODULUS)
    return km_fail(error, KM_DAMAGED, 0,
                   "session key: it has %zu bytes, which no SIMPLEBLOB of an RSA key has", size);
  if (blob[0] != TYPE_SIMPLEBLOB || blob[1] != BLOB_VERSION || blob[2] != 0 || blob[3] != 0)
    return km_fail(error, KM_DAMAGED, 0,
                   "session key: expected 01 02 00 00 (SIMPLEBLOB), found %02X %02X %02X %02X",
                   blob[0], blob[1], blob[2], blob[3]);
  if (km_u32(blob + 8) != ALG_RSA_EXCHANGE)
    return km_fail(error, KM_DAMAGED, 0,
                   "session key: it is encrypted with algorithm %08X, not with an RSA exchange key "
                   "(0000A400)",
                   (unsigned)km_u32(blob + 8));
  out->algorithm = km_u32(blob + 4);
  out->ciphertext = blob + KM_SIMPLEBLOB_HEADER;
  out->size = size - KM_SIMPLEBLOB_HEADER;
  if (find_algorithm(out->algorithm) == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "session key: it is for algorithm %08X, which keymend does not know",
                   (unsigned)out->algorithm);
  return KM_OK;
}

const char *km_session_key_name(const km_session_key *key) {
  const algorithm *known = find_algorithm(key->algorithm);
  return known != NULL ? known->name : "unknown";
}

bool km_session_key_fits(const km_session_key *key, const km_public_key *rsa) {
  if (!rsa->present || key->size != rsa->bits / 8)
    return false;
  for (size_t i = key->size; i-- > 0;)
    if (key->ciphertext[i] != rsa->modulus[i])
      return key->ciphertext[i] < rsa->modulus[i];
  return false;
}

/* Where the key begins in a decrypted block; 0: the padding is wrong. */
static size_t unpad(const uint8_t *block, size_t size) {
  if (size < PADDING_HEAD || block[0] != 0 || block[1] != 2)
    return 0;
  size_t at = PADDING_HEAD;
  while (at < size && block[at] != 0)
    at++;
  return at < size && at >= PADDING_HEAD + SHORTEST_PADDING ? at + 1 : 0;
}

km_status km_session_key_open(const km_session_key *key, km_private_operation rsa, void *user,
                              uint8_t plain[KM_MAX_SESSION_KEY], size_t *length, km_error *error) {
  const algorithm *known = find_algorithm(key->algorithm);
  *length = 0;
  uint8_t *block = km_locked_alloc(key->size);
  if (block == NULL)
    return km_fail(error, KM_MEMORY, 0, "open a session key: out of memory");
  km_status status = rsa(user, key->ciphertext, key->size, block, error);
  if (status == KM_OK) {
    size_t at = unpad(block, key->size);
    size_t left = key->size - at;
    if (at > 0 && known != NULL && left >= known->shortest && left <= known->longest) {
      memcpy(plain, block + at, left);
      *length = left;
    }
  }
  km_locked_free(block, key->size);
  return status;
}

/* Two bytes at the front and one before the key have one value each; each byte of the padding is not zero. */
double km_session_key_odds(const km_session_key *key) {
  const double not_zero = 0.00564656; /* -log2(255/256) */
  const algorithm *known = find_algorithm(key->algorithm);
  size_t length = known != NULL ? known->longest : 0;
  size_t padding = key->size > length + 3 ? key->size - length - 3 : 0;
  return 24 + (double)padding * not_zero - (known != NULL ? known->lengths : 0);
}
