/* windows.c: finds the Windows folder of an offline volume, and reads its backup hives. */
#include "windows.h"

#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_TEXT 400 /* bytes of the names told in a message */
#define TRIED 16       /* names kept for it */

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
  char *tried[TRIED]; /* folders without hives */
  size_t tried_count; /* of all; those beyond TRIED are not kept */
  km_error obstacle;  /* why one could not be looked into; status KM_OK: none */
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
  km_disk_close(fd);
  return true;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names, sorted and escaped, parted by commas; "..." for those that do not fit or were not kept. */
static const char *list_names(char **names, size_t kept, size_t count, char text[NAMES_TEXT]) {
  size_t used = 0;
  text[0] = '\0';
  qsort(names, kept, sizeof names[0], by_name);
  for (size_t i = 0; i < count; i++) {
    char shown[128] = "...";
    if (i < kept)
      (void)km_escape(names[i], strlen(names[i]), shown, sizeof shown);
    bool fits = i < kept && used + strlen(shown) + 8 <= NAMES_TEXT;
    (void)snprintf(text + used, NAMES_TEXT - used, "%s%s", i == 0 ? "" : ", ",
                   fits ? shown : "...");
    used = strlen(text);
    if (!fits)
      break;
  }
  return text;
}

/* Keeps a copy of `name`; one name more than `max` is counted only. */
static km_status keep(char **names, size_t *count, size_t max, const char *name, km_error *error) {
  if (*count < max) {
    names[*count] = strdup(name);
    if (names[*count] == NULL)
      return km_fail(error, KM_MEMORY, 0, "the Windows folder: out of memory");
  }
  (*count)++;
  return KM_OK;
}

/* The running Windows keeps its hives open, and may be worked on only by the live way. */
static km_status running(search *s, const char *name, km_error *error) {
  return km_fail(
      error, KM_MISUSE, 0,
      "%s: %s is the running Windows: leave --root out to work on it; another Windows of "
      "this volume is chosen with --windows NAME",
      s->offline->volumes[0].folder, name);
}

/* Looks for hives in one name of the root; `shown`: it is worth a word when nothing is found. */
static km_status consider(search *s, const char *name, bool shown, km_error *error) {
  km_error why = {KM_OK, 0, ""};
  if (km_volume_is_running(&s->offline->volumes[0], name))
    return running(s, name, error);
  if (has_hive(s, name, "SOFTWARE", &why) && has_hive(s, name, "SYSTEM", &why))
    return keep(s->found, &s->found_count, KM_MAX_WINDOWS_FOLDERS, name, error);
  bool absent = why.status == KM_NOT_FOUND || why.status == KM_MISUSE;
  if (!absent && s->obstacle.status == KM_OK) {
    s->obstacle = why;
    (void)km_escape(name, strlen(name), s->obstacle_at, sizeof s->obstacle_at);
  }
  return shown || !absent ? keep(s->tried, &s->tried_count, TRIED, name, error) : KM_OK;
}

static km_status consider_all(search *s, km_target *target, km_error *error) {
  char root[] = {s->offline->volumes[0].letter, ':', '\\', '\0'};
  km_folder *folder = NULL;
  km_listing *listing = NULL;
  km_status status = km_offline_folder_open(target, root, &folder, error);
  if (status == KM_OK)
    status = km_disk_folder_list(folder, &listing, error);
  for (size_t i = 0; status == KM_OK && i < KM_MAX_ROOT_NAMES; i++) {
    const char *name;
    size_t length;
    bool is_folder;
    status = km_disk_listing_next(listing, &name, &length, &is_folder, error);
    if (status == KM_OK && km_disk_check_name(name, NULL) == KM_OK)
      status = consider(s, name, is_folder, error);
  }
  km_disk_listing_close(listing);
  km_disk_folder_close(folder);
  return status == KM_END ? KM_OK : status;
}

/* Whether --root is the Windows folder itself. */
static bool root_is_windows(search *s) {
  char path[64];
  int fd;
  (void)snprintf(path, sizeof path, "%c:\\System32\\config\\SOFTWARE",
                 s->offline->volumes[0].letter);
  if (km_offline_resolve(s->offline, path, &fd, NULL) != KM_OK)
    return false;
  km_disk_close(fd);
  return true;
}

static km_status none_found(search *s, km_error *error) {
  const char *root = s->offline->volumes[0].folder;
  char names[NAMES_TEXT];
  bool linked = s->obstacle.status == KM_OUTSIDE;
  if (s->obstacle.status != KM_OK && !linked) {
    return km_fail(error, s->obstacle.status, s->obstacle.native,
                   "%s: no Windows folder can be read; in %s: %s", root, s->obstacle_at,
                   s->obstacle.message);
  }
  if (root_is_windows(s)) {
    return km_fail(
        error, KM_NOT_FOUND, 0,
        "%s: this is the Windows folder itself; give the folder above it, the root of its "
        "volume, with --root DIR",
        root);
  }
  size_t kept = s->tried_count < TRIED ? s->tried_count : TRIED;
  return km_fail(
      error, KM_NOT_FOUND, 0,
      "%s: there is no Windows folder: System32\\config\\SOFTWARE and SYSTEM were looked for "
      "in %s; give the root of the volume that holds the Windows folder with --root DIR%s%s%s",
      root,
      kept == 0 ? "it, which holds no folder" : list_names(s->tried, kept, s->tried_count, names),
      linked ? ". Not followed: " : "", linked ? s->obstacle_at : "",
      linked ? ", which is a link or leads through one" : "");
}

static km_status several_found(search *s, km_error *error) {
  char names[NAMES_TEXT];
  size_t kept = s->found_count < KM_MAX_WINDOWS_FOLDERS ? s->found_count : KM_MAX_WINDOWS_FOLDERS;
  return km_fail(
      error, KM_REFUSED, 0,
      "%s: there are %zu Windows folders: %s; say which one is meant with --windows NAME",
      s->offline->volumes[0].folder, s->found_count,
      list_names(s->found, kept, s->found_count, names));
}

static void free_names(char **names, size_t max) {
  for (size_t i = 0; i < max; i++)
    free(names[i]);
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
    status = km_disk_check_name(wanted, error);
    if (status == KM_OK)
      status = consider(s, wanted, true, error);
    else
      km_error_prefix(error, "--windows");
  }
  if (status == KM_OK && s->found_count == 0)
    status = none_found(s, error);
  if (status == KM_OK && s->found_count > 1)
    status = several_found(s, error);
  if (status == KM_OK) {
    *name = s->found[0];
    s->found[0] = NULL;
  }
  free_names(s->found, KM_MAX_WINDOWS_FOLDERS);
  free_names(s->tried, TRIED);
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

/* A list that grows by what a hive tells. */
typedef struct old_guids {
  const km_resolver *resolver;
  km_old_guid *list;
  size_t count;
} old_guids;

/* Reads the GUID of the hive at `path` to the end of the list, which has room for it. */
static km_status add_guid(old_guids *guids, const char *path, km_hive_reading reading,
                          bool *replayed, km_error *error) {
  km_hive *hive = NULL;
  km_old_guid *out = &guids->list[guids->count];
  *replayed = false;
  if (km_hive_file_open(guids->resolver, path, reading, false, &hive, NULL) != KM_OK)
    return KM_OK;
  *replayed = km_hive_replayed(hive, NULL);
  bool found = hive_guid(hive, out);
  km_hive_close(hive);
  if (!found)
    return KM_OK;
  out->path = strdup(path);
  if (out->path == NULL)
    return km_fail(error, KM_MEMORY, 0, "the backup hives: out of memory");
  guids->count++;
  return KM_OK;
}

/* What a hive held before its logs were replayed. The time in its header is that of the writing that was not finished,
 * so only the key's own tells when the GUID held. */
static km_status add_earlier_guid(old_guids *guids, const char *path, km_error *error) {
  bool ignored;
  size_t at = guids->count;
  km_status status = add_guid(guids, path, KM_HIVE_AS_IT_STANDS, &ignored, error);
  if (guids->count > at) {
    guids->list[at].before_logs = true;
    guids->list[at].saved = guids->list[at].written;
  }
  return status;
}

/* What a backup holds and, when its logs were replayed and it held another GUID before them, that one. */
static km_status add_backup(old_guids *guids, const char *path, km_error *error) {
  size_t first = guids->count;
  bool replayed;
  km_status status = add_guid(guids, path, KM_HIVE_REPLAYED, &replayed, error);
  size_t second = guids->count;
  if (status == KM_OK && replayed)
    status = add_earlier_guid(guids, path, error);
  if (guids->count > second && second > first &&
      strcmp(guids->list[first].guid, guids->list[second].guid) == 0)
    free((char *)guids->list[--guids->count].path);
  return status;
}

km_status km_windows_old_guids(const km_resolver *resolver, const char *windows,
                               const char *replayed, km_old_guid **out, size_t *count,
                               km_error *error) {
  old_guids guids = {resolver, calloc(1 + 2 * BACKUP_HIVES, sizeof **out), 0};
  *out = guids.list;
  *count = 0;
  if (guids.list == NULL)
    return km_fail(error, KM_MEMORY, 0, "the backup hives: out of memory");
  km_status status = replayed == NULL ? KM_OK : add_earlier_guid(&guids, replayed, error);
  for (size_t i = 0; i < BACKUP_HIVES && status == KM_OK; i++) {
    char path[KM_MAX_WINDOWS_PATH];
    int length = snprintf(path, sizeof path, "%s\\%s", windows, backup_hives[i]);
    if (length > 0 && (size_t)length < sizeof path)
      status = add_backup(&guids, path, error);
  }
  *count = guids.count;
  return status;
}
