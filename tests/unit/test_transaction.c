/* test_transaction.c: apply, undo, recover, history, purge over a volume in memory; every crash and
 * fault in turn */
#include "descriptor_builder.h"
#include "fake_backend.h"
#include "grant.h"
#include "transaction.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "c2319c42033a5ca7f44e731bfd3fa2b5"
#define B "7a436fe806e483969f48a894af2fe9a1"
#define C "6de9cb26d2b98c01ec4e9e8b34824aa2"
#define NEW "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define OLD "2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"
#define UPPER "767E77B0-C6AD-4D27-8F44-B62351B7069A"
#define STORE_PATH "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"

/* ---- scenarios: files of the store, and steps over them ---- */

#define GRANTS "+"

typedef struct scenario {
  const char *title;
  struct {
    const char *name, *content;
  } files[8];
  struct {
    const char *name, *to; /* to NULL: retire; GRANTS: add entries */
  } steps[6];
} scenario;

static const scenario scenarios[] = {
    {"the KB's case",
     {{A "_" NEW, "regenerated"}, {A "_" OLD, "the old key"}, {B "_" OLD, "bystander"}},
     {{A "_" NEW, NULL}, {A "_" OLD, A "_" NEW}}},
    {"adopt named first",
     {{A "_" NEW, "regenerated"}, {A "_" OLD, "the old key"}},
     {{A "_" OLD, A "_" NEW}, {A "_" NEW, NULL}}},
    {"orphan alone", {{A "_" OLD, "the old key"}}, {{A "_" OLD, A "_" NEW}}},
    {"retire alone", {{A "_" NEW, "regenerated"}, {B "_" NEW, "bystander"}}, {{A "_" NEW, NULL}}},
    {"equal contents",
     {{A "_" NEW, "the same"}, {A "_" OLD, "the same"}},
     {{A "_" NEW, NULL}, {A "_" OLD, A "_" NEW}}},
    {"a stray",
     {{A "_" NEW, "regenerated"}, {A "_" OLD ".OLD", "the old key"}},
     {{A "_" NEW, NULL}, {A "_" OLD ".OLD", A "_" NEW}}},
    {"upper case",
     {{A "_" UPPER, "regenerated"}, {A "_" OLD, "the old key"}},
     {{A "_" UPPER, NULL}, {A "_" OLD, A "_" NEW}}},
    {"three at once",
     {{A "_" NEW, "new a"},
      {A "_" OLD, "old a"},
      {B "_" NEW, "new b"},
      {B "_" OLD, "old b"},
      {C "_" OLD, "old c"}},
     {{A "_" NEW, NULL},
      {A "_" OLD, A "_" NEW},
      {C "_" OLD, C "_" NEW},
      {B "_" NEW, NULL},
      {B "_" OLD, B "_" NEW}}},
    {"entries added",
     {{A "_" NEW, "the key"}, {A "_" OLD, "an older one"}, {C "_" NEW, "the key"}},
     {{A "_" NEW, GRANTS}, {C "_" NEW, GRANTS}}},
};

static bool grants(const char *to) {
  return to != NULL && strcmp(to, GRANTS) == 0;
}

static const scenario *const adding = &scenarios[COUNT_OF(scenarios) - 1];

/* Administrators may all, SYSTEM nothing; the second one differs, so that they are not taken for each other. */
static void give_descriptor(km_file_meta *meta, bool second) {
  const built_entry entries[] = {{0, 0, KM_GRANT_FULL, "5 32 544", 0},
                                 {0, 0, KM_GRANT_READ, "5 19", 0}};
  built_descriptor built;
  build_descriptor(&built, entries, second ? 2 : 1, 0);
  free(meta->descriptor);
  meta->descriptor = malloc(built.size);
  assert_non_null(meta->descriptor);
  memcpy(meta->descriptor, built.data, built.size);
  meta->descriptor_size = built.size;
}

static fake_volume *make_volume(const scenario *s, bool no_links) {
  fake_volume *v = fake_new();
  km_target *target = fake_target(v);
  target->info.machine_guid = NEW;
  target->info.guid_form = KM_GUID_PLAIN;
  snprintf(target->info.guid, sizeof target->info.guid, "%s", NEW);
  fake_faults(v)->no_links = no_links;
  for (size_t i = 0; i < COUNT_OF(s->files) && s->files[i].name != NULL; i++)
    fake_put(v, FAKE_STORE, s->files[i].name, s->files[i].content,
             126000000000000000 + (km_time)i * 864000000001);
  for (size_t i = 0; i < COUNT_OF(s->steps) && grants(s->steps[i].to); i++)
    give_descriptor(fake_meta(v, FAKE_STORE, s->steps[i].name), i == 1);
  return v;
}

typedef struct test_plan {
  km_plan plan;
  km_step steps[6];
} test_plan;

/* The container of a name in the store, or of the name a step gives. */
static const char *container_of(const char *name, const char *to) {
  char hash[KM_HASH_TEXT];
  snprintf(hash, sizeof hash, "%.32s", to != NULL ? to : name);
  return km_known_container(hash);
}

static void make_grant(km_step *step, const km_file_meta *meta) {
  static const km_grant all[] = {{"S-1-5-18", KM_GRANT_FULL}, {"S-1-5-20", KM_GRANT_READ}};
  step->kind = KM_STEP_GRANT;
  step->grants = all;
  step->grant_count = COUNT_OF(all);
  km_descriptor_sha256(meta->descriptor, meta->descriptor_size, step->descriptor_sha256);
}

static void make_plan(fake_volume *v, const scenario *s, test_plan *out) {
  static const char *const services[] = {"W3SVC", "IISADMIN", NULL};
  memset(out, 0, sizeof *out);
  out->plan = (km_plan){.machine_guid = NEW,
                        .key_store = STORE_PATH,
                        .policies = "iis5",
                        .overrides = "",
                        .steps = out->steps,
                        .stop = services,
                        .start = services};
  for (size_t i = 0; i < COUNT_OF(s->steps) && s->steps[i].name != NULL; i++) {
    const char *name = s->steps[i].name;
    size_t size;
    const uint8_t *bytes = fake_bytes(v, FAKE_STORE, name, &size);
    const km_file_meta *meta = fake_meta(v, FAKE_STORE, name);
    km_step *step = &out->steps[out->plan.step_count++];
    step->kind = s->steps[i].to != NULL ? KM_STEP_ADOPT : KM_STEP_RETIRE;
    step->container = container_of(name, grants(s->steps[i].to) ? NULL : s->steps[i].to);
    step->name = name;
    step->to = s->steps[i].to;
    step->reason = "as the test says";
    step->size = size;
    step->identity = fake_identity(v, FAKE_STORE, name);
    step->created = meta->created;
    step->created_source = KM_TIME_NTFS;
    step->written = meta->written;
    km_sha256(bytes, size, step->sha256);
    if (grants(s->steps[i].to))
      make_grant(step, meta);
  }
}

static void nothing_lost(fake_volume *v, const scenario *s) {
  for (size_t i = 0; i < COUNT_OF(s->files) && s->files[i].name != NULL; i++)
    if (!fake_somewhere(v, s->files[i].content))
      fail_msg("%s: \"%s\" is lost after \"%s\"", s->title, s->files[i].name,
               fake_last_operation(v));
}

static km_status apply(fake_volume *v, const scenario *s, km_outcome *outcome, km_txn **txn,
                       km_error *error) {
  test_plan plan;
  make_plan(v, s, &plan);
  return km_apply(fake_target(v), &plan.plan, NULL, outcome, txn, error);
}

/* Applies without faults; returns the id. */
static void applied(fake_volume *v, const scenario *s, char id[KM_TXN_ID]) {
  km_outcome outcome;
  km_error error;
  km_txn *txn = NULL;
  if (apply(v, s, &outcome, &txn, &error) != KM_OK)
    fail_msg("%s: %s", s->title, error.message);
  assert_int_equal(outcome, KM_DONE);
  assert_non_null(txn);
  assert_int_equal(txn->state, KM_TXN_COMMITTED);
  snprintf(id, KM_TXN_ID, "%s", txn->id);
  km_txn_free(txn);
}

static km_txn_state state_of(fake_volume *v, const char *id) {
  km_history *history = NULL;
  km_error error;
  km_txn_state state = KM_TXN_UNREADABLE;
  if (km_history_read(fake_target(v), &history, &error) != KM_OK)
    fail_msg("%s", error.message);
  for (size_t i = 0; i < history->count; i++)
    if (id == NULL || strcmp(history->txns[i]->id, id) == 0)
      state = history->txns[i]->state;
  km_history_free(history);
  return state;
}

/* Whether the only transaction has put a file out of the store. */
static bool swap_began(fake_volume *v) {
  km_history *history = NULL;
  char folder[64];
  bool began = false;
  assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_OK);
  for (size_t i = 0; i < history->count; i++) {
    snprintf(folder, sizeof folder, "app/keymend/%s", history->txns[i]->id);
    began |= fake_has(v, folder, "0.link");
  }
  km_history_free(history);
  return began;
}

/* ---- every crash ---- */

typedef struct states {
  char *before, *after;
} states;

static states states_of(const scenario *s, bool no_links) {
  states st;
  char id[KM_TXN_ID];
  fake_volume *v = make_volume(s, no_links);
  st.before = fake_snapshot(v);
  applied(v, s, id);
  st.after = fake_snapshot(v);
  assert_string_not_equal(st.before, st.after);
  fake_free(v);
  return st;
}

static void free_states(states *st) {
  free(st->before);
  free(st->after);
}

static void check_recovered(fake_volume *v, const scenario *s, const states *st, unsigned point) {
  km_outcome outcome;
  km_error error;
  size_t count = 9;
  fake_restart(v);
  if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
    fail_msg("%s, point %u: recover: %s", s->title, point, error.message);
  nothing_lost(v, s);
  char *now = fake_snapshot(v);
  if (strcmp(now, st->before) != 0 && strcmp(now, st->after) != 0)
    fail_msg("%s, point %u: neither before nor after:\n%s", s->title, point, now);
  free(now);
  fake_restart(v);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_int_equal(count, 0);
  assert_int_equal(fake_operations(v), 0);
  assert_int_equal(outcome, KM_UNTOUCHED);
}

typedef void (*verb)(fake_volume *v, const scenario *s, const char *id);

static void verb_apply(fake_volume *v, const scenario *s, const char *id) {
  km_outcome outcome;
  km_error error;
  (void)id;
  apply(v, s, &outcome, NULL, &error);
}

static void verb_undo(fake_volume *v, const scenario *s, const char *id) {
  km_outcome outcome;
  km_error error;
  (void)s;
  km_undo(fake_target(v), id, NULL, &outcome, NULL, &error);
}

static fake_volume *prepare(const scenario *s, bool no_links, verb run, char id[KM_TXN_ID]) {
  fake_volume *v = make_volume(s, no_links);
  id[0] = '\0';
  if (run == verb_undo)
    applied(v, s, id);
  fake_restart(v);
  return v;
}

/* Dies at operation `first` of the verb and, unless 0, at operation `second` of the recover after
 * it. False when there are no such operations. */
static bool crash_point(const scenario *s, bool no_links, verb run, const states *st,
                        unsigned first, unsigned second, bool torn) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  size_t count;
  fake_volume *v = prepare(s, no_links, run, id);
  fake_faults(v)->die_at = first;
  fake_faults(v)->torn = torn;
  run(v, s, id);
  bool reached = fake_operations(v) >= first;
  nothing_lost(v, s);
  if (reached && second > 0) {
    fake_restart(v);
    fake_faults(v)->die_at = second;
    fake_faults(v)->torn = torn;
    km_recover(fake_target(v), NULL, &count, &outcome, &error);
    reached = fake_operations(v) >= second;
    nothing_lost(v, s);
  }
  check_recovered(v, s, st, first * 1000 + second);
  fake_free(v);
  return reached;
}

static unsigned crash_everywhere(const scenario *s, bool no_links, verb run, bool torn) {
  unsigned points = 0;
  states st = states_of(s, no_links);
  for (unsigned first = 1; crash_point(s, no_links, run, &st, first, 0, torn); first++) {
    points++;
    for (unsigned second = 1; crash_point(s, no_links, run, &st, first, second, torn); second++)
      points++;
  }
  free_states(&st);
  return points;
}

static void test_crash_apply(void **state) {
  unsigned points = 0;
  (void)state;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
    points += crash_everywhere(&scenarios[i], false, verb_apply, false);
    points += crash_everywhere(&scenarios[i], true, verb_apply, false);
  }
  points += crash_everywhere(&scenarios[0], false, verb_apply, true);
  print_message("apply: %u crash points\n", points);
  assert_true(points > 1000);
}

static void test_crash_undo(void **state) {
  unsigned points = 0;
  (void)state;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
    points += crash_everywhere(&scenarios[i], false, verb_undo, false);
    points += crash_everywhere(&scenarios[i], true, verb_undo, false);
  }
  points += crash_everywhere(&scenarios[0], false, verb_undo, true);
  print_message("undo: %u crash points\n", points);
  assert_true(points > 500);
}

/* ---- every fault ---- */

/* What the outcome promises must be so. */
static void check_outcome(fake_volume *v, const scenario *s, const states *st, km_status status,
                          km_outcome outcome, bool undo, const km_error *error) {
  const char *start = undo ? st->after : st->before, *done = undo ? st->before : st->after;
  char *now = fake_snapshot(v);
  nothing_lost(v, s);
  if (outcome == KM_ATTENTION)
    fail_msg("%s: one fault needs attention: %s", s->title, error->message);
  assert_int_equal(status == KM_OK, outcome == KM_DONE);
  if (strcmp(now, outcome == KM_DONE ? done : start) != 0)
    fail_msg("%s: outcome %d after \"%s\", but the store is:\n%s", s->title, (int)outcome,
             error->message, now);
  free(now);
}

static bool fault_point(const scenario *s, bool no_links, bool undo, const states *st,
                        unsigned point, km_status what) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error = {0};
  fake_volume *v = prepare(s, no_links, undo ? verb_undo : verb_apply, id);
  fake_faults(v)->fail_at = point;
  fake_faults(v)->fail_status = what;
  km_status status = undo ? km_undo(fake_target(v), id, NULL, &outcome, NULL, &error)
                          : apply(v, s, &outcome, NULL, &error);
  bool reached = fake_operations(v) >= point;
  check_outcome(v, s, st, status, outcome, undo, &error);
  if (status != KM_OK) {
    assert_int_equal(status, what);
    assert_int_equal(error.status, what);
  }
  char *was = fake_snapshot(v);
  check_recovered(v, s, st, point);
  char *now = fake_snapshot(v);
  assert_string_equal(was, now);
  free(was);
  free(now);
  fake_free(v);
  return reached;
}

static void test_faults(void **state) {
  static const km_status faults[] = {KM_IO, KM_NO_SPACE, KM_ACCESS};
  unsigned points = 0;
  (void)state;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++)
    for (int variant = 0; variant < 4; variant++) {
      states st = states_of(&scenarios[i], variant & 1);
      for (size_t f = 0; f < COUNT_OF(faults); f++)
        for (unsigned point = 1;
             fault_point(&scenarios[i], variant & 1, variant & 2, &st, point, faults[f]); point++)
          points++;
      free_states(&st);
    }
  print_message("%u faults\n", points);
  assert_true(points > 1000);
}

/* ---- the plain way ---- */

static void test_apply_and_undo(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
    const scenario *s = &scenarios[i];
    char id[KM_TXN_ID];
    km_outcome outcome;
    km_error error;
    km_txn *txn = NULL;
    fake_volume *v = make_volume(s, false);
    char *before = fake_snapshot(v);
    applied(v, s, id);
    assert_int_equal(state_of(v, id), KM_TXN_COMMITTED);
    nothing_lost(v, s);
    if (km_undo(fake_target(v), id, NULL, &outcome, &txn, &error) != KM_OK)
      fail_msg("%s", error.message);
    assert_int_equal(outcome, KM_DONE);
    assert_int_equal(txn->state, KM_TXN_UNDONE);
    km_txn_free(txn);
    char *now = fake_snapshot(v);
    assert_string_equal(now, before);
    assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, &error), KM_REFUSED);
    assert_int_equal(outcome, KM_UNTOUCHED);
    applied(v, s, id); /* and again */
    free(now);
    free(before);
    fake_free(v);
  }
}

static void test_identity_is_kept(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  uint64_t regenerated = fake_identity(v, FAKE_STORE, A "_" NEW);
  uint64_t orphan = fake_identity(v, FAKE_STORE, A "_" OLD);
  applied(v, &scenarios[0], id);
  assert_int_equal(fake_identity(v, FAKE_STORE, A "_" NEW), orphan);
  assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL), KM_OK);
  assert_int_equal(fake_identity(v, FAKE_STORE, A "_" NEW), regenerated);
  assert_int_equal(fake_identity(v, FAKE_STORE, A "_" OLD), orphan);
  fake_free(v);
}

/* What a rename changes of a file on the way is set right again, and that is seen by the checks. */
static void test_tunnelling(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  (void)state;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
    states st = states_of(&scenarios[i], false);
    fake_volume *v = make_volume(&scenarios[i], false);
    fake_faults(v)->tunnel = true;
    applied(v, &scenarios[i], id);
    char *now = fake_snapshot(v);
    assert_string_equal(now, st.after);
    free(now);
    assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL), KM_OK);
    now = fake_snapshot(v);
    assert_string_equal(now, st.before);
    free(now);
    free_states(&st);
    fake_free(v);
  }
}

/* A service that watches: between the first and the last operation the wanted name is never free.
 */
static void test_no_gap(void **state) {
  (void)state;
  for (unsigned point = 1;; point++) {
    char id[KM_TXN_ID];
    fake_volume *v = prepare(&scenarios[0], false, point % 2 ? verb_apply : verb_undo, id);
    fake_faults(v)->die_at = point / 2 + 1;
    (point % 2 ? verb_apply : verb_undo)(v, &scenarios[0], id);
    bool over = fake_operations(v) < point / 2 + 1;
    assert_true(fake_has(v, FAKE_STORE, A "_" NEW));
    fake_free(v);
    if (over && point > 100)
      break;
  }
}

/* ---- refusals ---- */

static void expect(fake_volume *v, const km_plan *plan, km_status status, const char *word) {
  km_outcome outcome;
  km_error error;
  unsigned operations = fake_operations(v);
  char *before = fake_snapshot(v);
  km_status got = km_apply(fake_target(v), plan, NULL, &outcome, NULL, &error);
  char *after = fake_snapshot(v);
  if (got != status)
    fail_msg("%s instead of %s: %s", km_status_id(got), km_status_id(status),
             got == KM_OK ? "" : error.message);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_int_equal(fake_operations(v), operations);
  assert_string_equal(before, after);
  if (word != NULL && strstr(error.message, word) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", error.message, word);
  free(before);
  free(after);
}

static void test_stale(void **state) {
  const scenario *s = &scenarios[0];
  (void)state;
  for (int change = 0; change < 8; change++) {
    test_plan plan;
    fake_volume *v = make_volume(s, false);
    make_plan(v, s, &plan);
    const char *word = NULL;
    if (change == 0)
      plan.steps[1].written++, word = "last-write";
    if (change == 1)
      plan.steps[1].created++, word = "creation";
    if (change == 2)
      plan.steps[0].identity++, word = "replaced";
    if (change == 3)
      plan.steps[0].size++, word = "size";
    if (change == 4)
      plan.steps[0].sha256[5] ^= 1, word = NULL;
    if (change == 5)
      fake_drop(v, FAKE_STORE, A "_" OLD), word = "gone";
    if (change == 6)
      plan.plan.machine_guid = OLD, word = "machine GUID";
    if (change == 7)
      plan.plan.key_store = "C:\\other", word = "key store";
    expect(v, &plan.plan, change == 4 && plan.steps[0].sha256[5] > 'f' ? KM_MISUSE : KM_STALE,
           word);
    fake_free(v);
  }
}

static void test_name_taken(void **state) {
  test_plan plan;
  (void)state;
  fake_volume *v = make_volume(&scenarios[2], false);
  make_plan(v, &scenarios[2], &plan);
  fake_put(v, FAKE_STORE, A "_" UPPER, "a service made this", 5);
  expect(v, &plan.plan, KM_STALE, "taken");
  fake_free(v);
}

static void test_odd_files(void **state) {
  test_plan plan;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  fake_link(v, FAKE_STORE, A "_" OLD, "second name");
  expect(v, &plan.plan, KM_REFUSED, "hard links");
  fake_drop(v, FAKE_STORE, "second name");
  fake_make_odd(v, FAKE_STORE, A "_" OLD);
  expect(v, &plan.plan, KM_REFUSED, "link");
  fake_free(v);
}

static void test_volume_and_lock(void **state) {
  test_plan plan;
  km_hive_info hive = {.name = "SOFTWARE", .path = "C:\\x", .sequence1 = 2, .dirty = true};
  km_outcome outcome;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  fake_faults(v)->volume = KM_READ_ONLY;
  expect(v, &plan.plan, KM_READ_ONLY, NULL);
  fake_faults(v)->volume = KM_OK;
  fake_faults(v)->busy = true;
  expect(v, &plan.plan, KM_BUSY, NULL);
  fake_faults(v)->busy = false;
  fake_target(v)->info.hives = &hive;
  fake_target(v)->info.hive_count = 1;
  expect(v, &plan.plan, KM_REFUSED, "--accept-dirty-hive");
  plan.plan.accept_dirty_hive = true;
  assert_int_equal(km_apply(fake_target(v), &plan.plan, NULL, &outcome, NULL, NULL), KM_OK);
  fake_free(v);
}

static void test_replayed_hive(void **state) {
  test_plan plan;
  km_hive_info hive = {
      .name = "SOFTWARE", .path = "C:\\x", .sequence1 = 2, .dirty = true, .replayed = true};
  km_outcome outcome;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  fake_target(v)->info.hives = &hive;
  fake_target(v)->info.hive_count = 1;
  assert_int_equal(km_apply(fake_target(v), &plan.plan, NULL, &outcome, NULL, NULL), KM_OK);
  fake_free(v);
}

static void test_forged_folder(void **state) {
  test_plan plan;
  km_history *history = NULL;
  km_outcome outcome;
  size_t count;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  fake_folder(v, FAKE_APP_DATA, "keymend", false);
  expect(v, &plan.plan, KM_FORGED, NULL);
  assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_FORGED);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, NULL), KM_FORGED);
  assert_int_equal(km_undo(fake_target(v), "20261123T121959Z-3f9a2c", NULL, &outcome, NULL, NULL),
                   KM_FORGED);
  fake_free(v);
}

static void test_bad_plans(void **state) {
  (void)state;
  for (int change = 0; change < 19; change++) {
    test_plan plan;
    km_status status = KM_MISUSE;
    fake_volume *v = make_volume(&scenarios[0], false);
    make_plan(v, &scenarios[0], &plan);
    km_step *retire = &plan.steps[0], *adopt = &plan.steps[1];
    if (change == 0)
      plan.plan.step_count = 0;
    if (change == 1)
      adopt->to = A "_" OLD; /* keeps its name, foreign GUID */
    if (change == 2)
      adopt->to = "somewhere";
    if (change == 3)
      adopt->name = "..\\SAM";
    if (change == 4)
      adopt->name = "a/b";
    if (change == 5)
      retire->name = "not unique";
    if (change == 6)
      *retire = *adopt;
    if (change == 7)
      adopt->to = NULL;
    if (change == 8)
      adopt->sha256[3] = 'G';
    if (change == 9)
      plan.plan.step_count = KM_MAX_STEPS + 1, status = KM_LIMIT;
    if (change == 10)
      adopt->size = KM_MAX_KEY_FILE + 1, status = KM_LIMIT;
    if (change == 11)
      fake_target(v)->info.guid_form = KM_GUID_BRACES, status = KM_REFUSED;
    if (change == 12)
      retire->name = A "_" OLD; /* no current key file */
    if (change == 13)
      retire->name = B "_" NEW; /* of another container */
    if (change == 14)
      retire->container = "MS IIS DCOM Server";
    if (change == 15)
      adopt->container = "MS IIS DCOM Server";
    if (change == 16)
      adopt->container = NULL;
    if (change >= 17)
      adopt->kind = KM_STEP_PRUNE;
    if (change == 17)
      adopt->name = "not unique";
    if (change == 18)
      adopt->container = "MS IIS DCOM Server";
    expect(v, &plan.plan, status, NULL);
    fake_free(v);
  }
}

/* A key file of another machine GUID leaves the store, and comes back. */
static void test_prune(void **state) {
  test_plan plan;
  km_outcome outcome;
  km_error error;
  km_txn *txn = NULL;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  plan.steps[0] = plan.steps[1];
  plan.steps[0].kind = KM_STEP_PRUNE;
  plan.steps[0].to = NULL;
  plan.plan.step_count = 1;
  assert_int_equal(km_apply(fake_target(v), &plan.plan, NULL, &outcome, &txn, &error), KM_OK);
  assert_int_equal(outcome, KM_DONE);
  assert_int_equal(txn->file_count, 1);
  assert_string_equal(txn->files[0].before, A "_" OLD);
  assert_null(txn->files[0].after);
  assert_false(fake_has(v, FAKE_STORE, A "_" OLD));
  assert_true(fake_has(v, FAKE_STORE, A "_" NEW));
  nothing_lost(v, &scenarios[0]);
  assert_int_equal(km_undo(fake_target(v), txn->id, NULL, &outcome, NULL, &error), KM_OK);
  assert_true(fake_has(v, FAKE_STORE, A "_" OLD));
  km_txn_free(txn);
  fake_free(v);
}

/* ---- entries added to a descriptor ---- */

static void test_grant_shown(void **state) {
  test_plan plan;
  km_outcome outcome;
  km_error error;
  km_txn *txn = NULL;
  km_history *history = NULL;
  (void)state;
  fake_volume *v = make_volume(adding, false);
  make_plan(v, adding, &plan);
  assert_int_equal(km_apply(fake_target(v), &plan.plan, NULL, &outcome, &txn, &error), KM_OK);
  assert_int_equal(txn->file_count, 2);
  assert_string_equal(txn->files[0].before, A "_" NEW);
  assert_string_equal(txn->files[0].after, A "_" NEW);
  assert_int_equal(txn->files[0].added_count, 2);
  assert_string_equal(txn->files[0].added[1].sid, "S-1-5-20");
  assert_int_equal(txn->files[1].added[0].mask, KM_GRANT_FULL);
  km_txn_free(txn);
  assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
  assert_int_equal(history->txns[0]->files[1].added_count, 2);
  km_history_free(history);
  make_plan(v, adding, &plan); /* as it is now */
  expect(v, &plan.plan, KM_REFUSED, "nothing is missing");
  fake_free(v);
}

static void test_grant_plans(void **state) {
  static const km_grant twice[] = {{"S-1-5-18", KM_GRANT_READ}, {"S-1-5-18", KM_GRANT_FULL}};
  static const km_grant all_users = {"S-1-1-0", KM_GRANT_READ};
  static const km_grant odd_mask = {"S-1-5-18", 0x10000000};
  (void)state;
  for (int change = 0; change < 14; change++) {
    test_plan plan;
    km_status status = KM_MISUSE;
    const char *word = NULL;
    fake_volume *v = make_volume(adding, false);
    make_plan(v, adding, &plan);
    km_step *step = &plan.steps[0];
    km_file_meta *meta = fake_meta(v, FAKE_STORE, A "_" NEW);
    if (change == 0)
      step->grants = &all_users, step->grant_count = 1, word = "only to SYSTEM";
    if (change == 1)
      step->grants = &odd_mask, step->grant_count = 1, word = "read or full";
    if (change == 2)
      step->grants = twice, word = "two entries";
    if (change == 3)
      step->grant_count = 0, word = "1 to 8";
    if (change == 4)
      step->grant_count = KM_MAX_GRANTS + 1, word = "1 to 8";
    if (change == 5)
      step->grants = NULL, word = "1 to 8";
    if (change == 6)
      step->descriptor_sha256[3] = '\0', word = "no SHA-256";
    if (change == 7)
      step->name = A "_" OLD, word = "current key file";
    if (change == 8)
      step->container = "MS IIS DCOM Server", word = "container";
    if (change == 9)
      plan.steps[1].kind = KM_STEP_RETIRE, word = "two plans";
    if (change == 10)
      meta->descriptor[meta->descriptor_size - 1] ^= 1, status = KM_STALE, word = "descriptor";
    if (change == 11)
      free(meta->descriptor), meta->descriptor = NULL, meta->descriptor_size = 0,
                              status = KM_UNSUPPORTED, word = "keeps no";
    if (change == 12)
      meta->written++, status = KM_STALE, word = "last-write";
    if (change == 13)
      step->sha256[0] = step->sha256[0] == 'a' ? 'b' : 'a', status = KM_STALE, word = "content";
    expect(v, &plan.plan, status, word);
    fake_free(v);
  }
}

/* Somebody changes the descriptor after it was looked at, or after it was set: it is not replaced. */
static void change_descriptor(fake_volume *v, const char *operation, void *user) {
  if (strncmp(operation, user, strlen(user)) == 0)
    give_descriptor(fake_meta(v, FAKE_STORE, A "_" NEW), true);
}

static void test_grant_meanwhile(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error = {0};
  (void)state;
  fake_volume *v = make_volume(adding, false);
  fake_faults(v)->meddle = change_descriptor;
  fake_faults(v)->meddle_user = "create 1.copy";
  assert_int_equal(apply(v, adding, &outcome, NULL, &error), KM_STALE);
  assert_int_equal(outcome, KM_ROLLED_BACK);
  assert_non_null(strstr(error.message, "somebody else"));
  fake_restart(v);
  char *changed = fake_snapshot(v);
  fake_volume *other = make_volume(adding, false);
  give_descriptor(fake_meta(other, FAKE_STORE, A "_" NEW), true);
  char *wanted = fake_snapshot(other);
  assert_string_equal(changed, wanted);
  free(changed);
  free(wanted);
  fake_free(v);
  applied(other, adding, id);
  give_descriptor(fake_meta(other, FAKE_STORE, A "_" NEW), false);
  assert_int_equal(km_undo(fake_target(other), id, NULL, &outcome, NULL, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, "security descriptor"));
  fake_free(other);
}

/* A copy that went bad after a crash: what was added is taken back all the same. */
static void test_grant_bad_copy(void **state) {
  (void)state;
  for (unsigned point = 1; point < 40; point++) {
    char id[KM_TXN_ID], folder[64];
    km_outcome outcome;
    km_history *history = NULL;
    size_t size, count;
    fake_volume *v = prepare(adding, false, verb_apply, id);
    char *before = fake_snapshot(v);
    fake_faults(v)->die_at = point;
    verb_apply(v, adding, id);
    fake_restart(v);
    assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_OK);
    bool open = history->count == 1 && history->txns[0]->state == KM_TXN_OPEN;
    if (open)
      snprintf(folder, sizeof folder, "app/keymend/%s", history->txns[0]->id);
    km_history_free(history);
    if (open && fake_has(v, folder, "0.copy")) {
      uint8_t *copy = fake_bytes(v, folder, "0.copy", &size);
      if (size > 0)
        copy[0] ^= 1;
      char *now = fake_snapshot(v);
      bool committed = false;
      assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, NULL), KM_OK);
      committed = state_of(v, NULL) == KM_TXN_COMMITTED;
      char *after = fake_snapshot(v);
      assert_string_equal(after, committed ? now : before);
      free(now);
      free(after);
    }
    free(before);
    fake_free(v);
  }
}

static void test_open_is_refused(void **state) {
  test_plan plan;
  km_outcome outcome;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  make_plan(v, &scenarios[0], &plan);
  fake_faults(v)->die_at = 18;
  assert_int_not_equal(km_apply(fake_target(v), &plan.plan, NULL, &outcome, NULL, NULL), KM_OK);
  fake_restart(v);
  assert_int_equal(state_of(v, NULL), KM_TXN_OPEN);
  expect(v, &plan.plan, KM_OPEN, "recover");
  fake_free(v);
}

/* Killed before the begin record: nothing was touched, so another repair may go on; recover removes
 * it. */
static void test_never_begun(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  size_t count = 0;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  fake_faults(v)->die_at = 7;
  verb_apply(v, &scenarios[0], "");
  fake_restart(v);
  assert_int_equal(state_of(v, NULL), KM_TXN_EMPTY);
  applied(v, &scenarios[0], id);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, NULL), KM_OK);
  assert_int_equal(count, 1);
  assert_int_equal(state_of(v, NULL), KM_TXN_COMMITTED);
  fake_free(v);
}

/* ---- intruders, driver leftovers ---- */

/* Killed in the middle, then somebody puts a file where one is wanted, and one where none should
 * be. */
static void test_intruders(void **state) {
  const scenario *s = &scenarios[0];
  (void)state;
  for (unsigned point = 1; point < 40; point++) {
    char id[KM_TXN_ID];
    km_outcome outcome;
    km_error error;
    size_t count;
    states st = states_of(s, false);
    fake_volume *v = prepare(s, false, verb_apply, id);
    fake_faults(v)->die_at = point;
    verb_apply(v, s, id);
    bool over = fake_operations(v) < point;
    fake_restart(v);
    bool open = fake_has(v, FAKE_APP_DATA, "keymend") && state_of(v, NULL) == KM_TXN_OPEN;
    bool moved = !fake_has(v, FAKE_STORE, A "_" OLD);
    if (open && moved) {
      fake_put(v, FAKE_STORE, A "_" OLD, "intruder at the old name", 9);
      fake_drop(v, FAKE_STORE, A "_" NEW);
      fake_put(v, FAKE_STORE, A "_" NEW, "intruder at the new name", 10);
      if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
        fail_msg("%s", error.message);
      nothing_lost(v, s);
      assert_true(fake_somewhere(v, "intruder at the old name"));
      assert_true(fake_somewhere(v, "intruder at the new name"));
      bool committed = state_of(v, NULL) == KM_TXN_COMMITTED;
      char *now = fake_snapshot(v);
      /* behind the commit record they are no intruders but what came after */
      if (committed)
        assert_true(strstr(now, A "_" NEW "|intruder") && strstr(now, A "_" OLD "|intruder"));
      else
        assert_string_equal(now, st.before);
      free(now);
    }
    free_states(&st);
    fake_free(v);
    if (over)
      break;
  }
}

static void test_driver_leftover(void **state) {
  const scenario *s = &scenarios[0];
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  size_t count;
  (void)state;
  states st = states_of(s, false);
  for (unsigned point = 1; point < 40; point++) {
    fake_volume *v = prepare(s, false, verb_apply, id);
    fake_faults(v)->die_at = point;
    verb_apply(v, s, id);
    fake_restart(v);
    bool open = fake_has(v, FAKE_APP_DATA, "keymend") && state_of(v, NULL) == KM_TXN_OPEN;
    if (open && swap_began(v)) {
      fake_link(v, FAKE_STORE, A "_" NEW, A "_" NEW ".ntfs-3g-0000000007");
      if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
        fail_msg("%s", error.message);
      assert_false(fake_has(v, FAKE_STORE, A "_" NEW ".ntfs-3g-0000000007"));
      char *now = fake_snapshot(v);
      assert_true(strcmp(now, st.before) == 0 || strcmp(now, st.after) == 0);
      free(now);
    }
    fake_free(v);
  }
  fake_volume *v = prepare(s, false, verb_apply, id);
  fake_faults(v)->die_at = 20;
  verb_apply(v, s, id);
  fake_restart(v);
  fake_put(v, FAKE_STORE, A "_" NEW ".ntfs-3g-0000000008", "not known", 3);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_true(fake_has(v, FAKE_STORE, A "_" NEW ".ntfs-3g-0000000008"));
  fake_free(v);
  free_states(&st);
}

/* The driver cannot replace while its leftover is in the way, and that one cannot be removed, since
 * nobody knows it. */
static void test_driver_in_the_way(void **state) {
  const scenario *s = &scenarios[0];
  unsigned tried = 0;
  (void)state;
  states st = states_of(s, false);
  for (unsigned point = 1; point < 40; point++) {
    char id[KM_TXN_ID];
    km_outcome outcome;
    km_error error;
    size_t count;
    fake_volume *v = prepare(s, false, verb_apply, id);
    fake_faults(v)->die_at = point;
    verb_apply(v, s, id);
    fake_restart(v);
    if (fake_has(v, FAKE_APP_DATA, "keymend") && state_of(v, NULL) == KM_TXN_OPEN) {
      fake_faults(v)->ntfs_3g = true;
      fake_put(v, FAKE_STORE, A "_" NEW ".ntfs-3g-0000000001", "not known", 3);
      if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
        fail_msg("point %u: %s", point, error.message);
      nothing_lost(v, s);
      fake_drop(v, FAKE_STORE, A "_" NEW ".ntfs-3g-0000000001");
      char *now = fake_snapshot(v);
      assert_true(strcmp(now, st.before) == 0 || strcmp(now, st.after) == 0);
      free(now);
      tried++;
    }
    fake_free(v);
  }
  assert_true(tried > 10);
  free_states(&st);
}

/* The link in the vault is gone: the copy serves. */
static void test_copy_serves(void **state) {
  const scenario *s = &scenarios[0];
  char id[KM_TXN_ID], folder[64];
  km_outcome outcome;
  km_error error;
  (void)state;
  fake_volume *v = make_volume(s, false);
  char *before = fake_snapshot(v);
  applied(v, s, id);
  snprintf(folder, sizeof folder, "app/keymend/%s", id);
  fake_drop(v, folder, "0.link");
  if (km_undo(fake_target(v), id, NULL, &outcome, NULL, &error) != KM_OK)
    fail_msg("%s", error.message);
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  free(now);
  free(before);
  fake_free(v);
}

/* ---- undo's refusals ---- */

static void test_undo_refuses(void **state) {
  const scenario *s = &scenarios[0];
  (void)state;
  for (int change = 0; change < 7; change++) {
    char id[KM_TXN_ID], folder[64];
    km_outcome outcome;
    km_error error;
    size_t size;
    fake_volume *v = make_volume(s, false);
    applied(v, s, id);
    snprintf(folder, sizeof folder, "app/keymend/%s", id);
    if (change == 0)
      fake_bytes(v, FAKE_STORE, A "_" NEW, &size)[0] ^= 1;
    if (change == 1)
      fake_meta(v, FAKE_STORE, A "_" NEW)->written++;
    if (change == 2)
      fake_meta(v, FAKE_STORE, A "_" NEW)->descriptor[0] ^= 1;
    if (change == 3)
      fake_drop(v, FAKE_STORE, A "_" NEW);
    if (change == 4)
      fake_put(v, FAKE_STORE, A "_" OLD, "new at the old name", 1);
    if (change == 5)
      fake_drop(v, folder, "0.link"), fake_drop(v, folder, "0.copy");
    if (change == 6)
      fake_meta(v, FAKE_STORE, A "_" NEW)->attributes ^= 1;
    unsigned operations = fake_operations(v);
    char *was = fake_snapshot(v);
    assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, &error), KM_REFUSED);
    assert_int_equal(outcome, KM_UNTOUCHED);
    assert_int_equal(fake_operations(v), operations);
    char *now = fake_snapshot(v);
    assert_string_equal(was, now);
    free(was);
    free(now);
    fake_free(v);
  }
}

static void test_two_transactions(void **state) {
  static const scenario retire = {"retire", {{NULL, NULL}}, {{A "_" NEW, NULL}}};
  char first[KM_TXN_ID], second[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  char *before = fake_snapshot(v);
  applied(v, &scenarios[0], first);
  applied(v, &retire, second);
  assert_true(strcmp(first, second) < 0);
  assert_int_equal(km_undo(fake_target(v), first, NULL, &outcome, NULL, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, second));
  assert_int_equal(km_undo(fake_target(v), second, NULL, &outcome, NULL, &error), KM_OK);
  assert_int_equal(km_undo(fake_target(v), first, NULL, &outcome, NULL, &error), KM_OK);
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  assert_int_equal(km_undo(fake_target(v), "20000101T000000Z-000000", NULL, &outcome, NULL, &error),
                   KM_NOT_FOUND);
  free(now);
  free(before);
  fake_free(v);
}

/* ---- interrupts ---- */

typedef struct interrupting {
  int flag;
  unsigned calls, at;
} interrupting;

static void interrupt_at(void *user, const char *stage, const char *text) {
  interrupting *i = user;
  (void)stage;
  (void)text;
  if (++i->calls == i->at)
    i->flag = 1;
}

static void test_interrupts(void **state) {
  const scenario *s = &scenarios[7];
  unsigned interrupted = 0, done = 0;
  (void)state;
  states st = states_of(s, false);
  for (unsigned at = 1; at < 25; at++) {
    interrupting i = {.at = at};
    km_txn_options options = {.progress = interrupt_at, .user = &i, .interrupted = &i.flag};
    km_outcome outcome;
    km_error error;
    test_plan plan;
    fake_volume *v = make_volume(s, false);
    make_plan(v, s, &plan);
    km_status status = km_apply(fake_target(v), &plan.plan, &options, &outcome, NULL, &error);
    check_outcome(v, s, &st, status, outcome, false, &error);
    if (status == KM_INTERRUPTED)
      interrupted++;
    if (status == KM_OK)
      done++;
    fake_free(v);
  }
  assert_true(interrupted >= 5);
  assert_true(done >= 5);
  free_states(&st);
}

/* ---- history, purge, ids ---- */

static void test_history(void **state) {
  char id[KM_TXN_ID];
  km_history *history = NULL;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_OK);
  assert_int_equal(history->count, 0);
  km_history_free(history);
  applied(v, &scenarios[0], id);
  fake_folder(v, "app/keymend", "not an id", true);
  assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_OK);
  assert_int_equal(history->count, 1);
  const km_txn *txn = history->txns[0];
  assert_string_equal(txn->id, id);
  assert_string_equal(txn->policies, "iis5");
  assert_string_equal(txn->machine_guid, NEW);
  assert_string_equal(txn->made_by, "keymend " KM_VERSION ", fake");
  assert_non_null(strstr(txn->vault, "C:\\ProgramData\\keymend\\2"));
  assert_int_equal(txn->file_count, 2);
  assert_string_equal(txn->files[0].before, A "_" NEW);
  assert_null(txn->files[0].after);
  assert_string_equal(txn->files[1].after, A "_" NEW);
  assert_string_equal(txn->start[1], "IISADMIN");
  assert_true(txn->begun > 0 && txn->ended >= txn->begun);
  km_history_free(history);
  fake_free(v);
}

static void test_purge(void **state) {
  char id[KM_TXN_ID], folder[64];
  km_outcome outcome;
  (void)state;
  for (unsigned point = 0; point < 12; point++) {
    fake_volume *v = make_volume(&scenarios[0], false);
    applied(v, &scenarios[0], id);
    char *was = fake_snapshot(v);
    snprintf(folder, sizeof folder, "app/keymend/%s", id);
    fake_put(v, folder, "intruder-1", "x", 1);
    fake_put(v, folder, "notes.txt", "the admin's own", 1);
    fake_restart(v);
    fake_faults(v)->die_at = point;
    km_purge(fake_target(v), id, NULL);
    fake_restart(v);
    /* a vault that is called purged holds no key any more, and one that has lost what an undo needs
     * lets none begin */
    bool left = fake_has(v, folder, "0.link") || fake_has(v, folder, "0.copy");
    if (state_of(v, id) == KM_TXN_PURGED)
      assert_false(left || fake_has(v, folder, "1.copy"));
    else if (!left)
      assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL), KM_REFUSED);
    assert_int_equal(km_purge(fake_target(v), id, NULL), KM_OK);
    assert_false(fake_has(v, folder, "0.link") || fake_has(v, folder, "0.copy") ||
                 fake_has(v, folder, "1.copy") || fake_has(v, folder, "intruder-1"));
    assert_true(fake_has(v, folder, "notes.txt") && fake_has(v, folder, "journal"));
    assert_int_equal(state_of(v, id), KM_TXN_PURGED);
    assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL), KM_REFUSED);
    char *now = fake_snapshot(v);
    assert_string_equal(was, now);
    free(was);
    free(now);
    fake_free(v);
  }
}

/* The clock stands before the newest transaction: order is kept. */
static void test_wrong_clock(void **state) {
  char first[KM_TXN_ID], id[KM_TXN_ID];
  km_error error;
  test_plan plan;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  applied(v, &scenarios[0], first);
  km_outcome outcome;
  assert_int_equal(km_undo(fake_target(v), first, NULL, &outcome, NULL, NULL), KM_OK);
  fake_folder(v, "app/keymend", "20991231T235959Z-ffffff", true);
  assert_int_equal(km_purge(fake_target(v), "20991231T235959Z-ffffff", &error), KM_REFUSED);
  const char *folder = "app/keymend";
  size_t size;
  char path[64];
  snprintf(path, sizeof path, "%s/%s", folder, first);
  uint8_t *bytes = fake_bytes(v, path, "journal", &size);
  fake_put_bytes(v, "app/keymend/20991231T235959Z-ffffff", "journal", bytes, size);
  applied(v, &scenarios[0], id);
  assert_memory_equal(id, "21000101T000000Z-", 17);
  assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL), KM_OK);
  fake_folder(v, "app/keymend", "99991231T235959Z-ffffff", true);
  bytes = fake_bytes(v, path, "journal", &size);
  fake_put_bytes(v, "app/keymend/99991231T235959Z-ffffff", "journal", bytes, size);
  make_plan(v, &scenarios[0], &plan);
  expect(v, &plan.plan, KM_LIMIT, NULL);
  fake_free(v);
}

/* An unreadable journal stops everything that writes, and says so. */
static void test_damaged_journal(void **state) {
  char id[KM_TXN_ID], folder[64];
  km_outcome outcome;
  km_error error;
  size_t size, count = 0;
  test_plan plan;
  (void)state;
  fake_volume *v = make_volume(&scenarios[0], false);
  applied(v, &scenarios[0], id);
  km_undo(fake_target(v), id, NULL, &outcome, NULL, NULL);
  snprintf(folder, sizeof folder, "app/keymend/%s", id);
  fake_bytes(v, folder, "journal", &size)[100] ^= 4;
  assert_int_equal(state_of(v, id), KM_TXN_UNREADABLE);
  make_plan(v, &scenarios[0], &plan);
  expect(v, &plan.plan, KM_DAMAGED, id);
  unsigned operations = fake_operations(v);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_DAMAGED);
  assert_int_equal(outcome, KM_ATTENTION);
  assert_int_equal(km_purge(fake_target(v), id, &error), KM_REFUSED);
  assert_int_equal(fake_operations(v), operations);
  /* an empty journal beside copies is damage too, not a transaction that never began */
  memset(fake_bytes(v, folder, "journal", &size), 0, size);
  assert_int_equal(state_of(v, id), KM_TXN_UNREADABLE);
  fake_free(v);
}

int test_transaction(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_apply_and_undo),
      cmocka_unit_test(test_identity_is_kept),
      cmocka_unit_test(test_no_gap),
      cmocka_unit_test(test_tunnelling),
      cmocka_unit_test(test_stale),
      cmocka_unit_test(test_name_taken),
      cmocka_unit_test(test_odd_files),
      cmocka_unit_test(test_volume_and_lock),
      cmocka_unit_test(test_replayed_hive),
      cmocka_unit_test(test_forged_folder),
      cmocka_unit_test(test_bad_plans),
      cmocka_unit_test(test_prune),
      cmocka_unit_test(test_grant_shown),
      cmocka_unit_test(test_grant_plans),
      cmocka_unit_test(test_grant_meanwhile),
      cmocka_unit_test(test_grant_bad_copy),
      cmocka_unit_test(test_open_is_refused),
      cmocka_unit_test(test_never_begun),
      cmocka_unit_test(test_intruders),
      cmocka_unit_test(test_driver_leftover),
      cmocka_unit_test(test_driver_in_the_way),
      cmocka_unit_test(test_copy_serves),
      cmocka_unit_test(test_undo_refuses),
      cmocka_unit_test(test_two_transactions),
      cmocka_unit_test(test_interrupts),
      cmocka_unit_test(test_history),
      cmocka_unit_test(test_purge),
      cmocka_unit_test(test_wrong_clock),
      cmocka_unit_test(test_damaged_journal),
      cmocka_unit_test(test_crash_apply),
      cmocka_unit_test(test_crash_undo),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
