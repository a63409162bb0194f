/* certificate.h: a certificate as the registry keeps it; internal to core/.
 *
 * The value Blob of SystemCertificates\<store>\Certificates\<SHA-1> is a list of properties: u32 id, u32 reserved, u32
 * length, the value. Property 32 is the certificate itself (X.509, DER); 2 (KEY_PROV_INFO) names the key container of its
 * private key. Sources: [MS-GPEF] 2.2.1.1.1, CRYPT_KEY_PROV_INFO in the Windows SDK, RFC 5280.
 */
#ifndef KM_CERTIFICATE_H
#define KM_CERTIFICATE_H

#include "backend.h"

#define KM_MAX_CERTIFICATE 262144 /* bytes of a Blob */
#define KM_MAX_PROPERTIES 256     /* of a Blob */
#define KM_THUMBPRINT_TEXT 41     /* 40 hex digits and NUL */
#define KM_MAX_SUBJECT 256        /* bytes of the subject's name with its NUL */
#define KM_MACHINE_KEYSET 0x20    /* flag of KEY_PROV_INFO: the container is the machine's */

typedef struct km_certificate {
  bool names_container;
  char container[KM_MAX_CONTAINER]; /* UTF-8 */
  uint32_t provider_type;           /* 0: the container is a CNG key */
  uint32_t flags, key_spec;
  char thumbprint[KM_THUMBPRINT_TEXT]; /* SHA-1 of the certificate, lower case */
  char subject[KM_MAX_SUBJECT]; /* its common name, else its last attribute; "" without one */
  km_time from, until;          /* 0: not told */
  bool rsa;                     /* else another kind of key, and the following is empty */
  uint32_t exponent;            /* 0: larger than 32 bits */
  size_t modulus_size;
  uint8_t modulus[KM_MAX_MODULUS]; /* little endian */
} km_certificate;

/* Reads a Blob. One that names no container is not read further. KM_DAMAGED with what is wrong, KM_LIMIT above
 * KM_MAX_CERTIFICATE. */
km_status km_certificate_parse(const uint8_t *blob, size_t size, km_certificate *out,
                               km_error *error);

#endif
