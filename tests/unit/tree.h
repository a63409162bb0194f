/* tree.h: a temporary folder that stands for a volume, and an offline target on it, for unit
 * tests. */
#ifndef KM_UNIT_TREE_H
#define KM_UNIT_TREE_H

#include "offline.h"

#include <stddef.h>

#define TREE_STORE "ProgramData/Microsoft/Crypto/RSA/MachineKeys"
#define TREE_GUID "11111111-2222-3333-4444-555555555555"

typedef struct test_tree {
  char root[64]; /* host path */
  km_offline offline;
  km_target
      target; /* on `offline`; key store and app data as TREE_STORE says; machine GUID TREE_GUID */
} test_tree;

/* Makes an empty volume with the key store and opens the target on it; `times` may be NULL.
 * Asserts. */
void tree_open(test_tree *tree, const char *times);
/* Opens the target anew, for example after files were made that are read at the start. */
void tree_reopen(test_tree *tree, const char *times);
/* Closes and removes everything. */
void tree_close(test_tree *tree);

/* Paths are relative to the root, with '/'. Folders on the way are made. Asserts. */
void tree_folder(test_tree *tree, const char *path);
void tree_file(test_tree *tree, const char *path, const void *data, size_t size);
/* "<root>/<path>", in a buffer that the next call overwrites. */
const char *tree_path(test_tree *tree, const char *path);

#endif
