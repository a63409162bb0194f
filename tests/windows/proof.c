/* proof.c: key files that this Windows protects itself, tried through its CryptUnprotectData
 *
 *   proof.exe    makes key files in the key store of the running Windows, tries them and removes them; a line for each check,
 *                and "N passed, N failed, N skipped" at the end
 *   proof.exe make CONTAINER NAME FILE
 *                makes an exchange key in the machine container CONTAINER, and the key file that Windows would keep of it;
 *                the file names the container NAME. Prints the provider and the flags of the system's blobs in hex.
 *
 * CryptoAPI makes the RSA keys, CryptProtectData the blobs; the frame of a key file is made here. Wine writes another
 * provider into its blobs, and no flag of the machine: the files get what Windows writes, and Wine gets its own back. It
 * protects with a master key that has no file: one is made where it is needed.
 */
#include "proof.h"

#include "backend.h"
#include "windows/cryptoapi.h"

#include <windows.h>

#include <wincrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS 1024u
#define BYTES (BITS / 8)
#define ROOM (BYTES + 8)
#define HALF (ROOM / 2)
#define NAME "0123456789abcdef0123456789abcdef_11111111-2222-3333-4444-555555555555"

static unsigned passed, failed;

static void check(bool good, const char *what, const char *details) {
  *(good ? &passed : &failed) += 1;
  printf("%s %s%s%s\n", good ? "ok   " : "FAIL ", what, good ? "" : ": ", good ? "" : details);
}

static _Noreturn void end(const char *what) {
  printf("FAIL  %s: 0x%08lX\n%u passed, %u failed, 0 skipped\n", what,
         (unsigned long)GetLastError(), passed, failed + 1);
  exit(1);
}

/* ---- A key and its file ---- */

typedef struct made_key {
  uint8_t public_part[20 + ROOM], clear[20 + 2 * ROOM + 5 * HALF];
  uint8_t sealed[BYTES]; /* "hello", encrypted for it, little endian */
} made_key;

static void put_u32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (8 * i));
}

static void put_head(uint8_t *p, const char *magic) {
  memcpy(p, magic, 4);
  put_u32(p + 4, ROOM);
  put_u32(p + 8, BITS);
  put_u32(p + 12, BYTES - 1);
  put_u32(p + 16, 65537);
}

/* container: of the machine, or NULL: the key stays in memory.
 * A PRIVATEKEYBLOB: 8 bytes, "RSA2", u32 bits, u32 exponent, then n, p, q, dp, dq, qinv, d without padding. */
static void make_key(made_key *out, const char *container) {
  static const size_t sizes[] = {BYTES,     BYTES / 2, BYTES / 2, BYTES / 2,
                                 BYTES / 2, BYTES / 2, BYTES};
  uint8_t blob[20 + 2 * BYTES + 5 * BYTES / 2];
  HCRYPTPROV provider;
  HCRYPTKEY key;
  DWORD size = sizeof blob, length = 5;
  const DWORD kept = CRYPT_MACHINE_KEYSET | CRYPT_NEWKEYSET | CRYPT_SILENT;
  memset(out, 0, sizeof *out);
  if (!CryptAcquireContextA(&provider, container, NULL, PROV_RSA_FULL,
                            container != NULL ? kept : CRYPT_VERIFYCONTEXT) ||
      !CryptGenKey(provider, AT_KEYEXCHANGE, BITS << 16 | CRYPT_EXPORTABLE, &key) ||
      !CryptExportKey(key, 0, PRIVATEKEYBLOB, 0, blob, &size) || size != sizeof blob)
    end("make a key");
  memcpy(out->sealed, "hello", 5);
  if (!CryptEncrypt(key, 0, TRUE, 0, out->sealed, &length, sizeof out->sealed))
    end("encrypt");
  CryptDestroyKey(key);
  CryptReleaseContext(provider, 0);
  put_head(out->public_part, "RSA1");
  put_head(out->clear, "RSA2");
  memcpy(out->public_part + 20, blob + 20, BYTES);
  const uint8_t *from = blob + 20;
  uint8_t *to = out->clear + 20;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    memcpy(to, from, sizes[i]);
    from += sizes[i];
    to += sizes[i] == BYTES ? ROOM : HALF;
  }
}

typedef BOOL(WINAPI *protect_call)(DATA_BLOB *, LPCWSTR, DATA_BLOB *, void *, void *, DWORD,
                                   DATA_BLOB *);

static DATA_BLOB protect(const void *data, size_t size, const char *entropy) {
  HMODULE crypt32 = LoadLibraryW(L"crypt32.dll");
  FARPROC found = crypt32 != NULL ? GetProcAddress(crypt32, "CryptProtectData") : NULL;
  protect_call call;
  memcpy(&call, &found, sizeof call);
  DATA_BLOB in = {(DWORD)size, (BYTE *)(uintptr_t)data}, out = {0, NULL};
  DATA_BLOB salt = {entropy != NULL ? (DWORD)strlen(entropy) + 1 : 0, (BYTE *)(uintptr_t)entropy};
  if (call == NULL || !call(&in, L"Test", entropy != NULL ? &salt : NULL, NULL, NULL,
                            5 /* machine, no windows */, &out))
    end("CryptProtectData");
  return out;
}

/* ---- Wine's header ---- */

enum { PROVIDER_AT = 4, PROVIDER_SIZE = 16, FLAGS_AT = 40, FLAGS_SIZE = 4, LEAST = 44 };

static const uint8_t dpapi_provider[PROVIDER_SIZE] = {
    0xd0, 0x8c, 0x9d, 0xdf, 0x01, 0x15, 0xd1, 0x11, 0x8c, 0x7a, 0x00, 0xc0, 0x4f, 0xc2, 0x97, 0xeb};
static const uint8_t machine_flag[FLAGS_SIZE] = {KM_DPAPI_LOCAL_MACHINE};
static uint8_t system_provider[PROVIDER_SIZE], system_flags[FLAGS_SIZE];

static void take_header(DATA_BLOB *blob) {
  if (blob->cbData < LEAST)
    end("a blob of this size");
  memcpy(system_provider, blob->pbData + PROVIDER_AT, PROVIDER_SIZE);
  memcpy(system_flags, blob->pbData + FLAGS_AT, FLAGS_SIZE);
  memcpy(blob->pbData + PROVIDER_AT, dpapi_provider, PROVIDER_SIZE);
  memcpy(blob->pbData + FLAGS_AT, machine_flag, FLAGS_SIZE);
}

/* The operation unprotect with the provider and the flags that the system itself wrote. */
static km_status unprotect(km_target *target, const uint8_t *blob, size_t size,
                           const uint8_t *entropy, size_t entropy_size, uint8_t *out,
                           size_t *out_size, km_decryptable *verdict, km_error *error) {
  uint8_t copy[4096];
  if (size < LEAST || size > sizeof copy)
    end("a blob of this size");
  memcpy(copy, blob, size);
  memcpy(copy + PROVIDER_AT, system_provider, PROVIDER_SIZE);
  memcpy(copy + FLAGS_AT, system_flags, FLAGS_SIZE);
  km_status status =
      km_win_unprotect(target, copy, size, entropy, entropy_size, out, out_size, verdict, error);
  if (status != KM_OK)
    *verdict = km_win_unprotect_verdict(target, blob, size, (uint32_t)error->native);
  return status;
}

/* ---- Key files ---- */

typedef struct key_file {
  uint8_t data[8192];
  size_t size, private_at, private_size;
} key_file;

static void add(key_file *file, const void *data, size_t size) {
  memcpy(file->data + file->size, data, size);
  file->size += size;
}

/* The public part may be that of another key. name: of the container, as the file tells it. */
static void make_file(key_file *file, const char *name, const made_key *key,
                      const made_key *public_of) {
  const size_t name_size = strlen(name) + 1;
  static const uint8_t exportable[4] = {1};
  DATA_BLOB private_part = protect(key->clear, sizeof key->clear, NULL);
  DATA_BLOB flag = protect(exportable, sizeof exportable, "Hj1diQ6kpUx7VC4m");
  take_header(&private_part);
  take_header(&flag);
  const uint32_t head[10] = {
      2,  0, (uint32_t)name_size, 0, 0, sizeof key->public_part, private_part.cbData,
      20, 0, flag.cbData};
  memset(file, 0, sizeof *file);
  if (name_size > 512 || private_part.cbData + flag.cbData > sizeof file->data - 1024)
    end("blobs of this size");
  for (size_t i = 0; i < 10; i++)
    put_u32(file->data + 4 * i, head[i]);
  file->size = 40;
  add(file, name, name_size);
  file->size += 20;
  add(file, public_of->public_part, sizeof public_of->public_part);
  file->private_at = file->size;
  file->private_size = private_part.cbData;
  add(file, private_part.pbData, private_part.cbData);
  add(file, flag.pbData, flag.cbData);
  LocalFree(private_part.pbData);
  LocalFree(flag.pbData);
}

/* ---- Files on the disk; all names are ASCII ---- */

static void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
    end(path);
}

/* Makes a folder and those above it. */
static void make_folders(const char *path) {
  char part[MAX_PATH];
  for (const char *end_of = strchr(path, '\\'); end_of != NULL;) {
    end_of = strchr(end_of + 1, '\\');
    (void)snprintf(part, sizeof part, "%.*s",
                   end_of != NULL ? (int)(end_of - path) : (int)strlen(path), path);
    (void)CreateDirectoryA(part, NULL);
  }
}

/* ---- Checks ---- */

static void expect(km_target *target, const key_file *file, const char *what, const char *verdict) {
  char path[MAX_PATH];
  km_proof *proof;
  km_key_proof key;
  km_error error;
  (void)snprintf(path, sizeof path, "%s\\%s", km_target_describe(target)->key_store, NAME);
  write_file(path, file->data, file->size);
  if (km_proof_open(target, &proof, &error) != KM_OK)
    end(error.message);
  check(km_proof_problem(proof) == NULL, "a running Windows needs no secrets", what);
  km_status status = km_proof_key(proof, KM_STORE_RSA, NAME, &key, &error);
  const char *found = status == KM_OK ? km_decryptable_id(key.decryptable) : error.message;
  check(strcmp(found, verdict) == 0, what, status == KM_OK ? key.text : found);
  if (strcmp(verdict, "yes") == 0)
    check(key.exchange.export_known && key.exchange.exportable, "it is exportable", key.text);
  km_proof_close(proof);
}

/* What CryptEncrypt made comes out as 00 02, padding, 00, "hello". */
static void use_key(km_target *target, const made_key *key) {
  uint8_t out[BYTES];
  km_proof *proof;
  km_error error;
  if (km_proof_open(target, &proof, &error) != KM_OK)
    end(error.message);
  km_status status =
      km_proof_rsa(proof, KM_STORE_RSA, NAME, true, key->sealed, sizeof key->sealed, out, &error);
  check(status == KM_OK && out[0] == 0 && out[1] == 2 && memcmp(out + BYTES - 6, "\0hello", 6) == 0,
        "the private key opens what the public one sealed", status == KM_OK ? "" : error.message);
  km_proof_close(proof);
}

static void run(km_target *target) {
  km_backend backend = *target->backend;
  backend.unprotect = unprotect;
  target->backend = &backend;
  static made_key key, other;
  static key_file file;
  km_key_file parsed;
  char folder[MAX_PATH], master[MAX_PATH];
  make_key(&key, NULL);
  make_key(&other, NULL);
  make_file(&file, "test", &key, &key);
  expect(target, &file, "a key opens", "yes");
  use_key(target, &key);
  if (km_key_file_parse(file.data, file.size, &parsed, NULL) != KM_OK)
    end("a key file");
  (void)snprintf(folder, sizeof folder, "%s\\System32\\Microsoft\\Protect\\S-1-5-18",
                 km_target_describe(target)->windows);
  (void)snprintf(master, sizeof master, "%s\\%s", folder, parsed.exchange.master_key);
  file.data[file.private_at + file.private_size - 1] ^= 1; /* of its signature */
  make_folders(folder);
  expect(target, &file, "a master key that is not there", "no-master-key");
  write_file(master, "made for a test", 15);
  expect(target, &file, "a signature that is wrong", "bad-signature");
  put_u32(file.data + file.private_at + FLAGS_AT, 0);
  expect(target, &file, "a blob of one account, which this one does not open", "unknown");
  (void)remove(master);
  expect(target, &file, "a blob of one account, whose master key the system has not", "unknown");
  make_file(&file, "test", &key, &other);
  expect(target, &file, "another public key", "mismatch");
  file.data[file.private_at] ^= 0xFF; /* its version */
  expect(target, &file, "a blob that is none", "unknown");
  target->backend = km_live_backend();
}

static int make(const char *container, const char *name, const char *path) {
  static made_key key;
  static key_file file;
  make_key(&key, container);
  make_file(&file, name, &key, &key);
  write_file(path, file.data, file.size);
  for (size_t i = 0; i < PROVIDER_SIZE; i++)
    printf("%02x", system_provider[i]);
  for (size_t i = 0; i < FLAGS_SIZE; i++)
    printf("%02x", system_flags[i]);
  printf("\n");
  return 0;
}

int main(int count, char **words) {
  km_target *target;
  km_error error;
  const km_target_options options = {.root = NULL};
  if (count == 5 && strcmp(words[1], "make") == 0)
    return make(words[2], words[3], words[4]);
  if (km_target_open(&options, &target, &error) != KM_OK)
    end(error.message);
  make_folders(km_target_describe(target)->key_store);
  km_target_close(target);
  if (km_target_open(&options, &target, &error) != KM_OK)
    end(error.message);
  run(target);
  km_target_close(target);
  printf("%u passed, %u failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
