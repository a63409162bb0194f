/* guid.c: writes the machine GUID of an offline Windows: 72 bytes of its SOFTWARE hive, in place.
 *
 * The new text has the size of the old one and goes into the very bytes of it, so that nothing else of a hive has to
 * change: no cell moves, and the base block's checksum covers that block alone, which knows nothing of values. A copy
 * that replaces the hive would be no safer: ntfs-3g replaces by link and unlink, and a power cut between them leaves a
 * Windows without SOFTWARE. These bytes are one write of the driver (measured). Where they lie in two sectors a power cut
 * may part them; what then stands there is text of both, which recover knows for its own (core/guid.c).
 *
 * A dirty hive is refused whatever the options say. Its logs hold newer pages, and Windows would write these over the
 * new text at its next start.
 */
#include "bytes.h"
#include "hivefile.h"
#include "offline.h"
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_NAME "MachineGuid"
#define REG_SZ 1
#define GUID_CHARACTERS 36
#define GUID_BYTES ((size_t)2 * GUID_CHARACTERS)
#define ENDED_BYTES (GUID_BYTES + 2) /* with its NUL, as Windows writes it */
#define SPARE_BYTES 65536            /* what a driver may need to write in place */
#define BY_HAND                                                                                    \
  "set the value MachineGuid of HKLM\\SOFTWARE\\Microsoft\\Cryptography in regedit instead"

/* The hive's folder, and its name there as it stands on the disk. */
typedef struct place {
  km_target *target;
  km_folder *config;
  char name[KM_MAX_NAME];
  const char *path; /* of the hive: target->info's */
} place;

static km_status resolve(void *user, const char *path, int *fd, km_error *error) {
  return km_offline_resolve(user, path, fd, error);
}

static void to_utf16(const char guid[GUID_CHARACTERS], uint8_t out[GUID_BYTES]) {
  for (size_t i = 0; i < GUID_CHARACTERS; i++) {
    out[2 * i] = (uint8_t)guid[i];
    out[2 * i + 1] = 0;
  }
}

/* ---- The hive's folder ---- */

/* Finds the name ignoring case, as Windows does; of two hives nobody knows which one it takes. */
static km_status find_name(place *p, const char *wanted, km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length, found = 0;
  bool folder;
  km_status status = km_disk_folder_list(p->config, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK; i++) {
    status = km_disk_listing_next(listing, &name, &length, &folder, error);
    if (status == KM_OK && i >= KM_MAX_FOLDER_NAMES)
      status = km_fail(error, KM_LIMIT, 0, "the folder of %s holds too many names", p->path);
    if (status == KM_OK && km_same_name(name, wanted)) {
      (void)snprintf(p->name, sizeof p->name, "%s", name);
      found++;
    }
  }
  km_disk_listing_close(listing);
  if (status != KM_END)
    return status;
  if (found == 1)
    return KM_OK;
  return found == 0 ? km_fail(error, KM_NOT_FOUND, 0, "%s: the hive is not there", p->path)
                    : km_fail(error, KM_REFUSED, 0,
                              "%s: there are several such names that differ in case alone: move"
                              " away those that are not the hive",
                              p->path);
}

static void close_place(place *p) {
  if (p->config != NULL)
    km_disk_folder_close(p->config);
}

/* Release: close_place, in every case. */
static km_status open_place(km_target *target, place *p, km_error *error) {
  char folder[KM_MAX_WINDOWS_PATH];
  memset(p, 0, sizeof *p);
  p->target = target;
  p->path = target->info.hives[KM_HIVE_SOFTWARE].path;
  (void)snprintf(folder, sizeof folder, "%s", p->path);
  char *name = strrchr(folder, '\\');
  *name = '\0';
  km_status status = km_offline_folder_open(target, folder, &p->config, error);
  return status == KM_OK ? find_name(p, name + 1, error) : status;
}

/* ---- Reading ---- */

static km_status open_key(km_hive *hive, uint64_t *key, km_error *error) {
  *key = km_hive_root(hive);
  km_status status = km_hive_child(hive, *key, "Microsoft", key, error);
  return status == KM_OK ? km_hive_child(hive, *key, "Cryptography", key, error) : status;
}

/* The value's text, or words where it is none. */
static km_status read_text(km_hive *hive, char text[KM_GUID_VALUE], km_error *error) {
  km_registry_value value;
  uint64_t key;
  km_status status = open_key(hive, &key, error);
  if (status == KM_OK)
    status = km_hive_value(hive, key, VALUE_NAME, &value, error);
  if (status != KM_OK)
    return status;
  if (value.type != REG_SZ || value.text == NULL)
    (void)snprintf(text, KM_GUID_VALUE, "(registry type %u)", (unsigned)value.type);
  else
    (void)snprintf(text, KM_GUID_VALUE, "%s", value.text);
  km_registry_value_free(&value);
  return KM_OK;
}

/* As Windows will see it: with the hive's logs, when it is dirty. */
km_status km_offline_guid_read(km_target *target, char text[KM_GUID_VALUE], km_error *error) {
  const km_resolver resolver = {resolve, target->state};
  km_hive *hive = NULL;
  km_status status = km_hive_file_open(&resolver, target->info.hives[KM_HIVE_SOFTWARE].path,
                                       KM_HIVE_REPLAYED, false, &hive, error);
  if (status == KM_OK)
    status = read_text(hive, text, error);
  km_hive_close(hive);
  return status;
}

static km_status not_here(const char *path, const char *what, km_error *error) {
  return km_fail(error, KM_UNSUPPORTED, 0, "%s: %s, so it is not written here; " BY_HAND, path,
                 what);
}

/* Where the text `before` stands in the hive's file. */
static km_status find_text(km_hive *hive, const char *path, const char *before, uint64_t *offset,
                           km_error *error) {
  const km_hive_header *header = km_hive_header_of(hive);
  char now[KM_GUID_VALUE];
  km_hive_place found;
  uint64_t key;
  if (header->sequence1 != header->sequence2)
    return km_fail(error, KM_REFUSED, 0,
                   "%s is dirty (sequence numbers %u and %u): at its next start Windows would write"
                   " the old machine GUID of its logs over the new one. Start this Windows once and"
                   " shut it down fully (shutdown /s /f /t 0); --accept-dirty-hive does not help"
                   " here",
                   path, (unsigned)header->sequence1, (unsigned)header->sequence2);
  km_status status = open_key(hive, &key, error);
  if (status == KM_OK)
    status = km_hive_value_place(hive, key, VALUE_NAME, &found, error);
  if (status == KM_NOT_FOUND)
    return not_here(path, "there is no machine GUID", error);
  if (status == KM_UNSUPPORTED)
    return not_here(path, "the machine GUID does not stand in a place of its own", error);
  if (status != KM_OK)
    return status;
  if (found.type != REG_SZ || (found.size != GUID_BYTES && found.size != ENDED_BYTES))
    return not_here(path, "the machine GUID is no text of 36 characters", error);
  status = read_text(hive, now, error);
  if (status == KM_OK && strcmp(now, before) != 0)
    status = km_fail(error, KM_STALE, 0, "%s: the machine GUID is not %s any more. Make a new plan",
                     path, before);
  *offset = found.offset;
  return status;
}

static km_status find_in_file(const place *p, const char *before, uint64_t *offset,
                              km_error *error) {
  const km_resolver resolver = {resolve, p->target->state};
  km_hive *hive = NULL;
  km_status status =
      km_hive_file_open(&resolver, p->path, KM_HIVE_AS_IT_STANDS, false, &hive, error);
  if (status == KM_OK)
    status = find_text(hive, p->path, before, offset, error);
  km_hive_close(hive);
  return status;
}

/* ---- Before anything is touched ---- */

static km_status check_place(const place *p, km_error *error) {
  km_file_info info;
  km_file_meta meta = {0};
  km_status status = km_disk_file_info(p->config, p->name, &info, error);
  if (status != KM_OK)
    return status;
  if (!info.regular || info.reparse)
    return km_fail(error, KM_REFUSED, 0, "%s: it is no ordinary file but a link or reparse point",
                   p->path);
  if (info.links != 1)
    return km_fail(error, KM_REFUSED, 0,
                   "%s: it has %u names (hard links); with it the files of the other names would"
                   " change. Put a copy in its place",
                   p->path, (unsigned)info.links);
  status = km_disk_volume_check(p->config, SPARE_BYTES, error);
  if (status == KM_OK)
    status = km_disk_meta_read(p->config, p->name, &meta, error);
  if (status == KM_OK)
    status = km_disk_meta_settable(p->config, p->name, &meta, error);
  km_meta_clear(&meta);
  return status;
}

/* The hive is `before`, and may be written at `offset`. */
static km_status check(const place *p, const char *before, uint64_t *offset, km_error *error) {
  km_status status = find_in_file(p, before, offset, error);
  return status == KM_OK ? check_place(p, error) : status;
}

km_status km_offline_guid_check(km_target *target, const char *before, km_error *error) {
  place p;
  uint64_t offset;
  km_status status = open_place(target, &p, error);
  if (status == KM_OK)
    status = check(&p, before, &offset, error);
  close_place(&p);
  return status;
}

/* ---- Writing ---- */

static km_status write_text(const place *p, uint64_t offset, const char *text, km_error *error) {
  uint8_t bytes[GUID_BYTES];
  km_file *file = NULL;
  to_utf16(text, bytes);
  km_status status = km_disk_journal_open(p->config, p->name, &file, error);
  if (status != KM_OK)
    return status;
  status = km_disk_journal_write(file, offset, bytes, sizeof bytes, error);
  km_disk_journal_close(file);
  km_offline_forget_software(p->target);
  return status;
}

/* Writes, gives the file its times back, and reads again what stands there. */
static km_status put_text(const place *p, uint64_t offset, const char *text, km_error *error) {
  km_file_meta meta = {0};
  uint64_t again = 0;
  km_status status = km_disk_meta_read(p->config, p->name, &meta, error);
  if (status == KM_OK)
    status = write_text(p, offset, text, error);
  if (status == KM_OK)
    status = km_disk_meta_write(p->config, p->name, &meta, error);
  if (status == KM_OK)
    status = find_in_file(p, text, &again, error);
  if (status == KM_OK && again != offset)
    status = km_fail(error, KM_STALE, 0, "%s: it changed meanwhile. Make a new plan", p->path);
  km_meta_clear(&meta);
  return status;
}

static km_status put(km_target *target, const char *before, const char *after, km_error *error) {
  place p;
  uint64_t offset = 0;
  if (strlen(before) != GUID_CHARACTERS || strlen(after) != GUID_CHARACTERS)
    return km_fail(error, KM_MISUSE, 0, "a machine GUID has 36 characters");
  km_status status = open_place(target, &p, error);
  if (status == KM_OK)
    status = check(&p, before, &offset, error);
  if (status == KM_OK)
    status = put_text(&p, offset, after, error);
  close_place(&p);
  return status;
}

km_status km_offline_guid_write(km_target *target, const char *before, const char *after,
                                km_error *error) {
  return put(target, before, after, error);
}

/* The same bytes again: the driver flushes what an earlier run wrote, too. */
km_status km_offline_guid_settle(km_target *target, const char *now, km_error *error) {
  return put(target, now, now, error);
}
