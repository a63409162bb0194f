/* undo.c: reverses a committed transaction */
#include "transaction.h"

#include <stdio.h>
#include <string.h>

static km_record_row *find_row(km_records *records, const char *id) {
  for (size_t i = 0; i < records->count; i++)
    if (strcmp(records->rows[i].id, id) == 0)
      return &records->rows[i];
  return NULL;
}

static bool touches(const km_journal *journal, const char *name) {
  for (size_t i = 0; i < journal->entry_count; i++) {
    const km_entry *entry = &journal->entries[i];
    if (km_same_name(entry->before, name))
      return true;
    if (entry->after != NULL && km_same_name(entry->after, name))
      return true;
  }
  return false;
}

/* The first name that both transactions touch, or NULL. */
static const char *shared_name(const km_journal *a, const km_journal *b) {
  for (size_t i = 0; i < a->entry_count; i++) {
    const km_entry *entry = &a->entries[i];
    if (touches(b, entry->before))
      return entry->before;
    if (entry->after != NULL && touches(b, entry->after))
      return entry->after;
  }
  return NULL;
}

/* A newer transaction's files stand as it left them, unless it was rolled back or undone. */
static km_status check_newer(const km_records *records, const km_record_row *row, km_error *error) {
  for (const km_record_row *newer = row + 1; newer < records->rows + records->count; newer++) {
    if (newer->journal.result != KM_TXN_COMMITTED)
      continue;
    if (km_guid_changes(&newer->journal) || km_guid_changes(&row->journal))
      return km_fail(
          error, KM_REFUSED, 0,
          "transaction %s cannot be undone: %s changed the machine GUID, and the names of"
          " the other's files go by that; undo the newer one, %s, first",
          row->id, km_guid_changes(&newer->journal) ? newer->id : "it", newer->id);
    const char *name = shared_name(&row->journal, &newer->journal);
    if (name != NULL)
      return km_fail(
          error, KM_REFUSED, 0,
          "transaction %s cannot be undone: the newer transaction %s touched %s too; undo that"
          " one first",
          row->id, newer->id, name);
  }
  return KM_OK;
}

static km_status check_row(const km_records *records, const km_record_row *row, const char *id,
                           km_error *error) {
  if (row == NULL) {
    char shown[64];
    km_escape(id, strlen(id), shown, sizeof shown);
    return km_fail(error, KM_NOT_FOUND, 0, "there is no transaction %s: see \"keymend history\"",
                   shown);
  }
  km_status status = km_records_settled(records, error);
  if (status != KM_OK)
    return status;
  if (row->state != KM_TXN_COMMITTED)
    return km_fail(error, KM_REFUSED, 0,
                   "transaction %s cannot be undone: it is %s, and only a committed one can",
                   row->id, km_txn_state_id(row->state));
  return check_newer(records, row, error);
}

static km_status check_files(km_work *work, km_error *error) {
  km_status status = km_reached(work, KM_AFTER, error);
  bool guid = km_guid_changes(work->journal);
  if (status == KM_STALE || status == KM_NOT_FOUND) {
    km_error_prefix(error, "transaction %s cannot be undone, since %s", work->id,
                    guid ? "the machine GUID is not as it left it"
                         : "its files are not as it left them");
    error->status = status = KM_REFUSED;
  }
  if (status == KM_OK && guid)
    status = work->hold->backend->machine_guid_check(work->hold->target, work->journal->guid_after,
                                                     error);
  if (status == KM_OK && !km_journal_has_room(work->journal, 4))
    status = km_fail(error, KM_REFUSED, 0, "transaction %s cannot be undone: its journal is full",
                     work->id);
  if (status == KM_OK)
    km_progress(work->hold, "check", "the %s is as the transaction left it",
                guid ? "machine GUID" : "store");
  return status;
}

/* From the undo-begin record to the undo-commit record. */
static km_status change(km_work *work, km_error *error) {
  km_hold *hold = work->hold;
  km_status status = km_services_stop_all(hold, work->journal, true, error);
  if (status == KM_OK)
    status = km_reach(work, KM_BEFORE, KM_CARE_FORWARD, error);
  if (status == KM_OK) {
    if (!km_guid_changes(work->journal))
      km_progress(hold, "swap",
                  work->journal->entries[0].granted != NULL
                      ? "every file has its old permissions again"
                      : "every file has its old name again");
    if (km_interrupted(hold))
      status = km_fail(error, KM_INTERRUPTED, 0, "interrupted");
  }
  if (status == KM_OK)
    status = km_journal_append(hold->backend, work->file, work->journal, KM_RECORD_UNDO_COMMIT,
                               KM_TXN_UNDONE, NULL, error);
  if (status == KM_OK)
    km_progress(hold, "commit", "transaction %s undone", work->id);
  return status;
}

static km_status run(km_work *work, km_outcome *outcome, km_error *error) {
  km_hold *hold = work->hold;
  km_error later;
  km_status status = change(work, error);
  if (status == KM_OK) {
    *outcome = KM_DONE;
    km_hold_report(hold, KM_ACT_UNDONE, work->id, work->journal, NULL);
    if (hold->backend->service_start == NULL)
      km_services_start_all(hold, work->journal->start);
    km_services_start_again(hold, NULL);
    if (km_journal_append(hold->backend, work->file, work->journal, KM_RECORD_END, KM_TXN_UNDONE,
                          NULL, &later) != KM_OK)
      km_progress(hold, "end",
                  "the transaction is undone, but could not be closed (%s): run \"keymend"
                  " recover\"",
                  later.message);
    return KM_OK;
  }
  km_take_back(work, KM_AFTER, KM_TXN_COMMITTED, outcome, error);
  return status;
}

static km_status undo(km_hold *hold, km_records *records, const char *id, km_record_row **row,
                      km_outcome *outcome, km_error *error) {
  km_work work = {0};
  km_status status = km_records_read(hold, records, error);
  if (status != KM_OK)
    return status;
  km_record_row *found = find_row(records, id);
  status = check_row(records, found, id, error);
  if (status == KM_OK)
    status = hold->backend->volume_check(hold->store, KM_JOURNAL_RESERVE, error);
  if (status == KM_OK)
    status = km_work_open(&work, hold, found, error);
  if (status == KM_OK)
    status = check_files(&work, error);
  if (status == KM_OK && km_interrupted(hold))
    status = km_fail(error, KM_INTERRUPTED, 0, "interrupted before anything was changed");
  if (status == KM_OK) {
    status = km_journal_append(hold->backend, work.file, work.journal, KM_RECORD_UNDO_BEGIN,
                               KM_TXN_OPEN, NULL, error);
    if (status == KM_OK) {
      *row = found;
      status = run(&work, outcome, error);
      found->state = km_txn_state_of(&found->journal);
    }
  }
  km_work_close(&work);
  return status;
}

km_status km_undo(km_target *target, const char *id, const km_txn_options *options,
                  km_outcome *outcome, km_txn **txn, km_error *error) {
  km_outcome unused_outcome;
  km_error own;
  km_hold hold;
  km_records records = {0};
  km_record_row *row = NULL;
  if (outcome == NULL)
    outcome = &unused_outcome;
  if (error == NULL)
    error = &own;
  *outcome = KM_UNTOUCHED;
  if (txn != NULL)
    *txn = NULL;
  if (target == NULL || id == NULL)
    return km_fail(error, KM_MISUSE, 0, "undo: there is no target or no transaction id");
  km_status status = km_hold_begin(&hold, target, options, true, error);
  if (status == KM_OK)
    status = undo(&hold, &records, id, &row, outcome, error);
  km_hold_end(&hold);
  if (row != NULL && txn != NULL)
    *txn = km_txn_make(target, row);
  km_records_clear(&records);
  return status;
}
