/* hash.c: container hashes, SHA-256 and CRC-32C. MD5 and SHA-256 come from LibTomCrypt. */
#include <stdlib.h>
#include <string.h>

#include <tomcrypt.h>

#include "backend.h"
#include "text.h"

#define KM_MD5_SIZE 16
#define KM_SHA256_SIZE 32

/* LibTomCrypt may end the process when it gets a bad argument: the functions below give it no
 * NULL, and no piece longer than this (its lengths are unsigned long: 32 bits on Windows). */
#define HASH_PIECE ((size_t)1 << 30)

static const char hex_digits[] = "0123456789abcdef";

static void hex_text(const uint8_t *data, size_t size, char *text) {
  for (size_t i = 0; i < size; i++) {
    *text++ = hex_digits[data[i] >> 4];
    *text++ = hex_digits[data[i] & 15];
  }
  *text = '\0';
}

/* ---- Container hashes ---- */

/* MD5 as CryptoAPI prints it: four words, each read little endian and printed as a number. */
static void md5_words(const uint8_t *data, size_t size, char hash[KM_HASH_TEXT]) {
  hash_state state;
  uint8_t digest[KM_MD5_SIZE];
  uint8_t words[KM_MD5_SIZE];
  md5_init(&state);
  md5_process(&state, data, (unsigned long)size);
  md5_done(&state, digest);
  for (size_t i = 0; i < KM_MD5_SIZE; i++)
    words[i] = digest[i ^ 3];
  hex_text(words, KM_MD5_SIZE, hash);
}

/* Checks what both kinds of container name have in common; *length gets the bytes without NUL. */
static km_status check_container(const char *container, size_t *length, km_error *error) {
  if (container == NULL || container[0] == '\0')
    return km_fail(error, KM_MISUSE, 0,
                   "container hash: the container name is empty; give its name");
  *length = strlen(container);
  if (*length >= KM_MAX_CONTAINER)
    return km_fail(error, KM_MISUSE, 0,
                   "container hash: the container name has %zu bytes; the longest allowed is %d",
                   *length, KM_MAX_CONTAINER - 1);
  return KM_OK;
}

static km_status broken_name(size_t offset, km_error *error) {
  return km_fail(error, KM_MISUSE, 0,
                 "container hash: the container name is no UTF-8 at byte %zu; give it as UTF-8",
                 offset);
}

static uint32_t lower_ascii(uint32_t code) {
  return code >= 'A' && code <= 'Z' ? code + 32 : code;
}

km_status km_container_hash(const char *container, char hash[KM_HASH_TEXT], km_error *error) {
  uint8_t name[KM_MAX_CONTAINER];
  size_t length = 0;
  hash[0] = '\0';
  km_status status = check_container(container, &length, error);
  if (status != KM_OK)
    return status;
  size_t count = 0;
  size_t used = 0;
  for (size_t at = 0; at < length; at += used) {
    uint32_t code = km_utf8_next(container + at, length - at, &used);
    if (code >= KM_BROKEN_BYTE)
      return broken_name(at, error);
    int byte = km_cp1252_from_code(lower_ascii(code));
    if (byte < 0)
      return km_fail(
          error, KM_MISUSE, 0,
          "container hash: U+%04X at byte %zu of the container name is not in Windows-1252, "
          "so the name has no ANSI form and no CAPI container can have it",
          (unsigned)code, at);
    name[count++] = (uint8_t)byte;
  }
  name[count++] = 0;
  md5_words(name, count, hash);
  return KM_OK;
}

static size_t put_unit(uint8_t *out, uint32_t unit) {
  out[0] = (uint8_t)unit;
  out[1] = (uint8_t)(unit >> 8);
  return 2;
}

km_status km_cng_container_hash(const char *container, char hash[KM_HASH_TEXT], km_error *error) {
  uint8_t name[2 * KM_MAX_CONTAINER]; /* a character of n bytes has at most n units */
  size_t length = 0;
  hash[0] = '\0';
  km_status status = check_container(container, &length, error);
  if (status != KM_OK)
    return status;
  size_t count = 0;
  size_t used = 0;
  for (size_t at = 0; at < length; at += used) {
    uint32_t code = km_utf8_next(container + at, length - at, &used);
    if (code >= KM_BROKEN_BYTE)
      return broken_name(at, error);
    code = lower_ascii(code);
    if (code >= 0x10000) {
      count += put_unit(name + count, 0xD7C0 + (code >> 10));
      code = 0xDC00 | (code & 0x3FF);
    }
    count += put_unit(name + count, code);
  }
  count += put_unit(name + count, 0);
  md5_words(name, count, hash);
  return KM_OK;
}

typedef struct known_container {
  const char *hash;
  const char *name;
} known_container;

/* Containers that Windows itself makes. Sorted by use, not by hash: it is a dozen rows. */
static const known_container known_containers[] = {
    {"c2319c42033a5ca7f44e731bfd3fa2b5", "Microsoft Internet Information Server"},
    {"7a436fe806e483969f48a894af2fe9a1", "MS IIS DCOM Server"},
    {"6de9cb26d2b98c01ec4e9e8b34824aa2", "iisConfigurationKey"},
    {"76944fb33636aeddb9590521c2e8815a", "iisWasKey"},
    {"d6d986f09a1ee04e24c949879fdb506c", "NetFrameworkConfigurationKey"},
    {"bedbf0b4da5f8061b6444baedf4c00b1", "WMSvc Certificate Key Container"},
    {"f686aace6942fb7f7ceb231212eef4a4", "TSSecKeySet1"},
    {"19c5cf9c7b5dc9de3e548adb70398402", "SMS"},
    /* CNG */
    {"f0e91f6485ac2d09485e4ec18135601e", "iisCngConfigurationKey"},
    {"597367cc37b886d7ee6c493e3befb421", "iisCngWasKey"},
};

const char *km_known_container(const char *hash) {
  if (hash == NULL)
    return NULL;
  char lower[KM_HASH_TEXT];
  size_t length = 0;
  for (; hash[length] != '\0'; length++) {
    if (length == KM_HASH_TEXT - 1)
      return NULL;
    lower[length] = (char)lower_ascii((uint8_t)hash[length]);
  }
  lower[length] = '\0';
  for (size_t i = 0; i < sizeof known_containers / sizeof known_containers[0]; i++)
    if (strcmp(known_containers[i].hash, lower) == 0)
      return known_containers[i].name;
  return NULL;
}

/* ---- SHA-256 ---- */

struct km_sha256_state {
  hash_state tomcrypt;
};

km_sha256_state *km_sha256_begin(void) {
  km_sha256_state *state = malloc(sizeof *state);
  if (state != NULL)
    sha256_init(&state->tomcrypt);
  return state;
}

static void add_pieces(hash_state *state, const void *data, size_t size) {
  const uint8_t *bytes = data;
  while (size > 0) {
    size_t piece = size < HASH_PIECE ? size : HASH_PIECE;
    sha256_process(state, bytes, (unsigned long)piece);
    bytes += piece;
    size -= piece;
  }
}

static void finish(hash_state *state, char text[KM_SHA256_TEXT]) {
  uint8_t digest[KM_SHA256_SIZE];
  sha256_done(state, digest);
  hex_text(digest, sizeof digest, text);
  km_wipe(state, sizeof *state); /* holds the last bytes of what was hashed */
}

void km_sha256_add(km_sha256_state *state, const void *data, size_t size) {
  add_pieces(&state->tomcrypt, data, size);
}

void km_sha256_finish(km_sha256_state *state, char text[KM_SHA256_TEXT]) {
  if (state == NULL)
    return;
  finish(&state->tomcrypt, text);
  free(state);
}

void km_sha256(const void *data, size_t size, char text[KM_SHA256_TEXT]) {
  hash_state state;
  sha256_init(&state);
  add_pieces(&state, data, size);
  finish(&state, text);
}

/* ---- CRC-32C (Castagnoli, reflected polynomial 82F63B78; RFC 3720) ---- */

uint32_t km_crc32c(uint32_t crc, const void *data, size_t size) {
  /* What one nibble adds; two steps a byte are fast enough for a journal. */
  static const uint32_t nibble[16] = {0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1,
                                      0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
                                      0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
                                      0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};
  const uint8_t *bytes = data;
  crc = ~crc;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    crc = crc >> 4 ^ nibble[crc & 15];
    crc = crc >> 4 ^ nibble[crc & 15];
  }
  return ~crc;
}
