/* locked.c: pages for secrets, on POSIX */
#include "secret.h"

#include <sys/mman.h>

/* Locking fails where a limit of the process (RLIMIT_MEMLOCK) forbids it: the pages serve all the same. */
void *km_locked_pages(size_t size) {
  /* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS asks for */
  void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    return NULL;
  (void)mlock(pages, size);
  (void)madvise(pages, size, MADV_DONTDUMP);
  return pages;
}

void km_locked_pages_free(void *pages, size_t size) {
  (void)munmap(pages, size);
}
