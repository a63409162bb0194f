/* hive.c: hives, whole and damaged in every byte that counts, read on Windows: no run may end the program
 *
 * hive.exe FILE...: each file is read as it is, cut at many places, and with bytes changed by a fixed sequence. Its base
 * block is mended each time, so that the rest is reached. Ends with "N passed, N failed, N skipped".
 */
#include "offline/hive.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_BLOCK 4096
#define MAX_FILE (1 << 20)
#define MAX_KEYS 500 /* walked */
#define CHANGES 400  /* runs with changed bytes, a file */
#define CUTS 64

static size_t passed, failed;

static void check(bool good, const char *path, const char *what) {
  if (good) {
    passed++;
    return;
  }
  failed++;
  printf("FAIL %s: %s\n", path, what);
}

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> (8 * i));
}

static void mend(uint8_t *bytes, size_t size) {
  uint32_t sum = 0;
  if (size < 2 * BASE_BLOCK)
    return;
  memcpy(bytes, "regf", 4);
  put32(bytes + 40, (uint32_t)((size - BASE_BLOCK) & ~(size_t)4095));
  for (size_t i = 0; i < 508; i += 4)
    sum ^= get32(bytes + i);
  put32(bytes + 508, sum);
}

/* ---- One run ---- */

typedef struct keys {
  uint64_t list[MAX_KEYS];
  size_t count;
} keys;

static bool keep_key(void *user, const char *name, uint64_t child) {
  keys *kept = user;
  (void)name;
  kept->list[kept->count++] = child;
  return kept->count < MAX_KEYS;
}

/* Walks all keys and reads a value of each; how many keys. */
static size_t walk(km_hive *hive) {
  static keys kept;
  kept.count = 1;
  kept.list[0] = km_hive_root(hive);
  for (size_t i = 0; i < kept.count && kept.count < MAX_KEYS; i++) {
    km_registry_value value;
    (void)km_hive_children(hive, kept.list[i], keep_key, &kept, NULL);
    if (km_hive_value(hive, kept.list[i], "MachineGuid", &value, NULL) == KM_OK)
      km_registry_value_free(&value);
  }
  return kept.count;
}

/* The keys that were found; 0: it is no hive. The error must then say so. */
static size_t run(const char *path, FILE *scratch, const uint8_t *bytes, size_t size) {
  km_hive *hive = NULL;
  km_error error = {KM_OK, 0, ""};
  rewind(scratch);
  if (fwrite(bytes, 1, size, scratch) != size || fflush(scratch) != 0 ||
      _chsize(_fileno(scratch), (long)size) != 0) {
    check(false, path, "the scratch file cannot be written");
    return 0;
  }
  km_status status = km_hive_open(_fileno(scratch), "C:\\x", &hive, &error);
  check((status == KM_OK) == (hive != NULL) && (status == KM_OK || status == KM_DAMAGED) &&
            (status == KM_OK || error.message[0] != '\0'),
        path, error.message);
  size_t count = hive != NULL ? walk(hive) : 0;
  km_hive_close(hive);
  return count;
}

static void run_file(const char *path, FILE *scratch, uint8_t *bytes, uint8_t *changed) {
  FILE *file = fopen(path, "rb");
  size_t size = file != NULL ? fread(bytes, 1, MAX_FILE, file) : 0;
  uint32_t random = 1;
  if (file != NULL)
    fclose(file);
  check(size > 0, path, "it cannot be read");
  printf("%s: %u keys\n", path, (unsigned)run(path, scratch, bytes, size));
  for (size_t i = 0; i < CUTS; i++) {
    size_t part = size * i / CUTS;
    memcpy(changed, bytes, part);
    mend(changed, part);
    (void)run(path, scratch, changed, part);
  }
  for (size_t i = 0; size > BASE_BLOCK && i < CHANGES; i++) {
    memcpy(changed, bytes, size);
    for (size_t k = 0; k <= i % 4; k++) {
      random = random * 1103515245u + 12345u;
      changed[BASE_BLOCK + (random >> 8) % (size - BASE_BLOCK)] = (uint8_t)(random >> 4);
    }
    mend(changed, size);
    (void)run(path, scratch, changed, size);
  }
}

int main(int argc, char **argv) {
  uint8_t *bytes = malloc(MAX_FILE), *changed = malloc(MAX_FILE);
  FILE *scratch = fopen("scratch", "w+b");
  check(bytes != NULL && changed != NULL && scratch != NULL, "main", "memory and a scratch file");
  for (int i = 1; i < argc && failed == 0; i++)
    run_file(argv[i], scratch, bytes, changed);
  printf("%u passed, %u failed, 0 skipped\n", (unsigned)passed, (unsigned)failed);
  return failed == 0 ? 0 : 1;
}
