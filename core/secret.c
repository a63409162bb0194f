/* secret.c: memory for secrets: locked, in no core dump, wiped when it is freed. */
#include "secret.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

/* Through a volatile pointer, so that the compiler cannot drop the writes as dead. */
void km_wipe(void *data, size_t size) {
  volatile unsigned char *bytes = data;
  for (size_t i = 0; i < size; i++)
    bytes[i] = 0;
}

void km_secret_free(void *data, size_t size) {
  if (data == NULL)
    return;
  km_wipe(data, size);
  free(data);
}

/* ---- Blocks of locked pages ----
 *
 * Regions of locked pages are cut into blocks of powers of two; a freed block is wiped and waits in the list of its size.
 * Regions stay for the next secret until the process ends. What is larger has pages of its own. */

enum { BLOCK_MIN = 64, BLOCK_MAX = 16384, BLOCK_SIZES = 9, REGION = 65536 };

typedef struct free_block {
  struct free_block *next;
} free_block;

static struct {
  atomic_flag busy;
  free_block *free[BLOCK_SIZES]; /* by size */
  unsigned char *at;             /* what is not cut yet of the newest region */
  size_t left;
} store = {.busy = ATOMIC_FLAG_INIT};

/* Held for a few instructions only, or one call of the system. */
static void enter(void) {
  while (atomic_flag_test_and_set_explicit(&store.busy, memory_order_acquire)) {
  }
}

static void leave(void) {
  atomic_flag_clear_explicit(&store.busy, memory_order_release);
}

/* Which of the sizes; BLOCK_SIZES: pages of its own. */
static size_t size_index(size_t size) {
  size_t index = 0;
  for (size_t block = BLOCK_MIN; index < BLOCK_SIZES && block < size; block *= 2)
    index++;
  return index;
}

static void *cut_block(size_t size) {
  if (store.left < size) { /* the rest is smaller than the largest block, and is given up */
    store.at = km_locked_pages(REGION);
    store.left = store.at != NULL ? REGION : 0;
  }
  if (store.left < size)
    return NULL;
  void *block = store.at;
  store.at += size;
  store.left -= size;
  return block;
}

void *km_locked_alloc(size_t size) {
  size_t index = size_index(size);
  if (index == BLOCK_SIZES)
    return km_locked_pages(size);
  enter();
  free_block *block = store.free[index];
  if (block != NULL) {
    store.free[index] = block->next;
    block->next = NULL;
  } else {
    block = cut_block((size_t)BLOCK_MIN << index);
  }
  leave();
  return block;
}

void km_locked_free(void *data, size_t size) {
  if (data == NULL)
    return;
  size_t index = size_index(size);
  km_wipe(data, size);
  if (index == BLOCK_SIZES) {
    km_locked_pages_free(data, size);
    return;
  }
  free_block *block = data;
  enter();
  block->next = store.free[index];
  store.free[index] = block;
  leave();
}

/* Calls below this one have used less: the deepest is LibTomMath's exponentiation. */
void km_wipe_stack(void) {
  unsigned char used[48 * 1024];
  km_wipe(used, sizeof used);
}

/* ---- LibTomMath's numbers (.ci/third says so when it is built) ---- */

void *km_number_alloc(size_t size) {
  return km_locked_alloc(size);
}

void *km_number_calloc(size_t count, size_t size) {
  return size != 0 && count > SIZE_MAX / size ? NULL : km_locked_alloc(count * size);
}

void *km_number_realloc(void *data, size_t old_size, size_t size) {
  void *moved = km_locked_alloc(size);
  if (moved == NULL)
    return NULL;
  if (data != NULL)
    memcpy(moved, data, old_size < size ? old_size : size);
  km_locked_free(data, old_size);
  return moved;
}

void km_number_free(void *data, size_t size) {
  km_locked_free(data, size);
}
