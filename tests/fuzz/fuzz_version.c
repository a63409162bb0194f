/* fuzz_version.c: any bytes as a program file whose version is asked for. */
#include <stdlib.h>
#include <string.h>

#include "version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

/* Headers, and of each of three directories its head and its entries, 32 at once. */
#define MOST_READS (4 + 3 * (1 + KM_MAX_RESOURCE_ENTRIES / 32) + 2)

typedef struct input {
  const uint8_t *data;
  size_t size;
  unsigned reads;
} input;

static km_status give(void *user, void *data, size_t size, uint64_t offset, km_error *error) {
  input *file = user;
  (void)error;
  file->reads++;
  require(offset <= file->size && size <= file->size - offset);
  memcpy(data, file->data + offset, size);
  return KM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input file = {data, size, 0};
  const km_version_source source = {give, &file, size};
  uint16_t part[4];
  km_error error = {.message = ""};
  km_status status = km_version_parse(&source, part, &error);
  require(file.reads <= MOST_READS);
  if (status == KM_OK)
    return 0;
  require(status == KM_DAMAGED || status == KM_LIMIT);
  require(error.status == status && error.message[0] != '\0');
  require(part[0] == 0 && part[1] == 0 && part[2] == 0 && part[3] == 0);
  return 0;
}
