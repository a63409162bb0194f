/* cryptoapi.c: tries a key container through this Windows' own CryptoAPI, creating and changing nothing.
 *
 * A machine container's file is looked for under its hash and the machine GUID, whatever RSA provider asks, so the default
 * provider of PROV_RSA_FULL is asked first; others only where that one itself cannot work. Every code is told as CryptoAPI
 * gave it.
 */
#include "cryptoapi.h"

#include "wide.h"

#include <wincrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRYPTOGRAPHY "SOFTWARE\\Microsoft\\Cryptography"
#define KM_MAX_SIGNATURE                                                                           \
  KM_MAX_MODULUS              /* bytes; a signature and a ciphertext are as long as the modulus */
#define KM_MAX_PARAMETER 4096 /* bytes of a provider's parameter */

#ifndef PROV_RSA_AES /* since Windows XP */
#define PROV_RSA_AES 24
#endif

static const char probe[] = "keymend: round trip";

/* Success or the code; to be called right behind the call. */
static uint32_t outcome(BOOL good) {
  uint32_t code = (uint32_t)GetLastError();
  if (good)
    return 0;
  return code != 0 ? code : (uint32_t)NTE_FAIL;
}

/* ---- Opening ---- */

/* Whether the code speaks of the provider, not of the container. */
static bool is_of_provider(uint32_t code) {
  static const uint32_t codes[] = {
      (uint32_t)NTE_BAD_PROVIDER,      (uint32_t)NTE_BAD_PROV_TYPE,
      (uint32_t)NTE_PROV_TYPE_NOT_DEF, (uint32_t)NTE_PROV_TYPE_ENTRY_BAD,
      (uint32_t)NTE_KEYSET_NOT_DEF,    (uint32_t)NTE_KEYSET_ENTRY_BAD,
      (uint32_t)NTE_PROVIDER_DLL_FAIL, (uint32_t)NTE_PROV_DLL_NOT_FOUND,
      (uint32_t)NTE_SIGNATURE_FILE_BAD};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (codes[i] == code)
      return true;
  }
  return false;
}

/* Before Windows Vista the registry names the providers' DLLs without a folder, and advapi32 would look for them beside
 * keymend.exe first. One that is loaded already is taken as it is. */
static void load_providers(HMODULE loaded[2]) {
  static const wchar_t *const names[2] = {L"rsaenh.dll", L"rsabase.dll"};
  for (size_t i = 0; i < 2; i++)
    loaded[i] = km_windows_load(names[i]);
}

static void free_providers(HMODULE loaded[2]) {
  for (size_t i = 0; i < 2; i++) {
    if (loaded[i] != NULL)
      (void)FreeLibrary(loaded[i]);
  }
}

/* Opens the container; false with the first provider's code in *code. */
static bool acquire(const wchar_t *container, HCRYPTPROV *provider, uint32_t *code) {
  static const DWORD types[] = {PROV_RSA_FULL, PROV_RSA_AES, PROV_RSA_SCHANNEL};
  const DWORD flags = CRYPT_MACHINE_KEYSET | CRYPT_SILENT;
  *code = 0;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    uint32_t now = outcome(CryptAcquireContextW(provider, container, NULL, types[i], flags));
    if (now == 0) {
      *code = 0;
      return true;
    }
    if (*code == 0)
      *code = now;
    if (!is_of_provider(now))
      break;
  }
  return false;
}

/* A text parameter of the provider (ANSI) as UTF-8, "" when it is not told. */
static void take_parameter(HCRYPTPROV provider, DWORD parameter, char *out, size_t size) {
  char ansi[KM_MAX_PARAMETER];
  wchar_t wide[KM_MAX_PARAMETER];
  DWORD length = sizeof ansi - 1;
  out[0] = '\0';
  if (!CryptGetProvParam(provider, parameter, (BYTE *)ansi, &length, 0) || length >= sizeof ansi)
    return;
  ansi[length] = '\0';
  if (MultiByteToWideChar(CP_ACP, 0, ansi, -1, wide, KM_MAX_PARAMETER) == 0)
    return;
  char *text = km_narrow(wide);
  if (text != NULL && strlen(text) < size)
    memcpy(out, text, strlen(text) + 1);
  free(text);
}

/* ---- Keys ---- */

/* Gets a key and its public part; 0 or the code. */
static uint32_t open_key(HCRYPTPROV provider, DWORD kind, HCRYPTKEY *key) {
  DWORD size = 0;
  uint32_t code = outcome(CryptGetUserKey(provider, kind, key));
  if (code != 0)
    return code;
  code = outcome(CryptExportKey(*key, 0, PUBLICKEYBLOB, 0, NULL, &size));
  BYTE *blob = code == 0 ? malloc(size != 0 ? size : 1) : NULL;
  if (blob != NULL)
    code = outcome(CryptExportKey(*key, 0, PUBLICKEYBLOB, 0, blob, &size));
  else if (code == 0)
    code = (uint32_t)NTE_NO_MEMORY;
  free(blob);
  if (code != 0)
    (void)CryptDestroyKey(*key);
  return code;
}

/* Hashes the probe, with MD5 where the provider has no SHA-1. */
static uint32_t make_hash(HCRYPTPROV provider, HCRYPTHASH *hash) {
  uint32_t code = outcome(CryptCreateHash(provider, CALG_SHA1, 0, 0, hash));
  if (code == (uint32_t)NTE_BAD_ALGID)
    code = outcome(CryptCreateHash(provider, CALG_MD5, 0, 0, hash));
  if (code != 0)
    return code;
  code = outcome(CryptHashData(*hash, (const BYTE *)probe, sizeof probe, 0));
  if (code != 0)
    (void)CryptDestroyHash(*hash);
  return code;
}

/* Signs with the private key, and verifies with the public one. */
static uint32_t sign(HCRYPTPROV provider, HCRYPTKEY key) {
  BYTE signature[KM_MAX_SIGNATURE];
  DWORD size = sizeof signature;
  HCRYPTHASH hash = 0;
  uint32_t code = make_hash(provider, &hash);
  if (code != 0)
    return code;
  code = outcome(CryptSignHashW(hash, AT_SIGNATURE, NULL, 0, signature, &size));
  if (code == 0)
    code = outcome(CryptVerifySignatureW(hash, signature, size, key, NULL, 0));
  (void)CryptDestroyHash(hash);
  return code;
}

/* Encrypts with the public key, and decrypts with the private one. */
static uint32_t encrypt(HCRYPTKEY key) {
  BYTE buffer[KM_MAX_SIGNATURE] = {0};
  DWORD size = sizeof probe;
  memcpy(buffer, probe, sizeof probe);
  uint32_t code = outcome(CryptEncrypt(key, 0, TRUE, 0, buffer, &size, sizeof buffer));
  if (code == 0)
    code = outcome(CryptDecrypt(key, 0, TRUE, 0, buffer, &size));
  if (code == 0 && (size != sizeof probe || memcmp(buffer, probe, sizeof probe) != 0))
    code = (uint32_t)NTE_BAD_DATA;
  return code;
}

static void try_keys(HCRYPTPROV provider, km_container_trial *out) {
  HCRYPTKEY key = 0;
  out->signature_code = open_key(provider, AT_SIGNATURE, &key);
  if (out->signature_code == 0) {
    out->sign_code = sign(provider, key);
    out->signed_ = out->sign_code == 0;
    (void)CryptDestroyKey(key);
  }
  out->exchange_code = open_key(provider, AT_KEYEXCHANGE, &key);
  if (out->exchange_code == 0) {
    out->encrypt_code = encrypt(key);
    out->encrypted = out->encrypt_code == 0;
    (void)CryptDestroyKey(key);
  }
}

/* ---- The trial ---- */

/* CryptoAPI writes a new machine GUID when it cannot read the old one: the very fault that keymend mends. */
static km_status check_machine_guid(km_target *target, km_error *error) {
  km_registry_value value;
  char guid[KM_GUID_TEXT];
  km_status status = km_registry_read(target, CRYPTOGRAPHY, "MachineGuid", &value, error);
  if (status != KM_OK && status != KM_NOT_FOUND)
    return status;
  km_guid_form form = status == KM_OK ? km_guid_parse(value.text, guid) : KM_GUID_ABSENT;
  if (status == KM_OK)
    km_registry_value_free(&value);
  if (form == KM_GUID_PLAIN || form == KM_GUID_CASE)
    return KM_OK;
  return km_fail(
      error, KM_REFUSED, 0,
      "try a key container: the machine GUID is %s, and CryptoAPI would write a new one; "
      "restore it first (keymend diagnose tells how)",
      form == KM_GUID_ABSENT ? "absent" : "not a plain GUID");
}

km_status km_win_container_test(km_target *target, const char *container, km_container_trial *out,
                                km_error *error) {
  HCRYPTPROV provider = 0;
  *out = (km_container_trial){.open_code = 0};
  km_status status = check_machine_guid(target, error);
  if (status != KM_OK)
    return status;
  wchar_t *wide = km_wide(container);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "try the key container \"%s\": out of memory", container);
  HMODULE loaded[2];
  load_providers(loaded);
  if (acquire(wide, &provider, &out->open_code)) {
    take_parameter(provider, PP_UNIQUE_CONTAINER, out->unique_name, sizeof out->unique_name);
    take_parameter(provider, PP_NAME, out->provider, sizeof out->provider);
    try_keys(provider, out);
    (void)CryptReleaseContext(provider, 0);
  }
  free_providers(loaded);
  free(wide);
  return KM_OK;
}
