/* dpapi.h: DPAPI blobs and master keys; internal to core/
 *
 * Own code is the formats and Microsoft's derivations. Sources: the published analyses of Passcape and of dpapick, and
 * impacket's, SharpDPAPI's and dissect's tools; every step is tested with their published values.
 */
#ifndef KM_DPAPI_H
#define KM_DPAPI_H

#include "cipher.h"
#include "keymend.h"

#define KM_MASTER_KEY_SIZE 64
#define KM_SYSTEM_KEY_SIZE 20 /* a half of the LSA secret DPAPI_SYSTEM */

/* Windows asks for 4000 to 24000 rounds. */
#define KM_MAX_MASTER_KEY_ROUNDS 1000000

/* ---- Blobs ----
 *
 * u32 version (1), provider GUID, u32 master-key version, master-key GUID (at 24), u32 flags (at 40); then parts with a u32
 * length before each: description, [u32 cipher, u32 bits] salt, HMAC key, [u32 hash, u32 bits] second HMAC key, data,
 * signature. Signed is all from the master-key version to the data. */

#define KM_DPAPI_LOCAL_MACHINE 4u /* flags: any process of the machine may open it */

typedef struct km_dpapi_blob {
  char master_key[KM_GUID_TEXT];
  uint32_t flags, cipher_id, cipher_bits, hash_id;
  const km_cipher_kind *cipher; /* NULL: not one that keymend knows */
  const km_hash_kind *hash;     /* the same */
  km_bytes salt, hmac_key, data, signed_part, signature;
  bool
      other_form; /* to be set before km_dpapi_blob_open: decrypt in the form that the signature has not */
} km_dpapi_blob;

/* Takes a blob apart; what it points to lives in `data`. `offset` is where it begins in its file, `what` its name, for
 * messages. KM_DAMAGED with field and offset. The header is known (`out->master_key`) when that is not "". */
km_status km_dpapi_blob_parse(const uint8_t *data, size_t size, const char *what, size_t offset,
                              km_dpapi_blob *out, km_error *error);

/* Whether any process of its machine may open it; another may be opened by the account alone that made it, with a master key
 * that may stand in that account's profile. */
bool km_dpapi_blob_is_of_machine(const km_dpapi_blob *blob);

/* Decrypts a blob. `out` has room for blob->data.size bytes and is a secret. KM_OK; KM_DAMAGED: the signature is not right (or
 * the entropy is not); KM_UNSUPPORTED: an unknown cipher or hash, whose number the message tells, or the signature is right
 * and it still does not decrypt; KM_MEMORY. */
km_status km_dpapi_blob_open(const km_dpapi_blob *blob, const uint8_t key[KM_MASTER_KEY_SIZE],
                             km_bytes entropy, uint8_t *out, size_t *out_size, km_error *error);

/* ---- Master keys ----
 *
 * A file: u32 version, 8 bytes, the GUID in UTF-16 (72 bytes at 12), 4 bytes, u32 policy, u32 flags, four u64 lengths (at 96), then
 * as many bytes each: master key, backup key, credential history, domain key. The master key: u32 version, salt[16], u32
 * rounds, u32 hash, u32 cipher, encrypted: salt[16], HMAC, ..., the 64 bytes of the key. */

typedef struct km_master_key {
  char guid[KM_GUID_TEXT]; /* as the file says, or "" */
  uint32_t rounds, hash_id, cipher_id;
  const km_hash_kind *hash;
  const km_cipher_kind *cipher;
  km_bytes salt, data;
} km_master_key;

/* Takes a master key file apart; what it points to lives in `data`. KM_DAMAGED with field and offset; KM_LIMIT: more than
 * KM_MAX_MASTER_KEY_ROUNDS rounds, with their number; KM_UNSUPPORTED: an unknown cipher or hash, with its number. */
km_status km_master_key_parse(const uint8_t *data, size_t size, km_master_key *out,
                              km_error *error);

/* Opens it with a half of DPAPI_SYSTEM. KM_OK; KM_REFUSED: that does not open it; KM_UNSUPPORTED: it does not, but RC4's format
 * (Windows 2000) rests on no real file, so that it could be keymend's fault; KM_MEMORY. `key` is a secret. */
km_status km_master_key_open(const km_master_key *master,
                             const uint8_t system_key[KM_SYSTEM_KEY_SIZE],
                             uint8_t key[KM_MASTER_KEY_SIZE], km_error *error);

#endif
