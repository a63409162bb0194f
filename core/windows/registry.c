/* registry.c: the registry of the running Windows. */
#include "registry.h"

#include "wide.h"

#include <stdlib.h>
#include <string.h>

#define NAME_UNITS 256 /* of a key's name with its NUL; Windows' limit */

/* Stands for a subkey that is there and may not be read; no handle has this value. */
#define CLOSED_KEY (~(km_key)0)

static HKEY handle_of(km_key key) {
  return (HKEY)(uintptr_t)key;
}

static km_key key_of(HKEY handle) {
  return (km_key)(uintptr_t)handle;
}

static bool usable(km_key key) {
  return key != 0 && key != CLOSED_KEY;
}

static km_status unusable(km_key key, km_error *error) {
  return key == CLOSED_KEY
             ? km_fail(
                   error, KM_ACCESS, ERROR_ACCESS_DENIED,
                   "its registry key may not be read; run keymend as an administrator, elevated")
             : km_fail(error, KM_MISUSE, 0, "the registry was asked for a key that is not open");
}

/* A key or value that goes away meanwhile is as one that was never there. */
static km_status fail(km_error *error, LONG code, const char *operation, const char *object) {
  return km_windows_fail(error, code == ERROR_KEY_DELETED ? ERROR_FILE_NOT_FOUND : (uint32_t)code,
                         operation, object);
}

static km_status open_key(HKEY parent, const char *name, km_key *out, km_error *error) {
  wchar_t *wide = km_wide(name);
  HKEY handle = NULL;
  *out = 0;
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "the registry: out of memory");
  LONG code = RegOpenKeyExW(parent, wide, 0, KEY_READ, &handle);
  free(wide);
  if (code != ERROR_SUCCESS)
    return fail(error, code, "open key", name);
  *out = key_of(handle);
  return KM_OK;
}

km_status km_win_registry_root(km_target *target, km_hive_id hive, km_key *out, km_error *error) {
  (void)target;
  *out = 0;
  if (hive == KM_HIVE_SECURITY) {
    return km_fail(
        error, KM_UNSUPPORTED, 0,
        "keymend does not read the secrets of a running Windows; CryptoAPI is asked instead");
  }
  return open_key(HKEY_LOCAL_MACHINE, hive == KM_HIVE_SOFTWARE ? "SOFTWARE" : "SYSTEM", out, error);
}

km_status km_win_registry_child(km_target *target, km_key key, const char *name, km_key *out,
                                km_error *error) {
  (void)target;
  *out = 0;
  if (!usable(key))
    return unusable(key, error);
  if (name[0] == '\0' || strchr(name, '\\') != NULL) /* these would be other keys */
    return km_fail(error, KM_NOT_FOUND, 0, "there is no such key");
  return open_key(handle_of(key), name, out, error);
}

/* Opens the subkey and gives it to `each`; false ends the walk, with *status when that is a failure. */
static bool give(HKEY parent, const wchar_t *wide, DWORD units,
                 bool (*each)(void *user, const char *name, km_key child), void *user,
                 km_status *status, km_error *error) {
  HKEY handle = NULL;
  LONG code = RegOpenKeyExW(parent, wide, 0, KEY_READ, &handle);
  if (code == ERROR_FILE_NOT_FOUND || code == ERROR_KEY_DELETED)
    return true; /* it went away */
  char *name = km_narrow_count(wide, units, NULL);
  if (name == NULL) {
    *status = km_fail(error, KM_MEMORY, 0, "the registry: out of memory");
  } else if (code != ERROR_SUCCESS && code != ERROR_ACCESS_DENIED) {
    *status = fail(error, code, "open key", name);
  }
  bool more = *status == KM_OK &&
              each(user, name, code == ERROR_ACCESS_DENIED ? CLOSED_KEY : key_of(handle));
  if (handle != NULL)
    RegCloseKey(handle);
  free(name);
  return more;
}

km_status km_win_registry_children(km_target *target, km_key key,
                                   bool (*each)(void *user, const char *name, km_key child),
                                   void *user, km_error *error) {
  km_status status = KM_OK;
  bool more = true;
  (void)target;
  if (!usable(key))
    return unusable(key, error);
  for (DWORD i = 0; more; i++) {
    wchar_t name[NAME_UNITS];
    DWORD units = NAME_UNITS;
    LONG code = RegEnumKeyExW(handle_of(key), i, name, &units, NULL, NULL, NULL, NULL);
    if (code == ERROR_NO_MORE_ITEMS)
      break;
    if (code != ERROR_SUCCESS)
      return fail(error, code, "list", "its subkeys");
    /* A name with a NUL inside cannot be opened by any Windows program, and none of Windows' own has one. */
    if (wcslen(name) == units)
      more = give(handle_of(key), name, units, each, user, &status, error);
  }
  return status;
}

/* Reads the value's data, however it grows meanwhile. */
static LONG read_data(HKEY key, const wchar_t *name, km_registry_value *out) {
  DWORD type = 0, size = 0;
  LONG code = RegQueryValueExW(key, name, NULL, &type, NULL, &size);
  for (int try = 0; code == ERROR_SUCCESS && try < KM_MAX_REGISTRY_TRIES; try++) {
    DWORD room = size;
    if (room > KM_MAX_REGISTRY_DATA)
      return ERROR_MORE_DATA;
    uint8_t *data = realloc(out->data, (size_t)room + 2);
    if (data == NULL)
      return ERROR_OUTOFMEMORY;
    out->data = data;
    code = RegQueryValueExW(key, name, NULL, &type, data, &room);
    size = room;
    if (code != ERROR_MORE_DATA) {
      out->type = type;
      out->size = code == ERROR_SUCCESS ? size : 0;
      return code;
    }
    code = ERROR_SUCCESS;
  }
  return code == ERROR_SUCCESS ? ERROR_BUSY : code;
}

km_status km_win_registry_value(km_target *target, km_key key, const char *value,
                                km_registry_value *out, km_error *error) {
  (void)target;
  memset(out, 0, sizeof *out);
  if (!usable(key))
    return unusable(key, error);
  const char *shown = value == NULL || value[0] == '\0' ? "(default)" : value;
  wchar_t *name = km_wide(value == NULL ? "" : value);
  if (name == NULL)
    return km_fail(error, KM_MEMORY, 0, "the registry: out of memory");
  LONG code = read_data(handle_of(key), name, out);
  free(name);
  km_status status = KM_OK;
  if (code == ERROR_MORE_DATA)
    status = km_fail(error, KM_LIMIT, 0, "value %s: it is larger than %zu KiB", shown,
                     KM_MAX_REGISTRY_DATA >> 10);
  else if (code != ERROR_SUCCESS)
    status = fail(error, code, "read value", shown);
  else
    status = km_registry_decode(out, error);
  if (status != KM_OK)
    km_registry_value_free(out);
  return status;
}

km_time km_win_registry_time(km_target *target, km_key key) {
  FILETIME written = {0, 0};
  (void)target;
  if (!usable(key) || RegQueryInfoKeyW(handle_of(key), NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                                       NULL, NULL, NULL, &written) != ERROR_SUCCESS)
    return 0;
  return (km_time)((uint64_t)written.dwHighDateTime << 32 | written.dwLowDateTime);
}

void km_win_registry_close(km_target *target, km_key key) {
  (void)target;
  if (usable(key))
    RegCloseKey(handle_of(key));
}
