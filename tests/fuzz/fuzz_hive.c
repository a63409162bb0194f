/* fuzz_hive.c: any bytes as a registry hive: opened, walked, and read as both hives of a target. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "offline/hive.h"

#define BASE_BLOCK 4096
#define MAX_INPUT (1 << 20)
#define MAX_KEYS 2000 /* walked */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void put32(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> (8 * i));
}

/* Mends length and checksum of the base block, which no mutation would hit, so that the rest is reached. */
static void mend(uint8_t *bytes, size_t size) {
  uint32_t sum = 0;
  put32(bytes + 40, (uint32_t)((size - BASE_BLOCK) & ~(size_t)4095));
  for (size_t i = 0; i < 508; i += 4) {
    sum ^= (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16 |
           (uint32_t)bytes[i + 3] << 24;
  }
  put32(bytes + 508, sum);
}

static km_hive *open_input(const uint8_t *data, size_t size) {
  km_hive *hive = NULL;
  km_error error = {KM_OK, 0, ""};
  uint8_t *bytes = malloc(size + 1);
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  require(bytes != NULL && fd >= 0);
  memcpy(bytes, data, size);
  if (size > BASE_BLOCK && bytes[0] == 'r')
    mend(bytes, size);
  require(write(fd, bytes, size) == (ssize_t)size);
  km_status status = km_hive_open(fd, "C:\\x", &hive, &error);
  require((status == KM_OK) == (hive != NULL));
  require(status == KM_OK || (status == KM_DAMAGED && error.message[0] != '\0'));
  close(fd);
  free(bytes);
  return hive;
}

/* ---- The walk ---- */

typedef struct keys {
  uint64_t list[MAX_KEYS];
  size_t count;
} keys;

static bool keep_key(void *user, const char *name, uint64_t child) {
  keys *kept = user;
  require(strlen(name) <= (size_t)3 * KM_MAX_REGISTRY_NAME);
  kept->list[kept->count++] = child;
  return kept->count < MAX_KEYS;
}

static void check_status(km_status status) {
  require(status == KM_OK || status == KM_NOT_FOUND || status == KM_DAMAGED || status == KM_LIMIT);
}

static void walk(km_hive *hive) {
  static const char *const values[] = {"", "MachineGuid", "Start", "Big"};
  static keys kept;
  kept.count = 0;
  kept.list[kept.count++] = km_hive_root(hive);
  for (size_t i = 0; i < kept.count && kept.count < MAX_KEYS; i++) {
    check_status(km_hive_children(hive, kept.list[i], keep_key, &kept, NULL));
    require(km_hive_time(hive, kept.list[i]) >= 0);
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
      km_registry_value value;
      km_status status = km_hive_value(hive, kept.list[i], values[k], &value, NULL);
      check_status(status);
      require(status != KM_OK || (value.data != NULL && value.size <= KM_MAX_VALUE));
      if (status == KM_OK)
        km_registry_value_free(&value);
    }
  }
}

/* ---- A target whose two hives are the input ---- */

static km_status root_of(km_target *target, km_hive_id id, km_key *out, km_error *error) {
  (void)id;
  (void)error;
  *out = km_hive_root(target->state);
  return KM_OK;
}

static km_status child_of(km_target *target, km_key key, const char *name, km_key *out,
                          km_error *error) {
  return km_hive_child(target->state, key, name, out, error);
}

static km_status children_of(km_target *target, km_key key,
                             bool (*each)(void *user, const char *name, km_key child), void *user,
                             km_error *error) {
  return km_hive_children(target->state, key, each, user, error);
}

static km_status value_of(km_target *target, km_key key, const char *name, km_registry_value *out,
                          km_error *error) {
  return km_hive_value(target->state, key, name, out, error);
}

static km_time time_of(km_target *target, km_key key) {
  return km_hive_time(target->state, key);
}

static void close_key(km_target *target, km_key key) {
  (void)target;
  (void)key;
}

static const km_backend backend = {
    .name = "fuzz",
    .registry_root = root_of,
    .registry_child = child_of,
    .registry_children = children_of,
    .registry_value = value_of,
    .registry_time = time_of,
    .registry_close = close_key,
};

static void read_services(km_hive *hive) {
  km_target target = {.backend = &backend, .state = hive};
  km_services *services = NULL;
  km_service_order *order = NULL;
  static const char *const patterns[] = {"A*", "W3SVC"};
  km_status status = km_services_load(&target, &services, NULL);
  check_status(status);
  if (status != KM_OK)
    return;
  require(km_services_order(services, patterns, 2, true, &order, NULL) == KM_OK);
  require(order->stop_count <= km_services_count(services));
  require(order->start_count <= order->stop_count);
  km_service_order_free(order);
  km_services_free(services);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > MAX_INPUT)
    return 0;
  km_hive *hive = open_input(data, size);
  if (hive == NULL)
    return 0;
  walk(hive);
  read_services(hive);
  km_hive_close(hive);
  return 0;
}
