/* keyfile.h: where the encrypted parts of a key file are; internal to core/ */
#ifndef KM_KEYFILE_H
#define KM_KEYFILE_H

#include "cipher.h"
#include "keymend.h"

/* The DPAPI blobs of one key; they lie in the file's bytes. Empty ones are not there. The offsets are theirs in the
 * file. In a CNG file the second one holds the private properties, the export policy among them. */
typedef struct km_key_parts {
  km_bytes private_part, export_flag;
  size_t private_offset, export_offset;
} km_key_parts;

/* km_key_file_parse, and where the parts are. */
km_status km_key_file_read(const void *data, size_t size, km_key_file *out, km_key_parts *signature,
                           km_key_parts *exchange, km_error *error);

/* A CNG key file, whole. `key.present`: it tells an RSA key's public part; other kinds of key are not read. The container is
 * there even when what follows is damaged. */
typedef struct km_cng_file {
  char container[KM_MAX_CONTAINER];
  km_public_key key; /* export_master_key: that of the private properties */
  km_key_parts parts;
} km_cng_file;

km_status km_cng_file_read(const void *data, size_t size, km_cng_file *out, km_error *error);

#endif
