/* hive_builder.c: makes small registry hives for the unit tests.
 *
 * A hive is a base block of 4096 bytes and bins; here one bin holds every cell. A cell begins with its length,
 * negative when in use. References count from the first bin. Keys are "nk", values "vk", lists of subkeys "lh".
 */
#include "hive_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 4096
#define NO_CELL 0xffffffffu
#define PIECE 16344

typedef struct value {
  char *name;
  uint32_t type;
  uint8_t *data;
  size_t size;
} value;

typedef struct key {
  uint8_t *name; /* as stored */
  size_t name_size;
  bool wide;
  size_t parent;
  int64_t time;
  char *class;
  value *values;
  size_t value_count;
} key;

struct hive_builder {
  key *keys; /* parents before children; the root first */
  size_t key_count;
  uint8_t *bytes;
  size_t size, room;
};

static void must(bool good, const char *what) {
  if (good)
    return;
  fprintf(stderr, "hive_builder: %s failed\n", what);
  abort();
}

static void *grow(void *data, size_t size) {
  void *grown = realloc(data, size);
  must(grown != NULL, "realloc");
  return grown;
}

static void *copy_of(const void *data, size_t size) {
  void *copy = grow(NULL, size + 1);
  memcpy(copy, data, size);
  return copy;
}

/* ---- The tree ---- */

static size_t add_key(hive_builder *hive, size_t parent, const void *name, size_t size, bool wide) {
  hive->keys = grow(hive->keys, (hive->key_count + 1) * sizeof *hive->keys);
  hive->keys[hive->key_count] = (key){.name = copy_of(name, size),
                                      .name_size = size,
                                      .wide = wide,
                                      .parent = parent,
                                      .time = HIVE_TIME};
  return hive->key_count++;
}

hive_builder *hive_new(void) {
  hive_builder *hive = calloc(1, sizeof *hive);
  must(hive != NULL, "calloc");
  (void)add_key(hive, 0, "ROOT", 4, false);
  return hive;
}

static size_t child_of(hive_builder *hive, size_t parent, const char *name, size_t size) {
  for (size_t i = parent + 1; i < hive->key_count; i++) {
    const key *k = &hive->keys[i];
    if (k->parent == parent && !k->wide && k->name_size == size && memcmp(k->name, name, size) == 0)
      return i;
  }
  return add_key(hive, parent, name, size, false);
}

size_t hive_key(hive_builder *hive, const char *path) {
  size_t at = 0;
  while (*path != '\0') {
    size_t size = strcspn(path, "\\");
    at = child_of(hive, at, path, size);
    path += size + (path[size] != '\0');
  }
  return at;
}

size_t hive_wide_key(hive_builder *hive, size_t parent, const uint16_t *units, size_t count) {
  uint8_t name[512];
  must(count * 2 <= sizeof name, "a short name");
  for (size_t i = 0; i < count; i++) {
    name[2 * i] = (uint8_t)units[i];
    name[2 * i + 1] = (uint8_t)(units[i] >> 8);
  }
  return add_key(hive, parent, name, count * 2, true);
}

void hive_time(hive_builder *hive, size_t at, int64_t filetime) {
  hive->keys[at].time = filetime;
}

void hive_class(hive_builder *hive, size_t at, const char *text) {
  hive->keys[at].class = copy_of(text, strlen(text) + 1);
}

void hive_data(hive_builder *hive, size_t at, const char *name, uint32_t type, const void *data,
               size_t size) {
  key *k = &hive->keys[at];
  k->values = grow(k->values, (k->value_count + 1) * sizeof *k->values);
  k->values[k->value_count++] =
      (value){copy_of(name, strlen(name) + 1), type, copy_of(data, size), size};
}

void hive_text(hive_builder *hive, size_t at, const char *name, uint32_t type, const char *text) {
  size_t length = strlen(text), used = 0;
  uint8_t *data = grow(NULL, length * 2 + 4);
  for (size_t i = 0; i < length; used += 2) {
    const uint8_t *p = (const uint8_t *)text + i;
    unsigned c = p[0] < 0x80   ? p[0]
                 : p[0] < 0xe0 ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
                               : (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    i += p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : 3;
    if (type == MULTI_SZ && c == '\n')
      c = 0;
    data[used] = (uint8_t)c;
    data[used + 1] = (uint8_t)(c >> 8);
  }
  memset(data + used, 0, 4);
  hive_data(hive, at, name, type, data, used + (type == MULTI_SZ ? 4 : 2));
  free(data);
}

void hive_number(hive_builder *hive, size_t at, const char *name, uint32_t number) {
  uint8_t data[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                     (uint8_t)(number >> 24)};
  hive_data(hive, at, name, DWORD, data, sizeof data);
}

/* ---- Cells ---- */

static void put16(uint8_t *p, size_t number) {
  p[0] = (uint8_t)number;
  p[1] = (uint8_t)(number >> 8);
}

static void put32(uint8_t *p, uint32_t number) {
  put16(p, number & 0xffff);
  put16(p + 2, number >> 16);
}

static void put64(uint8_t *p, int64_t number) {
  put32(p, (uint32_t)number);
  put32(p + 4, (uint32_t)((uint64_t)number >> 32));
}

/* A new cell for `size` bytes; gives its reference. Its content stands at content(). */
static uint32_t new_cell(hive_builder *hive, size_t size) {
  size_t at = hive->size, length = (size + 4 + 7) & ~(size_t)7;
  if (hive->room < at + length) {
    hive->room = (at + length) * 2;
    hive->bytes = grow(hive->bytes, hive->room);
  }
  memset(hive->bytes + at, 0, length);
  put32(hive->bytes + at, (uint32_t)(0u - length));
  hive->size += length;
  return (uint32_t)(at - BASE);
}

static uint8_t *content(hive_builder *hive, uint32_t cell) {
  return hive->bytes + BASE + cell + 4;
}

static uint32_t put_data(hive_builder *hive, const uint8_t *data, size_t size) {
  if (size <= PIECE) {
    uint32_t cell = new_cell(hive, size);
    memcpy(content(hive, cell), data, size);
    return cell;
  }
  size_t count = (size + PIECE - 1) / PIECE;
  uint32_t list = new_cell(hive, 4 * count), head = new_cell(hive, 8);
  for (size_t i = 0; i < count; i++) {
    size_t piece = i + 1 < count ? PIECE : size - i * PIECE;
    uint32_t cell = new_cell(hive, piece + 4);
    memcpy(content(hive, cell), data + i * PIECE, piece);
    put32(content(hive, list) + 4 * i, cell);
  }
  memcpy(content(hive, head), "db", 2);
  put16(content(hive, head) + 2, count);
  put32(content(hive, head) + 4, list);
  return head;
}

static uint32_t put_value(hive_builder *hive, const value *v) {
  size_t name_size = strlen(v->name);
  uint32_t data = v->size > 4 ? put_data(hive, v->data, v->size) : 0;
  uint32_t cell = new_cell(hive, 20 + name_size);
  uint8_t *p = content(hive, cell);
  memcpy(p, "vk", 2);
  put16(p + 2, name_size);
  put32(p + 4, (uint32_t)v->size | (v->size <= 4 ? 0x80000000u : 0));
  if (v->size <= 4)
    memcpy(p + 8, v->data, v->size);
  else
    put32(p + 8, data);
  put32(p + 12, v->type);
  put16(p + 16, 1); /* the name is Latin-1 */
  memcpy(p + 20, v->name, name_size);
  return cell;
}

static uint32_t put_values(hive_builder *hive, const key *k) {
  if (k->value_count == 0)
    return NO_CELL;
  uint32_t list = new_cell(hive, 4 * k->value_count);
  for (size_t i = 0; i < k->value_count; i++) {
    uint32_t cell = put_value(hive, &k->values[i]);
    put32(content(hive, list) + 4 * i, cell);
  }
  return list;
}

static uint32_t put_class(hive_builder *hive, const char *text) {
  size_t length = text != NULL ? strlen(text) : 0;
  uint32_t cell = text != NULL ? new_cell(hive, 2 * length) : NO_CELL;
  for (size_t i = 0; i < length; i++)
    put16(content(hive, cell) + 2 * i, (uint8_t)text[i]);
  return cell;
}

/* The nk cell of a key, its list of subkeys still missing. */
static uint32_t put_key(hive_builder *hive, const key *k, uint32_t parent) {
  uint32_t values = put_values(hive, k), class = put_class(hive, k->class);
  uint32_t cell = new_cell(hive, 76 + k->name_size);
  uint8_t *p = content(hive, cell);
  memcpy(p, "nk", 2);
  put16(p + 2, (k->wide ? 0u : 0x20u) | (parent == NO_CELL ? 0x0cu : 0));
  put64(p + 4, k->time);
  put32(p + 16, parent);
  put32(p + 28, NO_CELL);
  put32(p + 32, NO_CELL);
  put32(p + 36, (uint32_t)k->value_count);
  put32(p + 40, values);
  put32(p + 44, NO_CELL);
  put32(p + 48, class);
  put16(p + 72, k->name_size);
  put16(p + 74, k->class != NULL ? 2 * strlen(k->class) : 0);
  memcpy(p + 76, k->name, k->name_size);
  return cell;
}

static void put_children(hive_builder *hive, size_t parent, const uint32_t *cells) {
  size_t count = 0;
  for (size_t i = 1; i < hive->key_count; i++)
    count += hive->keys[i].parent == parent;
  if (count == 0)
    return;
  uint32_t list = new_cell(hive, 4 + 8 * count);
  memcpy(content(hive, list), "lh", 2);
  put16(content(hive, list) + 2, count);
  size_t at = 4;
  for (size_t i = 1; i < hive->key_count; i++) {
    if (hive->keys[i].parent != parent)
      continue;
    put32(content(hive, list) + at, cells[i]);
    at += 8;
  }
  put32(content(hive, cells[parent]) + 20, (uint32_t)count);
  put32(content(hive, cells[parent]) + 28, list);
}

/* ---- The file ---- */

void hive_checksum(uint8_t *base_block) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 508; i += 4) {
    const uint8_t *p = base_block + i;
    sum ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  }
  put32(base_block + 508, sum);
}

static void finish(hive_builder *hive, uint32_t root) {
  size_t end = (hive->size + 4095) & ~(size_t)4095;
  if (end - hive->size > 0 && end - hive->size < 8)
    end += 4096;
  hive->bytes = grow(hive->bytes, end);
  memset(hive->bytes + hive->size, 0, end - hive->size);
  if (end > hive->size)
    put32(hive->bytes + hive->size, (uint32_t)(end - hive->size)); /* free */
  hive->size = end;
  uint8_t *p = hive->bytes;
  memcpy(p, "regf", 4);
  put32(p + 20, 1);
  put32(p + 24, 5);
  put32(p + 32, 1);
  put32(p + 36, root);
  put32(p + 40, (uint32_t)(end - BASE));
  put32(p + 44, 1);
  memcpy(p + BASE, "hbin", 4);
  put32(p + BASE + 8, (uint32_t)(end - BASE));
}

static void free_tree(hive_builder *hive) {
  for (size_t i = 0; i < hive->key_count; i++) {
    for (size_t k = 0; k < hive->keys[i].value_count; k++) {
      free(hive->keys[i].values[k].name);
      free(hive->keys[i].values[k].data);
    }
    free(hive->keys[i].values);
    free(hive->keys[i].name);
    free(hive->keys[i].class);
  }
  free(hive->keys);
}

uint8_t *hive_bytes(hive_builder *hive, uint32_t sequence1, uint32_t sequence2, int64_t written,
                    size_t *size) {
  uint32_t *cells = grow(NULL, hive->key_count * sizeof *cells);
  hive->size = hive->room = BASE + 32;
  hive->bytes = grow(NULL, hive->size);
  memset(hive->bytes, 0, hive->size);
  for (size_t i = 0; i < hive->key_count; i++)
    cells[i] = put_key(hive, &hive->keys[i], i == 0 ? NO_CELL : cells[hive->keys[i].parent]);
  for (size_t i = 0; i < hive->key_count; i++)
    put_children(hive, i, cells);
  finish(hive, hive->key_count > 0 ? cells[0] : NO_CELL);
  put32(hive->bytes + 4, sequence1);
  put32(hive->bytes + 8, sequence2);
  put64(hive->bytes + 12, written);
  hive_checksum(hive->bytes);
  uint8_t *bytes = hive->bytes;
  *size = hive->size;
  free(cells);
  free_tree(hive);
  free(hive);
  return bytes;
}

void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  must(file != NULL, path);
  must(size == 0 || fwrite(data, 1, size, file) == size, path);
  must(fclose(file) == 0, path);
}

void hive_save(hive_builder *hive, const char *path, uint32_t sequence1, uint32_t sequence2,
               int64_t written) {
  size_t size;
  uint8_t *bytes = hive_bytes(hive, sequence1, sequence2, written, &size);
  write_file(path, bytes, size);
  free(bytes);
}
