/* tree.c: a folder with all below it, in memory: loaded, written out, compared */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_PIECES 200000

static void *pieces[ARENA_PIECES];
static size_t piece_count;

void broken(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "crash: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, " (%s)\n", strerror(errno));
  va_end(arguments);
  exit(2);
}

void *tree_keep(const void *data, size_t size) {
  void *copy = malloc(size + 1);
  if (copy == NULL || piece_count == ARENA_PIECES)
    broken("out of memory");
  if (size > 0)
    memcpy(copy, data, size);
  pieces[piece_count++] = copy;
  return copy;
}

size_t tree_mark(void) {
  return piece_count;
}

void tree_forget(size_t mark) {
  while (piece_count > mark)
    free(pieces[--piece_count]);
}

/* ---- loading ---- */

int tree_add(tree *t, int folder, const char *name, const node *n) {
  if (t->node_count == MAX_NODES || t->link_count == MAX_LINKS)
    broken("the tree is too large");
  t->nodes[t->node_count] = *n;
  if (folder >= 0) {
    link_row *row = &t->links[t->link_count++];
    row->folder = folder;
    row->node = t->node_count;
    snprintf(row->name, sizeof row->name, "%s", name);
  }
  return t->node_count++;
}

int tree_by_ino(const tree *t, unsigned long ino) {
  for (int i = t->node_count - 1; i >= 0; i--)
    if (t->nodes[i].ino == ino)
      return i;
  return -1;
}

static void read_data(const char *path, node *n, size_t size) {
  uint8_t *data = malloc(size + 1);
  int fd = open(path, O_RDONLY | O_NOATIME | O_NOFOLLOW);
  if (data == NULL || fd < 0 || read(fd, data, size) != (ssize_t)size)
    broken("%s", path);
  close(fd);
  n->data = tree_keep(data, size);
  n->size = size;
  free(data);
}

static void load_folder(tree *t, int folder, const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL)
    broken("%s", path);
  for (const struct dirent *row = readdir(dir); row != NULL; row = readdir(dir)) {
    char below[PATH_MAX];
    struct stat st;
    if (strcmp(row->d_name, ".") == 0 || strcmp(row->d_name, "..") == 0)
      continue;
    snprintf(below, sizeof below, "%s/%s", path, row->d_name);
    if (lstat(below, &st) != 0)
      broken("%s", below);
    node n = {.ino = st.st_ino, .folder = S_ISDIR(st.st_mode), .mode = st.st_mode & 07777};
    n.uid = st.st_uid;
    n.gid = st.st_gid;
    n.written = st.st_mtim;
    int known = n.folder ? -1 : tree_by_ino(t, st.st_ino);
    if (known >= 0) {
      link_row *link = &t->links[t->link_count++];
      if (t->link_count == MAX_LINKS)
        broken("the tree is too large");
      link->folder = folder;
      link->node = known;
      snprintf(link->name, sizeof link->name, "%s", row->d_name);
      continue;
    }
    if (!n.folder)
      read_data(below, &n, (size_t)st.st_size);
    int added = tree_add(t, folder, row->d_name, &n);
    if (n.folder)
      load_folder(t, added, below);
  }
  closedir(dir);
}

void tree_load(tree *out, const char *path) {
  struct stat st;
  memset(out, 0, sizeof *out);
  if (stat(path, &st) != 0)
    broken("%s", path);
  node n = {.ino = st.st_ino, .folder = true, .mode = st.st_mode & 07777};
  n.uid = st.st_uid;
  n.gid = st.st_gid;
  tree_add(out, -1, "", &n);
  load_folder(out, 0, path);
}

/* ---- writing ---- */

static void empty_folder(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL)
    broken("%s", path);
  for (const struct dirent *row = readdir(dir); row != NULL; row = readdir(dir)) {
    char below[PATH_MAX];
    if (strcmp(row->d_name, ".") == 0 || strcmp(row->d_name, "..") == 0)
      continue;
    snprintf(below, sizeof below, "%s/%s", path, row->d_name);
    if (unlink(below) == 0)
      continue;
    empty_folder(below);
    if (rmdir(below) != 0)
      broken("%s", below);
  }
  closedir(dir);
}

static void set_meta(const node *n, const char *path) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, n->written};
  if (chown(path, n->uid, n->gid) != 0 || chmod(path, n->mode) != 0)
    broken("%s", path);
  if (!n->folder && utimensat(AT_FDCWD, path, times, 0) != 0)
    broken("%s", path);
}

static void write_file(const node *n, const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || write(fd, n->data, n->size) != (ssize_t)n->size)
    broken("%s", path);
  close(fd);
}

static void write_folder(const tree *t, int folder, const char *path, char (*made)[PATH_MAX]) {
  for (int i = 0; i < t->link_count; i++) {
    const link_row *row = &t->links[i];
    char below[PATH_MAX];
    if (row->folder != folder || row->node < 0)
      continue;
    const node *n = &t->nodes[row->node];
    snprintf(below, sizeof below, "%s/%s", path, row->name);
    if (n->folder) {
      if (mkdir(below, 0700) != 0)
        broken("%s", below);
      write_folder(t, row->node, below, made);
    } else if (made[row->node][0] != '\0') {
      if (link(made[row->node], below) != 0)
        broken("%s", below);
      continue;
    } else {
      write_file(n, below);
      snprintf(made[row->node], PATH_MAX, "%s", below);
    }
    set_meta(n, below);
  }
}

void tree_write(const tree *t, const char *path) {
  static char made[MAX_NODES][PATH_MAX];
  for (int i = 0; i < MAX_NODES; i++)
    made[i][0] = '\0';
  if (mkdir(path, 0755) != 0 && errno != EEXIST)
    broken("%s", path);
  empty_folder(path);
  write_folder(t, 0, path, made);
}

/* ---- looking ---- */

link_row *tree_find(tree *t, int folder, const char *name) {
  for (int i = 0; i < t->link_count; i++)
    if (t->links[i].folder == folder && t->links[i].node >= 0 &&
        strcmp(t->links[i].name, name) == 0)
      return &t->links[i];
  return NULL;
}

int tree_at(const tree *t, const char *path) {
  int at = 0;
  while (*path != '\0' && at >= 0) {
    size_t length = strcspn(path, "/");
    int next = -1;
    for (int i = 0; i < t->link_count; i++)
      if (t->links[i].folder == at && t->links[i].node >= 0 && strlen(t->links[i].name) == length &&
          strncasecmp(t->links[i].name, path, length) == 0)
        next = t->links[i].node;
    at = next;
    path += length + (path[length] == '/');
  }
  return at;
}

int tree_links(const tree *t, int n) {
  int count = 0;
  for (int i = 0; i < t->link_count; i++)
    count += t->links[i].node == n;
  return count;
}

/* FILETIME keeps 100 ns, so nothing finer is promised. */
static bool same_time(struct timespec a, struct timespec b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec / 100 == b.tv_nsec / 100;
}

static const char *difference(const tree *a, int in_a, const tree *b, int in_b) {
  const node *x = &a->nodes[in_a], *y = &b->nodes[in_b];
  if (x->folder != y->folder)
    return "kind";
  if (x->size != y->size || (x->size > 0 && memcmp(x->data, y->data, x->size) != 0))
    return "bytes";
  if (x->folder)
    return NULL;
  if (!same_time(x->written, y->written))
    return "last-write time";
  if (x->mode != y->mode)
    return "mode";
  if (x->uid != y->uid || x->gid != y->gid)
    return "owner";
  if (tree_links(a, in_a) != tree_links(b, in_b))
    return "link count";
  return NULL;
}

bool tree_same_folder(const tree *a, int folder_a, const tree *b, int folder_b, char why[512]) {
  int names = 0;
  for (int i = 0; i < a->link_count; i++) {
    const link_row *row = &a->links[i];
    if (row->folder != folder_a || row->node < 0)
      continue;
    names++;
    const link_row *other = tree_find((tree *)(uintptr_t)b, folder_b, row->name);
    const char *what = other == NULL ? "existence" : difference(a, row->node, b, other->node);
    if (what == NULL)
      continue;
    snprintf(why, 512, "%.200s differs in %s", row->name, what);
    return false;
  }
  for (int i = 0; i < b->link_count; i++) {
    if (b->links[i].folder != folder_b || b->links[i].node < 0)
      continue;
    if (tree_find((tree *)(uintptr_t)a, folder_a, b->links[i].name) == NULL) {
      snprintf(why, 512, "%.200s is missing", b->links[i].name);
      return false;
    }
  }
  return names > 0;
}

static bool ends_with(const char *name, const char *end) {
  size_t length = strlen(name), tail = strlen(end);
  return length >= tail && strcmp(name + length - tail, end) == 0;
}

static bool holds(const tree *t, int folder, const node *file, const char *end) {
  for (int i = 0; i < t->link_count; i++) {
    const link_row *row = &t->links[i];
    if (row->folder != folder || row->node < 0)
      continue;
    const node *n = &t->nodes[row->node];
    if (n->folder && holds(t, row->node, file, end))
      return true;
    if (!n->folder && ends_with(row->name, end) && n->size == file->size &&
        memcmp(n->data, file->data, n->size) == 0 && same_time(n->written, file->written))
      return true;
  }
  return false;
}

bool tree_holds(const tree *t, int folder, const node *file) {
  return holds(t, folder, file, "");
}

bool tree_holds_copy(const tree *t, int folder, const node *file) {
  return holds(t, folder, file, ".copy");
}

static uint64_t mix(uint64_t hash, const void *data, size_t size) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

static uint64_t hash_folder(const tree *t, int folder) {
  uint64_t sum = 0; /* names are in no order */
  for (int i = 0; i < t->link_count; i++) {
    const link_row *row = &t->links[i];
    if (row->folder != folder || row->node < 0)
      continue;
    const node *n = &t->nodes[row->node];
    int links = tree_links(t, row->node);
    uint64_t hash = mix(14695981039346656037u, row->name, strlen(row->name));
    hash = mix(hash, &n->mode, sizeof n->mode);
    hash = mix(hash, &links, sizeof links);
    hash = mix(hash, &n->uid, sizeof n->uid);
    if (n->folder) {
      uint64_t below = hash_folder(t, row->node);
      hash = mix(hash, &below, sizeof below);
    } else {
      hash = mix(hash, &n->written.tv_sec, sizeof n->written.tv_sec);
      hash = mix(hash, n->data, n->size);
    }
    sum += hash;
  }
  return sum;
}

uint64_t tree_hash(const tree *t) {
  return hash_folder(t, 0);
}
