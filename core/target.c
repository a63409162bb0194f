/* target.c: opens a target with the backend that fits, and gathers the facts that every backend tells alike. */
#include "backend.h"
#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS_NT "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
#define CRYPTOGRAPHY "SOFTWARE\\Microsoft\\Cryptography"
#define COMPUTER_NAME "SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"
#define MACHINE_KEYS "\\Microsoft\\Crypto\\RSA\\MachineKeys"
#define REG_SZ 1
#define SHOWN_BYTES 24 /* of a machine GUID that is no text */

static km_status no_memory(km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "gathering the facts of the target: out of memory");
}

/* ---- Version, computer ---- */

/* Sets *out to the first of the named texts that is there, "" when none is. false: out of memory. */
static bool take_text(km_target *target, km_key key, const char *name, const char *other,
                      const char **out) {
  char *text = key == 0 ? NULL : km_registry_text(target, key, name);
  if (text == NULL && key != 0 && other != NULL)
    text = km_registry_text(target, key, other);
  *out = text != NULL ? text : strdup("");
  return *out != NULL;
}

/* Since Windows 10 CurrentVersion stays "6.3", and two numbers tell the version. */
static bool take_version(km_target *target, km_key key) {
  uint32_t major, minor;
  char text[32];
  if (key == 0 || !km_registry_number(target, key, "CurrentMajorVersionNumber", &major) ||
      !km_registry_number(target, key, "CurrentMinorVersionNumber", &minor))
    return take_text(target, key, "CurrentVersion", NULL, &target->info.version);
  (void)snprintf(text, sizeof text, "%u.%u", (unsigned)major, (unsigned)minor);
  target->info.version = strdup(text);
  return target->info.version != NULL;
}

static km_status gather_version(km_target *target, km_error *error) {
  km_target_info *info = &target->info;
  km_key key = 0;
  uint32_t installed = 0;
  km_status status = km_registry_open_path(target, WINDOWS_NT, &key, error);
  if (status != KM_OK && status != KM_NOT_FOUND)
    return status;
  bool good = take_text(target, key, "ProductName", NULL, &info->product) &&
              take_version(target, key) &&
              take_text(target, key, "CurrentBuildNumber", "CurrentBuild", &info->build) &&
              take_text(target, key, "CSDVersion", NULL, &info->service_pack);
  if (key != 0) {
    if (km_registry_number(target, key, "InstallDate", &installed) && installed != 0)
      info->installed = km_time_from_unix((int64_t)installed, 0);
    target->backend->registry_close(target, key);
  }
  return good ? KM_OK : no_memory(error);
}

/* The computer's name is a convenience: a SYSTEM hive that cannot be read is told by those who need it. */
static km_status gather_computer(km_target *target, km_error *error) {
  km_key key = 0;
  (void)km_registry_open_path(target, COMPUTER_NAME, &key, NULL);
  bool good = take_text(target, key, "ComputerName", NULL, &target->info.computer);
  if (key != 0)
    target->backend->registry_close(target, key);
  return good ? KM_OK : no_memory(error);
}

/* ---- Machine GUID ---- */

/* What to show for a machine GUID that is no text: its type and first bytes. */
static char *show_bytes(const km_registry_value *value) {
  char text[128];
  size_t used = (size_t)snprintf(
      text, sizeof text, "(registry type %u, %zu bytes:", (unsigned)value->type, value->size);
  for (size_t i = 0; i < value->size && i < SHOWN_BYTES; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, " %02x", value->data[i]);
  (void)snprintf(text + used, sizeof text - used, value->size > SHOWN_BYTES ? " ...)" : ")");
  return strdup(text);
}

static km_status gather_machine_guid(km_target *target, km_error *error) {
  km_target_info *info = &target->info;
  km_registry_value value;
  km_key key;
  info->guid_form = KM_GUID_ABSENT;
  km_status status = km_registry_open_path(target, CRYPTOGRAPHY, &key, error);
  if (status != KM_OK)
    return status == KM_NOT_FOUND ? KM_OK : status;
  info->guid_written = target->backend->registry_time(target, key);
  status = target->backend->registry_value(target, key, "MachineGuid", &value, error);
  target->backend->registry_close(target, key);
  if (status != KM_OK)
    return status == KM_NOT_FOUND ? KM_OK : status;
  if (value.type == REG_SZ) {
    info->guid_form = km_guid_parse(value.text, info->guid);
    info->machine_guid = strdup(value.text);
  } else {
    info->guid_form = KM_GUID_MALFORMED;
    info->machine_guid = value.text != NULL ? strdup(value.text) : show_bytes(&value);
  }
  km_registry_value_free(&value);
  return info->machine_guid != NULL ? KM_OK : no_memory(error);
}

/* The old text may still be in the caller's hands: it stays until the target is closed. */
void km_target_guid_changed(km_target *target, const char *text) {
  km_target_info *info = &target->info;
  km_key key;
  if (info->machine_guid != target->guid_text)
    target->opened_guid = info->machine_guid;
  (void)snprintf(target->guid_text, sizeof target->guid_text, "%s", text);
  info->machine_guid = target->guid_text;
  info->guid_form = km_guid_parse(text, info->guid);
  if (target->backend->registry_root == NULL ||
      km_registry_open_path(target, CRYPTOGRAPHY, &key, NULL) != KM_OK)
    return;
  info->guid_written = target->backend->registry_time(target, key);
  target->backend->registry_close(target, key);
}

static int newest_first(const void *a, const void *b) {
  const km_old_guid *x = a, *y = b;
  if (x->saved != y->saved)
    return x->saved < y->saved ? 1 : -1;
  return strcmp(x->path, y->path);
}

/* Drops the present GUID from what the backend found, and sorts the rest. */
static void settle_old_guids(km_target_info *info) {
  km_old_guid *guids = (km_old_guid *)info->old_guids;
  size_t kept = 0;
  for (size_t i = 0; i < info->old_guid_count; i++) {
    if (strcmp(guids[i].guid, info->guid) == 0)
      free((char *)guids[i].path);
    else
      guids[kept++] = guids[i];
  }
  info->old_guid_count = kept;
  if (kept > 1)
    qsort(guids, kept, sizeof *guids, newest_first);
}

/* ---- Key store ---- */

static km_status gather_key_store(km_target *target, km_error *error) {
  km_target_info *info = &target->info;
  km_folder *store = NULL;
  km_error why = {KM_OK, 0, ""};
  if (target->backend->app_data != NULL)
    info->app_data = target->backend->app_data(target);
  if (info->app_data == NULL)
    info->app_data = km_folders_app_data(target);
  if (info->app_data == NULL)
    return no_memory(error);
  size_t size = strlen(info->app_data) + sizeof MACHINE_KEYS;
  char *path = malloc(size);
  km_capability *rows = calloc(KM_MAX_CAPABILITIES, sizeof *rows);
  info->key_store = path;
  info->capabilities = rows;
  if (path == NULL || rows == NULL)
    return no_memory(error);
  (void)snprintf(path, size, "%s%s", info->app_data, MACHINE_KEYS);
  km_status status = target->backend->folder_open(target, path, &store, &why);
  if (status == KM_MEMORY)
    return no_memory(error);
  info->key_store_found = status == KM_OK;
  if (!info->key_store_found) {
    store = NULL;
    info->key_store_problem = strdup(why.message);
    if (info->key_store_problem == NULL)
      return no_memory(error);
  }
  info->capability_count = target->backend->capabilities(target, store, rows, KM_MAX_CAPABILITIES);
  info->driver = target->backend->driver(target, store);
  if (store != NULL)
    target->backend->folder_close(store);
  return KM_OK;
}

static km_status gather(km_target *target, km_error *error) {
  km_status status = gather_version(target, error);
  if (status == KM_OK)
    status = gather_machine_guid(target, error);
  if (status == KM_OK)
    status = gather_computer(target, error);
  if (status == KM_OK)
    settle_old_guids(&target->info);
  return status == KM_OK ? gather_key_store(target, error) : status;
}

/* ---- Opening and closing ---- */

km_status km_target_open(const km_target_options *options, km_target **out, km_error *error) {
  *out = NULL;
  if (options == NULL)
    return km_fail(error, KM_MISUSE, 0, "km_target_open: options are missing");
  const km_backend *backend = options->root != NULL ? &km_offline_backend : km_live_backend();
  if (backend == NULL) {
    return km_fail(
        error, KM_UNSUPPORTED, 0,
        "this system is not Windows, so there is no live target; name the root of a mounted "
        "Windows volume with --root DIR");
  }
  km_target *target = calloc(1, sizeof *target);
  if (target == NULL)
    return no_memory(error);
  target->backend = backend;
  target->info.backend = backend->name;
  km_status status = backend->open(target, options, error);
  if (status == KM_OK)
    status = gather(target, error);
  if (status != KM_OK) {
    km_target_close(target);
    return status;
  }
  *out = target;
  return KM_OK;
}

const km_target_info *km_target_describe(km_target *target) {
  return &target->info;
}

/* Every text of the info but the backend's and the driver's name and the capabilities' is the target's. */
static void free_info(km_target_info *info) {
  const char *const texts[] = {
      info->root,     info->windows,      info->product,          info->version,
      info->build,    info->service_pack, info->computer,         info->machine_guid,
      info->app_data, info->key_store,    info->key_store_problem};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    free((char *)texts[i]);
  for (size_t i = 0; i < info->hive_count; i++) {
    free((char *)info->hives[i].path);
    free((char *)info->hives[i].replay);
  }
  for (size_t i = 0; i < info->old_guid_count; i++)
    free((char *)info->old_guids[i].path);
  free((km_hive_info *)info->hives);
  free((km_old_guid *)info->old_guids);
  free((km_capability *)info->capabilities);
}

void km_target_close(km_target *target) {
  if (target == NULL)
    return;
  target->backend->close(target);
  if (target->info.machine_guid == target->guid_text)
    target->info.machine_guid = target->opened_guid;
  free_info(&target->info);
  free(target);
}
