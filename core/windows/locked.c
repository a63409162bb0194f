/* locked.c: pages for secrets, on Windows */
#include "secret.h"

#include <windows.h>

/* Locking fails beyond the smallest working set of the process: the pages serve all the same. A crash dump of Windows
 * Error Reporting is small by default and holds no such pages. */
void *km_locked_pages(size_t size) {
  void *pages = VirtualAlloc(NULL, size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  if (pages)
    (void)VirtualLock(pages, size);
  return pages;
}

void km_locked_pages_free(void *pages, size_t size) {
  (void)size;
  (void)VirtualFree(pages, 0, MEM_RELEASE);
}
