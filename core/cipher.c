/* cipher.c: the hashes, ciphers and RSA numbers that keys are opened with, over LibTomCrypt and LibTomMath. */
#include "cipher.h"

#include <string.h>

#include "backend.h"
#include "secret.h"

/* ---- Hashes ---- */

enum { MAX_BLOCK = 128 };
enum { CALG_SHA1_AS_HMAC = 0x8009 };

const km_hash_kind km_hash_md5 = {"MD5", 0x8003, 16, 64, md5_init, md5_process, md5_done};
const km_hash_kind km_hash_sha1 = {"SHA-1",   0x8004,       KM_SHA1_SIZE, 64,
                                   sha1_init, sha1_process, sha1_done};
const km_hash_kind km_hash_sha256 = {"SHA-256",   0x800C,         32,         64,
                                     sha256_init, sha256_process, sha256_done};
static const km_hash_kind hash_sha384 = {"SHA-384",   0x800D,         48,         128,
                                         sha384_init, sha512_process, sha384_done};
const km_hash_kind km_hash_sha512 = {"SHA-512",   0x800E,         64,         128,
                                     sha512_init, sha512_process, sha512_done};

static const km_hash_kind *const hashes[] = {&km_hash_md5, &km_hash_sha1, &km_hash_sha256,
                                             &hash_sha384, &km_hash_sha512};

const km_hash_kind *km_hash_find(uint32_t id) {
  if (id == CALG_SHA1_AS_HMAC)
    return &km_hash_sha1;
  for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
    if (hashes[i]->id == id)
      return hashes[i];
  return NULL;
}

/* LibTomCrypt's lengths are unsigned long; nothing here is that long, and a NULL part is empty. */
static void add(const km_hash_kind *kind, hash_state *state, const km_bytes *parts, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (parts[i].size > 0)
      (void)kind->add(state, parts[i].data, (unsigned long)parts[i].size);
}

void km_digest(const km_hash_kind *kind, const km_bytes *parts, size_t count, uint8_t *out) {
  hash_state state;
  (void)kind->init(&state);
  add(kind, &state, parts, count);
  (void)kind->done(&state, out);
  km_wipe(&state, sizeof state);
}

void km_hmac_key(km_hmac *hmac, const km_hash_kind *kind, km_bytes key) {
  uint8_t pad[MAX_BLOCK] = {0};
  const km_bytes block = {pad, kind->block};
  if (key.size > kind->block)
    km_digest(kind, &key, 1, pad);
  else if (key.size > 0)
    memcpy(pad, key.data, key.size);
  hmac->kind = kind;
  for (size_t i = 0; i < kind->block; i++)
    pad[i] ^= 0x36;
  (void)kind->init(&hmac->inner);
  add(kind, &hmac->inner, &block, 1);
  for (size_t i = 0; i < kind->block; i++)
    pad[i] ^= 0x36 ^ 0x5C;
  (void)kind->init(&hmac->outer);
  add(kind, &hmac->outer, &block, 1);
  km_wipe(pad, sizeof pad);
}

void km_hmac_make(const km_hmac *hmac, const km_bytes *parts, size_t count, uint8_t *out) {
  hash_state state = hmac->inner;
  uint8_t digest[KM_MAX_DIGEST];
  const km_bytes inner = {digest, hmac->kind->size};
  add(hmac->kind, &state, parts, count);
  (void)hmac->kind->done(&state, digest);
  state = hmac->outer;
  add(hmac->kind, &state, &inner, 1);
  (void)hmac->kind->done(&state, out);
}

/* ---- Ciphers ---- */

const km_cipher_kind km_cipher_des = {"DES", 0x6601, 8, 8};
static const km_cipher_kind cipher_3des = {"3DES", 0x6603, 24, 8};
static const km_cipher_kind cipher_3des_112 = {"3DES with two keys", 0x6609, 16, 8};
static const km_cipher_kind cipher_aes128 = {"AES-128", 0x660E, 16, 16};
static const km_cipher_kind cipher_aes192 = {"AES-192", 0x660F, 24, 16};
const km_cipher_kind km_cipher_aes256 = {"AES-256", 0x6610, 32, 16};
const km_cipher_kind km_cipher_rc4 = {"RC4", 0x6801, 16, 0};

static const km_cipher_kind *const ciphers[] = {&km_cipher_des, &cipher_3des,   &cipher_3des_112,
                                                &cipher_aes128, &cipher_aes192, &km_cipher_aes256,
                                                &km_cipher_rc4};

enum { MAX_CIPHER_BLOCK = 16, RC4_KEY_MIN = 5 };

const km_cipher_kind *km_cipher_find(uint32_t id) {
  for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
    if (ciphers[i]->id == id)
      return ciphers[i];
  return NULL;
}

static bool run_stream(km_bytes key, km_bytes in, uint8_t *out) {
  rc4_state *state = km_locked_alloc(sizeof *state);
  bool done = state != NULL &&
              rc4_stream_setup(state, key.data, (unsigned long)key.size) == CRYPT_OK &&
              rc4_stream_crypt(state, in.data, (unsigned long)in.size, out) == CRYPT_OK;
  km_locked_free(state, sizeof *state);
  return done;
}

/* The expanded key. LibTomCrypt takes 3DES keys of 24 bytes: with two keys the first is the third too. */
static bool expand(const km_cipher_kind *kind, km_bytes key, symmetric_key *out) {
  uint8_t three[24];
  int code = CRYPT_ERROR;
  if (kind == &km_cipher_des) {
    code = des_setup(key.data, (int)key.size, 0, out);
  } else if (kind->block == 16) {
    code = aes_setup(key.data, (int)key.size, 0, out);
  } else {
    memcpy(three, key.data, key.size);
    if (key.size == 16)
      memcpy(three + 16, key.data, 8);
    code = des3_setup(three, sizeof three, 0, out);
    km_wipe(three, sizeof three);
  }
  return code == CRYPT_OK;
}

static bool decrypt_block(const km_cipher_kind *kind, const uint8_t *in, uint8_t *out,
                          symmetric_key *key) {
  int code = kind->block == 16        ? aes_ecb_decrypt(in, out, key)
             : kind == &km_cipher_des ? des_ecb_decrypt(in, out, key)
                                      : des3_ecb_decrypt(in, out, key);
  return code == CRYPT_OK;
}

static bool run_blocks(const km_cipher_kind *kind, symmetric_key *key, const uint8_t *iv,
                       km_bytes in, uint8_t *out) {
  uint8_t before[MAX_CIPHER_BLOCK] = {0}, now[MAX_CIPHER_BLOCK];
  bool done = true;
  if (iv != NULL)
    memcpy(before, iv, kind->block);
  for (size_t at = 0; done && at < in.size; at += kind->block) {
    memcpy(now, in.data + at, kind->block);
    done = decrypt_block(kind, now, out + at, key);
    for (size_t i = 0; iv != NULL && i < kind->block; i++)
      out[at + i] ^= before[i];
    memcpy(before, now, kind->block);
  }
  return done;
}

bool km_cipher_decrypt(const km_cipher_kind *kind, km_bytes key, const uint8_t *iv, km_bytes in,
                       uint8_t *out) {
  if (kind->block == 0)
    return key.size >= RC4_KEY_MIN && key.size <= kind->key_size && run_stream(key, in, out);
  if (key.size != kind->key_size || in.size % kind->block != 0)
    return false;
  symmetric_key *expanded = km_locked_alloc(sizeof *expanded);
  bool done =
      expanded != NULL && expand(kind, key, expanded) && run_blocks(kind, expanded, iv, in, out);
  km_locked_free(expanded, sizeof *expanded);
  return done;
}

/* ---- RSA ---- */

/* A number of either byte order. */
static mp_err load(mp_int *number, km_bytes bytes, bool little_endian) {
  uint8_t *reversed = km_locked_alloc(bytes.size > 0 ? bytes.size : 1);
  if (reversed == NULL)
    return MP_MEM;
  for (size_t i = 0; i < bytes.size; i++)
    reversed[i] = bytes.data[little_endian ? bytes.size - 1 - i : i];
  mp_err code = mp_from_ubin(number, reversed, bytes.size);
  km_locked_free(reversed, bytes.size > 0 ? bytes.size : 1);
  return code;
}

static mp_err load_all(km_rsa *key, const km_rsa_numbers *numbers) {
  bool little = numbers->little_endian;
  mp_err code = mp_init_multi(&key->n, &key->e, &key->d, &key->p, &key->q, &key->dp, &key->dq,
                              &key->qinv, NULL);
  const struct {
    mp_int *number;
    km_bytes bytes;
  } rows[] = {{&key->n, numbers->n},   {&key->e, numbers->e},      {&key->d, numbers->d},
              {&key->p, numbers->p},   {&key->q, numbers->q},      {&key->dp, numbers->dp},
              {&key->dq, numbers->dq}, {&key->qinv, numbers->qinv}};
  for (size_t i = 0; code == MP_OKAY && i < sizeof rows / sizeof *rows; i++)
    code = load(rows[i].number, rows[i].bytes, little);
  return code;
}

/* Whether a * b is 1 modulo m. */
static bool inverse(const mp_int *a, const mp_int *b, const mp_int *m, mp_int *work, mp_err *code) {
  if (*code == MP_OKAY)
    *code = mp_mulmod(a, b, m, work);
  return *code == MP_OKAY && mp_cmp_d(work, 1) == MP_EQ;
}

/* Computes what the numbers leave out. */
static mp_err complete(km_rsa *key, const mp_int *p1, const mp_int *q1, mp_int *work) {
  mp_err code = mp_lcm(p1, q1, work);
  if (code == MP_OKAY)
    code = mp_invmod(&key->e, work, &key->d);
  if (code == MP_OKAY)
    code = mp_mod(&key->d, p1, &key->dp);
  if (code == MP_OKAY)
    code = mp_mod(&key->d, q1, &key->dq);
  if (code == MP_OKAY)
    code = mp_invmod(&key->q, &key->p, &key->qinv);
  return code;
}

/* What n = p q has left to say. Both primes are odd and above 1, since n is odd and larger than either. */
static km_rsa_fault check_exponents(km_rsa *key, bool completed, mp_int work[3]) {
  mp_int *p1 = &work[0], *q1 = &work[1], *rest = &work[2];
  mp_err code = mp_sub_d(&key->p, 1, p1);
  if (code == MP_OKAY)
    code = mp_sub_d(&key->q, 1, q1);
  if (code == MP_OKAY && !completed)
    code = complete(key, p1, q1, rest);
  bool fits =
      inverse(&key->e, &key->d, p1, rest, &code) && inverse(&key->e, &key->d, q1, rest, &code) &&
      inverse(&key->e, &key->dp, p1, rest, &code) && inverse(&key->e, &key->dq, q1, rest, &code) &&
      inverse(&key->qinv, &key->q, &key->p, rest, &code);
  if (code == MP_MEM)
    return KM_RSA_NO_MEMORY;
  return fits ? KM_RSA_FITS : KM_RSA_NOT_INVERSE;
}

static km_rsa_fault check(km_rsa *key, bool completed, km_bytes modulus, uint32_t exponent,
                          mp_int work[3]) {
  mp_set_u32(&work[1], exponent);
  if (load(&work[0], modulus, true) != MP_OKAY)
    return KM_RSA_NO_MEMORY;
  if (mp_cmp(&work[0], &key->n) != MP_EQ || mp_isodd(&key->n) == MP_NO)
    return KM_RSA_OTHER_MODULUS;
  if (mp_cmp(&work[1], &key->e) != MP_EQ || mp_cmp_d(&key->e, 2) != MP_GT)
    return KM_RSA_OTHER_EXPONENT;
  if (mp_cmp_d(&key->p, 1) != MP_GT || mp_cmp_d(&key->q, 1) != MP_GT)
    return KM_RSA_NOT_PRODUCT;
  if (mp_mul(&key->p, &key->q, &work[2]) != MP_OKAY)
    return KM_RSA_NO_MEMORY;
  if (mp_cmp(&work[2], &key->n) != MP_EQ)
    return KM_RSA_NOT_PRODUCT;
  return check_exponents(key, completed, work);
}

km_rsa_fault km_rsa_load(km_rsa *key, const km_rsa_numbers *numbers, km_bytes modulus,
                         uint32_t exponent) {
  mp_int work[3];
  memset(key, 0, sizeof *key);
  if (load_all(key, numbers) != MP_OKAY)
    return KM_RSA_NO_MEMORY;
  if (mp_init_multi(&work[0], &work[1], &work[2], NULL) != MP_OKAY)
    return KM_RSA_NO_MEMORY;
  km_rsa_fault fault = check(key, numbers->d.size > 0, modulus, exponent, work);
  mp_clear_multi(&work[0], &work[1], &work[2], NULL);
  key->bytes = mp_ubin_size(&key->n);
  return fault;
}

/* Numbers that were never made have no digits, and clearing them does nothing. */
void km_rsa_clear(km_rsa *key) {
  mp_clear_multi(&key->n, &key->e, &key->d, &key->p, &key->q, &key->dp, &key->dq, &key->qinv, NULL);
  km_wipe(key, sizeof *key);
}

/* Chinese remainders: m1 = c^dp mod p, m2 = c^dq mod q, m = m2 + q (qinv (m1 - m2) mod p). */
static mp_err exponentiate(const km_rsa *key, mp_int *c, mp_int *m1, mp_int *m2) {
  mp_err code = mp_exptmod(c, &key->dp, &key->p, m1);
  if (code == MP_OKAY)
    code = mp_exptmod(c, &key->dq, &key->q, m2);
  if (code == MP_OKAY)
    code = mp_submod(m1, m2, &key->p, m1);
  if (code == MP_OKAY)
    code = mp_mulmod(m1, &key->qinv, &key->p, m1);
  if (code == MP_OKAY)
    code = mp_mul(m1, &key->q, m1);
  return code == MP_OKAY ? mp_add(m1, m2, c) : code;
}

bool km_rsa_private(const km_rsa *key, km_bytes in_le, uint8_t *out_be, bool *memory) {
  mp_int c, m1, m2;
  bool below = false;
  *memory = true;
  if (mp_init_multi(&c, &m1, &m2, NULL) != MP_OKAY)
    return false;
  mp_err code = load(&c, in_le, true);
  if (code == MP_OKAY) {
    below = mp_cmp(&c, &key->n) == MP_LT;
    if (below)
      code = exponentiate(key, &c, &m1, &m2);
  }
  size_t size = mp_ubin_size(&c);
  bool done = code == MP_OKAY && below && size <= key->bytes;
  if (done) {
    memset(out_be, 0, key->bytes);
    done = mp_to_ubin(&c, out_be + (key->bytes - size), size, NULL) == MP_OKAY;
  }
  *memory = code != MP_OKAY;
  mp_clear_multi(&c, &m1, &m2, NULL);
  return done;
}
