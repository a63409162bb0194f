/* certificate.c: a certificate as the registry keeps it: its properties, and the RSA key in its DER. */
#include "certificate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cipher.h"
#include "text.h"

typedef struct span {
  const uint8_t *data;
  size_t size;
} span;

static km_status damaged(km_error *error, const char *what) {
  return km_fail(error, KM_DAMAGED, 0, "certificate: %s", what);
}

/* ---- Properties ---- */

enum { PROPERTY_HEADER = 12, PROPERTY_KEY = 2, PROPERTY_CERTIFICATE = 32 };

/* Finds the two properties that count; the first of each id is taken. */
static km_status find_properties(span blob, span *key, span *certificate, km_error *error) {
  size_t at = 0;
  for (int count = 0; at < blob.size; count++) {
    if (count == KM_MAX_PROPERTIES)
      return damaged(error, "its list of properties is longer than any certificate's");
    if (blob.size - at < PROPERTY_HEADER)
      return damaged(error, "its list of properties ends inside a property's header");
    uint32_t id = km_u32(blob.data + at), size = km_u32(blob.data + at + 8);
    at += PROPERTY_HEADER;
    if (size > blob.size - at)
      return km_fail(error, KM_DAMAGED, 0,
                     "certificate: property %" PRIu32 " at offset %zu says %" PRIu32
                     " bytes where %zu are left",
                     id, at - PROPERTY_HEADER, size, blob.size - at);
    span value = {blob.data + at, size};
    if (id == PROPERTY_KEY && key->data == NULL)
      *key = value;
    if (id == PROPERTY_CERTIFICATE && certificate->data == NULL)
      *certificate = value;
    at += size;
  }
  return KM_OK;
}

/* KEY_PROV_INFO: offsets of the two names, provider type, flags, two words for parameters, key specification; then the
 * names, UTF-16LE with NUL. */
enum { KEY_HEADER = 28, KEY_TYPE = 8, KEY_FLAGS = 12, KEY_SPEC = 24 };

static km_status read_key_name(span key, km_certificate *out, km_error *error) {
  if (key.size < KEY_HEADER)
    return damaged(error, "the property that names the key container is too short");
  size_t at = km_u32(key.data), used = 0;
  out->provider_type = km_u32(key.data + KEY_TYPE);
  out->flags = km_u32(key.data + KEY_FLAGS);
  out->key_spec = km_u32(key.data + KEY_SPEC);
  if (at < KEY_HEADER || at > key.size)
    return damaged(error, "the name of the key container lies outside its property");
  for (size_t left = (key.size - at) / 2, units = 0; left > 0; left -= units, at += units * 2) {
    uint32_t code = km_utf16_next(key.data + at, left, &units);
    if (code == 0) {
      out->container[used] = '\0';
      out->names_container = used > 0;
      return KM_OK;
    }
    if (used + 4 >= KM_MAX_CONTAINER)
      return damaged(error, "the name of the key container is longer than any");
    size_t length = km_utf8_put(code, out->container + used);
    used += length > 0 ? length : km_utf8_put(0xFFFD, out->container + used);
  }
  out->container[0] = '\0';
  return damaged(error, "the name of the key container has no end");
}

/* ---- DER ----
 *
 * Only definite lengths of at most four bytes and tags of one byte, which is all that X.509 has down to the key. */

enum {
  TAG_INTEGER = 0x02,
  TAG_BIT_STRING = 0x03,
  TAG_OID = 0x06,
  TAG_UTF8 = 0x0C,
  TAG_PRINTABLE = 0x13,
  TAG_T61 = 0x14,
  TAG_IA5 = 0x16,
  TAG_UTC_TIME = 0x17,
  TAG_GENERALIZED_TIME = 0x18,
  TAG_BMP = 0x1E,
  TAG_SEQUENCE = 0x30,
  TAG_SET = 0x31,
  TAG_VERSION = 0xA0
};

/* Takes one element off the front of *from. false: there is none, or it does not fit. */
static bool take(span *from, uint8_t *tag, span *content) {
  if (from->size < 2 || (from->data[0] & 0x1F) == 0x1F)
    return false;
  size_t at = 2, length = from->data[1];
  if (length >= 0x80) {
    size_t bytes = length & 0x7F;
    if (bytes < 1 || bytes > 4 || bytes > from->size - at)
      return false;
    for (length = 0; bytes > 0; bytes--)
      length = length << 8 | from->data[at++];
  }
  if (length > from->size - at)
    return false;
  *tag = from->data[0];
  *content = (span){from->data + at, length};
  *from = (span){from->data + at + length, from->size - at - length};
  return true;
}

/* The same for an element of a known tag. */
static bool take_tag(span *from, uint8_t wanted, span *content) {
  uint8_t tag;
  span rest = *from;
  if (!take(&rest, &tag, content) || tag != wanted)
    return false;
  *from = rest;
  return true;
}

static bool skip(span *from) {
  uint8_t tag;
  span content;
  return take(from, &tag, &content);
}

static bool equals(span s, const void *bytes, size_t size) {
  return s.size == size && memcmp(s.data, bytes, size) == 0;
}

/* ---- Subject ---- */

/* Puts a character behind those that are there; one that does not fit ends the text. */
static bool put(char *text, size_t *used, uint32_t code) {
  char bytes[4];
  size_t length = km_utf8_put(code, bytes);
  if (length == 0)
    length = km_utf8_put(0xFFFD, bytes);
  if (*used + length >= KM_MAX_SUBJECT)
    return false;
  memcpy(text + *used, bytes, length);
  *used += length;
  text[*used] = '\0';
  return true;
}

static void read_string(uint8_t tag, span value, char text[KM_MAX_SUBJECT]) {
  size_t used = 0, step = 1;
  bool room = true;
  text[0] = '\0';
  for (size_t at = 0; room && at < value.size; at += step) {
    if (tag == TAG_UTF8) {
      uint32_t code = km_utf8_next((const char *)value.data + at, value.size - at, &step);
      room = put(text, &used, code);
    } else if (tag == TAG_BMP) {
      step = 2;
      room = value.size - at >= 2 &&
             put(text, &used, (uint32_t)value.data[at] << 8 | value.data[at + 1]);
    } else {
      room = put(text, &used, km_cp1252_to_code(value.data[at]));
    }
  }
}

/* The common name of a Name (a sequence of sets of attribute and value), else its last attribute that is a text. */
static void read_subject(span name, char subject[KM_MAX_SUBJECT]) {
  static const uint8_t common_name[] = {0x55, 0x04, 0x03};
  span set, pair, oid, value;
  uint8_t tag;
  bool found = false;
  subject[0] = '\0';
  while (!found && take_tag(&name, TAG_SET, &set)) {
    while (!found && take_tag(&set, TAG_SEQUENCE, &pair)) {
      if (!take_tag(&pair, TAG_OID, &oid) || !take(&pair, &tag, &value))
        break;
      if (tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_T61 || tag == TAG_IA5 ||
          tag == TAG_BMP) {
        found = equals(oid, common_name, sizeof common_name);
        read_string(tag, value, subject);
      }
    }
  }
}

/* ---- Validity ---- */

/* "YYMMDDhhmmssZ" (50 to 99 are of the 20th century) or "YYYYMMDDhhmmssZ"; 0: neither. */
static km_time read_time(uint8_t tag, span s) {
  char text[KM_TIME_TEXT];
  km_time time = 0;
  size_t years = tag == TAG_GENERALIZED_TIME ? 4 : 2;
  if ((tag != TAG_UTC_TIME && tag != TAG_GENERALIZED_TIME) || s.size != years + 11 ||
      s.data[s.size - 1] != 'Z')
    return 0;
  for (size_t i = 0; i + 1 < s.size; i++)
    if (s.data[i] < '0' || s.data[i] > '9')
      return 0;
  const char *p = (const char *)s.data;
  const char *century = years == 4 ? "" : p[0] >= '5' ? "19" : "20";
  const char *rest = p + years;
  (void)snprintf(text, sizeof text, "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, (int)years, p,
                 rest, rest + 2, rest + 4, rest + 6, rest + 8);
  return km_time_parse(text, &time) ? time : 0;
}

static bool read_validity(span validity, km_certificate *out) {
  uint8_t tag;
  span value;
  if (!take(&validity, &tag, &value))
    return false;
  out->from = read_time(tag, value);
  if (!take(&validity, &tag, &value))
    return false;
  out->until = read_time(tag, value);
  return true;
}

/* ---- Key ---- */

static span without_zeros(span number) {
  while (number.size > 0 && number.data[0] == 0)
    number = (span){number.data + 1, number.size - 1};
  return number;
}

/* RSAPublicKey: modulus and exponent. false: damaged, or larger than KM_MAX_MODULUS. */
static bool read_rsa(span bits, km_certificate *out) {
  span key, modulus, exponent;
  if (bits.size < 1 || bits.data[0] != 0)
    return false;
  bits = (span){bits.data + 1, bits.size - 1};
  if (!take_tag(&bits, TAG_SEQUENCE, &key) || !take_tag(&key, TAG_INTEGER, &modulus) ||
      !take_tag(&key, TAG_INTEGER, &exponent))
    return false;
  modulus = without_zeros(modulus);
  exponent = without_zeros(exponent);
  if (modulus.size == 0 || modulus.size > KM_MAX_MODULUS || exponent.size == 0)
    return false;
  for (size_t i = 0; i < modulus.size; i++)
    out->modulus[i] = modulus.data[modulus.size - 1 - i];
  for (size_t i = 0; exponent.size <= 4 && i < exponent.size; i++)
    out->exponent = out->exponent << 8 | exponent.data[i];
  out->modulus_size = modulus.size;
  out->rsa = true;
  return true;
}

/* SubjectPublicKeyInfo: algorithm (object identifier, parameters), the key as a bit string. */
static bool read_key(span info, km_certificate *out) {
  static const uint8_t rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
  span algorithm, oid, bits;
  if (!take_tag(&info, TAG_SEQUENCE, &algorithm) || !take_tag(&algorithm, TAG_OID, &oid) ||
      !take_tag(&info, TAG_BIT_STRING, &bits))
    return false;
  return !equals(oid, rsa, sizeof rsa) || read_rsa(bits, out);
}

/* Certificate: tbsCertificate (version, serial number, signature algorithm, issuer, validity, subject, key, ...), ... */
static bool read_der(span der, km_certificate *out) {
  span certificate, body, version, part;
  if (!take_tag(&der, TAG_SEQUENCE, &certificate) || !take_tag(&certificate, TAG_SEQUENCE, &body))
    return false;
  (void)take_tag(&body, TAG_VERSION, &version);
  if (!take_tag(&body, TAG_INTEGER, &part) || !skip(&body) || !skip(&body) ||
      !take_tag(&body, TAG_SEQUENCE, &part) || !read_validity(part, out) ||
      !take_tag(&body, TAG_SEQUENCE, &part))
    return false;
  read_subject(part, out->subject);
  return take_tag(&body, TAG_SEQUENCE, &part) && read_key(part, out);
}

static void read_thumbprint(span der, char text[KM_THUMBPRINT_TEXT]) {
  uint8_t digest[KM_SHA1_SIZE];
  km_digest(&km_hash_sha1, &(km_bytes){der.data, der.size}, 1, digest);
  for (size_t i = 0; i < sizeof digest; i++)
    (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

km_status km_certificate_parse(const uint8_t *blob, size_t size, km_certificate *out,
                               km_error *error) {
  span key = {NULL, 0}, der = {NULL, 0};
  memset(out, 0, sizeof *out);
  if (size > KM_MAX_CERTIFICATE)
    return km_fail(error, KM_LIMIT, 0, "certificate: it has %zu bytes; keymend reads at most %d",
                   size, KM_MAX_CERTIFICATE);
  km_status status = find_properties((span){blob, size}, &key, &der, error);
  if (status == KM_OK && key.data != NULL)
    status = read_key_name(key, out, error);
  if (status != KM_OK || !out->names_container)
    return status;
  if (der.data == NULL)
    return damaged(error, "it has no property 32, which holds the certificate itself");
  read_thumbprint(der, out->thumbprint);
  if (read_der(der, out))
    return KM_OK;
  return damaged(error, "its DER is damaged");
}
