/* power.c: what a volume may hold after a power cut, made from a trace of calls */
#include "power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define RANDOM_COMBINATIONS 8
#define MAX_SEEN 65536

/* ---- the trace ---- */

static bool parse_line(char *line, trace_call *c) {
  char *field[10];
  for (int i = 0; i < 10; i++) {
    field[i] = strsep(&line, "\t");
    if (field[i] == NULL)
      return false;
  }
  snprintf(c->op, sizeof c->op, "%s", field[0]);
  c->ino = strtoul(field[1], NULL, 10);
  c->dir = strtoul(field[2], NULL, 10);
  snprintf(c->name, sizeof c->name, "%s", field[3]);
  c->dir2 = strtoul(field[4], NULL, 10);
  snprintf(c->name2, sizeof c->name2, "%s", field[5]);
  c->value = strtoll(field[6], NULL, 10);
  c->size = strtoul(field[7], NULL, 10);
  c->result = strtol(field[8], NULL, 10);
  c->number = atoi(field[9]);
  return true;
}

void trace_read(trace *out, const char *path) {
  char line[2048];
  out->count = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return;
  while (fgets(line, sizeof line, file) != NULL) {
    trace_call *c = &out->calls[out->count++];
    if (out->count == MAX_CALLS || !parse_line(line, c))
      broken("%s: not a trace", path);
    uint8_t *data = malloc(c->size + 1);
    if (data == NULL || fread(data, 1, c->size, file) != c->size)
      broken("%s: cut short", path);
    c->data = tree_keep(data, c->size);
    free(data);
  }
  fclose(file);
}

/* ---- calls as changes of a tree ---- */

typedef struct change {
  const trace_call *call;
  int node, folder, folder2; /* indices into the tree that has all nodes; -1: none */
  bool data;                 /* bytes or metadata of `node`; else an entry */
} change;

typedef struct history {
  tree all; /* the start with every file that is made later, not yet linked */
  change changes[MAX_CALLS];
  int count;
  int commit; /* the change that writes the commit record, or -1 */
} history;

static bool is(const trace_call *c, const char *op) {
  return strcmp(c->op, op) == 0;
}

static bool is_flush(const trace_call *c) {
  return is(c, "fsync") || is(c, "fdatasync");
}

static void make_history(history *h, const tree *start, const trace *calls, int commit) {
  h->all = *start;
  h->count = 0;
  h->commit = -1;
  for (int i = 0; i < calls->count; i++) {
    const trace_call *c = &calls->calls[i];
    if (i == commit)
      h->commit = h->count;
    change *ch = &h->changes[h->count++];
    ch->call = c;
    if (c->result < 0) { /* nothing happened */
      h->count--;
      continue;
    }
    if (is(c, "create") || is(c, "mkdir")) {
      node n = {.ino = c->ino, .folder = is(c, "mkdir"), .mode = 0600, .written = {.tv_sec = 1}};
      n.uid = start->nodes[0].uid;
      n.gid = start->nodes[0].gid;
      n.data = tree_keep("", 0);
      if (n.folder)
        n.mode = (mode_t)c->value;
      tree_add(&h->all, -1, "", &n);
    }
    ch->node = tree_by_ino(&h->all, c->ino);
    ch->folder = c->dir != 0 ? tree_by_ino(&h->all, c->dir) : -1;
    ch->folder2 = c->dir2 != 0 ? tree_by_ino(&h->all, c->dir2) : -1;
    ch->data = is(c, "write") || is(c, "truncate") || is(c, "chmod") || is(c, "chown") ||
               is(c, "times") || is(c, "setxattr") || is(c, "removexattr");
    if (ch->node < 0 && !is(c, "rmdir"))
      broken("trace: %s %s of an unknown file", c->op, c->name);
  }
}

static void write_bytes(node *n, const uint8_t *data, size_t from, size_t to, size_t offset) {
  size_t size = offset + to > n->size ? offset + to : n->size;
  uint8_t *bytes = calloc(1, size + 1);
  if (bytes == NULL)
    broken("out of memory");
  if (n->size > 0)
    memcpy(bytes, n->data, n->size);
  memcpy(bytes + offset + from, data + from, to - from);
  n->data = tree_keep(bytes, size);
  n->size = size;
  free(bytes);
}

static void drop_entry(tree *t, int folder, const char *name, int expected) {
  link_row *row = tree_find(t, folder, name);
  if (row != NULL && (expected < 0 || row->node == expected))
    row->node = -1;
}

static void set_entry(tree *t, int folder, const char *name, int n) {
  drop_entry(t, folder, name, -1);
  for (int i = 0; i < t->link_count; i++)
    if (t->links[i].node == -1) { /* a free row */
      t->links[i].folder = folder;
      t->links[i].node = n;
      snprintf(t->links[i].name, sizeof t->links[i].name, "%s", name);
      return;
    }
  if (t->link_count == MAX_LINKS)
    broken("the tree is too large");
  link_row *row = &t->links[t->link_count++];
  row->folder = folder;
  row->node = n;
  snprintf(row->name, sizeof row->name, "%s", name);
}

static void apply_data(tree *t, const change *ch) {
  const trace_call *c = ch->call;
  node *n = &t->nodes[ch->node];
  if (is(c, "write"))
    write_bytes(n, c->data, 0, (size_t)c->result, (size_t)c->value);
  if (is(c, "truncate"))
    n->size = (size_t)c->value < n->size ? (size_t)c->value : n->size;
  if (is(c, "chmod"))
    n->mode = (mode_t)c->value & 07777;
  if (is(c, "times"))
    memcpy(&n->written, c->data, sizeof n->written);
  if (is(c, "chown")) {
    uint32_t both[2];
    memcpy(both, c->data, sizeof both);
    n->uid = both[0];
    n->gid = both[1];
  }
}

static void apply_change(tree *t, const change *ch) {
  const trace_call *c = ch->call;
  if (ch->data) {
    apply_data(t, ch);
  } else if (is(c, "create") || is(c, "mkdir")) {
    set_entry(t, ch->folder, c->name, ch->node);
  } else if (is(c, "link")) {
    set_entry(t, ch->folder2, c->name2, ch->node);
  } else if (is(c, "rename")) {
    const link_row *there = tree_find(t, ch->folder2, c->name2);
    if (there != NULL && there->node == ch->node)
      return; /* the same file: POSIX does nothing */
    drop_entry(t, ch->folder, c->name, ch->node);
    set_entry(t, ch->folder2, c->name2, ch->node);
  } else if (is(c, "unlink") || is(c, "rmdir")) {
    drop_entry(t, ch->folder, c->name, ch->node);
  } else if (!is_flush(c)) {
    broken("trace: %s is not known to the model", c->op);
  }
}

/* ---- what is durable ---- */

static bool flushed(const history *h, int from, int to, int n) {
  for (int i = from + 1; i < to; i++)
    if (is_flush(h->changes[i].call) && h->changes[i].node == n)
      return true;
  return false;
}

/* Whether change i is durable when the power goes before call `to`. */
static bool durable(const history *h, int i, int to) {
  const change *ch = &h->changes[i];
  if (is_flush(ch->call))
    return true;
  if (ch->data)
    return flushed(h, i, to, ch->node);
  if (ch->folder >= 0 && !is(ch->call, "link") && !flushed(h, i, to, ch->folder))
    return false;
  return ch->folder2 < 0 || flushed(h, i, to, ch->folder2);
}

/* ---- all states ---- */

typedef struct walk {
  const history *h;
  void (*each)(void *user, const tree *state, moment when, const char *what);
  void *user;
  uint64_t seen[MAX_SEEN];
  size_t seen_count;
  unsigned random;
  long states;
} walk;

static bool is_new(walk *w, uint64_t hash) {
  for (size_t i = 0; i < w->seen_count; i++)
    if (w->seen[i] == hash)
      return false;
  if (w->seen_count == MAX_SEEN)
    broken("too many states");
  w->seen[w->seen_count++] = hash;
  return true;
}

/* `done` calls were made before the power went. */
static void hand_out(walk *w, const tree *t, int done, const char *what) {
  moment when = UNCOMMITTED;
  if (w->h->commit >= 0 && done > w->h->commit)
    when = done == w->h->commit + 1 ? COMMITTING : COMMITTED;
  if (!is_new(w, tree_hash(t) * 3 + (uint64_t)when))
    return;
  w->states++;
  w->each(w->user, t, when, what);
}

/* `kept[i]` tells of each change before call `to` that is not durable whether it is there. */
static void combination(walk *w, int to, const bool *kept, const char *what) {
  static tree t;
  t = w->h->all;
  for (int i = 0; i < to; i++)
    if (kept[i])
      apply_change(&t, &w->h->changes[i]);
  hand_out(w, &t, to, what);
}

/* The last call was a write: of its sectors only the first ones, or all but the first, are there.
 */
static void torn(walk *w, int to, const bool *kept) {
  static tree t;
  char what[64];
  const change *last = &w->h->changes[to - 1];
  if (!is(last->call, "write") || last->call->result <= SECTOR)
    return;
  size_t size = (size_t)last->call->result, offset = (size_t)last->call->value;
  size_t cuts[] = {SECTOR, size / 2 / SECTOR * SECTOR, (size - 1) / SECTOR * SECTOR};
  for (size_t i = 0; i < 6; i++) {
    size_t cut = cuts[i / 2];
    t = w->h->all;
    for (int k = 0; k < to - 1; k++)
      if (kept[k])
        apply_change(&t, &w->h->changes[k]);
    if (i % 2 == 0)
      write_bytes(&t.nodes[last->node], last->call->data, 0, cut, offset);
    else
      write_bytes(&t.nodes[last->node], last->call->data, cut, size, offset);
    snprintf(what, sizeof what, "call %d torn at %zu", to, cut);
    hand_out(w, &t, to, what);
  }
}

static bool next_bit(walk *w) {
  w->random = w->random * 1103515245u + 12345u;
  return (w->random >> 16 & 1) != 0;
}

/* All combinations that are tried when the power goes before call `to`. */
static void cut_before(walk *w, int to) {
  static bool kept[MAX_CALLS], some[MAX_CALLS];
  int open[MAX_CALLS], count = 0;
  char what[64];
  for (int i = 0; i < to; i++) {
    kept[i] = true;
    if (!durable(w->h, i, to))
      open[count++] = i;
  }
  snprintf(what, sizeof what, "before call %d, %d unflushed", to + 1, count);
  combination(w, to, kept, what);
  if (to > 0)
    torn(w, to, kept);
  for (int all = 0; all < 2; all++)
    for (int i = -1; i < count; i++) { /* none or all of them, then with one the other way */
      memcpy(some, kept, sizeof some);
      for (int k = 0; k < count; k++)
        some[open[k]] = (k == i) != (all == 1);
      combination(w, to, some, what);
    }
  for (int i = 0; i < RANDOM_COMBINATIONS && count > 2; i++) {
    memcpy(some, kept, sizeof some);
    for (int k = 0; k < count; k++)
      some[open[k]] = next_bit(w);
    combination(w, to, some, what);
  }
}

long power_cuts(const tree *start, const trace *calls, int commit, unsigned seed,
                void (*each)(void *user, const tree *state, moment when, const char *what),
                void *user) {
  static history h;
  static walk w;
  make_history(&h, start, calls, commit);
  memset(&w, 0, sizeof w);
  w.h = &h;
  w.each = each;
  w.user = user;
  w.random = seed;
  for (int to = 0; to <= h.count; to++) {
    size_t mark = tree_mark();
    cut_before(&w, to);
    tree_forget(mark);
  }
  return w.states;
}
