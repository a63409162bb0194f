/* certificate_builder.h: makes certificates, as the registry keeps them, for the unit tests. */
#ifndef KM_CERTIFICATE_BUILDER_H
#define KM_CERTIFICATE_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; more than fit fail the test. */
typedef struct bytes {
  uint8_t data[8192];
  size_t size;
} bytes;

void bytes_put(bytes *b, const void *data, size_t size);

/* What a made certificate is like. */
typedef struct made_certificate {
  uint8_t subject_tag; /* of ASN.1: 0C UTF-8, 13 printable */
  const char *subject;
  uint8_t attribute; /* 3: common name, 10: organization */
  uint8_t time_tag;  /* 17 UTCTime, 18 GeneralizedTime */
  const char *from, *until;
  const uint8_t *algorithm; /* 9 bytes of an object identifier; NULL: RSA */
  size_t modulus;           /* bytes: 81 83 83 ... 85 */
  uint32_t exponent;
  bool version;
  const char *container;
  uint32_t provider_type, flags;
} made_certificate;

/* A key of 1024 bits, WEB01, from 2019 to 2049, of the machine's container TSSecKeySet1. */
extern const made_certificate usual_certificate;

/* The certificate alone, and a whole Blob (free()). */
void certificate_put(bytes *b, const made_certificate *m);
bytes *certificate_blob(const made_certificate *m);

/* Properties of a Blob. */
void certificate_put_property(bytes *b, uint32_t id, const void *data, size_t size);
void certificate_put_key_info(bytes *b, const char *container, uint32_t type, uint32_t flags);

/* The modulus of such a certificate, little endian. */
void certificate_modulus(const made_certificate *m, uint8_t *modulus_le);

#endif
