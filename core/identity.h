/* identity.h: what in a target names key containers, and what that says of a key; internal to core/.
 *
 * identity_registry.c finds certificates, identity_files.c what IIS keeps; identity.c keeps it and asks it of a key.
 */
#ifndef KM_IDENTITY_H
#define KM_IDENTITY_H

#include "config.h"

#define KM_MAX_SOURCES 4096         /* that are kept */
#define KM_MAX_SOURCE_PROBLEM 4096  /* bytes of km_identity_problem */
#define KM_MAX_CERTIFICATES 20000   /* that are looked at */
#define KM_MAX_CERTIFICATE_USES 512 /* bindings that name a certificate */
#define KM_MAX_BACKUPS 50           /* backups of a folder that are read, the newest by name */
#define KM_MAX_BACKUP_NAMES 5000    /* names of such a folder that are looked at */

/* An encrypted value of a configuration, as km_encrypted; in the set's memory. */
typedef struct km_sealed {
  const uint8_t *data;
  size_t size;
} km_sealed;

typedef struct km_source {
  km_identity_source about;
  const char *unusable; /* why it cannot be asked, NULL: it can */

  /* A certificate's key, little endian; size 0: it is not RSA. */
  const uint8_t *modulus;
  size_t modulus_size;
  uint32_t exponent; /* 0: larger than 32 bits */

  /* A configuration's SIMPLEBLOB with values that it encrypts, or a metabase's SessionKey. */
  const uint8_t *blob;
  size_t blob_size;
  const km_sealed *values;
  size_t value_count;
} km_source;

/* Adds a source: texts, modulus and blob are copied, `values` and `unusable` are kept as they are. Failure is remembered. */
void km_identity_add(km_identity_set *set, const km_source *source);

/* Memory that lives as long as the set; NULL: none left, which is remembered. `data` may be NULL: zeroed. */
void *km_identity_keep(km_identity_set *set, const void *data, size_t size);

/* Puts a line behind what could not be read. */
KM_FORMAT(2, 3)
void km_identity_complain(km_identity_set *set, const char *format, ...);

km_target *km_identity_target(const km_identity_set *set);

/* Whether a source with this kind, container and blob is there already. */
bool km_identity_known(const km_identity_set *set, const km_source *source);

void km_identity_find_certificates(km_identity_set *set);
void km_identity_find_files(km_identity_set *set);

/* Asks one source of a key: fills verdict and text. `rsa` gives the private operation of the exchange key; NULL: it is not
 * to be had. KM_MEMORY alone is a failure. */
km_status km_source_ask(const km_source *source, km_store_kind kind, const km_key_file *key,
                        km_private_operation rsa, void *user, km_identity *row, km_error *error);

#endif
