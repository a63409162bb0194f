/* dpapi.c: opens DPAPI blobs through this Windows' own CryptUnprotectData
 *
 * The blobs of machine key files are of CRYPTPROTECT_LOCAL_MACHINE: any process of the machine may open them. crypt32.dll
 * stays loaded, since a store may hold many keys.
 */
#include "dpapi.h"

#include "cryptoapi.h"
#include "wide.h"

#include <wincrypt.h>

#include <string.h>

#ifndef CRYPTPROTECT_UI_FORBIDDEN
#define CRYPTPROTECT_UI_FORBIDDEN 1
#endif

typedef BOOL(WINAPI *unprotect_call)(DATA_BLOB *blob, LPWSTR *description, DATA_BLOB *entropy,
                                     void *reserved, void *prompt, DWORD flags, DATA_BLOB *out);

/* Two threads that ask at once load it twice, which does no harm. */
static unprotect_call find_call(void) {
  static unprotect_call volatile call;
  if (call == NULL) {
    HMODULE crypt32 = km_windows_load(L"crypt32.dll");
    if (crypt32 != NULL) {
      FARPROC found = GetProcAddress(crypt32, "CryptUnprotectData");
      unprotect_call typed;
      memcpy(&typed, &found, sizeof typed);
      call = typed;
    }
  }
  return call;
}

/* What stands for the master key in every blob of Wine's own: "Wine Crypt32 ok" and NUL. */
static const char wine_master_key[] = "656e6957-4320-7972-7074-3332206f6b00";

/* Some versions tell a master key that is not there and one that does not open with the same code, hence the look into its
 * folder. Only the account that made a blob without the flag of the machine may open it, with a master key of its own: what
 * another account is told says nothing of that blob. Wine opens only what it protected itself: of other blobs its failure
 * says nothing. */
km_decryptable km_win_unprotect_verdict(km_target *target, const uint8_t *blob, size_t size,
                                        uint32_t code) {
  km_dpapi_blob parts;
  bool present;
  if (km_dpapi_blob_parse(blob, size, "blob", 0, &parts, NULL) != KM_OK ||
      !km_dpapi_blob_is_of_machine(&parts) ||
      km_master_key_present(target, parts.master_key, &present, NULL) != KM_OK)
    return KM_DECRYPT_UNKNOWN;
  if (!present)
    return KM_DECRYPT_NO_MASTER_KEY;
  if (km_is_wine() && strcmp(parts.master_key, wine_master_key) != 0)
    return KM_DECRYPT_UNKNOWN;
  switch (code) {
  case (uint32_t)NTE_BAD_KEY_STATE:
    return KM_DECRYPT_MASTER_KEY_CLOSED;
  case ERROR_INVALID_DATA:
  case (uint32_t)NTE_BAD_DATA:
  case (uint32_t)NTE_BAD_HASH:
  case (uint32_t)NTE_BAD_SIGNATURE:
    return KM_DECRYPT_BAD_SIGNATURE;
  default:
    return KM_DECRYPT_UNKNOWN;
  }
}

/* What to do about a blob that the system does not open for this account. */
static const char *advice(const uint8_t *data, size_t size) {
  km_dpapi_blob blob;
  return km_dpapi_blob_parse(data, size, "blob", 0, &blob, NULL) == KM_OK &&
                 !km_dpapi_blob_is_of_machine(&blob)
             ? "; it is for the account alone that made it: run keymend as that account to try it"
             : "";
}

/* Takes over what the system allocated, and wipes it there. */
static bool take(DATA_BLOB *clear, uint8_t *out, size_t room, size_t *out_size) {
  bool fits = clear->cbData <= room;
  if (fits && clear->cbData > 0)
    memcpy(out, clear->pbData, clear->cbData);
  *out_size = fits ? clear->cbData : 0;
  km_wipe(clear->pbData, clear->cbData);
  (void)LocalFree(clear->pbData);
  return fits;
}

km_status km_win_unprotect(km_target *target, const uint8_t *blob, size_t size,
                           const uint8_t *entropy, size_t entropy_size, uint8_t *out,
                           size_t *out_size, km_decryptable *verdict, km_error *error) {
  char words[KM_MAX_WORDS];
  unprotect_call call = find_call();
  *verdict = KM_DECRYPT_UNKNOWN;
  *out_size = 0;
  if (call == NULL)
    return km_fail(error, KM_UNSUPPORTED, (int32_t)GetLastError(),
                   "open a DPAPI blob: this Windows has no CryptUnprotectData");
  DATA_BLOB in = {(DWORD)size, (BYTE *)(uintptr_t)blob}, clear = {0, NULL};
  DATA_BLOB salt = {(DWORD)entropy_size, (BYTE *)(uintptr_t)entropy};
  if (!call(&in, NULL, entropy_size > 0 ? &salt : NULL, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN,
            &clear)) {
    uint32_t code = (uint32_t)GetLastError();
    *verdict = km_win_unprotect_verdict(target, blob, size, code);
    return km_fail(error, KM_REFUSED, (int32_t)code, "Windows does not open the DPAPI blob: %s%s",
                   km_windows_words(code, words), advice(blob, size));
  }
  return take(&clear, out, size, out_size)
             ? KM_OK
             : km_fail(error, KM_LIMIT, 0,
                       "open a DPAPI blob: what is in it is longer than the blob itself");
}
