/* dpapi.c: DPAPI blobs and master keys. */
#include "dpapi.h"

#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "bytes.h"
#include "secret.h"
#include "text.h"

/* ---- Reading a blob ---- */

enum { HEADER = 44, VERSION = 1, PROVIDER = 4, SIGNED_FROM = 20, MASTER_KEY = 24, FLAGS = 40 };

static const char provider_guid[] = "df9d8cd0-1501-11d1-8c7a-00c04fc297eb";

/* A blob being read; `base` is its offset in the file. */
typedef struct reader {
  const uint8_t *data;
  size_t size, at, base;
  const char *what;
  km_error *error;
} reader;

static km_status short_of(const reader *r, const char *field, uint32_t length) {
  return km_fail(
      r->error, KM_DAMAGED, 0,
      "key file: %s, its %s at offset %zu: expected at most %zu bytes, which are left in "
      "it, found %" PRIu32,
      r->what, field, r->base + r->at, r->size - r->at, length);
}

static km_status read_number(reader *r, const char *field, uint32_t *out) {
  if (r->size - r->at < 4)
    return short_of(r, field, 4);
  *out = km_u32(r->data + r->at);
  r->at += 4;
  return KM_OK;
}

/* A part with its length before it. */
static km_status read_part(reader *r, const char *field, km_bytes *out) {
  uint32_t length = 0;
  km_status status = read_number(r, field, &length);
  if (status != KM_OK)
    return status;
  if (length > r->size - r->at) {
    r->at -= 4;
    return short_of(r, field, length);
  }
  *out = (km_bytes){r->data + r->at, length};
  r->at += length;
  return KM_OK;
}

static km_status read_header(const reader *r, km_dpapi_blob *out) {
  char provider[KM_GUID_TEXT];
  if (r->size < HEADER)
    return km_fail(
        r->error, KM_DAMAGED, 0,
        "key file: %s at offset %zu: expected a DPAPI blob of at least %d bytes, found %zu",
        r->what, r->base, HEADER, r->size);
  if (km_u32(r->data) != VERSION)
    return km_fail(
        r->error, KM_DAMAGED, 0,
        "key file: %s at offset %zu: expected a DPAPI blob of version %d, found %" PRIu32, r->what,
        r->base, VERSION, km_u32(r->data));
  km_guid_bytes_text(r->data + PROVIDER, provider);
  if (strcmp(provider, provider_guid) != 0)
    return km_fail(r->error, KM_DAMAGED, 0,
                   "key file: %s at offset %zu: expected DPAPI's provider %s, found %s", r->what,
                   r->base + PROVIDER, provider_guid, provider);
  km_guid_bytes_text(r->data + MASTER_KEY, out->master_key);
  out->flags = km_u32(r->data + FLAGS);
  return KM_OK;
}

static km_status read_parts(reader *r, km_dpapi_blob *out) {
  km_bytes description, hash_key;
  uint32_t hash_bits;
  km_status status = read_part(r, "description", &description);
  if (status == KM_OK)
    status = read_number(r, "cipher", &out->cipher_id);
  if (status == KM_OK)
    status = read_number(r, "bits of the cipher's key", &out->cipher_bits);
  if (status == KM_OK)
    status = read_part(r, "salt", &out->salt);
  if (status == KM_OK)
    status = read_part(r, "first HMAC key", &hash_key);
  if (status == KM_OK)
    status = read_number(r, "hash", &out->hash_id);
  if (status == KM_OK)
    status = read_number(r, "bits of the hash", &hash_bits);
  if (status == KM_OK)
    status = read_part(r, "HMAC key", &out->hmac_key);
  if (status == KM_OK)
    status = read_part(r, "data", &out->data);
  if (status != KM_OK)
    return status;
  out->signed_part = (km_bytes){r->data + SIGNED_FROM, r->at - SIGNED_FROM};
  status = read_part(r, "signature", &out->signature);
  if (status == KM_OK && r->at != r->size)
    status = km_fail(r->error, KM_DAMAGED, 0,
                     "key file: %s, its end at offset %zu: expected the end of the part, found %zu "
                     "more bytes",
                     r->what, r->base + r->at, r->size - r->at);
  return status;
}

km_status km_dpapi_blob_parse(const uint8_t *data, size_t size, const char *what, size_t offset,
                              km_dpapi_blob *out, km_error *error) {
  reader r = {data, size, HEADER, offset, what, error};
  memset(out, 0, sizeof *out);
  km_status status = read_header(&r, out);
  if (status == KM_OK)
    status = read_parts(&r, out);
  if (status == KM_OK) {
    out->cipher = km_cipher_find(out->cipher_id);
    out->hash = km_hash_find(out->hash_id);
  }
  return status;
}

bool km_dpapi_blob_is_of_machine(const km_dpapi_blob *blob) {
  return (blob->flags & KM_DPAPI_LOCAL_MACHINE) != 0;
}

/* ---- Opening a blob ----
 *
 * All keys come from HMAC(SHA-1 of the master key, salt) with the entropy. Windows 2000 to 2003 hash the entropy behind
 * the inner digest, Windows 7 and later within it: without entropy and signed part both are the same. Either may be met. */

static const km_bytes none = {NULL, 0};

enum form { FORM_LATE, FORM_EARLY, FORM_COUNT };

/* Keyed hash of `first`, then of the entropy and `last`. */
static void keyed(const km_hash_kind *hash, const uint8_t key[KM_SHA1_SIZE], enum form form,
                  km_bytes first, km_bytes entropy, km_bytes last, uint8_t out[KM_MAX_DIGEST]) {
  km_hmac hmac;
  uint8_t digest[KM_MAX_DIGEST];
  km_hmac_key(&hmac, hash, (km_bytes){key, KM_SHA1_SIZE});
  if (form == FORM_EARLY) {
    const km_bytes parts[] = {first, entropy, last};
    km_hmac_make(&hmac, parts, 3, out);
  } else {
    const km_bytes parts[] = {{digest, hash->size}, entropy, last};
    hash_state state = hmac.inner;
    if (first.size > 0)
      (void)hash->add(&state, first.data, (unsigned long)first.size);
    (void)hash->done(&state, digest);
    state = hmac.outer;
    for (size_t i = 0; i < 3; i++)
      if (parts[i].size > 0)
        (void)hash->add(&state, parts[i].data, (unsigned long)parts[i].size);
    (void)hash->done(&state, out);
    km_wipe(&state, sizeof state);
  }
  km_wipe(&hmac, sizeof hmac);
  km_wipe(digest, sizeof digest);
}

/* CryptDeriveKey's way: the digest itself, or when it is too short, the hashes of it under both pads. */
static bool derive(const km_hash_kind *hash, const uint8_t *digest, size_t key_size,
                   uint8_t key[2 * KM_MAX_DIGEST]) {
  uint8_t pad[128];
  const km_bytes block = {pad, hash->block};
  if (hash->size >= key_size) {
    memcpy(key, digest, key_size);
    return true;
  }
  for (int i = 0; i < 2; i++) {
    memset(pad, i == 0 ? 0x36 : 0x5C, sizeof pad);
    for (size_t j = 0; j < hash->size; j++)
      pad[j] ^= digest[j];
    km_digest(hash, &block, 1, key + i * hash->size);
  }
  km_wipe(pad, sizeof pad);
  return key_size <= 2 * hash->size;
}

/* What stands at the end of the data of a block cipher: n bytes of value n. */
static bool unpad(size_t block, const uint8_t *data, size_t *size) {
  if (block == 0)
    return true;
  if (*size == 0)
    return false;
  size_t pad = data[*size - 1];
  if (pad == 0 || pad > block || pad > *size)
    return false;
  for (size_t i = 1; i <= pad; i++)
    if (data[*size - i] != pad)
      return false;
  *size -= pad;
  return true;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t size) {
  uint8_t differ = 0;
  for (size_t i = 0; i < size; i++)
    differ |= a[i] ^ b[i];
  return differ == 0;
}

/* What opening a blob computes: all of it secret. */
typedef struct blob_work {
  uint8_t hash[KM_SHA1_SIZE], digest[KM_MAX_DIGEST], key[2 * KM_MAX_DIGEST];
} blob_work;

static bool is_signed(const km_dpapi_blob *blob, km_bytes entropy, enum form form,
                      blob_work *work) {
  if (blob->signature.size != blob->hash->size)
    return false;
  keyed(blob->hash, work->hash, form, blob->hmac_key, entropy, blob->signed_part, work->digest);
  return same(work->digest, blob->signature.data, blob->hash->size);
}

static bool decrypt(const km_dpapi_blob *blob, km_bytes entropy, enum form form, blob_work *work,
                    uint8_t *out, size_t *out_size) {
  static const uint8_t zeros[16];
  size_t key_size = blob->cipher->block == 0 ? blob->cipher_bits / 8 : blob->cipher->key_size;
  keyed(blob->hash, work->hash, form, blob->salt, entropy, none, work->digest);
  *out_size = blob->data.size;
  return key_size <= blob->cipher->key_size &&
         derive(blob->hash, work->digest, key_size, work->key) &&
         km_cipher_decrypt(blob->cipher, (km_bytes){work->key, key_size}, zeros, blob->data, out) &&
         unpad(blob->cipher->block, out, out_size);
}

/* The form that the signature has comes first, unless the caller knows better: with the wrong one, one of 256 blobs decrypts
 * to nonsense. Without entropy both are the same. */
static bool decrypt_either(const km_dpapi_blob *blob, km_bytes entropy, enum form sign,
                           blob_work *work, uint8_t *out, size_t *out_size) {
  enum form other = sign == FORM_LATE ? FORM_EARLY : FORM_LATE;
  return (!blob->other_form && decrypt(blob, entropy, sign, work, out, out_size)) ||
         (entropy.size > 0 && decrypt(blob, entropy, other, work, out, out_size));
}

km_status km_dpapi_blob_open(const km_dpapi_blob *blob, const uint8_t key[KM_MASTER_KEY_SIZE],
                             km_bytes entropy, uint8_t *out, size_t *out_size, km_error *error) {
  *out_size = 0;
  if (blob->cipher == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "open a DPAPI blob: keymend does not know its cipher, number %04" PRIX32,
                   blob->cipher_id);
  if (blob->hash == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "open a DPAPI blob: keymend does not know its hash, number %04" PRIX32,
                   blob->hash_id);
  blob_work *work = km_locked_alloc(sizeof *work);
  if (work == NULL)
    return km_fail(error, KM_MEMORY, 0, "open a DPAPI blob: out of memory");
  const km_bytes master = {key, KM_MASTER_KEY_SIZE};
  km_digest(&km_hash_sha1, &master, 1, work->hash);
  bool right = false, done = false;
  for (int sign = 0; sign < FORM_COUNT && !done; sign++)
    if (is_signed(blob, entropy, (enum form)sign, work)) {
      right = true;
      done = decrypt_either(blob, entropy, (enum form)sign, work, out, out_size);
    }
  km_locked_free(work, sizeof *work);
  if (done)
    return KM_OK;
  km_wipe(out, blob->data.size);
  *out_size = 0;
  return right
             ? km_fail(error, KM_UNSUPPORTED, 0,
                       "open a DPAPI blob: its signature is right, but what is encrypted does not "
                       "decrypt in any way that keymend knows")
             : km_fail(error, KM_DAMAGED, 0, "open a DPAPI blob: its signature is wrong");
}

/* ---- Reading a master key ---- */

enum { FILE_HEADER = 128, FILE_GUID = 12, FILE_LENGTHS = 96, KEY_HEADER = 32, SALT_SIZE = 16 };
enum { KEY_SALT = 4, KEY_ROUNDS = 20, KEY_HASH = 24, KEY_CIPHER = 28 };

/* Bytes of the encrypted part: 104 with 3DES, 144 with AES-256. */
enum { KM_MAX_MASTER_KEY_DATA = 1024 };

/* The GUID stands as text; other characters than a GUID's become "?". */
static void read_guid(const uint8_t *p, char guid[KM_GUID_TEXT]) {
  char text[KM_GUID_TEXT];
  for (size_t i = 0; i < KM_GUID_TEXT - 1; i++)
    text[i] = p[2 * i + 1] == 0 && p[2 * i] > ' ' && p[2 * i] < 127 ? (char)p[2 * i] : '?';
  text[KM_GUID_TEXT - 1] = '\0';
  if (km_guid_parse(text, guid) == KM_GUID_MALFORMED)
    guid[0] = '\0';
}

static km_status damaged(km_error *error, const char *field, size_t offset, size_t expected,
                         uint64_t found) {
  return km_fail(error, KM_DAMAGED, 0,
                 "master key file: %s at offset %zu: expected at least %zu, found %" PRIu64, field,
                 offset, expected, found);
}

static km_status read_key(km_master_key *out, km_error *error) {
  if (out->rounds == 0)
    return damaged(error, "rounds", FILE_HEADER + KEY_ROUNDS, 1, 0);
  if (out->rounds > KM_MAX_MASTER_KEY_ROUNDS)
    return km_fail(error, KM_LIMIT, 0,
                   "master key file: it asks for %" PRIu32
                   " rounds; keymend does at most %d, and no "
                   "Windows asks for more than some ten thousand",
                   out->rounds, KM_MAX_MASTER_KEY_ROUNDS);
  out->hash = km_hash_find(out->hash_id);
  out->cipher = km_cipher_find(out->cipher_id);
  if (out->hash == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "master key file: keymend does not know its hash, number %04" PRIX32,
                   out->hash_id);
  if (out->cipher == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "master key file: keymend does not know its cipher, number %04" PRIX32,
                   out->cipher_id);
  size_t need = SALT_SIZE + out->hash->size + KM_MASTER_KEY_SIZE;
  if (out->data.size < need ||
      (out->cipher->block != 0 && out->data.size % out->cipher->block != 0))
    return damaged(error, "encrypted key", FILE_HEADER + KEY_HEADER, need, out->data.size);
  return KM_OK;
}

km_status km_master_key_parse(const uint8_t *data, size_t size, km_master_key *out,
                              km_error *error) {
  memset(out, 0, sizeof *out);
  if (size < FILE_HEADER)
    return damaged(error, "header", 0, FILE_HEADER, size);
  read_guid(data + FILE_GUID, out->guid);
  if (km_u32(data + FILE_LENGTHS + 4) != 0 || km_u32(data + FILE_LENGTHS) > size - FILE_HEADER)
    return km_fail(
        error, KM_DAMAGED, 0,
        "master key file: length of the master key at offset %d: expected at most the %zu "
        "bytes that are left in the file, found %" PRIu64,
        FILE_LENGTHS, size - FILE_HEADER, km_u64(data + FILE_LENGTHS));
  const km_bytes part = {data + FILE_HEADER, km_u32(data + FILE_LENGTHS)};
  if (part.size < KEY_HEADER || part.size > KM_MAX_MASTER_KEY_DATA)
    return km_fail(
        error, KM_DAMAGED, 0,
        "master key file: length of the master key at offset %d: expected %d to %d, found "
        "%zu",
        FILE_LENGTHS, KEY_HEADER, KM_MAX_MASTER_KEY_DATA, part.size);
  out->rounds = km_u32(part.data + KEY_ROUNDS);
  out->hash_id = km_u32(part.data + KEY_HASH);
  out->cipher_id = km_u32(part.data + KEY_CIPHER);
  out->salt = (km_bytes){part.data + KEY_SALT, SALT_SIZE};
  out->data = (km_bytes){part.data + KEY_HEADER, part.size - KEY_HEADER};
  return read_key(out, error);
}

/* ---- Opening a master key ---- */

/* What opening computes: all of it secret. */
typedef struct master_work {
  km_hmac keyed, hmac; /* with the system key; the present one */
  uint8_t derived[2 * KM_MAX_DIGEST], round[KM_MAX_DIGEST];
  uint8_t clear[KM_MAX_MASTER_KEY_DATA];
} master_work;

/* PBKDF2 but for one thing: each round's input is the XOR of all before it, not the last round's output. */
static void stretch(const km_master_key *master, master_work *work, size_t wanted) {
  size_t size = master->hash->size;
  const km_bytes round = {work->round, size};
  for (size_t done = 0, block = 1; done < wanted; done += size, block++) {
    const uint8_t number[4] = {0, 0, 0, (uint8_t)block};
    const km_bytes first[] = {master->salt, {number, sizeof number}};
    uint8_t *sum = work->derived + done;
    const km_bytes so_far = {sum, size};
    km_hmac_make(&work->keyed, first, 2, sum);
    for (uint32_t i = 1; i < master->rounds; i++) {
      km_hmac_make(&work->keyed, &so_far, 1, work->round);
      for (size_t j = 0; j < round.size; j++)
        sum[j] ^= round.data[j];
    }
  }
}

/* clear: salt[16], HMAC, filling, key[64]; the HMAC's key is itself HMAC(system key, salt). */
static bool is_right(const km_master_key *master, master_work *work) {
  const km_bytes salt = {work->clear, SALT_SIZE};
  const km_bytes key = {work->clear + master->data.size - KM_MASTER_KEY_SIZE, KM_MASTER_KEY_SIZE};
  km_hmac_make(&work->hmac, &salt, 1, work->round);
  km_hmac_key(&work->hmac, master->hash, (km_bytes){work->round, master->hash->size});
  km_hmac_make(&work->hmac, &key, 1, work->round);
  return same(work->round, work->clear + SALT_SIZE, master->hash->size);
}

/* Windows 2000 encrypts with RC4. No real file of it is known to have been published: 128 bits are what CryptoAPI takes by
 * itself, 40 and 56 what exported systems were held to. The HMAC decides. */
static bool try_key_sizes(const km_master_key *master, master_work *work) {
  const size_t stream_sizes[] = {master->cipher->key_size, 5, 7};
  size_t count = master->cipher->block == 0 ? sizeof stream_sizes / sizeof *stream_sizes : 1;
  bool done = false;
  for (size_t i = 0; i < count && !done; i++) {
    work->hmac = work->keyed;
    done = km_cipher_decrypt(master->cipher, (km_bytes){work->derived, stream_sizes[i]},
                             work->derived + master->cipher->key_size, master->data, work->clear) &&
           is_right(master, work);
  }
  return done;
}

km_status km_master_key_open(const km_master_key *master,
                             const uint8_t system_key[KM_SYSTEM_KEY_SIZE],
                             uint8_t key[KM_MASTER_KEY_SIZE], km_error *error) {
  master_work *work = km_locked_alloc(sizeof *work);
  if (work == NULL)
    return km_fail(error, KM_MEMORY, 0, "open a master key: out of memory");
  km_hmac_key(&work->keyed, master->hash, (km_bytes){system_key, KM_SYSTEM_KEY_SIZE});
  stretch(master, work, master->cipher->key_size + master->cipher->block);
  bool done = try_key_sizes(master, work);
  if (done)
    memcpy(key, work->clear + master->data.size - KM_MASTER_KEY_SIZE, KM_MASTER_KEY_SIZE);
  km_locked_free(work, sizeof *work);
  if (done)
    return KM_OK;
  if (master->cipher->block == 0)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "this system's secret does not open the master key %s as keymend knows Windows "
                   "2000's format, which was never compared with a real file",
                   master->guid);
  return km_fail(error, KM_REFUSED, 0, "open a master key: this secret does not open it");
}
