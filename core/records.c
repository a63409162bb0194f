/* records.c: the transactions that a target has, as their journals tell */
#include "grant.h"
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID_LENGTH 23 /* 20261123T121959Z-3f9a2c */

/* ---- ids ---- */

bool km_txn_id_valid(const char *name) {
  static const char form[] = "ddddddddTddddddZ-xxxxxx";
  if (strlen(name) != ID_LENGTH)
    return false;
  for (size_t i = 0; i < ID_LENGTH; i++) {
    char c = name[i];
    bool digit = c >= '0' && c <= '9';
    if (form[i] == 'd' ? !digit : form[i] == 'x' ? !digit && (c < 'a' || c > 'f') : c != form[i])
      return false;
  }
  return true;
}

/* The time of an id, 0 when it is none. */
static km_time id_time(const char *id) {
  char text[KM_TIME_TEXT];
  km_time time = 0;
  snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", id, id + 4, id + 6, id + 9, id + 11,
           id + 13);
  return km_time_parse(text, &time) ? time : 0;
}

/* Six hex digits that hardly come twice: ids need not be secret, since the folder is. */
static void id_suffix(km_time time, char suffix[7]) {
  static unsigned counter;
  char digest[KM_SHA256_TEXT];
  struct {
    km_time time;
    clock_t clock;
    const void *place;
    unsigned counter;
  } seed;
  memset(&seed, 0, sizeof seed);
  seed.time = time;
  seed.clock = clock();
  seed.place = &seed;
  seed.counter = ++counter;
  km_sha256(&seed, sizeof seed, digest);
  memcpy(suffix, digest, 6);
  suffix[6] = '\0';
}

km_status km_txn_new_id(const km_records *records, char id[KM_TXN_ID], km_error *error) {
  const km_time second = 10000000;
  km_time now = km_time_now(), time = now / second * second;
  char text[KM_TIME_TEXT], suffix[7];
  if (records->count > 0) {
    km_time newest = id_time(records->rows[records->count - 1].id);
    if (newest == 0 || newest >= time)
      time = newest + second;
    if (newest == 0)
      time = 0;
  }
  km_time_text(time, text);
  id_suffix(now, suffix);
  if (time != 0 && strlen(text) == 20)
    snprintf(id, KM_TXN_ID, "%.4s%.2s%.2sT%.2s%.2s%.2sZ-%s", text, text + 5, text + 8, text + 11,
             text + 14, text + 17, suffix);
  else
    id[0] = '\0';
  if (!km_txn_id_valid(id) ||
      (records->count > 0 && strcmp(id, records->rows[records->count - 1].id) <= 0))
    return km_fail(
        error, KM_LIMIT, 0,
        "no transaction id sorts after %s: purge that transaction and move its folder away",
        records->count > 0 ? records->rows[records->count - 1].id : "the clock's time");
  return KM_OK;
}

/* ---- states ---- */

static const char *const state_ids[] = {"empty",  "open",   "committed", "rolled-back",
                                        "undone", "purged", "unreadable"};

const char *km_txn_state_id(km_txn_state state) {
  size_t index = (size_t)state;
  return index < sizeof state_ids / sizeof *state_ids ? state_ids[index] : "unreadable";
}

km_txn_state km_txn_state_of(const km_journal *journal) {
  if (journal->phase == KM_PHASE_NONE)
    return KM_TXN_EMPTY;
  if (journal->phase != KM_PHASE_ENDED)
    return KM_TXN_OPEN;
  return journal->purged ? KM_TXN_PURGED : journal->result;
}

/* ---- reading ---- */

/* Whether a transaction's folder holds something beside the journal. */
static km_status holds_more(km_hold *hold, km_folder *vault, bool *more, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder;
  *more = false;
  km_status status = hold->backend->folder_list(vault, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; i < 3 && !*more; i++) {
    status = hold->backend->listing_next(listing, &name, &length, &folder, error);
    if (status != KM_OK)
      break;
    *more = strcmp(name, KM_JOURNAL_NAME) != 0;
  }
  hold->backend->listing_close(listing);
  return status == KM_END ? KM_OK : status;
}

static km_status check_store(const km_hold *hold, const km_journal *journal, km_error *error) {
  const char *mine = km_without_letter(hold->target->info.key_store);
  if (journal->phase == KM_PHASE_NONE || km_same_name(journal->store, mine))
    return KM_OK;
  char name[256];
  km_escape(journal->store, strlen(journal->store), name, sizeof name);
  return km_fail(error, KM_DAMAGED, 0, "journal: its key store is %s, this target's is %s", name,
                 mine);
}

static km_status read_journal(km_hold *hold, km_folder *vault, km_journal *journal,
                              km_error *error) {
  uint8_t *data = NULL;
  size_t size = 0;
  km_file_info info;
  bool more = false;
  km_status status =
      hold->backend->file_read(vault, KM_JOURNAL_NAME, KM_MAX_JOURNAL, &data, &size, &info, error);
  if (status == KM_OK && (!info.regular || info.links != 1))
    status = km_fail(error, KM_FORGED, 0, "journal: not an ordinary file with one name");
  if (status == KM_OK)
    status = km_journal_parse(data, size, journal, error);
  km_secret_free(data, size);
  if (status == KM_OK)
    status = check_store(hold, journal, error);
  if (status == KM_OK && journal->phase != KM_PHASE_NONE)
    return KM_OK;
  /* Copies are made right after the begin record and before anything else, so where there are none
   * nothing was touched, even when the journal cannot be read for a driver that died making it. */
  if (status != KM_OK && status != KM_NOT_FOUND && status != KM_IO)
    return status;
  km_error later;
  if (holds_more(hold, vault, &more, &later) != KM_OK)
    return km_fail(error, later.status, later.native,
                   "%s; let Windows check the volume (chkdsk /f)", later.message);
  if (!more)
    return KM_OK;
  return status == KM_IO
             ? status
             : km_fail(error, KM_DAMAGED, 0, "journal: empty or gone, but the vault holds files");
}

/* Fills one row; only a lack of memory is an error. */
static km_status read_row(km_hold *hold, km_record_row *row, km_error *error) {
  km_error why;
  km_folder *vault = NULL;
  km_status status = hold->backend->private_folder(hold->keymend, row->id, false, &vault, &why);
  if (status == KM_OK)
    status = read_journal(hold, vault, &row->journal, &why);
  if (vault != NULL)
    hold->backend->folder_close(vault);
  if (status == KM_MEMORY)
    return km_fail(error, KM_MEMORY, 0, "%s", why.message);
  row->state = status == KM_OK ? km_txn_state_of(&row->journal) : KM_TXN_UNREADABLE;
  row->why = status;
  if (status == KM_OK)
    return KM_OK;
  row->problem = km_copy_text(why.message);
  return row->problem != NULL ? KM_OK : km_fail(error, KM_MEMORY, 0, "out of memory");
}

static km_status add_row(km_records *records, const char *name, km_error *error) {
  if (records->count >= KM_MAX_TRANSACTIONS)
    return km_fail(error, KM_LIMIT, 0,
                   "the keymend folder holds more than %d transactions: move old ones away",
                   KM_MAX_TRANSACTIONS);
  if (records->count % 64 == 0) {
    km_record_row *grown = realloc(records->rows, (records->count + 64) * sizeof *grown);
    if (grown == NULL)
      return km_fail(error, KM_MEMORY, 0, "out of memory");
    records->rows = grown;
  }
  km_record_row *row = &records->rows[records->count++];
  memset(row, 0, sizeof *row);
  memcpy(row->id, name, ID_LENGTH + 1);
  return KM_OK;
}

/* Names that are no ids are no transactions: a folder that was being made when keymend was killed.
 */
static km_status list_ids(km_hold *hold, km_records *records, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder;
  km_status status = hold->backend->folder_list(hold->keymend, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK; i++) {
    status = hold->backend->listing_next(listing, &name, &length, &folder, error);
    if (status == KM_OK && i >= KM_MAX_VAULT_NAMES)
      status = km_fail(error, KM_LIMIT, 0, "the keymend folder holds too many names");
    if (status == KM_OK && km_txn_id_valid(name))
      status = add_row(records, name, error);
  }
  hold->backend->listing_close(listing);
  if (status == KM_IO)
    return km_fail(error, KM_IO, error->native, "%s; let Windows check the volume (chkdsk /f)",
                   error->message);
  return status == KM_END ? KM_OK : status;
}

static int compare_rows(const void *a, const void *b) {
  return strcmp(((const km_record_row *)a)->id, ((const km_record_row *)b)->id);
}

/* A folder in the making is named "<id>.new", or "<id>.new-" and hex digits. */
static bool half_made(const char *name) {
  char id[KM_TXN_ID];
  if (strlen(name) <= ID_LENGTH)
    return false;
  snprintf(id, sizeof id, "%.*s", ID_LENGTH, name);
  return km_txn_id_valid(id) && strncmp(name + ID_LENGTH, ".new", 4) == 0;
}

void km_records_sweep(km_hold *hold) {
  enum { MOST = 16 }; /* more than are ever left; others wait for the next time */
  char names[MOST][ID_LENGTH + 32];
  size_t count = 0, length;
  km_listing *listing = NULL;
  km_error ignored;
  const char *name;
  bool folder;
  if (hold->backend->folder_list(hold->keymend, &listing, &ignored) != KM_OK)
    return;
  for (size_t i = 0; i < KM_MAX_VAULT_NAMES && count < MOST; i++) {
    if (hold->backend->listing_next(listing, &name, &length, &folder, &ignored) != KM_OK)
      break;
    if (half_made(name) && length < sizeof names[0])
      memcpy(names[count++], name, length + 1);
  }
  hold->backend->listing_close(listing);
  for (size_t i = 0; i < count; i++)
    hold->backend->folder_remove(hold->keymend, names[i], &ignored);
}

km_status km_records_read(km_hold *hold, km_records *out, km_error *error) {
  memset(out, 0, sizeof *out);
  if (hold->keymend == NULL)
    return KM_OK;
  km_status status = list_ids(hold, out, error);
  if (out->count > 1)
    qsort(out->rows, out->count, sizeof *out->rows, compare_rows);
  size_t taken = 0;
  for (size_t i = 0; status == KM_OK && i < out->count; i++) {
    status = read_row(hold, &out->rows[i], error);
    taken += km_journal_memory(&out->rows[i].journal);
    if (status == KM_OK && taken > KM_MAX_RECORDS_BYTES)
      status = km_fail(error, KM_LIMIT, 0,
                       "the journals in the keymend folder hold more than %u MiB: move old"
                       " transactions away",
                       KM_MAX_RECORDS_BYTES >> 20);
  }
  return status;
}

void km_records_clear(km_records *records) {
  for (size_t i = 0; i < records->count; i++) {
    km_journal_clear(&records->rows[i].journal);
    free(records->rows[i].problem);
  }
  free(records->rows);
  memset(records, 0, sizeof *records);
}

km_status km_unreadable(const km_record_row *row, km_error *error) {
  if (row->why == KM_BUSY)
    return km_fail(error, KM_BUSY, 0, "transaction %s: %s", row->id, row->problem);
  return km_fail(
      error, KM_DAMAGED, 0,
      "transaction %s: %s. Nobody can tell whether it was finished: look at its vault, then move"
      " its folder out of the keymend folder",
      row->id, row->problem);
}

km_status km_records_settled(const km_records *records, km_error *error) {
  for (size_t i = 0; i < records->count; i++) {
    const km_record_row *row = &records->rows[i];
    if (row->state == KM_TXN_OPEN)
      return km_fail(error, KM_OPEN, 0,
                     "transaction %s was interrupted: run \"keymend recover\" first", row->id);
    if (row->state == KM_TXN_UNREADABLE)
      return km_unreadable(row, error);
  }
  return KM_OK;
}

/* ---- what the public interface shows ---- */

/* What a grant added; the journal was checked when it was read. */
static bool copy_added(km_txn_file *to, const km_entry *from) {
  to->added = calloc(KM_MAX_GRANTS, sizeof *to->added);
  return to->added != NULL &&
         km_descriptor_added(from->meta.descriptor, from->meta.descriptor_size, from->granted,
                             from->granted_size, to->added, &to->added_count);
}

static bool copy_file(km_txn_file *to, const km_entry *from) {
  to->container = km_copy_text(from->container);
  to->before = km_copy_text(from->before);
  to->after = km_copy_text(from->after);
  to->reason = km_copy_text(from->reason);
  memcpy(to->sha256, from->sha256, sizeof to->sha256);
  to->size = from->size;
  to->created = from->meta.created != 0 ? from->meta.created : from->seen_created;
  to->written = from->meta.written;
  return to->container != NULL && to->before != NULL && to->reason != NULL &&
         (from->after == NULL || to->after != NULL) &&
         (from->granted == NULL || copy_added(to, from));
}

static bool copy_journal(km_txn *txn, const km_journal *j) {
  txn->begun = j->begun;
  txn->ended = j->phase == KM_PHASE_ENDED ? j->ended : 0;
  txn->policies = km_copy_text(j->policies != NULL ? j->policies : "");
  txn->overrides = km_copy_text(j->overrides != NULL ? j->overrides : "");
  txn->machine_guid = km_copy_text(j->machine_guid != NULL ? j->machine_guid : "");
  txn->made_by = km_copy_text(j->made_by != NULL ? j->made_by : "");
  txn->guid_before = km_copy_text(j->guid_before);
  txn->guid_after = km_copy_text(j->guid_after);
  txn->stop = km_copy_texts((const char *const *)j->stop);
  txn->start = km_copy_texts((const char *const *)j->start);
  if (j->entry_count > 0)
    txn->files = calloc(j->entry_count, sizeof *txn->files);
  if (j->entry_count > 0 && txn->files == NULL)
    return false;
  txn->file_count = j->entry_count;
  bool good = true;
  for (size_t i = 0; i < j->entry_count; i++)
    good &= copy_file(&txn->files[i], &j->entries[i]);
  return good && txn->policies != NULL && txn->overrides != NULL && txn->machine_guid != NULL &&
         (j->guid_before == NULL || (txn->guid_before != NULL && txn->guid_after != NULL)) &&
         txn->made_by != NULL && txn->stop != NULL && txn->start != NULL;
}

km_txn *km_txn_make(const km_target *target, const km_record_row *row) {
  static const km_journal nothing;
  km_txn *txn = calloc(1, sizeof *txn);
  if (txn == NULL)
    return NULL;
  bool readable = row->state != KM_TXN_UNREADABLE;
  const char *problem = readable ? row->journal.problem : row->problem;
  memcpy(txn->id, row->id, sizeof txn->id);
  txn->state = row->state;
  txn->result = row->journal.result;
  txn->vault = km_vault_path(target, row->id);
  txn->key_store = km_copy_text(target->info.key_store);
  txn->problem = km_copy_text(problem);
  txn->problem_status = row->why;
  if (!copy_journal(txn, readable ? &row->journal : &nothing) || txn->vault == NULL ||
      txn->key_store == NULL || (problem != NULL && txn->problem == NULL)) {
    km_txn_free(txn);
    return NULL;
  }
  return txn;
}

void km_txn_free(km_txn *txn) {
  if (txn == NULL)
    return;
  for (size_t i = 0; i < txn->file_count; i++) {
    free(txn->files[i].container);
    free(txn->files[i].before);
    free(txn->files[i].after);
    free(txn->files[i].reason);
    free(txn->files[i].added);
  }
  free(txn->files);
  free(txn->vault);
  free(txn->key_store);
  free(txn->policies);
  free(txn->overrides);
  free(txn->machine_guid);
  free(txn->guid_before);
  free(txn->guid_after);
  free(txn->made_by);
  km_free_texts(txn->stop);
  km_free_texts(txn->start);
  free(txn->problem);
  free(txn);
}
