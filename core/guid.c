/* guid.c: brings the machine GUID to a side of a transaction, as reach.c does the files of a store
 *
 * The value itself tells where an interrupted transaction stands, so that all of this may be repeated. What a write
 * needs to be whole at every instant is the backend's business: machine_guid_write.
 */
#include "transaction.h"

#include <stdio.h>
#include <string.h>

#define ABSENT "absent"

bool km_guid_changes(const km_journal *journal) {
  return journal->guid_before != NULL;
}

static const char *guid_on(const km_journal *journal, km_side side) {
  return side == KM_BEFORE ? journal->guid_before : journal->guid_after;
}

/* What stands there now; a value that is gone reads "absent", which is no GUID. */
static km_status read_now(const km_work *work, char text[KM_GUID_VALUE], km_error *error) {
  const km_hold *hold = work->hold;
  if (hold->backend->machine_guid_write == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0, "the machine GUID of this target cannot be written");
  km_status status = hold->backend->machine_guid_read(hold->target, text, error);
  if (status != KM_NOT_FOUND)
    return status;
  snprintf(text, KM_GUID_VALUE, ABSENT);
  return KM_OK;
}

/* Somebody else set it. */
static km_status neither(const km_work *work, const char *now, km_error *error) {
  char shown[2 * KM_GUID_VALUE];
  km_escape(now, strlen(now), shown, sizeof shown);
  return km_fail(error, KM_STALE, 0,
                 "the machine GUID is %s, neither %s nor %s, so that somebody else has changed it:"
                 " it stays. Set MachineGuid to one of the two in regedit",
                 shown, work->journal->guid_before, work->journal->guid_after);
}

/* Whether every character is that of one of the two: what a power cut within the write left (machine_guid_write). */
static bool is_parted(const km_journal *journal, const char *now) {
  const char *before = journal->guid_before, *after = journal->guid_after;
  size_t length = strlen(now);
  if (length != strlen(before) || length != strlen(after))
    return false;
  for (size_t i = 0; i < length; i++)
    if (now[i] != before[i] && now[i] != after[i])
      return false;
  return true;
}

static km_status write_guid(km_work *work, const char *from, const char *to, km_error *error) {
  const km_hold *hold = work->hold;
  char now[KM_GUID_VALUE] = "";
  work->touched = true;
  km_status status = hold->backend->machine_guid_write(hold->target, from, to, error);
  if (status == KM_OK)
    status = read_now(work, now, error);
  if (status != KM_OK)
    return status;
  if (strcmp(now, to) != 0)
    return km_fail(error, KM_IO, 0, "the machine GUID was set to %s, but reads %s", to, now);
  km_progress(hold, "swap", "the machine GUID is %s now, no longer %s", to, from);
  return KM_OK;
}

km_status km_guid_reach(km_work *work, km_side side, km_care care, km_error *error) {
  const char *wanted = guid_on(work->journal, side);
  const char *other = guid_on(work->journal, side == KM_BEFORE ? KM_AFTER : KM_BEFORE);
  km_hold *hold = work->hold;
  char now[KM_GUID_VALUE] = "";
  km_status status = read_now(work, now, error);
  if (status == KM_OK && care == KM_CARE_FORWARD && km_interrupted(hold))
    status = km_fail(error, KM_INTERRUPTED, 0, "interrupted");
  if (status != KM_OK)
    return status;
  bool there = strcmp(now, wanted) == 0;
  bool parted = care != KM_CARE_FORWARD && is_parted(work->journal, now);
  bool foreign = !there && strcmp(now, other) != 0 && !parted;
  if (foreign && care == KM_CARE_FORWARD)
    return neither(work, now, error);
  if (there)
    status = hold->backend->machine_guid_settle(hold->target, now, error);
  else if (!foreign)
    status = write_guid(work, now, wanted, error);
  if (status != KM_OK)
    return status;
  if (foreign && care == KM_CARE_AFTER_COMMIT) {
    km_error why;
    neither(work, now, &why);
    km_progress(hold, "recover", "%s", why.message);
    return KM_OK;
  }
  if (foreign)
    return neither(work, now, error);
  km_target_guid_changed(hold->target, wanted);
  return KM_OK;
}

bool km_guid_moves(km_work *work, km_side side, km_care care) {
  char now[KM_GUID_VALUE] = "";
  km_error ignored; /* km_guid_reach meets it again and tells it */
  (void)care;       /* what is neither stays, in every case */
  return read_now(work, now, &ignored) != KM_OK ||
         (strcmp(now, guid_on(work->journal, side)) != 0 && is_parted(work->journal, now));
}

km_status km_guid_reached(km_work *work, km_side side, km_error *error) {
  char now[KM_GUID_VALUE] = "", shown[2 * KM_GUID_VALUE];
  km_status status = read_now(work, now, error);
  if (status != KM_OK || strcmp(now, guid_on(work->journal, side)) == 0)
    return status;
  km_escape(now, strlen(now), shown, sizeof shown);
  return km_fail(error, KM_STALE, 0, "the machine GUID is %s, not %s", shown,
                 guid_on(work->journal, side));
}

void km_guid_tell_changes(km_work *work, km_side side) {
  km_error error;
  if (km_guid_reached(work, side, &error) != KM_OK)
    km_progress(work->hold, "rollback", "%s (not by keymend, which changed nothing)",
                error.message);
}
