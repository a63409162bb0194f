/* certificate_builder.c: makes certificates, as the registry keeps them, for the unit tests. */
#include "certificate_builder.h"

#include <stdlib.h>
#include <string.h>

#include "keymend.h"
#include "unit.h"

void bytes_put(bytes *b, const void *data, size_t size) {
  assert_true(size <= sizeof b->data - b->size);
  memcpy(b->data + b->size, data, size);
  b->size += size;
}

static void put_u32(bytes *b, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    uint8_t byte = (uint8_t)(value >> 8 * i);
    bytes_put(b, &byte, 1);
  }
}

/* Puts all from `from` on into one DER element. */
static void wrap(bytes *b, size_t from, uint8_t tag) {
  bytes inner = {.size = 0};
  bytes_put(&inner, b->data + from, b->size - from);
  uint8_t head[4] = {tag, 0x82, (uint8_t)(inner.size >> 8), (uint8_t)inner.size};
  b->size = from;
  if (inner.size < 0x80) {
    head[1] = (uint8_t)inner.size;
    bytes_put(b, head, 2);
  } else {
    bytes_put(b, head, 4);
  }
  bytes_put(b, inner.data, inner.size);
}

static void put_der(bytes *b, uint8_t tag, const void *data, size_t size) {
  size_t from = b->size;
  bytes_put(b, data, size);
  wrap(b, from, tag);
}

static const uint8_t rsa_oid[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};

const made_certificate usual_certificate = {
    0x0C, "WEB01",        3, 0x17, "190102030405Z", "491231235959Z", NULL, 128, 65537,
    true, "TSSecKeySet1", 1, 0x20};

static void put_integer(bytes *b, const uint8_t *data, size_t size) {
  size_t from = b->size;
  if (data[0] >= 0x80)
    bytes_put(b, "", 1);
  bytes_put(b, data, size);
  wrap(b, from, 0x02);
}

static void put_name(bytes *b, const made_certificate *m) {
  uint8_t oid[] = {0x55, 0x04, m->attribute};
  size_t from = b->size;
  put_der(b, 0x06, oid, sizeof oid);
  put_der(b, m->subject_tag, m->subject, strlen(m->subject));
  wrap(b, from, 0x30);
  wrap(b, from, 0x31);
  wrap(b, from, 0x30);
}

void certificate_modulus(const made_certificate *m, uint8_t *modulus_le) {
  memset(modulus_le, 0x83, m->modulus);
  modulus_le[0] = 0x85;
  modulus_le[m->modulus - 1] = 0x81;
}

static void put_key(bytes *b, const made_certificate *m) {
  uint8_t modulus[KM_MAX_MODULUS + 8];
  uint8_t exponent[] = {(uint8_t)(m->exponent >> 16), (uint8_t)(m->exponent >> 8),
                        (uint8_t)m->exponent};
  size_t info = b->size;
  put_der(b, 0x06, m->algorithm != NULL ? m->algorithm : rsa_oid, sizeof rsa_oid);
  put_der(b, 0x05, "", 0);
  wrap(b, info, 0x30);
  size_t key = b->size;
  bytes_put(b, "", 1);
  size_t numbers = b->size;
  uint8_t modulus_le[sizeof modulus];
  certificate_modulus(m, modulus_le);
  for (size_t i = 0; i < m->modulus; i++)
    modulus[i] = modulus_le[m->modulus - 1 - i];
  put_integer(b, modulus, m->modulus);
  put_integer(b, exponent, sizeof exponent);
  wrap(b, numbers, 0x30);
  wrap(b, key, 0x03);
  wrap(b, info, 0x30);
}

void certificate_put(bytes *b, const made_certificate *m) {
  size_t from = b->size;
  if (m->version) {
    put_integer(b, (const uint8_t *)"\2", 1);
    wrap(b, from, 0xA0);
  }
  put_integer(b, (const uint8_t *)"\x12\x34", 2);
  put_der(b, 0x30, "", 0); /* signature algorithm */
  put_der(b, 0x30, "", 0); /* issuer */
  size_t validity = b->size;
  put_der(b, m->time_tag, m->from, strlen(m->from));
  put_der(b, m->time_tag, m->until, strlen(m->until));
  wrap(b, validity, 0x30);
  put_name(b, m);
  put_key(b, m);
  wrap(b, from, 0x30);
  put_der(b, 0x30, "", 0);
  put_der(b, 0x03, "\0sig", 4);
  wrap(b, from, 0x30);
}

static void put_wide(bytes *b, const char *text) {
  for (; *text != '\0'; text++)
    bytes_put(b, (const char[]){*text, 0}, 2);
  bytes_put(b, "\0", 2);
}

/* KEY_PROV_INFO as a property. */
void certificate_put_key_info(bytes *b, const char *container, uint32_t type, uint32_t flags) {
  size_t first = 2 * strlen(container) + 2;
  put_u32(b, 2);
  put_u32(b, 1);
  put_u32(b, (uint32_t)(28 + first + 8));
  put_u32(b, 28);
  put_u32(b, (uint32_t)(28 + first));
  put_u32(b, type);
  put_u32(b, flags);
  put_u32(b, 0);
  put_u32(b, 0);
  put_u32(b, 1);
  put_wide(b, container);
  put_wide(b, "CSP");
}

void certificate_put_property(bytes *b, uint32_t id, const void *data, size_t size) {
  put_u32(b, id);
  put_u32(b, 1);
  put_u32(b, (uint32_t)size);
  bytes_put(b, data, size);
}

/* A whole Blob. */
bytes *certificate_blob(const made_certificate *m) {
  bytes *b = calloc(1, sizeof *b);
  bytes der = {.size = 0};
  assert_non_null(b);
  certificate_put(&der, m);
  certificate_put_property(b, 3, "01234567890123456789", 20);
  certificate_put_key_info(b, m->container, m->provider_type, m->flags);
  certificate_put_property(b, 11, "R\0D\0P\0\0", 8);
  certificate_put_property(b, 32, der.data, der.size);
  return b;
}
