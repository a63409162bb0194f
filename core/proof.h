/* proof.h: what else a proof does with a private key; internal to core/ */
#ifndef KM_PROOF_H
#define KM_PROOF_H

#include "keymend.h"

/* The public key of a file of a store, as its clear part tells it (CAPI), or its public properties (CNG). `exchange`
 * chooses the exchange key, else the signature key; a CNG file has one key, whatever is asked for. KM_NOT_FOUND: no
 * such file, or no such key in it; KM_DAMAGED. No secret is needed. */
km_status km_proof_public(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                          km_public_key *out, km_error *error);

/* The raw private operation: in^d mod n, for the key that km_proof_public tells of. `in_le` has `size` bytes, little
 * endian, and is below n; `out_be` gets as many bytes as n has, big endian (bits / 8). The key is decrypted, checked
 * against the public one, used and wiped. KM_REFUSED: the private key cannot be had (the message is the text of
 * km_proof_part); KM_MISUSE: `in_le` is not below n. The result may be a secret: wipe it. */
km_status km_proof_rsa(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                       const uint8_t *in_le, size_t size, uint8_t *out_be, km_error *error);

#endif
