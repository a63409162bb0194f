/* fake_backend.c: a volume in memory behind the backend table, with faults and crashes on order */
#include "fake_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 64
#define MAX_NODES 512
#define MAX_SERVICES 16
#define LOG_BYTES 65536

typedef struct node node;

typedef struct name_row {
  char *name;
  node *node;
} name_row;

struct node {
  uint64_t id;
  bool folder, odd, private_one;
  uint8_t *data;
  size_t size;
  km_file_meta meta;
  uint32_t links;
  name_row names[MAX_NAMES];
  size_t name_count;
};

struct fake_volume {
  node *nodes[MAX_NODES];
  size_t node_count;
  node *store, *app;
  km_target target;
  fake_plan_of_faults faults;
  unsigned operations;
  bool locked, dead;
  char last[256];
  fake_service services[MAX_SERVICES];
  size_t service_count;
  const char *refusal;
  node *config; /* the folder of the hive, whose bytes are the machine GUID; made when asked for */
  char log[LOG_BYTES];
  size_t log_used;
};

struct km_folder {
  fake_volume *volume;
  node *node;
};

struct km_file {
  fake_volume *volume;
  node *node;
};

struct km_listing {
  fake_volume *volume;
  char *names[MAX_NAMES];
  bool folders[MAX_NAMES];
  size_t count, at;
};

/* ---- nodes ---- */

static void must(bool good) {
  if (!good)
    abort();
}

static node *new_node(fake_volume *v, bool folder) {
  must(v->node_count < MAX_NODES);
  node *n = calloc(1, sizeof *n);
  must(n != NULL);
  n->id = 100 + v->node_count;
  n->folder = folder;
  v->nodes[v->node_count++] = n;
  return n;
}

static name_row *find(node *folder, const char *name) {
  for (size_t i = 0; i < folder->name_count; i++)
    if (strcmp(folder->names[i].name, name) == 0)
      return &folder->names[i];
  return NULL;
}

static char *copy_text(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  must(copy != NULL);
  memcpy(copy, text, size);
  return copy;
}

static void add(node *folder, const char *name, node *n) {
  must(folder->name_count < MAX_NAMES && find(folder, name) == NULL);
  folder->names[folder->name_count++] = (name_row){copy_text(name), n};
  n->links++;
}

static void drop(node *folder, const char *name) {
  name_row *row = find(folder, name);
  must(row != NULL);
  row->node->links--;
  free(row->name);
  *row = folder->names[--folder->name_count];
}

static void set_data(node *n, const void *data, size_t size) {
  free(n->data);
  n->data = malloc(size + 1);
  must(n->data != NULL);
  memcpy(n->data, data, size);
  n->data[size] = 0;
  n->size = size;
}

static void copy_meta(km_file_meta *to, const km_file_meta *from) {
  uint8_t *old = to->descriptor;
  *to = *from;
  if (from->descriptor != NULL) {
    to->descriptor = malloc(from->descriptor_size);
    must(to->descriptor != NULL);
    memcpy(to->descriptor, from->descriptor, from->descriptor_size);
  }
  free(old);
}

/* ---- faults ---- */

static void note(fake_volume *v, const char *what, const char *name) {
  int length = snprintf(v->log + v->log_used, sizeof v->log - v->log_used, "%s %s\n", what, name);
  must(length > 0 && (size_t)length < sizeof v->log - v->log_used);
  v->log_used += (size_t)length;
}

/* Before every writing operation: KM_OK when it may happen. */
static km_status writing(fake_volume *v, const char *what, const char *name, km_error *error) {
  if (v->dead)
    return km_fail(error, KM_IO, 5, "%s %s: the volume is dead", what, name);
  v->operations++;
  snprintf(v->last, sizeof v->last, "%s %s", what, name);
  if (v->faults.meddle != NULL)
    v->faults.meddle(v, v->last, v->faults.meddle_user);
  if (v->faults.die_at != 0 && v->operations >= v->faults.die_at) {
    v->dead = true;
    return km_fail(error, KM_IO, 5, "%s %s: killed", what, name);
  }
  if (v->operations == v->faults.fail_at)
    return km_fail(error, v->faults.fail_status, 5, "%s %s: ordered to fail", what, name);
  if (v->service_count > 0)
    note(v, what, name);
  return KM_OK;
}

static km_status reading(fake_volume *v, const char *name, km_error *error) {
  return v->dead ? km_fail(error, KM_IO, 5, "%s: the volume is dead", name) : KM_OK;
}

/* ---- reading operations ---- */

static km_folder *handle(fake_volume *v, node *n) {
  km_folder *folder = malloc(sizeof *folder);
  must(folder != NULL);
  *folder = (km_folder){v, n};
  return folder;
}

static km_status folder_open(km_target *target, const char *path, km_folder **out,
                             km_error *error) {
  fake_volume *v = target->state;
  km_status status = reading(v, path, error);
  if (status == KM_OK)
    *out = handle(v, strcmp(path, target->info.app_data) == 0 ? v->app : v->store);
  return status;
}

static void folder_close(km_folder *folder) {
  free(folder);
}

static km_status folder_list(km_folder *folder, km_listing **out, km_error *error) {
  km_status status = reading(folder->volume, "list", error);
  if (status != KM_OK)
    return status;
  km_listing *listing = calloc(1, sizeof *listing);
  must(listing != NULL);
  listing->volume = folder->volume;
  listing->count = folder->node->name_count;
  for (size_t i = 0; i < listing->count; i++) {
    listing->names[i] = copy_text(folder->node->names[i].name);
    listing->folders[i] = folder->node->names[i].node->folder;
  }
  *out = listing;
  return KM_OK;
}

static km_status listing_next(km_listing *listing, const char **name, size_t *length,
                              bool *is_folder, km_error *error) {
  km_status status = reading(listing->volume, "list", error);
  if (status != KM_OK)
    return status;
  if (listing->at == listing->count)
    return KM_END;
  *name = listing->names[listing->at];
  *length = strlen(*name);
  *is_folder = listing->folders[listing->at++];
  return KM_OK;
}

static void listing_close(km_listing *listing) {
  for (size_t i = 0; i < listing->count; i++)
    free(listing->names[i]);
  free(listing);
}

static km_status lookup(km_folder *folder, const char *name, node **out, km_error *error) {
  km_status status = reading(folder->volume, name, error);
  if (status != KM_OK)
    return status;
  name_row *row = find(folder->node, name);
  if (row == NULL)
    return km_fail(error, KM_NOT_FOUND, 2, "%s: does not exist", name);
  *out = row->node;
  return KM_OK;
}

static void fill_info(const node *n, km_file_info *out) {
  memset(out, 0, sizeof *out);
  out->size = n->size;
  out->identity = n->id;
  out->device = 1;
  out->created = n->meta.created;
  out->created_source = n->meta.created != 0 ? KM_TIME_NTFS : KM_TIME_NONE;
  out->written = n->meta.written;
  out->attributes = n->meta.attributes;
  out->links = n->links;
  out->regular = !n->folder && !n->odd;
  out->reparse = n->odd;
  out->owner_trusted = true;
}

static km_status file_info(km_folder *folder, const char *name, km_file_info *out,
                           km_error *error) {
  node *n = NULL;
  km_status status = lookup(folder, name, &n, error);
  if (status == KM_OK)
    fill_info(n, out);
  return status;
}

static km_status file_read(km_folder *folder, const char *name, size_t max, uint8_t **data,
                           size_t *size, km_file_info *info, km_error *error) {
  node *n = NULL;
  km_status status = lookup(folder, name, &n, error);
  if (status != KM_OK)
    return status;
  if (n->size > max)
    return km_fail(error, KM_LIMIT, 0, "%s: too large", name);
  *data = malloc(n->size + 1);
  must(*data != NULL);
  memcpy(*data, n->data != NULL ? n->data : (const uint8_t *)"", n->size);
  *size = n->size;
  fill_info(n, info);
  return KM_OK;
}

static km_status meta_read(km_folder *folder, const char *name, km_file_meta *out,
                           km_error *error) {
  node *n = NULL;
  memset(out, 0, sizeof *out);
  km_status status = lookup(folder, name, &n, error);
  if (status == KM_OK)
    copy_meta(out, &n->meta);
  return status;
}

static km_status meta_settable(km_folder *folder, const char *name, const km_file_meta *meta,
                               km_error *error) {
  const char *foreign = folder->volume->faults.foreign;
  (void)meta;
  return foreign == NULL || strcmp(foreign, name) != 0
             ? KM_OK
             : km_fail(error, KM_ACCESS, 1, "%s: run as root", name);
}

static size_t capabilities(km_target *target, km_folder *store, km_capability *out, size_t max) {
  fake_volume *v = target->state;
  (void)store;
  must(max > 0);
  out[0] = (km_capability){"unclean-check", !v->faults.unclean_unknown, "the driver has no say"};
  return 1;
}

/* ---- writing operations ---- */

static km_status volume_check(km_folder *folder, uint64_t need, km_error *error) {
  km_status status = folder->volume->faults.volume;
  if (folder->volume->faults.space != 0 && need > folder->volume->faults.space)
    status = KM_NO_SPACE;
  return status == KM_OK ? KM_OK : km_fail(error, status, 0, "the volume must not be written");
}

static km_status lock_store(km_target *target, km_folder *store, km_error *error) {
  fake_volume *v = target->state;
  (void)store;
  if (v->faults.busy || v->locked)
    return km_fail(error, KM_BUSY, 0, "the store is locked");
  v->locked = true;
  return KM_OK;
}

static void unlock_store(km_target *target) {
  ((fake_volume *)target->state)->locked = false;
}

static km_status private_folder(km_folder *parent, const char *name, bool create, km_folder **out,
                                km_error *error) {
  node *n = NULL;
  km_status status = lookup(parent, name, &n, error);
  if (status == KM_NOT_FOUND && create) {
    status = writing(parent->volume, "make folder", name, error);
    if (status != KM_OK)
      return status;
    n = new_node(parent->volume, true);
    n->private_one = true;
    add(parent->node, name, n);
  }
  if (status != KM_OK)
    return status;
  if (!n->folder || !n->private_one)
    return km_fail(error, KM_FORGED, 0, "%s: not a folder of keymend", name);
  *out = handle(parent->volume, n);
  return KM_OK;
}

static km_status file_copy(km_folder *from, const char *name, km_folder *to, const char *new_name,
                           char sha256[KM_SHA256_TEXT], km_error *error) {
  node *n = NULL;
  km_status status = lookup(from, name, &n, error);
  if (status == KM_OK && find(to->node, new_name) != NULL)
    status = km_fail(error, KM_EXISTS, 17, "%s: exists", new_name);
  if (status == KM_OK)
    status = writing(to->volume, "create", new_name, error);
  if (status != KM_OK)
    return status;
  node *copy = new_node(to->volume, false);
  add(to->node, new_name, copy);
  set_data(copy, n->data, n->size / 2);
  status = writing(to->volume, "copy", new_name, error);
  if (status != KM_OK)
    return status;
  set_data(copy, n->data, n->size);
  status = writing(to->volume, "copy meta", new_name, error);
  if (status != KM_OK)
    return status;
  copy_meta(&copy->meta, &n->meta);
  km_sha256(n->data, n->size, sha256);
  return KM_OK;
}

static km_status file_link(km_folder *from, const char *name, km_folder *to, const char *new_name,
                           km_error *error) {
  node *n = NULL;
  km_status status = lookup(from, name, &n, error);
  if (status != KM_OK)
    return status;
  if (from->volume->faults.no_links || n->folder)
    return km_fail(error, KM_UNSUPPORTED, 0, "%s: no hard links here", name);
  if (find(to->node, new_name) != NULL)
    return km_fail(error, KM_EXISTS, 17, "%s: exists", new_name);
  status = writing(to->volume, "link", new_name, error);
  if (status == KM_OK)
    add(to->node, new_name, n);
  return status;
}

static km_status file_rename(km_folder *from, const char *name, km_folder *to, const char *new_name,
                             bool replace, km_error *error) {
  node *n = NULL;
  km_status status = lookup(from, name, &n, error);
  if (status != KM_OK)
    return status;
  name_row *there = find(to->node, new_name);
  if (there != NULL && !replace)
    return km_fail(error, KM_EXISTS, 17, "%s: exists", new_name);
  if (there != NULL && to->volume->faults.ntfs_3g) {
    char temporary[256];
    snprintf(temporary, sizeof temporary, "%s.ntfs-3g-0000000001", new_name);
    if (find(to->node, temporary) != NULL)
      return km_fail(error, KM_EXISTS, 17, "%s: exists", temporary);
  }
  status = writing(to->volume, "rename", new_name, error);
  if (status != KM_OK || (there != NULL && there->node == n))
    return status; /* as POSIX has it */
  if (there != NULL)
    drop(to->node, new_name);
  add(to->node, new_name, n);
  drop(from->node, name);
  if (from->volume->faults.tunnel && to->node == from->volume->store) {
    n->meta.created = 130000000000000000;
    n->meta.attributes ^= 0x20;
  }
  return KM_OK;
}

static km_status file_remove(km_folder *folder, const char *name, km_error *error) {
  node *n = NULL;
  km_status status = lookup(folder, name, &n, error);
  if (status == KM_OK && n->folder)
    status = km_fail(error, KM_IO, 21, "%s: a folder", name);
  if (status == KM_OK)
    status = writing(folder->volume, "remove", name, error);
  if (status == KM_OK)
    drop(folder->node, name);
  return status;
}

static km_status folder_remove(km_folder *parent, const char *name, km_error *error) {
  node *n = NULL;
  km_status status = lookup(parent, name, &n, error);
  if (status == KM_OK && !n->folder)
    status = km_fail(error, KM_IO, 20, "%s: not a folder", name);
  if (status == KM_OK && n->name_count > 0)
    status = km_fail(error, KM_IO, 39, "%s: not empty", name);
  if (status == KM_OK)
    status = writing(parent->volume, "remove folder", name, error);
  if (status == KM_OK)
    drop(parent->node, name);
  return status;
}

static bool meta_same(const km_file_meta *a, const km_file_meta *b) {
  return a->created == b->created && a->written == b->written && a->attributes == b->attributes &&
         a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
         a->descriptor_size == b->descriptor_size &&
         (a->descriptor_size == 0 || memcmp(a->descriptor, b->descriptor, a->descriptor_size) == 0);
}

static km_status meta_write(km_folder *folder, const char *name, const km_file_meta *meta,
                            km_error *error) {
  node *n = NULL;
  km_status status = lookup(folder, name, &n, error);
  if (status != KM_OK || meta_same(&n->meta, meta))
    return status;
  status = writing(folder->volume, "set meta", name, error);
  if (status == KM_OK)
    copy_meta(&n->meta, meta);
  return status;
}

static km_status folder_flush(km_folder *folder, km_error *error) {
  return writing(folder->volume, "flush", "folder", error);
}

static km_file *open_file(fake_volume *v, node *n) {
  km_file *file = malloc(sizeof *file);
  must(file != NULL);
  *file = (km_file){v, n};
  return file;
}

static km_status journal_create(km_folder *folder, const char *name, size_t size, km_file **out,
                                km_error *error) {
  if (find(folder->node, name) != NULL)
    return km_fail(error, KM_EXISTS, 17, "%s: exists", name);
  km_status status = writing(folder->volume, "create", name, error);
  if (status != KM_OK)
    return status;
  node *n = new_node(folder->volume, false);
  add(folder->node, name, n);
  uint8_t *zeros = calloc(1, size);
  must(zeros != NULL);
  set_data(n, zeros, size / 2);
  status = writing(folder->volume, "fill", name, error);
  if (status == KM_OK)
    set_data(n, zeros, size);
  free(zeros);
  if (status == KM_OK)
    *out = open_file(folder->volume, n);
  return status;
}

static km_status journal_open(km_folder *folder, const char *name, km_file **out, km_error *error) {
  node *n = NULL;
  km_status status = lookup(folder, name, &n, error);
  if (status == KM_OK)
    *out = open_file(folder->volume, n);
  return status;
}

/* A write and its flush are two operations: it may be there and yet have failed. */
static km_status journal_write(km_file *file, uint64_t offset, const void *data, size_t size,
                               km_error *error) {
  bool was_dead = file->volume->dead;
  must(offset + size <= file->node->size);
  km_status status = writing(file->volume, "write", "journal", error);
  if (status != KM_OK) {
    if (!was_dead && file->volume->dead && file->volume->faults.torn)
      memcpy(file->node->data + offset, data, size / 2);
    return status;
  }
  memcpy(file->node->data + offset, data, size);
  return writing(file->volume, "flush", "journal", error);
}

static void journal_close(km_file *file) {
  free(file);
}

/* ---- services ---- */

enum { STOPPED = 1, RUNNING = 4 };

fake_service *fake_find_service(fake_volume *v, const char *name) {
  for (size_t i = 0; i < v->service_count; i++)
    if (strcmp(v->services[i].name, name) == 0)
      return &v->services[i];
  return NULL;
}

static km_status find_service(km_target *target, const char *name, fake_service **out,
                              km_error *error) {
  fake_volume *v = target->state;
  km_status status = reading(v, name, error);
  *out = fake_find_service(v, name);
  if (status == KM_OK && *out == NULL)
    status = km_fail(error, KM_NOT_FOUND, 1060, "service %s: does not exist", name);
  return status;
}

static void tell_service(const fake_service *s, km_service_status *out) {
  if (out == NULL)
    return;
  *out = (km_service_status){.state = s->runs ? RUNNING : STOPPED, .start = s->start};
  out->stoppable = s->runs && s->stop_status != KM_UNSUPPORTED;
  if (!s->runs) {
    out->exit_code = s->exit_code;
    out->specific_code = s->specific_code;
  }
}

static km_status service_query(km_target *target, const char *name, km_service_status *out,
                               km_error *error) {
  fake_service *s;
  km_status status = find_service(target, name, &s, error);
  if (status == KM_OK)
    tell_service(s, out);
  return status;
}

static km_status service_stop(km_target *target, const char *name, const km_wait *wait,
                              km_service_status *out, km_error *error) {
  fake_service *s;
  km_status status = find_service(target, name, &s, error);
  if (status == KM_OK)
    status = writing(target->state, "stop", name, error);
  if (status != KM_OK)
    return status;
  wait->tell(wait->user, "waiting");
  if (s->interrupts != NULL)
    *s->interrupts = 1;
  if (wait->interrupted != NULL && *wait->interrupted != 0)
    return km_fail(error, KM_INTERRUPTED, 0, "stop %s: interrupted", name);
  if (s->stop_status == KM_OK)
    s->runs = false;
  tell_service(s, out);
  return s->stop_status == KM_OK ? KM_OK
                                 : km_fail(error, s->stop_status, 1053, "stop %s: ordered", name);
}

static km_status service_start(km_target *target, const char *name, const km_wait *wait,
                               km_service_status *out, km_error *error) {
  fake_service *s;
  km_status status = find_service(target, name, &s, error);
  if (status == KM_OK)
    status = writing(target->state, "start", name, error);
  if (status != KM_OK)
    return status;
  wait->tell(wait->user, "waiting");
  must(wait->interrupted == NULL);
  if (s->start_status == KM_OK)
    s->runs = true;
  tell_service(s, out);
  return s->start_status == KM_OK
             ? KM_OK
             : km_fail(error, s->start_status, (int32_t)s->exit_code, "start %s: ordered", name);
}

static void report(km_target *target, km_act act, const char *text) {
  char what[32];
  snprintf(what, sizeof what, "report %d", (int)act);
  note(target->state, what, text);
}

static km_status may_write(km_target *target, km_error *error) {
  const char *refusal = ((fake_volume *)target->state)->refusal;
  return refusal == NULL ? KM_OK : km_fail(error, KM_ACCESS, 5, "%s", refusal);
}

/* ---- the machine GUID: a hive in a folder of its own whose bytes are the GUID ---- */

#define HIVE "SOFTWARE"

static node *hive_folder(fake_volume *v) {
  if (v->config != NULL)
    return v->config;
  v->config = new_node(v, true);
  node *hive = new_node(v, false);
  set_data(hive, v->target.info.machine_guid, strlen(v->target.info.machine_guid));
  add(v->config, HIVE, hive);
  return v->config;
}

static km_status machine_guid_read(km_target *target, char text[KM_GUID_VALUE], km_error *error) {
  fake_volume *v = target->state;
  km_status status = reading(v, HIVE, error);
  if (status != KM_OK)
    return status;
  const node *hive = find(hive_folder(v), HIVE)->node;
  if (hive->size == 0)
    return km_fail(error, KM_NOT_FOUND, 2, "no machine GUID");
  snprintf(text, KM_GUID_VALUE, "%s", (const char *)hive->data);
  return KM_OK;
}

static km_status machine_guid_check(km_target *target, const char *before, km_error *error) {
  fake_volume *v = target->state;
  char now[KM_GUID_VALUE];
  if (v->faults.dirty_hive)
    return km_fail(error, KM_REFUSED, 0, HIVE " is dirty");
  km_status status = machine_guid_read(target, now, error);
  if (status == KM_OK && strcmp(now, before) != 0)
    status = km_fail(error, KM_STALE, 0, "the machine GUID is %s", now);
  return status;
}

static km_status machine_guid_write(km_target *target, const char *before, const char *after,
                                    km_error *error) {
  fake_volume *v = target->state;
  km_status status = machine_guid_check(target, before, error);
  if (status == KM_OK)
    status = writing(v, "change", HIVE, error);
  if (status == KM_OK)
    set_data(find(hive_folder(v), HIVE)->node, after, strlen(after));
  return status;
}

static km_status machine_guid_settle(km_target *target, const char *now, km_error *error) {
  return machine_guid_write(target, now, now, error);
}

void fake_set_guid(fake_volume *v, const char *guid) {
  set_data(find(hive_folder(v), HIVE)->node, guid, strlen(guid));
}

const char *fake_guid(fake_volume *v) {
  const name_row *row = find(hive_folder(v), HIVE);
  return row != NULL ? (const char *)row->node->data : NULL;
}

#define FAKE_ROWS                                                                                  \
  .name = "fake", .folder_open = folder_open, .folder_close = folder_close,                        \
  .folder_list = folder_list, .listing_next = listing_next, .listing_close = listing_close,        \
  .file_info = file_info, .file_read = file_read, .meta_read = meta_read,                          \
  .meta_settable = meta_settable, .capabilities = capabilities, .volume_check = volume_check,      \
  .lock = lock_store, .unlock = unlock_store, .private_folder = private_folder,                    \
  .file_copy = file_copy, .file_link = file_link, .file_rename = file_rename,                      \
  .file_remove = file_remove, .folder_remove = folder_remove, .meta_write = meta_write,            \
  .folder_flush = folder_flush, .machine_guid_read = machine_guid_read,                            \
  .machine_guid_check = machine_guid_check, .machine_guid_write = machine_guid_write,              \
  .machine_guid_settle = machine_guid_settle, .journal_create = journal_create,                    \
  .journal_open = journal_open, .journal_write = journal_write, .journal_close = journal_close

static const km_backend fake_backend = {FAKE_ROWS};

static const km_backend fake_live_backend = {
    FAKE_ROWS,
    .service_query = service_query,
    .service_stop = service_stop,
    .service_start = service_start,
    .report = report,
    .may_write = may_write,
};

fake_service *fake_add_service(fake_volume *v, const char *name, bool runs, int32_t start) {
  must(v->service_count < MAX_SERVICES);
  fake_service *s = &v->services[v->service_count++];
  *s = (fake_service){.name = name, .runs = runs, .start = start};
  v->target.backend = &fake_live_backend;
  return s;
}

const char *fake_log(const fake_volume *v) {
  return v->log;
}

void fake_set_rights(fake_volume *v, const char *refusal) {
  v->refusal = refusal;
}

/* ---- what tests do to it ---- */

fake_volume *fake_new(void) {
  fake_volume *v = calloc(1, sizeof *v);
  must(v != NULL);
  v->store = new_node(v, true);
  v->app = new_node(v, true);
  v->target.backend = &fake_backend;
  v->target.state = v;
  v->target.info.backend = "fake";
  v->target.info.app_data = "C:\\ProgramData";
  v->target.info.key_store = "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys";
  v->target.info.key_store_found = true;
  return v;
}

void fake_free(fake_volume *v) {
  for (size_t i = 0; i < v->node_count; i++) {
    node *n = v->nodes[i];
    for (size_t k = 0; k < n->name_count; k++)
      free(n->names[k].name);
    free(n->data);
    free(n->meta.descriptor);
    free(n);
  }
  free(v);
}

km_target *fake_target(fake_volume *v) {
  return &v->target;
}
fake_plan_of_faults *fake_faults(fake_volume *v) {
  return &v->faults;
}
unsigned fake_operations(const fake_volume *v) {
  return v->operations;
}
const char *fake_last_operation(const fake_volume *v) {
  return v->last;
}

void fake_restart(fake_volume *v) {
  bool no_links = v->faults.no_links;
  memset(&v->faults, 0, sizeof v->faults);
  v->faults.no_links = no_links;
  v->operations = 0;
  v->log_used = 0;
  v->log[0] = '\0';
  v->dead = v->locked = false;
}

static node *folder_at(fake_volume *v, const char *path) {
  if (strcmp(path, FAKE_STORE) == 0)
    return v->store;
  node *n = v->app;
  must(strncmp(path, FAKE_APP_DATA, 3) == 0);
  const char *at = path + 3;
  while (*at == '/') {
    char name[128];
    size_t length = strcspn(++at, "/");
    snprintf(name, sizeof name, "%.*s", (int)length, at);
    name_row *row = find(n, name);
    must(row != NULL);
    n = row->node;
    at += length;
  }
  return n;
}

static node *node_at(fake_volume *v, const char *folder, const char *name) {
  name_row *row = find(folder_at(v, folder), name);
  must(row != NULL);
  return row->node;
}

void fake_put_bytes(fake_volume *v, const char *folder, const char *name, const void *data,
                    size_t size) {
  node *n = new_node(v, false);
  set_data(n, data, size);
  add(folder_at(v, folder), name, n);
}

void fake_put(fake_volume *v, const char *folder, const char *name, const char *content,
              km_time written) {
  fake_put_bytes(v, folder, name, content, strlen(content));
  km_file_meta *meta = fake_meta(v, folder, name);
  meta->written = written;
  meta->created = written - 7;
  meta->attributes = 0x24;
  meta->mode = 0600;
  meta->descriptor_size = 20;
  meta->descriptor = malloc(20);
  must(meta->descriptor != NULL);
  memset(meta->descriptor, (int)(written % 251), 20);
}

void fake_link(fake_volume *v, const char *folder, const char *name, const char *new_name) {
  add(folder_at(v, folder), new_name, node_at(v, folder, name));
}

void fake_drop(fake_volume *v, const char *folder, const char *name) {
  drop(folder_at(v, folder), name);
}

bool fake_has(fake_volume *v, const char *folder, const char *name) {
  return find(folder_at(v, folder), name) != NULL;
}

void fake_folder(fake_volume *v, const char *folder, const char *name, bool private_one) {
  node *n = new_node(v, true);
  n->private_one = private_one;
  add(folder_at(v, folder), name, n);
}

void fake_make_odd(fake_volume *v, const char *folder, const char *name) {
  node_at(v, folder, name)->odd = true;
}

km_file_meta *fake_meta(fake_volume *v, const char *folder, const char *name) {
  return &node_at(v, folder, name)->meta;
}

uint64_t fake_identity(fake_volume *v, const char *folder, const char *name) {
  return node_at(v, folder, name)->id;
}

uint8_t *fake_bytes(fake_volume *v, const char *folder, const char *name, size_t *size) {
  node *n = node_at(v, folder, name);
  *size = n->size;
  return n->data;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const name_row *)a)->name, ((const name_row *)b)->name);
}

char *fake_snapshot(fake_volume *v) {
  size_t space = 65536, used = 0;
  char *text = malloc(space);
  must(text != NULL);
  text[0] = '\0';
  qsort(v->store->names, v->store->name_count, sizeof *v->store->names, compare_names);
  for (size_t i = 0; i < v->store->name_count; i++) {
    const node *n = v->store->names[i].node;
    used += (size_t)snprintf(text + used, space - used,
                             "%s|%s|%" PRId64 "|%" PRId64 "|%" PRIx32 "|%" PRIo32 "|%08" PRIx32
                             "|links %" PRIu32 "\n",
                             v->store->names[i].name, n->data != NULL ? (const char *)n->data : "",
                             n->meta.created, n->meta.written, n->meta.attributes, n->meta.mode,
                             km_crc32c(0, n->meta.descriptor, n->meta.descriptor_size), n->links);
    must(used < space);
  }
  for (size_t i = 0; v->config != NULL && i < v->config->name_count; i++) {
    const node *n = v->config->names[i].node;
    used += (size_t)snprintf(text + used, space - used, "%s|%s|links %" PRIu32 "\n",
                             v->config->names[i].name, (const char *)n->data, n->links);
    must(used < space);
  }
  return text;
}

static bool below(const node *folder, const char *content) {
  for (size_t i = 0; i < folder->name_count; i++) {
    const node *n = folder->names[i].node;
    if (n->folder && below(n, content))
      return true;
    if (!n->folder && n->size == strlen(content) && memcmp(n->data, content, n->size) == 0)
      return true;
  }
  return false;
}

bool fake_somewhere(fake_volume *v, const char *content) {
  return below(v->store, content) || below(v->app, content);
}

km_step fake_step(fake_volume *v, const char *name, const char *to) {
  size_t size;
  const uint8_t *bytes = fake_bytes(v, FAKE_STORE, name, &size);
  const km_file_meta *meta = fake_meta(v, FAKE_STORE, name);
  km_step step = {.kind = to != NULL ? KM_STEP_ADOPT : KM_STEP_RETIRE,
                  .container = "Microsoft Internet Information Server",
                  .name = name,
                  .to = to,
                  .reason = "as the test says",
                  .size = size,
                  .identity = fake_identity(v, FAKE_STORE, name),
                  .created = meta->created,
                  .created_source = KM_TIME_NTFS,
                  .written = meta->written};
  km_sha256(bytes, size, step.sha256);
  return step;
}
