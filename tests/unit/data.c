/* data.c: finds and reads real files for tests. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>

bool test_data_path(const char *relative, char *path, size_t size) {
  const char *folder = getenv("KEYMEND_DATA");
  if (folder == NULL || folder[0] == '\0')
    folder = "../shared/data";
  snprintf(path, size, "%s/%s", folder, relative);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    printf("skipped: %s is not there (KEYMEND_DATA names the folder with real files)\n", path);
    return false;
  }
  fclose(file);
  return true;
}

uint8_t *test_data_read(const char *relative, size_t *size) {
  char path[1024];
  if (!test_data_path(relative, path, sizeof path))
    return NULL;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return NULL;
  uint8_t *data = NULL;
  if (fseek(file, 0, SEEK_END) == 0) {
    long length = ftell(file);
    rewind(file);
    if (length >= 0)
      data = malloc((size_t)length + 1);
    *size = (size_t)length;
    if (data != NULL && fread(data, 1, *size, file) != *size) {
      free(data);
      data = NULL;
    }
  }
  fclose(file);
  return data;
}
