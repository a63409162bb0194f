/* container.c: makes and deletes machine key containers for the tests of keymend verify
 *
 *   container make NAME [signature] [exchange]   a container with these keys of 1024 bits; none: an empty one
 *   container drop NAME
 * Exit status: 0 done, 1 not (the code is printed), 16 usage.
 */
#include <windows.h>

#include <wincrypt.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define BITS 1024u

static int fail(const char *what) {
  fprintf(stderr, "container: %s: 0x%08lX\n", what, (unsigned long)GetLastError());
  return 1;
}

static int usage(void) {
  fputs("usage: container make NAME [signature] [exchange] | container drop NAME\n", stderr);
  return 16;
}

static int make(const wchar_t *name, bool signature, bool exchange) {
  HCRYPTPROV provider = 0;
  const DWORD flags = CRYPT_MACHINE_KEYSET | CRYPT_SILENT | CRYPT_NEWKEYSET;
  if (!CryptAcquireContextW(&provider, name, NULL, PROV_RSA_FULL, flags))
    return fail("CryptAcquireContext");
  const DWORD kinds[] = {signature ? AT_SIGNATURE : 0, exchange ? AT_KEYEXCHANGE : 0};
  int status = 0;
  for (size_t i = 0; i < 2 && status == 0; i++) {
    HCRYPTKEY key = 0;
    if (kinds[i] == 0)
      continue;
    if (!CryptGenKey(provider, kinds[i], BITS << 16, &key))
      status = fail("CryptGenKey");
    else
      CryptDestroyKey(key);
  }
  CryptReleaseContext(provider, 0);
  return status;
}

static int drop(const wchar_t *name) {
  HCRYPTPROV provider = 0;
  const DWORD flags = CRYPT_MACHINE_KEYSET | CRYPT_SILENT | CRYPT_DELETEKEYSET;
  if (!CryptAcquireContextW(&provider, name, NULL, PROV_RSA_FULL, flags))
    return fail("CryptAcquireContext");
  return 0;
}

int main(int count, char **words) {
  wchar_t name[512];
  bool signature = false, exchange = false;
  if (count < 3 || MultiByteToWideChar(CP_ACP, 0, words[2], -1, name, 512) == 0)
    return usage();
  for (int i = 3; i < count; i++) {
    signature = signature || strcmp(words[i], "signature") == 0;
    exchange = exchange || strcmp(words[i], "exchange") == 0;
  }
  if (strcmp(words[1], "make") == 0)
    return make(name, signature, exchange);
  return strcmp(words[1], "drop") == 0 && count == 3 ? drop(name) : usage();
}
