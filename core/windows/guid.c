/* guid.c: writes the machine GUID of the running Windows, one value of its registry
 *
 * The registry itself keeps a value whole: readers see the old one or the new one, and its log makes that so for a power
 * cut too. RegFlushKey puts the new one on the disk. There is one view only (registry.h), so no KEY_WOW64_64KEY is needed,
 * which Windows 2000 does not know.
 */
#include "native.h"
#include "privilege.h"
#include "registry.h"
#include "wide.h"

#include <stdio.h>
#include <string.h>

#define GUID_CHARACTERS 36

/* Newer headers' words, for RegCreateKeyEx (winreg.h). */
#define BACKUP_RESTORE 4 /* REG_OPTION_BACKUP_RESTORE: by privilege instead of by access */

static const wchar_t key_name[] = L"SOFTWARE\\Microsoft\\Cryptography";
static const wchar_t value_name[] = L"MachineGuid";
static const char shown[] = "HKLM\\SOFTWARE\\Microsoft\\Cryptography, MachineGuid";

static km_status fail(km_error *error, LONG code, const char *operation) {
  return km_windows_fail(error, code == ERROR_KEY_DELETED ? ERROR_FILE_NOT_FOUND : (uint32_t)code,
                         operation, shown);
}

/* Opens the key, which is there, to be written: with the privileges where its access list does not let administrators. */
static LONG open_privileged(HKEY *out) {
  DWORD made = 0;
  unsigned enabled = km_native_begin(KM_PRIVILEGE_BACKUP | KM_PRIVILEGE_RESTORE);
  LONG code = enabled != 0 ? RegCreateKeyExW(HKEY_LOCAL_MACHINE, key_name, 0, NULL, BACKUP_RESTORE,
                                             KEY_QUERY_VALUE | KEY_SET_VALUE, NULL, out, &made)
                           : ERROR_ACCESS_DENIED;
  km_native_end(enabled, code == ERROR_SUCCESS);
  return code;
}

static km_status open_key(bool to_write, HKEY *out, km_error *error) {
  REGSAM access = KEY_QUERY_VALUE | (to_write ? KEY_SET_VALUE : 0);
  LONG code = RegOpenKeyExW(HKEY_LOCAL_MACHINE, key_name, 0, access, out);
  if (code == ERROR_ACCESS_DENIED && to_write)
    code = open_privileged(out);
  return code == ERROR_SUCCESS ? KM_OK : fail(error, code, "open");
}

static km_status read_value(HKEY key, km_registry_value *value, km_error *error) {
  return km_win_registry_value(NULL, (km_key)(uintptr_t)key, "MachineGuid", value, error);
}

km_status km_win_guid_read(km_target *target, char text[KM_GUID_VALUE], km_error *error) {
  km_registry_value value;
  HKEY key;
  (void)target;
  km_status status = open_key(false, &key, error);
  if (status != KM_OK)
    return status;
  status = read_value(key, &value, error);
  RegCloseKey(key);
  if (status != KM_OK)
    return status;
  if (value.type != REG_SZ || value.text == NULL)
    (void)snprintf(text, KM_GUID_VALUE, "(registry type %u)", (unsigned)value.type);
  else
    (void)snprintf(text, KM_GUID_VALUE, "%s", value.text);
  km_registry_value_free(&value);
  return KM_OK;
}

/* Whether the value is the text `before`, and may be written. */
km_status km_win_guid_check(km_target *target, const char *before, km_error *error) {
  char now[KM_GUID_VALUE];
  HKEY key;
  km_status status = km_win_guid_read(target, now, error);
  if (status != KM_OK)
    return status;
  if (strcmp(now, before) != 0)
    return km_fail(error, KM_STALE, 0, "%s: it is not %s any more. Make a new plan", shown, before);
  status = open_key(true, &key, error);
  if (status == KM_OK)
    RegCloseKey(key);
  return status;
}

static km_status flush(HKEY key, km_error *error) {
  LONG code = RegFlushKey(key);
  return code == ERROR_SUCCESS ? KM_OK : fail(error, code, "flush");
}

km_status km_win_guid_write(km_target *target, const char *before, const char *after,
                            km_error *error) {
  wchar_t wide[GUID_CHARACTERS + 1];
  HKEY key;
  if (strlen(after) != GUID_CHARACTERS)
    return km_fail(error, KM_MISUSE, 0, "a machine GUID has 36 characters");
  km_status status = km_win_guid_check(target, before, error);
  if (status == KM_OK)
    status = open_key(true, &key, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; i <= GUID_CHARACTERS; i++)
    wide[i] = (wchar_t)(unsigned char)after[i];
  LONG code = RegSetValueExW(key, value_name, 0, REG_SZ, (const BYTE *)wide, sizeof wide);
  status = code == ERROR_SUCCESS ? flush(key, error) : fail(error, code, "write");
  RegCloseKey(key);
  return status;
}

km_status km_win_guid_settle(km_target *target, const char *now, km_error *error) {
  HKEY key;
  (void)target;
  (void)now;
  km_status status = open_key(false, &key, error);
  if (status != KM_OK)
    return status;
  status = flush(key, error);
  RegCloseKey(key);
  return status;
}
