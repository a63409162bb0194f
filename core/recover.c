/* recover.c: finishes or rolls back what was interrupted, judging by the files it sees
 *
 * Without a commit record the files go back. When not even every vault copy had been made, the store
 * was not touched: it is left as it is, whatever others did to it since.
 *
 * Behind a commit record all was in place, checked and flushed, so what differs was made by others
 * since, or lost by a disk that lied about a flush. Files of the transaction go where they belong,
 * from the store or the vault. Unknown content where a file belongs is taken for a later version of it,
 * perhaps a service's, and stays, times and descriptor included, and so does a file where none belongs;
 * progress tells it. Only while the file that belongs there still stands at its old name is the
 * unknown one an intruder and goes to the vault. Either way the transaction ends as committed (an
 * undo: undone).
 *
 * Windows may have been booted since, and run services: where files have to move they are stopped for it as an undo
 * stops them, and run again before the end record is written.
 */
#include "transaction.h"

#include <stdio.h>
#include <string.h>

/* Where an open transaction goes: to the side of its last commit record. */
static const struct way {
  km_phase phase;
  bool
      committed; /* its apply was: the services of `start` are to run; else those that ran before */
  km_ending ending;
  const char *text;
} ways[] = {
    {KM_PHASE_APPLYING,
     false,
     {KM_BEFORE, KM_CARE_BACK, KM_TXN_ROLLED_BACK, "interrupted before it was committed", NULL},
     "it was not committed: rolling back"},
    {KM_PHASE_APPLIED,
     true,
     {KM_AFTER, KM_CARE_AFTER_COMMIT, KM_TXN_COMMITTED, NULL, NULL},
     "it was committed: finishing it"},
    {KM_PHASE_UNDOING,
     true,
     {KM_AFTER, KM_CARE_BACK, KM_TXN_COMMITTED, NULL, NULL},
     "its undo was not committed: rolling that back"},
    {KM_PHASE_UNDO_APPLIED,
     true,
     {KM_BEFORE, KM_CARE_AFTER_COMMIT, KM_TXN_UNDONE, NULL, NULL},
     "its undo was committed: finishing it"},
};

static const struct way *way_of(km_phase phase) {
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (ways[i].phase == phase)
      return &ways[i];
  return NULL;
}

/* NTFS may list a folder and not find it, or fail, after its driver died while it made the folder. */
static km_status remove_folder(km_hold *hold, const km_record_row *row, km_error *error) {
  km_error why;
  km_status status = hold->backend->folder_remove(hold->keymend, row->id, &why);
  if (status == KM_OK)
    return KM_OK;
  return km_fail(error, status == KM_NOT_FOUND ? KM_DAMAGED : status, why.native,
                 "transaction %s had touched nothing, but its folder cannot be removed: %s; let"
                 " Windows check the volume (chkdsk /f)",
                 row->id, why.message);
}

/* A transaction that never began: its folder holds the journal at most (records.c made sure of
 * that). */
static km_status remove_empty(km_hold *hold, const km_record_row *row, km_error *error) {
  const km_backend *backend = hold->backend;
  km_folder *vault = NULL;
  km_status status = backend->private_folder(hold->keymend, row->id, false, &vault, error);
  if (status != KM_OK)
    return status;
  status = backend->file_remove(vault, KM_JOURNAL_NAME, error);
  if (status == KM_NOT_FOUND)
    status = KM_OK;
  backend->folder_close(vault);
  if (status == KM_OK)
    status = remove_folder(hold, row, error);
  if (status == KM_OK)
    status = backend->folder_flush(hold->keymend, error);
  if (status == KM_OK)
    km_progress(hold, "recover", "transaction %s had touched nothing: removed", row->id);
  return status;
}

/* When one does not stop in time, what was stopped runs again: it is left on what it has been using. */
static km_status stop_services(km_work *work, const km_ending *ending, km_error *error) {
  km_hold *hold = work->hold;
  km_services_forget(hold);
  if (hold->backend->service_stop == NULL || !km_moves_files(work, ending->side, ending->care))
    return KM_OK;
  km_status status = km_services_stop_all(hold, work->journal, true, error);
  if (status == KM_OK)
    return KM_OK;
  km_error_prefix(error, status == KM_INTERRUPTED
                             ? "recover moved nothing; run it again"
                             : "recover moved nothing; mend the cause (stop the service by hand, or"
                               " end its process), then run it again");
  km_services_start_again(hold, NULL);
  return status;
}

static km_status finish(km_work *work, const km_ending *ending, km_outcome *outcome,
                        km_error *error) {
  bool began = true;
  km_status status = KM_OK;
  if (work->journal->phase == KM_PHASE_APPLYING)
    status = km_swap_began(work, &began, error);
  if (status == KM_OK && began)
    status = stop_services(work, ending, error);
  if (status != KM_OK) {
    km_error_prefix(error, "transaction %s", work->id);
    return status;
  }
  return began ? km_finish(work, ending, outcome, error)
               : km_finish_untouched(work, ending, outcome, error);
}

static km_status finish_open(km_hold *hold, km_record_row *row, km_outcome *outcome,
                             km_error *error) {
  km_work work = {0};
  const struct way *way = way_of(row->journal.phase);
  km_ending ending = way->ending;
  if (hold->backend->service_start != NULL)
    ending.start = way->committed ? row->journal.start : row->journal.ran;
  km_progress(hold, "recover", "transaction %s: %s", row->id, way->text);
  km_status status = km_work_open(&work, hold, row, error);
  if (status == KM_OK)
    status = finish(&work, &ending, outcome, error);
  km_hold_report(hold, status == KM_OK ? KM_ACT_RECOVERED : KM_ACT_ATTENTION, row->id,
                 &row->journal, status == KM_OK ? way->text : error->message);
  km_work_close(&work);
  return status;
}

static km_status recover_row(km_hold *hold, km_record_row *row, km_outcome *outcome,
                             km_error *error) {
  km_status status = row->state == KM_TXN_EMPTY ? remove_empty(hold, row, error)
                                                : finish_open(hold, row, outcome, error);
  if (status != KM_OK)
    *outcome = KM_ATTENTION;
  return status;
}

static bool interrupted(const km_record_row *row) {
  return row->state == KM_TXN_OPEN || row->state == KM_TXN_EMPTY;
}

/* All are tried, also after one that could not be mended; the first error is the one that is told.
 */
static km_status recover_all(km_hold *hold, km_records *records, size_t *count, km_outcome *outcome,
                             km_error *error) {
  km_error later;
  km_status result = KM_OK;
  for (size_t i = 0; i < records->count; i++)
    if (interrupted(&records->rows[i]))
      ++*count;
  if (*count > 0) {
    result = hold->backend->volume_check(hold->store, 0, error);
    if (result != KM_OK)
      return result;
    *outcome = KM_DONE;
  }
  for (size_t i = 0; i < records->count; i++) {
    if (!interrupted(&records->rows[i]))
      continue;
    km_status status =
        recover_row(hold, &records->rows[i], outcome, result == KM_OK ? error : &later);
    if (result == KM_OK)
      result = status;
  }
  if (result != KM_OK)
    return result;
  for (size_t i = 0; i < records->count; i++)
    if (records->rows[i].state == KM_TXN_UNREADABLE) {
      *outcome = KM_ATTENTION;
      return km_unreadable(&records->rows[i], error);
    }
  return KM_OK;
}

km_status km_recover(km_target *target, const km_txn_options *options, size_t *count,
                     km_outcome *outcome, km_error *error) {
  km_outcome unused_outcome;
  size_t unused_count;
  km_error own;
  km_hold hold;
  km_records records = {0};
  if (outcome == NULL)
    outcome = &unused_outcome;
  if (count == NULL)
    count = &unused_count;
  if (error == NULL)
    error = &own;
  *outcome = KM_UNTOUCHED;
  *count = 0;
  if (target == NULL)
    return km_fail(error, KM_MISUSE, 0, "recover: there is no target");
  km_status status = km_hold_begin(&hold, target, options, false, error);
  if (status == KM_OK && hold.keymend != NULL) {
    status = km_hold_lock(&hold, error);
    if (status == KM_OK)
      status = km_records_read(&hold, &records, error);
    if (status == KM_OK)
      status = recover_all(&hold, &records, count, outcome, error);
  }
  km_hold_end(&hold);
  km_records_clear(&records);
  return status;
}
