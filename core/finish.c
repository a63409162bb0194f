/* finish.c: opens a transaction for writing, and closes it on one side or the other */
#include "disk.h"
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

km_status km_work_open(km_work *work, km_hold *hold, km_record_row *row, km_error *error) {
  memset(work, 0, sizeof *work);
  work->hold = hold;
  work->journal = &row->journal;
  memcpy(work->id, row->id, sizeof work->id);
  km_status status =
      hold->backend->private_folder(hold->keymend, row->id, false, &work->vault, error);
  if (status == KM_OK)
    status = hold->backend->journal_open(work->vault, KM_JOURNAL_NAME, &work->file, error);
  return status;
}

void km_work_close(km_work *work) {
  if (work->hold == NULL)
    return;
  if (work->file != NULL)
    work->hold->backend->journal_close(work->file);
  if (work->vault != NULL)
    work->hold->backend->folder_close(work->vault);
  memset(work, 0, sizeof *work);
}

static void attention(const km_work *work, km_outcome *outcome, const char *what, km_error *error) {
  char *path = km_vault_path(work->hold->target, work->id);
  *outcome = KM_ATTENTION;
  km_error_prefix(error,
                  "transaction %s %s (vault: %s): mend the cause, then run \"keymend recover\"",
                  work->id, what, path != NULL ? path : "of the target");
  free(path);
}

static km_status close_journal(km_work *work, const km_ending *ending, km_outcome *outcome,
                               km_error *error) {
  km_hold *hold = work->hold;
  km_phase phase = work->journal->phase;
  /* Before the record: a crash while they start leaves the transaction open, and recover starts the rest. */
  if (ending->start != NULL)
    km_services_start_all(hold, ending->start);
  km_services_start_again(hold, ending->start);
  km_status status = km_journal_append(hold->backend, work->file, work->journal, KM_RECORD_END,
                                       ending->result, ending->problem, error);
  if (status != KM_OK) {
    attention(work, outcome, "has its files in place, but its journal could not be closed", error);
    return status;
  }
  if (phase != KM_PHASE_ENDED)
    km_progress(hold, "end", "transaction %s: %s", work->id, km_txn_state_id(ending->result));
  return KM_OK;
}

km_status km_finish(km_work *work, const km_ending *ending, km_outcome *outcome, km_error *error) {
  km_disk_patience(KM_PATIENCE_BACK);
  km_status status = km_sweep_driver_leftovers(work, ending->side, error);
  if (status == KM_OK)
    status = km_reach(work, ending->side, ending->care, error);
  km_disk_patience(KM_PATIENCE_STEP);
  if (status == KM_OK)
    return close_journal(work, ending, outcome, error);
  /* A service that finds the store halfway might make itself a key: recover starts it. */
  if (work->hold->stopped_count > 0)
    km_progress(work->hold, "start", "services stay stopped until \"keymend recover\" has run");
  attention(work, outcome,
            km_guid_changes(work->journal) ? "could not bring the machine GUID where it belongs"
            : status == KM_NOT_FOUND
                ? "is halfway"
                : "is halfway; every file that is missing from the store stands in its vault",
            error);
  return status;
}

km_status km_finish_untouched(km_work *work, const km_ending *ending, km_outcome *outcome,
                              km_error *error) {
  km_tell_changes(work, ending->side);
  return close_journal(work, ending, outcome, error);
}

void km_take_back(km_work *work, km_side side, km_txn_state result, km_outcome *outcome,
                  km_error *error) {
  km_error later;
  const km_ending ending = {side, KM_CARE_BACK, result, error->message, NULL};
  km_progress(work->hold, "rollback", "%s", error->message);
  *outcome = KM_ROLLED_BACK;
  if ((work->touched ? km_finish : km_finish_untouched)(work, &ending, outcome, &later) != KM_OK) {
    km_error_prefix(&later, "%s; then", error->message);
    memcpy(error->message, later.message, sizeof error->message);
  }
  km_hold_report(work->hold, *outcome == KM_ATTENTION ? KM_ACT_ATTENTION : KM_ACT_ROLLED_BACK,
                 work->id, work->journal, error->message);
}
