/* proof.c: what a target's keys are tried with. */
#include "proof.h"

#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct km_proof {
  km_target *target;
};

static const char *const decryptable_ids[] = {
    [KM_DECRYPT_UNKNOWN] = "unknown",
    [KM_DECRYPT_YES] = "yes",
    [KM_DECRYPT_NO_MASTER_KEY] = "no-master-key",
    [KM_DECRYPT_MASTER_KEY_CLOSED] = "master-key-closed",
    [KM_DECRYPT_BAD_SIGNATURE] = "bad-signature",
    [KM_DECRYPT_MISMATCH] = "mismatch",
};

const char *km_decryptable_id(km_decryptable decryptable) {
  return decryptable_ids[(unsigned)decryptable <= KM_DECRYPT_MISMATCH ? decryptable : 0];
}

km_status km_proof_open(km_target *target, km_proof **out, km_error *error) {
  *out = calloc(1, sizeof **out);
  if (!*out)
    return km_fail(error, KM_MEMORY, 0, "try keys: out of memory");
  (*out)->target = target;
  return KM_OK;
}

const char *km_proof_problem(km_proof *proof) {
  (void)proof;
  return "the chain of secrets is not read yet";
}

km_status km_proof_key(km_proof *proof, km_store_kind kind, const char *name, km_key_proof *out,
                       km_error *error) {
  (void)name, (void)error;
  memset(out, 0, sizeof *out);
  out->cng = kind != KM_STORE_RSA;
  snprintf(out->text, sizeof out->text, "%s", km_proof_problem(proof));
  return KM_OK;
}

km_status km_proof_public(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                          km_public_key *out, km_error *error) {
  (void)proof, (void)kind, (void)name, (void)exchange, (void)out;
  return km_fail(error, KM_UNSUPPORTED, 0, "read a public key: not built yet");
}

km_status km_proof_rsa(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                       const uint8_t *in_le, size_t size, uint8_t *out_be, km_error *error) {
  (void)proof, (void)kind, (void)name, (void)exchange, (void)in_le, (void)size, (void)out_be;
  return km_fail(error, KM_UNSUPPORTED, 0, "use a private key: not built yet");
}

void km_proof_close(km_proof *proof) {
  free(proof);
}
