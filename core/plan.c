/* plan.c: checks a plan in itself and against the store, before anything is touched */
#include "descriptor.h"
#include "grant.h"
#include "transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVICE "Make a new plan"

static const char *const kind_ids[] = {"retire", "adopt", "prune", "grant", "restore-guid"};

const char *km_step_kind_id(km_step_kind kind) {
  size_t index = (size_t)kind;
  return index < sizeof kind_ids / sizeof *kind_ids ? kind_ids[index] : "unknown";
}

/* ---- in itself ---- */

static bool sha256_valid(const char *text) {
  if (strlen(text) != KM_SHA256_TEXT - 1)
    return false;
  for (; *text != '\0'; text++)
    if (!(*text >= '0' && *text <= '9') && !(*text >= 'a' && *text <= 'f'))
      return false;
  return true;
}

static bool is_adopt(const km_step *step) {
  return step->kind == KM_STEP_ADOPT;
}

static bool is_grant(const km_step *step) {
  return step->kind == KM_STEP_GRANT;
}

/* A step serves the container that it names: whoever edited the plan, no other one's file is moved. */
static km_status check_container(const km_step *step, const char *name_hash, km_error *error) {
  char hash[KM_HASH_TEXT];
  if (step->container == NULL || km_container_hash(step->container, hash, NULL) != KM_OK ||
      strcmp(hash, name_hash) != 0)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: %s: its key container is not the one that the step names", step->name);
  return KM_OK;
}

static km_status check_adopt(const km_step *step, const km_target_info *info, km_error *error) {
  km_unique_name to;
  if (step->to == NULL || !km_unique_name_parse(step->to, &to) || strcmp(to.guid, info->guid) != 0)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: adopt %s: the new name is not a container hash and this machine's GUID",
                   step->name);
  if (km_same_name(step->name, step->to))
    return km_fail(error, KM_MISUSE, 0, "plan: adopt %s: it has that name already", step->name);
  return check_container(step, to.hash, error);
}

static km_status check_retire(const km_step *step, const km_target_info *info, km_error *error) {
  km_unique_name name;
  if (!km_unique_name_parse(step->name, &name))
    return km_fail(error, KM_MISUSE, 0, "plan: retire %s: it is not a unique name", step->name);
  if (strcmp(name.guid, info->guid) != 0)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: retire %s: only a current key file stands in the way, and this name is"
                   " not of this machine's GUID",
                   step->name);
  return check_container(step, name.hash, error);
}

static km_status check_prune(const km_step *step, km_error *error) {
  km_unique_name name;
  if (!km_unique_name_parse(step->name, &name))
    return km_fail(error, KM_MISUSE, 0, "plan: prune %s: it is not a unique name", step->name);
  return check_container(step, name.hash, error);
}

/* A current key file, and entries that may be given, none of them twice. */
static km_status check_grant(const km_step *step, const km_target_info *info, km_error *error) {
  km_unique_name name;
  if (!km_unique_name_parse(step->name, &name) || strcmp(name.guid, info->guid) != 0)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: grant %s: only a current key file gets entries, and this name is not of"
                   " this machine's GUID",
                   step->name);
  if (step->grants == NULL || step->grant_count == 0 || step->grant_count > KM_MAX_GRANTS)
    return km_fail(error, KM_MISUSE, 0, "plan: grant %s: it adds 1 to %d entries", step->name,
                   KM_MAX_GRANTS);
  for (size_t i = 0; i < step->grant_count; i++) {
    if (!km_grant_allowed(step->grants[i].sid, step->grants[i].mask))
      return km_fail(error, KM_MISUSE, 0,
                     "plan: grant %s: only read or full rights are given, and only to SYSTEM,"
                     " LOCAL SERVICE, NETWORK SERVICE, Administrators or a service",
                     step->name);
    for (size_t k = 0; k < i; k++)
      if (strcmp(step->grants[i].sid, step->grants[k].sid) == 0)
        return km_fail(error, KM_MISUSE, 0, "plan: grant %s: two entries for %s", step->name,
                       step->grants[i].sid);
  }
  if (!sha256_valid(step->descriptor_sha256))
    return km_fail(error, KM_MISUSE, 0,
                   "plan: grant %s: there is no SHA-256 of its security descriptor", step->name);
  return check_container(step, name.hash, error);
}

static km_status check_step(const km_step *step, const km_target_info *info, km_error *error) {
  if (step->name == NULL || !km_store_name_valid(step->name))
    return km_fail(error, KM_MISUSE, 0, "plan: a step's file name is not one of a key store");
  if (!sha256_valid(step->sha256))
    return km_fail(error, KM_MISUSE, 0, "plan: %s: there is no SHA-256", step->name);
  if (step->size > KM_MAX_KEY_FILE)
    return km_fail(error, KM_LIMIT, 0, "plan: %s: larger than %d bytes, so it is no key file",
                   step->name, KM_MAX_KEY_FILE);
  if (is_adopt(step))
    return check_adopt(step, info, error);
  if (step->kind == KM_STEP_PRUNE)
    return check_prune(step, error);
  if (is_grant(step))
    return check_grant(step, info, error);
  if (step->kind != KM_STEP_RETIRE)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: %s: the step neither retires, adopts nor prunes it, nor grants",
                   step->name);
  return check_retire(step, info, error);
}

bool km_plan_restores_guid(const km_plan *plan) {
  return plan->step_count == 1 && plan->steps[0].kind == KM_STEP_RESTORE_GUID;
}

/* Every other step names the machine GUID that stands, so this one stands alone. */
static km_status check_restore_guid(const km_plan *plan, const km_target_info *info,
                                    km_error *error) {
  char guid[KM_GUID_TEXT];
  const km_step *step = NULL;
  for (size_t i = 0; i < plan->step_count; i++)
    if (plan->steps[i].kind == KM_STEP_RESTORE_GUID)
      step = &plan->steps[i];
  if (step == NULL)
    return KM_OK;
  if (plan->step_count > 1)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: a step that puts the machine GUID back is the only one of its plan");
  if (step->name == NULL || strcmp(step->name, info->machine_guid) != 0)
    return km_fail(error, KM_MISUSE, 0, "plan: restore-guid: it does not name the machine GUID %s",
                   info->machine_guid);
  if (info->guid_form != KM_GUID_PLAIN && info->guid_form != KM_GUID_CASE)
    return km_fail(
        error, KM_UNSUPPORTED, 0,
        "the machine GUID is no text of 36 characters, so it is not written here; set the"
        " value MachineGuid of HKLM\\SOFTWARE\\Microsoft\\Cryptography in regedit instead");
  if (step->to == NULL || km_guid_parse(step->to, guid) != KM_GUID_PLAIN)
    return km_fail(error, KM_MISUSE, 0,
                   "plan: restore-guid: what is to be put back is no GUID of 36 lower-case"
                   " characters");
  if (strcmp(step->to, info->guid) == 0)
    return km_fail(error, KM_MISUSE, 0, "plan: restore-guid: %s is the machine GUID already",
                   step->to);
  if ((step->container != NULL && step->container[0] != '\0') || step->size != 0 ||
      step->identity != 0 || step->created != 0 || step->written != 0 || step->sha256[0] != '\0')
    return km_fail(error, KM_MISUSE, 0, "plan: restore-guid: it is about no file");
  return KM_OK;
}

/* No file in two steps, no name given twice, and a name that is given is free or retired. */
static km_status check_pair(const km_step *a, const km_step *b, km_error *error) {
  if (km_same_name(a->name, b->name))
    return km_fail(error, KM_MISUSE, 0, "plan: two steps for %s", a->name);
  if (is_grant(a) != is_grant(b))
    return km_fail(
        error, KM_MISUSE, 0,
        "plan: it moves files and adds entries too: make two plans, one after the other");
  if (is_adopt(a) && is_adopt(b) && km_same_name(a->to, b->to))
    return km_fail(error, KM_MISUSE, 0, "plan: two files would be named %s", a->to);
  if (is_adopt(a) && is_adopt(b) && (km_same_name(a->to, b->name) || km_same_name(b->to, a->name)))
    return km_fail(error, KM_MISUSE, 0, "plan: %s is adopted and would be replaced", a->name);
  return KM_OK;
}

static km_status check_list(const char *const *list, km_error *error) {
  for (size_t i = 0; list != NULL && list[i] != NULL; i++)
    if (i >= KM_MAX_JOURNAL_SERVICES || list[i][0] == '\0' || strlen(list[i]) >= KM_MAX_NAME)
      return km_fail(error, KM_LIMIT, 0, "plan: too many services, or one with no proper name");
  return KM_OK;
}

km_status km_plan_check(const km_plan *plan, const km_target_info *info, km_error *error) {
  if (plan->step_count == 0 || plan->steps == NULL || plan->machine_guid == NULL ||
      plan->key_store == NULL)
    return km_fail(error, KM_MISUSE, 0, "plan: it has no steps, machine GUID or key store");
  if (plan->step_count > KM_MAX_STEPS)
    return km_fail(error, KM_LIMIT, 0, "plan: more than %d steps", KM_MAX_STEPS);
  if (info->machine_guid == NULL || strcmp(info->machine_guid, plan->machine_guid) != 0)
    return km_fail(error, KM_STALE, 0,
                   "plan: the machine GUID was %s when it was made, and is %s now. " ADVICE,
                   plan->machine_guid, info->machine_guid != NULL ? info->machine_guid : "absent");
  if (info->guid_form != KM_GUID_PLAIN && info->guid_form != KM_GUID_CASE)
    return km_fail(error, KM_REFUSED, 0,
                   "the machine GUID \"%s\" is not in the form that file names have: mend it first",
                   info->machine_guid);
  if (info->key_store == NULL || !km_same_name(info->key_store, plan->key_store))
    return km_fail(error, KM_STALE, 0, "plan: it is for the key store %s, not this one. " ADVICE,
                   plan->key_store);
  km_status status = check_restore_guid(plan, info, error);
  bool files = !km_plan_restores_guid(plan);
  for (size_t i = 0; status == KM_OK && files && i < plan->step_count; i++)
    status = check_step(&plan->steps[i], info, error);
  for (size_t i = 0; status == KM_OK && i < plan->step_count; i++)
    for (size_t k = 0; status == KM_OK && k < i; k++)
      status = check_pair(&plan->steps[i], &plan->steps[k], error);
  if (status == KM_OK)
    status = check_list(plan->stop, error);
  return status == KM_OK ? check_list(plan->start, error) : status;
}

/* ---- against the store ---- */

static km_status stale(km_error *error, const char *name, const char *what) {
  return km_fail(error, KM_STALE, 0,
                 "%s: %s since the plan was made. The store has changed. " ADVICE, name, what);
}

static km_status stale_time(km_error *error, const char *name, const char *what, km_time then,
                            km_time now) {
  char was[KM_TIME_TEXT], is[KM_TIME_TEXT];
  return km_fail(error, KM_STALE, 0,
                 "%s: its %s was %s when the plan was made, and is %s now. The store has"
                 " changed. " ADVICE,
                 name, what, km_time_text(then, was), km_time_text(now, is));
}

/* What anybody could have put in the place of a key file. */
static km_status check_kind(const char *name, const km_file_info *info, km_error *error) {
  if (info->reparse || !info->regular)
    return km_fail(error, KM_REFUSED, 0, "%s: not an ordinary file but a link, folder or device",
                   name);
  if (info->links != 1)
    return km_fail(error, KM_REFUSED, 0,
                   "%s: it has %" PRIu32 " names (hard links), so others may change it", name,
                   info->links);
  return KM_OK;
}

static km_status check_info(const km_step *step, const km_file_info *info, km_error *error) {
  km_status status = check_kind(step->name, info, error);
  if (status != KM_OK)
    return status;
  if (info->size != step->size)
    return km_fail(error, KM_STALE, 0,
                   "%s: its size was %" PRIu64 " bytes when the plan was made, and is %" PRIu64
                   " now. The store has changed. " ADVICE,
                   step->name, step->size, info->size);
  if (step->identity != 0 && info->identity != step->identity)
    return stale(error, step->name, "it was replaced by another file");
  if (info->written != step->written)
    return stale_time(error, step->name, "last-write time", step->written, info->written);
  bool comparable = step->created_source == info->created_source &&
                    step->created_source != KM_TIME_NONE &&
                    (step->created_source != KM_TIME_BIRTH || step->identity != 0);
  if (comparable && info->created != step->created)
    return stale_time(error, step->name, "creation time", step->created, info->created);
  return KM_OK;
}

static km_status check_content(km_hold *hold, const km_step *step, km_file_info *info,
                               km_error *error) {
  uint8_t *data = NULL;
  size_t size = 0;
  char sha256[KM_SHA256_TEXT];
  km_status status =
      hold->backend->file_read(hold->store, step->name, KM_MAX_KEY_FILE, &data, &size, info, error);
  if (status == KM_NOT_FOUND)
    return stale(error, step->name, "it is gone");
  if (status != KM_OK)
    return status;
  km_sha256(data, size, sha256);
  km_secret_free(data, size);
  if (strcmp(sha256, step->sha256) != 0)
    return stale(error, step->name, "its content has changed");
  return check_info(step, info, error);
}

static const km_step *retired_by(const km_plan *plan, const char *name) {
  for (size_t i = 0; i < plan->step_count; i++)
    if (!is_adopt(&plan->steps[i]) && km_same_name(plan->steps[i].name, name))
      return &plan->steps[i];
  return NULL;
}

/* The descriptor that a grant leaves; another one than the plan saw is not touched. */
static km_status fill_granted(const km_step *step, km_entry *entry, km_error *error) {
  const km_file_meta *meta = &entry->meta;
  char sha256[KM_SHA256_TEXT];
  if (meta->descriptor == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "%s: this file system keeps no security descriptors, so no entries can be added",
                   step->name);
  km_descriptor_sha256(meta->descriptor, meta->descriptor_size, sha256);
  if (strcmp(sha256, step->descriptor_sha256) != 0)
    return stale(error, step->name, "its security descriptor has changed");
  km_status status =
      km_descriptor_grant(meta->descriptor, meta->descriptor_size, step->grants, step->grant_count,
                          &entry->granted, &entry->granted_size, error);
  if (status != KM_OK)
    km_error_prefix(error, "%s", step->name);
  return status;
}

/* A name that is retired keeps its spelling: Windows takes names that differ in case alone for one,
 * and so the adopted file replaces the retired one in a single rename on every file system. */
static km_status fill_entry(km_hold *hold, const km_plan *plan, const km_step *step,
                            const km_file_info *info, km_entry *entry, km_error *error) {
  const km_step *retired = is_adopt(step) ? retired_by(plan, step->to) : NULL;
  const char *to = retired != NULL  ? retired->name
                   : is_grant(step) ? step->name
                   : is_adopt(step) ? step->to
                                    : NULL;
  entry->container = km_copy_text_within(step->container, KM_MAX_CONTAINER);
  entry->reason = km_copy_text_within(step->reason, KM_MAX_TEXT);
  entry->before = km_copy_text(step->name);
  entry->after = km_copy_text(to);
  if (entry->container == NULL || entry->reason == NULL || entry->before == NULL ||
      (to != NULL && entry->after == NULL))
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  entry->size = info->size;
  entry->identity = info->identity;
  entry->seen_created = step->created;
  memcpy(entry->sha256, step->sha256, sizeof entry->sha256);
  const km_backend *backend = hold->backend;
  km_status status = backend->meta_read(hold->store, step->name, &entry->meta, error);
  if (status == KM_OK && backend->meta_settable != NULL)
    status = backend->meta_settable(hold->store, step->name, &entry->meta, error);
  if (status == KM_OK && is_grant(step))
    status = fill_granted(step, entry, error);
  return status;
}

static km_status compare_step(km_hold *hold, const km_plan *plan, const km_step *step,
                              km_entry *entry, km_error *error) {
  km_file_info info;
  km_status status = hold->backend->file_info(hold->store, step->name, &info, error);
  if (status == KM_NOT_FOUND)
    return stale(error, step->name, "it is gone");
  if (status == KM_OK)
    status = check_info(step, &info, error);
  if (status == KM_OK)
    status = check_content(hold, step, &info, error);
  return status == KM_OK ? fill_entry(hold, plan, step, &info, entry, error) : status;
}

/* A name in the store that a step gives, in any spelling, must be retired by the plan. */
static km_status check_taken(const km_plan *plan, const char *name, km_error *error) {
  for (size_t i = 0; i < plan->step_count; i++) {
    const km_step *step = &plan->steps[i];
    if (!is_adopt(step) || !km_same_name(step->to, name))
      continue;
    const km_step *retired = retired_by(plan, name);
    if (retired == NULL || strcmp(retired->name, name) != 0)
      return km_fail(error, KM_STALE, 0,
                     "%s: the name is taken, and the plan does not retire that file. The store has"
                     " changed. " ADVICE,
                     name);
  }
  return KM_OK;
}

static km_status check_names(km_hold *hold, const km_plan *plan, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder;
  km_status status = hold->backend->folder_list(hold->store, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK; i++) {
    status = hold->backend->listing_next(listing, &name, &length, &folder, error);
    if (status == KM_OK && i >= KM_MAX_STORE_NAMES)
      status = km_fail(error, KM_LIMIT, 0, "the key store holds too many files");
    if (status == KM_OK)
      status = check_taken(plan, name, error);
  }
  hold->backend->listing_close(listing);
  return status == KM_END ? KM_OK : status;
}

/* Whether a name of the store is a key file's under that GUID. */
static bool carries(km_hold *hold, const char *name, const char *guid) {
  km_unique_name unique;
  km_file_info info;
  km_error ignored;
  return km_unique_name_parse(name, &unique) && strcmp(unique.guid, guid) == 0 &&
         hold->backend->file_info(hold->store, name, &info, &ignored) == KM_OK && info.regular &&
         !info.reparse;
}

/* A GUID that no key file ends in makes every key foreign. */
static km_status check_carried(km_hold *hold, const char *guid, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder, found = false;
  km_status status = hold->backend->folder_list(hold->store, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK && !found; i++) {
    status = hold->backend->listing_next(listing, &name, &length, &folder, error);
    if (status == KM_OK && i >= KM_MAX_STORE_NAMES)
      status = km_fail(error, KM_LIMIT, 0, "the key store holds too many files");
    found = status == KM_OK && !folder && carries(hold, name, guid);
  }
  hold->backend->listing_close(listing);
  if (status == KM_END)
    return km_fail(error, KM_REFUSED, 0,
                   "no key file of the store ends in %s, so nothing would come back with that"
                   " machine GUID: \"keymend keys\" shows the ones there are",
                   guid);
  return status;
}

static km_status compare_guid(km_hold *hold, const km_plan *plan, km_journal *journal,
                              km_error *error) {
  const km_step *step = &plan->steps[0];
  if (hold->backend->machine_guid_write == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0, "the machine GUID of this target cannot be written");
  km_status status = check_carried(hold, step->to, error);
  if (status == KM_OK)
    status = hold->backend->machine_guid_check(hold->target, step->name, error);
  if (status != KM_OK)
    return status;
  journal->guid_before = km_copy_text(step->name);
  journal->guid_after = km_copy_text(step->to);
  if (journal->guid_before == NULL || journal->guid_after == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  return KM_OK;
}

km_status km_plan_compare(km_hold *hold, const km_plan *plan, km_journal *journal,
                          km_error *error) {
  if (km_plan_restores_guid(plan))
    return compare_guid(hold, plan, journal, error);
  journal->entries = calloc(plan->step_count, sizeof *journal->entries);
  if (journal->entries == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  journal->entry_count = plan->step_count;
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < plan->step_count; i++)
    status = compare_step(hold, plan, &plan->steps[i], &journal->entries[i], error);
  return status == KM_OK ? check_names(hold, plan, error) : status;
}
