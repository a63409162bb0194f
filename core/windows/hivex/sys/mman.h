/* mman.h: mmap for hivex: the memory behind a descriptor of shim.c */
#ifndef KM_HIVEX_MMAN_H
#define KM_HIVEX_MMAN_H

#include <stddef.h>

#define PROT_READ 1
#define MAP_SHARED 1
#define MAP_FAILED ((void *)-1)

/* The memory itself. `at`, `protection`, `flags` and `offset` must be NULL, PROT_READ, MAP_SHARED and 0, and `size` all
 * of it; MAP_FAILED with EINVAL else. */
void *km_hivex_map(void *at, size_t size, int protection, int flags, int descriptor, long offset);

/* There is nothing to release: the memory is the caller's of hivex_open. */
int km_hivex_unmap(void *at, size_t size);

#define mmap km_hivex_map
#define munmap km_hivex_unmap

#endif
