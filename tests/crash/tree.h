/* tree.h: a folder with all below it, in memory: loaded, written out, compared */
#ifndef CRASH_TREE_H
#define CRASH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define MAX_NODES 512
#define MAX_LINKS 512

typedef struct node {
  unsigned long ino; /* where it was loaded or made */
  bool folder;
  mode_t mode; /* permission bits */
  uid_t uid;
  gid_t gid;
  struct timespec written;
  uint8_t *data; /* shared between copies of a tree; never changed in place */
  size_t size;
} node;

/* A name in a folder. */
typedef struct link_row {
  int folder, node; /* indices; node -1: gone */
  char name[256];
} link_row;

/* Node 0 is the folder itself. */
typedef struct tree {
  node nodes[MAX_NODES];
  int node_count;
  link_row links[MAX_LINKS];
  int link_count;
} tree;

/* Prints to stderr and ends with status 2: the test itself cannot go on. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Content is kept in an arena until tree_forget, so that trees may be copied by assignment. */
void *tree_keep(const void *data, size_t size);
size_t tree_mark(void);
void tree_forget(size_t mark);

void tree_load(tree *out, const char *path);
/* Empties the folder `path` (made when absent) and writes the tree there. */
void tree_write(const tree *t, const char *path);
uint64_t tree_hash(const tree *t);

int tree_add(tree *t, int folder, const char *name, const node *n);
link_row *tree_find(tree *t, int folder, const char *name);
/* The node at a path with '/', ignoring case; -1: none. */
int tree_at(const tree *t, const char *path);
int tree_by_ino(const tree *t, unsigned long ino);
int tree_links(const tree *t, int node);

/* Whether the folders at two paths hold the same names, bytes, last-write times, modes, owners and
 * link counts; `why` gets the first difference. */
bool tree_same_folder(const tree *a, int folder_a, const tree *b, int folder_b, char why[512]);

/* Whether a file with these bytes and this last-write time stands below a folder. */
bool tree_holds(const tree *t, int folder, const node *file);
/* The same for a file named <n>.copy. */
bool tree_holds_copy(const tree *t, int folder, const node *file);

#endif
