/* windows.c: finds the Windows folder of an offline volume, and reads its backup hives. */
#include "windows.h"

#include "hive.h"
#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_TEXT 400 /* bytes of the names told in a message */

/* Where Windows itself or its own tools leave a dated copy of SOFTWARE: set-up and ntbackup (2000 to 2003),
 * the RegIdleBackup task (Vista and later), text-mode set-up. */
static const char *const backup_hives[] = {
    "repair\\software",
    "repair\\RegBack\\software",
    "System32\\config\\RegBack\\SOFTWARE",
    "System32\\config\\RegBack\\SOFTWARE.OLD",
    "System32\\config\\SOFTWARE.sav",
};

#define BACKUP_HIVES (sizeof backup_hives / sizeof backup_hives[0])

/* ---- The Windows folder ---- */

typedef struct search {
  km_offline *offline;
  char *found[KM_MAX_WINDOWS_FOLDERS];
  size_t found_count;
  char tried[NAMES_TEXT]; /* folders without hives */
  km_error obstacle;      /* why one could not be looked into; status KM_OK: none */
  char obstacle_at[KM_MAX_NAME];
} search;

static bool has_hive(search *s, const char *folder, const char *hive, km_error *error) {
  char path[KM_MAX_WINDOWS_PATH];
  int fd;
  int length = snprintf(path, sizeof path, "%c:\\%s\\System32\\config\\%s",
                        s->offline->volumes[0].letter, folder, hive);
  if (length < 0 || (size_t)length >= sizeof path)
    return km_fail(error, KM_NOT_FOUND, 0, "the path is too long") == KM_OK;
  if (km_offline_resolve(s->offline, path, &fd, error) != KM_OK)
    return false;
  (void)close(fd);
  return true;
}

/* Adds a name to a comma-separated list; "..." when it is full. */
static void add_name(char list[NAMES_TEXT], const char *name) {
  char shown[128];
  size_t used = strlen(list);
  if (used >= 4 && strcmp(list + used - 3, "...") == 0)
    return;
  (void)km_escape(name, strlen(name), shown, sizeof shown);
  if (used + strlen(shown) + 8 > NAMES_TEXT)
    memcpy(shown, "...", 4);
  (void)snprintf(list + used, NAMES_TEXT - used, "%s%s", used == 0 ? "" : ", ", shown);
}

static km_status consider(search *s, const char *name, km_error *error) {
  km_error why = {KM_OK, 0, ""};
  if (has_hive(s, name, "SOFTWARE", &why) && has_hive(s, name, "SYSTEM", &why)) {
    if (s->found_count == KM_MAX_WINDOWS_FOLDERS)
      return KM_OK;
    s->found[s->found_count] = strdup(name);
    if (s->found[s->found_count] == NULL)
      return km_fail(error, KM_MEMORY, 0, "the Windows folder: out of memory");
    s->found_count++;
    return KM_OK;
  }
  add_name(s->tried, name);
  bool absent = why.status == KM_NOT_FOUND || why.status == KM_MISUSE;
  if (!absent && s->obstacle.status == KM_OK) {
    s->obstacle = why;
    (void)snprintf(s->obstacle_at, sizeof s->obstacle_at, "%s", name);
  }
  return KM_OK;
}

static km_status consider_all(search *s, km_target *target, km_error *error) {
  char root[] = {s->offline->volumes[0].letter, ':', '\\', '\0'};
  km_folder *folder = NULL;
  km_listing *listing = NULL;
  km_status status = km_offline_folder_open(target, root, &folder, error);
  if (status == KM_OK)
    status = km_offline_folder_list(folder, &listing, error);
  for (size_t i = 0; status == KM_OK && i < KM_MAX_ROOT_NAMES; i++) {
    const char *name;
    size_t length;
    bool is_folder;
    status = km_offline_listing_next(listing, &name, &length, &is_folder, error);
    if (status == KM_OK && km_lookup_check_name(name, NULL) == KM_OK)
      status = consider(s, name, error);
  }
  km_offline_listing_close(listing);
  km_offline_folder_close(folder);
  return status == KM_END ? KM_OK : status;
}

static km_status none_found(const search *s, const char *wanted, km_error *error) {
  const char *root = s->offline->volumes[0].folder;
  if (s->obstacle.status != KM_OK) {
    return km_fail(error, s->obstacle.status, s->obstacle.native,
                   "%s: no Windows folder can be read; in %s: %s", root, s->obstacle_at,
                   s->obstacle.message);
  }
  return km_fail(
      error, KM_NOT_FOUND, 0,
      "%s: there is no Windows folder: System32\\config\\SOFTWARE and SYSTEM were looked for in "
      "%s%s; give the root of the volume that holds the Windows folder with --root DIR",
      root, wanted != NULL ? "the folder " : "",
      s->tried[0] == '\0' ? "it, which is empty" : s->tried);
}

static km_status several_found(const search *s, km_error *error) {
  char names[NAMES_TEXT] = "";
  for (size_t i = 0; i < s->found_count; i++)
    add_name(names, s->found[i]);
  return km_fail(
      error, KM_REFUSED, 0,
      "%s: there are %zu Windows folders: %s; say which one is meant with --windows NAME",
      s->offline->volumes[0].folder, s->found_count, names);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

km_status km_windows_find(km_target *target, const char *wanted, char **name, km_error *error) {
  search *s = calloc(1, sizeof *s);
  *name = NULL;
  if (s == NULL)
    return km_fail(error, KM_MEMORY, 0, "the Windows folder: out of memory");
  s->offline = target->state;
  km_status status = KM_OK;
  if (wanted == NULL) {
    status = consider_all(s, target, error);
  } else {
    status = km_lookup_check_name(wanted, error);
    if (status == KM_OK)
      status = consider(s, wanted, error);
    else
      km_error_prefix(error, "--windows: ");
  }
  qsort(s->found, s->found_count, sizeof s->found[0], by_name);
  if (status == KM_OK && s->found_count == 0)
    status = none_found(s, wanted, error);
  if (status == KM_OK && s->found_count > 1)
    status = several_found(s, error);
  if (status == KM_OK) {
    *name = s->found[0];
    s->found[0] = NULL;
  }
  for (size_t i = 0; i < s->found_count; i++)
    free(s->found[i]);
  free(s);
  return status;
}

/* ---- Backup hives ---- */

/* The machine GUID of an open SOFTWARE hive. false: there is none that could be a suffix. */
static bool hive_guid(km_hive *hive, km_old_guid *out) {
  uint64_t key = km_hive_root(hive);
  km_registry_value value;
  if (km_hive_child(hive, key, "Microsoft", &key, NULL) != KM_OK ||
      km_hive_child(hive, key, "Cryptography", &key, NULL) != KM_OK ||
      km_hive_value(hive, key, "MachineGuid", &value, NULL) != KM_OK)
    return false;
  bool good = value.type == 1 && km_guid_parse(value.text, out->guid) != KM_GUID_MALFORMED;
  km_registry_value_free(&value);
  out->written = km_hive_time(hive, key);
  out->saved = km_hive_header_of(hive)->written;
  return good;
}

/* true: *out is filled, its path too (NULL: out of memory). */
static bool backup_guid(km_offline *offline, const char *path, km_old_guid *out) {
  int fd;
  km_hive *hive = NULL;
  if (km_offline_resolve(offline, path, &fd, NULL) != KM_OK)
    return false;
  bool found = km_hive_open(fd, path, &hive, NULL) == KM_OK && hive_guid(hive, out);
  km_hive_close(hive);
  (void)close(fd);
  out->path = found ? strdup(path) : NULL;
  return found;
}

km_status km_windows_old_guids(km_offline *offline, const char *windows, km_old_guid **out,
                               size_t *count, km_error *error) {
  *count = 0;
  *out = calloc(BACKUP_HIVES, sizeof **out);
  if (*out == NULL)
    return km_fail(error, KM_MEMORY, 0, "the backup hives: out of memory");
  for (size_t i = 0; i < BACKUP_HIVES; i++) {
    char path[KM_MAX_WINDOWS_PATH];
    int length = snprintf(path, sizeof path, "%s\\%s", windows, backup_hives[i]);
    if (length < 0 || (size_t)length >= sizeof path || !backup_guid(offline, path, &(*out)[*count]))
      continue;
    if ((*out)[(*count)++].path == NULL)
      return km_fail(error, KM_MEMORY, 0, "the backup hives: out of memory");
  }
  return KM_OK;
}
