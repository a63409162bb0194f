/* offline.c: the backend of an offline volume: opening, the registry, and the table that joins the rooms. */
#include "offline.h"

#include "eventlog.h"
#include "hive.h"
#include "windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIVES 3      /* km_hive_id counts them */
#define MAIN_HIVES 2 /* SOFTWARE and SYSTEM, without which there is no target */
#define KEY_OFFSET_BITS 56
#define KEY_OFFSET (((km_key)1 << KEY_OFFSET_BITS) - 1)

static const char *const hive_names[HIVES] = {"SOFTWARE", "SYSTEM", "SECURITY"};

/* The hives of a target; each is opened when it is first asked for. */
struct km_hives {
  char *path[HIVES]; /* Windows paths */
  km_hive *hive[HIVES];
  km_error failure[HIVES]; /* a hive that could not be opened is not tried again */
};

/* ---- Opening ---- */

static km_status no_memory(km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "opening the target: out of memory");
}

/* "C:\name" and "C:\name\System32\config\SOFTWARE", by the letter known at present. */
static km_status make_paths(km_target *target, const char *folder, km_error *error) {
  km_offline *offline = target->state;
  char path[KM_MAX_WINDOWS_PATH];
  free((char *)target->info.windows);
  (void)snprintf(path, sizeof path, "%c:\\%s", offline->volumes[0].letter, folder);
  target->info.windows = strdup(path);
  if (target->info.windows == NULL)
    return no_memory(error);
  for (size_t i = 0; i < HIVES; i++) {
    (void)snprintf(path, sizeof path, "%c:\\%s\\System32\\config\\%s", offline->volumes[0].letter,
                   folder, hive_names[i]);
    free(offline->hives->path[i]);
    offline->hives->path[i] = strdup(path);
    if (offline->hives->path[i] == NULL)
      return no_memory(error);
  }
  return KM_OK;
}

static km_status resolve(void *user, const char *path, int *fd, km_error *error) {
  return km_offline_resolve(user, path, fd, error);
}

static km_status open_hive(km_offline *offline, size_t i, km_error *error) {
  km_hives *hives = offline->hives;
  const km_resolver resolver = {resolve, offline};
  if (hives->hive[i] != NULL)
    return KM_OK;
  if (hives->failure[i].status == KM_OK)
    (void)km_hive_file_open(&resolver, hives->path[i], KM_HIVE_REPLAYED, i == KM_HIVE_SECURITY,
                            &hives->hive[i], &hives->failure[i]);
  if (hives->hive[i] != NULL)
    return KM_OK;
  if (error != NULL)
    *error = hives->failure[i];
  return hives->failure[i].status;
}

/* Tells what became of a dirty hive's logs; a hive that cannot be read at all is told by those who need it. */
static bool tell_replay(km_offline *offline, size_t i, km_hive_info *out) {
  const char *text = "the hive cannot be read";
  if (open_hive(offline, i, NULL) == KM_OK)
    out->replayed = km_hive_replayed(offline->hives->hive[i], &text);
  out->replay = strdup(text);
  return out->replay != NULL;
}

static km_status read_headers(km_target *target, km_error *error) {
  km_offline *offline = target->state;
  km_hive_info *hives = calloc(MAIN_HIVES, sizeof *hives);
  if (hives == NULL)
    return no_memory(error);
  target->info.hives = hives;
  for (size_t i = 0; i < MAIN_HIVES; i++) {
    km_hive_header header;
    int fd;
    km_status status = km_offline_resolve(offline, offline->hives->path[i], &fd, error);
    if (status != KM_OK)
      return status;
    status = km_hive_header_read(fd, offline->hives->path[i], &header, error);
    km_disk_close(fd);
    if (status != KM_OK)
      return status;
    char *path = strdup(offline->hives->path[i]);
    if (path == NULL)
      return no_memory(error);
    hives[i] = (km_hive_info){hive_names[i],
                              path,
                              header.sequence1,
                              header.sequence2,
                              header.sequence1 != header.sequence2,
                              false,
                              NULL};
    target->info.hive_count = i + 1;
    if (hives[i].dirty && !tell_replay(offline, i, &hives[i]))
      return no_memory(error);
  }
  return KM_OK;
}

/* The letter that Windows gives the volume: the first character of SystemRoot; 0 when it is not told. */
static char system_letter(km_hive *software) {
  uint64_t key = km_hive_root(software);
  km_registry_value value;
  char letter = 0;
  if (km_hive_child(software, key, "Microsoft", &key, NULL) != KM_OK ||
      km_hive_child(software, key, "Windows NT", &key, NULL) != KM_OK ||
      km_hive_child(software, key, "CurrentVersion", &key, NULL) != KM_OK ||
      km_hive_value(software, key, "SystemRoot", &value, NULL) != KM_OK)
    return 0;
  const char *text = value.text;
  if (text != NULL && text[0] != '\0' && text[1] == ':' && text[2] == '\\') {
    char upper = (char)(text[0] & ~0x20);
    letter = upper >= 'A' && upper <= 'Z' ? upper : 0;
  }
  km_registry_value_free(&value);
  return letter;
}

static km_status open_windows(km_target *target, const char *folder, km_error *error) {
  km_offline *offline = target->state;
  km_status status = make_paths(target, folder, error);
  if (status == KM_OK)
    status = open_hive(offline, KM_HIVE_SOFTWARE, error);
  if (status != KM_OK)
    return status;
  char letter = system_letter(offline->hives->hive[KM_HIVE_SOFTWARE]);
  if (letter != 0 && letter != offline->volumes[0].letter) {
    status = km_offline_set_letter(offline, letter, error);
    if (status == KM_OK)
      status = make_paths(target, folder, error);
    if (status == KM_OK)
      status = km_hive_rename(offline->hives->hive[KM_HIVE_SOFTWARE],
                              offline->hives->path[KM_HIVE_SOFTWARE], error);
  }
  if (status == KM_OK)
    status = read_headers(target, error);
  km_old_guid *guids = NULL;
  const km_resolver resolver = {resolve, offline};
  if (status == KM_OK)
    status = km_windows_old_guids(&resolver, target->info.windows,
                                  target->info.hives[KM_HIVE_SOFTWARE].replayed
                                      ? target->info.hives[KM_HIVE_SOFTWARE].path
                                      : NULL,
                                  &guids, &target->info.old_guid_count, error);
  target->info.old_guids = guids;
  return status;
}

void km_offline_forget_software(km_target *target) {
  km_offline *offline = target->state;
  km_hive_close(offline->hives->hive[KM_HIVE_SOFTWARE]);
  offline->hives->hive[KM_HIVE_SOFTWARE] = NULL;
  offline->hives->failure[KM_HIVE_SOFTWARE].status = KM_OK;
}

static void backend_close(km_target *target) {
  km_offline *offline = target->state;
  if (offline == NULL)
    return;
  for (size_t i = 0; offline->hives != NULL && i < HIVES; i++) {
    km_hive_close(offline->hives->hive[i]);
    free(offline->hives->path[i]);
  }
  free(offline->hives);
  km_offline_unlock(target);
  km_offline_volumes_close(offline);
  free(offline);
  target->state = NULL;
}

static km_status backend_open(km_target *target, const km_target_options *options,
                              km_error *error) {
  km_offline *offline = calloc(1, sizeof *offline);
  char *folder = NULL;
  if (offline == NULL)
    return no_memory(error);
  km_status status = km_offline_volumes_open(offline, options, error);
  if (status != KM_OK) {
    free(offline);
    return status;
  }
  target->state = offline;
  target->info.root = strdup(options->root);
  offline->hives = calloc(1, sizeof *offline->hives);
  if (target->info.root == NULL || offline->hives == NULL)
    status = no_memory(error);
  if (status == KM_OK)
    status = km_windows_find(target, options->windows, &folder, error);
  if (status == KM_OK)
    status = open_windows(target, folder, error);
  free(folder);
  if (status != KM_OK)
    backend_close(target);
  return status;
}

/* ---- Registry: a key is its hive's number plus one, and the node's offset ---- */

static km_hive *hive_of(km_target *target, km_key key) {
  km_offline *offline = target->state;
  km_key number = key >> KEY_OFFSET_BITS;
  return number >= 1 && number <= HIVES ? offline->hives->hive[number - 1] : NULL;
}

static km_key make_key(km_key hive_bits, uint64_t offset) {
  return (hive_bits & ~KEY_OFFSET) | offset;
}

static km_status no_key(km_error *error) {
  return km_fail(error, KM_MISUSE, 0, "the registry was asked for a key that is not open");
}

static km_status registry_root(km_target *target, km_hive_id id, km_key *out, km_error *error) {
  km_offline *offline = target->state;
  *out = 0;
  if ((size_t)id >= HIVES)
    return no_key(error);
  km_status status = open_hive(offline, (size_t)id, error);
  if (status == KM_OK)
    *out = ((km_key)id + 1) << KEY_OFFSET_BITS | km_hive_root(offline->hives->hive[id]);
  return status;
}

static km_status registry_child(km_target *target, km_key key, const char *name, km_key *out,
                                km_error *error) {
  km_hive *hive = hive_of(target, key);
  uint64_t child = 0;
  *out = 0;
  if (hive == NULL)
    return no_key(error);
  km_status status = km_hive_child(hive, key & KEY_OFFSET, name, &child, error);
  if (status == KM_OK)
    *out = make_key(key, child);
  return status;
}

typedef struct children_walk {
  bool (*each)(void *user, const char *name, km_key child);
  void *user;
  km_key parent;
} children_walk;

static bool give_child(void *user, const char *name, uint64_t offset) {
  children_walk *walk = user;
  return walk->each(walk->user, name, make_key(walk->parent, offset));
}

static km_status registry_children(km_target *target, km_key key,
                                   bool (*each)(void *user, const char *name, km_key child),
                                   void *user, km_error *error) {
  km_hive *hive = hive_of(target, key);
  children_walk walk = {each, user, key};
  return hive == NULL ? no_key(error)
                      : km_hive_children(hive, key & KEY_OFFSET, give_child, &walk, error);
}

static km_status registry_value(km_target *target, km_key key, const char *value,
                                km_registry_value *out, km_error *error) {
  km_hive *hive = hive_of(target, key);
  memset(out, 0, sizeof *out);
  return hive == NULL ? no_key(error) : km_hive_value(hive, key & KEY_OFFSET, value, out, error);
}

static km_time registry_time(km_target *target, km_key key) {
  km_hive *hive = hive_of(target, key);
  return hive == NULL ? 0 : km_hive_time(hive, key & KEY_OFFSET);
}

static km_status registry_class(km_target *target, km_key key, char **text, km_error *error) {
  km_hive *hive = hive_of(target, key);
  *text = NULL;
  return hive == NULL ? no_key(error) : km_hive_class(hive, key & KEY_OFFSET, text, error);
}

static void registry_close(km_target *target, km_key key) {
  (void)target; /* a key is a number here */
  (void)key;
}

static size_t capabilities(km_target *target, km_folder *store, km_capability *out, size_t max) {
  return km_offline_capabilities(target->state, store, out, max);
}

static const char *driver(km_target *target, km_folder *store) {
  return km_offline_driver(target->state, store);
}

const km_backend km_offline_backend = {
    .name = "offline",
    .open = backend_open,
    .close = backend_close,
    .registry_root = registry_root,
    .registry_child = registry_child,
    .registry_children = registry_children,
    .registry_value = registry_value,
    .registry_time = registry_time,
    .registry_class = registry_class,
    .registry_close = registry_close,
    .folder_open = km_offline_folder_open,
    .folder_close = km_disk_folder_close,
    .folder_list = km_disk_folder_list,
    .listing_next = km_disk_listing_next,
    .listing_close = km_disk_listing_close,
    .file_info = km_disk_file_info,
    .file_read = km_disk_file_read,
    .meta_read = km_disk_meta_read,
    .meta_settable = km_disk_meta_settable,
    .volume_check = km_disk_volume_check,
    .lock = km_offline_lock,
    .unlock = km_offline_unlock,
    .private_folder = km_disk_private_folder,
    .file_copy = km_disk_file_copy,
    .file_link = km_disk_file_link,
    .file_rename = km_disk_file_rename,
    .file_rename_known = km_disk_file_rename_known,
    .file_remove = km_disk_file_remove,
    .folder_remove = km_disk_folder_remove,
    .meta_write = km_disk_meta_write,
    .folder_flush = km_disk_folder_flush,
    .machine_guid_read = km_offline_guid_read,
    .machine_guid_check = km_offline_guid_check,
    .machine_guid_write = km_offline_guid_write,
    .machine_guid_settle = km_offline_guid_settle,
    .journal_create = km_disk_journal_create,
    .journal_open = km_disk_journal_open,
    .journal_write = km_disk_journal_write,
    .journal_close = km_disk_journal_close,
    .service_stop = NULL,
    .service_start = NULL,
    .event_open = km_offline_event_open,
    .event_next = km_offline_event_next,
    .event_close = km_offline_event_close,
    .event_filter = km_offline_event_filter,
    .event_problem = km_offline_event_problem,
    .file_version = km_offline_file_version,
    .capabilities = capabilities,
    .driver = driver,
};
