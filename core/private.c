/* private.c: decrypted private keys against their public ones. */
#include "private.h"

#include <string.h>

#include "backend.h"
#include "bytes.h"

enum { MAGIC_RSA2 = 0x32415352, MAGIC_RSA3 = 0x33415352, MAGIC_SECRET = 0x4D42444B };

static km_private mismatch(const char **why, const char *words) {
  *why = words;
  return KM_PRIVATE_MISMATCH;
}

/* The modulus is that of the public key, `bits` long; NULL: the key's own, turned to little endian by the caller. */
static km_private check(const km_rsa_numbers *numbers, km_bytes modulus, uint32_t exponent,
                        km_rsa *key, const char **why) {
  switch (km_rsa_load(key, numbers, modulus, exponent)) {
  case KM_RSA_FITS:
    return KM_PRIVATE_FITS;
  case KM_RSA_NO_MEMORY:
    *why = "memory ran out";
    return KM_PRIVATE_NO_MEMORY;
  case KM_RSA_OTHER_MODULUS:
    return mismatch(why, "its modulus is another");
  case KM_RSA_OTHER_EXPONENT:
    return mismatch(why, "its exponent is another");
  case KM_RSA_NOT_PRODUCT:
    return mismatch(why, "its primes do not make the modulus");
  case KM_RSA_NOT_INVERSE:
    break;
  }
  return mismatch(why, "its private exponent does not fit the public one");
}

/* ---- CAPI ---- */

enum { CAPI_HEADER = 20 };

/* Takes `size` bytes off the front, of which the first `used` are the number. */
static km_bytes take(km_bytes *rest, size_t size, size_t used) {
  km_bytes number = {rest->data, used};
  rest->data += size;
  rest->size -= size;
  return number;
}

km_private km_private_capi(km_bytes clear, const km_public_key *public_key, km_rsa *key,
                           const char **why) {
  size_t bytes = public_key->bits / 8, room = bytes + 8, half = (bytes + 1) / 2;
  memset(key, 0, sizeof *key);
  *why = "";
  if (clear.size < CAPI_HEADER || km_u32(clear.data) != MAGIC_RSA2)
    return mismatch(why, "it is no RSA key");
  if (km_u32(clear.data + 8) != public_key->bits || km_u32(clear.data + 4) != room)
    return mismatch(why, "its length is another");
  if (room % 2 != 0) {
    *why = "keymend does not know how Windows writes keys of this length";
    return KM_PRIVATE_UNKNOWN;
  }
  if (clear.size - CAPI_HEADER < 2 * room + 5 * (room / 2))
    return mismatch(why, "it ends early");
  km_bytes rest = {clear.data + CAPI_HEADER, clear.size - CAPI_HEADER};
  km_rsa_numbers numbers = {.little_endian = true, .e = {clear.data + 16, 4}};
  numbers.n = take(&rest, room, bytes);
  km_bytes *const halves[] = {&numbers.p, &numbers.q, &numbers.dp, &numbers.dq, &numbers.qinv};
  for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
    *halves[i] = take(&rest, room / 2, half);
  numbers.d = take(&rest, room, bytes);
  return check(&numbers, (km_bytes){public_key->modulus, bytes}, public_key->exponent, key, why);
}

/* ---- CNG ---- */

enum { CNG_HEADER = 24 };

/* The sizes stand in the header; each is below 64 KiB as the whole is. */
static bool cng_numbers(km_bytes clear, km_rsa_numbers *out) {
  bool whole = km_u32(clear.data) == MAGIC_RSA3;
  size_t e = km_u32(clear.data + 8), n = km_u32(clear.data + 12);
  size_t p = km_u32(clear.data + 16), q = km_u32(clear.data + 20);
  size_t most = clear.size;
  if (e == 0 || n == 0 || p == 0 || q == 0 || e > 4 || n > most || p > most || q > most)
    return false;
  if (clear.size - CNG_HEADER < e + n + p + q + (whole ? p + q + p + n : 0))
    return false;
  km_bytes rest = {clear.data + CNG_HEADER, clear.size - CNG_HEADER};
  out->e = take(&rest, e, e);
  out->n = take(&rest, n, n);
  out->p = take(&rest, p, p);
  out->q = take(&rest, q, q);
  if (whole) {
    out->dp = take(&rest, p, p);
    out->dq = take(&rest, q, q);
    out->qinv = take(&rest, p, p);
    out->d = take(&rest, n, n);
  }
  return true;
}

/* Without a public key in the file the key's own n and e serve: what is left to check is that they fit the rest. */
static km_private check_alone(const km_rsa_numbers *numbers, km_rsa *key, const char **why) {
  uint8_t modulus[KM_MAX_MODULUS];
  uint32_t exponent = 0;
  if (numbers->n.size > sizeof modulus)
    return mismatch(why, "its length is none of an RSA key");
  for (size_t i = 0; i < numbers->n.size; i++)
    modulus[i] = numbers->n.data[numbers->n.size - 1 - i];
  for (size_t i = 0; i < numbers->e.size; i++)
    exponent = exponent << 8 | numbers->e.data[i];
  return check(numbers, (km_bytes){modulus, numbers->n.size}, exponent, key, why);
}

km_private km_private_cng(km_bytes clear, const km_public_key *public_key, km_rsa *key,
                          const char **why) {
  km_rsa_numbers numbers = {.little_endian = false};
  uint32_t magic = clear.size < 4 ? 0 : km_u32(clear.data);
  memset(key, 0, sizeof *key);
  *why = "";
  if (magic == MAGIC_SECRET && !public_key->present)
    return KM_PRIVATE_SYMMETRIC;
  if (magic != MAGIC_RSA2 && magic != MAGIC_RSA3) {
    if (public_key->present)
      return mismatch(why, "it is no RSA key");
    *why = "it is no RSA key, and keymend does not read other kinds";
    return KM_PRIVATE_UNKNOWN;
  }
  if (clear.size < CNG_HEADER || !cng_numbers(clear, &numbers))
    return mismatch(why, "its lengths do not add up");
  if (!public_key->present)
    return check_alone(&numbers, key, why);
  return check(&numbers, (km_bytes){public_key->modulus, public_key->bits / 8},
               public_key->exponent, key, why);
}
