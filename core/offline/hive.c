/* hive.c: reads registry hives through libhivex, with its traps handled.
 *
 * libhivex checks every bin and cell when it opens a hive, but later trusts some counts and fields of a cell
 * that is shorter than its record, and may so read beyond the file's end. Therefore the copy it works on is
 * followed by a hole of zeros larger than anything it can reach, and names and value data, where lengths come
 * from the hive, are taken from the copy by the bounded code below. Its string functions are not used: they
 * fail for a whole value where one character is bad.
 */
#include "hive.h"

#include "bytes.h"
#include "memory.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_BLOCK 4096
#define SMALLEST_HIVE 8192 /* the base block and one bin */
#define PIECE 16344        /* bytes of big data in one cell */
#define NK_NAME 0x50       /* offsets in a cell, its 4 bytes of length included */
#define VK_NAME 0x18
#define MIN_KEY 80    /* bytes of the smallest cell with a key */
#define MIN_VALUE 24  /* the same of a value */
#define CALL_WORK 31  /* what a call costs beside its names */
#define UTF8_A_UNIT 3 /* bytes of UTF-8 that one UTF-16 unit needs at most */

struct km_hive {
  char *path;
  km_hive_header header;
  hive_h *handle;
  km_memory copy;
  size_t size;
  uint64_t work;
  bool replayed;
  char replay[KM_MAX_REPLAY_TEXT];
};

/* A FILETIME; one that km_time cannot hold is not known. */
static km_time read_time(const uint8_t *p) {
  uint64_t t = km_u64(p);
  return t > INT64_MAX ? 0 : (km_time)t;
}

/* ---- Base block and copy ---- */

static km_status damaged_hive(km_error *error, const char *path, const char *what) {
  return km_fail(error, KM_DAMAGED, 0,
                 "hive %s: %s; the file is no registry hive or it is damaged: put back a sound one "
                 "(a backup hive, or a fresh copy of the volume)",
                 path, what);
}

static km_status check_base_block(const uint8_t block[BASE_BLOCK], uint64_t size, const char *path,
                                  km_hive_header *out, km_error *error) {
  if (memcmp(block, "regf", 4) != 0)
    return damaged_hive(error, path, "it does not begin with \"regf\"");
  uint32_t sum = km_base_block_checksum(block);
  if (sum != km_u32(block + 508)) {
    return km_fail(
        error, KM_DAMAGED, 0,
        "hive %s: the checksum of its base block is %08x, its content sums to %08x; the hive "
        "is damaged: put back a sound one (a backup hive, or a fresh copy of the volume)",
        path, (unsigned)km_u32(block + 508), (unsigned)sum);
  }
  if ((uint64_t)km_u32(block + 40) + BASE_BLOCK > size)
    return damaged_hive(error, path, "the file ends before the bins that its base block tells");
  out->sequence1 = km_u32(block + 4);
  out->sequence2 = km_u32(block + 8);
  out->written = read_time(block + 12);
  return KM_OK;
}

/* Puts the hive and what was done before the system's words. */
static km_status io_failure(km_error *error, km_status status, const char *path,
                            const char *operation) {
  km_error_prefix(error, "hive %s: %s failed", path, operation);
  return status;
}

/* Size and base block of an open file. */
static km_status read_base_block(int fd, const char *path, km_hive_header *out, uint64_t *size,
                                 km_error *error) {
  km_status status = km_disk_size(fd, size, error);
  if (status == KM_UNSUPPORTED)
    return damaged_hive(error, path, "it is not an ordinary file");
  if (status != KM_OK)
    return io_failure(error, status, path, "asking for its size");
  if (*size < SMALLEST_HIVE)
    return damaged_hive(error, path, "it is shorter than 8192 bytes");
  if (*size > KM_MAX_HIVE) {
    return km_fail(error, KM_LIMIT, 0,
                   "hive %s: it has %llu bytes; keymend reads hives up to %llu MiB", path,
                   (unsigned long long)*size, (unsigned long long)(KM_MAX_HIVE >> 20));
  }
  uint8_t block[BASE_BLOCK];
  status = km_disk_read_at(fd, block, sizeof block, 0, error);
  if (status != KM_OK)
    return io_failure(error, status, path, "reading");
  return check_base_block(block, *size, path, out, error);
}

km_status km_hive_header_read(int fd, const char *path, km_hive_header *out, km_error *error) {
  uint64_t size;
  memset(out, 0, sizeof *out);
  return read_base_block(fd, path, out, &size, error);
}

static km_status check_tree(km_hive *hive, km_error *error);

static km_status open_copy(km_hive *hive, km_error *error) {
  hive->handle = km_memory_open(&hive->copy);
  int native = errno;
  if (hive->handle != NULL)
    return KM_OK;
  if (native == ENOENT || native == EACCES) {
    return km_fail(error, KM_IO, native, "hive %s: its copy in memory cannot be opened (%s)%s",
                   hive->path, strerror(native), km_memory_advice);
  }
  if (native == ENOMEM)
    return km_fail(error, KM_MEMORY, native, "hive %s: out of memory", hive->path);
  return damaged_hive(error, hive->path, "its bins or cells do not fit together");
}

/* Copies the file's first `file_size` bytes into memory, which has room for what `replay` adds to them. */
static km_status copy_file(km_hive *hive, const km_hive_source *source, size_t file_size,
                           const km_replay *replay, km_error *error) {
  hive->size = file_size;
  if (replay != NULL && hive->size < (size_t)BASE_BLOCK + replay->bins)
    hive->size = (size_t)BASE_BLOCK + replay->bins;
  km_status status = km_memory_new(hive->size, source->secret, &hive->copy, error);
  if (status == KM_OK)
    status = km_disk_read_at(source->fd, hive->copy.data, file_size, 0, error);
  if (status != KM_OK)
    return io_failure(error, status, source->path, "copying it into memory");
  /* The file may have changed between the two reads: what counts is the copy. */
  status = check_base_block(hive->copy.data, file_size, source->path, &hive->header, error);
  if (status != KM_OK)
    return status;
  if (replay != NULL) {
    km_replay_apply(replay, hive->copy.data, hive->size);
    hive->header.written = read_time(hive->copy.data + 12);
  }
  status = km_memory_seal(&hive->copy, error);
  return status == KM_OK ? KM_OK
                         : io_failure(error, status, source->path, "copying it into memory");
}

static void drop_copy(km_hive *hive) {
  if (hive->handle != NULL)
    (void)hivex_close(hive->handle);
  hive->handle = NULL;
  km_memory_free(&hive->copy);
}

/* Opens the copy with its logs replayed, when they lead to a hive that is sound in every key; else there is no copy, and
 * hive->replay tells why. */
static km_status open_replayed(km_hive *hive, const km_hive_source *source, size_t file_size,
                               km_error *error) {
  uint8_t base[KM_LOG_BASE_BLOCK];
  km_replay replay;
  km_error why = {KM_OK, 0, ""};
  km_status status = km_disk_read_at(source->fd, base, sizeof base, 0, error);
  if (status != KM_OK)
    return io_failure(error, status, source->path, "reading");
  km_replay_plan(base, source->logs, &replay);
  memcpy(hive->replay, replay.text, sizeof hive->replay);
  if (!replay.complete)
    return KM_OK;
  status = copy_file(hive, source, file_size, &replay, &why);
  if (status == KM_OK)
    status = open_copy(hive, &why);
  if (status == KM_OK)
    status = check_tree(hive, &why);
  hive->replayed = status == KM_OK;
  if (status == KM_OK)
    return KM_OK;
  drop_copy(hive);
  (void)snprintf(hive->replay, sizeof hive->replay, "what %s makes of it is no sound hive",
                 replay.logs[0]->name);
  if (status == KM_DAMAGED || status == KM_LIMIT)
    return KM_OK;
  if (error != NULL)
    *error = why;
  return status;
}

km_status km_hive_open(int fd, const char *path, km_hive **out, km_error *error) {
  const km_hive_source source = {.path = path, .fd = fd};
  return km_hive_open_source(&source, out, error);
}

km_status km_hive_open_source(const km_hive_source *source, km_hive **out, km_error *error) {
  const char *path = source->path;
  *out = NULL;
  km_hive *hive = calloc(1, sizeof *hive);
  if (hive == NULL)
    return km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", path);
  hive->copy.fd = -1;
  hive->path = strdup(path);
  uint64_t size = 0;
  km_status status = KM_OK;
  if (hive->path == NULL)
    status = km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", path);
  if (status == KM_OK)
    status = read_base_block(source->fd, path, &hive->header, &size, error);
  bool dirty = hive->header.sequence1 != hive->header.sequence2;
  if (status == KM_OK && dirty && source->logs != NULL)
    status = open_replayed(hive, source, (size_t)size, error);
  if (status == KM_OK && !hive->replayed)
    status = copy_file(hive, source, (size_t)size, NULL, error);
  if (status == KM_OK && !hive->replayed)
    status = open_copy(hive, error);
  if (status != KM_OK) {
    km_hive_close(hive);
    return status;
  }
  *out = hive;
  return KM_OK;
}

void km_hive_close(km_hive *hive) {
  if (hive == NULL)
    return;
  drop_copy(hive);
  free(hive->path);
  free(hive);
}

km_status km_hive_rename(km_hive *hive, const char *path, km_error *error) {
  char *copy = strdup(path);
  if (copy == NULL)
    return km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", path);
  free(hive->path);
  hive->path = copy;
  return KM_OK;
}

const km_hive_header *km_hive_header_of(const km_hive *hive) {
  return &hive->header;
}

bool km_hive_replayed(const km_hive *hive, const char **text) {
  if (text != NULL)
    *text = hive->replay;
  return hive->replayed;
}

uint64_t km_hive_root(km_hive *hive) {
  hive->work = 0;
  return hivex_root(hive->handle);
}

/* ---- Cells and names ---- */

/* A cell of the copy: NULL unless one with at least `need` bytes begins at `offset`; *length with its four
 * bytes of length. Cells in use have a negative length. */
static const uint8_t *cell_at(const km_hive *hive, uint64_t offset, size_t need, size_t *length) {
  if (offset < BASE_BLOCK || offset > hive->size - 4)
    return NULL;
  const uint8_t *cell = hive->copy.data + offset;
  uint32_t stored = km_u32(cell);
  if (stored < 0x80000000u)
    return NULL;
  *length = (size_t)(0u - stored);
  return *length <= hive->size - offset && *length >= need ? cell : NULL;
}

static const uint8_t *cell_of(const km_hive *hive, uint32_t reference, size_t need,
                              size_t *length) {
  return cell_at(hive, (uint64_t)reference + BASE_BLOCK, need, length);
}

static km_status damaged_key(km_hive *hive, uint64_t key, const char *what, km_error *error) {
  return km_fail(error, KM_DAMAGED, 0, "hive %s: the key at offset 0x%llx: %s; the hive is damaged",
                 hive->path, (unsigned long long)key, what);
}

/* What a failed libhivex call about `key` means. */
static km_status library_failure(km_hive *hive, uint64_t key, const char *what, int native,
                                 km_error *error) {
  if (native == ENOMEM)
    return km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", hive->path);
  if (native == ERANGE) {
    return km_fail(
        error, KM_LIMIT, 0,
        "hive %s: the key at offset 0x%llx has more subkeys or values than libhivex reads",
        hive->path, (unsigned long long)key);
  }
  return damaged_key(hive, key, what, error);
}

static km_status spend(km_hive *hive, uint64_t work, km_error *error) {
  hive->work += work + CALL_WORK;
  if (hive->work <= KM_MAX_HIVE_WORK)
    return KM_OK;
  return km_fail(
      error, KM_LIMIT, 0,
      "hive %s: one operation has read more than a registry of Windows holds; the hive is "
      "damaged or was made to harm",
      hive->path);
}

/* A stored name: Latin-1 or UTF-16LE. */
typedef struct stored_name {
  const uint8_t *data;
  size_t units;
  bool wide;
} stored_name;

/* The character at *i, which moves on. What is none, and NUL, becomes U+FFFD. */
static uint32_t next_character(const stored_name *name, size_t *i) {
  size_t used = 1;
  uint32_t c = name->data[*i];
  if (name->wide)
    c = km_utf16_next(name->data + 2 * *i, name->units - *i, &used);
  *i += used;
  return c == 0 || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
}

/* The name of an nk cell (narrow when flag 0x20 at 6 is set; length at 0x4c) or a vk cell (flag 1 at 0x14;
 * length at 6). false when the record does not fit its cell. */
static bool cell_name(const km_hive *hive, uint64_t offset, bool is_key, stored_name *out) {
  size_t length, begin = is_key ? NK_NAME : VK_NAME;
  const uint8_t *cell = cell_at(hive, offset, begin, &length);
  if (cell == NULL || memcmp(cell + 4, is_key ? "nk" : "vk", 2) != 0)
    return false;
  size_t bytes = km_u16(cell + (is_key ? 0x4c : 6));
  uint16_t flags = km_u16(cell + (is_key ? 6 : 0x14));
  if (bytes > length - begin)
    return false;
  out->data = cell + begin;
  out->wide = (flags & (is_key ? 0x20 : 1)) == 0;
  out->units = out->wide ? bytes / 2 : bytes;
  return true;
}

/* A name that is looked for, its characters folded. */
typedef struct wanted_name {
  uint32_t characters[KM_MAX_REGISTRY_NAME];
  size_t count;
} wanted_name;

/* false: nothing in a registry has such a name. */
static bool want_name(const char *name, wanted_name *out) {
  size_t length = strlen(name), used;
  out->count = 0;
  for (size_t i = 0; i < length; i += used) {
    uint32_t c = km_utf8_next(name + i, length - i, &used);
    if (c >= KM_BROKEN_BYTE || out->count == KM_MAX_REGISTRY_NAME)
      return false;
    out->characters[out->count++] = km_fold(c);
  }
  return true;
}

static bool same_name(const stored_name *stored, const wanted_name *wanted) {
  size_t i = 0, k = 0;
  if (stored->units < wanted->count)
    return false;
  while (i < stored->units && k < wanted->count) {
    if (km_fold(next_character(stored, &i)) != wanted->characters[k++])
      return false;
  }
  return i == stored->units && k == wanted->count;
}

static void name_text(const stored_name *name, char *text) {
  for (size_t i = 0; i < name->units;)
    text += km_utf8_put(next_character(name, &i), text);
  *text = '\0';
}

/* ---- Keys and values ---- */

/* What libhivex is asked about must be a whole record: it does not look. */
static km_status check_key(km_hive *hive, uint64_t key, km_error *error) {
  stored_name name;
  if (cell_name(hive, key, true, &name))
    return KM_OK;
  return damaged_key(hive, key, "its record does not fit its cell", error);
}

/* The subkeys of a key, ended by 0; free(). */
static km_status list_children(km_hive *hive, uint64_t key, hive_node_h **out, km_error *error) {
  km_status status = check_key(hive, key, error);
  if (status != KM_OK)
    return status;
  errno = 0;
  *out = hivex_node_children(hive->handle, (hive_node_h)key);
  if (*out == NULL)
    return library_failure(hive, key, "its list of subkeys is damaged", errno, error);
  return KM_OK;
}

km_status km_hive_child(km_hive *hive, uint64_t key, const char *name, uint64_t *out,
                        km_error *error) {
  wanted_name wanted;
  *out = 0;
  if (name[0] == '\0' || !want_name(name, &wanted))
    return km_fail(error, KM_NOT_FOUND, 0, "hive %s: there can be no key of this name", hive->path);
  hive_node_h *children;
  km_status status = list_children(hive, key, &children, error);
  if (status != KM_OK)
    return status;
  size_t i = 0;
  for (; children[i] != 0 && *out == 0 && status == KM_OK; i++) {
    stored_name stored;
    if (!cell_name(hive, children[i], true, &stored))
      status = damaged_key(hive, children[i], "its name does not fit its cell", error);
    else if (same_name(&stored, &wanted))
      *out = children[i];
  }
  free(children);
  if (status == KM_OK)
    status = spend(hive, i + 1, error);
  if (status == KM_OK && *out == 0)
    status = km_fail(error, KM_NOT_FOUND, 0, "hive %s: there is no key %s", hive->path, name);
  return status;
}

km_status km_hive_children(km_hive *hive, uint64_t key,
                           bool (*each)(void *user, const char *name, uint64_t child), void *user,
                           km_error *error) {
  hive_node_h *children;
  km_status status = list_children(hive, key, &children, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; children[i] != 0 && status == KM_OK; i++) {
    char text[KM_MAX_REGISTRY_NAME * UTF8_A_UNIT + 4];
    stored_name stored;
    if (!cell_name(hive, children[i], true, &stored) || stored.units > KM_MAX_REGISTRY_NAME) {
      status = damaged_key(hive, children[i], "its name does not fit its cell", error);
      break;
    }
    name_text(&stored, text);
    status = spend(hive, 1, error);
    if (status == KM_OK && !each(user, text, children[i]))
      break;
  }
  free(children);
  return status;
}

/* The vk cell of a value; 0 in *out when there is none of that name. */
static km_status find_value(km_hive *hive, uint64_t key, const wanted_name *wanted, uint64_t *out,
                            km_error *error) {
  *out = 0;
  km_status status = check_key(hive, key, error);
  if (status != KM_OK)
    return status;
  errno = 0;
  hive_value_h *values = hivex_node_values(hive->handle, (hive_node_h)key);
  if (values == NULL)
    return library_failure(hive, key, "its list of values is damaged", errno, error);
  size_t i = 0;
  for (; values[i] != 0 && *out == 0 && status == KM_OK; i++) {
    stored_name stored;
    if (!cell_name(hive, values[i], false, &stored))
      status = damaged_key(hive, key, "a value's name does not fit its cell", error);
    else if (same_name(&stored, wanted))
      *out = values[i];
  }
  free(values);
  return status == KM_OK ? spend(hive, i + 1, error) : status;
}

/* Big data, since hive version 1.4 for more than 16344 bytes: a cell "db" (count at 6, reference to a list of
 * references at 8), each of them to a cell with 16344 bytes, the last one with the rest. */
static bool copy_pieces(const km_hive *hive, const uint8_t *cell, size_t length, uint8_t *data,
                        size_t size) {
  if (length < 12 || memcmp(cell + 4, "db", 2) != 0)
    return false;
  size_t count = km_u16(cell + 6), list_length, done = 0;
  const uint8_t *list = cell_of(hive, km_u32(cell + 8), 4 + 4 * count, &list_length);
  if (list == NULL)
    return false;
  for (size_t i = 0; i < count && done < size; i++) {
    size_t piece = size - done < PIECE ? size - done : PIECE;
    const uint8_t *part = cell_of(hive, km_u32(list + 4 + 4 * i), 4 + piece, &length);
    if (part == NULL)
      return false;
    memcpy(data + done, part + 4, piece);
    done += piece;
  }
  return done == size;
}

/* Fills `data` with the value's bytes. A vk cell holds the length at 8 (top bit: the data, up to 4 bytes,
 * stands in the reference itself) and the reference at 12. */
static bool copy_data(const km_hive *hive, const uint8_t *vk, uint8_t *data, size_t size) {
  if ((km_u32(vk + 8) & 0x80000000u) != 0) {
    if (size > 4)
      return false;
    memcpy(data, vk + 12, size);
    return true;
  }
  if (size == 0)
    return true;
  size_t length;
  const uint8_t *cell = cell_of(hive, km_u32(vk + 12), 8, &length);
  if (cell == NULL)
    return false;
  if (size > length - 4)
    return copy_pieces(hive, cell, length, data, size);
  memcpy(data, cell + 4, size);
  return true;
}

static km_status value_data(km_hive *hive, uint64_t key, uint64_t offset, const char *name,
                            km_registry_value *out, km_error *error) {
  size_t length;
  const uint8_t *vk = cell_at(hive, offset, VK_NAME, &length);
  if (vk == NULL)
    return damaged_key(hive, key, "a value does not fit its cell", error);
  size_t size = km_u32(vk + 8) & 0x7fffffffu;
  if (size > KM_MAX_VALUE) {
    return km_fail(error, KM_LIMIT, 0,
                   "hive %s: the value %s has %zu bytes; keymend reads up to %zu", hive->path, name,
                   size, KM_MAX_VALUE);
  }
  km_status status = spend(hive, size / 64, error);
  if (status != KM_OK)
    return status;
  out->type = km_u32(vk + 16);
  out->size = size;
  out->data = calloc(1, size + 1);
  if (out->data == NULL)
    return km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", hive->path);
  if (!copy_data(hive, vk, out->data, size)) {
    return km_fail(error, KM_DAMAGED, 0,
                   "hive %s: the value %s of the key at offset 0x%llx tells %zu bytes that are not "
                   "there; the hive is damaged",
                   hive->path, name[0] == '\0' ? "(default)" : name, (unsigned long long)key, size);
  }
  return km_registry_decode(out, error);
}

/* The vk cell of a value; KM_NOT_FOUND. */
static km_status named_value(km_hive *hive, uint64_t key, const char *name, uint64_t *out,
                             km_error *error) {
  wanted_name wanted;
  *out = 0;
  km_status status = KM_OK;
  if (want_name(name, &wanted))
    status = find_value(hive, key, &wanted, out, error);
  if (status != KM_OK || *out != 0)
    return status;
  return km_fail(error, KM_NOT_FOUND, 0, "hive %s: there is no value %s", hive->path,
                 name[0] == '\0' ? "(default)" : name);
}

km_status km_hive_value_place(km_hive *hive, uint64_t key, const char *name, km_hive_place *out,
                              km_error *error) {
  uint64_t offset;
  size_t length;
  memset(out, 0, sizeof *out);
  km_status status = named_value(hive, key, name, &offset, error);
  if (status != KM_OK)
    return status;
  const uint8_t *vk = cell_at(hive, offset, VK_NAME, &length);
  if (vk == NULL)
    return damaged_key(hive, key, "a value does not fit its cell", error);
  bool within = (km_u32(vk + 8) & 0x80000000u) != 0;
  size_t size = km_u32(vk + 8) & 0x7fffffffu;
  const uint8_t *cell = within ? NULL : cell_of(hive, km_u32(vk + 12), 8, &length);
  if (cell == NULL || size > length - 4)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "hive %s: the data of the value %s do not stand in one cell of their own",
                   hive->path, name);
  *out = (km_hive_place){(uint64_t)(cell + 4 - hive->copy.data), size, km_u32(vk + 16)};
  return KM_OK;
}

km_status km_hive_value(km_hive *hive, uint64_t key, const char *name, km_registry_value *out,
                        km_error *error) {
  uint64_t offset;
  memset(out, 0, sizeof *out);
  if (name == NULL)
    name = "";
  km_status status = named_value(hive, key, name, &offset, error);
  if (status != KM_OK)
    return status;
  status = value_data(hive, key, offset, name, out, error);
  if (status != KM_OK)
    km_registry_value_free(out);
  return status;
}

/* An nk cell refers at 0x34 to the cell of its class name, UTF-16LE, whose bytes it counts at 0x4e. */
km_status km_hive_class(km_hive *hive, uint64_t key, char **text, km_error *error) {
  size_t length;
  *text = NULL;
  km_status status = check_key(hive, key, error);
  if (status != KM_OK)
    return status;
  const uint8_t *cell = cell_at(hive, key, NK_NAME, &length);
  if (cell == NULL)
    return damaged_key(hive, key, "its record does not fit its cell", error);
  size_t bytes = km_u16(cell + 0x4e);
  if (bytes == 0)
    return km_fail(error, KM_NOT_FOUND, 0, "hive %s: the key has no class name", hive->path);
  const uint8_t *class = cell_of(hive, km_u32(cell + 0x34), 4 + bytes, &length);
  if (class == NULL)
    return damaged_key(hive, key, "its class name does not fit its cell", error);
  const stored_name name = {class + 4, bytes / 2, true};
  *text = malloc(name.units * UTF8_A_UNIT + 1);
  if (*text == NULL)
    return km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", hive->path);
  name_text(&name, *text);
  return KM_OK;
}

km_time km_hive_time(km_hive *hive, uint64_t key) {
  size_t length;
  const uint8_t *cell = cell_at(hive, key, 16, &length);
  return cell == NULL ? 0 : read_time(cell + 8);
}

/* ---- The whole tree ---- */

/* Keys that are still to be looked at. */
typedef struct keys {
  uint64_t *list;
  size_t count, room;
} keys;

static bool push_keys(keys *pending, const hive_node_h *children) {
  for (size_t i = 0; children[i] != 0; i++) {
    if (pending->count == pending->room) {
      size_t room = pending->room == 0 ? 256 : 2 * pending->room;
      uint64_t *list = realloc(pending->list, room * sizeof *list);
      if (list == NULL)
        return false;
      pending->list = list;
      pending->room = room;
    }
    pending->list[pending->count++] = children[i];
  }
  return true;
}

static km_status check_value(km_hive *hive, uint64_t key, uint64_t value, km_error *error) {
  stored_name name;
  size_t length;
  if (!cell_name(hive, value, false, &name))
    return damaged_key(hive, key, "a value's name does not fit its cell", error);
  const uint8_t *vk = cell_at(hive, value, VK_NAME, &length);
  uint32_t size = vk == NULL ? 0 : km_u32(vk + 8);
  if (size != 0 && size < 0x80000000u && cell_of(hive, km_u32(vk + 12), 8, &length) == NULL)
    return damaged_key(hive, key, "a value's data are not there", error);
  return KM_OK;
}

/* *left: how many values there is room for; keys that share one list would cost keys times values. */
static km_status check_values(km_hive *hive, uint64_t key, size_t *left, km_error *error) {
  errno = 0;
  hive_value_h *values = hivex_node_values(hive->handle, (hive_node_h)key);
  km_status status = KM_OK;
  size_t count = 0;
  if (values == NULL)
    return library_failure(hive, key, "its list of values is damaged", errno, error);
  for (; values[count] != 0 && status == KM_OK; count++)
    status = check_value(hive, key, values[count], error);
  free(values);
  if (status == KM_OK && count > *left)
    status = damaged_key(hive, key, "the tree has more values than the hive has room for", error);
  *left -= count < *left ? count : *left;
  return status;
}

/* Whether every key and value is a whole record. There cannot be more keys than fit into the file: a tree that seems to
 * have more has loops. */
static km_status check_tree(km_hive *hive, km_error *error) {
  size_t left = hive->size / MIN_KEY, values = hive->size / MIN_VALUE;
  keys pending = {NULL, 0, 0};
  const hive_node_h root[] = {hivex_root(hive->handle), 0};
  km_status status = KM_OK;
  bool room = push_keys(&pending, root);
  while (status == KM_OK && room && pending.count > 0) {
    hive_node_h *children = NULL;
    uint64_t key = pending.list[--pending.count];
    status = list_children(hive, key, &children, error);
    if (status == KM_OK)
      status = check_values(hive, key, &values, error);
    if (status == KM_OK)
      room = push_keys(&pending, children);
    free(children);
    if (status == KM_OK && (left-- == 0 || pending.count > hive->size / MIN_KEY))
      status = damaged_key(hive, key, "the tree has more keys than the hive has room for", error);
  }
  free(pending.list);
  return room ? status : km_fail(error, KM_MEMORY, 0, "hive %s: out of memory", hive->path);
}
