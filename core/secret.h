/* secret.h: memory for secrets; internal to core/
 *
 * What is decrypted, and what decrypts it, lives here alone: in pages that are locked (as far as the process may lock
 * memory) and in no core dump, wiped when they are freed. Safe to call from any thread.
 */
#ifndef KM_SECRET_H
#define KM_SECRET_H

#include <stddef.h>

/* Zeroed memory; NULL: none left. Release with the same size: km_locked_free. */
void *km_locked_alloc(size_t size);
void km_locked_free(void *data, size_t size);

/* Wipes the stack below the caller; for those who have called ciphers or numbers. */
void km_wipe_stack(void);

/* What LibTomMath, as keymend builds it, takes its digits from. */
void *km_number_alloc(size_t size);
void *km_number_calloc(size_t count, size_t size);
void *km_number_realloc(void *data, size_t old_size, size_t size);
void km_number_free(void *data, size_t size);

/* ---- The platform's: core/offline/locked.c, core/windows/locked.c ---- */

/* Zeroed pages for at least `size` bytes, locked where that is allowed, left out of core dumps where the system knows
 * how; NULL: none left. The caller wipes them before it frees them. */
void *km_locked_pages(size_t size);
void km_locked_pages_free(void *pages, size_t size);

#endif
