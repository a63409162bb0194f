/* mman.h: a file's content in memory, for hivex; see shim.c */
#ifndef KM_HIVEX_MMAN_H
#define KM_HIVEX_MMAN_H

#include <stddef.h>

#define PROT_READ 1
#define MAP_SHARED 1
#define MAP_FAILED ((void *)-1)

/* The first `size` bytes of `descriptor`, read into memory of their own and read-only from then on. Behind them
 * stand KM_HIVEX_HOLE bytes of zeros, since hivex reads beyond the end of a damaged hive (core/offline/hive.c).
 * The other arguments must be NULL, PROT_READ, MAP_SHARED and 0. MAP_FAILED with errno: EIO when the file is
 * shorter, ENOMEM. */
void *km_hivex_map(void *at, size_t size, int protection, int flags, int descriptor, long offset);
int km_hivex_unmap(void *at, size_t size);

#define KM_HIVEX_HOLE ((size_t)16 << 20)

#define mmap km_hivex_map
#define munmap km_hivex_unmap

#endif
