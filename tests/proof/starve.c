/* starve.c: preloaded into the program under test: the n-th request for memory fails, once
 *
 * Environment:
 *   KEYMEND_STARVE_AT     number of the request that fails, from 1; absent: none
 *   KEYMEND_STARVE_COUNT  file that gets the number of requests when the program ends; absent: none
 *
 * Requests are malloc, calloc, realloc and mmap without a file, which secrets are held in. glibc's own names serve them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);               /* NOLINT */
void *__libc_calloc(size_t count, size_t size); /* NOLINT */
void *__libc_realloc(void *block, size_t size); /* NOLINT */

static long requests, fails_at;

/* Secrets' programs have one thread. */
static bool is_due(void) {
  if (++requests != fails_at)
    return false;
  errno = ENOMEM;
  return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's parameters have reserved names */

void *malloc(size_t size) {
  return is_due() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return is_due() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  return is_due() ? NULL : __libc_realloc(block, size);
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  if (file == -1 && is_due())
    return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("KEYMEND_STARVE_AT");
  requests = 0;
  fails_at = at != NULL ? strtol(at, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("KEYMEND_STARVE_COUNT");
  long count = requests;
  FILE *out = path != NULL ? fopen(path, "w") : NULL;
  if (out == NULL)
    return;
  fprintf(out, "%ld\n", count);
  fclose(out);
}
