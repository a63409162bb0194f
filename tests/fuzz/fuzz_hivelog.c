/* fuzz_hivelog.c: any bytes as the transaction logs of a small dirty hive: judged, replayed, and the hive walked.
 *
 * Input: a byte (bits 0 to 2: LOG, LOG1, LOG2 are there; bit 3: their checksums and hashes are made right, which no
 * mutation would hit), the lengths of LOG and LOG1 (two bytes each), then the logs' bytes; LOG2 gets the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "offline/hive.h"

#define BASE 4096
#define BIN 4096
#define BLOCK 512
#define HEAD 5
#define MAX_INPUT (1 << 18)
#define MAX_BINS (1 << 24) /* of what is replayed: larger ones only take time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void put32(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> (8 * i));
}

static void put64(uint8_t *p, uint64_t number) {
  put32(p, (uint32_t)number);
  put32(p + 4, (uint32_t)(number >> 32));
}

static uint32_t read32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- The hive: one bin, a root key without values; dirty, 8 and 7 ---- */

static void make_hive(uint8_t hive[BASE + BIN]) {
  memset(hive, 0, BASE + BIN);
  memcpy(hive, "regf", 4);
  put32(hive + 4, 8);
  put32(hive + 8, 7);
  put32(hive + 20, 1);
  put32(hive + 24, 5);
  put32(hive + 32, 1);
  put32(hive + 36, 0x20);
  put32(hive + 40, BIN);
  put32(hive + 44, 1);
  put32(hive + 508, km_base_block_checksum(hive));
  uint8_t *cell = hive + BASE + 0x20;
  memcpy(hive + BASE, "hbin", 4);
  put32(hive + BASE + 8, BIN);
  put32(cell, 0u - 96);
  memcpy(cell + 4, "nk\x2c", 3);
  for (size_t at = 0x14; at <= 0x34; at += 4)
    put32(cell + at, at == 0x18 || at == 0x1c || at == 0x28 ? 0 : 0xffffffff);
  memcpy(cell + 0x4c, "\4\0\0\0ROOT", 8);
  put32(cell + 96, BIN - 0x20 - 96);
}

/* ---- The logs ---- */

static void mend(uint8_t *log, size_t size) {
  if (size < BLOCK)
    return;
  memcpy(log, "regf", 4);
  memcpy(log + 8, log + 4, 4);
  put32(log + 508, km_base_block_checksum(log));
  for (size_t at = BLOCK; size - at >= 40 && memcmp(log + at, "HvLE", 4) == 0;) {
    uint32_t length = read32(log + at + 4);
    if (length < 40 || length > size - at)
      break;
    put64(log + at + 24, km_marvin32(log + at + 40, length - 40));
    put64(log + at + 32, km_marvin32(log + at, 32));
    at += length;
  }
}

/* Cuts the input into logs of their own memory, so that reading beyond one of them is seen. */
static void take_logs(const uint8_t *data, size_t size, km_hive_log logs[KM_HIVE_LOGS],
                      uint8_t *memory[KM_HIVE_LOGS]) {
  size_t at = HEAD;
  for (size_t i = 0; i < KM_HIVE_LOGS; i++) {
    size_t length = i < 2 ? data[1 + 2 * i] | (size_t)data[2 + 2 * i] << 8 : size;
    if (length > size - at)
      length = size - at;
    (void)snprintf(logs[i].name, sizeof logs[i].name, "X.LOG%zu", i);
    memory[i] = malloc(length + (length == 0));
    require(memory[i] != NULL);
    memcpy(memory[i], data + at, length);
    at += length;
    if ((data[0] & 8) != 0)
      mend(memory[i], length);
    logs[i].data = (data[0] >> i & 1) != 0 ? memory[i] : NULL;
    logs[i].size = length;
  }
}

/* Applies to exactly as much memory as is promised to be enough. */
static void apply(const km_replay *replay, const uint8_t hive[BASE + BIN]) {
  size_t size = BASE + (replay->bins > BIN ? replay->bins : BIN);
  uint8_t *copy = calloc(1, size);
  require(copy != NULL);
  memcpy(copy, hive, BASE + BIN);
  km_replay_apply(replay, copy, size);
  require(read32(copy + 4) == read32(copy + 8));
  require(read32(copy + 508) == km_base_block_checksum(copy));
  require(read32(copy + 40) <= size - BASE);
  free(copy);
}

static bool count_key(void *user, const char *name, uint64_t child) {
  (void)name;
  (void)child;
  return ++*(size_t *)user < 1000;
}

static void open_hive(const uint8_t hive[BASE + BIN], const km_hive_log *logs) {
  km_hive *opened = NULL;
  size_t keys = 0;
  const char *text;
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  require(fd >= 0 && write(fd, hive, BASE + BIN) == BASE + BIN);
  const km_hive_source source = {.path = "C:\\X", .fd = fd, .logs = logs};
  require(km_hive_open_source(&source, &opened, NULL) == KM_OK);
  (void)km_hive_replayed(opened, &text);
  require(text[0] != '\0');
  require(km_hive_children(opened, km_hive_root(opened), count_key, &keys, NULL) == KM_OK);
  require(keys == 0 || km_hive_replayed(opened, NULL));
  km_hive_close(opened);
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t hive[BASE + BIN];
  km_hive_log logs[KM_HIVE_LOGS] = {{"", NULL, 0}};
  uint8_t *memory[KM_HIVE_LOGS];
  km_replay replay;
  if (size < HEAD || size > MAX_INPUT)
    return 0;
  make_hive(hive);
  take_logs(data, size, logs, memory);
  km_replay_plan(hive, logs, &replay);
  require(replay.text[0] != '\0');
  if (replay.complete && replay.bins <= MAX_BINS)
    apply(&replay, hive);
  if (!replay.complete || replay.bins <= MAX_BINS)
    open_hive(hive, logs);
  for (size_t i = 0; i < KM_HIVE_LOGS; i++)
    free(memory[i]);
  return 0;
}
