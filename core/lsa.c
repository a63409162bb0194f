/* lsa.c: the LSA's secrets as the hives SYSTEM and SECURITY hold them. */
#include "lsa.h"

#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "bytes.h"
#include "secret.h"

/* Bytes of an encrypted value; real ones have some hundred. */
enum { KM_MAX_LSA_VALUE = 65536 };

enum { ROUNDS = 1000 };

static km_status damaged(km_error *error, const char *what, size_t size) {
  return km_fail(error, KM_DAMAGED, 0, "%s is not as Windows writes it (%zu bytes)", what, size);
}

static km_status no_memory(km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "open the system's secrets: out of memory");
}

/* ---- Boot key ---- */

static int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

km_status km_lsa_boot_key(const char *const classes[4], uint8_t boot_key[KM_BOOT_KEY_SIZE],
                          km_error *error) {
  static const uint8_t order[KM_BOOT_KEY_SIZE] = {8, 5, 4, 2,  11, 9,  13, 3,
                                                  0, 6, 1, 12, 14, 10, 15, 7};
  static const char *const names[] = {"JD", "Skew1", "GBG", "Data"};
  uint8_t mixed[KM_BOOT_KEY_SIZE];
  for (size_t i = 0; i < 4; i++) {
    size_t length = strlen(classes[i]);
    for (size_t j = 0; j < 4; j++) {
      int high = length == 8 ? digit(classes[i][2 * j]) : -1;
      int low = length == 8 ? digit(classes[i][2 * j + 1]) : -1;
      if (high < 0 || low < 0)
        return km_fail(
            error, KM_DAMAGED, 0,
            "the boot key in the SYSTEM hive is damaged (the class name of the key %s of "
            "Control\\Lsa is no part of one), so nothing can be decrypted: restore SYSTEM "
            "and SECURITY from one backup",
            names[i]);
      mixed[4 * i + j] = (uint8_t)(high << 4 | low);
    }
  }
  for (size_t i = 0; i < KM_BOOT_KEY_SIZE; i++)
    boot_key[i] = mixed[order[i]];
  km_wipe(mixed, sizeof mixed);
  return KM_OK;
}

/* ---- NT 6 ----
 *
 * A value: u32 version, GUID of its key, u32 algorithm, u32 flags, salt[32], encrypted: u32 length, 12 bytes, content. The key
 * is SHA-256 of the key above and a thousand times the salt; each block is encrypted on its own. */

enum { NT6_HEADER = 28, NT6_KEY_ID = 4, NT6_SALT = 32, NT6_INNER = 16, GUID_SIZE = 16 };

/* The content of PolEKList: 28 bytes, then keys: GUID, u32 algorithm, u32 length, key. */
enum { KEYS_AT = 28, KEY_HEADER = 24 };

/* Decrypts to `clear` (as large as the value); *content points into it. */
static km_status open_nt6(km_bytes key, km_bytes value, const char *what, uint8_t *clear,
                          km_bytes *content, km_error *error) {
  enum { HEAD = NT6_HEADER + NT6_SALT };
  uint8_t derived[32];
  hash_state state;
  if (value.size < HEAD + NT6_INNER || (value.size - HEAD) % 16 != 0)
    return damaged(error, what, value.size);
  (void)sha256_init(&state);
  (void)sha256_process(&state, key.data, (unsigned long)key.size);
  for (int i = 0; i < ROUNDS; i++)
    (void)sha256_process(&state, value.data + NT6_HEADER, NT6_SALT);
  (void)sha256_done(&state, derived);
  bool done = km_cipher_decrypt(&km_cipher_aes256, (km_bytes){derived, sizeof derived}, NULL,
                                (km_bytes){value.data + HEAD, value.size - HEAD}, clear);
  km_wipe(derived, sizeof derived);
  km_wipe(&state, sizeof state);
  if (!done)
    return no_memory(error);
  *content = (km_bytes){clear + NT6_INNER, km_u32(clear)};
  return content->size <= value.size - HEAD - NT6_INNER
             ? KM_OK
             : km_fail(
                   error, KM_DAMAGED, 0,
                   "%s does not open: it and the boot key are not of one system, or one of them "
                   "is damaged",
                   what);
}

/* Of the keys in the list the first serves every secret; a list has one. */
static km_status take_key(km_bytes list, km_lsa_key *out, km_error *error) {
  static const char what[] = "the value of Policy\\PolEKList, decrypted,";
  if (list.size < KEYS_AT + KEY_HEADER + KM_MAX_LSA_KEY)
    return damaged(error, what, list.size);
  if (km_u32(list.data + KEYS_AT + KEY_HEADER - 4) != KM_MAX_LSA_KEY)
    return km_fail(
        error, KM_DAMAGED, 0,
        "the value of Policy\\PolEKList does not open: it and the boot key are not of one "
        "system, or one of them is damaged");
  out->size = KM_MAX_LSA_KEY;
  memcpy(out->key, list.data + KEYS_AT + KEY_HEADER, KM_MAX_LSA_KEY);
  return KM_OK;
}

/* ---- NT 5 ----
 *
 * The key: 12 bytes, encrypted[48] whose bytes 16 to 31 are it, salt[16]; RC4 with MD5 of the boot key and a thousand times
 * the salt. A secret: u32 size of what is encrypted, which stands at the end; eight bytes each by DES with the next seven
 * bytes of the key, which is gone round. Clear: u32 length, u32 version, content. */

enum { NT5_ENCRYPTED = 12, NT5_ENCRYPTED_SIZE = 48, NT5_SALT = 60, NT5_VALUE = 76, NT5_KEY = 16 };

static km_status open_nt5_key(const uint8_t boot_key[KM_BOOT_KEY_SIZE], km_bytes value,
                              km_lsa_key *out, km_error *error) {
  uint8_t derived[16], clear[NT5_ENCRYPTED_SIZE];
  hash_state state;
  if (value.size < NT5_VALUE)
    return damaged(error, "the value of Policy\\PolSecretEncryptionKey", value.size);
  (void)md5_init(&state);
  (void)md5_process(&state, boot_key, KM_BOOT_KEY_SIZE);
  for (int i = 0; i < ROUNDS; i++)
    (void)md5_process(&state, value.data + NT5_SALT, 16);
  (void)md5_done(&state, derived);
  bool done = km_cipher_decrypt(&km_cipher_rc4, (km_bytes){derived, sizeof derived}, NULL,
                                (km_bytes){value.data + NT5_ENCRYPTED, NT5_ENCRYPTED_SIZE}, clear);
  out->size = NT5_KEY;
  memcpy(out->key, clear + 16, NT5_KEY);
  km_wipe(derived, sizeof derived);
  km_wipe(clear, sizeof clear);
  km_wipe(&state, sizeof state);
  return done ? KM_OK : no_memory(error);
}

/* Seven bytes as a DES key: seven bits in each of eight bytes, the parity left out. */
static void spread(const uint8_t seven[7], uint8_t eight[8]) {
  uint64_t bits = 0;
  for (int i = 0; i < 7; i++)
    bits = bits << 8 | seven[i];
  for (int i = 0; i < 8; i++)
    eight[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
}

/* Decrypts to `clear` (as large as the value); *content points into it. */
static km_status open_nt5(const km_lsa_key *key, km_bytes value, const char *what, uint8_t *clear,
                          km_bytes *content, km_error *error) {
  uint8_t seven[7], eight[8];
  uint32_t size = value.size < 4 ? 0 : km_u32(value.data);
  if (size < 8 || size % 8 != 0 || size > value.size - 4)
    return damaged(error, what, value.size);
  const uint8_t *encrypted = value.data + value.size - size;
  size_t next = 0;
  bool done = true;
  for (size_t at = 0; done && at < size; at += 8) {
    /* What is left at the key's end is too short for one more: then it begins anew, where that would have ended. */
    if (key->size - next < 7)
      next = key->size - next;
    memcpy(seven, key->key + next, 7);
    next += 7;
    spread(seven, eight);
    done = km_cipher_decrypt(&km_cipher_des, (km_bytes){eight, 8}, NULL,
                             (km_bytes){encrypted + at, 8}, clear + at);
  }
  km_wipe(seven, sizeof seven);
  km_wipe(eight, sizeof eight);
  if (!done)
    return no_memory(error);
  *content = (km_bytes){clear + 8, km_u32(clear)};
  return content->size <= size - 8
             ? KM_OK
             : km_fail(
                   error, KM_DAMAGED, 0,
                   "%s does not open: the hives SYSTEM and SECURITY are not of one system, or one "
                   "of them is damaged",
                   what);
}

/* ---- Both ---- */

km_status km_lsa_key_open(km_lsa_form form, const uint8_t boot_key[KM_BOOT_KEY_SIZE],
                          km_bytes value, km_lsa_key *out, km_error *error) {
  static const char what[] = "the value of Policy\\PolEKList";
  memset(out, 0, sizeof *out);
  out->form = form;
  if (value.size > KM_MAX_LSA_VALUE)
    return damaged(error, "the LSA key's value", value.size);
  if (form == KM_LSA_NT5)
    return open_nt5_key(boot_key, value, out, error);
  uint8_t *clear = km_locked_alloc(value.size + 1);
  if (clear == NULL)
    return no_memory(error);
  km_bytes list = {NULL, 0};
  km_status status =
      open_nt6((km_bytes){boot_key, KM_BOOT_KEY_SIZE}, value, what, clear, &list, error);
  if (status == KM_OK)
    status = take_key(list, out, error);
  km_locked_free(clear, value.size + 1);
  return status;
}

km_status km_lsa_dpapi_system(const km_lsa_key *key, km_bytes value,
                              uint8_t secret[KM_DPAPI_SYSTEM_SIZE], km_error *error) {
  static const char what[] = "the LSA secret DPAPI_SYSTEM";
  if (value.size > KM_MAX_LSA_VALUE)
    return damaged(error, what, value.size);
  uint8_t *clear = km_locked_alloc(value.size + 1);
  if (clear == NULL)
    return no_memory(error);
  km_bytes content = {NULL, 0};
  km_status status = key->form == KM_LSA_NT5 ? open_nt5(key, value, what, clear, &content, error)
                                             : open_nt6((km_bytes){key->key, key->size}, value,
                                                        what, clear, &content, error);
  if (status == KM_OK && (content.size < KM_DPAPI_SYSTEM_SIZE || km_u32(content.data) != 1))
    status =
        km_fail(error, KM_DAMAGED, 0,
                "%s does not open: the hives SYSTEM and SECURITY are not of one system, or one of "
                "them is damaged",
                what);
  if (status == KM_OK)
    memcpy(secret, content.data, KM_DPAPI_SYSTEM_SIZE);
  km_locked_free(clear, value.size + 1);
  return status;
}
