/* history.c: lists the transactions of a target, and empties the vault of one */
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static km_status make_history(km_target *target, const km_records *records, km_history **out,
                              km_error *error) {
  km_history *history = calloc(1, sizeof *history);
  if (history != NULL && records->count > 0)
    history->txns = calloc(records->count, sizeof *history->txns);
  bool good = history != NULL && (records->count == 0 || history->txns != NULL);
  for (size_t i = 0; good && i < records->count; i++) {
    history->txns[i] = km_txn_make(target, &records->rows[i]);
    good = history->txns[i] != NULL;
    if (good)
      history->count++;
  }
  if (!good) {
    km_history_free(history);
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  }
  *out = history;
  return KM_OK;
}

km_status km_history_read(km_target *target, km_history **out, km_error *error) {
  km_hold hold;
  km_records records = {0};
  km_error own;
  if (error == NULL)
    error = &own;
  if (target == NULL || out == NULL)
    return km_fail(error, KM_MISUSE, 0, "history: there is no target or no place for the result");
  *out = NULL;
  km_status status = km_hold_begin(&hold, target, NULL, false, error);
  if (status == KM_OK)
    status = km_records_read(&hold, &records, error);
  if (status == KM_OK)
    status = make_history(target, &records, out, error);
  km_hold_end(&hold);
  km_records_clear(&records);
  return status;
}

void km_history_free(km_history *history) {
  if (history == NULL)
    return;
  for (size_t i = 0; i < history->count; i++)
    km_txn_free(history->txns[i]);
  free(history->txns);
  free(history);
}

/* ---- purge ---- */

static bool all_digits(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (text[i] < '0' || text[i] > '9')
      return false;
  return length > 0 && length < 8;
}

static bool is_vault_file(const char *name) {
  static const char *const suffixes[] = {".copy", ".link", ".new"};
  static const char intruder[] = "intruder-";
  size_t length = strlen(name);
  if (strncmp(name, intruder, sizeof intruder - 1) == 0)
    return all_digits(name + sizeof intruder - 1, length - (sizeof intruder - 1));
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    size_t tail = strlen(suffixes[i]);
    if (length > tail && strcmp(name + length - tail, suffixes[i]) == 0)
      return all_digits(name, length - tail);
  }
  return false;
}

typedef struct vault_name {
  char name[KM_VAULT_NAME];
  bool folder; /* an intruder may be one */
} vault_name;

typedef struct vault_names {
  vault_name *rows;
  size_t count;
} vault_names;

static km_status add_name(vault_names *names, const char *name, bool folder, km_error *error) {
  if (names->count % 64 == 0) {
    vault_name *grown = realloc(names->rows, (names->count + 64) * sizeof *grown);
    if (grown == NULL)
      return km_fail(error, KM_MEMORY, 0, "out of memory");
    names->rows = grown;
  }
  vault_name *row = &names->rows[names->count++];
  snprintf(row->name, sizeof row->name, "%s", name);
  row->folder = folder;
  return KM_OK;
}

/* Names are gathered before one is removed: a listing need not stand changes of its folder. */
static km_status list_vault(km_hold *hold, km_folder *vault, vault_names *names, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder;
  km_status status = hold->backend->folder_list(vault, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK; i++) {
    status = hold->backend->listing_next(listing, &name, &length, &folder, error);
    if (status == KM_OK && i >= KM_MAX_VAULT_NAMES)
      status = km_fail(error, KM_LIMIT, 0, "the vault holds more than %d names: look into it",
                       KM_MAX_VAULT_NAMES);
    if (status == KM_OK && is_vault_file(name))
      status = add_name(names, name, folder, error);
  }
  hold->backend->listing_close(listing);
  return status == KM_END ? KM_OK : status;
}

/* Not every file system tells in its listing what is a folder. */
static km_status remove_name(km_hold *hold, km_folder *vault, const vault_name *row, bool *full,
                             km_error *error) {
  km_error later;
  km_status status = row->folder ? hold->backend->folder_remove(vault, row->name, error)
                                 : hold->backend->file_remove(vault, row->name, error);
  *full = row->folder && status != KM_OK;
  if (status != KM_OK && !row->folder &&
      hold->backend->folder_remove(vault, row->name, &later) == KM_OK)
    return KM_OK;
  return status;
}

/* Removes all that it can. `left` gets the name of a folder that holds something and so stays: nobody
 * knows whose that is. The first other error is the one that is told. */
static km_status empty_vault(km_hold *hold, km_folder *vault, char left[KM_VAULT_NAME],
                             km_error *error) {
  vault_names names = {0};
  km_error later;
  left[0] = '\0';
  km_status status = list_vault(hold, vault, &names, error);
  bool listed = status == KM_OK;
  for (size_t i = 0; listed && i < names.count; i++) {
    bool full = false;
    km_status removed = remove_name(hold, vault, &names.rows[i], &full, &later);
    if (full)
      snprintf(left, KM_VAULT_NAME, "%s", names.rows[i].name);
    else if (removed != KM_OK && status == KM_OK) {
      status = removed;
      if (error != NULL)
        *error = later;
    }
  }
  free(names.rows);
  if (status != KM_OK)
    return status;
  return hold->backend->folder_flush(vault, error);
}

static km_status check_purge(const km_record_row *row, const char *id, km_error *error) {
  if (row == NULL) {
    char shown[64];
    km_escape(id, strlen(id), shown, sizeof shown);
    return km_fail(error, KM_NOT_FOUND, 0, "there is no transaction %s: see \"keymend history\"",
                   shown);
  }
  if (row->state == KM_TXN_UNREADABLE)
    return km_fail(error, KM_REFUSED, 0, "transaction %s cannot be purged: %s", id, row->problem);
  if (row->state == KM_TXN_OPEN || row->state == KM_TXN_EMPTY)
    return km_fail(
        error, KM_REFUSED, 0,
        "transaction %s cannot be purged: it was interrupted. Run \"keymend recover\" first", id);
  return KM_OK;
}

/* The record comes last: it says that no key is left in the vault. A purge that was interrupted is
 * finished by the next one; an undo meanwhile goes on only when the vault still has what it needs. */
static km_status purge(km_hold *hold, km_records *records, const char *id, km_error *error) {
  km_record_row *row = NULL;
  km_work work = {0};
  char left[KM_VAULT_NAME] = "";
  km_status status = km_records_read(hold, records, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; i < records->count; i++)
    if (strcmp(records->rows[i].id, id) == 0)
      row = &records->rows[i];
  status = check_purge(row, id, error);
  if (status == KM_OK)
    status = hold->backend->volume_check(hold->store, 0, error);
  if (status == KM_OK)
    status = km_work_open(&work, hold, row, error);
  if (status == KM_OK)
    status = empty_vault(hold, work.vault, left, error);
  if (status == KM_OK && !row->journal.purged)
    status = km_journal_append(hold->backend, work.file, work.journal, KM_RECORD_PURGED,
                               KM_TXN_PURGED, NULL, error);
  km_work_close(&work);
  if (status == KM_OK && left[0] != '\0')
    return km_fail(error, KM_REFUSED, 0,
                   "transaction %s is purged, but %s in its vault is a folder that is not empty:"
                   " look into it and remove it",
                   id, left);
  return status;
}

km_status km_purge(km_target *target, const char *id, km_error *error) {
  km_hold hold;
  km_records records = {0};
  km_error own;
  if (error == NULL)
    error = &own;
  if (target == NULL || id == NULL)
    return km_fail(error, KM_MISUSE, 0, "purge: there is no target or no transaction id");
  km_status status = km_hold_begin(&hold, target, NULL, true, error);
  if (status == KM_OK)
    status = purge(&hold, &records, id, error);
  km_hold_end(&hold);
  km_records_clear(&records);
  return status;
}
