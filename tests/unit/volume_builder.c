/* volume_builder.c: folders of a made-up Windows volume for the unit tests. */
#include "volume_builder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hive_builder.h"

#define OPEN_FOLDERS 16 /* while a tree is removed */

static void stop(const char *what) {
  perror(what);
  abort();
}

char *volume_path(const char *root, const char *path) {
  size_t size = strlen(root) + strlen(path) + 2;
  char *text = malloc(size);
  if (text == NULL)
    stop("volume_path");
  (void)snprintf(text, size, "%s/%s", root, path);
  return text;
}

char *volume_new(void) {
  const char *folder = getenv("TMPDIR");
  char *root = volume_path(folder != NULL ? folder : "/tmp", "keymend-unit-XXXXXX");
  if (mkdtemp(root) == NULL)
    stop(root);
  return root;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
  (void)st;
  (void)type;
  (void)walk;
  return remove(path);
}

void volume_remove(char *root) {
  if (nftw(root, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0)
    perror(root);
  free(root);
}

void volume_folder(const char *root, const char *path) {
  char *whole = volume_path(root, path);
  for (char *p = whole + strlen(root) + 1;; p++) {
    if (*p != '/' && *p != '\0')
      continue;
    char end = *p;
    *p = '\0';
    if (mkdir(whole, 0755) != 0 && errno != EEXIST)
      stop(whole);
    *p = end;
    if (end == '\0')
      break;
  }
  free(whole);
}

void volume_file(const char *root, const char *path, const void *data, size_t size) {
  char *whole = volume_path(root, path);
  char *folder = strdup(path);
  char *slash = folder == NULL ? NULL : strrchr(folder, '/');
  if (slash != NULL) {
    *slash = '\0';
    volume_folder(root, folder);
  }
  write_file(whole, data, size);
  free(folder);
  free(whole);
}
