/* crash.c: shows that nothing is lost: keymend killed, failed and cut off at every mutation
 *
 * Usage: crash KEYMEND SHIM VOLUME TIMES POLICY WORK [no-links] [script]
 *   VOLUME    a volume that POLICY repairs; it is only read   TIMES  its bodyfile
 *   script    POLICY is a script for "keymend run --write" that applies a plan of its own
 *   WORK      a folder to work in; it is emptied
 *   no-links  as on a file system without hard links, where files are moved instead
 * For the repair, its undo, and the recover after either, every intercepted call is a point. Ends
 * with "N passed, N failed, N skipped" and status 1 when something failed.
 */
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define LEAST_POINTS 200
#define SEED 20261123
#define MAX_STATES 200
#define MAX_TOLD 20 /* failures that are printed in full */

static bench b;
static tree before, after; /* the volume before the repair and after it */
static long passed, failed;
static long kills, faults, recover_kills, cuts, recover_cuts;

static void fail_point(const char *where, const char *what) {
  char line[256];
  failed++;
  if (failed > MAX_TOLD)
    return;
  printf("FAIL %s: %s\n", where, what);
  FILE *log = fopen(b.log, "r");
  while (log != NULL && fgets(line, sizeof line, log) != NULL)
    printf("    %s", line);
  if (log != NULL)
    fclose(log);
}

/* ---- what must hold ---- */

static int hive_of(const tree *t) {
  char path[1200];
  snprintf(path, sizeof path, "%s/software", b.config);
  return tree_at(t, path);
}

/* The SOFTWARE hive stands there, each of its bytes as it was before or as it is after: a kill within the write of the
 * machine GUID may leave text of both. */
static bool hive_whole(const tree *t, char why[512]) {
  int now = hive_of(t);
  const node *old = &before.nodes[hive_of(&before)], *new = &after.nodes[hive_of(&after)];
  const node *here = now < 0 ? NULL : &t->nodes[now];
  bool whole = here != NULL && here->size == old->size && here->size == new->size;
  for (size_t i = 0; whole && i < here->size; i++)
    whole = here->data[i] == old->data[i] || here->data[i] == new->data[i];
  if (!whole)
    snprintf(why, 512, "the SOFTWARE hive is %s",
             now < 0 ? "gone" : "neither the old nor the new one");
  return whole;
}

/* Every key file's bytes and last-write time stand in the store or in the vault. */
static bool nothing_lost(const tree *t, char why[512]) {
  if (!hive_whole(t, why))
    return false;
  int store = tree_at(&before, b.store), now = tree_at(t, b.store), vault = tree_at(t, b.vault);
  for (int i = 0; i < before.link_count; i++) {
    const link_row *row = &before.links[i];
    if (row->folder != store || before.nodes[row->node].folder)
      continue;
    const node *file = &before.nodes[row->node];
    if (now >= 0 && tree_holds(t, now, file))
      continue;
    if (vault >= 0 && tree_holds(t, vault, file))
      continue;
    snprintf(why, 512, "%.200s is lost", row->name);
    return false;
  }
  return true;
}

/* The time of the hive is no promise: it is written in place, and a kill may come before its time is set back. */
static bool same_store(const tree *t, const tree *wanted, char why[512]) {
  int now = tree_at(t, b.store), hive = hive_of(t);
  if (hive >= 0)
    ((tree *)(uintptr_t)t)->nodes[hive].written = wanted->nodes[hive_of(wanted)].written;
  if (now < 0 || tree_at(t, b.config) < 0) {
    snprintf(why, 512, "the store or the folder of the hives is gone");
    return false;
  }
  return tree_same_folder(wanted, tree_at(wanted, b.store), t, now, why) &&
         tree_same_folder(wanted, tree_at(wanted, b.config), t, tree_at(t, b.config), why);
}

/* From before the swap on, every file that is moved has its copy in the vault, with bytes and time.
 */
static bool copies_stand(const tree *t, char why[512]) {
  int store = tree_at(&before, b.store), vault = tree_at(t, b.vault);
  for (int i = 0; i < before.link_count; i++) {
    const link_row *row = &before.links[i];
    char unused[512];
    if (row->folder != store)
      continue;
    const link_row *then = tree_find(&after, tree_at(&after, b.store), row->name);
    bool moved = then == NULL || after.nodes[then->node].size != before.nodes[row->node].size ||
                 memcmp(after.nodes[then->node].data, before.nodes[row->node].data,
                        before.nodes[row->node].size) != 0;
    if (!moved || same_store(t, &before, unused))
      continue;
    if (vault >= 0 && tree_holds_copy(t, vault, &before.nodes[row->node]))
      continue;
    snprintf(why, 512, "%.200s has no copy in the vault, and the store has changed", row->name);
    return false;
  }
  return true;
}

static bool before_or_after(const tree *t, char why[512]) {
  char other[512];
  if (same_store(t, &before, why) || same_store(t, &after, other))
    return true;
  size_t used = strlen(why);
  snprintf(why + used, 512 - used, " (against before); %.200s (against after)", other);
  return false;
}

/* Which side recover has to end on. */
typedef enum expected { EITHER, BEFORE, AFTER } expected;

static bool as_expected(const tree *t, expected side, char why[512]) {
  if (side == BEFORE)
    return same_store(t, &before, why);
  if (side == AFTER)
    return same_store(t, &after, why);
  return before_or_after(t, why);
}

/* The state at the root is mended by recover, and a second recover does nothing. */
static bool recovers(expected side, const char *where) {
  static tree t;
  static trace calls;
  static const order recording = {0, NULL};
  char why[512];
  int status = run_again(&b, VERB_RECOVER, NULL);
  size_t mark = tree_mark();
  bool good = true;
  tree_load(&t, b.root);
  if (status != 0) {
    snprintf(why, sizeof why, "recover ended with %d", status);
    good = false;
  }
  good = good && nothing_lost(&t, why) && as_expected(&t, side, why);
  if (good) {
    status = run_again(&b, VERB_RECOVER, &recording);
    trace_read(&calls, b.trace);
    good = status == 0 && calls.count == 0;
    snprintf(why, sizeof why, "a second recover ended with %d after %d changes", status,
             calls.count);
  }
  tree_forget(mark);
  if (!good)
    fail_point(where, why);
  return good;
}

/* A state that a crash left at the root: nothing is lost, and recover mends it. */
static bool check_state(const tree *state, expected side, const char *where) {
  char why[512];
  if (!nothing_lost(state, why) || !copies_stand(state, why)) {
    fail_point(where, why);
    return false;
  }
  bool good = recovers(side, where);
  passed += good;
  return good;
}

/* ---- kills ---- */

/* States that a killed verb leaves, each once: where recover is killed in turn. */
static tree *states;
static uint64_t hashes[MAX_STATES];
static expected sides[MAX_STATES];
static int state_count;

static void remember(const tree *t, expected side) {
  uint64_t hash = tree_hash(t);
  for (int i = 0; i < state_count; i++)
    if (hashes[i] == hash)
      return;
  if (state_count == MAX_STATES)
    broken("too many states");
  hashes[state_count] = hash;
  sides[state_count] = side;
  states[state_count++] = *t;
}

static bool is_write(const trace_call *c) {
  return strcmp(c->op, "write") == 0;
}

/* The call that writes the commit record: the last write but one, since the end record follows. */
static int commit_of(const trace *calls) {
  int writes = 0;
  for (int i = calls->count - 1; i >= 0; i--)
    if (is_write(&calls->calls[i]) && ++writes == 2)
      return i;
  return -1;
}

static void kill_at(const tree *start, verb v, unsigned at, const char *how, expected side,
                    bool keep) {
  static tree t;
  char where[128];
  order o = {at, how};
  snprintf(where, sizeof where, "%s killed %s call %u", verb_name(v), how, at);
  int status = run_verb(&b, start, v, &o);
  if (status != 256 + 9) {
    fail_point(where, "it was not killed");
    return;
  }
  size_t mark = tree_mark();
  tree_load(&t, b.root);
  if (keep)
    remember(&t, side);
  check_state(&t, side, where);
  if (!keep)
    tree_forget(mark);
}

static void kill_everywhere(const tree *start, verb v, const trace *calls, bool keep) {
  expected from = v == VERB_APPLY ? BEFORE : AFTER, to = v == VERB_APPLY ? AFTER : BEFORE;
  int commit = commit_of(calls);
  for (int i = 0; i < calls->count; i++) {
    unsigned at = (unsigned)i + 1;
    expected side = i <= commit ? from : to;
    kill_at(start, v, at, "before", side, keep);
    kills++;
    if (is_write(&calls->calls[i]) && calls->calls[i].size > 1) {
      kill_at(start, v, at, "half", side, keep);
      kills++;
    }
  }
  kill_at(start, v, (unsigned)calls->count, "after", to, keep);
  kills++;
}

/* ---- faults ---- */

static void fault_at(const tree *start, verb v, const trace *calls, unsigned at, int number) {
  static tree t;
  char where[128], how[16], why[512] = "";
  snprintf(how, sizeof how, "%d", number);
  snprintf(where, sizeof where, "%s, call %u (%s %s) fails with %s", verb_name(v), at,
           calls->calls[at - 1].op, calls->calls[at - 1].name, strerror(number));
  order o = {at, how};
  int status = run_verb(&b, start, v, &o);
  size_t mark = tree_mark();
  tree_load(&t, b.root);
  const tree *done = v == VERB_APPLY ? &after : &before, *back = v == VERB_APPLY ? &before : &after;
  bool good = nothing_lost(&t, why);
  if (good && (status >= 256 || (status & 64) != 0)) {
    snprintf(why, sizeof why, "it ended with %d", status);
    good = false;
  }
  good = good && same_store(&t, (status & 8) == 0 && status < 32 ? done : back, why);
  if (good)
    check_state(&t,
                (status & 8) == 0 && status < 32 ? (done == &after ? AFTER : BEFORE)
                                                 : (done == &after ? BEFORE : AFTER),
                where);
  else
    fail_point(where, why);
  tree_forget(mark);
  faults++;
}

static void fault_everywhere(const tree *start, verb v, const trace *calls) {
  static const int numbers[] = {EIO, ENOSPC, EACCES};
  for (int i = 0; i < calls->count; i++)
    for (size_t k = 0; k < 3; k++)
      fault_at(start, v, calls, (unsigned)i + 1, numbers[k]);
}

/* ---- power cuts ---- */

typedef struct cutting {
  const char *title;
  long *count;
  expected sides[3]; /* by moment */
} cutting;

static void cut(void *user, const tree *state, moment when, const char *what) {
  const cutting *c = user;
  char where[160];
  snprintf(where, sizeof where, "%s, power cut %s", c->title, what);
  tree_write(state, b.root);
  check_state(state, c->sides[when], where);
  ++*c->count;
}

/* ---- recover itself ---- */

static void crash_recover(const char *title) {
  static trace calls;
  static const order recording = {0, NULL};
  for (int i = 0; i < state_count; i++) {
    size_t mark = tree_mark();
    int status = run_verb(&b, &states[i], VERB_RECOVER, &recording);
    trace_read(&calls, b.trace);
    if (status != 0)
      fail_point(title, "recover failed");
    for (int k = 0; k < calls.count; k++) {
      kill_at(&states[i], VERB_RECOVER, (unsigned)k + 1, "before", sides[i], false);
      recover_kills++;
      if (!is_write(&calls.calls[k]))
        continue;
      kill_at(&states[i], VERB_RECOVER, (unsigned)k + 1, "half", sides[i], false);
      recover_kills++;
    }
    tree_forget(mark);
  }
}

/* Power cuts during a recover. */
static void cut_recover(const char *title) {
  static trace calls;
  static tree start;
  static const order recording = {0, NULL};
  for (int i = 0; i < state_count; i++) {
    size_t mark = tree_mark();
    tree_write(&states[i], b.root);
    tree_load(&start, b.root); /* with the inodes it has now */
    run_again(&b, VERB_RECOVER, &recording);
    trace_read(&calls, b.trace);
    cutting c = {title, &recover_cuts, {sides[i], sides[i], sides[i]}};
    if (calls.count > 0)
      power_cuts(&start, &calls, -1, SEED, cut, &c);
    tree_forget(mark);
  }
}

/* ---- one verb ---- */

static void record(const tree *start, verb v, tree *loaded, trace *calls) {
  static const order recording = {0, NULL};
  tree_write(start, b.root);
  tree_load(loaded, b.root);
  int status = run_again(&b, v, &recording);
  trace_read(calls, b.trace);
  if (status != 0) {
    fail_point(verb_name(v), "it does not work at all");
    printf("0 passed, 1 failed, 0 skipped\n");
    exit(1);
  }
}

static void check_strace(const tree *start, verb v) {
  static trace calls;
  char why[512];
  int count = 0;
  if (run_straced(&b, start, v) != 0) {
    fail_point(verb_name(v), "it fails under strace");
    return;
  }
  trace_read(&calls, b.trace);
  if (!strace_agrees(&b, &calls, &count, why)) {
    fail_point(verb_name(v), why);
    return;
  }
  passed++;
  printf("%s: %d mutating calls, all of them in strace's record too\n", verb_name(v), count);
}

static void crash_verb(const tree *start, verb v, const char *recover_title) {
  static tree loaded;
  static trace calls;
  record(start, v, &loaded, &calls);
  check_strace(start, v);
  state_count = 0;
  kill_everywhere(start, v, &calls, true);
  fault_everywhere(start, v, &calls);
  crash_recover(recover_title);
  record(start, v, &loaded, &calls);
  cutting c = {verb_name(v), &cuts, {BEFORE, EITHER, AFTER}};
  if (v == VERB_UNDO)
    c.sides[UNCOMMITTED] = AFTER, c.sides[COMMITTED] = BEFORE;
  power_cuts(&loaded, &calls, commit_of(&calls), SEED, cut, &c);
  cut_recover(recover_title);
  fflush(stdout);
}

/* ---- set-up ---- */

static void find_folders(void) {
  b.config = tree_at(&before, "WINNT/System32/config/software") >= 0 ? "WINNT/System32/config"
                                                                     : "Windows/System32/config";
  static char store[1024], vault[1024];
  static const char *const app_data[] = {"Documents and Settings/All Users/Application Data",
                                         "ProgramData"};
  for (size_t i = 0; i < 2; i++) {
    snprintf(store, sizeof store, "%s/Microsoft/Crypto/RSA/MachineKeys", app_data[i]);
    snprintf(vault, sizeof vault, "%s/keymend", app_data[i]);
    if (tree_at(&before, store) >= 0) {
      b.store = store;
      b.vault = vault;
      return;
    }
  }
  errno = ENOENT;
  broken("the volume has no key store");
}

static void set_up(char **argv) {
  char work[PATH_MAX];
  if (mkdir(argv[6], 0700) != 0 && errno != EEXIST)
    broken("%s", argv[6]);
  if (realpath(argv[6], work) == NULL || strlen(work) > 900)
    broken("%s", argv[6]);
  b.keymend = argv[1];
  b.shim = argv[2];
  b.policy = argv[5];
  snprintf(b.times, sizeof b.times, "%s", argv[4]);
  snprintf(b.root, sizeof b.root, "%.900s/volume", work);
  snprintf(b.trace, sizeof b.trace, "%.900s/trace", work);
  snprintf(b.log, sizeof b.log, "%.900s/log", work);
  snprintf(b.strace, sizeof b.strace, "%.900s/strace", work);
  tree_load(&before, argv[3]);
  find_folders();
  states = calloc(MAX_STATES, sizeof *states);
  if (states == NULL)
    broken("out of memory");
  if (run_verb(&b, &before, VERB_APPLY, NULL) != 0) {
    fail_point("apply", "it does not work at all");
    printf("0 passed, 1 failed, 0 skipped\n");
    exit(1);
  }
  tree_load(&after, b.root);
}

int main(int argc, char **argv) {
  char why[512];
  int known = 7;
  for (int i = 7; i < argc; i++) {
    b.no_links |= strcmp(argv[i], "no-links") == 0;
    b.script |= strcmp(argv[i], "script") == 0;
  }
  known += b.no_links + b.script;
  if (argc != known) {
    fprintf(stderr, "usage: crash KEYMEND SHIM VOLUME TIMES POLICY WORK [no-links] [script]\n");
    return 16;
  }
  set_up(argv);
  if (same_store(&after, &before, why))
    fail_point("apply", "it changed nothing");
  crash_verb(&before, VERB_APPLY, "recover after apply");
  crash_verb(&after, VERB_UNDO, "recover after undo");
  long points = kills + faults + recover_kills + cuts + recover_cuts;
  printf("%ld points: %ld kills, %ld faults (EIO, ENOSPC, EACCES), %ld kills of recover, %ld power "
         "cuts,"
         " %ld power cuts of recover\n",
         points, kills, faults, recover_kills, cuts, recover_cuts);
  if (points < LEAST_POINTS)
    fail_point("all", "fewer points than there must be");
  printf("%ld passed, %ld failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
