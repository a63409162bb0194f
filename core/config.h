/* config.h: what IIS 7's applicationHost.config says of key containers; internal to core/.
 *
 * configuration/configProtectedData/providers/add: name, keyContainerName, useMachineContainer, useOAEP, and for the AES
 * providers sessionKey (base64 of a SIMPLEBLOB). Secrets stand in attributes as "[enc:<provider>:<base64>:enc]": AES in
 * CBC mode under the session key, the initial vector zeros; decrypted 4 bytes, a text in UTF-16LE and padding. redirection.config says whether IIS reads
 * another applicationHost.config than this system's. Sources: the schema of IIS (IIS_schema.xml) and published files.
 */
#ifndef KM_CONFIG_H
#define KM_CONFIG_H

#include "sessionkey.h"

#define KM_MAX_CONFIGURATION ((size_t)32 << 20) /* bytes of a file */
#define KM_MAX_XML_DEPTH 100                    /* elements inside each other */
#define KM_MAX_PROVIDERS 64
#define KM_MAX_ENCRYPTED 256       /* encrypted values that are kept */
#define KM_MAX_ENCRYPTED_SIZE 4096 /* bytes of one; longer ones are left out */

typedef struct km_provider {
  char *name;
  char *container;      /* "" when it names none */
  char *type;           /* "Microsoft.ApplicationHost.AesProtectedConfigurationProvider", or "" */
  bool machine;         /* useMachineContainer */
  bool oaep;            /* useOAEP */
  bool has_session_key; /* the attribute is there and not empty */
  uint8_t *session_key; /* decoded; NULL where it is no base64 */
  size_t session_key_size;
} km_provider;

typedef struct km_encrypted {
  char *provider;
  uint8_t *data;
  size_t size;
} km_encrypted;

typedef struct km_configuration {
  km_provider *providers;
  size_t provider_count;
  km_encrypted *values;
  size_t value_count;
  char *history;   /* configHistory's path, as it stands there; NULL: not told */
  bool redirected; /* configurationRedirection is enabled */
} km_configuration;

/* Reads a configuration file. KM_DAMAGED: it is not well-formed XML, has a document type (which could make it grow
 * without bounds), or nests deeper than KM_MAX_XML_DEPTH; what stood before that place is in *out. KM_LIMIT, KM_MEMORY. In
 * any case the caller calls km_configuration_free. */
km_status km_configuration_parse(const uint8_t *data, size_t size, km_configuration *out,
                                 km_error *error);
void km_configuration_free(km_configuration *configuration);

/* Whether an encrypted value opens with a session key of this ALG_ID and holds a text. Padding of n bytes of value n (as
 * CryptEncrypt pads) and of zeros are both taken: which one IIS writes was not seen. */
bool km_encrypted_opens(uint32_t algorithm, const uint8_t *key, size_t key_size,
                        const uint8_t *data, size_t size);

/* Decodes base64 of `length` characters, white space between them allowed, into `out` of at least length / 4 * 3 bytes
 * (none is written past what *size says). false: it is none. */
bool km_base64_decode(const char *text, size_t length, uint8_t *out, size_t *size);

#endif
