/* test_cipher.c: hashes, HMAC, ciphers and RSA numbers with published vectors; locked memory. */
#include "cipher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "secret.h"
#include "unit.h"

#define MAX_HEX 256

static km_bytes of_hex(const char *text, uint8_t out[MAX_HEX]) {
  size_t size = strlen(text) / 2;
  assert_true(size <= MAX_HEX);
  for (size_t i = 0; i < size; i++) {
    const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
    out[i] = (uint8_t)strtoul(digits, NULL, 16);
  }
  return (km_bytes){out, size};
}

/* ---- Hashes: "abc" by FIPS 180 and RFC 1321; HMAC by RFC 2202 and RFC 4231, test cases 2 and 6 ---- */

typedef struct hash_vector {
  uint32_t id;
  const char *abc, *hmac_short, *hmac_long;
} hash_vector;

static const hash_vector hash_vectors[] = {
    {0x8003, "900150983cd24fb0d6963f7d28e17f72", "750c783e6ab0b503eaa86e310a5db738",
     "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
    {0x8004, "a9993e364706816aba3e25717850c26c9cd0d89d", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
     "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
    {0x800C, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", NULL},
    {0x800E,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "bbd454d4423643ce80e2a9ac94fa54ca49f",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e"
     "6fdcaeab1a34d4a6b4b636e070a38bce737",
     NULL},
};

static void hashes(void **state) {
  (void)state;
  static const uint8_t data[] = "what do ya want for nothing?";
  static const uint8_t larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  uint8_t out[KM_MAX_DIGEST], wanted[MAX_HEX], key[80];
  memset(key, 0xAA, sizeof key);
  for (size_t i = 0; i < COUNT_OF(hash_vectors); i++) {
    const km_hash_kind *kind = km_hash_find(hash_vectors[i].id);
    const km_bytes abc[] = {{(const uint8_t *)"a", 1}, {NULL, 0}, {(const uint8_t *)"bc", 2}};
    const km_bytes text = {data, sizeof data - 1}, long_text = {larger, sizeof larger - 1};
    km_hmac hmac;
    assert_non_null(kind);
    km_digest(kind, abc, 3, out);
    assert_int_equal(of_hex(hash_vectors[i].abc, wanted).size, kind->size);
    assert_memory_equal(out, wanted, kind->size);
    km_hmac_key(&hmac, kind, (km_bytes){(const uint8_t *)"Jefe", 4});
    km_hmac_make(&hmac, &text, 1, out);
    assert_memory_equal(out, of_hex(hash_vectors[i].hmac_short, wanted).data, kind->size);
    if (hash_vectors[i].hmac_long != NULL) {
      km_hmac_key(&hmac, kind, (km_bytes){key, sizeof key});
      km_hmac_make(&hmac, &long_text, 1, out);
      assert_memory_equal(out, of_hex(hash_vectors[i].hmac_long, wanted).data, kind->size);
    }
  }
  assert_ptr_equal(km_hash_find(0x8009), &km_hash_sha1);
  assert_null(km_hash_find(0x8001));
}

/* ---- Ciphers: FIPS 197 appendix C, SP 800-38A (CBC-AES256), SP 800-17 (DES), SP 800-67, RFC 6229 ---- */

typedef struct cipher_vector {
  uint32_t id;
  const char *key, *iv, *sealed, *clear;
} cipher_vector;

static const cipher_vector cipher_vectors[] = {
    {0x660E, "000102030405060708090a0b0c0d0e0f", NULL, "69c4e0d86a7b0430d8cdb78070b4c55a",
     "00112233445566778899aabbccddeeff"},
    {0x660F, "000102030405060708090a0b0c0d0e0f1011121314151617", NULL,
     "dda97ca4864cdfe06eaf70a0ec0d7191", "00112233445566778899aabbccddeeff"},
    {0x6610, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL,
     "8ea2b7ca516745bfeafc49904b496089", "00112233445566778899aabbccddeeff"},
    {0x6610, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "000102030405060708090a0b0c0d0e0f",
     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"},
    {0x6601, "0101010101010101", NULL, "95f8a5e5dd31d900", "8000000000000000"},
    {0x6603, "0123456789abcdef23456789abcdef01456789abcdef0123", NULL, "a826fd8ce53b855f",
     "5468652071756663"},
    {0x6609, "01010101010101010101010101010101", NULL, "95f8a5e5dd31d900", "8000000000000000"},
    {0x6801, "0102030405", NULL, "b2396305f03dc027", "0000000000000000"},
    {0x6801, "0102030405060708090a0b0c0d0e0f10", NULL, "9ac7cc9a609d1ef7", "0000000000000000"},
};

static void ciphers(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cipher_vectors); i++) {
    const cipher_vector *v = &cipher_vectors[i];
    uint8_t key[MAX_HEX], iv[MAX_HEX], sealed[MAX_HEX], clear[MAX_HEX], out[MAX_HEX];
    const km_cipher_kind *kind = km_cipher_find(v->id);
    assert_non_null(kind);
    km_bytes in = of_hex(v->sealed, sealed), key_bytes = of_hex(v->key, key);
    if (v->iv != NULL)
      (void)of_hex(v->iv, iv);
    (void)of_hex(v->clear, clear);
    assert_true(km_cipher_decrypt(kind, key_bytes, v->iv != NULL ? iv : NULL, in, out));
    assert_memory_equal(out, clear, in.size);
    /* In place, and never with a key or a size that does not fit. */
    assert_true(km_cipher_decrypt(kind, key_bytes, v->iv != NULL ? iv : NULL, in, sealed));
    assert_memory_equal(sealed, clear, in.size);
    km_bytes short_key = {key, kind->block != 0 ? key_bytes.size - 1 : 4};
    assert_false(km_cipher_decrypt(kind, short_key, NULL, in, out));
    if (kind->block != 0)
      assert_false(km_cipher_decrypt(kind, key_bytes, NULL, (km_bytes){sealed, 7}, out));
  }
  assert_null(km_cipher_find(0x6602));
}

/* ---- RSA: a key is made for each test; CAPI's and CNG's form of it ---- */

enum { BITS = 512, BYTES = BITS / 8, ROOM = BYTES + 8, HALF = ROOM / 2 };
enum { CAPI_SIZE = 20 + 2 * ROOM + 5 * HALF };

typedef struct made_key {
  km_public_key public_key;
  uint8_t capi[CAPI_SIZE], cng[1024];
  size_t cng_size;
} made_key;

/* Where the numbers of CAPI's form are. */
enum { N_AT = 20, P_AT = N_AT + ROOM, Q_AT = P_AT + HALF, DP_AT = Q_AT + HALF };
enum { DQ_AT = DP_AT + HALF, QINV_AT = DQ_AT + HALF, D_AT = QINV_AT + HALF };

static void put_u32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (8 * i));
}

/* Little endian at `at`, big endian at the end of CNG's. */
static void put_number(made_key *out, size_t at, const mp_int *number, size_t size, bool in_cng) {
  uint8_t big[BYTES] = {0};
  size_t used = mp_ubin_size(number);
  assert_true(used <= size);
  assert_int_equal(mp_to_ubin(number, big + size - used, used, NULL), MP_OKAY);
  for (size_t i = 0; i < size; i++)
    out->capi[at + i] = big[size - 1 - i];
  if (in_cng) {
    memcpy(out->cng + out->cng_size, big, size);
    out->cng_size += size;
  }
}

static void make_prime(mp_int *prime, mp_int *minus_one, const mp_int *e) {
  mp_int gcd;
  assert_int_equal(mp_init(&gcd), MP_OKAY);
  do {
    assert_int_equal(mp_prime_rand(prime, 8, BITS / 2, MP_PRIME_2MSB_ON), MP_OKAY);
    assert_int_equal(mp_sub_d(prime, 1, minus_one), MP_OKAY);
    assert_int_equal(mp_gcd(minus_one, e, &gcd), MP_OKAY);
  } while (mp_cmp_d(&gcd, 1) != MP_EQ);
  mp_clear(&gcd);
}

static void make_key(made_key *out) {
  mp_int n, e, d, p, q, p1, q1, work;
  memset(out, 0, sizeof *out);
  assert_int_equal(mp_init_multi(&n, &e, &d, &p, &q, &p1, &q1, &work, NULL), MP_OKAY);
  mp_set_u32(&e, 65537);
  make_prime(&p, &p1, &e);
  make_prime(&q, &q1, &e);
  assert_int_equal(mp_mul(&p, &q, &n), MP_OKAY);
  assert_int_equal(mp_mul(&p1, &q1, &work), MP_OKAY);
  assert_int_equal(mp_invmod(&e, &work, &d), MP_OKAY);
  memcpy(out->capi, "RSA2", 4);
  const uint32_t head[] = {ROOM, BITS, BYTES - 1, 65537};
  for (size_t i = 0; i < COUNT_OF(head); i++)
    put_u32(out->capi + 4 + 4 * i, head[i]);
  memcpy(out->cng, "RSA2", 4);
  const uint32_t cng_head[] = {BITS, 3, BYTES, BYTES / 2, BYTES / 2};
  for (size_t i = 0; i < COUNT_OF(cng_head); i++)
    put_u32(out->cng + 4 + 4 * i, cng_head[i]);
  memcpy(out->cng + 24, "\1\0\1", 3);
  out->cng_size = 27;
  put_number(out, N_AT, &n, BYTES, true);
  put_number(out, P_AT, &p, BYTES / 2, true);
  put_number(out, Q_AT, &q, BYTES / 2, true);
  put_number(out, D_AT, &d, BYTES, false);
  assert_int_equal(mp_mod(&d, &p1, &work), MP_OKAY);
  put_number(out, DP_AT, &work, BYTES / 2, false);
  assert_int_equal(mp_mod(&d, &q1, &work), MP_OKAY);
  put_number(out, DQ_AT, &work, BYTES / 2, false);
  assert_int_equal(mp_invmod(&q, &p, &work), MP_OKAY);
  put_number(out, QINV_AT, &work, BYTES / 2, false);
  out->public_key.present = true;
  out->public_key.bits = BITS;
  out->public_key.exponent = 65537;
  memcpy(out->public_key.modulus, out->capi + N_AT, BYTES);
  mp_clear_multi(&n, &e, &d, &p, &q, &p1, &q1, &work, NULL);
}

static km_private try_capi(const made_key *made, size_t size, const char **why) {
  km_rsa key;
  km_private verdict = km_private_capi((km_bytes){made->capi, size}, &made->public_key, &key, why);
  km_rsa_clear(&key);
  return verdict;
}

static void capi_keys(void **state) {
  (void)state;
  static made_key made, spoilt;
  static const size_t places[] = {N_AT,    P_AT,     Q_AT,     DP_AT,     DQ_AT,
                                  QINV_AT, D_AT + 5, N_AT + 9, P_AT + 31, D_AT + 63};
  const char *why;
  make_key(&made);
  assert_int_equal(try_capi(&made, CAPI_SIZE, &why), KM_PRIVATE_FITS);
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    spoilt = made;
    spoilt.capi[places[i]] ^= 2;
    assert_int_equal(try_capi(&spoilt, CAPI_SIZE, &why), KM_PRIVATE_MISMATCH);
    assert_true(why[0] != '\0');
  }
  for (size_t at = 0; at < 20;
       at++) { /* every field of the header counts but the last byte's index */
    spoilt = made;
    spoilt.capi[at] ^= 0x10;
    bool counts = at < 12 || at >= 16;
    assert_int_equal(try_capi(&spoilt, CAPI_SIZE, &why),
                     counts ? KM_PRIVATE_MISMATCH : KM_PRIVATE_FITS);
  }
  for (size_t size = 0; size < CAPI_SIZE; size++)
    assert_int_equal(try_capi(&made, size, &why), KM_PRIVATE_MISMATCH);
  make_key(&spoilt); /* another key */
  spoilt.public_key = made.public_key;
  assert_int_equal(try_capi(&spoilt, CAPI_SIZE, &why), KM_PRIVATE_MISMATCH);
  assert_string_equal(why, "its modulus is another");
}

/* n = 1 n and n = n 1 make the modulus without being its factors. */
static void trivial_factors(void **state) {
  (void)state;
  static made_key made;
  const char *why;
  make_key(&made);
  uint8_t one[BYTES] = {1};
  const km_rsa_numbers numbers = {.little_endian = true,
                                  .n = {made.capi + N_AT, BYTES},
                                  .e = {made.capi + 16, 4},
                                  .p = {made.capi + N_AT, BYTES},
                                  .q = {one, BYTES}};
  km_rsa key;
  assert_int_equal(km_rsa_load(&key, &numbers, (km_bytes){made.public_key.modulus, BYTES}, 65537),
                   KM_RSA_NOT_PRODUCT);
  km_rsa_clear(&key);
  memset(made.capi + P_AT, 0, 2 * HALF);
  assert_int_equal(try_capi(&made, CAPI_SIZE, &why), KM_PRIVATE_MISMATCH);
}

static void cng_keys(void **state) {
  (void)state;
  static made_key made;
  static const km_public_key none;
  const char *why;
  km_rsa key;
  make_key(&made);
  assert_int_equal(
      km_private_cng((km_bytes){made.cng, made.cng_size}, &made.public_key, &key, &why),
      KM_PRIVATE_FITS);
  km_rsa_clear(&key);
  assert_int_equal(km_private_cng((km_bytes){made.cng, made.cng_size}, &none, &key, &why),
                   KM_PRIVATE_FITS);
  km_rsa_clear(&key);
  for (size_t at = 0; at < made.cng_size; at++) {
    uint8_t right = made.cng[at];
    made.cng[at] ^= 0x40;
    km_private verdict =
        km_private_cng((km_bytes){made.cng, made.cng_size}, &made.public_key, &key, &why);
    bool counts = at < 4 || at >= 8; /* the bits stand in the modulus' length too */
    assert_int_equal(verdict, counts ? KM_PRIVATE_MISMATCH : KM_PRIVATE_FITS);
    km_rsa_clear(&key);
    made.cng[at] = right;
  }
  for (size_t size = 0; size < made.cng_size; size++) {
    assert_int_equal(km_private_cng((km_bytes){made.cng, size}, &made.public_key, &key, &why),
                     KM_PRIVATE_MISMATCH);
    km_rsa_clear(&key);
  }
  assert_int_equal(km_private_cng((km_bytes){(const uint8_t *)"KDBM....", 8}, &none, &key, &why),
                   KM_PRIVATE_SYMMETRIC);
  assert_int_equal(km_private_cng((km_bytes){(const uint8_t *)"ECS2....", 8}, &none, &key, &why),
                   KM_PRIVATE_UNKNOWN);
}

/* (m^e)^d is m. */
static void private_operation(void **state) {
  (void)state;
  static made_key made;
  uint8_t in[BYTES], out[BYTES], le[BYTES];
  const char *why;
  km_rsa key;
  mp_int m;
  bool memory;
  make_key(&made);
  assert_int_equal(km_private_capi((km_bytes){made.capi, CAPI_SIZE}, &made.public_key, &key, &why),
                   KM_PRIVATE_FITS);
  for (size_t i = 0; i < BYTES; i++)
    in[i] = (uint8_t)(i * 7);
  assert_int_equal(mp_init(&m), MP_OKAY);
  assert_int_equal(mp_from_ubin(&m, in, BYTES), MP_OKAY);
  assert_int_equal(mp_exptmod(&m, &key.e, &key.n, &m), MP_OKAY);
  memset(out, 0, sizeof out);
  assert_int_equal(mp_to_ubin(&m, out + BYTES - mp_ubin_size(&m), mp_ubin_size(&m), NULL), MP_OKAY);
  for (size_t i = 0; i < BYTES; i++)
    le[i] = out[BYTES - 1 - i];
  assert_true(km_rsa_private(&key, (km_bytes){le, BYTES}, out, &memory));
  assert_memory_equal(out, in, BYTES);
  assert_false(km_rsa_private(&key, (km_bytes){made.public_key.modulus, BYTES}, out, &memory));
  assert_false(memory);
  mp_clear(&m);
  km_rsa_clear(&key);
}

/* ---- Locked memory ---- */

static void locked_blocks(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 64, 65, 4096, 16384, 16385, 200000};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    uint8_t *first = km_locked_alloc(sizes[i]);
    assert_non_null(first);
    memset(first, 0xA5, sizes[i]);
    uint8_t *second = km_locked_alloc(sizes[i]);
    assert_ptr_not_equal(first, second);
    memset(second, 0x5A, sizes[i]);
    assert_int_equal(first[sizes[i] - 1], 0xA5);
    km_locked_free(first, sizes[i]);
    if (sizes[i] <= 16384) /* its pages are still there: wiped but for the list's link */
      for (size_t at = sizeof(void *); at < sizes[i]; at++)
        assert_int_equal(first[at], 0);
    first = km_locked_alloc(sizes[i]); /* and the next one finds zeros */
    for (size_t at = 0; at < sizes[i]; at++)
      assert_int_equal(first[at], 0);
    km_locked_free(first, sizes[i]);
    km_locked_free(second, sizes[i]);
  }
  km_locked_free(NULL, 5);
}

/* The pages are locked and left out of core dumps, as the kernel tells. */
static void locked_pages(void **state) {
  (void)state;
  char line[512];
  bool here = false, locked = false, hidden = false;
  void *block = km_locked_alloc(128);
  FILE *maps = fopen("/proc/self/smaps", "r");
  assert_non_null(maps);
  while (fgets(line, sizeof line, maps) != NULL) {
    char *rest;
    unsigned long begin = strtoul(line, &rest, 16);
    unsigned long end = *rest == '-' ? strtoul(rest + 1, &rest, 16) : 0;
    if (end != 0)
      here = (unsigned long)block >= begin && (unsigned long)block < end;
    if (here && strncmp(line, "VmFlags:", 8) == 0) {
      locked = strstr(line, " lo") != NULL;
      hidden = strstr(line, " dd") != NULL;
    }
  }
  (void)fclose(maps);
  assert_true(hidden);
  if (!locked)
    print_message("locked_pages: this process may lock no memory\n");
  km_locked_free(block, 128);
}

int test_cipher(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes),        cmocka_unit_test(ciphers),
      cmocka_unit_test(capi_keys),     cmocka_unit_test(trivial_factors),
      cmocka_unit_test(cng_keys),      cmocka_unit_test(private_operation),
      cmocka_unit_test(locked_blocks), cmocka_unit_test(locked_pages),
  };
  return cmocka_run_group_tests_name("cipher", tests, NULL, NULL);
}
