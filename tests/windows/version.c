/* version.c: versions of files as a running Windows tells them, beside those that the version resource itself gives
 *
 *   version.exe FILE...    each file by its Windows path; a line for each, and "N passed, N failed, N skipped" at the end
 *
 * Both have to give the same four numbers, or both none, for the same reason.
 */
#include "version.h"

#include <windows.h>

#include <stdio.h>
#include <string.h>

static unsigned passed, failed;

static km_status read_piece(void *user, void *data, size_t size, uint64_t offset, km_error *error) {
  FILE *file = user;
  if (fseek(file, (long)offset, SEEK_SET) != 0 || fread(data, 1, size, file) != size)
    return km_fail(error, KM_IO, 0, "it cannot be read");
  return KM_OK;
}

/* What the version resource says. */
static km_status by_resource(const char *path, km_version_info *out) {
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return KM_NOT_FOUND;
  (void)fseek(file, 0, SEEK_END);
  out->size = (uint64_t)ftell(file);
  const km_version_source source = {read_piece, file, out->size};
  km_status status = km_version_parse(&source, out->part, NULL);
  (void)fclose(file);
  return status;
}

static const char *words(km_status status, const km_version_info *info, char text[64]) {
  (void)snprintf(text, 64, "%u.%u.%u.%u", info->part[0], info->part[1], info->part[2],
                 info->part[3]);
  return status == KM_OK ? text : km_status_id(status);
}

static void compare(km_target *target, const char *path) {
  km_version_info told = {.size = 0}, found = {.size = 0};
  km_error error = {.message = ""};
  char one[64], other[64];
  km_status status = km_file_version(target, path, &told, &error);
  km_status expected = by_resource(path, &found);
  bool same = status == expected && told.size == found.size &&
              (status != KM_OK || memcmp(told.part, found.part, sizeof told.part) == 0) &&
              (status == KM_NOT_FOUND || told.written != 0);
  *(same ? &passed : &failed) += 1;
  printf("%s %s: told %s, found %s%s%s\n", same ? "ok   " : "FAIL ", path,
         words(status, &told, one), words(expected, &found, other),
         error.message[0] != '\0' ? "; " : "", error.message);
}

int main(int count, char **paths) {
  km_target *target;
  km_error error;
  const km_target_options options = {.root = NULL};
  if (km_target_open(&options, &target, &error) != KM_OK) {
    printf("%s\n0 passed, 1 failed, 0 skipped\n", error.message);
    return 1;
  }
  for (int i = 1; i < count; i++)
    compare(target, paths[i]);
  km_target_close(target);
  printf("%u passed, %u failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
