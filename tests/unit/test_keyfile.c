/* test_keyfile.c: CAPI and CNG key files, sound, damaged and real. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "keyfile.h"
#include "unit.h"

#define CONTAINER "Microsoft Internet Information Server"
#define CONTAINER_HASH "c2319c42033a5ca7f44e731bfd3fa2b5"
#define SIGNATURE_MASTER "0c8d1a52-6f1b-4a8e-9a3d-5f7e20c4b611"
#define EXCHANGE_MASTER "a1b2c3d4-e5f6-4718-92a3-b4c5d6e7f809"
#define SECRET 0xC7 /* what the made private parts are filled with */

/* ---- Making files ---- */

typedef struct buffer {
  uint8_t data[KM_MAX_KEY_FILE + 64];
  size_t size;
} buffer;

static void put(buffer *b, const void *data, size_t size) {
  assert_true(size <= sizeof b->data - b->size);
  memcpy(b->data + b->size, data, size);
  b->size += size;
}

static void put_fill(buffer *b, int byte, size_t count) {
  assert_true(count <= sizeof b->data - b->size);
  memset(b->data + b->size, byte, count);
  b->size += count;
}

static void set_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(buffer *b, uint32_t value) {
  uint8_t bytes[4];
  set_u32(bytes, value);
  put(b, bytes, 4);
}

static uint8_t hex_byte(const char *text) {
  char digits[3] = {text[0], text[1], '\0'};
  return (uint8_t)strtoul(digits, NULL, 16);
}

/* A GUID's text as the 16 bytes that Windows stores: the first three numbers are little endian. */
static void put_guid(buffer *b, const char *text) {
  static const size_t digits[16] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
  for (size_t i = 0; i < COUNT_OF(digits); i++) {
    uint8_t byte = hex_byte(text + digits[i]);
    put(b, &byte, 1);
  }
}

/* A part of a DPAPI blob, its length before it. */
static void put_blob_part(buffer *b, size_t size) {
  put_u32(b, (uint32_t)size);
  put_fill(b, SECRET, size);
}

/* A DPAPI blob of 3DES and SHA-1 with so many bytes of data. */
static void put_blob(buffer *b, const char *master, size_t secret) {
  put_u32(b, 1);
  put_guid(b, "df9d8cd0-1501-11d1-8c7a-00c04fc297eb");
  put_u32(b, 1);
  put_guid(b, master);
  put_u32(b, 0);
  put_blob_part(b, 6); /* description */
  put_u32(b, 0x6603);
  put_u32(b, 192);
  put_blob_part(b, 16); /* salt */
  put_blob_part(b, 0);
  put_u32(b, 0x8004);
  put_u32(b, 160);
  put_blob_part(b, 16); /* HMAC key */
  put_blob_part(b, secret);
  put_blob_part(b, 20); /* signature */
}

static void put_public(buffer *b, uint32_t bits) {
  put(b, "RSA1", 4);
  put_u32(b, bits / 8 + 8);
  put_u32(b, bits);
  put_u32(b, bits / 8 - 1);
  put_u32(b, 65537);
  put_fill(b, 0x11, 1);
  put_fill(b, 0x55, bits / 8 - 2);
  put_fill(b, 0x99, 1);
  put_fill(b, 0, 8);
}

/* Header offsets of the lengths. */
enum { NAME = 8, SIG_PUB = 12, SIG_PRIV = 16, EX_PUB = 20, EX_PRIV = 24, HASH = 28, SIG_EXP = 32 };
enum { EX_EXP = 36, HEADER = 40 };

static void begin(buffer *b, const char *name) {
  b->size = 0;
  put_u32(b, 2);
  put_fill(b, 0, HEADER - 4);
  put(b, name, strlen(name) + 1);
  set_u32(b->data + NAME, (uint32_t)strlen(name) + 1);
}

static void put_hash(buffer *b) {
  put_fill(b, 0, 20);
  set_u32(b->data + HASH, 20);
}

/* The three parts of a key; the three offsets are those of its lengths. */
static void put_key(buffer *b, const int lengths[3], uint32_t bits, const char *master) {
  size_t from = b->size;
  put_public(b, bits);
  set_u32(b->data + lengths[0], (uint32_t)(b->size - from));
  from = b->size;
  put_blob(b, master, 300);
  set_u32(b->data + lengths[1], (uint32_t)(b->size - from));
  from = b->size;
  put_blob(b, master, 100);
  set_u32(b->data + lengths[2], (uint32_t)(b->size - from));
}

static const int signature_lengths[3] = {SIG_PUB, SIG_PRIV, SIG_EXP};
static const int exchange_lengths[3] = {EX_PUB, EX_PRIV, EX_EXP};

/* The metabase's key file: a signature and an exchange key. */
static void make_file(buffer *b) {
  begin(b, CONTAINER);
  put_hash(b);
  put_key(b, signature_lengths, 512, SIGNATURE_MASTER);
  put_key(b, exchange_lengths, 1024, EXCHANGE_MASTER);
}

/* Where the parts of that file begin. */
enum {
  SIG_AT = HEADER + sizeof CONTAINER + 20,
  SIG_SIZE = 20 + 64 + 8,
  SIG_BLOB = SIG_AT + SIG_SIZE
};

/* Parses a copy of exactly `size` bytes, so that the sanitizer sees every byte too far. */
static km_status parse(const uint8_t *data, size_t size, km_key_file *out, km_error *error) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  assert_non_null(copy);
  if (size > 0)
    memcpy(copy, data, size);
  memset(out, 0xEE, sizeof *out);
  km_status status = km_key_file_parse(copy, size, out, error);
  free(copy);
  return status;
}

/* The file must be damaged, and the message short and with an offset. */
static void expect_damage(const buffer *b, size_t size, const char *words) {
  static km_key_file out;
  km_error error = {0};
  km_status status = parse(b->data, size, &out, &error);
  assert_int_equal(status, KM_DAMAGED);
  assert_int_equal(error.status, KM_DAMAGED);
  assert_non_null(strstr(error.message, " at offset "));
  assert_non_null(strstr(error.message, ": expected "));
  assert_non_null(strstr(error.message, "found "));
  assert_true(strlen(error.message) < 256);
  assert_false(out.keyless);
  if (words != NULL && strstr(error.message, words) == NULL)
    print_error("message: %s\n", error.message);
  assert_true(words == NULL || strstr(error.message, words) != NULL);
}

/* ---- Sound files ---- */

static void sound(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  make_file(&b);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_int_equal(out.version, 2);
  assert_string_equal(out.container, CONTAINER);
  assert_string_equal(out.container_hash, CONTAINER_HASH);
  assert_false(out.keyless);
  assert_true(out.signature.present);
  assert_int_equal(out.signature.bits, 512);
  assert_int_equal(out.signature.exponent, 65537);
  assert_string_equal(out.signature.master_key, SIGNATURE_MASTER);
  assert_string_equal(out.signature.export_master_key, SIGNATURE_MASTER);
  assert_true(out.exchange.present);
  assert_int_equal(out.exchange.bits, 1024);
  assert_int_equal(out.exchange.modulus[0], 0x11);
  assert_int_equal(out.exchange.modulus[127], 0x99);
  assert_int_equal(out.exchange.modulus[128], 0);
  assert_string_equal(out.exchange.master_key, EXCHANGE_MASTER);
}

static void one_key(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  begin(&b, "SMS");
  put_hash(&b);
  put_key(&b, exchange_lengths, 2048, EXCHANGE_MASTER);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_false(out.signature.present);
  assert_string_equal(out.signature.master_key, "");
  assert_int_equal(out.exchange.bits, 2048);
  /* Without an export flag, and with an empty hash field. */
  b.size -= get_u32(b.data + EX_EXP);
  set_u32(b.data + EX_EXP, 0);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_string_equal(out.exchange.export_master_key, "");
  memmove(b.data + HEADER + 4, b.data + HEADER + 24, b.size - HEADER - 24);
  b.size -= 20;
  set_u32(b.data + HASH, 0);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_int_equal(out.exchange.bits, 2048);
}

static void key_sizes(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  static const struct {
    uint32_t bits;
    km_status status;
  } sizes[] = {{376, KM_DAMAGED}, {384, KM_OK},   {392, KM_OK},       {1024, KM_OK},
               {4096, KM_OK},     {16384, KM_OK}, {16392, KM_DAMAGED}};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    begin(&b, "x");
    put_hash(&b);
    put_key(&b, signature_lengths, sizes[i].bits, SIGNATURE_MASTER);
    put_key(&b, exchange_lengths, sizes[i].bits, EXCHANGE_MASTER);
    assert_int_equal(parse(b.data, b.size, &out, NULL), sizes[i].status);
    if (sizes[i].status == KM_OK)
      assert_int_equal(out.exchange.modulus[sizes[i].bits / 8 - 1], 0x99);
  }
}

static void keyless(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  begin(&b, CONTAINER);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_true(out.keyless);
  assert_string_equal(out.container_hash, CONTAINER_HASH);
  /* The hash field may be announced without being there, or be there. */
  set_u32(b.data + HASH, 20);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_true(out.keyless);
  for (size_t i = 1; i < 20; i++) {
    put_fill(&b, 0, 1);
    expect_damage(&b, b.size, "hash field");
  }
  put_fill(&b, 0, 1);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_true(out.keyless);
  put_fill(&b, 0, 1);
  expect_damage(&b, b.size, "end of the last part at offset 98");
}

static void names(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  char long_name[400];
  begin(&b, "K\xE4se \x80");
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_string_equal(out.container, "K\xC3\xA4se \xE2\x82\xAC");
  assert_int_equal(strlen(out.container_hash), 32);
  begin(&b, "");
  expect_damage(&b, b.size, "length of the name at offset 8");
  begin(&b, "ab");
  b.data[HEADER] = '\0';
  expect_damage(&b, b.size, "name at offset 40");
  begin(&b, "ab");
  b.data[HEADER + 2] = 'c';
  expect_damage(&b, b.size, "end of the name at offset 42");
  set_u32(b.data + NAME, 0);
  expect_damage(&b, b.size, "length of the name at offset 8");
  /* 340 characters of three bytes each just fit. */
  memset(long_name, 0x80, sizeof long_name);
  long_name[340] = '\0';
  begin(&b, long_name);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  assert_int_equal(strlen(out.container), 1020);
  long_name[340] = (char)0x80;
  long_name[341] = '\0';
  begin(&b, long_name);
  expect_damage(&b, b.size, "length of the name");
}

/* ---- Damage ---- */

static void truncated(void **state) {
  (void)state;
  static buffer b;
  make_file(&b);
  for (size_t size = 0; size < b.size; size++)
    expect_damage(&b, size, size < HEADER ? "header at offset 0" : NULL);
  put_fill(&b, 0, 1);
  expect_damage(&b, b.size, "end of the last part");
}

static void each_length(void **state) {
  (void)state;
  static buffer b;
  static const int fields[] = {NAME, SIG_PUB, SIG_PRIV, EX_PUB, EX_PRIV, HASH, SIG_EXP, EX_EXP};
  make_file(&b);
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    uint32_t right = get_u32(b.data + fields[i]);
    uint32_t wrong[] = {0,
                        1,
                        right - 1,
                        right + 1,
                        right + 0x80000000u,
                        right - 0x80000000u,
                        (uint32_t)b.size,
                        (uint32_t)b.size - HEADER,
                        0x7FFFFFFF,
                        0x80000000,
                        0xFFFFFFFF,
                        0u - right};
    for (size_t k = 0; k < COUNT_OF(wrong); k++) {
      set_u32(b.data + fields[i], wrong[k]);
      expect_damage(&b, b.size, NULL);
    }
    set_u32(b.data + fields[i], right);
  }
}

/* Lengths whose sum is right again, in 32 bits or at all, but whose parts are not. */
static void shifted_lengths(void **state) {
  (void)state;
  static buffer b;
  static const int fields[] = {NAME, SIG_PUB, SIG_PRIV, EX_PUB, EX_PRIV, HASH, SIG_EXP, EX_EXP};
  static const uint32_t shifts[] = {1, 4, 8, 20, 0x80000000, 0xFFFFFFFF};
  make_file(&b);
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    for (size_t k = 0; k < COUNT_OF(fields); k++) {
      for (size_t s = 0; i != k && s < COUNT_OF(shifts); s++) {
        uint32_t one = get_u32(b.data + fields[i]);
        uint32_t other = get_u32(b.data + fields[k]);
        set_u32(b.data + fields[i], one + shifts[s]);
        set_u32(b.data + fields[k], other - shifts[s]);
        expect_damage(&b, b.size, NULL);
        set_u32(b.data + fields[i], one);
        set_u32(b.data + fields[k], other);
      }
    }
  }
}

typedef struct byte_change {
  size_t at;
  uint8_t byte;
  const char *words;
} byte_change;

static const byte_change changes[] = {
    {0, 1, "version at offset 0: expected 2, found 1"},
    {3, 0x80, "version at offset 0"},
    {HASH, 16, "length of the hash field at offset 28: expected 0 or 20, found 16"},
    {SIG_AT, 'X', "magic at offset 98: expected 52 53 41 31 (RSA1), found 58 53 41 31"},
    {SIG_AT + 3, '2', "magic at offset 98"},
    {SIG_AT + 4, 71, "modulus length at offset 102: expected 72 (for 512 bits), found 71"},
    {SIG_AT + 7, 0x80, "modulus length at offset 102"},
    {SIG_AT + 8, 1, "bit length at offset 106"},
    {SIG_AT + 9, 0, "bit length at offset 106"},
    {SIG_AT + 11, 0x80, "bit length at offset 106"},
    {SIG_AT + 12, 62, "index of the last byte at offset 110: expected 63 (for 512 bits), found 62"},
    {SIG_AT + 16, 0, "public exponent at offset 114"},
    {SIG_AT + 20, 0x10, "lowest byte at offset 118"},
    {SIG_AT + 83, 0x19, "highest byte at offset 181"},
    {SIG_BLOB, 2, "signature key's private part at offset 190: expected a DPAPI blob"},
    {SIG_BLOB + 4, 0, "offset 194: expected DPAPI's provider"},
    {SIG_BLOB + 19, 0, "offset 194: expected DPAPI's provider"},
    {SIG_BLOB + 47, 0x80, "signature key's private part, its description at offset 234"},
    {SIG_BLOB + 63, 0x80, "signature key's private part, its salt at offset 252"},
};

static void changed_bytes(void **state) {
  (void)state;
  static buffer b;
  make_file(&b);
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    uint8_t right = b.data[changes[i].at];
    b.data[changes[i].at] = changes[i].byte;
    expect_damage(&b, b.size, changes[i].words);
    b.data[changes[i].at] = right;
  }
}

/* A file whose middle was zeroed, as lost clusters leave it. */
static void zeroed(void **state) {
  (void)state;
  static buffer b;
  make_file(&b);
  memset(b.data, 0, b.size);
  expect_damage(&b, b.size, "version at offset 0");
  make_file(&b);
  memset(b.data + SIG_AT, 0, SIG_SIZE);
  expect_damage(&b, b.size, "magic");
  make_file(&b);
  memset(b.data + SIG_AT + 20, 0, 64);
  expect_damage(&b, b.size, "modulus");
  make_file(&b);
  memset(b.data + SIG_BLOB, 0, 300);
  expect_damage(&b, b.size, "private part");
}

static void halves_of_a_key(void **state) {
  (void)state;
  static buffer b;
  begin(&b, "x");
  put_hash(&b);
  put_public(&b, 512);
  set_u32(b.data + EX_PUB, SIG_SIZE);
  expect_damage(&b, b.size, "exchange key's private part");
  begin(&b, "x");
  put_hash(&b);
  size_t from = b.size;
  put_blob(&b, EXCHANGE_MASTER, 10);
  set_u32(b.data + SIG_PRIV, (uint32_t)(b.size - from));
  expect_damage(&b, b.size, "signature key's public part");
  begin(&b, "x");
  put_hash(&b);
  put_public(&b, 512);
  set_u32(b.data + EX_PUB, SIG_SIZE);
  put_fill(&b, 1, 43); /* one byte less than a blob's header */
  set_u32(b.data + EX_PRIV, 43);
  expect_damage(&b, b.size, "at least 44 bytes, found 43");
}

static void too_large(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  km_error error;
  make_file(&b);
  memset(b.data + b.size, 0, sizeof b.data - b.size);
  expect_damage(&b, KM_MAX_KEY_FILE, "end of the last part");
  assert_int_equal(parse(b.data, KM_MAX_KEY_FILE + 1, &out, &error), KM_LIMIT);
  char container[KM_MAX_CONTAINER];
  assert_int_equal(km_cng_file_parse(b.data, KM_MAX_KEY_FILE + 1, container, &error), KM_LIMIT);
  assert_int_equal(km_key_file_parse(NULL, 0, &out, &error), KM_DAMAGED);
  assert_int_equal(km_cng_file_parse(NULL, 0, container, &error), KM_DAMAGED);
}

/* A damaged file still says whose it was. */
static void damaged_keeps_name(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  make_file(&b);
  assert_int_equal(parse(b.data, b.size - 1, &out, NULL), KM_DAMAGED);
  assert_string_equal(out.container, CONTAINER);
  assert_string_equal(out.container_hash, CONTAINER_HASH);
  assert_int_equal(parse(b.data, HEADER + 10, &out, NULL), KM_DAMAGED);
  assert_string_equal(out.container, "");
  assert_string_equal(out.container_hash, "");
}

/* No run of private bytes gets into the result. */
static void private_parts_stay(void **state) {
  (void)state;
  static buffer b;
  static km_key_file out;
  make_file(&b);
  assert_int_equal(parse(b.data, b.size, &out, NULL), KM_OK);
  const uint8_t *bytes = (const uint8_t *)&out;
  for (size_t i = 0; i < sizeof out; i++)
    assert_int_not_equal(bytes[i], SECRET);
}

/* ---- CNG ---- */

enum { CNG_HEADER = 44 };

static void make_cng(buffer *b, const char *name, size_t parts) {
  b->size = 0;
  put_u32(b, 1);
  put_u32(b, 0);
  put_u32(b, (uint32_t)(2 * strlen(name)));
  put_u32(b, 0x00010002);
  for (int i = 0; i < 3; i++)
    put_u32(b, (uint32_t)parts);
  put_fill(b, 0, 16);
  for (; *name != '\0'; name++) {
    put(b, name, 1);
    put_fill(b, 0, 1);
  }
  put_fill(b, SECRET, 3 * parts);
}

static km_status parse_cng(const uint8_t *data, size_t size, char container[KM_MAX_CONTAINER]) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  km_error error = {0};
  assert_non_null(copy);
  if (size > 0)
    memcpy(copy, data, size);
  memset(container, 'x', KM_MAX_CONTAINER);
  km_status status = km_cng_file_parse(copy, size, container, &error);
  free(copy);
  if (status != KM_OK) {
    assert_string_equal(container, "");
    assert_true(strlen(error.message) > 0 && strlen(error.message) < 256);
  }
  return status;
}

static void cng_sound(void **state) {
  (void)state;
  static buffer b;
  char container[KM_MAX_CONTAINER];
  make_cng(&b, "iisCngWasKey", 100);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_OK);
  assert_string_equal(container, "iisCngWasKey");
  memcpy(b.data + CNG_HEADER, "\x3D\xD8\x11\xDD\xAC\x20", 6);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_OK);
  assert_string_equal(container, "\xF0\x9F\x94\x91\xE2\x82\xAC"
                                 "CngWasKey");
  set_u32(b.data + 28, 12345); /* zero in every published sample: nothing is concluded from it */
  assert_int_equal(parse_cng(b.data, b.size, container), KM_OK);
}

static void cng_damaged(void **state) {
  (void)state;
  static buffer b;
  char container[KM_MAX_CONTAINER];
  static const uint32_t lengths[] = {0, 1, 23, 25, 0x7FFFFFFE, 0xFFFFFFFE, 0xFFFFFFFF};
  make_cng(&b, "iisCngWasKey", 100);
  for (size_t size = 0; size < b.size; size++)
    assert_int_equal(parse_cng(b.data, size, container), KM_DAMAGED);
  for (size_t i = 0; i < COUNT_OF(lengths); i++) {
    set_u32(b.data + 8, lengths[i]);
    assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
  }
  set_u32(b.data + 8, 24);
  for (int at = 16; at <= 24; at += 4) {
    set_u32(b.data + at, 0xFFFFFFFF);
    assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
    set_u32(b.data + at, 101);
    assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
    set_u32(b.data + at, 100);
  }
  b.data[0] = 2;
  assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
  b.data[0] = 1;
  memcpy(b.data + CNG_HEADER + 2, "\0\0", 2);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
  memcpy(b.data + CNG_HEADER + 2, "\x3D\xD8", 2);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
  /* Half a pair at the end of the name must not take its other half from the next part. */
  make_cng(&b, "ab", 2);
  memcpy(b.data + CNG_HEADER + 2, "\x3D\xD8\x11\xDD", 4);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
  b.data[8] = 3;
  km_error error;
  assert_int_equal(km_cng_file_parse(b.data, b.size, container, &error), KM_DAMAGED);
  assert_non_null(strstr(error.message, "length of the CNG name at offset 8: expected an even"));
  make_file(&b);
  assert_int_equal(parse_cng(b.data, b.size, container), KM_DAMAGED);
}

/* A CNG file with an RSA key among its public properties; bits 512. *key_at gets where that key begins. */
static void make_cng_rsa(buffer *b, size_t *key_at) {
  size_t lengths[3], from;
  memset(b, 0, sizeof *b);
  const uint32_t head[] = {1, 0, 4, 0x30001, 0, 0, 0, 0, 0, 0, 0};
  for (size_t i = 0; i < COUNT_OF(head); i++)
    put_u32(b, head[i]);
  put(b, "a\0b\0", 4);
  from = b->size;
  const uint32_t modified[] = {20 + 2 + 8, 0, 0, 2, 8}, key[] = {20 + 24 + 3 + 64, 10, 0, 0, 91};
  for (size_t i = 0; i < COUNT_OF(modified); i++)
    put_u32(b, modified[i]);
  put_fill(b, 'M', 10);
  for (size_t i = 0; i < COUNT_OF(key); i++)
    put_u32(b, key[i]);
  *key_at = b->size;
  const uint32_t rsa[] = {0x31415352, 512, 3, 64, 0, 0};
  for (size_t i = 0; i < COUNT_OF(rsa); i++)
    put_u32(b, rsa[i]);
  put(b, "\1\0\1", 3);
  for (int i = 0; i < 64; i++)
    put(b, &(char){(char)(0xC0 + i)}, 1);
  lengths[0] = b->size - from;
  for (int i = 1; i < 3; i++) {
    from = b->size;
    put_blob(b, i == 1 ? SIGNATURE_MASTER : EXCHANGE_MASTER, 40);
    lengths[i] = b->size - from;
  }
  for (int i = 0; i < 3; i++)
    set_u32(b->data + 16 + 4 * i, (uint32_t)lengths[i]);
}

static void cng_parts(void **state) {
  (void)state;
  static buffer b;
  static km_cng_file file;
  km_error error;
  size_t key_at;
  make_cng_rsa(&b, &key_at);
  assert_int_equal(km_cng_file_read(b.data, b.size, &file, &error), KM_OK);
  assert_string_equal(file.container, "ab");
  assert_true(file.key.present);
  assert_int_equal(file.key.bits, 512);
  assert_int_equal(file.key.exponent, 65537);
  assert_int_equal(file.key.modulus[0], 0xC0 + 63); /* little endian here */
  assert_int_equal(file.key.modulus[63], 0xC0);
  assert_string_equal(file.key.master_key, EXCHANGE_MASTER);
  assert_string_equal(file.key.export_master_key, SIGNATURE_MASTER);
  assert_int_equal(file.parts.private_part.size, file.parts.export_flag.size);
  assert_int_equal(file.parts.private_offset + file.parts.private_part.size, b.size);
  static const struct {
    size_t at; /* from the key's begin; the key's property begins 20 before */
    uint32_t value;
    const char *words;
  } rows[] = {
      {4, 511, "CNG public key's bit length"},    {4, 0x80000000, "CNG public key's bit length"},
      {8, 5, "CNG public key's exponent length"}, {8, 0, "CNG public key's exponent length"},
      {12, 63, "CNG public key's bit length"},    {(size_t)-20, 0, "CNG public property"},
      {(size_t)-20, 0xFFFFFFFF, "property"},      {(size_t)-8, 0xFFFFFFFF, "property"},
      {(size_t)-4, 92, "CNG public property"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    make_cng_rsa(&b, &key_at);
    set_u32(b.data + key_at + rows[i].at, rows[i].value);
    assert_int_equal(km_cng_file_read(b.data, b.size, &file, &error), KM_DAMAGED);
    if (strstr(error.message, rows[i].words) == NULL)
      fail_msg("\"%s\" does not say \"%s\"", error.message, rows[i].words);
    assert_string_equal(file.container, "ab");
  }
  make_cng_rsa(&b, &key_at);
  set_u32(b.data + key_at, 0x31534345); /* ECS1: no RSA key */
  assert_int_equal(km_cng_file_read(b.data, b.size, &file, &error), KM_OK);
  assert_false(file.key.present);
}

static void cng_long_name(void **state) {
  (void)state;
  static buffer b;
  char container[KM_MAX_CONTAINER];
  char name[KM_MAX_CONTAINER + 100];
  for (size_t length = KM_MAX_CONTAINER - 8; length < sizeof name; length++) {
    memset(name, 'n', length);
    name[length] = '\0';
    make_cng(&b, name, 0);
    km_status expected = length <= KM_MAX_CONTAINER - 4 ? KM_OK : KM_DAMAGED;
    assert_int_equal(parse_cng(b.data, b.size, container), expected);
  }
}

/* ---- Real files ---- */

static void real_capi(void **state) {
  (void)state;
  static const char path[] = "capi/dsinternals/S-1-5-21-4534338-1127018997-2609994386-500/"
                             "701577141985b6923998dcca035c007a_f8b7bbef-d227-4ac7-badd-"
                             "3a238a7f741e";
  static km_key_file out;
  km_unique_name name;
  km_error error = {0};
  size_t size = 0;
  uint8_t *data = test_data_read(path, &size);
  if (data == NULL) {
    skip();
    return;
  }
  assert_int_equal(size, 2081);
  km_status status = km_key_file_parse(data, size, &out, &error);
  assert_string_equal(error.message, "");
  assert_int_equal(status, KM_OK);
  assert_string_equal(out.container, "472576b9-14d6-44c3-bfaf-bccd074d4695");
  assert_true(km_unique_name_parse(strrchr(path, '/') + 1, &name));
  assert_string_equal(out.container_hash, name.hash);
  assert_false(out.keyless);
  assert_false(out.signature.present);
  assert_true(out.exchange.present);
  assert_int_equal(out.exchange.bits, 2048);
  assert_int_equal(out.exchange.exponent, 65537);
  assert_memory_equal(out.exchange.modulus, data + 117, 256);
  assert_string_equal(out.exchange.master_key, "47070660-c259-4d90-8bc9-187605323450");
  assert_string_equal(out.exchange.export_master_key, "47070660-c259-4d90-8bc9-187605323450");
  for (size_t cut = 0; cut < size; cut++)
    assert_int_equal(parse(data, cut, &out, NULL), KM_DAMAGED);
  free(data);
}

static void real_cng(void **state) {
  (void)state;
  static const struct {
    const char *path, *container, *master_key;
    uint32_t bits; /* 0: no RSA key */
  } files[] = {
      {"cng/nemesis/SystemKeys/"
       "7096db7aeb75c0d3497ecd56d355a695_f26c165b-53c8-414e-8abb-ec5f0f52df22",
       "Google Chromekey1", "fb1190c1-123d-45f8-95f4-32aee28fe2eb", 0},
      {"cng/dsinternals/B6AF1EF9D302A7332208091CC8C1EFF836F60620",
       "te-SWSmartcardLogon-3462dcbf-1252-4619-ad7f-9296e1f2b426",
       "563e7e10-0351-4855-8f9a-5c6ba86a2c04", 2048},
  };
  static km_cng_file file;
  char container[KM_MAX_CONTAINER];
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    size_t size = 0;
    uint8_t *data = test_data_read(files[i].path, &size);
    if (data == NULL) {
      skip();
      return;
    }
    assert_int_equal(parse_cng(data, size, container), KM_OK);
    assert_string_equal(container, files[i].container);
    assert_int_equal(km_cng_file_read(data, size, &file, NULL), KM_OK);
    assert_string_equal(file.key.master_key, files[i].master_key);
    assert_int_equal(file.key.bits, files[i].bits);
    for (size_t cut = 0; cut < size; cut++)
      assert_int_equal(parse_cng(data, cut, container), KM_DAMAGED);
    free(data);
  }
  char hash[KM_HASH_TEXT];
  assert_int_equal(km_cng_container_hash("Google Chromekey1", hash, NULL), KM_OK);
  assert_string_equal(hash, "7096db7aeb75c0d3497ecd56d355a695");
}

int test_keyfile(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sound),
      cmocka_unit_test(one_key),
      cmocka_unit_test(key_sizes),
      cmocka_unit_test(keyless),
      cmocka_unit_test(names),
      cmocka_unit_test(truncated),
      cmocka_unit_test(each_length),
      cmocka_unit_test(shifted_lengths),
      cmocka_unit_test(changed_bytes),
      cmocka_unit_test(zeroed),
      cmocka_unit_test(halves_of_a_key),
      cmocka_unit_test(too_large),
      cmocka_unit_test(damaged_keeps_name),
      cmocka_unit_test(private_parts_stay),
      cmocka_unit_test(cng_sound),
      cmocka_unit_test(cng_damaged),
      cmocka_unit_test(cng_parts),
      cmocka_unit_test(cng_long_name),
      cmocka_unit_test(real_capi),
      cmocka_unit_test(real_cng),
  };
  return cmocka_run_group_tests_name("keyfile", tests, NULL, NULL);
}
