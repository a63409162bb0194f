/* transaction.c: applies a plan as one transaction */
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES (1u << 20) /* beyond the files and the journal, for folders and the driver */

/* ---- before anything is made ---- */

static km_status check_hives(const km_plan *plan, const km_target_info *info, km_error *error) {
  for (size_t i = 0; i < info->hive_count; i++) {
    const km_hive_info *hive = &info->hives[i];
    /* Where the machine GUID is written, machine_guid_check asks for more. */
    bool doubtful = hive->dirty && !hive->replayed && strcmp(hive->name, "SOFTWARE") == 0 &&
                    !km_plan_restores_guid(plan);
    if (!doubtful || plan->accept_dirty_hive)
      continue;
    return km_fail(
        error, KM_REFUSED, 0,
        "%s is dirty (sequence numbers %u and %u), so the machine GUID in it may be an old one:"
        " start and shut down Windows once, or give --accept-dirty-hive",
        hive->path, (unsigned)hive->sequence1, (unsigned)hive->sequence2);
  }
  return KM_OK;
}

/* `journal` has its entries, or none yet: descriptors stand in it in hex. */
static uint64_t bytes_needed(const km_plan *plan, const km_journal *journal) {
  uint64_t need = SPARE_BYTES + KM_JOURNAL_RESERVE;
  for (size_t i = 0; i < plan->step_count; i++)
    need += plan->steps[i].size + 4096; /* a cluster's rest, and its part of the journal */
  for (size_t i = 0; i < journal->entry_count; i++)
    need += 2 * (journal->entries[i].meta.descriptor_size + journal->entries[i].granted_size);
  return need;
}

/* A driver that cannot tell is no reason to refuse, but to say so. */
static void tell_unclean(const km_hold *hold) {
  km_capability rows[KM_MAX_CAPABILITIES];
  if (hold->backend->capabilities == NULL)
    return;
  size_t count = hold->backend->capabilities(hold->target, hold->store, rows, KM_MAX_CAPABILITIES);
  for (size_t i = 0; i < count; i++)
    if (strcmp(rows[i].id, "unclean-check") == 0 && !rows[i].available)
      km_progress(hold, "check", "whether the volume is clean could not be told: %s", rows[i].text);
}

/* The fields of the begin record that are not the files. */
static km_status describe(km_hold *hold, const km_plan *plan, km_journal *journal,
                          km_error *error) {
  char made_by[128];
  snprintf(made_by, sizeof made_by, "keymend %s, %s", km_version(), hold->target->info.backend);
  journal->begun = km_time_now();
  journal->made_by = km_copy_text(made_by);
  journal->store = km_copy_text(km_without_letter(hold->target->info.key_store));
  journal->machine_guid = km_copy_text(plan->machine_guid);
  journal->policies = km_copy_text_within(plan->policies, KM_MAX_TEXT);
  journal->overrides = km_copy_text_within(plan->overrides, KM_MAX_TEXT);
  journal->stop = km_copy_texts(plan->stop);
  journal->start = km_copy_texts(plan->start);
  if (journal->made_by == NULL || journal->store == NULL || journal->machine_guid == NULL ||
      journal->policies == NULL || journal->overrides == NULL || journal->stop == NULL ||
      journal->start == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  return km_services_note(hold, journal, error);
}

static km_status check_all(km_hold *hold, const km_plan *plan, const km_records *records,
                           km_journal *journal, km_error *error) {
  km_status status = km_records_settled(records, error);
  if (status == KM_OK)
    status = km_plan_check(plan, &hold->target->info, error);
  uint64_t need = status == KM_OK ? bytes_needed(plan, journal) : 0;
  if (status == KM_OK)
    status = hold->backend->volume_check(hold->store, need, error);
  if (status == KM_OK)
    status = hold->backend->volume_check(hold->app_data, need, error);
  if (status == KM_OK)
    status = check_hives(plan, &hold->target->info, error);
  if (status == KM_OK)
    status = km_plan_compare(hold, plan, journal, error);
  if (status == KM_OK && bytes_needed(plan, journal) > need)
    status = hold->backend->volume_check(hold->app_data, bytes_needed(plan, journal), error);
  if (status == KM_OK)
    status = describe(hold, plan, journal, error);
  if (status == KM_OK && km_interrupted(hold))
    status = km_fail(error, KM_INTERRUPTED, 0, "interrupted before anything was changed");
  if (status != KM_OK)
    return status;
  tell_unclean(hold);
  km_progress(hold, "check", "the %s is as the plan saw it",
              km_plan_restores_guid(plan) ? "machine GUID" : "store");
  return KM_OK;
}

/* ---- making the transaction's folder and journal ---- */

/* Takes away a transaction that did not begin. What stays when this fails, recover removes. */
static void unmake(km_work *work, bool made_keymend) {
  km_hold *hold = work->hold;
  const km_backend *backend = hold->backend;
  km_error ignored;
  if (work->file != NULL)
    backend->journal_close(work->file);
  work->file = NULL;
  if (work->vault != NULL) {
    backend->file_remove(work->vault, KM_JOURNAL_NAME, &ignored);
    backend->folder_close(work->vault);
    work->vault = NULL;
    backend->folder_remove(hold->keymend, work->id, &ignored);
    backend->folder_flush(hold->keymend, &ignored);
  }
  if (!made_keymend)
    return;
  backend->folder_close(hold->keymend);
  hold->keymend = NULL;
  backend->folder_remove(hold->app_data, KM_FOLDER_NAME, &ignored);
  backend->folder_flush(hold->app_data, &ignored);
}

static km_status make_folders(km_work *work, bool *made_keymend, km_error *error) {
  km_hold *hold = work->hold;
  const km_backend *backend = hold->backend;
  km_status status = KM_OK;
  *made_keymend = false;
  if (hold->keymend == NULL) {
    status = backend->private_folder(hold->app_data, KM_FOLDER_NAME, true, &hold->keymend, error);
    *made_keymend = status == KM_OK;
  }
  /* Also for a folder that an interrupted run made and never flushed. */
  if (status == KM_OK)
    status = backend->folder_flush(hold->app_data, error);
  if (status == KM_OK && !*made_keymend)
    km_records_sweep(hold);
  if (status == KM_OK)
    status = backend->private_folder(hold->keymend, work->id, true, &work->vault, error);
  return status == KM_OK ? backend->folder_flush(hold->keymend, error) : status;
}

/* Writes the begin record. It is read back first, so that nothing begins that recover could not
 * read. */
static km_status make_journal(km_work *work, km_error *error) {
  const km_backend *backend = work->hold->backend;
  uint8_t *data = NULL;
  size_t size = 0;
  km_journal again = {0};
  km_status status = km_journal_encode(work->journal, &data, &size, error);
  if (status == KM_OK)
    status = km_journal_parse(data, size, &again, error);
  if (status == KM_OK && again.entry_count != work->journal->entry_count)
    status = km_fail(error, KM_LIMIT, 0, "journal: it cannot be read back");
  size_t capacity = km_journal_capacity(size);
  if (status == KM_OK)
    status = backend->journal_create(work->vault, KM_JOURNAL_NAME, capacity, &work->file, error);
  if (status == KM_OK)
    status = backend->journal_write(work->file, 0, data, size, error);
  if (status == KM_OK) {
    work->journal->phase = KM_PHASE_APPLYING;
    work->journal->tail = size - 4;
    work->journal->capacity = capacity;
    work->journal->records = 1;
  }
  km_journal_clear(&again);
  free(data);
  return status;
}

static km_status begin(km_work *work, km_error *error) {
  bool made_keymend = false;
  km_status status = make_folders(work, &made_keymend, error);
  if (status == KM_OK)
    status = make_journal(work, error);
  if (status == KM_OK)
    km_progress(work->hold, "journal", "transaction %s begun", work->id);
  else
    unmake(work, made_keymend);
  return status;
}

/* ---- the change itself ---- */

static km_status copy_to_vault(km_work *work, km_error *error) {
  const km_backend *backend = work->hold->backend;
  for (size_t i = 0; i < work->journal->entry_count; i++) {
    const km_entry *entry = &work->journal->entries[i];
    char name[KM_VAULT_NAME], sha256[KM_SHA256_TEXT];
    if (km_interrupted(work->hold))
      return km_fail(error, KM_INTERRUPTED, 0, "interrupted");
    snprintf(name, sizeof name, "%zu.copy", i);
    km_status status =
        backend->file_copy(work->hold->store, entry->before, work->vault, name, sha256, error);
    if (status != KM_OK)
      return status;
    if (strcmp(sha256, entry->sha256) != 0)
      return km_fail(error, KM_STALE, 0,
                     "%s: it changed while it was copied to the vault. Make a new"
                     " plan",
                     entry->before);
  }
  km_status status = backend->folder_flush(work->vault, error);
  if (status == KM_OK && work->journal->entry_count > 0)
    km_progress(work->hold, "vault", "key files copied to the vault: %zu",
                work->journal->entry_count);
  return status;
}

static km_status swap(km_work *work, km_error *error) {
  km_status status = km_reach(work, KM_AFTER, KM_CARE_FORWARD, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; i < work->journal->entry_count; i++) {
    const km_entry *entry = &work->journal->entries[i];
    if (entry->granted != NULL)
      km_progress(work->hold, "swap", "%s has the missing entries now", entry->before);
    else if (entry->after != NULL)
      km_progress(work->hold, "swap", "%s is now %s", entry->before, entry->after);
    else
      km_progress(work->hold, "swap", "%s is now in the vault", entry->before);
  }
  if (work->journal->entry_count > 0)
    km_progress(work->hold, "verify", "names, bytes, times, attributes and descriptors are right");
  if (km_interrupted(work->hold))
    return km_fail(error, KM_INTERRUPTED, 0, "interrupted");
  return KM_OK;
}

/* All between begin and end record. */
static km_status change(km_work *work, km_error *error) {
  km_hold *hold = work->hold;
  km_status status = copy_to_vault(work, error);
  if (status == KM_OK)
    status = km_services_stop_all(hold, work->journal, false, error);
  if (status == KM_OK)
    status = swap(work, error);
  if (status == KM_OK)
    status = km_journal_append(hold->backend, work->file, work->journal, KM_RECORD_COMMIT,
                               KM_TXN_COMMITTED, NULL, error);
  if (status == KM_OK)
    km_progress(hold, "commit", "transaction %s committed", work->id);
  return status;
}

/* From here on nothing is undone: a started service may have used the key. */
static void conclude(km_work *work) {
  km_hold *hold = work->hold;
  km_error error;
  km_hold_report(hold, KM_ACT_APPLIED, work->id, work->journal, NULL);
  km_services_start_all(hold, work->journal->start);
  km_services_start_late(hold, work->journal);
  if (km_journal_append(hold->backend, work->file, work->journal, KM_RECORD_END, KM_TXN_COMMITTED,
                        NULL, &error) != KM_OK)
    km_progress(hold, "end",
                "the transaction is committed, but could not be closed (%s): run \"keymend"
                " recover\"",
                error.message);
}

static km_status run(km_work *work, km_outcome *outcome, km_error *error) {
  km_status status = change(work, error);
  if (status == KM_OK) {
    *outcome = KM_DONE;
    conclude(work);
    return KM_OK;
  }
  km_take_back(work, KM_BEFORE, KM_TXN_ROLLED_BACK, outcome, error);
  return status;
}

/* Nothing is begun whose journal, with those that are there, could not be read again: then nobody could undo. */
static km_status check_room(const km_records *records, const km_journal *journal, km_error *error) {
  size_t taken = km_journal_memory(journal);
  for (size_t i = 0; i < records->count; i++)
    taken += km_journal_memory(&records->rows[i].journal);
  if (records->count < KM_MAX_TRANSACTIONS && taken <= KM_MAX_RECORDS_BYTES)
    return KM_OK;
  return km_fail(
      error, KM_LIMIT, 0,
      "the keymend folder has no room for one more transaction (%d, and %u MiB of journals, are"
      " the most): move old ones away",
      KM_MAX_TRANSACTIONS, KM_MAX_RECORDS_BYTES >> 20);
}

static km_status apply(km_hold *hold, const km_plan *plan, km_record_row *row, km_outcome *outcome,
                       km_error *error) {
  km_records records = {0};
  km_work work = {.hold = hold, .journal = &row->journal};
  km_status status = km_records_read(hold, &records, error);
  if (status == KM_OK)
    status = check_all(hold, plan, &records, &row->journal, error);
  if (status == KM_OK)
    status = check_room(&records, &row->journal, error);
  if (status == KM_OK)
    status = km_txn_new_id(&records, work.id, error);
  km_records_clear(&records);
  if (status == KM_OK)
    status = begin(&work, error);
  if (status == KM_OK) {
    memcpy(row->id, work.id, sizeof row->id);
    status = run(&work, outcome, error);
    row->state = km_txn_state_of(&row->journal);
  }
  km_work_close(&work);
  return status;
}

km_status km_apply(km_target *target, const km_plan *plan, const km_txn_options *options,
                   km_outcome *outcome, km_txn **txn, km_error *error) {
  km_outcome unused_outcome;
  km_error own;
  km_hold hold;
  km_record_row row;
  if (outcome == NULL)
    outcome = &unused_outcome;
  if (error == NULL)
    error = &own;
  *outcome = KM_UNTOUCHED;
  if (txn != NULL)
    *txn = NULL;
  if (target == NULL || plan == NULL)
    return km_fail(error, KM_MISUSE, 0, "apply: there is no target or no plan");
  memset(&row, 0, sizeof row);
  km_status status = km_hold_begin(&hold, target, options, true, error);
  if (status == KM_OK)
    status = apply(&hold, plan, &row, outcome, error);
  km_hold_end(&hold);
  if (row.id[0] != '\0' && txn != NULL)
    *txn = km_txn_make(target, &row);
  km_journal_clear(&row.journal);
  return status;
}
