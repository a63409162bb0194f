/* metabase.h: the session key of the IIS 5 and 6 metabase; internal to core/.
 *
 * IIS 6 keeps it as hex digits in MetaBase.xml: MBProperty/IIS_Global, attribute SessionKey, and encrypts secrets of the
 * metabase under it. Decoded: "IcKb", u32 length of all behind it, u32 length of a SIMPLEBLOB, u32 length of a signature,
 * the SIMPLEBLOB (RC4), padding to a multiple of 8, then what looks like a signature by the container's signature key:
 * under the clear public key it should read 00 01, FF bytes, 00, a DigestInfo. The layout was read off a published
 * listing; the signature is not confirmed on a real pair. In MetaBase.bin (IIS 5) the same may stand somewhere.
 */
#ifndef KM_METABASE_H
#define KM_METABASE_H

#include "sessionkey.h"

#define KM_MAX_METABASE ((size_t)64 << 20) /* bytes of a metabase file */
#define KM_MAX_METABASE_KEY 8192           /* bytes of a SessionKey, decoded */

typedef struct km_metabase_key {
  const uint8_t *blob; /* the SIMPLEBLOB */
  size_t blob_size;
  const uint8_t *signature; /* little endian */
  size_t signature_size;
  size_t size; /* of all */
} km_metabase_key;

/* Takes a SessionKey apart; bytes behind it are let pass. KM_DAMAGED with what is wrong. */
km_status km_metabase_key_parse(const uint8_t *data, size_t size, km_metabase_key *out,
                                km_error *error);

/* Finds the SessionKey in MetaBase.xml and decodes it into *key, which the caller frees. KM_NOT_FOUND: it has none;
 * KM_DAMAGED: no well-formed XML up to there, or the value is not of hex digits; KM_LIMIT; KM_MEMORY. */
km_status km_metabase_xml_find(const uint8_t *data, size_t size, uint8_t **key, size_t *key_size,
                               km_error *error);

/* The first SessionKey at or behind *at in the bytes of MetaBase.bin; *at is then its place. */
bool km_metabase_search(const uint8_t *data, size_t size, size_t *at, km_metabase_key *out);

/* The public operation, raw: in^e mod n. `in_le` is as long as the modulus, little endian, and below it; `out_be` gets as
 * many bytes, big endian. KM_MEMORY; KM_DAMAGED: no such modulus. */
km_status km_rsa_public(const km_public_key *key, const uint8_t *in_le, uint8_t *out_be,
                        km_error *error);

/* Whether a decrypted signature (big endian) is a block of PKCS #1 v1.5 with the DigestInfo of MD5 or SHA-1. */
bool km_signature_block(const uint8_t *block, size_t size);

#endif
