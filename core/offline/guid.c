/* guid.c: writes the machine GUID of an offline Windows: 72 bytes of its SOFTWARE hive.
 *
 * The hive is never changed in place. A copy beside it, "SOFTWARE.keymend", gets the new text in the very bytes of the old
 * one, so that nothing else of a hive has to change: no cell moves, and the base block's checksum covers that block
 * alone, which knows nothing of values. The copy is flushed, read again with keymend's own reading and with libhivex,
 * compared with the hive byte by byte, and then replaces it in one rename. So the hive is the old one or the new one at
 * every instant, and the time of the key stays what it was: undo gives back the same bytes.
 *
 * ntfs-3g replaces by link and unlink: when the power goes in that moment, no name SOFTWARE is left, but the old hive as
 * "SOFTWARE.ntfs-3g-0000000001" and in the vault, and the copy, whole and flushed. Then the copy is read in its place, so
 * that recover can open such a Windows, and gets the name.
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
#define SIBLING_END ".keymend"
#define HIVE_END "\\SOFTWARE"
#define DRIVER_MARK ".ntfs-3g-" /* and ten digits; see reach.c */
#define DRIVER_DIGITS 10
#define SPARE_BYTES (1u << 20) /* beyond the hive's copy */
#define PIECE_BYTES 65536
#define BY_HAND                                                                                    \
  "set the value MachineGuid of HKLM\\SOFTWARE\\Microsoft\\Cryptography in regedit instead"

/* The hive's folder, and its name there as it stands on the disk. */
typedef struct place {
  km_target *target;
  km_folder *config;
  char name[KM_MAX_NAME], sibling[KM_MAX_NAME + sizeof SIBLING_END];
  const char *path; /* of the hive: target->info's */
  char sibling_path[KM_MAX_WINDOWS_PATH];
  char leftover[KM_MAX_NAME]; /* what ntfs-3g left of an interrupted rename, or "" */
  bool missing;               /* the hive is, its copy has what it needs */
} place;

km_status km_offline_resolve_hive(km_offline *offline, const char *path, int *fd, km_error *error) {
  char sibling[KM_MAX_WINDOWS_PATH];
  size_t length = strlen(path), end = sizeof HIVE_END - 1;
  km_error ignored;
  km_status status = km_offline_resolve(offline, path, fd, error);
  if (status != KM_NOT_FOUND || length < end || !km_same_name(path + length - end, HIVE_END))
    return status;
  int used = snprintf(sibling, sizeof sibling, "%s" SIBLING_END, path);
  bool fits = used > 0 && (size_t)used < sizeof sibling;
  return fits && km_offline_resolve(offline, sibling, fd, &ignored) == KM_OK ? KM_OK : status;
}

static km_status resolve(void *user, const char *path, int *fd, km_error *error) {
  return km_offline_resolve_hive(user, path, fd, error);
}

static void to_utf16(const char guid[GUID_CHARACTERS], uint8_t out[GUID_BYTES]) {
  for (size_t i = 0; i < GUID_CHARACTERS; i++) {
    out[2 * i] = (uint8_t)guid[i];
    out[2 * i + 1] = 0;
  }
}

/* ---- The hive's folder ---- */

static bool is_leftover(const char *name, const char *hive) {
  size_t length = strlen(hive), mark = sizeof DRIVER_MARK - 1;
  if (strlen(name) != length + mark + DRIVER_DIGITS ||
      strspn(name + length + mark, "0123456789") != DRIVER_DIGITS ||
      strncmp(name + length, DRIVER_MARK, mark) != 0)
    return false;
  char begin[KM_MAX_NAME];
  (void)snprintf(begin, sizeof begin, "%.*s", (int)length, name);
  return km_same_name(begin, hive);
}

/* Takes what a name of the folder tells; true for the hive's. */
static bool take_name(place *p, const char *name, const char *wanted) {
  char sibling[KM_MAX_NAME];
  (void)snprintf(sibling, sizeof sibling, "%s" SIBLING_END, wanted);
  if (is_leftover(name, wanted))
    (void)snprintf(p->leftover, sizeof p->leftover, "%s", name);
  if (km_same_name(name, sibling))
    (void)snprintf(p->sibling, sizeof p->sibling, "%s", name);
  if (!km_same_name(name, wanted))
    return false;
  (void)snprintf(p->name, sizeof p->name, "%s", name);
  return true;
}

/* Finds the names ignoring case, as Windows does; two hives are none that can be replaced. */
static km_status find_names(place *p, const char *wanted, km_error *error) {
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
    if (status == KM_OK)
      found += take_name(p, name, wanted);
  }
  km_disk_listing_close(listing);
  if (status != KM_END)
    return status;
  p->missing = found == 0 && p->sibling[0] != '\0';
  if (p->missing) /* the copy's name is made of the hive's */
    (void)snprintf(p->name, sizeof p->name, "%.*s",
                   (int)(strlen(p->sibling) - (sizeof SIBLING_END - 1)), p->sibling);
  if (found == 1 || p->missing)
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
  (void)snprintf(p->sibling_path, sizeof p->sibling_path, "%s" SIBLING_END, p->path);
  km_status status = km_offline_folder_open(target, folder, &p->config, error);
  if (status == KM_OK)
    status = find_names(p, name + 1, error);
  if (status == KM_OK && p->sibling[0] == '\0')
    (void)snprintf(p->sibling, sizeof p->sibling, "%s" SIBLING_END, p->name);
  return status;
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

/* The same for a hive by its path. */
static km_status find_in_file(km_target *target, const char *path, const char *before,
                              uint64_t *offset, km_error *error) {
  const km_resolver resolver = {resolve, target->state};
  km_hive *hive = NULL;
  km_status status = km_hive_file_open(&resolver, path, KM_HIVE_AS_IT_STANDS, false, &hive, error);
  if (status == KM_OK)
    status = find_text(hive, path, before, offset, error);
  km_hive_close(hive);
  return status;
}

/* ---- What an interrupted write left ---- */

/* Removes the copy of an interrupted run. Anything but a plain file of that name is somebody else's. */
static km_status remove_sibling(place *p, km_error *error) {
  km_file_info info;
  km_status status = km_disk_file_info(p->config, p->sibling, &info, error);
  if (status == KM_NOT_FOUND)
    return KM_OK;
  if (status != KM_OK)
    return status;
  if (!info.regular || info.reparse)
    return km_fail(error, KM_REFUSED, 0,
                   "%s: a folder or link is in the way, which is not keymend's: look into it, then"
                   " move it away",
                   p->sibling_path);
  return km_disk_file_remove(p->config, p->sibling, error);
}

/* Where the vault's name is one of the hive that stands, it keeps nothing: the hive was not replaced. */
static km_status drop_own_link(place *p, km_folder *vault, bool *there, km_error *error) {
  km_file_info kept, hive;
  *there = false;
  km_status status = km_disk_file_info(vault, KM_HIVE_LINK, &kept, error);
  if (status == KM_NOT_FOUND)
    return KM_OK;
  if (status == KM_OK)
    status = km_disk_file_info(p->config, p->name, &hive, error);
  if (status != KM_OK)
    return status;
  *there = kept.identity != hive.identity || kept.device != hive.device;
  if (*there)
    return KM_OK;
  status = km_disk_file_remove(vault, KM_HIVE_LINK, error);
  return status == KM_OK ? km_disk_folder_flush(vault, error) : status;
}

/* The copy, which was flushed and compared before the rename that lost the hive's name, gets that name. */
static km_status give_name(place *p, km_error *error) {
  km_file_info info;
  if (!p->missing)
    return KM_OK;
  km_status status = km_disk_file_info(p->config, p->sibling, &info, error);
  if (status == KM_OK && (!info.regular || info.reparse))
    status = km_fail(error, KM_NOT_FOUND, 0, "%s: the hive is not there", p->path);
  if (status == KM_OK)
    status = km_disk_file_rename(p->config, p->sibling, p->config, p->name, false, error);
  km_offline_forget_software(p->target);
  p->missing = status != KM_OK;
  return status;
}

/* Removes what ntfs-3g left when it is the hive, or the one that the vault keeps. */
static km_status sweep_leftover(const place *p, km_folder *vault, km_error *error) {
  km_file_info left, other;
  km_error ignored;
  if (p->leftover[0] == '\0' ||
      km_disk_file_info(p->config, p->leftover, &left, &ignored) != KM_OK || !left.regular)
    return KM_OK;
  bool known = km_disk_file_info(vault, KM_HIVE_LINK, &other, &ignored) == KM_OK &&
               other.identity == left.identity && other.device == left.device;
  known |= km_disk_file_info(p->config, p->name, &other, &ignored) == KM_OK &&
           other.identity == left.identity && other.device == left.device;
  return known ? km_disk_file_remove(p->config, p->leftover, error) : KM_OK;
}

static km_status settle(place *p, km_folder *vault, km_error *error) {
  bool there;
  km_status status = give_name(p, error);
  if (status == KM_OK)
    status = sweep_leftover(p, vault, error);
  if (status == KM_OK)
    status = remove_sibling(p, error);
  if (status == KM_OK)
    status = drop_own_link(p, vault, &there, error);
  return status == KM_OK ? km_disk_folder_flush(p->config, error) : status;
}

km_status km_offline_guid_settle(km_target *target, km_folder *vault, km_error *error) {
  place p;
  km_status status = open_place(target, &p, error);
  if (status == KM_OK)
    status = settle(&p, vault, error);
  close_place(&p);
  return status;
}

/* ---- Before anything is touched ---- */

static km_status check_place(place *p, km_error *error) {
  km_file_info info;
  km_file_meta meta = {0};
  km_status status = km_disk_file_info(p->config, p->name, &info, error);
  if (status != KM_OK)
    return status;
  if (!info.regular || info.reparse)
    return km_fail(error, KM_REFUSED, 0, "%s: it is no ordinary file but a link or reparse point",
                   p->path);
  status = km_disk_volume_check(p->config, info.size + SPARE_BYTES, error);
  if (status == KM_OK)
    status = km_disk_meta_read(p->config, p->name, &meta, error);
  if (status == KM_OK)
    status = km_disk_meta_settable(p->config, p->name, &meta, error);
  km_meta_clear(&meta);
  if (status == KM_OK && km_disk_file_info(p->config, p->sibling, &info, NULL) == KM_OK &&
      (!info.regular || info.reparse))
    status = remove_sibling(p, error); /* refuses */
  return status;
}

km_status km_offline_guid_check(km_target *target, const char *before, km_error *error) {
  place p;
  uint64_t offset;
  km_status status = open_place(target, &p, error);
  if (status == KM_OK && p.missing)
    status = km_fail(error, KM_NOT_FOUND, 0, "%s: the hive is not there", p.path);
  if (status == KM_OK)
    status = find_in_file(target, p.path, before, &offset, error);
  if (status == KM_OK)
    status = check_place(&p, error);
  close_place(&p);
  return status;
}

/* ---- Writing ---- */

/* Whether the copy's bytes are the hive's, but for the text at `offset`, which changed from one to the other. */
static bool same_pieces(const uint8_t *hive, const uint8_t *copy, uint64_t at, size_t size,
                        uint64_t offset, const uint8_t before[GUID_BYTES],
                        const uint8_t after[GUID_BYTES]) {
  for (size_t i = 0; i < size; i++) {
    uint64_t k = at + i - offset; /* wraps below the text */
    bool inside = at + i >= offset && k < GUID_BYTES;
    if (hive[i] != (inside ? before[k] : copy[i]) || copy[i] != (inside ? after[k] : hive[i]))
      return false;
  }
  return true;
}

static km_status compare_bytes(const place *p, int hive, int copy, uint64_t offset,
                               const char *before, const char *after, km_error *error) {
  uint8_t pieces[2][PIECE_BYTES], texts[2][GUID_BYTES];
  uint64_t size = 0, copied = 0;
  to_utf16(before, texts[0]);
  to_utf16(after, texts[1]);
  km_status status = km_disk_size(hive, &size, error);
  if (status == KM_OK)
    status = km_disk_size(copy, &copied, error);
  bool same = size == copied && offset <= size && size - offset >= GUID_BYTES;
  for (uint64_t at = 0; status == KM_OK && same && at < size; at += PIECE_BYTES) {
    size_t piece = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
    status = km_disk_read_at(hive, pieces[0], piece, at, error);
    if (status == KM_OK)
      status = km_disk_read_at(copy, pieces[1], piece, at, error);
    same = same_pieces(pieces[0], pieces[1], at, piece, offset, texts[0], texts[1]);
  }
  if (status != KM_OK)
    km_error_prefix(error, "compare %s with its copy", p->path);
  if (status != KM_OK || same)
    return status;
  return km_fail(error, KM_STALE, 0,
                 "%s: its copy differs in more than the machine GUID: somebody else is writing to"
                 " this volume. Make a new plan",
                 p->path);
}

static km_status compare_files(const place *p, uint64_t offset, const char *before,
                               const char *after, km_error *error) {
  km_offline *offline = p->target->state;
  int hive = -1, copy = -1;
  km_status status = km_offline_resolve(offline, p->path, &hive, error);
  if (status == KM_OK)
    status = km_offline_resolve(offline, p->sibling_path, &copy, error);
  if (status == KM_OK)
    status = compare_bytes(p, hive, copy, offset, before, after, error);
  if (hive >= 0)
    km_disk_close(hive);
  if (copy >= 0)
    km_disk_close(copy);
  return status;
}

/* Whether `name` has the times, attributes and descriptor of the hive. */
static km_status compare_meta(const place *p, const char *name, const km_file_meta *wanted,
                              km_error *error) {
  km_file_meta now = {0};
  const char *what = NULL;
  km_status status = km_disk_meta_read(p->config, name, &now, error);
  if (status == KM_OK && !km_meta_equal(&now, wanted, &what))
    status = km_fail(error, KM_IO, 0, "%s: the %s of its copy could not be made the same", p->path,
                     what);
  km_meta_clear(&now);
  return status;
}

/* Makes the copy, puts the text into it and flushes it. */
static km_status make_copy(const place *p, const char *before, const char *after,
                           const km_file_meta *meta, uint64_t *offset, km_error *error) {
  char sha256[KM_SHA256_TEXT];
  uint8_t text[GUID_BYTES];
  km_file *file = NULL;
  km_status status = km_disk_file_copy(p->config, p->name, p->config, p->sibling, sha256, error);
  if (status == KM_OK)
    status = find_in_file(p->target, p->sibling_path, before, offset, error);
  if (status == KM_OK)
    status = km_disk_journal_open(p->config, p->sibling, &file, error);
  if (status != KM_OK)
    return status;
  to_utf16(after, text);
  status = km_disk_journal_write(file, *offset, text, sizeof text, error);
  km_disk_journal_close(file);
  return status == KM_OK ? km_disk_meta_write(p->config, p->sibling, meta, error) : status;
}

static km_status check_copy(const place *p, const char *before, const char *after,
                            const km_file_meta *meta, uint64_t offset, km_error *error) {
  uint64_t again = 0;
  km_status status = find_in_file(p->target, p->sibling_path, after, &again, error);
  if (status == KM_OK && again != offset)
    status = km_fail(error, KM_STALE, 0, "%s: it changed meanwhile. Make a new plan", p->path);
  if (status == KM_OK)
    status = compare_files(p, offset, before, after, error);
  return status == KM_OK ? compare_meta(p, p->sibling, meta, error) : status;
}

/* The vault keeps the hive that was replaced last: that of an apply gives way to that of its undo. */
static km_status keep_hive(place *p, km_folder *vault, bool *kept, km_error *error) {
  bool there = false;
  km_status status = drop_own_link(p, vault, &there, error);
  if (status == KM_OK && there)
    status = km_disk_file_remove(vault, KM_HIVE_LINK, error);
  if (status == KM_OK)
    status = km_disk_file_link(p->config, p->name, vault, KM_HIVE_LINK, error);
  *kept = status == KM_OK;
  if (status != KM_OK && status != KM_UNSUPPORTED)
    return status;
  return km_disk_folder_flush(vault, error);
}

static km_status replace_hive(place *p, const km_file_meta *meta, km_error *error) {
  km_status status = km_disk_file_rename(p->config, p->sibling, p->config, p->name, true, error);
  km_offline_forget_software(p->target);
  if (status == KM_OK)
    status = km_disk_meta_write(p->config, p->name, meta, error);
  if (status == KM_OK)
    status = km_disk_folder_flush(p->config, error);
  return status == KM_OK ? compare_meta(p, p->name, meta, error) : status;
}

static km_status write_guid(place *p, km_folder *vault, const char *before, const char *after,
                            bool *kept, km_error *error) {
  km_file_meta meta = {0};
  uint64_t offset = 0;
  km_error ignored;
  km_status status = km_disk_meta_read(p->config, p->name, &meta, error);
  if (status == KM_OK)
    status = make_copy(p, before, after, &meta, &offset, error);
  if (status == KM_OK)
    status = check_copy(p, before, after, &meta, offset, error);
  if (status == KM_OK)
    status = keep_hive(p, vault, kept, error);
  if (status == KM_OK)
    status = replace_hive(p, &meta, error);
  if (status != KM_OK)
    (void)remove_sibling(p, &ignored);
  km_meta_clear(&meta);
  return status;
}

km_status km_offline_guid_write(km_target *target, km_folder *vault, const char *before,
                                const char *after, bool *kept, km_error *error) {
  place p;
  uint64_t offset;
  *kept = false;
  if (strlen(before) != GUID_CHARACTERS || strlen(after) != GUID_CHARACTERS)
    return km_fail(error, KM_MISUSE, 0, "a machine GUID has 36 characters");
  km_status status = open_place(target, &p, error);
  if (status == KM_OK && p.missing)
    status = give_name(&p, error);
  if (status == KM_OK)
    status = find_in_file(target, p.path, before, &offset, error);
  if (status == KM_OK)
    status = check_place(&p, error);
  if (status == KM_OK)
    status = settle(&p, vault, error);
  if (status == KM_OK)
    status = write_guid(&p, vault, before, after, kept, error);
  close_place(&p);
  return status;
}
