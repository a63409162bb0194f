/* reach.c: the one engine that moves files between store and vault
 *
 * A journal gives each file f a name before and perhaps a name after (else it is in the vault
 * then). So a side gives each involved name ("place") the file it wants, or none. km_reach looks at
 * what stands at each place and then moves files until every place has what it wants, by these
 * rules:
 *   - a place's holder is replaced or removed only when its bytes have another durable name: the
 *     place that wants it, or <f>.link in the vault; the rename that replaces it is the only step
 *     that shows a change;
 *   - places that are free are filled first, so that an undo gives a file its old name back before
 *     another file takes the current one;
 *   - a file comes from the place that does not want it any more, else from <f>.link, else from
 *     <f>.copy;
 *   - without hard links (KM_UNSUPPORTED) a file is moved where it would have been linked.
 * A file that gets entries in its descriptor has one name on both sides: its place wants it anyhow, and
 * only what is set at the end differs.
 * No done-records are read: what stands there is known by size and SHA-256, and by identity between
 * files of equal content.
 */
#include "descriptor.h"
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES (2 * KM_MAX_STEPS)
#define ARCHIVE 0x20u /* FILE_ATTRIBUTE_ARCHIVE */

enum { NONE = -1, UNKNOWN = -2 };

typedef struct place {
  const char *name;
  int want;  /* a file's index, or NONE */
  int has;   /* a file's index, NONE or UNKNOWN */
  bool left; /* UNKNOWN, and stays: see KM_CARE_AFTER_COMMIT */
} place;

typedef struct kept {
  bool link, copy; /* <n>.link, <n>.copy have the file's content */
  bool odd_link;   /* <n>.link is there with other content */
  bool link_there, copy_there, new_there;
} kept;

typedef struct reach {
  km_work *work;
  const km_backend *backend;
  km_folder *store, *vault;
  const km_journal *journal;
  km_side side;
  km_care care;
  place places[MAX_PLACES];
  size_t place_count;
  kept kept[KM_MAX_STEPS];
  bool store_dirty, vault_dirty;
  unsigned intruders; /* the next number to try */
} reach;

static const char *name_on(const km_entry *entry, km_side side) {
  return side == KM_BEFORE ? entry->before : entry->after;
}

static void vault_name(char out[KM_VAULT_NAME], int file, const char *suffix) {
  snprintf(out, KM_VAULT_NAME, "%d.%s", file, suffix);
}

/* ---- places ---- */

static place *find_place(reach *r, const char *name) {
  for (size_t i = 0; i < r->place_count; i++)
    if (strcmp(r->places[i].name, name) == 0)
      return &r->places[i];
  return NULL;
}

static void add_place(reach *r, const char *name) {
  if (name == NULL || find_place(r, name) != NULL)
    return;
  r->places[r->place_count++] = (place){name, NONE, NONE, false};
}

/* The place that wants a file, or NULL when the vault does. */
static place *home_of(reach *r, int file) {
  for (size_t i = 0; i < r->place_count; i++)
    if (r->places[i].want == file)
      return &r->places[i];
  return NULL;
}

static void make_places(reach *r) {
  for (size_t i = 0; i < r->journal->entry_count; i++) {
    add_place(r, r->journal->entries[i].before);
    add_place(r, r->journal->entries[i].after);
  }
  for (size_t i = 0; i < r->journal->entry_count; i++) {
    const char *name = name_on(&r->journal->entries[i], r->side);
    if (name != NULL)
      find_place(r, name)->want = (int)i;
  }
}

/* ---- looking ---- */

/* Of several files with this content, the one with this identity; else the one that the place
 * wants; else the first: their bytes are the same, and times and descriptor are set at the end. */
static int match(const reach *r, const char *sha256, const km_file_info *info, int want) {
  int found = UNKNOWN;
  for (size_t i = 0; i < r->journal->entry_count; i++) {
    const km_entry *entry = &r->journal->entries[i];
    if (entry->size != info->size || strcmp(entry->sha256, sha256) != 0)
      continue;
    if (entry->identity != 0 && entry->identity == info->identity)
      return (int)i;
    if (found == UNKNOWN || (int)i == want)
      found = (int)i;
  }
  return found;
}

static bool size_known(const reach *r, uint64_t size) {
  for (size_t i = 0; i < r->journal->entry_count; i++)
    if (r->journal->entries[i].size == size)
      return true;
  return false;
}

/* Which file stands at folder/name. NONE: nothing does. */
static km_status look(const reach *r, km_folder *folder, const char *name, int want, int *has,
                      km_error *error) {
  km_file_info info;
  *has = NONE;
  km_status status = r->backend->file_info(folder, name, &info, error);
  if (status == KM_NOT_FOUND)
    return KM_OK;
  if (status != KM_OK)
    return status;
  *has = UNKNOWN;
  if (!info.regular || info.reparse || !size_known(r, info.size))
    return KM_OK;
  uint8_t *data = NULL;
  size_t size = 0;
  char sha256[KM_SHA256_TEXT];
  status = r->backend->file_read(folder, name, KM_MAX_KEY_FILE, &data, &size, &info, error);
  if (status == KM_LIMIT)
    return KM_OK;
  if (status != KM_OK)
    return status;
  km_sha256(data, size, sha256);
  km_secret_free(data, size);
  *has = match(r, sha256, &info, want);
  return KM_OK;
}

/* In the vault a name belongs to one file, so equal contents need no deciding. A file there that
 * cannot be read was being made when the system or the driver died, and counts as an odd one. */
static km_status look_vault(const reach *r, int file, const char *suffix, bool *there, bool *good,
                            km_error *error) {
  char name[KM_VAULT_NAME];
  int has = NONE;
  vault_name(name, file, suffix);
  km_status status = look(r, r->vault, name, file, &has, error);
  if (status == KM_IO && has == UNKNOWN)
    status = KM_OK;
  *there = has != NONE;
  *good = has >= 0 && (has == file || strcmp(r->journal->entries[has].sha256,
                                             r->journal->entries[file].sha256) == 0);
  return status;
}

static km_status look_store(reach *r, km_error *error) {
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < r->place_count; i++) {
    place *p = &r->places[i];
    status = look(r, r->store, p->name, p->want, &p->has, error);
  }
  return status;
}

static km_status look_kept(reach *r, km_error *error) {
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < r->journal->entry_count; i++) {
    kept *k = &r->kept[i];
    bool good = false;
    status = look_vault(r, (int)i, "link", &k->link_there, &k->link, error);
    if (status == KM_OK)
      status = look_vault(r, (int)i, "copy", &k->copy_there, &k->copy, error);
    if (status == KM_OK)
      status = look_vault(r, (int)i, "new", &k->new_there, &good, error);
    k->odd_link = k->link_there && !k->link;
  }
  return status;
}

static km_status look_all(reach *r, km_error *error) {
  km_status status = look_store(r, error);
  return status == KM_OK ? look_kept(r, error) : status;
}

/* ---- flushing ---- */

static km_status flush_store(reach *r, km_error *error) {
  if (!r->store_dirty)
    return KM_OK;
  km_status status = r->backend->folder_flush(r->store, error);
  if (status == KM_OK)
    r->store_dirty = false;
  return status;
}

static km_status flush_vault(reach *r, km_error *error) {
  if (!r->vault_dirty)
    return KM_OK;
  km_status status = r->backend->folder_flush(r->vault, error);
  if (status == KM_OK)
    r->vault_dirty = false;
  return status;
}

/* ---- renaming ---- */

/* Renames one of the journal's files, which must still have its bytes. */
static km_status rename_file(const reach *r, int file, km_folder *from, const char *name,
                             km_folder *to, const char *new_name, bool replace, km_error *error) {
  if (r->backend->file_rename_known == NULL)
    return r->backend->file_rename(from, name, to, new_name, replace, error);
  return r->backend->file_rename_known(from, name, to, new_name, replace,
                                       r->journal->entries[file].sha256, error);
}

/* ---- intruders ---- */

/* Gives folder/name a name intruder-k in the vault too; `keep` leaves it where it is when hard
 * links exist, since it is replaced next. *gone: it was moved. */
static km_status set_aside(reach *r, km_folder *folder, const char *name, bool keep, bool *gone,
                           km_error *error) {
  char aside[KM_VAULT_NAME];
  km_status status = KM_EXISTS;
  *gone = false;
  while (status == KM_EXISTS && r->intruders < KM_MAX_INTRUDERS) {
    snprintf(aside, sizeof aside, "intruder-%u", r->intruders);
    status = keep ? r->backend->file_link(folder, name, r->vault, aside, error) : KM_UNSUPPORTED;
    if (status != KM_OK && status != KM_EXISTS) { /* folders and links have no second name either */
      status = r->backend->file_rename(folder, name, r->vault, aside, false, error);
      *gone = status == KM_OK;
    }
    r->intruders++;
  }
  if (status != KM_OK)
    return status;
  r->vault_dirty = true;
  if (*gone && folder == r->store)
    r->store_dirty = true;
  km_progress(r->work->hold, r->care == KM_CARE_FORWARD ? "swap" : "rollback",
              "a file in the way at %s was put into the vault as %s", name, aside);
  return flush_vault(r, error);
}

static km_status meet_intruder(reach *r, place *p, km_error *error) {
  bool gone = false;
  if (p->left)
    return KM_OK;
  if (r->care == KM_CARE_FORWARD)
    return km_fail(error, KM_STALE, 0,
                   "%s: the store has changed: another file stands there. Make a new plan",
                   p->name);
  km_status status = set_aside(r, r->store, p->name, p->want != NONE, &gone, error);
  if (gone)
    p->has = NONE;
  return status;
}

/* ---- keeping what a place holds ---- */

/* Makes <f>.link from a place. Where hard links are missing the file is moved, and the place is
 * free. */
static km_status keep_link(reach *r, place *from, int file, km_error *error) {
  char name[KM_VAULT_NAME];
  bool gone = false, there = false, good = false;
  km_status status = KM_OK;
  if (r->kept[file].link)
    return flush_vault(r, error);
  vault_name(name, file, "link");
  if (r->kept[file].odd_link) {
    status = set_aside(r, r->vault, name, false, &gone, error);
    if (status != KM_OK)
      return status;
    r->kept[file].odd_link = false;
  }
  status = r->backend->file_link(r->store, from->name, r->vault, name, error);
  if (status == KM_UNSUPPORTED) {
    status = rename_file(r, file, r->store, from->name, r->vault, name, false, error);
    if (status == KM_OK) {
      from->has = NONE;
      r->store_dirty = true;
    }
  }
  if (status != KM_OK)
    return status;
  r->vault_dirty = true;
  status = look_vault(r, file, "link", &there, &good, error);
  if (status != KM_OK)
    return status;
  if (!good)
    return km_fail(error, KM_STALE, 0,
                   "%s: another file stood there when it was put into the vault", from->name);
  r->kept[file].link = r->kept[file].link_there = true;
  status = flush_vault(r, error);
  return status == KM_OK && from->has == NONE ? flush_store(r, error) : status;
}

/* Before what a place holds is replaced or removed. */
static km_status make_safe(reach *r, place *p, km_error *error) {
  place *home = home_of(r, p->has);
  if (home != NULL && home->has == p->has)
    return flush_store(r, error);
  return keep_link(r, p, p->has, error);
}

/* ---- filling a place ---- */

static km_status missing(const reach *r, int file, km_error *error) {
  return km_fail(error, KM_NOT_FOUND, 0,
                 "%s: this file stands neither in the key store nor in the vault %s",
                 r->journal->entries[file].before, r->work->id);
}

/* NTFS after a driver died in the middle of a link: the folder has a name that the file does not
 * know of. Nothing but a check of the volume can remove it. */
static km_status phantom(const char *name, km_error *error) {
  return km_fail(error, KM_DAMAGED, 0,
                 "%s: the folder lists this name, but the file system does not find it: let Windows"
                 " check the volume (chkdsk /f), then run \"keymend recover\" again",
                 name);
}

/* The rename that shows a change. ntfs-3g replaces through "<name>.ntfs-3g-0000000001" and cannot
 * while one of an interrupted rename is left there; then what stands at the place, which is safe,
 * is removed first. That leaves a gap, but no service runs on a volume that this driver has. */
static km_status rename_to(reach *r, km_folder *from, const char *name, place *p, km_error *error) {
  bool replace = p->has != NONE;
  km_status status = rename_file(r, p->want, from, name, r->store, p->name, replace, error);
  if (status == KM_NOT_FOUND && replace && r->care != KM_CARE_FORWARD)
    return phantom(p->name, error);
  if (status != KM_EXISTS || !replace || r->care == KM_CARE_FORWARD)
    return status;
  status = r->backend->file_remove(r->store, p->name, error);
  if (status != KM_OK)
    return status;
  p->has = NONE;
  return rename_file(r, p->want, from, name, r->store, p->name, false, error);
}

static km_status fill_from_copy(reach *r, place *p, km_error *error) {
  char copy[KM_VAULT_NAME], fresh[KM_VAULT_NAME], sha256[KM_SHA256_TEXT];
  int file = p->want;
  km_status status = KM_OK;
  vault_name(copy, file, "copy");
  vault_name(fresh, file, "new");
  if (r->kept[file].new_there)
    status = r->backend->file_remove(r->vault, fresh, error);
  if (status == KM_OK)
    status = r->backend->file_copy(r->vault, copy, r->vault, fresh, sha256, error);
  if (status != KM_OK)
    return status;
  r->kept[file].new_there = true;
  if (strcmp(sha256, r->journal->entries[file].sha256) != 0)
    return km_fail(error, KM_IO, 0, "vault %s: %s changed while it was copied", r->work->id, copy);
  status = rename_to(r, r->vault, fresh, p, error);
  if (status == KM_OK)
    r->kept[file].new_there = false;
  return status;
}

/* A name that is listed but that the driver does not find is what NTFS is left with when a driver
 * dies while it makes a link: then the copy serves. */
static km_status fill_from_link(reach *r, place *p, km_error *error) {
  char name[KM_VAULT_NAME];
  vault_name(name, p->want, "link");
  km_status status = rename_to(r, r->vault, name, p, error);
  if (status == KM_OK || status == KM_NOT_FOUND)
    r->kept[p->want].link = r->kept[p->want].link_there = false;
  if (status == KM_NOT_FOUND && r->kept[p->want].copy)
    return fill_from_copy(r, p, error);
  return status;
}

static km_status move(reach *r, place *from, place *to, km_error *error) {
  km_status status = rename_to(r, r->store, from->name, to, error);
  if (status == KM_OK)
    from->has = NONE;
  return status;
}

/* Another place that has the file: rather one that nothing else is wanted at. */
static const place *source_of(const reach *r, const place *p) {
  const place *found = NULL;
  for (size_t i = 0; i < r->place_count; i++) {
    const place *from = &r->places[i];
    if (from == p || from->has != p->want)
      continue;
    if (found == NULL || from->want == NONE)
      found = from;
  }
  return found;
}

static place *taken_from(reach *r, const place *p) {
  const place *from = source_of(r, p);
  return from != NULL ? &r->places[from - r->places] : NULL;
}

/* The source must hold another file afterwards and so must not fall free: link. */
static km_status fill_from_taken(reach *r, place *from, place *p, km_error *error) {
  if (p->has == NONE) {
    km_status status = r->backend->file_link(r->store, from->name, r->store, p->name, error);
    return status == KM_UNSUPPORTED ? move(r, from, p, error) : status;
  }
  km_status status = keep_link(r, from, p->want, error);
  return status == KM_OK ? fill_from_link(r, p, error) : status;
}

static km_status fill(reach *r, place *p, km_error *error) {
  km_status status = KM_OK;
  if (p->has >= 0)
    status = make_safe(r, p, error);
  if (status != KM_OK)
    return status;
  place *from = taken_from(r, p);
  if (from != NULL && from->want == NONE)
    status = move(r, from, p, error);
  else if (from != NULL)
    status = fill_from_taken(r, from, p, error);
  else if (r->kept[p->want].link)
    status = fill_from_link(r, p, error);
  else if (r->kept[p->want].copy)
    status = fill_from_copy(r, p, error);
  else
    return missing(r, p->want, error);
  if (status == KM_EXISTS)
    return km_fail(error, KM_STALE, 0, "%s: another file appeared there meanwhile", p->name);
  if (status != KM_OK)
    return status;
  p->has = p->want;
  r->store_dirty = r->vault_dirty = true;
  return KM_OK;
}

static km_status stop_here(const reach *r, km_error *error) {
  if (r->care == KM_CARE_FORWARD && km_interrupted(r->work->hold))
    return km_fail(error, KM_INTERRUPTED, 0, "interrupted");
  return KM_OK;
}

/* One round over the places that are free, or over those that are taken. */
static km_status fill_round(reach *r, bool only_free, km_error *error) {
  for (size_t i = 0; i < r->place_count; i++) {
    place *p = &r->places[i];
    if (p->want == NONE || p->has == p->want || p->left)
      continue;
    if (only_free && p->has != NONE)
      continue;
    km_status status = stop_here(r, error);
    if (status == KM_OK)
      status = fill(r, p, error);
    if (status != KM_OK)
      return status;
  }
  return KM_OK;
}

/* ---- emptying a place ---- */

static km_status empty(reach *r, place *p, km_error *error) {
  char name[KM_VAULT_NAME];
  int file = p->has;
  const place *home = home_of(r, file);
  km_status status = KM_OK;
  if (home == NULL && !r->kept[file].link && !r->kept[file].odd_link) {
    vault_name(name, file, "link");
    status = rename_file(r, file, r->store, p->name, r->vault, name, false, error);
    if (status == KM_OK)
      r->kept[file].link = r->kept[file].link_there = true;
  } else {
    status = make_safe(r, p, error);
    if (status == KM_OK && p->has != NONE)
      status = r->backend->file_remove(r->store, p->name, error);
  }
  if (status != KM_OK)
    return status;
  p->has = NONE;
  r->store_dirty = r->vault_dirty = true;
  return KM_OK;
}

static km_status empty_all(reach *r, km_error *error) {
  for (size_t i = 0; i < r->place_count; i++) {
    place *p = &r->places[i];
    if (p->want != NONE || p->has < 0)
      continue;
    km_status status = stop_here(r, error);
    if (status == KM_OK)
      status = empty(r, p, error);
    if (status != KM_OK)
      return status;
  }
  return KM_OK;
}

/* ---- metadata ---- */

/* What a file must have on a side; what it points to belongs to the entry. */
static km_file_meta meta_on(const km_entry *entry, km_side side) {
  km_file_meta meta = entry->meta;
  if (side == KM_AFTER && entry->granted != NULL) {
    meta.descriptor = entry->granted;
    meta.descriptor_size = entry->granted_size;
  }
  return meta;
}

void km_meta_clear(km_file_meta *meta) {
  free(meta->descriptor);
  memset(meta, 0, sizeof *meta);
}

/* A time or descriptor that one side does not have is not compared; neither are POSIX mode and
 * owner where there are descriptors, since they are then only the mount's. The archive attribute says when a backup ran
 * last (and is set where a system keeps none), not that somebody changed the file. */
bool km_meta_equal(const km_file_meta *a, const km_file_meta *b, const char **what) {
  bool posix = a->descriptor == NULL && b->descriptor == NULL;
  *what = NULL;
  if (a->created != 0 && b->created != 0 && a->created != b->created)
    *what = "creation time";
  else if (a->written != b->written)
    *what = "last-write time";
  else if (((a->attributes ^ b->attributes) & KM_ATTRIBUTES_KEPT & ~ARCHIVE) != 0)
    *what = "attributes";
  else if (posix && (a->mode != b->mode || a->uid != b->uid || a->gid != b->gid))
    *what = "mode or owner";
  else if (a->descriptor != NULL && b->descriptor != NULL &&
           !km_descriptor_equal(a->descriptor, a->descriptor_size, b->descriptor,
                                b->descriptor_size))
    *what = "security descriptor";
  return *what == NULL;
}

static km_status set_meta(reach *r, km_error *error) {
  for (size_t i = 0; i < r->place_count; i++) {
    const place *p = &r->places[i];
    if (p->has < 0)
      continue;
    const km_file_meta meta = meta_on(&r->journal->entries[p->has], r->side);
    km_status status = r->backend->meta_write(r->store, p->name, &meta, error);
    if (status != KM_OK)
      return status;
  }
  return KM_OK;
}

/* ---- checking ---- */

static km_status check_place(reach *r, const place *p, km_error *error) {
  km_file_meta meta = {0};
  const char *what = NULL;
  if ((p->want == NONE && p->has == NONE) || (p->left && p->has == UNKNOWN))
    return KM_OK;
  if (p->want == NONE)
    return km_fail(error, KM_STALE, 0, "%s: a file stands there, and none should", p->name);
  if (p->has == NONE)
    return km_fail(error, KM_STALE, 0, "%s: it is not there", p->name);
  if (p->has != p->want && (p->has < 0 || strcmp(r->journal->entries[p->has].sha256,
                                                 r->journal->entries[p->want].sha256) != 0))
    return km_fail(error, KM_STALE, 0, "%s: another file stands there", p->name);
  km_status status = r->backend->meta_read(r->store, p->name, &meta, error);
  if (status != KM_OK)
    return status;
  const km_file_meta wanted = meta_on(&r->journal->entries[p->want], r->side);
  if (!km_meta_equal(&meta, &wanted, &what))
    status = km_fail(error, KM_STALE, 0, "%s: its %s is not what the journal says", p->name, what);
  km_meta_clear(&meta);
  return status;
}

static km_status check_all(reach *r, km_error *error) {
  km_status status = look_all(r, error);
  for (size_t i = 0; status == KM_OK && i < r->place_count; i++)
    status = check_place(r, &r->places[i], error);
  for (size_t i = 0; status == KM_OK && i < r->journal->entry_count; i++)
    if (home_of(r, (int)i) == NULL && !r->kept[i].link && !r->kept[i].copy)
      status = missing(r, (int)i, error);
  return status;
}

/* A file that stands in the store again needs no link in the vault: then it has one name, as
 * before. */
static km_status drop_leftovers(reach *r, km_error *error) {
  char name[KM_VAULT_NAME];
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < r->journal->entry_count; i++) {
    kept *k = &r->kept[i];
    const place *home = home_of(r, (int)i);
    if (k->new_there) {
      vault_name(name, (int)i, "new");
      status = r->backend->file_remove(r->vault, name, error);
      r->vault_dirty = true;
    }
    if (status == KM_OK && k->link && home != NULL && home->has == (int)i) {
      vault_name(name, (int)i, "link");
      status = r->backend->file_remove(r->vault, name, error);
      if (status == KM_NOT_FOUND) /* see fill_from_link */
        status = KM_OK;
      k->link = k->link_there = false;
      r->vault_dirty = true;
    }
  }
  return status == KM_OK ? flush_vault(r, error) : status;
}

/* ---- all together ---- */

static reach *make_reach(km_work *work, km_side side, km_care care, km_error *error) {
  reach *r = calloc(1, sizeof *r);
  if (r == NULL) {
    km_fail(error, KM_MEMORY, 0, "out of memory");
    return NULL;
  }
  r->work = work;
  r->backend = work->hold->backend;
  r->store = work->hold->store;
  r->vault = work->vault;
  r->journal = work->journal;
  r->side = side;
  r->care = care;
  r->intruders = 1;
  make_places(r);
  return r;
}

/* What services or people put where a committed transaction had been is no business of it; a file
 * that still stands at its old name though tells of a disk that lost the change. */
static bool is_later(const reach *r, const place *p) {
  return r->care == KM_CARE_AFTER_COMMIT && p->has == UNKNOWN &&
         (p->want == NONE || source_of(r, p) == NULL);
}

static void leave_later(reach *r) {
  for (size_t i = 0; i < r->place_count; i++) {
    place *p = &r->places[i];
    if (!is_later(r, p))
      continue;
    p->left = true;
    km_progress(r->work->hold, "recover",
                "%s: it is not what the transaction left there but something later: it stays",
                p->name);
  }
}

/* Nothing is moved, and no intruder disturbed, before it is clear that every place can be filled. */
static km_status check_sources(const reach *r, km_error *error) {
  for (size_t i = 0; i < r->place_count; i++) {
    const place *p = &r->places[i];
    if (p->want == NONE || p->has == p->want || p->left)
      continue;
    if (source_of(r, p) == NULL && !r->kept[p->want].link && !r->kept[p->want].copy)
      return missing(r, p->want, error);
  }
  return KM_OK;
}

static km_status meet_intruders(reach *r, km_error *error) {
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < r->place_count; i++)
    if (r->places[i].has == UNKNOWN)
      status = meet_intruder(r, &r->places[i], error);
  return status;
}

/* Whether the descriptor of a file that gets entries is the one of `side`. */
static km_status has_descriptor(const reach *r, const km_entry *entry, km_side side, bool *has,
                                km_error *error) {
  const km_file_meta wanted = meta_on(entry, side);
  km_file_meta now = {0};
  km_status status = r->backend->meta_read(r->store, entry->before, &now, error);
  *has = status == KM_OK && km_descriptor_equal(now.descriptor, now.descriptor_size,
                                                wanted.descriptor, wanted.descriptor_size);
  km_meta_clear(&now);
  return status;
}

/* A descriptor that somebody changed since the transaction looked at it is not replaced. */
static km_status check_descriptors(const reach *r, km_error *error) {
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && i < r->journal->entry_count; i++) {
    const km_entry *entry = &r->journal->entries[i];
    bool before = true, after = true;
    if (entry->granted != NULL)
      status = has_descriptor(r, entry, KM_BEFORE, &before, error);
    if (status == KM_OK && !before)
      status = has_descriptor(r, entry, KM_AFTER, &after, error);
    if (status == KM_OK && !before && !after)
      status = km_fail(error, KM_STALE, 0,
                       "%s: its security descriptor was changed by somebody else meanwhile. Make a"
                       " new plan",
                       entry->before);
  }
  return status;
}

static km_status move_all(reach *r, km_error *error) {
  km_status status = KM_OK;
  leave_later(r);
  status = r->care == KM_CARE_FORWARD ? check_descriptors(r, error) : check_sources(r, error);
  if (status == KM_OK)
    status = meet_intruders(r, error);
  if (status != KM_OK)
    return status;
  r->work->touched = true;
  status = fill_round(r, true, error);
  if (status == KM_OK)
    status = flush_store(r, error);
  if (status == KM_OK)
    status = fill_round(r, false, error);
  if (status == KM_OK)
    status = empty_all(r, error);
  if (status != KM_OK)
    return status;
  /* Always: what is seen may be an earlier run's work that was never flushed. */
  r->store_dirty = r->vault_dirty = true;
  status = flush_store(r, error);
  if (status == KM_OK)
    status = flush_vault(r, error);
  return status;
}

km_status km_reach(km_work *work, km_side side, km_care care, km_error *error) {
  if (km_guid_changes(work->journal))
    return km_guid_reach(work, side, care, error);
  reach *r = make_reach(work, side, care, error);
  if (r == NULL)
    return KM_MEMORY;
  km_status status = look_all(r, error);
  /* Nothing may be moved on the strength of names that a power cut could take back. */
  r->store_dirty = r->vault_dirty = care != KM_CARE_FORWARD;
  if (status == KM_OK)
    status = flush_store(r, error);
  if (status == KM_OK)
    status = flush_vault(r, error);
  if (status == KM_OK)
    status = move_all(r, error);
  if (status == KM_OK)
    status = set_meta(r, error);
  if (status == KM_OK)
    status = drop_leftovers(r, error);
  if (status == KM_OK)
    status = check_all(r, error);
  free(r);
  return status;
}

bool km_moves_files(km_work *work, km_side side, km_care care) {
  km_error ignored; /* km_reach meets it again and tells it */
  if (km_guid_changes(work->journal))
    return km_guid_moves(work, side, care);
  reach *r = make_reach(work, side, care, &ignored);
  bool moves = r == NULL || look_store(r, &ignored) != KM_OK;
  for (size_t i = 0; !moves && i < r->place_count; i++)
    moves = r->places[i].has != r->places[i].want && !is_later(r, &r->places[i]);
  free(r);
  return moves;
}

/* Whether a file of the journal stands where another one, or none, was before. */
static bool one_moved(const reach *r) {
  for (size_t i = 0; i < r->place_count; i++) {
    const place *p = &r->places[i];
    if (p->has >= 0 && (p->want == NONE || strcmp(r->journal->entries[p->has].sha256,
                                                  r->journal->entries[p->want].sha256) != 0))
      return true;
  }
  return false;
}

/* The same for entries that were added. */
static km_status one_granted(const reach *r, bool *granted, km_error *error) {
  km_status status = KM_OK;
  for (size_t i = 0; status == KM_OK && !*granted && i < r->journal->entry_count; i++)
    if (r->journal->entries[i].granted != NULL)
      status = has_descriptor(r, &r->journal->entries[i], KM_AFTER, granted, error);
  return status == KM_NOT_FOUND ? KM_OK : status;
}

/* Links are made by the swap alone, and copies in the files' order before it. When all copies are
 * there, but one is not sound, it was being made, or it went bad later: the store tells which. */
km_status km_swap_began(km_work *work, bool *began, km_error *error) {
  *began = true;
  if (km_guid_changes(work->journal)) /* it has no copies: the value alone tells */
    return KM_OK;
  bool sound = true, there = true, linked = false;
  reach *r = make_reach(work, KM_BEFORE, KM_CARE_BACK, error);
  if (r == NULL)
    return KM_MEMORY;
  km_status status = look_kept(r, error);
  for (size_t i = 0; i < r->journal->entry_count; i++) {
    linked |= r->kept[i].link_there;
    sound &= r->kept[i].copy;
    there &= r->kept[i].copy_there;
  }
  *began = linked || sound;
  if (status == KM_OK && !*began && there) {
    status = look_store(r, error);
    *began = one_moved(r);
    if (status == KM_OK && !*began)
      status = one_granted(r, began, error);
  }
  free(r);
  return status;
}

void km_tell_changes(km_work *work, km_side side) {
  km_error error;
  if (km_guid_changes(work->journal)) {
    km_guid_tell_changes(work, side);
    return;
  }
  reach *r = make_reach(work, side, KM_CARE_FORWARD, &error);
  if (r == NULL)
    return;
  for (size_t i = 0; i < r->place_count; i++) {
    place *p = &r->places[i];
    km_status status = look(r, r->store, p->name, p->want, &p->has, &error);
    if (status == KM_OK)
      status = check_place(r, p, &error);
    if (status != KM_OK)
      km_progress(work->hold, "rollback", "%s (not by keymend, which moved nothing)",
                  error.message);
  }
  free(r);
}

km_status km_reached(km_work *work, km_side side, km_error *error) {
  if (km_guid_changes(work->journal))
    return km_guid_reached(work, side, error);
  reach *r = make_reach(work, side, KM_CARE_FORWARD, error);
  if (r == NULL)
    return KM_MEMORY;
  km_status status = check_all(r, error);
  free(r);
  return status;
}

/* ---- what ntfs-3g leaves ---- */

/* Whether `name` is an involved name followed by ".ntfs-3g-" and ten digits. */
static bool driver_leftover(reach *r, const char *name, size_t length) {
  static const char mark[] = ".ntfs-3g-";
  const size_t tail = sizeof mark - 1 + 10;
  if (length <= tail || length >= KM_MAX_NAME + tail)
    return false;
  const char *end = name + length - tail;
  if (memcmp(end, mark, sizeof mark - 1) != 0)
    return false;
  for (const char *c = end + sizeof mark - 1; c < name + length; c++)
    if (*c < '0' || *c > '9')
      return false;
  for (size_t i = 0; i < r->place_count; i++)
    if (strlen(r->places[i].name) == (size_t)(end - name) &&
        memcmp(r->places[i].name, name, (size_t)(end - name)) == 0)
      return true;
  return false;
}

/* Whether a file stands in the store under one of its names, or in the vault. */
static bool elsewhere(const reach *r, int file) {
  if (file < 0)
    return false;
  for (size_t i = 0; i < r->place_count; i++)
    if (r->places[i].has == file)
      return true;
  return r->kept[file].link || r->kept[file].copy;
}

static km_status sweep_one(reach *r, const char *name, km_error *error) {
  int has = NONE;
  km_status status = look(r, r->store, name, NONE, &has, error);
  if (has == NONE)
    return status;
  if (status != KM_OK || !elsewhere(r, has)) {
    km_progress(r->work->hold, "recover",
                "%s: left by the driver; its content is not known: look at it", name);
    return KM_OK;
  }
  status = r->backend->file_remove(r->store, name, error);
  if (status != KM_OK) { /* see phantom */
    km_progress(r->work->hold, "recover",
                "left by the driver and cannot be removed; run chkdsk: %s", error->message);
    return KM_OK;
  }
  r->store_dirty = true;
  km_progress(r->work->hold, "recover", "%s: left by the driver, removed", name);
  return status;
}

/* Names are gathered before one is removed: a listing need not stand changes of its folder. */
static km_status find_leftovers(reach *r, char **names, size_t max, size_t *count,
                                km_error *error) {
  km_listing *listing = NULL;
  const char *name;
  size_t length;
  bool folder;
  km_status status = r->backend->folder_list(r->store, &listing, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; status == KM_OK && i < KM_MAX_STORE_NAMES && *count < max; i++) {
    status = r->backend->listing_next(listing, &name, &length, &folder, error);
    if (status != KM_OK || folder || !driver_leftover(r, name, length))
      continue;
    names[*count] = km_copy_text(name);
    if (names[*count] == NULL)
      status = km_fail(error, KM_MEMORY, 0, "out of memory");
    else
      ++*count;
  }
  r->backend->listing_close(listing);
  return status == KM_END ? KM_OK : status;
}

km_status km_sweep_driver_leftovers(km_work *work, km_side side, km_error *error) {
  char *names[MAX_PLACES];
  size_t count = 0;
  if (km_guid_changes(work->journal))
    return KM_OK; /* it renames nothing */
  reach *r = make_reach(work, side, KM_CARE_BACK, error);
  if (r == NULL)
    return KM_MEMORY;
  km_status status = find_leftovers(r, names, MAX_PLACES, &count, error);
  if (status == KM_OK && count > 0)
    status = look_all(r, error);
  for (size_t i = 0; i < count; i++) {
    if (status == KM_OK)
      status = sweep_one(r, names[i], error);
    free(names[i]);
  }
  if (status == KM_OK)
    status = flush_store(r, error);
  free(r);
  return status;
}
