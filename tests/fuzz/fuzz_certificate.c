/* fuzz_certificate.c: any bytes as a certificate's Blob of the registry. */
#include <stdlib.h>
#include <string.h>

#include "certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void check_text(const char *text, size_t size) {
  require(memchr(text, '\0', size) != NULL);
}

static void check(const km_certificate *certificate) {
  require(certificate->container[0] != '\0');
  check_text(certificate->container, sizeof certificate->container);
  check_text(certificate->subject, sizeof certificate->subject);
  require(strlen(certificate->thumbprint) == KM_THUMBPRINT_TEXT - 1);
  require(certificate->from >= 0 && certificate->until >= 0);
  require(certificate->modulus_size <= KM_MAX_MODULUS);
  require(certificate->rsa == (certificate->modulus_size > 0));
  /* Without zeros in front, so that lengths can be compared. */
  require(!certificate->rsa || certificate->modulus[certificate->modulus_size - 1] != 0);
}

/* The input behind a property that names a container is the certificate, so that mutations reach its DER; a first byte
 * of FF takes it as a whole Blob. */
static uint8_t *make_blob(const uint8_t *data, size_t size, size_t *blob_size) {
  static const uint8_t head[] = {2, 0, 0, 0, 1,   0, 0,  0, 32, 0, 0, 0, 28, 0, 0, 0, 0, 0,
                                 0, 0, 1, 0, 0,   0, 32, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0, 0,
                                 1, 0, 0, 0, 'K', 0, 0,  0, 32, 0, 0, 0, 1,  0, 0, 0};
  bool whole = size > 0 && data[0] == 0xFF;
  *blob_size = whole ? size - 1 : sizeof head + 4 + size;
  uint8_t *blob = malloc(*blob_size + 1);
  require(blob != NULL);
  if (whole) {
    memcpy(blob, data + 1, size - 1);
    return blob;
  }
  memcpy(blob, head, sizeof head);
  for (size_t i = 0; i < 4; i++)
    blob[sizeof head + i] = (uint8_t)(size >> 8 * i);
  if (size > 0)
    memcpy(blob + sizeof head + 4, data, size);
  return blob;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static km_certificate certificate;
  km_error error = {KM_OK, 0, ""};
  size_t blob_size = 0;
  uint8_t *blob = make_blob(data, size, &blob_size);
  uint8_t *exact = malloc(blob_size > 0 ? blob_size : 1); /* so that a read past the end is seen */
  require(exact != NULL);
  memcpy(exact, blob, blob_size);
  km_status status = km_certificate_parse(exact, blob_size, &certificate, &error);
  require(status == KM_OK || status == KM_DAMAGED || status == KM_LIMIT);
  require(status == KM_OK || error.message[0] != '\0');
  if (status == KM_OK && certificate.names_container)
    check(&certificate);
  free(exact);
  free(blob);
  return 0;
}
