/* hold.c: one verb's hold on a target: folders, lock, progress, and what the system's log is told */
#include "disk.h"
#include "transaction.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const km_txn_options no_options;

static km_status open_keymend(km_hold *hold, km_error *error) {
  km_status status =
      hold->backend->private_folder(hold->app_data, KM_FOLDER_NAME, false, &hold->keymend, error);
  if (status == KM_NOT_FOUND) {
    hold->keymend = NULL;
    return KM_OK;
  }
  return status;
}

km_status km_hold_begin(km_hold *hold, km_target *target, const km_txn_options *options, bool lock,
                        km_error *error) {
  memset(hold, 0, sizeof *hold);
  hold->target = target;
  hold->backend = target->backend;
  hold->options = options != NULL ? options : &no_options;
  const km_target_info *info = &target->info;
  if (info->key_store == NULL || !info->key_store_found)
    return km_fail(error, KM_NOT_FOUND, 0, "%s",
                   info->key_store_problem != NULL ? info->key_store_problem
                                                   : "this target has no key store");
  km_status status = hold->backend->folder_open(target, info->key_store, &hold->store, error);
  if (status == KM_OK)
    status = hold->backend->folder_open(target, info->app_data, &hold->app_data, error);
  if (status == KM_OK && lock)
    status = km_hold_lock(hold, error);
  /* Under the lock: another process may just have made it. */
  if (status == KM_OK)
    status = open_keymend(hold, error);
  if (status == KM_OK && lock)
    km_progress(hold, "lock", "locked %s", info->key_store);
  return status;
}

km_status km_hold_lock(km_hold *hold, km_error *error) {
  const km_backend *backend = hold->backend;
  km_status status = KM_OK;
  /* Anew: a file that somebody kept closed while the store was judged has used up the one for reading. */
  km_disk_patience(KM_PATIENCE_STEP);
  if (backend->may_write != NULL)
    status = backend->may_write(hold->target, error);
  if (status == KM_OK)
    status = backend->lock(hold->target, hold->store, error);
  hold->locked = status == KM_OK;
  return status;
}

void km_hold_end(km_hold *hold) {
  if (hold->backend == NULL)
    return;
  if (hold->locked)
    hold->backend->unlock(hold->target);
  if (hold->keymend != NULL)
    hold->backend->folder_close(hold->keymend);
  if (hold->app_data != NULL)
    hold->backend->folder_close(hold->app_data);
  if (hold->store != NULL)
    hold->backend->folder_close(hold->store);
  free(hold->stopped);
  memset(hold, 0, sizeof *hold);
}

void km_progress(const km_hold *hold, const char *stage, const char *format, ...) {
  char text[KM_MAX_MESSAGE];
  if (hold->options->progress == NULL)
    return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  hold->options->progress(hold->options->user, stage, text);
}

bool km_interrupted(const km_hold *hold) {
  return hold->options->interrupted != NULL && *hold->options->interrupted != 0;
}

const char *km_without_letter(const char *path) {
  return path[0] != '\0' && path[1] == ':' ? path + 2 : path;
}

char *km_vault_path(const km_target *target, const char *id) {
  size_t size = strlen(target->info.app_data) + sizeof "\\" KM_FOLDER_NAME "\\" + strlen(id);
  char *path = malloc(size);
  if (path != NULL)
    snprintf(path, size, "%s\\" KM_FOLDER_NAME "\\%s", target->info.app_data, id);
  return path;
}

/* What the change needed beyond an administrator's plain rights. */
static void tell_privileges(const km_hold *hold) {
  km_capability rows[KM_MAX_CAPABILITIES];
  if (hold->backend->capabilities == NULL)
    return;
  size_t count = hold->backend->capabilities(hold->target, hold->store, rows, KM_MAX_CAPABILITIES);
  for (size_t i = 0; i < count; i++)
    if (strcmp(rows[i].id, "privileges") == 0)
      km_progress(hold, "rights", "privileges: %s", rows[i].text);
}

void km_hold_report(const km_hold *hold, km_act act, const char *id, const km_journal *journal,
                    const char *problem) {
  char text[4 * KM_MAX_MESSAGE];
  tell_privileges(hold);
  if (hold->backend->report == NULL)
    return;
  size_t used = (size_t)snprintf(text, sizeof text, "%s (%.512s)", id,
                                 journal->policies != NULL ? journal->policies : "");
  if (journal->guid_before != NULL && used < sizeof text)
    used += (size_t)snprintf(text + used, sizeof text - used, ": machine GUID %s -> %s",
                             journal->guid_before, journal->guid_after);
  for (size_t i = 0; i < journal->entry_count && used < sizeof text; i++) {
    const km_entry *entry = &journal->entries[i];
    used += (size_t)snprintf(text + used, sizeof text - used, "%s %s -> %s", i == 0 ? ":" : ",",
                             entry->before, entry->after != NULL ? entry->after : "vault");
  }
  if (problem != NULL && problem[0] != '\0' && used < sizeof text)
    snprintf(text + used, sizeof text - used, ". %s", problem);
  hold->backend->report(hold->target, act, text);
}
