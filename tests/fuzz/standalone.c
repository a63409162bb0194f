/* standalone.c: runs a libFuzzer target over given files and folders, without libFuzzer
 *
 * Usage: fuzz_<target> [FILE|FOLDER]...   Each file is one input, each folder is read with its subfolders.
 * A fault ends the process (abort, sanitizer), with the input's path as the last line before it. With every
 * input its prefixes up to MAX_PREFIXES lengths are run too, so that truncation is always covered.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE (64L * 1024 * 1024)
#define MAX_PREFIXES 256
#define MAX_DEPTH 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t files, runs;

static _Noreturn void fail(const char *path, const char *what) {
  fprintf(stderr, "%s: %s\n", path, what);
  exit(2);
}

/* Each run gets a copy of exactly `size` bytes, so that the sanitizer sees a read past the end. */
static void run_input(const uint8_t *data, size_t size) {
  uint8_t *copy = calloc(size > 0 ? size : 1, 1);
  if (copy == NULL)
    fail("input", "out of memory");
  if (size > 0)
    memcpy(copy, data, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  runs++;
}

static void run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    fail(path, strerror(errno));
  if (fseek(file, 0, SEEK_END) != 0)
    fail(path, "cannot be measured");
  long size = ftell(file);
  if (size < 0 || size > MAX_FILE)
    fail(path, "too large for an input");
  rewind(file);
  uint8_t *data = malloc((size_t)size + 1);
  if (data == NULL)
    fail(path, "out of memory");
  if (fread(data, 1, (size_t)size, file) != (size_t)size)
    fail(path, "cannot be read whole");
  fclose(file);

  printf("%s\n", path);
  fflush(stdout);
  size_t step = (size_t)size / MAX_PREFIXES + 1;
  for (size_t length = 0; length < (size_t)size; length += step)
    run_input(data, length);
  run_input(data, (size_t)size);
  free(data);
  files++;
}

static void run_path(const char *path, int depth) {
  struct stat info;
  if (stat(path, &info) != 0)
    fail(path, strerror(errno));
  if (!S_ISDIR(info.st_mode)) {
    run_file(path);
    return;
  }
  if (depth == MAX_DEPTH)
    fail(path, "folders are nested too deep");
  struct dirent **entries = NULL;
  int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0)
    fail(path, strerror(errno));
  for (int i = 0; i < count; i++) {
    char child[PATH_MAX];
    int length = snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
    if (length < 0 || (size_t)length >= sizeof child)
      fail(path, "a path in it is too long");
    if (entries[i]->d_name[0] != '.')
      run_path(child, depth + 1);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  run_input(NULL, 0);
  for (int i = 1; i < argc; i++)
    run_path(argv[i], 0);
  printf("%zu files, %zu runs, no fault\n", files, runs);
  return 0;
}
