/* fuzz_times.c: any bytes as a --times file, and as a security descriptor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ntfs.h"
#include "times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth) {
  if (!truth)
    abort();
}

static void check_times(const uint8_t *data, size_t size) {
  km_times *times = NULL;
  km_error error;
  FILE *stream = fmemopen((void *)data, size, "r");
  require(stream != NULL);
  km_status status = km_times_read(stream, "fuzz", &times, &error);
  fclose(stream);
  if (status != KM_OK) {
    require(status == KM_DAMAGED && error.status == status && times == NULL);
    require(strstr(error.message, "line ") != NULL);
    return;
  }
  require(km_times_count(times) <= size);
  km_time created = km_times_created(times, "C:\\ProgramData\\Microsoft\\Crypto\\Keys", "a");
  require(created >= 0);
  km_times_free(times);
}

static void check_descriptor(const uint8_t *data, size_t size) {
  char owner[KM_SID_TEXT];
  const char *problem = NULL;
  bool has_owner = km_descriptor_owner(data, size, owner);
  require(memchr(owner, '\0', sizeof owner) != NULL);
  require(has_owner == (owner[0] != '\0'));
  if (km_descriptor_is_private(data, size, &problem))
    require(has_owner && strcmp(owner, "S-1-5-18") == 0);
  else
    require(problem != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  check_times(data, size);
  check_descriptor(data, size);
  return 0;
}
