/* metabase.c: the session key of the IIS 5 and 6 metabase. */
#include "metabase.h"

#include <stdlib.h>
#include <string.h>

#include <tommath.h>

#include "bytes.h"
#include "xml.h"

#define KM_MAX_METABASE_DEPTH 100 /* elements of MetaBase.xml inside each other */

/* ---- The value ---- */

enum { HEADER = 16, COUNTED_FROM = 8, ALIGNMENT = 8 };

static const uint8_t magic[4] = {'I', 'c', 'K', 'b'};

static size_t aligned(size_t size) {
  return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

km_status km_metabase_key_parse(const uint8_t *data, size_t size, km_metabase_key *out,
                                km_error *error) {
  memset(out, 0, sizeof *out);
  if (size < HEADER || memcmp(data, magic, sizeof magic) != 0)
    return km_fail(error, KM_DAMAGED, 0, "SessionKey: it does not begin with IcKb");
  uint32_t total = km_u32(data + 4), blob = km_u32(data + 8), signature = km_u32(data + 12);
  if (total > size - COUNTED_FROM || total > KM_MAX_METABASE_KEY || blob > total ||
      signature > total)
    return km_fail(error, KM_DAMAGED, 0,
                   "SessionKey: its lengths %lu, %lu and %lu do not fit %zu bytes",
                   (unsigned long)total, (unsigned long)blob, (unsigned long)signature, size);
  size_t end = aligned(HEADER + (size_t)blob);
  if (blob == 0 || end + signature != COUNTED_FROM + (size_t)total)
    return km_fail(error, KM_DAMAGED, 0,
                   "SessionKey: a session key of %lu bytes and a signature of %lu do not make %lu",
                   (unsigned long)blob, (unsigned long)signature, (unsigned long)total);
  out->blob = data + HEADER;
  out->blob_size = blob;
  out->signature = data + end;
  out->signature_size = signature;
  out->size = COUNTED_FROM + (size_t)total;
  return KM_OK;
}

/* ---- MetaBase.xml ---- */

typedef struct finding {
  uint8_t *key;
  size_t size;
  bool found, hex;
} finding;

static int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool decode(const char *text, uint8_t *out, size_t *size) {
  size_t length = strlen(text);
  *size = 0;
  if (length % 2 != 0 || length / 2 > KM_MAX_METABASE_KEY)
    return false;
  for (size_t i = 0; i < length; i += 2) {
    int high = digit_of(text[i]), low = digit_of(text[i + 1]);
    if (high < 0 || low < 0)
      return false;
    out[(*size)++] = (uint8_t)(high << 4 | low);
  }
  return *size > 0;
}

/* The one element that counts ends the reading. */
static km_status begin_element(void *user, size_t depth, const char *name,
                               const char **attributes) {
  finding *f = user;
  const char *text = km_xml_attribute(attributes, "SessionKey");
  (void)depth;
  if (text == NULL || strcmp(name, "IIS_Global") != 0)
    return KM_OK;
  f->key = malloc(KM_MAX_METABASE_KEY);
  if (f->key == NULL)
    return KM_MEMORY;
  f->found = true;
  f->hex = decode(text, f->key, &f->size);
  return KM_END;
}

km_status km_metabase_xml_find(const uint8_t *data, size_t size, uint8_t **key, size_t *key_size,
                               km_error *error) {
  finding f = {NULL, 0, false, false};
  km_xml_reader reader = {begin_element, NULL, &f, KM_MAX_METABASE_DEPTH};
  *key = NULL;
  *key_size = 0;
  if (size > KM_MAX_METABASE)
    return km_fail(error, KM_LIMIT, 0, "the metabase is larger than %zu MiB",
                   KM_MAX_METABASE >> 20);
  km_status status = km_xml_read(data, size, &reader, error);
  if (status == KM_OK && !f.found)
    status = km_fail(error, KM_NOT_FOUND, 0, "it has no SessionKey");
  else if (status == KM_OK && !f.hex)
    status = km_fail(error, KM_DAMAGED, 0, "its SessionKey is not of hex digits");
  if (status != KM_OK) {
    free(f.key);
    return status;
  }
  *key = f.key;
  *key_size = f.size;
  return KM_OK;
}

/* ---- MetaBase.bin ---- */

bool km_metabase_search(const uint8_t *data, size_t size, size_t *at, km_metabase_key *out) {
  for (size_t i = *at; i + HEADER <= size; i++) {
    const uint8_t *found = memchr(data + i, magic[0], size - HEADER - i + 1);
    if (found == NULL)
      return false;
    i = (size_t)(found - data);
    if (km_metabase_key_parse(found, size - i, out, NULL) == KM_OK) {
      *at = i;
      return true;
    }
  }
  return false;
}

/* ---- Signature ---- */

/* Sets a number from bytes in little endian order; false: out of memory. */
static bool set_number(mp_int *number, const uint8_t *bytes_le, size_t size) {
  uint8_t bytes[KM_MAX_MODULUS];
  for (size_t i = 0; i < size; i++)
    bytes[i] = bytes_le[size - 1 - i];
  return mp_from_ubin(number, bytes, size) == MP_OKAY;
}

/* Writes a number with zeros in front. */
static bool get_number(const mp_int *number, uint8_t *bytes_be, size_t size) {
  size_t needed = mp_ubin_size(number), written = 0;
  if (needed > size)
    return false;
  memset(bytes_be, 0, size);
  return mp_to_ubin(number, bytes_be + (size - needed), needed, &written) == MP_OKAY;
}

km_status km_rsa_public(const km_public_key *key, const uint8_t *in_le, uint8_t *out_be,
                        km_error *error) {
  size_t size = key->bits / 8;
  mp_int n, e, in, out;
  if (size == 0 || size > KM_MAX_MODULUS || key->modulus[0] % 2 == 0)
    return km_fail(error, KM_DAMAGED, 0, "check a signature: the public key is none of RSA");
  if (mp_init_multi(&n, &e, &in, &out, NULL) != MP_OKAY)
    return km_fail(error, KM_MEMORY, 0, "check a signature: out of memory");
  mp_set_u32(&e, key->exponent);
  bool good = set_number(&n, key->modulus, size) && set_number(&in, in_le, size) &&
              mp_exptmod(&in, &e, &n, &out) == MP_OKAY && get_number(&out, out_be, size);
  mp_clear_multi(&n, &e, &in, &out, NULL);
  return good ? KM_OK : km_fail(error, KM_MEMORY, 0, "check a signature: out of memory");
}

/* DigestInfo without the digest itself, and the digest's length. */
typedef struct digest_head {
  uint8_t bytes[18];
  size_t size, digest;
} digest_head;

static const digest_head digest_heads[] = {
    {{0x30, 0x20, 0x30, 0x0C, 0x06, 0x08, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05, 0x05,
      0x00, 0x04, 0x10},
     18,
     16}, /* MD5 */
    {{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14},
     15,
     20}, /* SHA-1 */
};

bool km_signature_block(const uint8_t *block, size_t size) {
  enum { SHORTEST_PADDING = 8 };
  size_t at = 2;
  if (size < 2 || block[0] != 0 || block[1] != 1)
    return false;
  while (at < size && block[at] == 0xFF)
    at++;
  if (at - 2 < SHORTEST_PADDING || at >= size || block[at++] != 0)
    return false;
  for (size_t i = 0; i < sizeof digest_heads / sizeof digest_heads[0]; i++) {
    const digest_head *head = &digest_heads[i];
    if (size - at == head->size + head->digest && memcmp(block + at, head->bytes, head->size) == 0)
      return true;
  }
  return false;
}
