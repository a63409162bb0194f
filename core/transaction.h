/* transaction.h: what apply, undo, recover, history and purge share; internal to core/.
 *
 * Folders:  <Common AppData>\keymend\<transaction id>\
 *   journal         journal.h
 *   <n>.copy        copy of file n, made and flushed before the store is touched; stays until purge
 *   <n>.link        the file n itself, linked or moved out of the store
 *   <n>.new         a copy on its way back into the store
 *   intruder-<k>    what stood in the way when the transaction was rolled back or recovered
 */
#ifndef KM_TRANSACTION_H
#define KM_TRANSACTION_H

#include "journal.h"

#define KM_FOLDER_NAME "keymend"
#define KM_JOURNAL_NAME "journal"
#define KM_MAX_TRANSACTIONS 4096
#define KM_MAX_RECORDS_BYTES (32u << 20) /* bytes that all journals of a target take in memory */
#define KM_MAX_INTRUDERS 1000
#define KM_MAX_VAULT_NAMES 65536    /* names read in one transaction's folder */
#define KM_MAX_STORE_NAMES 16000000 /* names read in one walk over the store */
#define KM_PATIENCE_STEP 5          /* seconds in which a file that is in use is tried again */
#define KM_PATIENCE_BACK 60         /* the same while a transaction is taken back or recovered */
#define KM_VAULT_NAME 32            /* bytes of a name in the vault with NUL */

/* One verb's hold on a target: its folders and its lock. */
typedef struct km_hold {
  km_target *target;
  const km_backend *backend;
  const km_txn_options *options; /* never NULL */
  km_folder *store, *app_data;
  km_folder *keymend; /* NULL: there is none yet */
  bool locked;
  const char *
      *stopped; /* services that ran and that this verb stopped, or tried to; in that order */
  size_t stopped_count;
} km_hold;

/* hold.c: opens store, Common AppData and, when it is there, the keymend folder (KM_FORGED when it
 * is not keymend's own). With `lock` km_hold_lock goes first. Release: km_hold_end, in every case. */
km_status km_hold_begin(km_hold *hold, km_target *target, const km_txn_options *options, bool lock,
                        km_error *error);
/* Whether this process may change the target at all (KM_ACCESS), and the lock. */
km_status km_hold_lock(km_hold *hold, km_error *error);
/* Writes to the system's event log what became of a transaction; `problem` may be NULL. */
void km_hold_report(const km_hold *hold, km_act act, const char *id, const km_journal *journal,
                    const char *problem);
void km_hold_end(km_hold *hold);
KM_FORMAT(3, 4)
void km_progress(const km_hold *hold, const char *stage, const char *format, ...);
bool km_interrupted(const km_hold *hold);

/* "C:\\ProgramData\\keymend\\<id>"; free(). NULL: out of memory. */
char *km_vault_path(const km_target *target, const char *id);
/* A Windows path without its drive letter. */
const char *km_without_letter(const char *path);

/* ---- records.c: the transactions that a target has ---- */

typedef struct km_record_row {
  char id[KM_TXN_ID];
  km_txn_state state;
  km_journal journal; /* what could be read of it */
  char *problem;      /* why it is unreadable */
  km_status why;      /* the same as a status, KM_BUSY: another process has it open; else KM_OK */
} km_record_row;

typedef struct km_records {
  km_record_row *rows; /* oldest first */
  size_t count;
} km_records;

/* Reads all journals below the keymend folder. Unreadable ones are rows with a problem. KM_LIMIT beyond
 * KM_MAX_TRANSACTIONS or KM_MAX_RECORDS_BYTES. */
km_status km_records_read(km_hold *hold, km_records *out, km_error *error);
void km_records_clear(km_records *records);
/* Removes what interrupted runs left of folders that were being made ("<id>.new", empty). */
void km_records_sweep(km_hold *hold);
/* KM_OPEN, or KM_DAMAGED (in use: KM_BUSY) for an unreadable one, when a row forbids to write; KM_OK else. One that
 * never began touched nothing and so is in nobody's way; recover removes it. */
km_status km_records_settled(const km_records *records, km_error *error);
km_status km_unreadable(const km_record_row *row, km_error *error); /* KM_DAMAGED, KM_BUSY */
bool km_txn_id_valid(const char *name);
/* An id that sorts after every row's. When the clock stands before the newest row's second, or in
 * it, the id tells the second after it (the begin record has the clock's time all the same), so
 * that order is never lost to a wrong clock. KM_LIMIT when there is no such second. */
km_status km_txn_new_id(const km_records *records, char id[KM_TXN_ID], km_error *error);
/* What the public interface shows of a row; NULL: out of memory. */
km_txn *km_txn_make(const km_target *target, const km_record_row *row);
km_txn_state km_txn_state_of(const km_journal *journal);

/* ---- reach.c: the one engine that moves files; where a journal changes the machine GUID, guid.c's functions
 * below stand behind the same names ---- */

typedef enum km_side { KM_BEFORE, KM_AFTER } km_side;

typedef enum km_care {
  KM_CARE_FORWARD,     /* apply and undo: unknown content is KM_STALE; may be interrupted */
  KM_CARE_BACK,        /* rollback and recover: unknown content goes to the vault as an intruder */
  KM_CARE_AFTER_COMMIT /* recover behind a commit record: unknown content is taken for what others made
                        * since and stays, unless the file that belongs there stands elsewhere in the
                        * store */
} km_care;

/* An open transaction: its journal in memory and on disk, and its vault. */
typedef struct km_work {
  km_hold *hold;
  char id[KM_TXN_ID];
  km_folder *vault;
  km_file *file; /* the journal, NULL while it is not being written */
  km_journal *journal;
  bool touched; /* km_reach began to move files */
} km_work;

/* Brings every file of the journal to the name it has on `side`, flushes, sets what differs of
 * times, attributes and descriptor (of a file that gets entries, the one that it has on that side), and
 * checks all of it. At every instant each file's bytes stand
 * in the store or in the vault, and a wanted name that is taken never falls free (where hard links
 * exist). Judges by what it sees, so it may be repeated after any interruption. */
km_status km_reach(km_work *work, km_side side, km_care care, km_error *error);

/* Whether km_reach would give a file of the store another name; true as well when a file there cannot be looked at, as
 * when a service keeps it closed. Writes nothing and tells nothing. */
bool km_moves_files(km_work *work, km_side side, km_care care);

/* Whether an apply that was interrupted may have touched the store: it does so only when every vault
 * copy is there, sound and flushed. */
km_status km_swap_began(km_work *work, bool *began, km_error *error);

/* Tells through progress which files are not as `side` has them. */
void km_tell_changes(km_work *work, km_side side);

/* Whether the store is exactly as `side` has it, metadata included, and files outside the store are
 * in the vault. KM_STALE names the file and what differs. Writes nothing. */
km_status km_reached(km_work *work, km_side side, km_error *error);

/* Called before km_reach. Removes what the ntfs-3g driver leaves of an interrupted replacing rename
 * ("<name>.ntfs-3g-0123456789") when it is a file of this journal that stands elsewhere too;
 * others are reported. */
km_status km_sweep_driver_leftovers(km_work *work, km_side side, km_error *error);

/* ---- guid.c: the same for the machine GUID ----
 *
 * It is judged by the value that stands there now: that of the side before, that of the side after, or neither, which
 * somebody else made of it. Then KM_CARE_FORWARD is KM_STALE; KM_CARE_BACK leaves it and fails as KM_STALE too, since
 * nobody can tell which one is wanted; KM_CARE_AFTER_COMMIT tells it and leaves it. */
bool km_guid_changes(const km_journal *journal);
km_status km_guid_reach(km_work *work, km_side side, km_care care, km_error *error);
bool km_guid_moves(km_work *work, km_side side, km_care care);
km_status km_guid_reached(km_work *work, km_side side, km_error *error);
void km_guid_tell_changes(km_work *work, km_side side);

/* ---- checking a plan: plan.c ---- */

/* Whether the plan makes sense in itself: names, limits, no two steps for one file or one name. */
km_status km_plan_check(const km_plan *plan, const km_target_info *info, km_error *error);
/* Whether the plan puts a machine GUID back: then that is its one step. */
bool km_plan_restores_guid(const km_plan *plan);

/* Fills journal->entries, or its machine GUIDs, from the plan and checks every step against the store. KM_STALE says
 * which file differs in what. */
km_status km_plan_compare(km_hold *hold, const km_plan *plan, km_journal *journal, km_error *error);

/* ---- finishing: finish.c ---- */

/* Where a transaction is brought to, what its end record says, and which services start before that is written;
 * `problem` may be NULL. */
typedef struct km_ending {
  km_side side;
  km_care care;
  km_txn_state result;
  const char *problem;
  char *const *start; /* services to start besides those that this run stopped; may be NULL */
} km_ending;

/* Closes an interrupted or failed transaction: brings the files to the side, writes the end record.
 * *outcome: KM_ATTENTION when that failed; else it is left alone. */
km_status km_finish(km_work *work, const km_ending *ending, km_outcome *outcome, km_error *error);

/* The same for one that moved nothing: the store is left as it is. */
km_status km_finish_untouched(km_work *work, const km_ending *ending, km_outcome *outcome,
                              km_error *error);

/* Takes back what a failing apply or undo did, to the side it came from. `error` says why it failed; what goes wrong
 * meanwhile is added to its message. *outcome: KM_ROLLED_BACK or
 * KM_ATTENTION, and then services stay stopped. */
void km_take_back(km_work *work, km_side side, km_txn_state result, km_outcome *outcome,
                  km_error *error);

/* Opens a transaction's folder, and its journal for appending. */
km_status km_work_open(km_work *work, km_hold *hold, km_record_row *row, km_error *error);
void km_work_close(km_work *work);

/* ---- services: running.c ---- */

/* Before the begin record is written: fills journal->ran with what of journal->stop runs now, and makes
 * journal->start what is to run after the commit: these and what stood in it, without disabled services, each after
 * what it needs. Offline both stay as they are. */
km_status km_services_note(km_hold *hold, km_journal *journal, km_error *error);

/* Stops what runs of journal->stop, with `started_too` of journal->start as well, where the backend can; else tells
 * that they are deferred. One that takes no stop is told and no failure. hold->stopped gets what was stopped. */
km_status km_services_stop_all(km_hold *hold, const km_journal *journal, bool started_too,
                               km_error *error);

/* Starts services in the order given, those that run already left alone; `names` may be NULL. A failure is told and
 * nothing else. */
void km_services_start_all(km_hold *hold, char *const *names);

/* The same for what km_services_stop_all stopped and neither list has, since it began to run only behind the begin
 * record. */
void km_services_start_late(km_hold *hold, const km_journal *journal);

/* The same for all that km_services_stop_all stopped, in reverse order, but for those of `started`, which may be
 * NULL. */
void km_services_start_again(km_hold *hold, char *const *started);

/* Forgets what was stopped: for the next transaction of a recover. */
void km_services_forget(km_hold *hold);

bool km_meta_equal(const km_file_meta *a, const km_file_meta *b, const char **what);
void km_meta_clear(km_file_meta *meta);

#endif
