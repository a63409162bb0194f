/* keyfile.c: the clear parts of CAPI and CNG key files. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "bytes.h"
#include "dpapi.h"
#include "keyfile.h"
#include "text.h"

/* ---- Reading with bounds ---- */

/* A span of the file; `offset` is where it begins there, for messages. */
typedef struct span {
  const uint8_t *data;
  size_t size, offset;
} span;

static uint32_t u32(span s, size_t at) {
  return km_u32(s.data + at);
}

/* The part of `s` from `at` on; the caller has checked that it lies within. */
static span part(span s, size_t at, size_t size) {
  span result = {s.data + at, size, s.offset + at};
  return result;
}

/* "key file: <field> at offset <offset>: expected <format>"; the format ends with ", found ...". */
KM_FORMAT(4, 5)
static km_status damaged(km_error *error, const char *field, size_t offset, const char *format,
                         ...) {
  char text[KM_MAX_MESSAGE / 2];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return km_fail(error, KM_DAMAGED, 0, "key file: %s at offset %zu: expected %s", field, offset,
                 text);
}

static km_status too_large(km_error *error, size_t size) {
  return km_fail(error, KM_LIMIT, 0,
                 "key file: it has %zu bytes; keymend reads at most %d, and no real key file is "
                 "larger: look at what it is by hand",
                 size, KM_MAX_KEY_FILE);
}

/* ---- CAPI ----
 *
 * Ten u32: version, one not known, and the lengths of eight parts; then the parts, in an order
 * that differs from that of their lengths. */

enum { HEADER_SIZE = 40, HASH_FIELD = 20, CAPI_VERSION = 2 };

enum part_id {
  PART_NAME,
  PART_HASH,
  PART_SIGNATURE_PUBLIC,
  PART_SIGNATURE_PRIVATE,
  PART_SIGNATURE_EXPORT,
  PART_EXCHANGE_PUBLIC,
  PART_EXCHANGE_PRIVATE,
  PART_EXCHANGE_EXPORT,
  PART_COUNT
};

/* In the order of the parts in the file; `at` is the offset of the length in the header. */
static const struct part_row {
  size_t at;
  const char *length_name;
} part_rows[PART_COUNT] = {
    [PART_NAME] = {8, "length of the name"},
    [PART_HASH] = {28, "length of the hash field"},
    [PART_SIGNATURE_PUBLIC] = {12, "length of the signature key's public part"},
    [PART_SIGNATURE_PRIVATE] = {16, "length of the signature key's private part"},
    [PART_SIGNATURE_EXPORT] = {32, "length of the signature key's export flag"},
    [PART_EXCHANGE_PUBLIC] = {20, "length of the exchange key's public part"},
    [PART_EXCHANGE_PRIVATE] = {24, "length of the exchange key's private part"},
    [PART_EXCHANGE_EXPORT] = {36, "length of the exchange key's export flag"},
};

/* Cuts the file into its parts; their lengths must add up to its size exactly. */
static km_status cut(span file, span parts[PART_COUNT], bool keyless, km_error *error) {
  size_t at = HEADER_SIZE;
  for (int i = 0; i < PART_COUNT; i++) {
    uint32_t length = u32(file, part_rows[i].at);
    /* A container without keys may announce a hash field that is not there. */
    if (keyless && i == PART_HASH && at == file.size)
      length = 0;
    if (length > file.size - at)
      return damaged(error, part_rows[i].length_name, part_rows[i].at,
                     "at most %zu bytes, which are left in the file, found %" PRIu32,
                     file.size - at, length);
    parts[i] = part(file, at, length);
    at += length;
  }
  if (at != file.size)
    return damaged(error, "end of the last part", at, "the end of the file, found %zu more bytes",
                   file.size - at);
  return KM_OK;
}

/* Windows-1252 with its NUL at the end to UTF-8. */
static km_status read_name(span name, char container[KM_MAX_CONTAINER], km_error *error) {
  size_t used = 0;
  if (name.size < 2)
    return damaged(error, part_rows[PART_NAME].length_name, part_rows[PART_NAME].at,
                   "at least 2 bytes, found %zu", name.size);
  for (size_t i = 0; i + 1 < name.size; i++) {
    if (name.data[i] == 0)
      return damaged(error, "name", name.offset + i, "a character, found the NUL that ends it");
    if (used + 4 >= KM_MAX_CONTAINER)
      return damaged(error, part_rows[PART_NAME].length_name, part_rows[PART_NAME].at,
                     "a name of at most %d bytes in UTF-8, found %zu characters",
                     KM_MAX_CONTAINER - 4, name.size - 1);
    used += km_utf8_put(km_cp1252_to_code(name.data[i]), container + used);
  }
  if (name.data[name.size - 1] != 0)
    return damaged(error, "end of the name", name.offset + name.size - 1, "NUL, found byte %02X",
                   name.data[name.size - 1]);
  container[used] = '\0';
  return KM_OK;
}

/* ---- Public part: "RSA1", length of the modulus with its padding, bits, last byte's index,
 * exponent, modulus, 8 bytes of padding ---- */

enum { RSA_HEADER = 20, RSA_PADDING = 8, RSA_MAGIC = 0x31415352 };
enum { RSA_MIN_BITS = 384, RSA_MAX_BITS = KM_MAX_MODULUS * 8 };

static km_status read_public_header(span key, km_error *error) {
  if (key.size < RSA_HEADER)
    return damaged(error, "public part", key.offset, "at least %d bytes, found %zu", RSA_HEADER,
                   key.size);
  uint32_t magic = u32(key, 0);
  uint32_t length = u32(key, 4);
  uint32_t bits = u32(key, 8);
  uint32_t last = u32(key, 12);
  if (magic != RSA_MAGIC)
    return damaged(error, "public part's magic", key.offset,
                   "52 53 41 31 (RSA1), found %02X %02X %02X %02X", key.data[0], key.data[1],
                   key.data[2], key.data[3]);
  if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS || bits % 8 != 0)
    return damaged(error, "public part's bit length", key.offset + 8,
                   "a multiple of 8 from %d to %d, found %" PRIu32, RSA_MIN_BITS, RSA_MAX_BITS,
                   bits);
  if (length != bits / 8 + RSA_PADDING)
    return damaged(error, "public part's modulus length", key.offset + 4,
                   "%" PRIu32 " (for %" PRIu32 " bits), found %" PRIu32, bits / 8 + RSA_PADDING,
                   bits, length);
  if (last != bits / 8 - 1)
    return damaged(error, "public part's index of the last byte", key.offset + 12,
                   "%" PRIu32 " (for %" PRIu32 " bits), found %" PRIu32, bits / 8 - 1, bits, last);
  if (key.size != RSA_HEADER + length)
    return damaged(error, "public part", key.offset, "%" PRIu32 " bytes, found %zu",
                   RSA_HEADER + length, key.size);
  return KM_OK;
}

/* An RSA modulus is odd and has its top bit set, an exponent is odd: zeroed clusters do not pass. */
static km_status read_public(span key, km_public_key *out, km_error *error) {
  km_status status = read_public_header(key, error);
  if (status != KM_OK)
    return status;
  uint32_t bytes = u32(key, 8) / 8;
  uint32_t exponent = u32(key, 16);
  const uint8_t *modulus = key.data + RSA_HEADER;
  if (exponent < 3 || exponent % 2 == 0)
    return damaged(error, "public exponent", key.offset + 16,
                   "an odd number from 3, found %" PRIu32, exponent);
  if (modulus[0] % 2 == 0)
    return damaged(error, "modulus' lowest byte", key.offset + RSA_HEADER,
                   "an odd number, found %02X", modulus[0]);
  if (modulus[bytes - 1] < 0x80)
    return damaged(error, "modulus' highest byte", key.offset + RSA_HEADER + bytes - 1,
                   "80 or more, found %02X", modulus[bytes - 1]);
  out->present = true;
  out->bits = bytes * 8;
  out->exponent = exponent;
  memcpy(out->modulus, modulus, bytes);
  return KM_OK;
}

/* ---- Private part and export flag: DPAPI blobs ---- */

static km_status read_blob(span blob, const char *what, char master_key[KM_GUID_TEXT],
                           km_error *error) {
  km_dpapi_blob parts;
  km_status status = km_dpapi_blob_parse(blob.data, blob.size, what, blob.offset, &parts, error);
  memcpy(master_key, parts.master_key, KM_GUID_TEXT);
  return status;
}

/* The three parts of one key stand together. */
typedef struct key_names {
  const char *public_part, *private_part, *export_flag;
} key_names;

static const key_names signature_names = {
    "signature key's public part", "signature key's private part", "signature key's export flag"};
static const key_names exchange_names = {
    "exchange key's public part", "exchange key's private part", "exchange key's export flag"};

/* `parts`: public, private, export. A public part without a private one (or the reverse) is no
 * key; an export flag may be missing. */
static km_status read_key(const span parts[3], const key_names *names, km_public_key *out,
                          km_error *error) {
  if (parts[0].size == 0 && parts[1].size == 0 && parts[2].size == 0)
    return KM_OK;
  if (parts[0].size == 0)
    return damaged(error, names->public_part, parts[0].offset,
                   "a part, since the key has others, found none");
  if (parts[1].size == 0)
    return damaged(error, names->private_part, parts[1].offset,
                   "a part, since the key has a public one, found none");
  km_status status = read_public(parts[0], out, error);
  if (status == KM_OK)
    status = read_blob(parts[1], names->private_part, out->master_key, error);
  if (status == KM_OK && parts[2].size > 0)
    status = read_blob(parts[2], names->export_flag, out->export_master_key, error);
  return status;
}

static bool has_no_keys(span file) {
  for (int i = PART_SIGNATURE_PUBLIC; i < PART_COUNT; i++)
    if (u32(file, part_rows[i].at) != 0)
      return false;
  return true;
}

/* The name first, on its own, so that even a damaged file says whose it was. */
static km_status read_head(span file, km_key_file *out, km_error *error) {
  out->version = u32(file, 0);
  if (out->version != CAPI_VERSION)
    return damaged(error, "version", 0, "%d, found %" PRIu32, CAPI_VERSION, out->version);
  uint32_t length = u32(file, part_rows[PART_NAME].at);
  if (length > file.size - HEADER_SIZE)
    return damaged(error, part_rows[PART_NAME].length_name, part_rows[PART_NAME].at,
                   "at most %zu bytes, which are left in the file, found %" PRIu32,
                   file.size - HEADER_SIZE, length);
  km_status status = read_name(part(file, HEADER_SIZE, length), out->container, error);
  if (status != KM_OK) {
    out->container[0] = '\0';
    return status;
  }
  km_container_hash(out->container, out->container_hash, NULL);
  uint32_t hash = u32(file, part_rows[PART_HASH].at);
  if (hash != 0 && hash != HASH_FIELD)
    return damaged(error, part_rows[PART_HASH].length_name, part_rows[PART_HASH].at,
                   "0 or %d, found %" PRIu32, HASH_FIELD, hash);
  return KM_OK;
}

static km_key_parts parts_of_key(const span parts[3]) {
  return (km_key_parts){{parts[1].data, parts[1].size},
                        {parts[2].data, parts[2].size},
                        parts[1].offset,
                        parts[2].offset};
}

km_status km_key_file_parse(const void *data, size_t size, km_key_file *out, km_error *error) {
  km_key_parts signature, exchange;
  return km_key_file_read(data, size, out, &signature, &exchange, error);
}

km_status km_key_file_read(const void *data, size_t size, km_key_file *out, km_key_parts *signature,
                           km_key_parts *exchange, km_error *error) {
  span file = {data, size, 0};
  span parts[PART_COUNT] = {{NULL, 0, 0}};
  memset(out, 0, sizeof *out);
  memset(signature, 0, sizeof *signature);
  memset(exchange, 0, sizeof *exchange);
  if (size > KM_MAX_KEY_FILE)
    return too_large(error, size);
  if (size < HEADER_SIZE)
    return damaged(error, "header", 0, "%d bytes, found %zu", HEADER_SIZE, size);
  km_status status = read_head(file, out, error);
  bool keyless = has_no_keys(file);
  if (status == KM_OK)
    status = cut(file, parts, keyless, error);
  if (status == KM_OK)
    status = read_key(parts + PART_SIGNATURE_PUBLIC, &signature_names, &out->signature, error);
  if (status == KM_OK)
    status = read_key(parts + PART_EXCHANGE_PUBLIC, &exchange_names, &out->exchange, error);
  if (status == KM_OK)
    out->keyless = keyless;
  *signature = parts_of_key(parts + PART_SIGNATURE_PUBLIC);
  *exchange = parts_of_key(parts + PART_EXCHANGE_PUBLIC);
  return status;
}

/* ---- CNG ----
 *
 * Header of eleven u32: version 1, one not known, length of the name in bytes, two u16 (kind of key
 * and flags), lengths of the public properties, the private properties and the private key,
 * four zeros; then the name in UTF-16LE without NUL and the three parts. The sizes add up in both
 * published samples; bytes behind the parts are let pass, since the four zeros may be lengths too
 * and only the name is wanted. */

enum { CNG_HEADER = 44, CNG_VERSION = 1, CNG_NAME_LENGTH = 8, CNG_PARTS = 16 };

/* A key as it roams: "MIB18", at 12 the length of the key file, at 24 the length of a master key
 * file; from 68 the name again, the key file, the master key's GUID and the master key file. */
enum { ROAMING_HEADER = 68, ROAMING_KEY_LENGTH = 12, ROAMING_MASTER_LENGTH = 24, GUID_SIZE = 16 };

static const char roaming_magic[] = "MIB18";

/* Narrows *file to the key file within a roaming one. */
static km_status unwrap_roaming(span *file, km_error *error) {
  uint64_t key = u32(*file, ROAMING_KEY_LENGTH);
  uint64_t master = u32(*file, ROAMING_MASTER_LENGTH);
  uint64_t tail = master == 0 ? 0 : GUID_SIZE + master;
  uint64_t room = file->size - ROAMING_HEADER;
  if (key + tail > room)
    return damaged(error, "length of the key in a roaming file", ROAMING_KEY_LENGTH,
                   "at most %" PRIu64 " bytes together with the master key, found %" PRIu64, room,
                   key + tail);
  *file = part(*file, file->size - (size_t)(tail + key), (size_t)key);
  return KM_OK;
}

static km_status read_cng_name(span name, char container[KM_MAX_CONTAINER], km_error *error) {
  size_t count = name.size / 2;
  size_t out = 0;
  size_t used = 0;
  for (size_t at = 0; at < count; at += used) {
    uint32_t code = km_utf16_next(name.data + 2 * at, count - at, &used);
    size_t offset = name.offset + 2 * at;
    if (code == 0)
      return damaged(error, "name", offset, "a character, found NUL");
    if (out + 4 >= KM_MAX_CONTAINER)
      return damaged(error, "name", name.offset, "at most %d bytes in UTF-8, found more",
                     KM_MAX_CONTAINER - 4);
    size_t bytes = km_utf8_put(code, container + out);
    if (bytes == 0)
      return damaged(error, "name", offset, "UTF-16, found the unpaired surrogate %04X",
                     (unsigned)code);
    out += bytes;
  }
  container[out] = '\0';
  return KM_OK;
}

static km_status check_cng_header(span file, km_error *error) {
  if (file.size < CNG_HEADER)
    return damaged(error, "CNG header", file.offset, "%d bytes, found %zu", CNG_HEADER, file.size);
  if (u32(file, 0) != CNG_VERSION)
    return damaged(error, "CNG version", file.offset, "%d, found %" PRIu32, CNG_VERSION,
                   u32(file, 0));
  uint32_t name = u32(file, CNG_NAME_LENGTH);
  if (name < 2 || name % 2 != 0 || name > file.size - CNG_HEADER)
    return damaged(error, "length of the CNG name", file.offset + CNG_NAME_LENGTH,
                   "an even number from 2 to %zu, found %" PRIu32, file.size - CNG_HEADER, name);
  uint64_t sum = CNG_HEADER + (uint64_t)name;
  for (size_t i = 0; i < 3; i++)
    sum += u32(file, CNG_PARTS + 4 * i);
  if (sum > file.size)
    return damaged(error, "lengths of the CNG parts", file.offset + CNG_PARTS,
                   "at most the file's size of %zu bytes, found a sum of %" PRIu64, file.size, sum);
  return KM_OK;
}

/* Narrows *file to the key file itself, reads its name, and checks that its parts lie in it. */
static km_status read_cng(span *file, char container[KM_MAX_CONTAINER], km_error *error) {
  container[0] = '\0';
  if (file->size > KM_MAX_KEY_FILE)
    return too_large(error, file->size);
  km_status status = KM_OK;
  if (file->size >= ROAMING_HEADER && memcmp(file->data, roaming_magic, sizeof roaming_magic) == 0)
    status = unwrap_roaming(file, error);
  if (status == KM_OK)
    status = check_cng_header(*file, error);
  if (status == KM_OK)
    status = read_cng_name(part(*file, CNG_HEADER, u32(*file, CNG_NAME_LENGTH)), container, error);
  if (status != KM_OK)
    container[0] = '\0';
  return status;
}

km_status km_cng_file_parse(const void *data, size_t size, char container[KM_MAX_CONTAINER],
                            km_error *error) {
  span file = {data, size, 0};
  return read_cng(&file, container, error);
}

/* ---- CNG: the public key
 *
 * Public properties stand one after another: u32 size of all of it, u32 type, one not known, u32 size of the name, u32 size
 * of the content, name in UTF-16, content. Type 10 is the public key, a BCRYPT_RSAKEY_BLOB: "RSA1", u32 bits, u32 size of the
 * exponent, u32 size of the modulus, two zeros, exponent, modulus, big endian. Other kinds of key have another magic. ---- */

enum { PROPERTY_HEADER = 20, PROPERTY_PUBLIC_KEY = 10, CNG_RSA_HEADER = 24 };

static km_status read_cng_public(span key, km_public_key *out, km_error *error) {
  if (key.size < CNG_RSA_HEADER || u32(key, 0) != RSA_MAGIC)
    return KM_OK; /* no RSA key */
  uint32_t bits = u32(key, 4), exponent_size = u32(key, 8), bytes = u32(key, 12);
  if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS || bits % 8 != 0 || bytes != bits / 8)
    return damaged(error, "CNG public key's bit length", key.offset + 4,
                   "a multiple of 8 from %d to %d that fits the modulus, found %" PRIu32,
                   RSA_MIN_BITS, RSA_MAX_BITS, bits);
  if (exponent_size == 0 || exponent_size > 4 || key.size < CNG_RSA_HEADER + exponent_size + bytes)
    return damaged(error, "CNG public key's exponent length", key.offset + 8,
                   "1 to 4, and the modulus behind it, found %" PRIu32 " in %zu bytes",
                   exponent_size, key.size);
  const uint8_t *at = key.data + CNG_RSA_HEADER;
  out->present = true;
  out->bits = bits;
  for (uint32_t i = 0; i < exponent_size; i++)
    out->exponent = out->exponent << 8 | at[i];
  for (uint32_t i = 0; i < bytes; i++)
    out->modulus[i] = at[exponent_size + bytes - 1 - i];
  return KM_OK;
}

static km_status read_properties(span list, km_public_key *out, km_error *error) {
  for (size_t at = 0; at < list.size;) {
    size_t left = list.size - at;
    span row = part(list, at, left < PROPERTY_HEADER ? left : PROPERTY_HEADER);
    uint64_t size = left < PROPERTY_HEADER ? 0 : u32(row, 0);
    if (size < PROPERTY_HEADER || size > left ||
        (uint64_t)u32(row, 12) + u32(row, 16) > size - PROPERTY_HEADER)
      return damaged(error, "CNG public property", list.offset + at,
                     "%d to %zu bytes, its name and content among them, found %" PRIu64,
                     PROPERTY_HEADER, left, size);
    if (u32(row, 4) == PROPERTY_PUBLIC_KEY) {
      span key = part(list, at + PROPERTY_HEADER + u32(row, 12), u32(row, 16));
      km_status status = read_cng_public(key, out, error);
      if (status != KM_OK)
        return status;
    }
    at += (size_t)size;
  }
  return KM_OK;
}

km_status km_cng_file_read(const void *data, size_t size, km_cng_file *out, km_error *error) {
  span file = {data, size, 0}, parts[3];
  memset(out, 0, sizeof *out);
  km_status status = read_cng(&file, out->container, error);
  if (status != KM_OK)
    return status;
  size_t at = CNG_HEADER + u32(file, CNG_NAME_LENGTH);
  for (size_t i = 0; i < 3; i++) {
    parts[i] = part(file, at, u32(file, CNG_PARTS + 4 * i));
    at += parts[i].size;
  }
  out->parts = (km_key_parts){{parts[2].data, parts[2].size},
                              {parts[1].data, parts[1].size},
                              parts[2].offset,
                              parts[1].offset};
  status = read_properties(parts[0], &out->key, error);
  if (status == KM_OK && parts[2].size > 0)
    status = read_blob(parts[2], "CNG private key", out->key.master_key, error);
  if (status == KM_OK && parts[1].size > 0)
    status = read_blob(parts[1], "CNG private properties", out->key.export_master_key, error);
  return status;
}
